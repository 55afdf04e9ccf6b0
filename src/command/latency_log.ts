/**
 * When something took longer than `latency-monitor-threshold`: what `LATENCY` shows.
 *
 * @module
 */

/** Samples that are kept of an event. Source: Redis. */
export const LATENCY_SAMPLES_MAX = 160;

/** Events that are known. */
export const LATENCY_EVENTS = ["command", "fast-command"] as const;

/** One of {@link LATENCY_EVENTS}. */
export type LatencyEvent = (typeof LATENCY_EVENTS)[number];

/** The worst of one second; structured-cloneable. */
export interface LatencySample {
  /** Unit: s since the epoch. */
  readonly atSeconds: number;
  /** Unit: ms. */
  readonly latencyMs: number;
}

/** What is known of one event; structured-cloneable. */
export interface LatencySeries {
  /** The event. */
  readonly event: string;
  /** Oldest first, at most one a second. */
  readonly samples: readonly LatencySample[];
  /** The worst since the last reset. Unit: ms. */
  readonly maxMs: number;
}

/**
 * The samples of one thread.
 *
 * Thread: that thread.
 */
export class LatencyLog {
  readonly #series = new Map<string, { samples: LatencySample[]; maxMs: number }>();

  /** Takes note of something that took long. */
  add(event: LatencyEvent, atSeconds: number, latencyMs: number): void {
    let series = this.#series.get(event);
    if (series === undefined) this.#series.set(event, series = { samples: [], maxMs: 0 });
    series.maxMs = Math.max(series.maxMs, latencyMs);
    const last = series.samples.at(-1);
    if (last?.atSeconds === atSeconds) {
      if (last.latencyMs >= latencyMs) return;
      series.samples.pop();
    }
    series.samples.push({ atSeconds, latencyMs });
    if (series.samples.length > LATENCY_SAMPLES_MAX) series.samples.shift();
  }

  /** A copy of everything. */
  all(): LatencySeries[] {
    return [...this.#series].map(([event, { samples, maxMs }]) => ({
      event,
      samples: [...samples],
      maxMs,
    }));
  }

  /** Forgets these events, or all. @returns which there were */
  reset(events: readonly string[]): string[] {
    const names = [...this.#series.keys()].filter((name) =>
      events.length === 0 || events.includes(name)
    );
    for (const name of names) this.#series.delete(name);
    return names;
  }
}

/** What several threads know, as if it were one. */
export function mergeLatency(parts: readonly LatencySeries[]): LatencySeries[] {
  const events = [...new Set(parts.map(({ event }) => event))].sort();
  return events.map((event) => {
    const series = parts.filter((part) => part.event === event);
    const worst = new Map<number, number>();
    for (const { atSeconds, latencyMs } of series.flatMap(({ samples }) => samples)) {
      worst.set(atSeconds, Math.max(worst.get(atSeconds) ?? 0, latencyMs));
    }
    const samples = [...worst].map(([atSeconds, latencyMs]) => ({ atSeconds, latencyMs }))
      .toSorted((a, b) => a.atSeconds - b.atSeconds).slice(-LATENCY_SAMPLES_MAX);
    return { event, samples, maxMs: Math.max(...series.map(({ maxMs }) => maxMs)) };
  });
}
