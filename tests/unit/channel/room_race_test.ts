/**
 * Senders that wait for room with several threads at once; seconds.
 */

import assert from "node:assert/strict";
import { BoundedChannel as Ring, RecvStatus } from "../../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { runTwin } from "../../stress/crew.ts";
import {
  isAllThere,
  ROOM_MUTATIONS,
  type RoomStress,
  runRoomStress,
  writeRoomTwin,
} from "../../stress/room_harness.ts";

/** Where the word is that is moved by a call. */
const ROOM = 66;
const BLOCKING = { senders: 1, messages: 10_000, capacity: 3, isAsync: false };
const RUNS: Readonly<Record<string, Omit<RoomStress, "seed" | "channelModule">>> = {
  "one that blocks": BLOCKING,
  "three that block, for one place": { ...BLOCKING, senders: 3, messages: 3000, capacity: 1 },
  "two that do not block": { ...BLOCKING, senders: 2, messages: 4000, isAsync: true },
};

for (const mutation of ROOM_MUTATIONS) {
  Deno.test(`BoundedChannel: a twin that ${mutation.name} is caught`, async () => {
    const isAsync = mutation.shownBy === "async";
    await withTwin({ mutation }, async (channelModule) => {
      const stress = { ...BLOCKING, capacity: 1, isAsync, messages: 20_000, channelModule };
      const run = () => runRoomStress({ ...stress, seed: newSeed(), forgottenAfterMs: 600 });
      const isCaught = (result: Awaited<ReturnType<typeof run>>) => result.isForgotten;
      const result = await runTwin(run, isCaught);
      assert.ok(isCaught(result), `inconclusive: ${JSON.stringify(result)}`);
    });
  });
}

for (const [name, stress] of Object.entries(RUNS)) {
  Deno.test(`BoundedChannel: no sender that waits for room is forgotten: ${name}`, async () => {
    await withTwin({ takesAnyRoom: stress.capacity > 1 }, async (channelModule) => {
      const whole = { ...stress, channelModule, seed: newSeed() };
      const result = await runRoomStress(whole);
      assert.ok(isAllThere(result, whole), JSON.stringify(result));
      assert.ok(result.waits >= 1000, `they waited: ${JSON.stringify(result)}`);
    });
  });
}

Deno.test("BoundedChannel: who waits for room is called for a batch of it, or for any, and once", () => {
  const ring = Ring.create({ capacity: 4 });
  const slot = ConsumerSlots.create({ slotCount: 1 }).own(0, 0);
  const words = new Int32Array(ring.memory.buffer);
  const take = (): void => {
    assert.equal(ring.recv(slot, 0), RecvStatus.JOB);
    slot.clear();
  };
  const fill = (): void => {
    while (ring.trySend(Uint8Array.of(1), 0, 1));
  };
  fill();
  take();
  assert.equal(words[ROOM], 0, "nobody waits");
  fill();
  ring.senders.want(false);
  take();
  assert.equal(words[ROOM], 0, "one place is not worth it");
  take();
  assert.equal(words[ROOM], 1, "half of the channel is");
  take();
  assert.equal(words[ROOM], 1, "once");
  fill();
  ring.senders.want(true);
  take();
  assert.equal(words[ROOM], 2, "any");
  fill();
  ring.senders.want(true);
  ring.close();
  assert.equal(words[ROOM], 3, "closed");
});

Deno.test("BoundedChannel: a reservation that is given back is room for who waits", () => {
  const ring = Ring.create({ capacity: 1 });
  assert.ok(ring.tryReserve());
  ring.senders.want(true);
  const { signal } = ring.senders;
  ring.cancelReservation();
  assert.equal(ring.senders.sleep(signal, 0), true, "it was called");
});

function newSeed(): number {
  return (Math.random() * 2 ** 31) | 0;
}

async function withTwin(
  twin: Parameters<typeof writeRoomTwin>[1],
  test: (channelModule: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(await writeRoomTwin(folder, twin));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
