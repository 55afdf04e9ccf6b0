/**
 * Operations on a store by its number of shards and the number of threads that use it.
 *
 * One iteration is {@link OPERATIONS} operations of all threads together, half of them additions and
 * half of them reads, at random keys; divide by that. Nothing is done under the lock but the
 * operation itself, so more threads are faster only as far as there are processors for them, and
 * only while they do not want the same shard. `sluice lab` has the same with operations that sleep.
 *
 *     deno bench --allow-env --allow-read bench/store_scaling_bench.ts
 *
 * @module
 */

import { SweepStore } from "../src/lab/sweep/sweep_store.ts";
import { CREW_RUNS, crewOfFile, measureCrew } from "./crews.ts";
import { sized } from "./sizes.ts";

/** Operations in one iteration. */
const OPERATIONS = sized(100_000, 4000);

const crew = crewOfFile(4);
const STORES = [
  ...[1, 4, 16, 64, 256].map((shards) => ({ lock: "mutex", shards }) as const),
  ...[1, 64].map((shards) => ({ lock: "rwlock", shards }) as const),
];

for (const { lock, shards } of STORES) {
  const store = new SweepStore(lock, shards);
  for (const threads of [1, 2, 4]) {
    const tasks = store.tasks(threads, 0);
    const group = `100,000 operations, ${threads} ${threads === 1 ? "thread" : "threads"}`;
    const name = `${lock}, ${shards} ${shards === 1 ? "shard" : "shards"}`;
    const baseline = lock === "mutex" && shards === 1;
    Deno.bench({ name, group, baseline, ...CREW_RUNS }, async (b) => {
      await measureCrew(b, crew, tasks, OPERATIONS);
    });
  }
}
