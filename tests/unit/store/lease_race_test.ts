/** Leases under several threads, briefly; the long run is in tests/stress. */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import {
  FREES_LEASED,
  type LeaseStress,
  runLeaseStress,
  writeStoreTwin,
} from "../../stress/lease_harness.ts";

const STRESS: LeaseStress = {
  kind: "rwlock",
  shardCount: 1,
  threads: 3,
  operationsPerThread: 2000,
  keys: 8,
  maxMemoryBytes: 3 * 2 ** 20,
  maxValueBytes: 80_000,
};

Deno.test("ValueLease: no reader gets a torn value from writers on other threads, and a store that frees what is leased is caught", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const storeModule = await writeStoreTwin(FREES_LEASED, folder);
    const twin = await runTwin(
      () => runLeaseStress({ ...STRESS, storeModule }),
      ({ violation }) => violation !== "",
    );
    assert.notEqual(twin.violation, "", "inconclusive");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  for (const kind of ["mutex", "rwlock"] as const) {
    const result = await runLeaseStress({ ...STRESS, kind });
    assert.equal(result.violation, "");
    assert.ok(result.valuesRead >= 100, `inconclusive: ${JSON.stringify(result)}`);
    assert.ok(result.orphanPieces >= 50, `inconclusive: ${JSON.stringify(result)}`);
  }
});
