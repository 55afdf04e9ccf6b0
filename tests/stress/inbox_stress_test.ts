/**
 * The inbox under full load; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isClean, runInboxStress } from "./inbox_harness.ts";

for (const ringBytes of [128, 4096]) {
  Deno.test(`stress: the inbox of 8 producers, rings of ${ringBytes} bytes`, async () => {
    const result = await runInboxStress({
      producers: 8,
      messagesEach: 250_000,
      ringBytes,
      firstPosition: 2 ** 32 - 4096,
      waitForAck: false,
      deadlineMs: 120_000,
    });
    assert.ok(isClean(result), JSON.stringify(result));
    assert.ok(result.overlaps >= 1000, `inconclusive: ${JSON.stringify(result)}`);
  });
}

Deno.test("stress: no wake-up of the inbox is lost in 200,000", async () => {
  const result = await runInboxStress({
    producers: 1,
    messagesEach: 200_000,
    ringBytes: 128,
    waitForAck: true,
    deadlineMs: 120_000,
  });
  assert.ok(isClean(result), JSON.stringify(result));
});
