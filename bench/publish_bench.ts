/**
 * What `PUBLISH` costs with 0, 1 and 100 subscribers of the thread that publishes, delivery to their
 * buffers included.
 *
 * The layer beneath is the lock of the channel's shard and a look-up, which is all that happens with
 * 0 subscribers: what is more is delivery. One iteration is {@link MESSAGES} messages; divide by that.
 *
 *     deno bench --allow-read --allow-env bench/publish_bench.ts
 *
 * @module
 */

import { ByteWriter } from "../src/base/bytes.ts";
import { Inbox } from "../src/channel/inbox.ts";
import { ClientState } from "../src/command/client_state.ts";
import { PubSubHub } from "../src/command/pubsub/hub.ts";
import { ChannelSpace } from "../src/pubsub/channel_registry.ts";
import { PubSubRegion } from "../src/pubsub/region.ts";
import { Key } from "../src/store/key.ts";
import { Store } from "../src/store/store.ts";

/** Messages in one iteration. */
const MESSAGES = 100;

const encoder = new TextEncoder();
const payload = encoder.encode("x".repeat(100));

function makeHub(): { store: Store; hub: PubSubHub } {
  const store = Store.create({
    shardCount: 16,
    lockKind: "mutex",
    maxMemoryBytes: 32 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 1,
  });
  const inbox = Inbox.create({ producerCount: 1 });
  const hub = new PubSubHub({
    store,
    region: PubSubRegion.create(16, 1),
    thread: 0,
    inboxes: [{ sender: inbox.sender(0), ring: () => inbox.ring(0) }],
    hardLimitBytes: 2 ** 30,
    softLimitBytes: 2 ** 30,
    onCutOff: () => {},
    onOverrun: () => {},
  });
  return { store, hub };
}

for (const subscriberCount of [0, 1, 100]) {
  const { store, hub } = makeHub();
  const bytes = encoder.encode("news");
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  for (let id = 0; id < subscriberCount; id++) {
    const writer = new ByteWriter(65536);
    const client: ClientState = new ClientState({
      id,
      connectedAtMs: 0,
      pushTarget: {
        writer,
        pendingBytes: 0,
        isSubscriber: false,
        // Where the connection would write it.
        wake: () => writer.clear(),
        cutOff: () => {},
      },
    }, true);
    store.locks.tryLock(key.shard, true);
    hub.tryJoin(ChannelSpace.PLAIN, key);
    hub.join(ChannelSpace.PLAIN, key, "news", hub.subscriberOf(client)!);
    store.locks.unlock(key.shard, true);
  }
  Deno.bench({
    name: `${subscriberCount} ${subscriberCount === 1 ? "subscriber" : "subscribers"}`,
    group: `publish ${MESSAGES} messages of 100 bytes`,
    baseline: subscriberCount === 0,
  }, async () => {
    for (let i = 0; i < MESSAGES; i++) {
      store.locks.tryLock(key.shard, true);
      hub.publisher.publish(ChannelSpace.PLAIN, key, payload, 0, payload.length);
      store.locks.unlock(key.shard, true);
    }
    // Most is handed out in the first slice, which is a microtask.
    await Promise.resolve();
    while (hub.waitingCount > 0) await new Promise((resolve) => setTimeout(resolve));
  });
}
