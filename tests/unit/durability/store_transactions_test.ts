/** Transactions on the store in the log: one frame with the event that they settle, whole or not at all. */

import assert from "node:assert/strict";
import { encodeJob, EventFields } from "../../../src/base/job.ts";
import { Drain } from "../../../src/durability/drain.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import { LogKeeper } from "../../../src/durability/log_keeper.ts";
import { createLogStatus, LogStatus } from "../../../src/durability/log_status.ts";
import { openLog, recover } from "../../../src/durability/recovery.ts";
import { createShardPieces } from "../../../src/durability/shard_pieces.ts";
import { ThreadLog } from "../../../src/durability/thread_log.ts";
import type { Store } from "../../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../../src/store/transaction.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { Dice } from "../store/collection_helpers.ts";
import { keyOf } from "../store/helpers.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";

const PROCESSED = 1;
const encoder = new TextEncoder();

/** A server's log, without the server: one thread plays all parts. */
class Site {
  readonly storage = new MemoryStorage();
  readonly store: Store = emptyStore(16);
  readonly log: ThreadLog;
  readonly keeper: LogKeeper;
  readonly transaction: StoreTransaction;
  readonly shardPieces = createShardPieces(16);

  constructor() {
    const { storage, store } = this;
    const status = createLogStatus();
    const found = recover(storage, store, () => {});
    const intake = createIntakeMemory(1, 2 ** 23);
    this.log = new ThreadLog(
      {
        intake,
        status,
        confirmsDurable: true,
        shardPieces: this.shardPieces,
        firstEventNumber: 1,
      },
      store,
      0,
    );
    this.keeper = new LogKeeper({
      storage,
      history: found.history,
      log: openLog(storage, found, 2 ** 24, Date.now),
      drain: new Drain(intake),
      store,
      databaseCount: 16,
      policy: "always",
      snapshotEveryBytes: Infinity,
      pending: found.pending,
      status: new LogStatus(status),
      clock: Date.now,
      report: () => {},
    }, 0);
    this.transaction = new StoreTransaction(store, { clock: () => store.nowMs });
  }

  /** Accepts an event; returns its number. */
  accept(): number {
    const event = new EventFields().clear();
    event.user.set(encoder.encode("ann"), 0, 3);
    event.action.set(encoder.encode("add"), 0, 3);
    event.number = this.log.nextEventNumber();
    const job = new Uint8Array(512);
    this.log.acceptEvent(event.number, job, 0, encodeJob(event, job, 0));
    return event.number;
  }

  /** Settles an event with what `write` notes. */
  settle(number: number, write: (t: StoreTransaction) => void): CommitStatus {
    const { log, transaction } = this;
    transaction.begin();
    write(transaction);
    return transaction.commit({
      // Whenever the writer looks in between, nothing is there yet.
      beforeChanges: () => {
        this.keeper.turn();
        return true;
      },
      afterChanges: () => {
        this.keeper.turn();
        this.keeper.turn();
        log.settleEvent(number, PROCESSED, true);
      },
    });
  }

  /** What is written so far, in the last file of the log. */
  written(): { name: string; bytes: Uint8Array } {
    this.keeper.turn();
    const name = this.storage.list().findLast((name) => name.startsWith("log"))!;
    return { name, bytes: this.storage.bytesOf(name) };
  }

  /** What a start finds when the log ends at a byte. */
  recovered(end: number): { contents: Map<string, string>; pendingCount: number } {
    const { bytes, name } = this.written();
    const storage = this.storage.copy();
    storage.put(name, bytes.slice(0, end));
    const store = emptyStore(4);
    const { pending } = recover(storage, store, () => {});
    store.assertInvariants();
    return { contents: contentsOf(store), pendingCount: pending.size };
  }
}

/** What a transaction changes in every way that there is. */
function writeMuch(t: StoreTransaction): void {
  t.add("balance:ann", 5);
  t.set("text", "t", { ttlMs: 60_000 });
  t.del("goes");
  t.hset("hash", "field", "value");
  t.hincrby("hash", "count", 3);
  t.sadd("set", "a", "b");
  t.srem("old set", "a");
  t.zadd("scores", "ann", 17);
  t.zincrby("scores", "bob", 1);
  t.lpush("list", "front");
  t.rpush("list", "back");
  t.expire("old list", 5000);
  t.persist("timed");
}

const CHANGED = [
  "balance:ann",
  "text",
  "goes",
  "hash",
  "set",
  "old set",
  "scores",
  "list",
  "old list",
  "timed",
];

function prepare(site: Site): void {
  const t = site.transaction;
  t.begin();
  t.set("goes", "x");
  t.set("timed", "x", { ttlMs: 1000 });
  t.sadd("old set", "a", "b");
  t.rpush("old list", "a", "b");
  assert.equal(t.commit(), CommitStatus.OK);
}

for (const size of ["a few changes", "as much as there may be"] as const) {
  Deno.test(`StoreTransaction: its changes and its event are in the log together, wherever that is cut (${size})`, () => {
    const site = new Site();
    prepare(site);
    const number = site.accept();
    const shortest = site.written().bytes.length;
    const before = site.recovered(shortest);
    assert.equal(before.pendingCount, 1);
    const status = site.settle(number, (t) => {
      writeMuch(t);
      if (size === "a few changes") return;
      t.set("large", "l".repeat(20_000));
      for (let i = 0; i < 1000; i++) t.hset("hash", `${i}`, "v".repeat(990));
    });
    assert.equal(status, CommitStatus.OK);
    const { length } = site.written().bytes;
    const after = site.recovered(length);
    assert.equal(after.pendingCount, 0);
    assert.deepEqual(after.contents, contentsOf(site.store));
    assert.notDeepEqual(after.contents, before.contents);
    const stride = size === "a few changes" ? 1 : 16_411;
    for (let end = shortest; end < length; end += stride) {
      assert.deepEqual(site.recovered(end), before, `cut at ${end} of ${length}`);
    }
    assert.deepEqual(site.recovered(length - 1), before);
  });
}

Deno.test("StoreTransaction: a single addition is in one frame with its event", () => {
  const site = new Site();
  const number = site.accept();
  const shortest = site.written().bytes.length;
  assert.equal(site.settle(number, (t) => t.add("balance:ann", 5)), CommitStatus.OK);
  const { length } = site.written().bytes;
  for (let end = shortest; end < length; end++) {
    const { contents, pendingCount } = site.recovered(end);
    assert.deepEqual([contents.size, pendingCount], [0, 1], `cut at ${end}`);
  }
  const { contents, pendingCount } = site.recovered(length);
  assert.deepEqual([contents.size, pendingCount], [1, 0]);
});

Deno.test("StoreTransaction: one that changes nothing settles its event all the same", () => {
  const site = new Site();
  prepare(site);
  const number = site.accept();
  const shortest = site.written().bytes.length;
  assert.equal(site.settle(number, () => {}), CommitStatus.OK);
  const { length } = site.written().bytes;
  assert.equal(site.recovered(length - 1).pendingCount, 1);
  assert.equal(site.recovered(length).pendingCount, 0);
  assert.ok(length > shortest);
});

Deno.test("StoreTransaction: replies that tell of any key that it changed wait for its frame", () => {
  const site = new Site();
  prepare(site);
  assert.equal(site.settle(site.accept(), writeMuch), CommitStatus.OK);
  const words = new Int32Array(site.shardPieces);
  const piece = site.log.intake.lastPiece;
  assert.ok(!site.log.intake.isDurable(piece));
  for (const name of CHANGED) {
    assert.equal(words[keyOf(site.store, name).shard], piece, name);
  }
  assert.ok(words.some((each) => each !== piece), "there are shards that were not changed");
});

Deno.test("StoreTransaction: one that cannot be made leaves nothing in the log", () => {
  const site = new Site();
  prepare(site);
  const number = site.accept();
  const { length } = site.written().bytes;
  const status = site.settle(number, (t) => {
    t.set("new", "x");
    t.add("old set", 1);
  });
  assert.equal(status, CommitStatus.WRONG_TYPE);
  assert.equal(site.written().bytes.length, length);
});

Deno.test("StoreTransaction: whatever they do to keys, also one after the other, comes back from the log", () => {
  const SEED = 20_260;
  const dice = new Dice(SEED);
  const site = new Site();
  const t = site.transaction;
  const change = (): void => {
    const name = `key ${dice.roll(6)}`;
    const member = `m${dice.roll(20)}`;
    const writes = [
      () => t.set(name, dice.roll(100)),
      () => t.set(name, "x".repeat(dice.roll(300)), { ttlMs: 1 + dice.roll(1000) }),
      () => t.set(name, dice.roll(100), { keepTtl: true }),
      () => t.add(name, dice.roll(100)),
      () => t.del(name),
      () => t.expire(name, 1 + dice.roll(100_000)),
      () => t.persist(name),
      () => t.hset(name, member, "v".repeat(dice.roll(1200))),
      () => t.hincrby(name, member, dice.roll(9)),
      () => t.hdel(name, member),
      () => t.sadd(name, member),
      () => t.srem(name, member),
      () => t.zadd(name, member, dice.roll(9)),
      () => t.zincrby(name, member, dice.roll(9)),
      () => t.zrem(name, member),
      () => t.lpush(name, member, "x".repeat(dice.roll(200))),
      () => t.rpush(name, member),
    ];
    try {
      writes[dice.roll(writes.length)]!();
    } catch {
      // Of two types: what was noted before stands.
    }
  };
  let done = 0;
  for (let round = 0; round < 1000; round++) {
    t.begin();
    for (let i = 1 + dice.roll(5); i > 0; i--) change();
    if (t.commit() === CommitStatus.OK) done++;
    if (round % 40 === 0) {
      const { length } = site.written().bytes;
      assert.deepEqual(site.recovered(length).contents, contentsOf(site.store), `seed ${SEED}`);
    }
  }
  assert.ok(done > 100, `inconclusive: ${done}`);
});
