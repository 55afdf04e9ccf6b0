import assert from "node:assert/strict";
import fc from "fast-check";
import { Harness, latin1, request, settled } from "./harness.ts";

/** What the commands mean, said with a map of texts, one character per byte. */
class Model {
  readonly values = new Map<string, string>();

  execute(words: readonly string[]): string {
    const [name, key, first = "", second = ""] = words as [string, string, string?, string?];
    const value = this.values.get(key) ?? "";
    switch (name) {
      case "APPEND":
        return this.#store(key, value + first);
      case "SETRANGE": {
        if (second === "") return `:${value.length}\r\n`;
        const at = Number(first);
        const before = value.padEnd(at, "\0").slice(0, at);
        return this.#store(key, before + second + value.slice(at + second.length));
      }
      case "GETRANGE":
        return bulk(value.slice(Number(first), Number(second) + 1));
      case "SETBIT":
        return this.#setBit(key, value, Number(first), Number(second));
      case "GETBIT":
        return `:${bitText(value)[Number(first)] ?? 0}\r\n`;
      case "BITCOUNT":
        return `:${bitText(value).replaceAll("0", "").length}\r\n`;
      case "STRLEN":
        return `:${value.length}\r\n`;
      case "GETDEL":
        return this.values.delete(key) ? bulk(value) : "$-1\r\n";
      case "GETSET": {
        const reply = this.values.has(key) ? bulk(value) : "$-1\r\n";
        this.values.set(key, first);
        return reply;
      }
      case "MGET":
        return `*${words.length - 1}\r\n` + words.slice(1).map((each) => {
          const found = this.values.get(each);
          return found === undefined ? "$-1\r\n" : bulk(found);
        }).join("");
      default:
        return this.#setAll(name, words.slice(1));
    }
  }

  #store(key: string, value: string): string {
    this.values.set(key, value);
    return `:${value.length}\r\n`;
  }

  #setBit(key: string, value: string, at: number, bit: number): string {
    const bits = bitText(value).padEnd(Math.ceil((at + 1) / 8) * 8, "0");
    const changed = bits.slice(0, at) + bit + bits.slice(at + 1);
    const bytes = changed.match(/.{8}/g)!.map((byte) => String.fromCharCode(parseInt(byte, 2)));
    this.values.set(key, bytes.join(""));
    return `:${bits[at]}\r\n`;
  }

  #setAll(name: string, pairs: readonly string[]): string {
    const taken = pairs.some((each, i) => i % 2 === 0 && this.values.has(each));
    if (name === "MSETNX" && taken) return ":0\r\n";
    for (let i = 0; i < pairs.length; i += 2) this.values.set(pairs[i]!, pairs[i + 1]!);
    return name === "MSETNX" ? ":1\r\n" : "+OK\r\n";
  }
}

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

function bitText(value: string): string {
  let text = "";
  for (const byte of latin1(value)) text += byte.toString(2).padStart(8, "0");
  return text;
}

const key = fc.constantFrom("a", "b", "c", "d");
/** Short ones, and such as are around the ends of blocks, chunks and pages. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 40, unit: "binary-ascii" }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(4000, 8100, 8184, 20_000, 65_536), fc.nat(200), fc.nat(255))
      .map(([base, more, byte]) => String.fromCharCode(byte).repeat(base + more)),
  },
);
const offset = fc.oneof(fc.nat(100), fc.nat(9000), fc.nat(70_000)).map(String);
const pair = fc.tuple(key, value);
const command = fc.oneof(
  fc.tuple(fc.constantFrom("APPEND", "GETSET"), key, value),
  fc.tuple(fc.constant("SETRANGE"), key, offset, value),
  fc.tuple(fc.constant("GETRANGE"), key, offset, offset),
  fc.tuple(fc.constant("SETBIT"), key, offset, fc.constantFrom("0", "1")),
  fc.tuple(fc.constant("GETBIT"), key, offset),
  fc.tuple(fc.constantFrom("STRLEN", "GETDEL", "BITCOUNT"), key),
  fc.array(key, { minLength: 1, maxLength: 4 }).map((keys) => ["MGET", ...keys]),
  fc.tuple(fc.constantFrom("MSET", "MSETNX"), fc.array(pair, { minLength: 1, maxLength: 4 }))
    .map(([name, pairs]) => [name, ...pairs.flat()]),
);

for (const shardCount of [1, 16]) {
  Deno.test(`string commands: agree with a plain map over ${shardCount} shards`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 30 }), async (commands) => {
        const harness = new Harness({ shardCount, maxMemoryBytes: 16 * 2 ** 20 });
        const client = harness.connect(2 ** 20);
        const model = new Model();
        for (const words of commands) {
          const reply = await settled(client.send(request(...words)));
          const expected = model.execute(words);
          assert.ok(reply === expected, words.join(" ").slice(0, 100));
        }
        harness.store.assertInvariants();
      }),
      { numRuns: 60 },
    );
  });
}
