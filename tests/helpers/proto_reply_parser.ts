/**
 * Takes Protobuf replies apart, strictly: for tests that want every reply well-formed, whatever was
 * asked.
 *
 * @module
 */

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ServerMessage,
  ServerMessageSchema,
} from "../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { toLatin1 } from "./latin1.ts";

/** What the parser knows of the connection. */
export interface ProtoReplyContext {
  /** As in `--proto-framing`. */
  readonly framing: "delimited" | "none";
  /** The connection was reset, so the last reply may be cut off. */
  readonly cutOff: boolean;
}

/** A varint, and where it ends; undefined when it is not whole. */
interface Varint {
  readonly value: number;
  readonly end: number;
}

/**
 * Takes everything that a connection received apart.
 *
 * @throws when a message is malformed, empty, unknown or not encoded in the shortest way
 */
export function parseProtoReplies(
  bytes: Uint8Array,
  { framing, cutOff }: ProtoReplyContext,
): ServerMessage[] {
  const replies: ServerMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const part = framing === "delimited" ? delimited(bytes, at) : unframed(bytes, at);
    if (part === undefined || part.end > bytes.length) {
      if (cutOff) return replies;
      throw new Error(`a reply that is cut off at byte ${at} of ${bytes.length}`);
    }
    replies.push(message(bytes.subarray(part.start, part.end), at));
    at = part.end;
  }
  return replies;
}

/** A length, then the message. */
function delimited(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  const length = varint(bytes, at);
  return length && { start: length.end, end: length.end + length.value };
}

/** A message has one field, itself a message, so it ends where that field does. */
function unframed(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  const tag = varint(bytes, at);
  const length = tag && varint(bytes, tag.end);
  return length && { start: at, end: length.end + length.value };
}

/** Messages no longer than this are remembered; a fuzzer gets the same ones again and again. */
const KNOWN_MAX_BYTES = 256;
/** So many of them. */
const KNOWN_MAX_COUNT = 1000;

/** Messages that were taken apart and found well, by their bytes. */
const knownMessages = new Map<string, ServerMessage>();

function message(bytes: Uint8Array, at: number): ServerMessage {
  if (bytes.length > KNOWN_MAX_BYTES) return decode(bytes, at);
  const text = toLatin1(bytes);
  const known = knownMessages.get(text);
  if (known !== undefined) return known;
  const reply = decode(bytes, at);
  if (knownMessages.size < KNOWN_MAX_COUNT) knownMessages.set(text, reply);
  return reply;
}

function decode(bytes: Uint8Array, at: number): ServerMessage {
  const reply = fromBinary(ServerMessageSchema, bytes);
  if (reply.message.case === undefined) throw new Error(`an empty reply at byte ${at}`);
  if (reply.$unknown !== undefined) throw new Error(`an unknown field at byte ${at}`);
  const again = toBinary(ServerMessageSchema, reply);
  if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) {
    throw new Error(`a reply at byte ${at} that is not encoded in the usual way`);
  }
  return reply;
}

function varint(bytes: Uint8Array, at: number): Varint | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (i > 0 && byte === 0) throw new Error(`a padded varint at byte ${at}`);
      return { value, end: at + i + 1 };
    }
  }
  throw new Error(`a varint that is too long at byte ${at}`);
}
