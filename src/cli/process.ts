/**
 * The surroundings of a real process.
 *
 * @module
 */

import { ExitCode, runServer } from "../server/run.ts";
import type { DataOrder } from "./data_flags.ts";
import type { LabOrder } from "./lab_flags.ts";
import type { Surroundings } from "./main.ts";
import type { StressSignal } from "./stress.ts";
import type { StressOrder } from "./stress_flags.ts";

/** Standard streams, environment and terminal of this process. Thread: the main isolate. */
export const processSurroundings: Surroundings = {
  environment: (name) => Deno.env.get(name),
  terminalColumns,
  print: (text) => writeAll(Deno.stdout, text),
  complain: (text) => writeAll(Deno.stderr, text),
  runServer: (config) => runServer(config),
  // What only these commands need is loaded here: a server never loads it.
  askHealth: async (question) => await (await import("./health.ts")).askHealth(question),
  runLab,
  giveUpPermissions: (names) => {
    for (const name of names) Deno.permissions.revokeSync({ name });
  },
  runStress,
  runData,
  runInit: async (order) =>
    await (await import("./init_processor.ts")).runInitOrder(order, {
      program: programWords(),
      print: (text) => writeAll(Deno.stdout, text),
      complain: (text) => writeAll(Deno.stderr, text),
    }),
};

/** How this program is called on a command line, word by word. */
function programWords(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  return ["deno", "run", "-A", decodeURIComponent(new URL(Deno.mainModule).pathname)];
}

async function runData(order: DataOrder): Promise<number> {
  const [{ runDataOrder }, { standardErrorOutput }] = await Promise.all([
    import("./data.ts"),
    import("../lab/terminal/progress.ts"),
  ]);
  return await runDataOrder(order, {
    print: (text) => writeAll(Deno.stdout, text),
    complain: (text) => writeAll(Deno.stderr, text),
    standardOutput: (bytes) => {
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    },
    standardInput: (target) => Deno.stdin.readSync(target) ?? 0,
    progress: standardErrorOutput(),
    nowMs: Date.now,
  });
}

async function runStress(order: StressOrder): Promise<number> {
  const [{ runStress, STRESS_SIGNALS }, { standardErrorOutput }] = await Promise.all([
    import("./stress.ts"),
    import("../lab/terminal/progress.ts"),
  ]);
  return await runStress(order, {
    print: (text) => writeAll(Deno.stdout, text),
    complain: (text) => writeAll(Deno.stderr, text),
    progress: standardErrorOutput(),
    onSignal: (handler) => listen(Object.keys(STRESS_SIGNALS) as StressSignal[], handler),
  });
}

/** What only this command needs is loaded here: a server never loads it. */
async function runLab(order: LabOrder): Promise<number> {
  const { state } = await Deno.permissions.query({ name: "run", command: Deno.execPath() });
  if (state !== "granted") {
    const text = "the lab may not start servers; run it with: deno task lab";
    await writeAll(Deno.stderr, `sluice: ${text}\n`);
    return ExitCode.CANNOT_START;
  }
  const { runLabHere } = await import("./lab_here.ts");
  return await runLabHere(order, {
    print: (text) => writeAll(Deno.stdout, text),
    complain: (text) => writeAll(Deno.stderr, text),
  });
}

/** Calls back at these signals until it is disposed. */
function listen<Name extends Deno.Signal>(
  names: readonly Name[],
  handler: (name: Name) => void,
): Disposable {
  const listeners = names.map((name) => [name, () => handler(name)] as const);
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  return {
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}

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
