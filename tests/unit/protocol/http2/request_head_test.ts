import assert from "node:assert/strict";
import { translateHead } from "../../../../src/protocol/http2/request_head.ts";
import { requestFields } from "../../../helpers/http2_frames.ts";

const decoder = new TextDecoder("latin1");

function translate(
  fields: readonly (readonly [string, string])[],
  hasEnded = true,
): { text: string; bodyBytes: number; isHeadOnly: boolean } {
  const head = translateHead(fields.flat(), hasEnded);
  assert.ok(head.kind === "head", JSON.stringify(head));
  return { ...head, text: decoder.decode(head.bytes) };
}

const START = "GET /a?b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";

Deno.test("translateHead: a request becomes one of HTTP/1.1 that ends its connection", () => {
  const fields = requestFields("GET", "/a?b", ["accept", "x"], ["x-y", "caf\xe9"]);
  const { text, bodyBytes, isHeadOnly } = translate(fields);
  assert.equal(text, `${START}accept: x\r\nx-y: caf\xe9\r\n\r\n`);
  assert.deepEqual([bodyBytes, isHeadOnly], [0, false]);
  assert.equal(translate(requestFields("HEAD", "/")).isHeadOnly, true);
});

Deno.test("translateHead: how long the body is, is said in one way", () => {
  const post = requestFields("POST", "/");
  assert.equal(translate(post, false).bodyBytes, -1);
  assert.match(translate(post, false).text, /\r\ntransfer-encoding: chunked\r\n\r\n$/);
  assert.doesNotMatch(translate(post, true).text, /transfer-encoding|content-length/);
  const known = requestFields("POST", "/", ["content-length", "005"]);
  assert.equal(translate(known, false).bodyBytes, 5);
  assert.match(translate(known, false).text, /\r\ncontent-length: 5\r\n\r\n$/);
  assert.doesNotMatch(translate(known, false).text, /transfer-encoding/);
});

Deno.test("translateHead: cookies are joined, te is dropped, host stands in for :authority", () => {
  const cookies = requestFields("GET", "/a?b", ["cookie", "a=1"], ["te", "trailers"], [
    "cookie",
    "b=2",
  ]);
  assert.equal(translate(cookies).text, `${START}cookie: a=1; b=2\r\n\r\n`);
  const fields = requestFields("GET", "/a?b", ["host", "localhost"]);
  assert.equal(translate(fields).text, `${START}\r\n`);
  assert.equal(
    translate(fields.filter(([name]) => name !== ":authority")).text,
    `${START}\r\n`,
  );
  assert.match(translate(requestFields("OPTIONS", "*")).text, /^OPTIONS \* HTTP\/1\.1\r\n/);
});

Deno.test("translateHead: no field brings a byte of another one in", () => {
  const dirt = ["\r\n", "\n", "\r", "\0", "\x7f", "\x1f", "\r\nx: y", "\r\n\r\nGET / HTTP/1.1\r\n"];
  const fields = requestFields("GET", "/a", ["x", "y"], ["cookie", "z"], ["host", "localhost"]);
  for (let i = 0; i < fields.length; i++) {
    const [name, value] = fields[i]!;
    for (const text of dirt) {
      for (const wrong of [[name, value + text], [name + text, value]] as const) {
        const head = translateHead(fields.with(i, wrong).flat(), true);
        assert.equal(head.kind, "malformed", JSON.stringify(wrong));
      }
    }
  }
});
