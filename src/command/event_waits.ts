/**
 * Clients that wait for the outcome of their event.
 *
 * A worker that settles such an event addresses its answer to (thread, slot, generation), which
 * travel with the job. A slot's generation changes whenever it is given back, so an answer that
 * comes too late meets nobody.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";

/**
 * How a waited-for event ended.
 *
 * - `processed`: the user's balance is now `balance`. With a processor of one's own there is no
 *   balance; `result` is the JSON text of what it returned, if it returned something.
 * - `failed`: the balance did not change; `reason` is as in the metrics, e.g. `"overflow"`.
 * - `pending`: the time was up, or the server is stopping; the event stays accepted.
 */
export type Settlement =
  | {
    readonly kind: "processed";
    readonly balance: Int64 | undefined;
    readonly result?: string | undefined;
  }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "pending" };

/** Where the answer goes; part of the job. */
export interface WaitAddress {
  /** The I/O thread. */
  readonly thread: number;
  /** Its slot. Unsigned 32 bits. */
  readonly slot: number;
  /** Generation of the slot. Unsigned 32 bits. */
  readonly generation: number;
}

interface Slot {
  generation: number;
  resolve: ((settlement: Settlement) => void) | undefined;
  /** When the time is up, on the monotonic clock. Unit: ms. */
  deadlineMs: number;
}

/** One client that waits. */
export interface EventWait {
  /** Where the answer goes. */
  readonly address: WaitAddress;
  /** The answer; never rejects. */
  readonly settlement: Promise<Settlement>;
}

const PENDING: Settlement = { kind: "pending" };
/**
 * Between two looks for waits whose time is up, at least, for each that there has been at a time: a look
 * costs as much as there are, some hundredths of this. Unit: ms.
 */
const LOOK_PAUSE_PER_SLOT_MS = 0.001;

/**
 * While somebody waits, outcomes are looked for so often that nobody was woken for: a worker wakes
 * seldom, and may have begun a long job behind short ones. Unit: ms.
 */
const OUTCOME_LOOK_MS = 5;

/**
 * All waits of one I/O thread.
 *
 * They share one timer, for the first deadline there is: most waits end long before theirs, and a timer
 * that is made and taken back costs more than all else about a wait.
 *
 * Thread: the I/O thread.
 */
export class EventWaits {
  readonly #thread: number;
  readonly #slots: Slot[] = [];
  readonly #free: number[] = [];
  readonly #firstGeneration: number;
  readonly #count: (change: 1 | -1) => void;
  #over = false;
  #takeOutcomes: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The next look comes no sooner than this. Unit: ms of the monotonic clock. */
  #earliestLookMs = 0;
  /** When that ends; Infinity: there is none. Unit: ms of the monotonic clock. */
  #timerEndsAtMs = Infinity;

  /**
   * Makes a set without waits.
   *
   * @param thread number of this I/O thread
   * @param count told of every client that begins to wait, or ends
   * @param firstGeneration of every slot; tests start just below the wrap
   */
  constructor(thread: number, count: (change: 1 | -1) => void = () => {}, firstGeneration = 0) {
    this.#count = count;
    this.#thread = thread;
    this.#firstGeneration = firstGeneration;
  }

  /**
   * Has outcomes taken that are there now and then, and before a wait ends without one.
   *
   * @param takeOutcomes settles what there is; must not throw
   */
  lookWith(takeOutcomes: () => void): void {
    this.#takeOutcomes = takeOutcomes;
  }

  /** How many clients wait. */
  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /**
   * Begins to wait.
   *
   * @param timeoutMs after which the settlement is `pending`
   */
  begin(timeoutMs: number): EventWait {
    const index = this.#free.pop() ?? this.#slots.push(newSlot(this.#firstGeneration)) - 1;
    const slot = this.#slots[index]!;
    const { generation } = slot;
    this.#count(1);
    const { promise, resolve } = Promise.withResolvers<Settlement>();
    slot.resolve = resolve;
    slot.deadlineMs = performance.now() + (this.#over ? 0 : timeoutMs);
    if (slot.deadlineMs < this.#timerEndsAtMs) this.#lookAt(slot.deadlineMs);
    return { address: { thread: this.#thread, slot: index, generation }, settlement: promise };
  }

  /**
   * Delivers an answer; one for a wait that is over is dropped.
   *
   * @returns whether somebody was waiting
   */
  settle(index: number, generation: number, settlement: Settlement): boolean {
    const slot = this.#slots[index];
    if (slot === undefined || slot.generation !== generation || slot.resolve === undefined) {
      return false;
    }
    const { resolve } = slot;
    slot.resolve = undefined;
    slot.generation = (generation + 1) >>> 0;
    this.#free.push(index);
    this.#count(-1);
    // Nothing keeps the process alive for a wait that is over.
    if (this.size === 0) this.#lookAt(Infinity);
    resolve(settlement);
    return true;
  }

  /** Has the deadlines looked at then, and not before. */
  #lookAt(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timerEndsAtMs = Math.max(atMs, this.#earliestLookMs);
    if (atMs !== Infinity) this.#startTimer();
  }

  #startTimer(): void {
    const leftMs = Math.max(0, this.#timerEndsAtMs - performance.now());
    const delayMs = this.#takeOutcomes === undefined ? leftMs : Math.min(leftMs, OUTCOME_LOOK_MS);
    this.#timer = setTimeout(() => this.#look(), delayMs);
  }

  #look(): void {
    this.#takeOutcomes?.();
    // Who was told of one may have been the last who waited.
    if (this.#timerEndsAtMs === Infinity) return;
    clearTimeout(this.#timer);
    if (performance.now() < this.#timerEndsAtMs) this.#startTimer();
    else this.#endThoseThatAreDue();
  }

  #endThoseThatAreDue(): void {
    const nowMs = performance.now();
    let nextMs = Infinity;
    for (const [index, { deadlineMs, generation, resolve }] of this.#slots.entries()) {
      if (resolve === undefined) continue;
      if (deadlineMs <= nowMs) this.settle(index, generation, PENDING);
      else nextMs = Math.min(nextMs, deadlineMs);
    }
    this.#earliestLookMs = nowMs + this.#slots.length * LOOK_PAUSE_PER_SLOT_MS;
    this.#lookAt(nextMs);
  }

  /** Ends every wait, and those that begin later, as `pending`: the server is stopping. */
  giveUp(): void {
    this.#over = true;
    for (const [index, { generation }] of this.#slots.entries()) {
      this.settle(index, generation, PENDING);
    }
  }
}

function newSlot(generation: number): Slot {
  return { generation, resolve: undefined, deadlineMs: 0 };
}
