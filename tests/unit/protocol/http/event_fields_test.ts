import assert from "node:assert/strict";
import fc from "fast-check";
import { CompiledEventSchema } from "../../../../src/base/event_schema.ts";
import { EventFields } from "../../../../src/base/job.ts";
import { EventGate } from "../../../../src/command/event_gate.ts";
import { EventJsonDecoder } from "../../../../src/protocol/http/event_json.ts";

const NAMES = ["text", "whole", "number", "flag", "list", "object_with_a_longer_name"] as const;
const GATE = new EventGate({
  schema: new CompiledEventSchema({
    properties: {
      text: { type: "string" },
      whole: { type: "integer" },
      number: { type: "number" },
      flag: { type: "boolean" },
      list: { type: "array" },
      object_with_a_longer_name: { type: "object" },
    },
  }),
  validate: undefined,
  onFailure: (error) => {
    throw error;
  },
});

/** The same JSON with the first letter of each key as an escape, and white space everywhere. */
function disguised(values: Record<string, unknown>): string {
  const members = Object.entries(values).map(([key, value]) => {
    const first = key.charCodeAt(0).toString(16).padStart(4, "0");
    return ` "\\u${first}${key.slice(1)}" :\n${JSON.stringify(value, null, 1)}\t`;
  });
  return `{${members.join(",")}}`;
}

const values = fc.record({
  text: fc.string({ unit: "binary" }),
  whole: fc.integer(),
  number: fc.double({ noNaN: true, noDefaultInfinity: true }),
  flag: fc.boolean(),
  list: fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 4 }),
  object_with_a_longer_name: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })),
  more: fc.jsonValue({ maxDepth: 2 }),
}, { requiredKeys: [] });

Deno.test("EventJsonDecoder: finds further fields as JSON.parse would, however they are written", () => {
  const decoder = new EventJsonDecoder(["ref"], GATE);
  const event = new EventFields();
  let foundCount = 0;
  fc.assert(
    fc.property(values, fc.boolean(), (fields, isDisguised) => {
      const all = { user: "u", ...fields, action: "a", ref: 7, amount: 1 };
      const body = isDisguised ? disguised(all) : JSON.stringify(all);
      const bytes = new TextEncoder().encode(`"${body}"`);
      assert.ok(decoder.scan(bytes, 1, bytes.length - 1));
      assert.equal(decoder.read(event), undefined);
      const refusal = decoder.admit(event);
      const parsed = JSON.parse(body);
      const expected = Object.fromEntries(
        NAMES.filter((name) => name in parsed).map((name) => [name, parsed[name]]),
      );
      const { fieldsJson } = event;
      const text = new TextDecoder().decode(
        fieldsJson.bytes.slice(fieldsJson.start, fieldsJson.end),
      );
      if (JSON.stringify(expected).length > 1500) return;
      assert.equal(refusal, undefined);
      assert.equal(text, Object.keys(expected).length === 0 ? "" : JSON.stringify(expected));
      foundCount += Object.keys(expected).length;
    }),
    { numRuns: 2000, seed: 20261122 },
  );
  assert.ok(foundCount > 2000, `${foundCount}`);
});

Deno.test("EventJsonDecoder: the same field twice counts as the last one, as for JSON.parse", () => {
  const decoder = new EventJsonDecoder([], GATE);
  const event = new EventFields();
  const read = (body: string) => {
    const bytes = new TextEncoder().encode(body);
    assert.ok(decoder.scan(bytes, 0, bytes.length));
    assert.equal(decoder.read(event), undefined);
    return decoder.admit(event);
  };
  const own = `"user":"u","action":"a","amount":1`;
  assert.equal(read(`{"text":5,${own},"text":"x"}`), undefined);
  assert.deepEqual(read(`{"text":"x",${own},"text":5}`), {
    kind: "invalid",
    detail: "text must be a string",
  });
  assert.equal(read(`{${own}}`), undefined, "nothing is left of the event before");
  assert.equal(event.fieldsJson.length, 0);
  for (const value of ["null", "true", "-0.5e1", "[1,[2]]", `{"a":{}}`, `"\\ud800"`]) {
    assert.equal(
      read(`{"text":${value},${own}}`)?.kind,
      value.startsWith(`"`) ? undefined : "invalid",
    );
  }
});
