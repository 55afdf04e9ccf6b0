/**
 * Brings what several fields or members of one large collection are looked up in into the
 * processor's caches at once.
 *
 * A lookup waits for memory up to three times: for a node above the leaf, for the leaf's head, and
 * for the record. So where commands for the same collection have arrived together, the first of them
 * to have the lock goes down the tree for all of them, level by level, in loops of a few instructions
 * each; what is missed, is missed by all at once (see also lookahead.ts). Each command then finds its
 * hash and its leaf, and does not go down again.
 *
 * **When a leaf is still right.** Trees change only under the exclusive lock of their shard, which
 * counts how often it was taken. Where that count has gone up by exactly one since the command
 * before, nobody else has had the lock in between, so nothing has changed but what that command did;
 * each change that may move a leaf begins with {@link MembersAhead.clear}. Otherwise everything is
 * forgotten. And a leaf is only
 * where a member *probably* is: found there, it is the one; not found, the tree is searched.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import { Shard } from "../control.ts";
import type { ControlRegion } from "../control.ts";
import type { Collection } from "./collection.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import { KEPT_WORDS, type MemberHash } from "./member_hash.ts";
import { LEAF_HEADER_BYTES, Node } from "./node.ts";
import { guess, HASH_END, LEAF_FRACTIONS } from "./search.ts";

/**
 * Members that are taken together; a multiple of four. A processor has some ten to twenty misses under
 * way at most.
 */
export const MEMBERS_AHEAD = 16;

/** Longer ones are not noted: they are not compared by words. Unit: bytes. */
const MOST_MEMBER_BYTES = 128;

/** Smaller collections are in a core's own cache. Unit: bytes of the arena. */
const LEAST_BYTES = 2 ** 20;

/** So often in a row nothing may come of it. */
const MOST_FAILURES = 16;
/** Commands for collections of which one is looked at whether its collection is large. */
const LOOK_EVERY = 8;
/** Then so many commands for large collections pass before it is tried again. */
const PATIENCE = 256;

// What another module exports is fetched from there at each use.
const { HEAD, RUN } = Node;
const HEADER_BYTES = LEAF_HEADER_BYTES;
const guessOf = guess;
const FRACTIONS = LEAF_FRACTIONS;
const AHEAD = MEMBERS_AHEAD;
const END = HASH_END;
/** `EXCLUSIVE_COUNT` of the lock's counters is the first. */
const ACQUISITIONS = Shard.LOCK_COUNTERS;

/** Half of a line of the processor's caches. */
const HALF_LINE_WORDS = 8;

const EMPTY = new Uint8Array(0);

/**
 * Members that are to be looked up soon, by commands of one thread.
 *
 * Thread: one instance per thread. From {@link MembersAhead.begin} to the last
 * {@link MembersAhead.take} the bytes must not change; who may change them calls
 * {@link MembersAhead.clear}.
 */
export class MembersAhead {
  /** Whether it would pay to note the members of what follows. */
  isWanted = false;
  /** A collection that takes less is taken to be in the caches. Unit: bytes. */
  leastBytes: number = LEAST_BYTES;

  readonly #arena: Arena;
  readonly #control: ControlRegion;
  readonly #memory: CollectionMemory;
  readonly #hasher: MemberHash;

  #bytes: Uint8Array = EMPTY;
  readonly #starts = new Int32Array(AHEAD);
  readonly #ends = new Int32Array(AHEAD);
  #count = 0;
  /** The first one that was not taken. */
  #next = 0;

  /** The collection in which they were found; 0 = none of them was looked for yet. */
  #root = 0;
  /** Where the count is of the lock of its shard. */
  #countAt = 0;
  /** That count when the last one was taken. */
  #acquisitions = 0;
  /** Calls of {@link MembersAhead.failed} since the last {@link MembersAhead.succeeded}. */
  #failures = 0;
  /** Commands for large collections until it is tried again. */
  #patience = 0;
  /** By index of the member: */
  readonly #hashes = new Int32Array(AHEAD);
  readonly #words: Int32Array<ArrayBuffer>[] = [];
  /** Nodes on the way down, then leaves. */
  readonly #nodes = new Int32Array(AHEAD);
  /** No hash in the node is smaller. */
  readonly #lows = new Float64Array(AHEAD);
  /** All are at most this. */
  readonly #highs = new Float64Array(AHEAD);
  /** Child that is looked at first, then fraction of the leaf. */
  readonly #guesses = new Int32Array(AHEAD);
  /** Addresses that are looked at together. */
  readonly #places = new Int32Array(AHEAD);
  /** Makes something of what is read, or it would not be read. */
  #digest = 0;

  /** Looks into the collections of one thread. */
  constructor(
    arena: Arena,
    control: ControlRegion,
    memory: CollectionMemory,
    hasher: MemberHash,
  ) {
    this.#arena = arena;
    this.#control = control;
    this.#memory = memory;
    this.#hasher = hasher;
    for (let i = 0; i < AHEAD; i++) this.#words.push(new Int32Array(KEPT_WORDS));
  }

  /** Whether all were taken. */
  get isEmpty(): boolean {
    return this.#next === this.#count;
  }

  /** How many are noted. */
  get count(): number {
    return this.#count;
  }

  /** Whether one before `start` is still to be taken, which nobody will do any more. */
  lagsBehind(start: number): boolean {
    return this.#next < this.#count && this.#starts[this.#next]! < start;
  }

  /** Begins with nothing noted. @param bytes what members are noted of */
  begin(bytes: Uint8Array): void {
    this.clear();
    this.#bytes = bytes;
  }

  /** Forgets what was noted and found. */
  clear(): void {
    this.#count = this.#next = this.#root = 0;
    this.#bytes = EMPTY;
  }

  /**
   * Notes a member `[start, end)`.
   *
   * @returns false = it is too long, or there is no room for another one
   */
  note(start: number, end: number): boolean {
    const index = this.#count;
    if (index === AHEAD || end - start > MOST_MEMBER_BYTES) return false;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#count = index + 1;
    return true;
  }

  /** A member was where it was said to be. */
  succeeded(): void {
    this.#failures = 0;
  }

  /**
   * There was nothing to note, or it was not asked for, or what was asked for is not there yet. When
   * that happens often in a row, it ends: where a collection grows, most of this is for nothing.
   */
  failed(): void {
    if (++this.#failures >= MOST_FAILURES) this.#giveUp();
  }

  #giveUp(): void {
    this.clear();
    this.isWanted = false;
    this.#failures = 0;
    this.#patience = PATIENCE;
  }

  /** Says that a member of a collection is looked up that was not noted. */
  missed(c: Collection): void {
    if (--this.#patience > 0) return;
    this.#patience = LOOK_EVERY;
    this.isWanted = c.root !== 0 && this.#memory.footprintBytes(c.root) >= this.leastBytes;
  }

  /**
   * Takes the next member if it is `bytes[start, end)`, in a collection whose shard's exclusive lock
   * is held. The first time all of them are looked for.
   *
   * @returns its index, for the functions below; -1 = nothing is known
   */
  take(c: Collection, bytes: Uint8Array, start: number, end: number): number {
    const index = this.#next;
    if (
      index === this.#count || this.#starts[index] !== start || this.#ends[index] !== end ||
      bytes !== this.#bytes
    ) return -1;
    const control = this.#control;
    const countAt = control.shardAt(c.key.shard) + ACQUISITIONS;
    const acquisitions = control.words[countAt]!;
    if (this.#root === 0) {
      if (c.root === 0) {
        this.#giveUp();
        return -1;
      }
      this.#root = c.root;
      this.#countAt = countAt;
      this.#find(c.cursor.top, c.cursor.topLevel);
    } else if (
      c.root !== this.#root || acquisitions !== ((this.#acquisitions + 1) | 0) ||
      // Another shard may have got the page that the root was in, and its lock any count.
      countAt !== this.#countAt
    ) {
      this.#giveUp();
      return -1;
    }
    this.#acquisitions = acquisitions;
    this.#next = index + 1;
    return index;
  }

  /** Hash of a member, as int32. */
  hashAt(index: number): number {
    return this.#hashes[index]!;
  }

  /** Its words; see `MemberHash.words`. */
  wordsAt(index: number): Int32Array<ArrayBuffer> {
    return this.#words[index]!;
  }

  /** The leaf in which it probably is. */
  leafAt(index: number): number {
    return this.#nodes[index]! >>> 0;
  }

  /** At which fraction of the leaf. Unit: 1 / `LEAF_FRACTIONS`. */
  fractionAt(index: number): number {
    return this.#guesses[index]!;
  }

  /** Finds the leaves of all from `top` down, and has the records in the caches. */
  #find(top: number, topLevel: number): void {
    const from = this.#next;
    const count = this.#count;
    const bytes = this.#bytes;
    const hasher = this.#hasher;
    const own = hasher.words;
    const hashes = this.#hashes;
    const starts = this.#starts;
    const ends = this.#ends;
    for (let i = from; i < count; i++) {
      hasher.words = this.#words[i]!;
      hashes[i] = hasher.bitsOf(bytes, starts[i]!, ends[i]!);
    }
    hasher.words = own;
    this.#nodes.fill(top);
    this.#lows.fill(0);
    this.#highs.fill(END);
    for (let level = topLevel; level > 0; level--) {
      if (level < topLevel) this.#digest = this.#arena.touchAll(this.#nodes, count, HEAD);
      this.#guessChildren(from, count);
      this.#descend(from, count);
    }
    for (let i = from; i < count; i++) {
      this.#guesses[i] = guessOf(hashes[i]! >>> 0, this.#lows[i]!, this.#highs[i]!, FRACTIONS);
    }
    this.#digest = this.#arena.touchAll(this.#nodes, count, HEAD);
    this.#touchRecords(from, count);
  }

  /** Guesses which children are the next nodes, and looks at their separators. */
  #guessChildren(from: number, count: number): void {
    const arena = this.#arena;
    const nodes = this.#nodes;
    const lows = this.#lows;
    const highs = this.#highs;
    const hashes = this.#hashes;
    const guesses = this.#guesses;
    const places = this.#places;
    for (let i = from; i < count; i++) {
      const node = nodes[i]! >>> 0;
      const children = arena.read(node, HEAD) >>> 16;
      const child = guessOf(hashes[i]! >>> 0, lows[i]!, highs[i]!, children);
      guesses[i] = child;
      places[i] = node + 2 + child * 2;
    }
    this.#digest = arena.touchAll(places, count, 0);
  }

  /** One level down. */
  #descend(from: number, count: number): void {
    const arena = this.#arena;
    const nodes = this.#nodes;
    const lows = this.#lows;
    const highs = this.#highs;
    const hashes = this.#hashes;
    const guesses = this.#guesses;
    for (let i = from; i < count; i++) {
      const node = nodes[i]! >>> 0;
      const hash = hashes[i]! >>> 0;
      const words = arena.wordsOf(node);
      const orders = arena.doublesOf(node);
      const at = arena.wordAt(node);
      const last = (words[at + HEAD]! >>> 16) - 1;
      // Separator of child 0, which means nothing; they are two apart.
      const first = (at >> 1) + 3;
      let child = guesses[i]!;
      // The last child that does not begin behind the hash.
      while (child > 0 && orders[first + child * 2]! > hash) child--;
      while (child < last && orders[first + child * 2 + 2]! <= hash) child++;
      if (child > 0) lows[i] = orders[first + child * 2]!;
      if (child < last) highs[i] = orders[first + child * 2 + 2]!;
      nodes[i] = words[at + 4 + child * 4]!;
    }
  }

  /** Looks where the records probably are. */
  #touchRecords(from: number, count: number): void {
    const arena = this.#arena;
    const nodes = this.#nodes;
    const guesses = this.#guesses;
    const places = this.#places;
    for (let i = from; i < count; i++) {
      const node = nodes[i]! >>> 0;
      const runBytes = arena.read(node, RUN) & 0xffff;
      places[i] = node +
        ((HEADER_BYTES + (arena.read(node, HEAD) >>> 16) + ((runBytes * guesses[i]!) >>> 16)) >>>
          3);
    }
    this.#digest = arena.touchAll(places, count, -HALF_LINE_WORDS) ^
      arena.touchAll(places, count, HALF_LINE_WORDS);
  }
}
