import assert from "node:assert/strict";
import { pause } from "../../../src/server/pause.ts";
import { StopDeadline } from "../../../src/server/stop_deadline.ts";

Deno.test("StopDeadline: nothing runs out before it begins", () => {
  using deadline = new StopDeadline(1);
  assert.equal(deadline.ended, false);
  assert.equal(deadline.remainingMs, Infinity);
});

Deno.test("StopDeadline: ends by itself, and its slices end before", async () => {
  using deadline = new StopDeadline(60);
  deadline.begin();
  using slice = deadline.slice(0.25);
  assert(slice.remainingMs <= 15);
  await pause(10_000, slice.signal);
  assert.equal(slice.ended, true);
  assert.equal(slice.remainingMs, 0);
  await pause(10_000, deadline.signal);
  assert.equal(deadline.ended, true);
  assert.equal(deadline.hurried, false);
});

Deno.test("StopDeadline: hurrying ends every slice at once, later ones too", () => {
  using deadline = new StopDeadline(60_000);
  deadline.begin();
  using before = deadline.slice(0.5);
  deadline.hurry();
  using after = deadline.slice(0.5);
  assert.deepEqual([deadline.ended, before.ended, after.ended], [true, true, true]);
  assert.equal(deadline.hurried, true);
  assert.equal(deadline.remainingMs, 0);
});

Deno.test("StopDeadline: a slice is a share of what is left", () => {
  using deadline = new StopDeadline(10_000);
  deadline.begin();
  using half = deadline.slice(0.5);
  assert(half.remainingMs > 4_000 && half.remainingMs <= 5_000, `${half.remainingMs} ms`);
});
