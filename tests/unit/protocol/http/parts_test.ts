import assert from "node:assert/strict";
import { InputBuffer } from "../../../../src/base/bytes.ts";
import { prefersJson } from "../../../../src/protocol/http/accept.ts";
import { BrowserGuard, GuardVerdict } from "../../../../src/protocol/http/browser_guard.ts";
import { ParseStep } from "../../../../src/protocol/http/parse_step.ts";
import { percentDecode } from "../../../../src/protocol/http/percent_decoding.ts";
import type { HttpRequest } from "../../../../src/protocol/http/request.ts";
import { HttpRequestParser } from "../../../../src/protocol/http/request_parser.ts";
import { latin1, toLatin1 } from "./support.ts";

Deno.test("HttpRequest: fields are found by name in any case, repetitions one by one", () => {
  const request = parse("GET / HTTP/1.1", "Host: a", "X-A: 1", "x-a:  2 ", "X-B:");
  const name = latin1("x-a");
  const first = request.findField(name);
  const second = request.findField(name, first + 1);
  assert.equal(valueOf(request, first), "1");
  assert.equal(valueOf(request, second), "2");
  assert.equal(request.findField(name, second + 1), -1);
  assert.equal(valueOf(request, request.findField(latin1("x-b"))), "");
  assert.equal(request.findField(latin1("x-c")), -1);
});

Deno.test("HttpRequest: the target's host comes before Host", () => {
  const request = parse("GET http://other:81/a?b HTTP/1.1", "Host: a");
  const { bytes, hostStart, hostEnd, pathStart, pathEnd, queryStart, queryEnd } = request;
  assert.equal(toLatin1(bytes.subarray(hostStart, hostEnd)), "other:81");
  assert.equal(toLatin1(bytes.subarray(pathStart, pathEnd)), "/a");
  assert.equal(toLatin1(bytes.subarray(queryStart, queryEnd)), "b");
});

Deno.test("HttpRequestParser: ranges follow the bytes when the buffer moves", () => {
  const input = new InputBuffer(64);
  const parser = new HttpRequestParser(100);
  // Something in front, so that the buffer moves the half-read request to the left when it is full.
  const head = "POST /p?q HTTP/1.1\r\nHost: h\r\nX: v\r\nContent-Length: 3\r\n\r\nab";
  fill(input, "x".repeat(20) + head[0]);
  input.start += 20;
  parser.begin(input);
  for (const character of head.slice(1)) {
    assert.equal(parser.parse(input), ParseStep.INCOMPLETE);
    fill(input, character);
  }
  assert.equal(parser.parse(input), ParseStep.INCOMPLETE);
  fill(input, "c");
  assert.equal(parser.parse(input), ParseStep.COMPLETE);
  assert.equal(input.start, 0);
  const { request } = parser;
  const { bytes } = request;
  assert.equal(bytes, input.bytes);
  assert.equal(toLatin1(bytes.subarray(request.pathStart, request.pathEnd)), "/p");
  assert.equal(toLatin1(bytes.subarray(request.queryStart, request.queryEnd)), "q");
  assert.equal(toLatin1(bytes.subarray(request.hostStart, request.hostEnd)), "h");
  assert.equal(toLatin1(bytes.subarray(request.bodyStart, request.bodyEnd)), "abc");
  assert.equal(valueOf(request, request.findField(latin1("x"))), "v");
  assert.equal(parser.requestEnd, input.end);
});

Deno.test("HttpRequestParser: bytes of a head that were read are not read again", () => {
  const input = new InputBuffer(65536);
  const parser = new HttpRequestParser(100);
  fill(input, `GET /${"a".repeat(8000)} HTTP/1.1\r\nHost: a\r\nX: ${"b".repeat(8000)}`);
  parser.begin(input);
  assert.equal(parser.parse(input), ParseStep.INCOMPLETE);
  // What was accepted is not looked at again, so spoiling it goes unnoticed.
  input.bytes.fill(0, 100, input.end);
  fill(input, "\r\n\r\n");
  assert.equal(parser.parse(input), ParseStep.COMPLETE);
});

Deno.test("prefersJson: JSON has to be named, and the greater weight wins", () => {
  const cases: [boolean, ...string[]][] = [
    [false],
    [false, "*/*"],
    [false, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
    [false, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"],
    [true, "application/json"],
    [true, "Application/JSON; charset=utf-8"],
    [true, "application/json, text/plain, */*"],
    [true, "text/plain;q=0.5, application/json;q=0.9"],
    [false, "text/plain, application/json;q=0.9"],
    [false, "application/json;q=0"],
    [true, "text/html", "application/json"],
    [false, "application/jsonx"],
    [false, "application/json;q=x"],
  ];
  for (const [expected, ...values] of cases) {
    const request = parse(
      "GET / HTTP/1.1",
      "Host: a",
      ...values.map((value) => `Accept: ${value}`),
    );
    assert.equal(prefersJson(request), expected, values.join(" + "));
  }
});

Deno.test("BrowserGuard: only this machine's names and the allowed ones pass", () => {
  const guard = new BrowserGuard({ allowedHosts: ["Sluice.example"] });
  const cases: [string, boolean][] = [
    ["localhost", true],
    ["LOCALHOST:8080", true],
    ["127.0.0.1:8080", true],
    ["192.168.1.7", true],
    ["[::1]:8080", true],
    ["sluice.example:1", true],
    ["SLUICE.EXAMPLE", true],
    ["evil.example", false],
    ["localhost.evil.example", false],
    ["127.0.0.1.evil.example", false],
    ["127.0.0.256", false],
    ["127.0.0", false],
    ["a.sluice.example", false],
  ];
  for (const [host, passes] of cases) {
    const verdict = guard.check(parse("GET / HTTP/1.1", `Host: ${host}`));
    assert.equal(verdict, passes ? GuardVerdict.PASS : GuardVerdict.WRONG_HOST, host);
  }
  assert.equal(guard.check(parse("GET / HTTP/1.0")), GuardVerdict.PASS);
});

Deno.test("BrowserGuard: over TLS the same origin is https", () => {
  const guard = new BrowserGuard();
  for (
    const [origin, verdict] of [
      ["https://localhost:8080", GuardVerdict.PASS],
      ["http://localhost:8080", GuardVerdict.WRONG_ORIGIN],
    ] as const
  ) {
    const request = parse("GET / HTTP/1.1", "Host: localhost:8080", `Origin: ${origin}`);
    request.isSecure = true;
    assert.equal(guard.check(request), verdict, origin);
  }
});

Deno.test("BrowserGuard: only the same origin and the allowed ones pass", () => {
  const guard = new BrowserGuard({ corsOrigins: ["https://app.example", "null"] });
  const { PASS, ALLOWED_ORIGIN, WRONG_ORIGIN } = GuardVerdict;
  const cases: [string, GuardVerdict][] = [
    ["http://localhost:8080", PASS],
    ["HTTP://LOCALHOST:8080", PASS],
    ["https://app.example", ALLOWED_ORIGIN],
    ["http://localhost", WRONG_ORIGIN],
    ["http://localhost:8081", WRONG_ORIGIN],
    ["https://localhost:8080", WRONG_ORIGIN],
    ["http://app.example", WRONG_ORIGIN],
    ["https://app.example:444", WRONG_ORIGIN],
    ["https://app.example.evil.example", WRONG_ORIGIN],
    ["https://app.example, https://evil.example", WRONG_ORIGIN],
    ["*", WRONG_ORIGIN],
    ["null", WRONG_ORIGIN],
    ["", WRONG_ORIGIN],
  ];
  for (const [origin, expected] of cases) {
    const request = parse("GET / HTTP/1.1", "Host: localhost:8080", `Origin: ${origin}`);
    assert.equal(guard.check(request), expected, origin);
    const lines = toLatin1(guard.originLines);
    if (expected !== ALLOWED_ORIGIN) assert.equal(lines, "Vary: Origin\r\n", origin);
    else assert.match(lines, /^Access-Control-Allow-Origin: https:\/\/app\.example\r\n/);
  }
  const twice = parse(
    "GET / HTTP/1.1",
    "Host: localhost:8080",
    "Origin: http://localhost:8080",
    "Origin: http://evil.example",
  );
  assert.equal(guard.check(twice), WRONG_ORIGIN);
  assert.equal(guard.check(parse("GET / HTTP/1.1", "Host: localhost:8080")), PASS);
});

Deno.test("percentDecode: escapes become bytes, and a target that is too short is told", () => {
  const cases: [string, string][] = [
    ["alice", "alice"],
    ["a%20b", "a b"],
    ["a+b", "a+b"],
    ["%C3%a9%00%2f", "\xc3\xa9\0/"],
    ["", ""],
  ];
  for (const [encoded, expected] of cases) {
    const target = new Uint8Array(expected.length);
    const source = latin1(`<${encoded}>`);
    assert.equal(percentDecode(source, 1, 1 + encoded.length, target), expected.length, encoded);
    assert.equal(toLatin1(target), expected, encoded);
  }
  assert.equal(percentDecode(latin1("abc"), 0, 3, new Uint8Array(2)), -1);
});

function fill(input: InputBuffer, text: string): void {
  const bytes = latin1(text);
  while (input.space().length < bytes.length) input.ensure(input.length + bytes.length);
  input.space().set(bytes);
  input.commit(bytes.length);
}

function parse(...lines: string[]): HttpRequest {
  const input = new InputBuffer(4096);
  fill(input, `${lines.join("\r\n")}\r\n\r\n`);
  const parser = new HttpRequestParser(100);
  parser.begin(input);
  assert.equal(parser.parse(input), ParseStep.COMPLETE, parser.failure.detail);
  return parser.request;
}

function valueOf(request: HttpRequest, index: number): string {
  return toLatin1(request.bytes.subarray(request.valueStart(index), request.valueEnd(index)));
}
