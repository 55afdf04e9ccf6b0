/**
 * What it costs to take and give back one shard lock, alone and with other threads that want it
 * all the time.
 *
 * One iteration is {@link PAIRS} acquisitions with their releases, of all threads together; divide
 * by that. The thread does next to nothing with the lock held. That is the worst case for a lock:
 * the more is done under it, the less it matters. With `mutex` a shared acquisition is an exclusive
 * one.
 *
 *     deno bench --allow-env --allow-read bench/locks_bench.ts
 *
 * @module
 */

import { CounterMemory, incrementTasks } from "../src/lab/counters/increments.ts";
import { CREW_RUNS, crewOfFile, measureCrew } from "./crews.ts";
import { sized } from "./sizes.ts";

/** Acquisitions in one iteration. */
const PAIRS = sized(500_000, 4000);

const crew = crewOfFile(4);
const WAYS = [
  { name: "mutex", lock: "mutex", isShared: false },
  { name: "rwlock, exclusive", lock: "rwlock", isShared: false },
  { name: "rwlock, shared", lock: "rwlock", isShared: true },
] as const;

for (const threads of [1, 2, 4]) {
  const group = threads === 1 ? "uncontended" : `${threads} threads that want the same lock`;
  for (const { name, lock, isShared } of WAYS) {
    const memory = CounterMemory.create(lock);
    const tasks = incrementTasks(memory, "one lock", threads)
      .map((task) => ({ ...task, isShared }));
    Deno.bench({ name, group, baseline: name === "mutex", ...CREW_RUNS }, async (b) => {
      await measureCrew(b, crew, tasks, PAIRS);
    });
  }
}
