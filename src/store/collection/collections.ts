/**
 * Collections at keys: opening, planning, changing, whatever the type and the encoding.
 *
 * **How a command writes.** It opens the collection ({@link Collections.open}), and calls an operation
 * of `lists`, `hashes`, `sets` or `sortedSets`. Each of these plans first: it promises itself all
 * pages that it can need, and says OUT_OF_MEMORY when there are too few; nothing has changed then.
 * Then it commits, which cannot fail. The key is made with its first element and goes with its last.
 *
 * **Several operations as one.** {@link Collections.reserve} takes the promise for all of them, with
 * the sum of {@link Collections.pagesFor}; until {@link Collections.settle} none of them fails:
 *
 *     const pages = collections.pagesFor(source, 1, 0, 0) + collections.pagesFor(target, 1, byteCount);
 *     if (!collections.reserve(pages)) return WriteStatus.OUT_OF_MEMORY;
 *     lists.push(target, …);
 *     lists.removeRanks(source, 0, 1);
 *     collections.settle();
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { type EntryType, MAX_KEY_BYTES } from "../entry.ts";
import { WriteStatus } from "../entry_writer.ts";
import type { Key } from "../key.ts";
import { KeyEvent } from "../key_watcher.ts";
import type { BlockDemand } from "./block_demand.ts";
import { Collection, takeKey } from "./collection.ts";
import { CollectionCore } from "./core.ts";
import type { RecordCursor } from "./cursor.ts";
import type { ElementView } from "./element.ts";
import { Hashes } from "./hashes.ts";
import { Lists } from "./lists.ts";
import { OWNER_ASIDE } from "./node.ts";
import { PACKED_RECORD_BYTES, RECORD_KINDS } from "./planner.ts";
import { RecordKind } from "./records.ts";
import { SortedSets } from "./sorted_sets.ts";

/** How a change is made whose memory was reserved with that of others. */
export interface ReservedWay {
  /** Whether a small collection becomes a tree before the first element comes. */
  goesToTree: boolean;
  /** Bytes that an entry gets at once; 0 = it grows step by step. */
  entryBytes: number;
  /** Whether nodes get whole blocks at once. */
  isWhole: boolean;
}

/** Pages that an entry with its place in the index may need. */
const PUBLISH_PAGES = 8;

/**
 * The collections of a store.
 *
 * Thread: one instance per thread; calls need the locks of the shards of the collections in hand,
 * exclusive for what changes them.
 */
export class Collections extends CollectionCore {
  /** Operations on lists. */
  readonly lists: Lists = new Lists(this);
  /** Operations on hashes. */
  readonly hashes: Hashes = new Hashes(this);
  /** Operations on sets. */
  readonly sets: Hashes = this.hashes;
  /** Operations on sorted sets. */
  readonly sortedSets: SortedSets = new SortedSets(this);

  /**
   * Adds what a change by {@link CollectionCore.startComing} may need to what others may, with which it
   * is reserved: {@link CollectionCore.reserve}, then {@link Collections.beginReserved}.
   *
   * @param removals elements that go, and for a sorted set those that get another score, too
   * @param isAtEdge whether all comes at one end of a list
   * @param whole with blocks that need not grow (tree_demand.ts): less, where memory is short
   * @param way receives how the change is to be made
   */
  addDemand(
    c: Collection,
    removals: number,
    isAtEdge: boolean,
    whole: boolean,
    demand: BlockDemand,
    way: ReservedWay,
  ): void {
    const { planner } = this;
    planner.plan(c, removals, isAtEdge, whole);
    // That larger blocks are free is not counted on: of several changes each would take them.
    planner.demand.borrowsEntries = false;
    demand.addChange(planner.demand);
    way.goesToTree = planner.goesToTree;
    way.entryBytes = planner.entryBytes;
    way.isWhole = whole;
  }

  /** As {@link CollectionCore.begin}, of what {@link Collections.addDemand} was told of. */
  beginReserved(c: Collection, way: ReservedWay): void {
    assert(this.isReserved, "its memory is reserved");
    this.begin(c, 0);
    this.goesToTree = way.goesToTree;
    this.memory.makesWhole = way.isWhole;
    this.entries.wholeBytes = way.entryBytes;
  }

  /** Ends what {@link CollectionCore.reserve} began. */
  override settle(): void {
    super.settle();
    this.memory.makesWhole = false;
    this.entries.wholeBytes = 0;
  }

  /** A {@link Collection} for who needs one while others may have all handles in hand. */
  newHandle(): Collection {
    return new Collection(this.arena, this.extents);
  }

  /**
   * Makes a collection that is not at its key yet, to be filled aside: in several slices, with the
   * lock given back in between, if need be. Needs the exclusive lock of the key's shard. Ends with
   * {@link Collections.publish} or {@link Collections.abandon}.
   *
   * @returns undefined = OUT_OF_MEMORY
   */
  make(database: number, key: Key, type: EntryType): Collection | undefined {
    const pages = this.isReserved ? 0 : 1;
    if (pages > 0 && !this.blocks.promise(pages)) return undefined;
    const c = new Collection(this.arena, this.extents);
    const bytes = key.bytes.slice(key.start, key.end);
    takeKey(c.key, key, bytes, 0);
    c.database = database;
    c.type = type;
    c.isDetached = true;
    c.root = this.memory.makeRoot(key.shard, type, OWNER_ASIDE);
    this.memory.holdOrphan(c.root);
    if (!this.isReserved) this.blocks.endPromise();
    this.rewind(c);
    return c;
  }

  /**
   * Puts a collection that was made aside at its key, in place of whatever is there; an empty one
   * deletes the key. Needs the exclusive lock of the key's shard.
   *
   * @returns OK or OUT_OF_MEMORY (it is still aside then)
   */
  publish(c: Collection): WriteStatus {
    assert(c.isDetached, "a collection is published once");
    if (c.count === 0) {
      this.writer.remove(c.database, c.key);
      this.abandon(c);
      return WriteStatus.OK;
    }
    if (c.key.end - c.key.start > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    if (!this.isReserved && !this.blocks.promise(PUBLISH_PAGES)) {
      return WriteStatus.OUT_OF_MEMORY;
    }
    const existed = this.writer.remove(c.database, c.key);
    this.entries.makeTree(c, c.root);
    if (!existed) this.writer.tell(KeyEvent.NEW, c.database, c.key);
    this.memory.adoptOrphan(c.root, c.entry);
    c.isDetached = false;
    this.repack(c, PACKED_RECORD_BYTES);
    this.writer.wrote(c.key.shard, c.database, c.entry);
    if (!this.isReserved) this.blocks.endPromise();
    this.rewind(c);
    return WriteStatus.OK;
  }

  /** Lets go of a collection that was made aside. Needs the exclusive lock of the key's shard. */
  abandon(c: Collection): void {
    assert(c.isDetached, "only a collection that was made aside is abandoned");
    this.memory.adoptOrphan(c.root, 0);
    this.memory.drop(c.root);
    c.isDetached = false;
    c.root = c.entry = c.count = 0;
    this.rewind(c);
  }

  /**
   * Appends a copy of the record at `from`, of a collection of the same type and in its order, to a
   * collection that was made aside: copies of whole collections, slice by slice.
   *
   * @returns OK or OUT_OF_MEMORY
   */
  append(c: Collection, from: RecordCursor): WriteStatus {
    const kind = RECORD_KINDS[c.type]!;
    assert(c.isDetached && from.kind === kind, "a copy is made aside, of its like");
    const element = from.element();
    const value = kind === RecordKind.HASH ? from.value() : undefined;
    this.startComing(c).add(element.byteCount, value === undefined ? -1 : value.byteCount);
    const status = this.begin(c, 0);
    if (status !== WriteStatus.OK) return status;
    const { order } = from;
    this.record.begin(kind, order);
    this.#addView(c, element);
    if (value !== undefined) this.#addView(c, value);
    c.cursor.seekEnd();
    this.splice(c, 0, this.record);
    if (kind === RecordKind.SCORES) {
      const isLong = element.longRoot !== 0;
      const bytes = isLong ? element.toBytes() : element.bytes;
      const start = isLong ? 0 : element.start;
      const end = start + element.byteCount;
      const hash = this.hashOf(bytes, start, end);
      this.record.begin(RecordKind.MEMBERS, hash);
      this.addPart(c, bytes, start, end);
      this.record.score(order);
      c.members.seekOrder(hash, bytes, start, end);
      this.spliceMembers(c, 0, this.record);
    }
    this.finish(c);
    return WriteStatus.OK;
  }

  #addView(c: Collection, view: ElementView): void {
    if (view.longRoot === 0) this.record.part(view.bytes, view.start, view.end);
    else this.addPart(c, view.toBytes(), 0, view.byteCount);
  }
}
