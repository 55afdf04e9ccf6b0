/**
 * What a load generator is told, and what it tells.
 *
 * @module
 */

/** Connections that all behave alike. */
export interface LoadGroup {
  /** Its name in reports. */
  readonly name: string;
  /** What they speak: `GET /health` or `PING`. */
  readonly protocol: "http" | "resp";
  /** Port on the loopback address. */
  readonly port: number;
  /** Connections. */
  readonly connectionCount: number;
  /** Requests sent at a time; all are answered before the next are sent. */
  readonly depth: number;
  /** How long a connection rests between an answer and its next request. Unit: ms. */
  readonly pauseMs: number;
}

/** A load. */
export interface LoadPlan {
  /** Who takes part. */
  readonly groups: readonly LoadGroup[];
  /** Time before anything is counted. Unit: ms. */
  readonly warmUpMs: number;
  /** Time that is counted. Unit: ms. */
  readonly durationMs: number;
}

/** What a group saw. */
export interface GroupReport {
  /** Its name. */
  readonly name: string;
  /** Requests answered. */
  readonly requestCount: number;
  /** Requests answered in a second. */
  readonly requestsPerSecond: number;
  /** Time from sending a request to its answer. Unit: ms. */
  readonly p50Ms: number;
  /** See {@link GroupReport.p50Ms}. */
  readonly p99Ms: number;
  /** The longest, among them the time that a request has been waiting at the end. Unit: ms. */
  readonly maxMs: number;
  /** Requests of the connection that got the fewest. */
  readonly fewest: number;
  /** Requests of the median connection. */
  readonly median: number;
  /** Requests of the connection that got the most. */
  readonly most: number;
  /** Connections that the server ended. */
  readonly lostCount: number;
  /** Answers that were not the expected one. */
  readonly strangeCount: number;
}
