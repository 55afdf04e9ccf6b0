/**
 * Runs `wrk` and reads what it prints.
 *
 * @module
 */

/** What one run found. */
export interface HttpRun {
  /** Answers a second, whatever their status. */
  readonly perSecond: number;
  /** Answers a second with a status of 2xx or 3xx. */
  readonly goodPerSecond: number;
  /** Median latency. Unit: ms. */
  readonly p50Ms: number;
  /** 99 of 100 took at most this long. Unit: ms. */
  readonly p99Ms: number;
  /** The longest. Unit: ms. */
  readonly maxMs: number;
  /** Answers in all. */
  readonly requestCount: number;
  /** Answers with another status than 2xx and 3xx. */
  readonly badStatusCount: number;
  /** Connections that failed, broken reads and writes, requests that took longer than 2 s. */
  readonly socketErrorCount: number;
}

/** What `wrk` is to send. */
export interface HttpLoad {
  /** Where to. */
  readonly url: string;
  /** Connections, each of which sends as soon as it was answered. */
  readonly connectionCount: number;
  /** How long. Unit: s. */
  readonly seconds: number;
  /** A Lua script that makes the requests; undefined = GET of the URL. */
  readonly script?: string | undefined;
}

/** The command line of a load. */
export function wrkWords(load: HttpLoad): string[] {
  const script = load.script === undefined ? [] : ["-s", load.script];
  return [
    "wrk",
    ...["-t1", `-c${load.connectionCount}`, `-d${load.seconds}s`, "--latency"],
    ...script,
    load.url,
  ];
}

/** Milliseconds in a unit; microseconds are divided by theirs, which has no exact reciprocal. */
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/**
 * Reads the report.
 *
 * @throws Error when a part of it is missing
 */
export function parseWrk(text: string): HttpRun {
  const perSecond = Number(/^Requests\/sec:\s+([\d.]+)/m.exec(text)?.[1]);
  const requests = /^\s*(\d+) requests in ([\d.]+)(us|ms|s|m|h)/m.exec(text);
  const p50 = /^\s*50%\s+([\d.]+)(us|ms|s|m)/m.exec(text);
  const p99 = /^\s*99%\s+([\d.]+)(us|ms|s|m)/m.exec(text);
  const latency = /^\s*Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m)/m.exec(text);
  if (Number.isNaN(perSecond) || requests === null || p50 === null || p99 === null) {
    throw new Error(`Cannot read the report of wrk:\n${text}`);
  }
  const requestCount = Number(requests[1]);
  const badStatusCount = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  return {
    perSecond,
    goodPerSecond: requestCount === 0 ? 0 : perSecond * (1 - badStatusCount / requestCount),
    p50Ms: inMs(p50),
    p99Ms: inMs(p99),
    maxMs: latency === null ? NaN : inMs(latency),
    requestCount,
    badStatusCount,
    socketErrorCount: errors === null
      ? 0
      : errors.slice(1).reduce((sum, count) => sum + Number(count), 0),
  };
}

function inMs([, value, unit]: RegExpExecArray): number {
  return unit === "us" ? Number(value) / 1000 : Number(value) * UNITS_MS[unit!]!;
}
