import assert from "node:assert/strict";
import { WaveClock } from "../../../src/base/wave_clock.ts";

/** Keeps the thread until the clock says something else. */
function passTime(): void {
  const startedAtMs = performance.now();
  const dayMs = Date.now();
  while (performance.now() - startedAtMs < 0.1 || Date.now() === dayMs);
}

Deno.test("WaveClock: who is ready at the same time gets the same time", async () => {
  const clock = new WaveClock();
  const wave = await Promise.all([1, 2, 3].map(async () => {
    await Promise.resolve();
    passTime();
    return [clock.nowMs, clock.timeMs, clock.reading];
  }));
  assert.deepEqual(wave[1], wave[0]);
  assert.deepEqual(wave[2], wave[0]);
});

Deno.test("WaveClock: the next wave gets another time, however soon it comes", async () => {
  const clock = new WaveClock();
  const before = [clock.nowMs, clock.timeMs, clock.reading];
  passTime();
  await Promise.resolve();
  const after = [clock.nowMs, clock.timeMs, clock.reading];
  for (const i of [0, 1, 2]) assert.ok(after[i]! > before[i]!, `${before} ${after}`);
});

Deno.test("WaveClock: a long wave gets the time more than once", () => {
  const clock = new WaveClock();
  const first = clock.nowMs;
  passTime();
  const times = Array.from({ length: 100 }, () => clock.nowMs);
  assert.equal(times[0], first);
  assert.ok(times.at(-1)! > first);
});

Deno.test("WaveClock: who has worked reads it, and others have the time from there", () => {
  const clock = new WaveClock();
  const { nowMs, timeMs } = clock;
  passTime();
  const readMs = clock.read();
  assert.ok(readMs > nowMs);
  assert.equal(clock.nowMs, readMs);
  assert.ok(clock.timeMs > timeMs);
});
