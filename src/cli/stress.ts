/**
 * `sluice stress`: sends events to a server and shows how it copes.
 *
 * Loaded only when it is asked for, with the load generator and its libraries.
 *
 * @module
 */

import type { LoadPlan, LoadResult } from "../lab/load/plan.ts";
import { runLoad } from "../lab/load/run_load.ts";
import { Progress, type ProgressOutput } from "../lab/terminal/progress.ts";
import { readPassword } from "../server/password.ts";
import type { StressOrder } from "./stress_flags.ts";
import { countText, stressText } from "./stress_text.ts";

/** Exit code when there were errors, or no load at all. */
const EXIT_CODE_ERRORS = 1;

/** Signals that end a load early, with the exit codes that shells give to such ends. */
export const STRESS_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** One of {@link STRESS_SIGNALS}. */
export type StressSignal = keyof typeof STRESS_SIGNALS;

/** What a load needs of the process that it runs in. */
export interface StressSurroundings {
  /** Writes to standard output. */
  print(text: string): Promise<void>;
  /** Writes to standard error. */
  complain(text: string): Promise<void>;
  /** Where the progress goes. */
  readonly progress: ProgressOutput;
  /** Calls back at each signal, until what it returns is disposed. */
  onSignal(handler: (signal: StressSignal) => void): Disposable;
}

/**
 * Runs a load and prints what came of it.
 *
 * Thread: the main isolate.
 *
 * @returns the exit code
 */
export async function runStress(
  order: StressOrder,
  surroundings: StressSurroundings,
): Promise<number> {
  const stop = new AbortController();
  let signalled: StressSignal | undefined;
  using _listening = surroundings.onSignal((signal) => {
    signalled ??= signal;
    stop.abort();
  });
  let plan: LoadPlan;
  let result: LoadResult;
  try {
    plan = { ...order.plan, ...await readFiles(order), signal: stop.signal };
    result = await runWithProgress(plan, surroundings.progress);
  } catch (error) {
    await surroundings.complain(`sluice: ${error instanceof Error ? error.message : error}\n`);
    return EXIT_CODE_ERRORS;
  }
  await surroundings.print(order.isJson ? jsonText(order, result) : stressText(plan, result));
  if (signalled !== undefined) return STRESS_SIGNALS[signalled];
  return result.errors > 0 || result.sent < plan.requestCount ? EXIT_CODE_ERRORS : 0;
}

async function runWithProgress(plan: LoadPlan, output: ProgressOutput): Promise<LoadResult> {
  using progress = new Progress("stress", output);
  const { requestCount } = plan;
  return await runLoad({
    ...plan,
    onSample: ({ atMs, accepted, refused, errors }) => {
      const done = accepted + refused + errors;
      const perSecond = atMs === 0 ? 0 : Math.round(done / atMs * 1000);
      const note = `${countText(done)} of ${countText(requestCount)}, ${countText(perSecond)}/s`;
      progress.show(done / requestCount, note);
    },
  });
}

/** What the files that the order names say. */
async function readFiles(order: StressOrder): Promise<Pick<LoadPlan, "password" | "tls">> {
  const password = new TextDecoder().decode(await readPassword(order.secret));
  return {
    password: password === "" ? undefined : password,
    tls: order.isSecure ? { caCerts: await readCertificates(order.caPath) } : undefined,
  };
}

async function readCertificates(path: string): Promise<string[]> {
  if (path === "") return [];
  try {
    return [await Deno.readTextFile(path)];
  } catch (error) {
    throw new Error(`Cannot read the certificates in ${path}: ${(error as Error).message}`);
  }
}

/** The plan without what is secret. */
function jsonText({ plan, isSecure }: StressOrder, result: LoadResult): string {
  return `${JSON.stringify({ plan: { ...plan, tls: isSecure }, result })}\n`;
}
