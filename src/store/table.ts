/**
 * The index: a linear hash table of 64-byte buckets in the arena.
 *
 * ```text
 * bucket (64 bytes)                          root (64 bytes, control region)
 *   word 0–11   entry addresses, 0 = empty     word 0  buckets N
 *   byte 48–59  their tags, 0 = empty          word 1  entries
 *   word 15     next overflow bucket, 0 = none word 2  directory address
 *                                              word 3  leaves the directory has room for
 *                                              word 4  overflow buckets
 *                                              word 5  entries with a time to live
 *                                              word 6  departures: entries that left their address
 * directory: one word per leaf, its address
 * leaf: 16 buckets (1 KiB) for buckets below 1,024, then a page of 1,024 buckets each
 * ```
 *
 * Linear hashing (Litwin 1980) grows and shrinks by one bucket at a time: with
 * 2^k <= N < 2^(k+1), buckets below N - 2^k are already split. There is one table, never two, so a
 * lookup visits one chain, an insert splits at most one bucket and no insert pauses for a rehash.
 * A bucket that is not split yet is longer by a factor of two at most, which the overflow chain
 * takes.
 *
 * A scan walks hash space in the order of reversed bits, in which each bucket, at any N, covers one
 * interval. A cursor is a position there, so it survives growth and shrinking between calls: what
 * was present throughout is returned at least once.
 *
 * @see W. Litwin, "Linear Hashing: A New Tool for File and Table Addressing", VLDB 1980
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import type { ControlRegion } from "./control.ts";
import { Entry, keyOffset } from "./entry.ts";
import type { Key } from "./key.ts";
import type { ReadyKeys } from "./ready_keys.ts";
import { PageKind } from "./page_allocator.ts";
import { MAX_BLOCK_BYTES, PAGE_BYTES } from "./size_classes.ts";

/** Entry addresses in a bucket. */
export const BUCKET_SLOTS = 12;
/** Bytes of a bucket. */
export const BUCKET_BYTES = 64;
/** Buckets in a small leaf. */
export const SMALL_LEAF_BUCKETS = 16;
/** Buckets in a leaf that fills a page. */
export const PAGE_LEAF_BUCKETS = PAGE_BYTES / BUCKET_BYTES;
/**
 * Entries per bucket above which the table grows. Buckets that are not split yet have up to twice as
 * many as split ones: with 7, some 3 % of all entries are in overflow buckets, for which a lookup
 * waits for memory once more; with 9 it were up to 9 %, and 1.4 bytes less for each entry.
 */
export const GROW_ABOVE = 7;
/** Entries per bucket below which the table shrinks. */
export const SHRINK_BELOW = 2;

/** Word offsets in a root. */
export const Root = {
  BUCKETS: 0,
  ENTRIES: 1,
  DIRECTORY: 2,
  DIRECTORY_LEAVES: 3,
  OVERFLOWS: 4,
  /** Entries that have a time to live; counted by the expiry index. */
  TIMED: 5,
  /**
   * Counts up, modulo 2^32, before an entry goes or is put elsewhere: while it stays the same, an
   * entry that was found is where it was.
   */
  DEPARTURES: 6,
} as const;

/** Words of a directory that name small leaves. */
export const SMALL_LEAVES: number = PAGE_LEAF_BUCKETS / SMALL_LEAF_BUCKETS;
/** First of the three words of a bucket with the tags of its slots. */
export const TAG_WORD = 12;
/** Word of a bucket with the address of the overflow bucket that follows. */
export const CHAIN_WORD = 15;
/** Units of addresses that a bucket takes. */
export const BUCKET_UNITS: number = BUCKET_BYTES / 8;
/** Directory sizes in bytes: a block, the largest block, a page. */
const DIRECTORY_BYTES = [1024, MAX_BLOCK_BYTES, PAGE_BYTES];

/** Largest number of buckets; beyond it chains grow. */
export const MAX_BUCKETS: number = (PAGE_BYTES / 4 - SMALL_LEAVES) * PAGE_LEAF_BUCKETS +
  PAGE_LEAF_BUCKETS;

/**
 * Operations on tables.
 *
 * Thread: one instance per thread; every call needs the lock of the shard, reads may hold it shared.
 * `roots` and `rootAt` say where the root is.
 */
export class Table {
  /** Bucket in which {@link Table.find} found the entry. */
  foundBucket = 0;
  /** Slot in {@link Table.foundBucket}. */
  foundSlot = 0;
  /** Told of every key that comes to be; see ready_keys.ts. */
  ready: ReadyKeys | undefined = undefined;

  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #roots: Int32Array<SharedArrayBuffer>;
  readonly #control: ControlRegion;
  /** Overflow buckets freed and taken within one split or merge. */
  readonly #spareBuckets: number[] = [];
  readonly #movedAddresses: number[] = [];
  readonly #movedTags: number[] = [];

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, blocks: BlockAllocator, control: ControlRegion) {
    this.#arena = arena;
    this.#blocks = blocks;
    this.#control = control;
    this.#roots = control.words;
  }

  /**
   * Finds the entry of a key.
   *
   * @returns its address, 0 when absent; sets {@link Table.foundBucket} and
   *   {@link Table.foundSlot} when found
   */
  find(rootAt: number, key: Key): number {
    if (this.#roots[rootAt + Root.ENTRIES]! === 0) return 0;
    let bucket = this.bucketAt(rootAt, this.bucketOf(rootAt, key.hash));
    const pattern = Math.imul(key.tag, 0x01010101);
    do {
      const words = this.#arena.wordsOf(bucket);
      const at = this.#arena.wordAt(bucket);
      for (let group = 0; group < 3; group++) {
        const x = words[at + TAG_WORD + group]! ^ pattern;
        // Bit 7 of each byte of x that is zero (false positives are weeded out by the comparison).
        let matches = (x - 0x01010101) & ~x & 0x80808080;
        while (matches !== 0) {
          const slot = group * 4 + ((31 - Math.clz32(matches & -matches)) >>> 3);
          const entry = words[at + slot]! >>> 0;
          if (entry !== 0 && this.#matches(entry, key)) {
            this.foundBucket = bucket;
            this.foundSlot = slot;
            return entry;
          }
          matches &= matches - 1;
        }
      }
      bucket = words[at + CHAIN_WORD]! >>> 0;
    } while (bucket !== 0);
    return 0;
  }

  /**
   * Finds an entry by its address.
   *
   * @param hash the entry's hash
   * @returns whether it is there; sets {@link Table.foundBucket} and {@link Table.foundSlot}
   */
  findEntry(rootAt: number, hash: number, entry: number): boolean {
    if (this.#roots[rootAt + Root.BUCKETS]! === 0) return false;
    let bucket = this.bucketAt(rootAt, this.bucketOf(rootAt, hash));
    while (bucket !== 0) {
      const words = this.#arena.wordsOf(bucket);
      const at = this.#arena.wordAt(bucket);
      for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
        if (words[at + slot]! >>> 0 !== entry) continue;
        this.foundBucket = bucket;
        this.foundSlot = slot;
        return true;
      }
      bucket = words[at + CHAIN_WORD]! >>> 0;
    }
    return false;
  }

  /**
   * Puts another entry where {@link Table.find} found one.
   *
   * @param rootAt of the table
   */
  replaceFound(rootAt: number, entry: number): void {
    this.#roots[rootAt + Root.DEPARTURES]!++;
    this.#arena.write(this.foundBucket, this.foundSlot, entry);
  }

  /**
   * Makes the table of a root unless it exists.
   *
   * @returns false when there is no memory for it
   */
  ensureTable(rootAt: number, shard: number): boolean {
    return this.#roots[rootAt + Root.BUCKETS]! !== 0 || this.#createTable(rootAt, shard);
  }

  /**
   * Prepares the insertion of a key that is absent: makes sure that the table exists and finds a
   * free slot for it in {@link Table.foundBucket} and {@link Table.foundSlot}.
   *
   * @returns 0 ready; 1 the chain is full: reserve an overflow bucket and give it to
   *   {@link Table.insert}; -1 the table does not exist and there is no memory to make it
   */
  findFreeSlot(rootAt: number, shard: number, hash: number): number {
    if (!this.ensureTable(rootAt, shard)) return -1;
    let bucket = this.bucketAt(rootAt, this.bucketOf(rootAt, hash));
    for (;;) {
      const slot = this.#freeSlotIn(bucket);
      this.foundBucket = bucket;
      this.foundSlot = slot;
      if (slot >= 0) return 0;
      const next = this.#arena.read(bucket, CHAIN_WORD);
      if (next === 0) return 1;
      bucket = next;
    }
  }

  /**
   * Puts an entry where {@link Table.findFreeSlot} pointed, then lets the table grow by a bucket if
   * it is due and memory allows.
   *
   * @param overflow the reserved overflow bucket, or 0 when none was needed
   */
  insert(rootAt: number, shard: number, entry: number, tag: number, overflow: number): void {
    if (overflow !== 0) {
      this.#arena.zero(overflow, BUCKET_BYTES);
      this.#arena.write(this.foundBucket, CHAIN_WORD, overflow);
      this.#roots[rootAt + Root.OVERFLOWS]!++;
      this.foundBucket = overflow;
      this.foundSlot = 0;
    }
    this.#put(this.foundBucket, this.foundSlot, entry, tag);
    this.ready?.note(shard, entry);
    // The one place that every new key passes; see key_versions.ts.
    this.#roots[this.#control.creationsAt(shard, this.#arena.read(entry, Entry.HASH))]!++;
    const entries = ++this.#roots[rootAt + Root.ENTRIES]!;
    if (entries > this.#roots[rootAt + Root.BUCKETS]! * GROW_ABOVE) this.#split(rootAt, shard);
  }

  /**
   * Takes out the entry that {@link Table.find} found; the caller frees its block. Lets the table
   * shrink by a bucket if it is due.
   */
  removeFound(rootAt: number, hash: number): void {
    const words = this.#arena.wordsOf(this.foundBucket);
    const at = this.#arena.wordAt(this.foundBucket);
    this.#roots[rootAt + Root.DEPARTURES]!++;
    words[at + this.foundSlot] = 0;
    this.#setTag(words, at, this.foundSlot, 0);
    const entries = --this.#roots[rootAt + Root.ENTRIES]!;
    if (this.#roots[rootAt + Root.OVERFLOWS]! !== 0) this.#dropEmptyOverflow(rootAt, hash);
    const buckets = this.#roots[rootAt + Root.BUCKETS]!;
    if (buckets > 1 && entries < buckets * SHRINK_BELOW) this.#merge(rootAt);
  }

  /**
   * Points the slot of a moved entry at its new address.
   *
   * @param hash the entry's hash
   */
  relocate(rootAt: number, hash: number, from: number, to: number): boolean {
    const found = this.findEntry(rootAt, hash, from);
    if (found) this.replaceFound(rootAt, to);
    return found;
  }

  /**
   * Calls `visit` for every entry of the bucket at a scan position.
   *
   * @param position 0 to start; a position in reversed hash space, uint32
   * @returns the next position, or 0 when the scan is complete
   */
  scan(rootAt: number, position: number, visit: (entry: number) => void): number {
    if (this.#roots[rootAt + Root.BUCKETS]! === 0) return 0;
    const index = this.bucketOf(rootAt, reverseBits(position));
    const buckets = this.#roots[rootAt + Root.BUCKETS]!;
    const level = 31 - Math.clz32(buckets);
    const isSplit = index < buckets - 2 ** level || index >= 2 ** level;
    const bits = isSplit ? level + 1 : level;
    this.forEachInChain(this.bucketAt(rootAt, index), visit);
    if (bits === 0) return 0;
    const next = ((position >>> (32 - bits)) + 1) * 2 ** (32 - bits);
    return next >= 2 ** 32 ? 0 : next;
  }

  /** Calls `visit` for every entry of a bucket and its overflow buckets. */
  forEachInChain(bucketAddress: number, visit: (entry: number) => void): void {
    for (let bucket = bucketAddress; bucket !== 0;) {
      const words = this.#arena.wordsOf(bucket);
      const at = this.#arena.wordAt(bucket);
      for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
        const entry = words[at + slot]! >>> 0;
        if (entry !== 0) visit(entry);
      }
      bucket = words[at + CHAIN_WORD]! >>> 0;
    }
  }

  /**
   * Takes a table down from its end: takes out entries of the last bucket, then drops the bucket.
   * In between the table is as sound as any other.
   *
   * @param most how many entries may be taken out
   * @param keepsIndex whether an empty bucket and its directory stay, for the next one to use
   * @param free is given each entry that was taken out
   * @returns how many were taken out; fewer than `most`: the table is gone
   */
  takeDown(
    rootAt: number,
    most: number,
    keepsIndex: boolean,
    free: (entry: number) => void,
  ): number {
    const roots = this.#roots;
    let count = 0;
    while (roots[rootAt + Root.BUCKETS]! !== 0) {
      const last = roots[rootAt + Root.BUCKETS]! - 1;
      const bucket = this.bucketAt(rootAt, last);
      count += this.#emptyChain(rootAt, bucket, most - count, free);
      if (count === most) return count;
      if (last === 0 && keepsIndex) return count;
      roots[rootAt + Root.BUCKETS] = last;
      this.#dropLeaf(rootAt, last);
    }
    const directory = roots[rootAt + Root.DIRECTORY]! >>> 0;
    if (directory === 0) return count;
    if (roots[rootAt + Root.DIRECTORY_LEAVES]! * 4 === PAGE_BYTES) this.#blocks.freePage(directory);
    else this.#blocks.free(directory);
    roots[rootAt + Root.DIRECTORY] = 0;
    roots[rootAt + Root.DIRECTORY_LEAVES] = 0;
    return count;
  }

  /** Takes out up to `most` entries of a chain; when all are out, frees its overflow buckets. */
  #emptyChain(
    rootAt: number,
    first: number,
    most: number,
    free: (entry: number) => void,
  ): number {
    let count = 0;
    for (let bucket = first; bucket !== 0; bucket = this.#arena.read(bucket, CHAIN_WORD)) {
      const words = this.#arena.wordsOf(bucket);
      const at = this.#arena.wordAt(bucket);
      for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
        const entry = words[at + slot]! >>> 0;
        if (entry === 0) continue;
        if (count === most) return count;
        this.#roots[rootAt + Root.DEPARTURES]!++;
        words[at + slot] = 0;
        this.#setTag(words, at, slot, 0);
        this.#roots[rootAt + Root.ENTRIES]!--;
        free(entry);
        count++;
      }
    }
    for (let bucket = this.#arena.read(first, CHAIN_WORD); bucket !== 0;) {
      const next = this.#arena.read(bucket, CHAIN_WORD);
      this.#blocks.free(bucket);
      this.#roots[rootAt + Root.OVERFLOWS]!--;
      bucket = next;
    }
    this.#arena.write(first, CHAIN_WORD, 0);
    return count;
  }

  /** Index of the bucket that a hash belongs to now. */
  bucketOf(rootAt: number, hash: number): number {
    const buckets = this.#roots[rootAt + Root.BUCKETS]!;
    const mask = 0x7fffffff >>> (Math.clz32(buckets) - 1);
    const index = hash & mask;
    return index < buckets ? index : hash & (mask >>> 1);
  }

  /** Address of bucket `index`. */
  bucketAt(rootAt: number, index: number): number {
    const directory = this.#roots[rootAt + Root.DIRECTORY]! >>> 0;
    if (index < PAGE_LEAF_BUCKETS) {
      const leaf = this.#arena.read(directory, index >>> 4);
      return leaf + (index & (SMALL_LEAF_BUCKETS - 1)) * BUCKET_UNITS;
    }
    const leaf = this.#arena.read(directory, SMALL_LEAVES - 1 + (index >>> 10));
    return leaf + (index & (PAGE_LEAF_BUCKETS - 1)) * BUCKET_UNITS;
  }

  #matches(entry: number, key: Key): boolean {
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry);
    if (words[at + Entry.HASH]! >>> 0 !== key.hash) return false;
    const keyBytes = words[at + Entry.KEY_BYTES]! & 0xffff;
    if (keyBytes !== key.end - key.start) return false;
    const head = words[at]!;
    const bytes = this.#arena.bytesOf(entry);
    let p = at * 4 +
      keyOffset((head >>> 16) & 0xff, (head >>> 8) & 0xff);
    const other = key.bytes;
    for (let i = key.start; i < key.end; i++, p++) {
      if (bytes[p] !== other[i]) return false;
    }
    return true;
  }

  #put(bucket: number, slot: number, entry: number, tag: number): void {
    const words = this.#arena.wordsOf(bucket);
    const at = this.#arena.wordAt(bucket);
    words[at + slot] = entry;
    this.#setTag(words, at, slot, tag);
  }

  #setTag(words: Int32Array, at: number, slot: number, tag: number): void {
    const word = at + TAG_WORD + (slot >>> 2);
    const shift = (slot & 3) * 8;
    words[word] = (words[word]! & ~(0xff << shift)) | (tag << shift);
  }

  #freeSlotIn(bucket: number): number {
    const words = this.#arena.wordsOf(bucket);
    const at = this.#arena.wordAt(bucket);
    for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
      if (words[at + slot]! === 0) return slot;
    }
    return -1;
  }

  #createTable(rootAt: number, shard: number): boolean {
    const directory = this.#blocks.allocate(shard, PageKind.NODE, DIRECTORY_BYTES[0]!);
    if (directory === 0) return false;
    const leafBytes = SMALL_LEAF_BUCKETS * BUCKET_BYTES;
    const leaf = this.#blocks.allocate(shard, PageKind.NODE, leafBytes);
    if (leaf === 0) {
      this.#blocks.free(directory);
      return false;
    }
    this.#arena.zero(directory, DIRECTORY_BYTES[0]!);
    this.#arena.zero(leaf, leafBytes);
    this.#arena.write(directory, 0, leaf);
    this.#roots[rootAt + Root.DIRECTORY] = directory;
    this.#roots[rootAt + Root.DIRECTORY_LEAVES] = DIRECTORY_BYTES[0]! / 4;
    this.#roots[rootAt + Root.BUCKETS] = 1;
    return true;
  }

  /** Adds bucket N and moves to it what belongs there from bucket N - 2^k. */
  #split(rootAt: number, shard: number): void {
    const buckets = this.#roots[rootAt + Root.BUCKETS]!;
    if (buckets >= MAX_BUCKETS || !this.#ensureLeaf(rootAt, shard, buckets)) return;
    const level = 31 - Math.clz32(buckets);
    const source = buckets - 2 ** level;
    this.#gather(this.bucketAt(rootAt, source));
    const target = this.bucketAt(rootAt, buckets);
    this.#arena.zero(target, BUCKET_BYTES);
    this.#roots[rootAt + Root.BUCKETS] = buckets + 1;
    this.#redistribute(rootAt);
  }

  /** Moves the entries of bucket N - 1 to the bucket it was once split from, if they fit. */
  #merge(rootAt: number): void {
    const last = this.#roots[rootAt + Root.BUCKETS]! - 1;
    const level = 31 - Math.clz32(last);
    const target = last - 2 ** level;
    const targetAddress = this.bucketAt(rootAt, target);
    const lastAddress = this.bucketAt(rootAt, last);
    let room = 0;
    let needed = 0;
    for (let b = targetAddress; b !== 0; b = this.#arena.read(b, CHAIN_WORD)) room += BUCKET_SLOTS;
    this.forEachInChain(targetAddress, () => needed++);
    for (let b = this.#arena.read(lastAddress, CHAIN_WORD); b !== 0;) {
      room += BUCKET_SLOTS;
      b = this.#arena.read(b, CHAIN_WORD);
    }
    this.forEachInChain(lastAddress, () => needed++);
    // Without room for all the merge waits: shrinking never allocates.
    if (needed > room) return;
    this.#gather(targetAddress);
    this.#gather(lastAddress);
    this.#roots[rootAt + Root.BUCKETS] = last;
    this.#redistribute(rootAt);
    this.#dropLeaf(rootAt, last);
  }

  /** Empties a chain into the scratch lists; its overflow buckets become spare. */
  #gather(bucketAddress: number): void {
    for (let bucket = bucketAddress; bucket !== 0;) {
      const words = this.#arena.wordsOf(bucket);
      const at = this.#arena.wordAt(bucket);
      for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
        const entry = words[at + slot]! >>> 0;
        if (entry === 0) continue;
        this.#movedAddresses.push(entry);
        this.#movedTags.push(
          (words[at + TAG_WORD + (slot >>> 2)]! >>> ((slot & 3) * 8)) & 0xff,
        );
      }
      const next = words[at + CHAIN_WORD]! >>> 0;
      if (bucket !== bucketAddress) this.#spareBuckets.push(bucket);
      words.fill(0, at, at + BUCKET_BYTES / 4);
      bucket = next;
    }
  }

  /** Puts the gathered entries where they belong now and frees what is spare. */
  #redistribute(rootAt: number): void {
    while (this.#movedAddresses.length > 0) {
      const entry = this.#movedAddresses.pop()!;
      const tag = this.#movedTags.pop()!;
      const hash = this.#arena.read(entry, Entry.HASH);
      let bucket = this.bucketAt(rootAt, this.bucketOf(rootAt, hash));
      let slot = this.#freeSlotIn(bucket);
      while (slot < 0) {
        let next = this.#arena.read(bucket, CHAIN_WORD);
        if (next === 0) {
          // Enough by arithmetic: ceil(a/12) + ceil(b/12) <= ceil((a+b)/12) + 1.
          assert(this.#spareBuckets.length > 0, "a split or merge needs no new bucket");
          next = this.#spareBuckets.pop()!;
          this.#arena.write(bucket, CHAIN_WORD, next);
        }
        bucket = next;
        slot = this.#freeSlotIn(bucket);
      }
      this.#put(bucket, slot, entry, tag);
    }
    while (this.#spareBuckets.length > 0) {
      this.#blocks.free(this.#spareBuckets.pop()!);
      this.#roots[rootAt + Root.OVERFLOWS]!--;
    }
  }

  /** Unlinks and frees the bucket an entry was just removed from if it is an empty overflow one. */
  #dropEmptyOverflow(rootAt: number, hash: number): void {
    const emptied = this.foundBucket;
    let bucket = this.bucketAt(rootAt, this.bucketOf(rootAt, hash));
    if (bucket === emptied) return;
    const words = this.#arena.wordsOf(emptied);
    const at = this.#arena.wordAt(emptied);
    if ((words[at + TAG_WORD]! | words[at + TAG_WORD + 1]! | words[at + TAG_WORD + 2]!) !== 0) {
      return;
    }
    for (;;) {
      const next = this.#arena.read(bucket, CHAIN_WORD);
      if (next === emptied) break;
      bucket = next;
    }
    this.#arena.write(bucket, CHAIN_WORD, words[at + CHAIN_WORD]!);
    this.#blocks.free(emptied);
    this.#roots[rootAt + Root.OVERFLOWS]!--;
  }

  /** Makes sure that the leaf of bucket `index` exists; false when there is no memory for it. */
  #ensureLeaf(rootAt: number, shard: number, index: number): boolean {
    const small = index < PAGE_LEAF_BUCKETS;
    if ((index & (small ? SMALL_LEAF_BUCKETS - 1 : PAGE_LEAF_BUCKETS - 1)) !== 0) return true;
    const leafIndex = small ? index >>> 4 : SMALL_LEAVES - 1 + (index >>> 10);
    if (leafIndex >= this.#roots[rootAt + Root.DIRECTORY_LEAVES]!) {
      if (!this.#growDirectory(rootAt, shard)) return false;
    }
    const leaf = small
      ? this.#blocks.allocate(shard, PageKind.NODE, SMALL_LEAF_BUCKETS * BUCKET_BYTES)
      : this.#blocks.allocatePage(shard, PageKind.LEAF);
    if (leaf === 0) return false;
    this.#arena.write(this.#roots[rootAt + Root.DIRECTORY]! >>> 0, leafIndex, leaf);
    return true;
  }

  /** Frees the leaf of bucket `index` when that was its first, now removed, bucket. */
  #dropLeaf(rootAt: number, index: number): void {
    const small = index < PAGE_LEAF_BUCKETS;
    if ((index & (small ? SMALL_LEAF_BUCKETS - 1 : PAGE_LEAF_BUCKETS - 1)) !== 0) return;
    const leafIndex = small ? index >>> 4 : SMALL_LEAVES - 1 + (index >>> 10);
    const directory = this.#roots[rootAt + Root.DIRECTORY]! >>> 0;
    const leaf = this.#arena.read(directory, leafIndex);
    this.#arena.write(directory, leafIndex, 0);
    if (small) this.#blocks.free(leaf);
    else this.#blocks.freePage(leaf);
  }

  #growDirectory(rootAt: number, shard: number): boolean {
    const oldBytes = this.#roots[rootAt + Root.DIRECTORY_LEAVES]! * 4;
    const newBytes = DIRECTORY_BYTES[DIRECTORY_BYTES.indexOf(oldBytes) + 1];
    if (newBytes === undefined) return false;
    const directory = newBytes === PAGE_BYTES
      ? this.#blocks.allocatePage(shard, PageKind.DIRECTORY)
      : this.#blocks.allocate(shard, PageKind.NODE, newBytes);
    if (directory === 0) return false;
    const old = this.#roots[rootAt + Root.DIRECTORY]! >>> 0;
    this.#arena.zero(directory, newBytes);
    this.#arena.copyBlock(old, directory, oldBytes);
    this.#blocks.free(old);
    this.#roots[rootAt + Root.DIRECTORY] = directory;
    this.#roots[rootAt + Root.DIRECTORY_LEAVES] = newBytes / 4;
    return true;
  }
}

/** The 32 bits of `value` in opposite order. */
export function reverseBits(value: number): number {
  let v = value;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return ((v >>> 16) | (v << 16)) >>> 0;
}
