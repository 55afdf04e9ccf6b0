/**
 * What one job costs on its way through the channel.
 *
 * The layer beneath is a copy in shared memory and a handful of atomics; the group "one thread"
 * shows them. "across threads" measures whole batches of {@link BATCH} jobs: divide by it.
 *
 * @module
 */

import { BoundedChannel } from "../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../src/channel/consumer_slots.ts";

const BATCH = 10_000;
const JOB = new Uint8Array(512).fill(7);

for (const jobBytes of [48, 512]) {
  const channel = BoundedChannel.create({ capacity: 1000 });
  const slot = ConsumerSlots.create({ slotCount: 1 }).own(0, 0);
  Deno.bench(`trySend and recv, ${jobBytes} bytes`, { group: "one thread" }, () => {
    channel.trySend(JOB, 0, jobBytes);
    channel.recv(slot, 0);
    slot.clear();
  });
}

{
  const shared = new Uint8Array(new SharedArrayBuffer(2048));
  Deno.bench("the two copies alone, 512 bytes", { group: "one thread" }, () => {
    shared.set(JOB, 0);
    shared.set(shared.subarray(0, 512), 1024);
  });
}

{
  const channel = BoundedChannel.create({ capacity: 1 });
  channel.trySend(JOB, 0, 48);
  Deno.bench("trySend on a full channel", { group: "one thread" }, () => {
    channel.trySend(JOB, 0, 48);
  });
}

/** Sends a batch from this thread and waits, without blocking it, until all is taken. */
async function sendBatch(channel: BoundedChannel, jobBytes: number): Promise<void> {
  for (let sent = 0; sent < BATCH;) {
    if (channel.trySend(JOB, 0, jobBytes)) sent++;
    else await new Promise((resolve) => setTimeout(resolve, 0));
  }
  while (channel.depth > 0) await new Promise((resolve) => setTimeout(resolve, 0));
}

for (const consumers of [1, 4]) {
  for (const jobBytes of [48, 512]) {
    const name = `${BATCH} jobs to ${consumers} workers, ${jobBytes} bytes`;
    Deno.bench(name, { group: "across threads", n: 30, warmup: 3 }, async (b) => {
      const channel = BoundedChannel.create({ capacity: 16_384 });
      const slots = ConsumerSlots.create({ slotCount: consumers });
      const workers = Array.from(
        { length: consumers },
        () => new Worker(new URL("./channel_bench_worker.ts", import.meta.url), { type: "module" }),
      );
      await Promise.all(workers.map((worker, index) => {
        const ready = Promise.withResolvers<void>();
        worker.onmessage = () => ready.resolve();
        worker.postMessage({ channel: channel.memory, slots: slots.memory, index });
        return ready.promise;
      }));
      b.start();
      await sendBatch(channel, jobBytes);
      b.end();
      channel.close();
      for (const worker of workers) worker.terminate();
    });
  }
}
