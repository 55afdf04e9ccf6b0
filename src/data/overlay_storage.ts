/**
 * A directory as it would be after some changes, none of which are made.
 *
 * @module
 */

import type { OpenMode, Storage, StorageFile } from "../durability/storage.ts";

/** Shows another directory with changes; can only be read. */
export class OverlayStorage implements Storage {
  readonly #base: Storage;
  readonly #removed = new Set<string>();
  readonly #lengths = new Map<string, number>();
  readonly #fronts = new Map<string, Uint8Array>();

  /** Shows `base` as it is. */
  constructor(base: Storage) {
    this.#base = base;
  }

  /** See {@link Storage.path}. */
  get path(): string {
    return this.#base.path;
  }

  /** See {@link Storage.list}. */
  list(): string[] {
    return this.#base.list().filter((name) => !this.#removed.has(name));
  }

  /** See {@link Storage.open}. */
  open(name: string, mode: OpenMode): StorageFile {
    if (mode !== "read" || this.#removed.has(name)) throw new Error(`Cannot open ${name}: ${mode}`);
    return new OverlayFile(
      this.#base.open(name, mode),
      this.#lengths.get(name),
      this.#fronts.get(name),
    );
  }

  /** Leaves a file out. */
  remove(name: string): void {
    this.#removed.add(name);
  }

  /** Shows a file up to a length. */
  cut(name: string, byteCount: number): void {
    this.#lengths.set(name, byteCount);
  }

  /** Shows a file with other bytes at its front. */
  replaceFront(name: string, bytes: Uint8Array): void {
    this.#fronts.set(name, bytes);
  }

  /** Nothing here has another name. */
  rename(): void {
    throw new Error("Cannot rename: nothing is changed");
  }

  /** Nothing here is on a disk. */
  syncDirectory(): void {}
}

class OverlayFile implements StorageFile {
  readonly #file: StorageFile;
  readonly #length: number | undefined;
  readonly #front: Uint8Array | undefined;

  constructor(file: StorageFile, length: number | undefined, front: Uint8Array | undefined) {
    this.#file = file;
    this.#length = length;
    this.#front = front;
  }

  size(): number {
    return Math.min(this.#file.size(), this.#length ?? Infinity);
  }

  readAt(offset: number, target: Uint8Array): number {
    const left = this.size() - offset;
    if (left <= 0) return 0;
    const part = left < target.length ? target.subarray(0, left) : target;
    const front = this.#front;
    if (front === undefined || offset >= front.length) return this.#file.readAt(offset, part);
    const bytes = front.subarray(offset, offset + part.length);
    part.set(bytes);
    return bytes.length;
  }

  append(): number {
    throw new Error("Cannot append: nothing is changed");
  }

  reserve(): void {
    throw new Error("Cannot reserve: nothing is changed");
  }

  truncate(): void {
    throw new Error("Cannot truncate: nothing is changed");
  }

  sync(): void {}

  close(): void {
    this.#file.close();
  }
}
