import assert from "node:assert/strict";
import { LockTimeoutError } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";

Deno.test("ShardLocks: who has only so much patience is told who holds the lock, and waits no more", () => {
  const holder = Store.create({
    shardCount: 1,
    lockKind: "mutex",
    maxMemoryBytes: 2 ** 20,
    maxValueBytes: 1000,
    threadCount: 2,
  });
  const waiter = Store.attach(holder.memory, 1);
  waiter.locks.patienceSlices = 1;
  holder.locks.lock(0, true);
  assert.throws(() => waiter.locks.lock(0, true), (error) => {
    assert.ok(error instanceof LockTimeoutError);
    assert.match(error.message, /thread 0 does not give it back/);
    return true;
  });
  holder.locks.unlock(0, true);
  // It was counted out: nobody is woken for it, and the next one gets the lock at once.
  waiter.locks.lock(0, true);
  waiter.locks.unlock(0, true);
  assert.equal(holder.locks.tryLock(0, true), true);
  holder.locks.unlock(0, true);
});
