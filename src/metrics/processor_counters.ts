/**
 * Counters that a processor of one's own declares, in one SharedArrayBuffer.
 *
 * ```text
 * byte 0     header, 128 bytes: int32 magic, threads, counters
 * byte 128   block of thread 0, a whole number of 128 bytes
 *   0        one double per counter: its value
 *   n × 8    one double per counter: the value that it has after the job in hand
 *   2n × 8   int32 of which counters that says something, one bit each
 * …          block of thread 1
 * ```
 *
 * Like the outcome of an event ({@link MetricsRegion} and the slots of workers), what a job counts is put
 * down as absolute values before the job is applied, and made the values when it is settled. So it
 * does not matter who settles the job, nor whether that was done before: it counts once.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

const MAGIC = 0x534c5043;
const HEADER_BYTES = 128;
const GAP_BYTES = 128;
const THREAD_COUNT_WORD = 1;
const COUNTER_COUNT_WORD = 2;
/** Most counters: one bit each. */
const MAX_COUNTERS = 32;

/** What another thread needs to attach; structured-cloneable. */
export interface ProcessorCountersMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** One thread's counters. Thread: its own, and its supervisor when it has ended. */
export class ThreadProcessorCounters {
  readonly #values: Float64Array;
  readonly #next: Float64Array;
  readonly #mask: Int32Array;

  /** Wraps a block; made by {@link ProcessorCounters.of}. */
  constructor(buffer: SharedArrayBuffer, at: number, counterCount: number) {
    this.#values = new Float64Array(buffer, at, counterCount);
    this.#next = new Float64Array(buffer, at + counterCount * 8, counterCount);
    this.#mask = new Int32Array(buffer, at + counterCount * 16, 1);
  }

  /**
   * Puts down what a job counts, in place of what the last one did.
   *
   * @param sums how much is added to each counter
   */
  prepare(sums: Float64Array): void {
    let mask = 0;
    for (let i = 0; i < this.#values.length; i++) {
      if (sums[i] === 0) continue;
      this.#next[i] = this.#values[i]! + sums[i]!;
      mask |= 1 << i;
    }
    this.#mask[0] = mask;
  }

  /** Puts down that a job counts nothing. */
  prepareNothing(): void {
    this.#mask[0] = 0;
  }

  /** Makes what was put down the values; doing it twice is doing it once. */
  settle(): void {
    const mask = this.#mask[0]!;
    if (mask === 0) return;
    for (let i = 0; i < this.#values.length; i++) {
      if ((mask & (1 << i)) !== 0) this.#values[i] = this.#next[i]!;
    }
  }
}

/**
 * The counters of all threads.
 *
 * Thread: any; one instance each.
 *
 * @example
 * ```ts
 * import { ProcessorCounters } from "./processor_counters.ts";
 * const counters = ProcessorCounters.create(2, ["sold", "refused"]);
 * const own = counters.of(1);
 * own.prepare(Float64Array.of(3, 0));
 * own.settle();
 * own.settle();
 * console.assert(counters.total(0) === 3);
 * ```
 */
export class ProcessorCounters {
  /** To hand to another thread for {@link ProcessorCounters.attach}. */
  readonly memory: ProcessorCountersMemory;
  /** What they are called, in their order. */
  readonly names: readonly string[];
  readonly #threadCount: number;
  readonly #blockBytes: number;

  private constructor(memory: ProcessorCountersMemory, names: readonly string[]) {
    const words = new Int32Array(memory.buffer, 0, HEADER_BYTES / 4);
    assert(words[0] === MAGIC, "the buffer has counters of a processor");
    assert(words[COUNTER_COUNT_WORD] === names.length, "each of the counters has a name");
    this.memory = memory;
    this.names = names;
    this.#threadCount = words[THREAD_COUNT_WORD]!;
    this.#blockBytes = blockBytes(names.length);
  }

  /** Makes counters that are 0. Thread: any, before others attach. */
  static create(threadCount: number, names: readonly string[]): ProcessorCounters {
    assert(names.length <= MAX_COUNTERS, `${names.length} counters are possible`);
    const buffer = new SharedArrayBuffer(HEADER_BYTES + threadCount * blockBytes(names.length));
    const words = new Int32Array(buffer);
    words[0] = MAGIC;
    words[THREAD_COUNT_WORD] = threadCount;
    words[COUNTER_COUNT_WORD] = names.length;
    return new ProcessorCounters({ buffer }, names);
  }

  /** Opens counters made by {@link ProcessorCounters.create}, possibly in another thread. */
  static attach(memory: ProcessorCountersMemory, names: readonly string[]): ProcessorCounters {
    return new ProcessorCounters(memory, names);
  }

  /** One thread's counters. */
  of(threadId: number): ThreadProcessorCounters {
    assert(threadId >= 0 && threadId < this.#threadCount, `thread ${threadId} has counters`);
    const at = HEADER_BYTES + threadId * this.#blockBytes;
    return new ThreadProcessorCounters(this.memory.buffer, at, this.names.length);
  }

  /** Sum of a counter over all threads. A snapshot. */
  total(index: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.#threadCount; thread++) {
      const at = HEADER_BYTES + thread * this.#blockBytes + index * 8;
      sum += new Float64Array(this.memory.buffer, at, 1)[0]!;
    }
    return sum;
  }
}

function blockBytes(counterCount: number): number {
  return Math.ceil((counterCount * 16 + 4) / 128) * 128 + GAP_BYTES;
}
