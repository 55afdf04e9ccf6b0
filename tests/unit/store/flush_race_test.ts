/** Databases that are flushed and swapped under the hands of several threads. */

import assert from "node:assert/strict";
import { runTwin } from "../../stress/crew.ts";
import { type FlushStress, runFlushStress } from "../../stress/flush_harness.ts";
import { settled } from "../command/harness.ts";

const STRESS: FlushStress = {
  kind: "mutex",
  shardCount: 8,
  threads: 3,
  operationsPerThread: 20_000,
  maxMemoryBytes: 16 * 2 ** 20,
};

Deno.test("flush and swap: done with one lock instead of all, they are caught by the check below", async () => {
  const result = await settled(runTwin(
    () => runFlushStress({ ...STRESS, locksOneShard: true }),
    ({ violation }) => violation !== "",
  ));
  assert.notEqual(result.violation, "", "inconclusive");
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const [shardCount, maxMemoryBytes] of [[1, 2 ** 21], [8, 2 ** 24]] as const) {
    Deno.test(`flush and swap (${kind}, ${shardCount} shards): tear no pair of keys and lose no event, whoever writes`, async () => {
      const result = await settled(
        runFlushStress({ ...STRESS, kind, shardCount, maxMemoryBytes }),
      );
      assert.equal(result.violation, "");
      assert.ok(result.flushes > 20 && result.swaps > 10, JSON.stringify(result));
      assert.ok(result.whole > 500 && result.gone > 500, `inconclusive: ${JSON.stringify(result)}`);
      assert.ok(result.settled > 1000, `inconclusive: ${JSON.stringify(result)}`);
    });
  }
}
