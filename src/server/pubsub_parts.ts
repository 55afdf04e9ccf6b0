/**
 * Publish and subscribe, put together for one I/O thread.
 *
 * @module
 */

import { getLogger } from "../base/log.ts";
import type { ChannelDirectory } from "../command/pubsub/channel_directory.ts";
import { PubSubHub } from "../command/pubsub/hub.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { ChannelSpace } from "../pubsub/channel_registry.ts";
import { KeyNotes } from "../pubsub/key_notes.ts";
import { Notifier } from "../pubsub/notifier.ts";
import type { Config } from "./config.ts";
import type { SharedParts } from "./shared_parts.ts";
import type { ThreadQuestions } from "./thread_questions.ts";

/**
 * Most that may be pending for one subscriber, however much memory clients may use.
 *
 * Unit: bytes. Reason: Redis's default for subscribers.
 */
const HARD_LIMIT_MAX_BYTES = 33_554_432;

/**
 * Part of a thread's client memory that one subscriber may be behind by. Reason: a buffer doubles
 * when it grows, and another is being written, so this much pending may hold four times as much.
 */
const HARD_LIMIT_SHARE = 1 / 8;

/** Part of the hard limit that it may be behind by for a minute; as in Redis. */
const SOFT_LIMIT_SHARE = 1 / 4;

/** Topic of the question for channels. */
const TOPIC = "list channels";

/** Makes the hub of an I/O thread. Thread: that one. */
export function createPubSub(
  config: Config,
  shared: SharedParts,
  counters: ThreadCounters,
): PubSubHub {
  const { threadId, threads, store, inboxes, pubsub } = shared;
  const log = getLogger("pubsub");
  const hardLimitBytes = Math.min(
    HARD_LIMIT_MAX_BYTES,
    config.maxClientMemoryBytes / config.ioThreads * HARD_LIMIT_SHARE,
  );
  return new PubSubHub({
    store,
    region: pubsub,
    thread: threadId - threads.firstIoThreadId,
    inboxes: inboxes.map((inbox) => ({
      sender: inbox.sender(threadId),
      ring: () => inbox.ring(threadId),
    })),
    hardLimitBytes,
    softLimitBytes: hardLimitBytes * SOFT_LIMIT_SHARE,
    onCutOff: (client, reason, pendingBytes) => {
      counters.add(
        reason === "does not read"
          ? CounterIndex.CLOSED_SLOW_SUBSCRIBER
          : CounterIndex.CLOSED_OVERRUN_SUBSCRIBER,
      );
      log.warn(`subscriber cut off: ${reason}`, {
        event: "subscriber_cut_off",
        reason,
        client_id: client.id,
        client_name: client.name,
        peer: client.address,
        pending_bytes: pendingBytes,
      });
    },
    onOverrun: () => counters.add(CounterIndex.PUBLICATION_OVERRUNS),
  });
}

/** Makes what publishes the keyspace events of an I/O thread. Thread: that one. */
export function createNotifier(
  { store, pubsub }: SharedParts,
  hub: PubSubHub,
  counters: ThreadCounters,
): Notifier {
  const notifier = new Notifier({
    store,
    region: pubsub,
    publisher: hub.publisher,
    onDropped: () => counters.add(CounterIndex.NOTIFICATIONS_DROPPED),
  });
  store.keyWatcher = new KeyNotes(notifier);
  return notifier;
}

/** The channels of all I/O threads. Thread: one per I/O thread; answers for its own. */
export class ServerChannels implements ChannelDirectory {
  readonly #questions: ThreadQuestions;

  /** Has questions about the channels of `hub` answered. */
  constructor(hub: PubSubHub, questions: ThreadQuestions) {
    this.#questions = questions;
    questions.answer(TOPIC, (question) => {
      const { space, pattern } = question as { space: ChannelSpace; pattern: string | null };
      return hub.channelNames(space, pattern);
    });
  }

  /** See {@link ChannelDirectory.names}. */
  async names(space: ChannelSpace, pattern: string | null): Promise<string[]> {
    const { answers } = await this.#questions.ask(TOPIC, { space, pattern });
    return [...new Set((answers as string[][]).flat())];
  }
}
