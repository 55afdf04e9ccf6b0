/** What `/metrics/contention` answers. */

import assert from "node:assert/strict";
import { MetricsRegion } from "../../../src/metrics/region.ts";
import { type ContentionJson, contentionPage } from "../../../src/server/contention_page.ts";
import type { SharedParts } from "../../../src/server/shared_parts.ts";
import { planThreads } from "../../../src/server/threads.ts";
import { Store } from "../../../src/store/store.ts";
import { recordLockTimes } from "../../../src/worker/lock_times.ts";

function parts(shardCount: number, lockTiming: boolean, ioThreads = 1): SharedParts {
  const threads = planThreads({ ioThreads, workersMax: 2, dataDir: "" });
  const metrics = MetricsRegion.create(threads.threadCount);
  const store = Store.create({
    shardCount,
    lockKind: "rwlock",
    lockTiming,
    maxMemoryBytes: Math.max(8 * 2 ** 20, shardCount * 2 ** 19),
    maxValueBytes: 1000,
    threadCount: threads.threadCount,
  });
  recordLockTimes(store.locks, metrics, 0);
  return { threads, metrics, store } as SharedParts;
}

async function read(shared: SharedParts): Promise<ContentionJson> {
  return JSON.parse(new TextDecoder().decode(await contentionPage(shared)));
}

Deno.test("contentionPage: names every thread and every shard, and whose times are whose", async () => {
  const shared = parts(4, true, 2);
  const worker = Store.attach(shared.store.memory, 4);
  recordLockTimes(worker.locks, shared.metrics, 4);
  for (const shard of [1, 1, 3]) {
    worker.locks.lock(shard, shard === 1);
    worker.locks.unlock(shard, shard === 1);
  }
  const { lock_timing, threads, shards } = await read(shared);
  assert.equal(lock_timing, true);
  assert.deepEqual(
    threads.map(({ thread, kind, index, hold }) => [thread, kind, index, hold?.count]),
    [
      [0, "main", 0, 0],
      [1, "io", 0, 0],
      [2, "io", 1, 0],
      [3, "worker", 0, 0],
      [4, "worker", 1, 3],
    ],
  );
  assert.deepEqual(
    shards.map(({ shard, exclusive, shared, wait, hold }) => [
      ...[shard, exclusive, shared, wait?.count, hold?.count],
    ]),
    [[0, 0, 0, 0, 0], [1, 2, 0, 2, 2], [2, 0, 0, 0, 0], [3, 0, 1, 1, 1]],
  );
  const [of1, of3] = [shards[1]!.hold!, shards[3]!.hold!];
  assert.ok(of1.sum_ms > 0 || of1.max_ms > 0);
  assert.ok(Math.abs(of1.sum_ms + of3.sum_ms - threads[4]!.hold!.sum_ms) < 0.01);
  assert.deepEqual(Object.keys(of1), [
    ...["count", "sum_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"],
  ]);
});

Deno.test("contentionPage: with one I/O thread that is the main one", async () => {
  const { threads } = await read(parts(1, true));
  assert.deepEqual(
    threads.map(({ kind, index }) => `${kind} ${index}`),
    ["io 0", "worker 0", "worker 1"],
  );
});

Deno.test("contentionPage: without timing there are counts and no times", async () => {
  const shared = parts(2, false);
  assert.ok(shared.store.locks.tryLock(1, false));
  shared.store.locks.unlock(1, false);
  assert.deepEqual(await read(shared), {
    lock_timing: false,
    threads: [
      { thread: 0, kind: "io", index: 0, wait: null, hold: null },
      { thread: 1, kind: "worker", index: 0, wait: null, hold: null },
      { thread: 2, kind: "worker", index: 1, wait: null, hold: null },
    ],
    shards: [
      { shard: 0, exclusive: 0, shared: 0, contended: 0, wait: null, hold: null },
      { shard: 1, exclusive: 0, shared: 1, contended: 0, wait: null, hold: null },
    ],
  });
});

Deno.test("contentionPage: with 4,096 shards others have their turn in between", async () => {
  const shared = parts(4096, true);
  let turns = 0;
  let isDone = false;
  const others = (async () => {
    for (; !isDone; turns++) await new Promise((resolve) => setTimeout(resolve, 0));
  })();
  const page = await contentionPage(shared);
  const turnsMeanwhile = turns;
  isDone = true;
  await others;
  const { shards } = JSON.parse(new TextDecoder().decode(page)) as ContentionJson;
  assert.deepEqual(shards.map(({ shard }) => shard), Array.from({ length: 4096 }, (_, i) => i));
  assert.ok(turnsMeanwhile >= 3, `${turnsMeanwhile} turns`);
});
