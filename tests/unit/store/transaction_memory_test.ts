/** Transactions and memory: all or nothing when there is none, and no more than was promised. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import { EntryType, type Store } from "../../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../../src/store/transaction.ts";
import { effort } from "../../helpers/effort.ts";
import { Dice, open } from "./collection_helpers.ts";
import { keyOf, pattern, set, smallStore } from "./helpers.ts";

const SEED = 31_337;
const PAGE_BYTES = 65_536;

/** Everything that a store has, as text. */
function contents(store: Store, names: readonly string[]): string {
  const t = new StoreTransaction(store, { clock: () => store.nowMs });
  t.begin();
  return JSON.stringify(names.map((name) => {
    switch (t.type(name)) {
      case "string":
        return [name, t.get(name), t.ttlMs(name)];
      case "list":
        return [name, t.lrange(name, 0, -1), t.ttlMs(name)];
      case "hash":
        return [name, [...t.hgetall(name)].sort(), t.ttlMs(name)];
      case "set":
        return [name, t.smembers(name).sort(), t.ttlMs(name)];
      case "zset":
        return [name, t.zrange(name, 0, -1), t.ttlMs(name)];
      default:
        return [name];
    }
  }));
}

/** Puts something of every type into a store. */
function setUp(t: StoreTransaction): void {
  t.begin();
  t.set("old string", "x".repeat(100));
  t.set("old number", 7);
  t.set("old large", "y".repeat(30_000));
  t.set("old timed", "z", { ttlMs: 1000 });
  for (let i = 0; i < 100; i++) {
    t.hset("old hash", `field ${i}`, `value ${i}`);
    t.sadd("old set", `member ${i}`);
    t.zadd("old sorted set", `member ${i}`, i);
    t.rpush("old list", `element ${i}`);
  }
  assert.equal(t.commit(), CommitStatus.OK);
}

const WRITES: Record<string, (t: StoreTransaction, name: string) => void> = {
  "set a new string": (t) => t.set("new", "v"),
  "set a large string": (t) => t.set("new", "v".repeat(100_000)),
  "set a string with a time to live": (t) => t.set("old string", "w".repeat(99), { ttlMs: 5 }),
  "replace a collection by a string": (t) => t.set("old hash", "w"),
  "add to nothing": (t) => t.add("new", 5),
  "add to a text of digits": (t) => t.add("old number", 5),
  "delete and add": (t) => {
    t.del("old list");
    t.add("old list", 1);
  },
  "delete": (t) => t.del("old sorted set"),
  "expire a string": (t) => t.expire("old large", 50),
  "expire a collection": (t) => t.expire("old hash", 50),
  "persist": (t) => t.persist("old timed"),
  "fields": (t) => {
    for (let i = 0; i < 200; i++) t.hset("old hash", `other ${i}`, "o".repeat(i));
    t.hset("old hash", "long", "l".repeat(70_000));
    t.hdel("old hash", "field 1", "field 2");
  },
  "a new hash": (t) => t.hincrby("new", "f", 3),
  "members": (t) => {
    for (let i = 0; i < 200; i++) t.sadd("old set", `other ${i}`);
    t.srem("old set", "member 1");
  },
  "scores": (t) => {
    for (let i = 0; i < 200; i++) t.zincrby("old sorted set", `member ${i}`, 1000 - i);
    t.zrem("old sorted set", "member 3");
    t.expire("old sorted set", 77);
  },
  "elements": (t) => {
    for (let i = 0; i < 200; i++) t.lpush("old list", `front ${i}`);
    for (let i = 0; i < 200; i++) t.rpush("old list", `back ${i}`, "b".repeat(2000));
  },
};
const NAMES = [
  "old string",
  "old number",
  "old large",
  "old timed",
  "old hash",
  "old set",
  "old sorted set",
  "old list",
  "new",
];

Deno.test("StoreTransaction: whichever request for memory fails, all is done or nothing", () => {
  const cases = Object.entries(WRITES);
  // Each alone, and each together with the one behind it.
  const pairs = cases.map(([name, write], i) => {
    const [otherName, other] = cases[(i + 1) % cases.length]!;
    return [`${name}, ${otherName}`, (t: StoreTransaction) => {
      write(t, "");
      try {
        other(t, "");
      } catch {
        // Of two types at one key: the first one stands alone.
      }
    }] as const;
  });
  let refused = 0;
  for (const forEvents of [false, true]) {
    for (const [name, write] of [...cases, ...pairs]) {
      for (let k = 0;; k++) {
        const store = smallStore({ shardCount: 2 });
        const t = new StoreTransaction(store, { forEvents, clock: () => store.nowMs });
        setUp(t);
        if (forEvents) assert.ok(store.credits.tryAcquire());
        const before = contents(store, NAMES);
        t.begin();
        write(t, "");
        store.failAllocationAfter(k);
        // Without it the commit is tried again, and finds memory.
        store.reclaim = () => false;
        const status = t.commit();
        const hasFailed = store.parts.blocks.failAfterRequests < 0;
        store.failAllocationAfter(-1);
        store.assertInvariants(forEvents ? 1 : 0);
        if (status === CommitStatus.OUT_OF_MEMORY) {
          refused++;
          assert.equal(contents(store, NAMES), before, `${name}, request ${k}`);
        } else assert.equal(status, CommitStatus.OK, `${name}, request ${k}`);
        if (!hasFailed) break;
        assert.ok(k < 50, "an end is found");
      }
    }
  }
  assert.ok(refused > 50, `inconclusive: ${refused}`);
});

/** Fills a store so that at most `pages` pages are free. */
function fillUp(store: Store, pages: number, dice: Dice): void {
  for (let i = 0; store.stats().pagesFree > pages; i++) {
    set(store, `filler ${i}`, pattern(60_000 + dice.roll(5), i));
  }
}

const NAMES_OF_KINDS = ["string", "hash", "set", "sorted set", "list"];

/** Notes writes of some kind at one of a few keys. */
function writeSomething(t: StoreTransaction, dice: Dice, length: () => number): void {
  const text = (): string => `${dice.roll(500)}`.padEnd(length(), ".");
  const count = 1 + dice.roll([1, 5, 60][dice.roll(3)]!);
  const kind = dice.roll(14);
  const number = dice.roll(3);
  for (let i = 0; i < count; i++) {
    if (kind === 0) t.set(`string ${number}`, text());
    else if (kind === 1) t.set(`string ${number}`, text(), { ttlMs: 1000 });
    else if (kind === 2) t.add(`number ${dice.roll(2000)}`, 1);
    else if (kind === 3) t.set(`string ${dice.roll(2000)}`, text());
    else if (kind === 4) t.hset(`hash ${number}`, text(), text());
    else if (kind === 5) t.sadd(`set ${number}`, text());
    else if (kind === 6) t.zadd(`sorted set ${number}`, text(), dice.roll(100));
    else if (kind === 7) t.rpush(`list ${number}`, text());
    else if (kind === 8) t.lpush(`list ${number}`, text());
    else if (kind === 9) t.hdel(`hash ${number}`, text());
    else if (kind === 10) t.zrem(`sorted set ${number}`, text());
    else if (kind === 11) t.srem(`set ${number}`, text());
    else if (kind === 12) t.expire(`${NAMES_OF_KINDS[dice.roll(5)]} ${number}`, 1000);
    else if (i === 0) t.del(`${NAMES_OF_KINDS[dice.roll(5)]} ${number}`);
  }
}

/** Somebody reads a collection, so that what is changed of it has to be copied. */
function leaseSomething(store: Store, dice: Dice): CollectionLease {
  const types = [EntryType.HASH, EntryType.SET, EntryType.SORTED_SET, EntryType.LIST];
  const i = dice.roll(types.length);
  const name = `${NAMES_OF_KINDS[i + 1]} ${dice.roll(3)}`;
  const { shard } = keyOf(store, name);
  store.locks.lock(shard, true);
  const lease = store.collectionLeases.take(open(store, name, types[i]!));
  store.locks.unlock(shard, true);
  return lease;
}

Deno.test("StoreTransaction: whatever is written, no more is leased than was promised", () => {
  const outcomes = new Map<CommitStatus, number>();
  fc.assert(
    fc.property(fc.integer({ min: 1 }), (seed) => {
      const dice = new Dice(seed);
      const maxMemoryBytes = (4 + dice.roll(20)) * 2 ** 20;
      const store = smallStore({ shardCount: [1, 2, 16][dice.roll(3)]!, maxMemoryBytes });
      const t = new StoreTransaction(store);
      fillUp(store, 5 + dice.roll(maxMemoryBytes / PAGE_BYTES), dice);
      for (let step = 0; step < 40; step++) {
        const base = 1 + dice.roll([4, 30, 120, 900, 5000][dice.roll(5)]!);
        const isMixed = dice.roll(3) === 0;
        const length = (): number => isMixed ? 1 + dice.roll(1100) : base + dice.roll(9);
        t.begin();
        for (let i = 1 + dice.roll(6); i > 0; i--) {
          try {
            writeSomething(t, dice, length);
          } catch (error) {
            // Too much.
            assert.match(String(error), /Cannot (write more|take more)/);
          }
        }
        const lease = dice.roll(3) === 0 ? leaseSomething(store, dice) : undefined;
        const status = t.commit();
        lease?.release();
        outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
        // What refuses everything from then on is removed now and then.
        if (status === CommitStatus.OUT_OF_MEMORY || dice.roll(5) === 0) {
          t.begin();
          t.del(`${NAMES_OF_KINDS[dice.roll(5)]} ${dice.roll(3)}`);
          if (dice.roll(2) === 0) t.del(`filler ${dice.roll(50)}`);
          assert.equal(t.commit(), CommitStatus.OK);
        }
        if (step % 8 === 0) store.assertInvariants();
      }
      store.assertInvariants();
    }),
    { seed: SEED, numRuns: effort(20, 30) },
  );
  const report = JSON.stringify([...outcomes]);
  assert.ok((outcomes.get(CommitStatus.OK) ?? 0) > 200, `inconclusive: ${report}`);
  assert.ok((outcomes.get(CommitStatus.OUT_OF_MEMORY) ?? 0) > 20, `inconclusive: ${report}`);
});

Deno.test("StoreTransaction: what needs no memory is made in a store that is full", () => {
  const store = smallStore({ shardCount: 4, maxMemoryBytes: 4 * 2 ** 20 });
  const t = new StoreTransaction(store);
  const balances = 10;
  const setAll = (round: number): void => {
    for (let i = 0; i < balances; i++) t.add(`balance ${i}`, round);
    t.set("string", `text ${round}`);
    t.hset("hash", "field", `value ${round}`);
    t.hincrby("large hash", "count", round);
    // Another score comes before the old one goes.
    t.zadd("scores", "member", 1);
    t.sadd("set", "member");
    t.srem("large set", `member ${round}`);
  };
  for (let part = 0; part < 5; part++) {
    t.begin();
    for (let i = part * 200; i < part * 200 + 200; i++) {
      t.hset("large hash", `field ${i}`, i);
      t.zadd("large scores", `member ${i}`, i);
      t.sadd("large set", `member ${i}`);
    }
    assert.equal(t.commit(), CommitStatus.OK);
  }
  t.begin();
  setAll(1);
  assert.equal(t.commit(), CommitStatus.OK);
  // Until no block of any size is left.
  for (const length of [50_000, 8000, 1000, 100, 10, 1]) {
    for (let i = 0; set(store, `filler ${length} ${i}`, "x".repeat(length)) === 0; i++);
  }
  assert.equal(store.stats().pagesFree, 0);
  for (let round = 2; round < 6; round++) {
    t.begin();
    setAll(round);
    assert.equal(t.commit(), CommitStatus.OK, `round ${round}`);
  }
  t.begin();
  t.set("a new key", "x".repeat(2000));
  assert.equal(t.commit(), CommitStatus.OUT_OF_MEMORY);
  t.begin();
  assert.deepEqual([t.get("balance 3"), t.hget("hash", "field"), t.hget("large hash", "count")], [
    "15",
    "value 5",
    "15",
  ]);
  assert.equal(t.scard("large set"), 995);
  store.assertInvariants();
});

Deno.test("StoreTransaction: a time to live that is to stay and is over is not counted on", () => {
  // Of these lengths some take a larger block with a time to live than without.
  for (let length = 100; length < 160; length++) {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 4 * 2 ** 20 });
    store.reclaim = () => false;
    const t = new StoreTransaction(store, { clock: () => store.nowMs });
    t.begin();
    t.set("k", "x".repeat(length), { ttlMs: 10 });
    assert.equal(t.commit(), CommitStatus.OK);
    for (const byteCount of [60_000, 4000, 1000, 200, 100, 50, 20, 1]) {
      for (let i = 0; set(store, `filler ${byteCount} ${i}`, pattern(byteCount, i)) === 0; i++);
    }
    store.nowMs += 100;
    t.begin();
    t.set("k", "y".repeat(length), { keepTtl: true });
    const status = t.commit();
    assert.ok(status === CommitStatus.OK || status === CommitStatus.OUT_OF_MEMORY);
    store.assertInvariants();
  }
});

Deno.test("StoreTransaction: what is reserved for balances is not given to longer keys", () => {
  for (const length of [100, 150, 180, 250, 700, 4000]) {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 4 * 2 ** 20 });
    store.reclaim = () => false;
    assert.ok(store.credits.tryAcquire());
    for (const byteCount of [60_000, 4000, 1000, 200, 100, 50, 20, 1]) {
      for (let i = 0; set(store, `filler ${byteCount} ${i}`, pattern(byteCount, i)) === 0; i++);
    }
    const t = new StoreTransaction(store, { forEvents: true, clock: () => store.nowMs });
    for (let i = 0; i < 4; i++) {
      t.begin();
      t.add(`${i}`.padEnd(length, "k"), 1);
      const status = t.commit();
      if (length === 100 && i === 0) assert.equal(status, CommitStatus.OK);
      else assert.ok(status === CommitStatus.OK || status === CommitStatus.OUT_OF_MEMORY);
      if (length === 100) break;
    }
    store.credits.release();
    store.assertInvariants();
  }
});
