/**
 * Moves of nodes and roots, for compaction.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import { Entry, EntryFlag } from "../entry.ts";
import { ExtentsRoot } from "../extents.ts";
import { rootWord } from "./entries.ts";
import { childAt, COLLECTION_MARK, CollectionRoot, forEachLong, Node, NodeFlag } from "./node.ts";
import { longAddress } from "./records.ts";

/** Points whatever points at a node or root that was moved from `from` to `to` at its new address. */
export function relocateCollectionBlock(arena: Arena, from: number, to: number): void {
  if (arena.read(to, CollectionRoot.MARK) === COLLECTION_MARK) {
    const entry = arena.read(to, CollectionRoot.OWNER);
    const flags = (arena.read(entry, Entry.TYPE) >>> 16) & EntryFlag.HAS_TTL;
    arena.write(entry, rootWord(flags), to);
    for (let word = CollectionRoot.TREE_0; word <= CollectionRoot.TREE_1; word++) {
      const top = arena.read(to, word);
      if (top !== 0) arena.write(top, Node.PARENT, to);
    }
    return;
  }
  const parent = arena.read(to, Node.PARENT);
  if (arena.read(parent, CollectionRoot.MARK) === COLLECTION_MARK) {
    const isFirst = arena.read(parent, CollectionRoot.TREE_0) === from;
    arena.write(parent, isFirst ? CollectionRoot.TREE_0 : CollectionRoot.TREE_1, to);
  } else {
    let index = 0;
    while (childAt(arena, parent, index) !== from) index++;
    arena.write(parent, 4 + index * 4, to);
  }
  const head = arena.read(to, Node.HEAD);
  if ((head & 0xff) > 0) {
    for (let i = 0; i < head >>> 16; i++) arena.write(childAt(arena, to, i), Node.PARENT, to);
  } else if ((head & NodeFlag.HAS_LONG) !== 0) {
    forEachLong(arena, to, (bytes, at) => {
      arena.write(longAddress(bytes, at), ExtentsRoot.OWNER, to);
    });
  }
}
