/**
 * Bytes that clients may send to the Protobuf port and what they get: one table for all tests.
 *
 * Written by hand from the wire format, so that no encoder's opinion is in them. The server has
 * `balance:alice` = 42 and `balance:text` = `x`, no password, and messages of at most 1 MiB.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 *
 * @module
 */

/** One message and its reply, in any framing. */
export interface MessageCase {
  name: string;
  /** The message as {@link bytesOf} reads it. */
  message: string;
  /** The reply as JSON, see the JSON mapping of Protobuf: defaults are left out. */
  reply: unknown;
}

/** Bytes with their lengths, and the replies. */
export interface StreamCase {
  name: string;
  /** The bytes as {@link bytesOf} reads them. */
  stream: string;
  replies: unknown[];
  /** The connection closes. */
  closes?: boolean;
  /** A message has arrived in part only, in its length or behind it. */
  left?: "length" | "message";
}

/** Bytes from hexadecimal pairs and `'texts'` in quotes, e.g. `"0a 02 'hi'"`. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const [token] of text.matchAll(/'[^']*'|\S+/g)) {
    if (token.startsWith("'")) bytes.push(...new TextEncoder().encode(token.slice(1, -1)));
    else bytes.push(parseInt(token, 16));
  }
  return Uint8Array.from(bytes);
}

const echo = (content: string): unknown => ({ echoMessage: content === "" ? {} : { content } });
const sum = (result: number): unknown => ({ addResponse: result === 0 ? {} : { result } });
const error = (code: string, message: string): unknown => ({
  error: { code: `ERROR_CODE_${code}`, message },
});
const malformed = (text: string): unknown => error("MALFORMED", text);
const invalidEvent = (text: string): unknown => error("INVALID_EVENT", text);
const invalid = (text: string): unknown => error("INVALID_ARGUMENT", text);

const ACCEPTED = { eventReply: { status: "EVENT_STATUS_ACCEPTED" } };
const UNKNOWN = error(
  "UNKNOWN_MESSAGE",
  "the message has none of the fields that this server knows",
);
const NOT_UTF8 = malformed("a string is not UTF-8");
const WIRE_TYPE = "a field has another wire type than in the schema";
const CUT = "the message ends in the middle of a field";
const OVERRUN = "a field goes on beyond the end of its message";
const BAD_TAG = "no field has such a tag";
const LONG = "a varint is too long";
const BAD_GROUP = "a group ends that did not begin";
const MINUS_ONE = "ff ff ff ff ff ff ff ff ff 01";
const INT32_MIN = "80 80 80 80 f8 ff ff ff ff 01";
const INT64_MIN = "80 80 80 80 80 80 80 80 80 01";
const INT64_MAX = "ff ff ff ff ff ff ff ff 7f";
const a = (count: number): string => `'${"a".repeat(count)}'`;

/** Messages by what they are and what is wrong with them. */
export const MESSAGES: readonly MessageCase[] = [
  // Echo.
  { name: "an echo", message: "0a 04 0a 02 'hi'", reply: echo("hi") },
  { name: "an echo of nothing", message: "0a 00", reply: echo("") },
  { name: "an echo of an explicit nothing", message: "0a 02 0a 00", reply: echo("") },
  { name: "an echo beyond ASCII", message: "0a 05 0a 03 'h' c3 a9", reply: echo("hé") },
  { name: "an echo beyond 16 bits", message: "0a 06 0a 04 f0 9f 98 80", reply: echo("😀") },
  {
    name: "an echo of control characters",
    message: "0a 05 0a 03 00 0a 7f",
    reply: echo("\0\n\x7f"),
  },
  { name: "a byte order mark, kept", message: "0a 06 0a 04 ef bb bf 'a'", reply: echo("\ufeffa") },
  { name: "a text with a NUL inside UTF-8", message: "0a 04 0a 02 c0 80", reply: NOT_UTF8 },
  { name: "a surrogate in UTF-8", message: "0a 05 0a 03 ed a0 80", reply: NOT_UTF8 },
  { name: "half a character", message: "0a 04 0a 02 e2 82", reply: NOT_UTF8 },
  { name: "a lone continuation byte", message: "0a 03 0a 01 80", reply: NOT_UTF8 },
  { name: "a byte that is never UTF-8", message: "0a 03 0a 01 ff", reply: NOT_UTF8 },
  { name: "a character beyond U+10FFFF", message: "0a 06 0a 04 f4 90 80 80", reply: NOT_UTF8 },
  // Add.
  { name: "a sum", message: "12 04 08 02 10 03", reply: sum(5) },
  { name: "a sum of nothing", message: "12 00", reply: sum(0) },
  { name: "a sum with one number", message: "12 02 10 07", reply: sum(7) },
  { name: "a sum with its numbers swapped", message: "12 04 10 03 08 02", reply: sum(5) },
  { name: "a number given twice: the last counts", message: "12 04 08 01 08 05", reply: sum(5) },
  { name: "a negative number", message: `12 0d 08 ${MINUS_ONE} 10 03`, reply: sum(2) },
  { name: "a negative number in five bytes", message: "12 06 08 ff ff ff ff 0f", reply: sum(-1) },
  { name: "the largest int32", message: "12 06 08 ff ff ff ff 07", reply: sum(2147483647) },
  { name: "the smallest int32", message: `12 0b 08 ${INT32_MIN}`, reply: sum(-2147483648) },
  {
    name: "a sum above int32",
    message: "12 08 08 ff ff ff ff 07 10 01",
    reply: error("OVERFLOW", "the sum does not fit int32"),
  },
  {
    name: "a sum below int32",
    message: `12 16 08 ${INT32_MIN} 10 ${MINUS_ONE}`,
    reply: error("OVERFLOW", "the sum does not fit int32"),
  },
  { name: "bits beyond int32, dropped", message: "12 06 08 81 80 80 80 10", reply: sum(1) },
  { name: "a number with padding", message: "12 03 08 82 00", reply: sum(2) },
  // Events.
  { name: "an event", message: "1a 08 0a 01 'a' 12 01 'b' 18 64", reply: ACCEPTED },
  { name: "an event of 0", message: "1a 06 0a 01 'a' 12 01 'b'", reply: ACCEPTED },
  {
    name: "an event with a negative amount",
    message: `1a 11 0a 01 'a' 12 01 'b' 18 ${MINUS_ONE}`,
    reply: ACCEPTED,
  },
  {
    name: "an event with the smallest amount",
    message: `1a 11 0a 01 'a' 12 01 'b' 18 ${INT64_MIN}`,
    reply: ACCEPTED,
  },
  {
    name: "an event with the largest amount",
    message: `1a 10 0a 01 'a' 12 01 'b' 18 ${INT64_MAX}`,
    reply: ACCEPTED,
  },
  {
    name: "an event with an id",
    message: "1a 0b 0a 01 'a' 12 01 'b' 18 64 22 01 'i'",
    reply: ACCEPTED,
  },
  {
    name: "an event with a user of 128 bytes",
    message: `1a 86 01 0a 80 01 ${a(128)} 12 01 'b'`,
    reply: ACCEPTED,
  },
  {
    name: "an event with a user of 129 bytes",
    message: `1a 87 01 0a 81 01 ${a(129)} 12 01 'b'`,
    reply: invalidEvent("user must be 1 to 128 bytes"),
  },
  {
    name: "an event with 127 characters of 129 bytes for a user",
    message: `1a 87 01 0a 81 01 c3 a9 c3 a9 ${a(125)} 12 01 'b'`,
    reply: invalidEvent("user must be 1 to 128 bytes"),
  },
  {
    name: "an event without a user",
    message: "1a 03 12 01 'b'",
    reply: invalidEvent("user must be 1 to 128 bytes"),
  },
  {
    name: "an event without anything",
    message: "1a 00",
    reply: invalidEvent("user must be 1 to 128 bytes"),
  },
  {
    name: "an event without an action",
    message: "1a 03 0a 01 'a'",
    reply: invalidEvent("action must be 1 to 64 bytes"),
  },
  {
    name: "an event with an action of 65 bytes",
    message: `1a 46 0a 01 'a' 12 41 ${a(65)}`,
    reply: invalidEvent("action must be 1 to 64 bytes"),
  },
  {
    name: "an event with an id of 65 bytes",
    message: `1a 49 0a 01 'a' 12 01 'b' 22 41 ${a(65)}`,
    reply: invalidEvent("id must be 1 to 64 bytes"),
  },
  {
    name: "an event with a line break in its user",
    message: "1a 07 0a 02 'a' 0a 12 01 'b'",
    reply: invalidEvent("user must be UTF-8 without control characters"),
  },
  {
    name: "an event with a control character beyond ASCII in its action",
    message: "1a 07 0a 01 'a' 12 02 c2 85",
    reply: invalidEvent("action must be UTF-8 without control characters"),
  },
  {
    name: "an event with a NUL in its id",
    message: "1a 09 0a 01 'a' 12 01 'b' 22 01 00",
    reply: invalidEvent("id must be UTF-8 without control characters"),
  },
  {
    name: "an event whose user is no UTF-8",
    message: "1a 06 0a 01 ff 12 01 'b'",
    reply: NOT_UTF8,
  },
  {
    name: "an event that would wait for more than a minute",
    message: "1a 0a 0a 01 'a' 12 01 'b' 28 e1 d4 03",
    reply: invalid("wait_ms must be at most 60000"),
  },
  {
    name: "an event that would wait for the longest time there is",
    message: "1a 0c 0a 01 'a' 12 01 'b' 28 ff ff ff ff 0f",
    reply: invalid("wait_ms must be at most 60000"),
  },
  // Balances.
  {
    name: "a balance",
    message: "22 07 0a 05 'alice'",
    reply: { balanceReply: { user: "alice", balance: "42" } },
  },
  {
    name: "a balance that there is not",
    message: "22 05 0a 03 'bob'",
    reply: { balanceReply: { user: "bob" } },
  },
  {
    name: "a balance that is something else",
    message: "22 06 0a 04 'text'",
    reply: error("WRONG_TYPE", "the key of this user's balance holds something else"),
  },
  {
    name: "the balance of nobody",
    message: "22 00",
    reply: invalid("user must be 1 to 128 bytes"),
  },
  {
    name: "the balance of a name that is too long",
    message: `22 84 01 0a 81 01 ${a(129)}`,
    reply: invalid("user must be 1 to 128 bytes"),
  },
  {
    name: "the balance of a control character",
    message: "22 03 0a 01 07",
    reply: invalid("user must be UTF-8 without control characters"),
  },
  // Passwords.
  {
    name: "a password where there is none",
    message: "2a 04 0a 02 'pw'",
    reply: invalid("this server has no password, so there is nothing to authenticate"),
  },
  // Unknown fields.
  { name: "a message of another time", message: "32 00", reply: UNKNOWN },
  { name: "an unknown varint only", message: "78 96 01", reply: UNKNOWN },
  { name: "an unknown field first", message: "78 01 0a 02 0a 00", reply: echo("") },
  { name: "an unknown field last", message: "0a 03 0a 01 'x' 78 01", reply: echo("x") },
  { name: "an unknown field inside", message: "0a 07 92 01 01 'z' 0a 01 'x'", reply: echo("x") },
  { name: "an unknown 32-bit field", message: "4d 01 02 03 04 0a 00", reply: echo("") },
  { name: "an unknown 64-bit field", message: "49 01 02 03 04 05 06 07 08 0a 00", reply: echo("") },
  { name: "the largest field number", message: "fa ff ff ff 0f 00 0a 00", reply: echo("") },
  { name: "a group, unknown like every other", message: "4b 08 01 4c 0a 00", reply: echo("") },
  { name: "groups in a group", message: "4b 53 5b 5c 54 4c 0a 00", reply: echo("") },
  { name: "a group alone", message: "4b 4c", reply: UNKNOWN },
  { name: "known numbers inside a group", message: "4b 08 01 4c 12 02 08 09", reply: sum(9) },
  // Several fields.
  { name: "an echo and a sum: the last", message: "0a 03 0a 01 'x' 12 02 08 09", reply: sum(9) },
  { name: "a sum and an echo: the last", message: "12 02 08 09 0a 03 0a 01 'x'", reply: echo("x") },
  { name: "a sum in two halves", message: "12 02 08 02 12 02 10 03", reply: sum(5) },
  // Malformed.
  { name: "an echo as a number", message: "08 05", reply: malformed(`${WIRE_TYPE}, at byte 0`) },
  {
    name: "a sum as 32 bits",
    message: "15 00 00 00 00",
    reply: malformed(`${WIRE_TYPE}, at byte 0`),
  },
  { name: "an echo as a group", message: "0b 0c", reply: malformed(`${WIRE_TYPE}, at byte 0`) },
  {
    name: "a content as a number",
    message: "0a 02 08 05",
    reply: malformed(`${WIRE_TYPE}, at byte 2`),
  },
  {
    name: "a number as a text",
    message: "12 03 0a 01 00",
    reply: malformed(`${WIRE_TYPE}, at byte 2`),
  },
  {
    name: "an amount of 64 fixed bits",
    message: "1a 0f 0a 01 'a' 12 01 'b' 19 00 00 00 00 00 00 00 00",
    reply: malformed(`${WIRE_TYPE}, at byte 8`),
  },
  { name: "field 0", message: "02 00", reply: malformed(`${BAD_TAG}, at byte 0`) },
  { name: "wire type 6", message: "0e", reply: malformed(`${BAD_TAG}, at byte 0`) },
  { name: "wire type 7", message: "0a 00 0f", reply: malformed(`${BAD_TAG}, at byte 2`) },
  {
    name: "an unknown field of wire type 7",
    message: "4f 00",
    reply: malformed(`${BAD_TAG}, at byte 0`),
  },
  { name: "a tag with padding", message: "8a 00 02 0a 00", reply: echo("") },
  {
    name: "a tag of six bytes",
    message: "8a 80 80 80 80 00 00",
    reply: malformed(`${BAD_TAG}, at byte 0`),
  },
  {
    name: "a tag beyond 32 bits",
    message: "ff ff ff ff 7f",
    reply: malformed(`${BAD_TAG}, at byte 0`),
  },
  { name: "half a tag", message: "8a", reply: malformed(`${CUT}, at byte 0`) },
  { name: "a tag alone", message: "0a", reply: malformed(`${CUT}, at byte 1`) },
  { name: "half a length", message: "0a 80", reply: malformed(`${CUT}, at byte 2`) },
  {
    name: "less than the length says",
    message: "0a 05 0a 03 'ab'",
    reply: malformed(`${CUT}, at byte 2`),
  },
  {
    name: "a length of 4 GiB",
    message: "0a ff ff ff ff 0f",
    reply: malformed(`${CUT}, at byte 6`),
  },
  {
    name: "a length beyond 32 bits",
    message: "0a ff ff ff ff 1f",
    reply: malformed(`${LONG}, at byte 6`),
  },
  {
    name: "a length of six bytes",
    message: "0a 80 80 80 80 80 01",
    reply: malformed(`${LONG}, at byte 6`),
  },
  {
    name: "a content longer than its echo",
    message: "0a 03 0a 05 'a'",
    reply: malformed(`${OVERRUN}, at byte 4`),
  },
  {
    name: "a content that reaches into the next field",
    message: "0a 03 0a 05 'a' 12 02 08 01",
    reply: malformed(`${OVERRUN}, at byte 4`),
  },
  { name: "half a number", message: "12 02 08 80", reply: malformed(`${OVERRUN}, at byte 3`) },
  {
    name: "a number that goes on in the next field",
    message: "12 02 08 80 12 00",
    reply: malformed(`${OVERRUN}, at byte 3`),
  },
  {
    name: "a number of eleven bytes",
    message: "12 0c 08 80 80 80 80 80 80 80 80 80 80 00",
    reply: malformed(`${LONG}, at byte 3`),
  },
  {
    name: "an unknown number of eleven bytes",
    message: "78 80 80 80 80 80 80 80 80 80 80 00",
    reply: malformed(`${LONG}, at byte 1`),
  },
  { name: "garbage behind a message", message: "0a 00 ff", reply: malformed(`${CUT}, at byte 2`) },
  { name: "32 bits cut short", message: "4d 00 00", reply: malformed(`${CUT}, at byte 1`) },
  { name: "64 bits cut short", message: "49 00 00 00 00", reply: malformed(`${CUT}, at byte 1`) },
  { name: "a group without an end", message: "4b 08 01", reply: malformed(`${CUT}, at byte 3`) },
  { name: "an end without a group", message: "4c", reply: malformed(`${BAD_GROUP}, at byte 0`) },
  {
    name: "the end of another group",
    message: "4b 54",
    reply: malformed(`${BAD_GROUP}, at byte 1`),
  },
  {
    name: "a group that ends outside of its message",
    message: "0a 01 4b 4c",
    reply: malformed(`${OVERRUN}, at byte 3`),
  },
  {
    name: "a thousand fields",
    message: "78 01 ".repeat(999) + "0a 00",
    reply: echo(""),
  },
  {
    name: "a thousand fields and one",
    message: "78 01 ".repeat(998) + "0a 03 0a 01 'x' 12 00",
    reply: malformed("there are too many fields, at byte 2001"),
  },
  {
    name: "groups nested too deeply",
    message: "4b ".repeat(65) + "4c ".repeat(65),
    reply: malformed("groups are nested too deeply, at byte 64"),
  },
];

const HTTP = malformed("this port speaks Protobuf, not HTTP");
const BAD_LENGTH = malformed("the length in front of the message is not a varint of 32 bits");
const TOO_LARGE = error("TOO_LARGE", "a message has at most 1048576 bytes");

/** What only a length in front of each message makes possible. */
export const STREAMS: readonly StreamCase[] = [
  { name: "an empty message", stream: "00", replies: [UNKNOWN] },
  { name: "empty messages", stream: "00 00 00", replies: [UNKNOWN, UNKNOWN, UNKNOWN] },
  {
    name: "two messages",
    stream: "06 0a 04 0a 02 'hi' 06 12 04 08 02 10 03",
    replies: [echo("hi"), sum(5)],
  },
  {
    name: "a malformed message between two",
    stream: "02 0a 00 02 08 05 02 12 00",
    replies: [echo(""), malformed(`${WIRE_TYPE}, at byte 0`), sum(0)],
  },
  { name: "a length with padding", stream: "82 00 0a 00", replies: [echo("")] },
  { name: "a length of five bytes", stream: "82 80 80 80 00 0a 00", replies: [echo("")] },
  {
    name: "a length that is too short",
    stream: "03 0a 02 0a",
    replies: [malformed(`${CUT}, at byte 2`)],
  },
  {
    name: "a length of six bytes",
    stream: "82 80 80 80 80 00 0a 00",
    replies: [BAD_LENGTH],
    closes: true,
  },
  {
    name: "a length beyond 32 bits",
    stream: "ff ff ff ff 1f 0a 00",
    replies: [BAD_LENGTH],
    closes: true,
  },
  { name: "only high bits", stream: "ff ff ff ff ff ff", replies: [BAD_LENGTH], closes: true },
  {
    name: "a bad length behind a message",
    stream: "02 0a 00 ff ff ff ff ff 02 0a 00",
    replies: [echo(""), BAD_LENGTH],
    closes: true,
  },
  {
    name: "a message that is one byte too long",
    stream: "81 80 40 0a 00",
    replies: [TOO_LARGE],
    closes: true,
  },
  {
    name: "a message of 4 GiB",
    stream: "ff ff ff ff 0f 0a 00",
    replies: [TOO_LARGE],
    closes: true,
  },
  { name: "the start of the longest message", stream: "80 80 40 0a", replies: [], left: "message" },
  { name: "half a length", stream: "80", replies: [], left: "length" },
  {
    name: "half a length behind a message",
    stream: "02 0a 00 80",
    replies: [echo("")],
    left: "length",
  },
  { name: "a length alone", stream: "06", replies: [], left: "message" },
  { name: "half a message", stream: "06 0a 04 0a", replies: [], left: "message" },
  {
    name: "the start of a TLS handshake",
    stream: "16 03 01 00 c8 01 00 00 c4 03 03 00 00 00 00 00 00 00 00 00 00 00 00",
    replies: [malformed(`${BAD_TAG}, at byte 0`)],
  },
  {
    name: "a RESP command",
    stream: "'*1' 0d 0a '$4' 0d 0a 'PING' 0d 0a",
    replies: [],
    left: "message",
  },
];

/** Requests that a web page can send; they must be the first that comes. */
export const HTTP_REQUESTS: readonly StreamCase[] = ["GET", "POST", "HEAD", "PUT", "OPTIONS"].map((
  method,
) => ({
  name: `an HTTP request with ${method}`,
  // Its body would be an event.
  stream: `'${method} / HTTP/1.1' 0d 0a 'Host: localhost' 0d 0a 'Accept: ${
    "x".repeat(60)
  }' 0d 0a 0d 0a 08 1a 06 0a 01 'a' 12 01 'b'`,
  replies: [HTTP],
  closes: true,
}));
