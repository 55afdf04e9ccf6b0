import assert from "node:assert/strict";
import { Seats } from "../../../src/embed/seats.ts";
import { CrewMember } from "./crew.ts";

Deno.test("Seats: threads that come and go never have one together", async () => {
  const seats = Seats.create(1);
  const owners = new SharedArrayBuffer(4);
  const input = { seats: seats.buffer, owners, times: 400_000 };
  using members = new DisposableStack();
  const results = await Promise.all(
    [1, 2, 3].map(() => members.use(new CrewMember("sit", input)).result),
  ) as { shared: number; standing: number }[];
  assert.deepEqual(results.map(({ shared }) => shared), [0, 0, 0]);
  assert.ok(results.some(({ standing }) => standing > 0), "inconclusive: they never met");
  assert.equal(seats.takenCount, 0, "all were given back");
});

Deno.test("Seats: the lowest free one is taken, and given back once only", () => {
  const seats = Seats.create(3);
  const [first, second] = [seats.take()!, seats.take()!];
  assert.deepEqual([first.index, second.index], [0, 1]);
  first.giveBack();
  const next = seats.take()!;
  assert.equal(next.index, 0);
  first.giveBack();
  assert.equal(seats.isTaken(0), true, "who has left cannot give it back for its successor");
  assert.equal(seats.free(0), true);
  next.giveBack();
  assert.deepEqual([seats.takenCount, seats.free(0)], [1, false]);
});

Deno.test("Seats: a row is seats that follow each other, or none", () => {
  const seats = Seats.create(5);
  const lone = [seats.take()!, seats.take()!, seats.take()!];
  lone[0]!.giveBack();
  lone[2]!.giveBack();
  assert.equal(seats.takeRow(4), undefined);
  assert.equal(seats.takenCount, 1, "what did not suffice was given back");
  const row = seats.takeRow(3)!;
  assert.equal(row.first, 2);
  assert.equal(seats.takenCount, 4);
  row.giveBack();
  row.giveBack();
  assert.equal(seats.takenCount, 1);
});
