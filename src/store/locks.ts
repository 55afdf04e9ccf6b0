/**
 * Shard locks: one word per shard, fair, poisonable, with an owner.
 *
 * ```text
 * lock line (64 bytes, word offsets)
 *   0  word       bits 0–15  exclusive: owner thread id + 1; shared: number of holders
 *                 bit 28     EXCLUSIVE
 *                 bit 29     WRITER_FIRST  an exclusive waiter found shared holders
 *                 bit 30     STARVING      only waiters may acquire
 *                 bit 31     POISONED      nobody may acquire, ever
 *   1  waiting exclusive      2  waiting shared
 *   3  gate exclusive         4  gate shared       words that waiters sleep on; they only count up
 *   5  barges                 releases with waiters present since STARVING was last cleared
 *   6  pending                exclusive waiters that were notified and have not run yet
 *   7  operation              what the holder does, for the fault text
 * counter line
 *   0  exclusive acquisitions (uint32, wraps)   1  shared acquisitions   2  contended ones
 * ```
 *
 * No lost wake-up: a waiter reads the gate, counts itself in, looks at the word, then sleeps on
 * the gate value it read. A releaser changes the word, then reads the waiter counts, then moves the
 * gate. In the single order of atomics either the releaser sees the waiter (and moves the gate,
 * which ends or prevents the sleep) or the waiter sees the released word.
 *
 * Fairness: newcomers may overtake sleeping waiters (barging keeps the lock hot), but only
 * {@link BARGE_LIMIT} times; then STARVING keeps the lock for those who waited before, until one of
 * them got it. A waiter is one of them when its gate has moved since it counted itself in. The
 * holder sets the bit before it releases, while no waiter can leave, and moves a gate afterwards,
 * so there is always one of them to take the lock and clear the bit, and it does not sleep through
 * it. (Were it dead, the others take the lock when their sleep times out.)
 *
 * A release notifies one exclusive waiter, and none while another one is on its way (pending): that
 * one will look at the lock after this release. It must be a count of those really woken, changed
 * after the notification: a flag set before it can stay behind when the notification meets nobody,
 * and then keeps all later ones from being sent.
 *
 * Between kinds the phases alternate: an exclusive release wakes the shared waiters first, the last
 * shared release wakes an exclusive waiter first, and WRITER_FIRST stops new shared holders; the
 * last shared waiter to get in sets it on behalf of exclusive waiters that sleep.
 *
 * How long it is waited for and held is in lock_timing.ts, if it is measured at all.
 *
 * `docs/locking.md` says who may take what, in which order, and waits how.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type ControlRegion, Header, Shard } from "./control.ts";
import { LockPoisonedError, LockTimeoutError } from "./lock_errors.ts";
import { AT_ONCE, type LockTiming } from "./lock_timing.ts";

export { LockPoisonedError, LockTimeoutError } from "./lock_errors.ts";

/** How the shards are locked. */
export type LockKind = "mutex" | "rwlock";

const EXCLUSIVE = 1 << 28;
const WRITER_FIRST = 1 << 29;
const STARVING = 1 << 30;
const POISONED = 1 << 31;
const OWNER_MASK = 0xffff;

const WAITING_EXCLUSIVE = 1;
const WAITING_SHARED = 2;
/** Operation number of serving clients that wait for keys, for the text of a fault. */
export const SERVE_OPERATION = 9;
/** Operation number of putting effects into the log, for the text of a fault. */
export const PUBLISH_OPERATION = 10;
/** Operation number of reading keys for a snapshot, for the text of a fault. */
export const SNAPSHOT_OPERATION = 11;

const GATE_EXCLUSIVE = 3;
const GATE_SHARED = 4;
const BARGES = 5;
const PENDING = 6;
const OPERATION = 7;

const EXCLUSIVE_COUNT = 0;
const SHARED_COUNT = 1;
const CONTENDED_COUNT = 2;

/** Phases of a mutation by a thread whose death must be survivable; see {@link MutationPhase}. */
export const MutationPhase = {
  /** Nothing was touched. */
  CLEAN: 0,
  /** The allocator's lists are being changed. */
  PLANNING: 1,
  /** Reserved blocks are recorded in the shard block; nothing visible was touched. */
  PLANNED: 2,
  /** The store is being changed. */
  WRITING: 3,
  /** The change is complete. */
  DONE: 4,
} as const;

/** Releases with waiters present after which newcomers are shut out. */
export const BARGE_LIMIT = 16;
/** Longest sleep of a waiting thread before it looks again, in milliseconds. */
export const WAIT_SLICE_MS = 100;
/**
 * The same for `lockAsync`: who wakes up by the clock loses its place in the line, so that 40
 * workers that each hold a lock for 10 ms made connections wait for 2 s with slices of 100 ms.
 */
const ASYNC_WAIT_SLICE_MS = 1000;
const SPIN_ROUNDS = 20;
/** A shared waiter ignores WRITER_FIRST after more slices than these: its setter may be dead. */
const PATIENCE_SLICES = 3;

/** What stopped the store; see {@link ShardLocks.waitForFault}. */
export interface StoreFault {
  /** Shard whose lock was poisoned. */
  shard: number;
  /** Thread that held it. */
  threadId: number;
  /** Operation code that the holder had set. */
  operation: number;
}

/** Where the effects of a thread go when it gives a lock back. */
export interface EffectOutlet {
  /**
   * Called while the lock is still held, and the other locks of the same command, too: all effects
   * that the thread has had since the last call are one frame. There may be none.
   */
  publish(): void;
}

/** Counters of one shard's lock. */
export interface LockCounters {
  /** Exclusive acquisitions, modulo 2^32. */
  exclusive: number;
  /** Shared acquisitions, modulo 2^32. */
  shared: number;
  /** Acquisitions that found the lock taken, modulo 2^32. */
  contended: number;
}

/**
 * The locks of all shards, as seen by one thread.
 *
 * Thread: one instance per thread. A thread never holds the same shard twice.
 */
export class ShardLocks {
  /** Keys of shards that this thread holds which somebody waits for; see ready_keys.ts. */
  readyCount = 0;
  /** Serves those who wait for such keys of a shard, whose exclusive lock is still held. */
  onReady: ((shard: number) => void) | undefined = undefined;
  /** Told of effects before others can see them; undefined: nobody is. */
  effects: EffectOutlet | undefined = undefined;
  /**
   * What is to be freed under locks that were busy, for a thread whose event loop never runs, so that
   * it cannot wait for them in the background; undefined: it can.
   */
  postponed: { readonly shard: number; readonly free: () => void }[] | undefined = undefined;
  /**
   * How long {@link ShardLocks.lock} waits, for threads that no supervisor looks after: whoever holds
   * the lock may have been ended by force. Unit: slices of {@link WAIT_SLICE_MS}.
   */
  patienceSlices: number = Infinity;
  /** Measures waits and holds; undefined: nobody does. */
  readonly timing: LockTiming | undefined;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #control: ControlRegion;
  readonly #sharing: boolean;
  readonly #threadId: number;
  readonly #ownWord: number;
  readonly #tracksPhases: boolean;

  /**
   * Attaches this thread to the locks.
   *
   * @param control the region with the lock lines
   * @param threadId this thread, 0 to 65,534
   * @param tracksPhases whether this thread may die alone, so that others must be able to tell how
   *   far its change had come (workers); costs about 30 ns per write
   * @param timing measures waits and holds, with two readings of the clock for each acquisition
   */
  constructor(
    control: ControlRegion,
    threadId: number,
    tracksPhases: boolean,
    timing?: LockTiming,
  ) {
    assert(threadId < control.threadCount, `thread id ${threadId} has a record`);
    this.#control = control;
    this.#words = control.words;
    this.#sharing = control.words[Header.LOCK_KIND] === 1;
    this.#threadId = threadId;
    this.#ownWord = EXCLUSIVE | (threadId + 1);
    this.#tracksPhases = tracksPhases;
    this.timing = timing;
  }

  /**
   * Takes the lock if that needs no sleep.
   *
   * Thread: any. With `mutex`, shared means exclusive.
   *
   * @returns whether the lock is now held
   * @throws {LockPoisonedError} when the shard is torn
   */
  tryLock(shard: number, exclusive: boolean): boolean {
    const at = this.#control.shardAt(shard);
    if (exclusive || !this.#sharing) {
      if (Atomics.compareExchange(this.#words, at, 0, this.#ownWord) === 0) {
        this.#words[at + Shard.LOCK_COUNTERS + EXCLUSIVE_COUNT]!++;
        if (this.timing !== undefined) this.timing.acquired(shard, true, AT_ONCE);
        return true;
      }
    } else if (this.#enterShared(at, shard, EXCLUSIVE | STARVING | WRITER_FIRST)) {
      if (this.timing !== undefined) this.timing.acquired(shard, false, AT_ONCE);
      return true;
    }
    return this.#spin(at, shard, exclusive || !this.#sharing);
  }

  /**
   * Takes the lock, sleeping while others hold it.
   *
   * Thread: workers only; a thread that serves connections would stop serving.
   *
   * @throws {LockPoisonedError} when the shard is torn
   * @throws {LockTimeoutError} after {@link ShardLocks.patienceSlices}
   */
  lock(shard: number, exclusive: boolean): void {
    if (this.tryLock(shard, exclusive)) return;
    const sinceMs = this.#waitingSinceMs();
    const at = this.#control.shardAt(shard);
    const alone = exclusive || !this.#sharing;
    const words = this.#words;
    const recordAt = this.#control.threadAt(this.#threadId);
    const gateAt = at + (alone ? GATE_EXCLUSIVE : GATE_SHARED);
    // The record lets the supervisor take a dead waiter out of the count.
    Atomics.store(words, recordAt, (shard + 1) * 2 + (alone ? 1 : 0));
    const firstGate = Atomics.load(words, gateAt);
    this.#countIn(at, alone);
    try {
      for (let gate = firstGate, slices = 0;;) {
        const isNewcomer = gate === firstGate && slices === 0;
        if (this.#acquireAsWaiter(at, shard, alone, isNewcomer, slices)) {
          this.timing?.acquired(shard, alone, sinceMs);
          return;
        }
        const outcome = Atomics.wait(words, gateAt, gate, WAIT_SLICE_MS);
        if (outcome === "timed-out") {
          if (++slices > this.patienceSlices) {
            throw new LockTimeoutError(shard, this.ownerOf(shard));
          }
        } else if (outcome === "ok" && alone) Atomics.sub(words, at + PENDING, 1);
        gate = Atomics.load(words, gateAt);
      }
    } finally {
      this.#countOut(at, alone);
      Atomics.store(words, recordAt, 0);
    }
  }

  /**
   * Takes the lock, letting other work of this thread go on while others hold it.
   *
   * Thread: any; this is the way of threads that serve connections.
   *
   * @throws {LockPoisonedError} when the shard is torn
   */
  async lockAsync(shard: number, exclusive: boolean): Promise<void> {
    if (this.tryLock(shard, exclusive)) return;
    const sinceMs = this.#waitingSinceMs();
    const at = this.#control.shardAt(shard);
    const alone = exclusive || !this.#sharing;
    const words = this.#words;
    const gateAt = at + (alone ? GATE_EXCLUSIVE : GATE_SHARED);
    // Shared waiters are woken all at once: they have no place to lose, and they must be patient.
    const sliceMs = alone ? ASYNC_WAIT_SLICE_MS : WAIT_SLICE_MS;
    const firstGate = Atomics.load(words, gateAt);
    this.#countIn(at, alone);
    try {
      for (let gate = firstGate, slices = 0;;) {
        const isNewcomer = gate === firstGate && slices === 0;
        if (this.#acquireAsWaiter(at, shard, alone, isNewcomer, slices)) {
          this.timing?.acquired(shard, alone, sinceMs);
          return;
        }
        const wait = Atomics.waitAsync(words, gateAt, gate, sliceMs);
        const outcome = wait.async ? await wait.value : wait.value;
        if (outcome === "timed-out") slices++;
        else if (outcome === "ok" && alone) Atomics.sub(words, at + PENDING, 1);
        gate = Atomics.load(words, gateAt);
      }
    } finally {
      this.#countOut(at, alone);
    }
  }

  /** Gives the lock back, as it was taken. Thread: the holder. */
  unlock(shard: number, exclusive: boolean): void {
    if (this.readyCount > 0 && exclusive) this.#serveReady(shard);
    if (this.effects !== undefined) this.#publish(shard, this.effects);
    if (this.timing !== undefined) this.timing.released(shard, exclusive || !this.#sharing);
    const at = this.#control.shardAt(shard);
    const words = this.#words;
    if (exclusive || !this.#sharing) {
      if (words[at + BARGES]! >= BARGE_LIMIT) this.#endBarging(at);
      // Nothing between these two where the thread could end: the change would count as not made.
      if (this.#tracksPhases) Atomics.store(words, at + Shard.PHASE, MutationPhase.CLEAN);
      Atomics.and(words, at, STARVING | WRITER_FIRST | POISONED);
      if (
        Atomics.load(words, at + WAITING_EXCLUSIVE) !== 0 ||
        (this.#sharing && Atomics.load(words, at + WAITING_SHARED) !== 0)
      ) this.#wake(at, true);
      return;
    }
    const before = Atomics.sub(words, at, 1);
    if (
      (before & OWNER_MASK) === 1 &&
      (Atomics.load(words, at + WAITING_EXCLUSIVE) !== 0 ||
        Atomics.load(words, at + WAITING_SHARED) !== 0)
    ) this.#wake(at, false);
  }

  /** Serves those who wait for keys of a shard before its lock is given back. */
  #serveReady(shard: number): void {
    try {
      this.onReady?.(shard);
    } catch (error) {
      this.poison(shard, SERVE_OPERATION);
      throw error;
    }
  }

  /** Puts what was done into the log, while nobody can see it. */
  #publish(shard: number, effects: EffectOutlet): void {
    try {
      effects.publish();
    } catch (error) {
      this.poison(shard, PUBLISH_OPERATION);
      throw error;
    }
  }

  /** Notes what the holder is about to do, for the text of a fault. Thread: the holder. */
  setOperation(shard: number, operation: number): void {
    this.#words[this.#control.shardAt(shard) + OPERATION] = operation;
  }

  /**
   * Declares the shard torn: its lock is never granted again and the server must stop (C4).
   *
   * Thread: the holder, after a throw inside its critical section, or the supervisor.
   */
  poison(shard: number, operation: number): void {
    const at = this.#control.shardAt(shard);
    const words = this.#words;
    const before = Atomics.or(words, at, POISONED);
    if (
      (before & POISONED) === 0 && Atomics.compareExchange(words, Header.FAULT_SIGNAL, 0, 1) === 0
    ) {
      words[Header.FAULT_SHARD] = shard;
      words[Header.FAULT_THREAD] = (before & EXCLUSIVE) !== 0
        ? (before & OWNER_MASK) - 1
        : this.#threadId;
      words[Header.FAULT_OPERATION] = operation;
      // The second step publishes the record, pairing with the load in waitForFault.
      Atomics.store(words, Header.FAULT_SIGNAL, 2);
      Atomics.notify(words, Header.FAULT_SIGNAL);
    }
    this.#wakeAll(at);
  }

  /** Resolves when any shard has been poisoned. Thread: the main isolate. */
  async waitForFault(): Promise<StoreFault> {
    const words = this.#words;
    for (;;) {
      const signal = Atomics.load(words, Header.FAULT_SIGNAL);
      if (signal >= 2) {
        return {
          shard: words[Header.FAULT_SHARD]!,
          threadId: words[Header.FAULT_THREAD]!,
          operation: words[Header.FAULT_OPERATION]!,
        };
      }
      const wait = Atomics.waitAsync(words, Header.FAULT_SIGNAL, signal);
      if (wait.async) await wait.value;
    }
  }

  /** The first shard, from one on, that `threadId` holds exclusively, or -1. Thread: any; a snapshot. */
  heldBy(threadId: number, firstShard = 0): number {
    for (let shard = firstShard; shard < this.#control.shardCount; shard++) {
      if (this.ownerOf(shard) === threadId) return shard;
    }
    return -1;
  }

  /** The thread that holds a shard exclusively, or -1. Thread: any; a snapshot. */
  ownerOf(shard: number): number {
    const word = Atomics.load(this.#words, this.#control.shardAt(shard));
    return (word & EXCLUSIVE) === 0 ? -1 : (word & OWNER_MASK) - 1;
  }

  /** The shard whose lock a thread sleeps for, or -1. Thread: any; a snapshot. */
  waitOf(threadId: number): number {
    return (Atomics.load(this.#words, this.#control.threadAt(threadId)) >> 1) - 1;
  }

  /** Counters of a shard's lock. Thread: any; a snapshot. */
  counters(shard: number): LockCounters {
    const at = this.#control.shardAt(shard) + Shard.LOCK_COUNTERS;
    return {
      exclusive: this.#words[at + EXCLUSIVE_COUNT]! >>> 0,
      shared: this.#words[at + SHARED_COUNT]! >>> 0,
      contended: this.#words[at + CONTENDED_COUNT]! >>> 0,
    };
  }

  /**
   * Takes a dead thread out of the waiter count it had entered.
   *
   * Thread: the supervisor, after that thread's isolate has ended.
   */
  forgetDeadWaiter(threadId: number): void {
    const recordAt = this.#control.threadAt(threadId);
    const record = Atomics.exchange(this.#words, recordAt, 0);
    if (record === 0) return;
    const at = this.#control.shardAt((record >> 1) - 1);
    const alone = (record & 1) === 1;
    this.#countOut(at, alone);
    // What it had asked for is void, and a notification it never used belongs to the next one.
    Atomics.and(this.#words, at, ~(STARVING | WRITER_FIRST));
    Atomics.store(this.#words, at + PENDING, 0);
    this.#wakeAll(at);
  }

  /** Puts the supervisor in a dead holder's place. Thread: the supervisor. */
  takeOver(shard: number): void {
    const at = this.#control.shardAt(shard);
    const words = this.#words;
    for (;;) {
      const word = Atomics.load(words, at);
      const own = (word & (STARVING | WRITER_FIRST | POISONED)) | this.#ownWord;
      if (Atomics.compareExchange(words, at, word, own) !== word) continue;
      // Whoever goes by this count must see that somebody else may have changed something.
      words[at + Shard.LOCK_COUNTERS + EXCLUSIVE_COUNT]!++;
      return;
    }
  }

  /** Operation code of the shard's last holder. */
  operation(shard: number): number {
    return this.#words[this.#control.shardAt(shard) + OPERATION]!;
  }

  #enterShared(at: number, shard: number, excluded: number): boolean {
    const words = this.#words;
    let word = Atomics.load(words, at);
    while ((word & (excluded | POISONED)) === 0) {
      const seen = Atomics.compareExchange(words, at, word, word + 1);
      if (seen === word) {
        Atomics.add(words, at + Shard.LOCK_COUNTERS + SHARED_COUNT, 1);
        return true;
      }
      word = seen;
    }
    if ((word & POISONED) !== 0) throw new LockPoisonedError(shard);
    return false;
  }

  /** When the wait began that a failed `tryLock` has just left. */
  #waitingSinceMs(): number {
    return this.timing === undefined ? 0 : this.timing.waitingSinceMs;
  }

  #spin(at: number, shard: number, alone: boolean): boolean {
    const words = this.#words;
    this.timing?.beginWait();
    for (let round = 0; round < SPIN_ROUNDS; round++) {
      const word = Atomics.load(words, at);
      if ((word & POISONED) !== 0) throw new LockPoisonedError(shard);
      // Own lock (another task of this thread holds it across an await) or waiters first: no use.
      if (word === this.#ownWord || (word & STARVING) !== 0) return false;
      if (alone) {
        if (word === 0 && Atomics.compareExchange(words, at, 0, this.#ownWord) === 0) {
          this.#countContended(at, EXCLUSIVE_COUNT);
          this.timing?.acquired(shard, true, this.timing.waitingSinceMs);
          return true;
        }
      } else if (this.#enterShared(at, shard, EXCLUSIVE | STARVING | WRITER_FIRST)) {
        Atomics.add(words, at + Shard.LOCK_COUNTERS + CONTENDED_COUNT, 1);
        this.timing?.acquired(shard, false, this.timing.waitingSinceMs);
        return true;
      }
      Atomics.pause?.();
    }
    return false;
  }

  /**
   * One look of a waiter at the lock.
   *
   * @param isNewcomer whether its gate has not moved yet
   * @param slices how many of its sleeps ended by the clock
   */
  #acquireAsWaiter(
    at: number,
    shard: number,
    alone: boolean,
    isNewcomer: boolean,
    slices: number,
  ): boolean {
    const words = this.#words;
    if (!alone) {
      const excluded = EXCLUSIVE | (slices > PATIENCE_SLICES ? 0 : WRITER_FIRST) |
        (isNewcomer ? STARVING : 0);
      if (!this.#enterShared(at, shard, excluded)) return false;
      Atomics.add(words, at + Shard.LOCK_COUNTERS + CONTENDED_COUNT, 1);
      if ((Atomics.load(words, at) & STARVING) !== 0) {
        Atomics.store(words, at + BARGES, 0);
        Atomics.and(words, at, ~STARVING);
      }
      // Nobody waits to share any more: now the exclusive waiters' turn comes. They cannot have
      // left, because this thread holds the lock.
      if (
        Atomics.load(words, at + WAITING_SHARED) === 1 &&
        Atomics.load(words, at + WAITING_EXCLUSIVE) !== 0
      ) Atomics.or(words, at, WRITER_FIRST);
      return true;
    }
    for (;;) {
      const word = Atomics.load(words, at);
      if ((word & POISONED) !== 0) throw new LockPoisonedError(shard);
      if ((word & EXCLUSIVE) !== 0) return false;
      if (isNewcomer && (word & STARVING) !== 0) return false;
      if ((word & OWNER_MASK) !== 0) {
        // Shared holders: let no more in, then sleep until the last one leaves.
        if ((word & WRITER_FIRST) !== 0) return false;
        if (Atomics.compareExchange(words, at, word, word | WRITER_FIRST) === word) return false;
        continue;
      }
      if (Atomics.compareExchange(words, at, word, this.#ownWord) === word) {
        if ((word & STARVING) !== 0) Atomics.store(words, at + BARGES, 0);
        this.#countContended(at, EXCLUSIVE_COUNT);
        return true;
      }
    }
  }

  /** Counts a contended exclusive acquisition; the holder is the only writer. */
  #countContended(at: number, kind: number): void {
    this.#words[at + Shard.LOCK_COUNTERS + kind]!++;
    Atomics.add(this.#words, at + Shard.LOCK_COUNTERS + CONTENDED_COUNT, 1);
  }

  #countIn(at: number, alone: boolean): void {
    Atomics.add(this.#words, at + (alone ? WAITING_EXCLUSIVE : WAITING_SHARED), 1);
  }

  #countOut(at: number, alone: boolean): void {
    Atomics.sub(this.#words, at + (alone ? WAITING_EXCLUSIVE : WAITING_SHARED), 1);
  }

  /** The holder, about to release: newcomers have overtaken the waiters often enough. */
  #endBarging(at: number): void {
    const words = this.#words;
    if (
      Atomics.load(words, at + WAITING_EXCLUSIVE) !== 0 ||
      Atomics.load(words, at + WAITING_SHARED) !== 0
    ) Atomics.or(words, at, STARVING);
    else Atomics.store(words, at + BARGES, 0);
  }

  #wakeAll(at: number): void {
    const words = this.#words;
    Atomics.add(words, at + GATE_SHARED, 1);
    Atomics.notify(words, at + GATE_SHARED);
    Atomics.add(words, at + GATE_EXCLUSIVE, 1);
    Atomics.add(words, at + PENDING, Atomics.notify(words, at + GATE_EXCLUSIVE));
  }

  #wake(at: number, releasedExclusive: boolean): void {
    const words = this.#words;
    Atomics.add(words, at + BARGES, 1);
    const exclusiveWaits = Atomics.load(words, at + WAITING_EXCLUSIVE) !== 0;
    const sharedWaits = Atomics.load(words, at + WAITING_SHARED) !== 0;
    if (sharedWaits && (releasedExclusive || !exclusiveWaits)) {
      Atomics.add(words, at + GATE_SHARED, 1);
      Atomics.notify(words, at + GATE_SHARED);
    } else if (exclusiveWaits) {
      Atomics.add(words, at + GATE_EXCLUSIVE, 1);
      if (Atomics.load(words, at + PENDING) <= 0) {
        const woken = Atomics.notify(words, at + GATE_EXCLUSIVE, 1);
        if (woken > 0) Atomics.add(words, at + PENDING, woken);
      }
    }
  }
}
