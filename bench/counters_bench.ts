/**
 * What it costs to count with 1, 2 and 4 threads: behind one lock, with one shared atomic, with one
 * atomic per thread.
 *
 * One iteration is {@link INCREMENTS} increments of all threads together; divide by that. The layer
 * beneath is one thread that adds to a word of its own, which is what padded atomics come to.
 * Numbers of threads above that of the processors show what it costs to be put aside.
 *
 *     deno bench --allow-env --allow-read bench/counters_bench.ts
 *
 * @module
 */

import { COUNTER_KINDS, CounterMemory, incrementTasks } from "../src/lab/counters/increments.ts";
import { WRONG_KIND } from "../src/lab/counters/measure.ts";
import { CREW_RUNS, crewOfFile, measureCrew } from "./crews.ts";
import { sized } from "./sizes.ts";

/** Increments in one iteration. */
const INCREMENTS = sized(1_500_000, 12_000);
const BASELINE = "padded atomics, one per thread";

const crew = crewOfFile(4);
const memory = CounterMemory.create("mutex");

for (const threads of [1, 2, 4]) {
  const group = `1.5 million increments, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  for (const kind of COUNTER_KINDS) {
    if (kind === WRONG_KIND) continue;
    const tasks = incrementTasks(memory, kind, threads);
    Deno.bench({ name: kind, group, baseline: kind === BASELINE, ...CREW_RUNS }, async (b) => {
      memory.reset();
      await measureCrew(b, crew, tasks, INCREMENTS);
      if (memory.total(kind) !== INCREMENTS) throw new Error("Cannot count: increments were lost");
    });
  }
}
