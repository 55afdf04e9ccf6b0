/**
 * Logging: structured records through LogTape, lines on stderr that never stop the server.
 *
 * Like LogTape's, the configuration belongs to the isolate: parts ask for a {@link Logger} by area
 * and know nothing of where lines go. Unconfigured, nothing is logged, which is what tests and
 * embedders want. The main isolate calls {@link startLogging}, a worker {@link forwardLogs}.
 *
 * @module
 */

import { configureSync, getLogger as getLogTapeLogger, type Sink } from "@logtape/logtape";
import { LOG_WORKER_LINES_PER_SECOND } from "./limits.ts";
import { plainFields } from "./log_fields.ts";
import { formatJson, formatText } from "./log_format.ts";
import { LogQueue } from "./log_queue.ts";
import type { LogFields, LogFormat, LogLevel, LogRecord } from "./log_record.ts";

export type { LogFields, LogFormat, LogLevel, LogRecord } from "./log_record.ts";

/** LogTape's category of everything of ours; the area is its second element. */
const ROOT_CATEGORY = "sluice";
const META_CATEGORY = ["logtape", "meta"];

type LogTapeLevel = "trace" | "debug" | "info" | "warning" | "error";

/**
 * Logs for one area.
 *
 * A message is constant text; what differs goes into fields, whose names are in `snake_case` and end
 * in their unit. A disabled call costs about 50 ns plus the making of its fields.
 *
 * Thread: any; one object per isolate.
 */
export interface Logger {
  /** Details for finding errors, even on hot paths. */
  trace(message: string, fields?: LogFields): void;
  /** Details for understanding one run. */
  debug(message: string, fields?: LogFields): void;
  /** What an operator wants to know: started, listening, stopped. */
  info(message: string, fields?: LogFields): void;
  /** Something is wrong and was coped with. */
  warn(message: string, fields?: LogFields): void;
  /** Something is wrong and was not coped with. */
  error(message: string, fields?: LogFields): void;
  /** Whether a record of this level would be logged. */
  isEnabled(level: LogLevel): boolean;
}

/**
 * The logger of an area, e.g. `"server"`.
 *
 * @example
 * ```ts
 * import { getLogger } from "./log.ts";
 * getLogger("server").info("listening", { event: "listening", protocol: "http", port: 8080 });
 * ```
 */
export function getLogger(area: string): Logger {
  const logger = getLogTapeLogger([ROOT_CATEGORY, area]);
  const isEnabled = (level: LogLevel): boolean =>
    SEVERITIES[level] >= leastSeverity() && logger.isEnabledFor(toLogTapeLevel(level));
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (!isEnabled(level)) return;
    emit({ timeMs: Date.now(), level, area, message, fields });
  };
  return {
    trace: (message, fields) => log("trace", message, fields),
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
    isEnabled,
  };
}

const SEVERITIES: Readonly<Record<LogLevel, number>> = {
  trace: 0,
  debug: 1,
  info: 2,
  warn: 3,
  error: 4,
};

// One per isolate, as LogTape's own configuration is.
let configuredLevel: LogLevel = "trace";
let followedLevel: (() => LogLevel | undefined) | undefined;

function leastSeverity(): number {
  return SEVERITIES[followedLevel?.() ?? configuredLevel];
}

/**
 * Has this isolate log what `levelOf` says at the time, instead of what it was configured with.
 *
 * Thread: any; concerns the calling isolate, until its logging is configured anew.
 *
 * @param levelOf asked for each record, so it must be quick; undefined = as configured
 */
export function followLogLevel(levelOf: () => LogLevel | undefined): void {
  followedLevel = levelOf;
}

/** How the main isolate logs. */
export interface LoggingOptions {
  /** Least severe level that is logged. */
  level: LogLevel;
  /** How lines look. */
  format: LogFormat;
  /** Default: only when stderr is a terminal and `NO_COLOR` is not set. */
  colored?: boolean;
  /** Where lines go. Default: stderr. */
  write?: (bytes: Uint8Array) => Promise<number>;
}

// One per isolate, as LogTape's own configuration is.
let queue: LogQueue | null = null;
let forwardedDrops = 0;
const dropWatchers = new Set<(total: number) => void>();

/**
 * Has `watcher` called with {@link droppedLogLines} now and whenever it has grown, until disposed.
 *
 * Thread: any; concerns the lines of the calling isolate.
 */
export function watchLogDrops(watcher: (total: number) => void): Disposable {
  dropWatchers.add(watcher);
  watcher(droppedLogLines());
  return { [Symbol.dispose]: () => void dropWatchers.delete(watcher) };
}

function noteDrop(): void {
  for (const watcher of dropWatchers) watcher(droppedLogLines());
}

/**
 * Starts logging to stderr, replacing an earlier configuration of this isolate.
 *
 * Thread: the main isolate.
 */
export function startLogging(options: LoggingOptions): void {
  const colored = options.colored ?? (Deno.stderr.isTerminal() && !Deno.noColor);
  const format = options.format === "json"
    ? formatJson
    : (record: LogRecord): string => formatText(record, colored);
  const lines = new LogQueue({
    write: options.write ?? ((bytes) => Deno.stderr.write(bytes)),
    onDrop: noteDrop,
    describeDrop: (count) =>
      format({
        timeMs: Date.now(),
        level: "warn",
        area: "log",
        message: "log lines dropped",
        fields: { event: "log_lines_dropped", count },
      }),
  });
  queue = lines;
  configure(options.level, (record) => lines.push(format(record)));
}

/**
 * Waits until all lines are written.
 *
 * Thread: the main isolate, before it exits.
 *
 * @param deadlineMs how long to wait at most, for a reader that does not read
 * @returns whether all lines were written in time
 */
export function flushLogs(deadlineMs: number): Promise<boolean> {
  return queue === null ? Promise.resolve(true) : queue.flush(deadlineMs);
}

/** Lines that this isolate dropped since {@link startLogging} or {@link forwardLogs}. */
export function droppedLogLines(): number {
  return queue === null ? forwardedDrops : queue.droppedLines;
}

/** A record on its way from a worker to the main isolate. */
export interface LogMessage {
  /** Tells this message from others of the same worker. */
  readonly kind: "sluice_log";
  /** The record; its fields are plain data. */
  readonly record: LogRecord;
}

/**
 * Starts logging in a worker: records are handed to the main isolate, which writes them.
 *
 * At most {@link LOG_WORKER_LINES_PER_SECOND} records pass in a second; of more, a record says later
 * how many were dropped.
 *
 * Thread: a worker.
 *
 * @param level least severe level that is logged
 * @param post hands a message over, e.g. `(message) => self.postMessage(message)`
 */
export function forwardLogs(level: LogLevel, post: (message: LogMessage) => void): void {
  let second = 0;
  let passed = 0;
  let dropped = 0;
  configure(level, (record) => {
    const now = Math.floor(record.timeMs / 1000);
    if (now !== second) {
      second = now;
      passed = 0;
      if (dropped > 0) {
        const fields = { event: "log_lines_dropped", count: dropped };
        dropped = 0;
        post(toMessage({ ...record, level: "warn", message: "log lines dropped", fields }));
      }
    }
    if (passed >= LOG_WORKER_LINES_PER_SECOND) {
      dropped++;
      forwardedDrops++;
      noteDrop();
      return;
    }
    passed++;
    post(toMessage(record));
  });
}

/**
 * Logs what a worker handed over.
 *
 * Thread: the main isolate.
 *
 * @param message any message of a worker
 * @returns whether it was a log record
 */
export function receiveLog(message: unknown): boolean {
  if (typeof message !== "object" || message === null) return false;
  const { kind, record } = message as Partial<LogMessage>;
  if (kind !== "sluice_log" || record === undefined) return false;
  if (SEVERITIES[record.level] >= leastSeverity()) emit(record);
  return true;
}

function toMessage(record: LogRecord): LogMessage {
  return { kind: "sluice_log", record: { ...record, fields: plainFields(record.fields) } };
}

function configure(level: LogLevel, write: (record: LogRecord) => void): void {
  configuredLevel = level;
  followedLevel = undefined;
  const sink: Sink = ({ timestamp, level, category, message, properties }) =>
    write({
      timeMs: timestamp,
      level: fromLogTapeLevel(level),
      area: category[1] ?? ROOT_CATEGORY,
      message: message.join(""),
      fields: properties,
    });
  configureSync({
    sinks: { sink },
    loggers: [
      { category: ROOT_CATEGORY, sinks: ["sink"], lowestLevel: "trace" },
      // LogTape's own complaints, e.g. about a sink that threw.
      { category: META_CATEGORY, sinks: ["sink"], lowestLevel: "error" },
    ],
    reset: true,
  });
}

/** Bypasses LogTape's message templates: braces in a message mean nothing. */
function emit({ timeMs, level, area, message, fields }: LogRecord): void {
  getLogTapeLogger([ROOT_CATEGORY, area]).emit({
    timestamp: timeMs,
    level: toLogTapeLevel(level),
    message: [message],
    rawMessage: message,
    properties: fields,
  });
}

function toLogTapeLevel(level: LogLevel): LogTapeLevel {
  return level === "warn" ? "warning" : level;
}

function fromLogTapeLevel(level: LogTapeLevel | "fatal"): LogLevel {
  return level === "warning" ? "warn" : level === "fatal" ? "error" : level;
}
