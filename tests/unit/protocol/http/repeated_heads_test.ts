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

function put(input: InputBuffer, text: string): void {
  const bytes = new TextEncoder().encode(text);
  input.ensure(input.length + bytes.length);
  input.bytes.set(bytes, input.end);
  input.commit(bytes.length);
}

Deno.test("HttpRequestParser: a head that comes again is read as if it came for the first time", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const parser = new HttpRequestParser(1024);
  let text = REQUESTS[0]!;
  for (let batch = 0; batch < 1000; batch++) {
    // Sometimes in front of the buffer, sometimes somewhere else.
    const input = new InputBuffer(8192);
    input.commit(random(100));
    input.start = input.end;
    for (let i = 0; i < 5; i++) {
      // Mostly the same one as before, as clients do.
      if (random(6) === 0) text = REQUESTS[random(REQUESTS.length)]!;
      const cut = random(4) === 0 ? 1 + random(text.length - 1) : text.length;
      put(input, text.slice(0, cut));
      parser.begin(input);
      let step = parser.parse(input);
      if (cut < text.length) {
        assert.equal(step, ParseStep.INCOMPLETE);
        put(input, text.slice(cut));
        step = parser.parse(input);
      }
      assert.equal(step, ParseStep.COMPLETE);
      const fresh = new HttpRequestParser(1024);
      const freshInput = new InputBuffer(8192);
      put(freshInput, text);
      fresh.begin(freshInput);
      fresh.parse(freshInput);
      const what = `seed ${seed}, batch ${batch}, request ${i}`;
      assert.deepEqual(seenBy(parser), seenBy(fresh), what);
      assert.equal(parser.announcesBody, fresh.announcesBody, what);
      assert.equal(parser.requestEnd, input.end, what);
      assert.equal(parser.hasStarted, true);
      input.start = parser.requestEnd;
    }
  }
});

Deno.test("HttpRequestParser: behind a head that was refused, the one before is not taken for it", () => {
  const parser = new HttpRequestParser(4);
  const good = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\ngood";
  for (let i = 0; i < 10; i++) {
    const input = new InputBuffer(4096);
    put(input, good);
    parser.begin(input);
    assert.equal(parser.parse(input), ParseStep.COMPLETE);
    input.start = parser.requestEnd;
    const bad = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    put(input, bad);
    parser.begin(input);
    assert.equal(parser.parse(input), ParseStep.FAILED);
  }
});
