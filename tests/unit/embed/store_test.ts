import assert from "node:assert/strict";
import { BoundedChannel, Store, StoreError, type StoreErrorCode } from "../../../src/mod.ts";
import { say } from "../../helpers/say.ts";
import { CrewMember, sayIfNobodyNotices } from "./crew.ts";

const MIB = 2 ** 20;
const SMALL = { maxMemoryBytes: 8 * MIB, shards: 4 };

function refused(code: StoreErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.code, code);
    return true;
  };
}

Deno.test("embedded Store: strings are what they were set to, by any kind of key and value", () => {
  using store = Store.create(SMALL);
  const long = "ü€".repeat(3000);
  const values: [string | Uint8Array, string | Uint8Array | number | bigint, string][] = [
    ["text", "hello", "hello"],
    ["", "the empty key", "the empty key"],
    ["empty", "", ""],
    ["long", long, long],
    ["ключ", "значение", "значение"],
    [Uint8Array.of(0, 255), Uint8Array.of(104, 105), "hi"],
    ["number", 1.5, "1.5"],
    ["zero", -0, "0"],
    ["bigint", 2n ** 63n, "9223372036854775808"],
    ["k".repeat(4096), "longest key", "longest key"],
  ];
  for (const [key, value] of values) store.set(key, value);
  for (const [key, , expected] of values) {
    assert.equal(store.get(key), expected);
    assert.deepEqual(store.getBytes(key), new TextEncoder().encode(expected));
    assert.equal(store.type(key), "string");
  }
  assert.equal(store.get("nobody"), undefined);
  assert.equal(store.getBytes("nobody"), undefined);
  assert.equal([...store.keys()].length, values.length);
  assert.equal(store.usage().keyCount, values.length);
});

Deno.test("embedded Store: is a Map of strings, whatever is done to it", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  say(`seed ${seed}`);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  using store = Store.create({ maxMemoryBytes: 16 * MIB, shards: 2 });
  const model = new Map<string, string>();
  for (let i = 0; i < 20_000; i++) {
    const key = `key:${random(200)}`;
    switch (random(5)) {
      case 0: {
        const value = "x".repeat(random(40) === 0 ? random(50_000) : random(100));
        store.set(key, value);
        model.set(key, value);
        break;
      }
      case 1:
        assert.equal(store.del(key), model.delete(key));
        break;
      case 2: {
        const before = model.get(key) ?? "0";
        if (!/^(0|-?[1-9][0-9]*)$/.test(before)) {
          assert.throws(() => store.add(key), refused("NOT_AN_INTEGER"));
          break;
        }
        const sum = BigInt(before) + 7n;
        assert.equal(store.add(key, 7), sum);
        model.set(key, String(sum));
        break;
      }
      default:
        assert.equal(store.get(key), model.get(key));
    }
  }
  assert.deepEqual([...store.keys()].sort(), [...model.keys()].sort());
});

Deno.test("embedded Store: keys go when their time is over, and not before", async () => {
  using store = Store.create(SMALL);
  store.set("stays", "a");
  store.set("goes", "b", { ttlMs: 60 });
  store.set("kept", "c", { ttlMs: 60_000 });
  store.set("kept", "d", { keepTtl: true });
  store.set("for ever", "e", { ttlMs: 60_000 });
  store.set("for ever", "f");
  assert.equal(store.ttlMs("stays"), Infinity);
  assert.equal(store.ttlMs("for ever"), Infinity);
  assert.equal(store.ttlMs("nobody"), undefined);
  assert.ok(store.ttlMs("goes")! <= 60);
  assert.ok(store.ttlMs("kept")! > 50_000 && store.get("kept") === "d");
  assert.equal(store.expire("stays", 60_000), true);
  assert.equal(store.persist("stays"), true);
  assert.equal(store.ttlMs("stays"), Infinity);
  assert.equal(store.expire("nobody", 1), false);
  assert.throws(() => store.set("goes", "x", { ttlMs: 0 }), RangeError);
  // The maker removes it: nobody looks at it.
  const untilMs = performance.now() + 10_000;
  while (store.usage().expiredKeys === 0 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(store.usage().expiredKeys, 1);
  assert.equal(store.exists("goes"), false);
});

Deno.test("embedded Store: collections have what was put into them", () => {
  using store = Store.create(SMALL);
  store.hset("hash", "name", "Ada");
  store.hincrby("hash", "visits", 3);
  store.hset("hash", "gone", 1);
  store.hdel("hash", "gone", "never there");
  assert.deepEqual(store.hgetall("hash"), new Map([["name", "Ada"], ["visits", "3"]]));
  assert.deepEqual([store.hget("hash", "name"), store.hlen("hash")], ["Ada", 2]);
  store.sadd("set", "a", "b", "c");
  store.srem("set", "b");
  assert.deepEqual(store.smembers("set").sort(), ["a", "c"]);
  assert.deepEqual([store.sismember("set", "a"), store.scard("set")], [true, 2]);
  store.zadd("zset", "one", 1);
  store.zincrby("zset", "two", 2);
  store.zadd("zset", "three", 3);
  store.zrem("zset", "three");
  assert.deepEqual(store.zrange("zset", 0, -1, { reverse: true }), [
    { member: "two", score: 2 },
    { member: "one", score: 1 },
  ]);
  assert.deepEqual(store.zrangeByScore("zset", 0, 1), [{ member: "one", score: 1 }]);
  assert.deepEqual([store.zscore("zset", "two"), store.zrank("zset", "two")], [2, 1]);
  assert.deepEqual([store.zcard("zset"), store.zcount("zset", 2, 9)], [2, 1]);
  store.rpush("list", "b", "c");
  store.lpush("list", "a");
  assert.deepEqual([store.lrange("list", 0, -1), store.llen("list")], [["a", "b", "c"], 3]);
  assert.deepEqual(["hash", "set", "zset", "list"].map((key) => store.type(key)), [
    ...["hash", "set", "zset", "list"],
  ]);
});

Deno.test("embedded Store: what it refuses says why, and changes nothing", () => {
  using store = Store.create({ ...SMALL, maxValueBytes: 1000 });
  store.set("text", "abc");
  store.set("most", 2n ** 63n - 1n);
  store.sadd("set", "member");
  const refusals: [StoreErrorCode, () => unknown][] = [
    ["NOT_AN_INTEGER", () => store.add("text")],
    ["NOT_AN_INTEGER", () => store.getInteger("text")],
    ["OVERFLOW", () => store.add("most")],
    ["WRONG_TYPE", () => store.get("set")],
    ["WRONG_TYPE", () => store.add("set")],
    ["WRONG_TYPE", () => store.hget("set", "field")],
    ["WRONG_TYPE", () => store.hset("set", "field", 1)],
    ["WRONG_TYPE", () => store.transaction((tx) => tx.get("set"))],
    ["VALUE_TOO_LARGE", () => store.set("large", "x".repeat(1001))],
    ["KEY_TOO_LONG", () => store.set("k".repeat(4097), "x")],
    ["NOT_AN_INTEGER", () => store.transaction((tx) => (tx.add("text", 1), tx.set("other", 1)))],
    ["KEY_TOO_LONG", () => store.hset("k".repeat(4097), "field", 1)],
    ["KEY_TOO_LONG", () => store.hget("k".repeat(4097), "field")],
    ["KEY_TOO_LONG", () => store.transaction((tx) => tx.set("k".repeat(4097), 1))],
    ["VALUE_TOO_LARGE", () => store.hset("hash", "f".repeat(1001), 1)],
    ["VALUE_TOO_LARGE", () => store.hset("hash", "field", "x".repeat(1001))],
    ["VALUE_TOO_LARGE", () => store.hincrby("hash", "f".repeat(1001), 1)],
    ["VALUE_TOO_LARGE", () => store.sadd("other set", "a", "m".repeat(1001))],
    ["VALUE_TOO_LARGE", () => store.zadd("zset", "m".repeat(1001), 1)],
    ["VALUE_TOO_LARGE", () => store.rpush("list", "a", "x".repeat(1001))],
    ["VALUE_TOO_LARGE", () => store.hset("hash", "f".repeat(2 * MIB), 1)],
    ["VALUE_TOO_LARGE", () => store.hget("hash", "f".repeat(2 * MIB))],
    ["VALUE_TOO_LARGE", () => store.transaction((tx) => tx.hset("hash", "f".repeat(1001), 1))],
    ["OVERFLOW", () => store.transaction((tx) => (tx.set("n", 2n ** 63n - 1n), tx.add("n", 1)))],
  ];
  for (const [code, operation] of refusals) assert.throws(operation, refused(code));
  assert.throws(() => store.add("text", 0.5), RangeError);
  assert.throws(() => store.add("text", 2n ** 63n), RangeError);
  assert.throws(() => store.set("text", Infinity), TypeError);
  assert.throws(() => store.set("text", {} as string), TypeError);
  const manyBytes = () => store.transaction((tx) => tx.set("text", "x".repeat(2 * MIB)));
  assert.throws(manyBytes, /^RangeError: Cannot take more keys and values: a transaction has/);
  for (const maxAttempts of [NaN, 0, -1, 1.5]) {
    const run = () => store.transaction((tx) => tx.set("text", 1), { maxAttempts });
    assert.throws(run, /^RangeError: Cannot run a transaction with maxAttempts/);
  }
  assert.throws(() => store.sweep(NaN), /^RangeError: Cannot sweep with budgetMs NaN/);
  assert.deepEqual([...store.keys()].sort(), ["most", "set", "text"]);
  assert.equal(store.get("text"), "abc");
});

Deno.test("embedded Store: a full one refuses, and goes on when there is room; or keys make room", () => {
  const value = "x".repeat(10_000);
  {
    using store = Store.create({ maxMemoryBytes: 2 * MIB, shards: 1 });
    let count = 0;
    const fill = (): void => {
      for (;; count++) store.set(`key:${count}`, value);
    };
    assert.throws(fill, refused("OUT_OF_MEMORY"));
    assert.ok(count > 100, `${count} fit`);
    store.del("key:1");
    store.set("key:1", value);
  }
  using store = Store.create({ maxMemoryBytes: 2 * MIB, shards: 1, eviction: "allkeys-lru" });
  for (let i = 0; i < 1000; i++) store.set(`key:${i}`, value);
  assert.equal(store.get("key:999"), value);
  assert.ok(store.usage().evictedKeys > 500);
});

Deno.test("embedded Store: options that cannot be are refused with what would be right", () => {
  for (
    const options of [
      { shards: 3 },
      { shards: 0 },
      { shards: 64, maxMemoryBytes: MIB },
      { maxMemoryBytes: 1000 },
      { maxMemoryBytes: NaN },
      { maxValueBytes: 0 },
      { maxThreads: 0 },
      { eviction: "lru" as "allkeys-lru" },
    ]
  ) {
    assert.throws(() => Store.create(options), /^RangeError: Cannot make a store with .+/);
  }
  assert.throws(() => Store.attach({} as never), /^TypeError: Cannot attach/);
});

Deno.test("embedded Store: threads have ids of their own, and lose no sum", async () => {
  using store = Store.create(SMALL);
  using first = new CrewMember("count", { memory: store.memory, times: 20_000 });
  using second = new CrewMember("count", { memory: store.memory, times: 20_000 });
  for (let i = 0; i < 20_000; i++) store.add(`key:${i % 3}`);
  const ids = await Promise.all([first.result, second.result]);
  const sums = [0, 1, 2].map((i) => store.getInteger(`key:${i}`)!);
  assert.equal(sums.reduce((sum, value) => sum + value), 60_000n);
  assert.ok(!ids.includes(store.threadId), `${ids}`);
  assert.equal(store.usage().threadCount, 1, "who is done has given its id back");
});

Deno.test("embedded Store: one thread too many is told so, until another one goes", () => {
  using store = Store.create({ ...SMALL, maxThreads: 3 });
  const others = [Store.attach(store.memory), Store.attach(store.memory)];
  assert.deepEqual([store, ...others].map(({ threadId }) => threadId), [0, 1, 2]);
  assert.throws(() => Store.attach(store.memory), refused("TOO_MANY_THREADS"));
  others[0]!.close();
  others[0]!.close();
  assert.throws(() => others[0]!.get("key"), refused("CLOSED"));
  assert.throws(() => others[0]!.hget("key", "field"), refused("CLOSED"));
  using next = Store.attach(store.memory);
  assert.equal(next.threadId, 1);
  others[1]!.close();
});

Deno.test("embedded Store: a transaction is made whole or not at all, among threads", async () => {
  const accounts = 5;
  using store = Store.create(SMALL);
  for (let i = 0; i < accounts; i++) store.set(`account:${i}`, 1000);
  const input = { memory: store.memory, times: 3000, accounts };
  using one = new CrewMember("transfer", input);
  using other = new CrewMember("transfer", input);
  using auditor = new CrewMember("audit", { ...input, times: 500 });
  const attempts = await Promise.all([one.result, other.result]);
  assert.deepEqual(await auditor.result, [5000n], "nobody saw half of a transfer");
  const sum = store.transaction((tx) => {
    let total = 0n;
    for (let i = 0; i < accounts; i++) total += tx.getInteger(`account:${i}`)!;
    return total;
  });
  assert.equal(sum, 5000n);
  assert.ok(Math.max(...attempts as number[]) > 1, "they met");
});

Deno.test("embedded Store: a transaction that throws, or is not what it should be, changes nothing", async () => {
  using store = Store.create(SMALL);
  const failure = new Error("no");
  assert.throws(
    () =>
      store.transaction((tx) => {
        tx.set("key", "value");
        throw failure;
      }),
    failure,
  );
  assert.throws(
    () => store.transaction((tx) => Promise.resolve(tx.set("key", "value"))),
    /TypeError: Cannot commit: the function is async/,
  );
  assert.throws(() =>
    store.transaction((tx) => {
      tx.get("key");
      store.add("key");
      tx.set("other", 1);
    }, { maxAttempts: 3 }), refused("CONFLICT"));
  assert.equal(store.get("key"), "3", "only what was done outside of it");
  assert.equal(store.exists("other"), false);
  const sum = await store.transactionAsync(async (tx) => {
    const value = tx.getInteger("key")!;
    if (tx.attempt === 1) store.add("key");
    await Promise.resolve();
    tx.set("key", value * 2n);
    return value;
  });
  assert.deepEqual([sum, store.get("key")], [4n, "8"]);
});

Deno.test("embedded Store: what was under way when it was closed changes nothing and takes no lock", async () => {
  using other = Store.create(SMALL);
  for (let i = 0; i < 500; i++) other.set(`key ${i}`, i);
  const inLoop = Store.attach(other.memory);
  const keys = inLoop.keys();
  keys.next();
  inLoop.close();
  assert.throws(() => [...keys], refused("CLOSED"));

  const inBody = Store.attach(other.memory);
  assert.throws(() =>
    inBody.transaction((tx) => {
      tx.set("sync", 1);
      inBody.close();
    }), refused("CLOSED"));

  const inAwait = Store.attach(other.memory);
  const { promise, resolve } = Promise.withResolvers<void>();
  const quiet = inAwait.transactionAsync(async (tx) => {
    tx.set("quiet", 1);
    await promise;
  });
  const busy = inAwait.transactionAsync(async (tx) => {
    await promise;
    tx.get("key 1");
  });
  inAwait.close();
  resolve();
  await assert.rejects(quiet, refused("CLOSED"));
  await assert.rejects(busy, refused("CLOSED"));
  assert.deepEqual(["sync", "quiet"].map((key) => other.exists(key)), [false, false]);
});

Deno.test("embedded Store: what a function does late is not done by another one's transaction", async () => {
  using store = Store.create(SMALL);
  const begun = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  assert.throws(() =>
    store.transaction(async (tx) => {
      await begun.promise;
      tx.set("late", 1);
    }), TypeError);
  await store.transactionAsync((tx) => {
    // Not waited for.
    void begun.promise.then(() => tx.set("later", 1)).catch(() => {});
    return Promise.resolve();
  });
  await store.transactionAsync(async (tx) => {
    begun.resolve();
    setTimeout(late.resolve);
    await late.promise;
    tx.set("own", 1);
  });
  assert.deepEqual([...store.keys()], ["own"]);
});

Deno.test("embedded Store: memory that is none of a store's is refused, and says so", () => {
  using store = Store.create(SMALL);
  const none = [
    undefined,
    { kind: "sluice-store", buffers: [] },
    JSON.parse(JSON.stringify(store.memory)),
    store,
  ];
  for (const memory of none) {
    assert.throws(() => Store.attach(memory), {
      name: "TypeError",
      message: "Cannot attach: this is not the memory of a store",
    });
  }
});

Deno.test("embedded Store: memory of another version is refused like any that is none", () => {
  const buffers = [0, 1, 2].map(() => new SharedArrayBuffer(1024));
  const message = "Cannot attach: the memory is not that of this version";
  assert.throws(() => Store.attach({ kind: "sluice-store", buffers }), {
    name: "TypeError",
    message,
  });
  assert.throws(() => BoundedChannel.attach({ kind: "sluice-channel", buffers }), {
    name: "TypeError",
    message,
  });
});

Deno.test("embedded Store: an argument of the wrong type is called what it is", () => {
  using store = Store.create(SMALL);
  assert.throws(() => store.add("n", "5" as never), {
    name: "TypeError",
    message: "Cannot add string: it takes a safe integer, or a bigint",
  });
  assert.throws(() => store.add("n", null as never), /^TypeError: Cannot add object: it takes/);
  assert.throws(() => store.get(undefined as never), /^TypeError: Cannot use undefined as text/);
  assert.equal(store.get("n"), undefined);
});

Deno.test("embedded Store: what a thread held that ended without a word is given back by itself", async () => {
  using store = Store.create(SMALL);
  store.set("key", "value");
  using member = new CrewMember("dieWithLocks", { memory: store.memory });
  assert.equal(await member.heard(), 1);
  await sayIfNobodyNotices(() => store.recover(1));
  const untilMs = performance.now() + 20_000;
  while (store.usage().threadCount > 1 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(store.usage().threadCount, 1);
  assert.equal(store.get("key"), "value");
  assert.equal(store.recover(1), "none", "it is settled");
  assert.throws(() => store.recover(0), RangeError);
  assert.throws(() => store.recover(64), RangeError);
});

Deno.test("embedded Store: one that was torn says so to everybody", async () => {
  using store = Store.create({ ...SMALL, shards: 1 });
  using member = new CrewMember("dieTorn", { memory: store.memory });
  await member.heard();
  await sayIfNobodyNotices(() => store.recover(1));
  const untilMs = performance.now() + 20_000;
  while (store.usage().threadCount > 1 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.throws(() => store.get("key"), refused("TORN"));
  assert.throws(() => store.hset("key", "field", 1), refused("TORN"));
});

Deno.test("embedded Store: neither it nor a channel keeps a program from ending", async () => {
  const module = new URL("../../../src/embed/portable.ts", import.meta.url).href;
  const code = `import { BoundedChannel, Store } from ${JSON.stringify(module)};
    const store = Store.create({ maxMemoryBytes: ${8 * MIB} });
    const channel = BoundedChannel.create();
    setTimeout(() => channel.trySend("late"), 50);
    console.log(store.add("n"), (await channel.recvAsync()).length);`;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    signal: AbortSignal.timeout(20_000),
  }).output();
  assert.ok(success);
  assert.match(new TextDecoder().decode(stdout), /1n 4/);
});
