import assert from "node:assert/strict";
import { LineLimit } from "../../../src/worker/line_limit.ts";

Deno.test("LineLimit: lines beyond the limit are counted, not told", () => {
  const limit = new LineLimit(2);
  assert.deepEqual([limit.allows(), limit.allows(), limit.allows()], [true, true, false]);
  assert.equal(limit.takeUntold(), 1);
  assert.equal(limit.untold, 0);
});

Deno.test("LineLimit: a machine's clock that is set back silences nobody", async () => {
  const { now } = Date;
  try {
    const limit = new LineLimit(1);
    assert.equal(limit.allows(), true);
    Date.now = () => now() - 3_600_000;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.equal(limit.allows(), true);
  } finally {
    Date.now = now;
  }
});
