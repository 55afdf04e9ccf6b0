/**
 * Conditional requests: whether a client's copy is still the right one.
 *
 * @module
 */

import { encodeText } from "./characters.ts";
import { fieldText } from "./field_text.ts";
import { parseHttpDate } from "./http_date.ts";
import { HttpMethod } from "./method.ts";
import type { HttpRequest } from "./request.ts";

const IF_MATCH = encodeText("if-match");
const IF_UNMODIFIED_SINCE = encodeText("if-unmodified-since");
const IF_NONE_MATCH = encodeText("if-none-match");
const IF_MODIFIED_SINCE = encodeText("if-modified-since");
const IF_RANGE = encodeText("if-range");

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/;

/** What tells one state of a resource from another. */
export interface Validators {
  /** Entity tag with its quotes, e.g. `"1f-a"` or `W/"1f-a"`. */
  readonly etag: string;
  /** Last change, whole seconds. Unit: ms since the epoch. */
  readonly lastModifiedMs: number;
}

/** What the conditions of a request come to. */
export const Precondition = {
  /** Answer as if there were none. */
  PASS: 0,
  /** 304: the client has it. */
  NOT_MODIFIED: 1,
  /** 412: it is not what the client takes it for. */
  FAILED: 2,
} as const;

/** One of the values of {@link Precondition}. */
export type Precondition = (typeof Precondition)[keyof typeof Precondition];

/**
 * Evaluates the conditions of a request for a resource that exists, in the order that RFC 9110
 * gives.
 *
 * Nothing allocates for a request without conditions.
 *
 * Thread: one I/O thread.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
 */
export function evaluatePreconditions(
  request: HttpRequest,
  { etag, lastModifiedMs }: Validators,
  nowMs: number,
): Precondition {
  const ifMatch = fieldText(request, IF_MATCH);
  if (ifMatch !== undefined) {
    if (!hasTag(ifMatch, etag, isSameStrongly)) return Precondition.FAILED;
  } else {
    const unmodifiedSince = dateField(request, IF_UNMODIFIED_SINCE, nowMs);
    if (unmodifiedSince !== null && lastModifiedMs > unmodifiedSince) return Precondition.FAILED;
  }
  const isRead = request.method === HttpMethod.GET || request.method === HttpMethod.HEAD;
  const ifNoneMatch = fieldText(request, IF_NONE_MATCH);
  if (ifNoneMatch !== undefined) {
    if (!hasTag(ifNoneMatch, etag, isSameWeakly)) return Precondition.PASS;
    return isRead ? Precondition.NOT_MODIFIED : Precondition.FAILED;
  }
  if (!isRead) return Precondition.PASS;
  const modifiedSince = dateField(request, IF_MODIFIED_SINCE, nowMs);
  return modifiedSince !== null && lastModifiedMs <= modifiedSince
    ? Precondition.NOT_MODIFIED
    : Precondition.PASS;
}

/**
 * Whether a `Range` may be honoured: there is no `If-Range`, or it names exactly this state.
 *
 * A date counts only if the last change is a second old, because there may have been two of them in
 * one second.
 *
 * Thread: one I/O thread.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
 */
export function mayServeRange(
  request: HttpRequest,
  { etag, lastModifiedMs }: Validators,
  nowMs: number,
): boolean {
  const ifRange = fieldText(request, IF_RANGE);
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return isSameStrongly(ifRange, etag);
  return parseHttpDate(ifRange, nowMs) === lastModifiedMs && nowMs - lastModifiedMs >= 2000;
}

/** The tag without what says that it is weak. */
function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}

function isSameWeakly(a: string, b: string): boolean {
  return opaque(a) === opaque(b);
}

function isSameStrongly(a: string, b: string): boolean {
  return a === b && !a.startsWith("W/");
}

/** Whether a list of tags, or `*`, has the tag; what is no list has none. */
function hasTag(
  list: string,
  etag: string,
  isSame: (a: string, b: string) => boolean,
): boolean {
  if (list === "*") return true;
  let rest = list;
  let isFound = false;
  for (;;) {
    rest = rest.replace(/^[ \t,]+/, "");
    if (rest === "") return isFound;
    const tag = TAG.exec(rest)?.[0];
    if (tag === undefined) return false;
    isFound ||= isSame(tag, etag);
    rest = rest.slice(tag.length);
    if (!/^[ \t]*(,|$)/.test(rest)) return false;
  }
}

/** A field that is not a date is as if it were not there. */
function dateField(request: HttpRequest, name: Uint8Array, nowMs: number): number | null {
  const text = fieldText(request, name);
  return text === undefined ? null : parseHttpDate(text, nowMs);
}
