/**
 * Keys that came to have something while clients waited for keys of their shard.
 *
 * Clients wait for keys that have nothing, so a key becomes interesting in one way only: a list or a
 * sorted set comes to be at it, whatever command made it (LPUSH, RENAME, RESTORE, COPY, …). The one
 * place that puts entries into tables notes it here; before the lock of the shard is given back,
 * whoever serves clients looks at what was noted (`ShardLocks.onReady`).
 *
 * @module
 */

import type { Arena } from "./arena.ts";
import { type ControlRegion, Shard } from "./control.ts";
import { Entry, EntryType, keyOffset } from "./entry.ts";
import type { ShardLocks } from "./locks.ts";

/** A key that was noted. */
interface ReadyKey {
  readonly shard: number;
  readonly bytes: Uint8Array;
}

/** Thread: one instance per thread; calls need the exclusive lock of the shard. */
export class ReadyKeys {
  /** Whether this thread serves clients; if not, nothing is noted. */
  isWatched = false;
  readonly #arena: Arena;
  readonly #control: ControlRegion;
  readonly #locks: ShardLocks;
  #keys: ReadyKey[] = [];

  /** Notes nothing until {@link ReadyKeys.isWatched}. */
  constructor(arena: Arena, control: ControlRegion, locks: ShardLocks) {
    this.#arena = arena;
    this.#control = control;
    this.#locks = locks;
  }

  /** Notes the key of an entry that has just been put into a table. */
  note(shard: number, entry: number): void {
    if (this.#control.words[this.#control.shardAt(shard) + Shard.WAITERS] === 0) return;
    if (!this.isWatched) return;
    const arena = this.#arena;
    const head = arena.read(entry, Entry.TYPE);
    const type = head & 0xff;
    if (type !== EntryType.LIST && type !== EntryType.SORTED_SET) return;
    const at = arena.byteAt(entry) + keyOffset((head >>> 16) & 0xff, (head >>> 8) & 0xff);
    const byteCount = arena.read(entry, Entry.KEY_BYTES) & 0xffff;
    this.#keys.push({ shard, bytes: arena.bytesOf(entry).slice(at, at + byteCount) });
    this.#locks.readyCount = this.#keys.length;
  }

  /** Takes the noted keys of a shard. */
  take(shard: number): Uint8Array[] {
    const keys = this.#keys;
    this.#keys = keys.filter((key) => key.shard !== shard);
    this.#locks.readyCount = this.#keys.length;
    return keys.filter((key) => key.shard === shard).map(({ bytes }) => bytes);
  }
}
