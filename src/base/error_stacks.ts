/**
 * Making sure that errors can be described when the process has run out of file descriptors.
 *
 * @module
 */

/**
 * Reads one error's stack, so that the next one can be read in any circumstances.
 *
 * The first stack that a thread reads makes the runtime look up the bounds of the thread's own
 * stack, and that opens a file. With no descriptor left the runtime does not throw but panics: the
 * process ends, because of a log line about too many connections. Seen on Deno 2.9.6 and Linux.
 *
 * Thread: any; each calls it once, when it starts.
 *
 * @returns whether there was a stack
 */
export function prepareErrorStacks(): boolean {
  return new Error("Cannot describe errors: not yet prepared").stack !== undefined;
}
