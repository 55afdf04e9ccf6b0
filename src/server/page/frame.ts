/**
 * The shape of what the live page is sent. Types only, which its scripts use as well.
 *
 * It belongs to the page: it changes with it, and with no notice.
 *
 * @module
 */

/** One worker since the last update. Shape: `{"looks":[3,0,6,1],"shard":12}`. */
export interface LaneJson {
  /** How often it was seen idle, working without a lock, waiting for one, holding one. */
  readonly looks: readonly number[];
  /** The shard that it was last seen at, waiting or holding; -1 = none since the last update. */
  readonly shard: number;
}

/** Durations of the last second. Shape: `{"count":120,"p50_ms":0.1,"p99_ms":0.4,"p999_ms":1.2}`. */
export interface WindowJson {
  /** How many. */
  readonly count: number;
  /** Half took at most so long; 0 when there were none. */
  readonly p50_ms: number;
  /** 99 of 100 did. */
  readonly p99_ms: number;
  /** 999 of 1,000 did. */
  readonly p999_ms: number;
}

/** Events since the start of the server; see `/metrics`. */
export interface EventsFrame {
  /** Well-formed events. */
  readonly received: number;
  /** Those that changed a balance. */
  readonly processed: number;
  /** Those that were refused. */
  readonly dropped: number;
  /** Those that were accepted and came to nothing. */
  readonly failed: number;
  /** Those that are not settled yet. */
  readonly pending: number;
  /** Malformed ones, which count as nothing else. */
  readonly invalid: number;
}

/** One protocol. */
export interface ProtocolFrame {
  /** Commands or requests executed. */
  readonly commands: number;
  /** Connections open now. */
  readonly active: number;
  /** Connections turned away. */
  readonly refused: number;
  /** Bytes read from clients. */
  readonly bytes_read: number;
  /** Bytes written to clients. */
  readonly bytes_written: number;
}

/** The log of a durable server. */
export interface LogFrame {
  /** False: it could not be written, and changes are refused. */
  readonly serving: boolean;
  /** Bytes written that are not on the disk yet. */
  readonly unsynced_bytes: number;
  /** Times that the disk was waited for. */
  readonly syncs: number;
  /** How long, in all. */
  readonly sync_sum_ms: number;
  /** 99 of 100 in the last second took at most so long, or half of that; 0 when there were none. */
  readonly sync_p99_ms: number;
}

/** One update of the page. */
export interface PageFrame {
  /** When it was read, on a clock that begins with the process. Unit: ms. */
  readonly at_ms: number;
  /** The server. */
  readonly server: {
    readonly version: string;
    readonly uptime_ms: number;
    /** `starting`, `ready` or `shutting_down`. */
    readonly readiness: string;
    readonly io_threads: number;
    readonly workers: { readonly running: number; readonly max: number };
    readonly lock: string;
    readonly viewers: number;
  };
  /** Events; see `/metrics`. */
  readonly events: EventsFrame;
  /** By protocol. */
  readonly protocols: Readonly<Record<"http" | "resp" | "proto", ProtocolFrame>>;
  /** Durations of the last second: of requests by protocol, and of events to their settlement. */
  readonly latency: Readonly<Record<"http" | "resp" | "proto" | "settlement", WindowJson>>;
  /** The waiting line; `deepest` since the last update. */
  readonly channel: {
    readonly depth: number;
    readonly deepest: number;
    readonly capacity: number;
    readonly high_water_mark: number;
  };
  /** One per worker. */
  readonly lanes: readonly LaneJson[];
  /** Since the last update; `ms` is how long that was, 0 = there was none. By shard. */
  readonly shards: {
    readonly ms: number;
    readonly operations: readonly number[];
    readonly contended: readonly number[];
  };
  /** Bytes. */
  readonly memory: {
    readonly used: number;
    readonly max: number;
    readonly clients: number;
    readonly resident: number;
    readonly keys: number;
  };
  /** Null without `--data-dir`. */
  readonly log: LogFrame | null;
}
