/**
 * Keys of commands that have arrived and were not decoded yet.
 *
 * In a large database a command waits for memory twice: for the bucket of its key, and for the
 * entry. Where many commands have arrived, the keys of the next ones are hashed in a row, and what
 * belongs to them is brought into the caches together (lookahead.ts), before the first of them is
 * executed.
 *
 * What is a key is guessed: the first argument behind the command's name. A wrong guess costs the
 * time that it took. A right one saves hashing the key again: {@link UpcomingKeys.give} hands the
 * hash to a command whose first argument is the very bytes that were hashed.
 *
 * @module
 */

import { Key } from "../store/key.ts";
import { type Lookahead, LOOKAHEAD_KEYS } from "../store/lookahead.ts";
import type { Store } from "../store/store.ts";
import type { CommandArguments } from "./arguments.ts";

/** Keys are short. A longer argument may be none, and hashing it takes as long as what it saves. */
const MOST_KEY_BYTES = 256;

/** Where so many commands have the same key, as pushes to one list do, there is nothing to find. */
const SAMPLE = 3;

/**
 * Keys that were found in the read buffer of one connection, or of several, each one's in the order of
 * their commands.
 *
 * Thread: one instance per I/O thread. Between {@link UpcomingKeys.clear} and the last
 * {@link UpcomingKeys.give} the buffers must not move, and nobody else may use the instance.
 */
export class UpcomingKeys {
  /** How many can be noted. */
  static readonly CAPACITY: number = LOOKAHEAD_KEYS;

  /** Members of large collections, found in the same way. */
  readonly members: Store["collections"]["membersAhead"];
  readonly #store: Store;
  readonly #lookahead: Lookahead;
  readonly #key = new Key();
  readonly #starts = new Int32Array(LOOKAHEAD_KEYS);
  readonly #ends = new Int32Array(LOOKAHEAD_KEYS);
  readonly #hashes = new Int32Array(LOOKAHEAD_KEYS);
  readonly #hashHighs = new Int32Array(LOOKAHEAD_KEYS);
  #count = 0;
  /** The first one that may belong to a command which was not decoded yet. */
  #next = 0;
  /** From here on they are of another connection. */
  #end = 0;

  /** Makes an empty one for keys of a store. */
  constructor(store: Store) {
    this.#store = store;
    this.members = store.collections.membersAhead;
    this.#lookahead = store.lookahead();
  }

  /** How many are noted. */
  get count(): number {
    return this.#count;
  }

  /** Whether no more can be noted. */
  get isFull(): boolean {
    return this.#count === LOOKAHEAD_KEYS;
  }

  /** Whether all from `first` on are the same key, and enough of them that it will go on like that. */
  isOneKey(first: number): boolean {
    const hashes = this.#hashes;
    for (let i = first + 1; i < this.#count; i++) if (hashes[i] !== hashes[first]) return false;
    return this.#count - first >= SAMPLE;
  }

  /** Whether it is worth while in a database: in a small one, keys are in the caches. */
  paysOff(database: number): boolean {
    return this.#lookahead.paysOff(database);
  }

  /** Forgets everything. */
  clear(): void {
    this.#count = this.#next = this.#end = 0;
    this.#lookahead.clear();
  }

  /** Notes the key `bytes[start, end)`, unless it is too long or {@link UpcomingKeys.isFull}. */
  note(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#count;
    if (end - start > MOST_KEY_BYTES || index === LOOKAHEAD_KEYS) return;
    const key = this.#key;
    this.#store.locate(key.set(bytes, start, end));
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#hashes[index] = key.hash;
    this.#hashHighs[index] = key.hashHigh;
    this.#lookahead.note(key.hash, key.hashHigh);
    this.#count = this.#end = index + 1;
  }

  /** Those from `first` to before `end` are the ones to give: of the connection whose turn it is. */
  select(first: number, end: number): void {
    this.#next = first;
    this.#end = end;
  }

  /** Brings what belongs to the noted keys into the caches. */
  touch(database: number): void {
    this.#lookahead.touch(database);
  }

  /** Hands the hash of its first argument to a command that was decoded, if it is known. */
  give(args: CommandArguments): void {
    let next = this.#next;
    const end = this.#end;
    if (next === end || args.count < 2) return;
    const start = args.starts[1]!;
    while (next < end && this.#starts[next]! < start) next++;
    if (next < end && this.#starts[next] === start && this.#ends[next] === args.ends[1]) {
      args.hashedIndex = 1;
      args.hash = this.#hashes[next]!;
      args.hashHigh = this.#hashHighs[next]!;
      next++;
    }
    this.#next = next;
  }
}
