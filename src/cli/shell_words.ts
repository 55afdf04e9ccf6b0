/**
 * Words as a shell takes them.
 *
 * @module
 */

/** What every shell takes as it is. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
/** The same on Windows, where paths have other slashes. */
const PLAIN_ON_WINDOWS = /^[A-Za-z0-9_@%+=:,./\\-]+$/;

/**
 * A word to be pasted into a command line: quoted where that is needed.
 *
 * A POSIX shell looks into nothing between single quotes; on Windows, double quotes are understood.
 */
export function shellWord(word: string, isWindows: boolean = Deno.build.os === "windows"): string {
  if (isWindows) return PLAIN_ON_WINDOWS.test(word) ? word : `"${word.replaceAll('"', '\\"')}"`;
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
