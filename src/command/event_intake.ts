/**
 * The door through which events come in: accepted into the channel or refused at once.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import { encodeJob, type EventFields, JobFlag, MAX_JOB_BYTES } from "../base/job.ts";
import { type EventIds, IdState } from "../store/event_ids.ts";
import type { CounterSink, EventCounterIds } from "./counters.ts";
import type { EventGate } from "./event_gate.ts";
import type { EventWaits, Settlement } from "./event_waits.ts";
import type { ServerPhase } from "./phase.ts";
import { RetryEstimate } from "./retry_estimate.ts";
import { type LogBatch, StagedEvents } from "./staged_events.ts";

/**
 * What became of an offered event.
 *
 * - `ACCEPTED`: it waits in the channel and will be settled exactly once (P1).
 * - `SERVER_BUSY`: the channel is full; see {@link EventIntake.retryAfterMs}.
 * - `OUT_OF_MEMORY`: there is no memory for another balance.
 * - `SHUTTING_DOWN`: the server is stopping.
 * - `STORAGE_UNAVAILABLE`: the log cannot be written.
 */
export const EventOutcome = {
  ACCEPTED: 0,
  SERVER_BUSY: 1,
  OUT_OF_MEMORY: 2,
  SHUTTING_DOWN: 3,
  STORAGE_UNAVAILABLE: 4,
} as const;

/** One of the values of {@link EventOutcome}. */
export type EventOutcome = (typeof EventOutcome)[keyof typeof EventOutcome];

/** The sending side of the channel, as far as the intake needs it. */
export interface EventChannel {
  /** Takes room for one job; false when full or closed. Never waits. */
  tryReserve(): boolean;
  /**
   * Fills reserved room with the job `bytes[start, end)`.
   *
   * @returns whether {@link EventChannel.callConsumer} has to follow soon
   */
  put(bytes: Uint8Array, start: number, end: number): boolean;
  /** Wakes a worker if one sleeps and a job waits. */
  callConsumer(): void;
  /** Gives reserved room back. */
  cancelReservation(): void;
  /** Whether no more jobs are taken. */
  readonly closed: boolean;
  /** Jobs that wait. */
  readonly depth: number;
}

/** The memory set aside for new balances, as far as the intake needs it. */
export interface BalanceCredits {
  /** Sets memory for one new balance aside. */
  tryAcquire(): boolean;
  /** Gives it back. */
  release(): void;
}

/** The log, as far as the intake needs it. */
export interface EventLog {
  /** Whether writes are taken. */
  readonly takesWrites: boolean;
  /** A number that no other event has. */
  nextEventNumber(): number;
  /** Says that the event with the job `bytes[start, end)` was accepted. */
  acceptEvent(number: number, bytes: Uint8Array, start: number, end: number): void;
  /** Begins to say the same of several events at once. */
  beginBatch(): LogBatch;
  /** The reply, now or later, tells of an event that was accepted before. */
  tellEvent(): void;
}

/** Traces events that are not part of a request that is traced. */
export interface EventTracer {
  /** Offers an event by `offer`, as part of a span of its own. */
  trace<Result extends EventOutcome | Promise<Settlement>>(
    event: EventFields,
    offer: () => Result,
  ): Result;
}

/** What an {@link EventIntake} is made from. */
export interface EventIntakeOptions {
  /** Where accepted events wait. */
  channel: EventChannel;
  /** The store's balance reserve. */
  credits: BalanceCredits;
  /** The server's phase. */
  phase: ServerPhase;
  /** This thread's counters. */
  counters: CounterSink;
  /** Where events are counted. */
  counterIds: EventCounterIds;
  /** Clients of this thread that wait for an outcome. */
  waits: EventWaits;
  /** How many events have been settled since start, over all workers; never goes down. */
  settledTotal: () => number;
  /** Ids of events that were accepted lately; left out: events with the same id are all applied. */
  eventIds?: EventIds | undefined;
  /** What to tell of an event that ended with this outcome, as `eventIds` has it; goes with them. */
  settlementOf?: ((outcome: number, balance: Int64) => Settlement) | undefined;
  /** Where accepted events are written down; left out: nowhere. */
  log?: EventLog | undefined;
  /** Traces the events that say what they came by; left out: nobody does. */
  tracer?: EventTracer | undefined;
  /** Looks at events before they are offered; left out: all that keep the rules are good. */
  gate?: EventGate | undefined;
  /** Longest job; room for events without further fields when left out. Unit: bytes. */
  jobBytes?: number;
  /** Time of day, ms since the epoch; `Date.now` when left out. */
  clock?: () => number;
}

/**
 * How often it is looked whether an event that was offered again is settled by now. Unit: ms.
 *
 * Reason: workers tell only the client that was first; few offer an event again and wait.
 */
const LOOK_EVERY_MS = 5;

/**
 * While workers sleep, so many events are taken before one is woken.
 *
 * Reason: enough that waking, which costs as much as taking some events, is little per event; few
 * enough that the worker can begin while a long batch is still being read.
 */
const EVENTS_PER_CALL = 32;

/**
 * Accepts or refuses events; never waits and never allocates.
 *
 * A worker that sleeps is not woken for each event, but when all requests were executed that are
 * already there, and before their replies are written: waking costs as much as taking the event
 * does, and a worker that is faster than this thread would sleep again before the next one.
 *
 * Thread: one per I/O thread.
 */
export class EventIntake {
  /**
   * Has to let an event through before it is offered: protocols ask it, as they find the further fields
   * and tell the client. Undefined: there is nothing to ask.
   */
  readonly gate: EventGate | undefined;

  readonly #channel: EventChannel;
  readonly #credits: BalanceCredits;
  readonly #phase: ServerPhase;
  readonly #waits: EventWaits;
  readonly #counters: CounterSink;
  readonly #counterIds: EventCounterIds;
  readonly #eventIds: EventIds | undefined;
  readonly #settlementOf: EventIntakeOptions["settlementOf"];
  readonly #log: EventLog | undefined;
  readonly #tracer: EventTracer | undefined;
  readonly #clock: () => number;
  readonly #estimate: RetryEstimate;
  readonly #job: Uint8Array;
  /** Events that a worker may have to be woken for; 0 = none. */
  #uncalledCount = 0;

  /** Makes an intake in front of `options.channel`. */
  constructor(options: EventIntakeOptions) {
    this.gate = options.gate;
    this.#job = new Uint8Array(options.jobBytes ?? MAX_JOB_BYTES);
    this.#channel = options.channel;
    this.#credits = options.credits;
    this.#phase = options.phase;
    this.#waits = options.waits;
    this.#counters = options.counters;
    this.#counterIds = options.counterIds;
    this.#eventIds = options.eventIds;
    this.#settlementOf = options.settlementOf;
    this.#log = options.log;
    this.#tracer = options.tracer;
    this.#clock = options.clock ?? Date.now;
    this.#estimate = new RetryEstimate(options.settledTotal, this.#clock());
  }

  /**
   * Offers a well-formed event ({@link eventDefect} found nothing); copies what it needs.
   *
   * Counts it as received and, if refused, as dropped by reason. An `event.acceptedAtMs` of 0 is
   * filled in; callers with a clock reading at hand set it.
   *
   * One with an id that was accepted before is accepted again, and counted as a duplicate only. While
   * another thread is accepting the same id, it is refused with `SERVER_BUSY`: whether the other one
   * survives a crash is not known yet.
   *
   * Thread: the owner's; holds no lock.
   *
   * @param staged the batch that it belongs to, from {@link EventIntake.stage}: once it is accepted, it
   *   goes on with {@link StagedEvents.publish}
   */
  offer(event: EventFields, staged?: StagedEvents): EventOutcome {
    const tracer = this.#tracer;
    return tracer === undefined || event.protocol === ""
      ? this.#offer(event, staged)
      : tracer.trace(event, () => this.#offer(event, staged));
  }

  #offer(event: EventFields, staged: StagedEvents | undefined): EventOutcome {
    if (event.id.length > 0 && this.#isKnown(event, staged)) {
      this.#counters.add(this.#counterIds.duplicates);
      this.#log?.tellEvent();
      return EventOutcome.ACCEPTED;
    }
    return this.#offerNew(event, staged);
  }

  /**
   * Begins a batch, which after a crash is there as a whole or not at all.
   *
   * @returns undefined where there is no log: then the events of a batch go into the channel at once
   */
  stage(): StagedEvents | undefined {
    return this.#log && new StagedEvents(this.#log.beginBatch(), this.#putStaged);
  }

  readonly #putStaged = (
    jobs: Uint8Array,
    start: number,
    end: number,
    slot: number,
    ticket: number,
  ): void => {
    if (ticket !== 0) this.#eventIds!.confirm(slot, ticket);
    if (this.#channel.put(jobs, start, end)) this.#callSoon();
  };

  /** Whether an event with its id was accepted, in front of it in the same batch included. */
  #isKnown(event: EventFields, staged: StagedEvents | undefined): boolean {
    const state = this.#findId(event);
    if (state >= IdState.PENDING) return true;
    if (state === IdState.ABSENT || staged === undefined) return false;
    return staged.hasId(this.#eventIds!.slot, this.#eventIds!.ticket);
  }

  /** Looks whether an event with its id was accepted. */
  #findId(event: EventFields): IdState {
    const ids = this.#eventIds;
    if (ids === undefined) return IdState.ABSENT;
    if (event.acceptedAtMs === 0) event.acceptedAtMs = this.#clock();
    ids.choose(event.user, event.id);
    return ids.find(event.acceptedAtMs);
  }

  #offerNew(event: EventFields, staged?: StagedEvents): EventOutcome {
    const counters = this.#counters;
    const ids = this.#counterIds;
    // First, so that no reader ever sees an event settled that was not received (C15).
    counters.add(ids.received);
    const channel = this.#channel;
    if (this.#phase.stopping || channel.closed) {
      counters.add(ids.droppedShuttingDown);
      return EventOutcome.SHUTTING_DOWN;
    }
    const log = this.#log;
    if (log !== undefined && !log.takesWrites) {
      counters.add(ids.droppedStorage);
      return EventOutcome.STORAGE_UNAVAILABLE;
    }
    if (!channel.tryReserve()) {
      if (channel.closed) {
        counters.add(ids.droppedShuttingDown);
        return EventOutcome.SHUTTING_DOWN;
      }
      counters.add(ids.droppedBusy);
      return EventOutcome.SERVER_BUSY;
    }
    if (!this.#credits.tryAcquire()) {
      channel.cancelReservation();
      counters.add(ids.droppedOutOfMemory);
      return EventOutcome.OUT_OF_MEMORY;
    }
    if (event.acceptedAtMs === 0) event.acceptedAtMs = this.#clock();
    const hasId = event.id.length > 0 && this.#eventIds !== undefined;
    if (hasId && !this.#rememberId(this.#eventIds!, event)) {
      this.#credits.release();
      channel.cancelReservation();
      counters.add(ids.droppedBusy);
      return EventOutcome.SERVER_BUSY;
    }
    if (log !== undefined) event.number = log.nextEventNumber();
    const jobBytes = encodeJob(event, this.#job, 0);
    if (staged !== undefined) {
      staged.add(event, this.#job, jobBytes, hasId);
      return EventOutcome.ACCEPTED;
    }
    // Before a worker can take it: what it says of the event comes behind this.
    if (log !== undefined) log.acceptEvent(event.number, this.#job, 0, jobBytes);
    // Before a worker settles it, and behind what a client who is told "accepted" has to wait for.
    if (hasId && log !== undefined) this.#eventIds!.confirm(event.idSlot, event.idTicket);
    if (channel.put(this.#job, 0, jobBytes)) this.#callSoon();
    return EventOutcome.ACCEPTED;
  }

  /**
   * Remembers the id of an event that is about to be accepted. Not before: what is refused must not
   * make other ids forgotten, and nothing has to be taken back.
   *
   * @returns false: another thread has just accepted it
   */
  #rememberId(ids: EventIds, event: EventFields): boolean {
    const { forgottenCount } = ids;
    const state = this.#log === undefined ? IdState.PENDING : IdState.ENTERING;
    if (!ids.remember(event.acceptedAtMs, state)) return false;
    event.idSlot = ids.slot;
    event.idTicket = ids.ticket;
    const forgotten = ids.forgottenCount - forgottenCount;
    if (forgotten > 0) this.#counters.add(this.#counterIds.forgottenIds, forgotten);
    return true;
  }

  /**
   * Offers an event whose client wants to know its outcome; otherwise like {@link EventIntake.offer}.
   *
   * Thread: the owner's; holds no lock.
   *
   * @param timeoutMs how long to wait, at most `EVENT_WAIT_MAX_MS`
   * @returns why it was refused, or once it is accepted a promise of its settlement, which never
   *   rejects
   */
  offerWaiting(event: EventFields, timeoutMs: number): EventOutcome | Promise<Settlement> {
    const tracer = this.#tracer;
    return tracer === undefined || event.protocol === ""
      ? this.#offerWaiting(event, timeoutMs)
      : tracer.trace(event, () => this.#offerWaiting(event, timeoutMs));
  }

  #offerWaiting(event: EventFields, timeoutMs: number): EventOutcome | Promise<Settlement> {
    if (event.id.length > 0 && this.#findId(event) >= IdState.PENDING) {
      this.#counters.add(this.#counterIds.duplicates);
      this.#log?.tellEvent();
      return this.#awaitFirst(timeoutMs);
    }
    const { address, settlement } = this.#waits.begin(timeoutMs);
    event.flags |= JobFlag.WANTS_REPLY;
    event.replyThread = address.thread;
    event.replySlot = address.slot;
    event.replyGeneration = address.generation;
    const outcome = this.#offerNew(event);
    event.flags &= ~JobFlag.WANTS_REPLY;
    if (outcome === EventOutcome.ACCEPTED) return settlement;
    this.#waits.settle(address.slot, address.generation, { kind: "pending" });
    return outcome;
  }

  /** Waits for the settlement of the event whose id was just found. */
  #awaitFirst(timeoutMs: number): Promise<Settlement> {
    const ids = this.#eventIds!;
    const { slot, ticket } = ids;
    const { address, settlement } = this.#waits.begin(timeoutMs);
    const look = (): void => {
      const state = ids.look(slot, ticket);
      if (state === IdState.PENDING) return;
      const isKnown = state === IdState.SETTLED && ids.outcome !== 0;
      const found = isKnown ? this.#settlementOf?.(ids.outcome, ids.balance) : undefined;
      this.#waits.settle(address.slot, address.generation, found ?? { kind: "pending" });
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    void settlement.then(() => clearInterval(timer));
    look();
    return settlement;
  }

  /**
   * Counts a well-formed event that is refused without being offered: one that comes behind another
   * which was refused with `outcome`, and must not overtake it. The caller tells the client.
   */
  countRefused(outcome: Exclude<EventOutcome, typeof EventOutcome.ACCEPTED>): void {
    const ids = this.#counterIds;
    this.#counters.add(ids.received);
    switch (outcome) {
      case EventOutcome.SERVER_BUSY:
        this.#counters.add(ids.droppedBusy);
        break;
      case EventOutcome.OUT_OF_MEMORY:
        this.#counters.add(ids.droppedOutOfMemory);
        break;
      case EventOutcome.STORAGE_UNAVAILABLE:
        this.#counters.add(ids.droppedStorage);
        break;
      case EventOutcome.SHUTTING_DOWN:
        this.#counters.add(ids.droppedShuttingDown);
    }
  }

  /**
   * Has a worker woken for the events that were taken, if that is needed. Happens by itself when
   * the requests are executed that are there; who writes replies before that calls it first.
   */
  readonly callWorkers = (): void => {
    if (this.#uncalledCount === 0) return;
    this.#uncalledCount = 0;
    this.#channel.callConsumer();
  };

  /** Counts a malformed event; the caller tells the client. */
  countInvalid(): void {
    this.#counters.add(this.#counterIds.invalid);
  }

  #callSoon(): void {
    // Microtasks run in the order in which they came: who is ready now has its turn before.
    if (this.#uncalledCount++ === 0) queueMicrotask(this.callWorkers);
    else if (this.#uncalledCount > EVENTS_PER_CALL) this.callWorkers();
  }

  /**
   * When a client whose event met a full channel should try again.
   *
   * @returns whole ms, at least 1
   */
  retryAfterMs(): number {
    return this.#estimate.retryAfterMs(this.#channel.depth, this.#clock());
  }
}
