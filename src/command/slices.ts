/**
 * Long commands, done in slices (C14).
 *
 * A command whose work grows with the data does it in a loop that asks {@link Slices.isOver} after
 * each small step. When that says yes, the loop gives back its locks and its thread and goes on in a
 * later turn:
 *
 * ```text
 * handler:  const slices = call.slices();
 *           if (work.advance(slices)) { work.reply(call.sink); return HandlerStatus.DONE; }
 *           call.later = finish(work, slices, call.sink);
 *           return HandlerStatus.LATER;
 *
 * finish:   do { await slices.next(); } while (!work.advance(slices));
 *           work.reply(sink);
 *           return HandlerStatus.DONE;
 *
 * advance:  while (there is more) {
 *             if (!slices.tryLock(shard, false)) { slices.wanted(shard, false); return false; }
 *             slices.guard(shard, () => a step, well below a millisecond);
 *             slices.unlock(shard, false);
 *             if (slices.isOver()) return false;
 *           }
 *           return true;
 * ```
 *
 * Inside a transaction the same code runs to its end at once: the slice is never over, and the locks,
 * which the transaction holds, are neither taken nor given back. Who could then hold up the thread
 * for long asks {@link Slices.isAtomic} and refuses.
 *
 * @module
 */

import type { ShardLocks } from "../store/locks.ts";

/** How long a slice is. Unit: ms. Reason: C14, others wait that long behind it. */
export const SLICE_MS = 1;

/**
 * The clock is read after steps of this weight together. Reason: a reading costs 0.13 µs, a step
 * that looks at one small thing a third of it.
 */
const WEIGHT_PER_READING = 32;

/**
 * Lets the long commands of a thread go on one after the other, one slice per turn of its event
 * loop: however many there are, everybody else waits for one slice.
 *
 * Thread: one per I/O thread.
 */
export class SliceTurns {
  readonly #waiting: (() => void)[] = [];
  /** The last of those that come one after the other, by what they have in common. */
  readonly #last = new Map<string, Promise<unknown>>();
  #timerIsSet = false;

  /** Commands that wait for their turn. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** A promise of the next free turn; first come, first served. It never rejects. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#setTimer();
    });
  }

  /**
   * Runs `work` when what was given before with the same name is done: what would be in each other's
   * way, and begin anew, had better wait.
   */
  async inOrder<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name);
    // Who began it hears what became of it.
    const own = before === undefined ? work() : before.then(work, work);
    this.#last.set(name, own);
    try {
      return await own;
    } finally {
      if (this.#last.get(name) === own) this.#last.delete(name);
    }
  }

  #setTimer(): void {
    if (this.#timerIsSet) return;
    this.#timerIsSet = true;
    // A timer lets the event loop look at its sockets first; a microtask would not.
    setTimeout(() => {
      this.#timerIsSet = false;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#setTimer();
    });
  }
}

/** What {@link Slices} need. */
export interface SliceParts {
  /** The locks of the store. */
  readonly locks: ShardLocks;
  /** Gives turns. */
  readonly turns: SliceTurns;
  /** Sets the store's clock, which has stood still while the command waited. */
  readonly refreshClock: () => void;
  /** The command that a torn shard is blamed on; see `CommandRow.operation`. */
  readonly operation: number;
  /** Whether the command is part of a transaction, which holds the locks. */
  readonly isAtomic: boolean;
}

/**
 * The slices of one long command. Made by `CommandCall.slices`; good beyond the call.
 *
 * Thread: the I/O thread that runs the command.
 */
export class Slices {
  /** Whether the command must run to its end at once, in a transaction. */
  readonly isAtomic: boolean;

  readonly #parts: SliceParts;
  #weight = 0;
  #endsAtMs: number;
  #wantedShard = -1;
  #wantsExclusive = false;

  /** Begins the first slice. */
  constructor(parts: SliceParts) {
    this.#parts = parts;
    this.isAtomic = parts.isAtomic;
    this.#endsAtMs = performance.now() + SLICE_MS;
  }

  /**
   * Whether the command should pause, asked after each step. Never true in a transaction.
   *
   * @param weight of the step: 1 for what takes some 50 ns, more for more
   */
  isOver(weight = 1): boolean {
    if (this.isAtomic) return false;
    this.#weight += weight;
    if (this.#weight < WEIGHT_PER_READING) return false;
    this.#weight = 0;
    return performance.now() >= this.#endsAtMs;
  }

  /**
   * Waits for the next slice, with no lock held; if a lock was {@link Slices.wanted}, until that may
   * be free.
   *
   * @throws {LockPoisonedError} when the wanted shard is torn
   */
  async next(): Promise<void> {
    const { locks, turns, refreshClock } = this.#parts;
    const shard = this.#wantedShard;
    if (shard >= 0) {
      this.#wantedShard = -1;
      await locks.lockAsync(shard, this.#wantsExclusive);
      // Given back: the turn comes first, and nothing is awaited with a lock held.
      locks.unlock(shard, this.#wantsExclusive);
    }
    await turns.next();
    refreshClock();
    this.#weight = 0;
    this.#endsAtMs = performance.now() + SLICE_MS;
  }

  /** See {@link SliceTurns.inOrder}. */
  inOrder<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    return this.#parts.turns.inOrder(name, work);
  }

  /** Notes a lock that was busy, for {@link Slices.next} to wait for. */
  wanted(shard: number, exclusive: boolean): void {
    this.#wantedShard = shard;
    this.#wantsExclusive = exclusive;
  }

  /**
   * Takes a shard's lock without waiting; one at a time. In a transaction it is held already.
   *
   * @returns false when it is busy
   * @throws {LockPoisonedError} when the shard is torn
   */
  tryLock(shard: number, exclusive: boolean): boolean {
    return this.isAtomic || this.#parts.locks.tryLock(shard, exclusive);
  }

  /** Gives a lock of {@link Slices.tryLock} back. */
  unlock(shard: number, exclusive: boolean): void {
    if (!this.isAtomic) this.#parts.locks.unlock(shard, exclusive);
  }

  /**
   * Runs a step with the lock held: an exception leaves the shard torn and not unlocked (C4).
   *
   * @throws whatever `step` throws
   */
  guard<Result>(shard: number, step: () => Result): Result {
    try {
      return step();
    } catch (error) {
      // A transaction declares all its shards torn itself.
      if (!this.isAtomic) this.#parts.locks.poison(shard, this.#parts.operation);
      throw error;
    }
  }
}
