/**
 * Reads a request's head, from its first byte to the empty line, wherever the input is cut.
 *
 * @module
 */

import {
  CHARACTER_FLAGS,
  COLON,
  CR,
  IS_TARGET,
  IS_TOKEN,
  IS_VALUE,
  LF,
  SPACE,
  TAB,
} from "./characters.ts";
import { type HttpFailure, HttpFailures } from "./failure.ts";
import type { Framing } from "./framing.ts";
import {
  MAX_FIELD_COUNT,
  MAX_FIELD_SECTION_BYTES,
  MAX_METHOD_BYTES,
  MAX_TARGET_BYTES,
} from "./limits.ts";
import { methodOf } from "./method.ts";
import { ParseStep } from "./parse_step.ts";
import type { HttpRequest } from "./request.ts";
import { splitTarget } from "./target.ts";

/** What comes next. */
const State = {
  START: 0,
  LEADING_LF: 1,
  METHOD: 2,
  TARGET: 3,
  VERSION: 4,
  VERSION_LF: 5,
  FIELD_START: 6,
  FIELD_NAME: 7,
  FIELD_VALUE: 8,
  FIELD_LF: 9,
  HEAD_LF: 10,
} as const;

type State = (typeof State)[keyof typeof State];

const VERSION_BYTES = 8;
const VERSION_PATTERN = [0x48, 0x54, 0x54, 0x50, 0x2f, -1, 0x2e, -1];
const DIGIT_0 = 0x30;

/**
 * A state machine over the bytes of a head.
 *
 * Every byte is looked at once: a head that arrives in pieces goes on where it stopped (only the
 * eight bytes of the version may be compared again). What is decided does not depend on where the
 * pieces were cut, errors included.
 *
 * Thread: belongs to one connection.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-2.1
 */
export class HeadParser {
  /** The next byte to look at; behind the head when `parse` said `COMPLETE`. */
  at = 0;
  /** What is wrong, after `parse` said `FAILED`. */
  failure: HttpFailure = HttpFailures.BAD_METHOD;

  #state: State = State.START;
  #leadingLineSeen = false;
  #tokenStart = 0;
  #nameEnd = 0;
  #sectionStart = 0;

  /** Starts over with a head at `start`. */
  reset(start: number): void {
    this.at = start;
    this.#state = State.START;
    this.#leadingLineSeen = false;
  }

  /** Whether nothing but an empty line has been seen. */
  get isAtStart(): boolean {
    return this.#state === State.START;
  }

  /** Follows bytes that moved by `shift`. */
  rebase(shift: number): void {
    this.at += shift;
    this.#tokenStart += shift;
    this.#nameEnd += shift;
    this.#sectionStart += shift;
  }

  /**
   * Goes on with `request.bytes[at, end)`.
   *
   * @returns `COMPLETE` when the head is, with `at` behind it; `INCOMPLETE` when more is needed
   */
  parse(request: HttpRequest, framing: Framing, end: number): ParseStep {
    if (this.#state < State.FIELD_START) {
      const step = this.#parseRequestLine(request, end);
      if (step !== ParseStep.COMPLETE) return step;
    }
    return this.#parseFields(request, framing, end);
  }

  #parseRequestLine(request: HttpRequest, end: number): ParseStep {
    const { bytes } = request;
    let at = this.at;
    let state = this.#state;
    for (;;) {
      switch (state) {
        case State.START:
          if (at === end) return this.#suspend(state, at);
          // One empty line may come first: old clients send one behind a body.
          if (bytes[at] === CR && !this.#leadingLineSeen) {
            this.#leadingLineSeen = true;
            state = State.LEADING_LF;
            at++;
            continue;
          }
          this.#tokenStart = at;
          state = State.METHOD;
          continue;

        case State.LEADING_LF:
          if (at === end) return this.#suspend(state, at);
          if (bytes[at] !== LF) return this.#fail(HttpFailures.BARE_CARRIAGE_RETURN);
          at++;
          state = State.START;
          continue;

        case State.METHOD: {
          const limit = this.#tokenStart + MAX_METHOD_BYTES + 1;
          const stop = limit < end ? limit : end;
          while (at < stop && (CHARACTER_FLAGS[bytes[at]!]! & IS_TOKEN) !== 0) at++;
          if (at === limit) return this.#fail(HttpFailures.METHOD_TOO_LONG);
          if (at === end) return this.#suspend(state, at);
          if (bytes[at] !== SPACE || at === this.#tokenStart) {
            return this.#fail(HttpFailures.BAD_METHOD);
          }
          request.method = methodOf(bytes, this.#tokenStart, at);
          this.#tokenStart = ++at;
          state = State.TARGET;
          continue;
        }

        case State.TARGET: {
          const limit = this.#tokenStart + MAX_TARGET_BYTES + 1;
          const stop = limit < end ? limit : end;
          while (at < stop && (CHARACTER_FLAGS[bytes[at]!]! & IS_TARGET) !== 0) at++;
          if (at === limit) return this.#fail(HttpFailures.TARGET_TOO_LONG);
          if (at === end) return this.#suspend(state, at);
          if (at === this.#tokenStart) return this.#fail(HttpFailures.BAD_TARGET);
          if (bytes[at] !== SPACE) {
            const isLineEnd = bytes[at] === CR || bytes[at] === LF;
            return this.#fail(isLineEnd ? HttpFailures.BAD_VERSION : HttpFailures.BAD_TARGET);
          }
          const failure = splitTarget(request, this.#tokenStart, at);
          if (failure !== null) return this.#fail(failure);
          this.#tokenStart = ++at;
          state = State.VERSION;
          continue;
        }

        case State.VERSION: {
          const failure = checkVersion(request, this.#tokenStart, end);
          if (failure !== null) return this.#fail(failure);
          at = this.#tokenStart + VERSION_BYTES;
          if (at >= end) return this.#suspend(state, end);
          if (bytes[at] !== CR) {
            return this.#fail(
              bytes[at] === LF ? HttpFailures.BARE_LINE_FEED : HttpFailures.BAD_VERSION,
            );
          }
          at++;
          state = State.VERSION_LF;
          continue;
        }

        default: // VERSION_LF
          if (at === end) return this.#suspend(state, at);
          if (bytes[at] !== LF) return this.#fail(HttpFailures.BARE_CARRIAGE_RETURN);
          this.at = at + 1;
          this.#sectionStart = at + 1;
          this.#state = State.FIELD_START;
          return ParseStep.COMPLETE;
      }
    }
  }

  #parseFields(request: HttpRequest, framing: Framing, end: number): ParseStep {
    const { bytes } = request;
    const sectionLimit = this.#sectionStart + MAX_FIELD_SECTION_BYTES;
    const stop = sectionLimit < end ? sectionLimit : end;
    let at = this.at;
    let state: State = this.#state;
    for (;;) {
      if (at === stop) {
        if (at === sectionLimit) return this.#fail(HttpFailures.FIELDS_TOO_LARGE);
        return this.#suspend(state, at);
      }
      // A ladder, not a switch: a field that is all there goes straight through it.
      if (state === State.HEAD_LF) {
        if (bytes[at] !== LF) return this.#fail(HttpFailures.BARE_CARRIAGE_RETURN);
        const failure = framing.finish(request);
        if (failure !== null) return this.#fail(failure);
        this.at = at + 1;
        return ParseStep.COMPLETE;
      }
      if (state === State.FIELD_START) {
        const byte = bytes[at]!;
        if (byte === CR) {
          at++;
          state = State.HEAD_LF;
          continue;
        }
        if (byte === SPACE || byte === TAB) return this.#fail(HttpFailures.FOLDED_FIELD);
        if (request.fieldCount === MAX_FIELD_COUNT) return this.#fail(HttpFailures.TOO_MANY_FIELDS);
        this.#tokenStart = at;
        state = State.FIELD_NAME;
      }
      if (state === State.FIELD_NAME) {
        while (at < stop && (CHARACTER_FLAGS[bytes[at]!]! & IS_TOKEN) !== 0) at++;
        if (at === stop) continue;
        if (bytes[at] !== COLON || at === this.#tokenStart) {
          return this.#fail(HttpFailures.BAD_FIELD_NAME);
        }
        this.#nameEnd = at++;
        state = State.FIELD_VALUE;
      }
      if (state === State.FIELD_VALUE) {
        while (at < stop && (CHARACTER_FLAGS[bytes[at]!]! & IS_VALUE) !== 0) at++;
        if (at === stop) continue;
        if (bytes[at] !== CR) {
          return this.#fail(
            bytes[at] === LF ? HttpFailures.BARE_LINE_FEED : HttpFailures.BAD_FIELD_VALUE,
          );
        }
        state = State.FIELD_LF;
        if (++at === stop) continue;
      }
      if (bytes[at] !== LF) return this.#fail(HttpFailures.BARE_CARRIAGE_RETURN);
      const failure = this.#finishField(request, framing, at - 1);
      if (failure !== null) return this.#fail(failure);
      at++;
      state = State.FIELD_START;
    }
  }

  /** Takes the field whose value ends in front of its CR at `lineEnd`. */
  #finishField(request: HttpRequest, framing: Framing, lineEnd: number): HttpFailure | null {
    const { bytes } = request;
    let start = this.#nameEnd + 1;
    let end = lineEnd;
    while (start < end && (bytes[start] === SPACE || bytes[start] === TAB)) start++;
    while (end > start && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
    request.addField(this.#tokenStart, this.#nameEnd, start, end);
    return framing.field(request, this.#tokenStart, this.#nameEnd, start, end);
  }

  #suspend(state: State, at: number): ParseStep {
    this.#state = state;
    this.at = at;
    return ParseStep.INCOMPLETE;
  }

  #fail(failure: HttpFailure): ParseStep {
    this.failure = failure;
    return ParseStep.FAILED;
  }
}

/** Compares what has arrived of the version with `HTTP/d.d`. */
function checkVersion(request: HttpRequest, start: number, end: number): HttpFailure | null {
  const { bytes } = request;
  const arrived = end - start < VERSION_BYTES ? end - start : VERSION_BYTES;
  for (let i = 0; i < arrived; i++) {
    const byte = bytes[start + i]!;
    const expected = VERSION_PATTERN[i]!;
    const matches = expected < 0 ? byte >= DIGIT_0 && byte <= DIGIT_0 + 9 : byte === expected;
    if (!matches) return HttpFailures.BAD_VERSION;
  }
  if (arrived < VERSION_BYTES) return null;
  if (bytes[start + 5] !== DIGIT_0 + 1) return HttpFailures.UNSUPPORTED_VERSION;
  request.minorVersion = bytes[start + 7] === DIGIT_0 ? 0 : 1;
  return null;
}
