import assert from "node:assert/strict";
import fc from "fast-check";
import { Harness, latin1, request } from "./harness.ts";

/** What the commands mean, said with a map. */
class Model {
  readonly values = new Map<string, string>();

  execute(words: string[]): string {
    const [name, key, operand] = words as [string, string, string];
    const value = this.values.get(key);
    switch (name) {
      case "GET":
        return value === undefined ? "$-1\r\n" : `$${value.length}\r\n${value}\r\n`;
      case "SET":
        this.values.set(key, operand);
        return "+OK\r\n";
      case "EXISTS":
        return `:${words.slice(1).filter((each) => this.values.has(each)).length}\r\n`;
      case "DEL":
        return `:${words.slice(1).filter((each) => this.values.delete(each)).length}\r\n`;
      case "DBSIZE":
        return `:${this.values.size}\r\n`;
      default:
        return this.#add(key, value ?? "0", operand);
    }
  }

  #add(key: string, value: string, operand: string): string {
    if (!/^(0|-?[1-9]\d*)$/.test(value)) return "-ERR value is not an integer or out of range\r\n";
    const sum = BigInt(value) + BigInt(operand);
    if (sum !== BigInt.asIntN(64, sum)) return "-ERR increment or decrement would overflow\r\n";
    this.values.set(key, `${sum}`);
    return `:${sum}\r\n`;
  }
}

const key = fc.constantFrom("a", "b", "c", "d", "e");
const value = fc.oneof(
  fc.constantFrom("0", "-1", "9223372036854775807", "-9223372036854775808", "01", ""),
  fc.string({ maxLength: 60, unit: "grapheme-ascii" }),
);
const amount = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -5n, max: 5n }),
).map(String);
const command = fc.oneof(
  fc.tuple(fc.constant("GET"), key),
  fc.tuple(fc.constant("SET"), key, value),
  fc.tuple(fc.constant("INCRBY"), key, amount),
  fc.tuple(fc.constant("DBSIZE")),
  fc.tuple(fc.constantFrom("DEL", "EXISTS"), fc.array(key, { minLength: 1, maxLength: 6 }))
    .map(([name, keys]) => [name, ...keys]),
);

for (const [shardCount, lockKind] of [[1, "mutex"], [64, "mutex"], [4, "rwlock"]] as const) {
  Deno.test(`commands: agree with a plain map over ${shardCount} shards (${lockKind}), however cut`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(2000), { maxLength: 8 }),
        async (commands, offsets) => {
          const harness = new Harness({ shardCount, lockKind, maxMemoryBytes: 40 * 2 ** 20 });
          const client = harness.connect();
          const model = new Model();
          const expected = commands.map((words) => model.execute(words)).join("");
          const bytes = latin1(commands.map((words) => request(...words)).join(""));
          let replies = "";
          let start = 0;
          for (const offset of [...offsets.sort((a, b) => a - b), bytes.length]) {
            const end = Math.min(offset, bytes.length);
            if (end > start) replies += await client.send(bytes.slice(start, end));
            start = end;
          }
          assert.equal(replies, expected);
        },
      ),
      { numRuns: 60 },
    );
  });
}
