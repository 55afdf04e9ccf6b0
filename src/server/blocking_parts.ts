/**
 * Clients that wait for keys, put together for one I/O thread.
 *
 * @module
 */

import { WAITER_MESSAGE_BYTES, WaiterMessage } from "../base/inbox_message.ts";
import { getLogger } from "../base/log.ts";
import { BlockedClients } from "../command/blocking/blocked_clients.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import type { SharedParts } from "./shared_parts.ts";

/** Makes the waits of an I/O thread. Thread: that one. */
export function createBlocking(
  shared: SharedParts,
  counters: ThreadCounters,
  notifier: Notifier,
): BlockedClients {
  const { threadId, threads, store, inboxes, waits } = shared;
  const senders = inboxes.map((inbox) => inbox.sender(threadId));
  const message = new WaiterMessage();
  const bytes = new Uint8Array(WAITER_MESSAGE_BYTES);
  return new BlockedClients({
    store,
    region: waits,
    notifier,
    thread: threadId - threads.firstIoThreadId,
    send: (thread, waiter, generation, news) => {
      message.waiter = waiter;
      message.generation = generation;
      message.news = news;
      message.encode(bytes);
      return senders[thread]!.trySend(bytes, 0, bytes.length);
    },
    onLost: () => {
      counters.add(CounterIndex.INTERNAL_ERRORS);
      const text = "elements taken for a client that has gone could not be put back";
      getLogger("blocking").error(text, { event: "elements_lost" });
    },
  });
}
