import assert from "node:assert/strict";
import { SlotKind } from "../../../src/channel/slot_layout.ts";
import { CounterIndex, HistogramIndex } from "../../../src/metrics/names.ts";
import { Key } from "../../../src/store/key.ts";
import { BALANCE_KEY_PREFIX } from "../../../src/worker/balance_processor.ts";
import { MAX_DEATHS_PER_JOB } from "../../../src/worker/recovery.ts";
import { PoolWorld, sleep } from "./pool_world.ts";

const ODD_PROCESSOR = new URL("./odd_processor.ts", import.meta.url).href;

function setBalance(world: PoolWorld, user: string, value: string): void {
  const keyBytes = new TextEncoder().encode(BALANCE_KEY_PREFIX + user);
  const valueBytes = new TextEncoder().encode(value);
  const key = new Key().set(keyBytes, 0, keyBytes.length);
  world.store.locate(key);
  world.store.nowMs = Date.now();
  assert.ok(world.store.locks.tryLock(key.shard, true));
  world.store.setString(0, key, valueBytes, 0, valueBytes.length, 0);
  world.store.locks.unlock(key.shard, true);
}

Deno.test("WorkerPool: settles every accepted event once", async () => {
  await using world = await PoolWorld.start({
    shardCount: 64,
    capacity: 50,
    firstTicket: 2 ** 32 - 500,
    pool: { workersMax: 3 },
  });
  assert.equal(world.pool.size, 3);
  for (let i = 0; i < 2000; i++) await world.send(`user${i % 10}`, i % 2 === 0 ? i : -i);
  await world.drain();
  world.assertExact();
  assert.equal(world.pool.deaths, 0);
  assert.equal(world.pool.size, 0);
  assert.equal(world.metrics.snapshot(HistogramIndex.EVENT_SETTLEMENT).count, 2000);
  assert.deepEqual(world.lines, []);
});

Deno.test("WorkerPool: a balance that overflows or is no integer fails the event, not the worker", async () => {
  // One worker: with several the 1 may be added before the 7, and then it is the 7 that overflows.
  await using world = await PoolWorld.start({ pool: { workersMax: 1 } });
  setBalance(world, "rich", "9223372036854775800");
  setBalance(world, "poet", "roses are red");
  world.offer("rich", 7);
  world.offer("rich", 1);
  world.offer("poet", 1);
  world.offer("alice", 5);
  await world.drain();
  world.assertExact(2);
  assert.equal(world.balance("rich"), 9223372036854775807n);
  assert.equal(world.balance("poet"), undefined);
  assert.equal(world.balance("alice"), 5n);
  assert.equal(world.metrics.total(CounterIndex.FAILED_OVERFLOW), 1);
  assert.equal(world.metrics.total(CounterIndex.FAILED_WRONG_TYPE), 1);
  assert.equal(world.pool.deaths, 0);
  const failures = world.lines.map(({ fields }) => [fields["reason"], fields["user"]]).sort();
  assert.deepEqual(failures, [["overflow", "rich"], ["wrong_type", "poet"]]);
});

Deno.test("WorkerPool: an exception in a processor costs one event, not the worker", async () => {
  await using world = await PoolWorld.start({ pool: { processorUrl: ODD_PROCESSOR } });
  for (const user of ["thrower", "alice", "stranger", "alice"]) world.offer(user, 3);
  await world.drain();
  world.assertExact(2);
  assert.equal(world.balance("alice"), 6n);
  assert.equal(world.metrics.total(CounterIndex.FAILED_PROCESSOR_ERROR), 2);
  assert.equal(world.pool.deaths, 0);
  const errors = world.lines.map(({ fields }) => fields["error"]).sort();
  assert.deepEqual(errors, [
    "Error: no such thing",
    "RangeError: Cannot use a key of 1048576 bytes: keys have at most 4096",
  ]);
});

Deno.test("WorkerPool: an event that kills every worker fails after some deaths", async () => {
  await using world = await PoolWorld.start({
    pool: { processorUrl: ODD_PROCESSOR, workersMax: 1 },
  });
  world.offer("alice", 1);
  world.offer("killer", 1);
  world.offer("alice", 1);
  await world.drain();
  world.assertExact(1);
  assert.equal(world.balance("alice"), 2n);
  assert.equal(world.balance("killer"), undefined);
  assert.equal(world.pool.deaths, MAX_DEATHS_PER_JOB);
  assert.equal(world.metrics.total(CounterIndex.FAILED_PROCESSOR_ERROR), 1);
  assert.deepEqual(
    world.lines.map(({ fields }) => fields["job"]),
    ["requeued", "requeued", "processor_error"],
  );
});

Deno.test("WorkerPool: says why it cannot start", async () => {
  await assert.rejects(
    PoolWorld.start({
      pool: { processorUrl: new URL("./no_such_module.ts", import.meta.url).href },
    }),
    /^Error: Cannot start an event worker: .*no_such_module/,
  );
  await assert.rejects(
    PoolWorld.start({ pool: { processorUrl: new URL("./pool_world.ts", import.meta.url).href } }),
    /default export has no process/,
  );
});

Deno.test("WorkerPool: an empty pool starts a worker when the first job comes", async () => {
  await using world = await PoolWorld.start({ pool: { workersMin: 0, workersMax: 2 } });
  assert.equal(world.pool.size, 0);
  world.offer("alice", 1);
  await world.until("it is settled", () => world.metrics.total(CounterIndex.PROCESSED) === 1);
  await world.until("it is known to be ready", () => world.pool.size === 1);
  await world.drain();
  world.assertExact();
});

Deno.test("WorkerPool: an empty pool starts a worker when it is wanted for something else", async () => {
  let isWanted = false;
  await using world = await PoolWorld.start({
    pool: { workersMin: 0, workersMax: 1, isWanted: () => isWanted, timings: { tickMs: 5 } },
  });
  await sleep(50);
  assert.equal(world.pool.size, 0);
  isWanted = true;
  await world.until("it has a worker", () => world.pool.size === 1);
});

Deno.test("WorkerPool: an empty pool drains: what had just come, and nothing", async () => {
  for (const count of [3, 0]) {
    await using world = await PoolWorld.start({
      // No look at the load comes before the end.
      pool: { workersMin: 0, workersMax: 1, timings: { tickMs: 60_000 } },
    });
    for (let i = 0; i < count; i++) world.offer("alice", 1);
    await world.drain();
    world.assertExact();
    assert.equal(world.balance("alice"), count === 0 ? undefined : 3n);
  }
});

Deno.test("WorkerPool: grows while jobs wait and shrinks when nobody needs the workers", async () => {
  await using world = await PoolWorld.start({
    pool: {
      workersMin: 1,
      workersMax: 4,
      workMs: 20,
      timings: { tickMs: 5, growAfterMs: 10, shrinkAfterMs: 50 },
    },
  });
  assert.equal(world.pool.size, 1);
  for (let i = 0; i < 200; i++) world.offer("alice", 1);
  await world.until("it has grown", () => world.pool.size === 4);
  await world.until("it has shrunk", () => world.pool.size === 1);
  world.offer("alice", 1);
  await world.drain();
  world.assertExact();
  assert.equal(world.pool.deaths, 0, "workers that were let go did not die");
});

Deno.test("WorkerPool: work-ms passes without the lock, hold-ms with it", async () => {
  for (const [workMs, holdMs] of [[60_000, 0], [0, 60_000]] as const) {
    const world = await PoolWorld.start({ pool: { workersMax: 1, workMs, holdMs } });
    world.offer("alice", 1);
    const slot = world.pool.slots.supervise(0);
    await world.until("it naps", () => slot.kind === SlotKind.CLAIMED && slot.asleep);
    assert.equal(world.store.locks.heldBy(1), holdMs > 0 ? 0 : -1);
    const report = await world.pool.drainAndStop(AbortSignal.timeout(10));
    assert.equal(report.drained, false);
    assert.equal(report.unsettled, 1);
    assert.equal(report.workersLeft, 1);
    // The nap ends early: the worker was let go and is fenced, so that the test can end.
    while (!slot.fenceSleeper()) await sleep(1);
    await noWorkerLeft(world);
  }
});

Deno.test("WorkerPool: work-ms and hold-ms delay the event, they do not lose it", async () => {
  await using world = await PoolWorld.start({ pool: { workMs: 3, holdMs: 2 } });
  for (let i = 0; i < 40; i++) world.offer("alice", 1);
  await world.drain();
  world.assertExact();
});

Deno.test("WorkerPool: a sender that is refused while the drain looks does not hold it up", async () => {
  const RESERVED_WORD = 16;
  const sizes: number[] = [];
  const world: PoolWorld = await PoolWorld.start({
    pool: {
      workersMax: 1,
      onSize: (size) => {
        sizes.push(size);
        if (size > 0) return;
        // The last worker has left. What the reservation of a sender on another thread does before
        // it finds the channel closed and takes it back:
        const words = new Int32Array(world.channel.memory.buffer);
        Atomics.add(words, RESERVED_WORD, 1);
        setTimeout(() => world.channel.cancelReservation(), 20);
      },
    },
  });
  await using _world = world;
  world.offer("alice", 1);
  const signal = AbortSignal.timeout(20_000);
  const { drained } = await world.pool.drainAndStop(signal);
  assert.ok(drained && !signal.aborted, "it ended by itself");
  world.assertExact();
  assert.equal(sizes.at(-1), 0);
});

Deno.test("WorkerPool: stopping without a drain leaves the rest in the channel", async () => {
  const world = await PoolWorld.start({ pool: { workersMax: 1, workMs: 5 } });
  for (let i = 0; i < 500; i++) world.offer("alice", 1);
  await world.pool[Symbol.asyncDispose]();
  const { processed, pending } = world.metrics.readEventCounters();
  assert.ok(processed < 500);
  assert.equal(world.channel.depth, pending, "what was not settled is still there");
  assert.equal(world.pool.inFlight, 0);
  assert.equal(world.balance("alice") ?? 0n, BigInt(processed));
  world.channel.assertInvariants();
});

Deno.test("WorkerPool: a worker that does not move is reported once, as stuck", async () => {
  await using world = await PoolWorld.start({
    pool: {
      workersMax: 1,
      faultPlan: () => "beforeLock:1:stall",
      timings: { stuckAfterMs: 20, tickMs: 5 },
    },
  });
  world.offer("alice", 1);
  await world.until("it is reported", () => world.lines.length > 0);
  await sleep(50);
  assert.deepEqual(world.lines.map(({ fields }) => fields["event"]), ["worker_stuck"]);
  assert.equal(world.pool.slots.supervise(0).rouse(), 1);
  await world.drain();
  world.assertExact();
});

const STALLS = [
  "afterTake",
  "beforeLock",
  "withLock",
  "afterSwap",
  "afterEffect",
  "afterUnlock",
  "afterSettle",
];

for (const step of STALLS) {
  Deno.test(`WorkerPool: a terminated sleeper that wakes later (${step}) touches nothing`, async () => {
    await using world = await PoolWorld.start({
      pool: {
        workersMax: 2,
        faultPlan: (slot, startCount) =>
          slot === 0 && startCount === 1 ? `${step}:2:stall` : undefined,
      },
    });
    const slot = world.pool.slots.supervise(0);
    await world.until("it sleeps with a job", () => {
      world.offer("alice", 1);
      return slot.asleep && slot.kind !== SlotKind.EMPTY;
    });
    while (!world.pool.replaceSleeper(0)) await sleep(1);
    for (let i = 0; i < 500; i++) await world.send("alice", 1);
    await world.until("the replacement runs", () => world.pool.size === 2);
    for (let i = 0; i < 300; i++) await world.send("alice", 1);
    assert.ok(slot.rouse() >= 1, "the sleeper is still asleep");
    for (let i = 0; i < 300; i++) await world.send("alice", 1);
    await noWorkerLeft(world, 2);
    await world.drain();
    world.assertExact();
    assert.equal(world.pool.deaths, 1);
    assert.deepEqual(world.faults, []);
  });
}

Deno.test("WorkerPool: a sleeper that wakes after everything is over touches nothing", async () => {
  await using world = await PoolWorld.start({
    pool: {
      workersMax: 1,
      faultPlan: (_slot, startCount) => startCount === 1 ? "afterSwap:1:stall" : undefined,
    },
  });
  const slot = world.pool.slots.supervise(0);
  world.offer("alice", 1);
  await world.until("it sleeps", () => slot.asleep && slot.kind === SlotKind.APPLIED);
  while (!world.pool.replaceSleeper(0)) await sleep(1);
  await world.drain();
  world.assertExact();
  const before = [world.store.memory.control, world.pool.slots.memory.buffer].map(snapshot);
  assert.equal(slot.rouse(), 1);
  await noWorkerLeft(world);
  const after = [world.store.memory.control, world.pool.slots.memory.buffer].map(snapshot);
  assert.deepEqual(after, before, "not one byte of locks, shards or slots changed");
  world.assertExact();
});

Deno.test("WorkerPool: an idle sleeper can be replaced, too", async () => {
  await using world = await PoolWorld.start({ pool: { workersMax: 1 } });
  while (!world.pool.replaceSleeper(0)) await sleep(1);
  assert.equal(world.pool.replaceSleeper(0), false, "there is nobody to replace");
  for (let i = 0; i < 10; i++) world.offer("alice", 1);
  await world.drain();
  world.assertExact();
});

Deno.test("WorkerPool: without Web Locks it knows of deaths by the end of a connection", async () => {
  await using world = await PoolWorld.start({
    pool: {
      lifelineKind: "socket",
      faultPlan: (slot, startCount) =>
        startCount <= 2 ? `afterSwap:2:${slot === 0 ? "exit" : "throw"}` : undefined,
    },
  });
  for (let i = 0; i < 100; i++) await world.send("alice", 1);
  await world.drain();
  world.assertExact();
  assert.ok(world.pool.deaths >= 2);
});

/** Web Locks are missing in the types of Deno, and before 2.9 altogether. */
const webLocks = (navigator as unknown as {
  locks?: { query(): Promise<{ held?: { name?: string }[] }> };
}).locks;

/** Waits until at most `count` isolates of pools are alive; the lifelines of all others are free. */
async function noWorkerLeft(world: PoolWorld, count = 0): Promise<void> {
  if (webLocks === undefined) return await sleep(500);
  let held = Infinity;
  const query = async () => {
    const { held: locks = [] } = await webLocks.query();
    held = locks.filter(({ name }) => name?.startsWith("sluice-worker-")).length;
  };
  await world.until("the isolates have ended", () => {
    void query();
    return held <= count;
  });
}

function snapshot(buffer: SharedArrayBuffer): Uint8Array {
  return new Uint8Array(buffer).slice();
}
