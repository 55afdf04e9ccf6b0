/**
 * Crews of threads for benches: started once per file, ended with it.
 *
 * @module
 */

import { Crew } from "../src/lab/crew/crew.ts";
import type { CrewTask } from "../src/lab/crew/tasks.ts";

/** Runs of each bench with threads, and those before them that are not measured. */
export const CREW_RUNS = { n: 15, warmup: 2 } as const;

/** A crew that ends with the file: `deno bench` runs all files in one process. */
export function crewOfFile(threadCount: number): Crew {
  const crew = new Crew(threadCount);
  addEventListener("unload", () => crew[Symbol.dispose]());
  return crew;
}

/**
 * One run of a bench: an amount of work for all threads of `tasks` together. Measured from the
 * common start until the last of them is done.
 */
export async function measureCrew(
  b: Deno.BenchContext,
  crew: Crew,
  tasks: readonly CrewTask[],
  workCount: number,
): Promise<void> {
  const round = await crew.prepare(tasks, workCount);
  b.start();
  round.runAsleep();
  b.end();
  const done = (await round.result()).workCount;
  if (done !== workCount) throw new Error(`Cannot trust this run: ${done} of ${workCount} done`);
}
