/**
 * Patterns of paths as a radix trie.
 *
 * ```text
 * /users  /users/me  /users/:user  /users/:user/orders  /static/*
 *
 *     "/" ─┬─ "users" = ─── "/" ─┬─ "me" =
 *          │                     └─ : = ─── "/orders" =
 *          └─ "static/" ─── * =
 * ```
 *
 * An edge has the bytes that all paths below it share; nodes with `=` are the end of a pattern. A
 * parameter stands for a whole segment, so it is below a node that ends with a slash.
 *
 * @module
 */

import { encodeText, SLASH } from "./characters.ts";
import type { Resource } from "./resource.ts";
import type { RouteParams } from "./route_params.ts";

/** Nodes with more children find them by a table. Reason: up to here, looking at each is as quick. */
const SCANNED_CHILDREN_MAX = 8;

/** Names for the bytes that paths may have. */
const BYTE_VALUES = 256;

/**
 * Patterns and what they name.
 *
 * Finding a path looks at each of its bytes once, unless a name turns out to be the beginning of
 * something else: then the segment is tried as a parameter, then what is left of the path as the rest
 * of a shorter pattern. How often that can happen is bounded by the parameters of a pattern.
 *
 * Thread: one I/O thread.
 */
export class RouteTrie {
  readonly #root = new TrieNode(new Uint8Array(0));

  /**
   * Adds a pattern.
   *
   * @param shape `/` and segments; `:` stands for one segment, a last `*` for all that is left
   */
  add(shape: string, resource: Resource): void {
    let node = this.#root;
    // "/a/:/b/*" is "/a/", ":", "/b/" and "*".
    for (const part of shape.split(/(?<=\/)([:*])(?=\/|$)/)) {
      if (part === "*") {
        node.rest = resource;
        return;
      }
      if (part === ":") node = node.param ??= new TrieNode(new Uint8Array(0));
      else if (part !== "") node = node.descend(encodeText(part));
    }
    node.resource = resource;
  }

  /**
   * What the path `bytes[start, end)` names, or null.
   *
   * @param params receives the ranges of the parameters, in the order of the pattern
   */
  find(bytes: Uint8Array, start: number, end: number, params: RouteParams): Resource | null {
    params.clear();
    return findBelow(this.#root, bytes, start, end, params);
  }
}

/** Finds the path's `bytes[at, end)`, what is in front of which has led to `node`. */
function findBelow(
  node: TrieNode,
  bytes: Uint8Array,
  at: number,
  end: number,
  params: RouteParams,
): Resource | null {
  for (;;) {
    if (at === end) {
      if (node.resource !== null) return node.resource;
      break;
    }
    const child = node.childFor(bytes[at]!);
    if (child !== null && child.isAt(bytes, at, end)) {
      const childEnd = at + child.label.length;
      if (node.param === null && node.rest === null) {
        // Whatever is found below, there is nothing to come back for.
        node = child;
        at = childEnd;
        continue;
      }
      const found = findBelow(child, bytes, childEnd, end, params);
      if (found !== null) return found;
    }
    if (node.param !== null) {
      const segmentEnd = endOfSegment(bytes, at, end);
      if (segmentEnd > at) {
        params.push(at, segmentEnd);
        const found = findBelow(node.param, bytes, segmentEnd, end, params);
        if (found !== null) return found;
        params.pop();
      }
    }
    break;
  }
  if (node.rest !== null) params.push(at, end);
  return node.rest;
}

function endOfSegment(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SLASH) at++;
  return at;
}

class TrieNode {
  /** Bytes of the edge that leads here. */
  label: Uint8Array;
  /** What a path names that ends here. */
  resource: Resource | null = null;
  /** Where a segment leads that has no child of its name. */
  param: TrieNode | null = null;
  /** What all paths name that go on otherwise. */
  rest: Resource | null = null;

  /** No two begin with the same byte. */
  #children: TrieNode[] = [];
  /** Child + 1 by first byte, 0 = none; null while there are few. */
  #table: Uint8Array | null = null;

  constructor(label: Uint8Array) {
    this.label = label;
  }

  /** The child whose label begins with `byte`. */
  childFor(byte: number): TrieNode | null {
    const children = this.#children;
    if (this.#table !== null) {
      const number = this.#table[byte]!;
      return number === 0 ? null : children[number - 1]!;
    }
    for (let i = 0; i < children.length; i++) {
      if (children[i]!.label[0] === byte) return children[i]!;
    }
    return null;
  }

  /** Whether the label is at `bytes[at]`; its first byte is known to be. */
  isAt(bytes: Uint8Array, at: number, end: number): boolean {
    const { label } = this;
    const { length } = label;
    if (end - at < length) return false;
    for (let i = 1; i < length; i++) {
      if (bytes[at + i] !== label[i]) return false;
    }
    return true;
  }

  /** The node that `path` leads to from here; made if it is not there. */
  descend(path: Uint8Array): TrieNode {
    const child = this.childFor(path[0]!);
    if (child === null) {
      const leaf = new TrieNode(path);
      this.#adopt(leaf);
      return leaf;
    }
    let shared = 1;
    while (
      shared < path.length && shared < child.label.length && path[shared] === child.label[shared]
    ) {
      shared++;
    }
    if (shared < child.label.length) child.#split(shared);
    return shared === path.length ? child : child.descend(path.subarray(shared));
  }

  /** Puts everything of this node below a new one, behind the first `length` bytes of the label. */
  #split(length: number): void {
    const lower = new TrieNode(this.label.subarray(length));
    lower.resource = this.resource;
    lower.param = this.param;
    lower.rest = this.rest;
    lower.#children = this.#children;
    lower.#table = this.#table;
    this.label = this.label.subarray(0, length);
    this.resource = this.param = this.rest = null;
    this.#children = [];
    this.#table = null;
    this.#adopt(lower);
  }

  #adopt(child: TrieNode): void {
    this.#children.push(child);
    if (this.#children.length <= SCANNED_CHILDREN_MAX) return;
    const table = this.#table = new Uint8Array(BYTE_VALUES);
    this.#children.forEach(({ label }, index) => table[label[0]!] = index + 1);
  }
}
