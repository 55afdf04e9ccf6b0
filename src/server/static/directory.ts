/**
 * The directory whose files are served, and nothing outside of it.
 *
 * @module
 */

import { resolve, sep as SEPARATOR } from "node:path";
import { HttpError } from "../../protocol/http/http_error.ts";
import { Turnstile } from "./turnstile.ts";

/**
 * Most look-ups at a time on a thread. Reason: each has a thread of the runtime's pool for its
 * time, and a flood of requests for files that are not there must leave some to others.
 */
const LOOKUPS_MAX = 16;

/** What is known about a file without reading it. */
export interface FileFacts {
  /** Whether it is a directory; otherwise it is a regular file. */
  readonly isDirectory: boolean;
  /** Length. Unit: bytes. */
  readonly byteCount: number;
  /** Last change of the content. Unit: ms since the epoch. */
  readonly modifiedMs: number;
  /** Last change of anything; of whole seconds, as the runtime gives it. Unit: ms. */
  readonly changedMs: number;
  /** Number in its file system. */
  readonly inode: number;
  /** Its file system. */
  readonly device: number;
}

/** Whether two looks saw the same file in the same state, as far as can be told. */
export function isSameFile(a: FileFacts | undefined, b: FileFacts | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.byteCount === b.byteCount && a.modifiedMs === b.modifiedMs &&
    a.changedMs === b.changedMs && a.inode === b.inode && a.device === b.device &&
    a.isDirectory === b.isDirectory;
}

/** An open file; whoever has it closes it. */
export interface OpenFile {
  /** To read from. */
  readonly file: Deno.FsFile;
  /** What it was when it was opened. */
  readonly facts: FileFacts;
  /** Closes it; may be called any number of times. */
  close(): void;
}

/**
 * Looks files up and opens them.
 *
 * Links are followed as long as they lead to something inside. The directory itself may be a link
 * that is turned to another directory while the server runs, which is how sites are replaced as a
 * whole.
 *
 * Thread: one per I/O thread; nothing here blocks it.
 */
export class StaticDirectory {
  readonly #root: string;
  readonly #maxOpenFiles: number;
  readonly #lookups = new Turnstile(LOOKUPS_MAX);
  #openCount = 0;

  /**
   * Takes the directory at `root`.
   *
   * @param maxOpenFiles files that may be open at a time
   */
  constructor(root: string, maxOpenFiles: number) {
    this.#root = resolve(root);
    this.#maxOpenFiles = maxOpenFiles;
  }

  /** Files that are open now. */
  get openCount(): number {
    return this.#openCount;
  }

  /**
   * Looks at a file or directory.
   *
   * @param path as `staticPath` gives it
   * @returns undefined when there is none that may be served
   * @throws {HttpError} 503 when the system has no room for it
   */
  look(path: string): Promise<FileFacts | undefined> {
    return this.#lookups.pass(() => this.#look(path));
  }

  /**
   * Opens a regular file.
   *
   * @param path as `staticPath` gives it
   * @returns undefined when there is none that may be served
   * @throws {HttpError} 503 when too many are open
   */
  open(path: string): Promise<OpenFile | undefined> {
    return this.#lookups.pass(() => this.#open(path));
  }

  async #look(path: string): Promise<FileFacts | undefined> {
    const fullPath = this.#fullPath(path);
    try {
      const info = await Deno.stat(fullPath);
      if (!info.isFile && !info.isDirectory) return undefined;
      return await this.#isInside(fullPath, info) ? factsOf(info) : undefined;
    } catch (error) {
      return sortOut(error);
    }
  }

  async #open(path: string): Promise<OpenFile | undefined> {
    if (this.#openCount >= this.#maxOpenFiles) throw tooManyOpen();
    this.#openCount++;
    const fullPath = this.#fullPath(path);
    let file: Deno.FsFile | undefined;
    try {
      // Opening a pipe would wait for its writer.
      if ((await Deno.stat(fullPath)).isFile) {
        file = await Deno.open(fullPath);
        // What counts is what was opened, whatever the path has come to name meanwhile.
        const info = await file.stat();
        if (info.isFile && await this.#isInside(fullPath, info)) {
          return this.#opened(file, factsOf(info));
        }
      }
    } catch (error) {
      this.#openCount--;
      file?.close();
      return sortOut(error);
    }
    this.#openCount--;
    file?.close();
    return undefined;
  }

  #opened(file: Deno.FsFile, facts: FileFacts): OpenFile {
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#openCount--;
      file.close();
    };
    return { file, facts, close };
  }

  /** Whether what `info` is about is what the path leads to, and that is inside. */
  async #isInside(fullPath: string, info: Deno.FileInfo): Promise<boolean> {
    const [realPath, root] = await Promise.all([
      Deno.realPath(fullPath),
      Deno.realPath(this.#root),
    ]);
    const front = root.endsWith(SEPARATOR) ? root : root + SEPARATOR;
    if (realPath !== root && !realPath.startsWith(front)) return false;
    const there = await Deno.stat(realPath);
    return there.ino === info.ino && there.dev === info.dev;
  }

  #fullPath(path: string): string {
    return `${this.#root}${SEPARATOR}${path}`;
  }
}

function factsOf(info: Deno.FileInfo): FileFacts {
  return {
    isDirectory: info.isDirectory,
    byteCount: info.size,
    modifiedMs: info.mtime?.getTime() ?? 0,
    changedMs: info.ctime?.getTime() ?? 0,
    inode: info.ino ?? 0,
    device: info.dev,
  };
}

/** The errors that say that there is no such file for clients. */
const MISSING_CODES = new Set(["ENAMETOOLONG", "EINVAL", "ENXIO", "ENODEV", "EISDIR", "ENOTDIR"]);

/** The errors that say that the system has no room. */
const FULL_CODES = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]);

/** Tells a file that is not there, or not for us, from trouble. */
function sortOut(error: unknown): undefined {
  const code = (error as { code?: string }).code ?? "";
  if (FULL_CODES.has(code)) throw tooManyOpen();
  const { NotFound, PermissionDenied, NotCapable, NotADirectory, FilesystemLoop, IsADirectory } =
    Deno.errors;
  const isMissing = error instanceof NotFound || error instanceof PermissionDenied ||
    error instanceof NotCapable || error instanceof NotADirectory ||
    error instanceof FilesystemLoop || error instanceof IsADirectory || MISSING_CODES.has(code);
  if (!isMissing) throw error;
  return undefined;
}

function tooManyOpen(): HttpError {
  return new HttpError(503, "server_busy", "too many files are open", "Retry-After: 1\r\n");
}
