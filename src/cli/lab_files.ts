/**
 * The files that `sluice lab` writes: whole or not at all.
 *
 * @module
 */

import { dirname } from "node:path";

/** Why something cannot be written; the message names it. */
export class UnwritableError extends Error {
  /** Always `"UnwritableError"`. */
  override readonly name = "UnwritableError";
}

/**
 * Finds out whether a file can be written, before work begins whose result it is for.
 *
 * @throws {UnwritableError}
 */
export async function checkFile(path: string): Promise<void> {
  try {
    if ((await statOrNull(path))?.isDirectory) throw new Error("it is a directory");
    await probe(dirname(path));
  } catch (error) {
    throw new UnwritableError(`cannot write ${path}: ${reason(error)}`);
  }
}

/**
 * Makes a directory, if there is none, and finds out whether files can be written in it.
 *
 * @returns whether it was made
 * @throws {UnwritableError}
 */
export async function prepareDirectory(path: string): Promise<boolean> {
  try {
    const isNew = await statOrNull(path) === null;
    await Deno.mkdir(path, { recursive: true });
    await probe(path);
    return isNew;
  } catch (error) {
    throw new UnwritableError(`cannot write into ${path}: ${reason(error)}`);
  }
}

/** Removes a directory that is empty. */
export async function removeEmpty(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // It is in use by now, or gone.
  }
}

/** Writes a file beside its place and puts it there when it is whole. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.${Deno.pid}.part`;
  try {
    await Deno.writeTextFile(part, text);
    await Deno.rename(part, path);
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw new UnwritableError(`cannot write ${path}: ${reason(error)}`);
  }
}

/** Writes nothing into a directory, and removes it. */
async function probe(directory: string): Promise<void> {
  const path = `${directory}/.sluice-${Deno.pid}.part`;
  await Deno.writeTextFile(path, "", { createNew: true });
  await Deno.remove(path);
}

async function statOrNull(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such directory";
  if (error instanceof Deno.errors.AlreadyExists) return "it is not a directory";
  if (error instanceof Deno.errors.PermissionDenied) return "that is not allowed";
  // The runtime's own permissions, too, are a matter of one line.
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
}
