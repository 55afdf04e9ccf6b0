/**
 * Leases of collections: walking one at leisure, with no lock held and no copy of it.
 *
 * What a lease promises and asks of writers is in collection_memory.ts. As with large strings
 * (value_lease.ts), only threads whose end stops the server take leases, and who takes one must end
 * it.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import { type ControlRegion, Header } from "../control.ts";
import { EntryType } from "../entry.ts";
import type { Extents } from "../extents.ts";
import type { ShardLocks } from "../locks.ts";
import { freeLater } from "../value_lease.ts";
import type { Collection } from "./collection.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import { RecordCursor } from "./cursor.ts";
import { COLLECTION_LEASE_MASK, CollectionRoot, FRESH, WAITING } from "./node.ts";
import { RecordKind } from "./records.ts";

/** Leases that a {@link CollectionLease} ends through. */
interface Lessor {
  /** Ends one lease of a root. */
  end(root: number): void;
}

/**
 * One reader's hold on a collection: its elements as they were when the lease was taken.
 *
 * `cursor` walks it, from either end or from any rank or order, with no lock held. What it gives is
 * valid until {@link CollectionLease.release}.
 *
 * Thread: the one that took it.
 */
export class CollectionLease {
  /** Elements, fields or members. */
  readonly count: number;
  /** Walks the elements: by index, by hash, by score. */
  readonly cursor: RecordCursor;
  readonly #lessor: Lessor;
  readonly #root: number;
  #isOver = false;

  /** Made by {@link CollectionLeases.take}. */
  constructor(lessor: Lessor, root: number, count: number, cursor: RecordCursor) {
    this.#lessor = lessor;
    this.#root = root;
    this.count = count;
    this.cursor = cursor;
  }

  /**
   * Ends the lease; may be called any number of times, with or without locks held. Never waits and
   * never throws: memory that becomes free while its shard is locked is freed later.
   */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.cursor.openTree(this.cursor.kind, 0);
    if (this.#root !== 0) this.#lessor.end(this.#root);
  }
}

/** What {@link CollectionLeases} works with. */
export interface CollectionLeaseParts {
  /** Client data. */
  arena: Arena;
  /** Counters. */
  control: ControlRegion;
  /** Long elements. */
  extents: Extents;
  /** The shards' locks. */
  locks: ShardLocks;
  /** Nodes, leases, garbage. */
  memory: CollectionMemory;
  /** Whether this thread may die alone. */
  canDieAlone: boolean;
}

/** Gives and ends leases. Thread: one instance per thread. */
export class CollectionLeases {
  readonly #parts: CollectionLeaseParts;

  /** Wires the parts of one thread together. */
  constructor(parts: CollectionLeaseParts) {
    this.#parts = parts;
  }

  /**
   * Leases an opened collection. Needs its shard's lock, shared is enough. A packed one is copied
   * (about 1 KiB), one that does not exist has no elements.
   */
  take(c: Collection): CollectionLease {
    const { arena, control, extents, canDieAlone } = this.#parts;
    assert(!canDieAlone, "a thread that takes leases ends with the server only");
    const cursor = new RecordCursor(arena, extents);
    if (c.root === 0) {
      const { kind, bytes, first, limit } = c.cursor;
      if (c.entry === 0) cursor.openTree(kind, 0);
      else cursor.openRun(kind, bytes.slice(first - 4, limit), 0);
      return new CollectionLease(this, 0, c.count, cursor);
    }
    // First the sum, last the sum: where it is 0, so is every count.
    Atomics.add(control.words, Header.LEASES, 1);
    const words = arena.wordsOf(c.root);
    const at = arena.wordAt(c.root) + CollectionRoot.LEASES;
    Atomics.add(words, at, 1);
    Atomics.or(words, at, FRESH);
    cursor.openTree(c.cursor.kind, arena.read(c.root, CollectionRoot.TREE_0));
    return new CollectionLease(this, c.root, c.count, cursor);
  }

  /** As {@link CollectionLeases.take}, of the members of a sorted set by hash where it is large. */
  takeMembers(c: Collection): CollectionLease {
    const lease = this.take(c);
    if (c.root !== 0 && c.type === EntryType.SORTED_SET) {
      const top = this.#parts.arena.read(c.root, CollectionRoot.TREE_1);
      lease.cursor.openTree(RecordKind.MEMBERS, top);
    }
    return lease;
  }

  /** See {@link CollectionLease.release}. */
  end(root: number): void {
    const { arena, control, memory } = this.#parts;
    // Behind the subtraction the collection may go at any time.
    const shard = memory.shardOf(root);
    const at = arena.wordAt(root) + CollectionRoot.LEASES;
    const before = Atomics.sub(arena.wordsOf(root), at, 1);
    Atomics.sub(control.words, Header.LEASES, 1);
    if ((before & COLLECTION_LEASE_MASK) === 1 && (before & WAITING) !== 0) {
      void this.#settle(shard);
    } else if (Atomics.load(control.words, Header.PINNED_PAGE_SEEN) !== 0) {
      Atomics.store(control.words, Header.PINNED_PAGE_SEEN, 0);
      Atomics.add(control.words, Header.PINNED_PAGES_FREED, 1);
    }
  }

  /** The last reader sees to what was kept for readers. */
  async #settle(shard: number): Promise<void> {
    const { locks, memory } = this.#parts;
    await freeLater(locks, shard, () => memory.settleWaiting(shard));
  }
}
