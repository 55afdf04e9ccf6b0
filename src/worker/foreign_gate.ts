/**
 * Between our code and a processor's, in one worker.
 *
 * While somebody else's code runs, the worker says that it sleeps (slot_layout.ts): its supervisor may
 * then fence it at any moment, and what it never comes back from costs nothing but itself. Before
 * anything shared is touched, the worker wakes up, by a swap that a fenced one loses for good.
 *
 * The gate is also where it is looked whether enough is left to run our code: an exception for lack of
 * stack, or the end of the isolate for lack of memory, in the middle of a change would be a torn
 * shard, which costs the whole server (C4).
 *
 * @module
 */

import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import type { HeapWatch } from "./heap_watch.ts";

/** Thrown into code of a processor that its worker was fenced under; nobody hears of it. */
export class FencedError extends Error {
  /** Always `"FencedError"`. */
  override readonly name = "FencedError";

  /** Makes the error. */
  constructor() {
    super("Cannot go on: the worker was replaced, because it gave no sign of life");
  }
}

/** Calls of {@link leaveRoom}: more than what any of ours needs at once. */
const STACK_ROOM_CALLS = 200;

/** The gate of one worker. Thread: that worker. */
export class ForeignGate {
  readonly #life: ConsumerSlot;
  readonly #heap: HeapWatch | undefined;

  /**
   * Makes a gate; our code runs.
   *
   * @param life the worker's first slot
   * @param heap looks how much memory the worker has left
   */
  constructor(life: ConsumerSlot, heap?: HeapWatch) {
    this.#life = life;
    this.#heap = heap;
  }

  /** Whether the worker was fenced. */
  get fenced(): boolean {
    return this.#life.fenced;
  }

  /** Whether our code runs; or did, and was broken off by the end of the isolate. */
  get isInside(): boolean {
    return !this.#life.asleep;
  }

  /**
   * Lets somebody else's code run.
   *
   * @param lane whose code that is; -1: it is not known
   * @returns false: this worker was fenced
   */
  leave(lane: number): boolean {
    const life = this.#life;
    life.markRunning(lane);
    life.beat(Date.now());
    return life.fallAsleep();
  }

  /**
   * Comes back from somebody else's code.
   *
   * @returns false: this worker was fenced, and must not touch anything shared any more
   */
  enter(): boolean {
    if (!this.#life.wakeUp()) return false;
    // Awake: it may take a while, which is ours and no silence of the processor.
    this.#heap?.check();
    return true;
  }

  /**
   * Comes back in the middle of somebody else's code, for one call.
   *
   * @throws {RangeError} when that has used up the stack; nothing has happened
   * @throws {FencedError} when this worker was fenced
   * @throws {Error} when our code runs, which has called theirs: going back would put us asleep
   */
  enterCall(): void {
    if (this.isInside) throw new Error("Cannot use the context of an event here");
    leaveRoom(STACK_ROOM_CALLS, 0, 0, 0, 0);
    if (!this.enter()) throw new FencedError();
  }

  /** Goes back from {@link enterCall}. */
  leaveCall(): void {
    this.#life.fallAsleep();
  }
}

/** Needs as much stack as so many calls; throws where that is not there. */
function leaveRoom(calls: number, a: number, b: number, c: number, d: number): number {
  if (calls === 0) return a + b + c + d;
  return leaveRoom(calls - 1, a + 1, b + 2, c + 3, d + 4) + a;
}
