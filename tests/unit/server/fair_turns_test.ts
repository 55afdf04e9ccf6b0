import assert from "node:assert/strict";
import { FairTurns } from "../../../src/server/fair_turns.ts";

const MANY = 65;

Deno.test("FairTurns: nobody waits while there are few connections", async () => {
  using turns = await FairTurns.open();
  assert.equal(turns.park(1), undefined);
  assert.equal(turns.park(64), undefined);
});

Deno.test("FairTurns: with many connections everybody gets a turn, again and again", async () => {
  using turns = await FairTurns.open();
  const order: string[] = [];
  await Promise.all(["a", "b", "c"].map(async (name) => {
    for (let round = 0; round < 3; round++) {
      await turns.park(MANY);
      order.push(name);
    }
  }));
  assert.deepEqual(order, ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
});

Deno.test("FairTurns: disposing lets everybody go and parks nobody any more", async () => {
  const turns = await FairTurns.open();
  const turn = turns.park(MANY);
  turns[Symbol.dispose]();
  await turn;
  assert.equal(turns.park(MANY), undefined);
  turns[Symbol.dispose]();
});
