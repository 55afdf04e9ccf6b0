/** SORT and SORT_RO. Replies are compared with those recorded from Redis in tests/vectors, too. */

import assert from "node:assert/strict";
import { sortInSlices } from "../../../src/command/sorter.ts";
import { Slices, SliceTurns } from "../../../src/command/slices.ts";
import { sortScore } from "../../../src/command/sort_run.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { open, readAll, sourceOf } from "../store/collection_helpers.ts";
import { keyOf } from "../store/helpers.ts";
import { Harness, latin1, type TestClient } from "./harness.ts";

const NO_NUMBER = "-ERR One or more scores can't be converted into double\r\n";

function makeHarness(): Harness {
  const harness = new Harness({ maxMemoryBytes: 64 * 2 ** 20 });
  harness.store.nowMs = harness.nowMs;
  return harness;
}

function put(store: Store, name: string, type: EntryType, ...members: string[]): void {
  const { lists, sets, hashes, sortedSets } = store.collections;
  const c = open(store, name, type);
  if (type === EntryType.LIST) lists.push(c, false, sourceOf(...members), 0, members.length);
  else if (type === EntryType.SET) sets.addMembers(c, sourceOf(...members), 0, members.length);
  else if (type === EntryType.HASH) {
    hashes.putFields(c, sourceOf(...members), 0, members.length / 2);
  } else {
    for (const [i, member] of members.entries()) {
      const bytes = latin1(member);
      assert.equal(sortedSets.beginOne(c, bytes.length), WriteStatus.OK);
      sortedSets.put(c, bytes, 0, bytes.length, i);
      sortedSets.finish(c);
    }
  }
}

function listAt(store: Store, name: string): string[] {
  const c = store.collections.handle(5);
  assert.equal(
    store.collections.open(c, 0, keyOf(store, name), EntryType.LIST, false),
    WriteStatus.OK,
  );
  return readAll(c.cursor, EntryType.LIST);
}

/** The elements of a reply with short ones; null where there is none. */
function elements(reply: string): (string | null)[] {
  assert.equal(reply[0], "*", reply);
  const found: (string | null)[] = [];
  const lines = reply.split("\r\n").slice(1, -1);
  for (let i = 0; i < lines.length; i++) {
    found.push(lines[i] === "$-1" ? null : lines[++i]!);
  }
  return found;
}

async function prepare(harness: Harness): Promise<TestClient> {
  const { store } = harness;
  const client = harness.connect();
  put(store, "l", EntryType.LIST, "c", "a", "b");
  put(store, "n", EntryType.LIST, "3", "-1.5", "20", "0x10", "1e1", "");
  put(store, "s", EntryType.SET, "5", "4", "6");
  put(store, "z", EntryType.SORTED_SET, "30", "10", "20");
  put(store, "h_a", EntryType.HASH, "f", "9", "g", "x");
  put(store, "h_b", EntryType.HASH, "f", "8");
  put(store, "h_c", EntryType.HASH, "f", "10");
  await client.send("MSET w_a 3 w_b 1 w_c 2 d_a A d_b B\r\n");
  return client;
}

for (
  const [line, expected] of Object.entries({
    "SORT n": ["-1.5", "", "3", "1e1", "0x10", "20"].join(),
    "SORT n DESC LIMIT 1 2": "0x10,1e1",
    "SORT n ALPHA": ",-1.5,0x10,1e1,20,3",
    "SORT n LIMIT 4 -5": "0x10,20",
    "SORT n LIMIT -3 1": "-1.5",
    "SORT n LIMIT 99999999999 1": "",
    "SORT s": "4,5,6",
    "SORT_RO z DESC": "30,20,10",
    "SORT z BY nosort": "30,10,20",
    "SORT z BY nosort DESC LIMIT 0 2": "20,10",
    "SORT l BY nosort LIMIT 1 1": "a",
    "SORT l BY nosort DESC": "b,a,c",
    "SORT l BY w_*": "b,c,a",
    "SORT l BY w_* DESC GET # GET d_*": "a,A,c,,b,B",
    "SORT l BY h_*->f GET h_*->g": ",x,",
    "SORT l BY h_*->f ALPHA": "c,b,a",
    "SORT l BY none_*": "a,b,c",
    "SORT l BY none_* DESC": "c,b,a",
    "SORT l ALPHA GET fixed": ",,",
    "SORT l ALPHA GET d_*->": ",,",
    "SORT missing": "",
  })
) {
  Deno.test(`SORT: ${line}`, async () => {
    const harness = makeHarness();
    const client = await prepare(harness);
    assert.equal(elements(await client.send(`${line}\r\n`)).join(), expected);
    await client.send("MULTI\r\n");
    await client.send(`${line}\r\n`);
    const reply = (await client.send("EXEC\r\n")).slice("*1\r\n".length);
    assert.equal(elements(reply).join(), expected, "the same in a transaction");
    harness.store.assertInvariants();
  });
}

for (
  const [line, expected] of Object.entries({
    "SORT l": NO_NUMBER,
    "SORT l BY d_*": NO_NUMBER,
    "SORT h_a": "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "SORT w_a": "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "SORT w_a FOO": "-ERR syntax error\r\n",
    "SORT l LIMIT 1": "-ERR syntax error\r\n",
    "SORT l LIMIT x 1": "-ERR value is not an integer or out of range\r\n",
    "SORT l BY": "-ERR syntax error\r\n",
    "SORT_RO l ALPHA STORE d": "-ERR syntax error\r\n",
    "SORT l STORE": "-ERR syntax error\r\n",
    "COMMAND GETKEYS SORT k BY store GET store LIMIT 0 1 STORE d STORE e":
      "*2\r\n$1\r\nk\r\n$1\r\ne\r\n",
  })
) {
  Deno.test(`SORT: ${line}`, async () => {
    const client = await prepare(makeHarness());
    assert.equal(await client.send(`${line}\r\n`), expected);
  });
}

Deno.test("SORT: STORE puts a list at its key, over what was there and over its own source", async () => {
  const harness = makeHarness();
  const { store } = harness;
  const client = await prepare(harness);
  assert.equal(await client.send("SORT n LIMIT 0 3 STORE w_a\r\n"), ":3\r\n");
  assert.deepEqual(listAt(store, "w_a"), ["-1.5", "", "3"]);
  await client.send("SET w_a 3 EX 100\r\n");
  assert.equal(await client.send("SORT l BY w_* GET d_* STORE w_b\r\n"), ":3\r\n");
  assert.deepEqual(listAt(store, "w_b"), ["B", "", "A"]);
  assert.equal(await client.send("SORT l ALPHA DESC STORE l\r\n"), ":3\r\n");
  assert.deepEqual(listAt(store, "l"), ["c", "b", "a"]);
  put(store, "chance", EntryType.SET, "d", "b", "a", "c");
  assert.equal(await client.send("SORT chance BY nosort STORE l\r\n"), ":4\r\n");
  assert.deepEqual(listAt(store, "l"), ["a", "b", "c", "d"]);
  assert.equal(await client.send("SORT missing STORE l\r\n"), ":0\r\n");
  assert.equal(await client.send("EXISTS l\r\n"), ":0\r\n");
  assert.equal(await client.send("SORT s BY nothing_* STORE s\r\n"), ":3\r\n");
  assert.equal(await client.send("TYPE s\r\n"), "+list\r\n");
  store.assertInvariants();
});

Deno.test("SORT: of many elements is sorted in slices while others are served", async () => {
  const seed = (Math.random() * 2 ** 32) >>> 0;
  const random = new Random(seed);
  const harness = makeHarness();
  const { store } = harness;
  const client = harness.connect();
  const other = harness.connect();
  const values = Array.from({ length: 20_000 }, () => `${random.below(5000) - 100}`);
  put(store, "k", EntryType.LIST, ...values);
  const ascending = values.map(Number).toSorted((a, b) => a - b).map(String);
  const reply = client.send("SORT k\r\n");
  assert.equal(await other.send("RPUSH2 x\r\n").then((text) => text.slice(0, 4)), "-ERR");
  store.lookup(0, keyOf(store, "k"));
  await other.send("DEL k\r\n");
  assert.deepEqual(elements(await reply), ascending, `seed ${seed}`);
  put(store, "k", EntryType.LIST, ...values);
  const alpha = values.toSorted((a, b) => a < b ? 1 : a > b ? -1 : 0);
  assert.deepEqual(elements(await client.send("SORT k ALPHA DESC\r\n")), alpha);
  assert.deepEqual(
    elements(await client.send("SORT k LIMIT 777 10\r\n")),
    ascending.slice(777, 787),
  );
  assert.equal(await client.send("SORT k STORE sorted\r\n"), ":20000\r\n");
  assert.deepEqual(listAt(store, "sorted"), ascending);
  for (let i = -100; i < 4900; i++) {
    if (i % 3 > 0) await other.send(`SET weight${i} ${-i}\r\n`);
  }
  const weight = (text: string): number => Number(text) % 3 === 0 ? 0 : -Number(text);
  const byWeight = values.toSorted((a, b) => {
    const difference = weight(a) - weight(b);
    return difference !== 0 ? difference : a < b ? -1 : a > b ? 1 : 0;
  });
  // -0 and 0 are equal, and negative remainders are no keys.
  const expected = byWeight.filter((text) => Number(text) > 0);
  const found = elements(await client.send("SORT k BY weight*\r\n"));
  assert.deepEqual(found.filter((text) => Number(text) > 0), expected, `seed ${seed}`);
  store.assertInvariants();
});

Deno.test("SORT: without memory for the list changes nothing", async () => {
  const harness = new Harness({ maxMemoryBytes: 4 * 2 ** 20 });
  const { store } = harness;
  store.nowMs = harness.nowMs;
  const client = harness.connect();
  // Until less is left than it takes.
  const startBytes = store.freeBytes;
  for (let i = 0; store.freeBytes > 0.4 * startBytes; i++) {
    const value = `element:${i}:${"x".repeat(12)}`;
    put(store, "k", EntryType.LIST, value);
  }
  assert.equal(await client.send("SET d v\r\n"), "+OK\r\n");
  assert.match(await client.send("SORT k ALPHA STORE d\r\n"), /^-OOM/);
  assert.equal(await client.send("GET d\r\n"), "$1\r\nv\r\n");
  while (store.garbage.run(10));
  store.assertInvariants();
});

Deno.test("sortInSlices: sorts any number of elements and keeps equal ones in order", () => {
  const seed = (Math.random() * 2 ** 32) >>> 0;
  const random = new Random(seed);
  const slices = new Slices({
    locks: makeHarness().store.locks,
    turns: new SliceTurns(),
    refreshClock: () => {},
    operation: 0,
    isAtomic: true,
  });
  for (const count of [0, 1, 2, 127, 128, 129, 256, 257, 1000, 5000]) {
    const values = Array.from({ length: count }, () => random.below(50));
    const work = sortInSlices(count, (a, b) => values[a]! - values[b]!, slices);
    let step = work.next();
    while (step.done !== true) step = work.next();
    const expected = values.map((_, i) => i).toSorted((a, b) => values[a]! - values[b]! || a - b);
    assert.deepEqual([...step.value], expected, `seed ${seed}, ${count} elements`);
  }
});

Deno.test("sortScore: takes what strtod takes", () => {
  for (
    const [text, expected] of [
      ["", 0],
      ["12", 12],
      [" 2", 2],
      ["-3.5", -3.5],
      ["+7", 7],
      ["inf", Infinity],
      ["0x10", 16],
      ["12345678901234567890", 12345678901234567000],
      ["2 ", NaN],
      [" ", NaN],
      ["nan", NaN],
      ["1e400", NaN],
      ["a", NaN],
    ] as const
  ) {
    const bytes = latin1(text);
    assert.equal(sortScore(bytes, 0, bytes.length), expected, text);
  }
});
