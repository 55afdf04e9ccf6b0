/**
 * Counting with several threads: the ways there are, and the memory that they count in.
 *
 * ```text
 * counters
 *   byte 0            the counter that all threads share, under a lock, as an atomic, or bare
 *        128 × (1+i)  thread i's own counter, with two cache lines to itself
 *        2176 + 4 × i thread i's own counter, side by side with those of the others
 * ```
 *
 * Two lines and not one, because processors fetch neighbours along. The lock is the one that guards
 * the store's shards, in a control region of its own (`src/store/locks.ts`).
 *
 * @module
 */

import { ControlRegion } from "../../store/control.ts";
import { type LockKind, ShardLocks } from "../../store/locks.ts";
import type { CrewWork } from "../crew/tasks.ts";

/** Most threads that count at a time. */
export const COUNTING_THREADS_MAX = 16;

/** The ways to count. The last one is wrong, and shows that the others' sums mean something. */
export const COUNTER_KINDS = [
  "one lock",
  "one shared atomic",
  "atomics side by side, one per thread",
  "padded atomics, one per thread",
  "no lock at all",
] as const;

/** One of {@link COUNTER_KINDS}. */
export type CounterKind = typeof COUNTER_KINDS[number];

/** Increments between two looks at whether the round is over. */
const TURN = 1000;
const PADDED = 32;
const PADDED_STRIDE = 32;
const SIDE_BY_SIDE = PADDED + COUNTING_THREADS_MAX * PADDED_STRIDE;
const COUNTER_WORDS = SIDE_BY_SIDE + COUNTING_THREADS_MAX;

/** What threads attach to. */
export interface CounterBuffers {
  /** The counters, as drawn above. */
  readonly counters: SharedArrayBuffer;
  /** A control region of one shard, for its lock. */
  readonly control: SharedArrayBuffer;
}

/** Counters in shared memory. Thread: any; see the methods. */
export class CounterMemory {
  /** What other threads attach to. */
  readonly buffers: CounterBuffers;
  readonly #words: Uint32Array<SharedArrayBuffer>;

  private constructor(buffers: CounterBuffers) {
    this.buffers = buffers;
    this.#words = new Uint32Array(buffers.counters);
  }

  /** Makes counters, all 0. */
  static create(lockKind: LockKind): CounterMemory {
    const control = ControlRegion.create({
      shardCount: 1,
      lockKind: lockKind === "rwlock" ? 1 : 0,
      pageCount: 2,
      threadCount: COUNTING_THREADS_MAX,
      hashSeed: new Uint32Array(2),
      maxValueBytes: 1,
      segmentShift: 13,
    });
    return new CounterMemory({
      counters: new SharedArrayBuffer(COUNTER_WORDS * 4),
      control: control.buffer,
    });
  }

  /** Sets all to 0. Thread: any, while nobody counts. */
  reset(): void {
    this.#words.fill(0);
  }

  /** What was counted in a way, modulo 2^32. Thread: any, while nobody counts. */
  total(kind: CounterKind): number {
    const words = this.#words;
    if (kind === "padded atomics, one per thread") {
      return threads().reduce((sum, i) => sum + words[PADDED + i * PADDED_STRIDE]!, 0);
    }
    if (kind === "atomics side by side, one per thread") {
      return threads().reduce((sum, i) => sum + words[SIDE_BY_SIDE + i]!, 0);
    }
    return words[0]!;
  }
}

function threads(): number[] {
  return Array.from({ length: COUNTING_THREADS_MAX }, (_, i) => i);
}

/** Order to count. */
export interface IncrementTask {
  /** What the task is. */
  readonly kind: "increments";
  /** Where. */
  readonly buffers: CounterBuffers;
  /** How. */
  readonly way: CounterKind;
  /** Which of the threads that count, 0 to {@link COUNTING_THREADS_MAX} - 1. */
  readonly thread: number;
  /** Whether the lock is only taken to share and nothing is counted. */
  readonly isShared: boolean;
}

/** Tasks for a number of threads that count in the same way. */
export function incrementTasks(
  memory: CounterMemory,
  way: CounterKind,
  threadCount: number,
): IncrementTask[] {
  return Array.from({ length: threadCount }, (_, thread) => {
    return { kind: "increments", buffers: memory.buffers, way, thread, isShared: false };
  });
}

/** Makes a thread ready to count. Thread: one of the crew. */
export function prepareIncrements(task: IncrementTask): CrewWork {
  return { turn: TURN, run: runOf(task), writeCount: 0 };
}

function runOf({ buffers, way, thread, isShared }: IncrementTask): (count: number) => void {
  const words = new Int32Array(buffers.counters);
  switch (way) {
    case "one lock": {
      const locks = new ShardLocks(ControlRegion.attach(buffers.control), thread, false);
      if (isShared) return (count) => share(locks, count);
      return (count) => addLocked(locks, words, count);
    }
    case "one shared atomic":
      return (count) => addAtomically(words, 0, count);
    case "atomics side by side, one per thread":
      return (count) => addAtomically(words, SIDE_BY_SIDE + thread, count);
    case "padded atomics, one per thread":
      return (count) => addAtomically(words, PADDED + thread * PADDED_STRIDE, count);
    case "no lock at all":
      return (count) => addBare(words, count);
  }
}

function addLocked(locks: ShardLocks, words: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    locks.lock(0, true);
    words[0]!++;
    locks.unlock(0, true);
  }
}

function share(locks: ShardLocks, count: number): void {
  for (let i = 0; i < count; i++) {
    locks.lock(0, false);
    locks.unlock(0, false);
  }
}

function addAtomically(words: Int32Array, at: number, count: number): void {
  for (let i = 0; i < count; i++) Atomics.add(words, at, 1);
}

function addBare(words: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) words[0]!++;
}
