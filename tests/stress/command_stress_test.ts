/**
 * Commands of all types from several threads; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { makeCommandTable } from "../../src/command/table.ts";
import { type CommandStressOptions, runCommandStress } from "./command_harness.ts";
import { runTwin } from "./crew.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const FULL: CommandStressOptions = {
  kind: "mutex",
  shardCount: 64,
  threads: 4,
  operationsPerThread: 200_000,
  keys: 1000,
  maxMemoryBytes: 512 * 2 ** 20,
  seed: SEED,
};

const table = makeCommandTable();

for (
  const [defect, needs] of [
    ["adds with GET and SET", "get"],
    ["reads a pair with two GETs", "get"],
    ["writes a value in two halves", "append"],
  ] as const
) {
  Deno.test({
    name: `command stress: who ${defect} is caught`,
    ignore: table.named(needs) === undefined,
    async fn() {
      const result = await runTwin(
        () => runCommandStress({ ...FULL, operationsPerThread: 20_000, keys: 20, defect }),
        ({ violation }) => violation !== "",
      );
      assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
    },
  });
}

for (const kind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`command stress: 4 threads with 200,000 operations each, ${shardCount} shards, ${kind}`, async () => {
      const result = await runCommandStress({ ...FULL, kind, shardCount });
      assert.equal(result.violation, "", `SLUICE_SEED=${SEED}`);
      assert.ok(result.overlaps + result.contended >= 1000, JSON.stringify(result));
    });
  }
}
