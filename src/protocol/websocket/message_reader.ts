/**
 * Finds messages in the frames that a client sends.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5
 *
 * @module
 */

import type { InputBuffer } from "../../base/bytes.ts";
import { CloseCode } from "./close_code.ts";
import {
  CONTROL_BIT,
  FIN_BIT,
  LENGTH_BITS,
  LENGTH_OF_2_BYTES,
  MASK_BIT,
  MAX_LENGTH_OF_2_BYTES,
  Opcode,
  OPCODE_BITS,
  RESERVED_BITS,
} from "./frame.ts";
import { FRAMES_PER_STEP, MAX_CONTROL_BYTES } from "./limits.ts";
import { unmask } from "./unmask.ts";
import { Utf8Checker } from "./utf8_checker.ts";

const MASK_BYTES = 4;
const TWO_32 = 4294967296;

/**
 * What {@link MessageReader.next} found.
 *
 * - `NEED_INPUT`: nothing that is whole; read more.
 * - `WORKING`: nothing yet, and there is more to look at; others may have their turn before.
 * - `MESSAGE`: a text message.
 * - `PING`, `PONG`, `CLOSE`: a control frame.
 * - `FAILED`: the client broke the protocol; {@link MessageReader.failure} says how.
 */
export const ReadStep = {
  NEED_INPUT: 0,
  WORKING: 1,
  MESSAGE: 2,
  PING: 3,
  PONG: 4,
  CLOSE: 5,
  FAILED: 6,
} as const;

/** One of the values of {@link ReadStep}. */
export type ReadStep = (typeof ReadStep)[keyof typeof ReadStep];

/** How a client broke the protocol. */
export interface ReadFailure {
  /** For the Close frame. */
  readonly code: CloseCode;
  /** The same, for people. */
  readonly reason: string;
}

/** All there are. */
export const ReadFailures = {
  RESERVED_BIT: broken("a reserved bit is set, and no extension was agreed on"),
  UNKNOWN_OPCODE: broken("the opcode is reserved"),
  FRAGMENTED_CONTROL: broken("a control frame must not be fragmented"),
  LONG_CONTROL: broken(`a control frame has at most ${MAX_CONTROL_BYTES} bytes`),
  NOT_MASKED: broken("frames of clients must be masked"),
  NO_MESSAGE: broken("there is no message to continue"),
  IN_MESSAGE: broken("a message began before the last one ended"),
  LONG_LENGTH: broken("the length takes more bytes than it needs"),
  BINARY: { code: CloseCode.UNSUPPORTED_DATA, reason: "messages are text" },
  NOT_TEXT: { code: CloseCode.INVALID_TEXT, reason: "the text is not UTF-8" },
  TOO_LARGE: { code: CloseCode.TOO_LARGE, reason: "the message is too long" },
} as const satisfies Readonly<Record<string, ReadFailure>>;

/** The step for each opcode of a control frame. */
const CONTROL_STEPS: Readonly<Record<number, ReadStep>> = {
  [Opcode.CLOSE]: ReadStep.CLOSE,
  [Opcode.PING]: ReadStep.PING,
  [Opcode.PONG]: ReadStep.PONG,
};

/**
 * Takes frames apart where they lie.
 *
 * ```text
 * input.start      + message           + at               input.end
 * | message so far | gap: heads, done  | not looked at yet |
 * ```
 *
 * The message is put together at the front of the input, its mask taken off as it comes; so it costs
 * the connection no other memory, and a byte that is wrong is found when it comes. The gap that heads
 * and control frames leave is closed before more is read.
 *
 * What is found depends on the bytes alone, not on how they were cut.
 *
 * Thread: belongs to one connection.
 */
export class MessageReader {
  /** Why {@link MessageReader.next} gave `FAILED`. */
  failure: ReadFailure = ReadFailures.RESERVED_BIT;
  /** Bytes of the payload found. */
  payloadBytes = 0;

  readonly #maxMessageBytes: number;
  readonly #mask = new Uint8Array(MASK_BYTES);
  readonly #text = new Utf8Checker();
  /** Bytes of the message so far. */
  #messageBytes = 0;
  /** What is not looked at yet, relative to the input's start. */
  #at = 0;
  /** Where the payload found is, relative to the input's start. */
  #payloadOffset = 0;
  /** Whether a message has begun and not ended. */
  #inMessage = false;
  /** Whether the head of a data frame is read and its payload is not. */
  #inFrame = false;
  #isLastFrame = false;
  /** Bytes of that payload that are to come. */
  #missingBytes = 0;
  /** Bytes of it that have come. */
  #frameBytes = 0;
  /** What was found and is not consumed yet. */
  #found: ReadStep = ReadStep.NEED_INPUT;
  /** Bytes of the frame that was found, if it is a control frame. */
  #controlBytes = 0;

  /**
   * Starts in front of the first frame.
   *
   * @param maxMessageBytes longest message
   */
  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Whether a message has come in part. */
  get isInMessage(): boolean {
    return this.#inMessage;
  }

  /** Where the payload found starts in `input.bytes`. */
  payloadStart(input: InputBuffer): number {
    return input.start + this.#payloadOffset;
  }

  /**
   * Looks for the next message or control frame; finds the same one again until
   * {@link MessageReader.consume}.
   *
   * Between calls nothing but the connection's own reads may change the input.
   */
  next(input: InputBuffer): ReadStep {
    if (this.#found !== ReadStep.NEED_INPUT) return this.#found;
    for (let frameCount = 0; frameCount < FRAMES_PER_STEP; frameCount++) {
      if (!this.#inFrame) {
        const step = this.#readHead(input);
        if (step !== ReadStep.WORKING) return this.#settle(step, input);
      }
      const step = this.#readPayload(input);
      if (step !== ReadStep.WORKING) return this.#settle(step, input);
    }
    return ReadStep.WORKING;
  }

  /** Takes what was found from the input. */
  consume(input: InputBuffer): void {
    if (this.#found === ReadStep.MESSAGE) {
      this.#inMessage = false;
      this.#messageBytes = 0;
    } else {
      this.#at += this.#controlBytes;
    }
    this.#found = ReadStep.NEED_INPUT;
    if (this.#messageBytes > 0) return;
    input.start += this.#at;
    this.#at = 0;
  }

  /** Keeps what was found; closes the gap before more is read. */
  #settle(step: ReadStep, input: InputBuffer): ReadStep {
    this.#found = step;
    if (step === ReadStep.NEED_INPUT) this.#closeGap(input);
    return step;
  }

  #fail(failure: ReadFailure): ReadStep {
    this.failure = failure;
    return ReadStep.FAILED;
  }

  /**
   * Reads the head of a frame, each byte judged before the next is asked for; a control frame as a
   * whole. `WORKING` means that a payload follows.
   */
  #readHead(input: InputBuffer): ReadStep {
    const { bytes, end } = input;
    const start = input.start + this.#at;
    if (start >= end) return ReadStep.NEED_INPUT;
    const first = bytes[start]!;
    const defect = this.#judgeFirst(first);
    if (defect !== undefined) return this.#fail(defect);
    if (start + 1 >= end) return ReadStep.NEED_INPUT;
    const second = bytes[start + 1]!;
    if ((second & MASK_BIT) === 0) return this.#fail(ReadFailures.NOT_MASKED);
    const length = second & LENGTH_BITS;
    if ((first & CONTROL_BIT) !== 0) return this.#readControl(input, start, first, length);
    let headBytes = 2;
    let byteCount = length;
    if (length >= LENGTH_OF_2_BYTES) {
      headBytes = length === LENGTH_OF_2_BYTES ? 4 : 10;
      if (start + headBytes > end) return ReadStep.NEED_INPUT;
      byteCount = readLength(bytes, start + 2, headBytes - 2);
      const least = length === LENGTH_OF_2_BYTES ? LENGTH_OF_2_BYTES : MAX_LENGTH_OF_2_BYTES + 1;
      if (byteCount < least) return this.#fail(ReadFailures.LONG_LENGTH);
    }
    if (this.#messageBytes + byteCount > this.#maxMessageBytes) {
      return this.#fail(ReadFailures.TOO_LARGE);
    }
    if (start + headBytes + MASK_BYTES > end) return ReadStep.NEED_INPUT;
    this.#copyMask(bytes, start + headBytes);
    this.#beginFrame(input, first, headBytes + MASK_BYTES, byteCount);
    return ReadStep.WORKING;
  }

  /** What is wrong with the first byte of a frame. */
  #judgeFirst(first: number): ReadFailure | undefined {
    if ((first & RESERVED_BITS) !== 0) return ReadFailures.RESERVED_BIT;
    const opcode = first & OPCODE_BITS;
    if ((opcode & CONTROL_BIT) !== 0) {
      if (CONTROL_STEPS[opcode] === undefined) return ReadFailures.UNKNOWN_OPCODE;
      return (first & FIN_BIT) === 0 ? ReadFailures.FRAGMENTED_CONTROL : undefined;
    }
    switch (opcode) {
      case Opcode.CONTINUATION:
        return this.#inMessage ? undefined : ReadFailures.NO_MESSAGE;
      case Opcode.TEXT:
        return this.#inMessage ? ReadFailures.IN_MESSAGE : undefined;
      case Opcode.BINARY:
        return this.#inMessage ? ReadFailures.IN_MESSAGE : ReadFailures.BINARY;
      default:
        return ReadFailures.UNKNOWN_OPCODE;
    }
  }

  #readControl(input: InputBuffer, start: number, first: number, length: number): ReadStep {
    if (length > MAX_CONTROL_BYTES) return this.#fail(ReadFailures.LONG_CONTROL);
    const { bytes } = input;
    const payloadStart = start + 2 + MASK_BYTES;
    if (payloadStart + length > input.end) return ReadStep.NEED_INPUT;
    // The mask of a data frame is not needed any more: control frames come between frames only.
    this.#copyMask(bytes, start + 2);
    unmask(bytes, payloadStart, payloadStart + length, this.#mask, 0);
    this.#payloadOffset = payloadStart - input.start;
    this.payloadBytes = length;
    this.#controlBytes = 2 + MASK_BYTES + length;
    return CONTROL_STEPS[first & OPCODE_BITS]!;
  }

  #copyMask(bytes: Uint8Array, start: number): void {
    for (let i = 0; i < MASK_BYTES; i++) this.#mask[i] = bytes[start + i]!;
  }

  #beginFrame(input: InputBuffer, first: number, headBytes: number, byteCount: number): void {
    this.#at += headBytes;
    if (this.#messageBytes === 0) {
      // Nothing is in front of the payload that is needed: it can stay where it is.
      input.start += this.#at;
      this.#at = 0;
    }
    if (!this.#inMessage) this.#text.reset();
    this.#inMessage = true;
    this.#inFrame = true;
    this.#isLastFrame = (first & FIN_BIT) !== 0;
    this.#missingBytes = byteCount;
    this.#frameBytes = 0;
  }

  /** Takes what there is of a payload. */
  #readPayload(input: InputBuffer): ReadStep {
    const { bytes } = input;
    const from = input.start + this.#at;
    const byteCount = Math.min(this.#missingBytes, input.end - from);
    const to = input.start + this.#messageBytes;
    if (byteCount > 0) {
      unmask(bytes, from, from + byteCount, this.#mask, this.#frameBytes);
      if (from !== to) bytes.copyWithin(to, from, from + byteCount);
      this.#at += byteCount;
      this.#messageBytes += byteCount;
      this.#frameBytes += byteCount;
      this.#missingBytes -= byteCount;
      if (!this.#text.take(bytes, to, to + byteCount)) return this.#fail(ReadFailures.NOT_TEXT);
    }
    if (this.#missingBytes > 0) return ReadStep.NEED_INPUT;
    this.#inFrame = false;
    if (!this.#isLastFrame) return ReadStep.WORKING;
    if (!this.#text.isComplete) return this.#fail(ReadFailures.NOT_TEXT);
    this.#payloadOffset = 0;
    this.payloadBytes = this.#messageBytes;
    return ReadStep.MESSAGE;
  }

  #closeGap(input: InputBuffer): void {
    const gapBytes = this.#at - this.#messageBytes;
    if (gapBytes === 0) return;
    if (this.#messageBytes === 0) {
      input.start += gapBytes;
    } else {
      const { bytes, start, end } = input;
      bytes.copyWithin(start + this.#messageBytes, start + this.#at, end);
      input.end -= gapBytes;
    }
    this.#at = this.#messageBytes;
  }
}

/** A big-endian number; not exact from 2^53 up, and then far above every limit. */
function readLength(bytes: Uint8Array, start: number, byteCount: number): number {
  if (byteCount === 2) return bytes[start]! << 8 | bytes[start + 1]!;
  const word = (at: number): number =>
    (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
  return word(start) * TWO_32 + word(start + 4);
}

function broken(reason: string): ReadFailure {
  return { code: CloseCode.PROTOCOL_ERROR, reason };
}
