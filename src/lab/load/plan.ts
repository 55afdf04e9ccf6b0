/**
 * What a load is to be, and what came of it.
 *
 * @module
 */

/** How clients talk to the server. */
export type LoadProtocol = "http" | "resp" | "proto";

/** Which users the events are for: all alike, or few of them most of the time. */
export type UserDistribution = "uniform" | "zipf";

/**
 * Events that clients send.
 *
 * Shape: 5,000 requests at 5,000 a second over 200 connections, for 1,000 users.
 */
export interface LoadPlan {
  /** Protocol of every connection. */
  readonly protocol: LoadProtocol;
  /** Address of the server. */
  readonly hostname: string;
  /** Its port for that protocol. */
  readonly port: number;
  /** The server's password; undefined = none. */
  readonly password?: string | undefined;
  /** Speaks TLS; undefined = plain TCP. */
  readonly tls?: LoadTls | undefined;
  /** Requests in all. */
  readonly requestCount: number;
  /** Connections, opened before the first request; each has one request under way at most. */
  readonly connectionCount: number;
  /**
   * Open loop: requests start at these times whatever the server does, and latency counts from the
   * time at which a request was due, so that a server that stalls cannot hide it (coordinated
   * omission). Unit: requests a second over all connections. Null: closed loop, each connection
   * sends as soon as it was answered.
   */
  readonly ratePerSecond: number | null;
  /** Events are for `user1` to `userN`. */
  readonly userCount: number;
  /** How often each user comes up. */
  readonly distribution: UserDistribution;
  /** Start of the random numbers; the same seed sends the same events. */
  readonly seed: number;
  /**
   * How long an answer, or a connection, is waited for; then the request is an error and its
   * connection is replaced. Counts from the sending; looked at 20 times in that time, or 10 times a
   * second. Unit: ms; undefined = for ever.
   */
  readonly timeoutMs?: number | undefined;
  /** Ends the load early: what was not sent is not sent any more. */
  readonly signal?: AbortSignal | undefined;
  /** Told about every {@link SAMPLE_PERIOD_MS} while it runs, and once at the end. */
  readonly onSample?: ((sample: LoadSample) => void) | undefined;
}

/** How to speak TLS with a server. */
export interface LoadTls {
  /** Certificates to trust besides the usual ones, PEM. */
  readonly caCerts: readonly string[];
}

/** How often a load is sampled. Unit: ms. */
export const SAMPLE_PERIOD_MS = 100;

/** A running load at one time; counts are since its start. */
export interface LoadSample {
  /** Since the first request. Unit: ms. */
  readonly atMs: number;
  /** Requests sent. */
  readonly sent: number;
  /** Answered `accepted`. */
  readonly accepted: number;
  /** Answered that there is no room. */
  readonly refused: number;
  /** Everything else: other answers, broken connections, no answer. */
  readonly errors: number;
}

/** Durations in a few numbers. Unit: ms; all 0 when nothing was measured. */
export interface LatencySummary {
  /** Durations measured. */
  readonly count: number;
  /** Their mean. */
  readonly averageMs: number;
  /** Median. */
  readonly p50Ms: number;
  /** 90 of 100 are at most this long. */
  readonly p90Ms: number;
  /** 99 of 100 are at most this long. */
  readonly p99Ms: number;
  /** 999 of 1,000 are at most this long. */
  readonly p999Ms: number;
  /** The longest. */
  readonly maxMs: number;
}

/** What came of a load. */
export interface LoadResult {
  /** Requests sent. */
  readonly sent: number;
  /** Answered `accepted`. */
  readonly accepted: number;
  /** Answered that there is no room. */
  readonly refused: number;
  /** Everything else; what it was is in `errorTexts`. */
  readonly errors: number;
  /** Errors by text, e.g. `{ "400 invalid_event": 3, "no answer": 1 }`; at most 20 texts. */
  readonly errorTexts: Readonly<Record<string, number>>;
  /** From the first request to the last answer, or error, or the signal. Unit: ms. */
  readonly durationMs: number;
  /** From the first request to the sending of the last one. Unit: ms. */
  readonly sendingMs: number;
  /**
   * Requests that were due and not sent when the load ended early: no connection was free for them.
   * No latency has their wait in it. Always 0 in a closed loop.
   */
  readonly overdue: number;
  /** How long the first of them had waited by then. Unit: ms; 0 when there were none. */
  readonly overdueMs: number;
  /** Answers a second over `durationMs`. */
  readonly answersPerSecond: number;
  /** All answers: from when a request was due (open loop) or sent (closed loop). */
  readonly latency: LatencySummary;
  /** The same of accepted requests alone. */
  readonly acceptedLatency: LatencySummary;
  /** The same of refused ones. */
  readonly refusedLatency: LatencySummary;
  /** From when a request was sent, whatever it was due: what a load generator that lies reports. */
  readonly serviceTime: LatencySummary;
  /**
   * How late requests were sent because this program itself was busy. When it is not far below the
   * latencies, they say more about this program than about the server.
   */
  readonly ownLag: LatencySummary;
  /** Every {@link SAMPLE_PERIOD_MS}. */
  readonly samples: readonly LoadSample[];
  /** Errors that were requests without an answer in time; latencies do not have them. */
  readonly timeouts: number;
  /** The signal ended it early. */
  readonly interrupted: boolean;
}
