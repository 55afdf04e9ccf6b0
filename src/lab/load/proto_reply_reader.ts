/**
 * Reads replies in Protobuf, each with its length in front.
 *
 * @module
 */

import { fromBinary } from "@bufbuild/protobuf";
import {
  ErrorCode,
  EventStatus,
  type ServerMessage,
  ServerMessageSchema,
} from "../../protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { KEPT_BYTES, KeptBytes, Outcome, type ReplyReader, shortText } from "./reply_reader.ts";

/** A length has at most so many bytes. */
const LENGTH_MAX_BYTES = 5;
/** Field 3 of a ServerMessage, `event_reply`, a message. */
const EVENT_REPLY_TAG = 0x1a;
/** Field 1 of an EventReply, `status`, a varint. */
const STATUS_TAG = 0x08;

/** A reader of delimited `ServerMessage`s. Thread: belongs to one connection. */
export class ProtoReplyReader implements ReplyReader {
  outcome: Outcome = Outcome.ERROR;
  isLast = false;

  readonly #message = new KeptBytes();
  #lengthByteCount = 0;
  #messageBytes = 0;
  #isInMessage = false;
  #defect = "";

  begin(): void {
    this.#message.length = 0;
    this.#lengthByteCount = 0;
    this.#messageBytes = 0;
    this.#isInMessage = false;
    this.#defect = "";
    this.isLast = false;
  }

  feed(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (!this.#isInMessage) {
      if (at === end) return -1;
      if (!this.#takeLengthByte(bytes[at++]!)) return at;
    }
    const message = this.#message;
    const stop = Math.min(end, at + this.#messageBytes - message.length);
    message.append(bytes, at, stop);
    if (message.length < this.#messageBytes) return -1;
    this.#complete();
    return stop;
  }

  close(): boolean {
    return false;
  }

  text(): string {
    if (this.#defect !== "") return this.#defect;
    const message = this.#decode();
    if (message === null) return "the answer is not a Protobuf message";
    const { value, case: kind } = message.message;
    switch (kind) {
      case "error":
        return shortText(`${ErrorCode[value.code] ?? value.code} ${value.message}`);
      case "eventReply":
        return shortText(`${EventStatus[value.status] ?? value.status} ${value.reason}`);
      default:
        return `unexpected reply ${kind ?? "without a kind"}`;
    }
  }

  /** Whether the last reply is the one to the right password. */
  isLoggedIn(): boolean {
    return this.#defect === "" && this.#decode()?.message.case === "authReply";
  }

  /** Returns whether reading can go on. */
  #takeLengthByte(byte: number): boolean {
    this.#messageBytes += (byte & 0x7f) * 2 ** (7 * this.#lengthByteCount++);
    if (byte < 0x80) this.#isInMessage = true;
    const isTooLong = this.#lengthByteCount === LENGTH_MAX_BYTES && byte >= 0x80;
    if (!isTooLong && this.#messageBytes <= KEPT_BYTES) return true;
    this.#defect = "the answer is not a Protobuf message with its length in front";
    this.outcome = Outcome.ERROR;
    this.isLast = true;
    return false;
  }

  #complete(): void {
    const { bytes, length } = this.#message;
    // Both answers that come in masses begin like this; no object is needed to tell them apart.
    const status = length >= 4 && bytes[0] === EVENT_REPLY_TAG && bytes[1] === length - 2 &&
        bytes[2] === STATUS_TAG
      ? bytes[3]
      : -1;
    this.outcome = status === EventStatus.ACCEPTED
      ? Outcome.ACCEPTED
      : status === EventStatus.BUSY
      ? Outcome.REFUSED
      : Outcome.ERROR;
  }

  #decode(): ServerMessage | null {
    try {
      return fromBinary(
        ServerMessageSchema,
        this.#message.bytes.subarray(0, this.#message.length),
      );
    } catch {
      return null;
    }
  }
}
