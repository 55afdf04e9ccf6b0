import assert from "node:assert/strict";
import { STRING_LINES } from "../../cases/string_lines.ts";
import recorded from "../../cases/string_replies.json" with { type: "json" };
import { Key } from "../../../src/store/key.ts";
import { EntryType, WriteStatus } from "../../../src/store/store.ts";
import { Harness, latin1, settled } from "./harness.ts";

const replies = recorded as unknown as Record<string, readonly [string[], string[]]>;

/** Makes a key that holds no string; what else it holds does not matter. */
function pretendList(harness: Harness, name: string): string {
  const { store } = harness;
  const bytes = latin1(name);
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  assert.equal(store.setString(0, key, bytes, 0, bytes.length, 0), WriteStatus.OK);
  const entry = store.lookup(0, key);
  const segment = new Uint8Array(store.memory.segments[0]!);
  segment[entry * 8] = EntryType.LIST;
  return ":1\r\n";
}

for (const version of [2, 3] as const) {
  for (const [name, lines] of STRING_LINES) {
    Deno.test(`${name}, version ${version}: replies as Redis does`, async () => {
      const harness = new Harness();
      const client = harness.connect();
      await client.send(`HELLO ${version}\r\n`);
      for (const [i, line] of lines.entries()) {
        const list = /^RPUSH (\w+) 1$/.exec(line);
        const reply = list === null
          ? await settled(client.send(`${line}\r\n`))
          : pretendList(harness, list[1]!);
        assert.equal(reply, replies[name]![version - 2]![i], line);
      }
      harness.store.assertInvariants();
    });
  }
}
