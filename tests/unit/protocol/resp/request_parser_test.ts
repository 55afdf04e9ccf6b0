import assert from "node:assert/strict";
import fc from "fast-check";
import { InputBuffer } from "../../../../src/base/bytes.ts";
import { CommandArguments } from "../../../../src/command/arguments.ts";
import { ParseResult, RequestParser } from "../../../../src/protocol/resp/request_parser.ts";
import { MALFORMED } from "../../../cases/resp_cases.ts";
import { latin1, request, toLatin1 } from "../../command/harness.ts";

const MAX_REQUEST_BYTES = 2 ** 20;

/** Feeds `chunks`, one read each, and returns the requests found and the error, if any. */
function parseAll(
  chunks: Uint8Array[],
  maxRequestBytes = MAX_REQUEST_BYTES,
  inputBytes = 16,
): { requests: string[][]; error: string | undefined; midRequest: boolean } {
  const input = new InputBuffer(inputBytes);
  const parser = new RequestParser(maxRequestBytes);
  const args = new CommandArguments();
  const requests: string[][] = [];
  for (const chunk of chunks) {
    for (let sent = 0; sent < chunk.length;) {
      const space = input.space();
      const part = chunk.subarray(sent, sent + space.length);
      space.set(part);
      input.commit(part.length);
      sent += part.length;
      for (;;) {
        const result = parser.parse(input, args);
        if (result === ParseResult.INCOMPLETE) break;
        if (result === ParseResult.ERROR) {
          return { requests, error: parser.errorText, midRequest: parser.midRequest };
        }
        const words: string[] = [];
        for (let i = 0; i < args.count; i++) {
          words.push(toLatin1(args.bytes.subarray(args.starts[i], args.ends[i])));
        }
        requests.push(words);
      }
    }
  }
  return { requests, error: undefined, midRequest: parser.midRequest };
}

/** Cuts `bytes` at the given fractions of its length. */
function cut(bytes: Uint8Array, fractions: number[]): Uint8Array[] {
  const offsets = fractions.map((fraction) => Math.floor(fraction * bytes.length)).sort((a, b) =>
    a - b
  );
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (const offset of [...offsets, bytes.length]) {
    chunks.push(bytes.subarray(start, offset));
    start = offset;
  }
  return chunks;
}

/** Each byte by itself. */
function cutAtEach(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

const anyWord = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
});
const plainWord = fc.stringMatching(/^[a-z0-9*$]{1,12}$/);
const anyRequest = fc.oneof(
  fc.array(anyWord, { minLength: 1, maxLength: 12 }).map((words) => ({
    text: request(...words),
    words,
  })),
  fc.tuple(fc.constantFrom("p", "x"), fc.array(plainWord, { maxLength: 5 })).map((
    [first, rest],
  ) => ({ text: `${[first, ...rest].join(" ")}\r\n`, words: [first, ...rest] })),
  fc.constantFrom("\r\n", "*0\r\n", "*-5\r\n").map((text) => ({ text, words: [] as string[] })),
);

Deno.test("RequestParser: a pipeline gives the same requests however it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(anyRequest, { minLength: 1, maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      (requests, fractions) => {
        const bytes = latin1(requests.map((one) => one.text).join(""));
        const expected = requests.map((one) => one.words);
        assert.deepEqual(parseAll([bytes]).requests, expected);
        assert.deepEqual(parseAll(cut(bytes, fractions)).requests, expected);
        const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
        const last = parseAll(single);
        assert.deepEqual(last.requests, expected);
        assert.equal(last.midRequest, false);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("RequestParser: arbitrary bytes give the same outcome however they are cut", () => {
  const token = fc.constantFrom(
    "*",
    "$",
    "1",
    "2",
    "-",
    "0",
    "\r",
    "\n",
    "\r\n",
    "a",
    '"',
    "'",
    " ",
  );
  fc.assert(
    fc.property(
      fc.array(token, { maxLength: 40 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      (tokens, fractions) => {
        const bytes = latin1(tokens.join(""));
        const whole = parseAll([bytes]);
        assert.deepEqual(parseAll(cut(bytes, fractions)), whole);
      },
    ),
    { numRuns: 2000 },
  );
});

for (const { name, request: text, reply } of MALFORMED) {
  Deno.test(`RequestParser: refuses ${name}`, () => {
    const expected = reply.slice("-ERR Protocol error: ".length, -2);
    const bytes = latin1(text);
    assert.equal(parseAll([bytes]).error, expected);
    assert.equal(parseAll(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))).error, expected);
  });
}

Deno.test("RequestParser: what is there as a whole means the same as byte by byte", () => {
  for (const byteCount of [0, 1, 9, 10, 99, 100, 999, 1000, 9998, 9999, 10000, 10001]) {
    const text = request("SET", "key", "v".repeat(byteCount));
    for (const room of [-1, 0, 1]) {
      const whole = parseAll([latin1(text)], text.length + room, 2 ** 16);
      assert.deepEqual(whole, parseAll(cutAtEach(latin1(text)), text.length + room));
      assert.equal(whole.error === undefined, room >= 0, `${byteCount} bytes, ${room} to spare`);
    }
  }
});

Deno.test("RequestParser: a wrong byte is found in what is there as a whole, too", () => {
  const text = latin1(request("HSET", "a key", "0123456789", "") + request("PING"));
  for (let at = 0; at < text.length; at++) {
    for (const byte of [0x0d, 0x0a, 0x24, 0x2a, 0x2d, 0x30, 0x31, 0x39, 0x3a, 0xff]) {
      const changed = text.slice();
      changed[at] = byte;
      const whole = parseAll([changed], MAX_REQUEST_BYTES, 2 ** 16);
      assert.deepEqual(whole, parseAll(cutAtEach(changed)), `byte ${at} is ${byte}`);
    }
  }
});

Deno.test("RequestParser: accepts lines and requests that just fit their bounds", () => {
  const longest = latin1(`${"a".repeat(65536)}\r\n`);
  assert.equal(parseAll([longest]).requests.length, 1);
  // While the line feed is missing, the carriage return might be the line's last byte.
  for (const cutAt of [65536, 65537]) {
    const chunks = [longest.subarray(0, cutAt), longest.subarray(cutAt)];
    assert.equal(parseAll(chunks).requests.length, 1);
  }
  const fits = request("ECHO", "x".repeat(80));
  assert.equal(parseAll([latin1(fits)], fits.length).requests.length, 1);
  assert.equal(
    parseAll([latin1(fits)], fits.length - 1).error,
    `request larger than ${fits.length - 1} bytes`,
  );
});

Deno.test("RequestParser: says whether it is in the middle of a request", () => {
  for (
    const [text, midRequest] of [
      ["", false],
      ["P", true],
      ["PING\r\n", false],
      ["*", true],
      [
        "*1\r\n",
        true,
      ],
      ["*1\r\n$4\r\nPING\r", true],
      ["*1\r\n$4\r\nPING\r\n", false],
    ] as const
  ) {
    assert.equal(parseAll([latin1(text)]).midRequest, midRequest, JSON.stringify(text));
  }
});

Deno.test("RequestParser: does not look again at the bytes of an unfinished request", () => {
  const requests = [
    request("MSET", ...Array.from({ length: 500 }, (_, i) => `key-${i}`)),
    request("SET", "k", "v".repeat(5000)),
    `${"a ".repeat(2500)}\r\n`,
    `*${"1".repeat(5000)}`,
    `*1\r\n$${"1".repeat(5000)}`,
  ];
  for (const text of requests) {
    const bytes = latin1(text);
    let readCount = 0;
    const counting = new Proxy(bytes, {
      get(target, property) {
        if (typeof property === "string" && /^\d/.test(property)) readCount++;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const input = new InputBuffer(16);
    input.bytes = counting;
    const parser = new RequestParser(MAX_REQUEST_BYTES);
    const args = new CommandArguments();
    // One more byte arrives before each call.
    while (input.end < bytes.length) {
      input.end++;
      parser.parse(input, args);
    }
    // A length's first nine digits are read again; beginning again would be thousands per byte.
    const readsPerByte = readCount / bytes.length;
    assert.ok(readsPerByte < 16, `${readsPerByte} reads per byte of ${text.slice(0, 20)}`);
  }
});

Deno.test("RequestParser: a claimed length allocates nothing", () => {
  const input = new InputBuffer(64);
  const parser = new RequestParser(2 ** 30);
  const args = new CommandArguments();
  const text = latin1("*100000\r\n$500000000\r\nabc");
  input.space().set(text);
  input.commit(text.length);
  assert.equal(parser.parse(input, args), ParseResult.INCOMPLETE);
  assert.equal(input.bytes.length, 64);
  assert.equal(args.starts.length, 16);
});

Deno.test("RequestParser: an incomplete request needs no memory per argument", () => {
  const words = Array.from({ length: 5000 }, (_, i) => String(i));
  const bytes = latin1(request(...words));
  const input = new InputBuffer(bytes.length);
  const parser = new RequestParser(MAX_REQUEST_BYTES);
  input.space().set(bytes);
  let args = new CommandArguments();
  // Each time another one, with nothing in it, as from a pool.
  for (const end of [40, bytes.length / 3, bytes.length / 2, bytes.length - 1]) {
    input.end = Math.floor(end);
    args = new CommandArguments();
    assert.equal(parser.parse(input, args), ParseResult.INCOMPLETE);
    assert.ok(args.starts.length <= 16, `${args.starts.length} slots`);
  }
  input.end = bytes.length;
  args = new CommandArguments();
  assert.equal(parser.parse(input, args), ParseResult.COMPLETE);
  assert.deepEqual(Array.from({ length: args.count }, (_, i) => args.text(i)), words);
});
