/** The shard locks under several threads, briefly; the long run is in tests/stress. */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import {
  isClean,
  LOCK_MUTATIONS,
  LOCKS_URL,
  type LockStress,
  PATIENT,
  runLockStress,
} from "../../stress/lock_harness.ts";
import { writeTwinOf } from "../../stress/twin.ts";

for (const kind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`ShardLocks (${kind}, ${shardCount} shards): nobody meets anybody inside, and nobody sleeps too long`, async () => {
      const stress: LockStress = {
        kind,
        shardCount,
        blockingThreads: 3,
        taskThreads: 1,
        sectionsPerThread: 40_000,
        exclusiveShare: 0.5,
        deadlineMs: 30_000,
      };
      const folder = await Deno.makeTempDir();
      try {
        const mutation = LOCK_MUTATIONS.find((candidate) => candidate.kinds.includes(kind))!;
        const broken = await writeTwinOf(LOCKS_URL, [mutation], folder);
        const twin = await runTwin(
          () => runLockStress({ ...stress, locksModule: broken, deadlineMs: 3000 }),
          (result) => !isClean(result),
        );
        assert.ok(!isClean(twin), `inconclusive: ${mutation.name}`);
        // Sleeps that the clock would end are made endless: a lost wake-up would hang the run.
        const locksModule = await writeTwinOf(LOCKS_URL, PATIENT, folder);
        let contended = 0;
        for (let round = 0; round < 10 && contended < 1000; round++) {
          const result = await runLockStress({ ...stress, locksModule });
          assert.ok(isClean(result), JSON.stringify(result));
          contended += result.contended;
        }
        assert.ok(contended >= 1000, `inconclusive: ${contended} contended acquisitions`);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
}
