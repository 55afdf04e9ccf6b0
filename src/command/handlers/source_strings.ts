/**
 * The strings that a command with many keys makes its result of.
 *
 * @module
 */

import { EntryType, type Store, type ValueLease } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";

/** One string: a copy of it, or a lease where it is large; missing keys are empty. */
interface Source {
  byteCount: number;
  copy: Uint8Array | undefined;
  lease: ValueLease | undefined;
  /** Number of the last mutation, -1 when the key is missing. */
  seq: number;
}

const NOTHING = new Uint8Array(0);

/**
 * Strings as they were at one moment, to be read from front to back without the locks.
 *
 * Thread: one I/O thread. Whoever captures them releases them.
 */
export class SourceStrings {
  /** Length in bytes of the longest one; 0 once they are released. */
  longest = 0;
  readonly #store: Store;
  readonly #sources: Source[] = [];

  /** Makes an empty set of them. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** How many there are. */
  get count(): number {
    return this.#sources.length;
  }

  /**
   * Captures the strings of the keys that the arguments from `first` to `last`, both included, name;
   * needs their locks, shared is enough.
   *
   * @returns false, and nothing is captured, when one of the keys holds another type
   */
  capture(call: CommandCall, first: number, last: number = call.args.count - 1): boolean {
    const { database } = call;
    const store = this.#store;
    for (let i = first; i <= last; i++) {
      const entry = store.lookup(database, call.keyAt(i));
      if (entry !== 0 && store.entryType(entry) !== EntryType.STRING) {
        this.release();
        return false;
      }
      this.#sources.push(this.#take(entry));
    }
    return true;
  }

  /** Whether the keys still hold what was captured; needs their locks. */
  areUnchanged(call: CommandCall, first: number): boolean {
    const store = this.#store;
    return this.#sources.every(({ seq }, i) => {
      const entry = store.lookup(call.database, call.keyAt(first + i));
      return seq === (entry === 0 ? -1 : store.entrySeq(entry));
    });
  }

  /** Whether the key of string `index` is missing. */
  isMissing(index: number): boolean {
    return this.#sources[index]!.seq < 0;
  }

  /** Length in bytes of string `index`. */
  byteCount(index: number): number {
    return this.#sources[index]!.byteCount;
  }

  /**
   * Copies the bytes of string `index` from `at` on to `target`, as many as fit `length`. A string
   * is read once, from front to back.
   *
   * @returns how many there were
   */
  read(index: number, at: number, target: Uint8Array, length: number): number {
    const { byteCount, copy, lease } = this.#sources[index]!;
    const end = Math.min(byteCount, at + length);
    if (end <= at) return 0;
    if (lease !== undefined) lease.copyNext(target, 0, end - at);
    else target.set(copy!.subarray(at, end));
    return end - at;
  }

  /** All of string `index`, which was not read before. */
  whole(index: number): Uint8Array {
    const bytes = new Uint8Array(this.byteCount(index));
    this.read(index, 0, bytes, bytes.length);
    return bytes;
  }

  /** Gives up all of them; may be called any number of times. */
  release(): void {
    for (const { lease } of this.#sources) lease?.release();
    this.#sources.length = 0;
    this.longest = 0;
  }

  #take(entry: number): Source {
    if (entry === 0) return { byteCount: 0, copy: NOTHING, lease: undefined, seq: -1 };
    const store = this.#store;
    const byteCount = store.stringLength(entry);
    const seq = store.entrySeq(entry);
    this.longest = Math.max(this.longest, byteCount);
    if (store.isLeasable(entry)) {
      return { byteCount, copy: undefined, lease: store.lease(entry), seq };
    }
    const copy = new Uint8Array(byteCount);
    store.copyString(entry, copy, 0);
    return { byteCount, copy, lease: undefined, seq };
  }
}
