/** What the supervisor finds when a thread died in a transaction, at every point of it. */

import assert from "node:assert/strict";
import type { MutationHook } from "../../../src/store/mutation_hook.ts";
import { LockPoisonedError } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import {
  CommitStatus,
  type CommitSteps,
  StoreTransaction,
} from "../../../src/store/transaction.ts";
import { contentsOf } from "../../helpers/store_contents.ts";
import { hookWith, keyOf, smallStore } from "./helpers.ts";

const WORKER = 3;
const NAMES = ["a", "b", "c", "d"];

class Death extends Error {}

/** A store in whose worker a transaction over several shards is about to be committed. */
function scene(): { main: Store; worker: Store; transaction: StoreTransaction; shards: number[] } {
  const main = smallStore({ shardCount: 16 });
  const before = new StoreTransaction(main);
  before.begin();
  before.add("a", 1);
  before.rpush("c", "old");
  before.set("read", "r");
  assert.equal(before.commit(), CommitStatus.OK);
  const worker = Store.attach(main.memory, WORKER);
  const transaction = new StoreTransaction(worker);
  transaction.begin();
  assert.equal(transaction.get("read"), "r");
  transaction.add("a", 5);
  transaction.set("b", "new");
  transaction.rpush("c", "x".repeat(2000));
  transaction.hset("d", "f", "v");
  const names = [...NAMES, "read"];
  const shards = [...new Set(names.map((name) => keyOf(main, name).shard))].sort((a, b) => a - b);
  assert.ok(shards.length >= 4, "the keys are in several shards");
  return { main, worker, transaction, shards };
}

const ISDEATH = { isDeath: (error: unknown) => error instanceof Death };

function die(): never {
  throw new Death();
}

/** Everything works again, and every page and block is accounted for. */
function assertUsable(main: Store, shards: readonly number[]): void {
  for (const shard of shards) assert.equal(main.locks.ownerOf(shard), -1);
  main.assertInvariants();
  assert.equal(main.parts.pages.unpromisedPages, main.stats().pagesFree);
  const t = new StoreTransaction(main);
  t.begin();
  for (const name of NAMES) t.set(name, "after");
  assert.equal(t.commit(), CommitStatus.OK);
}

const BEFORE: Record<string, CommitSteps> = {
  "all locks are taken": { withLocks: die },
  "everything is decided and memory promised": { beforeChanges: die },
};
for (const [name, steps] of Object.entries(BEFORE)) {
  Deno.test(`recoverDeadOwner: a transaction that died when ${name} has changed nothing`, () => {
    const { main, transaction, shards } = scene();
    const before = contentsOf(main);
    assert.throws(() => transaction.commit({ ...steps, ...ISDEATH }), Death);
    assert.deepEqual(shards.filter((shard) => main.locks.ownerOf(shard) === WORKER), shards);
    const completed: number[] = [];
    const owner = main.recoverDeadOwner(WORKER, (shard) => completed.push(shard));
    assert.deepEqual(owner, { kind: "released", shard: shards[0] });
    assert.deepEqual(completed, []);
    assert.deepEqual(contentsOf(main), before);
    assertUsable(main, shards);
  });
}

Deno.test("recoverDeadOwner: a thread that died while it waited for a second lock gives back the first", () => {
  const { main, worker, shards } = scene();
  worker.locks.lock(shards[0]!, true);
  worker.locks.lock(shards[1]!, true);
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: shards[0] });
  assertUsable(main, shards);
});

Deno.test("recoverDeadOwner: a transaction that died between any two changes is torn, in all its shards", () => {
  let changes = 0;
  for (let left = 0;; left++) {
    const { main, worker, transaction, shards } = scene();
    let count = 0;
    const dieAt = (): void => {
      if (count++ === left) die();
    };
    const hook: MutationHook = hookWith({ written: dieAt, changed: dieAt, removed: dieAt });
    worker.hook = hook;
    let hasDied = false;
    try {
      assert.equal(transaction.commit(ISDEATH), CommitStatus.OK);
    } catch (error) {
      assert.ok(error instanceof Death);
      hasDied = true;
    }
    if (!hasDied) break;
    changes++;
    const owner = main.recoverDeadOwner(WORKER, () => assert.fail("nothing is complete"));
    assert.equal(owner.kind, "torn");
    for (const shard of shards) {
      assert.throws(() => main.locks.tryLock(shard, true), LockPoisonedError);
    }
  }
  assert.ok(changes >= 4, "every change is announced");
});

Deno.test("recoverDeadOwner: a transaction that died behind its last change is complete in all its shards", () => {
  const { main, transaction, shards } = scene();
  assert.throws(() => transaction.commit({ afterChanges: die, ...ISDEATH }), Death);
  const completed: number[] = [];
  const owner = main.recoverDeadOwner(WORKER, (shard) => {
    // All are still held: what is put into the log here is in one frame.
    for (const each of shards) assert.ok(main.locks.ownerOf(each) >= 0);
    completed.push(shard);
  });
  assert.deepEqual(owner, { kind: "completed", shard: shards[0] });
  assert.deepEqual(completed, shards);
  const t = new StoreTransaction(main);
  t.begin();
  assert.deepEqual([t.get("a"), t.get("b"), t.llen("c"), t.hget("d", "f")], ["6", "new", 2, "v"]);
  assertUsable(main, shards);
});

Deno.test("recoverDeadOwner: a transaction that died while it gave its locks back is complete in the others", () => {
  const { main, worker, transaction, shards } = scene();
  let publishes = 0;
  worker.locks.effects = {
    publish() {
      if (publishes++ === 2) die();
    },
  };
  // As the end of an isolate does: nothing is poisoned on the way.
  worker.locks.poison = () => {};
  assert.throws(() => transaction.commit(ISDEATH), Death);
  const left = shards.slice(2);
  assert.deepEqual(shards.filter((shard) => main.locks.ownerOf(shard) === WORKER), left);
  const completed: number[] = [];
  const owner = main.recoverDeadOwner(WORKER, (shard) => completed.push(shard));
  assert.deepEqual(owner, { kind: "completed", shard: left[0] });
  assert.deepEqual(completed, left);
  assertUsable(main, shards);
});

Deno.test("recoverDeadOwner: the next death of a thread is not taken for that of its last transaction", () => {
  const { main, worker, transaction, shards } = scene();
  assert.equal(transaction.commit(), CommitStatus.OK);
  worker.locks.lock(shards[0]!, true);
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: shards[0] });
  // Nor that of who has its id next.
  const other = scene();
  assert.throws(() => other.transaction.commit({ afterChanges: die, ...ISDEATH }), Death);
  assert.equal(other.main.recoverDeadOwner(WORKER).kind, "completed");
  assert.equal(other.main.recoverDeadOwner(WORKER).kind, "none");
  const next = Store.attach(other.main.memory, WORKER);
  next.locks.lock(other.shards[1]!, true);
  assert.equal(other.main.recoverDeadOwner(WORKER).kind, "released");
});

Deno.test("StoreTransaction: what a step throws with the locks held tears all shards", () => {
  for (const step of ["withLocks", "beforeChanges", "afterChanges"] as const) {
    const { main, transaction, shards } = scene();
    const fault = new Error("a fault of ours");
    const steps: CommitSteps = {
      [step]: () => {
        throw fault;
      },
    };
    assert.throws(() => transaction.commit(steps), fault);
    for (const shard of shards) {
      assert.throws(() => main.locks.tryLock(shard, true), LockPoisonedError);
    }
  }
});

for (const writes of [1, 4]) {
  Deno.test(`StoreTransaction: a thread that is fenced behind its last change gives nothing back (${writes} writes)`, () => {
    const { main, transaction, shards, worker } = scene();
    const own = writes === 4 ? transaction : new StoreTransaction(worker);
    if (writes === 1) {
      own.begin();
      own.add("a", 5);
    }
    const status = own.commit({
      afterChanges: () => {
        assert.equal(main.recoverDeadOwner(WORKER).kind, "completed");
        for (const shard of shards) main.locks.lock(shard, true);
        return false;
      },
    });
    assert.equal(status, CommitStatus.FENCED);
    for (const shard of shards) {
      assert.equal(main.locks.ownerOf(shard), 0);
      main.locks.unlock(shard, true);
    }
    const t = new StoreTransaction(main);
    t.begin();
    assert.equal(t.get("a"), "6");
    assertUsable(main, shards);
  });

  Deno.test(`StoreTransaction: a fenced thread touches nothing (${writes} writes)`, () => {
    for (const step of ["withLocks", "beforeChanges"] as const) {
      const { main, transaction, shards, worker } = scene();
      const own = writes === 4 ? transaction : new StoreTransaction(worker);
      if (writes === 1) {
        own.begin();
        own.add("a", 5);
      }
      const before = contentsOf(main);
      const status = own.commit({
        // What the supervisor does meanwhile, and somebody else then.
        [step]: () => {
          assert.equal(main.recoverDeadOwner(WORKER).kind, "released");
          for (const shard of shards) main.locks.lock(shard, true);
          return false;
        },
      });
      assert.equal(status, CommitStatus.FENCED);
      for (const shard of shards) {
        assert.equal(main.locks.ownerOf(shard), 0);
        main.locks.unlock(shard, true);
      }
      assert.deepEqual(contentsOf(main), before);
      assertUsable(main, shards);
    }
  });
}
