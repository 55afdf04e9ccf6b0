/**
 * Publish and subscribe on one I/O thread: its subscribers, and their counts for all threads.
 *
 * @module
 */

import { Key } from "../../store/key.ts";
import { LockPoisonedError } from "../../store/locks.ts";
import { type Store, WriteStatus } from "../../store/store.ts";
import { ChannelRegistry, ChannelSpace } from "../../pubsub/channel_registry.ts";
import { latin1Bytes, matchesGlob } from "../../base/glob.ts";
import { PatternView } from "../../pubsub/patterns.ts";
import type { Publication } from "../../pubsub/publication.ts";
import {
  type LocalReceiver,
  overrunHash,
  Publisher,
  type PublisherParts,
} from "../../pubsub/publisher.ts";
import { PATTERN_MAX_BYTES, type PubSubRegion, SEVERAL_CHANNELS } from "../../pubsub/region.ts";
import type { ClientState } from "../client_state.ts";
import { type ChannelSubscribers, Deliveries, PatternSubscribers } from "./deliveries.ts";
import { type CutOffReason, Subscriber } from "./subscriber.ts";

/** Operation number of counting a subscriber out, for the text of a fault. */
export const LEAVE_CHANNEL_OPERATION = 5;

/** Channels that are left, or listed, before others have their turn. */
const CHANNELS_PER_TURN = 256;

/** What a {@link PubSubHub} is made from. */
export interface HubParts {
  /** The store as this thread sees it. */
  readonly store: Store;
  /** Shared with all threads. */
  readonly region: PubSubRegion;
  /** Number of this I/O thread. */
  readonly thread: number;
  /** See {@link PublisherParts.inboxes}. */
  readonly inboxes: PublisherParts["inboxes"];
  /** Most that may be pending for one subscriber. Unit: bytes. */
  readonly hardLimitBytes: number;
  /** Most that may be pending for it for a minute. Unit: bytes. */
  readonly softLimitBytes: number;
  /** Told of every subscriber that is cut off, before it is. */
  readonly onCutOff: (client: ClientState, reason: CutOffReason, pendingBytes: number) => void;
  /** Told of every thread that misses a message. */
  readonly onOverrun: () => void;
}

/**
 * The subscribers of one I/O thread.
 *
 * Thread: that thread.
 */
export class PubSubHub implements LocalReceiver, Disposable {
  /** Number of this I/O thread. */
  readonly thread: number;
  /** Publishes for this thread. */
  readonly publisher: Publisher;
  /** Who subscribes to channels, on any thread. */
  readonly registry: ChannelRegistry;
  /** Who subscribes to patterns, on any thread. */
  readonly patterns: PatternView;
  /** Shared with all threads. */
  readonly region: PubSubRegion;

  readonly #parts: HubParts;
  readonly #store: Store;
  readonly #subscribers = new Map<ClientState, Subscriber>();
  readonly #channels = new Map<string, ChannelSubscribers>();
  readonly #shardChannels = new Map<string, ChannelSubscribers>();
  readonly #patterns = new Map<string, PatternSubscribers>();
  readonly #deliveries: Deliveries;
  #leavingCount = 0;

  /** Starts with nobody. */
  constructor(parts: HubParts) {
    const { store, region, thread } = parts;
    this.#parts = parts;
    this.#store = store;
    this.thread = thread;
    this.region = region;
    this.registry = new ChannelRegistry(store, region.ioThreadCount);
    this.patterns = new PatternView(region);
    this.publisher = new Publisher({
      store,
      region,
      registry: this.registry,
      patterns: this.patterns,
      inboxes: parts.inboxes,
      local: this,
      onOverrun: parts.onOverrun,
    });
    this.#deliveries = new Deliveries({
      ...parts,
      tables: {
        channels: this.#channels,
        shardChannels: this.#shardChannels,
        patterns: this.#patterns,
      },
      onSlow: (subscriber, pendingBytes) => this.#cutOff(subscriber, "does not read", pendingBytes),
      onMissed: (channel, isShard) => {
        parts.onOverrun();
        this.#cutOffAudience(channel, isShard);
      },
    });
  }

  /** Messages that wait to be handed out. */
  get waitingCount(): number {
    return this.#deliveries.waitingCount;
  }

  /** Subscriptions that have ended and that publishers still count, because a lock was busy. */
  get leavingCount(): number {
    return this.#leavingCount;
  }

  /** Clients of this thread that subscribe to something. */
  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  /** See {@link LocalReceiver.tryTake}. */
  tryTake(message: Publication, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#deliveries.isFull(end - start)) return false;
    this.#deliveries.take(message, bytes, start, end);
    return true;
  }

  /** Takes a message of another thread. */
  receive(message: Publication, bytes: Uint8Array, start: number, end: number): void {
    this.#deliveries.take(message, bytes, start, end);
  }

  /** Cuts off whoever missed a message because this thread's inbox was full. */
  handleOverrun(): void {
    if (!this.region.hasOverrun(this.thread)) return;
    const key = new Key();
    const missed = new Map<number, number>();
    const patternsMissed = this.region.takeOverrun(
      this.thread,
      (shard, hash) => missed.set(shard, hash),
    );
    if (patternsMissed) {
      for (const subscribers of this.#patterns.values()) {
        for (const subscriber of subscribers) this.#cutOff(subscriber, "missed a message");
      }
    }
    if (missed.size === 0) return;
    for (const table of [this.#channels, this.#shardChannels]) {
      for (const [name, subscribers] of table) {
        this.#locate(key, name);
        const hash = missed.get(key.shard);
        if (hash !== SEVERAL_CHANNELS && hash !== overrunHash(key.hash)) continue;
        for (const subscriber of subscribers.keys()) this.#cutOff(subscriber, "missed a message");
      }
    }
  }

  /** The client's subscriptions; made when it has none yet. Undefined: it cannot be pushed to. */
  subscriberOf(client: ClientState): Subscriber | undefined {
    const known = this.#subscribers.get(client);
    if (known !== undefined || client.pushTarget === undefined) return known;
    const subscriber = new Subscriber(client, client.pushTarget);
    this.#subscribers.set(client, subscriber);
    return subscriber;
  }

  /** The client's subscriptions, if it ever had any. */
  find(client: ClientState): Subscriber | undefined {
    return this.#subscribers.get(client);
  }

  /**
   * Counts a subscriber in for all threads. Needs the exclusive lock of the channel's shard, as does
   * {@link PubSubHub.join}, which must follow unless {@link PubSubHub.cancelJoin} does.
   */
  tryJoin(space: ChannelSpace, channel: Key): WriteStatus {
    return this.registry.add(space, channel, this.thread);
  }

  /** Takes that back, under the same lock. */
  cancelJoin(space: ChannelSpace, channel: Key): void {
    this.registry.remove(space, channel, this.thread);
  }

  /** Has messages that are published from now on delivered. Under the lock of the channel's shard. */
  join(space: ChannelSpace, channel: Key, name: string, subscriber: Subscriber): void {
    const table = this.#tableOf(space);
    let subscribers = table.get(name);
    if (subscribers === undefined) table.set(name, subscribers = new Map());
    subscribers.set(subscriber, this.region.sentCount(channel.shard, this.thread));
    namesOf(subscriber, space).add(name);
    subscriber.nameBytes += name.length;
    this.#noteCount(subscriber);
  }

  /** Ends a subscription. Needs the exclusive lock of the channel's shard. */
  leave(space: ChannelSpace, channel: Key, name: string, subscriber: Subscriber): void {
    this.#forget(space, name, subscriber);
    this.registry.remove(space, channel, this.thread);
  }

  /**
   * Ends all subscriptions of a kind; needs no lock, and none of their shards' locks are waited for:
   * where one is busy, publishers count the subscriber until it is had.
   *
   * @returns the names
   */
  leaveAll(space: ChannelSpace, subscriber: Subscriber): string[] {
    const names = [...namesOf(subscriber, space)];
    for (const name of names) this.#forget(space, name, subscriber);
    if (names.length > 0) void this.#countOut(space, names);
    return names;
  }

  /**
   * Subscribes to patterns, to all or none.
   *
   * @returns false when this thread has too many
   */
  tryJoinPatterns(patterns: readonly string[], subscriber: Subscriber): boolean {
    for (const pattern of patterns) {
      let subscribers = this.#patterns.get(pattern);
      if (subscribers === undefined) {
        subscribers = new PatternSubscribers(pattern);
        this.#patterns.set(pattern, subscribers);
      }
      subscribers.add(subscriber);
      subscriber.patterns.add(pattern);
      subscriber.nameBytes += pattern.length;
    }
    const fits = patterns.every((pattern) => pattern.length <= PATTERN_MAX_BYTES) &&
      this.#publishPatterns();
    if (!fits) this.leavePatterns(patterns, subscriber);
    this.#noteCount(subscriber);
    return fits;
  }

  /** Ends subscriptions to patterns, to all of which the client subscribes. */
  leavePatterns(patterns: readonly string[], subscriber: Subscriber): void {
    for (const pattern of patterns) {
      const subscribers = this.#patterns.get(pattern)!;
      subscribers.delete(subscriber);
      if (subscribers.size === 0) this.#patterns.delete(pattern);
      subscriber.patterns.delete(pattern);
      subscriber.nameBytes -= pattern.length;
    }
    if (patterns.length > 0) this.#publishPatterns();
    this.#noteCount(subscriber);
  }

  /** Ends everything that a client subscribes to. */
  forget(client: ClientState): void {
    const subscriber = this.#subscribers.get(client);
    if (subscriber === undefined) return;
    this.#subscribers.delete(client);
    this.leaveAll(ChannelSpace.PLAIN, subscriber);
    this.leaveAll(ChannelSpace.SHARD, subscriber);
    this.leavePatterns([...subscriber.patterns], subscriber);
  }

  /**
   * Channels of this thread that match, one character per byte.
   *
   * @param pattern null = all
   */
  async channelNames(space: ChannelSpace, pattern: string | null): Promise<string[]> {
    const names: string[] = [];
    let count = 0;
    for (const name of this.#tableOf(space).keys()) {
      if (++count % CHANNELS_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
      if (pattern === null || matchesGlob(pattern, name)) names.push(name);
    }
    return names;
  }

  /** Lets go of what was not delivered. */
  [Symbol.dispose](): void {
    this.#deliveries.clear();
  }

  #tableOf(space: ChannelSpace): Map<string, ChannelSubscribers> {
    return space === ChannelSpace.PLAIN ? this.#channels : this.#shardChannels;
  }

  #forget(space: ChannelSpace, name: string, subscriber: Subscriber): void {
    const table = this.#tableOf(space);
    const subscribers = table.get(name)!;
    subscribers.delete(subscriber);
    if (subscribers.size === 0) table.delete(name);
    namesOf(subscriber, space).delete(name);
    subscriber.nameBytes -= name.length;
    this.#noteCount(subscriber);
  }

  #noteCount(subscriber: Subscriber): void {
    subscriber.client.subscriptionCount = subscriber.count;
    subscriber.client.subscriptions = subscriber;
    subscriber.target.isSubscriber = subscriber.count > 0;
  }

  #publishPatterns(): boolean {
    const counts = new Map<string, number>();
    for (const [pattern, { size }] of this.#patterns) counts.set(pattern, size);
    return this.region.tryWritePatterns(this.thread, counts);
  }

  #locate(key: Key, name: string): void {
    const bytes = latin1Bytes(name);
    this.#store.locate(key.set(bytes, 0, bytes.length));
  }

  /** Counts a subscriber of this thread out of channels, one lock at a time. */
  async #countOut(space: ChannelSpace, names: readonly string[]): Promise<void> {
    const { locks } = this.#store;
    let count = 0;
    this.#leavingCount += names.length;
    for (const name of names) {
      const key = new Key();
      this.#locate(key, name);
      try {
        if (++count % CHANNELS_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
        if (!locks.tryLock(key.shard, true)) await locks.lockAsync(key.shard, true);
      } catch (error) {
        // The server is stopping for that reason.
        if (error instanceof LockPoisonedError) return;
        throw error;
      }
      try {
        this.registry.remove(space, key, this.thread);
      } catch (error) {
        locks.poison(key.shard, LEAVE_CHANNEL_OPERATION);
        throw error;
      }
      locks.unlock(key.shard, true);
      this.#leavingCount--;
    }
  }

  #cutOff(subscriber: Subscriber, reason: CutOffReason, pendingBytes?: number): void {
    if (subscriber.isOver) return;
    subscriber.isOver = true;
    const { client, target } = subscriber;
    this.#parts.onCutOff(client, reason, pendingBytes ?? target.pendingBytes);
    client.ended = true;
    target.cutOff();
  }

  #cutOffAudience(channel: string, isShard: boolean): void {
    const exact = (isShard ? this.#shardChannels : this.#channels).get(channel);
    for (const subscriber of exact?.keys() ?? []) this.#cutOff(subscriber, "missed a message");
    if (isShard) return;
    const name = latin1Bytes(channel);
    for (const subscribers of this.#patterns.values()) {
      if (!subscribers.matches(name)) continue;
      for (const subscriber of subscribers) this.#cutOff(subscriber, "missed a message");
    }
  }
}

function namesOf(subscriber: Subscriber, space: ChannelSpace): Set<string> {
  return space === ChannelSpace.PLAIN ? subscriber.channels : subscriber.shardChannels;
}
