/**
 * Several I/O threads' parts of publish and subscribe over one store, in one thread.
 *
 * @module
 */

import { ByteWriter } from "../../../src/base/bytes.ts";
import { Inbox } from "../../../src/channel/inbox.ts";
import { ClientState } from "../../../src/command/client_state.ts";
import { PubSubHub } from "../../../src/command/pubsub/hub.ts";
import { ChannelSpace } from "../../../src/pubsub/channel_registry.ts";
import { Publication } from "../../../src/pubsub/publication.ts";
import { PubSubRegion } from "../../../src/pubsub/region.ts";
import { Key } from "../../../src/store/key.ts";
import { Store } from "../../../src/store/store.ts";

/** How to make a {@link Crew}. */
export interface CrewOptions {
  /** Room of each ring of an inbox. */
  readonly ringBytes?: number;
  /** Where counts of publications start. */
  readonly firstCount?: number;
  /** What may be pending for one subscriber. */
  readonly pushLimitBytes?: number;
  /** Shards. */
  readonly shardCount?: number;
}

/** A subscriber whose connection takes everything. */
export interface Listener {
  readonly client: ClientState;
  readonly pushed: ByteWriter;
  /** Whether its connection was cut off. */
  isCutOff: boolean;
}

const encoder = new TextEncoder();

/** Two I/O threads. */
export class Crew {
  readonly store: Store;
  readonly region: PubSubRegion;
  readonly hubs: readonly PubSubHub[];
  readonly cutOffs: string[] = [];
  overruns = 0;
  readonly #inboxes: readonly Inbox[];
  #lastId = 0;

  constructor(options: CrewOptions = {}) {
    const { shardCount = 4, ringBytes = 65536, firstCount = 0, pushLimitBytes = 2 ** 20 } = options;
    this.store = Store.create({
      shardCount,
      lockKind: "mutex",
      maxMemoryBytes: 8 * 2 ** 20,
      maxValueBytes: 2 ** 20,
      threadCount: 2,
    });
    this.region = PubSubRegion.create(shardCount, 2, firstCount);
    this.#inboxes = [0, 1].map(() => Inbox.create({ producerCount: 2, ringBytes }));
    this.hubs = [0, 1].map((thread) =>
      new PubSubHub({
        store: Store.attach(this.store.memory, thread, false),
        region: PubSubRegion.attach(this.region.memory),
        thread,
        inboxes: this.#inboxes.map((inbox) => ({
          sender: inbox.sender(thread),
          ring: () => inbox.ring(thread),
        })),
        hardLimitBytes: pushLimitBytes,
        softLimitBytes: pushLimitBytes / 4,
        onCutOff: (client, reason) => this.cutOffs.push(`${client.id} ${reason}`),
        onOverrun: () => this.overruns++,
      })
    );
  }

  /** A client of a thread. */
  listen(): Listener {
    const pushed = new ByteWriter();
    const listener: Listener = {
      isCutOff: false,
      pushed,
      client: new ClientState({
        id: ++this.#lastId,
        connectedAtMs: 0,
        pushTarget: {
          writer: pushed,
          get pendingBytes() {
            return pushed.length;
          },
          isSubscriber: false,
          wake: () => {},
          cutOff: () => listener.isCutOff = true,
        },
      }, true),
    };
    return listener;
  }

  /** Subscribes to a channel, under its lock. */
  subscribe(thread: number, listener: Listener, channel: string): void {
    const hub = this.hubs[thread]!;
    this.#locked(channel, (key) => {
      hub.tryJoin(ChannelSpace.PLAIN, key);
      hub.join(ChannelSpace.PLAIN, key, channel, hub.subscriberOf(listener.client)!);
    });
  }

  /** Publishes from a thread, under the channel's lock. */
  publish(thread: number, channel: string, payload: string): number {
    const bytes = encoder.encode(payload);
    let count = 0;
    this.#locked(channel, (key) => {
      count = this.hubs[thread]!.publisher.publish(ChannelSpace.PLAIN, key, bytes, 0, bytes.length);
    });
    return count;
  }

  /** What waits in the inbox of a thread, each to be taken when wanted. */
  mail(thread: number): (() => void)[] {
    const taken: (() => void)[] = [];
    this.#inboxes[thread]!.receiver().drain((bytes, start, end) => {
      const copy = bytes.slice(start, end);
      taken.push(() =>
        this.hubs[thread]!.receive(
          new Publication().decode(copy, 0, copy.length),
          copy,
          0,
          copy.length,
        )
      );
    });
    return taken;
  }

  /** Has a thread read its inbox, and all threads hand out what they have. */
  async settle(thread: number): Promise<void> {
    for (const take of this.mail(thread)) take();
    this.hubs[thread]!.handleOverrun();
    while (this.hubs.some(({ waitingCount }) => waitingCount > 0)) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  #locked(channel: string, work: (key: Key) => void): void {
    const bytes = encoder.encode(channel);
    const key = new Key().set(bytes, 0, bytes.length);
    this.store.locate(key);
    if (!this.store.locks.tryLock(key.shard, true)) throw new Error("the lock is free");
    work(key);
    this.store.locks.unlock(key.shard, true);
  }
}

/** The payloads of the messages that a listener got. */
export function payloadsOf({ pushed }: Listener): string[] {
  const text = new TextDecoder().decode(pushed.view());
  return [
    ...text.matchAll(
      /\*(?:3\r\n\$7\r\nmessage|4\r\n\$8\r\npmessage\r\n\$\d+\r\n[^\r]*)\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n([^\r]*)\r\n/g,
    ),
  ]
    .map((match) => match[1]!);
}
