/**
 * The text of `INFO`.
 *
 * @module
 */

import { ChannelSpace } from "../../pubsub/channel_registry.ts";
import { DATABASE_COUNT } from "../../store/control.ts";
import type { CommandServices, ServerSnapshot } from "../services.ts";

/** Tools that look at `redis_version` are told the version whose commands and texts are spoken. */
export const COMPATIBLE_REDIS_VERSION = "7.0.0";

/** Names that ask for every section. */
const EVERYTHING = ["all", "default", "everything"];

type Lines = (services: CommandServices, snapshot: ServerSnapshot) => string[];

const SECTIONS: ReadonlyMap<string, Lines> = new Map<string, Lines>([
  ["Server", serverLines],
  ["Clients", clientLines],
  ["Memory", memoryLines],
  ["Persistence", persistenceLines],
  ["Stats", statsLines],
  ["Replication", replicationLines],
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
  const everything = wanted.length === 0 || wanted.some((name) => EVERYTHING.includes(name));
  const snapshot = services.snapshot();
  const texts: string[] = [];
  for (const [name, lines] of SECTIONS) {
    if (!everything && !wanted.includes(name.toLowerCase())) continue;
    texts.push(`# ${name}\r\n${lines(services, snapshot).join("\r\n")}\r\n`);
  }
  return texts.join("\r\n");
}

function serverLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  const uptimeSeconds = Math.max(0, Math.floor((services.clock() - snapshot.startedAtMs) / 1000));
  return [
    `redis_version:${COMPATIBLE_REDIS_VERSION}`,
    "redis_mode:standalone",
    "arch_bits:64",
    `sluice_version:${snapshot.version}`,
    `process_id:${snapshot.processId}`,
    `tcp_port:${snapshot.respPort}`,
    `http_port:${snapshot.httpPort}`,
    `proto_port:${snapshot.protoPort}`,
    `uptime_in_seconds:${uptimeSeconds}`,
    `uptime_in_days:${Math.floor(uptimeSeconds / 86400)}`,
    `shards:${services.store.shardCount}`,
    `io_threads:${snapshot.ioThreads}`,
    `workers:${snapshot.workers}`,
  ];
}

function clientLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  return [
    `connected_clients:${snapshot.activeConnections}`,
    `maxclients:${snapshot.maxConnections}`,
    `blocked_clients:${services.intake.waitingClients}`,
  ];
}

function memoryLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  const stats = services.store.stats();
  return [
    `used_memory:${stats.usedBytes}`,
    `used_memory_dataset:${stats.blockBytes}`,
    `used_memory_rss:${snapshot.residentBytes}`,
    `maxmemory:${stats.maxMemoryBytes}`,
    "maxmemory_policy:noeviction",
  ];
}

function persistenceLines(): string[] {
  return ["loading:0", "rdb_bgsave_in_progress:0", "aof_enabled:0", "aof_rewrite_in_progress:0"];
}

function statsLines({ pubsub }: CommandServices, snapshot: ServerSnapshot): string[] {
  return [
    `total_connections_received:${snapshot.acceptedConnections}`,
    `total_commands_processed:${snapshot.processedCommands}`,
    `total_net_input_bytes:${snapshot.readBytes}`,
    `total_net_output_bytes:${snapshot.writtenBytes}`,
    `rejected_connections:${snapshot.refusedConnections}`,
    `pubsub_channels:${pubsub?.registry.channelCount(ChannelSpace.PLAIN) ?? 0}`,
    `pubsub_patterns:${pubsub?.patterns.distinctCount() ?? 0}`,
    `pubsubshard_channels:${pubsub?.registry.channelCount(ChannelSpace.SHARD) ?? 0}`,
  ];
}

function replicationLines(): string[] {
  return ["role:master", "connected_slaves:0", "master_repl_offset:0"];
}

function clusterLines(): string[] {
  return ["cluster_enabled:0"];
}

function eventLines(_services: CommandServices, snapshot: ServerSnapshot): string[] {
  const { events, channel } = snapshot;
  return [
    `events_received:${events.received}`,
    `events_processed:${events.processed}`,
    `events_dropped:${events.dropped}`,
    `events_failed:${events.failed}`,
    `events_invalid:${events.invalid}`,
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
    // Tools split at the comma. An average of 0 means, as in Redis, that nobody has looked.
    if (keyCount > 0) lines.push(`db${database}:keys=${keyCount},avg_ttl=0`);
  }
  return lines;
}
