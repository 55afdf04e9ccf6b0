/**
 * A processor of one's own that changes three keys at once, under load, with workers that die all the
 * time; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FAULT_STEPS } from "../../src/worker/fault_plan.ts";
import { ThreeKeys } from "../unit/worker/three_keys.ts";

const EVENTS = Number(Deno.env.get("EVENTS") ?? 100_000);
const WORKERS = 4;
const USERS = 40;
/** Deaths in all, so many workers of each slot. */
const KILLED_STARTS = 12;

/** A small generator whose seed can be printed and replayed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const WAYS = [
  { isAsync: false, concurrency: 1, modes: ["throw", "exit"] },
  // Not by exits: see three_keys_faults_test.ts.
  { isAsync: true, concurrency: 8, modes: ["throw"] },
] as const;

for (const { isAsync, concurrency, modes } of WAYS) {
  const what = `${isAsync ? "asynchronous" : "synchronous"}, ${concurrency} at once`;
  Deno.test(`stress: ${EVENTS} events over three keys are exact while workers die (${what})`, async () => {
    const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
    const random = randomFrom(seed);
    const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
    const steps = FAULT_STEPS.filter((step) => step !== "inCommit");
    const passes = Math.max(3, Math.floor(EVENTS / WORKERS / KILLED_STARTS / 4));
    await using keys = await ThreeKeys.start({ isAsync, concurrency }, {
      shardCount: 64,
      capacity: 512,
      moreMemoryBytes: 16 << 20,
      pool: {
        workersMax: WORKERS,
        faultPlan: (_slot, startCount) =>
          startCount <= KILLED_STARTS
            ? `${pick(steps)}:${2 + Math.floor(random() * passes)}:${pick(modes)}`
            : undefined,
      },
    });
    for (let i = 0; i < EVENTS; i++) {
      await keys.send(`user${Math.floor(random() * USERS)}`, 1 + Math.floor(random() * 1000));
    }
    await keys.drain();
    keys.assertExact();
    const { deaths } = keys.world.pool;
    const { processed, failed } = keys.world.metrics.readEventCounters();
    // deno-lint-ignore no-console -- the figures are the point of a stress run
    console.log(
      JSON.stringify({ seed, what, deaths, processed, failed, results: keys.results.size }),
    );
    assert.ok(deaths >= (WORKERS * KILLED_STARTS) / 2, `${deaths} workers died (seed ${seed})`);
  });
}
