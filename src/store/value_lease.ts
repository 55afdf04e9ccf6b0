/**
 * Leases: reading a large value at leisure, with no lock held and no copy of it.
 *
 * What a lease promises and what it asks of writers is in extents.ts. Who takes one must end it:
 * until then the value's memory stays in use, also when its key is gone.
 *
 * Only threads whose end stops the server take leases. A thread that may die alone would leave
 * counts behind that nobody could tell from those of the living.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import { type ControlRegion, Header } from "./control.ts";
import { Encoding } from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import { type Extents, LEASE_COUNT_MASK, ORPHAN } from "./extents.ts";
import { LockPoisonedError, type ShardLocks } from "./locks.ts";

/** Operation number of freeing an orphan, for the text of a fault. */
export const FREE_ORPHAN_OPERATION = 8;

/** Leases that a {@link ValueLease} ends through. */
interface Lessor {
  /** Copies of the value. */
  readonly extents: Extents;
  /** Ends one lease of a root. */
  end(root: number): void;
}

/**
 * One reader's hold on a large value.
 *
 * The bytes are those that the value had when the lease was taken, whatever happens to its key.
 *
 * Thread: the one that took it.
 */
export class ValueLease {
  /** Length in bytes of what is leased: the value, or the part that was asked for. */
  readonly byteCount: number;
  readonly #lessor: Lessor;
  readonly #root: number;
  readonly #end: number;
  #position: number;
  #isOver = false;

  /** Made by {@link ValueLeases.take}. */
  constructor(lessor: Lessor, root: number, start: number, end: number) {
    this.#lessor = lessor;
    this.#root = root;
    this.#position = start;
    this.#end = end;
    this.byteCount = end - start;
  }

  /** Bytes that {@link ValueLease.copyNext} has not copied yet. */
  get remaining(): number {
    return this.#end - this.#position;
  }

  /**
   * Whether the key has let go of the value: its memory stays in use for this lease (and perhaps
   * others) alone.
   */
  get isOrphan(): boolean {
    return !this.#isOver && (this.#lessor.extents.leasesOf(this.#root) & ORPHAN) !== 0;
  }

  /**
   * Copies the next `byteCount` bytes of the value to `target[offset…]`. Needs no lock.
   *
   * @param byteCount at most {@link ValueLease.remaining}
   */
  copyNext(target: Uint8Array, offset: number, byteCount: number): void {
    assert(!this.#isOver, "a value is read while it is leased");
    assert(byteCount <= this.remaining, "a value is read once, from front to back");
    const start = this.#position;
    this.#position = start + byteCount;
    this.#lessor.extents.copyRange(this.#root, start, this.#position, target, offset);
  }

  /**
   * Ends the lease; may be called any number of times. Never waits and never throws: where the
   * memory of an orphan becomes free and its shard is locked, that happens later.
   */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lessor.end(this.#root);
  }
}

/** What {@link ValueLeases} works with. */
export interface LeaseParts {
  /** Client data. */
  arena: Arena;
  /** Counters. */
  control: ControlRegion;
  /** Large values. */
  extents: Extents;
  /** The shards' locks. */
  locks: ShardLocks;
  /** Reads entries. */
  reader: EntryReader;
  /** Whether this thread may die alone. */
  canDieAlone: boolean;
}

/**
 * Gives and ends leases.
 *
 * Thread: one instance per thread.
 */
export class ValueLeases {
  readonly #parts: LeaseParts;
  /** Large values. */
  readonly extents: Extents;

  /** Wires the parts of one thread together. */
  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.extents = parts.extents;
  }

  /**
   * Leases the value of an entry in extents, to read its bytes from `start` to `end`. Needs the
   * shard's lock, shared is enough.
   */
  take(entry: number, start: number, end: number): ValueLease {
    const { extents, reader } = this.#parts;
    assert(reader.encoding(entry) === Encoding.EXTENTS, "a leased value is a large one");
    return this.takeRoot(extents.rootOf(entry), start, end);
  }

  /** Leases a value by its root: also a long element of a collection. */
  takeRoot(
    root: number,
    start = 0,
    end: number = this.extents.byteCountOf(root),
  ): ValueLease {
    const { control, extents, canDieAlone } = this.#parts;
    assert(!canDieAlone, "a thread that takes leases ends with the server only");
    // First the sum, last the sum: where it is 0, so is every count (see leaseCount).
    Atomics.add(control.words, Header.LEASES, 1);
    extents.countLease(root, 1);
    return new ValueLease(this, root, start, end);
  }

  /**
   * Makes a value that no key has and `leaseCount` readers will read; each of them opens it with
   * {@link ValueLeases.open}. Needs the exclusive lock of the shard whose memory it takes.
   *
   * @returns its root; 0 when there is no memory for it
   */
  share(
    shard: number,
    value: Uint8Array,
    start: number,
    end: number,
    leaseCount: number,
  ): number {
    const { control, extents } = this.#parts;
    if (!extents.reserve(shard, end - start)) return 0;
    Atomics.add(control.words, Header.LEASES, leaseCount);
    return extents.fillOrphan(value, start, end, leaseCount);
  }

  /** Takes over one of the leases that {@link ValueLeases.share} counted. Needs no lock. */
  open(root: number): ValueLease {
    return new ValueLease(this, root, 0, this.extents.byteCountOf(root));
  }

  /** See {@link ValueLease.release}. */
  end(root: number): void {
    const { words } = this.#parts.control;
    const before = this.extents.countLease(root, -1);
    Atomics.sub(words, Header.LEASES, 1);
    if ((before & LEASE_COUNT_MASK) === 1 && (before & ORPHAN) !== 0) void this.#freeOrphan(root);
    // Compaction that went around a leased page has something to gain now; pairs with the store in
    // Compactor: it sets the word, then looks at the count that was just lowered.
    else if (Atomics.load(words, Header.PINNED_PAGE_SEEN) !== 0) {
      Atomics.store(words, Header.PINNED_PAGE_SEEN, 0);
      Atomics.add(words, Header.PINNED_PAGES_FREED, 1);
    }
  }

  /** The last reader of an orphan frees it: nobody else knows its address any more. */
  async #freeOrphan(root: number): Promise<void> {
    const { locks, extents } = this.#parts;
    const shard = extents.shardOf(root);
    await freeLater(locks, shard, () => extents.freeOrphan(root));
  }
}

/**
 * Frees, under the shard's exclusive lock, what the last reader has left; waits where that is busy.
 * Quiet when the shard is torn: the server is stopping for that reason, and its memory goes with it.
 *
 * Thread: any that takes leases; nobody waits for it.
 */
export async function freeLater(
  locks: ShardLocks,
  shard: number,
  free: () => void,
): Promise<void> {
  try {
    if (!locks.tryLock(shard, true)) {
      if (locks.postponed !== undefined) {
        locks.postponed.push({ shard, free });
        return;
      }
      await locks.lockAsync(shard, true);
    }
  } catch (error) {
    if (error instanceof LockPoisonedError) return;
    throw error;
  }
  freeLocked(locks, shard, free);
}

/**
 * Frees what had to be postponed, where the shard is not busy.
 *
 * Thread: one that has {@link ShardLocks.postponed}.
 */
export function freePostponed(locks: ShardLocks): void {
  const { postponed } = locks;
  if (postponed === undefined || postponed.length === 0) return;
  for (const item of postponed.splice(0)) {
    if (locks.tryLock(item.shard, true)) freeLocked(locks, item.shard, item.free);
    else postponed.push(item);
  }
}

function freeLocked(locks: ShardLocks, shard: number, free: () => void): void {
  try {
    free();
  } catch (error) {
    locks.poison(shard, FREE_ORPHAN_OPERATION);
    throw error;
  }
  locks.unlock(shard, true);
}
