/**
 * Finds complete requests at the front of a connection's input.
 *
 * A request that arrived in part stays where it is, and the parser remembers how far it got: the
 * next read goes on there. It keeps no offsets meanwhile, which for many small arguments would be
 * more than the arguments themselves; when the request is complete they are found in one more pass.
 * So no byte is looked at more than twice however finely the input is cut, but for the first lines of
 * a short request: it is first tried whether all of it is there.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { InputBuffer } from "../../base/bytes.ts";
import { Int64, parseInt64 } from "../../base/int64.ts";
import type { CommandArguments } from "../../command/arguments.ts";
import { splitInline } from "./inline_request.ts";
import {
  RESP_MAX_ARGUMENTS,
  RESP_MAX_BULK_BYTES,
  RESP_MAX_LINE_BYTES,
  RESP_MAX_UNAUTHENTICATED_ARGUMENTS,
  RESP_MAX_UNAUTHENTICATED_BULK_BYTES,
} from "./limits.ts";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DOLLAR = 0x24;
const STAR = 0x2a;
const DIGIT_0 = 0x30;

/** Counts beyond it are wrong for everybody. */
const INT32_MAX = 0x7fffffff;

/** `$0\r\n\r\n`: no argument takes fewer bytes. */
const MIN_ARGUMENT_BYTES = 6;

/** Longer arguments are not read at once. Less than what anybody may send. Unit: bytes. */
const SHORT_ARGUMENT_MAX_BYTES = 9999;
assert(
  SHORT_ARGUMENT_MAX_BYTES <= RESP_MAX_UNAUTHENTICATED_BULK_BYTES &&
    9 < RESP_MAX_UNAUTHENTICATED_ARGUMENTS,
  "what is read at once is within all limits",
);

/** A length line within this many digits is read in one pass; no valid length is longer. */
const FAST_DIGIT_COUNT = 9;

/** {@link RequestParser} has no number for a line: it is incomplete, or {@link FAILED}. */
const UNFINISHED = -1;
const FAILED = -2;

/**
 * What {@link RequestParser.parse} found.
 *
 * - `COMPLETE`: one request was taken; an empty one (blank line, `*0`) has no arguments.
 * - `INCOMPLETE`: more bytes are needed.
 * - `ERROR`: malformed; see {@link RequestParser.errorText}. The connection must be closed.
 */
export const ParseResult = { COMPLETE: 0, INCOMPLETE: 1, ERROR: 2 } as const;

/** One of the values of {@link ParseResult}. */
export type ParseResult = (typeof ParseResult)[keyof typeof ParseResult];

/** Who sends, as far as the parser cares. */
export interface Sender {
  /** Until this is true, only small requests are taken. */
  readonly authenticated: boolean;
}

const KNOWN_SENDER: Sender = { authenticated: true };

/** Where an unfinished request was left. */
const State = { BETWEEN: 0, INLINE: 1, COUNT: 2, ARGUMENTS: 3 } as const;
type State = (typeof State)[keyof typeof State];

/**
 * An incremental parser of Redis requests: arrays of bulk strings and inline lines.
 *
 * Stricter than Redis in one point: the bytes behind an argument and behind a length's `\r` must
 * really be a line end, so that a client that counts wrongly is told instead of misread.
 *
 * Thread: belongs to one connection.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RequestParser {
  /** Why the last call returned {@link ParseResult.ERROR}, e.g. `invalid bulk length`. */
  errorText = "";
  /** Whether the last complete request was an inline line. */
  inline = false;
  /** Who sends; another one may begin where no request is under way. */
  sender: Sender;

  readonly #maxRequestBytes: number;
  readonly #maxLineBytes: number;

  #state: State = State.BETWEEN;
  /** Arguments that the request claims to have. */
  #claimed = 0;
  /** Arguments still to come. */
  #remaining = 0;
  /** Whether all of it came in one piece so far, its offsets with it. */
  #isCollecting = false;
  /** Length of the argument under way, -1 while its length line is not read. */
  #bulkLength = -1;
  /** First byte not understood yet. */
  #at = 0;
  /** The line under way has no end before this offset; it may lie before the line. */
  #scanned = 0;
  /** `input.start` when the offsets above were taken. */
  #base = 0;

  /**
   * Makes a parser that waits for a connection's first byte.
   *
   * @param maxRequestBytes largest request, its framing included, in bytes
   * @param sender who sends
   */
  constructor(maxRequestBytes: number, sender: Sender = KNOWN_SENDER) {
    this.sender = sender;
    this.#maxRequestBytes = maxRequestBytes;
    this.#maxLineBytes = Math.min(RESP_MAX_LINE_BYTES, maxRequestBytes);
  }

  /** True when a part of a request has arrived and the rest has not. */
  get midRequest(): boolean {
    return this.#state !== State.BETWEEN;
  }

  /**
   * Takes one request from the front of `input`.
   *
   * On `COMPLETE`, `input.start` is behind the request and `args` refers to `input.bytes`. On
   * `INCOMPLETE`, `input.start` stays and what is in `args` means nothing.
   */
  parse(input: InputBuffer, args: CommandArguments): ParseResult {
    if (this.#state !== State.BETWEEN) {
      this.#resume(input);
      args.reset(input.bytes);
    } else {
      const start = input.start;
      if (start === input.end) return ParseResult.INCOMPLETE;
      args.reset(input.bytes);
      const behind = this.#atOnce(input, args);
      if (behind > 0) {
        input.start = behind;
        this.inline = false;
        return ParseResult.COMPLETE;
      }
      this.#at = start;
      this.#scanned = start;
      this.#isCollecting = true;
      this.#state = input.bytes[start] === STAR ? State.COUNT : State.INLINE;
    }
    if (this.#state === State.ARGUMENTS) return this.#arguments(input, args);
    if (this.#state === State.COUNT) return this.#count(input, args);
    return this.#inlineLine(input, args);
  }

  /**
   * Reads a request as nearly all are: complete, and with few and short arguments. Whatever is
   * otherwise, or wrong, is for the parser proper.
   *
   * @returns the offset behind it; 0 = it is not such a request, and what is in `args` means nothing
   */
  #atOnce(input: InputBuffer, args: CommandArguments): number {
    const { bytes, start: from } = input;
    const { starts, ends } = args;
    const most = Math.min(input.end, from + this.#maxRequestBytes);
    let at = from + 4;
    if (at > most) return 0;
    const count = bytes[from + 1]! - DIGIT_0;
    if (
      bytes[from] !== STAR || count < 1 || count > 9 || bytes[from + 2] !== CARRIAGE_RETURN ||
      bytes[from + 3] !== LINE_FEED
    ) return 0;
    for (let i = 0; i < count; i++) {
      if (at + MIN_ARGUMENT_BYTES > most) return 0;
      let length = bytes[at + 1]! - DIGIT_0;
      if (bytes[at] !== DOLLAR || length < 0 || length > 9) return 0;
      at += 2;
      for (let digit = bytes[at]! - DIGIT_0; digit >= 0 && digit <= 9;) {
        // Of more digits the first is not 0.
        if (length === 0 || length > (SHORT_ARGUMENT_MAX_BYTES - 9) / 10) return 0;
        length = length * 10 + digit;
        digit = ++at < most ? bytes[at]! - DIGIT_0 : -1;
      }
      const start = at + 2;
      const end = start + length;
      at = end + 2;
      if (
        at > most || bytes[start - 2] !== CARRIAGE_RETURN || bytes[start - 1] !== LINE_FEED ||
        bytes[end] !== CARRIAGE_RETURN || bytes[end + 1] !== LINE_FEED
      ) return 0;
      starts[i] = start;
      ends[i] = end;
    }
    args.count = count;
    return at;
  }

  /** Follows the input when it moved between two calls. */
  #resume(input: InputBuffer): void {
    const shift = input.start - this.#base;
    this.#at += shift;
    this.#scanned += shift;
    // Nothing was collected before the first argument.
    this.#isCollecting = this.#state !== State.ARGUMENTS;
  }

  #suspend(input: InputBuffer): ParseResult {
    this.#base = input.start;
    return ParseResult.INCOMPLETE;
  }

  #complete(input: InputBuffer, at: number, inline: boolean): ParseResult {
    input.start = at;
    this.inline = inline;
    this.#state = State.BETWEEN;
    return ParseResult.COMPLETE;
  }

  #fail(input: InputBuffer, text: string): ParseResult {
    input.start = input.end;
    this.errorText = text;
    this.#state = State.BETWEEN;
    return ParseResult.ERROR;
  }

  /** Reads `*3\r\n`. */
  #count(input: InputBuffer, args: CommandArguments): ParseResult {
    const bytes = input.bytes;
    const at = this.#at;
    let count: number;
    // Nearly every request has one digit here.
    const digit = bytes[at + 1]! - DIGIT_0;
    if (
      at + 3 < input.end && digit > 0 && digit <= 9 && bytes[at + 2] === CARRIAGE_RETURN &&
      bytes[at + 3] === LINE_FEED
    ) {
      count = digit;
      this.#at = at + 4;
    } else {
      count = this.#lengthLine(bytes, input.end);
      if (count === UNFINISHED) return this.#suspend(input);
      if (count === FAILED) return this.#fail(input, `${this.errorText} mbulk count string`);
      const tooMany = count > RESP_MAX_UNAUTHENTICATED_ARGUMENTS && count <= INT32_MAX;
      if (tooMany && !this.sender.authenticated) {
        return this.#fail(input, "unauthenticated multibulk length");
      }
      if (Number.isNaN(count) || count > RESP_MAX_ARGUMENTS) {
        return this.#fail(input, "invalid multibulk length");
      }
      if (count <= 0) return this.#complete(input, this.#at, false);
      if (count * MIN_ARGUMENT_BYTES > this.#maxRequestBytes) return this.#tooLarge(input);
    }
    this.#claimed = count;
    this.#remaining = count;
    this.#bulkLength = -1;
    this.#state = State.ARGUMENTS;
    return this.#arguments(input, args);
  }

  /** Reads `$3\r\nGET\r\n`, as often as arguments remain. */
  #arguments(input: InputBuffer, args: CommandArguments): ParseResult {
    const bytes = input.bytes;
    const end = input.end;
    let at = this.#at;
    let remaining = this.#remaining;
    let bulkLength = this.#bulkLength;
    const isCollecting = this.#isCollecting;
    while (remaining > 0) {
      if (bulkLength < 0) {
        if (at === end) break;
        if (bytes[at] !== DOLLAR) {
          return this.#fail(input, `expected '$', got '${printable(bytes[at]!)}'`);
        }
        const limit = Math.min(end, at + 1 + FAST_DIGIT_COUNT);
        let next = at + 1;
        let value = 0;
        while (next < limit) {
          const digit = bytes[next]! - DIGIT_0;
          if (digit < 0 || digit > 9) break;
          value = value * 10 + digit;
          next++;
        }
        if (
          next + 1 < end && bytes[next] === CARRIAGE_RETURN && bytes[next + 1] === LINE_FEED &&
          next > at + 1 && (bytes[at + 1] !== DIGIT_0 || next === at + 2)
        ) {
          bulkLength = value;
          at = next + 2;
        } else {
          this.#at = at;
          bulkLength = this.#lengthLine(bytes, end);
          if (bulkLength === UNFINISHED) break;
          if (bulkLength === FAILED) {
            return this.#fail(input, `${this.errorText} bulk count string`);
          }
          at = this.#at;
        }
        // The negation also catches NaN, a line that is no number.
        if (!(bulkLength >= 0 && bulkLength <= RESP_MAX_BULK_BYTES)) {
          return this.#fail(input, "invalid bulk length");
        }
        if (
          bulkLength > RESP_MAX_UNAUTHENTICATED_BULK_BYTES && !this.sender.authenticated
        ) return this.#fail(input, "unauthenticated bulk length");
        if (at + bulkLength + 2 - input.start > this.#maxRequestBytes) return this.#tooLarge(input);
      }
      const argumentEnd = at + bulkLength;
      if (end - argumentEnd < 2) break;
      if (bytes[argumentEnd] !== CARRIAGE_RETURN || bytes[argumentEnd + 1] !== LINE_FEED) {
        return this.#fail(input, "expected a line end behind the argument");
      }
      if (isCollecting) args.push(at, argumentEnd);
      at = argumentEnd + 2;
      bulkLength = -1;
      remaining--;
    }
    if (remaining === 0) {
      if (!isCollecting) collect(bytes, input.start, this.#claimed, args);
      return this.#complete(input, at, false);
    }
    this.#at = at;
    this.#remaining = remaining;
    this.#bulkLength = bulkLength;
    return this.#suspend(input);
  }

  /**
   * Reads the number between the byte at `#at` (`*` or `$`) and `\r\n`, and moves behind it.
   *
   * @returns the number; NaN when the line is none; {@link UNFINISHED}; or {@link FAILED} when the
   *   line is too long (`errorText` starts the message)
   */
  #lengthLine(bytes: Uint8Array, end: number): number {
    const start = this.#at + 1;
    let at = Math.max(start, this.#scanned);
    while (at < end && bytes[at] !== CARRIAGE_RETURN) at++;
    if (at - start > this.#maxLineBytes) {
      this.errorText = "too big";
      return FAILED;
    }
    this.#scanned = at;
    if (at + 1 >= end) return UNFINISHED;
    if (bytes[at + 1] !== LINE_FEED) return NaN;
    const value = new Int64();
    if (!parseInt64(bytes, start, at, value)) return NaN;
    this.#at = at + 2;
    // Negative counts mean an empty request; they must not be mistaken for the markers.
    return value.hi < 0 ? -Infinity : value.toNumber();
  }

  #inlineLine(input: InputBuffer, args: CommandArguments): ParseResult {
    const bytes = input.bytes;
    const start = this.#at;
    const end = input.end;
    let at = this.#scanned;
    while (at < end && bytes[at] !== LINE_FEED) at++;
    this.#scanned = at;
    if (at === end) {
      // One byte more than the limit may still turn out to be the line's `\r`.
      if (at - start > this.#maxLineBytes + 1) return this.#fail(input, "too big inline request");
      return this.#suspend(input);
    }
    const lineEnd = at > start && bytes[at - 1] === CARRIAGE_RETURN ? at - 1 : at;
    if (lineEnd - start > this.#maxLineBytes) return this.#fail(input, "too big inline request");
    if (!splitInline(bytes, start, lineEnd, args)) {
      return this.#fail(input, "unbalanced quotes in request");
    }
    return this.#complete(input, at + 1, true);
  }

  #tooLarge(input: InputBuffer): ParseResult {
    return this.#fail(input, `request larger than ${this.#maxRequestBytes} bytes`);
  }
}

/** Finds the arguments of the complete and well-formed request that starts at `start`. */
function collect(bytes: Uint8Array, start: number, count: number, args: CommandArguments): void {
  args.reserve(count);
  let at = start;
  while (bytes[at] !== LINE_FEED) at++;
  at++;
  for (let i = 0; i < count; i++) {
    let length = 0;
    for (at++; bytes[at] !== CARRIAGE_RETURN; at++) length = length * 10 + bytes[at]! - DIGIT_0;
    at += 2;
    args.push(at, at + length);
    at += length + 2;
  }
}

function printable(byte: number): string {
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  if (byte === CARRIAGE_RETURN || byte === LINE_FEED) return " ";
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
