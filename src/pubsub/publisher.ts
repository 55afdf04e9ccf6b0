/**
 * Publishing: from any thread that has the store and the inboxes to all that have subscribers.
 *
 * A publication is copied once for each I/O thread that has subscribers of its channel, under the
 * exclusive lock of the channel's shard, and numbered in the order in which that lock was had. So
 * all subscribers of a channel see its messages in one order, whoever published them.
 *
 * It never waits. A thread whose inbox is full misses the message: that is noted for it, and it
 * cuts its subscribers of the channel off, who would otherwise never know.
 *
 * @module
 */

import type { InboxSender } from "../channel/inbox.ts";
import type { Key } from "../store/key.ts";
import type { Store } from "../store/store.ts";
import { type ChannelRegistry, ChannelSpace } from "./channel_registry.ts";
import type { PatternView } from "./patterns.ts";
import {
  INLINE_PAYLOAD_BYTES,
  Publication,
  PUBLICATION_HEADER_BYTES,
  PublicationFlag,
} from "./publication.ts";
import { CHANNEL_MAX_BYTES, type PubSubRegion } from "./region.ts";

/** What {@link Publisher.publish} returns when the arena has no room for a large payload. */
export const NO_MEMORY_TO_PUBLISH: number = -1;

/** The publishing thread's own subscribers, which need no inbox. */
export interface LocalReceiver {
  /** Number of the I/O thread. */
  readonly thread: number;
  /**
   * Takes a message; it is delivered soon, not now.
   *
   * @returns false when too many wait
   */
  tryTake(message: Publication, bytes: Uint8Array, start: number, end: number): boolean;
}

/** What a {@link Publisher} works with. */
export interface PublisherParts {
  /** Has the payloads that are too large for an inbox. */
  readonly store: Store;
  /** The order of publications. */
  readonly region: PubSubRegion;
  /** Who subscribes to channels. */
  readonly registry: ChannelRegistry;
  /** Who subscribes to patterns. */
  readonly patterns: PatternView;
  /** One for each I/O thread, in their order; `ring` announces an overrun. */
  readonly inboxes: readonly { sender: InboxSender; ring(): void }[];
  /** This thread's own subscribers, if it may have any. */
  readonly local?: LocalReceiver;
  /** Told of every thread that misses a message. */
  readonly onOverrun: () => void;
}

/**
 * Publishes.
 *
 * Thread: belongs to one thread, of any kind.
 */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #message = new Publication();
  readonly #bytes = new Uint8Array(
    PUBLICATION_HEADER_BYTES + CHANNEL_MAX_BYTES + INLINE_PAYLOAD_BYTES,
  );
  readonly #header = new DataView(this.#bytes.buffer);
  /** Subscribers of each thread: of the channel, and of patterns that match it. */
  readonly #exact: Uint32Array;
  readonly #matching: Uint32Array;

  /** Wires the parts of one thread together. */
  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#exact = new Uint32Array(parts.inboxes.length);
    this.#matching = new Uint32Array(parts.inboxes.length);
  }

  /**
   * Publishes `bytes[start, end)`. Needs the exclusive lock of the channel's shard.
   *
   * @param channel located, at most {@link CHANNEL_MAX_BYTES} bytes
   * @returns how many clients get it, a client once for its channel and once for each pattern; or
   *   {@link NO_MEMORY_TO_PUBLISH}: nobody got anything, unlock, reclaim, try again
   */
  publish(
    space: ChannelSpace,
    channel: Key,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const threads = this.#findThreads(space, channel);
    if (threads === 0) return 0;
    const payloadBytes = end - start;
    const inArena = payloadBytes > INLINE_PAYLOAD_BYTES;
    const message = this.#message;
    message.flags = (inArena ? PublicationFlag.IN_ARENA : 0) |
      (space === ChannelSpace.SHARD ? PublicationFlag.SHARD_CHANNEL : 0);
    message.shard = channel.shard;
    message.channelHash = channel.hash;
    message.channelBytes = channel.end - channel.start;
    message.payload = payloadBytes;
    if (inArena) {
      const root = this.#parts.store.share(channel.shard, bytes, start, end, threads);
      if (root === 0) return NO_MEMORY_TO_PUBLISH;
      message.payload = root;
    }
    let length = PUBLICATION_HEADER_BYTES;
    this.#bytes.set(channel.bytes.subarray(channel.start, channel.end), length);
    length += message.channelBytes;
    if (!inArena) {
      this.#bytes.set(bytes.subarray(start, end), length);
      length += payloadBytes;
    }
    return this.#send(length);
  }

  /** Sends the message to every thread that has subscribers. */
  #send(length: number): number {
    const { region } = this.#parts;
    const message = this.#message;
    let receiverCount = 0;
    for (let thread = 0; thread < this.#exact.length; thread++) {
      const exact = this.#exact[thread]!;
      const matching = this.#matching[thread]!;
      if (exact + matching === 0) continue;
      message.number = (region.sentCount(message.shard, thread) + 1) | 0;
      if (this.#trySendTo(thread, length)) {
        region.countSent(message.shard, thread);
        receiverCount += exact + matching;
      } else {
        this.#overrun(thread, exact > 0, matching > 0);
      }
    }
    return receiverCount;
  }

  #trySendTo(thread: number, length: number): boolean {
    const { local, inboxes } = this.#parts;
    const message = this.#message;
    message.encode(this.#header);
    if (local?.thread === thread) return local.tryTake(message, this.#bytes, 0, length);
    return inboxes[thread]!.sender.trySend(this.#bytes, 0, length);
  }

  #overrun(thread: number, exact: boolean, patterns: boolean): void {
    const { region, inboxes, store, onOverrun } = this.#parts;
    const { shard, channelHash, flags, payload } = this.#message;
    region.noteOverrun(shard, thread, exact ? overrunHash(channelHash) : 0, patterns);
    if ((flags & PublicationFlag.IN_ARENA) !== 0) store.openShared(payload).release();
    inboxes[thread]!.ring();
    onOverrun();
  }

  /** Counts who is interested; returns how many threads are. */
  #findThreads(space: ChannelSpace, channel: Key): number {
    const { registry, patterns } = this.#parts;
    const known = registry.read(space, channel);
    let threads = 0;
    for (let thread = 0; thread < this.#exact.length; thread++) {
      const exact = known ? registry.countOf(thread) : 0;
      let matching = 0;
      if (space === ChannelSpace.PLAIN && patterns.has(thread)) {
        matching = patterns.count(thread, channel.bytes, channel.start, channel.end);
      }
      this.#exact[thread] = exact;
      this.#matching[thread] = matching;
      if (exact + matching > 0) threads++;
    }
    return threads;
  }
}

/** The hash by which an overrun names a channel: 0 and 1 have a meaning of their own there. */
export function overrunHash(channelHash: number): number {
  return channelHash <= 1 ? 2 : channelHash;
}
