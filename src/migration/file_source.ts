/**
 * Where the bytes of a file come from: a disk, or memory.
 *
 * @module
 */

import { RedisFileError } from "./redis_file_error.ts";

/** A file that is read by offset and does not change meanwhile. */
export interface FileSource {
  /** Name of the file, for messages. */
  readonly name: string;
  /** Its length when it was opened; what came later is not read. Unit: bytes. */
  readonly byteCount: number;
  /**
   * Reads from `offset` into `target`, as much as is convenient.
   *
   * @returns how many bytes were read; 0 at the end of the file
   */
  readAt(offset: number, target: Uint8Array): number;
}

/** A file whose bytes are in memory. */
export class BytesSource implements FileSource {
  /** See {@link FileSource}. */
  readonly name: string;
  readonly #bytes: Uint8Array;

  /** `bytes` must not change. */
  constructor(bytes: Uint8Array, name = "(memory)") {
    this.#bytes = bytes;
    this.name = name;
  }

  /** See {@link FileSource}. */
  get byteCount(): number {
    return this.#bytes.length;
  }

  /** See {@link FileSource}. */
  readAt(offset: number, target: Uint8Array): number {
    const part = this.#bytes.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }
}

/** A file on a disk. Reads block the thread: it is for programs that serve nobody meanwhile. */
export class DiskSource implements FileSource, Disposable {
  /** See {@link FileSource}. */
  readonly name: string;
  /** See {@link FileSource}. */
  readonly byteCount: number;
  readonly #file: Deno.FsFile;
  #position = 0;

  private constructor(name: string, file: Deno.FsFile, byteCount: number) {
    this.name = name;
    this.#file = file;
    this.byteCount = byteCount;
  }

  /**
   * Opens a file for reading.
   *
   * @throws {RedisFileError} when it cannot be opened, or is no regular file; the system's error is
   *   its `cause`
   */
  static open(path: string): DiskSource {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { read: true });
    } catch (cause) {
      throw new RedisFileError(path, 0, "a file that can be opened", messageOf(cause), { cause });
    }
    try {
      const { isFile, size } = file.statSync();
      if (isFile) return new DiskSource(path, file, size);
    } catch (cause) {
      file.close();
      throw new RedisFileError(path, 0, "a file", messageOf(cause), { cause });
    }
    file.close();
    throw new RedisFileError(path, 0, "a regular file", "something else");
  }

  /** See {@link FileSource}. */
  readAt(offset: number, target: Uint8Array): number {
    if (offset !== this.#position) this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#position = -1;
    const byteCount = this.#file.readSync(target) ?? 0;
    this.#position = offset + byteCount;
    return byteCount;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** The words of something thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
