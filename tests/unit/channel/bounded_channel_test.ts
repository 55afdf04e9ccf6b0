import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BoundedChannel,
  type ChannelOptions,
  RecvStatus,
  RecvStep,
} from "../../../src/channel/bounded_channel.ts";
import type { ConsumerSlot } from "../../../src/channel/consumer_slot.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { SlotKind } from "../../../src/channel/slot_layout.ts";
import { isClean, MUTATIONS, runChannelStress, writeTwin } from "../../stress/channel_harness.ts";

const FIRST_TICKETS = [0, 2 ** 31 - 3, 2 ** 32 - 3];

function job(value: number, length = 4): Uint8Array {
  const bytes = new Uint8Array(length).fill(value);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function send(channel: BoundedChannel, value: number, length = 4): boolean {
  return channel.trySend(job(value, length), 0, length);
}

function valueOf(slot: ConsumerSlot): number {
  return new DataView(slot.bytes.buffer).getUint32(slot.jobStart);
}

function make(options: ChannelOptions): { channel: BoundedChannel; slot: ConsumerSlot } {
  const channel = BoundedChannel.create(options);
  const slot = ConsumerSlots.create({ slotCount: 2, jobBytes: channel.jobBytes }).own(0, 0);
  return { channel, slot };
}

function take(channel: BoundedChannel, slot: ConsumerSlot): number | "empty" | "closed" {
  const status = channel.recv(slot, 0);
  if (status === RecvStatus.TIMEOUT) return "empty";
  if (status === RecvStatus.CLOSED) return "closed";
  assert.equal(status, RecvStatus.JOB);
  const value = valueOf(slot);
  slot.clear();
  return value;
}

for (const firstTicket of FIRST_TICKETS) {
  Deno.test(`BoundedChannel: holds exactly its capacity, tickets from ${firstTicket}`, () => {
    for (const capacity of [1, 2, 3, 4, 5, 8, 1000]) {
      const { channel, slot } = make({ capacity, firstTicket });
      for (let lap = 0; lap < 3; lap++) {
        for (let i = 0; i < capacity; i++) assert.equal(send(channel, i), true);
        assert.equal(send(channel, 99), false, `${capacity + 1} jobs in ${capacity} places`);
        assert.equal(channel.depth, capacity);
        channel.assertInvariants();
        assert.equal(take(channel, slot), 0);
        assert.equal(send(channel, capacity), true, "a taken job frees one place at once");
        assert.equal(send(channel, 99), false);
        for (let i = 1; i <= capacity; i++) assert.equal(take(channel, slot), i);
        assert.equal(take(channel, slot), "empty");
        assert.equal(channel.depth, 0);
        channel.assertInvariants();
      }
      assert.equal(channel.highWaterMark, capacity);
    }
  });
}

Deno.test("BoundedChannel: carries every job length from 1 to 512 bytes unchanged", () => {
  const { channel, slot } = make({ capacity: 3 });
  for (let length = 1; length <= 512; length++) {
    const bytes = Uint8Array.from({ length: length + 7 }, (_, i) => i * 31 + length);
    assert.equal(channel.trySend(bytes, 5, 5 + length), true);
    assert.equal(channel.recv(slot, 0), RecvStatus.JOB);
    assert.equal(slot.jobLength, length);
    assert.deepEqual(
      Uint8Array.from(slot.bytes.subarray(slot.jobStart, slot.jobStart + length)),
      bytes.slice(5, 5 + length),
    );
    slot.clear();
  }
});

Deno.test("BoundedChannel: refuses a job that does not fit before it takes a ticket", () => {
  const { channel, slot } = make({ capacity: 2, jobBytes: 16 });
  assert.equal(channel.tryReserve(), true);
  assert.throws(() => channel.publish(new Uint8Array(17), 0, 17), /a job of 17 bytes/);
  assert.throws(() => channel.publish(new Uint8Array(4), 0, 5), /inside its buffer/);
  channel.cancelReservation();
  assert.equal(send(channel, 7), true);
  assert.equal(take(channel, slot), 7);
  channel.assertInvariants();
});

Deno.test("BoundedChannel: a reservation counts against the capacity until it is cancelled", () => {
  const { channel, slot } = make({ capacity: 2 });
  assert.equal(channel.tryReserve(), true);
  assert.equal(send(channel, 1), true);
  assert.equal(send(channel, 2), false);
  assert.equal(take(channel, slot), 1, "a job behind an open reservation can be taken");
  channel.cancelReservation();
  assert.equal(send(channel, 3), true);
  assert.equal(send(channel, 4), true);
  assert.equal(send(channel, 5), false);
  channel.assertInvariants();
});

Deno.test("BoundedChannel: after close it refuses jobs, drains, then says closed", () => {
  const { channel, slot } = make({ capacity: 4 });
  send(channel, 1);
  assert.equal(channel.tryReserve(), true);
  channel.close();
  assert.equal(send(channel, 2), false);
  assert.equal(channel.tryReserve(), false);
  assert.equal(take(channel, slot), 1);
  assert.equal(take(channel, slot), "empty", "a reservation from before the close is still open");
  assert.equal(channel.drained, false);
  channel.publish(job(3), 0, 4);
  assert.equal(take(channel, slot), 3);
  assert.equal(take(channel, slot), "closed");
  assert.equal(channel.drained, true);
  channel.assertInvariants();
});

Deno.test("BoundedChannel: behaves as a bounded queue for any sequence of operations", () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("send" as const), length: fc.integer({ min: 4, max: 64 }) }),
    fc.constant({ kind: "take" as const }),
    fc.constant({ kind: "reserve" as const }),
    fc.constant({ kind: "publish" as const }),
    fc.constant({ kind: "cancel" as const }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(...FIRST_TICKETS),
      fc.array(operation, { maxLength: 60 }),
      (capacity, firstTicket, operations) => {
        const { channel, slot } = make({ capacity, firstTicket, jobBytes: 64 });
        const model: number[] = [];
        let reserved = 0;
        let next = 0;
        let highWaterMark = 0;
        for (const step of operations) {
          const room = model.length + reserved < capacity;
          if (step.kind === "send") {
            assert.equal(send(channel, next, step.length), room);
            if (room) model.push(next++);
          } else if (step.kind === "take") {
            assert.equal(take(channel, slot), model.shift() ?? "empty");
          } else if (step.kind === "reserve") {
            assert.equal(channel.tryReserve(), room);
            if (room) reserved++;
          } else if (reserved > 0) {
            reserved--;
            if (step.kind === "cancel") channel.cancelReservation();
            else {
              channel.publish(job(next), 0, 4);
              model.push(next++);
            }
          }
          highWaterMark = Math.max(highWaterMark, model.length + reserved);
          assert.equal(channel.depth, model.length + reserved);
          assert.equal(channel.highWaterMark, highWaterMark);
          channel.assertInvariants();
        }
      },
    ),
    { numRuns: 300 },
  );
});

const LOCKED_STEPS = [
  RecvStep.LOCKED,
  RecvStep.COPIED,
  RecvStep.CLAIMED,
  RecvStep.CELL_FREED,
  RecvStep.HEAD_MOVED,
];

for (const [name, step] of Object.entries(RecvStep)) {
  for (const firstTicket of FIRST_TICKETS) {
    Deno.test(`BoundedChannel: a consumer that dies at ${name} is recovered exactly, tickets from ${firstTicket}`, () => {
      for (let jobsBefore = 0; jobsBefore < 5; jobsBefore++) {
        const capacity = 3;
        const channel = BoundedChannel.create({ capacity, firstTicket });
        const victim = BoundedChannel.attach(channel.memory);
        const slots = ConsumerSlots.create({ slotCount: 2 });
        const received: number[] = [];
        const expected: number[] = [];
        let next = 0;
        for (let i = 0; i < jobsBefore; i++) {
          expected.push(next);
          send(channel, next++);
          received.push(take(channel, slots.own(1, 0)) as number);
        }
        if (step !== RecvStep.SLEEPY) {
          for (let i = 0; i < capacity; i++) {
            expected.push(next);
            send(channel, next++);
          }
        }
        victim.onStep = (reached) => {
          if (reached === step) throw new Error("dead");
        };
        assert.throws(() => victim.recv(slots.own(0, 0), 1000), /dead/);

        const remains = slots.supervise(0);
        const recovery = channel.recoverDeadConsumer(remains);
        const finished = step === RecvStep.CLAIMED || step === RecvStep.CELL_FREED;
        const held = (LOCKED_STEPS as number[]).includes(step);
        assert.equal(recovery.kind, finished ? "completed" : held ? "released" : "none");
        channel.assertInvariants();
        assert.equal(channel.recoverDeadConsumer(remains).kind, "none", "once is enough");

        const epoch = remains.prepare(0);
        const replacement = slots.own(0, epoch);
        assert.equal(replacement.wakeUp(), true);
        if (replacement.kind === SlotKind.CLAIMED) {
          received.push(valueOf(replacement));
          replacement.clear();
          assert.equal(send(channel, next), true, "the job in the slot takes no place");
          expected.push(next++);
        }
        assert.equal(send(channel, 99), step === RecvStep.SLEEPY, "otherwise it is full");
        if (step === RecvStep.SLEEPY) expected.push(99);
        channel.close();
        for (;;) {
          const value = take(channel, replacement);
          if (value === "closed") break;
          received.push(value as number);
        }
        assert.deepEqual(received, expected);
        channel.assertInvariants();
      }
    });
  }
}

Deno.test("BoundedChannel: a consumer that dies asleep is taken out of the count of sleepers", () => {
  const { channel } = make({ capacity: 2 });
  const slots = ConsumerSlots.create({ slotCount: 1 });
  const slot = slots.own(0, 0);
  // fallAsleep fails for a fenced consumer, which leaves the receive in the middle of falling asleep.
  slots.supervise(0).prepare(0);
  assert.equal(channel.recv(slot, 1000), RecvStatus.FENCED);
  const words = new Int32Array(channel.memory.buffer);
  assert.equal(words[65], 1, "it had counted itself in");
  channel.recoverDeadConsumer(slots.supervise(0));
  assert.equal(words[65], 0);
  channel.recoverDeadConsumer(slots.supervise(0));
  assert.equal(words[65], 0);
});

Deno.test("BoundedChannel: recvAsync takes what is there, waits for what is not, sees the close", async () => {
  const { channel, slot } = make({ capacity: 2 });
  // A pending waitAsync does not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  send(channel, 1);
  assert.equal(await channel.recvAsync(slot), RecvStatus.JOB);
  assert.equal(valueOf(slot), 1);
  slot.clear();
  const waiting = channel.recvAsync(slot, 60_000);
  setTimeout(() => send(channel, 2), 1);
  assert.equal(await waiting, RecvStatus.JOB);
  assert.equal(valueOf(slot), 2);
  slot.clear();
  assert.equal(await channel.recvAsync(slot, 1), RecvStatus.TIMEOUT);
  assert.equal(
    await channel.recvAsync(slot, 60_000, AbortSignal.abort()),
    RecvStatus.TIMEOUT,
  );
  const last = channel.recvAsync(slot);
  setTimeout(() => channel.close(), 1);
  assert.equal(await last, RecvStatus.CLOSED);
  clearInterval(alive);
  channel.assertInvariants();
});

Deno.test("BoundedChannel: a slot that still holds a job is not overwritten", () => {
  const { channel, slot } = make({ capacity: 2 });
  send(channel, 1);
  send(channel, 2);
  assert.equal(channel.recv(slot, 0), RecvStatus.JOB);
  assert.throws(() => channel.recv(slot, 0), /has room/);
  assert.equal(valueOf(slot), 1);
});

Deno.test("BoundedChannel: the race test of this file catches a broken twin", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const channelModule = await writeTwin(
      MUTATIONS.find((mutation) => mutation.name.includes("without the consumer lock"))!,
      folder,
    );
    let caught = false;
    for (let round = 0; round < 10 && !caught; round++) {
      const result = await runChannelStress({
        producers: 4,
        consumers: 4,
        jobs: 200_000,
        capacity: 64,
        channelModule,
        deadlineMs: 2_000,
      });
      caught = !isClean(result);
    }
    assert.ok(caught);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const firstTicket of [2 ** 31 - 100_000, 2 ** 32 - 100_000]) {
  Deno.test(`BoundedChannel: 200,000 jobs between 8 threads arrive once and in order, tickets from ${firstTicket}`, async () => {
    const result = await runChannelStress({
      producers: 4,
      consumers: 4,
      jobs: 200_000,
      capacity: 100,
      firstTicket,
      deadlineMs: 60_000,
    });
    assert.ok(isClean(result), JSON.stringify(result));
    assert.ok(result.highWaterMark <= 100);
    assert.ok(result.sendOverlaps + result.recvOverlaps >= 1000, JSON.stringify(result));
  });
}
