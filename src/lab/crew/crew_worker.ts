/// <reference lib="deno.worker" />
/**
 * Entry of a thread of a crew: does what it is told, round after round, until it is terminated.
 *
 * @module
 */

import { prepareIncrements } from "../counters/increments.ts";
import { prepareStoreWork } from "../sweep/store_work.ts";
import { StartLine } from "./start_line.ts";
import type { CrewOrders, CrewReport, CrewTask, CrewWork } from "./tasks.ts";

function prepare(task: CrewTask): CrewWork {
  return task.kind === "increments" ? prepareIncrements(task) : prepareStoreWork(task);
}

/** Each thread's own clock starts with the thread. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function runRound(line: StartLine, work: CrewWork): CrewReport {
  const startedAtMs = nowMs();
  let workCount = 0;
  for (let count = line.take(work.turn); count > 0; count = line.take(work.turn)) {
    work.run(count);
    workCount += count;
  }
  return { startedAtMs, endedAtMs: nowMs(), workCount, writeCount: work.writeCount };
}

self.onmessage = (message: MessageEvent<CrewOrders>) => {
  const { line: buffer, round, task } = message.data;
  const line = new StartLine(buffer);
  const work = prepare(task);
  self.postMessage("ready");
  line.pass(round);
  try {
    self.postMessage(runRound(line, work));
  } finally {
    // Whoever sleeps until all are done hears of a failure by its message.
    line.finish();
  }
};
