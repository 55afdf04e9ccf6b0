/**
 * A directory of the file system.
 *
 * @module
 */

import type { OpenMode, Storage, StorageFile } from "./storage.ts";

/** The directory at `path`; it must exist. */
export class DenoStorage implements Storage {
  /** The directory. */
  readonly path: string;

  /** Shows a directory; nothing is opened. */
  constructor(path: string) {
    this.path = path;
  }

  /** See {@link Storage.list}. */
  list(): string[] {
    return [...Deno.readDirSync(this.path)].filter((entry) => entry.isFile).map(({ name }) => name);
  }

  /** See {@link Storage.open}. */
  open(name: string, mode: OpenMode): StorageFile {
    const writes = mode !== "read";
    const options = { read: true, write: writes, createNew: mode === "create" };
    return new DenoStorageFile(Deno.openSync(`${this.path}/${name}`, options));
  }

  /** See {@link Storage.rename}. */
  rename(from: string, to: string): void {
    Deno.renameSync(`${this.path}/${from}`, `${this.path}/${to}`);
  }

  /** See {@link Storage.remove}. */
  remove(name: string): void {
    Deno.removeSync(`${this.path}/${name}`);
  }

  /** See {@link Storage.syncDirectory}. */
  syncDirectory(): void {
    // Windows has no such thing: there a name is as durable as its file.
    if (Deno.build.os === "windows") return;
    using directory = Deno.openSync(this.path, { read: true });
    directory.syncSync();
  }
}

const ZEROS = new Uint8Array(65_536);

class DenoStorageFile implements StorageFile {
  readonly #file: Deno.FsFile;
  /** Where the file's own offset is. */
  #offset = 0;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  size(): number {
    return this.#file.statSync().size;
  }

  readAt(offset: number, target: Uint8Array): number {
    this.#seek(offset);
    const count = this.#file.readSync(target) ?? 0;
    this.#offset += count;
    return count;
  }

  append(bytes: Uint8Array): number {
    if (this.#end < 0) this.#end = this.size();
    this.#seek(this.#end);
    const count = this.#file.writeSync(bytes);
    this.#offset += count;
    this.#end = this.#offset;
    return count;
  }

  reserve(byteCount: number): void {
    const size = this.size();
    if (this.#end < 0) this.#end = size;
    this.#seek(size);
    for (let left = byteCount; left > 0;) {
      const count = this.#file.writeSync(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
      this.#offset += count;
      left -= count;
    }
  }

  truncate(byteCount: number): void {
    this.#file.truncateSync(byteCount);
    this.#end = -1;
  }

  sync(): void {
    this.#file.syncDataSync();
  }

  close(): void {
    this.#file.close();
  }

  /** Where is appended next; negative = where the file ends. */
  #end = -1;

  #seek(offset: number): void {
    if (offset === this.#offset) return;
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#offset = offset;
  }
}
