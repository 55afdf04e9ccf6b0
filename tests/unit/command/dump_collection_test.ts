/** DUMP, RESTORE, COPY and RENAME of collections by command: all come back, nothing else gets in. */

import assert from "node:assert/strict";
import { crc32c } from "../../../src/base/crc32c.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { contentOf, Dice, type Model, models, open } from "../store/collection_helpers.ts";
import { keyOf } from "../store/helpers.ts";
import { Harness, latin1, pause, request } from "./harness.ts";

function grow(store: Store, name: string, model: Model, steps: number, dice: Dice): void {
  model.clear();
  for (let i = 0; i < steps; i++) {
    assert.equal(model.step(store, open(store, name, model.type), dice), WriteStatus.OK);
  }
}

function contentAt(store: Store, name: string, type: EntryType): string[] {
  const c = store.collections.handle(5);
  assert.equal(store.collections.open(c, 0, keyOf(store, name), type, false), WriteStatus.OK);
  return contentOf(c.cursor, type);
}

/** A large set or sorted set of `count` short members. */
function fill(store: Store, name: string, type: EntryType, count: number): void {
  const { sets, sortedSets } = store.collections;
  for (let i = 0; i < count; i++) {
    const c = open(store, name, type);
    const bytes = latin1(`member:${i}`);
    if (type === EntryType.SET) sets.addMember(c, bytes, 0, bytes.length);
    else {
      sortedSets.beginOne(c, bytes.length);
      sortedSets.put(c, bytes, 0, bytes.length, i % 100);
      sortedSets.finish(c);
    }
  }
}

function bulkOf(reply: string): string {
  return reply.slice(reply.indexOf("\r\n") + 2, -2);
}

Deno.test("DUMP and RESTORE: collections of all types and sizes come back", async () => {
  for (const steps of [1, 8, 60, 900]) {
    for (const model of models()) {
      const harness = new Harness({
        maxMemoryBytes: 64 * 2 ** 20,
        maxRequestBytes: 16 * 2 ** 20,
      });
      const { store } = harness;
      store.nowMs = harness.nowMs;
      const client = harness.connect();
      grow(store, "k", model, steps, new Dice(steps * 10 + model.type));
      const content = model.content();
      if (content.length === 0) continue;
      const dump = bulkOf(await client.send("DUMP k\r\n"));
      assert.equal(await client.send(request("RESTORE", "l", "5000", dump)), "+OK\r\n");
      assert.deepEqual(contentAt(store, "l", model.type), content);
      assert.equal(await client.send("PTTL l\r\n"), ":5000\r\n");
      assert.match(await client.send(request("RESTORE", "l", "0", dump)), /^-BUSYKEY/);
      const replaced = await client.send(request("RESTORE", "l", "0", dump, "REPLACE"));
      assert.equal(replaced, "+OK\r\n");
      assert.equal(await client.send("PTTL l\r\n"), ":-1\r\n");
      assert.equal(bulkOf(await client.send("DUMP l\r\n")).length, dump.length);
      const past = await client.send(request("RESTORE", "l", "1", dump, "REPLACE", "ABSTTL"));
      assert.equal(past, "+OK\r\n");
      assert.equal(await client.send("EXISTS l\r\n"), ":0\r\n");
      await client.send("MULTI\r\n");
      await client.send(request("RESTORE", "l", "0", dump));
      await client.send("DUMP l\r\n");
      const replies = await client.send("EXEC\r\n");
      assert.ok(replies.startsWith("*2\r\n+OK\r\n$"), "in a transaction, too");
      assert.deepEqual(contentAt(store, "l", model.type), content);
      store.assertInvariants();
    }
  }
});

Deno.test("RESTORE: of thousands of mutated dumps of collections none hurts", async () => {
  const seed = (Math.random() * 2 ** 32) >>> 0;
  const random = new Random(seed);
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
  const { store } = harness;
  store.nowMs = harness.nowMs;
  const client = harness.connect();
  const dumps: Uint8Array[] = [];
  for (const steps of [2, 10, 100]) {
    for (const model of models()) {
      grow(store, "k", model, steps, new Dice(seed + steps));
      if (model.content().length === 0) continue;
      const dump = latin1(bulkOf(await client.send("DUMP k\r\n")));
      if (dump.length < 60_000) dumps.push(dump);
      store.remove(0, keyOf(store, "k"));
    }
  }
  let taken = 0;
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = [...dumps[random.below(dumps.length)]!].slice(0, -4);
    for (let i = random.below(4); i > 0; i--) {
      const at = random.below(Math.min(bytes.length, 100));
      const kind = random.below(5);
      if (kind === 0) bytes[at]! ^= 1 << random.below(8);
      else if (kind === 1) bytes.splice(at, random.below(10));
      else if (kind === 2) bytes.splice(at, 0, random.below(256));
      else if (kind === 3) bytes.splice(random.below(bytes.length), 1);
      else bytes[0] = 1 + random.below(6);
    }
    if (bytes.length < 3) continue;
    bytes.splice(bytes.length - 2, 2, 1, 0);
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, crc32c(Uint8Array.from(bytes), 0, bytes.length), true);
    bytes.push(...new Uint8Array(view.buffer));
    const dump = bytes.map((byte) => String.fromCharCode(byte)).join("");
    const reply = await client.send(request("RESTORE", "k", "0", dump, "REPLACE"));
    if (reply === "+OK\r\n") taken++;
    else {
      refused++;
      assert.match(reply, /^-ERR (Bad data format|string exceeds)/, `seed ${seed}`);
    }
    if (round % 100 === 0) store.assertInvariants();
  }
  store.assertInvariants();
  assert.ok(taken > 100 && refused > 100, `${taken} taken, ${refused} refused, seed ${seed}`);
});

/** A dump with a checksum that is right. */
function sealed(...head: number[]): string {
  const bytes = Uint8Array.from([...head, 1, 0, 0, 0, 0, 0]);
  const end = bytes.length - 4;
  new DataView(bytes.buffer).setUint32(end, crc32c(bytes, 0, end), true);
  return [...bytes].map((byte) => String.fromCharCode(byte)).join("");
}

const ONE = [0, 0, 0, 0, 0, 0, 240, 63];
const NOT_A_NUMBER = [0, 0, 0, 0, 0, 0, 248, 127];
for (
  const [name, ...payload] of [
    ["nothing in it", EntryType.LIST],
    ["a length and no bytes", EntryType.LIST, 5],
    ["half of a long length", EntryType.LIST, 255, 0, 1],
    ["a long length for what is short", EntryType.LIST, 255, 2, 0, 0, 0, 97, 98],
    ["a member twice", EntryType.SET, 1, 97, 1, 98, 1, 97],
    ["a field without a value", EntryType.HASH, 1, 97],
    ["a field twice", EntryType.HASH, 1, 97, 1, 98, 1, 97, 1, 99],
    ["half of a score", EntryType.SORTED_SET, 0, 0, 0],
    ["a score without a member", EntryType.SORTED_SET, ...ONE],
    ["a score that is no number", EntryType.SORTED_SET, ...NOT_A_NUMBER, 1, 97],
    ["a member with two scores", EntryType.SORTED_SET, ...ONE, 1, 97, 0, ...ONE.slice(1), 1, 97],
    ["an unknown type", 6, 1, 97],
  ] as [string, ...number[]][]
) {
  Deno.test(`RESTORE: refuses a payload with ${name}`, async () => {
    const harness = new Harness();
    const client = harness.connect();
    await client.send("SET k v\r\n");
    const reply = await client.send(request("RESTORE", "k", "0", sealed(...payload), "REPLACE"));
    assert.equal(reply, "-ERR Bad data format\r\n");
    assert.equal(await client.send("GET k\r\n"), "$1\r\nv\r\n");
    while (harness.store.garbage.run(10));
    harness.store.assertInvariants();
  });
}

Deno.test("RESTORE: takes a payload that was made by hand", async () => {
  const harness = new Harness();
  harness.store.nowMs = harness.nowMs;
  const client = harness.connect();
  const dump = sealed(EntryType.SORTED_SET, ...ONE, 1, 98, ...ONE, 0);
  assert.equal(await client.send(request("RESTORE", "k", "0", dump)), "+OK\r\n");
  assert.deepEqual(contentAt(harness.store, "k", EntryType.SORTED_SET), [":1", "b:1"]);
});

Deno.test("RESTORE: whichever allocation fails, it is done later or changes nothing", async () => {
  for (const model of models()) {
    const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
    const { store } = harness;
    store.nowMs = harness.nowMs;
    const client = harness.connect();
    grow(store, "k", model, 120, new Dice(31 + model.type));
    const content = model.content();
    const dump = bulkOf(await client.send("DUMP k\r\n"));
    let refused = 0;
    for (let k = 0; k < 400; k += 7) {
      await client.send("SET l v\r\n");
      store.failAllocationAfter(k);
      const reply = await client.send(request("RESTORE", "l", "1000", dump, "REPLACE"));
      store.failAllocationAfter(-1);
      if (reply === "+OK\r\n") {
        assert.deepEqual(contentAt(store, "l", model.type), content);
      } else {
        refused++;
        assert.match(reply, /^-OOM/);
        assert.equal(await client.send("GET l\r\n"), "$1\r\nv\r\n");
      }
      store.assertInvariants();
    }
    assert.ok(refused > 0, "there were allocations to fail");
  }
});

Deno.test("COPY, RENAME, DUMP and RESTORE: large collections go on in slices while others are served", async () => {
  const harness = new Harness({ maxMemoryBytes: 64 * 2 ** 20, maxRequestBytes: 16 * 2 ** 20 });
  const { store } = harness;
  store.nowMs = harness.nowMs;
  const client = harness.connect();
  const other = harness.connect();
  for (const type of [EntryType.SET, EntryType.SORTED_SET]) {
    fill(store, "big", type, 30_000);
    const content = contentAt(store, "big", type);
    const { shard } = keyOf(store, "big");
    let to = "to";
    while (keyOf(store, to).shard === shard) to += "o";
    const copied = client.send(`COPY big ${to}\r\n`);
    assert.equal(await other.send("SET x 1\r\n"), "+OK\r\n");
    assert.equal(store.peek(0, keyOf(store, to)), 0, "others are served before it is done");
    assert.equal(await copied, ":1\r\n");
    assert.deepEqual(contentAt(store, to, type), content);
    // One that is changed while it is copied is copied as it is in the end.
    const again = client.send(`COPY big ${to} REPLACE\r\n`);
    const extra = latin1("extra");
    fillOne(store, "big", type, extra);
    assert.equal(await again, ":1\r\n");
    assert.equal(contentAt(store, to, type).length, content.length + 1);
    // The target comes to be while the copy is made.
    await client.send(`DEL ${to}\r\n`);
    const beaten = client.send(`COPY big ${to}\r\n`);
    await other.send(`SET ${to} v\r\n`);
    assert.equal(await beaten, ":0\r\n");
    assert.equal(await client.send(`GET ${to}\r\n`), "$1\r\nv\r\n");
    // The source goes while the copy is made.
    const late = client.send(`RENAME big ${to}\r\n`);
    await other.send("DEL big\r\n");
    assert.equal(await late, "-ERR no such key\r\n");
    store.assertInvariants();
    fill(store, "big", type, 30_000);
    const dump = bulkOf(await client.send("DUMP big\r\n"));
    assert.equal(await client.send(`RENAME big ${to}\r\n`), "+OK\r\n");
    assert.deepEqual(contentAt(store, to, type), content);
    const restored = client.send(request("RESTORE", "big", "0", dump));
    await other.send("SET big v\r\n");
    assert.match(await restored, /^-BUSYKEY/);
    assert.equal(await client.send(request("RESTORE", "big", "0", dump, "REPLACE")), "+OK\r\n");
    assert.deepEqual(contentAt(store, "big", type), content);
    store.assertInvariants();
    await client.send(`DEL big ${to} x\r\n`);
    while (store.garbage.run(10));
    store.assertInvariants();
  }
});

Deno.test("COPY and RESTORE: without memory for a large collection say so and keep nothing", async () => {
  const harness = new Harness({ maxMemoryBytes: 5 * 2 ** 20, maxRequestBytes: 16 * 2 ** 20 });
  const { store } = harness;
  store.nowMs = harness.nowMs;
  const client = harness.connect();
  fill(store, "big", EntryType.SET, 120_000);
  const { shard } = keyOf(store, "big");
  let to = "to";
  while (keyOf(store, to).shard === shard) to += "o";
  const dump = bulkOf(await client.send("DUMP big\r\n"));
  assert.match(await client.send(`COPY big ${to}\r\n`), /^-OOM/);
  assert.match(await client.send(request("RESTORE", to, "0", dump)), /^-OOM/);
  assert.equal(await client.send(`EXISTS ${to}\r\n`), ":0\r\n");
  while (store.garbage.run(10));
  store.assertInvariants();
  assert.equal(contentAt(store, "big", EntryType.SET).length, 120_000);
});

function fillOne(store: Store, name: string, type: EntryType, bytes: Uint8Array): void {
  const c = open(store, name, type);
  const { sets, sortedSets } = store.collections;
  if (type === EntryType.SET) sets.addMember(c, bytes, 0, bytes.length);
  else {
    sortedSets.beginOne(c, bytes.length);
    sortedSets.put(c, bytes, 0, bytes.length, 1);
    sortedSets.finish(c);
  }
}

Deno.test("RESTORE and SORT STORE: say what they did to the key", async () => {
  const harness = new Harness({ shardCount: 1 });
  harness.store.nowMs = harness.nowMs;
  const client = harness.connect();
  const watcher = harness.connect();
  await client.send("CONFIG SET notify-keyspace-events Egl\r\n");
  await watcher.send("PSUBSCRIBE __key*\r\n");
  const dump = sealed(EntryType.LIST, 1, 50, 1, 49);
  for (
    const [reply, expected, ...words] of [
      ["+OK\r\n", "restore k", "RESTORE", "k", "0", dump],
      [":2\r\n", "sortstore d", "SORT", "k", "STORE", "d"],
      [":2\r\n", "sortstore d", "SORT", "k", "BY", "w*", "STORE", "d"],
      [":0\r\n", "del d", "SORT", "missing", "STORE", "d"],
      [":0\r\n", "", "SORT", "missing", "STORE", "d"],
      ["+OK\r\n", "del k", "RESTORE", "k", "1", dump, "REPLACE", "ABSTTL"],
    ] as string[][]
  ) {
    assert.equal(await client.send(request(...words!)), reply);
    await pause(5);
    const pattern = /__keyevent@0__:(\w+)\r\n\$\d+\r\n(\w+)\r\n/g;
    const events = [...watcher.pushedText.matchAll(pattern)].map(([, event, key]) =>
      `${event} ${key}`
    );
    watcher.pushed.release();
    assert.equal(events.join(), expected, words!.join(" "));
  }
});
