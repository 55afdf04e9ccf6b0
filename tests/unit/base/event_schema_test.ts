import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CompiledEventSchema,
  type EventSchema,
  type FieldSchema,
  type FieldValues,
  SCHEMA_FIELDS_MAX,
} from "../../../src/base/event_schema.ts";

function compile(properties: Record<string, unknown>, required?: readonly string[]) {
  return new CompiledEventSchema(
    { properties, ...(required === undefined ? {} : { required }) } as EventSchema,
  );
}

/** What the schema says of `value` in a field `f` of this kind. */
function defectOf(field: Record<string, unknown>, value: unknown): string | undefined {
  return compile({ f: field }).defect({ f: value });
}

Deno.test("CompiledEventSchema: says which field breaks which rule, and what would be right", () => {
  const cases: [Record<string, unknown>, unknown, string | undefined][] = [
    [{ type: "string" }, "", undefined],
    [{ type: "string" }, 5, "f must be a string"],
    [{ type: "string" }, null, "f must be a string"],
    [{ type: "string", minLength: 1 }, "", "f must be a string of at least 1 character"],
    [{ type: "string", maxLength: 2 }, "abc", "f must be a string of at most 2 characters"],
    [{ type: "string", minLength: 2, maxLength: 2 }, "a", "f must be a string of 2 characters"],
    [
      { type: "string", minLength: 1, maxLength: 3 },
      "abcd",
      "f must be a string of 1 to 3 characters",
    ],
    // A character is a character, however many units or bytes it has.
    [{ type: "string", maxLength: 2 }, "👍👍", undefined],
    [{ type: "string", maxLength: 2 }, "👍👍a", "f must be a string of at most 2 characters"],
    [{ type: "string", minLength: 2 }, "👍", "f must be a string of at least 2 characters"],
    [{ type: "string", pattern: "^[a-z]+$" }, "ab", undefined],
    [{ type: "string", pattern: "^[a-z]+$" }, "aB", "f must be a string that matches ^[a-z]+$"],
    [{ type: "string", pattern: "b" }, "abc", undefined],
    [{ type: "string", enum: ["a", "b"] }, "c", `f must be one of "a", "b"`],
    [{ type: "integer" }, 1.5, "f must be an integer"],
    [{ type: "integer" }, 2 ** 53, "f must be an integer"],
    [{ type: "integer" }, -(2 ** 53 - 1), undefined],
    [{ type: "integer" }, "1", "f must be an integer"],
    [{ type: "integer", minimum: 1, maximum: 9 }, 0, "f must be an integer from 1 to 9"],
    [{ type: "integer", minimum: 1, maximum: 9 }, 9, undefined],
    [{ type: "integer", minimum: 1 }, 0, "f must be an integer, at least 1"],
    [{ type: "integer", enum: [7] }, 8, "f must be 7"],
    [{ type: "number", maximum: 0.5 }, 0.75, "f must be a number, at most 0.5"],
    [{ type: "number" }, Infinity, "f must be a number"],
    [{ type: "boolean" }, 0, "f must be true or false"],
    [{ type: "boolean" }, false, undefined],
    [{ type: "array" }, {}, "f must be an array"],
    [{ type: "array", minItems: 1, maxItems: 2 }, [], "f must be an array of 1 to 2 elements"],
    [{ type: "array", items: { type: "integer" } }, [1, 2, "3"], "f[2] must be an integer"],
    [{ type: "object" }, [], "f must be an object"],
    [{ type: "object" }, null, "f must be an object"],
    [{ type: "object", properties: { a: { type: "string" } } }, { b: 1 }, undefined],
    [
      { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
      { b: 1 },
      "f.a is missing",
    ],
    [
      {
        type: "array",
        items: { type: "object", properties: { a: { type: "boolean" } } },
      },
      [{}, { a: true }, { a: 1 }],
      "f[2].a must be true or false",
    ],
  ];
  for (const [field, value, expected] of cases) {
    assert.equal(defectOf(field, value), expected, JSON.stringify([field, value]));
  }
  const schema = compile({ a: { type: "string" }, b: { type: "string" } }, ["b"]);
  assert.equal(schema.defect({ a: "x" }), "b is missing");
  assert.equal(schema.defect({ b: "x" }), undefined, "what is not required may be missing");
});

Deno.test("CompiledEventSchema: refuses what it would not keep, and says where", () => {
  const deep = (levels: number): Record<string, unknown> =>
    levels === 0 ? { type: "string" } : { type: "array", items: deep(levels - 1) };
  const cases: [unknown, RegExp][] = [
    [undefined, /^the schema must be an object$/],
    [[], /^the schema must be an object$/],
    [{}, /^the schema's properties must be an object$/],
    [{ type: "array", properties: {} }, /^the schema's type must be object$/],
    [{ properties: {}, additionalProperties: false }, /^the schema says "additionalProperties"/],
    [{ properties: { user: { type: "string" } } }, /^the field user must be named otherwise/],
    [{ properties: { wait_ms: { type: "string" } } }, /^the field wait_ms must be named otherwise/],
    [{ properties: { "a-b": { type: "string" } } }, /^the field "a-b" must be named with/],
    [{ properties: { ["__proto__"]: { type: "string" } } }, /^the field "__proto__" must be named/],
    [{ properties: { "": { type: "string" } } }, /^the field "" must be named with/],
    [{ properties: { f: {} } }, /^the field f must have a type: string, integer/],
    [{ properties: { f: { type: "date" } } }, /^the field f must have a type/],
    [{ properties: { f: { type: "constructor" } } }, /^the field f must have a type/],
    [{ properties: { f: { type: "string", minimum: 1 } } }, /of type string, says "minimum"/],
    [{ properties: { f: { type: "string", maxLenght: 1 } } }, /says "maxLenght"/],
    [{ properties: { f: { type: "string", maxLength: -1 } } }, /maxLength that is a whole number/],
    [{ properties: { f: { type: "string", maxLength: "3" } } }, /maxLength that is a whole number/],
    [{ properties: { f: { type: "number", minimum: NaN } } }, /minimum that is a number/],
    [
      { properties: { f: { type: "integer", minimum: 2, maximum: 1 } } },
      /minimum above its maximum/,
    ],
    [
      { properties: { f: { type: "string", pattern: "(" } } },
      /pattern that is a regular expression/,
    ],
    [{ properties: { f: { type: "string", enum: [] } } }, /an enum of at least one value/],
    [{ properties: { f: { type: "string", enum: [1] } } }, /has 1 in its enum/],
    [{ properties: { f: { type: "array", items: { type: "x" } } } }, /^the field f\[\] must have/],
    [{ properties: { f: { type: "object", required: ["a"] } } }, /requires members/],
    [{ properties: {}, required: ["a"] }, /^the schema requires "a", which it does not describe$/],
    [{ properties: {}, required: "a" }, /^the schema's required must be an array/],
    [{ properties: { f: deep(8) } }, /more than 8 levels deep/],
  ];
  for (const [schema, message] of cases) {
    assert.throws(
      () => new CompiledEventSchema(schema as EventSchema),
      { name: "TypeError", message },
      JSON.stringify(schema),
    );
  }
  compile({ f: deep(7) });
  const names = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, { type: "string" }]));
  compile(names(SCHEMA_FIELDS_MAX));
  assert.throws(() => compile(names(SCHEMA_FIELDS_MAX + 1)), /more than 32 fields/);
});

Deno.test("CompiledEventSchema: takes the fields that it names and leaves the others", () => {
  const schema = compile({ a: { type: "string" }, b: { type: "integer" } });
  assert.deepEqual(schema.names, ["a", "b"]);
  const values = JSON.parse(`{"c":1,"b":2,"__proto__":{"a":"x"},"toString":3}`);
  assert.deepEqual(schema.pick(values), { b: 2 });
});

/** A field and whether a value fits it, said in another way than the program does. */
const leaf: fc.Arbitrary<FieldSchema> = fc.oneof(
  fc.record({
    type: fc.constant("string" as const),
    minLength: fc.nat(4),
    maxLength: fc.integer({ min: 4, max: 9 }),
  }, { requiredKeys: ["type"] }),
  fc.record({
    type: fc.constantFrom("integer" as const, "number" as const),
    minimum: fc.integer({ min: -9, max: 0 }),
    maximum: fc.integer({ min: 0, max: 9 }),
  }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("boolean" as const) }),
);
const field: fc.Arbitrary<FieldSchema> = fc.oneof(
  leaf,
  fc.record({ type: fc.constant("array" as const), items: leaf, maxItems: fc.nat(3) }, {
    requiredKeys: ["type"],
  }),
  fc.record({
    type: fc.constant("object" as const),
    properties: fc.dictionary(fc.constantFrom("p", "q"), leaf),
  }),
);

function fits(schema: FieldSchema, value: unknown): boolean {
  switch (schema.type) {
    case "string": {
      if (typeof value !== "string") return false;
      const { length } = Array.from(value);
      return length >= (schema.minLength ?? 0) && length <= (schema.maxLength ?? length);
    }
    case "integer":
    case "number":
      return typeof value === "number" && (schema.type === "number" || value % 1 === 0) &&
        !(value < schema.minimum!) && !(value > schema.maximum!);
    case "boolean":
      return value === true || value === false;
    case "array":
      return Array.isArray(value) && !(value.length > schema.maxItems!) &&
        value.every((element) => schema.items === undefined || fits(schema.items, element));
    case "object":
      return Object.prototype.toString.call(value) === "[object Object]" &&
        Object.entries(schema.properties ?? {}).every(([name, inner]) =>
          !Object.keys(value as object).includes(name) ||
          fits(inner, (value as FieldValues)[name])
        );
  }
}

Deno.test("CompiledEventSchema: accepts exactly what fits, whatever schema and value", () => {
  const small = fc.oneof(
    fc.string({ unit: "binary", maxLength: 10 }),
    fc.integer({ min: -12, max: 12 }),
    fc.double({ min: -12, max: 12, noNaN: true }),
    fc.boolean(),
    fc.constant(null),
  );
  const value = fc.oneof(
    small,
    fc.array(small, { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("p", "q", "r"), small),
  );
  let goodCount = 0;
  let badCount = 0;
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("a", "b"), field, { minKeys: 1 }),
      fc.dictionary(fc.constantFrom("a", "b", "c"), value, { maxKeys: 2 }),
      fc.boolean(),
      (properties, values, isNeeded) => {
        const needed = isNeeded ? Object.keys(properties).slice(0, 1) : [];
        const schema = new CompiledEventSchema({ properties, required: needed });
        const picked = schema.pick(values);
        const isGood = needed.every((name) => name in values) &&
          Object.entries(picked).every(([name, each]) => fits(properties[name]!, each));
        const defect = schema.defect(picked);
        assert.equal(defect === undefined, isGood, defect);
        if (isGood) goodCount++;
        else badCount++;
      },
    ),
    { numRuns: 2000, seed: 20261122 },
  );
  assert.ok(goodCount > 150 && badCount > 500, `${goodCount} / ${badCount}`);
});
