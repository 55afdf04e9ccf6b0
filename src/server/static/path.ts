/**
 * From the path of a request to a path below the directory of files.
 *
 * @module
 */

import { percentDecode } from "../../protocol/http/percent_decoding.ts";

/** Longest path in the directory. Unit: bytes. Source: PATH_MAX of Linux. */
const MAX_PATH_BYTES = 4096;

/** Longest name of a file. Unit: bytes. Source: NAME_MAX of all file systems in use. */
const MAX_NAME_BYTES = 255;

/** Names that Windows takes for devices, whatever is behind their first dot. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3])(\.|$)/i;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const room = new Uint8Array(MAX_PATH_BYTES);

/**
 * Decodes `bytes[start, end)`, what is behind `/static/`, to a relative path.
 *
 * Shape: `css/main%20page.css` becomes `css/main page.css`; a trailing slash and an empty path stay,
 * they stand for a directory's `index.html`. What is left has no way out of the directory however it
 * is read: every segment is a plain name. Refused are `.` and `..` and all other names that begin
 * with a dot (hidden files), empty segments, slashes and backslashes in escapes, control characters,
 * bytes that are not UTF-8, names that end with a dot or a space (some file systems drop them), names
 * and paths that are too long, and on Windows colons and devices, too. Escapes are decoded once.
 *
 * Thread: any.
 *
 * @param isWindows whether the rules of Windows hold, too
 * @returns null when it is refused
 *
 * @example
 * ```ts
 * import { staticPath } from "./path.ts";
 *
 * const path = new TextEncoder().encode("%2e%2e/secret");
 * if (staticPath(path, 0, path.length) !== null) throw new Error("Cannot be: a way out");
 * ```
 */
export function staticPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  isWindows: boolean = Deno.build.os === "windows",
): string | null {
  const byteCount = percentDecode(bytes, start, end, room);
  if (byteCount < 0) return null;
  let path: string;
  try {
    path = decoder.decode(room.subarray(0, byteCount));
  } catch {
    return null;
  }
  // An escaped slash would be a segment's end that nothing in front of us sees.
  if (countSlashes(bytes, start, end) !== countSlashes(room, 0, byteCount)) return null;
  if (path === "") return path;
  const names = path.split("/");
  if (names.at(-1) === "") names.pop();
  return names.every((name) => isPlainName(name, isWindows)) ? path : null;
}

function countSlashes(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if (bytes[at] === 0x2f) count++;
  return count;
}

function isPlainName(name: string, isWindows: boolean): boolean {
  // deno-lint-ignore no-control-regex
  if (name === "" || name.startsWith(".") || /[\x00-\x1f\x7f-\x9f\\]|[. ]$/.test(name)) {
    return false;
  }
  if (name.length > MAX_NAME_BYTES || encoder.encode(name).length > MAX_NAME_BYTES) return false;
  return !isWindows || !(/[:*?"<>|]|~\d/.test(name) || DEVICE.test(name));
}
