/**
 * How long shard locks are waited for and held, by shard; only with `--lock-timing`.
 *
 * The memory is one record of 256 bytes per shard, so 1 MiB for 4,096 of them:
 *
 * ```text
 * byte 0    waits of exclusive holders, sum (float64, µs)
 *      8    holds of exclusive holders, sum (float64, µs)
 *     16    waits of shared holders, sum (int64, ns)
 *     24    holds of shared holders, sum (int64, ns)
 *     32    longest wait (uint32, µs)      36  longest hold (uint32, µs)
 *     40    27 buckets of waits (uint32, wrap)
 *    148    27 buckets of holds (uint32, wrap)
 * ```
 *
 * Bucket 0 counts what took up to 1 µs, bucket `i` what took up to 2^i µs and more than half of it,
 * the last one everything above 2^25 µs (34 s). A wait is counted by who has just got the lock, a
 * hold by who is about to give it back; so who writes to a record holds its lock. An exclusive
 * holder is alone there and uses plain stores, which the lock word publishes. Shared holders are not
 * alone: they use atomics, and sums of their own, because there is no atomic addition of doubles.
 *
 * A wait begins when the lock was not free at once and ends with the acquisition: it is the time
 * spun and slept. An attempt that gives up (`tryLock`) is no acquisition and counts nowhere. A lock
 * whose owner died is given back by its supervisor, who did not take it: nothing is counted, because
 * how long it was held says nothing about the work. So there may be more waits than holds.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/** Buckets of a shard's waits, and of its holds. */
export const LOCK_TIME_BUCKETS = 27;

const RECORD_BYTES = 256;
const RECORD_WORDS = RECORD_BYTES / 4;
const RECORD_DOUBLES = RECORD_BYTES / 8;
/** The last bound, 2^25 µs. */
const LONGEST_BOUND_US = 2 ** (LOCK_TIME_BUCKETS - 2);
/** Longest duration that the uint32 words can tell. */
const LONGEST_US = 2 ** 32 - 1;

/** Offsets of what belongs to waits, in their units from the start of a record; of holds: + 1. */
const EXCLUSIVE_SUM_DOUBLE = 0;
const SHARED_SUM_LONG = 2;
const LONGEST_WORD = 8;
const BUCKETS_WORD = 10;

const WAIT = 0;
const HOLD = 1;

assert(
  BUCKETS_WORD + 2 * LOCK_TIME_BUCKETS === RECORD_WORDS,
  "a record is where the drawing has it",
);

/** No hold of this thread is being measured. */
const NOT_HELD = -1;

/** The wait of who found the lock free. */
export const AT_ONCE: number = -1;

/** Takes durations, e.g. a histogram of one thread. */
export interface DurationRecorder {
  /**
   * Counts one duration.
   *
   * @param durationUs microseconds, at least 0, may have a fraction
   */
  recordUs(durationUs: number): void;
}

/** Where a thread counts its own waits and holds, over all shards. */
export interface ThreadLockTimes {
  /** Waits. */
  readonly wait: DurationRecorder;
  /** Holds. */
  readonly hold: DurationRecorder;
}

/** The waits or the holds of one shard's lock at one time. */
export class LockTimes {
  /** Durations counted. */
  readonly count: number;
  /** Sum of the durations. Unit: µs. */
  readonly sumUs: number;
  /** The longest, rounded up. Unit: µs. */
  readonly maxUs: number;
  readonly #buckets: readonly number[];

  /** Keeps what was read. */
  constructor(sumUs: number, maxUs: number, buckets: readonly number[]) {
    this.count = buckets.reduce((sum, count) => sum + count, 0);
    this.sumUs = sumUs;
    this.maxUs = maxUs;
    this.#buckets = buckets;
  }

  /**
   * The duration that a share `quantile` of all durations does not exceed.
   *
   * @param quantile 0 to 1, e.g. 0.99
   * @returns milliseconds, less than twice the true ones (or 0.001); 0 when nothing was counted
   */
  quantileMs(quantile: number): number {
    const target = Math.max(1, Math.ceil(this.count * quantile));
    let seen = 0;
    for (const [i, count] of this.#buckets.entries()) {
      seen += count;
      if (seen < target) continue;
      const upperUs = i === LOCK_TIME_BUCKETS - 1 ? Infinity : 2 ** i;
      return Math.min(upperUs, this.maxUs) / 1000;
    }
    return 0;
  }
}

/** The bucket for a duration of whole microseconds. */
function bucketOf(us: number): number {
  if (us <= 1) return 0;
  return us > LONGEST_BOUND_US ? LOCK_TIME_BUCKETS - 1 : 32 - Math.clz32(us - 1);
}

/**
 * Measures the waits and holds of one thread and reads those of all.
 *
 * Thread: one instance per thread, over memory that all of them share.
 */
export class LockTiming {
  /** Where this thread counts besides the shards' records. */
  thread: ThreadLockTimes | undefined = undefined;
  /** When this thread last found a lock taken and began to wait for it; see {@link LockTiming.acquired}. */
  waitingSinceMs = 0;

  readonly #words: Uint32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array<SharedArrayBuffer>;
  readonly #longs: BigInt64Array<SharedArrayBuffer>;
  readonly #clock: () => number;
  /** When this thread took the locks that it holds; {@link NOT_HELD} for all others. */
  readonly #heldSinceMs: Float64Array<ArrayBuffer>;
  /** The same for locks that several tasks of this thread share, but for the last one to come. */
  readonly #alsoHeldSinceMs = new Map<number, number[]>();

  /**
   * Attaches this thread.
   *
   * @param memory from {@link createLockTimingMemory}
   * @param clock milliseconds, with a fraction; this thread's own will do
   */
  constructor(memory: SharedArrayBuffer, clock: () => number = () => performance.now()) {
    assert(memory.byteLength % RECORD_BYTES === 0, "the memory is a whole number of records");
    this.#words = new Uint32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#longs = new BigInt64Array(memory);
    this.#clock = clock;
    this.#heldSinceMs = new Float64Array(memory.byteLength / RECORD_BYTES).fill(NOT_HELD);
  }

  /** Notes when a wait begins. */
  beginWait(): void {
    this.waitingSinceMs = this.#clock();
  }

  /**
   * Counts a wait and begins a hold. Thread: the new holder.
   *
   * @param alone whether it holds the lock exclusively
   * @param sinceMs when the wait began ({@link LockTiming.waitingSinceMs} as it was then), or
   *   {@link AT_ONCE}
   */
  acquired(shard: number, alone: boolean, sinceMs: number): void {
    const nowMs = this.#clock();
    const waitUs = sinceMs === AT_ONCE ? 0 : Math.max(0, nowMs - sinceMs) * 1000;
    this.#count(shard, WAIT, waitUs, alone);
    this.thread?.wait.recordUs(waitUs);
    const otherSinceMs = this.#heldSinceMs[shard]!;
    if (otherSinceMs !== NOT_HELD) this.#keepAside(shard, otherSinceMs);
    this.#heldSinceMs[shard] = nowMs;
  }

  /** Counts a hold; does nothing when its begin is not known. Thread: the holder, still holding. */
  released(shard: number, alone: boolean): void {
    const sinceMs = this.#heldSinceMs[shard]!;
    if (sinceMs === NOT_HELD) return;
    const holdUs = Math.max(0, this.#clock() - sinceMs) * 1000;
    this.#count(shard, HOLD, holdUs, alone);
    this.thread?.hold.recordUs(holdUs);
    this.#heldSinceMs[shard] = this.#alsoHeldSinceMs.size === 0 ? NOT_HELD : this.#takeBack(shard);
  }

  /** The waits for a shard's lock, of all threads. Thread: any; a snapshot. */
  waits(shard: number): LockTimes {
    return this.#read(shard, WAIT);
  }

  /** The holds of a shard's lock, of all threads. Thread: any; a snapshot. */
  holds(shard: number): LockTimes {
    return this.#read(shard, HOLD);
  }

  /** Sum of all waits for a shard's lock. Unit: µs. Thread: any; a snapshot. */
  waitSumUs(shard: number): number {
    return this.#sumUs(shard, WAIT);
  }

  /** Sum of all holds of a shard's lock. Unit: µs. Thread: any; a snapshot. */
  holdSumUs(shard: number): number {
    return this.#sumUs(shard, HOLD);
  }

  /**
   * Tasks of one thread that share a lock end in any order. Which of their begins belongs to which
   * end does not matter to the sum.
   */
  #keepAside(shard: number, sinceMs: number): void {
    const others = this.#alsoHeldSinceMs.get(shard);
    if (others === undefined) this.#alsoHeldSinceMs.set(shard, [sinceMs]);
    else others.push(sinceMs);
  }

  #takeBack(shard: number): number {
    const others = this.#alsoHeldSinceMs.get(shard);
    if (others === undefined) return NOT_HELD;
    if (others.length === 1) this.#alsoHeldSinceMs.delete(shard);
    return others.pop()!;
  }

  #count(shard: number, what: number, us: number, alone: boolean): void {
    const words = this.#words;
    const at = shard * RECORD_WORDS;
    const wholeUs = Math.min(Math.ceil(us), LONGEST_US);
    const bucketAt = at + BUCKETS_WORD + what * LOCK_TIME_BUCKETS + bucketOf(wholeUs);
    const longestAt = at + LONGEST_WORD + what;
    if (alone) {
      words[bucketAt]!++;
      if (wholeUs > words[longestAt]!) words[longestAt] = wholeUs;
      this.#doubles[shard * RECORD_DOUBLES + EXCLUSIVE_SUM_DOUBLE + what]! += us;
      return;
    }
    Atomics.add(words, bucketAt, 1);
    let longestUs = Atomics.load(words, longestAt);
    while (wholeUs > longestUs) {
      const seenUs = Atomics.compareExchange(words, longestAt, longestUs, wholeUs);
      if (seenUs === longestUs) break;
      longestUs = seenUs;
    }
    if (us === 0) return;
    const ns = BigInt(Math.round(us * 1000));
    Atomics.add(this.#longs, shard * RECORD_DOUBLES + SHARED_SUM_LONG + what, ns);
  }

  #sumUs(shard: number, what: number): number {
    const at = shard * RECORD_DOUBLES;
    const sharedNs = Atomics.load(this.#longs, at + SHARED_SUM_LONG + what);
    return this.#doubles[at + EXCLUSIVE_SUM_DOUBLE + what]! + Number(sharedNs) / 1000;
  }

  #read(shard: number, what: number): LockTimes {
    const at = shard * RECORD_WORDS;
    const bucketsAt = at + BUCKETS_WORD + what * LOCK_TIME_BUCKETS;
    return new LockTimes(
      this.#sumUs(shard, what),
      this.#words[at + LONGEST_WORD + what]!,
      [...this.#words.subarray(bucketsAt, bucketsAt + LOCK_TIME_BUCKETS)],
    );
  }
}

/** Makes the memory of so many shards. Thread: the one that makes the store. */
export function createLockTimingMemory(shardCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(shardCount * RECORD_BYTES);
}
