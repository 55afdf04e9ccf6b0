/**
 * What is counted: ids, names and help texts, one row per counter.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/**
 * Ids of the counters in a thread's block.
 *
 * Events: a well-formed event adds one to `RECEIVED` and later one to exactly one of `PROCESSED`,
 * `DROPPED_*` and `FAILED_*`; until then it is pending. A malformed one adds to `INVALID` only, one
 * that was accepted before, by its id, to `DUPLICATES` only.
 * `*_CONNECTIONS_ACTIVE` are gauges: the thread adds 1 and -1.
 */
export const CounterIndex = {
  RECEIVED: 0,
  PROCESSED: 1,
  DROPPED_BUSY: 2,
  DROPPED_OUT_OF_MEMORY: 3,
  DROPPED_SHUTTING_DOWN: 4,
  FAILED_OVERFLOW: 5,
  FAILED_WRONG_TYPE: 6,
  FAILED_OUT_OF_MEMORY: 7,
  FAILED_PROCESSOR_ERROR: 8,
  INVALID: 9,
  PARKED_COMMANDS: 10,
  WORKER_DEATHS: 11,
  LOG_LINES_DROPPED: 12,
  INTERNAL_ERRORS: 13,
  HTTP_CONNECTIONS_ACCEPTED: 16,
  HTTP_CONNECTIONS_ACTIVE: 17,
  HTTP_CONNECTIONS_REFUSED: 18,
  HTTP_COMMANDS_PROCESSED: 19,
  HTTP_BYTES_READ: 20,
  HTTP_BYTES_WRITTEN: 21,
  HTTP_REFUSED_PER_IP: 22,
  HTTP_REFUSED_DENIED: 23,
  RESP_CONNECTIONS_ACCEPTED: 24,
  RESP_CONNECTIONS_ACTIVE: 25,
  RESP_CONNECTIONS_REFUSED: 26,
  RESP_COMMANDS_PROCESSED: 27,
  RESP_BYTES_READ: 28,
  RESP_BYTES_WRITTEN: 29,
  RESP_REFUSED_PER_IP: 30,
  RESP_REFUSED_DENIED: 31,
  PROTO_CONNECTIONS_ACCEPTED: 32,
  PROTO_CONNECTIONS_ACTIVE: 33,
  PROTO_CONNECTIONS_REFUSED: 34,
  PROTO_COMMANDS_PROCESSED: 35,
  PROTO_BYTES_READ: 36,
  PROTO_BYTES_WRITTEN: 37,
  PROTO_REFUSED_PER_IP: 38,
  PROTO_REFUSED_DENIED: 39,
  CLOSED_CLIENT_MEMORY: 40,
  CLOSED_HEAD_TIMEOUT: 41,
  CLOSED_IDLE: 42,
  CLOSED_SLOW: 43,
  AUTH_FAILURES: 44,
  THROTTLED_COMMANDS: 45,
  INBOX_OVERRUNS: 46,
  CLIENT_MEMORY_BYTES: 47,
  CLOSED_SLOW_SUBSCRIBER: 48,
  CLOSED_OVERRUN_SUBSCRIBER: 49,
  PUBLICATION_OVERRUNS: 50,
  NOTIFICATIONS_DROPPED: 51,
  HTTP_REQUESTS_LIMITED: 52,
  WEBSOCKET_CONNECTIONS: 53,
  WEBSOCKET_MESSAGES_IN: 54,
  WEBSOCKET_MESSAGES_OUT: 55,
  WEBSOCKET_VIEWERS: 56,
  SSE_VIEWERS: 57,
  CLOSED_NO_PONG: 58,
  STATIC_CACHE_HITS: 59,
  STATIC_CACHE_MISSES: 60,
  STATIC_CACHE_EVICTIONS: 61,
  STATIC_CACHE_BYTES: 62,
  BODIES_CUT_OFF: 63,
  CLOSED_TLS_HANDSHAKE: 64,
  KEYSPACE_HITS: 65,
  KEYSPACE_MISSES: 66,
  CLOSED_HTTP2_FLOOD: 67,
  DROPPED_STORAGE_UNAVAILABLE: 68,
  DUPLICATES: 69,
  FORGOTTEN_IDS: 70,
  FAILED_TIMEOUT: 71,
  PROCESSOR_STRAY_ERRORS: 72,
} as const;

/** One of the ids of {@link CounterIndex}. */
export type CounterIndex = (typeof CounterIndex)[keyof typeof CounterIndex];

/** Counters a thread's block has room for: sixteen cache lines, half of them unused yet. */
export const COUNTER_SLOTS = 128;

/** The protocols, in the order of their counters and histograms. */
export const PROTOCOLS = ["http", "resp", "proto"] as const;

/** `"http"`, `"resp"` or `"proto"`. */
export type ProtocolLabel = (typeof PROTOCOLS)[number];

/** Ids of the histograms in a thread's block: request latency by protocol, events, shard locks. */
export const HistogramIndex = {
  HTTP_LATENCY: 0,
  RESP_LATENCY: 1,
  PROTO_LATENCY: 2,
  /** From the acceptance of an event to its settlement. */
  EVENT_SETTLEMENT: 3,
  /** For a shard lock; with `--lock-timing` only. */
  LOCK_WAIT: 4,
  /** From taking a shard lock to giving it back; with `--lock-timing` only. */
  LOCK_HOLD: 5,
} as const;

/** One of the ids of {@link HistogramIndex}. */
export type HistogramIndex = (typeof HistogramIndex)[keyof typeof HistogramIndex];

/** Histograms in a thread's block. */
export const HISTOGRAM_COUNT = 6;

/** The counters of one protocol, by what they count. */
export interface ProtocolCounterIds {
  /** Connections let in since start. */
  readonly accepted: CounterIndex;
  /** Connections open now. */
  readonly active: CounterIndex;
  /** Connections turned away at `--max-connections`. */
  readonly refused: CounterIndex;
  /** Connections turned away at `--max-connections-per-ip`. */
  readonly refusedPerIp: CounterIndex;
  /** Connections turned away by `--allow` and `--deny`. */
  readonly refusedDenied: CounterIndex;
  /** Commands or requests executed. */
  readonly commands: CounterIndex;
  /** Bytes read from clients. */
  readonly bytesRead: CounterIndex;
  /** Bytes written to clients. */
  readonly bytesWritten: CounterIndex;
}

/** What is counted of events before they are in the channel, by what happened. */
export const EVENT_COUNTERS = {
  received: CounterIndex.RECEIVED,
  droppedBusy: CounterIndex.DROPPED_BUSY,
  droppedOutOfMemory: CounterIndex.DROPPED_OUT_OF_MEMORY,
  droppedShuttingDown: CounterIndex.DROPPED_SHUTTING_DOWN,
  droppedStorage: CounterIndex.DROPPED_STORAGE_UNAVAILABLE,
  invalid: CounterIndex.INVALID,
  duplicates: CounterIndex.DUPLICATES,
  forgottenIds: CounterIndex.FORGOTTEN_IDS,
} as const;

/**
 * The counter ids of each protocol.
 *
 * Shape: `PROTOCOL_COUNTERS.resp.accepted === CounterIndex.RESP_CONNECTIONS_ACCEPTED`.
 */
export const PROTOCOL_COUNTERS: Readonly<Record<ProtocolLabel, ProtocolCounterIds>> = {
  http: {
    accepted: CounterIndex.HTTP_CONNECTIONS_ACCEPTED,
    active: CounterIndex.HTTP_CONNECTIONS_ACTIVE,
    refused: CounterIndex.HTTP_CONNECTIONS_REFUSED,
    refusedPerIp: CounterIndex.HTTP_REFUSED_PER_IP,
    refusedDenied: CounterIndex.HTTP_REFUSED_DENIED,
    commands: CounterIndex.HTTP_COMMANDS_PROCESSED,
    bytesRead: CounterIndex.HTTP_BYTES_READ,
    bytesWritten: CounterIndex.HTTP_BYTES_WRITTEN,
  },
  resp: {
    accepted: CounterIndex.RESP_CONNECTIONS_ACCEPTED,
    active: CounterIndex.RESP_CONNECTIONS_ACTIVE,
    refused: CounterIndex.RESP_CONNECTIONS_REFUSED,
    refusedPerIp: CounterIndex.RESP_REFUSED_PER_IP,
    refusedDenied: CounterIndex.RESP_REFUSED_DENIED,
    commands: CounterIndex.RESP_COMMANDS_PROCESSED,
    bytesRead: CounterIndex.RESP_BYTES_READ,
    bytesWritten: CounterIndex.RESP_BYTES_WRITTEN,
  },
  proto: {
    accepted: CounterIndex.PROTO_CONNECTIONS_ACCEPTED,
    active: CounterIndex.PROTO_CONNECTIONS_ACTIVE,
    refused: CounterIndex.PROTO_CONNECTIONS_REFUSED,
    refusedPerIp: CounterIndex.PROTO_REFUSED_PER_IP,
    refusedDenied: CounterIndex.PROTO_REFUSED_DENIED,
    commands: CounterIndex.PROTO_COMMANDS_PROCESSED,
    bytesRead: CounterIndex.PROTO_BYTES_READ,
    bytesWritten: CounterIndex.PROTO_BYTES_WRITTEN,
  },
};

/** How one counter is shown. */
export interface CounterRow {
  /** Which counter. */
  readonly index: CounterIndex;
  /** Prometheus family; rows of one family differ in their labels. */
  readonly family: string;
  /** One sentence; the same for every row of a family. */
  readonly help: string;
  /** `"counter"` only grows; `"gauge"` goes up and down. */
  readonly kind: "counter" | "gauge";
  /** Labels of this row, e.g. `{ reason: "overflow" }`. */
  readonly labels: Readonly<Record<string, string>>;
}

const DROPPED_HELP = "Well-formed events that were refused, by reason.";
const REFUSED_HELP = "Connections turned away, by reason.";
const WEBSOCKET_HELP = "Messages over WebSocket, without control frames.";
const STREAMS_HELP = "Clients that are being sent the live counters.";
const CLOSED_HELP = "Connections that the server ended, by reason.";
const LOOKUPS_HELP = "Keys that reading commands looked for, by whether they were there.";
const FAILED_HELP = "Accepted events that were settled without effect, by reason.";

const eventRows: CounterRow[] = [
  row(CounterIndex.RECEIVED, "sluice_events_received_total", "Well-formed events received."),
  row(CounterIndex.PROCESSED, "sluice_events_processed_total", "Events that changed a balance."),
  row(CounterIndex.DROPPED_BUSY, "sluice_events_dropped_total", DROPPED_HELP, {
    reason: "server_busy",
  }),
  row(CounterIndex.DROPPED_OUT_OF_MEMORY, "sluice_events_dropped_total", DROPPED_HELP, {
    reason: "out_of_memory",
  }),
  row(CounterIndex.DROPPED_SHUTTING_DOWN, "sluice_events_dropped_total", DROPPED_HELP, {
    reason: "shutting_down",
  }),
  row(CounterIndex.DROPPED_STORAGE_UNAVAILABLE, "sluice_events_dropped_total", DROPPED_HELP, {
    reason: "storage_unavailable",
  }),
  row(CounterIndex.FAILED_OVERFLOW, "sluice_events_failed_total", FAILED_HELP, {
    reason: "overflow",
  }),
  row(CounterIndex.FAILED_WRONG_TYPE, "sluice_events_failed_total", FAILED_HELP, {
    reason: "wrong_type",
  }),
  row(CounterIndex.FAILED_OUT_OF_MEMORY, "sluice_events_failed_total", FAILED_HELP, {
    reason: "out_of_memory",
  }),
  row(CounterIndex.FAILED_PROCESSOR_ERROR, "sluice_events_failed_total", FAILED_HELP, {
    reason: "processor_error",
  }),
  row(CounterIndex.FAILED_TIMEOUT, "sluice_events_failed_total", FAILED_HELP, {
    reason: "timeout",
  }),
  row(CounterIndex.INVALID, "sluice_events_invalid_total", "Malformed events."),
  row(
    CounterIndex.DUPLICATES,
    "sluice_events_duplicate_total",
    "Events that were accepted before, by their id, and not applied again; not in received.",
  ),
  row(
    CounterIndex.FORGOTTEN_IDS,
    "sluice_event_ids_forgotten_total",
    "Ids that made room for others (--dedup-max) before --dedup-window was over.",
  ),
  row(
    CounterIndex.PARKED_COMMANDS,
    "sluice_commands_parked_total",
    "Commands that waited for a shard lock with their connection parked.",
  ),
  row(
    CounterIndex.WORKER_DEATHS,
    "sluice_worker_deaths_total",
    "Event workers that ended unasked and were replaced.",
  ),
  row(
    CounterIndex.PROCESSOR_STRAY_ERRORS,
    "sluice_processor_stray_errors_total",
    "Errors of a processor of one's own that nobody caught, and that belong to no event.",
  ),
  row(
    CounterIndex.LOG_LINES_DROPPED,
    "sluice_log_lines_dropped_total",
    "Log lines dropped because the log's reader was too slow.",
  ),
  row(
    CounterIndex.INTERNAL_ERRORS,
    "sluice_internal_errors_total",
    "Errors of the server itself that it survived.",
  ),
  row(CounterIndex.CLOSED_CLIENT_MEMORY, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "client_memory",
  }),
  row(CounterIndex.CLOSED_HEAD_TIMEOUT, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "header_timeout",
  }),
  row(CounterIndex.CLOSED_IDLE, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "idle",
  }),
  row(CounterIndex.CLOSED_SLOW, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "too_slow",
  }),
  row(CounterIndex.CLOSED_SLOW_SUBSCRIBER, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "slow_subscriber",
  }),
  row(CounterIndex.CLOSED_OVERRUN_SUBSCRIBER, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "missed_message",
  }),
  row(CounterIndex.CLOSED_NO_PONG, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "no_pong",
  }),
  row(
    CounterIndex.WEBSOCKET_CONNECTIONS,
    "sluice_websocket_connections",
    "WebSocket connections open now.",
    {},
    "gauge",
  ),
  row(CounterIndex.WEBSOCKET_MESSAGES_IN, "sluice_websocket_messages_total", WEBSOCKET_HELP, {
    direction: "in",
  }),
  row(CounterIndex.WEBSOCKET_MESSAGES_OUT, "sluice_websocket_messages_total", WEBSOCKET_HELP, {
    direction: "out",
  }),
  row(
    CounterIndex.WEBSOCKET_VIEWERS,
    "sluice_metrics_streams",
    STREAMS_HELP,
    { kind: "websocket" },
    "gauge",
  ),
  row(CounterIndex.SSE_VIEWERS, "sluice_metrics_streams", STREAMS_HELP, { kind: "sse" }, "gauge"),
  row(CounterIndex.CLOSED_TLS_HANDSHAKE, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "tls_handshake",
  }),
  row(CounterIndex.CLOSED_HTTP2_FLOOD, "sluice_connections_closed_total", CLOSED_HELP, {
    reason: "http2_flood",
  }),
  row(
    CounterIndex.PUBLICATION_OVERRUNS,
    "sluice_publications_missed_total",
    "Published messages that an I/O thread had no room for; its subscribers were cut off.",
  ),
  row(
    CounterIndex.NOTIFICATIONS_DROPPED,
    "sluice_notifications_dropped_total",
    "Keyspace notifications that were not published: too many waited, or memory was short.",
  ),
  row(
    CounterIndex.AUTH_FAILURES,
    "sluice_authentication_failures_total",
    "Wrong passwords, over all protocols.",
  ),
  row(
    CounterIndex.THROTTLED_COMMANDS,
    "sluice_commands_throttled_total",
    "Commands refused by --resp-rate-limit.",
  ),
  row(CounterIndex.KEYSPACE_HITS, "sluice_keyspace_lookups_total", LOOKUPS_HELP, {
    result: "hit",
  }),
  row(CounterIndex.KEYSPACE_MISSES, "sluice_keyspace_lookups_total", LOOKUPS_HELP, {
    result: "miss",
  }),
  row(
    CounterIndex.HTTP_REQUESTS_LIMITED,
    "sluice_http_requests_limited_total",
    "HTTP requests refused by --rate-limit.",
  ),
  row(
    CounterIndex.INBOX_OVERRUNS,
    "sluice_inbox_overruns_total",
    "Messages to I/O threads that were dropped because their inbox was full.",
  ),
  row(
    CounterIndex.STATIC_CACHE_HITS,
    "sluice_static_cache_hits_total",
    "Requests for files answered from memory.",
  ),
  row(
    CounterIndex.STATIC_CACHE_MISSES,
    "sluice_static_cache_misses_total",
    "Requests for files that had to be read.",
  ),
  row(
    CounterIndex.STATIC_CACHE_EVICTIONS,
    "sluice_static_cache_evictions_total",
    "Files dropped from memory to make room for others.",
  ),
  row(
    CounterIndex.STATIC_CACHE_BYTES,
    "sluice_static_cache_bytes",
    "Bytes of files kept in memory.",
    {},
    "gauge",
  ),
  row(
    CounterIndex.BODIES_CUT_OFF,
    "sluice_http_bodies_cut_off_total",
    "Replies cut off because the file became shorter or was written to while it was sent.",
  ),
  row(
    CounterIndex.CLIENT_MEMORY_BYTES,
    "sluice_client_memory_bytes",
    "All connections' buffers together.",
    {},
    "gauge",
  ),
];

/** Every counter once, in the order in which they are shown. */
export const COUNTER_ROWS: readonly CounterRow[] = [
  ...eventRows,
  ...PROTOCOLS.flatMap((protocol) => protocolRows(protocol)),
];

assert(CounterIndex.KEYSPACE_MISSES === CounterIndex.KEYSPACE_HITS + 1, "they are one view");

for (const { index } of COUNTER_ROWS) {
  assert(index < COUNTER_SLOTS, `counter ${index} fits the block`);
}
assert(
  new Set(COUNTER_ROWS.map(({ index }) => index)).size === COUNTER_ROWS.length &&
    COUNTER_ROWS.length === Object.keys(CounterIndex).length,
  "every counter has exactly one row",
);

function row(
  index: CounterIndex,
  family: string,
  help: string,
  labels: Record<string, string> = {},
  kind: "counter" | "gauge" = "counter",
): CounterRow {
  return { index, family, help, kind, labels };
}

function protocolRows(protocol: ProtocolLabel): CounterRow[] {
  const ids = PROTOCOL_COUNTERS[protocol];
  return [
    row(ids.accepted, "sluice_connections_accepted_total", "Connections let in.", { protocol }),
    row(ids.active, "sluice_active_connections", "Connections open now.", { protocol }, "gauge"),
    row(ids.refused, "sluice_connections_refused_total", REFUSED_HELP, {
      protocol,
      reason: "max_connections",
    }),
    row(ids.refusedPerIp, "sluice_connections_refused_total", REFUSED_HELP, {
      protocol,
      reason: "max_connections_per_ip",
    }),
    row(ids.refusedDenied, "sluice_connections_refused_total", REFUSED_HELP, {
      protocol,
      reason: "denied",
    }),
    row(ids.commands, "sluice_commands_processed_total", "Commands and requests executed.", {
      protocol,
    }),
    row(ids.bytesRead, "sluice_bytes_read_total", "Bytes read from clients.", { protocol }),
    row(ids.bytesWritten, "sluice_bytes_written_total", "Bytes written to clients.", { protocol }),
  ];
}
