import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteSlice, EventFields } from "../../../src/base/job.ts";
import { eventDefect, isPlainText } from "../../../src/command/event.ts";

const encoder = new TextEncoder();

function slice(bytes: Uint8Array): ByteSlice {
  // Bytes around the slice must not matter.
  const around = new Uint8Array(bytes.length + 2).fill(0x80);
  around.set(bytes, 1);
  return new ByteSlice().set(around, 1, 1 + bytes.length);
}

function defect(user: string, action: string, id = ""): string | undefined {
  const event = new EventFields();
  for (
    const [field, text] of [[event.user, user], [event.action, action], [event.id, id]] as const
  ) {
    const bytes = encoder.encode(text);
    field.set(bytes, 0, bytes.length);
  }
  return eventDefect(event);
}

const cases: [string, [string, string, string?], string | undefined][] = [
  ["the shortest event", ["a", "b"], undefined],
  ["the longest fields", ["u".repeat(128), "a".repeat(64), "i".repeat(64)], undefined],
  ["letters of two, three and four bytes", ["\u00e9\u20ac\u{1f600}", "b"], undefined],
  ["an empty user", ["", "b"], "user must be 1 to 128 bytes"],
  ["a user of 129 bytes", ["u".repeat(129), "b"], "user must be 1 to 128 bytes"],
  ["a user of 65 letters of two bytes", ["\u00e9".repeat(65), "b"], "user must be 1 to 128 bytes"],
  [
    "a control character in the user",
    ["a\x00", "b"],
    "user must be UTF-8 without control characters",
  ],
  ["an empty action", ["a", ""], "action must be 1 to 64 bytes"],
  ["an action of 65 bytes", ["a", "b".repeat(65)], "action must be 1 to 64 bytes"],
  ["DEL in the action", ["a", "\x7f"], "action must be UTF-8 without control characters"],
  ["an id of 65 bytes", ["a", "b", "i".repeat(65)], "id must be 1 to 64 bytes"],
  ["U+0085 in the id", ["a", "b", "\u0085"], "id must be UTF-8 without control characters"],
];

for (const [name, fields, expected] of cases) {
  Deno.test(`eventDefect: judges ${name}`, () => assert.equal(defect(...fields), expected));
}

Deno.test("isPlainText: agrees with the platform's decoder on arbitrary bytes", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lead = fc.constantFrom(
    0x41,
    0x7f,
    0x80,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc2,
    0xc3,
    0xe0,
    0xed,
    0xef,
    0xf0,
    0xf4,
    0xf5,
    0xff,
  );
  const bytes = fc.array(fc.oneof(lead, fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(bytes, (values) => {
      const text = new Uint8Array(values);
      let expected = true;
      try {
        expected = !/\p{Cc}/u.test(decoder.decode(text));
      } catch {
        expected = false;
      }
      assert.equal(isPlainText(slice(text)), expected);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("isPlainText: accepts every character that is no control character", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(isPlainText(slice(encoder.encode(text))), !/\p{Cc}/u.test(text));
  }));
});
