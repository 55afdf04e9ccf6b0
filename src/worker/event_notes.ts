/**
 * Publishes the keyspace events of an event worker: what expires and is evicted while it works.
 *
 * @module
 */

import { Inbox } from "../channel/inbox.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import { ChannelRegistry } from "../pubsub/channel_registry.ts";
import { KeyNotes } from "../pubsub/key_notes.ts";
import { Notifier } from "../pubsub/notifier.ts";
import { PatternView } from "../pubsub/patterns.ts";
import { Publisher } from "../pubsub/publisher.ts";
import { PubSubRegion } from "../pubsub/region.ts";
import type { Store } from "../store/store.ts";
import type { WorkerOrders } from "./messages.ts";

/**
 * Has what happens to keys in this thread noted.
 *
 * @returns what the worker flushes; undefined when nobody can subscribe
 */
export function createEventNotes(
  { inboxes, pubsub, threadId }: WorkerOrders,
  store: Store,
  counters: ThreadCounters,
): Notifier | undefined {
  if (inboxes === undefined || pubsub === undefined) return undefined;
  const region = PubSubRegion.attach(pubsub);
  const publisher = new Publisher({
    store,
    region,
    registry: new ChannelRegistry(store, region.ioThreadCount),
    patterns: new PatternView(region),
    inboxes: inboxes.inboxes.map((memory) => {
      const inbox = Inbox.attach(memory);
      return { sender: inbox.sender(threadId), ring: () => inbox.ring(threadId) };
    }),
    onOverrun: () => counters.add(CounterIndex.PUBLICATION_OVERRUNS),
  });
  const notifier = new Notifier({
    store,
    region,
    publisher,
    onDropped: () => counters.add(CounterIndex.NOTIFICATIONS_DROPPED),
  });
  store.keyWatcher = new KeyNotes(notifier);
  return notifier;
}
