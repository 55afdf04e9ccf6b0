/**
 * What programs and tests print for people.
 *
 * @module
 */

/** Prints a line on stdout. */
export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
