/**
 * Keys of the requests that follow in a pipeline, found before these are parsed.
 *
 * In a large database a command waits for memory twice: for the bucket of its key, and for the
 * entry. The keys of a pipeline have all arrived, so those of the next requests are hashed in a row
 * and what belongs to them is brought into the caches together (lookahead.ts), before the first of
 * the requests is executed.
 *
 * Keys are not looked ahead where that cannot pay off: in a small database, in a short batch, and
 * where one key comes again and again.
 *
 * What is a key is guessed: the first argument behind the command's name. A wrong guess costs the
 * time that it took. A right one saves hashing the key again: {@link UpcomingKeys.give} hands the
 * hash to a request whose first argument is the very bytes that were hashed.
 *
 * @module
 */

import type { InputBuffer } from "../../base/bytes.ts";
import type { CommandArguments } from "../../command/arguments.ts";
import { Key } from "../../store/key.ts";
import { type Lookahead, LOOKAHEAD_KEYS } from "../../store/lookahead.ts";
import type { Store } from "../../store/store.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const CARRIAGE_RETURN = 0x0d;
const DIGIT_0 = 0x30;

/** Two of the shortest requests with a key: less than that is no pipeline. Unit: bytes. */
const LEAST_PIPELINE_BYTES = 40;

/** Longer arguments than numbers of so many digits can say are not skipped. */
const MOST_LENGTH_DIGITS = 8;

/** Where so many requests have the same key, as pushes to one list do, there is nothing to find. */
const SAMPLE = 3;

/**
 * Looks ahead in the input of one connection at a time.
 *
 * Thread: one instance per I/O thread. Between {@link UpcomingKeys.begin} and the last
 * {@link UpcomingKeys.give} of a batch the input must not move, and no other batch may begin.
 */
export class UpcomingKeys {
  readonly #store: Store;
  readonly #lookahead: Lookahead;
  readonly #key = new Key();
  readonly #starts = new Int32Array(LOOKAHEAD_KEYS);
  readonly #ends = new Int32Array(LOOKAHEAD_KEYS);
  readonly #hashes = new Int32Array(LOOKAHEAD_KEYS);
  readonly #hashHighs = new Int32Array(LOOKAHEAD_KEYS);
  #count = 0;
  /** The first one that may belong to a request which was not parsed yet. */
  #next = 0;
  /** Requests from this offset on have not been looked at. */
  #until = Infinity;

  /** Looks up nothing yet. */
  constructor(store: Store) {
    this.#store = store;
    this.#lookahead = store.lookahead();
  }

  /**
   * Begins a batch.
   *
   * @param input what has arrived, from the start of a request
   * @param database the client's
   */
  begin(input: InputBuffer, database: number): void {
    this.#count = 0;
    this.#next = 0;
    const isPipeline = input.end - input.start >= LEAST_PIPELINE_BYTES;
    this.#until = isPipeline && this.#lookahead.paysOff(database) ? input.start : Infinity;
  }

  /** Finds the keys of the next requests, unless those found before are still to be parsed. */
  find(input: InputBuffer, database: number): void {
    if (input.start >= this.#until) this.#scan(input, database);
  }

  /** Hands the hash of its first argument to a request that was parsed, if it is known. */
  give(args: CommandArguments): void {
    if (this.#next === this.#count || args.count < 2) return;
    const start = args.starts[1]!;
    let next = this.#next;
    while (next < this.#count && this.#starts[next]! < start) next++;
    if (next < this.#count && this.#starts[next] === start && this.#ends[next] === args.ends[1]) {
      args.hashedIndex = 1;
      args.hash = this.#hashes[next]!;
      args.hashHigh = this.#hashHighs[next]!;
      next++;
    }
    this.#next = next;
  }

  #scan(input: InputBuffer, database: number): void {
    const { bytes, end } = input;
    let at = input.start;
    this.#count = 0;
    this.#next = 0;
    while (this.#count < LOOKAHEAD_KEYS) {
      const behind = this.#scanRequest(bytes, at, end);
      if (behind < 0) break;
      at = behind;
      if (this.#count === SAMPLE && this.#isOneKey()) {
        this.#lookahead.clear();
        this.#until = Infinity;
        return;
      }
    }
    // What is not a whole plain request is parsed, and then it goes on behind it.
    this.#until = Math.max(at, input.start + 1);
    this.#lookahead.touch(database);
  }

  /** Whether all keys that were found are the same. */
  #isOneKey(): boolean {
    const hashes = this.#hashes;
    for (let i = 1; i < this.#count; i++) if (hashes[i] !== hashes[0]) return false;
    return true;
  }

  /**
   * Notes the key of the request at `at`, if it is a whole one of up to nine arguments.
   *
   * @returns the offset behind it; -1 when it is not
   */
  #scanRequest(bytes: Uint8Array, at: number, end: number): number {
    if (at + 4 > end || bytes[at] !== STAR || bytes[at + 2] !== CARRIAGE_RETURN) return -1;
    const count = bytes[at + 1]! - DIGIT_0;
    if (count < 1 || count > 9) return -1;
    let start = 0;
    let stop = 0;
    at += 4;
    for (let index = 0; index < count; index++) {
      if (at >= end || bytes[at] !== DOLLAR) return -1;
      const last = at + MOST_LENGTH_DIGITS;
      let length = 0;
      for (at++;; at++) {
        const digit = bytes[at]! - DIGIT_0;
        if (digit < 0 || digit > 9) break;
        length = length * 10 + digit;
        if (at === last) return -1;
      }
      at += 2;
      if (index === 1) {
        start = at;
        stop = at + length;
      }
      at += length + 2;
      if (at > end) return -1;
    }
    if (count > 1) this.#note(bytes, start, stop);
    return at;
  }

  #note(bytes: Uint8Array, start: number, end: number): void {
    const key = this.#key;
    this.#store.locate(key.set(bytes, start, end));
    const index = this.#count++;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#hashes[index] = key.hash;
    this.#hashHighs[index] = key.hashHigh;
    this.#lookahead.note(key.hash, key.hashHigh);
  }
}
