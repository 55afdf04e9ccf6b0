/**
 * The lock of a data directory: one process at a time uses it.
 *
 * @module
 */

import { LOCK_NAME } from "./file_names.ts";

/** So long a lock is waited for where it can only be waited for. Unit: ms. */
const PATIENCE_MS = 300;

/** Why a directory cannot be used, in words that follow "Cannot use DIR: ". */
export class DirectoryError extends Error {
  /** Always `"DirectoryError"`. */
  override readonly name = "DirectoryError";
}

/** For what a directory is taken. */
export type DirectoryUse =
  /** To write: `LOCK` is made if it is not there. */
  | "write"
  /** To look at: nothing is made, so that a directory that cannot be written can be looked at. */
  | "read";

/** A directory that nobody else uses, until it is closed. */
export interface DirectoryLock extends Disposable {
  /** Lets go of the directory; may be called any number of times. */
  close(): void;
}

/**
 * Takes a directory for this process.
 *
 * @throws {DirectoryError} when there is no such directory, or another process has it
 */
export async function lockDirectory(
  path: string,
  use: DirectoryUse = "write",
): Promise<DirectoryLock> {
  try {
    if (!(await Deno.stat(path)).isDirectory) throw new DirectoryError("it is not a directory");
    const file = await openLock(`${path}/${LOCK_NAME}`, use);
    if (file !== undefined) await takeLock(file);
    let isOpen = file !== undefined;
    const close = (): void => {
      if (isOpen) file!.close();
      isOpen = false;
    };
    return { close, [Symbol.dispose]: close };
  } catch (error) {
    if (error instanceof DirectoryError) throw error;
    throw new DirectoryError(directoryProblem(error), { cause: error });
  }
}

/** What the system says about a directory, in words that follow "Cannot use DIR: ". */
export function directoryProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) {
    return "the runtime lacks --allow-read or --allow-write";
  }
  const text = error instanceof Error ? error.message : String(error);
  return /read-only file system/i.test(text) ? "the file system is read-only" : text;
}

/** Undefined: there is none, and who only looks makes none. */
async function openLock(path: string, use: DirectoryUse): Promise<Deno.FsFile | undefined> {
  if (use === "write") return await Deno.open(path, { read: true, write: true, create: true });
  try {
    return await Deno.open(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    // Where nothing can be written, as on a copy that is mounted to be read.
    return await Deno.open(path, { read: true });
  }
}

/** Locks the file and writes into it who has it; closes it when that fails. */
async function takeLock(file: Deno.FsFile): Promise<void> {
  const bytes = new Uint8Array(32);
  let count = 0;
  try {
    if (await tryLock(file)) {
      await writeOwner(file);
      return;
    }
    count = await file.read(bytes) ?? 0;
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  const owner = new TextDecoder().decode(bytes.subarray(0, count)).trim();
  throw new DirectoryError(
    `another process uses it${owner === "" ? "" : ` (process ${owner})`}`,
  );
}

/** Whether nobody else has the file. */
async function tryLock(file: Deno.FsFile): Promise<boolean> {
  // Deno 2.4 can only wait for a lock.
  const { tryLock } = file as Partial<Deno.FsFile>;
  if (tryLock !== undefined) return await tryLock.call(file, true);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), PATIENCE_MS);
  void file.lock(true).then(() => resolve(true), () => resolve(false));
  const isLocked = await promise;
  clearTimeout(timer);
  return isLocked;
}

async function writeOwner(file: Deno.FsFile): Promise<void> {
  try {
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch {
    // It says who has the directory to people only; the lock is what counts.
  }
}
