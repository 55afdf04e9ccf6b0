import assert from "node:assert/strict";
import { Inbox } from "../../src/channel/inbox.ts";
import { ChannelRegistry, ChannelSpace } from "../../src/pubsub/channel_registry.ts";
import { PubSubRegion } from "../../src/pubsub/region.ts";
import { Store } from "../../src/store/store.ts";
import type { PubSubReport } from "./pubsub_worker.ts";

const THREADS = 3;
const MESSAGES = 600;
const CHANNELS = ["a", "b", "c"];

/** Rounds until threads received messages in different orders; without that, nothing is proved. */
const ROUNDS_MAX = 20;

function next(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}

async function round(shardCount: number): Promise<{ reports: PubSubReport[]; store: Store }> {
  const store = Store.create({
    shardCount,
    lockKind: "mutex",
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: THREADS + 1,
  }, THREADS);
  // Counts begin just below their wrap.
  const region = PubSubRegion.create(shardCount, THREADS, 0x7fffffff - 500);
  const inboxes = Array.from(
    { length: THREADS },
    () => Inbox.create({ producerCount: THREADS, ringBytes: 2 ** 20 }),
  );
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(new URL("./pubsub_worker.ts", import.meta.url), { type: "module" }),
  );
  const all = async (message: (thread: number) => unknown): Promise<unknown[]> =>
    await Promise.all(workers.map((worker, thread) => {
      const reply = next(worker);
      worker.postMessage(message(thread));
      return reply;
    }));
  try {
    await all((thread) => ({
      kind: "open",
      orders: {
        store: store.memory,
        region: region.memory,
        inboxes: inboxes.map(({ memory }) => memory),
        thread,
        channels: CHANNELS,
        messageCount: MESSAGES,
        largeBytes: 9000,
      },
    }));
    await all(() => ({ kind: "publish" }));
    const total = THREADS * MESSAGES * CHANNELS.length;
    const reports = await all(() => ({ kind: "finish", total })) as PubSubReport[];
    return { reports, store };
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

/** Messages of one channel, those of the named thread left out: no inbox carries its own. */
function ofChannel(list: readonly string[], channel: string, without: readonly number[]): string[] {
  return list.filter((text) =>
    text.startsWith(`${channel} `) && !without.includes(Number(text.split(" ")[1]))
  );
}

for (const shardCount of [1, 64]) {
  Deno.test(`pub/sub stress (${shardCount} shards): nothing is lost or doubled, and there is one order`, async () => {
    let disorders = 0;
    for (let i = 0; i < ROUNDS_MAX && disorders === 0; i++) {
      const { reports, store } = await round(shardCount);
      const total = THREADS * MESSAGES * CHANNELS.length;
      for (const { pushed, receivers, cutOffs } of reports) {
        assert.deepEqual(cutOffs, []);
        assert.equal(pushed.length, total, "nothing is lost");
        assert.equal(new Set(pushed).size, total, "nothing comes twice");
        assert.equal(receivers, MESSAGES * CHANNELS.length * THREADS, "every PUBLISH was exact");
      }
      for (const channel of CHANNELS) {
        const orders = reports.map(({ pushed }) => ofChannel(pushed, channel, []));
        for (const order of orders) assert.deepEqual(order, orders[0], "all saw one order");
        for (let thread = 0; thread < THREADS; thread++) {
          const own = orders[0]!.filter((text) => text.startsWith(`${channel} ${thread} `));
          assert.deepEqual(own, own.toSorted(), "a publisher's messages are in its order");
        }
        // The twin that does not put them in order: would it have been found out?
        for (let thread = 0; thread < THREADS; thread++) {
          const { arrived, pushed } = reports[thread]!;
          const came = ofChannel(arrived, channel, [thread])
            .filter((text) => text !== `${channel} `);
          const known = new Set(came);
          const due = pushed.filter((text) => known.has(text));
          assert.deepEqual(came.toSorted(), due.toSorted());
          if (came.some((text, at) => text !== due[at])) disorders++;
        }
      }
      assert.equal(new ChannelRegistry(store, THREADS).channelCount(ChannelSpace.PLAIN), 0);
      assert.equal(store.stats().leases, 0);
      store.assertInvariants();
    }
    assert.ok(disorders > 0, "without the numbers, threads would have seen different orders");
  });
}
