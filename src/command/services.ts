/**
 * What commands may ask of the server, as one bundle.
 *
 * @module
 */

import type { Authenticator } from "./authenticator.ts";
import type { BlockedClients } from "./blocking/blocked_clients.ts";
import type { ClientDirectory } from "./client_directory.ts";
import type { Store } from "../store/store.ts";
import type { CounterSink, DispatchCounterIds } from "./counters.ts";
import type { EventIntake } from "./event_intake.ts";
import type { CommandTable } from "./lookup.ts";
import type { Operations } from "./operations.ts";
import type { ChannelDirectory } from "./pubsub/channel_directory.ts";
import type { PubSubHub } from "./pubsub/hub.ts";
import type { Notifier } from "../pubsub/notifier.ts";

/** Events since start; `received = processed + dropped + failed + pending`. */
export interface EventTotals {
  /** Well-formed ones. */
  received: number;
  /** Settled: the balance changed. */
  processed: number;
  /** Refused at the door. */
  dropped: number;
  /** Settled: the balance did not change. */
  failed: number;
  /** Malformed ones. */
  invalid: number;
  /** Ones that were accepted before, by their id; not in `received`. */
  duplicates: number;
  /** Accepted and not settled yet. */
  pending: number;
}

/**
 * Facts about the running server for `INFO` and `HELLO`; a snapshot, taken when asked for.
 *
 * Sizes are bytes, times ms.
 */
export interface ServerSnapshot {
  /** Version of this server, e.g. `0.1.0`. */
  version: string;
  /** The system that it runs on, e.g. `Linux x86_64`. */
  operatingSystem: string;
  /** Process id. */
  processId: number;
  /** When the server became ready, ms since the epoch. */
  startedAtMs: number;
  /** Port of the Redis protocol; 0 when off. */
  respPort: number;
  /** Port of HTTP; 0 when off. */
  httpPort: number;
  /** Port of Protobuf; 0 when off. */
  protoPort: number;
  /** Open connections over all listeners. */
  activeConnections: number;
  /** Bound on the former. */
  maxConnections: number;
  /** Connections accepted since start. */
  acceptedConnections: number;
  /** Connections refused since start. */
  refusedConnections: number;
  /** Commands executed since start, over all protocols. */
  processedCommands: number;
  /** Bytes read from clients. */
  readBytes: number;
  /** Bytes written to clients. */
  writtenBytes: number;
  /** Keys that reading commands looked for and found. */
  keyspaceHits: number;
  /** Keys that reading commands looked for in vain. */
  keyspaceMisses: number;
  /** Wrong passwords. */
  authFailures: number;
  /** Connections ended because client memory was short. */
  evictedClients: number;
  /** Subscribers ended because they took their messages too slowly. */
  slowSubscribers: number;
  /** What all connections' buffers hold; as of the last second. */
  clientMemoryBytes: number;
  /** Commands per second, lately. */
  commandsPerSecond: number;
  /** Bytes read per second, lately. */
  readBytesPerSecond: number;
  /** Bytes written per second, lately. */
  writtenBytesPerSecond: number;
  /** Resident set size of the process; 0 when unknown. */
  residentBytes: number;
  /** Processor time of the process outside the system, all threads. Unit: µs. */
  cpuUserMicros: number;
  /** Processor time of the process inside the system. Unit: µs. */
  cpuSystemMicros: number;
  /** Threads that serve connections. */
  ioThreads: number;
  /** Workers that drain the channel. */
  workers: number;
  /** Event counters. */
  events: EventTotals;
  /** Name of the processor of one's own; left out: there is none. */
  processor?: string | undefined;
  /** The channel: jobs that wait, may wait, and waited at most. */
  channel: { depth: number; capacity: number; highWaterMark: number };
}

/**
 * Settings as `CONFIG GET` shows them: Redis's names in lower case, values as text.
 *
 * Shape: `Map { "maxmemory" => "268435456", "appendonly" => "no" }`.
 */
export type SettingTexts = ReadonlyMap<string, string>;

/** The data directory, as far as commands need it. */
export interface StorageControl {
  /** Whether writes are taken; if not, the log cannot be written. */
  readonly takesWrites: boolean;
  /** How the log is, in a word. */
  readonly phase: "serving" | "failed" | "repairing";
  /** Whether a snapshot is being taken. */
  readonly snapshotRuns: boolean;
  /** When it was begun, ms since the epoch. */
  readonly snapshotBeganAtMs: number;
  /** Snapshots that were completed since the start. */
  readonly snapshotCount: number;
  /** Snapshots that could not be. */
  readonly snapshotFailureCount: number;
  /** When the last one was complete, ms since the epoch; 0 = none was since the start. */
  readonly snapshotAtMs: number;
  /** How long it took, ms. */
  readonly snapshotTookMs: number;
  /** How long the log is in all, bytes; what is in front of the last snapshot is gone. */
  readonly logPosition: number;
  /** How much of it is on the disk, bytes. */
  readonly durablePosition: number;
  /** When the disk was last waited for, ms since the epoch. */
  readonly syncedAtMs: number;
  /** Has a snapshot taken, as soon as none is. */
  wantSnapshot(): void;
  /** Whether replies wait until what they tell is on the disk; who tells something says so then. */
  readonly confirmsDurable: boolean;
  /** A shard was looked at, or changed, and its lock was given back: the reply tells of it. */
  touch(shard: number): void;
  /** The reply tells of all that can be seen now. */
  touchAll(): void;
  /** The reply comes later, and may tell of more then. */
  tellsLater(): void;
  /** While writes are not taken: whether the last change of a shard is not, and may never be, safe. */
  isLost(shard: number): boolean;
  /** The same of any shard. */
  readonly isAnyLost: boolean;
}

/**
 * Everything a dispatcher is made from.
 *
 * Thread: one bundle per I/O thread.
 */
export interface CommandServices {
  /** The store as this thread sees it. */
  readonly store: Store;
  /** Where events are offered. */
  readonly intake: EventIntake;
  /** Knows the password. */
  readonly authenticator: Authenticator;
  /** Who is connected. */
  readonly clients: ClientDirectory;
  /** All commands. */
  readonly table: CommandTable;
  /** Settings, numbers and whatever else administration sees and steers. */
  readonly operations: Operations;
  /** For `CONFIG GET`: what does not change at run time. */
  readonly settings: SettingTexts;
  /** The data directory; left out: there is none. */
  readonly storage?: StorageControl | undefined;
  /** For `INFO` and `HELLO`. */
  snapshot(): ServerSnapshot;
  /** Told when settings have changed, for those parts that keep them elsewhere. */
  readonly settingsChanged?: () => void;
  /** Whether other machines reach the server, which therefore has to want a password. */
  readonly mustHavePassword?: boolean;
  /** Time of day, ms since the epoch. */
  clock(): number;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Clients of this thread that wait for keys; when left out, nobody can. */
  readonly blocking?: BlockedClients;
  /** Where the dispatcher counts. */
  readonly counterIds: DispatchCounterIds;
  /** Who subscribes; when left out, nobody can. */
  readonly pubsub?: PubSubHub;
  /** Channels of all threads, by name; goes with {@link CommandServices.pubsub}. */
  readonly channels?: ChannelDirectory;
  /** Publishes what happens to keys, if anybody may want to know. */
  readonly notifier?: Notifier;
}
