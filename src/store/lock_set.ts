/**
 * The shard locks of one command or transaction, taken together or not at all.
 *
 * @module
 */

import type { ShardLocks } from "./locks.ts";

/**
 * Rounds in which a parked command takes the lock it lacked and then tries for the others, before
 * it takes them one by one.
 *
 * Trying holds no lock while it waits, so it delays nobody; but under permanent contention on two
 * shards it may never find both free. Taking one by one always ends: every holder of several locks
 * takes them in ascending order, so no circle of waiters can close.
 */
export const TRY_ROUNDS = 16;

/**
 * A set of shards in ascending order, without repetition.
 *
 * Shards are marked one bit each as they are added, and listed when the set is sealed: reading the
 * bits in order sorts them.
 *
 * Thread: one thread; those that serve connections do not sleep, see {@link LockSet.lock}.
 */
export class LockSet {
  readonly #locks: ShardLocks;
  readonly #shardCount: number;
  readonly #marks: Int32Array;
  readonly #shards: Uint16Array;
  #count = 0;

  /** Makes an empty set. */
  constructor(locks: ShardLocks, shardCount: number) {
    this.#locks = locks;
    this.#shardCount = shardCount;
    this.#marks = new Int32Array(Math.ceil(shardCount / 32));
    this.#shards = new Uint16Array(shardCount);
  }

  /** How many shards are in the set, once it is sealed. */
  get count(): number {
    return this.#count;
  }

  /** Empties the set. */
  clear(): void {
    const marks = this.#marks;
    for (let i = 0; i < marks.length; i++) marks[i] = 0;
    this.#count = 0;
  }

  /** Adds a shard; {@link LockSet.seal} must follow before the locks are taken. */
  add(shard: number): void {
    this.#marks[shard >>> 5]! |= 1 << (shard & 31);
  }

  /** Adds all shards. */
  addAll(): void {
    for (let shard = 0; shard < this.#shardCount; shard++) this.add(shard);
  }

  /** Becomes the set of this shard alone, sealed. Nothing else was added since {@link LockSet.clear}. */
  only(shard: number): void {
    this.#shards[0] = shard;
    this.#count = 1;
  }

  /** Shard number `index` of the set, in ascending order once it is sealed. */
  shardAt(index: number): number {
    return this.#shards[index]!;
  }

  /** Lists the shards that were added, in ascending order. */
  seal(): void {
    const marks = this.#marks;
    let count = 0;
    for (let i = 0; i < marks.length; i++) {
      for (let left = marks[i]!; left !== 0; left &= left - 1) {
        this.#shards[count++] = i * 32 + 31 - Math.clz32(left & -left);
      }
    }
    this.#count = count;
  }

  /**
   * Takes all locks without waiting.
   *
   * @returns -1 when all are held; else the shard whose lock was busy, and none is held
   * @throws {LockPoisonedError} when a shard is torn
   */
  tryLock(exclusive: boolean): number {
    return this.#tryExcept(exclusive, -1);
  }

  /**
   * Takes all locks, letting the thread go on meanwhile.
   *
   * @param busyShard the shard whose lock was busy
   * @throws {LockPoisonedError} when a shard is torn
   */
  async lockAsync(exclusive: boolean, busyShard: number): Promise<void> {
    for (let round = 0; round < TRY_ROUNDS; round++) {
      await this.#locks.lockAsync(busyShard, exclusive);
      const nextBusy = this.#tryExcept(exclusive, busyShard);
      if (nextBusy < 0) return;
      busyShard = nextBusy;
    }
    // The one place that awaits with locks held; see TRY_ROUNDS. No code runs in between, so
    // nothing is half done while they are held.
    for (let i = 0; i < this.#count; i++) {
      await this.#locks.lockAsync(this.#shards[i]!, exclusive);
    }
  }

  /**
   * Takes all locks, in ascending order, sleeping where one is busy.
   *
   * Thread: one that may sleep; a thread that serves connections would stop serving.
   *
   * @throws {LockPoisonedError} when a shard is torn; those taken before it are given back
   */
  lock(exclusive: boolean): void {
    let taken = 0;
    try {
      while (taken < this.#count) {
        this.#locks.lock(this.#shards[taken]!, exclusive);
        taken++;
      }
    } catch (error) {
      // Nothing was done under them.
      while (taken > 0) this.#locks.unlock(this.#shards[--taken]!, exclusive);
      throw error;
    }
  }

  /** Gives all locks back. */
  unlock(exclusive: boolean): void {
    for (let i = 0; i < this.#count; i++) this.#locks.unlock(this.#shards[i]!, exclusive);
  }

  /** Calls `visit` with each shard of the set. */
  forEach(visit: (shard: number) => void): void {
    for (let i = 0; i < this.#count; i++) visit(this.#shards[i]!);
  }

  /** Whether `holds` is true of any shard of the set. */
  some(holds: (shard: number) => boolean): boolean {
    for (let i = 0; i < this.#count; i++) if (holds(this.#shards[i]!)) return true;
    return false;
  }

  /** Declares all shards torn; see {@link ShardLocks.poison}. */
  poison(operation: number): void {
    for (let i = 0; i < this.#count; i++) this.#locks.poison(this.#shards[i]!, operation);
  }

  /** Takes all locks but that of `heldShard`; on failure gives all back, that one too. */
  #tryExcept(exclusive: boolean, heldShard: number): number {
    for (let i = 0; i < this.#count; i++) {
      const shard = this.#shards[i]!;
      if (shard === heldShard || this.#locks.tryLock(shard, exclusive)) continue;
      if (heldShard >= 0) this.#locks.unlock(heldShard, exclusive);
      for (let j = 0; j < i; j++) {
        if (this.#shards[j] !== heldShard) this.#locks.unlock(this.#shards[j]!, exclusive);
      }
      return shard;
    }
    return -1;
  }
}
