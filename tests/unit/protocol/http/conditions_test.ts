import assert from "node:assert/strict";
import { parseRange } from "../../../../src/protocol/http/byte_range.ts";
import { CODING_NAMES, codingsIn } from "../../../../src/protocol/http/content_coding.ts";
import { formatHttpDate, parseHttpDate } from "../../../../src/protocol/http/http_date.ts";
import { HttpMethod } from "../../../../src/protocol/http/method.ts";
import {
  evaluatePreconditions,
  mayServeRange,
  Precondition,
} from "../../../../src/protocol/http/preconditions.ts";
import { HttpRequest } from "../../../../src/protocol/http/request.ts";
import { latin1 } from "./support.ts";

const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 0);
const CHANGED = "Thu, 15 Jan 2026 10:00:00 GMT";
const BEFORE = "Thu, 15 Jan 2026 09:59:59 GMT";
const AFTER = "Thu, 15 Jan 2026 10:00:01 GMT";
const validators = { etag: '"a-1"', lastModifiedMs: Date.UTC(2026, 0, 15, 10, 0, 0) };

function requestWith(
  fields: readonly (readonly [string, string])[],
  method: HttpMethod = HttpMethod.GET,
) {
  const request = new HttpRequest();
  const text = fields.map(([name, value]) => `${name}:${value}\r\n`).join("");
  request.reset(latin1(text));
  request.method = method;
  let at = 0;
  for (const [name, value] of fields) {
    const valueStart = at + name.length + 1;
    request.addField(at, at + name.length, valueStart, valueStart + value.length);
    at = valueStart + value.length + 2;
  }
  return request;
}

Deno.test("parseHttpDate: reads the three forms and nothing else", () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);
  assert.equal(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT", NOW_MS), time);
  assert.equal(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", NOW_MS), time);
  assert.equal(parseHttpDate("Sun Nov  6 08:49:37 1994", NOW_MS), time);
  assert.equal(parseHttpDate("Friday, 01-Jan-76 00:00:00 GMT", NOW_MS), Date.UTC(2076, 0, 1));
  assert.equal(parseHttpDate("Saturday, 01-Jan-77 00:00:00 GMT", NOW_MS), Date.UTC(1977, 0, 1));
  assert.equal(parseHttpDate(formatHttpDate(time), NOW_MS), time);
  const wrong = [
    "",
    "0",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "1994-11-06T08:49:37Z",
    " Sun, 06 Nov 1994 08:49:37 GMT",
  ];
  for (const text of wrong) assert.equal(parseHttpDate(text, NOW_MS), null, text);
});

Deno.test("evaluatePreconditions: each field, and their order", () => {
  const { PASS, NOT_MODIFIED, FAILED } = Precondition;
  const cases: [fields: [string, string][], expected: Precondition][] = [
    [[], PASS],
    [[["If-None-Match", '"a-1"']], NOT_MODIFIED],
    [[["If-None-Match", 'W/"a-1"']], NOT_MODIFIED],
    [[["If-None-Match", "*"]], NOT_MODIFIED],
    [[["If-None-Match", '"x", W/"y,z" ,"a-1"']], NOT_MODIFIED],
    [[["If-None-Match", '"x"'], ["if-none-match", '"a-1"']], NOT_MODIFIED],
    [[["If-None-Match", '"x"']], PASS],
    [[["If-None-Match", "a-1"]], PASS],
    [[["If-None-Match", '"a-1']], PASS],
    [[["If-None-Match", '"a-1" "b"']], PASS],
    [[["If-None-Match", '"A-1"']], PASS],
    [[["If-None-Match", ""]], PASS],
    [[["If-Modified-Since", CHANGED]], NOT_MODIFIED],
    [[["If-Modified-Since", AFTER]], NOT_MODIFIED],
    [[["If-Modified-Since", BEFORE]], PASS],
    [[["If-Modified-Since", "yesterday"]], PASS],
    // What is said of the tag counts, and not what is said of the date.
    [[["If-None-Match", '"x"'], ["If-Modified-Since", AFTER]], PASS],
    [[["If-None-Match", '"a-1"'], ["If-Modified-Since", BEFORE]], NOT_MODIFIED],
    [[["If-Match", '"a-1"']], PASS],
    [[["If-Match", "*"]], PASS],
    [[["If-Match", '"x"']], FAILED],
    [[["If-Match", 'W/"a-1"']], FAILED],
    [[["If-Match", "nonsense"]], FAILED],
    [[["If-Unmodified-Since", CHANGED]], PASS],
    [[["If-Unmodified-Since", BEFORE]], FAILED],
    [[["If-Unmodified-Since", "nonsense"]], PASS],
    [[["If-Match", '"a-1"'], ["If-Unmodified-Since", BEFORE]], PASS],
    [[["If-Match", '"x"'], ["If-None-Match", '"a-1"']], FAILED],
    [[["If-Match", '"a-1"'], ["If-None-Match", '"a-1"']], NOT_MODIFIED],
    [[["If-Unmodified-Since", BEFORE], ["If-None-Match", '"a-1"']], FAILED],
  ];
  for (const [fields, expected] of cases) {
    const found = evaluatePreconditions(requestWith(fields), validators, NOW_MS);
    assert.equal(found, expected, JSON.stringify(fields));
  }
  const weak = { ...validators, etag: 'W/"a-1"' };
  const evaluate = (name: string, value: string) =>
    evaluatePreconditions(requestWith([[name, value]]), weak, NOW_MS);
  assert.equal(evaluate("If-None-Match", '"a-1"'), NOT_MODIFIED);
  assert.equal(evaluate("If-Match", 'W/"a-1"'), FAILED);
  const put = requestWith([["If-None-Match", "*"]], HttpMethod.PUT);
  assert.equal(evaluatePreconditions(put, validators, NOW_MS), FAILED);
});

Deno.test("mayServeRange: only for exactly the state that If-Range names", () => {
  const cases: [string, boolean][] = [
    ['"a-1"', true],
    ['"x"', false],
    ['W/"a-1"', false],
    [CHANGED, true],
    [BEFORE, false],
    [AFTER, false],
    ["nonsense", false],
  ];
  for (const [value, expected] of cases) {
    const request = requestWith([["If-Range", value]]);
    assert.equal(mayServeRange(request, validators, NOW_MS), expected, value);
  }
  assert.equal(mayServeRange(requestWith([]), validators, NOW_MS), true);
  const weak = { ...validators, etag: 'W/"a-1"' };
  for (const value of ['"a-1"', 'W/"a-1"']) {
    assert.equal(mayServeRange(requestWith([["If-Range", value]]), weak, NOW_MS), false, value);
  }
  // There may have been two states in that second.
  const fresh = requestWith([["If-Range", CHANGED]]);
  assert.equal(mayServeRange(fresh, validators, validators.lastModifiedMs + 999), false);
});

Deno.test("parseRange: one range, however it is written", () => {
  const part = (start: number, end: number) => ({ kind: "part", start, end });
  const [whole, unsatisfiable] = [{ kind: "whole" }, { kind: "unsatisfiable" }];
  const cases: [string, unknown][] = [
    ["bytes=0-0", part(0, 1)],
    ["bytes=0-", part(0, 100)],
    ["bytes=0-99", part(0, 100)],
    ["bytes=0-100", part(0, 100)],
    ["bytes=99-", part(99, 100)],
    ["bytes=10-19", part(10, 20)],
    ["BYTES=10-19", part(10, 20)],
    ["bytes= 10-19 ", part(10, 20)],
    ["bytes=-1", part(99, 100)],
    ["bytes=-100", part(0, 100)],
    ["bytes=-1000", part(0, 100)],
    ["bytes=0-99999999999999999999999999", part(0, 100)],
    ["bytes=-99999999999999999999999999", part(0, 100)],
    ["bytes=100-", unsatisfiable],
    ["bytes=100-200", unsatisfiable],
    ["bytes=99999999999999999999999999-", unsatisfiable],
    ["bytes=-0", unsatisfiable],
    ["bytes=5-4", whole],
    ["bytes=99999999999999999999999999-99999999999999999999999998", whole],
    ["bytes=0-1,5-6", whole],
    ["bytes=0-1,", whole],
    ["bytes=", whole],
    ["bytes=-", whole],
    ["bytes=a-b", whole],
    ["bytes=0-1x", whole],
    ["bytes=+1-2", whole],
    ["bytes 0-1", whole],
    ["lines=0-1", whole],
    ["", whole],
  ];
  for (const [value, expected] of cases) {
    assert.deepEqual(parseRange(value, 100), expected, JSON.stringify(value));
  }
  assert.deepEqual(parseRange("bytes=0-", 0), unsatisfiable);
  assert.deepEqual(parseRange("bytes=-1", 0), unsatisfiable);
});

Deno.test("codingsIn: by weight, then as the server likes them", () => {
  const cases: [string, string][] = [
    ["", "identity"],
    ["gzip", "gzip identity"],
    ["x-gzip", "gzip identity"],
    ["gzip, deflate, br, zstd", "br gzip deflate identity"],
    ["GZIP ; Q=0.5 , BR;q=0.2", "gzip br identity"],
    ["gzip;q=0", "identity"],
    ["*", "br gzip deflate identity"],
    ["*;q=0", ""],
    ["gzip, *;q=0", "gzip"],
    ["identity;q=0", ""],
    ["identity;q=0, gzip", "gzip"],
    ["identity, gzip;q=0.5", "identity gzip"],
    ["identity;q=0.5, *;q=0.1", "identity br gzip deflate"],
    ["br;q=0.001", "br identity"],
    ["br;q=2, gzip;q=x, deflate;q=", "identity"],
    ["br;q=0.1234, gzip;q=1.000", "gzip identity"],
    ["zstd, compress", "identity"],
    [",, gzip ,,", "gzip identity"],
  ];
  for (const [value, expected] of cases) {
    const names = codingsIn(value).map((coding) => CODING_NAMES[coding]).join(" ");
    assert.equal(names, expected, JSON.stringify(value));
  }
});
