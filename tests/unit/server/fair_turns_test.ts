import assert from "node:assert/strict";
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

Deno.test("FairTurns: disposing lets everybody go and parks nobody any more", async () => {
  const turns = await FairTurns.open();
  const turn = turns.park(MANY, performance.now());
  turns[Symbol.dispose]();
  await turn;
  assert.equal(turns.park(MANY, performance.now()), undefined);
  turns[Symbol.dispose]();
});
