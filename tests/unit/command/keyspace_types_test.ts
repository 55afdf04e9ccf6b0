/** What commands on keys do with lists, hashes, sets and sorted sets: all of them, packed or large. */

import assert from "node:assert/strict";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { growCollection, readValue } from "../../property/database_collections.ts";
import { flush, freeAll } from "../store/keyspace_helpers.ts";
import { keyOf, set, smallStore } from "../store/helpers.ts";
import { Harness } from "./harness.ts";

const TYPES = [
  [EntryType.LIST, "list"],
  [EntryType.HASH, "hash"],
  [EntryType.SET, "set"],
  [EntryType.SORTED_SET, "zset"],
] as const;
const COUNTS = [1, 20, 700];

function collectGarbage(store: Store): void {
  while (store.garbage.run(10));
}

for (const [type, name] of TYPES) {
  Deno.test(`keys: a ${name} has a type, a time to live, a size, and goes like any other key`, async () => {
    for (const count of COUNTS) {
      const harness = new Harness();
      const { store } = harness;
      store.nowMs = harness.nowMs;
      const client = harness.connect();
      const ask = async (line: string): Promise<string> => await client.send(`${line}\r\n`);
      growCollection(store, "k", 0, type, count);
      await ask("SET s v");
      const content = readValue(store, "k", 0);
      assert.equal(await ask("TYPE k"), `+${name}\r\n`);
      assert.equal(
        await ask(`SCAN 0 COUNT 1000 TYPE ${name}`),
        "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
      );
      assert.equal(await ask("KEYS k*"), "*1\r\n$1\r\nk\r\n");
      assert.equal(await ask("EXISTS k k"), ":2\r\n");
      assert.equal(await ask("TOUCH k"), ":1\r\n");
      assert.equal(await ask("OBJECT REFCOUNT k"), ":1\r\n");
      const usage = Number((await ask("MEMORY USAGE k")).slice(1, -2));
      assert.ok(usage >= count * 7, `${usage} bytes for ${count} elements`);
      assert.match(await ask("GET k"), /^-WRONGTYPE/);
      assert.match(await ask("INCR k"), /^-WRONGTYPE/);
      assert.equal(await ask("EXPIRE k 100"), ":1\r\n");
      assert.equal(await ask("TTL k"), ":100\r\n");
      assert.equal(await ask("PERSIST k"), ":1\r\n");
      assert.equal(await ask("TTL k"), ":-1\r\n");
      assert.equal(await ask("PEXPIRE k 5000"), ":1\r\n");
      store.assertInvariants();
      for (const line of ["RENAME k a", "RENAMENX a bb", "COPY bb k", "MOVE bb 1"]) {
        assert.match(await ask(line), /^(\+OK|:1)/, line);
        store.assertInvariants();
      }
      assert.equal(readValue(store, "k", 0), content);
      assert.equal(readValue(store, "bb", 1), content);
      assert.equal(await ask("PTTL k"), ":5000\r\n");
      assert.equal(await ask("UNLINK k s"), ":2\r\n");
      assert.equal(await ask("RANDOMKEY"), "$-1\r\n");
      store.assertInvariants();
      await ask("SELECT 1");
      assert.equal(await ask("RANDOMKEY"), "$2\r\nbb\r\n");
      harness.nowMs += 5001;
      assert.equal(await ask("EXISTS bb"), ":0\r\n");
      growCollection(store, "bb", 1, type, 3);
      store.assertInvariants();
      assert.equal(await ask("FLUSHDB"), "+OK\r\n");
      assert.equal(await ask("DBSIZE"), ":0\r\n");
      collectGarbage(store);
      store.assertInvariants();
      // SET replaces whatever is there.
      growCollection(store, "k", 1, type, count);
      assert.equal(await ask("SET k v"), "+OK\r\n");
      assert.equal(await ask("GET k"), "$1\r\nv\r\n");
      growCollection(store, "to", 1, type, count);
      assert.equal(await ask("RENAME k to"), "+OK\r\n");
      assert.equal(await ask("GET to"), "$1\r\nv\r\n");
      collectGarbage(store);
      store.assertInvariants();
    }
  });

  Deno.test(`keys: the sweep, eviction and a flush free ${name}s of any size whole`, () => {
    const store = smallStore({
      shardCount: 2,
      maxMemoryBytes: 8 * 2 ** 20,
      evictionPolicy: "allkeys-lru",
    });
    store.seedEviction(1);
    const emptyBytes = store.freeBytes;
    for (const [i, count] of COUNTS.entries()) {
      growCollection(store, `k${i}`, 0, type, count);
      store.locks.lock(keyOf(store, `k${i}`).shard, true);
      const status = store.setExpiry(0, keyOf(store, `k${i}`), store.nowMs + 10);
      store.locks.unlock(keyOf(store, `k${i}`).shard, true);
      assert.equal(status, WriteStatus.OK);
    }
    const work = store.backgroundWork(() => store.nowMs);
    store.nowMs += 60_000;
    while (work.run(1000));
    assert.equal(store.keyCount(0), 0);
    assert.equal(store.stats().expiredKeys, COUNTS.length);
    store.assertInvariants();
    for (let i = 0; i < 30; i++) growCollection(store, `k${i}`, i % 3, type, 200);
    store.nowMs += 1000;
    for (let i = 0; i < 9000; i++) {
      assert.equal(set(store, `s${i}`, "v".repeat(1500)), WriteStatus.OK);
    }
    assert.ok(store.stats().evictedKeys > 30);
    store.assertInvariants();
    for (const database of [0, 1, 2]) growCollection(store, "last", database, type, 300);
    for (const database of [0, 1, 2]) flush(store, database);
    freeAll(store);
    collectGarbage(store);
    store.assertInvariants();
    assert.equal(store.keyCount(0) + store.keyCount(1) + store.keyCount(2), 0);
    assert.ok(store.freeBytes > 0.8 * emptyBytes, "nothing is left behind");
  });
}
