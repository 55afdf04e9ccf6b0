/**
 * The full check of collections: part of `assertInvariants`.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import { EntryType } from "../entry.ts";
import { type Extents, ExtentsRoot } from "../extents.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import { RecordCursor } from "./cursor.ts";
import {
  childAt,
  childCount,
  childOrder,
  COLLECTION_LEASE_MASK,
  COLLECTION_MARK,
  CollectionRoot,
  forEachLong,
  HEAVY,
  HEAVY_RECORD_BYTES,
  kindOf,
  LEAF_HEADER_BYTES,
  LEAF_RECORD_BYTES,
  LEAF_RECORDS,
  MAX_CHILDREN,
  Node,
  NodeFlag,
  OWNER_ASIDE,
  WAITING,
} from "./node.ts";
import { LIST_LEAF_RECORD_BYTES } from "./list_leaves.ts";
import { longAddress, RecordKind } from "./records.ts";

/** The parts of a store that the check walks. */
export interface CollectionCheckParts {
  /** Client data. */
  arena: Arena;
  /** Long elements. */
  extents: Extents;
  /** Nodes, leases, garbage. */
  memory: CollectionMemory;
  /** Notes that a block is reachable; fails when it was before. */
  reach(address: number, what: string): void;
  /** Notes all blocks of a value in extents; `owner` is who must be named in it. */
  reachLong(root: number, owner: number, what: string): void;
}

const KIND_OF_TYPE: Record<number, number> = {
  [EntryType.LIST]: RecordKind.LIST,
  [EntryType.HASH]: RecordKind.HASH,
  [EntryType.SET]: RecordKind.SET,
  [EntryType.SORTED_SET]: RecordKind.SCORES,
};

/** Checks the collection of an entry from its root on; returns its leases. */
export function checkCollection(
  parts: CollectionCheckParts,
  root: number,
  owner: number,
  shard: number,
  name: string,
): number {
  const { arena, memory } = parts;
  parts.reach(root, `root of ${name}`);
  assert(arena.read(root, CollectionRoot.MARK) === COLLECTION_MARK, `${name}: has a root`);
  assert(arena.read(root, CollectionRoot.OWNER) === owner, `${name}: knows its entry`);
  assert(memory.shardOf(root) === shard, `${name}: lies in its shard`);
  const type = arena.read(root, CollectionRoot.TYPE) & 0xff;
  const count = arena.read(root, CollectionRoot.COUNT);
  let byteCount = memory.blockBytes(root);
  for (let tree = 0; tree < (type === EntryType.SORTED_SET ? 2 : 1); tree++) {
    const top = arena.read(root, CollectionRoot.TREE_0 + tree);
    const kind = tree === 1 ? RecordKind.MEMBERS : KIND_OF_TYPE[type]!;
    if (top === 0) {
      assert(count === 0, `${name}: an empty tree has no elements`);
      continue;
    }
    const level = arena.read(top, Node.HEAD) & 0xff;
    const found = checkNode(parts, root, top, root, level, kind, name);
    assert(found.count === count, `${name}: counts ${count}, has ${found.count}`);
    byteCount += found.byteCount;
    checkOrder(parts, top, kind, name);
  }
  if (type === EntryType.SORTED_SET) checkPairs(parts, root, name);
  const counted = memory.footprintBytes(root);
  assert(counted === byteCount, `${name}: counts ${counted} bytes, has ${byteCount}`);
  checkRetired(parts, root, name);
  return memory.leasesOf(root) & COLLECTION_LEASE_MASK;
}

interface Found {
  count: number;
  byteCount: number;
}

function checkNode(
  parts: CollectionCheckParts,
  root: number,
  node: number,
  parent: number,
  level: number,
  kind: number,
  name: string,
): Found {
  const { arena, memory } = parts;
  parts.reach(node, `node of ${name}`);
  const head = arena.read(node, Node.HEAD);
  assert(arena.read(node, Node.PARENT) === parent, `${name}: node ${node} knows its parent`);
  assert((head & 0xff) === level, `${name}: node ${node} is on level ${level}`);
  assert(kindOf(head) === kind, `${name}: node ${node} knows its kind`);
  assert((head & NodeFlag.ALONE) === 0, `${name}: node ${node} is in use`);
  const version = arena.read(node, Node.VERSION);
  assert(version <= arena.read(root, CollectionRoot.VERSION), `${name}: version of ${node}`);
  const block = memory.blockBytes(node);
  if (level === 0) {
    const run = arena.read(node, Node.RUN);
    const count = run >>> 16;
    assert(count > 0, `${name}: leaf ${node} has records`);
    const isList = kind === RecordKind.LIST;
    const most = isList ? LIST_LEAF_RECORD_BYTES : LEAF_RECORD_BYTES;
    assert(
      count === 1 || ((run & 0xffff) <= most && count <= LEAF_RECORDS),
      `${name}: leaf ${node} is small enough`,
    );
    const used = LEAF_HEADER_BYTES + (head >>> 16) + (run & 0xffff);
    assert(used <= block, `${name}: leaf ${node} fits its block`);
    let byteCount = block;
    if (!isList) checkHeavy(parts, root, node, kind, name);
    checkEven(parts, node, kind, name);
    forEachLong(arena, node, (bytes, at) => {
      assert((head & NodeFlag.HAS_LONG) !== 0, `${name}: leaf ${node} says it has long elements`);
      const long = longAddress(bytes, at);
      parts.reachLong(long, node, `long element of ${name}`);
      byteCount += parts.extents.footprintBytes(long);
    });
    return { count, byteCount };
  }
  const children = head >>> 16;
  // A top with one child has been taken away.
  const least = parent === root ? 2 : 1;
  assert(children >= least && children <= MAX_CHILDREN, `${name}: node ${node} has ${children}`);
  let count = 0;
  let byteCount = block;
  for (let i = 0; i < children; i++) {
    const child = childAt(arena, node, i);
    const found = checkNode(parts, root, child, node, level - 1, kind, name);
    const counted = childCount(arena, node, i);
    assert(found.count === counted, `${name}: node ${node} counts ${counted} in child ${i}`);
    count += found.count;
    byteCount += found.byteCount;
  }
  if (kind !== RecordKind.LIST) checkSeparators(parts, node, level, name);
  return { count, byteCount };
}

/** The root of a leaf with a heavy record says so: what changes promise themselves depends on it. */
function checkHeavy(
  { arena, extents }: CollectionCheckParts,
  root: number,
  leaf: number,
  kind: number,
  name: string,
): void {
  if ((arena.read(root, CollectionRoot.TYPE) & HEAVY) !== 0) return;
  const cursor = new RecordCursor(arena, extents);
  cursor.openTree(kind, leaf);
  for (let more = cursor.seekFirst(); more; more = cursor.next()) {
    const byteCount = cursor.end - cursor.at;
    assert(byteCount <= HEAVY_RECORD_BYTES, `${name}: the root says that it has heavy records`);
  }
}

/** The records of a leaf that says so have the same length. */
function checkEven(
  { arena, extents }: CollectionCheckParts,
  leaf: number,
  kind: number,
  name: string,
): void {
  if ((arena.read(leaf, Node.HEAD) & NodeFlag.EVEN) === 0) return;
  const run = arena.read(leaf, Node.RUN);
  const cursor = new RecordCursor(arena, extents);
  cursor.openTree(kind, leaf);
  for (let more = cursor.seekFirst(); more; more = cursor.next()) {
    const byteCount = cursor.end - cursor.at;
    assert(byteCount * (run >>> 16) === (run & 0xffff), `${name}: leaf ${leaf} is even`);
  }
}

/** Separators lie between what is left of them and what is in their child. */
function checkSeparators(
  parts: CollectionCheckParts,
  node: number,
  level: number,
  name: string,
): void {
  const { arena } = parts;
  const children = arena.read(node, Node.HEAD) >>> 16;
  for (let i = 1; i < children; i++) {
    const order = childOrder(arena, node, i);
    const last = edgeOrder(parts, childAt(arena, node, i - 1), level - 1, true);
    const first = edgeOrder(parts, childAt(arena, node, i), level - 1, false);
    assert(last <= order, `${name}: separator ${i} of ${node} is not before what is left of it`);
    assert(order <= first, `${name}: separator ${i} of ${node} is not behind its child`);
  }
}

function edgeOrder(
  { arena, extents }: CollectionCheckParts,
  from: number,
  level: number,
  isLast: boolean,
): number {
  let node = from;
  for (let i = level; i > 0; i--) {
    const head = arena.read(node, Node.HEAD);
    node = childAt(arena, node, isLast ? (head >>> 16) - 1 : 0);
  }
  const cursor = new RecordCursor(arena, extents);
  cursor.openTree(kindOf(arena.read(node, Node.HEAD)), node);
  if (isLast) cursor.seekLast();
  else cursor.seekFirst();
  return cursor.order;
}

/** Records are in strict order, forwards and backwards. */
function checkOrder(parts: CollectionCheckParts, top: number, kind: number, name: string): void {
  const cursor = new RecordCursor(parts.arena, parts.extents);
  cursor.openTree(kind, top);
  const orders: number[] = [];
  let before: Uint8Array | undefined;
  for (let more = cursor.seekFirst(); more; more = cursor.next()) {
    const { order } = cursor;
    const previous = orders.at(-1);
    if (kind !== RecordKind.LIST && previous !== undefined) {
      const isAfter = previous < order ||
        (previous === order && cursor.element().compare(before!, 0, before!.length) > 0);
      assert(isAfter, `${name}: record ${orders.length} is behind the one before`);
    }
    if (kind !== RecordKind.LIST) before = cursor.element().toBytes();
    orders.push(order);
  }
  let index = orders.length;
  for (let more = cursor.seekLast(); more; more = cursor.previous()) {
    assert(Object.is(cursor.order, orders[--index]), `${name}: backwards is the same`);
  }
  assert(index === 0, `${name}: backwards has as many`);
}

/** Gives every byte a character of its own, so that texts are equal where bytes are. */
const byteDecoder = new TextDecoder("windows-1252");

/** The two trees of a sorted set have the same pairs. */
function checkPairs(parts: CollectionCheckParts, root: number, name: string): void {
  const { arena, extents } = parts;
  const scores = new RecordCursor(arena, extents);
  scores.openTree(RecordKind.SCORES, arena.read(root, CollectionRoot.TREE_0));
  const members = new RecordCursor(arena, extents);
  members.openTree(RecordKind.MEMBERS, arena.read(root, CollectionRoot.TREE_1));
  const seen = new Map<string, number>();
  for (let more = members.seekFirst(); more; more = members.next()) {
    seen.set(byteDecoder.decode(members.element().toBytes()), members.score());
  }
  for (let more = scores.seekFirst(); more; more = scores.next()) {
    const member = byteDecoder.decode(scores.element().toBytes());
    assert(Object.is(seen.get(member), scores.score()), `${name}: a member has one score`);
    seen.delete(member);
  }
  assert(seen.size === 0, `${name}: every member has a place among the scores`);
}

function checkRetired(parts: CollectionCheckParts, root: number, name: string): void {
  const { arena, memory } = parts;
  let byteCount = 0;
  let last = 0;
  let at = arena.read(root, CollectionRoot.FIRST_RETIRED);
  assert(at === 0 || (memory.leasesOf(root) & WAITING) !== 0, `${name}: waits when it has retired`);
  for (; at !== 0; at = memory.nextOf(at)) {
    byteCount += reachDropped(parts, at, `retired by ${name}`);
    last = at;
  }
  assert(arena.read(root, CollectionRoot.LAST_RETIRED) === last, `${name}: the last retired`);
  const counted = arena.doublesOf(root)[(arena.wordAt(root) >> 1) + 7];
  assert(counted === byteCount, `${name}: counts ${counted} retired bytes, has ${byteCount}`);
}

/** Reaches what is retired or garbage; returns its bytes. */
function reachDropped(parts: CollectionCheckParts, address: number, name: string): number {
  const { arena, memory, extents } = parts;
  if (memory.isLong(address)) {
    parts.reachLong(address, 0, name);
    return extents.footprintBytes(address);
  }
  parts.reach(address, name);
  let byteCount = memory.blockBytes(address);
  if (arena.read(address, CollectionRoot.MARK) === COLLECTION_MARK) {
    for (let tree = CollectionRoot.TREE_0; tree <= CollectionRoot.TREE_1; tree++) {
      const top = arena.read(address, tree);
      if (top !== 0) byteCount += reachDropped(parts, top, name);
    }
    return byteCount;
  }
  const head = arena.read(address, Node.HEAD);
  if ((head & NodeFlag.ALONE) !== 0) return byteCount;
  if ((head & 0xff) > 0) {
    for (let i = 0; i < head >>> 16; i++) {
      byteCount += reachDropped(parts, childAt(arena, address, i), name);
    }
  } else {
    forEachLong(arena, address, (bytes, at) => {
      const long = longAddress(bytes, at);
      parts.reachLong(long, arena.read(long, ExtentsRoot.OWNER), name);
      byteCount += extents.footprintBytes(long);
    });
  }
  return byteCount;
}

/** Checks a shard's waiting collections and its garbage; returns leases and orphan bytes. */
export function checkCollectionLists(
  parts: CollectionCheckParts,
  shard: number,
): { leases: number; orphanBytes: number } {
  const { arena, memory } = parts;
  let leases = 0;
  let orphanBytes = 0;
  let previous = 0;
  for (let root = memory.waitingHead(shard); root !== 0;) {
    assert((memory.leasesOf(root) & WAITING) !== 0, `collection ${root}: is marked as waiting`);
    assert(arena.read(root, CollectionRoot.PREVIOUS_WAITING) === previous, `${root}: links back`);
    orphanBytes += arena.doublesOf(root)[(arena.wordAt(root) >> 1) + 7]!;
    const owner = arena.read(root, CollectionRoot.OWNER);
    if (owner === OWNER_ASIDE) leases += checkCollection(parts, root, owner, shard, "made aside");
    if (owner === 0) {
      leases += checkCollection(parts, root, 0, shard, `orphan ${root}`);
      orphanBytes += memory.footprintBytes(root);
    }
    previous = root;
    root = arena.read(root, CollectionRoot.NEXT_WAITING);
  }
  for (let at = memory.garbageHead(shard); at !== 0; at = memory.nextOf(at)) {
    reachDropped(parts, at, `garbage of shard ${shard}`);
  }
  return { leases, orphanBytes };
}
