import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { ByteSlice } from "../../../src/base/job.ts";
import { EventIds, IdState } from "../../../src/store/event_ids.ts";
import { Random } from "../../helpers/fuzz/random.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));

function slice(text: string): ByteSlice {
  const bytes = new TextEncoder().encode(text);
  return new ByteSlice().set(bytes, 0, bytes.length);
}

function choose(ids: EventIds, user: string, id: string): EventIds {
  ids.choose(slice(user), slice(id));
  return ids;
}

Deno.test("EventIds: an id is known for the window, and belongs to its user", () => {
  const ids = EventIds.create({ maxIds: 100, windowMs: 1000 });
  assert.equal(choose(ids, "ann", "1").find(5000), IdState.ABSENT);
  assert.equal(choose(ids, "ann", "1").remember(5000, IdState.ENTERING), true);
  assert.equal(choose(ids, "ann", "1").remember(5999, IdState.ENTERING), false);
  assert.equal(choose(ids, "ann", "1").find(5999), IdState.ENTERING);
  ids.confirm(ids.slot, ids.ticket);
  assert.equal(choose(ids, "ann", "1").find(5999), IdState.PENDING);
  assert.equal(choose(ids, "bob", "1").find(5999), IdState.ABSENT);
  // The same bytes, cut elsewhere.
  assert.equal(choose(ids, "an", "n1").find(5999), IdState.ABSENT);
  assert.equal(choose(ids, "ann1", "").find(5999), IdState.ABSENT);
  assert.equal(choose(ids, "ann", "1").find(6000), IdState.ABSENT);
  assert.equal(choose(ids, "ann", "1").remember(6000, IdState.PENDING), true);
  assert.equal(choose(ids, "ann", "1").find(6999), IdState.PENDING);
  assert.equal(ids.forgottenCount, 0);
  ids.assertInvariants();
});

Deno.test("EventIds: the outcome of an event is kept with its id", () => {
  const ids = EventIds.create({ maxIds: 100, windowMs: 1000 });
  const balances = ["0", "-1", "9223372036854775807", "-9223372036854775808"].map(BigInt);
  for (const [i, balance] of balances.entries()) {
    choose(ids, "ann", `${i}`).remember(5000, IdState.PENDING);
    const { slot, ticket } = ids;
    assert.equal(ids.look(slot, ticket), IdState.PENDING);
    const value = new Int64(Number(balance >> 32n), Number(balance & 0xffffffffn));
    ids.settle(slot, ticket, 1 + i, value);
    // Whoever settles it again says the same; what it says does not count.
    ids.settle(slot, ticket, 7, new Int64());
    assert.equal(ids.look(slot, ticket), IdState.SETTLED);
    assert.equal(ids.outcome, 1 + i);
    assert.equal(choose(EventIds.attach(ids.memory), "ann", `${i}`).find(5000), IdState.SETTLED);
    assert.equal(choose(ids, "ann", `${i}`).find(5000), IdState.SETTLED);
    assert.equal(ids.outcome, 1 + i);
    assert.equal(ids.balance.toBigInt(), balance);
  }
});

Deno.test("EventIds: the oldest id makes room, and its settlement reaches nobody else", () => {
  const ids = EventIds.create({ maxIds: 2, windowMs: 1000 });
  choose(ids, "ann", "1").remember(5000, IdState.PENDING);
  const first = { slot: ids.slot, ticket: ids.ticket };
  choose(ids, "ann", "2").remember(5001, IdState.PENDING);
  choose(ids, "ann", "3").remember(5002, IdState.PENDING);
  assert.equal(ids.slot, first.slot, "it took the place of the first");
  assert.equal(ids.forgottenCount, 1);
  assert.equal(ids.size, 2);
  assert.equal(choose(ids, "ann", "1").find(5002), IdState.ABSENT);
  assert.equal(choose(ids, "ann", "2").find(5002), IdState.PENDING);
  ids.settle(first.slot, first.ticket, 1, new Int64(0, 77));
  assert.equal(ids.look(first.slot, first.ticket), IdState.ABSENT);
  assert.equal(choose(ids, "ann", "3").find(5002), IdState.PENDING);
  // One whose time is over is no loss.
  choose(ids, "ann", "4").remember(6001, IdState.PENDING);
  assert.equal(ids.forgottenCount, 1);
  assert.equal(choose(ids, "ann", "3").find(6001), IdState.PENDING);
  ids.assertInvariants();
});

Deno.test("EventIds: tickets go round, and none is 0", () => {
  const ids = EventIds.create({ maxIds: 3, windowMs: 1000 });
  const lastTicket = 16 + 5;
  new Int32Array(ids.memory.buffer)[lastTicket] = 2 ** 28 - 3;
  const tickets: number[] = [];
  for (let i = 0; i < 5; i++) {
    choose(ids, "ann", `${i}`).remember(5000, IdState.PENDING);
    tickets.push(ids.ticket);
    ids.settle(ids.slot, ids.ticket, 1, new Int64(0, i));
    assert.equal(choose(ids, "ann", `${i}`).find(5000), IdState.SETTLED);
    assert.equal(ids.balance.lo, i);
  }
  assert.deepEqual(tickets, [2 ** 28 - 2, 2 ** 28 - 1, 1, 2, 3]);
  ids.assertInvariants();
});

Deno.test("EventIds: a place is used again before one is that never was", () => {
  const ids = EventIds.create({ maxIds: 1000, windowMs: 100 });
  const slots = new Set<number>();
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    choose(ids, "ann", `${nowMs}`).remember(nowMs, IdState.PENDING);
    slots.add(ids.slot);
  }
  assert.ok(slots.size <= 12, `${slots.size} places for 10 ids at a time`);
});

for (const maxIds of [1, 2, 7, 100]) {
  Deno.test(`EventIds: does what a map with times does (${maxIds} ids)`, () => {
    const random = new Random(SEED);
    const context = `SLUICE_SEED=${SEED}`;
    const windowMs = 50;
    const ids = EventIds.create({ maxIds, windowMs });
    let model: { name: string; atMs: number; state: IdState; slot: number; ticket: number }[] = [];
    let forgotten = 0;
    let nowMs = 1000;
    for (let step = 0; step < 20_000; step++) {
      nowMs += random.below(4);
      const name = `${random.below(2 * maxIds + 2)}`;
      const user = `user ${Number(name) % 3}`;
      model = model.filter(({ atMs }) => nowMs - atMs < windowMs);
      const known = model.find((id) => id.name === name);
      choose(ids, user, name);
      const action = random.below(4);
      if (action === 0) {
        const state = random.oneIn(2) ? IdState.ENTERING : IdState.PENDING;
        assert.equal(ids.remember(nowMs, state), known === undefined, context);
        if (known !== undefined) continue;
        if (model.length === maxIds) {
          model.shift();
          forgotten++;
        }
        model.push({ name, atMs: nowMs, state, slot: ids.slot, ticket: ids.ticket });
      } else if (action === 1) {
        assert.equal(ids.find(nowMs), known?.state ?? IdState.ABSENT, context);
      } else if (action === 2 && known !== undefined) {
        ids.confirm(known.slot, known.ticket);
        if (known.state === IdState.ENTERING) known.state = IdState.PENDING;
      } else if (known !== undefined) {
        ids.settle(known.slot, known.ticket, 1 + step % 5, new Int64(0, step));
        if (known.state === IdState.PENDING) known.state = IdState.SETTLED;
        assert.equal(ids.look(known.slot, known.ticket), known.state, context);
      }
      if (step % 500 === 0) ids.assertInvariants();
    }
    assert.equal(ids.forgottenCount, forgotten, context);
    ids.assertInvariants();
  });
}

Deno.test("EventIds: all that are within the window are shown, over many stripes", () => {
  const ids = EventIds.create({ maxIds: 100_000, windowMs: 1000 });
  for (let i = 0; i < 5000; i++) {
    choose(ids, `user ${i % 7}`, `${i}`).remember(10_000 + i, IdState.PENDING);
    if (i % 2 === 0) ids.settle(ids.slot, ids.ticket, 1, new Int64(-1, i));
  }
  choose(ids, "ann", "entering").remember(15_000, IdState.ENTERING);
  const shown = new Map<number, number>();
  let outcomes = 0;
  for (let from = 0; from >= 0;) {
    from = ids.copyPart(from, 15_000, ({ acceptedAtUs, outcome, balance }) => {
      shown.set(acceptedAtUs / 1000 - 10_000, outcome);
      if (outcome !== 1) return;
      outcomes++;
      assert.equal(balance.lo, acceptedAtUs / 1000 - 10_000);
      assert.equal(balance.hi, -1);
    });
  }
  assert.equal(shown.size, 999, "those of the last second, without the one that is being offered");
  assert.equal(Math.min(...shown.keys()), 4001);
  assert.equal(outcomes, 499);
  ids.assertInvariants();
});

Deno.test("EventIds: after a clock was set back nothing is lost before its time", () => {
  const ids = EventIds.create({ maxIds: 3, windowMs: 1000 });
  choose(ids, "ann", "1").remember(50_000, IdState.PENDING);
  choose(ids, "ann", "2").remember(10_000, IdState.PENDING);
  assert.equal(choose(ids, "ann", "1").find(10_000), IdState.PENDING);
  assert.equal(choose(ids, "ann", "2").find(10_999), IdState.PENDING);
  assert.equal(choose(ids, "ann", "2").find(11_000), IdState.ABSENT);
  choose(ids, "ann", "2").remember(11_000, IdState.PENDING);
  assert.equal(choose(ids, "ann", "2").find(11_500), IdState.PENDING, "the younger one is found");
  ids.assertInvariants();
});
