import assert from "node:assert/strict";
import { type ReplyHead, ReplyReader } from "../../../../src/protocol/http2/reply_reader.ts";

/** Reads a reply that arrives in pieces of `size` bytes. */
function read(
  text: string,
  size: number,
  isHeadOnly = false,
): { head: ReplyHead | undefined; body: string; isWhole: boolean } {
  const reader = new ReplyReader(isHeadOnly);
  const bytes = new TextEncoder().encode(text);
  let head: ReplyHead | undefined;
  let body = "";
  for (let at = 0; at < bytes.length; at += size) {
    const parts = reader.take(bytes.slice(at, at + size));
    head ??= parts.head;
    for (const part of parts.body) body += new TextDecoder().decode(part);
  }
  return { head, body, isWhole: reader.isWhole };
}

const SIZES = [1, 2, 3, 7, 1000];

Deno.test("ReplyReader: a body of known length, in pieces of any size", () => {
  const text =
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVary: a\r\nVary: b\r\nConnection: close\r\n\r\nhello";
  for (const size of SIZES) {
    const { head, body, isWhole } = read(text, size);
    assert.deepEqual({ ...head }, {
      status: 200,
      fields: { "content-length": "5", "vary": ["a", "b"] },
      isBodiless: false,
    });
    assert.deepEqual([body, isWhole], ["hello", true]);
  }
  assert.equal(read(text.slice(0, -1), 1000).isWhole, false);
});

Deno.test("ReplyReader: chunks are joined, interim replies dropped", () => {
  const text =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "5\r\nhello\r\nb\r\n, world\r\n!!\r\n0\r\n\r\n";
  for (const size of SIZES) {
    const { head, body, isWhole } = read(text, size);
    assert.deepEqual([head!.status, head!.fields, body], [202, {}, "hello, world\r\n!!"]);
    assert.equal(isWhole, true);
  }
  assert.equal(read(text.slice(0, -6), 1000).isWhole, false);
});

Deno.test("ReplyReader: a body that ends with its connection", () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n";
  for (const size of SIZES) {
    const { head, body, isWhole } = read(text, size);
    assert.deepEqual([head!.isBodiless, body, isWhole], [false, "data: 1\n\ndata: 2\n\n", true]);
  }
});

Deno.test("ReplyReader: replies without a body", () => {
  const replies: [text: string, isHeadOnly: boolean][] = [
    ["HTTP/1.1 204 No Content\r\n\r\n", false],
    ["HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 9\r\n\r\n", false],
    ["HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false],
    ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true],
  ];
  for (const [text, isHeadOnly] of replies) {
    const { head, body, isWhole } = read(text, 4, isHeadOnly);
    assert.deepEqual([head!.isBodiless, body, isWhole], [true, "", true], text);
  }
});
