import assert from "node:assert/strict";
import { bytesOf } from "../../cases/proto_cases.ts";
import { parseProtoReplies } from "../../helpers/proto_reply_parser.ts";

const FRAMED = { framing: "delimited", cutOff: false } as const;
const UNFRAMED = { framing: "none", cutOff: false } as const;

Deno.test("parseProtoReplies: takes replies in both framings", () => {
  const cases = [
    parseProtoReplies(bytesOf("06 0a 04 0a 02 'hi' 04 12 02 08 05 02 32 00"), FRAMED),
    parseProtoReplies(bytesOf("0a 04 0a 02 'hi' 12 02 08 05 32 00"), UNFRAMED),
  ];
  for (const replies of cases) {
    assert.deepEqual(
      replies.map(({ message }) => message.case),
      ["echoMessage", "addResponse", "authReply"],
    );
  }
});

Deno.test("parseProtoReplies: forgives a cut only on a connection that was reset", () => {
  for (const text of ["06 0a 04 0a", "80", "06"]) {
    assert.throws(() => parseProtoReplies(bytesOf(text), FRAMED), text);
    assert.deepEqual(parseProtoReplies(bytesOf(text), { ...FRAMED, cutOff: true }), []);
  }
});

const MALFORMED: readonly (readonly [name: string, framed: string])[] = [
  ["an empty message", "00"],
  ["a field that nobody knows", "02 7a 00"],
  ["two fields of which one counts", "04 0a 00 12 00"],
  ["a number that is padded", "05 12 03 08 85 00"],
  ["a length that is padded", "86 00 0a 04 0a 02 'hi'"],
  ["a default that is spelled out", "04 12 02 08 00"],
  ["a text that is not UTF-8", "05 0a 03 0a 01 ff"],
  ["a length that goes beyond the message", "06 0a 07 0a 02 'hi'"],
  ["a length without an end", "ff ff ff ff ff ff"],
];

for (const [name, framed] of MALFORMED) {
  Deno.test(`parseProtoReplies: refuses ${name}`, () => {
    assert.throws(() => parseProtoReplies(bytesOf(framed), FRAMED));
  });
}
