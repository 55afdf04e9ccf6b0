/** KEYS and RANDOMKEY in databases of many keys. */

import assert from "node:assert/strict";
import { keyListRows } from "../../../src/command/handlers/key_list.ts";
import { CommandTable } from "../../../src/command/lookup.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { OUTPUT_PAUSE_BYTES } from "../../../src/protocol/session.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import { keyOf } from "../store/helpers.ts";
import { Harness, request, settled } from "./harness.ts";

/** Keys of an array reply. */
function keysIn(reply: string): string[] {
  const lines = reply.split("\r\n");
  assert.equal(lines.pop(), "");
  const count = Number(lines[0]!.slice(1));
  const keys: string[] = [];
  for (let i = 1; i < lines.length; i += 2) {
    assert.equal(lines[i], `$${lines[i + 1]!.length}`);
    keys.push(lines[i + 1]!);
  }
  assert.equal(keys.length, count, "the array has as many elements as it says");
  return keys;
}

/** Puts keys straight into the store. */
function fill(store: Store, names: readonly string[], expireAtMs = 0): void {
  const value = new Uint8Array(1);
  for (const name of names) {
    assert.equal(store.setString(0, keyOf(store, name), value, 0, 1, expireAtMs), WriteStatus.OK);
  }
}

function names(count: number, prefix = "key:"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** A table whose KEYS may hold no more than `mostBytes`. */
function tableWith(mostBytes: number): CommandTable {
  const rows = makeCommandTable().rows.filter(({ name }) =>
    name !== "keys" && name !== "randomkey"
  );
  return new CommandTable([...rows, ...keyListRows(mostBytes)]);
}

for (const version of [2, 3]) {
  Deno.test(`KEYS: a reply of megabytes goes out in pieces, each key once, in RESP${version}`, async () => {
    const harness = new Harness({ shardCount: 8, maxMemoryBytes: 64 * 2 ** 20 });
    const expected = names(40_000, "a rather long name for a key ");
    fill(harness.store, expected);
    fill(harness.store, ["gone"], 1);
    const client = harness.connect();
    await client.send(`HELLO ${version}\r\n`);
    let largest = 0;
    const { output } = client;
    const clear = output.clear.bind(output);
    output.clear = (keepBytes) => {
      largest = Math.max(largest, output.length);
      clear(keepBytes);
    };
    const reply = await settled(client.send("KEYS *\r\nPING\r\n"));
    assert.ok(reply.endsWith("+PONG\r\n"), "what is behind it comes behind it");
    assert.deepEqual(keysIn(reply.slice(0, -7)).sort(), expected.sort());
    assert.ok(client.flushCount > 3, `${client.flushCount} pieces`);
    assert.ok(largest < OUTPUT_PAUSE_BYTES + 8192, `${largest} bytes at once`);
  });
}

Deno.test("KEYS: finds what stays, and nothing twice, while the database grows and shrinks", async () => {
  const harness = new Harness({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
  const kept = names(2000, "kept:");
  fill(harness.store, kept);
  const passing = names(60_000, "passing:");
  const other = harness.connect();
  let rounds = 0;
  for (let i = 0; i < 4; i++) {
    fill(harness.store, passing);
    let isDone = false;
    const reply = harness.connect().send("KEYS *\r\n").finally(() => isDone = true);
    // Each turn the search goes on for a slice; in between most of the table goes, bit by bit.
    for (let from = 0; !isDone; from += 6000) {
      const gone = passing.slice(from, from + 6000);
      if (gone.length > 0) await other.send(request("DEL", ...gone));
      await new Promise((resolve) => setTimeout(resolve, 0));
      rounds++;
    }
    const found = keysIn(await settled(reply));
    const different = new Set(found);
    assert.equal(different.size, found.length, "nothing is found twice");
    for (const key of kept) assert.ok(different.has(key), key);
  }
  assert.ok(rounds > 8, `${rounds} turns of others in between`);
  harness.store.assertInvariants();
});

Deno.test("KEYS: others are served while it looks through a large database", async () => {
  const harness = new Harness({ shardCount: 2, maxMemoryBytes: 64 * 2 ** 20 });
  fill(harness.store, names(200_000));
  let isDone = false;
  const search = harness.connect().send("KEYS nothing*\r\n").finally(() => isDone = true);
  let served = 0;
  while (!isDone) {
    assert.equal(await harness.ask("PING\r\n"), "+PONG\r\n");
    served++;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(await search, "*0\r\n");
  assert.ok(served > 5, `${served} served`);
});

Deno.test("KEYS: more than may be kept is refused with a way out, and what is read makes room", async () => {
  const harness = new Harness({ table: tableWith(400_000), maxMemoryBytes: 32 * 2 ** 20 });
  const longName = "a rather long name for a key ";
  fill(harness.store, names(9_000, longName));
  const refusal = "-ERR too many keys for one reply, use SCAN\r\n";
  // One such reply is kept, and not another while a part of it is not read.
  const reader = harness.connect();
  const slow = harness.connect();
  const input = new TextEncoder().encode("KEYS *\r\n");
  slow.input.space().set(input);
  slow.input.commit(input.length);
  await settled(Promise.resolve(slow.session.process(slow.input, slow.output)));
  assert.equal(await settled(reader.send("KEYS *\r\n")), refusal);
  slow.session.close();
  assert.equal(keysIn(await settled(reader.send("KEYS *\r\n"))).length, 9_000);
  assert.equal(keysIn(await settled(reader.send("KEYS *\r\n"))).length, 9_000);
  fill(harness.store, names(9_000, `more ${longName}`));
  assert.equal(await settled(reader.send("KEYS *\r\n")), refusal);
  assert.equal(keysIn(await settled(reader.send("KEYS more*key?1*\r\n"))).length, 1111);
});

Deno.test("RANDOMKEY: every key is drawn, of a full shard more often than of an empty one", async () => {
  const harness = new Harness({ shardCount: 4 });
  const expected = names(50);
  fill(harness.store, expected);
  const drawn = new Map<string, number>();
  const client = harness.connect();
  // A key that had its chance of 1 in 50 and was missed 5,000 times: once in 10^43 runs.
  for (let i = 0; i < 5000; i++) {
    const key = (await client.send("RANDOMKEY\r\n")).split("\r\n")[1]!;
    drawn.set(key, (drawn.get(key) ?? 0) + 1);
  }
  assert.deepEqual([...drawn.keys()].sort(), expected.sort());
  // Each has 100 expected; 10 standard deviations are another such number.
  for (const [key, count] of drawn) assert.ok(count > 10 && count < 200, `${key}: ${count}`);
});

Deno.test("RANDOMKEY: finds the one key that has not expired, and nothing when all have", async () => {
  const harness = new Harness({ shardCount: 4, maxMemoryBytes: 32 * 2 ** 20 });
  harness.store.nowMs = harness.nowMs;
  fill(harness.store, names(20_000), harness.nowMs + 1);
  fill(harness.store, ["alive"]);
  harness.nowMs += 1;
  assert.equal(await settled(harness.ask("RANDOMKEY\r\n")), "$5\r\nalive\r\n");
  await harness.ask("DEL alive\r\n");
  assert.equal(await settled(harness.ask("RANDOMKEY\r\n")), "$-1\r\n");
});
