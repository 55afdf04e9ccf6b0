/** Writes to sorted sets when memory fails at any step: all or nothing. */

import assert from "node:assert/strict";
import { SortedSetModel } from "../../helpers/sorted_set_model.ts";
import { EntryType } from "../../../src/store/store.ts";
import { keyOf } from "../store/helpers.ts";
import { Harness, request, settled } from "./harness.ts";

const LONG = "long".repeat(3000);
const KEYS = ["small", "large", "other", "new"];

function pairs(from: number, to: number, step = 1): string[] {
  const words: string[] = [];
  for (let i = from; i < to; i += step) words.push(`${i % 7}`, `m${i}`);
  return words;
}

const FIXTURE: readonly (readonly string[])[] = [
  ["ZADD", "small", ...pairs(0, 30)],
  ["ZADD", "large", ...pairs(0, 200), "3", LONG],
  ["ZADD", "other", ...pairs(100, 300, 5)],
];

const WRITES: readonly (readonly string[])[] = [
  ["ZADD", "new", "1", "a"],
  ["ZADD", "new", ...pairs(0, 150)],
  ["ZADD", "new", "1", LONG],
  ["ZADD", "small", "1", "a", "2", "m3", "3", "b"],
  ["ZADD", "small", ...pairs(0, 150)],
  ["ZADD", "large", "CH", ...pairs(190, 230), "5.5", "m7", "2.5", LONG],
  ["ZINCRBY", "large", "0.5", "m150"],
  ["ZADD", "large", "2.5", "m15".repeat(80)],
  ["ZADD", "small", "2.5", "m15"],
  ["ZINCRBY", "large", "0.5", LONG],
  ["ZREM", "large", "m1", "m2", LONG, "none"],
  ["ZREMRANGEBYRANK", "large", "3", "20"],
  ["ZREMRANGEBYSCORE", "large", "(1", "3"],
  ["ZPOPMAX", "large", "30"],
  ["ZPOPMIN", "small", "100"],
  ["ZMPOP", "2", "new", "large", "MIN", "COUNT", "5"],
  ["ZRANGESTORE", "new", "large", "10", "110"],
  ["ZRANGESTORE", "large", "small", "0", "5"],
  ["ZUNIONSTORE", "new", "3", "small", "large", "other"],
  ["ZUNIONSTORE", "large", "2", "large", "other", "WEIGHTS", "2", "0.5"],
  ["ZINTERSTORE", "small", "2", "other", "large"],
  ["ZDIFFSTORE", "new", "2", "large", "other"],
];

for (const isRead of [false, true]) {
  const reading = isRead ? " while it is read" : "";
  for (const write of WRITES) {
    const what = write.map((word) => word.slice(0, 12)).slice(0, 6).join(" ");
    Deno.test(`sorted sets: ${what} without memory${reading} does all or nothing`, async () => {
      let failures = 0;
      for (let k = 0;; k++) {
        const harness = new Harness({ shardCount: 2, maxMemoryBytes: 12 * 2 ** 20 });
        const client = harness.connect(2 ** 17);
        const model = new SortedSetModel();
        await client.send("HELLO 3\r\n");
        for (const words of FIXTURE) {
          await client.send(request(...words));
          model.execute(words);
        }
        const leases = isRead ? takeLeases(harness) : [];
        harness.store.failAllocationAfter(k);
        const reply = await settled(client.send(request(...write)));
        harness.store.failAllocationAfter(-1);
        const isRefused = reply.startsWith("-OOM ");
        if (isRefused) failures++;
        else assert.equal(reply, model.execute(write), `k = ${k}`);
        for (const lease of leases) lease.release();
        harness.store.assertInvariants();
        assert.equal(harness.store.stats().leases, 0);
        for (const key of KEYS) {
          const words = ["ZRANGE", key, "0", "-1", "WITHSCORES"];
          assert.equal(await settled(client.send(request(...words))), model.execute(words), key);
        }
        if (!isRefused) break;
      }
      // What only removes, or moves one member to where there is room, needs memory for readers alone.
      const needsMemory = isRead || /ADD|STORE/.test(write[0]!);
      if (needsMemory && write[1] !== "small") assert.ok(failures > 0, "some attempt failed");
    });
  }
}

function takeLeases({ store }: Harness): { release(): void }[] {
  return KEYS.map((name) => {
    const c = store.collections.handle(0);
    store.collections.open(c, 0, keyOf(store, name), EntryType.SORTED_SET, false);
    return store.collectionLeases.take(c);
  });
}
