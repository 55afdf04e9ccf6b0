/**
 * What was published to the subscribers of one I/O thread, on its way to their connections.
 *
 * Messages come from this thread's own publishers and, through the inbox, from those of others. They
 * are put back into the order in which they were published (see {@link PubSubRegion}), wait in a
 * bounded queue, and go out in slices, so that a message for ten thousand subscribers does not hold
 * up everybody else.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { latin1Bytes, matchesGlobBytes } from "../../base/glob.ts";
import {
  type Publication,
  PUBLICATION_HEADER_BYTES,
  PublicationFlag,
} from "../../pubsub/publication.ts";
import { latin1Text, type PubSubRegion } from "../../pubsub/region.ts";
import type { Store } from "../../store/store.ts";
import type { ByteSource } from "../byte_source.ts";
import type { Subscriber } from "./subscriber.ts";

/**
 * Messages that may wait to be handed to subscribers; those in the arena count with their names only.
 *
 * Unit: bytes. Reason: what publishers send in some hundred milliseconds; a thread that is further
 * behind will not catch up.
 */
export const QUEUE_MAX_BYTES = 8_388_608;

/** What a queued message takes beside its bytes. Unit: bytes. */
const QUEUED_OVERHEAD_BYTES = 256;

/** How long messages are handed out before others have their turn. Unit: ms. */
const SLICE_MS = 1;

/** Subscribers that are served between two looks at the clock. */
const CLOCK_STRIDE = 32;

/** A larger encoded message does not keep its memory. Unit: bytes. */
const KEPT_FRAME_BYTES = 65_536;

/** A message that waits. */
interface Queued {
  readonly isShard: boolean;
  readonly number: number;
  readonly channel: string;
  /** The payload, or what is left of it to read. */
  readonly payload: Uint8Array | ByteSource;
  readonly byteCount: number;
}

/** Those who get a message in the same words. */
interface Group {
  readonly pattern: string | null;
  readonly subscribers: readonly Subscriber[];
}

/** A channel's subscribers of this thread, each with the number of the publication it came after. */
export type ChannelSubscribers = Map<Subscriber, number>;

/** A pattern's subscribers of this thread. */
export class PatternSubscribers extends Set<Subscriber> {
  readonly #bytes: Uint8Array;

  /** Starts with nobody; `pattern` has one character per byte. */
  constructor(pattern: string) {
    super();
    this.#bytes = latin1Bytes(pattern);
  }

  /** Whether the pattern matches a channel. */
  matches(channel: Uint8Array): boolean {
    return matchesGlobBytes(this.#bytes, channel, 0, channel.length);
  }
}

/** Where subscribers are looked up. */
export interface SubscriptionTables {
  /** By name. */
  readonly channels: ReadonlyMap<string, ChannelSubscribers>;
  /** By name. */
  readonly shardChannels: ReadonlyMap<string, ChannelSubscribers>;
  /** By pattern. */
  readonly patterns: ReadonlyMap<string, PatternSubscribers>;
}

/** What {@link Deliveries} works with. */
export interface DeliveryParts {
  /** Has large payloads. */
  readonly store: Store;
  /** The order of publications. */
  readonly region: PubSubRegion;
  /** Number of this I/O thread. */
  readonly thread: number;
  /** Who subscribes. */
  readonly tables: SubscriptionTables;
  /** Most that may be pending for one subscriber. Unit: bytes. */
  readonly hardLimitBytes: number;
  /** Most that may be pending for it for {@link SOFT_LIMIT_MS}. Unit: bytes. */
  readonly softLimitBytes: number;
  /** Told of a subscriber that does not read; closes it. */
  readonly onSlow: (subscriber: Subscriber, pendingBytes: number) => void;
  /** Told of a message that there was no room for. */
  readonly onMissed: (channel: string, isShard: boolean) => void;
}

/** How long a subscriber may be behind by more than the soft limit. Unit: ms. */
export const SOFT_LIMIT_MS = 60_000;

/**
 * Queues and hands out.
 *
 * Thread: one per I/O thread.
 */
export class Deliveries {
  readonly #parts: DeliveryParts;
  /** Number of the publication that was taken last, per shard. */
  readonly #taken: Int32Array;
  /** Messages that came before their turn, by shard and number. */
  readonly #early = new Map<number, Map<number, Queued>>();
  #queue: Queued[] = [];
  #head = 0;
  #queuedBytes = 0;
  #groups: Group[] = [];
  #next = 0;
  readonly #frame = new ByteWriter(512);
  #framed: Group | undefined;
  #touched: Subscriber[] = [];
  #isScheduled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Starts with nothing to do, before this thread has subscribers. */
  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.#taken = new Int32Array(parts.store.shardCount);
    for (let shard = 0; shard < this.#taken.length; shard++) {
      this.#taken[shard] = parts.region.sentCount(shard, parts.thread);
    }
  }

  /** Messages that wait, early ones included; for tests and gauges. */
  get waitingCount(): number {
    let count = this.#queue.length - this.#head;
    for (const early of this.#early.values()) count += early.size;
    return count;
  }

  /** Whether a message of so many bytes would be too much. */
  isFull(byteCount: number): boolean {
    return this.#queuedBytes + byteCount + QUEUED_OVERHEAD_BYTES > QUEUE_MAX_BYTES;
  }

  /**
   * Takes a message whose number was counted for this thread, in whatever order; its bytes are
   * copied. With a full queue it is dropped, and its subscribers are cut off.
   */
  take(message: Publication, bytes: Uint8Array, start: number, end: number): void {
    const isShard = (message.flags & PublicationFlag.SHARD_CHANNEL) !== 0;
    const payloadAt = start + PUBLICATION_HEADER_BYTES + message.channelBytes;
    const channel = latin1Text(bytes, start + PUBLICATION_HEADER_BYTES, payloadAt);
    const inArena = (message.flags & PublicationFlag.IN_ARENA) !== 0;
    const queued: Queued = {
      isShard,
      number: message.number,
      channel,
      payload: inArena
        ? this.#parts.store.openShared(message.payload)
        : bytes.slice(payloadAt, end),
      byteCount: end - start + QUEUED_OVERHEAD_BYTES,
    };
    this.#queuedBytes += queued.byteCount;
    const { shard, number } = message;
    if (number !== ((this.#taken[shard]! + 1) | 0)) {
      let early = this.#early.get(shard);
      if (early === undefined) this.#early.set(shard, early = new Map());
      early.set(number, queued);
      return;
    }
    this.#enqueue(shard, queued);
    this.#takeEarly(shard);
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(() => this.#run());
    }
  }

  /** Forgets everything and lets go of it. */
  clear(): void {
    clearTimeout(this.#timer);
    for (const { payload } of this.#queue.slice(this.#head)) releasePayload(payload);
    for (const early of this.#early.values()) {
      for (const { payload } of early.values()) releasePayload(payload);
    }
    this.#early.clear();
    this.#queue = [];
    this.#head = 0;
    this.#groups = [];
    this.#queuedBytes = 0;
  }

  #enqueue(shard: number, queued: Queued): void {
    this.#taken[shard] = queued.number;
    if (this.#queuedBytes > QUEUE_MAX_BYTES) {
      this.#queuedBytes -= queued.byteCount;
      releasePayload(queued.payload);
      this.#parts.onMissed(queued.channel, queued.isShard);
      return;
    }
    this.#queue.push(queued);
  }

  #takeEarly(shard: number): void {
    const early = this.#early.get(shard);
    if (early === undefined) return;
    for (;;) {
      const next = (this.#taken[shard]! + 1) | 0;
      const queued = early.get(next);
      if (queued === undefined) break;
      early.delete(next);
      this.#enqueue(shard, queued);
    }
    if (early.size === 0) this.#early.delete(shard);
  }

  /** One slice. */
  #run(): void {
    const untilMs = performance.now() + SLICE_MS;
    let isDone = false;
    while (!(isDone = !this.#deliverSome()) && performance.now() < untilMs);
    const touched = this.#touched;
    // Each of them begins a write of its own; what is left for later is already in their output.
    while (touched.length > 0) {
      const subscriber = touched.pop()!;
      subscriber.isTouched = false;
      if (!subscriber.isOver) subscriber.target.wake();
      if (touched.length % CLOCK_STRIDE === 0 && performance.now() >= untilMs + SLICE_MS) break;
    }
    this.#isScheduled = !isDone || touched.length > 0;
    if (this.#isScheduled) this.#timer = setTimeout(() => this.#run());
  }

  /** Serves the next few subscribers; false when there is nothing left. */
  #deliverSome(): boolean {
    const queued = this.#queue[this.#head];
    if (queued === undefined) {
      this.#queue.length = 0;
      this.#head = 0;
      return false;
    }
    if (this.#groups.length === 0) this.#findGroups(queued);
    const group = this.#groups[0];
    if (group === undefined) {
      this.#finish(queued);
      return true;
    }
    if (this.#framed !== group) this.#encode(queued, group);
    const end = Math.min(this.#next + CLOCK_STRIDE, group.subscribers.length);
    while (this.#next < end) this.#push(group.subscribers[this.#next++]!, queued, group.pattern);
    if (this.#next < group.subscribers.length) return true;
    this.#next = 0;
    this.#groups.shift();
    if (this.#groups.length === 0) this.#finish(queued);
    return true;
  }

  #finish(queued: Queued): void {
    releasePayload(queued.payload);
    this.#queuedBytes -= queued.byteCount;
    this.#framed = undefined;
    this.#payload = undefined;
    this.#frame.clear(KEPT_FRAME_BYTES);
    this.#queue[this.#head++] = undefined as never;
    // Compacted now and then, so that a queue that is never empty does not grow.
    if (this.#head === 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Who gets it: as in Redis the channel's subscribers first, then those of each pattern. */
  #findGroups(queued: Queued): void {
    const { channel, isShard, number } = queued;
    const { channels, shardChannels, patterns } = this.#parts.tables;
    const exact = (isShard ? shardChannels : channels).get(channel);
    if (exact !== undefined) {
      const subscribers: Subscriber[] = [];
      // Who came after it was published does not get it.
      for (const [subscriber, since] of exact) {
        if (((number - since) | 0) > 0) subscribers.push(subscriber);
      }
      if (subscribers.length > 0) this.#groups.push({ pattern: null, subscribers });
    }
    if (isShard || patterns.size === 0) return;
    const name = latin1Bytes(channel);
    for (const [pattern, subscribers] of patterns) {
      if (!subscribers.matches(name)) continue;
      this.#groups.push({ pattern, subscribers: [...subscribers] });
    }
  }

  /** A payload that was fetched from the arena for the message that is under way. */
  #payload: Uint8Array | undefined;

  /** Makes the words of a group, as for RESP2; RESP3 differs in the first byte. */
  #encode({ channel, isShard, payload }: Queued, group: Group): void {
    const frame = this.#frame;
    const { pattern } = group;
    if (!(payload instanceof Uint8Array) && this.#payload === undefined) {
      this.#payload = new Uint8Array(payload.byteCount);
      payload.copyNext(this.#payload, 0, payload.byteCount);
      payload.release();
    }
    const bytes = payload instanceof Uint8Array ? payload : this.#payload!;
    frame.length = 0;
    if (pattern !== null) {
      frame.ascii("*4\r\n$8\r\npmessage\r\n");
      appendName(frame, pattern);
    } else {
      frame.ascii(isShard ? "*3\r\n$8\r\nsmessage\r\n" : "*3\r\n$7\r\nmessage\r\n");
    }
    appendName(frame, channel);
    frame.ascii(`$${bytes.length}\r\n`);
    frame.copy(bytes);
    frame.ascii("\r\n");
    this.#framed = group;
  }

  #push(subscriber: Subscriber, { channel, isShard }: Queued, pattern: string | null): void {
    // It may have left since the message's turn began.
    const isStillThere = pattern !== null
      ? subscriber.patterns.has(pattern)
      : (isShard ? subscriber.shardChannels : subscriber.channels).has(channel);
    if (subscriber.isOver || !isStillThere) return;
    const frame = this.#frame;
    const { target, client } = subscriber;
    if (!this.#mayAppend(subscriber, target.pendingBytes, frame.length)) return;
    const { writer } = target;
    const at = writer.length;
    writer.copy(frame.bytes, 0, frame.length);
    if (client.protocol === 3) writer.bytes[at] = PUSH;
    if (subscriber.isTouched) return;
    subscriber.isTouched = true;
    this.#touched.push(subscriber);
  }

  /** One message may always be pending, however large; more only within the limits. */
  #mayAppend(subscriber: Subscriber, pendingBytes: number, frameBytes: number): boolean {
    if (pendingBytes === 0) {
      subscriber.overSoftLimitSinceMs = 0;
      return true;
    }
    const { hardLimitBytes, softLimitBytes, onSlow } = this.#parts;
    let isSlow = pendingBytes + frameBytes > hardLimitBytes;
    if (pendingBytes <= softLimitBytes) {
      subscriber.overSoftLimitSinceMs = 0;
    } else {
      const nowMs = performance.now();
      subscriber.overSoftLimitSinceMs ||= nowMs;
      isSlow ||= nowMs - subscriber.overSoftLimitSinceMs >= SOFT_LIMIT_MS;
    }
    if (isSlow) onSlow(subscriber, pendingBytes);
    return !isSlow;
  }
}

const PUSH = 0x3e;

/** `$3`, the name's bytes */
function appendName(writer: ByteWriter, name: string): void {
  writer.ascii(`$${name.length}\r\n`);
  writer.ascii(name);
  writer.ascii("\r\n");
}

function releasePayload(payload: Uint8Array | ByteSource): void {
  if (!(payload instanceof Uint8Array)) payload.release();
}
