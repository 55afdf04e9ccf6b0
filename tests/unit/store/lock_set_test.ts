import assert from "node:assert/strict";
import { LockSet, TRY_ROUNDS } from "../../../src/store/lock_set.ts";
import { LockPoisonedError, type ShardLocks } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import { settled } from "../command/harness.ts";

/** Locks that record what is asked of them; `isBusy` decides whether a try fails. */
class ScriptedLocks {
  readonly log: string[] = [];
  readonly held = new Set<number>();

  constructor(readonly isBusy: (shard: number) => boolean) {}

  tryLock(shard: number): boolean {
    if (this.isBusy(shard)) return false;
    this.#take(shard);
    return true;
  }

  lock(shard: number): void {
    if (this.isBusy(shard)) throw new LockPoisonedError(shard);
    this.#take(shard);
  }

  lockAsync(shard: number): Promise<void> {
    this.#take(shard);
    return Promise.resolve();
  }

  unlock(shard: number): void {
    assert.ok(this.held.delete(shard), `shard ${shard} was held`);
  }

  #take(shard: number): void {
    assert.ok(!this.held.has(shard), `shard ${shard} is taken once`);
    this.held.add(shard);
    this.log.push(`${shard}:${[...this.held].join(",")}`);
  }
}

function setOf(locks: ScriptedLocks, shards: number[]): LockSet {
  const set = new LockSet(locks as unknown as ShardLocks, 4096);
  set.clear();
  for (const shard of shards) set.add(shard);
  set.seal();
  return set;
}

Deno.test("LockSet: takes each lock once, ascending", () => {
  const locks = new ScriptedLocks(() => false);
  assert.equal(setOf(locks, [5, 1, 3, 1, 5]).tryLock(true), -1);
  assert.deepEqual(locks.log, ["1:1", "3:1,3", "5:1,3,5"]);
});

Deno.test("LockSet: all shards are taken, ascending, and given back", () => {
  const locks = new ScriptedLocks(() => false);
  const set = new LockSet(locks as unknown as ShardLocks, 64);
  set.add(5);
  set.addAll();
  set.seal();
  assert.equal(set.tryLock(true), -1);
  assert.deepEqual([...locks.held], Array.from({ length: 64 }, (_, shard) => shard));
  set.unlock(true);
  assert.equal(locks.held.size, 0);
});

Deno.test("LockSet: can be filled again after a large use", () => {
  const locks = new ScriptedLocks(() => false);
  const set = new LockSet(locks as unknown as ShardLocks, 4096);
  for (const count of [3, 100, 9, 4096, 8, 10]) {
    set.clear();
    for (let round = 0; round < 2; round++) {
      for (let i = count - 1; i >= 0; i--) set.add((i * 37) % 4096);
    }
    set.seal();
    assert.equal(set.count, count);
    assert.equal(set.tryLock(true), -1);
    const taken = [...locks.held];
    assert.deepEqual(taken, [...taken].sort((a, b) => a - b));
    assert.equal(taken.length, count);
    set.unlock(true);
    assert.equal(locks.held.size, 0);
  }
});

Deno.test("LockSet: sleeps for each lock in turn, and holds nothing when one is torn", () => {
  const locks = new ScriptedLocks(() => false);
  const set = setOf(locks, [5, 1, 3]);
  set.lock(true);
  assert.deepEqual(locks.log, ["1:1", "3:1,3", "5:1,3,5"]);
  set.unlock(true);
  const torn = new ScriptedLocks((shard) => shard === 5);
  assert.throws(() => setOf(torn, [5, 1, 3]).lock(true), LockPoisonedError);
  assert.equal(torn.held.size, 0);
});

Deno.test("LockSet: can be the set of one shard, and another one after that", () => {
  const locks = new ScriptedLocks(() => false);
  const set = setOf(locks, [5, 1]);
  set.clear();
  for (const shard of [7, 3]) {
    set.only(shard);
    set.lock(true);
    assert.deepEqual([...locks.held], [shard]);
    set.unlock(true);
  }
  set.clear();
  set.add(2);
  set.seal();
  set.lock(true);
  assert.deepEqual([...locks.held], [2]);
});

Deno.test("LockSet: holds nothing when one lock is busy", () => {
  const locks = new ScriptedLocks((shard) => shard === 3);
  assert.equal(setOf(locks, [1, 3, 5]).tryLock(true), 3);
  assert.equal(locks.held.size, 0);
});

Deno.test("LockSet: waits for the busy lock, then tries for the others", async () => {
  let busy = 3;
  const locks = new ScriptedLocks((shard) => {
    if (shard !== busy) return false;
    // The next try for another one meets a busy lock once.
    busy = busy === 3 ? 5 : -1;
    return true;
  });
  const set = setOf(locks, [1, 3, 5]);
  assert.equal(set.tryLock(true), 3);
  await set.lockAsync(true, 3);
  assert.deepEqual([...locks.held].sort(), [1, 3, 5]);
  assert.deepEqual(locks.log, ["1:1", "3:3", "1:3,1", "5:5", "1:5,1", "3:5,1,3"]);
});

Deno.test("LockSet: takes the locks one by one when trying does not get anywhere", async () => {
  const locks = new ScriptedLocks((shard) => shard !== 1);
  const set = setOf(locks, [1, 3, 5]);
  await set.lockAsync(true, 3);
  assert.deepEqual([...locks.held], [1, 3, 5]);
  assert.deepEqual(locks.log.slice(-3), ["1:1", "3:1,3", "5:1,3,5"]);
  const waits = locks.log.filter((line) => line === "3:3" || line === "5:5").length;
  assert.equal(waits, TRY_ROUNDS);
});

Deno.test("LockSet: sets that overlap in opposite orders all get through", async () => {
  const store = Store.create({
    shardCount: 8,
    lockKind: "mutex",
    maxMemoryBytes: 8 * 2 ** 20,
    maxValueBytes: 1024,
    threadCount: 1,
  });
  let holders = 0;
  let finished = 0;
  async function run(shards: number[]): Promise<void> {
    const set = new LockSet(store.locks, 8);
    set.clear();
    for (const shard of shards) set.add(shard);
    set.seal();
    const busyShard = set.tryLock(true);
    if (busyShard >= 0) await set.lockAsync(true, busyShard);
    holders++;
    // Nothing else may run in here: all sets overlap in shard 4.
    assert.equal(holders, 1);
    await Promise.resolve();
    holders--;
    set.unlock(true);
    finished++;
  }
  const tasks = Array.from({ length: 60 }, (_, i) => run(i % 2 ? [1, 4, 6] : [6, 4, i % 8]));
  await settled(Promise.all(tasks));
  assert.equal(finished, 60);
});
