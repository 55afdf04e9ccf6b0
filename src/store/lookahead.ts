/**
 * Brings what belongs to several keys into the processor's caches at once.
 *
 * Who looks a key up waits for memory twice, for the bucket and then for the entry, each time as
 * long as a third of a command takes. A processor waits for several places together when it meets
 * them within a few hundred instructions, which is less than one command has. So the keys of the
 * next commands are taken together, in loops of a few instructions each:
 *
 * ```text
 * hashes ──▶ which buckets        directories of the index, which are in the caches
 *        ──▶ touch the buckets    all misses at once
 *        ──▶ which entries        by the tags; the first that fits
 *        ──▶ touch overflow buckets, of the few whose bucket does not have it
 *        ──▶ touch the entries    all misses at once
 * ```
 *
 * Nothing depends on what is found. It is read without locks, so it may be of any moment, torn or
 * no entry at all; the lookup that follows under the lock reads all of it again.
 *
 * @module
 */

import { IndexGlance, type IndexParts } from "./index_glance.ts";
import { tagOf } from "./key.ts";
import { Root } from "./table.ts";

/**
 * Keys that are taken together; a multiple of four. A processor has some twenty misses under way at
 * most; with more keys it waits less often for the last of them.
 */
export const LOOKAHEAD_KEYS = 32;

/**
 * With fewer keys in the database, index and entries are in the caches by themselves.
 * Reason: 100 bytes each are then as much as a core's own cache (1 MiB).
 */
export const LOOKAHEAD_DATABASE_KEYS = 10_000;

/**
 * Read besides word 0, because an entry may begin near the end of a cache line: in the last eight
 * bytes of an entry of 56, which has a key and a value of 16 bytes each.
 */
const LATER_WORD = 13;

/**
 * Keys that are to be looked up soon. Takes no lock.
 *
 * Thread: one instance for each user within a thread.
 */
export class Lookahead {
  readonly #parts: IndexParts;
  readonly #glance: IndexGlance;
  readonly #leastKeys: number;
  readonly #hashes: Int32Array<ArrayBuffer> = new Int32Array(LOOKAHEAD_KEYS);
  readonly #hashHighs: Int32Array<ArrayBuffer> = new Int32Array(LOOKAHEAD_KEYS);
  /** Buckets, then entries. */
  readonly #addresses: Int32Array<ArrayBuffer> = new Int32Array(LOOKAHEAD_KEYS);
  /** Those of {@link Lookahead.#addresses} that are overflow buckets. */
  readonly #overflows: Int32Array<ArrayBuffer> = new Int32Array(LOOKAHEAD_KEYS);
  #count = 0;
  /** Makes something of what is read, or it would not be read. */
  #digest = 0;

  /**
   * Wires it to a thread's view of the store.
   *
   * @param leastKeys a database with fewer is taken to be in the caches
   */
  constructor(parts: IndexParts, leastKeys: number) {
    this.#parts = parts;
    this.#glance = new IndexGlance(parts);
    this.#leastKeys = leastKeys;
  }

  /** Whether the database is so large that keys are not in the caches anyway. An estimate. */
  paysOff(database: number): boolean {
    const { control } = this.#parts;
    // Keys are spread evenly: one shard stands for all.
    const keys = control.words[control.databaseRootAt(database, 0) + Root.ENTRIES]!;
    return keys * control.shardCount >= this.#leastKeys;
  }

  /** Keys noted since the last {@link Lookahead.touch}. */
  get count(): number {
    return this.#count;
  }

  /**
   * Notes a key. Once {@link LOOKAHEAD_KEYS} are noted, further ones are not.
   *
   * @param hash its hash
   * @param hashHigh the other word of it
   */
  note(hash: number, hashHigh: number): void {
    const index = this.#count;
    if (index === LOOKAHEAD_KEYS) return;
    this.#hashes[index] = hash;
    this.#hashHighs[index] = hashHigh;
    this.#count = index + 1;
  }

  /** Forgets what was noted. */
  clear(): void {
    this.#count = 0;
  }

  /** Brings buckets and entries of the noted keys into the caches, and forgets them. */
  touch(database: number): void {
    const count = this.#count;
    this.#count = 0;
    // One alone is found as fast by who looks it up.
    if (count < 2) return;
    this.#findBuckets(database, count);
    const { arena } = this.#parts;
    const addresses = this.#addresses;
    let digest = arena.touchAll(addresses, count, 0);
    this.#findEntries(count);
    digest ^= arena.touchAll(addresses, count, 0);
    digest ^= arena.touchAll(addresses, count, LATER_WORD);
    this.#digest = digest;
  }

  #findBuckets(database: number, count: number): void {
    const { control } = this.#parts;
    const addresses = this.#addresses;
    const number = control.tableOf(database);
    const lastShard = control.shardCount - 1;
    for (let i = 0; i < count; i++) {
      const rootAt = control.rootAt(number, this.#hashHighs[i]! & lastShard);
      addresses[i] = this.#glance.bucketOf(rootAt, this.#hashes[i]!);
    }
  }

  #findEntries(count: number): void {
    const glance = this.#glance;
    const addresses = this.#addresses;
    const overflows = this.#overflows;
    let overflowCount = 0;
    for (let i = 0; i < count; i++) {
      const bucket = addresses[i]! >>> 0;
      const entry = glance.entryOf(bucket, tagOf(this.#hashHighs[i]!));
      if (entry !== 0) addresses[i] = entry;
      else if ((addresses[i] = glance.overflowOf(bucket)) !== 0) overflows[overflowCount++] = i;
    }
    if (overflowCount !== 0) this.#findInOverflows(overflowCount);
  }

  /** Of one key in thirty it is the second bucket that has the entry; chains are no longer. */
  #findInOverflows(count: number): void {
    const glance = this.#glance;
    const addresses = this.#addresses;
    const overflows = this.#overflows;
    let digest = 0;
    for (let k = 0; k < count; k++) digest ^= glance.overflowOf(addresses[overflows[k]!]! >>> 0);
    this.#digest = digest;
    for (let k = 0; k < count; k++) {
      const i = overflows[k]!;
      addresses[i] = glance.entryOf(addresses[i]! >>> 0, tagOf(this.#hashHighs[i]!));
    }
  }
}
