/**
 * A directory in memory that fails, tears writes and loses what was not synced, as told.
 */

import type { OpenMode, Storage, StorageFile } from "../../src/durability/storage.ts";

/** What a disk writes at once. */
const SECTOR_BYTES = 512;

interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  /** What is on the disk for sure. */
  synced: Uint8Array<ArrayBuffer>;
}

/** Asked before each call that changes something; throws to make it fail, or cuts a write short. */
export type Fault = (
  call:
    | "append"
    | "reserve"
    | "sync"
    | "truncate"
    | "rename"
    | "remove"
    | "create"
    | "syncDirectory",
  name: string,
  byteCount: number,
) => number | void;

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code} (made by a test)`), { code });
}

export class MemoryStorage implements Storage {
  readonly path = "memory";
  fault: Fault = () => {};
  /** Files that are open. */
  openCount = 0;
  readonly #files = new Map<string, Content>();
  /** The names that are on the disk for sure. */
  #synced = new Map<string, Content>();

  list(): string[] {
    return [...this.#files.keys()];
  }

  open(name: string, mode: OpenMode): StorageFile {
    if (mode === "create") {
      if (this.#files.has(name)) throw systemError("EEXIST");
      this.fault("create", name, 0);
      this.#files.set(name, { bytes: new Uint8Array(0), synced: new Uint8Array(0) });
    }
    const content = this.#files.get(name);
    if (content === undefined) throw systemError("ENOENT");
    return new MemoryFile(this, name, content);
  }

  rename(from: string, to: string): void {
    this.fault("rename", from, 0);
    const content = this.#files.get(from);
    if (content === undefined) throw systemError("ENOENT");
    this.#files.delete(from);
    this.#files.set(to, content);
  }

  remove(name: string): void {
    this.fault("remove", name, 0);
    if (!this.#files.delete(name)) throw systemError("ENOENT");
  }

  syncDirectory(): void {
    this.fault("syncDirectory", "", 0);
    this.#synced = new Map(this.#files);
  }

  /** The bytes of a file; changing them changes the file, as a failing disk does. */
  bytesOf(name: string): Uint8Array<ArrayBuffer> {
    return this.#files.get(name)!.bytes;
  }

  /** Gives a file another content, all of it on the disk. */
  put(name: string, bytes: Uint8Array): void {
    const content = { bytes: bytes.slice(), synced: bytes.slice() };
    this.#files.set(name, content);
    this.#synced.set(name, content);
  }

  /** A copy with everything as it is now, and all of it on the disk. */
  copy(): MemoryStorage {
    const copy = new MemoryStorage();
    for (const [name, { bytes }] of this.#files) copy.put(name, bytes);
    return copy;
  }

  /**
   * What a power cut leaves: of what was not synced, any sectors and any names.
   *
   * @param survives whether the next sector or name that was not synced is there all the same
   */
  afterPowerCut(survives: () => boolean): MemoryStorage {
    const after = new MemoryStorage();
    const names = new Set([...this.#synced.keys(), ...this.#files.keys()]);
    for (const name of names) {
      const now = this.#files.get(name);
      const before = this.#synced.get(name);
      const content = now === before || survives() ? now : before;
      if (content !== undefined) after.put(name, remains(content, survives));
    }
    return after;
  }
}

function remains({ bytes, synced }: Content, survives: () => boolean): Uint8Array {
  // The length is written apart from the content.
  const length = synced.length === bytes.length || !survives() ? synced.length : bytes.length;
  const left = new Uint8Array(length);
  left.set(synced.subarray(0, length));
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    const end = Math.min(at + SECTOR_BYTES, length, bytes.length);
    const isSame = bytes.subarray(at, end).every((byte, i) => byte === synced[at + i]);
    if (!isSame && survives()) left.set(bytes.subarray(at, end), at);
  }
  return left;
}

class MemoryFile implements StorageFile {
  readonly #storage: MemoryStorage;
  readonly #name: string;
  readonly #content: Content;
  /** Where is appended next; undefined: where the file ends. */
  #end: number | undefined;

  constructor(storage: MemoryStorage, name: string, content: Content) {
    this.#storage = storage;
    this.#name = name;
    this.#content = content;
    storage.openCount++;
  }

  size(): number {
    return this.#content.bytes.length;
  }

  readAt(offset: number, target: Uint8Array): number {
    const piece = this.#content.bytes.subarray(offset, offset + target.length);
    target.set(piece);
    return piece.length;
  }

  append(bytes: Uint8Array): number {
    const most = this.#storage.fault("append", this.#name, bytes.length);
    const count = Math.min(bytes.length, most ?? bytes.length);
    const at = this.#end ?? this.size();
    this.#grow(at + count);
    this.#content.bytes.set(bytes.subarray(0, count), at);
    this.#end = at + count;
    return count;
  }

  reserve(byteCount: number): void {
    this.#end ??= this.size();
    const size = this.size();
    try {
      const most = this.#storage.fault("reserve", this.#name, byteCount);
      this.#grow(size + (most ?? byteCount));
    } catch (error) {
      // Some of it may be there all the same.
      this.#grow(size + (byteCount >> 1));
      throw error;
    }
  }

  #grow(byteCount: number): void {
    const { bytes } = this.#content;
    // Never in place: somebody may have taken note of what there was.
    const grown = new Uint8Array(Math.max(byteCount, bytes.length));
    grown.set(bytes);
    this.#content.bytes = grown;
  }

  truncate(byteCount: number): void {
    this.#storage.fault("truncate", this.#name, byteCount);
    this.#content.bytes = this.#content.bytes.slice(0, byteCount);
    this.#end = undefined;
  }

  sync(): void {
    this.#storage.fault("sync", this.#name, 0);
    this.#content.synced = this.#content.bytes.slice();
  }

  close(): void {
    this.#storage.openCount--;
  }
}
