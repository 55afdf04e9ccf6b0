/**
 * The shard locks under full contention; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runTwin } from "./crew.ts";
import {
  isClean,
  LOCK_MUTATIONS,
  LOCKS_URL,
  type LockStress,
  LOST_WAKE_UPS,
  PATIENT,
  runLockStress,
} from "./lock_harness.ts";
import { writeTwinOf } from "./twin.ts";

const BASE: LockStress = {
  kind: "mutex",
  shardCount: 1,
  blockingThreads: 3,
  taskThreads: 1,
  sectionsPerThread: 100_000,
  exclusiveShare: 0.5,
  deadlineMs: 20_000,
};

Deno.test("lock stress: broken twins are caught", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    for (const mutation of LOCK_MUTATIONS) {
      for (const kind of mutation.kinds) {
        await t.step(`${mutation.name} (${kind})`, async () => {
          const locksModule = await writeTwinOf(LOCKS_URL, [mutation], folder);
          const result = await runTwin(
            () => runLockStress({ ...BASE, kind, locksModule, deadlineMs: 5000 }),
            (result) => !isClean(result),
          );
          assert.ok(!isClean(result), `inconclusive: ${JSON.stringify(result)}`);
        });
      }
    }
    for (const kind of ["mutex", "rwlock"] as const) {
      await t.step(`the lock is given back before the section ends (${kind})`, async () => {
        const result = await runTwin(
          () => runLockStress({ ...BASE, kind, releasesEarly: true }),
          (result) => !isClean(result),
        );
        assert.ok(!isClean(result), `inconclusive: ${JSON.stringify(result)}`);
      });
    }
    for (const mutation of LOST_WAKE_UPS) {
      await t.step(`${mutation.name}: somebody sleeps for good`, async () => {
        const locksModule = await writeTwinOf(LOCKS_URL, [...PATIENT, mutation], folder);
        let caught = false;
        for (let round = 0; round < 5 && !caught; round++) {
          const result = await runLockStress({ ...BASE, locksModule, deadlineMs: 4000 });
          caught = result.timedOut;
        }
        assert.ok(caught, "inconclusive: five rounds did not show the lost wake-up");
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`lock stress: ${kind}, ${shardCount} shards: nobody meets anybody inside`, async () => {
      let contended = 0;
      for (const exclusiveShare of [1, 0.5, 0.05]) {
        const result = await runLockStress({
          ...BASE,
          kind,
          shardCount,
          exclusiveShare,
          sectionsPerThread: 300_000,
          deadlineMs: 120_000,
        });
        assert.ok(isClean(result), JSON.stringify(result));
        contended += result.contended;
        if (kind === "rwlock" && exclusiveShare < 0.5) assert.ok(result.sharedOverlaps > 0);
      }
      assert.ok(contended >= 1000, `inconclusive: ${contended} contended acquisitions`);
    });
  }

  Deno.test(`lock stress: ${kind}: nobody needs the clock to be woken`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const locksModule = await writeTwinOf(LOCKS_URL, PATIENT, folder);
      for (const exclusiveShare of [1, 0.5]) {
        const result = await runLockStress({
          ...BASE,
          kind,
          locksModule,
          exclusiveShare,
          sectionsPerThread: 300_000,
          deadlineMs: 120_000,
        });
        assert.ok(isClean(result), JSON.stringify(result));
        assert.ok(result.contended >= 1000, `inconclusive: ${result.contended} contended`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
