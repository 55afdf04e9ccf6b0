/** Workers of the stress runs: each gets its orders, says that it is ready, and reports at the end. */

import { CrewThread, type ThreadReplies } from "../../src/lab/crew/thread.ts";

/** A worker at work. */
export type CrewMember<Report> = ThreadReplies<Report>;

/**
 * Starts a worker.
 *
 * @param url its file
 * @param name how it is called in error messages
 * @param orders its first message; it answers `"ready"`, then a report
 */
export function enlist<Report>(url: URL, name: string, orders: unknown): CrewMember<Report> {
  return new CrewThread<Report>(new Worker(url, { type: "module", name })).order(orders);
}

/** Adds up one figure of several reports. */
export function sumOf<Report>(reports: Report[], of: (report: Report) => number): number {
  return reports.reduce((total, report) => total + of(report), 0);
}

/** Runs of a broken twin, at least, before it counts as not caught. */
const TWIN_ROUNDS = 6;
/** How long one is run, at least, before it does. Unit: ms. Reason: the machine may be very busy. */
const TWIN_PATIENCE_MS = 60_000;

/**
 * Runs a broken twin until it shows its defect.
 *
 * A race needs two threads inside a window; on a busy machine one run may not bring them there. A
 * twin that no run exposes fails the test as inconclusive.
 *
 * @returns the run that showed it, or the last one
 */
export async function runTwin<Result>(
  run: () => Promise<Result>,
  isCaught: (result: Result) => boolean,
): Promise<Result> {
  const endMs = performance.now() + TWIN_PATIENCE_MS;
  let result = await run();
  for (let round = 1; !isCaught(result); round++) {
    if (round >= TWIN_ROUNDS && performance.now() >= endMs) break;
    result = await run();
  }
  return result;
}
