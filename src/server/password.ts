/**
 * Where the password comes from.
 *
 * @module
 */

import { PASSWORD_MAX_BYTES } from "../base/limits.ts";
import type { Config } from "./config.ts";
import { StartError } from "./start_error.ts";

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
    text = await Deno.readTextFile(passwordFile);
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

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "the runtime lacks --allow-read";
  return error instanceof Error ? error.message : String(error);
}
