/** The store under several threads, briefly; the long run is in tests/stress. */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import { effort } from "../../helpers/effort.ts";
import { runStoreStress, type StoreStress } from "../../stress/store_harness.ts";

const MIB = 2 ** 20;
const STRESS: StoreStress = {
  kind: "mutex",
  shardCount: 1,
  threads: 4,
  operationsPerThread: 10_000,
  keys: 100,
  maxMemoryBytes: 32 * MIB,
  maxValueBytes: 20_000,
};

Deno.test("Store: users that take the lock wrongly are caught by the checks below", async () => {
  for (const defect of ["reads without the lock", "adds in two sections"] as const) {
    const operationsPerThread = defect === "adds in two sections" ? 20_000 : 200_000;
    const result = await runTwin(
      () => runStoreStress({ ...STRESS, keys: 4, operationsPerThread, defect }),
      ({ violation }) => violation !== "",
    );
    assert.notEqual(result.violation, "", `inconclusive: ${defect}`);
  }
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (
    const [shardCount, maxMemoryBytes, operations] of [
      [1, 3 * MIB, 6000],
      // Of eight operations one finds no memory, and of six one meets another thread's.
      [64, 12 * MIB, 4000],
    ] as const
  ) {
    Deno.test(`Store (${kind}, ${shardCount} shards): threads at the limit of memory tear no value and lose no sum`, async () => {
      const result = await runStoreStress({
        ...STRESS,
        kind,
        shardCount,
        operationsPerThread: effort(operations, STRESS.operationsPerThread),
        keys: 400,
        maxMemoryBytes,
        maxValueBytes: 100_000,
      });
      assert.equal(result.violation, "");
      assert.ok(result.overlaps + result.contended >= 500, JSON.stringify(result));
      assert.ok(result.outOfMemory >= 500, `inconclusive: ${JSON.stringify(result)}`);
    });
  }
}
