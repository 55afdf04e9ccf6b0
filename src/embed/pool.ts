/**
 * The pool of event workers for programs that embed it: a processor of one's own, on all cores, over a
 * store that is shared, each event settled exactly once.
 *
 * What is beneath is the server's own: its intake, channel, worker pool and the way back. Here the
 * parts that a server shares among its threads are made for one program.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { EventFields, MAX_FIELDS_JOB_BYTES, MAX_JOB_BYTES } from "../base/job.ts";
import {
  CHANNEL_CAPACITY_MAX,
  EVENT_WAIT_MAX_MS,
  PROCESSOR_MEMORY_MAX_BYTES,
  PROCESSOR_MEMORY_MIN_BYTES,
  THREADS_MAX,
  WORKERS_MAX,
} from "../base/limits.ts";
import { bytesOfText } from "../base/short_text.ts";
import { BoundedChannel as ChannelEngine } from "../channel/bounded_channel.ts";
import { Inbox } from "../channel/inbox.ts";
import { eventDefect } from "../command/event.ts";
import { EventIntake, EventOutcome } from "../command/event_intake.ts";
import { EventWaits, type Settlement } from "../command/event_waits.ts";
import { EVENT_COUNTERS } from "../metrics/names.ts";
import { type EventCounters, MetricsRegion } from "../metrics/region.ts";
import { IoInbox } from "../server/io_inbox.ts";
import { createGate, ownSettlementOf } from "../server/own_processor.ts";
import { Store as Engine } from "../store/store.ts";
import type { LoadedProcessor } from "../worker/processor_module.ts";
import { loadProcessor, processorUrl } from "../worker/processor_module.ts";
import { WorkerPool as PoolEngine } from "../worker/worker_pool.ts";
import { checkDurationMs } from "./argument_checks.ts";
import { LONGEST_TIMER_MS } from "./runtime.ts";
import { Seats } from "./seats.ts";
import { Store } from "./store.ts";
import { closedError, StoreError } from "./store_error.ts";
import { toEngineMemory } from "./store_settings.ts";

const DEFAULT_CAPACITY = 1000;
const DEFAULT_STOP_TIMEOUT_MS = 10_000;
/** Room for the results of a worker that the program has not looked at. */
const INBOX_BYTES = 2 ** 18;
/** What a processor may be given. Unit: bytes. */
const PROCESSOR_MEMORY = {
  min: PROCESSOR_MEMORY_MIN_BYTES,
  max: PROCESSOR_MEMORY_MAX_BYTES,
} as const;
/** What an event does, when nobody says. */
const DEFAULT_ACTION = "submit";

/** What a {@link WorkerPool} is started with. */
export interface PoolOptions {
  /** The processor's module; a `new URL("./mine.ts", import.meta.url)`, or a URL or path as text. */
  processor: URL | string;
  /** What the processor's `ctx` reads and writes. */
  store: Store;
  /** Workers, 1 to 256. Default: the processors but one. */
  workers?: number;
  /** Events that may wait, 1 to 1,048,576. Default: 1,000. */
  capacity?: number;
  /** What the objects of the processor may take in each worker. Unit: bytes. Default: 128 MiB. */
  processorMemoryBytes?: number;
  /** Told what happens, the processor's own lines included. Default: nobody is. */
  log?: (level: PoolLogLevel, message: string, fields: Record<string, unknown>) => void;
}

/** How much a line of a pool's log matters. */
export type PoolLogLevel = "debug" | "info" | "warn" | "error";

/** An event for the processor. */
export interface PoolEvent {
  /** Who, 1 to 128 bytes of UTF-8 without control characters. */
  user: string;
  /** What, 1 to 64 such bytes. Default: `submit`. */
  action?: string;
  /** How much, 64 bits. Default: 0. */
  amount?: number | bigint;
  /** What the program calls it, up to 64 such bytes; two events with one id are two events. */
  id?: string;
  /** Its further fields, those of the processor's schema. */
  fields?: Readonly<Record<string, unknown>>;
}

/** Why an event was not accepted. Nothing has happened then. */
export interface PoolRefusal {
  /** Tells it from other outcomes. */
  readonly status: "refused";
  /**
   * `busy` so many events wait that there is no room; `out_of_memory` the store is full; `closed` the pool
   * is stopping; `invalid` the event breaks a rule, or the processor's `validate` refused it;
   * `processor_error` that threw.
   */
  readonly reason: "busy" | "out_of_memory" | "closed" | "invalid" | "processor_error";
  /** Which rule, for people; else "". */
  readonly detail: string;
}

/** How an event ended. */
export type PoolOutcome =
  | PoolRefusal
  /** `process` has returned, and what it did to the store is done; `result` is what it returned. */
  | { readonly status: "processed"; readonly result: unknown }
  /** It threw, took too long or could not be committed; the store is as it was. */
  | { readonly status: "failed"; readonly reason: string }
  /** It is not settled yet, but the time is over. It will be settled. */
  | { readonly status: "pending" };

/** How {@link WorkerPool.stop} ended. */
export interface PoolStopReport extends EventCounters {
  /** Accepted events that nobody will settle any more. */
  readonly lost: number;
}

const REFUSALS: Readonly<Record<EventOutcome, PoolRefusal["reason"]>> = {
  [EventOutcome.ACCEPTED]: "busy",
  [EventOutcome.SERVER_BUSY]: "busy",
  [EventOutcome.OUT_OF_MEMORY]: "out_of_memory",
  [EventOutcome.SHUTTING_DOWN]: "closed",
  [EventOutcome.STORAGE_UNAVAILABLE]: "out_of_memory",
};

/**
 * Workers that process events with a module of yours.
 *
 * An event that was accepted is settled exactly once, whatever becomes of the worker that has it: what
 * its `process` did to the store, and that it is done, happen in one step. A processor that throws,
 * hangs, exits or takes too much memory costs its own events only.
 *
 * Deno only. Thread: the one that has started it; as a rule the main thread.
 *
 * @example
 * ```ts
 * import { Store, WorkerPool } from "../mod.ts";
 *
 * const processor = "data:text/javascript," + encodeURIComponent(`export default {
 *   name: "credits",
 *   process(event, ctx) {
 *     const left = (ctx.getInteger(event.user) ?? 10n) - event.amount;
 *     if (left < 0n) return { granted: false };
 *     ctx.set(event.user, left);
 *     return { granted: true, left: Number(left) };
 *   },
 * }`);
 * using store = Store.create({ maxMemoryBytes: 16 * 2 ** 20 });
 * await using pool = await WorkerPool.start({ processor, store, workers: 1 });
 * const outcome = await pool.submit({ user: "alice", amount: 3 });
 * if (outcome.status !== "processed") throw new Error(`Cannot buy: ${JSON.stringify(outcome)}`);
 * console.assert(JSON.stringify(outcome.result) === '{"granted":true,"left":7}');
 * console.assert(store.get("alice") === "7");
 * ```
 */
export class WorkerPool implements AsyncDisposable {
  /**
   * Resolves with a text for people when a worker was ended in the middle of a change. The store is torn
   * then, and nothing is processed any more.
   */
  readonly fault: Promise<string>;
  /** Events that may wait. */
  readonly capacity: number;

  readonly #parts: PoolParts;
  readonly #event = new EventFields();
  #stopped: Promise<PoolStopReport> | undefined;

  private constructor(parts: PoolParts) {
    this.#parts = parts;
    this.fault = parts.fault;
    this.capacity = parts.channel.capacity;
  }

  /**
   * Starts the workers and waits until they take events.
   *
   * @throws {ProcessorLoadError} when there is no such module, or it is no processor
   * @throws {StoreError} `TOO_MANY_THREADS`: the store has not so many ids left as there are workers;
   *   `CLOSED`
   */
  static async start(options: PoolOptions): Promise<WorkerPool> {
    const { workers = Math.max(1, navigator.hardwareConcurrency - 1), capacity } = options;
    check("workers", workers, 1, WORKERS_MAX);
    check("capacity", capacity ?? DEFAULT_CAPACITY, 1, CHANNEL_CAPACITY_MAX);
    const { processor, processorMemoryBytes, store } = options;
    if (processorMemoryBytes !== undefined) {
      const { min, max } = PROCESSOR_MEMORY;
      check("processorMemoryBytes", processorMemoryBytes, min, max);
    }
    if (!(store instanceof Store)) {
      throw new TypeError("Cannot start a pool: store must be a Store of this thread");
    }
    if (store.closed) throw closedError();
    if (typeof processor !== "string" && !(processor instanceof URL)) {
      throw new TypeError("Cannot start a pool: processor must be a URL, or a text");
    }
    const url = processor instanceof URL ? processor.href : processorUrl(processor, Deno.cwd());
    const loaded = await loadProcessor(url);
    await using stack = new AsyncDisposableStack();
    const parts = await startParts(options, url, loaded, workers, stack);
    return new WorkerPool({ ...parts, stack: stack.move() });
  }

  /** Events that wait. A snapshot. */
  get depth(): number {
    return this.#parts.channel.depth;
  }

  /**
   * Hands an event over without waiting for anything.
   *
   * @returns undefined when it was accepted
   */
  trySubmit(event: PoolEvent): PoolRefusal | undefined {
    const refusal = this.#read(event);
    if (refusal !== undefined) return refusal;
    const outcome = this.#parts.intake.offer(this.#event);
    return outcome === EventOutcome.ACCEPTED ? undefined : refused(REFUSALS[outcome]);
  }

  /**
   * Hands an event over and waits for its end.
   *
   * @param timeoutMs longest wait, 0 and up; 60,000 at most, whatever is given
   * @returns how it ended; it does not reject for what happens to the event
   * @throws {TypeError | RangeError} when `timeoutMs` is no such number
   */
  async submit(event: PoolEvent, timeoutMs: number = EVENT_WAIT_MAX_MS): Promise<PoolOutcome> {
    checkDurationMs("submit an event", "timeoutMs", timeoutMs);
    const refusal = this.#read(event);
    if (refusal !== undefined) return refusal;
    const offered = this.#parts.intake.offerWaiting(
      this.#event,
      Math.min(timeoutMs, EVENT_WAIT_MAX_MS),
    );
    if (typeof offered === "number") return refused(REFUSALS[offered]);
    return outcomeOf(await offered);
  }

  /** What became of the events so far. */
  stats(): EventCounters & { readonly workers: number; readonly deaths: number } {
    const { metrics, pool } = this.#parts;
    return { ...metrics.readEventCounters(), workers: pool.size, deaths: pool.deaths };
  }

  /** What the processor has counted so far, by name. */
  counters(): Readonly<Record<string, number>> {
    const counters = this.#parts.pool.processorCounters;
    if (counters === undefined) return {};
    return Object.fromEntries(counters.names.map((name, i) => [name, counters.total(i)]));
  }

  /**
   * Accepts nothing any more, waits until everything is settled, and ends the workers. Later calls get
   * the same report.
   *
   * @param timeoutMs longest wait, 0 and up; what is not settled then is lost
   * @returns never rejects
   * @throws {TypeError | RangeError} at once, and nothing is stopped, when `timeoutMs` is no such number
   */
  stop(timeoutMs: number = DEFAULT_STOP_TIMEOUT_MS): Promise<PoolStopReport> {
    checkDurationMs("stop a pool", "timeoutMs", timeoutMs);
    return this.#stopped ??= this.#stop(timeoutMs);
  }

  /** Stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(timeoutMs: number): Promise<PoolStopReport> {
    const { ids, metrics, phase, pool, stack, waits } = this.#parts;
    phase.stopping = true;
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(),
      Math.min(timeoutMs, LONGEST_TIMER_MS),
    );
    const { unsettled, workersLeft } = await pool.drainAndStop(deadline.signal);
    // Who may still run must not share its id with somebody else.
    ids.areInUse = workersLeft > 0;
    clearTimeout(timer);
    // The last outcomes may still be on their way through the inbox.
    for (let turn = 0; unsettled === 0 && waits.size > 0 && turn < 100; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await stack.disposeAsync();
    return { ...metrics.readEventCounters(), lost: unsettled };
  }

  /** Puts an event into `#event`, and asks whether it is good. */
  #read(event: PoolEvent): PoolRefusal | undefined {
    const fields = this.#event.clear();
    const { user, action = DEFAULT_ACTION, amount = 0, id = "" } = event;
    for (const [name, text] of [["user", user], ["action", action], ["id", id]] as const) {
      if (typeof text !== "string") return refused("invalid", `${name} must be a text`);
      const bytes = bytesOfText(text);
      fields[name].set(bytes, 0, bytes.length);
    }
    if (!setAmount(fields.amount, amount)) {
      return refused("invalid", "amount must be an integer of 64 bits");
    }
    const defect = eventDefect(fields);
    if (defect !== undefined) return refused("invalid", defect);
    const refusal = this.#parts.intake.gate?.admit(fields, event.fields ?? {});
    if (refusal === undefined) return undefined;
    return refusal.kind === "invalid"
      ? refused("invalid", refusal.detail)
      : refused("processor_error");
  }
}

/** What a pool is made of. */
interface PoolParts {
  readonly channel: ChannelEngine;
  readonly fault: Promise<string>;
  readonly ids: { areInUse: boolean };
  readonly intake: EventIntake;
  readonly metrics: MetricsRegion;
  readonly phase: { stopping: boolean };
  readonly pool: PoolEngine;
  readonly stack: AsyncDisposableStack;
  readonly waits: EventWaits;
}

/** Makes the parts; what ends them is put on the stack. */
async function startParts(
  options: PoolOptions,
  url: string,
  loaded: LoadedProcessor,
  workers: number,
  stack: AsyncDisposableStack,
): Promise<Omit<PoolParts, "stack">> {
  const { engineMemory, seats: buffer } = toEngineMemory(options.store.memory);
  // One for this thread, which looks after the others.
  const row = Seats.attach(buffer).takeRow(1 + workers);
  if (row === undefined) {
    throw new StoreError(
      "TOO_MANY_THREADS",
      `Cannot start ${workers} workers: the store has not so many threads left; make it with a ` +
        "larger maxThreads",
    );
  }
  const ids = { areInUse: false };
  stack.defer(() => ids.areInUse ? undefined : row.giveBack());
  const threadId = row.first;
  const threadCount = threadId + 1 + workers;
  if (threadCount > THREADS_MAX) {
    throw new RangeError(`Cannot start ${workers} workers: their thread ids are too large`);
  }
  const store = Engine.attach(engineMemory, threadId);
  const metrics = MetricsRegion.create(threadCount);
  const counters = metrics.counters(threadId);
  const jobBytes = loaded.schema === undefined ? MAX_JOB_BYTES : MAX_FIELDS_JOB_BYTES;
  const channel = ChannelEngine.create({
    capacity: options.capacity ?? DEFAULT_CAPACITY,
    jobBytes,
  });
  const inbox = Inbox.create({ producerCount: threadCount, ringBytes: INBOX_BYTES });
  const waits = new EventWaits(threadId);
  stack.defer(() => waits.giveUp());
  const log = poolLog(options.log);
  stack.use(
    new IoInbox(
      inbox,
      waits,
      (error) => log.error("an outcome could not be told", { error }),
      undefined,
      undefined,
      undefined,
      ownSettlementOf,
    ),
  );
  const phase = { stopping: false };
  const intake = createIntake({
    channel,
    counters,
    jobBytes,
    loaded,
    metrics,
    phase,
    store,
    waits,
  });
  const fault = Promise.withResolvers<string>();
  const pool = await PoolEngine.start({
    store,
    channel,
    metrics,
    counters,
    firstThreadId: threadId + 1,
    workersMin: workers,
    workersMax: workers,
    inboxes: { firstThreadId: threadId, inboxes: [inbox.memory] },
    processorUrl: url,
    processor: loaded,
    processorMemoryBytes: options.processorMemoryBytes,
    log,
    onInternalFault: ({ shard }) =>
      fault.resolve(`a worker was ended in the middle of a change: shard ${shard} is torn`),
  });
  return { channel, fault: fault.promise, ids, intake, metrics, phase, pool, waits };
}

interface IntakeParts extends Pick<PoolParts, "channel" | "metrics" | "phase" | "waits"> {
  readonly counters: ReturnType<MetricsRegion["counters"]>;
  readonly jobBytes: number;
  readonly loaded: LoadedProcessor;
  readonly store: Engine;
}

function createIntake(parts: IntakeParts): EventIntake {
  const { channel, counters, jobBytes, loaded, metrics, phase, store, waits } = parts;
  return new EventIntake({
    channel,
    settlementOf: ownSettlementOf,
    gate: createGate(loaded),
    jobBytes,
    credits: store.credits,
    phase,
    waits,
    counters,
    counterIds: EVENT_COUNTERS,
    settledTotal: () => {
      const { processed, failed } = metrics.readEventCounters();
      return processed + failed;
    },
  });
}

/** The pool's lines, in the shape that it wants. */
function poolLog(log: PoolOptions["log"] = () => {}): {
  readonly [Level in PoolLogLevel]: (message: string, fields: Record<string, unknown>) => void;
} {
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}

function outcomeOf(settlement: Settlement): PoolOutcome {
  switch (settlement.kind) {
    case "processed": {
      const { result } = settlement;
      return { status: "processed", result: result === undefined ? undefined : JSON.parse(result) };
    }
    case "failed":
      return { status: "failed", reason: settlement.reason };
    case "pending":
      return { status: "pending" };
  }
}

function refused(reason: PoolRefusal["reason"], detail = ""): PoolRefusal {
  return { status: "refused", reason, detail };
}

function setAmount(target: Int64, amount: number | bigint): boolean {
  if (typeof amount === "number") {
    if (!Number.isSafeInteger(amount)) return false;
    target.setNumber(amount);
    return true;
  }
  if (typeof amount !== "bigint" || BigInt.asIntN(64, amount) !== amount) return false;
  target.lo = Number(amount & 0xffffffffn);
  target.hi = Number(amount >> 32n);
  return true;
}

function check(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot start a pool with ${name} ${value}: it takes a whole number from ${min} to ${max}`,
  );
}
