/**
 * Durations in HDR histograms: three significant digits over the whole range, at constant cost.
 *
 * @module
 */

import type { Histogram } from "hdr-histogram-js";
import type { LatencySummary } from "./plan.ts";

/** Histograms have room for this from the start; for more they grow. Unit: µs. */
const EXPECTED_MAX_US = 60_000_000;

/** The library, which only loads need. */
type Library = typeof import("hdr-histogram-js");

/**
 * Makes recorders of durations.
 *
 * Thread: belongs to one thread.
 */
export class LatencyRecorders {
  readonly #library: Library;

  private constructor(library: Library) {
    this.#library = library;
  }

  /** Loads the library: who never measures never pays for it. */
  static async load(): Promise<LatencyRecorders> {
    const library: Library & { readonly default?: Library } = await import("hdr-histogram-js");
    // Of a CommonJS module, joined modules have no names but this one.
    return new LatencyRecorders(library.default ?? library);
  }

  /** An empty recorder. */
  create(): LatencyRecorder {
    return new LatencyRecorder(this.#library.build({
      bitBucketSize: 32,
      autoResize: true,
      lowestDiscernibleValue: 1,
      highestTrackableValue: EXPECTED_MAX_US,
      numberOfSignificantValueDigits: 3,
    }));
  }
}

/** Records durations. Thread: belongs to one thread. */
export class LatencyRecorder {
  readonly #histogram: Histogram;
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  /** Takes an empty histogram of microseconds. */
  constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  /** Records one; a negative one counts as none at all. */
  record(durationMs: number): void {
    const boundedMs = durationMs > 0 ? durationMs : 0;
    this.#count++;
    this.#sumMs += boundedMs;
    if (boundedMs > this.#maxMs) this.#maxMs = boundedMs;
    this.#histogram.recordValue(Math.round(boundedMs * 1000));
  }

  /** Adds what another one recorded. */
  add(other: LatencyRecorder): void {
    if (other.#count === 0) return;
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
    this.#histogram.add(other.#histogram);
  }

  /** In a few numbers; mean and maximum are exact. */
  summary(): LatencySummary {
    const count = this.#count;
    return {
      count,
      averageMs: count === 0 ? 0 : this.#sumMs / count,
      p50Ms: this.#percentileMs(50),
      p90Ms: this.#percentileMs(90),
      p99Ms: this.#percentileMs(99),
      p999Ms: this.#percentileMs(99.9),
      maxMs: this.#maxMs,
    };
  }

  #percentileMs(percentile: number): number {
    if (this.#count === 0) return 0;
    // The histogram gives the largest duration that it cannot tell from the one in question.
    return Math.min(this.#histogram.getValueAtPercentile(percentile) / 1000, this.#maxMs);
  }
}
