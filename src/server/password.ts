/**
 * Where the password comes from.
 *
 * @module
 */

import { PASSWORD_MAX_BYTES } from "../base/limits.ts";
import type { Config } from "./config.ts";
import { StartError } from "./start_error.ts";

/** How much of the file is read: the longest password, its line end and enough to tell it is longer. */
const READ_BYTES = PASSWORD_MAX_BYTES + 1024;

/**
 * The password that clients must present, read from its file if it has one.
 *
 * Thread: main isolate, at start.
 *
 * @returns its bytes in UTF-8; empty when there is none
 * @throws {StartError} when the file cannot be read or has no password in it
 */
export async function readPassword(
  { password, passwordFile }: Pick<Config, "password" | "passwordFile">,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  if (passwordFile === "") return encoder.encode(password);
  let text: string;
  try {
    text = await readBeginning(passwordFile);
  } catch (error) {
    throw new StartError(
      `Cannot read the password from ${passwordFile}: ${reason(error)}; check --password-file`,
    );
  }
  const bytes = encoder.encode(text.split(/\r?\n/, 1)[0]);
  if (bytes.length === 0 || bytes.length > PASSWORD_MAX_BYTES) {
    throw new StartError(
      `Cannot use the password in ${passwordFile}: its first line must have 1 to ` +
        `${PASSWORD_MAX_BYTES} bytes and has ${bytes.length}`,
    );
  }
  return bytes;
}

/** The beginning of a file, enough for a password; a device or a pipe need not end. */
async function readBeginning(path: string): Promise<string> {
  const bytes = new Uint8Array(READ_BYTES);
  let byteCount = 0;
  using file = await Deno.open(path);
  while (byteCount < bytes.length) {
    const count = await file.read(bytes.subarray(byteCount));
    if (count === null) break;
    byteCount += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, byteCount));
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "the runtime lacks --allow-read";
  return error instanceof Error ? error.message : String(error);
}
