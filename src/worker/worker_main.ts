/// <reference lib="deno.worker" />
/**
 * Entry of an event worker: an isolate of its own that takes jobs from the channel until it is
 * told to stop or nothing is left.
 *
 * Its loop never returns to the event loop, so it hears of the supervisor through shared memory
 * only: the stop request in its slot, the closing of the channel, its fence.
 *
 * @module
 */

import type { JobView } from "../base/job.ts";
import { LOG_WORKER_LINES_PER_SECOND } from "../base/limits.ts";
import { isTelemetryOn } from "../base/telemetry.ts";
import { BoundedChannel, RecvStatus } from "../channel/bounded_channel.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import { ConsumerSlots } from "../channel/consumer_slots.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import { HistogramIndex } from "../metrics/names.ts";
import { MetricsRegion } from "../metrics/region.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import type { BackgroundWork } from "../store/background.ts";
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
import { JobRunner } from "./job_runner.ts";
import { holdLifeline } from "./lifeline.ts";
import { recordLockTimes } from "./lock_times.ts";
import type { WorkerMessage, WorkerOrders } from "./messages.ts";
import { type Outcome, reasonOf } from "./outcome.ts";
import type { Processor } from "./processor.ts";
import { SettlementPost } from "./settlement_post.ts";

/**
 * Longest idle sleep; after it the worker shows its heartbeat, looks for orders and, when that is
 * due, does its share of the background work.
 */
const IDLE_SLICE_MS = 100;

function tell(message: WorkerMessage): void {
  self.postMessage(message);
}

async function loadProcessor(url: string | undefined): Promise<Processor> {
  if (url === undefined) return new BalanceProcessor();
  const module = await import(url) as { default?: Processor };
  if (typeof module.default?.process !== "function") {
    throw new TypeError(`Cannot use ${url}: its default export has no process()`);
  }
  return module.default;
}

/** Reports failed jobs, but no more of them per second than a log can take. */
class FailureReports {
  #secondStartMs = 0;
  #toldInSecond = 0;
  #untold = 0;

  tell(job: JobView, outcome: Outcome, error: unknown): void {
    const nowMs = Date.now();
    if (nowMs - this.#secondStartMs >= 1000) {
      this.#secondStartMs = nowMs;
      this.#toldInSecond = 0;
    }
    if (++this.#toldInSecond > LOG_WORKER_LINES_PER_SECOND) {
      this.#untold++;
      return;
    }
    tell({
      kind: "failed",
      reason: reasonOf(outcome),
      user: new TextDecoder().decode(job.bytes.slice(job.userStart, job.userEnd)),
      amount: job.amount.toString(),
      error: error === undefined ? "" : String(error),
      untold: this.#untold,
    });
    this.#untold = 0;
  }
}

function work(
  channel: BoundedChannel,
  slot: ConsumerSlot,
  runner: JobRunner,
  background: BackgroundWork,
  notes: Notifier | undefined,
): boolean {
  let nowMs = 0;
  let readAtMs = -1;
  for (;;) {
    const hasJob = slot.kind === SlotKind.CLAIMED;
    // The first turn may find a job that a predecessor died with.
    if (hasJob && !runner.run()) return false;
    if (slot.stopRequested) return true;
    // Jobs take less than the clocks that they would need: one that is read anyway tells for all.
    const timeMs = hasJob ? runner.settledAtMs : Date.now();
    if (!hasJob) slot.beat(timeMs);
    if (timeMs !== readAtMs || !hasJob) {
      readAtMs = timeMs;
      nowMs = performance.now();
    }
    background.runBetweenJobs(nowMs, hasJob);
    if (notes !== undefined && notes.noteCount > 0) notes.tryFlush();
    const status = channel.recv(slot, background.waitMs(nowMs, IDLE_SLICE_MS));
    if (status === RecvStatus.CLOSED) return true;
    if (status === RecvStatus.FENCED) return false;
  }
}

self.onmessage = async (message: MessageEvent<WorkerOrders>) => {
  try {
    await live(message.data);
  } catch (error) {
    // Injected deaths take the way of exceptions that nobody could catch.
    if (error instanceof InjectedDeath) throw error;
    // An uncaught exception would be printed past the log; this one is logged by the supervisor.
    tell({
      kind: "died",
      error: error instanceof Error ? error.stack ?? error.message : `${error}`,
    });
  }
  self.close();
};

async function live(orders: WorkerOrders): Promise<void> {
  await holdLifeline(orders.lifeline);
  tell({ kind: "holding" });
  const processor = await loadProcessor(orders.processorUrl);
  const slot = ConsumerSlots.attach(orders.slots).own(orders.slotIndex, orders.epoch);
  // Until here the slot says "asleep": a worker that never gets here can be replaced.
  if (!slot.wakeUp()) return;
  const metrics = MetricsRegion.attach(orders.metrics);
  const failures = new FailureReports();
  const channel = BoundedChannel.attach(orders.channel);
  const faults = orders.faultPlan === undefined
    ? undefined
    : new FaultInjector(parseFaultPlan(orders.faultPlan), slot);
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
  const runner = new JobRunner({
    store,
    log,
    slot,
    counters,
    settlement: metrics.histogram(orders.threadId, HistogramIndex.EVENT_SETTLEMENT),
    processor,
    workMs: orders.workMs,
    holdMs: orders.holdMs,
    eventIds: orders.eventIds && EventIds.attach(orders.eventIds),
    post: orders.inboxes && new SettlementPost(orders.inboxes, orders.threadId, counters),
    tracer: isTelemetryOn()
      ? await (await import("./job_tracer.ts")).JobTracer.load(orders.threadId)
      : undefined,
    faults,
    onFailed: (job, outcome, error) => failures.tell(job, outcome, error),
  });
  tell({ kind: "ready" });
  const notes = createEventNotes(orders, store, counters);
  const background = store.backgroundWork(
    Date.now,
    faults && ((point) => void faults.reach(BACKGROUND_FAULT_STEPS[point]!)),
  );
  if (work(channel, slot, runner, background, notes)) {
    slot.leave();
    tell({ kind: "stopped" });
  }
}
