import assert from "node:assert/strict";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { MAX_DEATHS_PER_JOB } from "../../../src/worker/recovery.ts";
import { inTurn } from "../../helpers/effort.ts";
import { PoolWorld, sleep } from "./pool_world.ts";

const KINDS = [
  { what: "at once", file: "misbehaving_processor.ts", name: "misbehaving" },
  { what: "by promises", file: "misbehaving_async_processor.ts", name: "misbehaving_async" },
] as const;
const TIMINGS = { blockedGraceMs: 200, tickMs: 10 };
const OTHERS = 60;
/** Of which each keeps a MiB or two. */
const LEAKS = 60;

interface Case {
  user: string;
  /** How its event ends; undefined: as processed. */
  reason?: "processor_error" | "timeout" | "any";
  /** Text in the log line of the event. */
  error?: RegExp;
  /** How many workers that costs. */
  deaths?: number;
}

const CASES: readonly Case[] = [
  { user: "thrower", reason: "processor_error", error: /^Error: no such thing$/ },
  { user: "strange_thrower", reason: "processor_error", error: /^\(object without text\)$/ },
  { user: "rejecter", reason: "processor_error", error: /^Error: not now$/ },
  { user: "hanger", reason: "timeout", error: /took longer than 300 ms/ },
  { user: "late_writer", reason: "timeout", error: /took longer than 300 ms/ },
  { user: "recurser", reason: "processor_error", error: /RangeError: Maximum call stack/ },
  { user: "big", reason: "processor_error", error: /a result has at most 16384/ },
  { user: "bigint", reason: "processor_error", error: /BigInt/ },
  { user: "cyclic", reason: "processor_error", error: /circular/ },
  { user: "wrong_counter", reason: "processor_error", error: /Cannot count no_such/ },
  { user: "stray" },
  { user: "logger" },
  { user: "blocker", reason: "timeout", deaths: 1 },
  { user: "late_blocker", reason: "timeout", deaths: 1 },
  { user: "exiter", reason: "processor_error", deaths: MAX_DEATHS_PER_JOB },
  { user: "late_exiter", reason: "processor_error", deaths: MAX_DEATHS_PER_JOB },
  { user: "closer", reason: "processor_error", deaths: MAX_DEATHS_PER_JOB },
  // Where memory runs out late, the time is over first.
  { user: "hoarder", reason: "any", deaths: 1 },
  { user: "buffer_hoarder", reason: "any", deaths: 1 },
];
const COUNTERS = {
  processor_error: CounterIndex.FAILED_PROCESSOR_ERROR,
  timeout: CounterIndex.FAILED_TIMEOUT,
};

function start(file: string, workersMax = 2): Promise<PoolWorld> {
  return PoolWorld.start({
    pool: {
      processorUrl: new URL(file, import.meta.url).href,
      processorMemoryBytes: 32 << 20,
      workersMax,
      timings: TIMINGS,
    },
  });
}

/** Every case at once or by promises, in turn. */
const PAIRS = inTurn(
  KINDS.flatMap((kind) => CASES.map((of) => ({ ...kind, of }))),
  ({ of }) => of.user,
);

/** Until their memory is full two workers take seconds. */
const LEAKY = inTurn(KINDS, () => "leaks");

for (const { what, file, name } of KINDS) {
  const cases = PAIRS.filter((pair) => pair.file === file).map(({ of }) => of);
  for (const { user, reason, error, deaths = 0 } of cases) {
    Deno.test(`WorkerPool: a processor's ${user}, ${what}, costs its own event alone`, async () => {
      // Where nobody has to die, the same worker goes on.
      await using world = await start(file, deaths === 0 ? 1 : 2);
      for (let i = 0; i < OTHERS; i++) {
        await world.send(`user${i % 7}`, 1);
        if (i === OTHERS / 2) await world.send(user, 1);
      }
      await world.drain();
      world.assertExact(reason === undefined ? 0 : 1);
      const isProcessed = reason === undefined;
      assert.equal(world.balance(user), isProcessed ? 1n : undefined);
      assert.equal(world.pool.processorCounters!.total(0), OTHERS + (isProcessed ? 1 : 0));
      if (reason !== undefined && reason !== "any") {
        assert.equal(world.metrics.total(COUNTERS[reason]), 1);
      }
      const failed = world.lines.filter(({ fields }) => fields["event"] === "event_failed");
      if (error !== undefined) {
        assert.equal(failed.length, 1);
        assert.match(String(failed[0]!.fields["error"]), error);
        assert.equal(failed[0]!.fields["reason"], reason);
        assert.equal(failed[0]!.fields["processor"], name);
      }
      // With others in hand nobody knows at first whose fault it was: that may cost one worker more.
      const most = deaths === 0 ? 0 : MAX_DEATHS_PER_JOB + 1;
      assert.ok(world.pool.deaths >= deaths && world.pool.deaths <= most, `${world.pool.deaths}`);
      for (const { fields } of world.lines) {
        if (fields["event"] !== "worker_died") continue;
        assert.equal(fields["processor"], name);
        if (/exiter/.test(user)) assert.match(String(fields["error"]), /called Deno.exit\(\)/);
      }
      assert.deepEqual(world.faults, []);
      await world.pool[Symbol.asyncDispose]();
    });
  }

  const isLeaky = LEAKY.some((kind) => kind.file === file);
  if (isLeaky) {
    Deno.test(`WorkerPool: a processor that leaks, ${what}, costs workers and no event`, async () => {
      await using world = await start(file);
      for (let i = 0; i < LEAKS; i++) {
        await world.send("leaker", 1);
        await world.send("alice", 1);
      }
      await world.drain();
      world.assertExact();
      assert.equal(world.balance("leaker"), BigInt(LEAKS));
      assert.ok(world.pool.deaths >= 2, `${world.pool.deaths} workers ran out of memory`);
      assert.deepEqual(world.faults, []);
    });
  }

  Deno.test(`WorkerPool: errors that nobody caught, ${what}, are counted and logged`, async () => {
    await using world = await start(file);
    for (let i = 0; i < 5; i++) await world.send("stray", 1);
    await world.until(
      "all are counted",
      () => world.metrics.total(CounterIndex.PROCESSOR_STRAY_ERRORS) === 10,
    );
    await world.drain();
    world.assertExact();
    const lines = world.lines.filter(({ fields }) => fields["event"] === "stray_error");
    assert.equal(lines.length, 10);
    assert.ok(lines.every(({ fields }) => fields["processor"] === name));
    assert.equal(world.pool.deaths, 0);
  });

  Deno.test(`WorkerPool: the context of an event, ${what}, is of no use for another one`, async () => {
    await using world = await start(file);
    await world.send("late_writer", 1);
    await world.until(
      "it has timed out",
      () => world.metrics.total(CounterIndex.FAILED_TIMEOUT) === 1,
    );
    for (let i = 0; i < 8; i++) await world.send("user_of_late", 1);
    await world.drain();
    // Only the worker that has kept it fails.
    const failed = world.metrics.total(CounterIndex.FAILED_PROCESSOR_ERROR);
    const lines = world.lines.filter(({ fields }) => fields["reason"] === "processor_error");
    assert.equal(lines.length, failed);
    for (const { fields } of lines) assert.match(String(fields["error"]), /processing has ended/);
    assert.equal(world.balance("user_of_late") ?? 0n, BigInt(8 - failed));
  });

  Deno.test(`WorkerPool: lines of a processor, ${what}, are bounded and carry its name`, async () => {
    await using world = await start(file);
    await world.send("logger", 1);
    await world.drain();
    const lines = world.lines.filter(({ fields }) => fields["event"] === "processor");
    assert.equal(lines[0]!.message, "seen");
    assert.deepEqual(lines[0]!.fields, {
      event: "processor",
      user: "logger",
      many: "[1,2]",
      big: "5",
      processor: name,
    });
    assert.ok(lines.length >= 2 && lines.length <= 300, `${lines.length} lines`);
  });

  Deno.test(`WorkerPool: a jump of the clock is no silence of workers, ${what}`, async () => {
    await using world = await start(file);
    const now = Date.now;
    // The pool's clock only: as if it jumped between the signs of life of the workers.
    Date.now = () => now() + 3_600_000;
    try {
      await sleep(100);
    } finally {
      Date.now = now;
    }
    assert.equal(world.pool.deaths, 0);
  });

  for (const user of ["hanger", "blocker"]) {
    Deno.test(`WorkerPool: a stop meets its deadline with a ${user}, ${what}`, async () => {
      const world = await start(file);
      await world.send(user, 1);
      await world.until("it is in hand", () => world.pool.inFlight === 1);
      await sleep(20);
      const startedAtMs = performance.now();
      const report = await world.pool.drainAndStop(AbortSignal.timeout(50));
      assert.ok(performance.now() - startedAtMs < 2000);
      assert.deepEqual([report.drained, report.unsettled], [false, 1]);
      assert.equal(world.store.locks.heldBy(1), -1);
      assert.equal(world.store.locks.heldBy(2), -1);
    });
  }
}
