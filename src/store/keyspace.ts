/**
 * What concerns whole databases, and keys that change their database or their name.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { Collection } from "./collection/collection.ts";
import type { Collections } from "./collection/collections.ts";
import { collectionEncodingName } from "./collection/encoding_name.ts";
import { Encoding, Entry, EntryType } from "./entry.ts";
import type { KeyVersions } from "./key_versions.ts";
import { EntryMover, type MoverParts, type Place } from "./entry_mover.ts";
import type { WriteStatus } from "./entry_writer.ts";
import { Header } from "./control.ts";
import { MutationPhase, type ShardLocks } from "./locks.ts";
import { BUCKET_SLOTS, reverseBits, Root } from "./table.ts";
import { FREED_PER_LOCK, type TableMap } from "./table_map.ts";

/**
 * How long {@link Keyspace.reclaim} frees at most. Unit: ms. Reason: the write that waits for it runs
 * on a thread that serves others.
 */
const RECLAIM_MS = 2;

/** Operation number of freeing what a flush left behind, for the text of a fault. */
export const FREE_DETACHED_OPERATION = 7;

/** Slots of a bucket and its likely overflow, from which a sample is drawn. */
const SAMPLED_SLOTS = 2 * BUCKET_SLOTS;
/** Draws before a sample is given up; with the least load one in twelve hits. */
const SAMPLE_DRAWS = 100;

/** Longest string that Redis stores in one piece with its object. Unit: bytes. */
const EMBEDDED_BYTES = 44;

/** What a {@link Keyspace} works with. */
export interface KeyspaceParts extends MoverParts {
  /** Opens collections. */
  collections: Collections;
  /** The shards' locks. */
  locks: ShardLocks;
  /** Which table a database has. */
  tables: TableMap;
  /** Told of swaps, which change what watched keys mean. */
  versions: KeyVersions;
}

/**
 * Operations on databases and on the places of keys.
 *
 * Thread: one instance per thread; each operation says which locks it needs.
 */
export class Keyspace {
  /** Which table a database has. */
  readonly tables: TableMap;
  /** Gives values other keys. */
  readonly mover: EntryMover;

  readonly #parts: KeyspaceParts;
  readonly #number = new Int64();
  readonly #collection: Collection;
  #nextShard = 0;

  /** Wires the parts of one thread together. */
  constructor(parts: KeyspaceParts) {
    this.#parts = parts;
    this.tables = parts.tables;
    this.mover = new EntryMover(parts);
    this.#collection = new Collection(parts.arena, parts.extents);
  }

  /**
   * Empties a database: at once for everybody, in slices for memory (see {@link Keyspace.freeSlice}).
   * Needs the exclusive locks of all shards. Needs no memory.
   *
   * @returns false, nothing changed, when earlier flushes have to be freed first
   */
  flush(database: number): boolean {
    if (this.tables.isEmpty(database)) return true;
    if (!this.tables.flush(database)) return false;
    this.#parts.writer.hook?.flushed(database);
    return true;
  }

  /** The same for several databases: all of them or, when false is returned, none. */
  flushAll(databases: readonly number[]): boolean {
    if (!this.tables.canFlush(databases)) return false;
    for (const database of databases) this.flush(database);
    return true;
  }

  /**
   * Lets two databases have each other's keys. Needs the exclusive locks of all shards.
   *
   * @returns false, nothing changed, without memory
   */
  swap(first: number, second: number): boolean {
    if (first === second) return true;
    if (!this.tables.swap(first, second)) return false;
    for (let shard = 0; shard < this.#parts.control.shardCount; shard++) {
      this.#parts.versions.noteTurnover(shard);
    }
    this.#parts.writer.hook?.swapped(first, second);
    return true;
  }

  /** Keys of a database that have a time to live. Takes no lock: a snapshot. */
  timedCount(database: number): number {
    const { control } = this.#parts;
    let count = 0;
    for (let shard = 0; shard < control.shardCount; shard++) {
      count += control.words[control.databaseRootAt(database, shard) + Root.TIMED]!;
    }
    return count;
  }

  /**
   * Frees what flushed databases have left behind, until `untilMs` or nothing is left.
   *
   * Thread: any that holds no shard lock. Passes busy shards over.
   *
   * @param untilMs as `performance.now()` counts
   * @returns how many entries were freed; 0 when nothing is left, or all that is left is locked
   */
  freeSlice(untilMs: number): number {
    const { locks, control, writer } = this.#parts;
    let freed = 0;
    let idle = 0;
    while (this.tables.hasDetached && idle < control.shardCount) {
      const shard = this.#nextShard;
      let count = 0;
      if (locks.tryLock(shard, true)) {
        writer.markPhase(shard, MutationPhase.WRITING);
        try {
          count = this.tables.freeDetached(shard, FREED_PER_LOCK);
        } catch (error) {
          locks.poison(shard, FREE_DETACHED_OPERATION);
          throw error;
        }
        writer.markPhase(shard, MutationPhase.DONE);
        locks.unlock(shard, true);
      }
      if (count < FREED_PER_LOCK) this.#nextShard = (shard + 1) & (control.shardCount - 1);
      idle = count === 0 ? idle + 1 : 0;
      freed += count;
      if (freed > 0 && performance.now() >= untilMs) break;
    }
    return freed;
  }

  /**
   * Frees what flushed databases have left behind until a page is free or it has taken too long.
   *
   * Thread: any that holds no shard lock.
   *
   * @returns whether anything was freed
   */
  reclaim(): boolean {
    if (!this.tables.hasDetached) return false;
    const { words } = this.#parts.control;
    const pagesFree = Atomics.load(words, Header.PAGES_FREE);
    const untilMs = performance.now() + RECLAIM_MS;
    let freed = 0;
    do {
      const count = this.freeSlice(0);
      if (count === 0) break;
      freed += count;
      if (Atomics.load(words, Header.PAGES_FREE) > pagesFree) break;
    } while (this.tables.hasDetached && performance.now() < untilMs);
    return freed > 0;
  }

  /** See {@link EntryMover.relink}. */
  relink(from: Place, toDatabase: number): WriteStatus {
    return this.mover.relink(from, toDatabase);
  }

  /** See {@link EntryMover.transfer}. */
  transfer(from: Place, to: Place, goes: boolean): WriteStatus {
    return this.mover.transfer(from, to, goes);
  }

  /**
   * Like `Store.scanShard`, but over many calls each entry is visited once at most, even when the
   * table shrinks in between and a bucket that was visited becomes part of one that was not. Needs
   * the shard's lock, shared is enough.
   */
  scanOnce(
    database: number,
    shard: number,
    position: number,
    visit: (entry: number) => void,
  ): number {
    const { arena, control, table } = this.#parts;
    return table.scan(control.databaseRootAt(database, shard), position, (entry) => {
      if (reverseBits(arena.read(entry, Entry.HASH)) >= position) visit(entry);
    });
  }

  /** Entries of a database in one shard, expired ones included. Takes no lock: a snapshot. */
  entryCount(database: number, shard: number): number {
    const { control } = this.#parts;
    return control.words[control.databaseRootAt(database, shard) + Root.ENTRIES]!;
  }

  /**
   * Draws an entry of a shard, each with the same chance. Needs the shard's lock, shared is enough.
   *
   * @param random numbers from 0 to 1
   * @returns 0 when there is none, none was hit, or what was hit has expired
   */
  sample(database: number, shard: number, random: () => number): number {
    const { control, reader, table, writer } = this.#parts;
    const rootAt = control.databaseRootAt(database, shard);
    const buckets = control.words[rootAt + Root.BUCKETS]!;
    if (control.words[rootAt + Root.ENTRIES] === 0) return 0;
    const found: number[] = [];
    for (let i = 0; i < SAMPLE_DRAWS; i++) {
      found.length = 0;
      const bucket = table.bucketAt(rootAt, Math.floor(random() * buckets));
      table.forEachInChain(bucket, (entry) => found.push(entry));
      // A slot is drawn, not an entry: else those in bare buckets would be drawn more often.
      const slot = Math.floor(random() * Math.max(SAMPLED_SLOTS, found.length));
      const entry = found[slot];
      if (entry !== undefined && !reader.isExpired(entry, writer.clock.nowMs)) return entry;
    }
    return 0;
  }

  /** Whole seconds since the entry was last used. */
  idleSeconds(entry: number): number {
    const { arena, writer } = this.#parts;
    const nowSeconds = Math.floor(writer.clock.nowMs / 1000);
    return Math.max(0, nowSeconds - arena.read(entry, Entry.CLOCK));
  }

  /** Makes an entry one that was last used so many seconds ago. */
  setIdleSeconds(entry: number, seconds: number): void {
    const { arena, writer } = this.#parts;
    const nowSeconds = Math.floor(writer.clock.nowMs / 1000);
    arena.write(entry, Entry.CLOCK, Math.max(0, nowSeconds - seconds));
  }

  /** What a client is told about how a value is stored: Redis's name for one like it. */
  encodingName(entry: number): string {
    const { reader } = this.#parts;
    if (reader.type(entry) !== EntryType.STRING) {
      this.#parts.collections.openEntry(this.#collection, entry);
      return collectionEncodingName(this.#collection);
    }
    if (reader.readInteger(entry, this.#number)) return "int";
    return reader.stringLength(entry) <= EMBEDDED_BYTES ? "embstr" : "raw";
  }

  /** Bytes of the arena that a key takes: its blocks and pages, and its share of the index. */
  memoryBytes(entry: number): number {
    const { blocks, collections, extents, reader } = this.#parts;
    const encoding = reader.encoding(entry);
    let ofValue = 0;
    if (encoding === Encoding.EXTENTS) {
      ofValue = extents.footprintBytes(extents.rootOf(entry));
    } else if (encoding === Encoding.TREE) {
      collections.openEntry(this.#collection, entry);
      ofValue = collections.footprintBytes(this.#collection);
    }
    // A slot of the index has an address and a tag.
    return blocks.blockBytes(entry) + ofValue + 5;
  }
}
