import assert from "node:assert/strict";
import { Crew } from "../../../../src/lab/crew/crew.ts";
import type { SweepPoint } from "../../../../src/lab/model.ts";
import { FULL_SWEEP, runSweep } from "../../../../src/lab/sweep/run_sweep.ts";
import { SweepStore } from "../../../../src/lab/sweep/sweep_store.ts";

const context = { signal: new AbortController().signal, show: () => {} };

Deno.test("runSweep: one lock never grants more than a thousand operations of 1 ms a second", async () => {
  const { points, barePoints } = await runSweep(context, {
    locks: ["mutex"],
    shards: [1],
    workers: [1, 4, 16],
    pointMs: 150,
    barePointMs: 0,
  });
  assert.deepEqual(points.map(({ workers }) => workers), [1, 4, 16]);
  assert.equal(barePoints, undefined, "not asked for");
  for (const { operationsPerSecond, workers } of points) {
    assert.ok(operationsPerSecond > 0, `${workers} workers do something`);
    assert.ok(operationsPerSecond <= 1000, `${workers} workers: ${operationsPerSecond} a second`);
  }
  assert.equal(points[0]!.contendedShare, 0, "one worker meets nobody");
  assert.ok(points[2]!.contendedShare > 0, "16 workers meet");
});

Deno.test("runSweep: goes through all combinations and says how far it is", async () => {
  const shares: number[] = [];
  const plan = {
    locks: ["mutex", "rwlock"],
    shards: [1, 256],
    workers: [1, 3],
    pointMs: 15,
    barePointMs: 10,
  } as const;
  const report = await runSweep({ ...context, show: (share) => shares.push(share) }, plan);
  assert.deepEqual(
    report.points.map(({ lock, shards, workers }) => `${lock} ${shards} ${workers}`),
    [
      "mutex 1 1",
      "mutex 1 3",
      "mutex 256 1",
      "mutex 256 3",
      "rwlock 1 1",
      "rwlock 1 3",
      "rwlock 256 1",
      "rwlock 256 3",
    ],
  );
  assert.deepEqual(shares, [0, 1, 2, 3, 4, 5, 6, 7].map((i) => i / 8));
  assert.equal(report.durationMs, 15);
  const combinations = ({ lock, shards, workers }: SweepPoint) => ({ lock, shards, workers });
  const bare = report.barePoints!;
  assert.deepEqual(bare.map(combinations), report.points.map(combinations));
  for (const { contendedShare } of [...report.points, ...bare]) {
    assert.ok(contendedShare >= 0 && contendedShare <= 1, `${contendedShare}`);
  }
});

Deno.test("runSweep: the one of the report has all combinations of the plot", () => {
  assert.deepEqual(FULL_SWEEP.locks, ["mutex", "rwlock"]);
  assert.deepEqual(FULL_SWEEP.shards, [1, 4, 16, 64, 256]);
  assert.deepEqual(FULL_SWEEP.workers, [1, 2, 4, 8, 16]);
});

Deno.test("runSweep: ends when it is told to, with that reason, and leaves no thread behind", async () => {
  const ending = new AbortController();
  const plan = {
    locks: ["rwlock"],
    shards: [1],
    workers: [16],
    pointMs: 600_000,
    barePointMs: 0,
  } as const;
  const running = runSweep({ signal: ending.signal, show: () => {} }, plan);
  setTimeout(() => ending.abort(new Error("enough")), 300);
  await assert.rejects(running, /enough/);
});

for (const lock of ["mutex", "rwlock"] as const) {
  Deno.test(`SweepStore: every write counts once, with and without sleep (${lock})`, async () => {
    using crew = new Crew(4);
    const store = new SweepStore(lock, 1);
    let writes = 0;
    let operations = 0;
    for (const heldMs of [0, 1]) {
      const tasks = store.tasks(4, heldMs);
      const { workCount, writeCount, wallMs } = await crew.runFor({ tasks, durationMs: 60 });
      writes += writeCount;
      operations += workCount;
      assert.equal(store.sum(), writes);
      assert.equal(store.lockTotals().acquired, operations);
      // Two writers are never inside at a time, whatever readers do.
      if (heldMs > 0) assert.ok(writeCount * heldMs <= wallMs, `${writeCount} in ${wallMs} ms`);
    }
    // Half of them, but for chance: six times the deviation of so many throws of a coin.
    const expected = operations / 2;
    assert.ok(Math.abs(writes - expected) < 3 * Math.sqrt(operations), `${writes}, ${operations}`);
  });
}
