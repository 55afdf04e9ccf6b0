import assert from "node:assert/strict";
import fc from "fast-check";
import { CompiledEventSchema, type FieldValues } from "../../../src/base/event_schema.ts";
import { EventFields } from "../../../src/base/job.ts";
import { FIELDS_MAX_BYTES } from "../../../src/base/limits.ts";
import { EventGate, type EventGateOptions } from "../../../src/command/event_gate.ts";

const SCHEMA = new CompiledEventSchema({
  properties: {
    note: { type: "string" },
    count: { type: "integer", minimum: 1 },
    tags: { type: "array" },
  },
});

function gate(options: Partial<EventGateOptions> = {}) {
  const failures: unknown[] = [];
  const made = new EventGate({
    schema: SCHEMA,
    validate: undefined,
    onFailure: (error) => failures.push(error),
    ...options,
  });
  return { gate: made, failures };
}

/** The further fields that an event carries. */
function carried({ fieldsJson }: EventFields): string {
  return new TextDecoder().decode(fieldsJson.bytes.slice(fieldsJson.start, fieldsJson.end));
}

function admitText(target: EventGate, event: EventFields, text: string | Uint8Array) {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  // In the middle of other bytes, which would complete or break it.
  const buffer = Uint8Array.from([0x7b, 0x22, ...bytes, 0x22, 0x7d]);
  return target.admitText(event, buffer, 2, 2 + bytes.length, "FIELDS");
}

Deno.test("EventGate: an event carries the fields that the schema names, and no old ones", () => {
  const { gate: target } = gate();
  const event = new EventFields();
  assert.equal(admitText(target, event, ` {"count": 2, "other": 1, "note":"\\u00e4"} `), undefined);
  assert.equal(carried(event), `{"note":"ä","count":2}`);
  assert.equal(admitText(target, event, `{"other":1}`), undefined);
  assert.equal(event.fieldsJson.length, 0, "nothing is nothing, not an empty object");
  assert.equal(target.admit(event, { count: 3 }), undefined);
  assert.equal(carried(event), `{"count":3}`);
  assert.equal(target.admit(event, {}), undefined);
  assert.equal(event.fieldsJson.length, 0);
});

Deno.test("EventGate: says what is wrong with a text of fields", () => {
  const { gate: target, failures } = gate();
  const cases: [string | Uint8Array, string][] = [
    ["", "" /* none were given */],
    ["{", "FIELDS must be a JSON object"],
    ["[]", "FIELDS must be a JSON object"],
    ["null", "FIELDS must be a JSON object"],
    ["1", "FIELDS must be a JSON object"],
    [`{"a":1}x`, "FIELDS must be a JSON object"],
    [Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), "FIELDS must be a JSON object"],
    [`{"count":0}`, "count must be an integer, at least 1"],
    ["[".repeat(40_000), `the further fields must be at most ${FIELDS_MAX_BYTES} bytes of JSON`],
  ];
  for (const [text, expected] of cases) {
    const refusal = admitText(target, new EventFields(), text);
    assert.deepEqual(refusal, expected === "" ? undefined : { kind: "invalid", detail: expected });
  }
  assert.deepEqual(failures, [], "none of it is the processor's fault");
});

Deno.test("EventGate: fields may have as many bytes as a job has room for, escapes not counted", () => {
  const { gate: target } = gate();
  const event = new EventFields();
  const around = `{"note":""}`.length;
  const longest = "ä".repeat((FIELDS_MAX_BYTES - around - 1) / 2) + "x";
  const asText = (note: string) => JSON.stringify({ note });
  assert.equal(admitText(target, event, asText(longest)), undefined);
  assert.equal(event.fieldsJson.length, FIELDS_MAX_BYTES);
  assert.equal(carried(event), asText(longest));
  const escaped = `{"note":"${longest.replaceAll("ä", "\\u00e4")}"}`;
  assert.equal(admitText(target, event, escaped), undefined);
  assert.equal(carried(event), asText(longest));
  const refusal = admitText(target, event, asText(`${longest}x`));
  assert.equal(refusal?.kind === "invalid" && refusal.detail.includes("4096"), true);
  assert.equal(event.fieldsJson.length, 0);
});

Deno.test("EventGate: deep nesting is refused or carried, and breaks nothing", () => {
  const { gate: target, failures } = gate();
  for (const depth of [1, 100, 2_000, 15_000]) {
    const event = new EventFields();
    const text = `{"tags":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    const refusal = admitText(target, event, text);
    if (text.length <= FIELDS_MAX_BYTES) assert.equal(carried(event), text);
    else assert.equal(refusal?.kind, "invalid");
  }
  assert.deepEqual(failures, []);
});

Deno.test("EventGate: whatever bytes come as fields, it answers and does not throw", () => {
  const { gate: target } = gate();
  const event = new EventFields();
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.json()), (text) => {
      const refusal = admitText(target, event, text);
      if (refusal === undefined && event.fieldsJson.length > 0) {
        const values: FieldValues = JSON.parse(carried(event));
        assert.ok(Object.keys(values).every((name) => SCHEMA.names.includes(name)));
      }
    }),
    { numRuns: 3000, seed: 20261122 },
  );
});

Deno.test("EventGate: validate sees good fields only, and its text is the refusal", () => {
  const seen: FieldValues[] = [];
  let answer: unknown = undefined;
  const { gate: target, failures } = gate({
    validate: (_event, fields) => {
      seen.push(fields);
      return answer;
    },
  });
  const event = new EventFields();
  assert.equal(target.admit(event, { count: 0 })?.kind, "invalid");
  assert.deepEqual(seen, []);
  assert.equal(target.admit(event, { count: 1, other: 2 }), undefined);
  assert.deepEqual(seen, [{ count: 1 }]);
  for (const nothing of [undefined, null]) {
    answer = nothing;
    assert.equal(target.admit(event, {}), undefined);
  }
  answer = "too much";
  assert.deepEqual(target.admit(event, {}), { kind: "invalid", detail: "too much" });
  answer = "x".repeat(1001);
  assert.deepEqual(target.admit(event, {}), { kind: "invalid", detail: "x".repeat(1000) });
  answer = "";
  assert.deepEqual(target.admit(event, {}), { kind: "invalid", detail: "it was refused" });
  assert.deepEqual(failures, []);
});

Deno.test("EventGate: a validate that throws, or answers neither text nor nothing, refuses", async () => {
  const answers = [
    () => {
      throw new Error("broken");
    },
    () => true,
    () => 0,
    () => Promise.resolve(undefined),
    // Nobody else hears of it.
    () => Promise.reject(new Error("late")),
  ];
  for (const validate of answers) {
    const { gate: target, failures } = gate({ validate });
    assert.deepEqual(target.admit(new EventFields(), {}), { kind: "failed" });
    assert.equal(failures.length, 1);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("EventGate: without a schema there are no fields, and validate is asked all the same", () => {
  const { gate: target } = gate({ schema: undefined, validate: () => "no" });
  assert.deepEqual(target.fieldNames, []);
  assert.deepEqual(admitText(target, new EventFields(), `{"count":1}`), {
    kind: "invalid",
    detail: "no",
  });
});
