/**
 * Which I/O threads have subscribers of which channel, and how many.
 *
 * An entry of a hidden table of the store per channel that has any: its key is the channel's name,
 * its value a uint32 for each I/O thread, little-endian. It lies in the shard that the name's bytes
 * choose, under whose lock it is read and changed, and its memory is counted as everybody's is. The
 * entry goes with the last subscriber.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { SpecialTable } from "../store/control.ts";
import type { Key } from "../store/key.ts";
import { type Store, WriteStatus } from "../store/store.ts";

/** The spaces of channels; a name in one has nothing to do with the same name in the other. */
export const ChannelSpace = {
  /** `SUBSCRIBE` and `PUBLISH`. */
  PLAIN: SpecialTable.CHANNELS,
  /** `SSUBSCRIBE` and `SPUBLISH`. */
  SHARD: SpecialTable.SHARD_CHANNELS,
} as const;

/** One of the values of {@link ChannelSpace}. */
export type ChannelSpace = (typeof ChannelSpace)[keyof typeof ChannelSpace];

/**
 * Reads and changes the registry. Every call needs the lock of the channel's shard.
 *
 * Thread: belongs to one thread.
 */
export class ChannelRegistry {
  readonly #store: Store;
  readonly #ioThreadCount: number;
  readonly #bytes: Uint8Array;
  readonly #counts: DataView;

  /** Looks at the store's hidden tables. */
  constructor(store: Store, ioThreadCount: number) {
    this.#store = store;
    this.#ioThreadCount = ioThreadCount;
    this.#bytes = new Uint8Array(ioThreadCount * 4);
    this.#counts = new DataView(this.#bytes.buffer);
  }

  /**
   * Reads the counts of a channel for {@link ChannelRegistry.countOf}. Shared is enough.
   *
   * @param channel located
   * @returns whether anybody subscribes to it
   */
  read(space: ChannelSpace, channel: Key): boolean {
    const entry = this.#store.peek(space, channel);
    if (entry === 0) return false;
    this.#store.copyString(entry, this.#bytes, 0);
    return true;
  }

  /** Subscribers that a thread has of the channel that was read last. */
  countOf(thread: number): number {
    return this.#counts.getUint32(thread * 4, true);
  }

  /** Subscribers of a channel over all threads. Shared is enough. */
  total(space: ChannelSpace, channel: Key): number {
    if (!this.read(space, channel)) return 0;
    let sum = 0;
    for (let thread = 0; thread < this.#ioThreadCount; thread++) sum += this.countOf(thread);
    return sum;
  }

  /** Counts a subscriber in; fails only for lack of memory or a name that is too long. */
  add(space: ChannelSpace, channel: Key, thread: number): WriteStatus {
    if (!this.read(space, channel)) this.#bytes.fill(0);
    return this.#write(space, channel, thread, this.countOf(thread) + 1);
  }

  /** Counts a subscriber out. Cannot fail: an entry keeps its size. */
  remove(space: ChannelSpace, channel: Key, thread: number): void {
    const known = this.read(space, channel);
    const count = known ? this.countOf(thread) - 1 : -1;
    assert(count >= 0, "who leaves a channel was counted");
    this.#counts.setUint32(thread * 4, count, true);
    if (this.#bytes.every((byte) => byte === 0)) {
      this.#store.remove(space, channel);
      return;
    }
    const status = this.#write(space, channel, thread, count);
    assert(status === WriteStatus.OK, "a count is changed in place");
  }

  /** Channels that have subscribers; takes no lock, a snapshot. */
  channelCount(space: ChannelSpace): number {
    return this.#store.keyCount(space);
  }

  #write(space: ChannelSpace, channel: Key, thread: number, count: number): WriteStatus {
    this.#counts.setUint32(thread * 4, count, true);
    return this.#store.setString(space, channel, this.#bytes, 0, this.#bytes.length, 0);
  }
}
