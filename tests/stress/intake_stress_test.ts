/**
 * The intake of the log under full load; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isClean, runIntakeStress } from "./intake_harness.ts";

for (
  const [bufferBytes, mostPayloadBytes, turnLength] of [
    [4096, 64, 0],
    [65_536, 2000, 0],
    [2 ** 24, 400, 0],
    [4096, 64, 5],
    [2 ** 24, 400, 16],
  ] as const
) {
  const how = turnLength === 0 ? "" : ` in turns of ${turnLength}`;
  Deno.test(`stress: 8 threads publish${how} into buffers of ${bufferBytes} bytes`, async () => {
    const result = await runIntakeStress({
      threads: 8,
      framesEach: 60_000,
      keyCount: 64,
      bufferBytes,
      mostPayloadBytes,
      turnLength,
      deadlineMs: 120_000,
    });
    assert.ok(isClean(result), JSON.stringify(result));
    assert.ok(result.overlaps >= 1000, `inconclusive: ${JSON.stringify(result)}`);
    assert.ok(result.unconfirmed >= 10, `inconclusive: ${JSON.stringify(result)}`);
  });
}
