import assert from "node:assert/strict";
import { MalformedReply, parseHttpReplies } from "../../helpers/http_reply_parser.ts";
import { parseRespReplies } from "../../helpers/resp_reply_parser.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi";

Deno.test("parseHttpReplies: takes replies of every kind of length", () => {
  const replies = parseHttpReplies(
    "HTTP/1.1 100 Continue\r\n\r\n" + OK + "HTTP/1.1 204 No Content\r\n\r\n" +
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n" +
      "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n" +
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
  );
  assert.deepEqual(
    replies.map(({ status, body }) => [status, body]),
    [[100, ""], [200, "hi"], [204, ""], [304, ""], [200, "abc0123456789"], [503, ""]],
  );
});

Deno.test("parseHttpReplies: knows a reply to HEAD only where one may be", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Type: text/plain\r\n\r\n";
  const context = { headPossible: true, cutOff: false };
  assert.equal(parseHttpReplies(head, context).length, 1);
  assert.equal(parseHttpReplies(head + OK + head, context).length, 3);
  assert.throws(() => parseHttpReplies(head), MalformedReply);
  // A body that is there is taken as one.
  assert.equal(parseHttpReplies(OK, context)[0]!.body, "hi");
});

Deno.test("parseHttpReplies: forgives a cut only on a connection that was reset", () => {
  for (const text of [OK.slice(0, -1), OK.slice(0, 30), OK + "HTTP/1.1 2"]) {
    assert.throws(() => parseHttpReplies(text), MalformedReply, text);
    assert.ok(parseHttpReplies(text, { headPossible: false, cutOff: true }).length <= 1);
  }
});

const MALFORMED_HTTP: readonly (readonly [name: string, text: string])[] = [
  ["text that is no reply", "hello"],
  ["another version", OK.replace("1.1", "2.0")],
  ["a status of four digits", OK.replace("200", "2000")],
  ["a bare line feed", OK.replaceAll("\r\n", "\n")],
  ["no space behind the colon", OK.replace(": 2", ":2")],
  ["white space in front of the colon", OK.replace("th:", "th :")],
  ["a control character in a value", OK.replace("plain", "pl\x01ain")],
  ["a bare CR in a value", OK.replace("plain", "pl\rain")],
  ["a header twice", OK.replace("\r\n\r\n", "\r\nContent-Type: a/b\r\n\r\n")],
  ["no length", OK.replace("Content-Length: 2\r\n", "")],
  ["a length with a sign", OK.replace(": 2", ": +2")],
  ["two kinds of length", OK.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n")],
  ["too long a body", `${OK}!`],
  ["too short a body", OK.slice(0, -1)],
  ["a body without a type", OK.replace("Content-Type: text/plain\r\n", "")],
  ["JSON that is none", OK.replace("text/plain", "application/json")],
  ["204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"],
  ["405 without Allow", "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"],
  ["a date of another form", OK.replace("\r\n\r\n", "\r\nDate: 1994-11-06\r\n\r\n")],
  ["a reply behind the last one", OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + OK],
  [
    "a chunk longer than its size",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
  ],
  ["chunks without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"],
];

for (const [name, text] of MALFORMED_HTTP) {
  Deno.test(`parseHttpReplies: refuses ${name}`, () => {
    assert.throws(() => parseHttpReplies(text), MalformedReply);
  });
}

Deno.test("parseRespReplies: takes every type of both versions", () => {
  const two = "+OK\r\n-ERR no\r\n:-9223372036854775808\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*0\r\n" +
    "*2\r\n:1\r\n*1\r\n$0\r\n\r\n";
  assert.deepEqual(parseRespReplies(two).map(({ type }) => type).join(""), "+-:$$***");
  assert.equal(parseRespReplies(two)[3]!.text, "a\r\n");
  const three = "_\r\n#t\r\n,1.5e3\r\n,-inf\r\n(123\r\n!5\r\nERR x\r\n=5\r\ntxt:a\r\n" +
    "%1\r\n+a\r\n:1\r\n~2\r\n:1\r\n:2\r\n>1\r\n+a\r\n";
  assert.deepEqual(
    parseRespReplies(three, { version: 3, cutOff: false }).map(({ type }) => type).join(""),
    "_#,,(!=%~>",
  );
});

Deno.test("parseRespReplies: forgives a cut only on a connection that was reset", () => {
  for (const text of ["+O", "$3\r\nab", "*2\r\n:1\r\n", "$3\r\nabc\r"]) {
    assert.throws(() => parseRespReplies(text), MalformedReply, text);
    assert.equal(parseRespReplies(text, { version: 2, cutOff: true }).length, 0);
  }
});

const MALFORMED_RESP: readonly (readonly [name: string, text: string, version?: 3])[] = [
  ["text that is no reply", "hello\r\n"],
  ["a type of version 3 in version 2", "_\r\n"],
  ["nil of version 2 in version 3", "$-1\r\n", 3],
  ["an error without a code", "-no such thing\r\n"],
  ["an error without a text", "-ERR\r\n"],
  ["a line feed in a simple string", "+a\nb\r\n"],
  ["an empty simple string", "+\r\n"],
  ["an integer with a leading zero", ":01\r\n"],
  ["an integer with a fraction", ":1.5\r\n"],
  ["a bulk longer than its length", "$2\r\nabc\r\n"],
  ["a bulk shorter than its length", "$3\r\nab\r\n"],
  ["a negative length", "$-2\r\n"],
  ["a collection with too few parts", "*2\r\n:1\r\n"],
  ["a boolean that is neither", "#x\r\n", 3],
  ["a verbatim text without its kind", "=3\r\nabc\r\n", 3],
  ["twenty collections in each other", "*1\r\n".repeat(20) + ":1\r\n"],
];

for (const [name, text, version] of MALFORMED_RESP) {
  Deno.test(`parseRespReplies: refuses ${name}`, () => {
    const context = { version: version ?? 2 as const, cutOff: false };
    assert.throws(() => parseRespReplies(text, context), MalformedReply);
  });
}

Deno.test("parseRespReplies: a long reply that was seen before is taken for itself only", () => {
  const long = `*600\r\n${"$5\r\nhello\r\n".repeat(600)}`;
  const replies = parseRespReplies(`${long}${long}+OK\r\n${long}`);
  assert.deepEqual(replies.map(({ parts }) => parts.length), [600, 600, 0, 600]);
  assert.throws(() => parseRespReplies(`${long}${long.slice(0, -1)}x`), /a bulk's end/);
  assert.throws(() => parseRespReplies(`${long}${long.slice(0, -1)}`), /cut off/);
  const map = `%600\r\n${"$5\r\nhello\r\n".repeat(1200)}`;
  assert.equal(parseRespReplies(map, { version: 3, cutOff: false })[0]!.parts.length, 1200);
  assert.throws(() => parseRespReplies(map), /a type "%"/, "another version is another matter");
});
