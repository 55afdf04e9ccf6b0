/**
 * The text of `INFO`.
 *
 * @module
 */

import { ChannelSpace } from "../../pubsub/channel_registry.ts";
import { DATABASE_COUNT } from "../../store/control.ts";
import type { CommandServices, ServerSnapshot, StorageControl } from "../services.ts";
import { commandStatLines, errorStatLines, errorTotal, latencyStatLines } from "./info_commands.ts";
import { memoryLines } from "./info_memory.ts";
import { type TotalName, totalSinceReset } from "./info_totals.ts";

/** Tools that look at `redis_version` are told the version whose commands and texts are spoken. */
export const COMPATIBLE_REDIS_VERSION = "7.0.0";

/** Names that ask for every section. */
const EVERYTHING = ["all", "everything"];

/** Sections that are shown only when asked for. */
const ON_REQUEST = ["Commandstats", "Latencystats"];

type Lines = (services: CommandServices, snapshot: ServerSnapshot) => string[];

const SECTIONS: ReadonlyMap<string, Lines> = new Map<string, Lines>([
  ["Server", serverLines],
  ["Clients", clientLines],
  ["Memory", memoryLines],
  ["Persistence", persistenceLines],
  ["Stats", statsLines],
  ["Replication", replicationLines],
  ["CPU", cpuLines],
  ["Modules", () => []],
  ["Commandstats", commandStatLines],
  ["Errorstats", errorStatLines],
  ["Latencystats", latencyStatLines],
  ["Cluster", clusterLines],
  ["Events", eventLines],
  ["Keyspace", keyspaceLines],
]);

/**
 * Writes the sections that are asked for, in the format of Redis: `# Name`, `key:value` lines, a
 * blank line between sections.
 *
 * Thread: the I/O thread that `services` belongs to.
 *
 * @param wanted section names in lower case; none means all
 */
export function infoText(services: CommandServices, wanted: readonly string[]): string {
  const everything = wanted.some((name) => EVERYTHING.includes(name));
  const standard = wanted.length === 0 || wanted.includes("default");
  const snapshot = services.snapshot();
  const texts: string[] = [];
  for (const [name, lines] of SECTIONS) {
    const isStandard = standard && !ON_REQUEST.includes(name);
    if (!everything && !isStandard && !wanted.includes(name.toLowerCase())) continue;
    const all = lines(services, snapshot);
    texts.push([`# ${name}`, ...all, ""].join("\r\n"));
  }
  return texts.join("\r\n");
}

function serverLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  const uptimeSeconds = Math.max(0, Math.floor((services.clock() - snapshot.startedAtMs) / 1000));
  const nowMs = services.clock();
  return [
    `redis_version:${COMPATIBLE_REDIS_VERSION}`,
    "redis_git_sha1:00000000",
    "redis_git_dirty:0",
    "redis_mode:standalone",
    "arch_bits:64",
    "process_supervised:no",
    `os:${snapshot.operatingSystem}`,
    `sluice_version:${snapshot.version}`,
    `process_id:${snapshot.processId}`,
    `run_id:${services.operations.region.runId}`,
    `tcp_port:${snapshot.respPort}`,
    `server_time_usec:${nowMs * 1000}`,
    `http_port:${snapshot.httpPort}`,
    `proto_port:${snapshot.protoPort}`,
    `uptime_in_seconds:${uptimeSeconds}`,
    `uptime_in_days:${Math.floor(uptimeSeconds / 86400)}`,
    `lru_clock:${Math.floor(nowMs / 1000) & 0xffffff}`,
    "config_file:",
    `shards:${services.store.shardCount}`,
    `io_threads:${snapshot.ioThreads}`,
    `workers:${snapshot.workers}`,
  ];
}

function clientLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  return [
    `connected_clients:${snapshot.activeConnections}`,
    "cluster_connections:0",
    "tracking_clients:0",
    `maxclients:${snapshot.maxConnections}`,
    `blocked_clients:${services.blocking?.blockedCount ?? 0}`,
  ];
}

function persistenceLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  const { storage } = services;
  if (storage !== undefined) return storageLines(storage, snapshot, services.clock());
  return [
    "loading:0",
    "async_loading:0",
    "rdb_bgsave_in_progress:0",
    `rdb_last_save_time:${Math.floor(snapshot.startedAtMs / 1000)}`,
    "rdb_last_bgsave_status:ok",
    "rdb_last_bgsave_time_sec:-1",
    "rdb_current_bgsave_time_sec:-1",
    "rdb_saves:0",
    "aof_enabled:0",
    "aof_rewrite_in_progress:0",
    "aof_rewrite_scheduled:0",
    "aof_last_rewrite_time_sec:-1",
    "aof_current_rewrite_time_sec:-1",
    "aof_last_bgrewrite_status:ok",
    "aof_last_write_status:ok",
  ];
}

function storageLines(
  storage: StorageControl,
  snapshot: ServerSnapshot,
  nowMs: number,
): string[] {
  const { snapshotCount, snapshotFailureCount, snapshotRuns, snapshotTookMs } = storage;
  const seconds = snapshotCount === 0 ? -1 : Math.round(snapshotTookMs / 1000);
  const isRunning = snapshotRuns ? 1 : 0;
  const status = (isOk: boolean): string => isOk ? "ok" : "err";
  const isSaved = snapshotFailureCount === 0;
  const currentSeconds = snapshotRuns
    ? Math.max(0, Math.floor((nowMs - storage.snapshotBeganAtMs) / 1000))
    : -1;
  return [
    "loading:0",
    "async_loading:0",
    `rdb_bgsave_in_progress:${isRunning}`,
    `rdb_last_save_time:${Math.floor((storage.snapshotAtMs || snapshot.startedAtMs) / 1000)}`,
    `rdb_last_bgsave_status:${status(isSaved)}`,
    `rdb_last_bgsave_time_sec:${seconds}`,
    `rdb_current_bgsave_time_sec:${currentSeconds}`,
    `rdb_saves:${snapshotCount}`,
    "aof_enabled:1",
    `aof_rewrite_in_progress:${isRunning}`,
    "aof_rewrite_scheduled:0",
    `aof_last_rewrite_time_sec:${seconds}`,
    `aof_current_rewrite_time_sec:${currentSeconds}`,
    `aof_last_bgrewrite_status:${status(isSaved)}`,
    `aof_last_write_status:${status(storage.takesWrites)}`,
    `aof_current_size:${storage.logPosition}`,
    `aof_pending_bio_fsync:0`,
    `log_durable_bytes:${storage.durablePosition}`,
    `log_state:${storage.phase}`,
  ];
}

function statsLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  const { expiredKeys, evictedKeys } = services.store.stats();
  const { pubsub } = services;
  const since = (name: TotalName): number => totalSinceReset(services, snapshot, name);
  return [
    `total_connections_received:${since("acceptedConnections")}`,
    `total_commands_processed:${since("processedCommands")}`,
    `instantaneous_ops_per_sec:${Math.round(snapshot.commandsPerSecond)}`,
    `total_net_input_bytes:${since("readBytes")}`,
    `total_net_output_bytes:${since("writtenBytes")}`,
    `instantaneous_input_kbps:${(snapshot.readBytesPerSecond / 1024).toFixed(2)}`,
    `instantaneous_output_kbps:${(snapshot.writtenBytesPerSecond / 1024).toFixed(2)}`,
    `rejected_connections:${since("refusedConnections")}`,
    `expired_keys:${expiredKeys}`,
    `evicted_keys:${evictedKeys}`,
    `evicted_clients:${since("evictedClients")}`,
    `keyspace_hits:${since("keyspaceHits")}`,
    `keyspace_misses:${since("keyspaceMisses")}`,
    "sync_full:0",
    "sync_partial_ok:0",
    "sync_partial_err:0",
    `pubsub_channels:${pubsub?.registry.channelCount(ChannelSpace.PLAIN) ?? 0}`,
    `pubsub_patterns:${pubsub?.patterns.distinctCount() ?? 0}`,
    `pubsubshard_channels:${pubsub?.registry.channelCount(ChannelSpace.SHARD) ?? 0}`,
    `total_error_replies:${errorTotal(services)}`,
    `acl_access_denied_auth:${since("authFailures")}`,
    `client_output_buffer_limit_disconnections:${since("slowSubscribers")}`,
  ];
}

function replicationLines(): string[] {
  return [
    "role:master",
    "connected_slaves:0",
    "master_failover_state:no-failover",
    "master_repl_offset:0",
    "second_repl_offset:-1",
    "repl_backlog_active:0",
    "repl_backlog_size:0",
    "repl_backlog_first_byte_offset:0",
    "repl_backlog_histlen:0",
  ];
}

function cpuLines(_services: CommandServices, snapshot: ServerSnapshot): string[] {
  const seconds = (micros: number): string => (micros / 1_000_000).toFixed(6);
  return [
    `used_cpu_sys:${seconds(snapshot.cpuSystemMicros)}`,
    `used_cpu_user:${seconds(snapshot.cpuUserMicros)}`,
    "used_cpu_sys_children:0.000000",
    "used_cpu_user_children:0.000000",
  ];
}

function clusterLines(): string[] {
  return ["cluster_enabled:0"];
}

function eventLines(_services: CommandServices, snapshot: ServerSnapshot): string[] {
  const { events, channel, processor } = snapshot;
  return [
    ...(processor === undefined ? [] : [`processor:${processor}`]),
    `events_received:${events.received}`,
    `events_processed:${events.processed}`,
    `events_dropped:${events.dropped}`,
    `events_failed:${events.failed}`,
    `events_invalid:${events.invalid}`,
    `events_duplicate:${events.duplicates}`,
    `events_pending:${events.pending}`,
    `channel_depth:${channel.depth}`,
    `channel_capacity:${channel.capacity}`,
    `channel_high_water_mark:${channel.highWaterMark}`,
  ];
}

function keyspaceLines(services: CommandServices): string[] {
  const lines: string[] = [];
  for (let database = 0; database < DATABASE_COUNT; database++) {
    const keyCount = services.store.keyCount(database);
    if (keyCount === 0) continue;
    // Tools split at the comma. An average of 0 means, as in Redis, that nobody has looked.
    const timedCount = services.store.keyspace.timedCount(database);
    lines.push(`db${database}:keys=${keyCount},expires=${timedCount},avg_ttl=0`);
  }
  return lines;
}
