/**
 * Spans of the jobs that belong to a trace.
 *
 * @module
 */

import type { JobView } from "../base/job.ts";
import { ERROR_STATUS, preciseNowMs, SpanKinds, Telemetry } from "../base/telemetry.ts";
import { readTraceLink, type TraceLink } from "../base/trace_link.ts";
import { Outcome, reasonOf } from "./outcome.ts";

/**
 * Makes one span for each job that has a link, from its start in the worker to its end.
 *
 * Attributes: `sluice.event.outcome`, `sluice.queue.time` and `sluice.lock.wait` (both in ms), and
 * `thread.id`. Nothing tells of whom the event was or how much.
 *
 * Thread: one event worker.
 */
export class JobTracer {
  readonly #telemetry: Telemetry;
  readonly #threadId: number;
  #link: TraceLink | undefined;
  #acceptedAtMs = 0;
  #startedAtMs = 0;
  #lockWaitMs = 0;

  /** Makes a tracer; see {@link JobTracer.load}. */
  constructor(telemetry: Telemetry, threadId: number) {
    this.#telemetry = telemetry;
    this.#threadId = threadId;
  }

  /** Loads what it needs. */
  static async load(threadId: number): Promise<JobTracer> {
    return new JobTracer(await Telemetry.load(), threadId);
  }

  /** The worker begins with a job. */
  begin(job: JobView): void {
    this.#link = undefined;
    if (job.traceStart === job.traceEnd) return;
    this.#link = readTraceLink(job.bytes, job.traceStart);
    this.#acceptedAtMs = job.acceptedAtMs;
    this.#lockWaitMs = 0;
    this.#startedAtMs = preciseNowMs();
  }

  /** Takes a lock by `lock`, and measures how long that takes. */
  measureLock(lock: () => void): void {
    if (this.#link === undefined) return lock();
    const startedAtMs = performance.now();
    lock();
    this.#lockWaitMs += performance.now() - startedAtMs;
  }

  /** The job is settled. */
  end(outcome: Outcome): void {
    const link = this.#link;
    if (link === undefined) return;
    this.#link = undefined;
    const reason = reasonOf(outcome);
    const span = this.#telemetry.begin(
      "settle event",
      SpanKinds.CONSUMER,
      this.#startedAtMs,
      link,
    );
    span.setAttributes({
      "sluice.event.outcome": reason,
      "sluice.lock.wait": this.#lockWaitMs,
      "thread.id": this.#threadId,
    });
    // A clock that was set meanwhile says nothing.
    const queueTimeMs = Math.max(0, this.#startedAtMs - this.#acceptedAtMs);
    if (this.#acceptedAtMs > 0) span.setAttribute("sluice.queue.time", queueTimeMs);
    if (outcome !== Outcome.PROCESSED) {
      span.setAttribute("error.type", reason);
      span.setStatus({ code: ERROR_STATUS, message: reason });
    }
    span.end(preciseNowMs());
  }
}
