/**
 * From bytes to messages and back.
 *
 * @module
 */

import { create, type DescField, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { ByteWriter } from "../../base/bytes.ts";
import { appendFrame, type ProtoFraming } from "./framing.ts";
import {
  ClientMessageSchema,
  ErrorReplySchema,
  ServerMessageSchema,
} from "./gen/sluice/v1/messages_pb.ts";
import type { ClientMessage, ErrorCode, ServerMessage } from "./messages.ts";
import {
  WIRE_DEFECT_TEXTS,
  WireChecker,
  WireDefect,
  type WireField,
  WireKind,
  type WireShape,
} from "./wire_checker.ts";

const CLIENT_MESSAGE_SHAPE = shapeOf(ClientMessageSchema);

/** Unknown fields are ignored, so there is no need to keep them. */
const READ_OPTIONS = { readUnknownFields: false };

/**
 * Decodes what clients send.
 *
 * Thread: belongs to one thread.
 */
export class MessageDecoder {
  /** What was wrong with the last bytes, for people. */
  defect = "";
  /** Whether they were the beginning of a message. */
  isCut = false;

  readonly #checker = new WireChecker();

  /**
   * Decodes `bytes[start, end)` where they are.
   *
   * @returns null when they are not a message, see {@link MessageDecoder.defect}
   */
  decode(bytes: Uint8Array, start: number, end: number): ClientMessage | null {
    const checker = this.#checker;
    const defect = checker.check(CLIENT_MESSAGE_SHAPE, bytes, start, end);
    this.isCut = defect === WireDefect.CUT;
    if (defect !== WireDefect.NONE) {
      this.defect = `${WIRE_DEFECT_TEXTS[defect]}, at byte ${checker.offset - start}`;
      return null;
    }
    try {
      return fromBinary(ClientMessageSchema, bytes.subarray(start, end), READ_OPTIONS);
    } catch (error) {
      // The decoder of texts throws this one; with everything else in order it is the only one.
      if (!(error instanceof TypeError)) throw error;
      this.defect = "a string is not UTF-8";
      return null;
    }
  }
}

/** Encodes a message. Thread: any. */
export function encodeServerMessage(message: ServerMessage): Uint8Array<ArrayBuffer> {
  return toBinary(ServerMessageSchema, message);
}

/** Makes an error to send. Thread: any. */
export function errorMessage(code: ErrorCode, text: string): ServerMessage {
  const value = create(ErrorReplySchema, { code, message: text });
  return create(ServerMessageSchema, { message: { case: "error", value } });
}

/** Encodes a message once for many writes. Thread: any. */
export function encodeFrame(
  framing: ProtoFraming,
  message: ServerMessage,
): Uint8Array<ArrayBuffer> {
  const output = new ByteWriter(64);
  appendFrame(output, framing, encodeServerMessage(message));
  return output.bytes.slice(0, output.length);
}

function shapeOf(schema: DescMessage): WireShape {
  const shape: (WireField | undefined)[] = [];
  for (const field of schema.fields) {
    const { message } = field;
    shape[field.number] = {
      kind: kindOf(field),
      message: message === undefined ? undefined : shapeOf(message),
    };
  }
  return shape;
}

function kindOf(field: DescField): WireKind {
  if (field.fieldKind === "message") return WireKind.LENGTH;
  if (field.fieldKind === "enum") return WireKind.VARINT;
  if (field.fieldKind !== "scalar") {
    throw new TypeError(`Cannot tell the wire type of ${field.name}: it is repeated`);
  }
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireKind.LENGTH;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireKind.FIXED64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireKind.FIXED32;
    default:
      return WireKind.VARINT;
  }
}
