/**
 * Who is woken for a job, and who is not; seconds. `deno task test:stress` runs more.
 */

import assert from "node:assert/strict";
import { BoundedChannel, RecvStatus } from "../../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { IdleConsumers } from "../../../src/channel/idle_consumers.ts";
import { runTwin } from "../../stress/crew.ts";
import {
  isWakeful,
  runWakeStress,
  WAKE_UP_MUTATIONS,
  type WakeStress,
  writeWakeTwin,
} from "../../stress/wake_harness.ts";

const SINGLE = { producers: 1, consumers: 1, bursts: 20_000, burstJobs: 1 };
const BURSTS = { producers: 2, consumers: 4, bursts: 3000, burstJobs: 2 };
const DEATHS = { ...BURSTS, consumers: 5, deaths: 20 };

const SIGNAL = 64;

function makeIdle(): { words: Int32Array<SharedArrayBuffer>; idle: IdleConsumers } {
  const words = new Int32Array(new SharedArrayBuffer(8));
  return { words, idle: new IdleConsumers(words, 0) };
}

Deno.test("IdleConsumers: nobody is called while somebody who was called has not left", () => {
  const { words, idle } = makeIdle();
  idle.callOne();
  assert.equal(words[0], 0, "nobody is in");
  idle.enter();
  idle.enter();
  assert.ok(idle.isCallNeeded);
  idle.callOne();
  assert.equal(words[0], 1);
  assert.ok(!idle.isCallNeeded);
  idle.callOne();
  idle.enter();
  idle.callOne();
  assert.equal(words[0], 1, "one call at a time, also when others come in");
  assert.equal(idle.count, 3);
  idle.leave();
  assert.equal(idle.count, 2);
  idle.callOne();
  assert.equal(words[0], 2, "the other two can be called again");
  idle.leave();
  idle.leave();
  assert.equal(idle.count, 0);
  assert.ok(!idle.isCallNeeded);
  idle.assertInvariants();
});

Deno.test("BoundedChannel.put: says whether a sleeper must be called, and calls nobody", () => {
  const channel = BoundedChannel.create({ capacity: 4 });
  const slots = ConsumerSlots.create({ slotCount: 2 });
  const words = new Int32Array(channel.memory.buffer);
  const job = Uint8Array.of(1);
  const put = (): boolean => {
    assert.ok(channel.tryReserve());
    return channel.put(job, 0, 1);
  };
  assert.equal(put(), false, "nobody sleeps");
  assert.equal(channel.recv(slots.own(0, 0), 0), RecvStatus.JOB);
  // Fenced while it falls asleep, it stays counted in, as one does that sleeps.
  slots.supervise(1).prepare(0);
  assert.equal(channel.recv(slots.own(1, 0), 1000), RecvStatus.FENCED);
  assert.equal(put(), true);
  assert.equal(put(), true);
  assert.equal(words[SIGNAL], 0);
  channel.callConsumer();
  assert.equal(words[SIGNAL], 1);
  assert.equal(put(), false, "one was called");
  channel.callConsumer();
  assert.equal(words[SIGNAL], 1);
  channel.recoverDeadConsumer(slots.supervise(1));
  assert.equal(words[SIGNAL], 2, "others may have relied on the dead one");
  assert.equal(put(), false, "the dead one is not in any more");
  channel.assertInvariants();
});

Deno.test("BoundedChannel.callConsumer: wakes nobody for a job that is gone", () => {
  const channel = BoundedChannel.create({ capacity: 4 });
  const slots = ConsumerSlots.create({ slotCount: 2 });
  slots.supervise(1).prepare(0);
  assert.equal(channel.recv(slots.own(1, 0), 1000), RecvStatus.FENCED);
  assert.ok(channel.tryReserve());
  assert.equal(channel.put(Uint8Array.of(1), 0, 1), true);
  assert.equal(channel.recv(slots.own(0, 0), 0), RecvStatus.JOB);
  channel.callConsumer();
  assert.equal(new Int32Array(channel.memory.buffer)[SIGNAL], 0);
});

for (const mutation of WAKE_UP_MUTATIONS) {
  Deno.test(`BoundedChannel: a twin that ${mutation.name} is caught`, async () => {
    const stress = mutation.shownBy === undefined
      ? SINGLE
      : mutation.shownBy === "bursts"
      ? BURSTS
      : DEATHS;
    await withTwin(mutation, async (channelModule) => {
      const result = await runTwin(
        () => run({ ...stress, bursts: stress.bursts * 10, forgottenAfterMs: 600, channelModule }),
        (result) => !isWakeful(result),
      );
      assert.ok(!isWakeful(result), `inconclusive: ${JSON.stringify(result)}`);
    });
  });
}

for (const [name, stress] of Object.entries({ SINGLE, BURSTS, DEATHS })) {
  Deno.test(`BoundedChannel: no wake-up is lost, ${name.toLowerCase()}`, async () => {
    await withTwin(undefined, async (channelModule) => {
      const result = await run({ ...stress, channelModule });
      assert.ok(isWakeful(result), JSON.stringify(result));
      assert.equal(result.bursts, stress.bursts * stress.producers);
    });
  });
}

function run(stress: Omit<WakeStress, "seed">): ReturnType<typeof runWakeStress> {
  return runWakeStress({ ...stress, seed: (Math.random() * 2 ** 31) | 0 });
}

async function withTwin(
  mutation: (typeof WAKE_UP_MUTATIONS)[number] | undefined,
  test: (channelModule: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(await writeWakeTwin(folder, mutation));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
