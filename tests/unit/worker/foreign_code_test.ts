/** What code of a processor may run, and when: never while the worker is awake, or holds anything. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodeJob, EventFields } from "../../../src/base/job.ts";
import { BoundedChannel, RecvStatus } from "../../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { SlotKind } from "../../../src/channel/slot_layout.ts";
import { CounterIndex, HistogramIndex } from "../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";
import type { BackgroundWork } from "../../../src/store/background.ts";
import { minimumMemoryBytes, Store } from "../../../src/store/store.ts";
import { ForeignGate } from "../../../src/worker/foreign_gate.ts";
import { ForeignLoop } from "../../../src/worker/foreign_loop.ts";
import type { Emission } from "../../../src/worker/job_context.ts";
import { JobRunner, type JobRunnerOptions, TryStatus } from "../../../src/worker/job_runner.ts";
import { Outcome } from "../../../src/worker/outcome.ts";
import type { Processor } from "../../../src/worker/processor.ts";
import { recoverDeadWorker } from "../../../src/worker/recovery.ts";

const THREAD = 1;
const TIMEOUT_MS = 2000;

/** A worker with a processor on this thread. */
function bench(process: Processor["process"], options: Partial<JobRunnerOptions> = {}) {
  const main = Store.create({
    shardCount: 1,
    lockKind: "mutex",
    maxMemoryBytes: minimumMemoryBytes(1),
    maxValueBytes: 1024,
    threadCount: 2,
  });
  const store = Store.attach(main.memory, THREAD);
  const channel = BoundedChannel.create({ capacity: 4 });
  const slots = ConsumerSlots.create({ slotCount: 1, resultBytes: 16_384 });
  const life = slots.own(0, 0);
  const metrics = MetricsRegion.create(2);
  const gate = new ForeignGate(life);
  const failures: unknown[] = [];
  const runner = new JobRunner({
    store,
    slot: life,
    counters: metrics.counters(THREAD),
    settlement: metrics.histogram(THREAD, HistogramIndex.EVENT_SETTLEMENT),
    processor: { process },
    gate,
    workMs: 0,
    holdMs: 0,
    onFailed: (_job, _outcome, error) => failures.push(error),
    ...options,
  });
  const supervision = slots.supervise(0);
  const send = (user: string) => {
    const event = new EventFields().clear();
    const bytes = new TextEncoder().encode(`${user}buy`);
    event.user.set(bytes, 0, bytes.length - 3);
    event.action.set(bytes, bytes.length - 3, bytes.length);
    event.number = 7;
    const job = new Uint8Array(512);
    assert.ok(store.credits.tryAcquire());
    assert.ok(channel.trySend(job, 0, encodeJob(event, job, 0)));
  };
  const take = (user: string) => {
    send(user);
    assert.equal(channel.recv(life, 0), RecvStatus.JOB);
    assert.ok(runner.begin());
  };
  const loop = () => {
    const background = { runBetweenJobs() {}, waitMs: () => 10 } as unknown as BackgroundWork;
    const parts = { channel, life, background, notes: undefined, post: undefined };
    return new ForeignLoop(parts, gate, [life], [runner], TIMEOUT_MS).run();
  };
  return {
    main,
    store,
    channel,
    slots,
    life,
    metrics,
    gate,
    failures,
    runner,
    supervision,
    send,
    take,
    loop,
  };
}

Deno.test("JobRunner: the text of what was thrown is made while the worker is asleep", () => {
  const asleep: boolean[] = [];
  const note = () => {
    asleep.push(world.supervision.asleep);
    return "strange";
  };
  const world = bench(() => {
    throw { toJSON: note };
  });
  world.take("ann");
  assert.equal(world.runner.try(), TryStatus.SETTLED);
  assert.deepEqual(asleep, [true]);
  assert.deepEqual(world.failures, ['"strange"']);
});

Deno.test("ForeignContext: keys and options of a class of one's own are looked at while the worker is asleep", () => {
  const asleep: boolean[] = [];
  const note = () => asleep.push(world.supervision.asleep);
  class Odd extends Uint8Array<ArrayBuffer> {
    override get length(): number {
      note();
      return super.length;
    }
  }
  const world = bench((_event, context) => {
    const key = Odd.from([1, 2, 3]);
    asleep.length = 0;
    context.get(key);
    context.zrank("z", key, {
      get reverse() {
        note();
        return true;
      },
    });
    const trap = new Proxy({}, {
      getPrototypeOf: () => {
        note();
        return null;
      },
    });
    assert.throws(() => context.get(trap as Uint8Array), TypeError);
    context.set(key, key);
  });
  world.take("ann");
  assert.equal(world.runner.try(), TryStatus.SETTLED);
  assert.deepEqual(world.failures, []);
  assert.ok(asleep.length > 0 && asleep.every(Boolean), `${asleep}`);
});

Deno.test("ForeignContext: it cannot be used from within our code", () => {
  const world = bench((_event, context) => {
    assert.ok(world.gate.enter());
    assert.throws(() => context.get("k"), /Cannot use the context/);
    assert.ok(world.gate.leave(0));
    assert.equal(context.get("k"), undefined);
  });
  world.take("ann");
  assert.equal(world.runner.try(), TryStatus.SETTLED);
  assert.deepEqual(world.failures, []);
});

Deno.test("ForeignLoop: a promise with a `then` of its own is asked while the worker is asleep", async () => {
  const asleep: boolean[] = [];
  const world = bench(() => {
    const promise = Promise.resolve("done");
    promise.then = function (this: Promise<string>, ...args: Parameters<typeof promise.then>) {
      asleep.push(world.supervision.asleep);
      return Promise.prototype.then.apply(this, args);
    } as typeof promise.then;
    return promise;
  });
  world.send("ann");
  const ended = world.loop();
  world.channel.close();
  assert.equal(await ended, true);
  assert.deepEqual(asleep, [true]);
  assert.equal(world.metrics.total(CounterIndex.PROCESSED), 1);
});

Deno.test("JobEvent: code of a fenced worker does not see the next job of its slot", () => {
  let seen = "";
  const world = bench((event) => {
    assert.ok(world.supervision.fenceSleeper());
    const epoch = world.supervision.prepare(0);
    world.supervision.become(SlotKind.EMPTY);
    const next = world.slots.own(0, epoch);
    world.send("bob");
    assert.equal(world.channel.recv(next, 0), RecvStatus.JOB);
    seen = event.user;
  });
  world.take("ann");
  assert.equal(world.runner.try(), TryStatus.FENCED);
  assert.equal(seen, "ann");
});

Deno.test("ForeignLoop: what a predecessor died with is settled before a stop", async () => {
  const world = bench((_event, context) => context.add("k", 1));
  world.send("ann");
  assert.equal(world.channel.recv(world.life, 0), RecvStatus.JOB);
  world.supervision.requestStop();
  assert.equal(await world.loop(), true);
  assert.equal(world.supervision.kind, SlotKind.EMPTY);
  assert.equal(world.metrics.total(CounterIndex.PROCESSED), 1);
});

Deno.test("JobContext: a Buffer that is published is published as it was", () => {
  const published: string[] = [];
  const world = bench((_event, context) => {
    const buffer = Buffer.from("before");
    context.emit(buffer);
    buffer.write("behind");
  }, {
    publish: ({ payload }: Emission) => void published.push(new TextDecoder().decode(payload)),
  });
  world.take("ann");
  assert.equal(world.runner.try(), TryStatus.SETTLED);
  assert.deepEqual(published, ["before"]);
});

Deno.test("recoverDeadWorker: what a worker leaves that nobody replaces has failed", () => {
  const world = bench(() => {});
  world.take("ann");
  const remains = {
    slot: world.supervision,
    threadId: THREAD,
    counters: world.metrics.counters(THREAD),
    channel: world.channel,
    store: world.main,
    mayBlameJob: false,
  };
  assert.deepEqual(recoverDeadWorker(remains), [{ kind: "requeued", deaths: 0 }]);
  const [recovery] = recoverDeadWorker({ ...remains, isLast: true });
  assert.deepEqual(recovery, { kind: "settled", outcome: Outcome.FAILED_PROCESSOR_ERROR });
  assert.equal(world.supervision.kind, SlotKind.EMPTY);
  assert.equal(world.metrics.total(CounterIndex.FAILED_PROCESSOR_ERROR), 1);
});

Deno.test("ForeignLoop: what comes behind the end of its isolate touches nothing that was in hand", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const world = bench(() => promise);
  world.send("ann");
  const ended = world.loop();
  await new Promise((resolve) => setTimeout(resolve, 1));
  // As the end of an isolate does in the middle of our code: it is awake, and does not go on.
  assert.ok(world.gate.enter());
  resolve();
  await assert.rejects(ended, /in the middle of its work/);
  assert.equal(world.supervision.kind, SlotKind.CLAIMED);
  assert.equal(world.metrics.total(CounterIndex.PROCESSED), 0);
});
