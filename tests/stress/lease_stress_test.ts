/**
 * Leases of large values under several threads; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runTwin } from "./crew.ts";
import {
  LEASE_DEFECTS,
  type LeaseStress,
  runLeaseStress,
  writeStoreTwin,
} from "./lease_harness.ts";

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

Deno.test("lease stress: stores that treat leased values wrongly are caught", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    for (const { name, mutations } of LEASE_DEFECTS) {
      await t.step(name, async () => {
        const storeModule = await writeStoreTwin(mutations, folder);
        const result = await runTwin(
          () => runLeaseStress({ ...STRESS, maxMemoryBytes: 3 * MIB, storeModule }),
          ({ violation }) => violation !== "",
        );
        assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const [shardCount, shortBytes] of [[1, 2 * MIB], [64, 12 * MIB]] as const) {
    for (const maxMemoryBytes of [64 * MIB, shortBytes]) {
      Deno.test(`lease stress: ${kind}, ${shardCount} shards, ${maxMemoryBytes / MIB} MiB`, async () => {
        const stress = { ...STRESS, kind, shardCount, maxMemoryBytes };
        const result = await runLeaseStress(stress);
        assert.equal(result.violation, "");
        assert.ok(result.valuesRead >= 300, `inconclusive: ${JSON.stringify(result)}`);
        assert.ok(result.orphanPieces >= 1000, `inconclusive: ${JSON.stringify(result)}`);
        if (maxMemoryBytes === shortBytes) {
          assert.ok(result.outOfMemory >= 100, `inconclusive: ${JSON.stringify(result)}`);
        }
      });
    }
  }
}
