/**
 * What was worked out of a command's keys when their locks were chosen, for its handler.
 *
 * @module
 */

import type { Key } from "../store/key.ts";
import { type Lookahead, LOOKAHEAD_KEYS } from "../store/lookahead.ts";
import type { Store } from "../store/store.ts";

/**
 * Keys behind these arguments are hashed again. Reason: a call that waits has 2 KB for them, and half
 * a KB for looking ahead.
 */
const REMEMBERED_ARGUMENTS = 128;

/** Words of a key: hash, other half of the hash, shard, tag. */
const KEY_WORDS = 4;

/**
 * Hashes of keys by the index of their argument. In a large database the keys are brought into the
 * processor's caches meanwhile, those that are remembered.
 *
 * Thread: one I/O thread.
 */
export class KeyHashes {
  readonly #lookahead: Lookahead;
  #database = 0;
  #looksAhead = false;
  /** One bit for each argument: its hash is here. */
  readonly #marks = new Int32Array(REMEMBERED_ARGUMENTS / 32);
  readonly #words = new Int32Array(REMEMBERED_ARGUMENTS * KEY_WORDS);

  /** Makes an empty one for keys of a store. */
  constructor(store: Store) {
    this.#lookahead = store.lookahead();
  }

  /** Begins with the keys of another command. */
  begin(database: number): void {
    this.#database = database;
    this.#looksAhead = this.#lookahead.paysOff(database);
    this.#lookahead.clear();
    const marks = this.#marks;
    for (let i = 0; i < marks.length; i++) marks[i] = 0;
  }

  /** Remembers a located key. */
  remember(index: number, key: Key): void {
    if (index >= REMEMBERED_ARGUMENTS) return;
    const words = this.#words;
    const at = index * KEY_WORDS;
    words[at] = key.hash;
    words[at + 1] = key.hashHigh;
    words[at + 2] = key.shard;
    words[at + 3] = key.tag;
    this.#marks[index >>> 5]! |= 1 << (index & 31);
    if (!this.#looksAhead) return;
    const lookahead = this.#lookahead;
    lookahead.note(key.hash, key.hashHigh);
    if (lookahead.count === LOOKAHEAD_KEYS) lookahead.touch(this.#database);
  }

  /** All keys of the command are remembered. */
  end(): void {
    if (this.#looksAhead) this.#lookahead.touch(this.#database);
  }

  /**
   * Locates a key that was remembered.
   *
   * @param key points at the bytes of the argument
   * @returns false when it was not
   */
  recall(index: number, key: Key): boolean {
    if (index >= REMEMBERED_ARGUMENTS) return false;
    if ((this.#marks[index >>> 5]! & (1 << (index & 31))) === 0) return false;
    const words = this.#words;
    const at = index * KEY_WORDS;
    key.hash = words[at]! >>> 0;
    key.hashHigh = words[at + 1]! >>> 0;
    key.shard = words[at + 2]!;
    key.tag = words[at + 3]!;
    return true;
  }
}
