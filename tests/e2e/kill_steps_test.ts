/** A server that is killed between each two steps of the write path. */

import { effort } from "../helpers/effort.ts";
import { KILL_STEPS, runKillSteps } from "../helpers/kill_steps.ts";
import { say } from "../helpers/say.ts";
import assert from "node:assert/strict";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
/** One step of so many is taken here, others with the next seed; `deno task test:crash` takes all. */
const STRIDE = effort(15, 5);

Deno.test("data directory: killed between two steps of the write path, a server loses nothing", async () => {
  say(`SLUICE_SEED=${SEED}`);
  const steps = KILL_STEPS.filter((_, index) => index % STRIDE === SEED % STRIDE);
  const names: string[] = [];
  const counts = await runKillSteps(steps, SEED, ({ name }) => names.push(name));
  say(`${names.join(", ")}: ${JSON.stringify(counts)}`);
  assert.equal(names.length, steps.length);
  assert.equal(counts.lost, 0);
});
