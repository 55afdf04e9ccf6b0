/**
 * The load generator as a process: a {@link LoadPlan} as JSON in its argument, the reports as JSON
 * on stdout, progress on stderr.
 *
 * @module
 */

import { runEngine } from "./engine.ts";
import type { LoadPlan } from "./plan.ts";

const plan: LoadPlan = JSON.parse(Deno.args[0]!);
const encoder = new TextEncoder();
const reports = runEngine(plan, (elapsedMs, answerCount) => {
  const line = `  ${Math.round(elapsedMs / 1000)} s: ${answerCount} answers\n`;
  Deno.stderr.writeSync(encoder.encode(line));
});
await Deno.stdout.write(encoder.encode(JSON.stringify(reports)));
