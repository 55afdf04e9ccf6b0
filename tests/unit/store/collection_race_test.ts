/** Leases of collections under several threads, briefly. */

import assert from "node:assert/strict";
import {
  CHANGES_LEASED,
  type CollectionStress,
  runCollectionStress,
  writeCollectionTwin,
} from "../../stress/collection_harness.ts";
import { runTwin } from "../../stress/crew.ts";

const STRESS: CollectionStress = {
  kind: "rwlock",
  shardCount: 1,
  threads: 3,
  operationsPerThread: 1500,
  keys: 3,
};

Deno.test("CollectionLease: no reader sees a change by writers on other threads, and a store that changes what is leased is caught", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const storeModule = await writeCollectionTwin(CHANGES_LEASED, folder);
    const twin = await runTwin(
      () => runCollectionStress({ ...STRESS, storeModule }),
      ({ violation }) => violation !== "",
    );
    assert.notEqual(twin.violation, "", "inconclusive");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  for (const kind of ["mutex", "rwlock"] as const) {
    const result = await runCollectionStress({ ...STRESS, kind });
    assert.equal(result.violation, "");
    assert.ok(result.listsRead >= 20, `inconclusive: ${JSON.stringify(result)}`);
    assert.ok(result.changedMeanwhile >= 15, `inconclusive: ${JSON.stringify(result)}`);
  }
});
