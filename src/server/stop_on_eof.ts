/**
 * `--stop-on-eof`: the end of standard input asks for a stop.
 *
 * A program that starts servers cannot always stop them: one that is killed sends no signals. Its
 * end of the pipe to the server's standard input is closed even then.
 *
 * @module
 */

/** What is read is thrown away. Unit: bytes. */
const READ_BYTES = 1024;

/**
 * Waits for the end of standard input; input that cannot be read has ended.
 *
 * Thread: main isolate. Goes on until the end of the process, which it does not keep alive beyond
 * `Deno.exit`.
 *
 * @param onEnd called once
 */
export function watchStandardInput(onEnd: () => void): void {
  void readToEnd().then(onEnd);
}

async function readToEnd(): Promise<void> {
  const thrownAway = new Uint8Array(READ_BYTES);
  try {
    while (await Deno.stdin.read(thrownAway) !== null);
  } catch {
    // As after its end: nobody is there.
  }
}
