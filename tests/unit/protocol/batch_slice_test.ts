import assert from "node:assert/strict";
import { BATCH_SLICE_MS, BatchSlice } from "../../../src/protocol/batch_slice.ts";

/** A clock that a test sets, and that counts how often it is read. */
function makeClock() {
  const clock = { nowMs: 1000, readings: 0 };
  const slice = new BatchSlice(() => {
    clock.readings++;
    return clock.nowMs;
  });
  slice.begin();
  return { clock, slice };
}

Deno.test("BatchSlice: a short batch of small requests never reads the clock", () => {
  const { clock, slice } = makeClock();
  for (let i = 0; i < 63; i++) assert.equal(slice.spend(40), false);
  assert.equal(clock.readings, 0);
});

Deno.test("BatchSlice: a large request or reply makes it look at the clock at once", () => {
  const { clock, slice } = makeClock();
  assert.equal(slice.spend(8192), false);
  assert.equal(clock.readings, 1);
  clock.nowMs += BATCH_SLICE_MS;
  assert.equal(slice.spend(8192), true);
});

Deno.test("BatchSlice: many small requests are over when their time is", () => {
  const { clock, slice } = makeClock();
  let spentCount = 0;
  do clock.nowMs += 0.01; while (!slice.spend(40) && ++spentCount < 10_000);
  assert.ok(spentCount >= BATCH_SLICE_MS / 0.01 && spentCount < 1000, `${spentCount} requests`);
});

Deno.test("BatchSlice: every batch has its own time", () => {
  const { clock, slice } = makeClock();
  slice.spend(8192);
  clock.nowMs += BATCH_SLICE_MS;
  slice.begin();
  assert.equal(slice.spend(8192), false);
});

Deno.test("BatchSlice: a batch may be told when to pause", () => {
  const { clock, slice } = makeClock();
  slice.begin(clock.nowMs + 0.1);
  assert.equal(slice.spend(8192), false);
  clock.nowMs += 0.1;
  assert.equal(slice.spend(8192), true);
  slice.begin();
  assert.equal(slice.spend(8192), false);
});
