import assert from "node:assert/strict";
import {
  lagMs,
  Schedule,
  TICK_MAX_MS,
  TICK_MIN_MS,
  tickMs,
} from "../../../../src/lab/load/schedule.ts";

Deno.test("Schedule: request i is due i / rate after the first, without an error that grows", () => {
  const schedule = new Schedule(1000, 3);
  assert.equal(schedule.dueAtMs(0), 1000);
  assert.equal(schedule.dueAtMs(3), 2000);
  assert.equal(schedule.dueAtMs(3_000_000), 1000 + 1_000_000 * 1000);
});

Deno.test("tickMs: every due time is a tick, unless they are too close", () => {
  for (const rate of [0.01, 1, 3, 99.5, 500, 501, 1000, 3999]) {
    const ticksPerRequest = 1000 / rate / tickMs(rate);
    assert.ok(Math.abs(ticksPerRequest - Math.round(ticksPerRequest)) < 1e-6, `rate ${rate}`);
    assert.ok(tickMs(rate) <= TICK_MAX_MS && tickMs(rate) >= TICK_MIN_MS, `rate ${rate}`);
  }
  for (const rate of [4000, 50_000, 1_000_000]) assert.equal(tickMs(rate), TICK_MIN_MS);
});

Deno.test("lagMs: counts only the time in which a request was due and a connection free", () => {
  assert.equal(lagMs(100, 50, 103), 3, "the connection was free before");
  assert.equal(lagMs(100, 180, 181), 1, "the connection was busy when it was due");
  assert.equal(lagMs(100, 100, 100), 0);
  assert.equal(lagMs(100, 50, 99), 0, "never negative");
});
