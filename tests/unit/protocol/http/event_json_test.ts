import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteSlice, EventFields } from "../../../../src/base/job.ts";
import { EventJsonDecoder } from "../../../../src/protocol/http/event_json.ts";
import { EVENT_BODIES } from "../../../cases/http_events.ts";

const encoder = new TextEncoder();
const fatalDecoder = new TextDecoder("utf-8", { fatal: true });

Deno.test("EventJsonDecoder: every case is decoded as expected", () => {
  const decoder = new EventJsonDecoder();
  const fields = new EventFields();
  for (const { name, body, expected } of EVENT_BODIES) {
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    assert.deepEqual(decode(decoder, fields, bytes), { action: undefined, ...expected }, name);
  }
  assert.equal(new Set(EVENT_BODIES.map(({ name }) => name)).size, EVENT_BODIES.length);
});

Deno.test("EventJsonDecoder: every case is decoded the same in the middle of other bytes", () => {
  const decoder = new EventJsonDecoder();
  const fields = new EventFields();
  for (const { name, body, expected } of EVENT_BODIES) {
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    // What surrounds the body would complete or break it if it were looked at.
    for (const filler of [`"}]`, " ", "0"]) {
      const around = encoder.encode(filler.repeat(8));
      const buffer = Uint8Array.from([...around, ...bytes, ...around]);
      const decoded = decode(decoder, fields, buffer, around.length, around.length + bytes.length);
      assert.deepEqual(decoded, { action: undefined, ...expected }, name);
    }
  }
});

Deno.test("EventJsonDecoder: scan accepts what TextDecoder and JSON.parse accept", () => {
  const decoder = new EventJsonDecoder();
  let acceptedCount = 0;
  let refusedCount = 0;
  fc.assert(
    fc.property(fc.oneof(mutatedJson(), jsonLikeText(), randomBytes()), (bytes) => {
      const accepted = decoder.scan(bytes, 0, bytes.length);
      assert.equal(accepted, isJson(bytes), JSON.stringify(new TextDecoder().decode(bytes)));
      if (accepted) acceptedCount++;
      else refusedCount++;
    }),
    { numRuns: 20000, seed: 20260731 },
  );
  // The comparison is worth something only if both answers are common.
  assert.ok(acceptedCount > 2000 && refusedCount > 2000, `${acceptedCount} / ${refusedCount}`);
});

Deno.test("EventJsonDecoder: scan skips one byte order mark, as TextDecoder does", () => {
  const decoder = new EventJsonDecoder();
  for (const text of ["\ufeff{}", "\ufeff", "\ufeff\ufeff{}", "{}\ufeff"]) {
    const bytes = encoder.encode(text);
    assert.equal(decoder.scan(bytes, 0, bytes.length), isJson(bytes), JSON.stringify(text));
  }
});

Deno.test("EventJsonDecoder: fields are what JSON.parse with the source text says", () => {
  const decoder = new EventJsonDecoder();
  const fields = new EventFields();
  const member = fc.tuple(
    fc.constantFrom("user", "action", "amount", "id", "type", "other"),
    fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).map(escapeSome),
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
      fc.json({ maxDepth: 2 }),
      fc.constantFrom("1.0", "1e2", "-0", "0", "null", `"a"`, `"b"`, "5", "-7"),
    ),
  );
  let eventCount = 0;
  const likelyEvent = fc.array(member, { maxLength: 4 }).map((members) => [
    ["user", `"u"`],
    ["action", `"a"`],
    ["amount", "1"],
    ...members,
  ]);
  fc.assert(
    fc.property(fc.oneof(fc.array(member, { maxLength: 6 }), likelyEvent), (members) => {
      const text = `{${members.map(([key, value]) => `"${key}":${value}`).join(",")}}`;
      const decoded = decode(decoder, fields, encoder.encode(text));
      const expected = readWithPlatform(text);
      if (expected === undefined) {
        assert.equal(decoded.kind, "invalid_event", text);
      } else {
        eventCount++;
        assert.deepEqual(decoded, { kind: "event", ...expected }, text);
      }
    }),
    { numRuns: 5000, seed: 20260731 },
  );
  assert.ok(eventCount > 500, `${eventCount} events`);
});

Deno.test("EventJsonDecoder: isMetricsRequest needs type metrics at the top level", () => {
  const decoder = new EventJsonDecoder();
  const cases: [string, boolean][] = [
    [`{"type":"metrics"}`, true],
    [`{"user":"a","type":"metrics"}`, true],
    [`{"type":"event","type":"metrics"}`, true],
    [`{"type":"metrics","type":1}`, false],
    [`{"type":"Metrics"}`, false],
    [`{"x":{"type":"metrics"}}`, false],
    [`{"type":["metrics"]}`, false],
    [`{"metrics":"type"}`, false],
    [`"metrics"`, false],
    [`{}`, false],
  ];
  for (const [text, expected] of cases) {
    const bytes = encoder.encode(text);
    assert.ok(decoder.scan(bytes, 0, bytes.length), text);
    assert.equal(decoder.isMetricsRequest, expected, text);
  }
});

interface Decoded {
  kind: string;
  user?: string;
  action?: string | undefined;
  amount?: string;
  id?: string;
  detail?: string;
}

function decode(
  decoder: EventJsonDecoder,
  fields: EventFields,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): Decoded {
  if (!decoder.scan(bytes, start, end)) return { kind: "invalid_json", action: undefined };
  const detail = decoder.read(fields);
  if (detail !== undefined) return { kind: "invalid_event", detail, action: undefined };
  const decoded: Decoded = {
    kind: "event",
    user: textOf(fields.user),
    action: textOf(fields.action) === "buy" ? undefined : textOf(fields.action),
    amount: fields.amount.toString(),
  };
  if (fields.id.length > 0) decoded.id = textOf(fields.id);
  return decoded;
}

function textOf({ bytes, start, end }: ByteSlice): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    .decode(bytes.subarray(start, end));
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(fatalDecoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** The rules of the contract, on top of the platform's own parser. Undefined: not an event. */
function readWithPlatform(text: string): Omit<Decoded, "kind"> | undefined {
  const sources = new Map<unknown, string>();
  const marked = JSON.parse(text, (_key, value, context?: { source?: string }) => {
    if (typeof value !== "number") return value;
    assert.ok(context?.source !== undefined, "the platform tells a number's source");
    const box = { box: value };
    sources.set(box, context.source);
    return box;
  });
  const { user, action, amount, id } = marked;
  for (const [value, maxBytes] of [[user, 128], [action, 64], [id ?? "-", 64]] as const) {
    if (!("id" in marked) && value === "-") continue;
    if (typeof value !== "string" || !value.isWellFormed() || /\p{Cc}/u.test(value)) return;
    const byteCount = encoder.encode(value).length;
    if (byteCount < 1 || byteCount > maxBytes) return;
  }
  if ("id" in marked && typeof id !== "string") return;
  const source = sources.get(amount);
  if (source === undefined || !/^-?\d+$/.test(source)) return;
  const exact = BigInt(source);
  if (BigInt.asIntN(64, exact) !== exact) return;
  return {
    user,
    action: action === "buy" ? undefined : action,
    amount: exact.toString(),
    ...("id" in marked ? { id } : {}),
  };
}

/** A JSON string with some of its characters as escapes, chosen by the text itself. */
function escapeSome(text: string): string {
  let escaped = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const mustEscape = unit < 0x20 || unit === 0x22 || unit === 0x5c;
    escaped += mustEscape || unit % 3 === 0 ? `\\u${unit.toString(16).padStart(4, "0")}` : text[i];
  }
  // A pair of which one half is an escape is no pair in UTF-8.
  return escaped.isWellFormed() ? `"${escaped}"` : `"${escapeAll(text)}"`;
}

function escapeAll(text: string): string {
  return Array.from(
    { length: text.length },
    (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");
}

function mutatedJson(): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat(3)), { maxLength: 2 });
  return fc.tuple(fc.json({ maxDepth: 3 }), edits).map(([text, changes]) => {
    const bytes = [...encoder.encode(text)];
    for (const [at, value, kind] of changes) {
      const place = at % (bytes.length + 1);
      if (kind === 0) bytes.splice(place, 1);
      else if (kind === 1) bytes.splice(place, 0, value);
      else if (kind === 2) bytes[place] = value;
    }
    return Uint8Array.from(bytes);
  });
}

function jsonLikeText(): fc.Arbitrary<Uint8Array> {
  const pieces = fc.constantFrom(
    ...'{}[],:"\\ 0123456789-+.eEu\n\t',
    "true",
    "false",
    "null",
    `"a"`,
    `"\\u00e9"`,
    `"é"`,
    "1.5",
    "-0",
    "{}",
    "[]",
    `{"a":`,
    `"b":1`,
    "[1,",
  );
  return fc.array(pieces, { maxLength: 8 }).map((list) => encoder.encode(list.join("")));
}

function randomBytes(): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ maxLength: 6 }).map((bytes) => Uint8Array.from([0x22, ...bytes, 0x22]));
}
