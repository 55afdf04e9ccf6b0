/**
 * How many connections there are, over all I/O threads: altogether and by client address.
 *
 * ```text
 * byte 0       header, 64 bytes
 *   0   magic 0x534c4343     4   most connections       8   most per address, 0 = any number
 *   12  buckets (2^k)        16  secret of the hash     20  lock: 0 free, 1 taken
 *   24  first free entry     28  entries ever used      32  connections open
 *   36  most connections that there is room for: as many as there might be at start
 * byte 64      buckets, 4 bytes each: first entry of a chain
 * then         entries, 32 bytes each, at most one per connection
 *   0   address (4 words; of an IPv6 one only the network, 64 bits)
 *   16  connections          20  next entry of the chain, or free entry     24  bucket     28  unused
 * ```
 *
 * Links are entry + 1, 0 = none. Without a cap per address there are neither buckets nor entries.
 * Invariants, whenever the lock is free:
 *
 * - an address is in at most one entry, which has at least one connection and is in its bucket's
 *   chain;
 * - every entry that was ever used is in one chain or on the free list;
 * - the connections of all entries together are the connections open that were counted by address.
 *
 * The count of open connections is exact without the lock: it is changed by compare-and-swap. The
 * lock holds a chain together for as long as it takes to walk it (below a microsecond), so waiting
 * for it is spinning; an I/O thread takes it twice per connection. The connections of a thread that
 * died stay counted.
 *
 * @module
 */

import { ADDRESS_WORDS, hashAddressWords, writeAddressWords } from "../base/address_words.ts";
import { assert } from "../base/assert.ts";

const MAGIC = 0x534c4343;
const HEADER_BYTES = 64;
const MAGIC_WORD = 0;
const MAX_WORD = 1;
const MAX_PER_ADDRESS_WORD = 2;
const BUCKET_COUNT_WORD = 3;
const SECRET_WORD = 4;
const LOCK_WORD = 5;
const FREE_WORD = 6;
const USED_WORD = 7;
const OPEN_WORD = 8;
const CAPACITY_WORD = 9;

const ENTRY_WORDS = 8;
const COUNT = 4;
const NEXT = 5;
const BUCKET = 6;

assert(HEADER_BYTES / 4 > CAPACITY_WORD, "the header has room for its words");
assert(ADDRESS_WORDS === COUNT, "an entry starts with its address");

/** {@link ConnectionCensus.tryEnter}: there are as many connections as there may be. */
export const CENSUS_FULL: number = -2;

/** {@link ConnectionCensus.tryEnter}: this address has as many connections as it may have. */
export const CENSUS_FULL_FOR_ADDRESS: number = -3;

/** A ticket of a connection that is not counted by address. */
const NO_ENTRY = -1;

/** What another thread needs to attach; can be sent with `postMessage`. */
export interface CensusMemory {
  /** The region drawn above. */
  readonly buffer: SharedArrayBuffer;
}

/** The caps. */
export interface CensusOptions {
  /** Most connections. */
  readonly maxConnections: number;
  /** Most connections of one address, 0 = no bound. */
  readonly maxPerAddress: number;
}

/**
 * Counts connections and refuses those beyond the caps.
 *
 * Thread: any; make one per thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseAddress } from "../base/network.ts";
 * import { CENSUS_FULL_FOR_ADDRESS, ConnectionCensus } from "./connection_census.ts";
 * const census = ConnectionCensus.create({ maxConnections: 10, maxPerAddress: 1 });
 * const ticket = census.tryEnter(parseAddress("10.0.0.1"));
 * assert.equal(census.tryEnter(parseAddress("10.0.0.1")), CENSUS_FULL_FOR_ADDRESS);
 * census.leave(ticket);
 * assert.equal(census.openCount, 0);
 * ```
 */
export class ConnectionCensus {
  /** Hand this to another thread for {@link ConnectionCensus.attach}. */
  readonly memory: CensusMemory;

  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Connections that there is room for. */
  readonly #capacity: number;
  readonly #maxPerAddress: number;
  readonly #bucketMask: number;
  readonly #secret: number;
  /** First word of entry 0. */
  readonly #entries: number;
  /** The address asked for, as words. */
  readonly #wanted = new Int32Array(COUNT);

  private constructor(buffer: SharedArrayBuffer) {
    this.memory = { buffer };
    const words = this.#words = new Int32Array(buffer);
    assert(words[MAGIC_WORD] === MAGIC, "this is a census");
    this.#capacity = words[CAPACITY_WORD]!;
    this.#maxPerAddress = words[MAX_PER_ADDRESS_WORD]!;
    const bucketCount = words[BUCKET_COUNT_WORD]!;
    this.#bucketMask = bucketCount - 1;
    this.#secret = words[SECRET_WORD]!;
    this.#entries = HEADER_BYTES / 4 + bucketCount;
  }

  /** Makes an empty census. */
  static create({ maxConnections, maxPerAddress }: CensusOptions): ConnectionCensus {
    const byAddress = maxPerAddress > 0;
    const bucketCount = byAddress ? 2 ** Math.ceil(Math.log2(maxConnections)) : 0;
    const entryCount = byAddress ? maxConnections : 0;
    const buffer = new SharedArrayBuffer(
      HEADER_BYTES + bucketCount * 4 + entryCount * ENTRY_WORDS * 4,
    );
    const words = new Int32Array(buffer);
    words[MAGIC_WORD] = MAGIC;
    words[MAX_WORD] = words[CAPACITY_WORD] = maxConnections;
    words[MAX_PER_ADDRESS_WORD] = maxPerAddress;
    words[BUCKET_COUNT_WORD] = bucketCount;
    words[SECRET_WORD] = crypto.getRandomValues(new Int32Array(1))[0]!;
    return new ConnectionCensus(buffer);
  }

  /** Looks at a census that another thread made. */
  static attach(memory: CensusMemory): ConnectionCensus {
    return new ConnectionCensus(memory.buffer);
  }

  /** Whether connections are counted by address; if not, nobody need find theirs out. */
  get countsAddresses(): boolean {
    return this.#maxPerAddress > 0;
  }

  /** Connections open now. */
  get openCount(): number {
    return Atomics.load(this.#words, OPEN_WORD);
  }

  /** Most connections; those that are open stay, however many they are. */
  get maxConnections(): number {
    return Atomics.load(this.#words, MAX_WORD);
  }

  set maxConnections(count: number) {
    Atomics.store(this.#words, MAX_WORD, Math.min(count, this.#capacity));
  }

  /**
   * Counts a connection, if there may be one more.
   *
   * @param address as `parseAddress` gives it; null is not counted by address
   * @returns a ticket for {@link ConnectionCensus.leave}, or {@link CENSUS_FULL} or
   *   {@link CENSUS_FULL_FOR_ADDRESS}, which are below -1
   */
  tryEnter(address: Uint8Array | null): number {
    const words = this.#words;
    for (;;) {
      const open = Atomics.load(words, OPEN_WORD);
      if (open >= Atomics.load(words, MAX_WORD)) return CENSUS_FULL;
      if (Atomics.compareExchange(words, OPEN_WORD, open, open + 1) === open) break;
    }
    if (this.#maxPerAddress === 0 || address === null) return NO_ENTRY;
    const bucket = this.#locate(address);
    this.#lock();
    const ticket = this.#countIn(bucket);
    this.#unlock();
    if (ticket < 0) Atomics.sub(words, OPEN_WORD, 1);
    return ticket;
  }

  /**
   * Takes a connection off the count.
   *
   * @param ticket what {@link ConnectionCensus.tryEnter} gave for it; use it once
   */
  leave(ticket: number): void {
    if (ticket >= 0) {
      this.#lock();
      this.#countOut(ticket);
      this.#unlock();
    }
    // Behind the entry: whoever sees room in the count finds room for an entry.
    const before = Atomics.sub(this.#words, OPEN_WORD, 1);
    assert(before > 0, "a connection that leaves was counted");
  }

  /** Connections of one address. */
  countOf(address: Uint8Array): number {
    if (this.#maxPerAddress === 0) return 0;
    const bucket = this.#locate(address);
    this.#lock();
    const entry = this.#find(bucket);
    const count = entry < 0 ? 0 : this.#words[this.#wordOf(entry) + COUNT]!;
    this.#unlock();
    return count;
  }

  /** Checks the invariants above; for tests, while no thread is inside. */
  assertInvariants(): void {
    const words = this.#words;
    assert(words[LOCK_WORD] === 0, "the lock is free");
    const used = words[USED_WORD]!;
    const seen = new Set<number>();
    let counted = 0;
    for (let bucket = 0; bucket <= this.#bucketMask; bucket++) {
      for (let link = words[HEADER_BYTES / 4 + bucket]!; link !== 0;) {
        const at = this.#wordOf(link - 1);
        assert(!seen.has(link), `entry ${link - 1} is in one place`);
        assert(words[at + COUNT]! > 0, `entry ${link - 1} has a connection`);
        assert(words[at + BUCKET] === bucket, `entry ${link - 1} knows its bucket`);
        seen.add(link);
        counted += words[at + COUNT]!;
        link = words[at + NEXT]!;
      }
    }
    for (let link = words[FREE_WORD]!; link !== 0; link = words[this.#wordOf(link - 1) + NEXT]!) {
      assert(!seen.has(link), `free entry ${link - 1} is in one place`);
      seen.add(link);
    }
    assert(seen.size === used, `${used} entries were used and ${seen.size} are left`);
    assert(counted <= this.openCount, "who is counted by address is counted");
  }

  /** Takes the address as words and finds its bucket. */
  #locate(address: Uint8Array): number {
    writeAddressWords(address, this.#wanted);
    return hashAddressWords(this.#wanted, this.#secret) & this.#bucketMask;
  }

  #wordOf(entry: number): number {
    return this.#entries + entry * ENTRY_WORDS;
  }

  /** The entry of the address asked for, or -1. */
  #find(bucket: number): number {
    const words = this.#words;
    const [a, b, c, d] = this.#wanted;
    for (let link = words[HEADER_BYTES / 4 + bucket]!; link !== 0;) {
      const at = this.#wordOf(link - 1);
      const isIt = words[at] === a && words[at + 1] === b && words[at + 2] === c &&
        words[at + 3] === d;
      if (isIt) return link - 1;
      link = words[at + NEXT]!;
    }
    return -1;
  }

  #countIn(bucket: number): number {
    const words = this.#words;
    let entry = this.#find(bucket);
    if (entry < 0) entry = this.#addEntry(bucket);
    const at = this.#wordOf(entry) + COUNT;
    if (words[at]! >= this.#maxPerAddress) return CENSUS_FULL_FOR_ADDRESS;
    words[at]!++;
    return entry;
  }

  #countOut(entry: number): void {
    const words = this.#words;
    const at = this.#wordOf(entry);
    const left = --words[at + COUNT]!;
    assert(left >= 0, `entry ${entry} had a connection`);
    if (left > 0) return;
    let link = HEADER_BYTES / 4 + words[at + BUCKET]!;
    while (words[link] !== entry + 1) link = this.#wordOf(words[link]! - 1) + NEXT;
    words[link] = words[at + NEXT]!;
    words[at + NEXT] = words[FREE_WORD]!;
    words[FREE_WORD] = entry + 1;
  }

  /** An entry without connections at the front of a chain; there is one for every connection. */
  #addEntry(bucket: number): number {
    const words = this.#words;
    let entry = words[FREE_WORD]! - 1;
    if (entry >= 0) words[FREE_WORD] = words[this.#wordOf(entry) + NEXT]!;
    else entry = words[USED_WORD]!++;
    assert(entry < this.#capacity, "there is an entry for every connection");
    const at = this.#wordOf(entry);
    words.set(this.#wanted, at);
    words[at + COUNT] = 0;
    words[at + NEXT] = words[HEADER_BYTES / 4 + bucket]!;
    words[at + BUCKET] = bucket;
    words[HEADER_BYTES / 4 + bucket] = entry + 1;
    return entry;
  }

  #lock(): void {
    // Pairs with the store in unlock: what the last owner wrote is seen.
    while (Atomics.compareExchange(this.#words, LOCK_WORD, 0, 1) !== 0) Atomics.pause?.();
  }

  #unlock(): void {
    Atomics.store(this.#words, LOCK_WORD, 0);
  }
}
