/// <reference lib="deno.worker" />
/**
 * One thread of the publish and subscribe stress: publishes to all channels and subscribes to them.
 */

import { ByteWriter } from "../../src/base/bytes.ts";
import { Inbox, type InboxMemory } from "../../src/channel/inbox.ts";
import { ClientState } from "../../src/command/client_state.ts";
import { PubSubHub } from "../../src/command/pubsub/hub.ts";
import { ChannelSpace } from "../../src/pubsub/channel_registry.ts";
import {
  Publication,
  PUBLICATION_HEADER_BYTES,
  PublicationFlag,
} from "../../src/pubsub/publication.ts";
import { type PubSubMemory, PubSubRegion } from "../../src/pubsub/region.ts";
import { Key } from "../../src/store/key.ts";
import { Store, type StoreMemory } from "../../src/store/store.ts";

/** What a thread is to do. */
export interface PubSubOrders {
  readonly store: StoreMemory;
  readonly region: PubSubMemory;
  readonly inboxes: readonly InboxMemory[];
  readonly thread: number;
  readonly channels: readonly string[];
  /** Messages that it publishes on each channel. */
  readonly messageCount: number;
  /** Payloads are filled up to this length now and then, so that some go through the arena. */
  readonly largeBytes: number;
}

/** What a thread saw. */
export interface PubSubReport {
  /** Messages as they came out of the inbox, `channel payload`. */
  readonly arrived: readonly string[];
  /** As they were pushed. */
  readonly pushed: readonly string[];
  /** Sum of what PUBLISH returned. */
  readonly receivers: number;
  readonly cutOffs: readonly string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

function keyOf(store: Store, channel: string): Key {
  const bytes = encoder.encode(channel);
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  return key;
}

function locked<Result>(store: Store, key: Key, work: () => Result): Result {
  store.locks.lock(key.shard, true);
  const result = work();
  store.locks.unlock(key.shard, true);
  return result;
}

class Member {
  readonly store: Store;
  readonly hub: PubSubHub;
  readonly pushed = new ByteWriter();
  readonly arrived: string[] = [];
  readonly cutOffs: string[] = [];
  receivers = 0;
  readonly #message = new Publication();
  readonly #drain: () => void;
  readonly #client: ClientState;

  constructor(readonly orders: PubSubOrders) {
    const { thread } = orders;
    this.store = Store.attach(orders.store, thread, false);
    const inboxes = orders.inboxes.map((memory) => Inbox.attach(memory));
    this.hub = new PubSubHub({
      store: this.store,
      region: PubSubRegion.attach(orders.region),
      thread,
      inboxes: inboxes.map((inbox) => ({
        sender: inbox.sender(thread),
        ring: () => inbox.ring(thread),
      })),
      hardLimitBytes: 2 ** 30,
      softLimitBytes: 2 ** 30,
      onCutOff: (_client, reason) => this.cutOffs.push(reason),
      onOverrun: () => this.cutOffs.push("overrun"),
    });
    const receiver = inboxes[thread]!.receiver();
    this.#drain = () =>
      void receiver.drain((bytes, start, end) => {
        const message = this.#message.decode(bytes, start, end);
        const at = start + PUBLICATION_HEADER_BYTES;
        const payloadAt = at + message.channelBytes;
        const channel = decoder.decode(bytes.slice(at, payloadAt));
        const isLarge = (message.flags & PublicationFlag.IN_ARENA) !== 0;
        // What went through the arena cannot be read twice.
        const name = isLarge ? "" : decoder.decode(bytes.slice(payloadAt, payloadAt + 12));
        this.arrived.push(`${channel} ${name}`);
        this.hub.receive(message, bytes, start, end);
      });
    const pushed = this.pushed;
    this.#client = new ClientState({
      id: thread,
      connectedAtMs: 0,
      pushTarget: {
        writer: pushed,
        pendingBytes: 0,
        isSubscriber: false,
        wake: () => {},
        cutOff: () => {},
      },
    }, true);
  }

  subscribe(): void {
    const subscriber = this.hub.subscriberOf(this.#client)!;
    for (const channel of this.orders.channels) {
      const key = keyOf(this.store, channel);
      locked(this.store, key, () => {
        this.hub.tryJoin(ChannelSpace.PLAIN, key);
        this.hub.join(ChannelSpace.PLAIN, key, channel, subscriber);
      });
    }
  }

  async publish(): Promise<void> {
    const { channels, messageCount, thread, largeBytes } = this.orders;
    const keys = channels.map((channel) => keyOf(this.store, channel));
    for (let i = 0; i < messageCount; i++) {
      // `2 000017 …`, with a fixed length in front.
      const name = `${thread} ${String(i).padStart(10, "0")}`;
      const bytes = encoder.encode(i % 50 === 49 ? name.padEnd(largeBytes, ".") : name);
      for (const key of keys) {
        this.receivers += locked(
          this.store,
          key,
          () => this.hub.publisher.publish(ChannelSpace.PLAIN, key, bytes, 0, bytes.length),
        );
      }
      if (i % 10 === 9) this.#drain();
      if (i % 40 === 39) await turn();
    }
  }

  async finish(total: number): Promise<PubSubReport> {
    const pattern = /\$7\r\nmessage\r\n\$\d+\r\n([^\r]*)\r\n\$\d+\r\n(\d+ \d{10})/g;
    let pushed: string[] = [];
    const untilMs = Date.now() + 20_000;
    while (pushed.length < total && Date.now() < untilMs) {
      this.#drain();
      await turn();
      if (this.hub.waitingCount > 0) continue;
      pushed = [...decoder.decode(this.pushed.view()).matchAll(pattern)]
        .map(([, channel, name]) => `${channel} ${name}`);
    }
    this.hub.forget(this.#client);
    while (this.hub.leavingCount > 0) await turn();
    const { arrived, receivers, cutOffs } = this;
    return { arrived, pushed, receivers, cutOffs };
  }
}

let member: Member;

self.onmessage = async ({ data }: MessageEvent) => {
  if (data.kind === "open") {
    member = new Member(data.orders);
    member.subscribe();
    self.postMessage("ready");
  } else if (data.kind === "publish") {
    await member.publish();
    self.postMessage("published");
  } else {
    self.postMessage(await member.finish(data.total));
    self.close();
  }
};
