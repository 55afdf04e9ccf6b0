/** What the live page is sent. */

import assert from "node:assert/strict";
import { HistogramIndex } from "../../../../src/metrics/names.ts";
import { CounterIndex } from "../../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../../src/metrics/region.ts";
import { defaultConfig } from "../../../../src/server/config.ts";
import { BucketWindow, LatencyWindow } from "../../../../src/server/page/latency_window.ts";
import { History, pointBefore, seriesOf } from "../../../../src/server/page/client/history.js";
import type { PageFrame } from "../../../../src/server/page/frame.ts";
import { PageView } from "../../../../src/server/page/page_view.ts";
import {
  createSharedParts,
  type SharedParts,
  type SharedProcessorNeeds,
} from "../../../../src/server/shared_parts.ts";
import { Store } from "../../../../src/store/store.ts";
import { laneIndexes } from "../../../../src/worker/lanes.ts";
import type { WaitOrder } from "./waiting_worker.ts";

const config = {
  ...defaultConfig(),
  shards: 8,
  workersMin: 3,
  workersMax: 3,
  maxMemoryBytes: 8 * 2 ** 20,
};

/** A view with a clock that the test turns. */
function makeView(
  needs?: SharedProcessorNeeds,
): { view: PageView; shared: SharedParts; pass(ms: number): void } {
  const shared = createSharedParts(config, needs);
  let nowMs = 1000;
  const view = new PageView({
    ...{ shared, config, nowMs: () => nowMs },
    residentBytes: () => 5000,
  });
  return { view, shared, pass: (ms) => void (nowMs += ms) };
}

Deno.test("page view: a shard's numbers are those since the last update", () => {
  const { view, shared, pass } = makeView();
  const { locks } = shared.store;
  view.watch(true);
  assert.deepEqual(view.read().shards, { ms: 0, operations: [], contended: [] });
  const acquire = (shard: number, count: number): void => {
    for (let i = 0; i < count; i++) {
      locks.lock(shard, true);
      locks.unlock(shard, true);
    }
  };
  acquire(2, 5);
  acquire(7, 1);
  pass(200);
  assert.deepEqual(view.read().shards, {
    ms: 200,
    operations: [0, 0, 5, 0, 0, 0, 0, 1],
    contended: new Array(8).fill(0),
  });
  pass(200);
  assert.deepEqual(view.read().shards.operations, new Array(8).fill(0));
  // After a break nobody knows when it happened.
  acquire(2, 5);
  pass(60_000);
  assert.equal(view.read().shards.ms, 0);
  view.watch(false);
});

Deno.test("page view: a worker is seen idle, working, waiting for a lock and holding it", () => {
  const { view, shared, pass } = makeView();
  const { slots, threads } = shared;
  const looksAt = (index: number): readonly number[] => view.read().lanes[index]!.looks;
  assert.deepEqual(view.read().lanes, Array(3).fill({ looks: [1, 0, 0, 0], shard: -1 }));
  const slot = slots.own(1, 0);
  slot.fill(new Uint8Array(10), 0, 10, 0);
  assert.ok(slot.claim());
  assert.deepEqual(looksAt(1), [0, 1, 0, 0], "it has a job");
  assert.deepEqual(looksAt(0), [1, 0, 0, 0]);
  const worker = Store.attach(shared.store.memory, threads.firstWorkerThreadId + 1);
  worker.locks.lock(5, true);
  pass(200);
  assert.deepEqual(view.read().lanes[1], { looks: [0, 0, 0, 1], shard: 5 });
  worker.locks.unlock(5, true);
  assert.deepEqual(view.read().lanes[1], { looks: [0, 1, 0, 0], shard: -1 });
  // A lock that another thread holds is not this worker's.
  shared.store.locks.lock(5, true);
  assert.deepEqual(looksAt(1), [0, 1, 0, 0]);
  shared.store.locks.unlock(5, true);
});

Deno.test("page view: a worker with several jobs in hand has one lane", () => {
  const { view, shared } = makeView({ name: "own", concurrency: 4, jobBytes: 512, counters: [] });
  assert.equal(view.read().lanes.length, config.workersMax);
  // The second worker's third job.
  const [, third] = laneIndexes(1, config.workersMax, 4);
  const slot = shared.slots.own(third!, 0);
  slot.fill(new Uint8Array(10), 0, 10, 0);
  assert.ok(slot.claim());
  const looks = view.read().lanes.map(({ looks }) => looks);
  assert.deepEqual(looks, [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]);
});

Deno.test("page view: who sleeps for a lock is seen waiting", async () => {
  const { view, shared } = makeView();
  const { slots, threads, store } = shared;
  const slot = slots.own(0, 0);
  slot.fill(new Uint8Array(10), 0, 10, 0);
  slot.claim();
  const threadId = threads.firstWorkerThreadId;
  store.locks.lock(3, true);
  assert.equal(store.locks.ownerOf(3), 0);
  const worker = new Worker(new URL("./waiting_worker.ts", import.meta.url), { type: "module" });
  const done = new Promise((resolve) => worker.onmessage = resolve);
  const order: WaitOrder = { memory: store.memory, threadId, shard: 3 };
  worker.postMessage(order);
  while (store.locks.waitOf(threadId) < 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(store.locks.waitOf(threadId), 3);
  assert.deepEqual(view.read().lanes[0], { looks: [0, 0, 1, 0], shard: 3 });
  store.locks.unlock(3, true);
  await done;
  assert.equal(store.locks.waitOf(threadId), -1);
  assert.equal(store.locks.ownerOf(3), -1);
  worker.terminate();
});

Deno.test("page view: has no timer before anybody watches, nor after", async () => {
  const { view } = makeView();
  view.watch(true);
  view.watch(true);
  await new Promise((resolve) => setTimeout(resolve, 70));
  const looks = view.read().lanes[0]!.looks[0]!;
  assert.ok(looks > 1, `${looks} looks`);
  view.watch(false);
  // The test's own check for leaked timers is the other half.
});

Deno.test("page view: durations are those of the last second", () => {
  const region = MetricsRegion.create(1);
  const recorder = region.histogram(0, HistogramIndex.HTTP_LATENCY);
  const window = new LatencyWindow(() => region.snapshot(HistogramIndex.HTTP_LATENCY));
  for (let i = 0; i < 1000; i++) recorder.recordMs(500);
  assert.equal(window.take(1000).count, 0, "what was before is unknown");
  for (let i = 0; i < 99; i++) recorder.recordMs(1);
  recorder.recordMs(30);
  for (let nowMs = 1200; nowMs <= 1800; nowMs += 200) {
    const { count, p50_ms, p99_ms, p999_ms } = window.take(nowMs);
    assert.equal(count, 100);
    assert.ok(p50_ms >= 1 && p50_ms < 1.07 && p99_ms === p50_ms, `${p50_ms} ${p99_ms}`);
    assert.ok(p999_ms >= 30 && p999_ms < 32, String(p999_ms));
  }
  recorder.recordMs(2);
  assert.equal(window.take(2000).count, 101);
  assert.equal(window.take(2200).count, 1, "the others are more than a second ago");
  window.take(2900);
  assert.deepEqual(window.take(3500), { count: 0, p50_ms: 0, p99_ms: 0, p999_ms: 0 });
  recorder.recordMs(7);
  assert.equal(window.take(60_000).count, 0, "after a break nothing is known");
});

Deno.test("page view: of durations in few buckets, the bound that 99 of 100 do not exceed", () => {
  const window = new BucketWindow([1000, 2000, 4000]);
  assert.equal(window.p99Ms(1000, [50, 50, 60, 70]), 0, "what was before is unknown");
  assert.equal(window.p99Ms(1200, [149, 149, 160, 170]), 1, "one of a hundred took longer");
  assert.equal(window.p99Ms(1400, [247, 247, 260, 270]), 4, "three of two hundred did");
  assert.equal(window.p99Ms(2400, [247, 247, 260, 270]), 0, "none in the last second");
  assert.equal(window.p99Ms(2600, [347, 347, 360, 370]), 1);
  assert.equal(window.p99Ms(2800, [347, 347, 360, 380]), 4, "longer than every bound");
});

/** One server's for all frames: hundreds are made, and what servers share is megabytes. */
const { view: frameView, shared: frameParts } = makeView();

/** An update in which only these counters are not zero. */
function frameAt(atMs: number, received: number, dropped: number): PageFrame {
  const counters = frameParts.metrics.counters(0);
  counters.set(CounterIndex.RECEIVED, received);
  counters.set(CounterIndex.DROPPED_BUSY, dropped);
  return { ...frameView.read(), at_ms: atMs };
}

Deno.test("page history: rates are those of the last second, and gaps are no lines", () => {
  const history = new History();
  assert.equal(history.add(frameAt(1000, 50, 0)), undefined, "there is nothing to compare with");
  const rates = [[1500, 150, 0], [2000, 250, 50], [2500, 250, 50], [3000, 250, 50], [3500, 250, 50]]
    .map(([at, received, dropped]) => {
      const { values } = history.add(frameAt(at!, received!, dropped!))!;
      return [values["acceptedRate"], values["refusedRate"]];
    });
  assert.deepEqual(rates, [[200, 0], [150, 50], [50, 50], [0, 0], [0, 0]]);
  history.add(frameAt(9000, 250, 50));
  history.add(frameAt(9200, 260, 50));
  const [times, accepted] = seriesOf(history.points, ["acceptedRate"]);
  assert.equal(times.at(-1), 0);
  assert.ok(accepted!.includes(null), "the line is interrupted");
  assert.equal(pointBefore(history.points, 0)?.atMs, 9200);
  assert.equal(pointBefore(history.points, 500), undefined);
});

Deno.test("page history: a server that was started again is another line behind the old one", () => {
  const history = new History();
  for (let i = 0; i <= 10; i++) history.add(frameAt(60_000 + i * 200, i * 20, 0), i * 200);
  // Three seconds later there is a process whose clock and counters have just begun.
  assert.equal(history.add(frameAt(100, 0, 0), 5000), undefined, "nothing to compare with yet");
  const { values } = history.add(frameAt(300, 30, 0), 5200)!;
  assert.equal(values["acceptedRate"], 150, "no rate goes from one process to the other");
  const [times, accepted] = seriesOf(history.points, ["acceptedRate"]);
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
  assert.deepEqual(accepted!.slice(-3), [100, null, 150]);
  assert.equal(times.at(-3), -3.2, "the old process was heard of so long ago");
  for (let i = 2; i < 700; i++) history.add(frameAt(100 + i * 200, 0, 0), 5000 + i * 200);
  assert.ok(history.points.length <= 601 && history.points[0]!.atMs > 0, "it goes out of sight");
});

Deno.test("page history: keeps two minutes", () => {
  const history = new History();
  const frame = frameAt(0, 0, 0);
  for (let atMs = 0; atMs < 300_000; atMs += 200) history.add({ ...frame, at_ms: atMs });
  assert.ok(history.points.length <= 601, `${history.points.length} points`);
  assert.ok(history.points[0]!.atMs >= 179_600);
});
