/**
 * What stage 3 sends: garbage, partial, wrong types, valid, over each protocol, and the exact
 * replies.
 *
 * @module
 */

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ClientMessageSchema } from "../../protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import type { LoadProtocol } from "../load/plan.ts";

/** The longest that the server waits for the rest of a request. */
export const HEADER_TIMEOUT_FLAG = "500ms";

/** One input. */
export interface InputCase {
  /** Spoken by the connection. */
  readonly protocol: LoadProtocol;
  /** What is sent, e.g. `"garbage: a TLS greeting"`. */
  readonly what: string;
  /** What is sent, in one piece or in several with a moment of silence between. */
  readonly pieces: readonly Uint8Array[];
  /** The reply as {@link readReply} in `bad_input.ts` shows it. */
  readonly reply: string;
  /** Whether the connection can go on; if not, nobody knows where the next request would begin. */
  readonly goesOn: boolean;
}

const encoder = new TextEncoder();

const USER = "user1";
const EVENT_JSON = `{"user":"${USER}","action":"lab","amount":1}`;
const INT64_RULE = "an integer from -9223372036854775808 to 9223372036854775807";

const HTTP_ACCEPTED = '202 {"status":"accepted"}';
const RESP_ACCEPTED = "+ACCEPTED";
const PROTO_ACCEPTED = '{"eventReply":{"status":"EVENT_STATUS_ACCEPTED"}}';

function post(body: string): string {
  return `POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

function message(init: MessageInitShape<typeof ClientMessageSchema>): Uint8Array<ArrayBuffer> {
  return framed(toBinary(ClientMessageSchema, create(ClientMessageSchema, init)));
}

/** With its length, below 128, in front. */
function framed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(bytes.length, ...bytes);
}

function badRequest(reason: string, detail = ""): string {
  const end = detail === "" ? "" : `,"detail":"${detail}"`;
  return `400 {"status":"error","reason":"${reason}"${end}}`;
}

function protoError(code: string, text: string): string {
  return JSON.stringify({ error: { code: `ERROR_CODE_${code}`, message: text } });
}

/** A valid event over each protocol; what a connection is asked that can go on. */
export const VALID: Readonly<Record<LoadProtocol, { bytes: Uint8Array; reply: string }>> = {
  http: { bytes: encoder.encode(post(EVENT_JSON)), reply: HTTP_ACCEPTED },
  resp: { bytes: encoder.encode(command("EVENT", USER, "lab", "1")), reply: RESP_ACCEPTED },
  proto: {
    bytes: message({
      message: { case: "event", value: { user: USER, action: "lab", amount: 1n } },
    }),
    reply: PROTO_ACCEPTED,
  },
};

function valid(protocol: LoadProtocol): InputCase {
  const { bytes, reply } = VALID[protocol];
  return { protocol, what: "valid", pieces: [bytes], reply, goesOn: true };
}

function inHalves(protocol: LoadProtocol): InputCase {
  const { bytes, reply } = VALID[protocol];
  const middle = Math.floor(bytes.length / 2);
  return {
    protocol,
    what: "partial, then the rest",
    pieces: [bytes.subarray(0, middle), bytes.subarray(middle)],
    reply,
    goesOn: true,
  };
}

function refused(
  protocol: LoadProtocol,
  what: string,
  sent: string | Uint8Array,
  reply: string,
  goesOn = true,
): InputCase {
  const bytes = typeof sent === "string" ? encoder.encode(sent) : sent;
  return { protocol, what, pieces: [bytes], reply, goesOn };
}

/** Everything that is sent. */
export const INPUT_CASES: readonly InputCase[] = [
  refused(
    "http",
    "garbage",
    "\x16\x03\x01 garbage \0\r\n\r\n",
    badRequest("bad_request", "the request does not start with a method"),
    false,
  ),
  refused("http", "garbage in a body", post("{garbage"), badRequest("invalid_json")),
  inHalves("http"),
  refused(
    "http",
    "partial, and no rest",
    "POST /events HT",
    '408 {"status":"error","reason":"request_timeout"}',
    false,
  ),
  refused(
    "http",
    "wrong types",
    post(`{"user":7,"action":"lab","amount":"much"}`),
    badRequest("invalid_event", "user must be a string"),
  ),
  valid("http"),
  refused("resp", "garbage", "*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length", false),
  refused(
    "resp",
    "garbage as a command",
    command("GARBAGE"),
    "-ERR unknown command 'GARBAGE', with args beginning with: ",
  ),
  inHalves("resp"),
  refused(
    "resp",
    "wrong types",
    command("EVENT", USER, "lab", "much"),
    `-ERR invalid event: amount must be ${INT64_RULE}`,
  ),
  valid("resp"),
  refused(
    "proto",
    "garbage",
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    protoError("MALFORMED", "the length in front of the message is not a varint of 32 bits"),
    false,
  ),
  refused(
    "proto",
    "garbage in a message",
    framed(Uint8Array.of(0xff, 0xff, 0xff)),
    protoError("MALFORMED", "the message ends in the middle of a field, at byte 0"),
  ),
  inHalves("proto"),
  refused(
    "proto",
    "wrong types",
    // Field 3, the event, as a number.
    framed(Uint8Array.of(0x18, 0x01)),
    protoError("MALFORMED", "a field has another wire type than in the schema, at byte 0"),
  ),
  valid("proto"),
];
