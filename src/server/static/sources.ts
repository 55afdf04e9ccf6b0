/**
 * Bodies of replies that are files, or kept parts of them.
 *
 * @module
 */

import type { AsyncByteSource, KeptSource } from "../../protocol/http/async_source.ts";
import type { OpenFile } from "./directory.ts";

/**
 * A part of a file, read while it is sent.
 *
 * It needs no memory of its own, however long it is. A file that turns out shorter than it was, or
 * that was written to meanwhile, ends it with an error: better half a file than half of two. A file
 * that was replaced by another of its name is sent as it was.
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export class FileSource implements AsyncByteSource {
  /** See {@link AsyncByteSource.byteCount}. */
  readonly byteCount: number;
  /** See {@link AsyncByteSource.remaining}. */
  remaining: number;

  readonly #open: OpenFile;
  #seekTo: number;

  /** Takes over the file; the part is `[start, end)`. */
  constructor(open: OpenFile, start: number, end: number) {
    this.#open = open;
    this.#seekTo = start;
    this.byteCount = this.remaining = end - start;
  }

  /** See {@link AsyncByteSource.readNext}. */
  async readNext(target: Uint8Array<ArrayBuffer>): Promise<number> {
    const { file } = this.#open;
    if (this.#seekTo > 0) await file.seek(this.#seekTo, Deno.SeekMode.Start);
    this.#seekTo = 0;
    const byteCount = await file.read(target);
    if (byteCount === null) throw new Error("the file became shorter while it was sent");
    this.remaining -= byteCount;
    if (this.remaining === 0) await this.#checkUnchanged();
    return byteCount;
  }

  /** See {@link AsyncByteSource.release}. */
  release(): void {
    this.#open.close();
  }

  async #checkUnchanged(): Promise<void> {
    const { file, facts } = this.#open;
    const { size, mtime } = await file.stat();
    if (size !== facts.byteCount || (mtime?.getTime() ?? 0) !== facts.modifiedMs) {
      throw new Error("the file was written to while it was sent");
    }
  }
}

/**
 * A part of what is in memory, for clients that take it when they like.
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export class MemorySource implements KeptSource {
  /** See {@link KeptSource.byteCount}. */
  readonly byteCount: number;

  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #onReleased: () => void;
  #at = 0;
  #isReleased = false;

  /**
   * Makes a source of `bytes`.
   *
   * @param onReleased told once, when they are not needed any more
   */
  constructor(bytes: Uint8Array<ArrayBuffer>, onReleased: () => void) {
    this.#bytes = bytes;
    this.#onReleased = onReleased;
    this.byteCount = bytes.length;
  }

  /** See {@link KeptSource.remaining}. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** See {@link KeptSource.next}. */
  next(mostBytes: number): Uint8Array<ArrayBuffer> {
    const part = this.#bytes.subarray(this.#at, this.#at + mostBytes);
    this.#at += part.length;
    return part;
  }

  /** See {@link KeptSource.release}. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onReleased();
  }
}
