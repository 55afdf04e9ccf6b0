import assert from "node:assert/strict";
import { hookWith } from "../store/helpers.ts";
import { encodeJob, EventFields } from "../../../src/base/job.ts";
import { BoundedChannel, RecvStatus } from "../../../src/channel/bounded_channel.ts";
import type { ConsumerSlot } from "../../../src/channel/consumer_slot.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { SlotKind } from "../../../src/channel/slot_layout.ts";
import { CounterIndex, HistogramIndex } from "../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";
import { minimumMemoryBytes, Store } from "../../../src/store/store.ts";
import { BalanceProcessor } from "../../../src/worker/balance_processor.ts";
import { JobRunner, type JobRunnerOptions } from "../../../src/worker/job_runner.ts";
import { Outcome } from "../../../src/worker/outcome.ts";

const THREAD = 1;

interface Bench {
  store: Store;
  slot: ConsumerSlot;
  slots: ConsumerSlots;
  metrics: MetricsRegion;
  runner: JobRunner;
  take(user: string, amount: number): void;
}

/** A runner on this thread, with a thread id of its own as in a worker. */
function makeBench(options: Partial<JobRunnerOptions> = {}): Bench {
  const main = Store.create({
    shardCount: 1,
    lockKind: "mutex",
    maxMemoryBytes: minimumMemoryBytes(1),
    maxValueBytes: 1024,
    threadCount: 2,
  });
  const store = Store.attach(main.memory, THREAD);
  const channel = BoundedChannel.create({ capacity: 4 });
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const slot = slots.own(0, 0);
  const metrics = MetricsRegion.create(2);
  const runner = new JobRunner({
    store,
    slot,
    counters: metrics.counters(THREAD),
    settlement: metrics.histogram(THREAD, HistogramIndex.EVENT_SETTLEMENT),
    processor: new BalanceProcessor(),
    workMs: 0,
    holdMs: 0,
    ...options,
  });
  const take = (user: string, amount: number) => {
    const event = new EventFields();
    const bytes = new TextEncoder().encode(`${user}buy`);
    event.user.set(bytes, 0, bytes.length - 3);
    event.action.set(bytes, bytes.length - 3, bytes.length);
    event.amount.setNumber(amount);
    const job = new Uint8Array(512);
    assert.ok(store.credits.tryAcquire());
    assert.ok(channel.trySend(job, 0, encodeJob(event, job, 0)));
    assert.equal(channel.recv(slot, 0), RecvStatus.JOB);
  };
  return { store, slot, slots, metrics, runner, take };
}

Deno.test("JobRunner: a settled job leaves the slot empty, the lock free and the credit back", () => {
  const { store, slot, metrics, runner, take } = makeBench();
  take("alice", 5);
  assert.equal(runner.run(), true);
  assert.equal(slot.kind, SlotKind.EMPTY);
  assert.equal(store.locks.heldBy(THREAD), -1);
  assert.equal(metrics.total(CounterIndex.PROCESSED), 1);
  const credits = store.credits.spareCredits;
  for (let i = 0; i < 10; i++) {
    take("alice", 5);
    runner.run();
  }
  assert.equal(store.credits.spareCredits, credits, "each credit came back once");
  store.assertInvariants();
});

Deno.test("JobRunner: an allocation that fails falls back on the reserve, wherever it happens", () => {
  for (let request = 0; request < 6; request++) {
    const { store, metrics, runner, take } = makeBench();
    take("alice", 5);
    store.failAllocationAfter(request);
    assert.equal(runner.run(), true);
    assert.equal(metrics.total(CounterIndex.PROCESSED), 1, `with request ${request} failing`);
    store.failAllocationAfter(-1);
    store.assertInvariants();
  }
});

Deno.test("JobRunner: an exception inside the critical section poisons the shard and is passed on", () => {
  const { store, runner, take } = makeBench();
  take("alice", 5);
  store.hook = hookWith({
    written: () => {
      throw new Error("a bug");
    },
    removed: () => {},
  });
  assert.throws(() => runner.run(), /a bug/);
  assert.throws(() => store.locks.tryLock(0, true), /poisoned/);
});

Deno.test("JobRunner: a failed job is told after it was counted", () => {
  const told: unknown[] = [];
  const { metrics, runner, take } = makeBench({
    processor: {
      process: () => {
        throw new Error("no");
      },
    },
    onFailed: (job, outcome, error) => {
      told.push([job.amount.toNumber(), outcome, String(error)]);
      assert.equal(metrics.total(CounterIndex.FAILED_PROCESSOR_ERROR), 1);
    },
  });
  take("alice", 5);
  assert.equal(runner.run(), true);
  assert.deepEqual(told, [[5, Outcome.FAILED_PROCESSOR_ERROR, "Error: no"]]);
});

Deno.test("JobRunner: a runner that was fenced during the job stops without a trace", () => {
  let fence = () => {};
  const { store, slots, metrics, runner, take } = makeBench({
    processor: {
      process: (event, context) => {
        new BalanceProcessor().process(event, context);
        fence();
      },
    },
  });
  take("alice", 5);
  // Not how a pool does it (it fences sleepers only): the last line of defence is tested here.
  fence = () => void slots.supervise(0).prepare(0);
  assert.equal(runner.run(), false);
  assert.equal(store.keyCount(0), 0);
  assert.equal(metrics.readEventCounters().processed, 0);
  assert.equal(slots.supervise(0).kind, SlotKind.CLAIMED, "the job is still there");
});
