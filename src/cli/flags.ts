/**
 * The flags of `sluice serve`: one row each. Parsing, `--help`, error messages and the check of the
 * README read this table.
 *
 * @module
 */

import { LOG_FORMATS, LOG_LEVELS } from "../base/log_record.ts";
import { formatDuration, formatRate, formatSize } from "../base/units.ts";
import { type Config, EVICTION_POLICIES, type Port, SYNC_POLICIES } from "../server/config.ts";
import {
  count,
  countOrOff,
  duration,
  host,
  hostNames,
  milliseconds,
  networks,
  oneOf,
  origins,
  password,
  path,
  pool,
  port,
  powerOfTwo,
  processorPlace,
  rate,
  size,
  toggle,
  type ValueReader,
} from "./values.ts";

/** One flag. */
export interface Flag {
  /** Without dashes, e.g. `"http-port"`. */
  readonly name: string;
  /** Stands for the value in the help, e.g. `"<port>"`; empty for a switch. */
  readonly placeholder: string;
  /** Heading under which the help shows it. */
  readonly group: string;
  /** What it does, a short phrase. */
  readonly summary: string;
  /** The settings it sets; a problem with any of them is told as a problem with this flag. */
  readonly fields: readonly (keyof Config)[];
  /** Reads its value. */
  readonly read: ValueReader;
  /** Whether its value must never be repeated, not even in an error. */
  readonly secret?: true;
  /** The value that says the same as `config` does. */
  readonly show: (config: Config) => string;
}

const LISTENERS = "Listeners:";
const WORKERS = "Events:";
const STORE = "Store:";
const CLIENTS = "Clients:";
const DURABILITY = "Durability:";
const FILES = "Files:";
const STOP = "Stopping:";
const LOGS = "Logs:";

/** Every flag, in the order of the help. */
export const FLAGS: readonly Flag[] = [
  {
    name: "host",
    placeholder: "<address>",
    group: LISTENERS,
    summary: "address to bind; one that other machines reach needs a password, or --insecure",
    fields: ["host"],
    read: host,
    show: (config) => config.host,
  },
  {
    name: "http-port",
    placeholder: "<port>",
    group: LISTENERS,
    summary: "port for HTTP; 0 picks a free one, off means none",
    fields: ["httpPort"],
    read: port("httpPort"),
    show: (config) => showPort(config.httpPort),
  },
  {
    name: "resp-port",
    placeholder: "<port>",
    group: LISTENERS,
    summary: "port for Redis clients; 0 picks a free one, off means none",
    fields: ["respPort"],
    read: port("respPort"),
    show: (config) => showPort(config.respPort),
  },
  {
    name: "proto-port",
    placeholder: "<port>",
    group: LISTENERS,
    summary: "port for Protobuf clients; 0 picks a free one, off means none",
    fields: ["protoPort"],
    read: port("protoPort"),
    show: (config) => showPort(config.protoPort),
  },
  {
    name: "proto-framing",
    placeholder: "<kind>",
    group: LISTENERS,
    summary: "delimited: a varint length before each message; none: one message per read, as the " +
      "simplest clients send",
    fields: ["protoFraming"],
    read: oneOf("protoFraming", ["delimited", "none"]),
    show: (config) => config.protoFraming,
  },
  {
    name: "io-threads",
    placeholder: "<n>",
    group: LISTENERS,
    summary: "threads that accept and serve connections",
    fields: ["ioThreads"],
    read: count("ioThreads"),
    show: (config) => String(config.ioThreads),
  },
  {
    name: "password",
    placeholder: "<text>",
    group: LISTENERS,
    summary:
      "what clients must present; other programs can see it in the list of processes, so prefer " +
      "--password-file or the environment variable",
    fields: ["password"],
    secret: true,
    read: password,
    show: (config) => config.password === "" ? "none" : "(hidden)",
  },
  {
    name: "password-file",
    placeholder: "<path>",
    group: LISTENERS,
    summary: "file whose first line is the password",
    fields: ["passwordFile"],
    read: path("passwordFile"),
    show: (config) => config.passwordFile || "none",
  },
  {
    name: "tls-cert",
    placeholder: "<path>",
    group: LISTENERS,
    summary: "file with a certificate (PEM): every listener speaks TLS; read again on SIGHUP",
    fields: ["tlsCert"],
    read: path("tlsCert"),
    show: (config) => config.tlsCert || "none",
  },
  {
    name: "tls-key",
    placeholder: "<path>",
    group: LISTENERS,
    summary: "file with the key of that certificate (PEM, without a passphrase)",
    fields: ["tlsKey"],
    read: path("tlsKey"),
    show: (config) => config.tlsKey || "none",
  },
  {
    name: "insecure",
    placeholder: "",
    group: LISTENERS,
    summary: "serve other machines although no password protects the server",
    fields: ["insecure"],
    read: toggle("insecure"),
    show: (config) => String(config.insecure),
  },
  {
    name: "workers",
    placeholder: "<n|min-max>",
    group: WORKERS,
    summary: "workers that process events; MIN-MAX grows while jobs wait and shrinks when idle; " +
      "of 0-MAX the first starts when needed; the default is one less than the processors",
    fields: ["workersMin", "workersMax"],
    read: pool,
    show: ({ workersMin, workersMax }) =>
      workersMin === workersMax ? String(workersMin) : `${workersMin}-${workersMax}`,
  },
  {
    name: "channel-capacity",
    placeholder: "<jobs>",
    group: WORKERS,
    summary: "events that may wait for a worker; more are refused at once",
    fields: ["channelCapacity"],
    read: count("channelCapacity"),
    show: (config) => String(config.channelCapacity),
  },
  {
    name: "dedup-window",
    placeholder: "<time>",
    group: WORKERS,
    summary: "time within which an event with the id of an accepted one is accepted, and not " +
      "applied again; 0: ids are not looked at",
    fields: ["dedupWindowMs"],
    read: duration("dedupWindowMs"),
    show: (config) => formatDuration(config.dedupWindowMs),
  },
  {
    name: "dedup-max",
    placeholder: "<ids>",
    group: WORKERS,
    summary: "ids that are remembered; with more, the oldest one is forgotten",
    fields: ["dedupMax"],
    read: count("dedupMax"),
    show: (config) => String(config.dedupMax),
  },
  {
    name: "processor",
    placeholder: "<module>",
    group: WORKERS,
    summary: "module that says what events do, a file or a URL (see sluice init-processor); " +
      "built-in: they add to balances",
    fields: ["processor"],
    read: processorPlace,
    show: (config) => config.processor || "built-in",
  },
  {
    name: "processor-memory",
    placeholder: "<size>",
    group: WORKERS,
    summary: "memory for such a module's objects in each worker; one that needs more ends",
    fields: ["processorMemoryBytes"],
    read: size("processorMemoryBytes"),
    show: (config) => formatSize(config.processorMemoryBytes),
  },
  {
    name: "work-ms",
    placeholder: "<ms>",
    group: WORKERS,
    summary: "simulated work for each event, before its shard is locked",
    fields: ["workMs"],
    read: milliseconds("workMs"),
    show: (config) => String(config.workMs),
  },
  {
    name: "hold-ms",
    placeholder: "<ms>",
    group: WORKERS,
    summary: "simulated work for each event, while its shard is locked",
    fields: ["holdMs"],
    read: milliseconds("holdMs"),
    show: (config) => String(config.holdMs),
  },
  {
    name: "max-memory",
    placeholder: "<size>",
    group: STORE,
    summary: "memory for keys and values, all overhead included",
    fields: ["maxMemoryBytes"],
    read: size("maxMemoryBytes"),
    show: (config) => formatSize(config.maxMemoryBytes),
  },
  {
    name: "max-value-bytes",
    placeholder: "<size>",
    group: STORE,
    summary: "largest value",
    fields: ["maxValueBytes"],
    read: size("maxValueBytes"),
    show: (config) => formatSize(config.maxValueBytes),
  },
  {
    name: "shards",
    placeholder: "<n>",
    group: STORE,
    summary: "parts of the store with a lock each, a power of two; 1 is the single-lock server",
    fields: ["shards"],
    read: powerOfTwo("shards"),
    show: (config) => String(config.shards),
  },
  {
    name: "lock",
    placeholder: "<kind>",
    group: STORE,
    summary: "mutex, or rwlock to let readers share a shard",
    fields: ["lock"],
    read: oneOf("lock", ["mutex", "rwlock"]),
    show: (config) => config.lock,
  },
  {
    name: "lock-timing",
    placeholder: "",
    group: STORE,
    summary: "measure how long shard locks are waited for and held; two readings of the clock " +
      "for each, which cost more than the lock itself",
    fields: ["lockTiming"],
    read: toggle("lockTiming"),
    show: (config) => String(config.lockTiming),
  },
  {
    name: "eviction",
    placeholder: "<policy>",
    group: STORE,
    summary: "when memory is short, noeviction refuses writes, allkeys-lru removes the keys used " +
      "least recently, volatile-ttl those that expire first",
    fields: ["eviction"],
    read: oneOf("eviction", EVICTION_POLICIES),
    show: (config) => config.eviction,
  },
  {
    name: "max-connections",
    placeholder: "<n>",
    group: CLIENTS,
    summary: "connections over all listeners",
    fields: ["maxConnections"],
    read: count("maxConnections"),
    show: (config) => String(config.maxConnections),
  },
  {
    name: "max-connections-per-ip",
    placeholder: "<n>",
    group: CLIENTS,
    summary: "connections of one address over all listeners; off means no bound",
    fields: ["maxConnectionsPerIp"],
    read: countOrOff("maxConnectionsPerIp"),
    show: (config) => config.maxConnectionsPerIp === 0 ? "off" : String(config.maxConnectionsPerIp),
  },
  {
    name: "max-client-memory",
    placeholder: "<size>",
    group: CLIENTS,
    summary: "all connections' buffers together; above it, the one that holds most is closed",
    fields: ["maxClientMemoryBytes"],
    read: size("maxClientMemoryBytes"),
    show: (config) => formatSize(config.maxClientMemoryBytes),
  },
  {
    name: "allow",
    placeholder: "<networks>",
    group: CLIENTS,
    summary: "addresses or networks (CIDR) that are served, separated by commas; none means all",
    fields: ["allow"],
    read: networks("allow"),
    show: (config) => config.allow.join(",") || "none",
  },
  {
    name: "deny",
    placeholder: "<networks>",
    group: CLIENTS,
    summary: "addresses or networks (CIDR) that are turned away, even if --allow has them",
    fields: ["deny"],
    read: networks("deny"),
    show: (config) => config.deny.join(",") || "none",
  },
  {
    name: "allowed-hosts",
    placeholder: "<names>",
    group: CLIENTS,
    summary: "names that HTTP requests may give as Host, besides localhost and IP addresses, " +
      "separated by commas",
    fields: ["allowedHosts"],
    read: hostNames,
    show: (config) => config.allowedHosts.join(",") || "none",
  },
  {
    name: "cors-origin",
    placeholder: "<origins>",
    group: CLIENTS,
    summary: "other origins whose pages may send HTTP requests, separated by commas",
    fields: ["corsOrigins"],
    read: origins,
    show: (config) => config.corsOrigins.join(",") || "none",
  },
  {
    name: "max-request-bytes",
    placeholder: "<size>",
    group: CLIENTS,
    summary: "largest request; a connection that sends more gets an error and is closed",
    fields: ["maxRequestBytes"],
    read: size("maxRequestBytes"),
    show: (config) => formatSize(config.maxRequestBytes),
  },
  {
    name: "header-timeout",
    placeholder: "<time>",
    group: CLIENTS,
    summary:
      "time an HTTP client has to send the head of a request, a Protobuf client a message's length, " +
      "any client for its TLS handshake",
    fields: ["headerTimeoutMs"],
    read: duration("headerTimeoutMs"),
    show: (config) => formatDuration(config.headerTimeoutMs),
  },
  {
    name: "idle-timeout",
    placeholder: "<time>",
    group: CLIENTS,
    summary: "time an HTTP or Protobuf connection may be idle",
    fields: ["idleTimeoutMs"],
    read: duration("idleTimeoutMs"),
    show: (config) => formatDuration(config.idleTimeoutMs),
  },
  {
    name: "resp-idle-timeout",
    placeholder: "<time>",
    group: CLIENTS,
    summary: "time a Redis client's connection may be idle; 0 means for ever",
    fields: ["respIdleTimeoutMs"],
    read: duration("respIdleTimeoutMs"),
    show: (config) => formatDuration(config.respIdleTimeoutMs),
  },
  {
    name: "min-transfer-rate",
    placeholder: "<size>",
    group: CLIENTS,
    summary:
      "bytes a second that an HTTP or Protobuf client must send or take of a request or reply, " +
      "after a few seconds; 0 means any",
    fields: ["minTransferRate"],
    read: size("minTransferRate"),
    show: (config) => formatSize(config.minTransferRate),
  },
  {
    name: "rate-limit",
    placeholder: "<rate>",
    group: CLIENTS,
    summary: "HTTP requests of one address, e.g. 100/1m; more are refused until the time is over",
    fields: ["rateLimit"],
    read: rate("rateLimit"),
    show: (config) => config.rateLimit === null ? "off" : formatRate(config.rateLimit),
  },
  {
    name: "resp-rate-limit",
    placeholder: "<rate>",
    group: CLIENTS,
    summary:
      "commands of one Redis connection, e.g. 1000/1s; more are refused until the time is over",
    fields: ["respRateLimit"],
    read: rate("respRateLimit"),
    show: (config) => config.respRateLimit === null ? "off" : formatRate(config.respRateLimit),
  },
  {
    name: "data-dir",
    placeholder: "<path>",
    group: DURABILITY,
    summary: "directory for the log and the snapshots, from which the server starts again",
    fields: ["dataDir"],
    read: path("dataDir", "directory"),
    show: (config) => config.dataDir || "none",
  },
  {
    name: "fsync",
    placeholder: "<when>",
    group: DURABILITY,
    summary: "when what was written is on the disk: always (before anybody is told), everysec, no",
    fields: ["fsync"],
    read: oneOf("fsync", SYNC_POLICIES),
    show: (config) => config.fsync,
  },
  {
    name: "static-dir",
    placeholder: "<path>",
    group: FILES,
    summary: "directory whose files are served under /static/",
    fields: ["staticDir"],
    read: path("staticDir", "directory"),
    show: (config) => config.staticDir || "none",
  },
  {
    name: "static-cache",
    placeholder: "<size>",
    group: FILES,
    summary:
      "memory for small files and their compressed copies; 0 keeps none, and compresses none",
    fields: ["staticCacheBytes"],
    read: size("staticCacheBytes"),
    show: (config) => formatSize(config.staticCacheBytes),
  },
  {
    name: "static-cache-ttl",
    placeholder: "<time>",
    group: FILES,
    summary: "time a file is answered from memory before it is looked at again",
    fields: ["staticCacheTtlMs"],
    read: duration("staticCacheTtlMs"),
    show: (config) => formatDuration(config.staticCacheTtlMs),
  },
  {
    name: "static-max-age",
    placeholder: "<time>",
    group: FILES,
    summary: "time browsers may keep a file without asking, pages aside; 0 has them always ask",
    fields: ["staticMaxAgeMs"],
    read: duration("staticMaxAgeMs"),
    show: (config) => formatDuration(config.staticMaxAgeMs),
  },
  {
    name: "drain-delay",
    placeholder: "<time>",
    group: STOP,
    summary: "time to go on serving after /ready has turned 503",
    fields: ["drainDelayMs"],
    read: duration("drainDelayMs"),
    show: (config) => formatDuration(config.drainDelayMs),
  },
  {
    name: "shutdown-timeout",
    placeholder: "<time>",
    group: STOP,
    summary: "time for the whole stop, from the signal on",
    fields: ["shutdownTimeoutMs"],
    read: duration("shutdownTimeoutMs"),
    show: (config) => formatDuration(config.shutdownTimeoutMs),
  },
  {
    name: "stop-on-eof",
    placeholder: "",
    group: STOP,
    summary: "stop when standard input ends; for programs that start the server",
    fields: ["stopOnEof"],
    read: toggle("stopOnEof"),
    show: (config) => String(config.stopOnEof),
  },
  {
    name: "access-log",
    placeholder: "",
    group: LOGS,
    summary: "log a line for each HTTP request",
    fields: ["accessLog"],
    read: toggle("accessLog"),
    show: (config) => String(config.accessLog),
  },
  {
    name: "log-level",
    placeholder: "<level>",
    group: LOGS,
    summary: "least severe level to log: trace, debug, info, warn or error",
    fields: ["logLevel"],
    read: oneOf("logLevel", LOG_LEVELS),
    show: (config) => config.logLevel,
  },
  {
    name: "log-format",
    placeholder: "<form>",
    group: LOGS,
    summary: "text for people, or json: one object a line",
    fields: ["logFormat"],
    read: oneOf("logFormat", LOG_FORMATS),
    show: (config) => config.logFormat,
  },
];

/** The environment variable of a flag: `"http-port"` has `"SLUICE_HTTP_PORT"`. */
export function environmentName(flagName: string): string {
  return `SLUICE_${flagName.toUpperCase().replaceAll("-", "_")}`;
}

function showPort(value: Port): string {
  return String(value);
}
