/**
 * Runs `redis-benchmark` and reads what it prints.
 *
 * Its report for people is read and not `--csv`, which has no p99.9.
 *
 * @module
 */

/** What one run found. Latencies are of whole batches when commands are pipelined. */
export interface RespRun {
  /** Commands a second. */
  readonly perSecond: number;
  /** Median latency. Unit: ms. */
  readonly p50Ms: number;
  /** 99 of 100 took at most this long. Unit: ms. */
  readonly p99Ms: number;
  /** 999 of 1,000 took at most this long. Unit: ms. */
  readonly p999Ms: number;
  /** The longest. Unit: ms. */
  readonly maxMs: number;
}

/** What `redis-benchmark` is to send. */
export interface RespLoad {
  /** Port of the server, on the loopback address. */
  readonly port: number;
  /** Commands in all. */
  readonly requestCount: number;
  /** Connections. */
  readonly clientCount: number;
  /** Commands per batch. */
  readonly pipeline: number;
  /** `__rand_int__` in the words is a number below this one, another one each time. */
  readonly keyCount: number;
  /** The command and its arguments. */
  readonly words: readonly string[];
}

/** The command line of a load. */
export function redisBenchmarkWords(load: RespLoad): string[] {
  return [
    "redis-benchmark",
    ...["-h", "127.0.0.1", "-p", String(load.port), "-n", String(load.requestCount)],
    ...["-c", String(load.clientCount), "-P", String(load.pipeline), "-r", String(load.keyCount)],
    ...load.words,
  ];
}

/**
 * Reads the report of one test.
 *
 * @throws Error when there was an error among the replies, or a part of the report is missing
 */
export function parseRedisBenchmark(text: string): RespRun {
  const error = /Error from server: (.*)/.exec(text);
  if (error !== null) throw new Error(`Cannot measure: the server replied ${error[1]}`);
  const perSecond = /throughput summary: ([\d.]+) requests per second/.exec(text);
  const summary = /latency summary \(msec\):\s+avg\s+min\s+p50\s+p95\s+p99\s+max\s+([\d.\s]+)/
    .exec(text);
  if (perSecond === null || summary === null) {
    throw new Error(`Cannot read the report of redis-benchmark:\n${text}`);
  }
  const [, , p50Ms, , p99Ms, maxMs] = summary[1]!.trim().split(/\s+/).map(Number);
  return {
    perSecond: Number(perSecond[1]),
    p50Ms: p50Ms!,
    p99Ms: p99Ms!,
    p999Ms: percentileOf(text, 99.9),
    maxMs: maxMs!,
  };
}

/** The first line of "Latency by percentile distribution" that is at or above `percent`. */
function percentileOf(text: string, percent: number): number {
  const part = text.split("Latency by percentile distribution:")[1]?.split("\n\n")[0] ?? "";
  for (const [, share, ms] of part.matchAll(/^([\d.]+)% <= ([\d.]+) milliseconds/gm)) {
    if (Number(share) >= percent) return Number(ms);
  }
  return NaN;
}
