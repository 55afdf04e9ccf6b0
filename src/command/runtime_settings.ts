/**
 * Settings that change while the server runs (`CONFIG SET`), the same for all threads.
 *
 * A setting is one double in shared memory, which every thread reads when it needs it: nobody has to
 * be told of a change.
 *
 * @module
 */

import type { LogLevel } from "../base/log_record.ts";
import { formatNotifyClasses, parseNotifyClasses } from "../pubsub/keyspace_events.ts";

/** Places of the settings; see operations_memory.ts. */
export const SettingIndex = {
  /** Commands that take so long are logged; -1 = none. Unit: µs. */
  SLOWLOG_SLOWER_THAN: 0,
  /** Slow commands that are kept. */
  SLOWLOG_MAX_LEN: 1,
  /** What takes so long is kept as a sample; 0 = nothing is. Unit: ms. */
  LATENCY_THRESHOLD: 2,
  /** Time without a byte until a RESP connection is closed; 0 = never. Unit: s. */
  TIMEOUT: 3,
  /** Which key events are published; see `NotifyClass`. */
  NOTIFY_CLASSES: 4,
  /** What happens when memory is used up; index into {@link MEMORY_POLICIES}. */
  MEMORY_POLICY: 5,
  /** Whether what commands cost is shown as histograms and percentiles: 1 or 0. */
  LATENCY_TRACKING: 6,
  /** Most connections, over all protocols. */
  MAX_CLIENTS: 7,
  /** Connections that memory was set aside for at start; not a setting. */
  MAX_CLIENTS_EVER: 8,
  /** Least severe records that are logged; index into {@link LOG_LEVEL_WORDS}. */
  LOG_LEVEL: 9,
} as const;

/** One of the values of {@link SettingIndex}. */
export type SettingIndex = (typeof SettingIndex)[keyof typeof SettingIndex];

/** Policies that work here, by the number that stands for them. */
export const MEMORY_POLICIES = ["noeviction", "allkeys-lru", "volatile-ttl"] as const;

/** Redis's words for what is logged, and two that it lacks, from all to least. */
export const LOG_LEVEL_WORDS = [
  "trace",
  "debug",
  "verbose",
  "notice",
  "warning",
  "error",
] as const;

/** The levels that the words stand for. */
const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "debug", "info", "warn", "error"];

/** The number that stands for a level. */
export function logLevelIndex(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}

/** The level that a number stands for. */
export function logLevelAt(index: number): LogLevel {
  return LOG_LEVELS[index]!;
}

/** How a setting is read and shown. */
interface SettingKind {
  /** Its name in `CONFIG`. */
  readonly name: string;
  /** Its place. */
  readonly index: SettingIndex;
  /** What it is unless the server is told otherwise at start. */
  readonly standard: number;
  /** The value of a text, or why there is none. */
  parse(text: string, values: Float64Array): number | string;
  /** The text of a value. */
  format(value: number): string;
}

const INT64_MAX = 9223372036854775807n;

function integer(
  name: string,
  index: SettingIndex,
  standard: number,
  [min, max]: readonly [bigint, bigint],
): SettingKind {
  return {
    name,
    index,
    standard,
    parse(text) {
      if (!/^-?(0|[1-9]\d{0,18})$/.test(text)) return "argument couldn't be parsed into an integer";
      const value = BigInt(text);
      if (value >= min && value <= max) return Number(value);
      return value > INT64_MAX
        ? "argument couldn't be parsed into an integer"
        : `argument must be between ${min} and ${max} inclusive`;
    },
    format: (value) => value >= Number(INT64_MAX) ? String(INT64_MAX) : String(Math.ceil(value)),
  };
}

function choice(
  name: string,
  index: SettingIndex,
  words: readonly string[],
  refusal: string,
): SettingKind {
  return {
    name,
    index,
    standard: 0,
    parse(text) {
      const value = words.indexOf(text.toLowerCase());
      return value < 0 ? refusal : value;
    },
    format: (value) => words[value]!,
  };
}

const KINDS: readonly SettingKind[] = [
  integer("slowlog-log-slower-than", SettingIndex.SLOWLOG_SLOWER_THAN, 10_000, [-1n, INT64_MAX]),
  integer("slowlog-max-len", SettingIndex.SLOWLOG_MAX_LEN, 128, [0n, INT64_MAX]),
  integer("latency-monitor-threshold", SettingIndex.LATENCY_THRESHOLD, 0, [0n, INT64_MAX]),
  integer("timeout", SettingIndex.TIMEOUT, 0, [0n, 2147483647n]),
  {
    ...integer("maxclients", SettingIndex.MAX_CLIENTS, 1000, [1n, 1_000_000n]),
    parse: (text, values) => {
      const most = BigInt(values[SettingIndex.MAX_CLIENTS_EVER]!);
      return integer("maxclients", SettingIndex.MAX_CLIENTS, 0, [1n, most]).parse(text, values);
    },
  },
  {
    ...choice(
      "loglevel",
      SettingIndex.LOG_LEVEL,
      LOG_LEVEL_WORDS,
      `argument(s) must be one of the following: ${LOG_LEVEL_WORDS.join(", ")}`,
    ),
    standard: logLevelIndex("info"),
  },
  {
    name: "notify-keyspace-events",
    index: SettingIndex.NOTIFY_CLASSES,
    standard: 0,
    parse: (text) =>
      parseNotifyClasses(text) ?? "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    format: formatNotifyClasses,
  },
  choice(
    "maxmemory-policy",
    SettingIndex.MEMORY_POLICY,
    MEMORY_POLICIES,
    `argument(s) must be one of the following: ${MEMORY_POLICIES.join(", ")}`,
  ),
  {
    ...choice(
      "latency-tracking",
      SettingIndex.LATENCY_TRACKING,
      ["no", "yes"],
      "argument must be 'yes' or 'no'",
    ),
    standard: 1,
  },
];

const BY_NAME: ReadonlyMap<string, SettingKind> = new Map(KINDS.map((kind) => [kind.name, kind]));

/** A value that is fit to be set. */
export interface SettingChange {
  /** Which setting. */
  readonly index: SettingIndex;
  /** To what. */
  readonly value: number;
}

/**
 * The settings in shared memory.
 *
 * Thread: any; one object per thread.
 */
export class RuntimeSettings {
  /** The values; index = {@link SettingIndex}. Read them directly where it has to be fast. */
  readonly values: Float64Array<SharedArrayBuffer>;

  /** Looks at the settings of a region. */
  constructor(values: Float64Array<SharedArrayBuffer>) {
    this.values = values;
  }

  /** Sets everything to its standard value. Thread: whoever makes the region. */
  begin(): this {
    for (const { index, standard } of KINDS) this.values[index] = standard;
    this.values[SettingIndex.MAX_CLIENTS_EVER] = this.values[SettingIndex.MAX_CLIENTS]!;
    return this;
  }

  /** Names and texts of all settings, by name. */
  texts(): [string, string][] {
    return KINDS.map(({ name, index, format }) => [name, format(this.values[index]!)]);
  }

  /** Whether there is a setting of this name. */
  has(name: string): boolean {
    return BY_NAME.has(name);
  }

  /** Reads a value without setting it. @returns why it cannot be set, if it cannot */
  plan(name: string, text: string): SettingChange | string {
    const { index, parse } = BY_NAME.get(name)!;
    const value = parse(text, this.values);
    return typeof value === "string" ? value : { index, value };
  }

  /** Sets a value. */
  apply({ index, value }: SettingChange): void {
    this.values[index] = value;
  }
}
