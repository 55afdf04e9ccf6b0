/**
 * Why a shard's lock is not to be had.
 *
 * @module
 */

/** Thrown by every acquisition of a lock whose holder failed in the middle of a change. */
export class LockPoisonedError extends Error {
  /** Always `"LockPoisonedError"`. */
  override readonly name = "LockPoisonedError";
  /** The shard that is torn. */
  readonly shard: number;

  /**
   * Makes the error.
   *
   * @param shard the shard that is torn
   */
  constructor(shard: number) {
    super(`Cannot lock shard ${shard}: it was poisoned by a fault inside a critical section`);
    this.shard = shard;
  }
}

/** Thrown by `ShardLocks.lock` when it has waited for longer than its patience. */
export class LockTimeoutError extends Error {
  /** Always `"LockTimeoutError"`. */
  override readonly name = "LockTimeoutError";

  /**
   * Makes the error.
   *
   * @param shard the shard whose lock was waited for
   * @param threadId the thread that holds it, -1 when that changed just now
   */
  constructor(shard: number, threadId: number) {
    super(`Cannot lock shard ${shard}: thread ${threadId} does not give it back`);
  }
}
