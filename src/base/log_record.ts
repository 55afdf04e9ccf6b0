/**
 * Log records, before they are lines.
 *
 * @module
 */

/** The levels, least severe first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `text` for people, `json` for programs: one object a line. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@link LOG_FORMATS}. */
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Structured data of a record, e.g. `{ event: "listening", protocol: "http", port: 8080 }`. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * One thing that happened.
 *
 * Shape: `{ timeMs: 1767225600000, level: "info", area: "server", message: "listening",
 * fields: { port: 8080 } }`.
 */
export interface LogRecord {
  /** When, ms since the epoch. */
  readonly timeMs: number;
  /** How bad. */
  readonly level: LogLevel;
  /** Which part says so, e.g. `"server"`. */
  readonly area: string;
  /** What happened, in words that never change from record to record. */
  readonly message: string;
  /** What makes this record differ from others with the same message. */
  readonly fields: LogFields;
}
