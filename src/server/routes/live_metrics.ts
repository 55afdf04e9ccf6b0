/**
 * The counters as they change, for everybody who watches.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { appendFrame, Opcode } from "../../protocol/websocket/frame.ts";

/**
 * Intervals are multiples of this, and the counters are read at most once in it, however many watch.
 *
 * Unit: ms.
 */
export const TICK_MS = 50;

/** Shortest interval. Unit: ms. Reason: people do not see more, and each reading costs 0.1 ms. */
export const MIN_INTERVAL_MS = 100;

/** Longest interval. Unit: ms. */
export const MAX_INTERVAL_MS = 60_000;

/** Interval when none is named. Unit: ms. */
export const DEFAULT_INTERVAL_MS = 1000;

/** How long viewers are served before others have their turn. Unit: ms. */
const TURN_MS = 1;

/** Viewers between two readings of the clock. */
const VIEWERS_PER_READING = 8;

const encoder = new TextEncoder();

/**
 * The counters at one moment, encoded once for all who are shown them.
 *
 * Thread: one I/O thread.
 */
export class MetricsSnapshot {
  readonly #atMs: number;
  readonly #json: string;
  readonly #name: string;
  #frame: Uint8Array | undefined;
  #event: Uint8Array | undefined;

  /**
   * Encodes the metrics.
   *
   * @param atMs when they were read, ms since the epoch
   * @param name what the event is called
   */
  constructor(atMs: number, metrics: unknown, name = "metrics") {
    this.#atMs = atMs;
    this.#name = name;
    this.#json = JSON.stringify(metrics);
  }

  /** A WebSocket frame: `{"type":"metrics","at":…,"metrics":{…}}`. */
  get frame(): Uint8Array {
    return this.#frame ??= frameOf(
      `{"type":"metrics","at":${this.#atMs},"metrics":${this.#json}}`,
    );
  }

  /** A server-sent event: `id: …`, `event: metrics`, `data: {…}`. */
  get event(): Uint8Array {
    return this.#event ??= encoder.encode(
      `id: ${this.#atMs}\nevent: ${this.#name}\ndata: ${this.#json}\n\n`,
    );
  }
}

/** Somebody who watches. */
export interface MetricsViewer {
  /** Shows the counters, unless the last ones have not left yet. */
  show(snapshot: MetricsSnapshot): void;
}

/** What {@link LiveMetrics} is made from. */
export interface LiveMetricsOptions {
  /** The metrics as a value for `JSON.stringify`. */
  readonly read: () => unknown;
  /** What server-sent events are called; `metrics` when left out. */
  readonly eventName?: string;
  /** Told when the first viewer joins and when the last one has left. */
  readonly onWatched?: (isWatched: boolean) => void;
  /** A monotonic clock; `performance.now` when left out. Unit: ms. */
  readonly nowMs?: () => number;
}

/**
 * Shows the counters to viewers, each at its interval.
 *
 * Intervals begin at the same moments for all, so that viewers share what is read and encoded: once
 * per interval and thread, not per viewer. With no viewer there is no timer.
 *
 * Thread: one I/O thread.
 */
export class LiveMetrics {
  readonly #options: LiveMetricsOptions;
  readonly #nowMs: () => number;
  /** By interval. Unit of the keys: ticks. */
  readonly #groups = new Map<number, Set<MetricsViewer>>();
  /** Unit: ticks. */
  readonly #intervals = new Map<MetricsViewer, number>();
  #snapshot: MetricsSnapshot | undefined;
  #snapshotTick = -1;
  /** The last tick whose viewers were served. */
  #lastTick = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer rings. Unit: ticks. */
  #timerTick = Infinity;
  /** Whether viewers are being served; the timer is set behind that. */
  #isServing = false;

  /** Starts without viewers. */
  constructor(options: LiveMetricsOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Viewers now. */
  get viewerCount(): number {
    return this.#intervals.size;
  }

  /** The counters now, or as they were in this tick. */
  current(): MetricsSnapshot {
    const tick = this.#tick();
    if (this.#snapshot === undefined || this.#snapshotTick !== tick) {
      const { read, eventName } = this.#options;
      this.#snapshot = new MetricsSnapshot(Date.now(), read(), eventName);
      this.#snapshotTick = tick;
    }
    return this.#snapshot;
  }

  /**
   * Shows the counters to a viewer from now on, at another interval if it watches already.
   *
   * @param intervalMs is rounded up to a multiple of {@link TICK_MS}
   * @returns the interval in ms
   */
  join(viewer: MetricsViewer, intervalMs: number): number {
    this.leave(viewer);
    const interval = Math.ceil(intervalMs / TICK_MS);
    if (this.#intervals.size === 0) {
      this.#lastTick = this.#tick();
      this.#options.onWatched?.(true);
    }
    let group = this.#groups.get(interval);
    if (group === undefined) this.#groups.set(interval, group = new Set());
    group.add(viewer);
    this.#intervals.set(viewer, interval);
    if (!this.#isServing && this.#nextTick(interval) < this.#timerTick) this.#setTimer();
    return interval * TICK_MS;
  }

  /** Shows a viewer nothing more; any number of times. */
  leave(viewer: MetricsViewer): void {
    const interval = this.#intervals.get(viewer);
    if (interval === undefined) return;
    this.#intervals.delete(viewer);
    const group = this.#groups.get(interval)!;
    group.delete(viewer);
    if (group.size === 0) this.#groups.delete(interval);
    if (this.#intervals.size > 0) return;
    this.#clearTimer();
    this.#options.onWatched?.(false);
  }

  /** Serves the viewers whose interval has begun since the last time; the timer calls it. */
  async serve(): Promise<void> {
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      await this.#serveDue();
    } finally {
      this.#isServing = false;
      if (this.#intervals.size > 0) this.#setTimer();
    }
  }

  async #serveDue(): Promise<void> {
    const tick = this.#tick();
    const due: MetricsViewer[] = [];
    for (const [interval, viewers] of this.#groups) {
      if (Math.floor(tick / interval) === Math.floor(this.#lastTick / interval)) continue;
      for (const viewer of viewers) due.push(viewer);
    }
    this.#lastTick = tick;
    if (due.length === 0) return;
    const snapshot = this.current();
    let startedAtMs = this.#nowMs();
    for (const [index, viewer] of due.entries()) {
      if (index % VIEWERS_PER_READING === 0 && this.#nowMs() - startedAtMs >= TURN_MS) {
        await new Promise((resolve) => setTimeout(resolve));
        startedAtMs = this.#nowMs();
      }
      if (this.#intervals.has(viewer)) viewer.show(snapshot);
    }
  }

  #tick(): number {
    return Math.floor(this.#nowMs() / TICK_MS);
  }

  /** The next tick at which an interval begins. */
  #nextTick(interval: number): number {
    return (Math.floor(this.#lastTick / interval) + 1) * interval;
  }

  #setTimer(): void {
    this.#clearTimer();
    for (const interval of this.#groups.keys()) {
      this.#timerTick = Math.min(this.#timerTick, this.#nextTick(interval));
    }
    const delayMs = Math.max(0, this.#timerTick * TICK_MS - this.#nowMs());
    this.#timer = setTimeout(() => void this.serve(), Math.ceil(delayMs));
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerTick = Infinity;
  }
}

function frameOf(text: string): Uint8Array {
  const writer = new ByteWriter(text.length + 16);
  appendFrame(writer, Opcode.TEXT, encoder.encode(text));
  return writer.view();
}
