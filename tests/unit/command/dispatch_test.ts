import assert from "node:assert/strict";
import type { CommandCall } from "../../../src/command/call.ts";
import { WRITE_RECLAIM_ATTEMPTS } from "../../../src/command/reclaim_limits.ts";
import { CommandTable } from "../../../src/command/lookup.ts";
import { CommandRow, type Handler, HandlerStatus } from "../../../src/command/row.ts";
import { Key } from "../../../src/store/key.ts";
import { LockPoisonedError } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import { Count, Harness, latin1, pause, request, settled } from "./harness.ts";

/** The shard that a key lies in. */
function shardOf(store: Store, name: string): number {
  const bytes = latin1(name);
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  return key.shard;
}

/** Names of keys, one in each of `count` different shards, ascending by shard. */
function keysInDifferentShards(store: Store, count: number): string[] {
  const names: string[] = [];
  for (let i = 0; names.filter(Boolean).length < store.shardCount; i++) {
    names[shardOf(store, `key${i}`)] ??= `key${i}`;
  }
  return names.slice(0, count);
}

/** A table whose only command runs `handler` on all its keys. */
function tableOf(handler: Handler): CommandTable {
  const row = new CommandRow({
    name: "probe",
    arity: -2,
    summary: "Runs the test's code.",
    group: "server",
    since: "0.1.0",
    flags: ["write"],
    access: "write",
    firstKey: 1,
    lastKey: -1,
    cost: "per-key",
    reply: "ok",
    handler,
  });
  return new CommandTable([row]);
}

for (const lockKind of ["mutex", "rwlock"] as const) {
  Deno.test(`Dispatcher: a command whose ${lockKind} is held parks and runs later`, async () => {
    const harness = new Harness({ shardCount: 1, lockKind });
    const other = Store.attach(harness.store.memory, 1);
    other.locks.lock(0, true);
    let done = 0;
    const replies = ["SET a 1\r\n", "GET a\r\n", "DEL a\r\n"].map(async (text) => {
      const reply = await harness.ask(text);
      done++;
      return reply;
    });
    await pause();
    assert.equal(done, 0);
    assert.equal(harness.counters.values[Count.PARKED], 3);
    assert.equal(await harness.ask("PING\r\nDBSIZE\r\n"), "+PONG\r\n:0\r\n");
    other.locks.unlock(0, true);
    const [set, get, del] = await settled(Promise.all(replies));
    // Different connections have no order among each other.
    assert.equal(set, "+OK\r\n");
    assert.match(get!, /^\$(1\r\n1|-1)\r\n$/);
    assert.match(del!, /^:[01]\r\n$/);
    assert.equal(harness.store.locks.heldBy(0), -1);
    harness.store.assertInvariants();
  });
}

Deno.test("Dispatcher: readers share an rwlock and do not park", async () => {
  const harness = new Harness({ shardCount: 1, lockKind: "rwlock" });
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, false);
  assert.equal(await harness.ask("GET a\r\nEXISTS a b\r\n"), "$-1\r\n:0\r\n");
  assert.equal(harness.counters.values[Count.PARKED], 0);
  other.locks.unlock(0, false);
});

Deno.test("Dispatcher: a command on several keys waits without holding any lock", async () => {
  const harness = new Harness();
  const [low, high] = keysInDifferentShards(harness.store, 2);
  await harness.ask(`SET ${low} 1\r\nSET ${high} 2\r\n`);
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(shardOf(harness.store, high!), true);
  const deletion = harness.ask(`DEL ${low} ${high} ${low}\r\n`);
  await pause();
  // Nothing is half deleted, and the free shard can be used.
  assert.equal(await harness.ask(`GET ${low}\r\nSET ${low} 3\r\n`), "$1\r\n1\r\n+OK\r\n");
  other.locks.unlock(shardOf(harness.store, high!), true);
  assert.equal(await settled(deletion), ":2\r\n");
  assert.equal(await harness.ask("DBSIZE\r\n"), ":0\r\n");
  assert.equal(harness.store.locks.heldBy(0), -1);
});

Deno.test("Dispatcher: a deletion of several keys is seen whole or not at all", async () => {
  const seen: number[] = [];
  const harness = new Harness({ shardCount: 64 });
  const keys = keysInDifferentShards(harness.store, 40);
  const other = Store.attach(harness.store.memory, 1);
  await harness.ask(keys.map((key) => `SET ${key} 1\r\n`).join(""));
  other.locks.lock(39, true);
  other.locks.lock(7, true);
  const deletion = harness.ask(request("DEL", ...keys));
  for (const shard of [7, 39]) {
    await pause();
    seen.push(harness.store.keyCount(0));
    other.locks.unlock(shard, true);
  }
  assert.equal(await settled(deletion), ":40\r\n");
  seen.push(harness.store.keyCount(0));
  assert.deepEqual(seen, [40, 40, 0]);
  for (let shard = 0; shard < 64; shard++) {
    assert.ok(other.locks.tryLock(shard, true), `shard ${shard} is free`);
    other.locks.unlock(shard, true);
  }
});

Deno.test("Dispatcher: a handler has exactly the locks of its keys", async () => {
  const held: number[][] = [];
  const harness = new Harness({
    shardCount: 64,
    table: tableOf((call) => {
      held.push([]);
      for (let shard = 0; shard < 64; shard++) {
        if (!other.locks.tryLock(shard, true)) held.at(-1)!.push(shard);
        else other.locks.unlock(shard, true);
      }
      call.sink.ok();
      return HandlerStatus.DONE;
    }),
  });
  const other = Store.attach(harness.store.memory, 1);
  const keys = keysInDifferentShards(harness.store, 64);
  for (const count of [1, 2, 8, 9, 10, 40, 3]) {
    const wanted = keys.slice(64 - count);
    // Out of order and twice: a lock is taken once all the same.
    const words = [...wanted].reverse();
    assert.equal(await harness.ask(request("probe", ...words, ...words)), "+OK\r\n");
    assert.deepEqual(held.at(-1), wanted.map((name) => shardOf(harness.store, name)));
  }
});

Deno.test("Dispatcher: a command without memory is tried again after some was reclaimed", async () => {
  const harness = new Harness();
  let reclaims = 0;
  harness.store.reclaim = () => {
    assert.equal(harness.store.locks.heldBy(0), -1);
    return ++reclaims > 0;
  };
  harness.store.failAllocationAfter(0);
  assert.equal(await harness.ask("SET k 1\r\nGET k\r\n"), "+OK\r\n$1\r\n1\r\n");
  assert.equal(reclaims, 1);
});

Deno.test("Dispatcher: SET with GET replies once although it had to be tried again", async () => {
  const harness = new Harness();
  harness.store.reclaim = () => true;
  const client = harness.connect();
  await client.send("SET k old\r\n");
  harness.store.failAllocationAfter(0);
  assert.equal(await client.send(`SET k ${"n".repeat(100)} GET\r\n`), "$3\r\nold\r\n");
  assert.equal(await client.send("GET k\r\n"), `$100\r\n${"n".repeat(100)}\r\n`);
});

Deno.test("Dispatcher: reclaiming is bounded, then the command is refused", async () => {
  let runs = 0;
  const harness = new Harness({
    table: tableOf(() => {
      runs++;
      return HandlerStatus.RETRY;
    }),
  });
  harness.store.reclaim = () => true;
  const refusal = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  assert.equal(await harness.ask("probe a\r\nprobe a b c d e\r\n"), refusal.repeat(2));
  assert.equal(runs, 2 * (WRITE_RECLAIM_ATTEMPTS + 1));
  harness.store.reclaim = () => false;
  assert.equal(await harness.ask("probe a\r\n"), refusal);
  assert.equal(runs, 2 * (WRITE_RECLAIM_ATTEMPTS + 1) + 1);
});

Deno.test("Dispatcher: a parked command without memory is tried again, too", async () => {
  let runs = 0;
  const harness = new Harness({
    shardCount: 1,
    table: tableOf((call) => {
      if (++runs < 3) return HandlerStatus.RETRY;
      call.sink.ok();
      return HandlerStatus.DONE;
    }),
  });
  harness.store.reclaim = () => true;
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, true);
  const pending = harness.ask("probe a\r\n");
  await pause(1);
  other.locks.unlock(0, true);
  assert.equal(await settled(pending), "+OK\r\n");
  assert.equal(runs, 3);
});

Deno.test("Dispatcher: a full store refuses writes, serves reads and stays sound", async () => {
  const harness = new Harness({ shardCount: 4, maxMemoryBytes: 8 * 2 ** 20 });
  const client = harness.connect(2 ** 16);
  const value = "v".repeat(20_000);
  let reply = "+OK\r\n";
  let count = 0;
  for (; reply === "+OK\r\n" && count < 1000; count++) {
    reply = await client.send(request("SET", `k${count}`, value));
  }
  assert.equal(reply, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  assert.ok(count > 300, `${count} keys fit`);
  assert.equal(await client.send("GET k0\r\n"), `$20000\r\n${value}\r\n`);
  const some = Array.from({ length: 50 }, (_, i) => `k${i}`);
  assert.equal(await client.send(request("DEL", ...some)), ":50\r\n");
  assert.equal(await client.send(request("SET", "again", value)), "+OK\r\n");
  harness.store.assertInvariants();
});

Deno.test("Dispatcher: a handler that throws poisons its locks and names itself", async () => {
  const harness = new Harness({
    shardCount: 4,
    table: tableOf(() => {
      throw new TypeError("our bug");
    }),
  });
  const [first, second, third] = keysInDifferentShards(harness.store, 3);
  await assert.rejects(harness.ask(`probe ${first}\r\n`), TypeError);
  await assert.rejects(harness.ask(`probe ${second} ${third}\r\n`), TypeError);
  const other = Store.attach(harness.store.memory, 1);
  for (const name of [first!, second!, third!]) {
    assert.throws(
      () => other.locks.tryLock(shardOf(harness.store, name), true),
      LockPoisonedError,
    );
  }
  assert.equal(other.locks.tryLock(3, true), true);
  const fault = await settled(harness.store.locks.waitForFault());
  assert.equal(fault.threadId, 0);
  assert.equal(harness.services.table.operationName(fault.operation), "probe");
  await assert.rejects(harness.ask(`probe ${first}\r\n`), LockPoisonedError);
});

Deno.test("Dispatcher: a parked handler that throws poisons its lock, too", async () => {
  const harness = new Harness({
    shardCount: 1,
    table: tableOf(() => {
      throw new TypeError("our bug");
    }),
  });
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, true);
  const failing = assert.rejects(harness.ask("probe a\r\n"), TypeError);
  await pause(1);
  other.locks.unlock(0, true);
  await settled(failing);
  assert.throws(() => other.locks.tryLock(0, true), LockPoisonedError);
});

Deno.test("Dispatcher: the keys of a parked command are its own", async () => {
  const seen: string[] = [];
  const harness = new Harness({
    shardCount: 1,
    table: tableOf((call: CommandCall) => {
      for (let i = 1; i < call.args.count; i++) {
        const { bytes, start, end } = call.keyAt(i);
        seen.push(String.fromCharCode(...bytes.subarray(start, end)));
      }
      call.sink.ok();
      return HandlerStatus.DONE;
    }),
  });
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, true);
  const replies = [harness.ask("probe a b\r\n"), harness.ask("probe c\r\n")];
  await pause(1);
  other.locks.unlock(0, true);
  assert.deepEqual(await settled(Promise.all(replies)), ["+OK\r\n", "+OK\r\n"]);
  assert.deepEqual(seen.sort(), ["a", "b", "c"]);
});

Deno.test("Dispatcher: the locks of a parked command are its own", async () => {
  const held: number[][] = [];
  const harness = new Harness({
    shardCount: 4,
    table: tableOf((call) => {
      held.push([]);
      for (let shard = 0; shard < 4; shard++) {
        if (!other.locks.tryLock(shard, true)) held.at(-1)!.push(shard);
        else other.locks.unlock(shard, true);
      }
      call.sink.ok();
      return HandlerStatus.DONE;
    }),
  });
  const other = Store.attach(harness.store.memory, 1);
  const [a, b, c, d] = keysInDifferentShards(harness.store, 4);
  other.locks.lock(1, true);
  const pending = harness.ask(`probe ${a} ${b}\r\n`);
  await pause(1);
  assert.equal(await harness.ask(`probe ${c} ${d}\r\n`), "+OK\r\n");
  other.locks.unlock(1, true);
  assert.equal(await settled(pending), "+OK\r\n");
  // Shard 1 was held by the test itself at first, which a try cannot tell from a handler's lock.
  assert.deepEqual(held, [[1, 2, 3], [0, 1]]);
});

Deno.test("Dispatcher: takes the time once per batch and anew after parking", async () => {
  const harness = new Harness({ shardCount: 1 });
  await harness.ask("SET k v PX 1000\r\n");
  harness.nowMs += 999;
  assert.equal(await harness.ask("EXISTS k\r\n"), ":1\r\n");
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, true);
  const pending = harness.ask("GET k\r\n");
  await pause(1);
  harness.nowMs += 1;
  other.locks.unlock(0, true);
  assert.equal(await settled(pending), "$-1\r\n");
});
