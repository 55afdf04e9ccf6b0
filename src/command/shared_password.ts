/**
 * The password that clients must present, as all threads of a server have it.
 *
 * ```text
 * byte 0    int32 version: odd while it is being changed, 2 more after each change
 *      4    int32 bytes of the password, 0 = none is wanted
 *      8    the bytes, UTF-8, at most 1,024
 * ```
 *
 * It hardly ever changes, so each thread has a copy and looks at the version only.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { PASSWORD_MAX_BYTES } from "../base/limits.ts";

const VERSION_WORD = 0;
const LENGTH_WORD = 1;
const BYTES_AT = 8;

/** Thread: any; one object per thread. */
export class SharedPassword {
  /** Hand this to another thread for its {@link SharedPassword}. */
  readonly memory: SharedArrayBuffer;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #shared: Uint8Array<SharedArrayBuffer>;
  #copy = new Uint8Array(0);
  #copiedVersion = 0;

  /** Looks at a password, or makes a place for one, which is empty. */
  constructor(
    memory: SharedArrayBuffer = new SharedArrayBuffer(BYTES_AT + PASSWORD_MAX_BYTES),
  ) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, BYTES_AT / 4);
    this.#shared = new Uint8Array(memory, BYTES_AT);
  }

  /** The password; empty = none is wanted. Good until the next call. */
  get bytes(): Uint8Array {
    // Pairs with the stores in `set`: who sees the version sees the bytes that belong to it.
    while (Atomics.load(this.#words, VERSION_WORD) !== this.#copiedVersion) this.#read();
    return this.#copy;
  }

  /** Changes it, for all threads. @param bytes at most {@link PASSWORD_MAX_BYTES} */
  set(bytes: Uint8Array): void {
    assert(bytes.length <= PASSWORD_MAX_BYTES, "a password has a bounded length");
    const words = this.#words;
    let version: number;
    do version = Atomics.load(words, VERSION_WORD) & ~1; while (
      Atomics.compareExchange(words, VERSION_WORD, version, version + 1) !== version
    );
    Atomics.store(words, LENGTH_WORD, bytes.length);
    for (let i = 0; i < bytes.length; i++) Atomics.store(this.#shared, i, bytes[i]!);
    Atomics.store(words, VERSION_WORD, version + 2);
  }

  #read(): void {
    const version = Atomics.load(this.#words, VERSION_WORD);
    if ((version & 1) !== 0) return;
    const copy = new Uint8Array(Atomics.load(this.#words, LENGTH_WORD));
    for (let i = 0; i < copy.length; i++) copy[i] = Atomics.load(this.#shared, i);
    if (Atomics.load(this.#words, VERSION_WORD) !== version) return;
    this.#copy = copy;
    this.#copiedVersion = version;
  }
}
