/**
 * `--rate-limit`: how many HTTP requests a client address may send, over all I/O threads.
 *
 * ```text
 * byte 0       header, 64 bytes
 *   0   magic 0x534c524c     4   requests per window     8   window, ms      12  buckets (2^k)
 *   16  secret of the hash
 * byte 64      one lock per bucket, 4 bytes each: 0 free, 1 taken
 * then         buckets of 8 entries, 32 bytes each
 *   0   address (4 words; of an IPv6 one only the network, 64 bits)
 *   16  requests taken       20  unused
 *   24  when the window opened, ms since the epoch (float64); 0 = never used
 * ```
 *
 * A window opens with a request and is over after its time; then the whole allowance is back. So the
 * count of a window is exact, whichever threads serve its requests: it is changed under the bucket's
 * lock, which is held for as long as it takes to look at 8 entries (below a microsecond), so waiting
 * for it is spinning.
 *
 * The memory is fixed. When more addresses than its bucket has room for are in a window at the same
 * time, the one that has taken least makes room: it has the least to gain from being forgotten, and
 * those who are at their limit stay known however many others come.
 *
 * @module
 */

import { ADDRESS_WORDS, hashAddressWords, writeAddressWords } from "../base/address_words.ts";
import { assert } from "../base/assert.ts";
import { parseAddress } from "../base/network.ts";
import type { Rate } from "../base/units.ts";
import type { RequestLimit } from "../protocol/http/request_limit.ts";

const MAGIC = 0x534c524c;
const HEADER_BYTES = 64;
const MAGIC_WORD = 0;
const COUNT_WORD = 1;
const PERIOD_WORD = 2;
const BUCKET_COUNT_WORD = 3;
const SECRET_WORD = 4;

const ENTRY_WORDS = 8;
const ENTRIES_PER_BUCKET = 8;
const TAKEN = 4;
/** As words; half of it as an index of float64. */
const OPENED = 6;

/**
 * Addresses that can be known at once.
 *
 * Reason: 4 MiB, taken only with `--rate-limit`; more clients than that in one window need more than
 * one server.
 */
export const LIMITED_ADDRESSES_MAX = 131_072;

/**
 * A window that opens so much later than now was opened by a thread whose clock was read later; more
 * than that, and the clock was set back.
 *
 * Unit: ms. Reason: a thread reads it once per batch of requests.
 */
const CLOCK_LAG_MS = 1000;

assert(OPENED % 2 === 0 && ENTRY_WORDS % 2 === 0, "a time is aligned");

/** What another thread needs to attach; can be sent with `postMessage`. */
export interface RequestLimiterMemory {
  /** The region drawn above. */
  readonly buffer: SharedArrayBuffer;
}

/** A client's address, and where it is looked for. */
export interface LimitedClient {
  /** The address. */
  readonly words: Int32Array;
  /** The bucket. */
  readonly bucket: number;
}

/**
 * Counts requests by address and refuses those beyond the rate.
 *
 * Thread: any; make one per thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RequestLimiter } from "./request_limiter.ts";
 * const limiter = RequestLimiter.create({ count: 1, perMs: 60_000 });
 * const client = limiter.keyOf("10.0.0.1");
 * assert.equal(limiter.tryTake(client, 1000), true);
 * assert.equal(limiter.tryTake(client, 1000), false);
 * assert.equal(limiter.resetS, 60);
 * ```
 */
export class RequestLimiter implements RequestLimit {
  /** Hand this to another thread for {@link RequestLimiter.attach}. */
  readonly memory: RequestLimiterMemory;
  /** See {@link RequestLimit.count}. */
  readonly count: number;
  /** See {@link RequestLimit.remaining}. */
  remaining = 0;
  /** See {@link RequestLimit.resetS}. */
  resetS = 1;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array<SharedArrayBuffer>;
  readonly #perMs: number;
  readonly #bucketCount: number;
  readonly #secret: number;
  /** First word of bucket 0. */
  readonly #entries: number;

  private constructor(buffer: SharedArrayBuffer) {
    this.memory = { buffer };
    const words = this.#words = new Int32Array(buffer);
    this.#times = new Float64Array(buffer);
    assert(words[MAGIC_WORD] === MAGIC, "this is a request limiter");
    this.count = words[COUNT_WORD]!;
    this.#perMs = words[PERIOD_WORD]!;
    this.#bucketCount = words[BUCKET_COUNT_WORD]!;
    this.#secret = words[SECRET_WORD]!;
    this.#entries = HEADER_BYTES / 4 + this.#bucketCount;
    assert(this.#entries % 2 === 0, "times are aligned");
  }

  /**
   * Makes a limiter that has seen nobody.
   *
   * @param addressesMax addresses that can be known at once, a power of two from 16 up
   */
  static create(rate: Rate, addressesMax: number = LIMITED_ADDRESSES_MAX): RequestLimiter {
    const bucketCount = addressesMax / ENTRIES_PER_BUCKET;
    assert(
      Number.isInteger(Math.log2(bucketCount)) && bucketCount > 1,
      "buckets are a power of two",
    );
    const buffer = new SharedArrayBuffer(
      HEADER_BYTES + bucketCount * 4 + addressesMax * ENTRY_WORDS * 4,
    );
    const words = new Int32Array(buffer);
    words[MAGIC_WORD] = MAGIC;
    words[COUNT_WORD] = rate.count;
    words[PERIOD_WORD] = rate.perMs;
    words[BUCKET_COUNT_WORD] = bucketCount;
    words[SECRET_WORD] = crypto.getRandomValues(new Int32Array(1))[0]!;
    return new RequestLimiter(buffer);
  }

  /** Looks at a limiter that another thread made. */
  static attach(memory: RequestLimiterMemory): RequestLimiter {
    return new RequestLimiter(memory.buffer);
  }

  /** See {@link RequestLimit.keyOf}. */
  keyOf(hostname: string): LimitedClient {
    const words = new Int32Array(ADDRESS_WORDS);
    const address = parseAddress(hostname);
    if (address !== null) writeAddressWords(address, words);
    return { words, bucket: hashAddressWords(words, this.#secret) & this.#bucketCount - 1 };
  }

  /** See {@link RequestLimit.tryTake}. */
  tryTake(client: LimitedClient, nowMs: number): boolean {
    const words = this.#words;
    const lock = HEADER_BYTES / 4 + client.bucket;
    // Pairs with the store below: what the last owner wrote is seen.
    while (Atomics.compareExchange(words, lock, 0, 1) !== 0) Atomics.pause?.();
    const isTaken = this.#take(this.#entryOf(client, nowMs), nowMs);
    Atomics.store(words, lock, 0);
    return isTaken;
  }

  #take(at: number, nowMs: number): boolean {
    const words = this.#words;
    const taken = words[at + TAKEN]!;
    const openForMs = Math.max(0, nowMs - this.#times[(at + OPENED) / 2]!);
    this.resetS = Math.max(1, Math.ceil((this.#perMs - openForMs) / 1000));
    this.remaining = Math.max(0, this.count - taken - 1);
    if (taken >= this.count) return false;
    words[at + TAKEN] = taken + 1;
    return true;
  }

  /** First word of the client's entry, whose window is open. */
  #entryOf({ words: wanted, bucket }: LimitedClient, nowMs: number): number {
    const words = this.#words;
    const first = this.#entries + bucket * ENTRIES_PER_BUCKET * ENTRY_WORDS;
    let victim = first;
    let leastTaken = Infinity;
    for (let i = 0; i < ENTRIES_PER_BUCKET; i++) {
      const at = first + i * ENTRY_WORDS;
      const isOver = this.#isOver(at, nowMs);
      if (
        words[at] === wanted[0] && words[at + 1] === wanted[1] && words[at + 2] === wanted[2] &&
        words[at + 3] === wanted[3]
      ) {
        if (isOver) this.#open(at, nowMs);
        return at;
      }
      const taken = isOver ? 0 : words[at + TAKEN]!;
      if (taken >= leastTaken) continue;
      leastTaken = taken;
      victim = at;
    }
    words.set(wanted, victim);
    this.#open(victim, nowMs);
    return victim;
  }

  #isOver(at: number, nowMs: number): boolean {
    const openForMs = nowMs - this.#times[(at + OPENED) / 2]!;
    return openForMs >= this.#perMs || openForMs < -Math.min(CLOCK_LAG_MS, this.#perMs);
  }

  #open(at: number, nowMs: number): void {
    this.#words[at + TAKEN] = 0;
    this.#times[(at + OPENED) / 2] = nowMs;
  }
}
