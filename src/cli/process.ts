/**
 * The surroundings of a real process.
 *
 * @module
 */

import { runServer } from "../server/run.ts";
import { askHealth } from "./health.ts";
import type { Surroundings } from "./main.ts";

/** Standard streams, environment and terminal of this process. Thread: the main isolate. */
export const processSurroundings: Surroundings = {
  environment: (name) => Deno.env.get(name),
  terminalColumns,
  print: (text) => writeAll(Deno.stdout, text),
  complain: (text) => writeAll(Deno.stderr, text),
  runServer: (config) => runServer(config),
  askHealth,
};

function terminalColumns(): number | null {
  try {
    return Deno.consoleSize().columns;
  } catch {
    // Not a terminal.
    return null;
  }
}

async function writeAll(
  stream: { write(bytes: Uint8Array): Promise<number> },
  text: string,
): Promise<void> {
  let rest = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(await stream.write(rest));
  } catch {
    // The reader has gone, as with `sluice --help | head -1`: nobody is left to be told.
  }
}
