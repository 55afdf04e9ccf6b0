/**
 * Leases of large values under several threads; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runTwin } from "./crew.ts";
import { FREES_LEASED, type LeaseStress, runLeaseStress, writeStoreTwin } from "./lease_harness.ts";

const MIB = 2 ** 20;
const STRESS: LeaseStress = {
  kind: "rwlock",
  shardCount: 1,
  threads: 4,
  operationsPerThread: 5000,
  keys: 12,
  maxMemoryBytes: 64 * MIB,
  maxValueBytes: 100_000,
};

Deno.test("lease stress: a store that frees leased values is caught", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const storeModule = await writeStoreTwin(FREES_LEASED, folder);
    const result = await runTwin(
      () => runLeaseStress({ ...STRESS, maxMemoryBytes: 3 * MIB, storeModule }),
      ({ violation }) => violation !== "",
    );
    assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const [shardCount, shortBytes] of [[1, 3 * MIB], [64, 10 * MIB]] as const) {
    Deno.test(`lease stress: ${kind}, ${shardCount} shards, memory for all`, async () => {
      const result = await runLeaseStress({ ...STRESS, kind, shardCount });
      assert.equal(result.violation, "");
      assert.ok(result.orphanPieces >= 1000, `inconclusive: ${JSON.stringify(result)}`);
    });

    Deno.test(`lease stress: ${kind}, ${shardCount} shards, memory always short`, async () => {
      const short = {
        ...STRESS,
        operationsPerThread: 20_000,
        kind,
        shardCount,
        maxMemoryBytes: shortBytes,
        keys: 100,
      };
      const result = await runLeaseStress(short);
      assert.equal(result.violation, "");
      assert.ok(result.orphanPieces >= 100, `inconclusive: ${JSON.stringify(result)}`);
      assert.ok(result.outOfMemory >= 100, `inconclusive: ${JSON.stringify(result)}`);
    });
  }
}
