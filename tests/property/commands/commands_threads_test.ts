/** The stress of commands in small: see tests/stress/command_harness.ts. */

import assert from "node:assert/strict";
import { runCommandStress } from "../../stress/command_harness.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));

for (const [shardCount, kind] of [[1, "mutex"], [64, "mutex"], [4, "rwlock"]] as const) {
  Deno.test(`commands: the end is what four threads did, over ${shardCount} shards (${kind})`, async () => {
    const result = await runCommandStress({
      kind,
      shardCount,
      threads: 4,
      operationsPerThread: shardCount === 1 ? 1500 : 4000,
      keys: 100,
      maxMemoryBytes: 256 * 2 ** 20,
      seed: SEED,
    });
    assert.equal(result.violation, "", `SLUICE_SEED=${SEED}`);
    assert.ok(result.overlaps > 0, `inconclusive: ${JSON.stringify(result)}`);
  });
}
