/**
 * The shard locks of one command, taken together or not at all.
 *
 * @module
 */

import type { ShardLocks } from "../store/locks.ts";

/**
 * Rounds in which a parked command takes the lock it lacked and then tries for the others, before
 * it takes them one by one.
 *
 * Trying holds no lock while it waits, so it delays nobody; but under permanent contention on two
 * shards it may never find both free. Taking one by one always ends: every holder of several locks
 * takes them in ascending order, so no circle of waiters can close.
 */
export const TRY_ROUNDS = 16;

/** Up to this many shards a set is searched; a larger one gets an array of marks. */
const SEARCHED_COUNT = 8;

/**
 * A set of shards in ascending order, without repetition.
 *
 * Thread: one I/O thread.
 */
export class LockSet {
  readonly #locks: ShardLocks;
  readonly #shardCount: number;
  #shards = new Int32Array(SEARCHED_COUNT);
  #count = 0;
  /** Made when a command names keys of many shards: 1 = the shard is in the set. */
  #marks: Uint8Array | undefined;

  /** Makes an empty set. */
  constructor(locks: ShardLocks, shardCount: number) {
    this.#locks = locks;
    this.#shardCount = shardCount;
  }

  /** How many shards are in the set. */
  get count(): number {
    return this.#count;
  }

  /** Empties the set. */
  clear(): void {
    if (this.#count > SEARCHED_COUNT) this.#marks!.fill(0);
    this.#count = 0;
  }

  /** Adds a shard; {@link LockSet.seal} must follow before the locks are taken. */
  add(shard: number): void {
    if (this.#has(shard)) return;
    if (this.#count === SEARCHED_COUNT) this.#startMarks();
    if (this.#count === this.#shards.length) this.#grow();
    this.#shards[this.#count++] = shard;
    if (this.#count > SEARCHED_COUNT) this.#marks![shard] = 1;
  }

  /** Adds all shards. */
  addAll(): void {
    for (let shard = 0; shard < this.#shardCount; shard++) this.add(shard);
  }

  /** Shard number `index` of the set, in ascending order once it is sealed. */
  shardAt(index: number): number {
    return this.#shards[index]!;
  }

  /** Brings the shards into ascending order. */
  seal(): void {
    if (this.#count > 1) this.#shards.subarray(0, this.#count).sort();
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

  /** Gives all locks back. */
  unlock(exclusive: boolean): void {
    for (let i = 0; i < this.#count; i++) this.#locks.unlock(this.#shards[i]!, exclusive);
  }

  /** Declares all shards torn; see {@link ShardLocks.poison}. */
  poison(operation: number): void {
    for (let i = 0; i < this.#count; i++) this.#locks.poison(this.#shards[i]!, operation);
  }

  #has(shard: number): boolean {
    if (this.#count > SEARCHED_COUNT) return this.#marks![shard] === 1;
    for (let i = 0; i < this.#count; i++) if (this.#shards[i] === shard) return true;
    return false;
  }

  #startMarks(): void {
    this.#marks ??= new Uint8Array(this.#shardCount);
    for (let i = 0; i < this.#count; i++) this.#marks[this.#shards[i]!] = 1;
  }

  #grow(): void {
    const larger = new Int32Array(this.#shards.length * 2);
    larger.set(this.#shards);
    this.#shards = larger;
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
