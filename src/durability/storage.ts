/**
 * The file system as durability sees it: a few calls on one directory, so that tests can put
 * something in its place that fails, tears writes and forgets what was not synced.
 *
 * Everything is synchronous: who calls is a thread of its own or a server that has not started yet.
 *
 * @module
 */

/** An open file of a {@link Storage}. */
export interface StorageFile {
  /** Length in bytes. */
  size(): number;
  /**
   * Reads from `offset` on.
   *
   * @returns how many bytes were read, at least one; 0 at the end of the file
   */
  readAt(offset: number, target: Uint8Array): number;
  /**
   * Writes behind what was appended last; at first, and after it was cut off, at the end of the file.
   *
   * @returns how many bytes were written: at least one, perhaps not all
   * @throws what the system says, of which some bytes may have been written
   */
  append(bytes: Uint8Array): number;
  /**
   * Makes the file longer by zeros, which are on the disk after the next sync. What is appended takes
   * their place: a sync then has only that to write, and nothing of the file itself.
   *
   * @throws what the system says; the file may be longer all the same
   */
  reserve(byteCount: number): void;
  /** Cuts the file off after `byteCount` bytes. */
  truncate(byteCount: number): void;
  /** Returns when the content is on the disk. */
  sync(): void;
  /** Closes the file; what was not synced may still get lost. */
  close(): void;
}

/** How a file is opened. */
export type OpenMode =
  /** It exists and is read. */
  | "read"
  /** It does not exist and is made. */
  | "create"
  /** It exists, and is read, cut off or continued. */
  | "update";

/**
 * A directory.
 *
 * Thread: belongs to one thread.
 */
export interface Storage {
  /** The directory, for messages. */
  readonly path: string;
  /** Names of the files in the directory, in no order. */
  list(): string[];
  /** Opens a file of the directory. */
  open(name: string, mode: OpenMode): StorageFile;
  /** Gives a file another name; whatever had that name is gone. */
  rename(from: string, to: string): void;
  /** Removes a file. */
  remove(name: string): void;
  /** Returns when the names of the files are on the disk. */
  syncDirectory(): void;
}

/**
 * Appends all of `bytes`, however many calls that takes.
 *
 * @throws what the system says, of which some bytes may have been written
 */
export function appendAll(file: StorageFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const written = file.append(at === 0 ? bytes : bytes.subarray(at));
    if (written <= 0) throw new Error(`wrote ${at} of ${bytes.length} bytes, and then none`);
    at += written;
  }
}

/** Removes a file if it is there; where that cannot be done, the next start does it. Never throws. */
export function tryRemove(storage: Storage, name: string): void {
  try {
    storage.remove(name);
  } catch {
    // It is not there, or the disk is broken.
  }
}

/**
 * Reads until `target` is full or the file ends.
 *
 * @returns how many bytes were read
 */
export function readFully(file: StorageFile, offset: number, target: Uint8Array): number {
  let at = 0;
  while (at < target.length) {
    const count = file.readAt(offset + at, target.subarray(at));
    if (count === 0) break;
    at += count;
  }
  return at;
}
