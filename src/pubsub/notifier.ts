/**
 * Keyspace notifications: publishes what happened to keys.
 *
 * Whoever changes a key says so under its shard's lock, with {@link Notifier.note}, which only takes
 * a note; {@link Notifier.flush} publishes when no lock is held any more, because the channel's lock
 * may be any, also a lower one. What one thread notes is published in that order.
 *
 * @module
 */

import { Key } from "../store/key.ts";
import { LockPoisonedError } from "../store/locks.ts";
import type { Store } from "../store/store.ts";
import { ChannelSpace } from "./channel_registry.ts";
import { NotifyClass } from "./keyspace_events.ts";
import type { Publisher } from "./publisher.ts";
import { CHANNEL_MAX_BYTES, type PubSubRegion } from "./region.ts";

/** Operation number of publishing a notification, for the text of a fault. */
export const NOTIFY_OPERATION = 4;

/**
 * Notes that may wait for a lock.
 *
 * Unit: bytes. Reason: some ten thousand of usual length; who changes keys does not wait for those
 * who watch.
 */
export const NOTES_MAX_BYTES = 4_194_304;

/** What a note takes beside its names. Unit: bytes. */
const NOTE_OVERHEAD_BYTES = 128;

interface Note {
  readonly channel: Uint8Array;
  readonly payload: Uint8Array;
}

/** What a {@link Notifier} works with. */
export interface NotifierParts {
  /** The store as this thread sees it. */
  readonly store: Store;
  /** Knows which classes are wanted. */
  readonly region: PubSubRegion;
  /** Publishes for this thread. */
  readonly publisher: Publisher;
  /** Told of every note that was dropped, because too many waited or there was no memory. */
  readonly onDropped: () => void;
}

/**
 * Notes and publishes.
 *
 * Thread: belongs to one thread, of any kind.
 */
export class Notifier {
  /** Notes that were not published yet; look at it before you call {@link Notifier.flush}. */
  noteCount = 0;

  readonly #parts: NotifierParts;
  readonly #region: PubSubRegion;
  readonly #key = new Key();
  #notes: Note[] = [];
  #head = 0;
  #noteBytes = 0;
  #isWaiting = false;

  /** Wires the parts of one thread together. */
  constructor(parts: NotifierParts) {
    this.#parts = parts;
    this.#region = parts.region;
  }

  /** Whether events of a class are published at all: one read and one comparison. */
  wants(kind: NotifyClass): boolean {
    return (this.#region.notifyClasses & kind) !== 0;
  }

  /**
   * Notes that something happened to a key; copies its bytes. May be called with locks held.
   *
   * @param kind one class
   * @param event as Redis calls it, e.g. `"set"`; ASCII
   */
  note(kind: NotifyClass, event: string, database: number, key: Key): void {
    const classes = this.#region.notifyClasses;
    if ((classes & kind) === 0) return;
    const name = key.bytes.subarray(key.start, key.end);
    if ((classes & NotifyClass.KEYSPACE) !== 0) {
      this.#add(join(`__keyspace@${database}__:`, name), encoder.encode(event));
    }
    if ((classes & NotifyClass.KEYEVENT) !== 0) {
      this.#add(encoder.encode(`__keyevent@${database}__:${event}`), name.slice());
    }
  }

  /** Notes something that is to be published anyway. May be called with locks held. */
  announce(channel: Uint8Array, payload: Uint8Array): void {
    this.#add(channel, payload);
  }

  /** Takes back what was noted since there were `count` notes: it did not happen. */
  rewind(count: number): void {
    while (this.noteCount > count) {
      this.#noteBytes -= bytesOf(this.#notes.pop()!);
      this.noteCount--;
    }
  }

  /**
   * Publishes what was noted. No lock may be held. Where a channel's lock is busy, the rest is
   * published when it is had, without anybody waiting for that.
   */
  flush(): void {
    if (this.#isWaiting) return;
    const { locks } = this.#parts.store;
    while (this.noteCount > 0) {
      const shard = this.#locateFirst();
      if (!locks.tryLock(shard, true)) {
        this.#isWaiting = true;
        void this.#flushLater(shard);
        return;
      }
      this.#publishFirst();
    }
  }

  /**
   * Publishes what can be published without waiting; the rest stays until the next call. For a
   * thread that calls it again and again, and has no promises.
   */
  tryFlush(): void {
    const { locks } = this.#parts.store;
    while (this.noteCount > 0 && locks.tryLock(this.#locateFirst(), true)) this.#publishFirst();
  }

  async #flushLater(busyShard: number): Promise<void> {
    const { locks } = this.#parts.store;
    let shard = busyShard;
    try {
      while (this.noteCount > 0) {
        if (!locks.tryLock(shard, true)) await locks.lockAsync(shard, true);
        this.#locateFirst();
        this.#publishFirst();
        if (this.noteCount > 0) shard = this.#locateFirst();
      }
    } catch (error) {
      // The server is stopping for that reason.
      if (!(error instanceof LockPoisonedError)) throw error;
    }
    this.#isWaiting = false;
  }

  /** Locates the first note's channel; returns its shard. */
  #locateFirst(): number {
    const { channel } = this.#notes[this.#head]!;
    this.#parts.store.locate(this.#key.set(channel, 0, channel.length));
    return this.#key.shard;
  }

  /** Publishes the first note, whose channel is located and locked, and gives the lock back. */
  #publishFirst(): void {
    const { store, publisher, onDropped } = this.#parts;
    const note = this.#notes[this.#head]!;
    const { shard } = this.#key;
    let receiverCount: number;
    try {
      receiverCount = publisher.publish(
        ChannelSpace.PLAIN,
        this.#key,
        note.payload,
        0,
        note.payload.length,
      );
    } catch (error) {
      store.locks.poison(shard, NOTIFY_OPERATION);
      throw error;
    }
    store.locks.unlock(shard, true);
    if (receiverCount < 0) onDropped();
    this.#head++;
    this.noteCount--;
    this.#noteBytes -= bytesOf(note);
    if (this.noteCount > 0) return;
    this.#notes.length = 0;
    this.#head = 0;
  }

  #add(channel: Uint8Array, payload: Uint8Array): void {
    const note = { channel, payload };
    const byteCount = bytesOf(note);
    if (channel.length > CHANNEL_MAX_BYTES || this.#noteBytes + byteCount > NOTES_MAX_BYTES) {
      this.#parts.onDropped();
      return;
    }
    this.#notes.push(note);
    this.#noteBytes += byteCount;
    this.noteCount++;
  }
}

const encoder = new TextEncoder();

function bytesOf({ channel, payload }: Note): number {
  return channel.length + payload.length + NOTE_OVERHEAD_BYTES;
}

function join(prefix: string, name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prefix.length + name.length);
  encoder.encodeInto(prefix, bytes);
  bytes.set(name, prefix.length);
  return bytes;
}
