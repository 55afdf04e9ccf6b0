/**
 * Interior nodes: counts, children that come and go, copies for what readers share.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import type { RecordCursor } from "./cursor.ts";
import {
  CHILD_BYTES,
  childAt,
  childCount,
  childOrder,
  CollectionRoot,
  elementsBelow,
  INTERIOR_HEADER_BYTES,
  MAX_CHILDREN,
  Node,
  NodeFlag,
  nodeHead,
  setChild,
} from "./node.ts";

/** Interior nodes with fewer children look for a neighbour to join. */
const JOIN_BELOW_CHILDREN = 30;
/** Two interior nodes join when they have no more than this together. */
const JOINED_CHILDREN = 80;

/** Changes interior nodes. Thread: one instance per thread, under the shard's exclusive lock. */
export class Interiors {
  readonly #arena: Arena;
  readonly #memory: CollectionMemory;

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, memory: CollectionMemory) {
    this.#arena = arena;
    this.#memory = memory;
  }

  /** Copies the nodes on the way to a cursor that readers share, so that they may be changed. */
  ownPath(root: number, tree: number, cursor: RecordCursor): void {
    for (let level = cursor.topLevel; level >= 0; level--) {
      const node = level === 0 ? cursor.leaf : cursor.nodes[level]!;
      const own = this.#own(
        root,
        node,
        level === cursor.topLevel ? root : cursor.nodes[level + 1]!,
      );
      if (own === node) continue;
      this.setNode(root, tree, cursor, level, own);
      if (level === 0) cursor.leaf = own;
      else cursor.nodes[level] = own;
    }
  }

  /** The node at the top of a tree, copied if readers share it. */
  ownTop(root: number, tree: number): number {
    const top = this.#arena.read(root, CollectionRoot.TREE_0 + tree);
    if (!this.#memory.isShared) return top;
    const own = this.#own(root, top, root);
    if (own !== top) this.#arena.write(root, CollectionRoot.TREE_0 + tree, own);
    return own;
  }

  /** Child `index` of a node that is owned, copied if readers share it. */
  ownChild(root: number, node: number, index: number): number {
    const child = childAt(this.#arena, node, index);
    if (!this.#memory.isShared) return child;
    const own = this.#own(root, child, node);
    if (own !== child) this.#arena.write(node, 4 + index * 4, own);
    return own;
  }

  /** Adds to the counts on the way to a cursor. */
  addCounts(cursor: RecordCursor, delta: number): void {
    const arena = this.#arena;
    for (let level = 1; level <= cursor.topLevel; level++) {
      const node = cursor.nodes[level]!;
      arena.wordsOf(node)[arena.wordAt(node) + 5 + cursor.indexes[level]! * 4]! += delta;
    }
  }

  /** Writes the count of the child that a cursor took on `level`, if there is such a level. */
  setCount(cursor: RecordCursor, level: number, count: number): void {
    if (level > cursor.topLevel) return;
    this.#arena.write(cursor.nodes[level]!, 5 + cursor.indexes[level]! * 4, count);
  }

  /** Writes the count of child `index`. */
  setChildCount(node: number, index: number, count: number): void {
    this.#arena.write(node, 5 + index * 4, count);
  }

  /** Writes how many children a node has. */
  setChildren(node: number, children: number): void {
    const head = this.#arena.read(node, Node.HEAD);
    this.#arena.write(node, Node.HEAD, (head & 0xffff) | (children << 16));
  }

  /** Copies child `from` over child `to`. */
  moveChild(node: number, from: number, to: number): void {
    const arena = this.#arena;
    const child = childAt(arena, node, from);
    setChild(arena, node, to, child, childCount(arena, node, from), childOrder(arena, node, from));
  }

  /** Points what is above the node on `level` of a cursor's way at `node` instead. */
  setNode(root: number, tree: number, cursor: RecordCursor, level: number, node: number): void {
    if (level === cursor.topLevel) {
      this.#arena.write(root, CollectionRoot.TREE_0 + tree, node);
      cursor.top = node;
    } else {
      const parent = cursor.nodes[level + 1]!;
      this.#arena.write(parent, 4 + cursor.indexes[level + 1]! * 4, node);
    }
  }

  /**
   * Makes sure that the node on `level` of a cursor's way can take `extra` children more. Splits it
   * or puts a new one on top; the cursor's way follows.
   */
  ensureRoom(root: number, tree: number, cursor: RecordCursor, level: number, extra: number): void {
    if (level > cursor.topLevel) {
      this.#raise(root, tree, cursor, level);
      return;
    }
    const children = this.#arena.read(cursor.nodes[level]!, Node.HEAD) >>> 16;
    if (children + extra <= MAX_CHILDREN) return;
    this.ensureRoom(root, tree, cursor, level + 1, 1);
    this.#split(root, tree, cursor, level, children);
  }

  /** Puts a child behind the one that the cursor took on level 1, and the cursor on it. */
  insertAfter(
    root: number,
    tree: number,
    cursor: RecordCursor,
    child: number,
    count: number,
    order: number,
  ): void {
    this.#insertAfter(root, tree, cursor, 1, child, count, order);
  }

  /** Takes the child away that a cursor took, and what becomes empty by that above it. */
  removeEmpty(root: number, tree: number, cursor: RecordCursor): void {
    for (let level = 1; level <= cursor.topLevel; level++) {
      const node = cursor.nodes[level]!;
      if (this.#arena.read(node, Node.HEAD) >>> 16 > 1) {
        this.#removeChild(node, cursor.indexes[level]!);
        this.collapseTop(root, tree);
        return;
      }
      this.#memory.freeNode(root, node);
    }
    this.#arena.write(root, CollectionRoot.TREE_0 + tree, 0);
  }

  /** Takes nodes with a single child off the top. */
  collapseTop(root: number, tree: number): void {
    const arena = this.#arena;
    for (;;) {
      const top = arena.read(root, CollectionRoot.TREE_0 + tree);
      const head = arena.read(top, Node.HEAD);
      if ((head & 0xff) === 0 || head >>> 16 > 1) return;
      const child = childAt(arena, top, 0);
      this.#setParent(child, root);
      arena.write(root, CollectionRoot.TREE_0 + tree, child);
      const isOwn = !this.#memory.isShared ||
        arena.read(top, Node.VERSION) === this.#memory.version;
      if (isOwn) this.#memory.freeNode(root, top);
      else this.#memory.retireNode(root, top);
    }
  }

  /** The leaves at the cursor's child and the next one became one; the nodes above may join, too. */
  joinChildren(
    root: number,
    tree: number,
    cursor: RecordCursor,
    joined: number,
    count: number,
  ): void {
    const arena = this.#arena;
    const index = cursor.indexes[1]!;
    const parent = cursor.nodes[1]!;
    setChild(arena, parent, index, joined, count, childOrder(arena, parent, index));
    this.#removeChild(parent, index + 1);
    for (let level = 1; level < cursor.topLevel; level++) {
      if (!this.#joinInteriors(root, cursor, level)) break;
    }
    this.collapseTop(root, tree);
  }

  /** Moves the children of a small node and of its neighbour into one. */
  #joinInteriors(root: number, cursor: RecordCursor, level: number): boolean {
    const arena = this.#arena;
    const parent = cursor.nodes[level + 1]!;
    const siblings = arena.read(parent, Node.HEAD) >>> 16;
    if (arena.read(cursor.nodes[level]!, Node.HEAD) >>> 16 >= JOIN_BELOW_CHILDREN) return false;
    if (siblings < 2) return false;
    const index = Math.min(cursor.indexes[level + 1]!, siblings - 2);
    const left = childAt(arena, parent, index);
    const right = childAt(arena, parent, index + 1);
    const leftCount = arena.read(left, Node.HEAD) >>> 16;
    const rightCount = arena.read(right, Node.HEAD) >>> 16;
    const sum = leftCount + rightCount;
    if (sum > JOINED_CHILDREN) return false;
    const kind = (arena.read(left, Node.HEAD) >>> 12) & 0xf;
    const need = INTERIOR_HEADER_BYTES + sum * CHILD_BYTES;
    const node = this.#memory.tryMakeNode(root, parent, nodeHead(level, kind, sum), need);
    if (node === 0) return false;
    for (let i = 0; i < sum; i++) {
      const from = i < leftCount ? left : right;
      const at = i < leftCount ? i : i - leftCount;
      // The first child of the right one has the separator of the right one.
      const order = i === leftCount
        ? childOrder(arena, parent, index + 1)
        : childOrder(arena, from, at);
      const child = childAt(arena, from, at);
      setChild(arena, node, i, child, childCount(arena, from, at), order);
      arena.write(child, Node.PARENT, node);
    }
    const count = childCount(arena, parent, index) + childCount(arena, parent, index + 1);
    setChild(arena, parent, index, node, count, childOrder(arena, parent, index));
    this.#removeChild(parent, index + 1);
    this.#memory.freeNode(root, left);
    this.#memory.freeNode(root, right);
    return true;
  }

  /** Puts a node with a single child on top. */
  #raise(root: number, tree: number, cursor: RecordCursor, level: number): void {
    const arena = this.#arena;
    const child = level === 1 ? cursor.leaf : cursor.nodes[level - 1]!;
    const kind = (arena.read(child, Node.HEAD) >>> 12) & 0xf;
    const top = this.#memory.makeNode(root, root, nodeHead(level, kind, 1), 64);
    setChild(arena, top, 0, child, elementsBelow(arena, child), -Infinity);
    arena.write(child, Node.PARENT, top);
    arena.write(root, CollectionRoot.TREE_0 + tree, top);
    cursor.top = top;
    cursor.topLevel = level;
    cursor.nodes[level] = top;
    cursor.indexes[level] = 0;
  }

  /** Splits the full node on `level`; there is room above it. */
  #split(
    root: number,
    tree: number,
    cursor: RecordCursor,
    level: number,
    children: number,
  ): void {
    const arena = this.#arena;
    const node = cursor.nodes[level]!;
    const index = cursor.indexes[level]!;
    // Where all come at an end of the tree, the full node stays nearly full.
    const cut = isAtEnd(arena, cursor, level, 1)
      ? children - 1
      : isAtEnd(arena, cursor, level, 0)
      ? 1
      : children >>> 1;
    const head = arena.read(node, Node.HEAD);
    const right = this.#memory.makeNode(
      root,
      arena.read(node, Node.PARENT),
      (head & 0xffff) | ((children - cut) << 16),
      INTERIOR_HEADER_BYTES + (children - cut) * CHILD_BYTES,
    );
    for (let i = cut; i < children; i++) {
      const child = childAt(arena, node, i);
      const count = childCount(arena, node, i);
      setChild(arena, right, i - cut, child, count, childOrder(arena, node, i));
      this.#setParent(child, right);
    }
    this.setChildren(node, cut);
    this.setCount(cursor, level + 1, elementsBelow(arena, node));
    const order = childOrder(arena, right, 0);
    const count = elementsBelow(arena, right);
    this.#insertAfter(root, tree, cursor, level + 1, right, count, order);
    if (index >= cut) {
      cursor.nodes[level] = right;
      cursor.indexes[level] = index - cut;
    } else {
      cursor.indexes[level + 1]!--;
    }
  }

  /** Inserts a child behind the cursor's on `level`, where there is room, and steps the cursor. */
  #insertAfter(
    root: number,
    tree: number,
    cursor: RecordCursor,
    level: number,
    child: number,
    count: number,
    order: number,
  ): void {
    const arena = this.#arena;
    let node = cursor.nodes[level]!;
    const children = arena.read(node, Node.HEAD) >>> 16;
    const need = INTERIOR_HEADER_BYTES + (children + 1) * CHILD_BYTES;
    if (need > this.#memory.blockBytes(node)) {
      node = this.#move(root, node, need);
      this.setNode(root, tree, cursor, level, node);
      cursor.nodes[level] = node;
    }
    const index = ++cursor.indexes[level]!;
    const at = arena.wordAt(node) + 4;
    arena.wordsOf(node).copyWithin(at + (index + 1) * 4, at + index * 4, at + children * 4);
    setChild(arena, node, index, child, count, order);
    arena.write(child, Node.PARENT, node);
    this.setChildren(node, children + 1);
  }

  #removeChild(node: number, index: number): void {
    const arena = this.#arena;
    const children = arena.read(node, Node.HEAD) >>> 16;
    const at = arena.wordAt(node) + 4;
    arena.wordsOf(node).copyWithin(at + index * 4, at + (index + 1) * 4, at + children * 4);
    this.setChildren(node, children - 1);
  }

  /** Moves an owned interior node to a larger block. */
  #move(root: number, node: number, byteCount: number): number {
    const arena = this.#arena;
    const head = arena.read(node, Node.HEAD);
    const to = this.#memory.makeNode(root, arena.read(node, Node.PARENT), head, byteCount);
    const from = arena.wordAt(node) + 4;
    const source = arena.wordsOf(node);
    const target = arena.wordsOf(to);
    const targetAt = arena.wordAt(to) + 4;
    const wordCount = (head >>> 16) * 4;
    for (let i = 0; i < wordCount; i++) target[targetAt + i] = source[from + i]!;
    for (let i = 0; i < head >>> 16; i++) this.#setParent(childAt(arena, to, i), to);
    this.#memory.freeNode(root, node);
    return to;
  }

  /** Tells a node what is above it. What a fork shares stays the original's until the fork wins. */
  #setParent(node: number, parent: number): void {
    if (this.#memory.isOwn(node)) this.#arena.write(node, Node.PARENT, parent);
  }

  /** The node itself, or a copy below `parent` when readers share it; the caller points that there. */
  #own(root: number, node: number, parent: number): number {
    const arena = this.#arena;
    if (arena.read(node, Node.VERSION) === this.#memory.version) return node;
    const byteCount = this.#memory.blockBytes(node);
    const head = arena.read(node, Node.HEAD);
    const copy = this.#memory.makeCopy(root, head & 0xff, byteCount);
    arena.copyBlock(node, copy, byteCount);
    arena.write(copy, Node.PARENT, parent);
    arena.write(copy, Node.VERSION, this.#memory.version);
    if ((head & 0xff) > 0) {
      for (let i = 0; i < head >>> 16; i++) this.#setParent(childAt(arena, copy, i), copy);
    } else if ((head & NodeFlag.HAS_LONG) !== 0) {
      this.#memory.adoptLongs(copy);
    }
    this.#memory.retireNode(root, node);
    return copy;
  }
}

/** Whether a cursor's way is the first (side 0) or last (side 1) one from a level up. */
function isAtEnd(arena: Arena, cursor: RecordCursor, from: number, side: 0 | 1): boolean {
  for (let level = from; level <= cursor.topLevel; level++) {
    const last = (arena.read(cursor.nodes[level]!, Node.HEAD) >>> 16) - 1;
    if (cursor.indexes[level] !== (side === 0 ? 0 : last)) return false;
  }
  return true;
}
