import assert from "node:assert/strict";
import { InputBuffer } from "../../../../src/base/bytes.ts";
import { ParseStep } from "../../../../src/protocol/http/parse_step.ts";
import { HttpRequestParser } from "../../../../src/protocol/http/request_parser.ts";

const REQUESTS = [
  "GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /health HTTP/1.1\r\nHost: b\r\n\r\n",
  "GET /health?x=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\n\r\n",
  "GET http://c/health HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst",
  "POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nother",
  "POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nlonger",
  "POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
  `GET /long HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(600)}\r\n\r\n`,
];

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, Math.max(start, end)));
}

/** All that a handler may see of the request. */
function seenBy({ request }: HttpRequestParser): unknown {
  const { bytes } = request;
  return {
    method: request.method,
    minorVersion: request.minorVersion,
    keepAlive: request.keepAlive,
    path: textOf(bytes, request.pathStart, request.pathEnd),
    query: textOf(bytes, request.queryStart, request.queryEnd),
    host: textOf(bytes, request.hostStart, request.hostEnd),
    body: textOf(bytes, request.bodyStart, request.bodyEnd),
    requestIdField: request.requestIdField,
    fields: Array.from(
      { length: request.fieldCount },
      (_, i) => textOf(bytes, request.valueStart(i), request.valueEnd(i)),
    ),
  };
}

/** Parses `text` behind what is in front of `input`, in pieces. */
function parse(parser: HttpRequestParser, input: InputBuffer, text: string, pieceBytes: number) {
  let step: ParseStep = ParseStep.INCOMPLETE;
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    input.ensure(input.length + piece.length);
    input.space().set(piece);
    input.commit(piece.length);
    if (at === 0) parser.begin(input);
    step = parser.parse(input);
  }
  assert.equal(step, ParseStep.COMPLETE, text);
}

Deno.test("HttpRequestParser: a head that comes again is read as if it came for the first time", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const parser = new HttpRequestParser(1024);
  const input = new InputBuffer(4096);
  let text = REQUESTS[0]!;
  for (let i = 0; i < 4000; i++) {
    // Mostly the same one as before, as clients do.
    if (random(6) === 0) text = REQUESTS[random(REQUESTS.length)]!;
    const pieceBytes = random(4) === 0 ? 1 + random(text.length) : text.length;
    parse(parser, input, text, pieceBytes);
    const fresh = new HttpRequestParser(1024);
    parse(fresh, new InputBuffer(4096), text, text.length);
    assert.deepEqual(seenBy(parser), seenBy(fresh), `seed ${seed}, request ${i}`);
    assert.equal(parser.announcesBody, fresh.announcesBody);
    assert.equal(parser.hasStarted, true);
    input.start = parser.requestEnd;
    // Sometimes the next one is somewhere else in the buffer.
    if (random(3) === 0) input.tryMakeRoom();
  }
});

Deno.test("HttpRequestParser: behind a head that was refused, the one before is not taken for it", () => {
  const parser = new HttpRequestParser(4);
  const good = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\ngood";
  for (let i = 0; i < 10; i++) {
    parse(parser, new InputBuffer(4096), good, good.length);
    const input = new InputBuffer(4096);
    const bad = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    input.commit(new TextEncoder().encodeInto(bad, input.space()).written);
    parser.begin(input);
    assert.equal(parser.parse(input), ParseStep.FAILED);
  }
});
