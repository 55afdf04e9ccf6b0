/**
 * What a server is started with.
 *
 * @module
 */

import {
  CHANNEL_CAPACITY_MAX,
  CLIENT_MEMORY_MAX_BYTES,
  CLIENT_MEMORY_MIN_BYTES,
  CONNECTION_BUFFER_BYTES,
  CONNECTIONS_MAX,
  DURATION_MAX_MS,
  EVENT_IDS_MAX,
  IO_THREADS_MAX,
  MEMORY_MAX_BYTES,
  MEMORY_MIN_BYTES,
  PASSWORD_MAX_BYTES,
  PROCESSOR_MEMORY_MAX_BYTES,
  PROCESSOR_MEMORY_MIN_BYTES,
  REQUEST_MAX_BYTES,
  REQUEST_MIN_BYTES,
  SHARDS_MAX,
  SIMULATED_WORK_MAX_MS,
  VALUE_MAX_BYTES,
  WORKERS_MAX,
} from "../base/limits.ts";
import { formatDuration, formatSize, type Rate } from "../base/units.ts";
import { type EvictionPolicy, minimumMemoryBytes } from "../store/store.ts";
import type { LogFormat, LogLevel } from "../base/log_record.ts";
import type { SyncPolicy } from "../durability/sync_policy.ts";
import { findKindProblem } from "./config_texts.ts";

export { SYNC_POLICIES } from "../durability/sync_policy.ts";
export { EVICTION_POLICIES } from "../store/store.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/**
 * What a connection may buffer beyond `--max-request-bytes`: the head and the body of a request
 * count apart.
 *
 * Unit: bytes.
 */
export const REQUEST_SLACK_BYTES = 65536;

/** A TCP port: 1 to 65535, 0 for any free one, or no listener at all. */
export type Port = number | "off";

/**
 * The settings of a server, all present.
 *
 * Start from {@link defaultConfig} and check with {@link findConfigProblem}.
 */
export interface Config {
  /** Address to bind: an IP address without brackets, or a host name. */
  readonly host: string;
  /** Port of the HTTP listener. */
  readonly httpPort: Port;
  /** Port of the RESP listener. */
  readonly respPort: Port;
  /** Port of the Protobuf listener. */
  readonly protoPort: Port;
  /** How Protobuf messages are told apart: a length before each, or one message per read. */
  readonly protoFraming: "delimited" | "none";
  /** Threads that accept and serve connections. */
  readonly ioThreads: number;
  /** Fewest event workers. Unit: threads. */
  readonly workersMin: number;
  /** Most event workers; the same as `workersMin` for a pool of fixed size. Unit: threads. */
  readonly workersMax: number;
  /** Jobs that may wait in the channel. */
  readonly channelCapacity: number;
  /** Shards of the store, a power of two. */
  readonly shards: number;
  /** Kind of the shard locks. */
  readonly lock: "mutex" | "rwlock";
  /** Whether waits for shard locks and holds of them are measured. */
  readonly lockTiming: boolean;
  /** What happens when memory is short. */
  readonly eviction: EvictionPolicy;
  /** Size of the arena. Unit: bytes. */
  readonly maxMemoryBytes: number;
  /** Largest value. Unit: bytes. */
  readonly maxValueBytes: number;
  /** Largest incomplete request that a connection may buffer. Unit: bytes. */
  readonly maxRequestBytes: number;
  /** Connections over all listeners. */
  readonly maxConnections: number;
  /** Connections of one client address over all listeners; 0 = no bound. */
  readonly maxConnectionsPerIp: number;
  /** All connections' buffers together. Unit: bytes. */
  readonly maxClientMemoryBytes: number;
  /**
   * Slowest transfer of a request or a reply over HTTP and Protobuf, after a few seconds' grace;
   * 0 = any. Unit: bytes per second.
   */
  readonly minTransferRate: number;
  /** Networks in CIDR notation whose clients are served; empty = all. */
  readonly allow: readonly string[];
  /** Networks in CIDR notation whose clients are turned away; beats `allow`. */
  readonly deny: readonly string[];
  /** HTTP requests that one client address may send in a time; null = as many as it likes. */
  readonly rateLimit: Rate | null;
  /** Commands that one RESP connection may send in a time; null = as many as it likes. */
  readonly respRateLimit: Rate | null;
  /** What clients must present; empty = nothing. Never shown. */
  readonly password: string;
  /** File whose first line is the password, read at start; empty = none. */
  readonly passwordFile: string;
  /** File with the certificate that every listener speaks TLS with; empty = no TLS. */
  readonly tlsCert: string;
  /** File with the key of that certificate. */
  readonly tlsKey: string;
  /** Other origins whose pages may send HTTP requests, e.g. `https://app.example`. */
  readonly corsOrigins: readonly string[];
  /** Names that HTTP requests may give as `Host`, besides `localhost` and IP addresses. */
  readonly allowedHosts: readonly string[];
  /** Directory whose files are served under `/static/`; empty = none. */
  readonly staticDir: string;
  /** Directory of the log and the snapshots; empty = everything is gone with the process. */
  readonly dataDir: string;
  /** How long the id of an accepted event is remembered; 0 = ids are not looked at. Unit: ms. */
  readonly dedupWindowMs: number;
  /** Ids that are remembered; the oldest one makes room. */
  readonly dedupMax: number;
  /** When what was written to the log is on the disk. */
  readonly fsync: SyncPolicy;
  /** Files kept in memory, over all I/O threads; 0 = none. Unit: bytes. */
  readonly staticCacheBytes: number;
  /** How long a file is answered from memory without a look whether it changed. Unit: ms. */
  readonly staticCacheTtlMs: number;
  /** How long browsers may keep files that are no pages; 0 = they always ask. Unit: ms. */
  readonly staticMaxAgeMs: number;
  /** Time to send a request's head; over Protobuf, the length of a message. Unit: ms. */
  readonly headerTimeoutMs: number;
  /** Time an HTTP or Protobuf connection may be idle. Unit: ms. */
  readonly idleTimeoutMs: number;
  /** Time a RESP connection may be idle; 0 = for ever. Unit: ms. */
  readonly respIdleTimeoutMs: number;
  /**
   * Module that says what events do: a path, looked up from the current directory, or a URL; empty =
   * they add to balances.
   */
  readonly processor: string;
  /** Memory that such a module may use in each event worker. Unit: bytes. */
  readonly processorMemoryBytes: number;
  /** Simulated work of an event before its shard lock is taken. Unit: ms. */
  readonly workMs: number;
  /** Simulated work of an event while its shard lock is held. Unit: ms. */
  readonly holdMs: number;
  /** How long serving goes on after `/ready` has turned 503. Unit: ms. */
  readonly drainDelayMs: number;
  /** Deadline of a stop, counted from the signal, the drain delay included. Unit: ms. */
  readonly shutdownTimeoutMs: number;
  /** Whether the end of standard input asks for a stop. */
  readonly stopOnEof: boolean;
  /** Least severe level that is logged. */
  readonly logLevel: LogLevel;
  /** Whether there is a line at level `info` for each HTTP request. */
  readonly accessLog: boolean;
  /** How log lines look. */
  readonly logFormat: LogFormat;
  /** Allows a host that other machines reach, although no password protects it. */
  readonly insecure: boolean;
}

/**
 * The defaults.
 *
 * @param coreCount processors of this machine; one is left to the thread that serves connections
 */
export function defaultConfig(coreCount: number = navigator.hardwareConcurrency): Config {
  const workers = Math.min(Math.max(1, coreCount - 1), WORKERS_MAX);
  return {
    host: "127.0.0.1",
    httpPort: 8080,
    respPort: 6379,
    protoPort: 9090,
    protoFraming: "delimited",
    ioThreads: 1,
    workersMin: workers,
    workersMax: workers,
    channelCapacity: 1000,
    shards: 64,
    lock: "mutex",
    lockTiming: false,
    eviction: "noeviction",
    maxMemoryBytes: 256 * 2 ** 20,
    maxValueBytes: 16 * 2 ** 20,
    maxRequestBytes: 2 ** 20,
    maxConnections: 1000,
    maxConnectionsPerIp: 0,
    maxClientMemoryBytes: 64 * 2 ** 20,
    minTransferRate: 240,
    allow: [],
    deny: [],
    rateLimit: null,
    respRateLimit: null,
    password: "",
    passwordFile: "",
    tlsCert: "",
    tlsKey: "",
    corsOrigins: [],
    allowedHosts: [],
    staticDir: "",
    dataDir: "",
    fsync: "everysec",
    dedupWindowMs: 600_000,
    dedupMax: 1_000_000,
    staticCacheBytes: 16 * 2 ** 20,
    staticCacheTtlMs: 1000,
    staticMaxAgeMs: 3_600_000,
    headerTimeoutMs: 10_000,
    idleTimeoutMs: 60_000,
    respIdleTimeoutMs: 0,
    processor: "",
    processorMemoryBytes: 128 * MIB,
    workMs: 0,
    holdMs: 0,
    drainDelayMs: 0,
    shutdownTimeoutMs: 10_000,
    stopOnEof: false,
    logLevel: "info",
    accessLog: false,
    logFormat: "text",
    insecure: false,
  };
}

/** A range of whole numbers, both ends included. */
export interface Range {
  /** Smallest allowed. */
  readonly min: number;
  /** Largest allowed. */
  readonly max: number;
}

/** The numeric settings and what each may be; ports aside. */
export const CONFIG_RANGES = {
  ioThreads: { min: 1, max: IO_THREADS_MAX },
  workersMin: { min: 0, max: WORKERS_MAX },
  workersMax: { min: 1, max: WORKERS_MAX },
  channelCapacity: { min: 1, max: CHANNEL_CAPACITY_MAX },
  shards: { min: 1, max: SHARDS_MAX },
  maxMemoryBytes: { min: MEMORY_MIN_BYTES, max: MEMORY_MAX_BYTES },
  maxValueBytes: { min: 1, max: VALUE_MAX_BYTES },
  maxRequestBytes: { min: REQUEST_MIN_BYTES, max: REQUEST_MAX_BYTES },
  maxConnections: { min: 1, max: CONNECTIONS_MAX },
  maxConnectionsPerIp: { min: 0, max: CONNECTIONS_MAX },
  maxClientMemoryBytes: { min: CLIENT_MEMORY_MIN_BYTES, max: CLIENT_MEMORY_MAX_BYTES },
  minTransferRate: { min: 0, max: GIB },
  dedupWindowMs: { min: 0, max: DURATION_MAX_MS },
  dedupMax: { min: 1, max: EVENT_IDS_MAX },
  staticCacheBytes: { min: 0, max: 16 * GIB },
  staticCacheTtlMs: { min: 0, max: DURATION_MAX_MS },
  staticMaxAgeMs: { min: 0, max: 365 * 24 * 3_600_000 },
  headerTimeoutMs: { min: 1, max: DURATION_MAX_MS },
  idleTimeoutMs: { min: 1, max: DURATION_MAX_MS },
  respIdleTimeoutMs: { min: 0, max: DURATION_MAX_MS },
  processorMemoryBytes: { min: PROCESSOR_MEMORY_MIN_BYTES, max: PROCESSOR_MEMORY_MAX_BYTES },
  workMs: { min: 0, max: SIMULATED_WORK_MAX_MS },
  holdMs: { min: 0, max: SIMULATED_WORK_MAX_MS },
  drainDelayMs: { min: 0, max: DURATION_MAX_MS },
  shutdownTimeoutMs: { min: 1, max: DURATION_MAX_MS },
} as const satisfies Partial<Record<keyof Config, Range>>;

/** Most that a limit lets through in its period. */
const RATE_COUNT_MAX = 999_999_999;

/** Longest period of a limit. Unit: ms. Reason: whoever is refused should see the end of it. */
const RATE_PERIOD_MAX_MS = 3_600_000;

/** What a limit must be, to follow "must". */
export const RATE_RULE = "be a rate such as 1000/1s, over at most 1h, or off";

/** Something wrong with a configuration. */
export interface ConfigProblem {
  /** The setting that should change. */
  readonly field: keyof Config;
  /** What would be right, to follow "must", e.g. `"be a power of two"`. */
  readonly rule: string;
}

/**
 * Looks for values out of range and settings that do not fit together.
 *
 * @returns the first problem, or null when the server can be started with `config`
 */
export function findConfigProblem(config: Config): ConfigProblem | null {
  for (const [name, { min, max }] of Object.entries(CONFIG_RANGES)) {
    const field = name as keyof typeof CONFIG_RANGES;
    const value = config[field];
    if (!Number.isInteger(value) || value < min || value > max) {
      return { field, rule: `be a whole number from ${min} to ${max}` };
    }
  }
  return findKindProblem(config, defaultConfig()) ?? findPortProblem(config) ??
    findRelationProblem(config);
}

function findPortProblem(config: Config): ConfigProblem | null {
  const { httpPort, respPort, protoPort } = config;
  for (const field of ["httpPort", "respPort", "protoPort"] as const) {
    const port = config[field];
    if (port !== "off" && (!Number.isInteger(port) || port < 0 || port > 65535)) {
      return { field, rule: "be a port from 0 to 65535, or off" };
    }
  }
  if (httpPort === "off" && respPort === "off" && protoPort === "off") {
    return { field: "httpPort", rule: "not be off when the other ports are off too" };
  }
  const isFixed = (port: Port): boolean => port !== "off" && port !== 0;
  if (httpPort === respPort && isFixed(httpPort)) {
    return { field: "respPort", rule: `differ from the HTTP port, which is ${httpPort} too` };
  }
  if (httpPort === protoPort && isFixed(httpPort)) {
    return { field: "protoPort", rule: `differ from the HTTP port, which is ${httpPort} too` };
  }
  if (respPort === protoPort && isFixed(respPort)) {
    return { field: "protoPort", rule: `differ from the RESP port, which is ${respPort} too` };
  }
  return null;
}

function findRelationProblem(config: Config): ConfigProblem | null {
  if (config.host === "") return { field: "host", rule: "name an address" };
  if (new TextEncoder().encode(config.password).length > PASSWORD_MAX_BYTES) {
    return { field: "password", rule: `have at most ${PASSWORD_MAX_BYTES} bytes` };
  }
  if (config.password !== "" && config.passwordFile !== "") {
    return { field: "passwordFile", rule: "not be given together with a password" };
  }
  if ((config.tlsCert === "") !== (config.tlsKey === "")) {
    const [field, other] = config.tlsCert === ""
      ? ["tlsKey", "--tls-cert"] as const
      : ["tlsCert", "--tls-key"] as const;
    return { field, rule: `come with ${other}: TLS needs a certificate and its key` };
  }
  const isProtected = config.password !== "" || config.passwordFile !== "";
  if (!isProtected && !config.insecure && !isLoopback(config.host)) {
    return {
      field: "host",
      rule: "be a loopback address such as 127.0.0.1, because no password protects the server " +
        "from other machines; give --password-file, or --insecure to serve them all the same",
    };
  }
  for (const field of ["rateLimit", "respRateLimit"] as const) {
    const rate = config[field];
    if (rate !== null && !isRateInRange(rate)) return { field, rule: RATE_RULE };
  }
  if (config.workersMin > config.workersMax) {
    return { field: "workersMin", rule: `be at most the largest pool, ${config.workersMax}` };
  }
  if (!Number.isInteger(Math.log2(config.shards))) {
    return { field: "shards", rule: `be a power of two from 1 to ${SHARDS_MAX}` };
  }
  const needed = minimumMemoryBytes(config.shards);
  if (config.maxMemoryBytes < needed) {
    return {
      field: "maxMemoryBytes",
      rule: `be at least ${formatSize(needed)} for ${config.shards} shards`,
    };
  }
  const clientMemory = minimumClientMemoryBytes(config);
  if (config.maxClientMemoryBytes < clientMemory) {
    return {
      field: "maxClientMemoryBytes",
      rule: `be at least ${formatSize(Math.ceil(clientMemory / MIB) * MIB)} for ` +
        `${config.maxConnections} connections, ${config.ioThreads} I/O threads and requests of ` +
        formatSize(config.maxRequestBytes),
    };
  }
  if (config.accessLog && (config.logLevel === "warn" || config.logLevel === "error")) {
    return {
      field: "accessLog",
      rule: `not be given with --log-level ${config.logLevel}, which leaves its lines out`,
    };
  }
  if (config.drainDelayMs >= config.shutdownTimeoutMs) {
    return {
      field: "drainDelayMs",
      rule: `be shorter than the whole stop, ${formatDuration(config.shutdownTimeoutMs)} ` +
        `(--shutdown-timeout)`,
    };
  }
  return null;
}

/** Whether a limit can be kept: it counts in 32 bits. */
export function isRateInRange({ count, perMs }: Rate): boolean {
  return Number.isInteger(count) && count >= 1 && count <= RATE_COUNT_MAX &&
    perMs >= 1 && perMs <= RATE_PERIOD_MAX_MS;
}

/**
 * What `--max-client-memory` must be at least: every connection's smallest buffer, and on each I/O
 * thread one request and one reply of the largest size.
 */
export function minimumClientMemoryBytes(
  config: Pick<Config, "maxConnections" | "ioThreads" | "maxRequestBytes">,
): number {
  // Buffers are powers of two; a request's head counts apart from its body.
  const largestBuffer = 2 ** Math.ceil(Math.log2(config.maxRequestBytes + REQUEST_SLACK_BYTES));
  return config.maxConnections * CONNECTION_BUFFER_BYTES + config.ioThreads * 2 * largestBuffer;
}

/**
 * Whether only this machine reaches `host`.
 *
 * Names other than `localhost` count as reachable: what they resolve to may change.
 */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" ||
    /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
