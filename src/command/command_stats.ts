/**
 * How often each command was called, how long it took and how often it was refused.
 *
 * ```text
 * one command in a thread's block, 32 doubles
 *   0    calls
 *   1    calls that were measured
 *   2    how long all calls took together, µs
 *   3    refused before they ran: number of arguments, password, memory
 *   4    ran and replied with an error
 *   5    calls that took up to 1 µs, 2 µs, 4 µs … 2^26 µs and more (27 doubles)
 * ```
 *
 * Reading the clock twice costs as much as a small command, so of commands that take constant time
 * the first {@link MEASURED_EVERY} are measured and then one in as many, which counts for all of
 * them; whatever can take long is measured each time.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { CommandTable } from "./lookup.ts";
import {
  ERROR_TOTALS,
  type OperationsRegion,
  STATISTICS_ROW_DOUBLES,
  STATISTICS_ROWS_MAX,
  THREAD_BLOCK_DOUBLES,
} from "./operations_memory.ts";
import type { CommandRow } from "./row.ts";

/** Of commands that take constant time, one in so many is measured; a power of two. */
export const MEASURED_EVERY = 64;

/** Offsets inside a command's doubles. */
const Field = { CALLS: 0, MEASURED: 1, MICROS: 2, REJECTED: 3, FAILED: 4, BUCKETS: 5 } as const;

const BUCKET_COUNT = STATISTICS_ROW_DOUBLES - Field.BUCKETS;

/** One command's numbers over all threads. */
export interface CommandNumbers {
  /** The command. */
  readonly row: CommandRow;
  /** Calls that ran. */
  readonly calls: number;
  /** How long they took together, to which those that were measured contribute for all. Unit: µs. */
  readonly micros: number;
  /** Refused before they ran. */
  readonly rejected: number;
  /** Ran and replied with an error. */
  readonly failed: number;
  /** Calls by duration; index i counts those that took more than 2^(i-1) and at most 2^i µs. */
  readonly buckets: readonly number[];
}

/** All rows of a table, subcommands behind their container; the same order in every thread. */
export function allRows(table: CommandTable): CommandRow[] {
  return table.rows.flatMap((row) => [row, ...(row.subcommands?.rows ?? [])]);
}

/**
 * Counts the commands of one thread and reads those of all.
 *
 * Thread: one per I/O thread.
 */
export class CommandStats {
  readonly #region: OperationsRegion;
  readonly #block: Float64Array<SharedArrayBuffer>;
  readonly #rows: readonly CommandRow[];

  /**
   * Numbers the rows of this thread's table.
   *
   * @param blockIndex which of the region's blocks is this thread's
   */
  constructor(region: OperationsRegion, blockIndex: number, table: CommandTable) {
    this.#region = region;
    this.#block = region.blocks[blockIndex]!;
    this.#rows = allRows(table);
    assert(this.#rows.length <= STATISTICS_ROWS_MAX, "there is room for every command");
    for (const [index, row] of this.#rows.entries()) {
      row.statisticsAt = ERROR_TOTALS + index * STATISTICS_ROW_DOUBLES;
    }
  }

  /** Counts a call; returns how many there were before. */
  countCall(row: CommandRow): number {
    const block = this.#block;
    const calls = block[row.statisticsAt]!;
    block[row.statisticsAt] = calls + 1;
    return calls;
  }

  /** Takes back a call that did nothing and will come again. */
  takeBack(row: CommandRow): void {
    this.#block[row.statisticsAt]! -= 1;
  }

  /** Takes note of how long a call took, which counts for `weight` calls. */
  measured(row: CommandRow, micros: number, weight: number): void {
    const block = this.#block;
    const at = row.statisticsAt;
    block[at + Field.MEASURED]! += 1;
    block[at + Field.MICROS]! += micros * weight;
    block[at + Field.BUCKETS + bucketOf(micros)]! += weight;
  }

  /** Counts a call that was refused before it ran. */
  rejected(row: CommandRow): void {
    this.#block[row.statisticsAt + Field.REJECTED]! += 1;
  }

  /** Counts a call that replied with an error. */
  failed(row: CommandRow): void {
    this.#block[row.statisticsAt + Field.FAILED]! += 1;
  }

  /** Counts an error reply, of a command or of none. */
  error(code: number): void {
    this.#block[code]! += 1;
  }

  /** The commands that were called or refused since the last reset, in the order of the table. */
  numbers(): CommandNumbers[] {
    const sums = this.#sums();
    const numbers: CommandNumbers[] = [];
    for (const row of this.#rows) {
      const at = row.statisticsAt;
      const calls = sums[at]!;
      const rejected = sums[at + Field.REJECTED]!;
      if (calls === 0 && rejected === 0) continue;
      const micros = sums[at + Field.MICROS]!;
      const failed = sums[at + Field.FAILED]!;
      const buckets = [...sums.subarray(at + Field.BUCKETS, at + STATISTICS_ROW_DOUBLES)];
      numbers.push({ row, calls, micros, rejected, failed, buckets });
    }
    return numbers;
  }

  /** Error replies since the last reset, index = reply code. */
  errors(): Float64Array {
    return this.#sums().subarray(0, ERROR_TOTALS);
  }

  /** Hides everything that was counted so far. */
  reset(): void {
    const { blockBaseline } = this.#region;
    blockBaseline.set(this.#totals());
  }

  #sums(): Float64Array {
    const sums = this.#totals();
    const { blockBaseline } = this.#region;
    for (let i = 0; i < sums.length; i++) sums[i] = Math.max(0, sums[i]! - blockBaseline[i]!);
    return sums;
  }

  #totals(): Float64Array {
    const sums = new Float64Array(THREAD_BLOCK_DOUBLES);
    const used = ERROR_TOTALS + this.#rows.length * STATISTICS_ROW_DOUBLES;
    for (const block of this.#region.blocks) {
      for (let i = 0; i < used; i++) sums[i]! += block[i]!;
    }
    return sums;
  }
}

/** The bucket of a duration. */
function bucketOf(micros: number): number {
  if (micros <= 1) return 0;
  return Math.min(BUCKET_COUNT - 1, 32 - Math.clz32(Math.min(Math.ceil(micros) - 1, 2 ** 31)));
}

/**
 * The duration below which a share of the measured calls stayed, as exact as the buckets are.
 *
 * @param share from 0 to 1
 * @returns the bound of the bucket, µs; 0 when nothing was measured
 */
export function percentileMicros(buckets: readonly number[], share: number): number {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let count = 0;
  for (const [index, inBucket] of buckets.entries()) {
    count += inBucket;
    if (count >= total * share) return 2 ** index;
  }
  return 2 ** (buckets.length - 1);
}
