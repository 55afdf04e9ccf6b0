import assert from "node:assert/strict";
import fc from "fast-check";
import { formatJson, formatText } from "../../../src/base/log_format.ts";
import { LOG_LINE_MAX_LENGTH, LOG_TEXT_MAX_LENGTH } from "../../../src/base/limits.ts";
import type { LogFields, LogRecord } from "../../../src/base/log_record.ts";

function record(fields: LogFields, message = "listening"): LogRecord {
  return { timeMs: Date.UTC(2026, 0, 2), level: "info", area: "server", message, fields };
}

Deno.test("formatJson: puts the fields at top level, behind time, level, area and message", () => {
  assert.equal(
    formatJson(record({ event: "listening", protocol: "http", port: 8080 })),
    '{"time":"2026-01-02T00:00:00.000Z","level":"info","area":"server","message":"listening",' +
      '"event":"listening","protocol":"http","port":8080}',
  );
});

Deno.test("formatJson: keeps the record's own names when a field has the same", () => {
  const line = JSON.parse(formatJson(record({ level: "mine", time: 3 })));
  assert.equal(line.level, "info");
  assert.equal(line.field_level, "mine");
  assert.equal(line.field_time, 3);
});

Deno.test("formatJson: says what JSON cannot: big integers, NaN, errors, cycles, bytes", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const error = new TypeError("bad", { cause: "worse" });
  const line = JSON.parse(formatJson(record({
    amount: 2n ** 62n,
    ratio: NaN,
    error,
    cycle,
    key: new Uint8Array(3),
    nothing: undefined,
    call: () => {},
  })));
  assert.equal(line.amount, "4611686018427387904");
  assert.equal(line.ratio, "NaN");
  assert.equal(line.error.name, "TypeError");
  assert.equal(line.error.message, "bad");
  assert.equal(line.error.cause, "worse");
  assert.match(line.error.stack, /log_format_test/);
  assert.equal(line.key, "3 bytes");
  assert.ok(!("nothing" in line) && !("call" in line));
});

Deno.test("formatJson: is one valid line within its bound, whatever the fields", () => {
  fc.assert(fc.property(
    fc.dictionary(fc.string(), fc.anything({ maxDepth: 6, withBigInt: true, withDate: true })),
    fc.string(),
    (fields, message) => {
      const line = formatJson(record(fields, message));
      assert.ok(!line.includes("\n"));
      assert.ok(line.length <= LOG_LINE_MAX_LENGTH);
      assert.equal(JSON.parse(line).level, "info");
    },
  ));
});

Deno.test("formatJson: cuts a long text and drops the fields of a line beyond its bound", () => {
  const long = "x".repeat(100_000);
  const cut = JSON.parse(formatJson(record({ long })));
  assert.equal(cut.long.length, LOG_TEXT_MAX_LENGTH);
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`long${i}`, long]));
  assert.deepEqual(JSON.parse(formatJson(record(many))), {
    time: "2026-01-02T00:00:00.000Z",
    level: "info",
    area: "server",
    message: "listening",
    truncated: true,
  });
});

Deno.test("formatText: is aligned, quotes where needed and leaves out the event", () => {
  assert.equal(
    formatText(record({ event: "listening", port: 8080, text: "two words", empty: "" }), false),
    '2026-01-02T00:00:00.000Z info  server   listening port=8080 text="two words" empty=""',
  );
});

Deno.test("formatText: shows an error on the line and its stack indented below", () => {
  const [line, ...stack] = formatText(record({ error: new RangeError("too far") }), false)
    .split("\n");
  assert.match(line!, /error="RangeError: too far"$/);
  assert.ok(stack.length > 0);
  for (const frame of stack) assert.match(frame, /^ {4}at /);
});

Deno.test("formatText: nothing in a field or message starts a line or steers a terminal", () => {
  const evil = "a\nb\r\x1b[31mred\x9b1m\u202e\u2028";
  const line = formatText(record({ evil, [evil]: 1, nested: { evil } }, evil), false);
  assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
});

Deno.test("formatText: uses colours only when told", () => {
  assert.ok(formatText(record({ port: 1 }), true).includes("\x1b[32minfo \x1b[0m"));
  assert.ok(!formatText(record({ port: 1 }), false).includes("\x1b"));
});
