import assert from "node:assert/strict";
import { Store } from "../../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../../src/store/transaction.ts";

const MIB = 2 ** 20;

function newStore(shardCount = 4, maxMemoryBytes = 16 * MIB): Store {
  return Store.create({
    shardCount,
    maxMemoryBytes,
    lockKind: "rwlock",
    maxValueBytes: MIB,
    threadCount: 4,
  });
}

Deno.test("StoreTransaction: what was written is read by the next one", () => {
  const store = newStore();
  const t = new StoreTransaction(store);
  t.begin();
  t.add("balance:ann", 5);
  assert.equal(t.commit(), CommitStatus.OK);
  assert.equal(t.sum.toNumber(), 5);
  t.begin();
  assert.equal(t.get("balance:ann"), "5");
  t.add("balance:ann", -7n);
  t.set("name", "Änn");
  t.hset("h", "f", "v");
  t.hincrby("h", "n", 3);
  t.sadd("s", "a", "b");
  t.zadd("z", "m", 1.5);
  t.zincrby("z", "n", 2);
  t.rpush("l", "b", "c");
  t.lpush("l", "a");
  t.set("gone", 1, { ttlMs: 60_000 });
  assert.equal(t.commit(), CommitStatus.OK);
  store.assertInvariants();
  t.begin();
  assert.equal(t.getInteger("balance:ann"), -2n);
  assert.equal(t.get("name"), "Änn");
  assert.deepEqual([...t.hgetall("h")].sort(), [["f", "v"], ["n", "3"]]);
  assert.deepEqual(t.smembers("s").sort(), ["a", "b"]);
  assert.deepEqual(t.zrange("z", 0, -1), [{ member: "m", score: 1.5 }, { member: "n", score: 2 }]);
  assert.deepEqual(t.lrange("l", 0, -1), ["a", "b", "c"]);
  assert.equal(t.ttlMs("name"), Infinity);
  assert.ok(t.ttlMs("gone")! > 50_000);
  assert.equal(t.type("z"), "zset");
  t.del("h");
  t.hset("h", "only", "one");
  t.hdel("nothing", "f");
  t.srem("s", "a", "b");
  t.expire("z", 1000);
  assert.equal(t.commit(), CommitStatus.OK);
  store.assertInvariants();
  t.begin();
  assert.deepEqual([...t.hgetall("h")], [["only", "one"]]);
  assert.equal(t.exists("s"), false);
  assert.ok(t.ttlMs("z")! <= 1000);
});
