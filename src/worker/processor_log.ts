/**
 * The log as a processor of one's own has it: lines go to the supervisor, which adds its name.
 *
 * Whatever the processor gives is made something plain and small here, where it costs this worker only.
 *
 * @module
 */

import { LineLimit } from "./line_limit.ts";
import type { ProcessorLineMessage } from "./messages.ts";
import type { ProcessorLogger } from "./processor.ts";

/** Lines of one worker in a second. */
const LINES_PER_SECOND = 100;
const MESSAGE_LENGTH_MAX = 1000;
const VALUE_LENGTH_MAX = 1000;
const FIELDS_MAX = 16;
const NAME_LENGTH_MAX = 64;

/** What a line says beside its message. */
export type Fields = Readonly<Record<string, unknown>>;

/** Thread: one worker. */
export class ProcessorLog implements ProcessorLogger {
  readonly #tell: (message: ProcessorLineMessage) => void;
  readonly #limit = new LineLimit(LINES_PER_SECOND);

  /** Has lines told by `tell`. */
  constructor(tell: (message: ProcessorLineMessage) => void) {
    this.#tell = tell;
  }

  /** See {@link ProcessorLogger.debug}. */
  debug(message: string, fields?: Fields): void {
    this.#line("debug", message, fields);
  }

  /** See {@link ProcessorLogger.info}. */
  info(message: string, fields?: Fields): void {
    this.#line("info", message, fields);
  }

  /** See {@link ProcessorLogger.warn}. */
  warn(message: string, fields?: Fields): void {
    this.#line("warn", message, fields);
  }

  /** See {@link ProcessorLogger.error}. */
  error(message: string, fields?: Fields): void {
    this.#line("error", message, fields);
  }

  #line(level: ProcessorLineMessage["level"], message: string, fields: Fields = {}): void {
    if (!this.#limit.allows()) return;
    this.#tell({
      kind: "line",
      level,
      message: textOf(message).slice(0, MESSAGE_LENGTH_MAX),
      fields: plain(fields),
      untold: this.#limit.takeUntold(),
    });
  }
}

function plain(fields: Fields): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields).slice(0, FIELDS_MAX)) {
    result[name.slice(0, NAME_LENGTH_MAX)] = plainValue(value);
  }
  return result;
}

function plainValue(value: unknown): unknown {
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") return value.slice(0, VALUE_LENGTH_MAX);
  return textOf(value).slice(0, VALUE_LENGTH_MAX);
}

/** Some text for anything; never throws. */
export function textOf(value: unknown): string {
  try {
    if (typeof value === "string") return value;
    if (value instanceof Error || typeof value !== "object") return String(value);
    return JSON.stringify(value) ?? String(value);
  } catch {
    return `(${typeof value} without text)`;
  }
}
