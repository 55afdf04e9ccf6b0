/** Server-sent events, cut anywhere. */

import assert from "node:assert/strict";
import { SseParser } from "../../../../src/server/page/client/sse_parser.js";

interface Parsed {
  name: string;
  data: string;
}

function parse(pieces: readonly string[]): Parsed[] {
  const events: Parsed[] = [];
  const parser = new SseParser((event: Parsed) => events.push(event));
  for (const piece of pieces) parser.push(piece);
  return events;
}

const STREAM = '\ufeffretry: 3000\n\n:comment\n\nid: 1\nevent: page\ndata: {"a":1}\n\n' +
  "event: page\r\ndata: one\r\ndata:two\r\ndata:  three\r\n\r\ndata\n\nevent: nothing\n\n" +
  "data: last\r\rdata: never ended\n";
const EVENTS: readonly Parsed[] = [
  { name: "page", data: '{"a":1}' },
  { name: "page", data: "one\ntwo\n three" },
  { name: "message", data: "" },
  { name: "message", data: "last" },
];

Deno.test("server-sent events: lines end with LF, CR LF or CR; comments and empty events are none", () => {
  assert.deepEqual(parse([STREAM]), EVENTS);
});

Deno.test("server-sent events: the same wherever the text is cut", () => {
  for (let first = 0; first <= STREAM.length; first++) {
    for (let second = first; second <= STREAM.length; second++) {
      const pieces = [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)];
      assert.deepEqual(parse(pieces), EVENTS, `cut at ${first} and ${second}`);
    }
  }
});

Deno.test("server-sent events: the same character by character", () => {
  assert.deepEqual(parse([...STREAM]), EVENTS);
});
