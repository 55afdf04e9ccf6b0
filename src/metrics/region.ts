/**
 * Counters and histograms of all threads in one SharedArrayBuffer.
 *
 * Every thread has a block that only it writes, with plain stores of doubles; readers sum the
 * blocks at any time without stopping anyone.
 *
 * ```text
 * byte 0       header, 128 bytes
 *   0          int32 magic 0x534c4d31
 *   4          int32 number of threads
 *   64         int32 fence: readers do an atomic read-modify-write here, nobody reads it
 * byte 128     block of thread 0
 *   0          128 counters, 8 bytes each, index = CounterIndex (names.ts)
 *   1024       6 histograms, 3,008 bytes each, index = HistogramIndex (drawn in histogram.ts)
 *   19072      two unused lines: blocks keep 128 bytes apart, for prefetchers that take cache
 *              lines in pairs
 * byte 19328   block of thread 1
 * …
 * ```
 *
 * An event is counted `received` before it is handed on and settled (processed, dropped or failed)
 * after. A reader that sums the settled ones first and the received ones last therefore never
 * sees more settled than received.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { HISTOGRAM_DOUBLES, HistogramRecorder, HistogramSnapshot } from "./histogram.ts";
import { COUNTER_SLOTS, CounterIndex, HISTOGRAM_COUNT, type HistogramIndex } from "./names.ts";

const MAGIC = 0x534c4d31;
const HEADER_BYTES = 128;
const MAGIC_WORD = 0;
const THREAD_COUNT_WORD = 1;
const FENCE_WORD = 16;
const GAP_DOUBLES = 16;
const BLOCK_BYTES = (COUNTER_SLOTS + HISTOGRAM_COUNT * HISTOGRAM_DOUBLES + GAP_DOUBLES) * 8;

assert(HEADER_BYTES + BLOCK_BYTES === 19328, "the blocks are where the drawing has them");
assert(BLOCK_BYTES % 64 === 0, "blocks start on a cache line");

/**
 * One thread's counters.
 *
 * Thread: only the thread whose block it is, and its supervisor after it has ended.
 */
export class ThreadCounters {
  readonly #doubles: Float64Array<SharedArrayBuffer>;

  /** Wraps the counters of one block of a metrics region. */
  constructor(doubles: Float64Array<SharedArrayBuffer>) {
    assert(doubles.length === COUNTER_SLOTS, "counters get exactly their part of the block");
    this.#doubles = doubles;
  }

  /**
   * Adds to a counter.
   *
   * @param counter a {@link CounterIndex}
   * @param amount negative only for gauges
   */
  add(counter: number, amount = 1): void {
    this.#doubles[counter] = this.#doubles[counter]! + amount;
  }

  /** Sets a counter; writing the same value twice counts once. */
  set(counter: number, value: number): void {
    this.#doubles[counter] = value;
  }

  /** Counters `first` to `first + count - 1`, for who counts too often for a call. */
  view(first: number, count: number): Float64Array<SharedArrayBuffer> {
    return this.#doubles.subarray(first, first + count);
  }

  /** This thread's part of a counter. */
  get(counter: number): number {
    return this.#doubles[counter]!;
  }
}

/** The event counters at one time: `received = processed + dropped + failed + pending`. */
export interface EventCounters {
  /** Well-formed events. */
  received: number;
  /** Events that changed a balance. */
  processed: number;
  /** Refused events, all reasons. */
  dropped: number;
  /** Accepted events that were settled without effect, all reasons. */
  failed: number;
  /** Accepted events that are not settled yet; never negative. */
  pending: number;
}

const DROPPED_COUNTERS = [
  CounterIndex.DROPPED_BUSY,
  CounterIndex.DROPPED_OUT_OF_MEMORY,
  CounterIndex.DROPPED_SHUTTING_DOWN,
  CounterIndex.DROPPED_STORAGE_UNAVAILABLE,
];
const FAILED_COUNTERS = [
  CounterIndex.FAILED_OVERFLOW,
  CounterIndex.FAILED_WRONG_TYPE,
  CounterIndex.FAILED_OUT_OF_MEMORY,
  CounterIndex.FAILED_PROCESSOR_ERROR,
  CounterIndex.FAILED_TIMEOUT,
];
const SETTLED_COUNTERS = [CounterIndex.PROCESSED, ...DROPPED_COUNTERS, ...FAILED_COUNTERS];

/**
 * Adds up the event counters of one {@link MetricsRegion.readCounters}.
 *
 * @param sums index = {@link CounterIndex}
 */
export function eventCounters(sums: Float64Array): EventCounters {
  const received = sums[CounterIndex.RECEIVED]!;
  const processed = sums[CounterIndex.PROCESSED]!;
  const dropped = sumOf(sums, DROPPED_COUNTERS);
  const failed = sumOf(sums, FAILED_COUNTERS);
  return { received, processed, dropped, failed, pending: received - processed - dropped - failed };
}

/** What another thread needs to attach; can be sent with `postMessage`. */
export interface MetricsMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** Views of a metrics region. Thread: any; make one per thread. */
export class MetricsRegion {
  /** Hand this to another thread for {@link MetricsRegion.attach}. */
  readonly memory: MetricsMemory;
  /** Number of thread blocks. */
  readonly threadCount: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #counters: Float64Array<SharedArrayBuffer>[] = [];
  readonly #histograms: Float64Array<SharedArrayBuffer>[][] = [];

  private constructor(buffer: SharedArrayBuffer) {
    this.memory = { buffer };
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.threadCount = this.#words[THREAD_COUNT_WORD]!;
    for (let thread = 0; thread < this.threadCount; thread++) {
      const at = HEADER_BYTES + thread * BLOCK_BYTES;
      this.#counters.push(new Float64Array(buffer, at, COUNTER_SLOTS));
      this.#histograms.push(histogramViews(buffer, at + COUNTER_SLOTS * 8));
    }
  }

  /**
   * Makes a region of zeros.
   *
   * @param threadCount blocks, one for each I/O thread and each worker slot
   */
  static create(threadCount: number): MetricsRegion {
    assert(Number.isInteger(threadCount) && threadCount > 0, `${threadCount} threads can count`);
    const buffer = new SharedArrayBuffer(HEADER_BYTES + threadCount * BLOCK_BYTES);
    const words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    words[MAGIC_WORD] = MAGIC;
    words[THREAD_COUNT_WORD] = threadCount;
    return new MetricsRegion(buffer);
  }

  /** Opens a region that another thread made. */
  static attach(memory: MetricsMemory): MetricsRegion {
    const region = new MetricsRegion(memory.buffer);
    region.assertInvariants();
    return region;
  }

  /** The counters of one thread. Thread: see {@link ThreadCounters}. */
  counters(threadId: number): ThreadCounters {
    return new ThreadCounters(this.#countersOf(threadId));
  }

  /** A histogram of one thread. Thread: see {@link HistogramRecorder}. */
  histogram(threadId: number, histogram: HistogramIndex): HistogramRecorder {
    this.#countersOf(threadId);
    return new HistogramRecorder(this.#histograms[threadId]![histogram]!);
  }

  /** A histogram of one thread as it is now. Thread: any; a snapshot. */
  threadSnapshot(threadId: number, histogram: HistogramIndex): HistogramSnapshot {
    this.#countersOf(threadId);
    const snapshot = new HistogramSnapshot();
    snapshot.add(this.#histograms[threadId]![histogram]!);
    return snapshot;
  }

  /** A counter summed over all threads. Thread: any; a snapshot. */
  total(counter: CounterIndex): number {
    let sum = 0;
    for (const block of this.#counters) sum += block[counter]!;
    return sum;
  }

  /** A histogram summed over all threads. Thread: any; a snapshot. */
  snapshot(histogram: HistogramIndex): HistogramSnapshot {
    const sum = new HistogramSnapshot();
    for (const block of this.#histograms) sum.add(block[histogram]!);
    return sum;
  }

  /**
   * Sums every counter over all threads, so that the event counters fit together.
   *
   * Thread: any; stops nobody.
   *
   * @returns the sums, index = {@link CounterIndex}
   */
  readCounters(): Float64Array {
    const sums = new Float64Array(COUNTER_SLOTS);
    for (const block of this.#counters) {
      for (let i = 0; i < COUNTER_SLOTS; i++) sums[i] = sums[i]! + block[i]!;
    }
    // A full barrier: the loads above are done before those below. Pairs with the atomics of the
    // channel, which carry an event from the thread that counts it received to the one that
    // counts it settled.
    Atomics.add(this.#words, FENCE_WORD, 0);
    // A refusal is counted by one thread with two plain stores, which a machine with weak store
    // order may show in either order; what is settled was received.
    sums[CounterIndex.RECEIVED] = Math.max(
      this.total(CounterIndex.RECEIVED),
      sumOf(sums, SETTLED_COUNTERS),
    );
    return sums;
  }

  /**
   * Reads the event counters so that they fit together.
   *
   * Thread: any; stops nobody.
   */
  readEventCounters(): EventCounters {
    return eventCounters(this.readCounters());
  }

  /**
   * Checks the header, the size and that no counter is broken.
   *
   * Thread: any.
   *
   * @throws {AssertionFault} when the memory is not an intact metrics region
   */
  assertInvariants(): void {
    const { buffer } = this.memory;
    assert(this.#words[MAGIC_WORD] === MAGIC, "the memory is a metrics region");
    assert(
      buffer.byteLength === HEADER_BYTES + this.threadCount * BLOCK_BYTES,
      `${buffer.byteLength} bytes hold ${this.threadCount} blocks`,
    );
    for (const block of this.#counters) {
      assert(block.every((value) => Number.isFinite(value)), "counters are finite");
    }
  }

  #countersOf(threadId: number): Float64Array<SharedArrayBuffer> {
    const block = this.#counters[threadId];
    assert(block !== undefined, `thread ${threadId} has one of ${this.threadCount} blocks`);
    return block;
  }
}

function histogramViews(buffer: SharedArrayBuffer, at: number): Float64Array<SharedArrayBuffer>[] {
  const views: Float64Array<SharedArrayBuffer>[] = [];
  for (let i = 0; i < HISTOGRAM_COUNT; i++) {
    views.push(new Float64Array(buffer, at + i * HISTOGRAM_DOUBLES * 8, HISTOGRAM_DOUBLES));
  }
  return views;
}

function sumOf(sums: Float64Array, counters: readonly CounterIndex[]): number {
  return counters.reduce<number>((sum, counter) => sum + sums[counter]!, 0);
}
