/**
 * The intake of the log under full load; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isClean, runIntakeStress } from "./intake_harness.ts";

/** Threads must have been inside together so often, and a piece closed meanwhile so often. */
const MANY_OVERLAPS = 1000;
const MANY_UNCONFIRMED = 10;

/**
 * So many runs at most.
 *
 * Reason: on two free processors one is enough; where threads meet only because one is interrupted,
 * a run has none to four pieces that are closed while somebody is inside.
 */
const MOST_RUNS = 30;

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
    const met = { overlaps: 0, unconfirmed: 0 };
    const isTelling = (): boolean =>
      met.overlaps >= MANY_OVERLAPS && met.unconfirmed >= MANY_UNCONFIRMED;
    for (let run = 0; run < MOST_RUNS && !isTelling(); run++) {
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
      met.overlaps += result.overlaps;
      met.unconfirmed += result.unconfirmed;
    }
    assert.ok(isTelling(), `inconclusive: ${JSON.stringify(met)}`);
  });
}
