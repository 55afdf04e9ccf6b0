/** The shard locks, one property at a time; many threads at once are in lock_race_test.ts. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type ControlRegion, Header } from "../../../src/store/control.ts";
import { BARGE_LIMIT, type LockKind, LockPoisonedError } from "../../../src/store/locks.ts";
import { keepAwake } from "../../helpers/keep_awake.ts";
import type { LooperOrders } from "./lock_looper.ts";
import { lockRegion, locksOf, waiting, wordOf } from "./lock_region.ts";

const KINDS: LockKind[] = ["mutex", "rwlock"];

interface Looper {
  /** Resolves with "done" or the name of the error that ended it. */
  outcome: Promise<string>;
}

function startLooper(orders: LooperOrders): Looper {
  const worker = new Worker(new URL("./lock_looper.ts", import.meta.url), { type: "module" });
  const outcome = new Promise<string>((resolve) => {
    worker.onmessage = (message: MessageEvent<string>) => resolve(message.data);
  });
  worker.postMessage(orders);
  return { outcome };
}

function signalWords(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(16));
}

/** A pending `waitAsync` alone does not keep the event loop going; a timer does. */
function alive(test: () => Promise<void>): () => Promise<void> {
  return async () => {
    using _awake = keepAwake();
    const timer = setInterval(() => {}, 1000);
    try {
      await test();
    } finally {
      clearInterval(timer);
    }
  };
}

/** Polls without a promise about time: fails only when something never happens. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < deadlineMs, `${what} within 30 s`);
    await delay(1);
  }
}

/** Whether a promise is still pending after other work has had its turn. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await delay(5);
  return !settled;
}

for (const kind of KINDS) {
  Deno.test(`tryLock (${kind}): an exclusive holder keeps everybody out, itself included`, () => {
    const region = lockRegion(kind);
    const [a, b] = [locksOf(region, 0), locksOf(region, 1)];
    assert.ok(a.tryLock(2, true));
    for (const locks of [a, b]) {
      assert.equal(locks.tryLock(2, true), false);
      assert.equal(locks.tryLock(2, false), false);
    }
    assert.ok(b.tryLock(3, true), "other shards are not concerned");
    assert.equal(a.heldBy(0), 2);
    assert.equal(a.heldBy(1), 3);
    b.unlock(3, true);
    a.unlock(2, true);
    assert.ok(b.tryLock(2, true));
    b.unlock(2, true);
    assert.equal(wordOf(region, 2), 0);
  });

  Deno.test(
    `lockAsync (${kind}): waits for the holder, in the order of arrival`,
    alive(async () => {
      const region = lockRegion(kind);
      const threads = [0, 1, 2, 3].map((id) => locksOf(region, id));
      threads[0]!.lock(1, true);
      const order: number[] = [];
      const waits = [1, 2, 3].map(async (id) => {
        await threads[id]!.lockAsync(1, true);
        order.push(id);
        threads[id]!.unlock(1, true);
      });
      assert.ok(await isPending(Promise.race(waits)));
      assert.deepEqual(waiting(region, 1), [3, 0]);
      threads[0]!.unlock(1, true);
      await Promise.all(waits);
      assert.deepEqual(order, [1, 2, 3]);
      assert.deepEqual(waiting(region, 1), [0, 0]);
      assert.equal(wordOf(region, 1), 0);
    }),
  );

  Deno.test(
    `lock (${kind}): a sleeping thread gets the lock when it is given back`,
    alive(async () => {
      const region = lockRegion(kind);
      const main = locksOf(region, 0);
      for (const exclusive of [true, false]) {
        const signals = signalWords();
        main.lock(0, true);
        const looper = startLooper({
          control: region.buffer,
          signals: signals.buffer,
          threadId: 1,
          what: "once",
          exclusive,
        });
        await until("the thread waits", () => waiting(region, 0).some((count) => count > 0));
        assert.equal(Atomics.load(signals, 2), 0);
        main.unlock(0, true);
        assert.equal(await looper.outcome, "done");
        assert.deepEqual(waiting(region, 0), [0, 0]);
        assert.equal(wordOf(region, 0), 0);
      }
    }),
  );

  for (const exclusive of [true, false]) {
    const how = exclusive ? "exclusive" : "shared";
    Deno.test(
      `lockAsync (${kind}, ${how}): a tight loop of another thread overtakes at most BARGE_LIMIT times`,
      alive(async () => {
        const region = lockRegion(kind);
        const main = locksOf(region, 0);
        const signals = signalWords();
        const looper = startLooper({
          control: region.buffer,
          signals: signals.buffer,
          threadId: 1,
          what: "loop",
          exclusive: true,
        });
        await until("the loop runs", () => Atomics.load(signals, 2) > 0);
        let waits = 0;
        let most = 0;
        for (let round = 0; waits < 20 && round < 5_000_000; round++) {
          if (main.tryLock(0, exclusive)) {
            main.unlock(0, exclusive);
            continue;
          }
          const wait = main.lockAsync(0, exclusive);
          // From here on it is in the line (or has the lock); only what comes now has overtaken it.
          const isWaiting = waiting(region, 0).some((count) => count > 0);
          const before = main.counters(0).exclusive;
          await wait;
          const after = main.counters(0).exclusive;
          main.unlock(0, exclusive);
          if (!isWaiting) continue;
          waits++;
          most = Math.max(most, (after - before) >>> 0);
        }
        Atomics.store(signals, 0, 1);
        assert.equal(await looper.outcome, "done");
        assert.ok(waits >= 5, `${waits} waits`);
        // One more was under way when the limit was reached, one is the waiter's own.
        assert.ok(most <= BARGE_LIMIT + 2, `overtaken ${most} times`);
        assert.equal(wordOf(region, 0), 0);
        assert.deepEqual(waiting(region, 0), [0, 0]);
      }),
    );
  }

  Deno.test(
    `lock (${kind}): nothing is left behind that keeps tryLock out`,
    alive(async () => {
      const region = lockRegion(kind);
      const main = locksOf(region, 0);
      const signals = signalWords();
      const loopers = [1, 2].map((threadId) =>
        startLooper({
          control: region.buffer,
          signals: signals.buffer,
          threadId,
          what: "loop",
          exclusive: threadId === 1,
        })
      );
      await until("both loop", () => Atomics.load(signals, 2) > 1000);
      for (let i = 0; i < 200; i++) {
        await main.lockAsync(0, i % 2 === 0);
        main.unlock(0, i % 2 === 0);
      }
      Atomics.store(signals, 0, 1);
      await Promise.all(loopers.map((looper) => looper.outcome));
      assert.deepEqual(waiting(region, 0), [0, 0]);
      assert.equal(wordOf(region, 0), 0);
      assert.ok(main.tryLock(0, true));
      main.unlock(0, true);
    }),
  );

  Deno.test(
    `poison (${kind}): wakes every waiter with an error, and nobody acquires again`,
    alive(async () => {
      const region = lockRegion(kind);
      const [holder, other] = [locksOf(region, 5), locksOf(region, 0)];
      holder.lock(0, true);
      const signals = signalWords();
      const loopers = [1, 2].map((threadId) =>
        startLooper({
          control: region.buffer,
          signals: signals.buffer,
          threadId,
          what: "once",
          exclusive: threadId === 1,
        })
      );
      const waits = [true, false].map((exclusive) => other.lockAsync(0, exclusive));
      await until("all four wait", () => {
        const [exclusive, shared] = waiting(region, 0);
        return exclusive + shared === 4;
      });
      const fault = other.waitForFault();
      assert.ok(await isPending(fault));
      holder.poison(0, 77);
      for (const wait of waits) await assert.rejects(wait, LockPoisonedError);
      for (const looper of loopers) assert.equal(await looper.outcome, "LockPoisonedError");
      assert.deepEqual(await fault, { shard: 0, threadId: 5, operation: 77 });
      assert.deepEqual(await other.waitForFault(), { shard: 0, threadId: 5, operation: 77 });
      holder.unlock(0, true);
      for (const exclusive of [true, false]) {
        assert.throws(() => other.tryLock(0, exclusive), LockPoisonedError);
        assert.throws(() => other.lock(0, exclusive), { name: "LockPoisonedError", shard: 0 });
        await assert.rejects(other.lockAsync(0, exclusive), LockPoisonedError);
      }
      assert.deepEqual(waiting(region, 0), [0, 0]);
      assert.ok(other.tryLock(1, true), "other shards work");
    }),
  );

  Deno.test(
    `counters (${kind}): count every acquisition once, and contention apart`,
    alive(async () => {
      const region = lockRegion(kind);
      const [a, b] = [locksOf(region, 0), locksOf(region, 1)];
      for (let i = 0; i < 3; i++) {
        a.lock(0, true);
        a.unlock(0, true);
        a.lock(0, false);
        a.unlock(0, false);
      }
      const sharing = kind === "rwlock";
      const quiet = { exclusive: sharing ? 3 : 6, shared: sharing ? 3 : 0, contended: 0 };
      assert.deepEqual(a.counters(0), quiet);
      a.lock(0, true);
      assert.equal(b.tryLock(0, true), false, "a refusal is no acquisition");
      const wait = b.lockAsync(0, true);
      a.unlock(0, true);
      await wait;
      b.unlock(0, true);
      assert.deepEqual(a.counters(0), { ...quiet, exclusive: quiet.exclusive + 2, contended: 1 });
      assert.deepEqual(a.counters(1), { exclusive: 0, shared: 0, contended: 0 });
    }),
  );
}

Deno.test("tryLock (rwlock): shared holders share, and keep an exclusive one out", () => {
  const region = lockRegion("rwlock");
  const [a, b, c] = [locksOf(region, 0), locksOf(region, 1), locksOf(region, 2)];
  assert.ok(a.tryLock(0, false));
  assert.ok(b.tryLock(0, false));
  assert.equal(c.tryLock(0, true), false);
  assert.equal(a.heldBy(0), -1, "heldBy is about exclusive holders");
  a.unlock(0, false);
  assert.equal(c.tryLock(0, true), false, "one is still there");
  b.unlock(0, false);
  assert.ok(c.tryLock(0, true));
  c.unlock(0, true);
  assert.equal(wordOf(region, 0), 0);
});

Deno.test("tryLock (mutex): shared means exclusive", () => {
  const region = lockRegion("mutex");
  const [a, b] = [locksOf(region, 0), locksOf(region, 1)];
  assert.ok(a.tryLock(0, false));
  assert.equal(b.tryLock(0, false), false);
  a.unlock(0, false);
});

Deno.test(
  "lockAsync (rwlock): an exclusive waiter stops newcomers that want to share",
  alive(async () => {
    const region = lockRegion("rwlock");
    const [reader, writer, late] = [locksOf(region, 0), locksOf(region, 1), locksOf(region, 2)];
    reader.lock(0, false);
    const order: string[] = [];
    const write = writer.lockAsync(0, true).then(() => order.push("writer"));
    assert.equal(late.tryLock(0, false), false);
    const read = late.lockAsync(0, false).then(() => order.push("reader"));
    assert.ok(await isPending(Promise.race([write, read])));
    reader.unlock(0, false);
    await write;
    assert.deepEqual(order, ["writer"]);
    writer.unlock(0, true);
    await read;
    late.unlock(0, false);
    assert.equal(wordOf(region, 0), 0);
  }),
);

Deno.test(
  "unlock (rwlock): an exclusive release lets those share who wait, then the next writer",
  alive(async () => {
    const region = lockRegion("rwlock");
    const threads = [0, 1, 2, 3, 4].map((id) => locksOf(region, id));
    threads[0]!.lock(0, true);
    const order: string[] = [];
    const second = threads[1]!.lockAsync(0, true).then(() => order.push("writer"));
    const readers = [2, 3].map((id) =>
      threads[id]!.lockAsync(0, false).then(() => order.push("reader"))
    );
    threads[0]!.unlock(0, true);
    await Promise.all(readers);
    assert.deepEqual(order, ["reader", "reader"], "both share, the writer waits");
    // The writer slept through all this, and yet nobody else may join the readers.
    assert.equal(threads[4]!.tryLock(0, false), false);
    threads[2]!.unlock(0, false);
    assert.ok(await isPending(second));
    threads[3]!.unlock(0, false);
    await second;
    threads[1]!.unlock(0, true);
    assert.equal(wordOf(region, 0), 0);
  }),
);

Deno.test(
  "poison: the record of the first fault is complete before it is announced",
  alive(async () => {
    const region = lockRegion("mutex");
    const words = region.words;
    // A first thread is in the middle of writing its record while a second one finds a fault, too.
    Atomics.store(words, Header.FAULT_SIGNAL, 1);
    locksOf(region, 2).poison(3, 9);
    const fault = locksOf(region, 0).waitForFault();
    assert.ok(await isPending(fault), "half a record is not announced");
    words[Header.FAULT_SHARD] = 1;
    words[Header.FAULT_THREAD] = 4;
    words[Header.FAULT_OPERATION] = 8;
    Atomics.store(words, Header.FAULT_SIGNAL, 2);
    Atomics.notify(words, Header.FAULT_SIGNAL);
    assert.deepEqual(await fault, { shard: 1, threadId: 4, operation: 8 });
  }),
);

Deno.test(
  "poison: names the shared holder that found the fault",
  alive(async () => {
    const region = lockRegion("rwlock");
    const reader = locksOf(region, 6);
    reader.lock(2, false);
    reader.poison(2, 5);
    assert.deepEqual(await reader.waitForFault(), { shard: 2, threadId: 6, operation: 5 });
  }),
);

/** As if `threadId` had died in `lock`: counted in, recorded, notified, and never seen again. */
function leaveDeadWaiter(region: ControlRegion, shard: number, threadId: number, alone: boolean) {
  Atomics.store(region.words, region.threadAt(threadId), (shard + 1) * 2 + (alone ? 1 : 0));
  Atomics.add(region.words, region.shardAt(shard) + (alone ? 1 : 2), 1);
}

Deno.test("forgetDeadWaiter: takes the dead one out of the count, once", () => {
  const region = lockRegion("rwlock");
  const main = locksOf(region, 0);
  for (const alone of [true, false]) {
    leaveDeadWaiter(region, 1, 7, alone);
    assert.deepEqual(waiting(region, 1), alone ? [1, 0] : [0, 1]);
    main.forgetDeadWaiter(7);
    main.forgetDeadWaiter(7);
    assert.deepEqual(waiting(region, 1), [0, 0]);
  }
  main.forgetDeadWaiter(8);
  assert.deepEqual(waiting(region, 1), [0, 0]);
});

Deno.test("forgetDeadWaiter: what the dead one had asked for does not shut out newcomers", () => {
  const region = lockRegion("rwlock");
  const [main, other] = [locksOf(region, 0), locksOf(region, 1)];
  leaveDeadWaiter(region, 1, 7, true);
  for (let i = 0; i <= BARGE_LIMIT + 1 && main.tryLock(1, true); i++) main.unlock(1, true);
  assert.equal(main.tryLock(1, true), false, "the lock is kept for the one that starves");
  main.forgetDeadWaiter(7);
  assert.ok(main.tryLock(1, false));
  assert.ok(other.tryLock(1, false));
  main.unlock(1, false);
  other.unlock(1, false);
  assert.equal(wordOf(region, 1), 0);
});

Deno.test(
  "forgetDeadWaiter: a notification the dead one never used goes to the next",
  alive(async () => {
    const region = lockRegion("mutex");
    const [main, next] = [locksOf(region, 0), locksOf(region, 1)];
    main.lock(1, true);
    leaveDeadWaiter(region, 1, 7, true);
    const wait = next.lockAsync(1, true);
    // The dead one was notified: the flag says that a waiter is on its way.
    Atomics.store(region.words, region.shardAt(1) + 6, 1);
    main.unlock(1, true);
    main.forgetDeadWaiter(7);
    // Not a promise about time: without the hand-over only the end of a 1 s sleep would wake it.
    const clock = new AbortController();
    const slice = delay(700, "clock", { signal: clock.signal }).catch(() => "stopped");
    assert.equal(await Promise.race([wait.then(() => "notified"), slice]), "notified");
    clock.abort();
    await slice;
    next.unlock(1, true);
  }),
);

Deno.test(
  "lock: a newcomer is not shut out for ever by a starving waiter that died",
  alive(async () => {
    const region = lockRegion("mutex");
    const main = locksOf(region, 0);
    leaveDeadWaiter(region, 0, 7, true);
    for (let i = 0; i <= BARGE_LIMIT + 1 && main.tryLock(0, true); i++) main.unlock(0, true);
    assert.equal(main.tryLock(0, true), false);
    await main.lockAsync(0, true);
    main.unlock(0, true);
  }),
);
