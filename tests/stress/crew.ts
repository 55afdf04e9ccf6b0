/** Workers of the stress runs: each gets its orders, says that it is ready, and reports at the end. */

/** A worker at work. */
export interface CrewMember<Report> {
  /** Resolves when the worker waits for the common start. */
  ready: Promise<void>;
  /** Resolves with what it did; rejects when it threw. */
  report: Promise<Report>;
}

/**
 * Starts a worker.
 *
 * @param url its file
 * @param name how it is called in error messages
 * @param orders its first message; it answers `"ready"`, then a report
 */
export function enlist<Report>(url: URL, name: string, orders: unknown): CrewMember<Report> {
  const worker = new Worker(url, { type: "module", name });
  const ready = Promise.withResolvers<void>();
  const report = Promise.withResolvers<Report>();
  worker.onmessage = (message: MessageEvent<"ready" | Report>) => {
    if (message.data === "ready") ready.resolve();
    else report.resolve(message.data as Report);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    ready.reject(new Error(event.message));
    report.reject(new Error(event.message));
  };
  worker.postMessage(orders);
  return { ready: ready.promise, report: report.promise };
}

/** Adds up one figure of several reports. */
export function sumOf<Report>(reports: Report[], of: (report: Report) => number): number {
  return reports.reduce((total, report) => total + of(report), 0);
}

/** Runs of a broken twin before it counts as not caught. */
const TWIN_ROUNDS = 6;

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
  let result = await run();
  for (let round = 1; round < TWIN_ROUNDS && !isCaught(result); round++) result = await run();
  return result;
}
