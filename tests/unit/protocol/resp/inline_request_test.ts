import assert from "node:assert/strict";
import fc from "fast-check";
import { CommandArguments } from "../../../../src/command/arguments.ts";
import { splitInline } from "../../../../src/protocol/resp/inline_request.ts";
import { latin1, toLatin1 } from "../../command/harness.ts";

/** Splits a line that stands between other bytes; undefined for unbalanced quotes. */
function split(line: string): string[] | undefined {
  const bytes = latin1(`<<${line}>>`);
  const args = new CommandArguments();
  args.reset(bytes);
  const balanced = splitInline(bytes, 2, bytes.length - 2, args);
  // Unescaping happens in place and must not reach beyond the line.
  assert.equal(toLatin1(bytes.subarray(0, 2)), "<<");
  assert.equal(toLatin1(bytes.subarray(-2)), ">>");
  if (!balanced) return undefined;
  return Array.from(
    { length: args.count },
    (_, i) => toLatin1(bytes.subarray(args.starts[i], args.ends[i])),
  );
}

const lines: [string, string[] | undefined][] = [
  ["", []],
  ["  \t ", []],
  ["a", ["a"]],
  [" a  b\tc ", ["a", "b", "c"]],
  ['"a b"', ["a b"]],
  ['""', [""]],
  ["''", [""]],
  ['x"y z"', ["xy z"]],
  ["x'y z' w", ["xy z", "w"]],
  ['"\\n\\r\\t\\b\\a"', ["\n\r\t\b\x07"]],
  ['"\\x41\\xfF"', ["A\xff"]],
  ['"\\x4"', ["x4"]],
  ['"\\xzz"', ["xzz"]],
  ['"\\\\ \\" \\q"', ['\\ " q']],
  ["'\\n \\' \"'", ["\\n ' \""]],
  ["a\\nb", ["a\\nb"]],
  ['"a', undefined],
  ["'a", undefined],
  ['"a\\"', undefined],
  ["'a\\'", undefined],
  ['"a\\', undefined],
  ['"a"b', undefined],
  ["'a'b", undefined],
  ["a'", undefined],
];

for (const [line, expected] of lines) {
  Deno.test(`splitInline: splits ${JSON.stringify(line)}`, () => {
    assert.deepEqual(split(line), expected);
  });
}

Deno.test("splitInline: words quoted with escapes come back as they were", () => {
  const word = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  });
  fc.assert(fc.property(fc.array(word), (words) => {
    const line = words.map((text) => `"${escape(text)}"`).join(" ");
    assert.deepEqual(split(line), words);
  }));
});

function escape(text: string): string {
  return Array.from(text, (char) => {
    const code = char.charCodeAt(0);
    if (char === '"' || char === "\\") return `\\${char}`;
    return code < 0x20 || code > 0x7e ? `\\x${code.toString(16).padStart(2, "0")}` : char;
  }).join("");
}
