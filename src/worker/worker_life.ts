/**
 * The life of an event worker, from its orders to its end.
 *
 * With the built-in processor its loop never returns to the event loop, so it hears of the
 * supervisor through shared memory only: the stop request in its slot, the closing of the channel, its
 * fence. A processor of one's own may wait for things, so its loop is another one (foreign_loop.ts).
 *
 * @module
 */

import type { JobView } from "../base/job.ts";
import { isTelemetryOn } from "../base/telemetry.ts";
import { BoundedChannel, RecvStatus } from "../channel/bounded_channel.ts";
import { ConsumerSlots } from "../channel/consumer_slots.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import { HistogramIndex } from "../metrics/names.ts";
import { MetricsRegion } from "../metrics/region.ts";
import { EventIds } from "../store/event_ids.ts";
import { Store } from "../store/store.ts";
import { BalanceProcessor } from "./balance_processor.ts";
import { createEventNotes } from "./event_notes.ts";
import {
  BACKGROUND_FAULT_STEPS,
  FaultInjector,
  InjectedDeath,
  parseFaultPlan,
  PUBLISH_FAULT_STEPS,
  RECV_FAULT_STEPS,
} from "./fault_plan.ts";
import type { ForeignWorker } from "./foreign_worker.ts";
import { JobRunner } from "./job_runner.ts";
import { holdLifeline } from "./lifeline.ts";
import { LineLimit } from "./line_limit.ts";
import { recordLockTimes } from "./lock_times.ts";
import type { WorkerOrders } from "./messages.ts";
import { type Outcome, reasonOf } from "./outcome.ts";
import { textOf } from "./processor_log.ts";
import { SettlementPost } from "./settlement_post.ts";
import { callWaiters } from "./waiter_calls.ts";
import { IDLE_SLICE_MS, type WorkerParts } from "./worker_parts.ts";
import type { WorkerPort } from "./worker_port.ts";

/** Longest text of an exception in the log. Unit: characters. */
const ERROR_LENGTH_MAX = 1000;

/** Reports failed jobs, but no more of them per second than a log can take. */
class FailureReports {
  readonly #port: WorkerPort;
  readonly #limit = new LineLimit();

  constructor(port: WorkerPort) {
    this.#port = port;
  }

  tell(job: JobView, outcome: Outcome, error: unknown): void {
    if (!this.#limit.allows()) return;
    this.#port.tell({
      kind: "failed",
      reason: reasonOf(outcome),
      user: new TextDecoder().decode(job.bytes.slice(job.userStart, job.userEnd)),
      amount: job.amount.toString(),
      error: error === undefined ? "" : textOf(error).slice(0, ERROR_LENGTH_MAX),
      untold: this.#limit.takeUntold(),
    });
  }
}

function work({ channel, life, background, notes }: WorkerParts, runner: JobRunner): boolean {
  let nowMs = 0;
  let readAtMs = -1;
  for (;;) {
    const hasJob = life.kind === SlotKind.CLAIMED;
    // The first turn may find a job that a predecessor died with.
    if (hasJob && !runner.run()) return false;
    if (life.stopRequested) return true;
    // Jobs take less than the clocks that they would need: one that is read anyway tells for all.
    const timeMs = hasJob ? runner.settledAtMs : Date.now();
    if (!hasJob) life.beat(timeMs);
    if (timeMs !== readAtMs || !hasJob) {
      readAtMs = timeMs;
      nowMs = performance.now();
    }
    background.runBetweenJobs(nowMs, hasJob);
    if (notes !== undefined && notes.noteCount > 0) notes.tryFlush();
    const status = channel.recv(life, background.waitMs(nowMs, IDLE_SLICE_MS));
    if (status === RecvStatus.CLOSED) return true;
    if (status === RecvStatus.FENCED) return false;
  }
}

/** Lives, and ends this isolate. Thread: a worker, once. */
export async function live(orders: WorkerOrders, port: WorkerPort): Promise<void> {
  try {
    await workAsOrdered(orders, port);
  } catch (error) {
    const isPlanned = error instanceof InjectedDeath;
    // Injected deaths take the way of exceptions that nobody could catch; strays of others are caught.
    if (isPlanned && orders.processor === undefined) throw error;
    // An uncaught exception would be printed past the log; this one is logged by the supervisor.
    if (!isPlanned) {
      port.tell({
        kind: "died",
        error: error instanceof Error ? error.stack ?? error.message : `${error}`,
      });
    }
  }
  port.end();
}

async function workAsOrdered(orders: WorkerOrders, port: WorkerPort): Promise<void> {
  await holdLifeline(orders.lifeline);
  port.tell({ kind: "holding" });
  const slots = ConsumerSlots.attach(orders.slots);
  const life = slots.own(orders.slotIndex, orders.epoch);
  const own: ForeignWorker | undefined = orders.processor &&
    await (await import("./foreign_worker.ts")).ForeignWorker.load(orders.processor, life, port);
  // Until here the slot says "asleep": a worker that never gets here can be replaced.
  if (!life.wakeUp()) return;
  const metrics = MetricsRegion.attach(orders.metrics);
  const channel = BoundedChannel.attach(orders.channel);
  const faults = orders.faultPlan === undefined
    ? undefined
    : new FaultInjector(parseFaultPlan(orders.faultPlan), life);
  if (faults !== undefined) {
    channel.onStep = (step) => void faults.reach(RECV_FAULT_STEPS[step]!);
  }
  const counters = metrics.counters(orders.threadId);
  const store = Store.attach(orders.store, orders.threadId);
  recordLockTimes(store.locks, metrics, orders.threadId);
  // Loaded where there is a log only.
  const log = orders.log &&
    new (await import("../durability/thread_log.ts")).ThreadLog(orders.log, store, orders.threadId);
  if (log !== undefined && faults !== undefined) {
    // A worker has no spans: it claims what it needs, and gives nothing back.
    log.intake.onStep = (step) => {
      if (step !== "returned") void faults.reach(PUBLISH_FAULT_STEPS[step]);
    };
  }
  const tracers = isTelemetryOn() ? (await import("./job_tracer.ts")).JobTracer : undefined;
  const failures = new FailureReports(port);
  const notes = createEventNotes(orders, store, counters);
  callWaiters(orders, store);
  const shared = {
    store,
    log,
    life,
    counters,
    settlement: metrics.histogram(orders.threadId, HistogramIndex.EVENT_SETTLEMENT),
    workMs: orders.workMs,
    holdMs: orders.holdMs,
    eventIds: orders.eventIds && EventIds.attach(orders.eventIds),
    post: orders.inboxes && new SettlementPost(orders.inboxes, orders.threadId, counters),
    faults,
    onFailed: (job: JobView, outcome: Outcome, error: unknown) =>
      failures.tell(job, outcome, error),
  };
  const background = store.backgroundWork(
    Date.now,
    faults && ((point) => void faults.reach(BACKGROUND_FAULT_STEPS[point]!)),
  );
  const parts: WorkerParts = { channel, life, background, notes, post: shared.post };
  let isDone: boolean;
  if (own === undefined) {
    const tracer = await tracers?.load(orders.threadId);
    const processor = new BalanceProcessor();
    const runner = new JobRunner({ ...shared, slot: life, processor, tracer });
    port.tell({ kind: "ready" });
    isDone = work(parts, runner);
  } else {
    const lanes = [life, ...(orders.laneIndexes ?? []).map((at) => slots.own(at, orders.epoch))];
    const runners: JobRunner[] = [];
    for (const [lane, slot] of lanes.slice(0, own.concurrency).entries()) {
      const tracer = await tracers?.load(orders.threadId);
      runners.push(own.runner({ ...shared, slot, lane, tracer }, notes, orders.threadId));
    }
    port.tell({ kind: "ready" });
    isDone = await own.work(parts, lanes, runners, counters);
  }
  if (isDone) {
    life.leave();
    port.tell({ kind: "stopped" });
  }
}
