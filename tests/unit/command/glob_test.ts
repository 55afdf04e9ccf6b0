import assert from "node:assert/strict";
import fc from "fast-check";
import { matchesGlob } from "../../../src/base/glob.ts";

const cases: [string, string, boolean][] = [
  ["", "", true],
  ["", "a", false],
  ["*", "", true],
  ["*", "abc", true],
  ["max*", "maxmemory", true],
  ["max*", "min", false],
  ["*mem*", "maxmemory", true],
  ["*y", "maxmemory", true],
  ["*x", "maxmemory", false],
  ["h?llo", "hello", true],
  ["h?llo", "hllo", false],
  ["h[ae]llo", "hallo", true],
  ["h[ae]llo", "hillo", false],
  ["h[^e]llo", "hallo", true],
  ["h[^e]llo", "hello", false],
  ["h[a-c]llo", "hbllo", true],
  ["h[c-a]llo", "hbllo", true],
  ["h[a-c]llo", "hdllo", false],
  ["[\\]]", "]", true],
  ["[abc", "c", true],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["a\\", "a\\", true],
  ["**a**", "bab", true],
  ["a*b*c", "a1b2b3c", true],
];

for (const [pattern, text, expected] of cases) {
  Deno.test(`matchesGlob: ${JSON.stringify(pattern)} and ${JSON.stringify(text)}`, () => {
    assert.equal(matchesGlob(pattern, text), expected);
  });
}

Deno.test("matchesGlob: agrees with a regular expression", () => {
  const part = fc.constantFrom("a", "b", "?", "*");
  const text = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), text, (parts, letters) => {
      const source = parts.map((p) => p === "*" ? ".*" : p === "?" ? "." : p).join("");
      const expected = new RegExp(`^${source}$`).test(letters.join(""));
      assert.equal(matchesGlob(parts.join(""), letters.join("")), expected);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("matchesGlob: many stars do not blow up", () => {
  assert.equal(matchesGlob(`${"a*".repeat(50)}b`, "a".repeat(2000)), false);
});
