/**
 * Forks: a large change of a collection, made aside and put in place at once.
 *
 * A change of many elements takes too long for one stretch under the lock, and nobody may see half of
 * it. So it is made in a fork, step by step, with the lock given back in between; the key has its
 * old elements all the while. In the end, if nobody else has changed the collection, the fork takes
 * its place, else it is given up and the change begun anew.
 *
 * ```text
 *      entry ──▶ root, leased ──▶ top ─┬─▶ …              the key, as everybody sees it
 *                                       ├─▶ shared nodes
 *  aside: fork's root ──▶ own top ─────┴─▶ own nodes      the same, with the change
 * ```
 *
 * **Trees.** The fork begins as a second root with the same tops, and a version of its own that no
 * node has. As for a collection with readers, a node of another version is copied before it is
 * changed. So a fork costs what the change touches, not what the collection has. The original is
 * leased meanwhile, which keeps its nodes where and as they are. What makes a fork different is in
 * {@link ForkBook}: a shared node belongs to the original, so a fork writes not even its parent into
 * it, and only notes what it has no use for. When the fork wins, the root of the original takes over
 * its tops, and shared nodes are told of their new parents; what was noted is freed later, in steps,
 * or retired if there are readers that came before. When it loses, what it made is freed. Leaves go
 * first, so that the way from a node to its root always exists (compaction walks it).
 *
 * **Small collections**, and keys that do not exist, are copied (`Collections.make`).
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import { EntryType } from "../entry.ts";
import type { EntryReader } from "../entry_reader.ts";
import { type EntryWriter, WriteStatus } from "../entry_writer.ts";
import type { ExpiryWriter } from "../expiry_writer.ts";
import type { Extents } from "../extents.ts";
import { Collection, takeKey } from "./collection.ts";
import type { CollectionLease, CollectionLeases } from "./collection_lease.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import type { Collections } from "./collections.ts";
import { ForkBook } from "./fork_book.ts";
import { childAt, COLLECTION_LEASE_MASK, CollectionRoot, Node, OWNER_ASIDE } from "./node.ts";

/** What {@link CollectionFork} works with. */
export interface ForkParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Opens and changes. */
  collections: Collections;
  /** Changes times to live. */
  expiry: ExpiryWriter;
  /** Long elements. */
  extents: Extents;
  /** Holds the original. */
  leases: CollectionLeases;
  /** Nodes. */
  memory: CollectionMemory;
  /** Reads entries. */
  reader: EntryReader;
  /** Numbers of mutations. */
  writer: EntryWriter;
}

/** Pages that an entry, its place in the index and its time to live may need. */
const PUBLISH_PAGES = 10;
/** What of a root is about its elements. The type says, too, whether any of them was heavy. */
const CONTENT_WORDS = [
  CollectionRoot.COUNT,
  CollectionRoot.TREE_0,
  CollectionRoot.TREE_1,
  CollectionRoot.TYPE,
] as const;
/** Nodes that are given up per call: some 50 µs. */
const GIVEN_UP_AT_A_TIME = 512;

/**
 * A change of one collection that is made aside. May end with {@link CollectionFork.commit}, and
 * always with {@link CollectionFork.giveUp}.
 *
 * Thread: the one that began it, one whose end stops the server; every call needs the exclusive lock
 * of the key's shard.
 */
export abstract class CollectionFork {
  /** What is changed, by any operation that can go with others. Needs {@link CollectionFork.step}. */
  abstract readonly c: Collection;

  /** Whether nothing is left of it but what it put in place: {@link CollectionFork.giveUp} is done. */
  abstract readonly isOver: boolean;

  /**
   * Runs operations on {@link CollectionFork.c}.
   *
   * @returns what `change` does
   */
  abstract step(change: (c: Collection) => WriteStatus): WriteStatus;

  /** Whether nobody else has changed the collection at the key since the fork began. */
  abstract isCurrent(): boolean;

  /**
   * Puts the fork in the place of the collection; it must be current. A key without elements goes, a
   * time to live stays. Takes some 5 µs for each interior node that the change touched, of a hundred
   * children.
   *
   * @returns OK; OUT_OF_MEMORY or KEY_TOO_LONG: nothing has changed
   */
  abstract commit(): WriteStatus;

  /**
   * Frees some of what is of no use: what was made, or after the commit what it took the place of.
   * To be called in either case until it is done.
   *
   * @returns whether it is
   */
  abstract giveUp(): boolean;
}

/** Makes forks. Thread: one instance per thread. */
export class CollectionForks {
  readonly #parts: ForkParts;

  /** Wires the parts of one thread together. */
  constructor(parts: ForkParts) {
    this.#parts = parts;
  }

  /**
   * Begins the fork of an opened collection. Needs the shard's exclusive lock.
   *
   * @returns undefined = OUT_OF_MEMORY
   */
  begin(c: Collection): CollectionFork | undefined {
    return c.root === 0 ? SmallFork.begin(this.#parts, c) : TreeFork.begin(this.#parts, c);
  }
}

/** Of a tree. */
class TreeFork extends CollectionFork {
  readonly c: Collection;
  readonly #parts: ForkParts;
  readonly #root: number;
  readonly #tops: readonly number[];
  readonly #lease: CollectionLease;
  readonly #book = new ForkBook();
  /** The original, as it is at the key now. */
  readonly #now: Collection;
  /** What is to be freed, from the end; made when it begins. */
  #doomed: number[] | undefined;
  #isInPlace = false;
  /** Whether there were other readers of the original when the fork took its place. */
  #hadReaders = false;
  isOver = false;

  constructor(parts: ForkParts, original: Collection, root: number, lease: CollectionLease) {
    super();
    const { arena, collections, extents } = parts;
    this.#parts = parts;
    this.#root = original.root;
    this.#tops = topsOf(arena, original.root);
    this.#lease = lease;
    this.#now = new Collection(arena, extents);
    const c = new Collection(arena, extents);
    takeKey(c.key, original.key, original.key.bytes.slice(original.key.start, original.key.end), 0);
    c.database = original.database;
    c.type = original.type;
    c.isDetached = true;
    c.root = root;
    c.count = original.count;
    this.c = c;
    collections.rewind(c);
  }

  static begin(parts: ForkParts, original: Collection): TreeFork | undefined {
    const { arena, blocks, leases, memory } = parts;
    if (!blocks.promise(1)) return undefined;
    const root = memory.makeRoot(original.key.shard, original.type, OWNER_ASIDE);
    blocks.endPromise();
    memory.holdOrphan(root);
    const lease = leases.take(original);
    const version = arena.read(original.root, CollectionRoot.VERSION);
    arena.write(root, CollectionRoot.VERSION, (version + 1) & 0x7fffffff);
    for (const word of CONTENT_WORDS) {
      arena.write(root, word, arena.read(original.root, word));
    }
    memory.setFootprintBytes(root, memory.footprintBytes(original.root));
    return new TreeFork(parts, original, root, lease);
  }

  step(change: (c: Collection) => WriteStatus): WriteStatus {
    const { collections, memory } = this.#parts;
    memory.fork = this.#book;
    collections.rewind(this.c);
    const status = change(this.c);
    memory.fork = undefined;
    return status;
  }

  isCurrent(): boolean {
    const { arena } = this.#parts;
    const now = this.#now;
    if (!openNow(this.#parts, now, this.c)) return false;
    // While it is leased, a change makes new nodes, all the way up.
    return now.root === this.#root &&
      topsOf(arena, now.root).every((top, i) => top === this.#tops[i]);
  }

  commit(): WriteStatus {
    const { arena, memory, writer } = this.#parts;
    const { c } = this;
    const root = this.#root;
    assert(this.isCurrent(), "only a current fork is put in place");
    if (c.count === 0) {
      writer.remove(c.database, c.key);
      return WriteStatus.OK;
    }
    const version = Math.max(
      arena.read(root, CollectionRoot.VERSION),
      arena.read(c.root, CollectionRoot.VERSION),
    );
    arena.write(root, CollectionRoot.VERSION, version);
    for (const word of CONTENT_WORDS) {
      arena.write(root, word, arena.read(c.root, word));
    }
    memory.setFootprintBytes(root, memory.footprintBytes(c.root) - this.#book.leftBytes);
    // This fork is a reader itself.
    this.#hadReaders = (memory.leasesOf(root) & COLLECTION_LEASE_MASK) > 1;
    this.#isInPlace = true;
    this.#tellParents();
    writer.wrote(c.key.shard, c.database, this.#now.entry);
    return WriteStatus.OK;
  }

  giveUp(): boolean {
    if (this.isOver) return true;
    const isDone = this.#isInPlace ? this.#letGoOfLeft() : this.#freeOwn();
    if (!isDone) return false;
    this.#end();
    return true;
  }

  /** Frees some of what the fork made; whether that was all. */
  #freeOwn(): boolean {
    const { arena, blocks, extents } = this.#parts;
    const { longs, nodes } = this.#book;
    this.#doomed ??= [...leavesLast(arena, nodes), ...longs];
    const doomed = this.#doomed;
    for (let i = 0; i < GIVEN_UP_AT_A_TIME && doomed.length > 0; i++) {
      const address = doomed.pop()!;
      if (longs.has(address)) extents.releaseRoot(address);
      else blocks.free(address);
    }
    return doomed.length === 0;
  }

  /** Lets go of some of what the original had and has no more; whether that was all. */
  #letGoOfLeft(): boolean {
    const { arena } = this.#parts;
    const { leftLongs, leftNodes, leftTrees } = this.#book;
    this.#doomed ??= leavesLast(arena, leftNodes);
    const doomed = this.#doomed;
    this.#parts.memory.enter(this.#root);
    for (let i = 0; i < GIVEN_UP_AT_A_TIME; i++) {
      if (leftLongs.length > 0) this.#letGoOfLong(leftLongs.pop()!);
      else if (leftTrees.length > 0) this.#letGoOfTree(leftTrees.pop()!);
      else if (doomed.length > 0) this.#letGoOfNode(doomed.pop()!);
      else return true;
    }
    return false;
  }

  // Readers that were there before the commit still see what is let go of: then it is retired. It
  // counts as the collection's no more, whose key may have gone meanwhile, but what is retired does.

  #letGoOfLong(long: number): void {
    const { extents, memory } = this.#parts;
    if (!this.#hadReaders) {
      extents.releaseRoot(long);
    } else {
      memory.addBytes(this.#root, extents.footprintBytes(long));
      memory.dropLong(this.#root, long);
    }
  }

  #letGoOfTree(node: number): void {
    const { memory } = this.#parts;
    if (!this.#hadReaders) {
      memory.discardSubtree(this.c.key.shard, node);
    } else {
      memory.addBytes(this.#root, memory.bytesBelow(node));
      memory.dropSubtree(this.#root, node);
    }
  }

  #letGoOfNode(node: number): void {
    const { blocks, memory } = this.#parts;
    if (!this.#hadReaders) {
      blocks.free(node);
    } else {
      memory.addBytes(this.#root, blocks.blockBytes(node));
      memory.retireNode(this.#root, node);
    }
  }

  /** Makes the original's root and the nodes of the fork what is above what they have. */
  #tellParents(): void {
    const { arena, memory } = this.#parts;
    const { interiors, longLeaves, nodes } = this.#book;
    for (const top of topsOf(arena, this.#root)) {
      if (top !== 0) arena.write(top, Node.PARENT, this.#root);
    }
    for (const node of interiors) {
      const children = arena.read(node, Node.HEAD) >>> 16;
      for (let i = 0; i < children; i++) {
        const child = childAt(arena, node, i);
        if (!nodes.has(child)) arena.write(child, Node.PARENT, node);
      }
    }
    for (const leaf of longLeaves) memory.adoptLongs(leaf);
  }

  /** The fork's root goes, and the hold on the original ends. */
  #end(): void {
    const { blocks, memory } = this.#parts;
    const { c } = this;
    memory.adoptOrphan(c.root, 0);
    blocks.free(c.root);
    c.isDetached = false;
    c.root = c.count = 0;
    this.isOver = true;
    this.#lease.release();
  }
}

/** Of a small collection, or of a key that does not exist. */
class SmallFork extends CollectionFork {
  readonly c: Collection;
  readonly #parts: ForkParts;
  readonly #entry: number;
  readonly #seq: number;
  readonly #now: Collection;

  constructor(parts: ForkParts, original: Collection, c: Collection) {
    super();
    this.#parts = parts;
    this.#entry = original.entry;
    this.#seq = original.entry === 0 ? -1 : parts.collections.seqOf(original);
    this.#now = new Collection(parts.arena, parts.extents);
    this.c = c;
  }

  static begin(parts: ForkParts, original: Collection): SmallFork | undefined {
    const { collections } = parts;
    const c = collections.make(original.database, original.key, original.type);
    if (c === undefined) return undefined;
    let more = original.count > 0 && original.cursor.seekFirst();
    for (; more; more = original.cursor.next()) {
      if (addCopy(collections, c, original) === WriteStatus.OK) continue;
      collections.abandon(c);
      return undefined;
    }
    return new SmallFork(parts, original, c);
  }

  get isOver(): boolean {
    return !this.c.isDetached;
  }

  step(change: (c: Collection) => WriteStatus): WriteStatus {
    this.#parts.collections.rewind(this.c);
    return change(this.c);
  }

  isCurrent(): boolean {
    const { collections } = this.#parts;
    const now = this.#now;
    if (!openNow(this.#parts, now, this.c)) return false;
    return now.entry === 0 ? this.#entry === 0 : collections.seqOf(now) === this.#seq;
  }

  commit(): WriteStatus {
    const { collections, expiry, reader, writer } = this.#parts;
    const { c } = this;
    assert(this.isCurrent(), "only a current fork is put in place");
    const { entry } = this.#now;
    if (c.count === 0) {
      writer.remove(c.database, c.key);
      return WriteStatus.OK;
    }
    const expireAtMs = entry === 0 ? 0 : reader.expireAtMs(entry);
    if (expireAtMs === 0) return collections.publish(c);
    if (!collections.reserve(PUBLISH_PAGES)) return WriteStatus.OUT_OF_MEMORY;
    const status = collections.publish(c);
    // A larger block for the entry: one of the pages that were reserved.
    if (status === WriteStatus.OK) expiry.setExpiry(c.database, c.key, expireAtMs);
    collections.settle();
    return status;
  }

  giveUp(): boolean {
    if (this.c.isDetached) this.#parts.collections.abandon(this.c);
    return true;
  }
}

/** Opens what is at the key of `c` now, unless it is of another type. Nobody has asked for it. */
function openNow({ collections, writer }: ForkParts, now: Collection, c: Collection): boolean {
  const { clock } = writer;
  const { counts, stamps } = clock;
  clock.counts = clock.stamps = false;
  const status = collections.open(now, c.database, c.key, c.type, false);
  clock.counts = counts;
  clock.stamps = stamps;
  return status === WriteStatus.OK;
}

/** Nodes so that, from the end, each comes before what it hangs from. */
function leavesLast(arena: Arena, nodes: Iterable<number>): number[] {
  const levels: number[][] = [];
  for (const node of nodes) (levels[arena.read(node, Node.HEAD) & 0xff] ??= []).push(node);
  return levels.reverse().flatMap((level) => level ?? []);
}

function topsOf(arena: Arena, root: number): readonly number[] {
  return [arena.read(root, CollectionRoot.TREE_0), arena.read(root, CollectionRoot.TREE_1)];
}

/** Puts the element at the cursor of a small collection into another one. */
function addCopy(collections: Collections, to: Collection, from: Collection): WriteStatus {
  const { bytes, start, end } = from.cursor.element();
  switch (to.type) {
    case EntryType.LIST:
      return collections.lists.insert(to, to.count, bytes, start, end);
    case EntryType.SET:
      return collections.sets.addMember(to, bytes, start, end);
    case EntryType.HASH: {
      const value = from.cursor.value();
      return collections.hashes
        .putField(to, bytes, start, end, value.bytes, value.start, value.end);
    }
    default: {
      assert(to.type === EntryType.SORTED_SET, "only collections have forks");
      return collections.append(to, from.cursor);
    }
  }
}
