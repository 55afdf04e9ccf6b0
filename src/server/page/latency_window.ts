/**
 * How long things take now, and not since the start.
 *
 * @module
 */

import type { HistogramSnapshot } from "../../metrics/histogram.ts";
import type { WindowJson } from "./frame.ts";

/** How far back "now" goes. Unit: ms. Reason: shorter, a quiet server's p99 is its one request. */
const WINDOW_MS = 1000;

/** Something at a time. */
interface Reading<Value> {
  readonly atMs: number;
  readonly value: Value;
}

/**
 * Readings of the last second, and one that is at least a second old.
 *
 * Thread: one I/O thread.
 */
class Readings<Value> {
  /** Oldest first; the second one is younger than the window. */
  #readings: Reading<Value>[] = [];

  /** Adds one; returns the oldest. */
  add(atMs: number, value: Value): Value {
    const readings = this.#readings;
    // After a break with nobody watching, nothing is known of the last second.
    if (atMs - (readings.at(-1)?.atMs ?? 0) > 2 * WINDOW_MS) readings.length = 0;
    readings.push({ atMs, value });
    while (readings.length > 2 && atMs - readings[1]!.atMs >= WINDOW_MS) readings.shift();
    return readings[0]!.value;
  }

  clear(): void {
    this.#readings = [];
  }
}

/**
 * Keeps snapshots of a histogram for a second, and tells what was counted since the oldest one.
 *
 * Thread: one I/O thread.
 */
export class LatencyWindow {
  readonly #read: () => HistogramSnapshot;
  readonly #readings = new Readings<HistogramSnapshot>();

  /** Reads nothing yet. */
  constructor(read: () => HistogramSnapshot) {
    this.#read = read;
  }

  /**
   * Reads once more.
   *
   * @param nowMs on a clock that does not go back
   */
  take(nowMs: number): WindowJson {
    const snapshot = this.#read();
    const recent = snapshot.since(this.#readings.add(nowMs, snapshot));
    return {
      count: recent.count,
      p50_ms: recent.quantileMs(0.5),
      p99_ms: recent.quantileMs(0.99),
      p999_ms: recent.quantileMs(0.999),
    };
  }

  /** Forgets what was read. */
  clear(): void {
    this.#readings.clear();
  }
}

/**
 * The same for durations that are counted in few buckets.
 *
 * Thread: one I/O thread.
 */
export class BucketWindow {
  readonly #boundsUs: readonly number[];
  readonly #readings = new Readings<readonly number[]>();

  /** Knows the upper bounds of the buckets. */
  constructor(boundsUs: readonly number[]) {
    this.#boundsUs = boundsUs;
  }

  /**
   * Takes one more reading.
   *
   * @param counts how many were at most as long as each bound; the last number is all of them
   * @returns the bound that 99 of 100 of the last second do not exceed, in ms; 0 when there were none
   */
  p99Ms(nowMs: number, counts: readonly number[]): number {
    const before = this.#readings.add(nowMs, counts);
    const grown = counts.map((count, index) => count - before[index]!);
    const all = grown.at(-1)!;
    if (all <= 0) return 0;
    const index = grown.findIndex((count) => count >= all * 0.99);
    return (this.#boundsUs[index] ?? this.#boundsUs.at(-1)!) / 1000;
  }

  /** Forgets what was read. */
  clear(): void {
    this.#readings.clear();
  }
}
