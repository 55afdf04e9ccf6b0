/** What the connection layer tells clients by itself. */

import assert from "node:assert/strict";
import { encodeFrame, errorMessage } from "../../../src/protocol/protobuf/codec.ts";
import { ErrorCode } from "../../../src/protocol/protobuf/messages.ts";
import {
  HttpFarewell,
  httpFullReply,
  httpTimeoutReply,
  protoFarewells,
} from "../../../src/server/farewells.ts";
import { parseHttpReplies } from "../../helpers/http_reply_parser.ts";
import { toLatin1 } from "../protocol/http/support.ts";

for (
  const [name, farewell, status, retryAfter] of [
    ["full", httpFullReply(), 503, "1"],
    ["timeout", httpTimeoutReply(), 408, undefined],
  ] as const
) {
  Deno.test(`HttpFarewell: ${name} has all that a reply has, and closes`, () => {
    const [reply, ...more] = parseHttpReplies(toLatin1(farewell.bytes));
    assert.ok(reply !== undefined && more.length === 0);
    assert.equal(reply.status, status);
    assert.equal(reply.headers.get("connection"), "close");
    assert.equal(reply.headers.get("content-type"), "application/json");
    assert.equal(reply.headers.get("retry-after"), retryAfter);
    const ageMs = Date.now() - Date.parse(reply.headers.get("date") ?? "");
    assert.ok(ageMs >= 0 && ageMs < 60_000, `${ageMs} ms`);
    assert.match(JSON.parse(reply.body).reason, /^[a-z_]+$/);
  });
}

Deno.test("HttpFarewell: has the date of the second, and leaves a reply on its way alone", () => {
  let nowMs = Date.UTC(1994, 10, 6, 8, 49, 37);
  const farewell = new HttpFarewell({ status: 408, body: "{}" }, () => nowMs);
  const first = farewell.bytes;
  const before = toLatin1(first);
  assert.match(before, /\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n/);
  nowMs += 999;
  assert.equal(farewell.bytes, first, "nothing is made anew within the second");
  nowMs += 1;
  assert.match(toLatin1(farewell.bytes), /\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n/);
  assert.equal(toLatin1(first), before);
});

for (const framing of ["delimited", "none"] as const) {
  Deno.test(`protoFarewells: with framing ${framing} they are what the library encodes`, () => {
    const { full, timeout } = protoFarewells(framing);
    const encode = (code: ErrorCode, text: string): Uint8Array =>
      encodeFrame(framing, errorMessage(code, text));
    const fullText = "there are too many connections";
    assert.deepEqual(full, encode(ErrorCode.TOO_MANY_CONNECTIONS, fullText));
    const timeoutText = "the message did not arrive in time";
    assert.deepEqual(timeout, encode(ErrorCode.TIMEOUT, timeoutText));
  });
}
