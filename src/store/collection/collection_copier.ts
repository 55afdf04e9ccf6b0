/**
 * Copies of large collections, node by node.
 *
 * A copy is made aside, as `Collections.make` makes one: a root without a key that its maker holds.
 * It grows from the top, depth first, and what there is of it hangs together after every step: so it
 * can be given up at any time, and the lock can be given back between two steps. Its nodes have the
 * shape of the source's, in version 0.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import { Encoding, Entry } from "../entry.ts";
import type { RootMover } from "../entry_mover.ts";
import { type Extents, ExtentsRoot } from "../extents.ts";
import { BlockDemand } from "./block_demand.ts";
import { Collection } from "./collection.ts";
import { rootWord } from "./entries.ts";
import type { CollectionLease, CollectionLeases } from "./collection_lease.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import type { Collections } from "./collections.ts";
import {
  childAt,
  childCount,
  childOrder,
  CollectionRoot,
  forEachLong,
  Node,
  NodeFlag,
  OWNER_ASIDE,
  setChild,
} from "./node.ts";
import { longAddress, partLength, setLongAddress } from "./records.ts";

/** What a {@link CollectionCopier} works with. */
export interface CopierParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Opens what is copied. */
  collections: Collections;
  /** Long elements. */
  extents: Extents;
  /** Holds what is copied in slices. */
  leases: CollectionLeases;
  /** Nodes. */
  memory: CollectionMemory;
}

/** An interior node whose children are being copied. */
interface Level {
  readonly source: number;
  readonly copy: number;
  next: number;
}

/**
 * A copy under way.
 *
 * Thread: the one that began it. Each step needs the exclusive lock of the shard that the copy is
 * for, and the source must stay as it is: locked, or leased.
 */
export class CollectionCopy {
  /** Shard that it is for. */
  readonly shard: number;
  /** Root of the copy; 0 = not made yet, or no longer this object's. */
  root = 0;
  /** Whether everything is copied. */
  isComplete = false;

  readonly #parts: CopierParts;
  readonly #type: number;
  readonly #count: number;
  readonly #tops: readonly number[];
  readonly #lease: CollectionLease | undefined;
  readonly #levels: Level[] = [];
  #tree = 0;

  /** Begins the copy of the collection at `source`; see {@link CollectionCopier.begin}. */
  constructor(
    parts: CopierParts,
    source: number,
    shard: number,
    lease: CollectionLease | undefined,
  ) {
    const { arena } = parts;
    this.#parts = parts;
    this.shard = shard;
    this.#lease = lease;
    this.#type = arena.read(source, CollectionRoot.TYPE);
    this.#count = arena.read(source, CollectionRoot.COUNT);
    this.#tops = [
      arena.read(source, CollectionRoot.TREE_0),
      arena.read(source, CollectionRoot.TREE_1),
    ];
  }

  /**
   * Copies up to `nodes` nodes.
   *
   * @returns false = OUT_OF_MEMORY; it can go on when there is some
   */
  advance(nodes: number): boolean {
    for (let i = 0; i < nodes && !this.isComplete; i++) if (!this.#step()) return false;
    return true;
  }

  /** Ends the hold on the source. */
  releaseSource(): void {
    this.#lease?.release();
  }

  /** Gives the copy to an entry, which names it from now on. */
  give(entry: number): void {
    const { arena, memory } = this.#parts;
    assert(this.isComplete && this.root !== 0, "only a whole copy is given away");
    const flags = (arena.read(entry, Entry.TYPE) >>> 16) & 0xff;
    arena.write(entry, rootWord(flags), this.root);
    memory.adoptOrphan(this.root, entry);
    this.root = 0;
  }

  /** Lets go of what was copied so far, if anything. */
  abandon(): void {
    const { memory } = this.#parts;
    this.releaseSource();
    if (this.root === 0) return;
    memory.adoptOrphan(this.root, 0);
    memory.drop(this.root);
    this.root = 0;
  }

  #step(): boolean {
    const { arena } = this.#parts;
    if (this.root === 0) return this.#makeRoot();
    const level = this.#levels.at(-1);
    if (level === undefined) return this.#nextTree();
    const { source, copy, next } = level;
    const head = arena.read(source, Node.HEAD);
    if (next === head >>> 16) {
      this.#levels.pop();
      return true;
    }
    const child = this.#copyNode(childAt(arena, source, next), copy);
    if (child === 0) return false;
    level.next++;
    setChild(
      arena,
      copy,
      next,
      child,
      childCount(arena, source, next),
      childOrder(arena, source, next),
    );
    const upper = level.next << 16;
    arena.write(copy, Node.HEAD, (arena.read(copy, Node.HEAD) & 0xffff) | upper);
    return true;
  }

  #makeRoot(): boolean {
    const { blocks, memory } = this.#parts;
    if (!blocks.promise(1)) return false;
    this.root = memory.makeRoot(this.shard, this.#type, OWNER_ASIDE);
    memory.holdOrphan(this.root);
    blocks.endPromise();
    return true;
  }

  /** Copies the top of the next tree, or ends the copy. */
  #nextTree(): boolean {
    const { arena } = this.#parts;
    const source = this.#tops[this.#tree] ?? 0;
    if (source !== 0) {
      const top = this.#copyNode(source, this.root);
      if (top === 0) return false;
      arena.write(this.root, CollectionRoot.TREE_0 + this.#tree, top);
    }
    this.#tree++;
    if (this.#tree >= this.#tops.length && this.#levels.length === 0) this.#complete();
    return true;
  }

  #complete(): void {
    this.#parts.arena.write(this.root, CollectionRoot.COUNT, this.#count);
    this.isComplete = true;
    this.releaseSource();
  }

  /** Copies one node, without children; 0 = OUT_OF_MEMORY. */
  #copyNode(source: number, parent: number): number {
    const { arena, blocks, memory } = this.#parts;
    const head = arena.read(source, Node.HEAD);
    const isLeaf = (head & 0xff) === 0;
    const hasLong = isLeaf && (head & NodeFlag.HAS_LONG) !== 0;
    if (!blocks.promise(1 + (hasLong ? this.#pagesOfLong(source) : 0))) return 0;
    const byteCount = memory.blockBytes(source);
    const copy = memory.makeCopy(this.root, head & 0xff, byteCount);
    arena.copyBlock(source, copy, byteCount);
    arena.write(copy, Node.PARENT, parent);
    arena.write(copy, Node.VERSION, 0);
    arena.write(copy, Node.NEXT, 0);
    arena.write(copy, Node.HEAD, (isLeaf ? head : head & 0xffff) & ~NodeFlag.ALONE);
    if (hasLong) this.#copyLong(copy);
    blocks.endPromise();
    if (!isLeaf) this.#levels.push({ source, copy, next: 0 });
    return copy;
  }

  /** At most so many pages are leased for the long elements of a leaf. */
  #pagesOfLong(leaf: number): number {
    const demand = new BlockDemand();
    forEachLong(this.#parts.arena, leaf, (bytes, at) => demand.addExtents(partLength(bytes, at)));
    return demand.pages(this.#parts.blocks, this.shard);
  }

  /** Gives a leaf that was copied long elements of its own. */
  #copyLong(leaf: number): void {
    const { arena, extents, memory } = this.#parts;
    forEachLong(arena, leaf, (bytes, at) => {
      const byteCount = partLength(bytes, at);
      const content = new Uint8Array(byteCount);
      extents.copyRange(longAddress(bytes, at), 0, byteCount, content, 0);
      const long = memory.makeLong(this.root, content, 0, byteCount);
      arena.write(long, ExtentsRoot.OWNER, leaf);
      setLongAddress(bytes, at, long);
    });
  }
}

/**
 * Copies and hands over large collections: how `RENAME` and `COPY` move what is in trees.
 *
 * Thread: one instance per thread, whose end stops the server; needs the exclusive locks of the
 * shards of both keys.
 */
export class CollectionCopier implements RootMover {
  /** A copy that was made before, which the next transfer uses instead of making one. */
  prepared: CollectionCopy | undefined;

  readonly #parts: CopierParts;
  readonly #source: Collection;
  #own: CollectionCopy | undefined;

  /** Wires the parts of one thread together. */
  constructor(parts: CopierParts) {
    this.#parts = parts;
    this.#source = new Collection(parts.arena, parts.extents);
  }

  /** Bytes of the arena that the tree of an entry takes; 0 = it has none. */
  treeBytes(entry: number): number {
    const root = this.#rootOf(entry);
    return root === 0 ? 0 : this.#parts.memory.footprintBytes(root);
  }

  /**
   * Begins a copy to be made in slices, of an entry that has a tree. The source needs its lock for
   * this call only, shared is enough.
   */
  begin(entry: number, shard: number): CollectionCopy {
    const { collections, leases } = this.#parts;
    collections.openEntry(this.#source, entry);
    const lease = leases.take(this.#source);
    return new CollectionCopy(this.#parts, this.#source.root, shard, lease);
  }

  /** See {@link RootMover}. */
  reserve(shard: number, source: number): boolean {
    if (this.prepared !== undefined) return true;
    const copy = new CollectionCopy(this.#parts, this.#rootOf(source), shard, undefined);
    if (copy.advance(Infinity)) {
      this.#own = copy;
      return true;
    }
    copy.abandon();
    return false;
  }

  /** See {@link RootMover}. */
  fill(target: number, _source: number): void {
    const copy = this.prepared ?? this.#own;
    assert(copy !== undefined, "a copy was reserved");
    copy.give(target);
    this.#own = undefined;
  }

  /** See {@link RootMover}. A prepared copy stays its maker's. */
  cancel(): void {
    this.#own?.abandon();
    this.#own = undefined;
  }

  /** See {@link RootMover}. */
  handOver(target: number, source: number): void {
    const { arena } = this.#parts;
    const root = this.#rootOf(source);
    arena.write(target, rootWord((arena.read(target, Entry.TYPE) >>> 16) & 0xff), root);
    arena.write(root, CollectionRoot.OWNER, target);
  }

  #rootOf(entry: number): number {
    const { arena } = this.#parts;
    const head = arena.read(entry, Entry.TYPE);
    if (((head >>> 8) & 0xff) !== Encoding.TREE) return 0;
    return arena.read(entry, rootWord((head >>> 16) & 0xff));
  }
}
