import assert from "node:assert/strict";
import { encodeReplyFields, HpackDecoder } from "../../../../src/protocol/http2/hpack.ts";
import { decodeHuffman } from "../../../../src/protocol/http2/huffman.ts";
import { headerBlock } from "../../../helpers/http2_frames.ts";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const FIRST = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"];

Deno.test("HpackDecoder: reads the RFC's examples, with and without the Huffman code", () => {
  // RFC 7541, C.3 and C.4.
  const examples = [
    ["828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865"],
    ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf"],
  ];
  for (const [first, second] of examples) {
    const decoder = new HpackDecoder();
    assert.deepEqual(decoder.decode(bytes(first!)), FIRST);
    assert.deepEqual(decoder.decode(bytes(second!)), [...FIRST, "cache-control", "no-cache"]);
  }
});

Deno.test("HpackDecoder: every byte can be in a value", () => {
  const value = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
  assert.deepEqual(new HpackDecoder().decode(headerBlock([["x", value]])), ["x", value]);
});

Deno.test("HpackDecoder: old entries make room for new ones, and are gone then", () => {
  const decoder = new HpackDecoder();
  const keep = (name: string, value: string): Uint8Array<ArrayBuffer> => {
    const block = headerBlock([[name, value]]);
    block[0] = 0x40;
    return block;
  };
  decoder.decode(keep("a", "first"));
  assert.deepEqual(decoder.decode(bytes("be")), ["a", "first"]);
  decoder.decode(keep("b", "x".repeat(4000)));
  assert.deepEqual(decoder.decode(bytes("be"))!.slice(0, 1), ["b"]);
  assert.deepEqual(decoder.decode(bytes("bf")), ["a", "first"]);
  decoder.decode(keep("c", "y".repeat(100)));
  assert.deepEqual(decoder.decode(bytes("be")), ["c", "y".repeat(100)]);
  assert.equal(decoder.decode(bytes("bf")), null, "nothing else is left");
  // An update of the size to 0 and back empties the table.
  assert.deepEqual(decoder.decode(bytes("20 3fe11f")), []);
  assert.equal(decoder.decode(bytes("be")), null);
});

Deno.test("HpackDecoder: what makes no sense is refused", () => {
  const cases: Record<string, string> = {
    "index 0": "80",
    "an entry that is not there": "be",
    "an index that goes on for ever": "ffffffffffffff",
    "an index that is cut off": "ff",
    "a string that is cut off": "000561",
    "a name without a value": "000161",
    "a table that is too large": "3fe21f",
    "an update behind a field": "8220",
    "the end symbol": "000161 84ffffffff",
    "padding that is not all ones": "000161 8100",
    "a whole byte of padding": "000161 82 1fff",
  };
  for (const [why, hex] of Object.entries(cases)) {
    assert.equal(new HpackDecoder().decode(bytes(hex)), null, why);
  }
});

Deno.test("HpackDecoder: few bytes do not become many fields", () => {
  const decoder = new HpackDecoder();
  const block = headerBlock([["x", "y".repeat(3000)]]);
  block[0] = 0x40;
  decoder.decode(block);
  assert.equal(decoder.decode(new Uint8Array(21).fill(0xbe))!.length, 42);
  assert.equal(decoder.decode(new Uint8Array(1000).fill(0xbe)), null);
});

Deno.test("encodeReplyFields: what it writes is read back", () => {
  const long = "v".repeat(70_000);
  const block = encodeReplyFields(503, { "retry-after": "1", "set-cookie": ["a", "b"] });
  assert.deepEqual(new HpackDecoder().decode(block), [
    ":status",
    "503",
    "retry-after",
    "1",
    "set-cookie",
    "a",
    "set-cookie",
    "b",
  ]);
  assert.equal(encodeReplyFields(200, { x: long }).length > 70_000, true);
});

Deno.test("decodeHuffman: nothing is nothing", () => {
  assert.equal(decodeHuffman(new Uint8Array(0), 0, 0), "");
});
