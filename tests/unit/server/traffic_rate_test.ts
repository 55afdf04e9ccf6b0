import assert from "node:assert/strict";
import { TrafficRate } from "../../../src/server/traffic_rate.ts";

Deno.test("TrafficRate: tells what was added per second lately, and forgets what is over", () => {
  let nowMs = 5000;
  let total = 1000;
  const rate = new TrafficRate(() => [total, 2 * total], () => nowMs);
  assert.deepEqual(rate.perSecond(), [0, 0], "nothing is known yet");
  for (let i = 0; i < 20; i++) {
    nowMs += 200;
    total += 100;
    rate.sample();
  }
  assert.deepEqual(rate.perSecond().map(Math.round), [500, 1000]);
  for (let i = 0; i < 20; i++) {
    nowMs += 200;
    rate.sample();
  }
  assert.deepEqual(rate.perSecond(), [0, 0]);
  // Between two samples, too.
  nowMs += 100;
  total += 1500;
  assert.ok(rate.perSecond()[0]! > 900 && rate.perSecond()[0]! < 1100, `${rate.perSecond()}`);
});
