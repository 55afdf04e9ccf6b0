import assert from "node:assert/strict";
import { SETTLED_MESSAGE_BYTES, SettledMessage } from "../../../src/base/inbox_message.ts";
import { Int64 } from "../../../src/base/int64.ts";
import { encodeJob, EventFields, JobFlag, JobView, MAX_JOB_BYTES } from "../../../src/base/job.ts";
import { BoundedChannel } from "../../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { Inbox, SendStep } from "../../../src/channel/inbox.ts";
import { EventIntake } from "../../../src/command/event_intake.ts";
import { EventWaits, type Settlement } from "../../../src/command/event_waits.ts";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";
import { IoInbox } from "../../../src/server/io_inbox.ts";
import { minimumMemoryBytes, Store } from "../../../src/store/store.ts";
import { Outcome } from "../../../src/worker/outcome.ts";
import { recoverDeadWorker } from "../../../src/worker/recovery.ts";
import { SettlementPost } from "../../../src/worker/settlement_post.ts";
import { PoolWorld } from "./pool_world.ts";

const WORKERS = 2;
/** The I/O thread of tests that need no other. */
const ONLY_THREAD = 0;

/** A pool that reports to an inbox, and an intake in front of it as an I/O thread has one. */
class WaitingWorld implements AsyncDisposable, Disposable {
  readonly errors: unknown[] = [];
  readonly waits: EventWaits;
  readonly #intake: EventIntake;
  readonly #inbox: IoInbox;

  constructor(readonly world: PoolWorld, inbox: Inbox, threadId = ONLY_THREAD) {
    this.waits = new EventWaits(threadId);
    this.#inbox = new IoInbox(inbox, this.waits, (error) => this.errors.push(error));
    this.#intake = new EventIntake({
      channel: world.channel,
      credits: world.store.credits,
      phase: { stopping: false },
      counters: world.metrics.counters(0),
      counterIds: {
        received: CounterIndex.RECEIVED,
        droppedBusy: CounterIndex.DROPPED_BUSY,
        droppedOutOfMemory: CounterIndex.DROPPED_OUT_OF_MEMORY,
        droppedShuttingDown: CounterIndex.DROPPED_SHUTTING_DOWN,
        droppedStorage: CounterIndex.DROPPED_STORAGE_UNAVAILABLE,
        duplicates: CounterIndex.DUPLICATES,
        forgottenIds: CounterIndex.FORGOTTEN_IDS,
        invalid: CounterIndex.INVALID,
      },
      waits: this.waits,
      settledTotal: () => 0,
    });
  }

  static async start(
    faultPlan?: (slotIndex: number, startCount: number) => string | undefined,
    ringBytes?: number,
  ): Promise<WaitingWorld> {
    const inbox = Inbox.create({
      producerCount: 1 + WORKERS,
      ...(ringBytes === undefined ? {} : { ringBytes }),
    });
    const world = await PoolWorld.start({
      pool: {
        workersMax: WORKERS,
        inboxes: { firstThreadId: ONLY_THREAD, inboxes: [inbox.memory] },
        ...(faultPlan === undefined ? {} : { faultPlan }),
      },
    });
    return new WaitingWorld(world, inbox);
  }

  /** Sends an event and waits for what the server would tell its client. */
  async settle(user: string, amount: Int64, timeoutMs = 20_000): Promise<Settlement> {
    const event = new EventFields();
    const bytes = new TextEncoder().encode(`${user}buy`);
    event.user.set(bytes, 0, user.length);
    event.action.set(bytes, user.length, user.length + 3);
    event.amount.copyFrom(amount);
    const outcome = this.#intake.offerWaiting(event, timeoutMs);
    return typeof outcome === "number" ? assert.fail(`refused: ${outcome}`) : await outcome;
  }

  /** Stops reading the inbox. */
  [Symbol.dispose](): void {
    this.#inbox[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.world[Symbol.asyncDispose]();
  }
}

const of = (value: number): Int64 => Int64.fromNumber(value);
const MAX = new Int64(0x7fffffff, 0xffffffff);

Deno.test("waiting for an event: the balance after it comes back, over the whole int64 range", async () => {
  await using waiting = await WaitingWorld.start();
  assert.deepEqual(await waiting.settle("alice", of(5)), { kind: "processed", balance: of(5) });
  assert.deepEqual(await waiting.settle("alice", of(-7)), { kind: "processed", balance: of(-2) });
  assert.deepEqual(await waiting.settle("bob", MAX), { kind: "processed", balance: MAX });
  assert.deepEqual(await waiting.settle("bob", of(1)), { kind: "failed", reason: "overflow" });
  assert.equal(waiting.waits.size, 0);
  assert.deepEqual(waiting.errors, []);
});

Deno.test("waiting for an event: what was promised is already visible (after settlement, P5)", async () => {
  await using waiting = await WaitingWorld.start();
  for (let sum = 1; sum <= 200; sum++) {
    const settlement = await waiting.settle("alice", of(1));
    assert.deepEqual(settlement, { kind: "processed", balance: of(sum) });
    assert.equal(waiting.world.balance("alice"), BigInt(sum));
    assert.equal(waiting.world.metrics.readEventCounters().pending, 0, "it was counted before");
  }
});

Deno.test("waiting for events: 500 at once are answered, each with a balance of its own", async () => {
  await using waiting = await WaitingWorld.start();
  const settlements = await Promise.all(
    Array.from({ length: 500 }, () => waiting.settle("alice", of(1))),
  );
  const balances = settlements.map((settlement) =>
    settlement.kind === "processed" ? settlement.balance!.toNumber() : -1
  );
  assert.deepEqual(
    balances.toSorted((a, b) => a - b),
    Array.from({ length: 500 }, (_, i) => i + 1),
  );
});

Deno.test("waiting for an event: a worker that dies before its effect is replaced, the client told", async () => {
  await using waiting = await WaitingWorld.start((_slot, startCount) =>
    startCount === 1 ? "withLock:1" : undefined
  );
  assert.deepEqual(await waiting.settle("alice", of(3)), { kind: "processed", balance: of(3) });
});

for (const step of ["afterEffect", "afterUnlock", "afterSettle"]) {
  Deno.test(`waiting for an event: a worker that dies behind its effect (${step}) costs no answer`, async () => {
    await using waiting = await WaitingWorld.start((_slot, startCount) =>
      startCount === 1 ? `${step}:1` : undefined
    );
    assert.deepEqual(await waiting.settle("alice", MAX), { kind: "processed", balance: MAX });
    assert.equal(waiting.world.balance("alice"), MAX.toBigInt(), "it is visible (P5)");
    assert.equal(waiting.world.metrics.readEventCounters().pending, 0, "it was counted before");
    assert.equal(waiting.world.pool.deaths, 1);
    // The next one of a worker that dies fails, and is not taken for the one before.
    const again = await Promise.all([of(1), of(1)].map((one) => waiting.settle("alice", one)));
    assert.deepEqual(again, [1, 2].map(() => ({ kind: "failed", reason: "overflow" })));
    assert.equal(waiting.waits.size, 0);
    assert.deepEqual(waiting.errors, []);
  });
}

Deno.test("waiting for an event: who waits for one that its workers die of is told that it failed", async () => {
  await using waiting = await WaitingWorld.start(() => "withLock:1");
  const failed = { kind: "failed", reason: "processor_error" };
  assert.deepEqual(await waiting.settle("alice", of(3)), failed);
  assert.equal(waiting.world.metrics.readEventCounters().failed, 1);
  assert.equal(waiting.world.balance("alice"), undefined);
});

Deno.test("waiting for an event: what a worker posted and did not announce arrives when it is dead", async () => {
  const inbox = Inbox.create({ producerCount: 1 + WORKERS });
  await using world = await PoolWorld.start({
    pool: {
      workersMax: 1,
      inboxes: { firstThreadId: ONLY_THREAD, inboxes: [inbox.memory] },
      faultPlan: (_slot, startCount) => startCount === 1 ? "afterTake:1" : undefined,
    },
  });
  using reader = new WaitingWorld(world, inbox);
  const { address, settlement } = reader.waits.begin(20_000);
  const message = new SettledMessage();
  Object.assign(message, { ...address, outcome: Outcome.FAILED_OVERFLOW });
  const bytes = new Uint8Array(SETTLED_MESSAGE_BYTES);
  message.encode(bytes);
  // In place of the worker, which has nothing to post yet: it got as far as this before it died.
  const sender = inbox.sender(1);
  sender.onStep = (step) => {
    if (step === SendStep.PUBLISHED) throw new Error("it dies here");
  };
  assert.throws(() => sender.trySend(bytes, 0, bytes.length), /it dies here/);
  world.offer("alice", 1);
  assert.deepEqual(await settlement, { kind: "failed", reason: "overflow" });
  assert.equal(world.pool.deaths, 1);
});

Deno.test("waiting for an event: nobody is told of the outcome of a job that nobody can read", () => {
  const inbox = Inbox.create({ producerCount: 2 });
  const metrics = MetricsRegion.create(2);
  const store = Store.create({
    shardCount: 1,
    lockKind: "mutex",
    maxMemoryBytes: minimumMemoryBytes(1),
    maxValueBytes: 1024,
    threadCount: 2,
  });
  const channel = BoundedChannel.create({ capacity: 1 });
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const slot = slots.own(0, 0);
  slot.fill(new Uint8Array(40).fill(JobFlag.WANTS_REPLY), 0, 40, 0);
  slot.claim();
  slot.apply(Outcome.PROCESSED, 1, of(0));
  assert.ok(store.credits.tryAcquire());
  const counters = metrics.counters(1);
  const [recovery] = recoverDeadWorker({
    slot: slots.supervise(0),
    threadId: 1,
    counters,
    channel,
    store,
    mayBlameJob: true,
    post: new SettlementPost({ firstThreadId: 0, inboxes: [inbox.memory] }, 1, counters),
  });
  assert.deepEqual(recovery, { kind: "settled", outcome: Outcome.PROCESSED });
  assert.equal(inbox.receiver().drain(() => {}), 0);
  assert.equal(counters.get(CounterIndex.PROCESSED), 1);
});

Deno.test("waiting for events: what does not fit the inbox is counted, and nobody waits for it", async () => {
  // Two outcomes fit; the thread that reads them is busy meanwhile.
  await using waiting = await WaitingWorld.start(undefined, 64);
  const settlements = Array.from({ length: 40 }, () => waiting.settle("alice", of(1), 500));
  const endMs = performance.now() + 20_000;
  while (waiting.world.metrics.readEventCounters().pending > 0) {
    assert.ok(performance.now() < endMs, "the workers go on");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  const kinds = (await Promise.all(settlements)).map(({ kind }) => kind);
  const dropped = waiting.world.metrics.total(CounterIndex.INBOX_OVERRUNS);
  assert.ok(dropped >= 30, `${dropped} outcomes were dropped`);
  assert.equal(kinds.filter((kind) => kind === "pending").length, dropped);
});

Deno.test("SettlementPost: what is posted quietly is heard behind the next ring, all of it", async () => {
  const inbox = Inbox.create({ producerCount: 2 });
  const post = new SettlementPost(
    { firstThreadId: 0, inboxes: [inbox.memory] },
    1,
    MetricsRegion.create(2).counters(1),
  );
  const heard: number[] = [];
  const receiver = inbox.receiver();
  const message = new SettledMessage();
  void receiver.serve((bytes, start, end) => {
    heard.push(message.decode(bytes, start, end).slot);
  });
  const event = new EventFields();
  event.flags = JobFlag.WANTS_REPLY;
  const bytes = new Uint8Array(MAX_JOB_BYTES);
  const sum = new Int64();
  const postOne = (slot: number, isQuiet: boolean): void => {
    event.replySlot = slot;
    event.user.set(Uint8Array.of(97), 0, 1);
    event.action.set(Uint8Array.of(97), 0, 1);
    const job = new JobView().attach(bytes, 0, encodeJob(event, bytes, 0));
    if (isQuiet) post.postQuietly(job, Outcome.PROCESSED, sum, new Uint8Array(0));
    else post.post(job, Outcome.PROCESSED, sum);
  };
  postOne(1, true);
  postOne(2, true);
  assert.equal(post.quietCount, 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(heard, [], "nobody was woken");
  post.ring();
  assert.equal(post.quietCount, 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(heard, [1, 2]);
  postOne(3, false);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(heard, [1, 2, 3]);
  receiver[Symbol.dispose]();
});

Deno.test("waiting for events: the outcome goes to the thread whose client asked", async () => {
  const inboxes = [0, 1].map(() => Inbox.create({ producerCount: 1 + WORKERS }));
  await using world = await PoolWorld.start({
    pool: {
      workersMax: WORKERS,
      inboxes: { firstThreadId: 7, inboxes: inboxes.map(({ memory }) => memory) },
    },
  });
  const threads = inboxes.map((inbox, index) => new WaitingWorld(world, inbox, 7 + index));
  const settlements = await Promise.all(
    Array.from({ length: 100 }, (_, i) => threads[i % 2]!.settle(`user${i % 2}`, of(1))),
  );
  for (const [index, thread] of threads.entries()) {
    const own = settlements.filter((_, i) => i % 2 === index).map((settlement) =>
      settlement.kind === "processed" ? settlement.balance!.toNumber() : -1
    );
    assert.equal(new Set(own).size, 50);
    assert.equal(Math.max(...own), 50);
    assert.deepEqual(thread.errors, []);
    thread[Symbol.dispose]();
  }
});
