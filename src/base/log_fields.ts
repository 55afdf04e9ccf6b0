/**
 * Turns the fields of a log record into plain, bounded data.
 *
 * @module
 */

import { LOG_TEXT_MAX_LENGTH } from "./limits.ts";
import type { LogFields } from "./log_record.ts";

/** Nesting beyond this is cut off. */
const MAX_DEPTH = 4;
/** Elements of an array or an object beyond this are left out. */
const MAX_ELEMENTS = 64;

/** What JSON can say. */
export type PlainValue =
  | string
  | number
  | boolean
  | null
  | PlainValue[]
  | { [name: string]: PlainValue };

/**
 * Copies fields so that they are safe to serialize and to send to another thread.
 *
 * Errors become `{ name, message, stack }`, big integers and numbers that JSON does not know become
 * text, functions and undefined values are left out, long texts and deep or wide data are cut.
 *
 * Thread: any.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { plainFields } from "./log_fields.ts";
 * assert.deepEqual(plainFields({ port: 80, amount: 2n ** 60n, nothing: undefined }), {
 *   port: 80,
 *   amount: "1152921504606846976",
 * });
 * ```
 */
export function plainFields(fields: LogFields): Record<string, PlainValue> {
  return plainObject(fields, 0);
}

/** Cuts a text to what one log line may carry of it. */
export function boundedText(text: string): string {
  return text.length <= LOG_TEXT_MAX_LENGTH ? text : `${text.slice(0, LOG_TEXT_MAX_LENGTH - 1)}…`;
}

function plainValue(value: unknown, depth: number): PlainValue | undefined {
  switch (typeof value) {
    case "string":
      return boundedText(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : plainReference(value, depth);
    default:
      return undefined;
  }
}

function plainReference(value: object, depth: number): PlainValue {
  if (value instanceof Error) return plainError(value, depth);
  if (value instanceof Date || value instanceof URL) return String(value);
  if (depth >= MAX_DEPTH) return "…";
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ELEMENTS).map((element) => plainValue(element, depth + 1) ?? null);
  }
  return plainObject(value as Record<string, unknown>, depth);
}

function plainObject(
  source: Readonly<Record<string, unknown>>,
  depth: number,
): Record<string, PlainValue> {
  const result: Record<string, PlainValue> = {};
  let count = 0;
  for (const name in source) {
    const value = plainValue(source[name], depth + 1);
    // An assignment to `__proto__` would not make a field.
    if (value === undefined || name === "__proto__") continue;
    if (++count > MAX_ELEMENTS) break;
    result[name] = value;
  }
  return result;
}

function plainError(error: Error, depth: number): PlainValue {
  const result: Record<string, PlainValue> = {
    name: boundedText(error.name),
    message: boundedText(error.message),
  };
  if (error.stack !== undefined) result["stack"] = boundedText(error.stack);
  if (error.cause !== undefined && depth < MAX_DEPTH) {
    result["cause"] = plainValue(error.cause, depth + 1) ?? null;
  }
  return result;
}
