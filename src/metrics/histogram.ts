/**
 * Log-linear latency histograms over shared memory.
 *
 * Durations are counted in whole microseconds, rounded up. The first 16 buckets are 1 µs wide; from
 * there every power of two is cut into 16 buckets, so a reported quantile is at most 6.25 % above
 * the true one. Bucket `i` counts durations in `(lower(i), upper(i)]`: upper bounds are inclusive,
 * as Prometheus wants them, and every power of two from 16 µs on is one of them.
 *
 * ```text
 * double  0            count
 *         1            sum of the durations, µs; of those of recordUs with their fractions
 *         2            largest duration, µs
 *         3 … 7        unused
 *         8 … 8+B-1    buckets; the last one takes everything longer
 * ```
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/** log2 of the buckets per power of two. */
const SUB_BITS = 4;
const SUB_COUNT = 1 << SUB_BITS;
/** Durations from 2^26 µs (67 s) on share the last bucket. */
const TOP_BITS = 26;
const MAX_INDEXED_US = 2 ** TOP_BITS - 1;
const COUNT = 0;
const SUM = 1;
const MAX = 2;
const BUCKETS = 8;

/** Buckets of a histogram. */
export const BUCKET_COUNT: number = SUB_COUNT + (TOP_BITS - SUB_BITS) * SUB_COUNT;

/** Doubles that one histogram occupies; a multiple of 8, so that histograms start on a line. */
export const HISTOGRAM_DOUBLES: number = BUCKETS + BUCKET_COUNT;

assert(HISTOGRAM_DOUBLES % 8 === 0, "a histogram is a whole number of cache lines");
assert(bucketOf(MAX_INDEXED_US + 1) === BUCKET_COUNT - 1, "the longest indexed duration is last");

/** The bucket for a duration of `us` whole microseconds (0 counts as 1). */
export function bucketOf(us: number): number {
  // Upper bounds are inclusive, hence the - 1.
  const value = us <= 1 ? 0 : us > MAX_INDEXED_US ? MAX_INDEXED_US : us - 1;
  if (value < SUB_COUNT) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  return (shift << SUB_BITS) + (value >>> shift);
}

/** The inclusive upper bound of a bucket in µs; `Infinity` for the last one. */
export function bucketUpperUs(bucket: number): number {
  if (bucket >= BUCKET_COUNT - 1) return Infinity;
  if (bucket < SUB_COUNT) return bucket + 1;
  const shift = (bucket >>> SUB_BITS) - 1;
  return ((bucket & (SUB_COUNT - 1)) + SUB_COUNT + 1) * 2 ** shift;
}

/**
 * One thread's histogram.
 *
 * Thread: only the thread that owns the block; readers sum blocks with {@link HistogramSnapshot}.
 */
export class HistogramRecorder {
  readonly #doubles: Float64Array<SharedArrayBuffer>;

  /** Wraps `HISTOGRAM_DOUBLES` doubles of a metrics region. */
  constructor(doubles: Float64Array<SharedArrayBuffer>) {
    assert(doubles.length === HISTOGRAM_DOUBLES, "a recorder gets exactly one histogram");
    this.#doubles = doubles;
  }

  /**
   * Counts one duration.
   *
   * @param durationMs milliseconds, may have a fraction; negative ones (a clock that was set back)
   *   count as 0
   */
  recordMs(durationMs: number): void {
    const us = durationMs > 0 ? Math.ceil(durationMs * 1000) : 0;
    this.#count(us, us);
  }

  /**
   * Counts one duration whose fraction matters to the sum, because most are below a microsecond.
   *
   * @param durationUs microseconds, at least 0
   */
  recordUs(durationUs: number): void {
    this.#count(Math.ceil(durationUs), durationUs);
  }

  #count(us: number, exactUs: number): void {
    const doubles = this.#doubles;
    const at = BUCKETS + bucketOf(us);
    doubles[at] = doubles[at]! + 1;
    doubles[SUM] = doubles[SUM]! + exactUs;
    if (us > doubles[MAX]!) doubles[MAX] = us;
    doubles[COUNT] = doubles[COUNT]! + 1;
  }
}

/** The sum of several threads' histograms at one time. */
export class HistogramSnapshot {
  /** Durations counted. */
  count = 0;
  /** Sum of the durations, µs. */
  sumUs = 0;
  /** Longest duration, µs. */
  maxUs = 0;
  readonly #buckets = new Float64Array(BUCKET_COUNT);

  /** Adds one thread's histogram. Thread: any. */
  add(doubles: Float64Array<SharedArrayBuffer>): void {
    if (doubles[COUNT] === 0) return;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      const added = doubles[BUCKETS + i]!;
      this.#buckets[i] = this.#buckets[i]! + added;
      // From the buckets and not from the count word, so that both always agree.
      this.count += added;
    }
    this.sumUs += doubles[SUM]!;
    this.maxUs = Math.max(this.maxUs, doubles[MAX]!);
  }

  /**
   * What was counted after `earlier`, an older snapshot of the same histograms.
   *
   * Its longest duration is the upper bound of the last bucket that has any.
   */
  since(earlier: HistogramSnapshot): HistogramSnapshot {
    const added = new HistogramSnapshot();
    let last = -1;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      const count = this.#buckets[i]! - earlier.#buckets[i]!;
      // A thread's block that is read while it is written may show a bucket late, never early.
      if (count <= 0) continue;
      added.#buckets[i] = count;
      added.count += count;
      last = i;
    }
    added.sumUs = Math.max(0, this.sumUs - earlier.sumUs);
    added.maxUs = last < 0 ? 0 : Math.min(bucketUpperUs(last), this.maxUs);
    return added;
  }

  /**
   * The duration that a share `quantile` of all durations does not exceed.
   *
   * @param quantile 0 to 1, e.g. 0.99
   * @returns milliseconds, at most 6.25 % too large; 0 when nothing was counted
   */
  quantileMs(quantile: number): number {
    const target = Math.max(1, Math.ceil(this.count * quantile));
    let seen = 0;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      seen += this.#buckets[i]!;
      if (seen >= target) return Math.min(bucketUpperUs(i), this.maxUs) / 1000;
    }
    return 0;
  }

  /**
   * How many durations were at most `boundsUs[i]`, for each bound.
   *
   * @param boundsUs ascending bucket bounds, e.g. powers of two; other values are rounded down to
   *   the next bucket bound
   */
  cumulative(boundsUs: readonly number[]): number[] {
    const result: number[] = [];
    let bucket = 0;
    let seen = 0;
    for (const bound of boundsUs) {
      while (bucket < BUCKET_COUNT && bucketUpperUs(bucket) <= bound) {
        seen += this.#buckets[bucket++]!;
      }
      result.push(seen);
    }
    return result;
  }
}
