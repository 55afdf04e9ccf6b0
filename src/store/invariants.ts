/**
 * The full check: every byte of the arena is in use, free or header.
 *
 * Walks all pages, lists, tables, entries and extents and compares what is reachable with what the
 * allocators think is in use. For tests and for the lab, never on the hot path.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import {
  checkCollection,
  checkCollectionLists,
  type CollectionCheckParts,
} from "./collection/check.ts";
import type { CollectionMemory } from "./collection/collection_memory.ts";
import { rootWord } from "./collection/entries.ts";
import type { BalanceReserve } from "./balance_reserve.ts";
import { BLOCKS_PER_CREDIT, RESERVE_BLOCK_BYTES } from "./balance_reserve.ts";
import {
  BALANCE_DATABASE,
  type ControlRegion,
  DATABASE_COUNT,
  DATABASE_TABLE_COUNT,
  Header,
  Shard,
  TABLE_COUNT,
} from "./control.ts";
import { Encoding, Entry, EntryFlag, keyOffset } from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import { type Extents, ExtentsRoot, LEASE_COUNT_MASK, ORPHAN, ROOT_MARK } from "./extents.ts";
import { Key } from "./key.ts";
import { Page, PAGE_WORDS, type PageAllocator, PageKind } from "./page_allocator.ts";
import {
  CLASS_BLOCKS,
  CLASS_BYTES,
  MAX_SIZE_CLASSES,
  PAGE_BYTES,
  PAGE_UNITS,
} from "./size_classes.ts";
import { BUCKET_SLOTS, PAGE_LEAF_BUCKETS, Root, SMALL_LEAF_BUCKETS, type Table } from "./table.ts";
import type { TableMap } from "./table_map.ts";
import { checkWaits } from "./wait_check.ts";
import type { WaitRegion } from "./wait_region.ts";

/** The parts of a store that the check walks. */
export interface StoreParts {
  /** Client data. */
  arena: Arena;
  /** Locks, lists, roots. */
  control: ControlRegion;
  /** Page descriptors and free stack. */
  pages: PageAllocator;
  /** The index. */
  table: Table;
  /** Which table a database has. */
  tables: TableMap;
  /** Large values. */
  extents: Extents;
  /** Nodes of collections. */
  memory: CollectionMemory;
  /** Memory kept for accepted events. */
  reserve: BalanceReserve;
  /** The expiry index. */
  wheel: ExpiryWheel;
  /** Clients that wait for keys, where this thread knows of them. */
  waits: WaitRegion | undefined;
  /** Reads strings. */
  reader: EntryReader;
  /** Fills a key's hash, shard and tag. */
  locate(key: Key): void;
}

/**
 * Checks a store that no thread is using.
 *
 * @param outstandingCredits credits taken and not given back; undefined = not known
 * @throws {AssertionFault} naming the first thing that does not add up
 */
export function assertStoreInvariants(
  outstandingCredits: number | undefined,
  parts: StoreParts,
): void {
  const reached = new Set<number>();
  const walk: Walk = { reached, leases: 0, timed: [] };
  for (let shard = 0; shard < parts.control.shardCount; shard++) walk.timed.push(new Set());
  checkMap(parts);
  for (let table = 0; table < TABLE_COUNT; table++) {
    for (let shard = 0; shard < parts.control.shardCount; shard++) {
      walkTable(parts, table, shard, walk);
    }
  }
  for (let shard = 0; shard < parts.control.shardCount; shard++) {
    walkOrphans(parts, shard, walk);
    parts.wheel.assertInvariants(shard, walk.timed[shard]!);
  }
  const leases = parts.control.words[Header.LEASES];
  assert(leases === walk.leases, `${leases} leases are counted, values have ${walk.leases}`);
  const listed = collectLists(parts);
  checkPages(parts, reached, listed);
  checkReserve(parts, reached, outstandingCredits);
  const { control, table, waits: region, reader } = parts;
  checkWaits({
    control,
    table,
    region,
    stringLength: (entry) => reader.stringLength(entry),
    copyString: (entry, target, offset) => reader.copyString(entry, target, offset),
  });
  const { brokenPromises } = parts.pages;
  assert(brokenPromises === 0, `${brokenPromises} pages were leased beyond what was promised`);
  assert(reached.size === 0, `${reached.size} reachable blocks lie in no page that is in use`);
}

/** What a walk over all that is reachable has found. */
interface Walk {
  /** Addresses of blocks and pages. */
  reached: Set<number>;
  /** Leases of all values. */
  leases: number;
  /** By shard, the entries that have a time to live. */
  timed: Set<number>[];
}

/** Each database has a table of its own; of detached ones, the parts that are left are counted. */
function checkMap(parts: StoreParts): void {
  const { control, tables } = parts;
  const heir = control.words[Header.HEIR_TABLE]!;
  const used = new Set<number>();
  for (let database = 0; database < DATABASE_COUNT; database++) used.add(control.tableOf(database));
  assert(used.size === DATABASE_COUNT, "no table belongs to two databases");
  assert(!used.has(heir), "the heir belongs to no database");
  for (let table = 0; table < DATABASE_TABLE_COUNT; table++) {
    let left = 0;
    let made = 0;
    for (let shard = 0; shard < control.shardCount; shard++) {
      if (!tables.isDown(table, shard)) left++;
      if (control.words[control.rootAt(table, shard) + Root.BUCKETS] !== 0) made++;
    }
    const isBalances = table === heir || control.databaseOf(table) === BALANCE_DATABASE;
    assert(!isBalances || made === control.shardCount, `table ${table}: balances find an index`);
    if (tables.isDetached(table)) {
      const counted = control.words[Header.DETACHED_PARTS + table]!;
      assert(!used.has(table), `table ${table}: a detached one belongs to no database`);
      assert(
        left > 0 && counted === left,
        `table ${table}: ${counted} parts counted, ${left} left`,
      );
    } else if (!used.has(table)) {
      assert(left === 0, `table ${table}: a free one is empty`);
    }
  }
}

/** Marks everything that belongs to one root as reached. */
function walkTable(parts: StoreParts, tableId: number, shard: number, walk: Walk): void {
  const { reached } = walk;
  const { arena, control, table } = parts;
  const rootAt = control.rootAt(tableId, shard);
  const where = `table ${tableId} shard ${shard}`;
  const buckets = control.words[rootAt + Root.BUCKETS]!;
  if (buckets === 0) {
    assert(control.words[rootAt + Root.ENTRIES] === 0, `${where}: no table, no entries`);
    return;
  }
  const directory = control.words[rootAt + Root.DIRECTORY]! >>> 0;
  reach(reached, directory, `${where}: directory`);
  let entries = 0;
  let overflows = 0;
  const timedBefore = walk.timed[shard]!.size;
  const keys = new Set<string>();
  for (let index = 0; index < buckets; index++) {
    const leafBuckets = index < PAGE_LEAF_BUCKETS ? SMALL_LEAF_BUCKETS : PAGE_LEAF_BUCKETS;
    const first = table.bucketAt(rootAt, index);
    if (index % leafBuckets === 0) reach(reached, first, `${where}: leaf of bucket ${index}`);
    let bucket = first;
    while (bucket !== 0) {
      if (bucket !== first) {
        overflows++;
        reach(reached, bucket, `${where}: overflow bucket`);
      }
      for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
        const entry = arena.read(bucket, slot);
        const tag = (arena.read(bucket, 12 + (slot >>> 2)) >>> ((slot & 3) * 8)) & 0xff;
        assert((entry === 0) === (tag === 0), `${where}: slot and tag agree about being empty`);
        if (entry === 0) continue;
        entries++;
        checkEntry(parts, entry, tag, tableId, shard, index, keys, walk);
      }
      bucket = arena.read(bucket, 15);
    }
  }
  const timed = walk.timed[shard]!.size - timedBefore;
  assert(control.words[rootAt + Root.TIMED] === timed, `${where}: ${timed} have a time to live`);
  assert(entries === control.words[rootAt + Root.ENTRIES], `${where}: entry count is exact`);
  assert(overflows === control.words[rootAt + Root.OVERFLOWS], `${where}: overflow count is exact`);
}

function checkEntry(
  parts: StoreParts,
  entry: number,
  tag: number,
  tableId: number,
  shard: number,
  bucketIndex: number,
  keys: Set<string>,
  walk: Walk,
): void {
  const { arena, control, table, extents } = parts;
  reach(walk.reached, entry, "entry");
  const head = arena.read(entry, Entry.TYPE);
  const encoding = (head >>> 8) & 0xff;
  const flags = (head >>> 16) & 0xff;
  const valueBytes = arena.read(entry, Entry.VALUE_BYTES);
  const keyBytes = arena.read(entry, Entry.KEY_BYTES) & 0xffff;
  const at = arena.byteAt(entry) + keyOffset(flags, encoding);
  const bytes = arena.bytesOf(entry).slice(at, at + keyBytes);
  const key = new Key().set(bytes, 0, keyBytes);
  parts.locate(key);
  const name = Array.from(bytes, (byte) => byte.toString(16)).join(" ");
  assert(head >>> 24 === tableId, `entry ${name}: knows its table`);
  assert(key.shard === shard, `entry ${name}: lies in the shard of its key`);
  assert(key.tag === tag, `entry ${name}: has the tag of its key`);
  assert(key.hash === arena.read(entry, Entry.HASH), `entry ${name}: stores its hash`);
  const rootAt = control.rootAt(tableId, shard);
  assert(table.bucketOf(rootAt, key.hash) === bucketIndex, `entry ${name}: is in its bucket`);
  assert(!keys.has(name), `entry ${name}: is there once`);
  keys.add(name);
  if ((flags & EntryFlag.HAS_TTL) !== 0) walk.timed[shard]!.add(entry);
  if (encoding === Encoding.TREE) {
    const root = arena.read(entry, rootWord(flags));
    walk.leases += checkCollection(collectionParts(parts, shard, walk), root, entry, shard, name);
  }
  if (encoding !== Encoding.EXTENTS) return;
  const root = extents.rootOf(entry);
  checkValue(parts, root, name, shard, walk);
  assert(arena.read(root, ExtentsRoot.OWNER) === entry, `value of ${name}: knows its entry`);
  assert(arena.read(root, ExtentsRoot.VALUE_BYTES) === valueBytes, `value of ${name}: its length`);
  assert((extents.leasesOf(root) & ORPHAN) === 0, `value of ${name}: is no orphan`);
}

/** Checks a large value from its root on. */
function checkValue(
  parts: StoreParts,
  root: number,
  name: string,
  shard: number,
  walk: Walk,
): void {
  const { arena, extents, pages } = parts;
  reach(walk.reached, root, `root of ${name}`);
  assert(arena.read(root, ExtentsRoot.MARK) === ROOT_MARK, `root of ${name}: is marked as one`);
  assert(extents.shardOf(root) === shard, `root of ${name}: lies in its shard`);
  walk.leases += extents.leasesOf(root) & LEASE_COUNT_MASK;
  extents.forEach(root, (extent, index) => {
    reach(walk.reached, extent, `extent ${index} of ${name}`);
    const page = Math.floor(extent / PAGE_UNITS);
    const at = page * PAGE_WORDS;
    const whole = pages.kindOf(page) === PageKind.EXTENT;
    const owner = whole ? pages.descriptors[at + Page.OWNER]! >>> 0 : arena.read(extent, 0);
    const position = whole ? pages.descriptors[at + Page.POSITION] : arena.read(extent, 1);
    assert(owner === root && position === index, `extent ${index} of ${name}: knows its owner`);
  });
}

function collectionParts(parts: StoreParts, shard: number, walk: Walk): CollectionCheckParts {
  const { arena, extents, memory } = parts;
  return {
    arena,
    extents,
    memory,
    reach: (address, what) => reach(walk.reached, address, what),
    reachLong: (root, owner, what) => {
      checkValue(parts, root, what, shard, walk);
      assert(arena.read(root, ExtentsRoot.OWNER) === owner, `${what}: knows its leaf`);
    },
  };
}

/** Checks the values of a shard that only readers have. */
function walkOrphans(parts: StoreParts, shard: number, walk: Walk): void {
  const { arena, control, extents } = parts;
  const shardAt = control.shardAt(shard);
  let byteCount = 0;
  let previous = 0;
  for (let root = control.words[shardAt + Shard.ORPHAN_HEAD]! >>> 0; root !== 0;) {
    const name = `orphan ${root}`;
    checkValue(parts, root, name, shard, walk);
    assert(arena.read(root, ExtentsRoot.OWNER) === 0, `${name}: has no entry`);
    assert((extents.leasesOf(root) & ORPHAN) !== 0, `${name}: is marked as one`);
    assert(arena.read(root, ExtentsRoot.PREVIOUS_ORPHAN) === previous, `${name}: links back`);
    byteCount += extents.footprintBytes(root);
    previous = root;
    root = arena.read(root, ExtentsRoot.NEXT_ORPHAN);
  }
  const lists = checkCollectionLists(collectionParts(parts, shard, walk), shard);
  byteCount += lists.orphanBytes;
  walk.leases += lists.leases;
  const counted = control.doubles[(shardAt >> 1) + Shard.ORPHAN_BYTES_DOUBLE];
  assert(counted === byteCount, `shard ${shard}: ${counted} orphan bytes counted, ${byteCount}`);
}

/** Pages on the shards' lists, with a check of the links. */
function collectLists(parts: StoreParts): Set<number> {
  const { control, pages } = parts;
  const listed = new Set<number>();
  for (let shard = 0; shard < control.shardCount; shard++) {
    const listsAt = control.shardAt(shard) + Shard.LISTS;
    for (let i = 0; i < 4 * MAX_SIZE_CLASSES; i++) {
      let previous = 0;
      for (let page = control.words[listsAt + i]!; page !== 0;) {
        const at = page * PAGE_WORDS;
        const kind = PageKind.ENTRY + Math.floor(i / MAX_SIZE_CLASSES);
        assert(!listed.has(page), `page ${page}: is on one list`);
        assert(pages.kindOf(page) === kind, `page ${page}: has the kind of its list`);
        assert(pages.classOf(page) === i % MAX_SIZE_CLASSES, `page ${page}: has its list's class`);
        assert(pages.shardOf(page) === shard, `page ${page}: belongs to the list's shard`);
        assert(pages.descriptors[at + Page.PREVIOUS] === previous, `page ${page}: links back`);
        listed.add(page);
        previous = page;
        page = pages.descriptors[at + Page.NEXT]!;
      }
    }
  }
  return listed;
}

/** Compares every page's own books with what was reached, and the shards' sums with the pages'. */
function checkPages(parts: StoreParts, reached: Set<number>, listed: Set<number>): void {
  const { control, pages } = parts;
  const free = new Set(pages.freeStack());
  const fresh = control.words[Header.PAGES_FRESH]!;
  assert(
    free.size + pages.pageCount - fresh === pages.freePages,
    `${pages.freePages} free pages are counted, ${free.size} on the stack, ${
      pages.pageCount - fresh
    } never used`,
  );
  const unpromised = control.words[Header.PAGES_UNPROMISED]!;
  assert(
    unpromised === pages.freePages,
    `${unpromised} of ${pages.freePages} pages are unpromised`,
  );
  const leased = new Array<number>(control.shardCount).fill(0);
  const bytes = new Array<number>(control.shardCount).fill(0);
  for (let page = 1; page < fresh; page++) {
    const kind = pages.kindOf(page);
    assert((kind === PageKind.FREE) === free.has(page), `page ${page}: free means on the stack`);
    if (kind === PageKind.FREE || kind === PageKind.RESERVE) continue;
    const shard = pages.shardOf(page);
    leased[shard]!++;
    if (kind === PageKind.LEAF || kind === PageKind.EXTENT || kind === PageKind.DIRECTORY) {
      assert(reached.delete(page * PAGE_UNITS), `page ${page} of kind ${kind}: is reachable`);
      bytes[shard]! += PAGE_BYTES;
    } else {
      bytes[shard]! += checkBlockPage(parts, page, reached, listed);
    }
  }
  for (let shard = 0; shard < control.shardCount; shard++) {
    const at = control.shardAt(shard);
    const counted = control.doubles[(at >> 1) + Shard.BLOCK_BYTES_DOUBLE];
    assert(counted === bytes[shard], `shard ${shard}: ${counted} bytes counted, ${bytes[shard]}`);
    assert(control.words[at + Shard.PAGES_LEASED] === leased[shard], `shard ${shard}: page count`);
    assert((control.words[at]! & 0x1000ffff) === 0, `shard ${shard}: nobody holds its lock`);
  }
}

/** Checks one page of blocks; returns the bytes in use. */
function checkBlockPage(
  parts: StoreParts,
  page: number,
  reached: Set<number>,
  listed: Set<number>,
): number {
  const { arena, pages } = parts;
  const at = page * PAGE_WORDS;
  const sizeClass = pages.classOf(page);
  const unitCount = CLASS_BYTES[sizeClass]! / 8;
  const used = pages.descriptors[at + Page.USED]!;
  const cut = pages.descriptors[at + Page.CUT]!;
  const free = new Set<number>();
  for (let link = pages.descriptors[at + Page.FREE_HEAD]! >>> 0; link !== 0;) {
    const index = (link - page * PAGE_UNITS) / unitCount;
    const isBlock = Number.isInteger(index) && index >= 0 && index < cut;
    assert(isBlock && !free.has(index), `page ${page}: the free chain is sound`);
    free.add(index);
    link = arena.read(link, 0);
  }
  assert(used > 0, `page ${page}: an empty page was given back`);
  assert(used + free.size === cut, `page ${page}: ${used} used + ${free.size} free = ${cut} cut`);
  assert(cut <= CLASS_BLOCKS[sizeClass]!, `page ${page}: no block beyond its end`);
  assert((used < CLASS_BLOCKS[sizeClass]!) === listed.has(page), `page ${page}: listed iff room`);
  for (let index = 0; index < cut; index++) {
    const address = page * PAGE_UNITS + index * unitCount;
    const wasReached = reached.delete(address);
    assert(wasReached !== free.has(index), `page ${page} block ${index}: used xor free (leak?)`);
  }
  return used * unitCount * 8;
}

/** The reserve's books: free + reachable = all blocks, and the credit equation. */
function checkReserve(
  parts: StoreParts,
  reached: Set<number>,
  outstandingCredits: number | undefined,
): void {
  const { control, pages, reserve } = parts;
  const free = new Set(reserve.freeBlocks());
  assert(free.size === control.words[Header.RESERVE_FREE], "reserve: the stack has its length");
  const debt = free.size - control.words[Header.RESERVE_SPARE]!;
  assert(
    debt >= 0 && debt % BLOCKS_PER_CREDIT === 0,
    `reserve: ${free.size} free = spare + credits`,
  );
  assert(
    outstandingCredits === undefined || debt === outstandingCredits * BLOCKS_PER_CREDIT,
    `reserve: ${debt} blocks are promised for ${outstandingCredits} credits`,
  );
  for (let page = 1; page < control.words[Header.PAGES_FRESH]!; page++) {
    if (pages.kindOf(page) !== PageKind.RESERVE) continue;
    for (let i = 0; i < Math.floor(PAGE_BYTES / RESERVE_BLOCK_BYTES); i++) {
      const address = page * PAGE_UNITS + i * (RESERVE_BLOCK_BYTES / 8);
      assert(
        reached.delete(address) !== free.has(address),
        `reserve page ${page} block ${i}: used xor free`,
      );
    }
  }
}

function reach(reached: Set<number>, address: number, what: string): void {
  assert(address !== 0, `${what}: exists`);
  assert(!reached.has(address), `${what}: address ${address} is used once`);
  reached.add(address);
}
