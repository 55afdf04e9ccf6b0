import assert from "node:assert/strict";
import { BUCKET_COUNT } from "../../../src/metrics/histogram.ts";
import {
  COUNTER_ROWS,
  CounterIndex,
  HistogramIndex,
  PROTOCOL_COUNTERS,
  PROTOCOLS,
} from "../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";

Deno.test("MetricsRegion: totals are the sum over threads, seen through an attached region", () => {
  const region = MetricsRegion.create(3);
  for (let thread = 0; thread < 3; thread++) {
    region.counters(thread).add(CounterIndex.RECEIVED, thread + 1);
    region.histogram(thread, HistogramIndex.HTTP_LATENCY).recordMs(thread + 1);
  }
  const other = MetricsRegion.attach(structuredClone(region.memory));
  assert.equal(other.total(CounterIndex.RECEIVED), 6);
  assert.equal(other.snapshot(HistogramIndex.HTTP_LATENCY).count, 3);
  assert.equal(other.snapshot(HistogramIndex.RESP_LATENCY).count, 0);
});

Deno.test("MetricsRegion: no two counters or histograms of any thread share memory", () => {
  const threadCount = 3;
  const region = MetricsRegion.create(threadCount);
  let expected = 0;
  for (let thread = 0; thread < threadCount; thread++) {
    const counters = region.counters(thread);
    for (const { index } of COUNTER_ROWS) counters.set(index, ++expected);
    for (const histogram of Object.values(HistogramIndex)) {
      region.histogram(thread, histogram).recordMs(1e9);
    }
  }
  expected = 0;
  for (let thread = 0; thread < threadCount; thread++) {
    for (const { index } of COUNTER_ROWS) {
      assert.equal(region.counters(thread).get(index), ++expected, `${thread} ${index}`);
    }
  }
  for (const histogram of Object.values(HistogramIndex)) {
    assert.equal(region.snapshot(histogram).count, threadCount);
    assert.deepEqual(region.snapshot(histogram).cumulative([2 ** 25]), [0]);
  }
  assert.ok(BUCKET_COUNT > 0);
  region.assertInvariants();
});

Deno.test("ThreadCounters: set is idempotent and add takes gauges down again", () => {
  const counters = MetricsRegion.create(1).counters(0);
  counters.set(CounterIndex.PROCESSED, 7);
  counters.set(CounterIndex.PROCESSED, 7);
  assert.equal(counters.get(CounterIndex.PROCESSED), 7);
  counters.add(CounterIndex.HTTP_CONNECTIONS_ACTIVE);
  counters.add(CounterIndex.HTTP_CONNECTIONS_ACTIVE, -1);
  assert.equal(counters.get(CounterIndex.HTTP_CONNECTIONS_ACTIVE), 0);
});

Deno.test("MetricsRegion: a thread id without a block is our bug", () => {
  assert.throws(() => MetricsRegion.create(2).counters(2), { name: "AssertionFault" });
  assert.throws(() => MetricsRegion.create(0), { name: "AssertionFault" });
});

Deno.test("MetricsRegion: attach refuses memory that is no metrics region", () => {
  const buffer = new SharedArrayBuffer(64_000);
  assert.throws(() => MetricsRegion.attach({ buffer }), { name: "AssertionFault" });
});

Deno.test("readEventCounters: received = processed + dropped + failed + pending", () => {
  const region = MetricsRegion.create(2);
  const io = region.counters(0);
  const worker = region.counters(1);
  io.add(CounterIndex.RECEIVED, 20);
  io.add(CounterIndex.DROPPED_BUSY, 3);
  io.add(CounterIndex.DROPPED_OUT_OF_MEMORY, 2);
  io.add(CounterIndex.DROPPED_SHUTTING_DOWN, 1);
  io.add(CounterIndex.INVALID, 100);
  worker.add(CounterIndex.PROCESSED, 5);
  worker.add(CounterIndex.FAILED_OVERFLOW, 1);
  worker.add(CounterIndex.FAILED_WRONG_TYPE, 1);
  worker.add(CounterIndex.FAILED_OUT_OF_MEMORY, 1);
  worker.add(CounterIndex.FAILED_PROCESSOR_ERROR, 1);
  assert.deepEqual(region.readEventCounters(), {
    received: 20,
    processed: 5,
    dropped: 6,
    failed: 4,
    pending: 5,
  });
});

Deno.test("readEventCounters: sees no event settled before it was received, while others count", async () => {
  const region = MetricsRegion.create(2);
  const control = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL("./counting_worker.ts", import.meta.url), { type: "module" });
  const next = (): Promise<unknown> =>
    new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  const ready = next();
  worker.postMessage({ memory: region.memory, control: control.buffer });
  await ready;

  // The worker always has one or two events pending, so 0 would show a reader that mixes times.
  let readsWhileCounting = 0;
  let twinCaught = 0;
  let before = -1;
  // Until the race was seen often enough, which on a busy machine takes as long as it takes.
  const endMs = performance.now() + 30_000;
  while ((readsWhileCounting < 2000 || twinCaught < 1) && performance.now() < endMs) {
    const receivedFirst = region.total(CounterIndex.RECEIVED);
    const { received, processed, pending } = region.readEventCounters();
    assert.ok(pending >= 1, `${received} received, ${processed} processed`);
    // The broken twin: it reads what was received before what became of it.
    if (receivedFirst - processed < 1) twinCaught++;
    if (processed !== before) readsWhileCounting++;
    // Sleeps until the worker has counted: on one processor, turns of both are milliseconds long.
    else Atomics.wait(control, 0, 0, 0.01);
    before = processed;
  }
  const done = next();
  Atomics.store(control, 0, 1);
  const settled = await done;
  assert.ok(readsWhileCounting >= 1000, `the threads overlapped in ${readsWhileCounting} reads`);
  assert.ok(twinCaught >= 1, "the race is there to be seen");
  assert.equal(region.readEventCounters().processed, settled);
  assert.equal(region.readEventCounters().pending, 1);
});

Deno.test("PROTOCOL_COUNTERS: names a counter of its own for every protocol and use", () => {
  const ids = PROTOCOLS.flatMap((protocol) => Object.values(PROTOCOL_COUNTERS[protocol]));
  assert.equal(new Set(ids).size, PROTOCOLS.length * 8);
});
