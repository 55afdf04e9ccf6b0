/**
 * What a change of a collection may need of memory: its entry, its place in the index, its nodes, its
 * long elements. The bound itself is argued for in block_demand.ts and tree_demand.ts.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { ControlRegion } from "../control.ts";
import { Encoding, entryBytes, EntryType } from "../entry.ts";
import type { Extents } from "../extents.ts";
import { PageKind } from "../page_allocator.ts";
import { addIndexDemand } from "./index_demand.ts";
import { BlockDemand } from "./block_demand.ts";
import type { Collection } from "./collection.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import { Coming } from "./coming.ts";
import { RecordCursor } from "./cursor.ts";
import type { CollectionEntries } from "./entries.ts";
import {
  COLLECTION_ROOT_BYTES,
  CollectionRoot,
  FRESH,
  HEAVY,
  LEAF_RECORDS,
  levelOf,
} from "./node.ts";
import { RecordKind, RUN_HEADER_BYTES } from "./records.ts";
import { addTreeDemand, type TreeChange } from "./tree_demand.ts";

/** Record bytes above which a collection is a tree. */
export const PACKED_RECORD_BYTES = 1024;
/** Records above which a collection is a tree. */
export const PACKED_RECORDS: number = LEAF_RECORDS;
/** Kind of the records by {@link EntryType}. */
export const RECORD_KINDS: readonly RecordKind[] = [
  0,
  0,
  RecordKind.LIST,
  RecordKind.HASH,
  RecordKind.SET,
  RecordKind.SCORES,
];
/** Records of so many bytes and more fill a leaf before there are too many of them. */
const FILLING_RECORD_BYTES = 8;
/** By how much a record of MEMBERS is longer than the one of SCORES. */
const MEMBERS_EXTRA_BYTES = 4;

/** Records up to which a page for each block is not too many, where there are enough. */
const FEW_RECORDS = 4;
/** Blocks and pages that addIndexDemand adds at most. */
const INDEX_PAGES = 4;

/** What a {@link Planner} looks at. */
export interface PlannerParts {
  /** Client data. */
  arena: Arena;
  /** Roots of the index. */
  control: ControlRegion;
  /** Long elements. */
  extents: Extents;
  /** Leases. */
  memory: CollectionMemory;
}

/** Bounds the memory of changes. Thread: one instance per thread, under the shard's lock. */
export class Planner {
  /** What comes; to be filled before {@link Planner.plan}. */
  readonly coming: Coming = new Coming();
  /** Whether the plan has a run become a tree before the first record comes. */
  goesToTree = false;
  /** Bytes that an entry is planned to get at once, instead of step by step; 0 = by steps. */
  entryBytes = 0;
  /** The result of {@link Planner.plan}. */
  readonly demand: BlockDemand = new BlockDemand();

  readonly #parts: PlannerParts;
  readonly #entries: CollectionEntries;
  readonly #run: RecordCursor;
  readonly #tree: TreeChange = {
    top: 0,
    elements: 0,
    footprintBytes: 0,
    records: 0,
    recordBytes: 0,
    longest: 0,
    shortest: 0,
    mayFillByCount: false,
    removals: 0,
    isHeavy: false,
    mayRemove: false,
    isAtEdge: false,
    isShared: false,
    isList: false,
  };

  /** Wires the parts of one thread together. */
  constructor(parts: PlannerParts, entries: CollectionEntries) {
    this.#parts = parts;
    this.#entries = entries;
    this.#run = new RecordCursor(parts.arena, parts.extents);
  }

  /**
   * Fills {@link Planner.demand} with what a change by {@link Planner.coming} may need.
   *
   * @param removals elements, or ranges' ends, that go, apart from those that are replaced
   * @param isAtEdge whether all comes at one end of a list
   * @param whole with blocks that need not grow (tree_demand.ts)
   */
  plan(c: Collection, removals: number, isAtEdge: boolean, whole: boolean): void {
    const { coming, demand } = this;
    demand.clear();
    this.goesToTree = false;
    this.entryBytes = 0;
    const trees = c.type === EntryType.SORTED_SET ? 2 : 1;
    if (coming.hasLong) { for (let i = 0; i < trees; i++) demand.addAll(coming.long); }
    if (c.root !== 0) {
      const isShared = this.#isShared(c);
      if (coming.records > 0 || isShared) {
        this.#addTrees(c, removals, isAtEdge, isShared, whole);
      }
    } else if (coming.records > 0) {
      this.#addPacked(c, isAtEdge, whole);
    }
  }

  /**
   * A bound for few records that is found at once: a page for each block, as many as one record
   * after the other may take. 0 = the change is not of that kind.
   */
  fewPages(c: Collection, removals: number): number {
    const { records, hasLong, recordBytes } = this.coming;
    if (hasLong || removals > 0 || records === 0 || records > FEW_RECORDS) return 0;
    const { arena, memory } = this.#parts;
    if (c.root === 0) {
      if (c.count + records > PACKED_RECORDS) return 0;
      const run = c.entry === 0 ? RUN_HEADER_BYTES : this.#entries.runBytes(c.entry);
      if (run - RUN_HEADER_BYTES + recordBytes > PACKED_RECORD_BYTES) return 0;
      return records + (c.entry === 0 ? INDEX_PAGES : 0);
    }
    if (memory.isLeased(c.root)) return 0;
    let pages = 0;
    const trees = c.type === EntryType.SORTED_SET ? 2 : 1;
    for (let tree = 0; tree < trees; tree++) {
      const top = arena.read(c.root, CollectionRoot.TREE_0 + tree);
      const levels = top === 0 ? 1 : levelOf(arena, top) + 1;
      // Three leaves; on each level above a node that moves and its twin, and one on top.
      pages += records * (3 + 2 * (levels + records));
    }
    return pages;
  }

  /** Whether a change has to copy what readers see. */
  #isShared(c: Collection): boolean {
    const { memory } = this.#parts;
    if (!memory.isLeased(c.root)) return false;
    // A fork has the nodes of its original in common with it.
    if (memory.fork !== undefined) return true;
    // Of one that is being made aside, its maker has the only lease, and sees it as it is.
    return !(c.isDetached && !memory.isLeasedTwice(c.root) &&
      (memory.leasesOf(c.root) & FRESH) === 0);
  }

  #addTrees(
    c: Collection,
    removals: number,
    isAtEdge: boolean,
    isShared: boolean,
    whole: boolean,
  ): void {
    const { arena, memory } = this.#parts;
    const { coming, demand } = this;
    const change = this.#tree;
    const isSortedSet = c.type === EntryType.SORTED_SET;
    change.footprintBytes = memory.footprintBytes(c.root);
    change.elements = c.count;
    change.records = coming.records;
    change.recordBytes = coming.recordBytes;
    change.longest = coming.longest;
    change.shortest = coming.shortest;
    change.isList = c.type === EntryType.LIST;
    // A new score is a removal and an insertion.
    change.removals = isSortedSet ? Math.max(removals, coming.records) : removals;
    change.mayRemove = change.removals > 0;
    change.mayFillByCount = !isSortedSet &&
      (c.count > 0 || coming.shortest < FILLING_RECORD_BYTES);
    change.isHeavy = (arena.read(c.root, CollectionRoot.TYPE) & HEAVY) !== 0;
    change.isAtEdge = isAtEdge;
    change.isShared = isShared;
    change.top = arena.read(c.root, CollectionRoot.TREE_0);
    addTreeDemand(demand, arena, change, whole);
    if (!isSortedSet) return;
    change.top = arena.read(c.root, CollectionRoot.TREE_1);
    this.#toMembers();
    addTreeDemand(demand, arena, change, whole);
  }

  /** Of a key that does not exist, or a run that may become a tree. */
  #addPacked(c: Collection, isAtEdge: boolean, whole: boolean): void {
    const { arena, control } = this.#parts;
    const { coming, demand } = this;
    // With one block of an entry at most, or that and the one of the tree.
    demand.borrowsEntries = whole;
    const { key } = c;
    const keyBytes = key.end - key.start;
    const flags = c.entry === 0 ? 0 : this.#entries.flags(c.entry);
    const run = c.entry === 0 ? RUN_HEADER_BYTES : this.#entries.runBytes(c.entry);
    if (c.entry === 0) {
      addIndexDemand(demand, control, control.databaseRootAt(c.database, key.shard));
    }
    const stays = run - RUN_HEADER_BYTES + coming.recordBytes <= PACKED_RECORD_BYTES &&
      !coming.hasLong && c.count + coming.records <= PACKED_RECORDS;
    // Of several fields or members some may be the same; the elements of a list all come.
    this.goesToTree = !stays && (whole || c.type === EntryType.LIST || coming.records === 1);
    if (!this.goesToTree) {
      const first = entryBytes(flags, Encoding.PACKED, keyBytes, RUN_HEADER_BYTES);
      const most = RUN_HEADER_BYTES + PACKED_RECORD_BYTES;
      const last = first - RUN_HEADER_BYTES + Math.min(run + coming.recordBytes, most);
      if (whole) this.entryBytes = last;
      demand.addEntrySteps(whole ? last : first, last, whole ? 1 : coming.records);
    }
    if (stays) return;
    demand.add(PageKind.ENTRY, entryBytes(flags, Encoding.TREE, keyBytes, 0), 1);
    demand.add(PageKind.COLLECTION, COLLECTION_ROOT_BYTES, 1);
    demand.addMostNodes(1);
    this.#addTreesOfRun(c, isAtEdge, whole, arena);
  }

  /** The run's records come to the new tree first, in their order or at its end. */
  #addTreesOfRun(c: Collection, isAtEdge: boolean, whole: boolean, arena: Arena): void {
    const { coming, demand } = this;
    const change = this.#tree;
    const isSortedSet = c.type === EntryType.SORTED_SET;
    let { records, recordBytes, longest, shortest } = coming;
    if (c.entry !== 0) {
      const run = this.#run;
      run.openRun(RECORD_KINDS[c.type]!, arena.bytesOf(c.entry), this.#entries.runAt(c.entry));
      for (let more = run.seekFirst(); more; more = run.next()) {
        const length = run.end - run.at;
        records++;
        recordBytes += length;
        if (length > longest) longest = length;
        if (length < shortest) shortest = length;
      }
    }
    change.top = 0;
    change.elements = 0;
    change.footprintBytes = 0;
    change.records = records;
    change.recordBytes = recordBytes;
    change.longest = longest;
    change.shortest = shortest;
    change.isList = c.type === EntryType.LIST;
    change.removals = 0;
    change.mayRemove = isSortedSet && coming.records > 1;
    change.mayFillByCount = !isSortedSet && shortest < FILLING_RECORD_BYTES;
    change.isHeavy = false;
    change.isAtEdge = isAtEdge && c.count === 0;
    change.isShared = false;
    addTreeDemand(demand, arena, change, whole);
    if (!isSortedSet) return;
    this.#toMembers();
    addTreeDemand(demand, arena, change, whole);
  }

  #toMembers(): void {
    const change = this.#tree;
    change.recordBytes += MEMBERS_EXTRA_BYTES * change.records;
    change.longest += MEMBERS_EXTRA_BYTES;
  }
}
