/**
 * The store under several threads; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runTwin } from "./crew.ts";
import { runStoreStress, type StoreStress, type StoreStressResult } from "./store_harness.ts";

const MIB = 2 ** 20;
const ROOMY: StoreStress = {
  kind: "mutex",
  shardCount: 1,
  threads: 4,
  operationsPerThread: 100_000,
  keys: 200,
  maxMemoryBytes: 64 * MIB,
  maxValueBytes: 20_000,
};

/** Stores that are always full. */
const SHORT = [
  { shardCount: 1, keys: 500, maxMemoryBytes: 4 * MIB, maxValueBytes: 200_000, leastReclaims: 50 },
  { shardCount: 4, keys: 1000, maxMemoryBytes: 10 * MIB, maxValueBytes: 9000, leastReclaims: 10 },
  // Each shard has a page per size at most, so there is nothing to move together.
  { shardCount: 64, keys: 500, maxMemoryBytes: 12 * MIB, maxValueBytes: 200_000, leastReclaims: 0 },
];

Deno.test("store stress: users that take the lock wrongly are caught", async (t) => {
  for (const defect of ["reads without the lock", "adds in two sections"] as const) {
    await t.step(defect, async () => {
      const result = await runTwin(
        () => runStoreStress({ ...ROOMY, defect }),
        ({ violation }) => violation !== "",
      );
      assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
    });
  }
  await t.step("no lock at all", async () => {
    // Without locks the arena is soon in ruins, and a thread may never come back from it: this
    // one runs in a process of its own, which can be ended.
    // It first shows that it works at all, with the lock.
    const sound = { ...ROOMY, operationsPerThread: 2000 };
    const code = `import { runStoreStress } from ${
      JSON.stringify(new URL("./store_harness.ts", import.meta.url).href)
    };
      for (const stress of ${JSON.stringify([sound, { ...ROOMY, defect: "no lock at all" }])}) {
        console.log(JSON.stringify(await runStoreStress(stress)));
      }
      Deno.exit(0);`;
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, code);
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-read", "--no-check", file],
        stdout: "piped",
        stderr: "null",
        signal: AbortSignal.timeout(30_000),
      });
      const { stdout } = await child.output();
      const [first, second] = new TextDecoder().decode(stdout).trim().split("\n");
      assert.equal((JSON.parse(first!) as StoreStressResult).violation, "");
      // Ruins of any kind will do: a crash, a hang, or a violation that was told.
      if (second === undefined) return;
      assert.notEqual((JSON.parse(second) as StoreStressResult).violation, "", second);
    } finally {
      await Deno.remove(file);
    }
  });
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`store stress: ${kind}, ${shardCount} shards, memory for all`, async () => {
      const result = await runStoreStress({ ...ROOMY, kind, shardCount });
      assert.equal(result.violation, "");
      assert.ok(result.overlaps + result.contended >= 1000, JSON.stringify(result));
    });
  }

  for (const short of SHORT) {
    Deno.test(`store stress: ${kind}, ${short.shardCount} shards, memory always short`, async () => {
      const { leastReclaims, ...options } = short;
      const result = await runStoreStress({ ...ROOMY, ...options, kind });
      assert.equal(result.violation, "");
      assert.ok(result.overlaps + result.contended >= 1000, JSON.stringify(result));
      assert.ok(result.outOfMemory >= 1000, `inconclusive: ${JSON.stringify(result)}`);
      assert.ok(result.reclaims >= leastReclaims, `inconclusive: ${JSON.stringify(result)}`);
    });
  }
}
