/**
 * The lab with its stages of queues made small, for tests: the arguments are those of `sluice lab`,
 * behind the work of one job in milliseconds.
 *
 * @module
 */

import { runLabHere } from "../../../src/cli/lab_here.ts";
import { resolveLabOrder } from "../../../src/cli/lab_flags.ts";
import { gracefulStopStage } from "../../../src/lab/stages/graceful_stop.ts";
import { boundedChannelStage, poolStage } from "../../../src/lab/stages/queues.ts";

const [workMs, jsonPath, ...words] = Deno.args;
const result = resolveLabOrder(words, { json: jsonPath });
if (result.kind !== "order") throw new Error(result.message);

async function writeAll(stream: typeof Deno.stdout, text: string): Promise<void> {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(await stream.write(rest));
}

const parameters = { requestCount: 40, loadMs: 200, capacity: 20, workMs: Number(workMs) };
Deno.exit(
  await runLabHere(result.order, {
    print: (text) => writeAll(Deno.stdout, text),
    complain: (text) => writeAll(Deno.stderr, text),
  }, {
    stages: [
      boundedChannelStage(parameters),
      // Everything fits, as in the real one.
      poolStage({ ...parameters, capacity: 40 }),
      gracefulStopStage({ ...parameters, capacity: 40 }),
    ],
  }),
);
