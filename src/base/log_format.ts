/**
 * Log records as lines.
 *
 * Both forms keep a record on one line whatever clients put into its fields: control characters
 * are escaped, so nobody can forge a line or send commands to a terminal.
 *
 * @module
 */

import { LOG_LINE_MAX_LENGTH } from "./limits.ts";
import { boundedText, plainFields, type PlainValue } from "./log_fields.ts";
import type { LogLevel, LogRecord } from "./log_record.ts";

/** Names that a record itself uses at the top level of a JSON line. */
const RESERVED_NAMES = new Set(["time", "level", "area", "message"]);

const RESET = "\x1b[0m";
const DIM = "\x1b[2m";
const LEVEL_COLORS: Readonly<Record<LogLevel, string>> = {
  trace: "\x1b[2m",
  debug: "\x1b[36m",
  info: "\x1b[32m",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};

/**
 * One JSON object, its fields at top level, without a line end.
 *
 * Shape: `{"time":"2026-01-01T00:00:00.000Z","level":"info","area":"server","message":"listening",
 * "event":"listening","protocol":"http","port":8080}`. A field that is called like one of the first
 * four gets `field_` in front.
 *
 * Thread: any.
 */
export function formatJson(record: LogRecord): string {
  const head = {
    time: new Date(record.timeMs).toISOString(),
    level: record.level,
    area: record.area,
    message: boundedText(record.message),
  };
  const line: Record<string, PlainValue> = { ...head };
  for (const [name, value] of Object.entries(plainFields(record.fields))) {
    line[RESERVED_NAMES.has(name) ? `field_${name}` : name] = value;
  }
  const text = JSON.stringify(line);
  return text.length <= LOG_LINE_MAX_LENGTH ? text : JSON.stringify({ ...head, truncated: true });
}

/**
 * One readable line, without a line end.
 *
 * Shape: `2026-01-01T00:00:00.000Z info  server   listening protocol=http port=8080`. The field
 * `event` is for programs and left out; the stack of an error follows on lines of its
 * own, indented.
 *
 * Thread: any.
 *
 * @param colored whether to use the colours of a terminal
 */
export function formatText(record: LogRecord, colored: boolean): string {
  const { level, area, message } = record;
  const time = new Date(record.timeMs).toISOString();
  const paint = (color: string, text: string): string => colored ? color + text + RESET : text;
  let line = `${paint(DIM, time)} ${paint(LEVEL_COLORS[level], level.padEnd(5))} ` +
    `${paint(DIM, area.padEnd(8))} ${escapeControls(boundedText(message))}`;
  let stacks = "";
  for (const [name, value] of Object.entries(plainFields(record.fields))) {
    if (name === "event") continue;
    line += ` ${paint(DIM, `${escapeControls(name)}=`)}${textValue(value)}`;
    stacks += stackLines(value);
  }
  const text = line + stacks;
  return text.length <= LOG_LINE_MAX_LENGTH ? text : `${line.slice(0, LOG_LINE_MAX_LENGTH - 1)}…`;
}

function textValue(value: PlainValue): string {
  if (typeof value === "string") {
    return /^[^\s"'=\p{Cc}\p{Cf}\u2028\u2029]+$/u.test(value) ? value : quoted(value);
  }
  if (isError(value)) return quoted(`${value.name}: ${value.message}`);
  return typeof value === "object" && value !== null ? quoted(value) : String(value);
}

function quoted(value: PlainValue): string {
  return escapeControls(JSON.stringify(value));
}

/** Replaces what could break a line or steer a terminal by `\u` and the code. */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (control) => `\\u${control.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}

function stackLines(value: PlainValue): string {
  if (!isError(value) || typeof value.stack !== "string") return "";
  const frames = value.stack.split("\n").filter((line) => /^\s+at /.test(line));
  return frames.map((frame) => `\n    ${escapeControls(frame.trim())}`).join("");
}

function isError(
  value: PlainValue,
): value is { name: string; message: string; stack?: PlainValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    typeof value["name"] === "string" && typeof value["message"] === "string";
}
