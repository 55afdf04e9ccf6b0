/**
 * Looks at a server while it works: one connection, one question at a time.
 *
 * @module
 */

import { Wire } from "../child/wire.ts";
import type { LatencySummary } from "../load/plan.ts";
import type { ServerSample, ShardSample, WorkerSample } from "../model.ts";
import { LATE, pause, within } from "./patience.ts";

/** How often the server is asked while it has a load. Unit: ms. */
const POLL_PERIOD_MS = 100;

/** How long one answer is waited for. Unit: ms. */
const ANSWER_PATIENCE_MS = 10_000;

/** The slowest stage settles two events a second. Unit: ms. */
const SETTLING_PATIENCE_MS = 20_000;

/** How often its shards are looked at. Unit: ms. */
const SHARD_PERIOD_MS = 200;

/** Durations as `/metrics` shows them. */
interface DurationsJson {
  readonly count: number;
  readonly sum_ms: number;
  readonly p50_ms: number;
  readonly p90_ms: number;
  readonly p99_ms: number;
  readonly p999_ms: number;
  readonly max_ms: number;
}

/** What is read of `/metrics`. */
interface MetricsJson {
  readonly processed: number;
  readonly failed: number;
  readonly pending: number;
  readonly channel: { readonly depth: number; readonly capacity: number };
  readonly locks: { readonly wait: DurationsJson | null; readonly hold: DurationsJson | null };
}

/** What is read of `/metrics/contention`. */
interface ContentionJson {
  readonly threads: readonly {
    readonly kind: string;
    readonly index: number;
    readonly wait: DurationsJson | null;
    readonly hold: DurationsJson | null;
  }[];
  readonly shards: readonly {
    readonly shard: number;
    readonly exclusive: number;
    readonly shared: number;
    readonly contended: number;
    readonly wait: { readonly sum_ms: number } | null;
  }[];
}

/** A look at a server at one time on the clock of `performance.now()`. */
interface Look<Value> {
  readonly timeMs: number;
  readonly value: Value;
}

/** How a server is watched. */
export interface WatchOptions {
  /**
   * How often it is asked when that matters and hurts nobody: before anything is settled, and once
   * the load is over. Unit: ms.
   */
  readonly finePeriodMs: number;
  /** Whether its shards are looked at too. */
  readonly watchesShards: boolean;
  /** Nothing settled for so long after the load: nothing will be. Unit: ms; 20 s if left out. */
  readonly settlingPatienceMs?: number;
}

/**
 * A watch over one server.
 *
 * Thread: belongs to one thread. Disposing ends it.
 */
export class ServerWatch implements Disposable {
  /** The load is over: it may be asked more often. */
  isQuiet = false;

  readonly #wire: Wire;
  readonly #options: WatchOptions;
  readonly #looks: Look<MetricsJson>[] = [];
  readonly #shardLooks: Look<ContentionJson>[] = [];
  #shardsDueMs = 0;

  private constructor(wire: Wire, options: WatchOptions) {
    this.#wire = wire;
    this.#options = options;
  }

  /** Opens its connection. */
  static async open(httpPort: number, options: WatchOptions): Promise<ServerWatch> {
    return new ServerWatch(await Wire.connect(httpPort), options);
  }

  /** Events settled, as of the last look. */
  get settled(): number {
    return settledOf(this.#looks.at(-1)?.value);
  }

  /** Events accepted and not settled, as of the last look. */
  get pending(): number {
    return this.#looks.at(-1)?.value.pending ?? 0;
  }

  /**
   * Looks again and again until `isDone`, or until the server closes the connection, does not
   * answer, or settles nothing any more: events that are lost must not be waited for.
   *
   * @param isDone asked after each look: whether so many settled events are all there will be
   */
  async run(isDone: (settled: number) => boolean, signal: AbortSignal): Promise<void> {
    const { finePeriodMs, settlingPatienceMs = SETTLING_PATIENCE_MS } = this.#options;
    let progressedAtMs = performance.now();
    for (let dueMs = progressedAtMs;;) {
      const settledBefore = this.settled;
      try {
        await this.#look(signal);
      } catch {
        // A server that stops closes its connections; one that has died is noticed elsewhere.
        signal.throwIfAborted();
        return;
      }
      if (isDone(this.settled)) return;
      if (this.settled !== settledBefore || !this.isQuiet) progressedAtMs = performance.now();
      else if (performance.now() - progressedAtMs > settlingPatienceMs) return;
      const isFine = this.isQuiet || this.settled === 0;
      dueMs += isFine ? finePeriodMs : POLL_PERIOD_MS;
      const pauseMs = dueMs - performance.now();
      // Late ones are left out: two looks in a row would see the same.
      if (pauseMs <= 0) dueMs = performance.now();
      await pause(Math.max(0, pauseMs), signal);
    }
  }

  /** Reads how long locks were waited for and held, in the end. */
  async readLocks(
    signal: AbortSignal,
  ): Promise<{ lockWait: LatencySummary; lockHold: LatencySummary; workers: WorkerSample[] }> {
    const { locks } = await this.#ask<MetricsJson>("/metrics", signal);
    const { threads } = await this.#ask<ContentionJson>("/metrics/contention", signal);
    return {
      lockWait: summaryOf(locks.wait),
      lockHold: summaryOf(locks.hold),
      workers: threads.filter(({ kind }) => kind === "worker").map(({ index, wait, hold }) => ({
        worker: index,
        waitMs: wait?.sum_ms ?? 0,
        holdMs: hold?.sum_ms ?? 0,
        acquisitions: wait?.count ?? 0,
      })),
    };
  }

  /** The server over time. */
  samples(zeroMs: number): ServerSample[] {
    return this.#looks.map(({ timeMs, value }) => ({
      atMs: timeMs - zeroMs,
      depth: value.channel.depth,
      capacity: value.channel.capacity,
      settled: settledOf(value),
    })).filter(({ atMs }) => atMs >= 0);
  }

  /** Contention by shard over time. */
  shardSamples(zeroMs: number): ShardSample[] {
    const samples: ShardSample[] = [];
    for (const [i, { timeMs, value }] of this.#shardLooks.entries()) {
      const before = this.#shardLooks[i - 1]?.value.shards;
      if (before === undefined || timeMs < zeroMs) continue;
      for (const [shard, now] of value.shards.entries()) {
        const then = before[shard]!;
        samples.push({
          atMs: timeMs - zeroMs,
          shard,
          acquisitions: now.exclusive + now.shared - then.exclusive - then.shared,
          contended: now.contended - then.contended,
          waitMs: (now.wait?.sum_ms ?? 0) - (then.wait?.sum_ms ?? 0),
        });
      }
    }
    return samples;
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    this.#wire[Symbol.dispose]();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const value = await this.#ask<MetricsJson>("/metrics", signal);
    const timeMs = performance.now();
    this.#looks.push({ timeMs, value });
    if (!this.#options.watchesShards || timeMs < this.#shardsDueMs) return;
    this.#shardsDueMs = timeMs + SHARD_PERIOD_MS;
    const shards = await this.#ask<ContentionJson>("/metrics/contention", signal);
    this.#shardLooks.push({ timeMs: performance.now(), value: shards });
  }

  async #ask<Answer>(path: string, signal: AbortSignal): Promise<Answer> {
    const asking = this.#wire.request("GET", path, "", ["Accept: application/json"]);
    const answer = await within(asking, ANSWER_PATIENCE_MS, signal);
    if (answer === LATE || answer.status !== 200) {
      throw new Error(`Cannot watch the server: no answer to GET ${path}`);
    }
    return JSON.parse(answer.body);
  }
}

function settledOf(metrics: MetricsJson | undefined): number {
  return metrics === undefined ? 0 : metrics.processed + metrics.failed;
}

function summaryOf(durations: DurationsJson | null): LatencySummary {
  const { count = 0, sum_ms: sumMs = 0 } = durations ?? {};
  return {
    count,
    averageMs: count === 0 ? 0 : sumMs / count,
    p50Ms: durations?.p50_ms ?? 0,
    p90Ms: durations?.p90_ms ?? 0,
    p99Ms: durations?.p99_ms ?? 0,
    p999Ms: durations?.p999_ms ?? 0,
    maxMs: durations?.max_ms ?? 0,
  };
}

/**
 * Jobs settled a second, from the first settlement to the last; 0 when there were not two.
 *
 * The looks before and behind lag behind the settlements by as much on average, which cancels out;
 * what was settled by the first look that saw any is not counted, because it took the time before.
 */
export function settledPerSecond(samples: readonly ServerSample[]): number {
  const total = samples.at(-1)?.settled ?? 0;
  const first = samples.find(({ settled }) => settled > 0);
  const last = samples.find(({ settled }) => settled === total);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return (last.settled - first.settled) / ((last.atMs - first.atMs) / 1000);
}
