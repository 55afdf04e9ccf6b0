/**
 * What `BY` and `GET` of `SORT` name: other keys, or fields of hashes, by a pattern with one `*`.
 *
 * @module
 */

import { Key } from "../store/key.ts";
import { EntryType, type Store, WriteStatus } from "../store/store.ts";
import type { Texts } from "./texts.ts";

const STAR = 0x2a;
const DASH = 0x2d;
const GREATER = 0x3e;
const HASH_SIGN = 0x23;
/** Not the first: that is the command's own. */
const HANDLE = 6;

/** A pattern. Thread: one I/O thread. */
export class SortPattern {
  /** `#`: the element itself. */
  readonly isElement: boolean;
  /** Whether it depends on the element; one that does not names nothing. */
  readonly hasStar: boolean;
  /** The key for the element that was last {@link SortPattern.locate}d. */
  readonly key: Key = new Key();

  readonly #prefix: Uint8Array;
  readonly #postfix: Uint8Array;
  readonly #field: Uint8Array | undefined;
  #scratch = new Uint8Array(256);

  /** Reads the pattern `bytes[start, end)`, which it copies. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    const pattern = bytes.slice(start, end);
    const star = pattern.indexOf(STAR);
    this.isElement = pattern.length === 1 && pattern[0] === HASH_SIGN;
    this.hasStar = star >= 0;
    let keyEnd = pattern.length;
    for (let i = star + 1; this.hasStar && i + 2 < pattern.length; i++) {
      if (pattern[i] !== DASH || pattern[i + 1] !== GREATER) continue;
      keyEnd = i;
      break;
    }
    this.#field = keyEnd < pattern.length ? pattern.subarray(keyEnd + 2) : undefined;
    this.#prefix = pattern.subarray(0, Math.max(star, 0));
    this.#postfix = pattern.subarray(star + 1, keyEnd);
  }

  /** Finds the key for the element `bytes[start, end)`. */
  locate(store: Store, bytes: Uint8Array, start: number, end: number): Key {
    const elementAt = this.#prefix.length;
    const postfixAt = elementAt + end - start;
    const byteCount = postfixAt + this.#postfix.length;
    if (byteCount > this.#scratch.length) this.#scratch = new Uint8Array(2 * byteCount);
    this.#scratch.set(this.#prefix);
    this.#scratch.set(bytes.subarray(start, end), elementAt);
    this.#scratch.set(this.#postfix, postfixAt);
    this.key.set(this.#scratch, 0, byteCount);
    store.locate(this.key);
    return this.key;
  }

  /**
   * Adds what is at the located key, whose lock is held (shared is enough), to `texts`.
   *
   * @returns false when that is more than they may hold
   */
  read(store: Store, database: number, texts: Texts): boolean {
    if (this.#field !== undefined) return this.#readField(store, database, this.#field, texts);
    const entry = store.lookup(database, this.key);
    if (entry === 0 || store.entryType(entry) !== EntryType.STRING) return texts.addMissing();
    const offset = texts.add(store.stringLength(entry));
    if (offset < 0) return false;
    store.copyString(entry, texts.bytes, offset);
    return true;
  }

  #readField(store: Store, database: number, field: Uint8Array, texts: Texts): boolean {
    const { collections } = store;
    const c = collections.handle(HANDLE);
    const status = collections.open(c, database, this.key, EntryType.HASH, false);
    if (status !== WriteStatus.OK || !collections.hashes.find(c, field, 0, field.length)) {
      return texts.addMissing();
    }
    const value = c.cursor.value();
    const offset = texts.add(value.byteCount);
    if (offset < 0) return false;
    value.copyTo(texts.bytes, offset);
    return true;
  }
}
