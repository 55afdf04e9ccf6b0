import assert from "node:assert/strict";
import { assert as assertHouse } from "../../../src/base/assert.ts";
import { Key } from "../../../src/store/key.ts";
import { LockPoisonedError } from "../../../src/store/locks.ts";
import { Store, type StoreOptions } from "../../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../../src/store/transaction.ts";

const MIB = 2 ** 20;

const OPTIONS: StoreOptions = {
  shardCount: 4,
  maxMemoryBytes: 16 * MIB,
  lockKind: "rwlock",
  maxValueBytes: MIB,
  threadCount: 4,
};

function newStore(shardCount = 4, maxMemoryBytes = 16 * MIB): Store {
  return Store.create({ ...OPTIONS, shardCount, maxMemoryBytes });
}

Deno.test("StoreTransaction: a write of several elements that throws writes none of them", () => {
  const store = newStore();
  const t = new StoreTransaction(store);
  const tooLong = "x".repeat(MIB + 1);
  const bad: readonly unknown[] = [tooLong, NaN, {}, undefined];
  const writes: Record<string, (...elements: never[]) => void> = {
    list: (...values) => t.lpush("list", ...values),
    back: (...values) => t.rpush("back", ...values),
    set: (...members) => t.sadd("set", ...members),
    hash: (...fields) => t.hdel("hash", ...fields),
    zset: (...members) => t.zrem("zset", ...members),
    other: (...members) => t.srem("set", ...members),
  };
  for (const [key, write] of Object.entries(writes)) {
    t.begin();
    for (const element of bad) {
      assert.throws(() => write("a" as never, element as never), key);
      assert.throws(() => write("a" as never, "b" as never, element as never), key);
    }
    t.set("beside", key);
    assert.equal(t.commit(), CommitStatus.OK);
    t.begin();
    assert.equal(t.exists(key), false, key);
  }
  // Another type, as the transaction writes it; and the bounds of a transaction, to the byte.
  t.begin();
  t.set("text", 1);
  assert.throws(() => t.rpush("text", "a", "b"), /writes it as a string/);
  t.rpush("list", "first");
  const half = "x".repeat(MIB / 2);
  assert.throws(() => t.rpush("list", half, half), /Cannot take more keys and values/);
  assert.throws(() => t.rpush("new", half, half), /Cannot take more keys and values/);
  assert.throws(
    () => t.sadd("many", ...Array.from({ length: 1023 }, (_, i) => `${i}`)),
    /1024 changes/,
  );
  t.sadd("many", ...Array.from({ length: 1022 }, (_, i) => `${i}`));
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  assert.deepEqual([t.lrange("list", 0, -1), t.exists("new"), t.get("text")], [
    ["first"],
    false,
    "1",
  ]);
  assert.equal(t.scard("many"), 1022);
  // Whatever fits as a whole is written as a whole: no bound is found out behind the first one.
  for (let spare = 0; spare < 12; spare++) {
    for (const key of ["k", "a longer key"]) {
      t.begin();
      const rest = "y".repeat(MIB / 2 - key.length - spare);
      let isWritten = true;
      try {
        t.rpush(key, half, rest);
      } catch (error) {
        assert.match(`${error}`, /Cannot take more keys and values/);
        isWritten = false;
      }
      assert.equal(t.commit(), CommitStatus.OK);
      t.begin();
      assert.equal(t.llen(key), isWritten ? 2 : 0, `${key} ${spare}`);
      t.abandon();
      t.begin();
      t.del(key);
      assert.equal(t.commit(), CommitStatus.OK);
    }
  }
  store.assertInvariants();
});

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

function began(store: Store = newStore()): StoreTransaction {
  const t = new StoreTransaction(store);
  t.begin();
  return t;
}

Deno.test("StoreTransaction: nothing is changed before the commit, and nothing by one that is given up", () => {
  const store = newStore();
  const t = began(store);
  t.set("a", 1);
  t.add("b", 1);
  const other = began(store);
  assert.deepEqual([other.exists("a"), other.exists("b")], [false, false]);
  t.abandon();
  assert.throws(() => t.commit(), /Cannot use a transaction: it has not begun, or has ended/);
  t.begin();
  assert.equal(t.commit(), CommitStatus.OK);
  assert.deepEqual([other.exists("a"), other.exists("b")], [false, false]);
  assert.throws(() => t.get("a"), /has not begun, or has ended/);
  assert.throws(() => t.add("a", 1), /has not begun, or has ended/);
});

Deno.test("StoreTransaction: conflicts with whoever changed what it read, also a key that was not there", () => {
  const store = newStore();
  const other = new StoreTransaction(store);
  const change = (write: (t: StoreTransaction) => void): void => {
    other.begin();
    write(other);
    assert.equal(other.commit(), CommitStatus.OK);
  };
  change((t) => t.set("there", "1"));
  const cases: [string, (t: StoreTransaction) => unknown, (t: StoreTransaction) => void][] = [
    ["another value", (t) => t.get("there"), (t) => t.set("there", "2")],
    ["the same value again", (t) => t.get("there"), (t) => t.set("there", "2")],
    ["deleted", (t) => t.exists("there"), (t) => t.del("there")],
    ["created", (t) => t.get("missing"), (t) => t.set("missing", "x")],
    ["created as a list", (t) => t.llen("list"), (t) => t.rpush("list", "x")],
    ["a time to live", (t) => t.get("missing"), (t) => t.expire("missing", 10_000)],
    ["an element", (t) => t.lrange("list", 0, 0), (t) => t.rpush("list", "y")],
  ];
  for (const [name, read, write] of cases) {
    const t = began(store);
    read(t);
    t.set("result", name);
    change(write);
    assert.equal(t.commit(), CommitStatus.CONFLICT, name);
    assert.equal(began(store).get("result"), undefined, name);
    t.begin();
    read(t);
    t.set("result of another", name);
    change((t) => t.set("somewhere else", name));
    assert.equal(t.commit(), CommitStatus.OK, name);
  }
  // Created and deleted in between is a change, too.
  const t = began(store);
  t.get("never");
  change((t) => t.set("never", 1));
  change((t) => t.del("never"));
  assert.equal(t.commit(), CommitStatus.CONFLICT);
  // A read that failed has looked, too.
  t.begin();
  assert.throws(() => t.get("list"), /WRONGTYPE/);
  change((t) => t.del("list"));
  assert.equal(t.commit(), CommitStatus.CONFLICT);
});

Deno.test("StoreTransaction: a single addition says why it was not made", () => {
  const store = newStore();
  const t = began(store);
  t.set("text", "abc");
  t.rpush("list", "x");
  t.set("most", "9223372036854775807");
  assert.equal(t.commit(), CommitStatus.OK);
  const add = (name: string): CommitStatus => {
    t.begin();
    t.add(name, 1);
    return t.commit();
  };
  assert.equal(add("text"), CommitStatus.NOT_AN_INTEGER);
  assert.equal(add("list"), CommitStatus.WRONG_TYPE);
  assert.equal(add("most"), CommitStatus.OVERFLOW);
  assert.equal(add("new"), CommitStatus.OK);
  assert.equal(t.sum.toNumber(), 1);
  assert.equal(add("new"), CommitStatus.OK);
  assert.equal(t.sum.toNumber(), 2);
  // And so does one of several.
  t.begin();
  t.add("new", 5);
  t.add("most", 1);
  assert.equal(t.commit(), CommitStatus.OVERFLOW);
  t.begin();
  t.zadd("scores", "m", Infinity);
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  t.add("new", 5);
  t.zincrby("scores", "m", -Infinity);
  assert.equal(t.commit(), CommitStatus.OVERFLOW);
  assert.equal(began(store).get("new"), "2");
});

Deno.test("StoreTransaction: a balance is never evicted, whoever else is written with it", () => {
  const store = newStore();
  for (const others of [0, 1]) {
    const t = new StoreTransaction(store, { forEvents: true });
    assert.ok(store.credits.tryAcquire());
    t.begin();
    t.add(`balance:${others}`, 1);
    if (others > 0) t.set("other", "x");
    assert.equal(t.commit(), CommitStatus.OK);
    store.credits.release();
    const key = new Key().set(new TextEncoder().encode(`balance:${others}`), 0, 9);
    store.locate(key);
    store.locks.lock(key.shard, true);
    assert.ok(store.isPinned(store.lookup(0, key)), `${others} others`);
    store.locks.unlock(key.shard, true);
  }
});

Deno.test("StoreTransaction: reads what there is, of every type", () => {
  const store = newStore();
  const t = began(store);
  for (let i = 0; i < 300; i++) {
    t.zadd("z", `m${i}`, i);
    t.hset("h", `f${i}`, i);
  }
  t.rpush("l", "a", "b", new Uint8Array([0xff, 0x00]), 4, 5n);
  t.set("bytes", new Uint8Array([1, 2, 255]));
  t.set("bom", "\ufeffx");
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  assert.deepEqual(t.getBytes("bytes"), new Uint8Array([1, 2, 255]));
  assert.equal(t.get("bom"), "\ufeffx");
  assert.deepEqual(t.lrange("l", -2, -1), ["4", "5"]);
  assert.deepEqual(t.lrange("l", 1, 100).slice(0, 2), ["b", "\ufffd\0"]);
  assert.deepEqual(t.lrange("l", 3, 1), []);
  assert.deepEqual(t.lrange("l", 9, 10), []);
  assert.deepEqual([t.zcard("z"), t.zcount("z", 10, 19), t.zcount("z", 5, 4)], [300, 10, 0]);
  assert.deepEqual([t.zcount("z", -Infinity, Infinity), t.zcount("z", 299.5, 1000)], [300, 0]);
  assert.deepEqual(
    [t.zrank("z", "m3"), t.zrank("z", "m3", { reverse: true }), t.zrank("z", "?")],
    [3, 296, undefined],
  );
  assert.equal(t.zscore("z", "m7"), 7);
  const names = (members: { member: string }[]): string => members.map((m) => m.member).join();
  assert.equal(names(t.zrange("z", 0, 2, { reverse: true })), "m299,m298,m297");
  assert.equal(names(t.zrange("z", -2, -1)), "m298,m299");
  assert.equal(names(t.zrangeByScore("z", 3, 5)), "m3,m4,m5");
  assert.equal(names(t.zrangeByScore("z", 3, 5, { limit: 2, reverse: true })), "m5,m4");
  assert.equal(names(t.zrangeByScore("z", 298.5, Infinity)), "m299");
  assert.equal(names(t.zrangeByScore("z", 3, 5, { limit: 0 })), "");
  assert.deepEqual([t.hlen("h"), t.hget("h", "f17"), t.hget("h", "?")], [300, "17", undefined]);
  assert.deepEqual([t.exists("?"), t.type("?"), t.ttlMs("?"), t.hlen("?")], [
    false,
    undefined,
    undefined,
    0,
  ]);
  assert.deepEqual([...t.hgetall("?")], []);
  assert.throws(() => t.getInteger("bytes"), /TypeError: Cannot read an integer/);
  assert.throws(() => t.hget("z", "f"), { name: "TypeError", message: /^WRONGTYPE Operation/ });
  // The lock was given back each time.
  assert.equal(t.commit(), CommitStatus.OK);
});

Deno.test("StoreTransaction: refuses at once what a commit could not decide", () => {
  const t = began();
  t.set("s", "text");
  t.hset("h", "f", "text");
  t.rpush("l", "x");
  const refusals: [() => void, RegExp][] = [
    [() => t.get("s"), /^Error: Cannot read a key that the same transaction has written/],
    [() => t.hset("s", "f", 1), /Cannot write a key as a hash: .* writes it as a string/],
    [() => t.add("l", 1), /Cannot write a key as an integer: .* writes it as a list/],
    [() => t.rpush("h", 1), /Cannot write a key as a list: .* writes it as a hash/],
    [() => t.add("s", 1), /Cannot add to a key: the transaction sets it to what is no integer/],
    [() => t.hincrby("h", "f", 1), /Cannot add to a field: the transaction sets it/],
    [() => t.add("n", 1.5), /RangeError: Cannot add 1.5: it is not a safe integer/],
    [() => t.add("n", 2n ** 63n), /RangeError: Cannot add 9223372036854775808/],
    [() => t.set("n", NaN), /TypeError: Cannot store NaN/],
    [() => t.set("n", {} as string), /TypeError: Cannot use object as text/],
    [() => t.zadd("z", "m", NaN), /TypeError: Cannot use NaN as a score/],
    [() => t.expire("n", 0), /RangeError: Cannot let a key live for 0 ms/],
    [() => t.set("n", 1, { ttlMs: -1 }), /RangeError: Cannot let a key live for -1 ms/],
    [() => t.set("k".repeat(4097), 1), /RangeError: Cannot use a key of 4097 bytes: .* 4096/],
    [() => t.lrange("?", 0.5, 1), /RangeError: Cannot read from 0.5/],
    [() => t.zcount("?", NaN, 1), /TypeError: Cannot read a range of scores/],
  ];
  for (const [call, message] of refusals) assert.throws(call, message);
  // All of that is as if it had not been called.
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  // And so is a read: the key counts as read when it was looked at.
  assert.throws(() => t.lrange("l", 0.5, 1), RangeError);
  assert.throws(() => t.hget("h", {} as string), TypeError);
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  assert.deepEqual([t.get("s"), t.hgetall("h").size, t.llen("l"), t.exists("n")], [
    "text",
    1,
    1,
    false,
  ]);
});

Deno.test("StoreTransaction: names the bound that is passed", () => {
  const store = newStore(4, 64 * MIB);
  const t = began(store);
  for (let i = 0; i < 1024; i++) t.sadd("set", i < 1001 ? `m${i}` : "m");
  assert.throws(() => t.set("more", 1), /RangeError: Cannot write more: .* at most 1024 changes/);
  assert.throws(() => t.add("set", 1), /at most 1024 changes/);
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  assert.equal(t.scard("set"), 1002);
  assert.throws(() => t.smembers("set"), /RangeError: Cannot read 1002 elements .* 1000 at most/);
  t.set("large", "x".repeat(MIB - 10));
  assert.throws(() => t.set("more", "y".repeat(100)), /at most 1048576 bytes/);
  t.set("t", "");
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  assert.equal(t.get("large")!.length, MIB - 10);
  for (let i = 0; i < 10; i++) t.rpush("list", "e".repeat(MIB / 11));
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  t.rpush("list", ..."ab".split("").map((each) => each.repeat(MIB / 11)));
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  assert.throws(() => t.lrange("list", 0, -1), /Cannot read \d+ bytes at once: .* 1048576 at most/);
  assert.equal(t.lrange("list", 0, 8).length, 9);
  for (let i = 0; i < 1022; i++) t.exists(`key ${i}`);
  t.exists("one more");
  assert.throws(() => t.exists("too many"), /Cannot read more: a transaction reads 1024 keys/);
  assert.equal(t.commit(), CommitStatus.OK);
  const small = began(Store.create({ ...OPTIONS, maxValueBytes: 1000 }));
  assert.throws(() => small.set("a", "x".repeat(1001)), /value of 1001 bytes: .* takes 1000/);
});

Deno.test("StoreTransaction: without memory nothing is made, and the next one finds some that is there", () => {
  const store = newStore(1, 3 * MIB);
  const t = new StoreTransaction(store);
  let count = 0;
  for (;; count++) {
    t.begin();
    t.set(`filler ${count}`, "f".repeat(60_000));
    t.hset("count", "of all", count);
    if (t.commit() !== CommitStatus.OK) break;
  }
  assert.ok(count > 20);
  t.begin();
  assert.deepEqual([t.hget("count", "of all"), t.exists(`filler ${count}`)], [
    String(count - 1),
    false,
  ]);
  t.del("filler 0");
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  t.set(`filler ${count}`, "f".repeat(60_000));
  assert.equal(t.commit(), CommitStatus.OK);
  store.assertInvariants();
});

Deno.test("StoreTransaction: a read that finds no memory for its copy fails alone", () => {
  const store = newStore();
  const t = began(store);
  t.set("a", "x".repeat(100));
  assert.equal(t.commit(), CommitStatus.OK);
  t.begin();
  const fault = new RangeError("Array buffer allocation failed");
  const { copyString } = store;
  store.copyString = () => {
    throw fault;
  };
  assert.throws(() => t.get("a"), fault);
  store.copyString = copyString;
  assert.equal(t.get("a")!.length, 100);
  assert.equal(t.commit(), CommitStatus.OK);
  // What cannot be is another matter: the store is not what it is taken for.
  t.begin();
  store.copyString = () => {
    assertHouse(false, "a string has its bytes");
    return 0;
  };
  assert.throws(() => t.get("a"), /a string has its bytes/);
  store.copyString = copyString;
  t.begin();
  assert.throws(() => t.get("a"), LockPoisonedError);
});
