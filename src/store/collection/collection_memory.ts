/**
 * Memory of collections: nodes, roots and long elements; what readers still see; garbage.
 *
 * **Leases.** A reader that takes its time leases the collection: under the shard's lock, shared is
 * enough, it adds 1 to the leases word of the root, sets FRESH and notes the nodes at the top. Then
 * it walks without any lock and sees the collection as it was. As long as there are leases, who
 * holds the exclusive lock keeps to this:
 *
 * 1. A node whose version is not the collection's is shared with readers. It is not changed (but for
 *    word 0, which readers do not read) and not freed; it is copied before it is changed, and the
 *    old one is *retired*. A change that finds FRESH clears it and steps the version.
 * 2. What is removed is retired: a node alone, a whole subtree by its top, a long element. A
 *    collection that loses its key becomes an orphan as a whole.
 * 3. Nothing of the collection is moved.
 *
 * A collection with something to free later is on the shard's list of those that wait. WAITING in
 * the leases word says so; the reader whose subtraction leaves 0 leases and WAITING sees to it that
 * the list is looked through ({@link CollectionMemory.settleWaiting}). Both are atomic operations on
 * one word, so one of the two sides sees that both have happened.
 *
 * **Garbage.** Whatever may be large is freed in slices: it is put on the shard's garbage list, and
 * {@link CollectionMemory.collect} takes steps: an interior node puts its children on the list, a
 * leaf frees its long elements.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import type { ForkBook } from "./fork_book.ts";
import { type ControlRegion, Header, Shard } from "../control.ts";
import { type Extents, ExtentsRoot } from "../extents.ts";
import { type PageAllocator, PageKind } from "../page_allocator.ts";
import { PAGE_UNITS } from "../size_classes.ts";
import {
  childAt,
  COLLECTION_LEASE_MASK,
  COLLECTION_MARK,
  COLLECTION_ROOT_BYTES,
  CollectionRoot,
  forEachLong,
  FRESH,
  kindOf,
  Node,
  nodeBlockBytes,
  NodeFlag,
  WAITING,
  WHOLE_INTERIOR_BYTES,
  WHOLE_LEAF_BYTES,
} from "./node.ts";
import { listLeafBytes } from "./list_leaves.ts";
import { longAddress, RecordKind } from "./records.ts";

/** What {@link CollectionMemory} works with. */
export interface CollectionParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Locks, lists, roots. */
  control: ControlRegion;
  /** Long elements. */
  extents: Extents;
  /** Page descriptors. */
  pages: PageAllocator;
}

/** Thread: one instance per thread; every call needs the exclusive lock of the shard it is about. */
export class CollectionMemory {
  /** Whether the collection that is being changed has readers. */
  isShared = false;
  /** Its version. */
  version = 0;
  /** Set while a fork is changed: what it made, and what it has no use for; see fork_book.ts. */
  fork: ForkBook | undefined = undefined;
  /** Whether new nodes get blocks that need not grow, and no leaves are joined: tree_demand.ts. */
  makesWhole = false;

  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #control: ControlRegion;
  readonly #extents: Extents;
  readonly #pages: PageAllocator;

  /** Wires the parts of one thread together. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
    this.#control = parts.control;
    this.#extents = parts.extents;
    this.#pages = parts.pages;
  }

  /** The shard that a node or root belongs to. */
  shardOf(address: number): number {
    return this.#pages.shardOf(Math.floor(address / PAGE_UNITS));
  }

  /** Begins a change: finds out whether there are readers. */
  enter(root: number): void {
    const words = this.#arena.wordsOf(root);
    const at = this.#arena.wordAt(root);
    const leases = Atomics.load(words, at + CollectionRoot.LEASES);
    this.isShared = (leases & COLLECTION_LEASE_MASK) !== 0;
    if (this.isShared && (leases & FRESH) !== 0) {
      Atomics.and(words, at + CollectionRoot.LEASES, ~FRESH);
      words[at + CollectionRoot.VERSION] = (words[at + CollectionRoot.VERSION]! + 1) & 0x7fffffff;
    }
    this.version = words[at + CollectionRoot.VERSION]!;
  }

  /** Begins a change that makes no node of a collection that nobody reads. */
  enterAlone(root: number): void {
    this.isShared = false;
    this.version = this.#arena.read(root, CollectionRoot.VERSION);
  }

  /**
   * Whether the collection may have readers. Who holds the exclusive lock need not read the word
   * atomically to hear that there are none: leases are taken under the lock, and without it their
   * number only falls.
   */
  mayBeLeased(root: number): boolean {
    return (this.#arena.read(root, CollectionRoot.LEASES) & COLLECTION_LEASE_MASK) !== 0;
  }

  /** Whether the collection has readers. */
  isLeased(root: number): boolean {
    return (this.leasesOf(root) & COLLECTION_LEASE_MASK) !== 0;
  }

  /** Whether it has more than one reader. */
  isLeasedTwice(root: number): boolean {
    return (this.leasesOf(root) & COLLECTION_LEASE_MASK) > 1;
  }

  /** The leases word. */
  leasesOf(root: number): number {
    return Atomics.load(
      this.#arena.wordsOf(root),
      this.#arena.wordAt(root) + CollectionRoot.LEASES,
    );
  }

  /** Makes the root of an empty collection. A promise has been made. */
  makeRoot(shard: number, type: number, owner: number): number {
    const root = this.#blocks.allocate(shard, PageKind.COLLECTION, COLLECTION_ROOT_BYTES);
    assert(root !== 0, "the root of a collection was promised");
    this.#arena.zero(root, COLLECTION_ROOT_BYTES);
    this.#arena.write(root, CollectionRoot.OWNER, owner);
    this.#arena.write(root, CollectionRoot.MARK, COLLECTION_MARK);
    this.#arena.write(root, CollectionRoot.TYPE, type);
    this.addBytes(root, this.#blocks.blockBytes(root));
    return root;
  }

  /** Bytes of the arena that a collection takes, slack included. */
  footprintBytes(root: number): number {
    return this.#arena
      .doublesOf(root)[(this.#arena.wordAt(root) >> 1) + CollectionRoot.BYTES_DOUBLE]!;
  }

  /** Makes a collection count as one that takes so many bytes; see `footprintBytes`. */
  setFootprintBytes(root: number, byteCount: number): void {
    this.addBytes(root, byteCount - this.footprintBytes(root));
  }

  /** Counts what was added to or taken from a collection. */
  addBytes(root: number, byteCount: number): void {
    const at = (this.#arena.wordAt(root) >> 1) + CollectionRoot.BYTES_DOUBLE;
    this.#arena.doublesOf(root)[at]! += byteCount;
  }

  /** Makes a node of the collection that was entered; a promise has been made. */
  makeNode(root: number, parent: number, head: number, byteCount: number): number {
    let bytes = blockBytesFor(head, byteCount);
    if (this.makesWhole) {
      const isLeaf = (head & 0xff) === 0;
      bytes = Math.max(bytes, isLeaf ? WHOLE_LEAF_BYTES : WHOLE_INTERIOR_BYTES);
    }
    const node = this.#blocks.allocate(this.shardOf(root), PageKind.COLLECTION, bytes);
    assert(node !== 0, "the node of a collection was promised");
    this.#initNode(root, node, parent, head);
    return node;
  }

  /** As {@link CollectionMemory.makeNode}, not promised; 0 when there is no memory to spare. */
  tryMakeNode(root: number, parent: number, head: number, byteCount: number): number {
    const bytes = blockBytesFor(head, byteCount);
    const node = this.#blocks.allocateOptional(this.shardOf(root), PageKind.COLLECTION, bytes);
    if (node !== 0) this.#initNode(root, node, parent, head);
    return node;
  }

  #initNode(root: number, node: number, parent: number, head: number): void {
    const words = this.#arena.wordsOf(node);
    const at = this.#arena.wordAt(node);
    words[at + Node.PARENT] = parent;
    words[at + Node.VERSION] = this.version;
    words[at + Node.NEXT] = 0;
    words[at + Node.HEAD] = head;
    words[at + Node.RUN] = 0;
    this.addBytes(root, this.#blocks.blockBytes(node));
    this.fork?.made(node, head & 0xff);
  }

  /** A block for a copy of a node, of `byteCount` bytes, which is a size class. */
  makeCopy(root: number, level: number, byteCount: number): number {
    const node = this.#blocks.allocate(this.shardOf(root), PageKind.COLLECTION, byteCount);
    assert(node !== 0, "the copy of a node was promised");
    this.addBytes(root, this.#blocks.blockBytes(node));
    this.fork?.made(node, level);
    return node;
  }

  /** Bytes that the block of a node really has. */
  blockBytes(node: number): number {
    return this.#blocks.blockBytes(node);
  }

  /** Frees a node that no reader can see, without what is below it. */
  freeNode(root: number, node: number): void {
    this.addBytes(root, -this.#blocks.blockBytes(node));
    this.fork?.freed(node);
    this.#blocks.free(node);
  }

  /** Makes a long element; a promise has been made. The leaf it lies in is told later. */
  makeLong(root: number, bytes: Uint8Array, start: number, end: number): number {
    const made = this.#extents.reserve(this.shardOf(root), end - start);
    assert(made, "a long element was promised");
    const long = this.#extents.make(0, bytes, start, end - start);
    this.addBytes(root, this.#extents.footprintBytes(long));
    this.fork?.longs.add(long);
    return long;
  }

  /** Lets go of a long element that was removed. */
  dropLong(root: number, long: number): void {
    const byteCount = this.#extents.footprintBytes(long);
    const { fork } = this;
    if (fork !== undefined && !fork.longs.delete(long)) {
      fork.leftLongs.push(long);
      fork.leftBytes += byteCount;
      return;
    }
    if (!this.isShared || fork !== undefined) {
      this.addBytes(root, -byteCount);
      this.#extents.releaseRoot(long);
      return;
    }
    this.#arena.write(long, ExtentsRoot.OWNER, 0);
    this.#retire(root, long, ExtentsRoot.NEXT_ORPHAN, byteCount);
  }

  /** Retires a node that was copied. What is below it belongs to the copy. */
  retireNode(root: number, node: number): void {
    if (this.fork !== undefined) {
      this.fork.leftNodes.push(node);
      this.fork.leftBytes += this.#blocks.blockBytes(node);
      return;
    }
    const words = this.#arena.wordsOf(node);
    const at = this.#arena.wordAt(node);
    words[at + Node.HEAD] = words[at + Node.HEAD]! | NodeFlag.ALONE;
    words[at + Node.PARENT] = root;
    this.#retire(root, node, Node.NEXT, this.#blocks.blockBytes(node));
  }

  /** Lets go of a node with all that is below it: to the garbage, or for readers to see. */
  dropSubtree(root: number, node: number): void {
    if (this.fork !== undefined) {
      this.#leaveSubtree(root, node, this.fork);
      return;
    }
    const byteCount = this.bytesBelow(node);
    if (this.isShared) {
      this.#arena.write(node, Node.PARENT, root);
      this.#retire(root, node, Node.NEXT, byteCount);
    } else {
      this.addBytes(root, -byteCount);
      this.#addGarbage(this.shardOf(root), node, Node.NEXT);
    }
  }

  /** Whether a node may be told what is above it: not one that a fork shares. */
  isOwn(node: number): boolean {
    return this.fork === undefined || this.fork.nodes.has(node);
  }

  /** Tells the long elements of a leaf where they are; but those that a fork shares. */
  adoptLongs(leaf: number): void {
    const { fork } = this;
    fork?.longLeaves.add(leaf);
    forEachLong(this.#arena, leaf, (bytes, at) => {
      const long = longAddress(bytes, at);
      if (fork === undefined || fork.longs.has(long)) {
        this.#arena.write(long, ExtentsRoot.OWNER, leaf);
      }
    });
  }

  /** Puts a subtree that nobody can see, and no collection counts, on the garbage list. */
  discardSubtree(shard: number, node: number): void {
    this.#addGarbage(shard, node, Node.NEXT);
  }

  /** A fork lets go of a subtree: frees what it made itself, notes what it shares. */
  #leaveSubtree(root: number, node: number, fork: ForkBook): void {
    if (!fork.nodes.has(node)) {
      fork.leftTrees.push(node);
      fork.leftBytes += this.bytesBelow(node);
      return;
    }
    const arena = this.#arena;
    const head = arena.read(node, Node.HEAD);
    if ((head & 0xff) > 0) {
      for (let i = 0; i < head >>> 16; i++) {
        this.#leaveSubtree(root, childAt(arena, node, i), fork);
      }
    } else if ((head & NodeFlag.HAS_LONG) !== 0) {
      forEachLong(arena, node, (bytes, at) => this.dropLong(root, longAddress(bytes, at)));
    }
    this.freeNode(root, node);
  }

  /** Bytes that a node and all below it take. */
  bytesBelow(node: number): number {
    const arena = this.#arena;
    const head = arena.read(node, Node.HEAD);
    let sum = this.#blocks.blockBytes(node);
    if ((head & 0xff) > 0) {
      for (let i = 0; i < head >>> 16; i++) sum += this.bytesBelow(childAt(arena, node, i));
    } else if ((head & NodeFlag.HAS_LONG) !== 0) {
      forEachLong(arena, node, (bytes, at) => {
        sum += this.#extents.footprintBytes(longAddress(bytes, at));
      });
    }
    return sum;
  }

  /** Lets go of a whole collection, which no key has any more. */
  drop(root: number): void {
    const shard = this.shardOf(root);
    this.#arena.write(root, CollectionRoot.OWNER, 0);
    if (this.isLeased(root)) {
      // Its bytes are the readers' now; without any left by now, they are taken back at once.
      this.#countOrphanBytes(shard, this.footprintBytes(root));
      this.#wait(root);
      if (!this.isLeased(root)) this.settleWaiting(shard);
      return;
    }
    if ((this.leasesOf(root) & WAITING) !== 0) {
      // The last reader is gone, but has not had the lock yet: what was kept for it goes, too.
      this.#releaseRetired(root);
      this.#stopWaiting(root);
    }
    this.#addGarbage(shard, root, CollectionRoot.NEXT_WAITING);
  }

  /** Makes a collection without a key that one reader (its maker) holds. */
  holdOrphan(root: number): void {
    Atomics.add(this.#control.words, Header.LEASES, 1);
    const at = this.#arena.wordAt(root) + CollectionRoot.LEASES;
    Atomics.add(this.#arena.wordsOf(root), at, 1);
    this.#wait(root);
  }

  /** Gives a collection that was held with {@link CollectionMemory.holdOrphan} to an entry. */
  adoptOrphan(root: number, owner: number): void {
    const at = this.#arena.wordAt(root) + CollectionRoot.LEASES;
    Atomics.sub(this.#arena.wordsOf(root), at, 1);
    Atomics.sub(this.#control.words, Header.LEASES, 1);
    this.#arena.write(root, CollectionRoot.OWNER, owner);
    // It may have retired something: a change under its maker's own lease looks like any other.
    this.#releaseRetired(root);
    this.#stopWaiting(root);
  }

  /** Frees what collections of a shard kept for readers that are gone. */
  settleWaiting(shard: number): void {
    const headAt = this.#control.shardAt(shard) + Shard.WAITING_HEAD;
    for (let root = this.#control.words[headAt]! >>> 0; root !== 0;) {
      const next = this.#arena.read(root, CollectionRoot.NEXT_WAITING);
      if (!this.isLeased(root)) {
        this.#releaseRetired(root);
        this.#stopWaiting(root);
        if (this.#arena.read(root, CollectionRoot.OWNER) === 0) {
          this.#countOrphanBytes(shard, -this.footprintBytes(root));
          this.#addGarbage(shard, root, CollectionRoot.NEXT_WAITING);
        }
      }
      root = next;
    }
  }

  /** Whether a shard has garbage. */
  hasGarbage(shard: number): boolean {
    return this.#control.words[this.#control.shardAt(shard) + Shard.GARBAGE_HEAD] !== 0;
  }

  /**
   * Frees garbage, at most `steps` nodes.
   *
   * @returns steps taken; fewer than asked for when there is none left
   */
  collect(shard: number, steps: number): number {
    const headAt = this.#control.shardAt(shard) + Shard.GARBAGE_HEAD;
    const words = this.#control.words;
    let taken = 0;
    for (; taken < steps && words[headAt] !== 0; taken++) {
      const address = words[headAt]! >>> 0;
      words[headAt] = this.#arena.read(address, this.#linkWord(address));
      this.#free(shard, address);
    }
    return taken;
  }

  /** First of a shard's garbage; for the full check. */
  garbageHead(shard: number): number {
    return this.#control.words[this.#control.shardAt(shard) + Shard.GARBAGE_HEAD]! >>> 0;
  }

  /** First of a shard's waiting collections; for the full check. */
  waitingHead(shard: number): number {
    return this.#control.words[this.#control.shardAt(shard) + Shard.WAITING_HEAD]! >>> 0;
  }

  /** What follows `address` on a list of garbage or of what is retired. */
  nextOf(address: number): number {
    return this.#arena.read(address, this.#linkWord(address));
  }

  /** Whether `address` is a long element and not a node or root. */
  isLong(address: number): boolean {
    return this.#pages.kindOf(Math.floor(address / PAGE_UNITS)) === PageKind.CHUNK;
  }

  #free(shard: number, address: number): void {
    const arena = this.#arena;
    if (this.isLong(address)) {
      this.#extents.releaseRoot(address);
      return;
    }
    if (arena.read(address, CollectionRoot.MARK) === COLLECTION_MARK) {
      for (let tree = CollectionRoot.TREE_0; tree <= CollectionRoot.TREE_1; tree++) {
        const top = arena.read(address, tree);
        if (top !== 0) this.#addGarbage(shard, top, Node.NEXT);
      }
      this.#blocks.free(address);
      return;
    }
    const head = arena.read(address, Node.HEAD);
    if ((head & NodeFlag.ALONE) === 0) {
      if ((head & 0xff) > 0) {
        for (let i = (head >>> 16) - 1; i >= 0; i--) {
          this.#addGarbage(shard, childAt(arena, address, i), Node.NEXT);
        }
      } else if ((head & NodeFlag.HAS_LONG) !== 0) {
        forEachLong(arena, address, (bytes, at) => {
          this.#extents.releaseRoot(longAddress(bytes, at));
        });
      }
    }
    this.#blocks.free(address);
  }

  #linkWord(address: number): number {
    if (this.isLong(address)) return ExtentsRoot.NEXT_ORPHAN;
    return this.#arena.read(address, CollectionRoot.MARK) === COLLECTION_MARK
      ? CollectionRoot.NEXT_WAITING
      : Node.NEXT;
  }

  #addGarbage(shard: number, address: number, linkWord: number): void {
    const headAt = this.#control.shardAt(shard) + Shard.GARBAGE_HEAD;
    this.#arena.write(address, linkWord, this.#control.words[headAt]!);
    this.#control.words[headAt] = address;
  }

  /** Puts something on the list of what readers of a collection may still see. */
  #retire(root: number, address: number, linkWord: number, byteCount: number): void {
    const arena = this.#arena;
    arena.write(address, linkWord, 0);
    const last = arena.read(root, CollectionRoot.LAST_RETIRED);
    if (last === 0) arena.write(root, CollectionRoot.FIRST_RETIRED, address);
    else arena.write(last, this.#linkWord(last), address);
    arena.write(root, CollectionRoot.LAST_RETIRED, address);
    this.addBytes(root, -byteCount);
    this.#retiredBytes(root, byteCount);
    this.#wait(root);
  }

  #retiredBytes(root: number, byteCount: number): void {
    const at = (this.#arena.wordAt(root) >> 1) + CollectionRoot.BYTES_DOUBLE + 1;
    this.#arena.doublesOf(root)[at]! += byteCount;
    this.#countOrphanBytes(this.shardOf(root), byteCount);
  }

  #releaseRetired(root: number): void {
    const arena = this.#arena;
    const first = arena.read(root, CollectionRoot.FIRST_RETIRED);
    if (first === 0) return;
    const shard = this.shardOf(root);
    const headAt = this.#control.shardAt(shard) + Shard.GARBAGE_HEAD;
    const last = arena.read(root, CollectionRoot.LAST_RETIRED);
    arena.write(last, this.#linkWord(last), this.#control.words[headAt]!);
    this.#control.words[headAt] = first;
    arena.write(root, CollectionRoot.FIRST_RETIRED, 0);
    arena.write(root, CollectionRoot.LAST_RETIRED, 0);
    const at = (arena.wordAt(root) >> 1) + CollectionRoot.BYTES_DOUBLE + 1;
    const byteCount = arena.doublesOf(root)[at]!;
    arena.doublesOf(root)[at] = 0;
    this.#countOrphanBytes(shard, -byteCount);
  }

  #countOrphanBytes(shard: number, byteCount: number): void {
    const at = (this.#control.shardAt(shard) >> 1) + Shard.ORPHAN_BYTES_DOUBLE;
    this.#control.doubles[at]! += byteCount;
  }

  #wait(root: number): void {
    const arena = this.#arena;
    const at = arena.wordAt(root) + CollectionRoot.LEASES;
    if ((Atomics.or(arena.wordsOf(root), at, WAITING) & WAITING) !== 0) return;
    const headAt = this.#control.shardAt(this.shardOf(root)) + Shard.WAITING_HEAD;
    const next = this.#control.words[headAt]! >>> 0;
    arena.write(root, CollectionRoot.NEXT_WAITING, next);
    arena.write(root, CollectionRoot.PREVIOUS_WAITING, 0);
    if (next !== 0) arena.write(next, CollectionRoot.PREVIOUS_WAITING, root);
    this.#control.words[headAt] = root;
  }

  #stopWaiting(root: number): void {
    const arena = this.#arena;
    const at = arena.wordAt(root) + CollectionRoot.LEASES;
    Atomics.and(arena.wordsOf(root), at, ~WAITING);
    const headAt = this.#control.shardAt(this.shardOf(root)) + Shard.WAITING_HEAD;
    const next = arena.read(root, CollectionRoot.NEXT_WAITING);
    const previous = arena.read(root, CollectionRoot.PREVIOUS_WAITING);
    if (previous === 0) this.#control.words[headAt] = next;
    else arena.write(previous, CollectionRoot.NEXT_WAITING, next);
    if (next !== 0) arena.write(next, CollectionRoot.PREVIOUS_WAITING, previous);
  }
}

/** Bytes to ask for when a node with the first word `head` needs `byteCount`. */
function blockBytesFor(head: number, byteCount: number): number {
  const isListLeaf = (head & 0xff) === 0 && kindOf(head) === RecordKind.LIST;
  return isListLeaf ? listLeafBytes(byteCount) : nodeBlockBytes(byteCount);
}
