import assert from "node:assert/strict";
import { BATCH_SLICE_MS } from "../../../src/protocol/batch_slice.ts";
import { FairTurns, TURN_INTERVAL_MS } from "../../../src/server/fair_turns.ts";

const MANY = 65;

Deno.test("FairTurns: of few connections nobody waits soon after a turn", async () => {
  using turns = await FairTurns.open();
  const startedAtMs = performance.now();
  await turns.park(MANY, startedAtMs);
  assert.equal(turns.park(1, startedAtMs), undefined);
  assert.equal(turns.park(64, startedAtMs), undefined);
});

Deno.test("FairTurns: of few connections one waits when the last turn was long ago", async () => {
  using turns = await FairTurns.open();
  await turns.park(1, performance.now());
  const laterMs = performance.now() + TURN_INTERVAL_MS;
  const turn = turns.park(1, laterMs);
  assert.ok(turn !== undefined);
  await turn;
  assert.equal(turns.park(1, performance.now()), undefined);
});

Deno.test("FairTurns: with many connections everybody gets a turn, again and again", async () => {
  using turns = await FairTurns.open();
  const order: string[] = [];
  await Promise.all(["a", "b", "c"].map(async (name) => {
    for (let round = 0; round < 3; round++) {
      await turns.park(MANY, performance.now());
      order.push(name);
    }
  }));
  assert.deepEqual(order, ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
});

Deno.test("FairTurns: many go on in groups, in the order in which they came", async () => {
  using turns = await FairTurns.open();
  const order: number[] = [];
  const parked = Array.from({ length: 150 }, async (_, i) => {
    await turns.park(150, performance.now());
    order.push(i);
  });
  await parked[0];
  assert.equal(order.length, 60);
  await parked[60];
  assert.equal(order.length, 120);
  await Promise.all(parked);
  assert.deepEqual(order, Array.from({ length: 150 }, (_, i) => i));
});

Deno.test("FairTurns: disposing lets everybody go and parks nobody any more", async () => {
  const turns = await FairTurns.open();
  const turn = turns.park(MANY, performance.now());
  turns[Symbol.dispose]();
  await turn;
  assert.equal(turns.park(MANY, performance.now()), undefined);
  turns[Symbol.dispose]();
});

Deno.test("FairTurns: costly connections share a turn's time, in order, and others do not wait", async () => {
  using turns = await FairTurns.open();
  const order: string[] = [];
  const costly = Array.from({ length: 10 }, async (_, i) => {
    await turns.park(MANY, performance.now(), 4);
    order.push(String(i));
  });
  await turns.park(MANY, performance.now());
  // Two of 4 ms were let go in the same turn, not ten.
  order.push("light");
  await turns.park(MANY, performance.now());
  order.push("light");
  await Promise.all(costly);
  assert.deepEqual(order.filter((name) => name !== "light"), Array.from("0123456789"));
  assert.ok(order.indexOf("light") <= 2, order.join(" "));
  assert.ok(order.lastIndexOf("light") <= 5, order.join(" "));
});

Deno.test("FairTurns: one costly connection goes on, whatever it costs", async () => {
  using turns = await FairTurns.open();
  await turns.park(MANY, performance.now(), 1000);
});

Deno.test("FairTurns: of few connections a costly one does not overtake another", async () => {
  using turns = await FairTurns.open();
  const startedAtMs = performance.now();
  await turns.park(1, startedAtMs);
  assert.equal(turns.park(1, startedAtMs, 4), undefined);
  const first = turns.park(MANY, startedAtMs, 4);
  const second = turns.park(1, startedAtMs, 4);
  assert.ok(second !== undefined);
  assert.equal(turns.park(1, startedAtMs), undefined);
  await Promise.all([first, second]);
});

Deno.test("FairTurns: slices get shorter in the course of a round", async () => {
  using turns = await FairTurns.open();
  const startedAtMs = performance.now();
  assert.equal(turns.sliceMs(startedAtMs + 1000), BATCH_SLICE_MS, "no round is under way");
  const turn = turns.park(MANY, startedAtMs);
  const slices = [0, 8, 16, 100].map((ms) => turns.sliceMs(startedAtMs + ms));
  assert.equal(slices[0], BATCH_SLICE_MS);
  for (let i = 1; i < slices.length; i++) assert.ok(slices[i]! < slices[i - 1]!, String(slices));
  assert.ok(slices[3]! > 0);
  // Each takes the whole slice that it gets.
  let roundMs = 0;
  for (let count = 0; count < 100; count++) roundMs += turns.sliceMs(startedAtMs + roundMs);
  assert.ok(roundMs < 30, `${roundMs} ms`);
  await turn;
});
