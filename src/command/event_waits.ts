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
  timer: ReturnType<typeof setTimeout> | undefined;
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
 * All waits of one I/O thread.
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
    slot.timer = setTimeout(
      () => this.settle(index, generation, PENDING),
      this.#over ? 0 : timeoutMs,
    );
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
    clearTimeout(slot.timer);
    slot.resolve = undefined;
    slot.timer = undefined;
    slot.generation = (generation + 1) >>> 0;
    this.#free.push(index);
    this.#count(-1);
    resolve(settlement);
    return true;
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
  return { generation, resolve: undefined, timer: undefined };
}
