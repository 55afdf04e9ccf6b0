import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { SlotKind } from "../../../src/channel/slot_layout.ts";

function filled(slots: ConsumerSlots, index = 0) {
  const slot = slots.own(index, 0);
  slot.fill(Uint8Array.of(1, 2, 3), 0, 3, 7);
  assert.equal(slot.claim(), true);
  return slot;
}

Deno.test("ConsumerSlot: goes EMPTY, CLAIMED, APPLIED, SETTLED, EMPTY and in no other order", () => {
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const slot = filled(slots);
  assert.throws(() => slot.settle(), /goes from/);
  assert.throws(() => slot.claim(), /goes from/);
  const result = new Int64(-2, 0xfffffff0);
  assert.equal(slot.apply(2, 41, result), true);
  assert.equal(slots.supervise(0).outcome, 2);
  assert.equal(slots.supervise(0).counterValue, 41);
  const seen = new Int64();
  slots.supervise(0).readResult(seen);
  assert.deepEqual(seen, result);
  assert.throws(() => slot.apply(2, 42, result), /goes from/);
  assert.equal(slot.settle(), true);
  assert.equal(slot.clear(), true);
  assert.equal(slots.supervise(0).kind, SlotKind.EMPTY);
  slots.assertInvariants();
});

Deno.test("ConsumerSlot: an owner that is awake cannot be fenced, a sleeper can, for good", () => {
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const slot = filled(slots);
  const supervision = slots.supervise(0);
  assert.equal(supervision.fenceSleeper(), false);
  assert.equal(slot.fallAsleep(), true);
  assert.equal(slot.wakeUp(), true);
  assert.equal(supervision.fenceSleeper(), false);
  slot.fallAsleep();
  assert.equal(supervision.fenceSleeper(), true);
  assert.equal(slot.wakeUp(), false);
  assert.equal(slot.fenced, true);
  assert.equal(slot.apply(1, 1, new Int64()), false);
  assert.equal(supervision.kind, SlotKind.CLAIMED, "the job stays for the replacement");
});

Deno.test("ConsumerSlot: the replacement finds the job, and sleeps until it has started", () => {
  const slots = ConsumerSlots.create({ slotCount: 1 });
  filled(slots);
  const supervision = slots.supervise(0);
  const epoch = supervision.prepare(1000);
  assert.equal(epoch, 1);
  assert.equal(supervision.asleep, true);
  const replacement = slots.own(0, epoch);
  assert.equal(replacement.wakeUp(), true);
  assert.equal(replacement.kind, SlotKind.CLAIMED);
  assert.deepEqual(
    [...replacement.bytes.subarray(replacement.jobStart, replacement.jobStart + 3)],
    [
      1,
      2,
      3,
    ],
  );
});

Deno.test("ConsumerSlot: an owner from an epoch that is over is fenced from the start", () => {
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const supervision = slots.supervise(0);
  const first = supervision.prepare(0);
  assert.equal(supervision.fenceSleeper(), true, "it never started");
  supervision.prepare(0);
  const late = slots.own(0, first);
  assert.equal(late.wakeUp(), false);
  assert.equal(late.fenced, true);
});

Deno.test("ConsumerSlot: a stop request is seen, and withdrawn for the next owner", () => {
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const slot = slots.own(0, 0);
  const supervision = slots.supervise(0);
  assert.equal(slot.stopRequested, false);
  supervision.requestStop();
  assert.equal(slot.stopRequested, true);
  slot.leave();
  assert.equal(supervision.left, true);
  supervision.requestStop();
  assert.equal(supervision.left, true, "who has left cannot be asked");
  const next = slots.own(0, supervision.prepare(0));
  assert.equal(next.stopRequested, false);
  assert.equal(supervision.left, false);
});

Deno.test("ConsumerSlots: slots do not touch each other, and the epoch wraps", () => {
  const slots = ConsumerSlots.create({ slotCount: 3, jobBytes: 3 });
  for (const index of [0, 1, 2]) filled(slots, index);
  const words = new Int32Array(slots.memory.buffer);
  const state = (64 + 1 * 128) / 4;
  words[state] = (0x1fffffff << 3) | SlotKind.CLAIMED;
  assert.equal(slots.supervise(1).epoch, 0x1fffffff);
  assert.equal(slots.supervise(1).prepare(0), 0);
  const owner = slots.own(1, 0);
  assert.equal(owner.wakeUp(), true);
  assert.equal(owner.kind, SlotKind.CLAIMED);
  assert.equal(slots.supervise(0).epoch, 0);
  assert.equal(slots.supervise(2).ticket, 7);
  slots.assertInvariants();
});
