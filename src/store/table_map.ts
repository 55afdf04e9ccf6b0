/**
 * Which table a database's keys are in, and what becomes of tables that no database has any more.
 *
 * ```text
 * database 0 … 15 ──▶ table 0 … 31 ──▶ a root in every shard (table.ts)
 *
 * a table of keys is    named by the map        in use
 *                       marked as detached      its keys are gone; entries are freed in slices
 *                       neither                 free: no shard has entries in it
 * ```
 *
 * The map changes under the locks of all shards and is read under any of them, so an operation on a
 * key sees one table from its first step to its last. Swapping two databases swaps two words; flushing
 * one gives it a free table. An entry knows its table and not its database, so neither touches
 * entries.
 *
 * A detached table goes a few entries at a time (docs/memory.md): with later writes to the shard,
 * with reclaim, and with whoever flushed. Each shard takes down its own part, under its lock; the last
 * one clears the table's bit in the mask, and it is free.
 *
 * **The heir.** A new balance must find an index in its shard, made (C1, balance_reserve.ts). So one
 * free table, the heir, always has an empty index in every shard. When database 0 is flushed it takes
 * the heir, and its old table becomes the heir as soon as its entries are gone: that one keeps one
 * bucket per shard when it is taken down. So flushing needs no memory, which it often is to make.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  BALANCE_DATABASE,
  type ControlRegion,
  DATABASE_COUNT,
  DATABASE_TABLE_COUNT,
  Header,
} from "./control.ts";
import { Root, type Table } from "./table.ts";

/** Entries of detached tables that a write to their shard frees: more than it can have added. */
export const FREED_PER_WRITE = 16;
/** Entries that are freed at most while a lock is held. */
export const FREED_PER_LOCK = 64;

/** What a {@link TableMap} works with. */
export interface TableMapParts {
  /** Roots, map and mask. */
  control: ControlRegion;
  /** The index. */
  table: Table;
  /** Frees an entry that is in no table any more, with its value. */
  freeEntry: (shard: number, entry: number) => void;
}

/** The map of one thread's store. Thread: one instance per thread. */
export class TableMap {
  readonly #control: ControlRegion;
  readonly #table: Table;
  readonly #freeEntry: (shard: number, entry: number) => void;

  /** Wires the parts of one thread together. */
  constructor(parts: TableMapParts) {
    this.#control = parts.control;
    this.#table = parts.table;
    this.#freeEntry = parts.freeEntry;
  }

  /**
   * Makes the indexes that balances rely on: of database 0 and of its heir, in every shard.
   *
   * Thread: the one that starts the server, before all others.
   *
   * @returns false when there is no memory for them
   */
  prepare(): boolean {
    const { words } = this.#control;
    return this.#ensureEverywhere(this.#control.tableOf(BALANCE_DATABASE)) &&
      this.#ensureEverywhere(words[Header.HEIR_TABLE]!);
  }

  /**
   * Empties a database at once. Needs the exclusive locks of all shards; cannot run out of memory.
   *
   * @returns false, nothing changed, when no table is free: free detached ones, then try again
   */
  flush(database: number): boolean {
    if (this.isEmpty(database)) return true;
    const { words } = this.#control;
    const old = this.#control.tableOf(database);
    const next = database === BALANCE_DATABASE ? words[Header.HEIR_TABLE]! : this.#findFree();
    if (next < 0 || this.isDetached(next)) return false;
    words[Header.TABLE_OF_DATABASE + database] = next;
    if (database === BALANCE_DATABASE) words[Header.HEIR_TABLE] = old;
    this.#detach(old);
    return true;
  }

  /** Whether there are free tables for all of these databases that have keys. */
  canFlush(databases: readonly number[]): boolean {
    const heir = this.#control.words[Header.HEIR_TABLE]!;
    let free = 0;
    for (let table = 0; table < DATABASE_TABLE_COUNT; table++) if (this.#isFree(table)) free++;
    for (const database of databases) {
      if (this.isEmpty(database)) continue;
      if (database === BALANCE_DATABASE ? this.isDetached(heir) : free-- === 0) return false;
    }
    return true;
  }

  /**
   * Lets two databases have each other's keys. Needs the exclusive locks of all shards.
   *
   * @returns false, nothing changed, when there is no memory for the index that balances rely on
   */
  swap(first: number, second: number): boolean {
    const { words } = this.#control;
    const ofFirst = this.#control.tableOf(first);
    const ofSecond = this.#control.tableOf(second);
    if (first === BALANCE_DATABASE && !this.#ensureEverywhere(ofSecond)) return false;
    if (second === BALANCE_DATABASE && !this.#ensureEverywhere(ofFirst)) return false;
    words[Header.TABLE_OF_DATABASE + first] = ofSecond;
    words[Header.TABLE_OF_DATABASE + second] = ofFirst;
    return true;
  }

  /** Whether no shard has an entry of the database. Needs the locks of all shards. */
  isEmpty(database: number): boolean {
    const { words, shardCount } = this.#control;
    const table = this.#control.tableOf(database);
    for (let shard = 0; shard < shardCount; shard++) {
      if (words[this.#control.rootAt(table, shard) + Root.ENTRIES] !== 0) return false;
    }
    return true;
  }

  /** Whether there are detached tables. Takes no lock. */
  get hasDetached(): boolean {
    return Atomics.load(this.#control.words, Header.DETACHED_TABLES) !== 0;
  }

  /** Entries of detached tables that are not freed yet. Takes no lock: a snapshot. */
  detachedCount(): number {
    const { words, shardCount } = this.#control;
    let count = 0;
    for (let mask = Atomics.load(words, Header.DETACHED_TABLES); mask !== 0; mask &= mask - 1) {
      const table = 31 - Math.clz32(mask & -mask);
      for (let shard = 0; shard < shardCount; shard++) {
        count += words[this.#control.rootAt(table, shard) + Root.ENTRIES]!;
      }
    }
    return count;
  }

  /** Whether a table is detached. */
  isDetached(table: number): boolean {
    return (Atomics.load(this.#control.words, Header.DETACHED_TABLES) & (1 << table)) !== 0;
  }

  /** Whether a shard has nothing of a detached table any more. Needs the shard's lock. */
  isDown(table: number, shard: number): boolean {
    const { words } = this.#control;
    const rootAt = this.#control.rootAt(table, shard);
    if (table !== words[Header.HEIR_TABLE]) return words[rootAt + Root.BUCKETS] === 0;
    return words[rootAt + Root.BUCKETS] === 1 && words[rootAt + Root.ENTRIES] === 0 &&
      words[rootAt + Root.OVERFLOWS] === 0;
  }

  /**
   * Frees entries of detached tables. Needs the shard's exclusive lock.
   *
   * @param most how many at most
   * @returns how many; the index without entries counts as one
   */
  freeDetached(shard: number, most: number): number {
    const { words } = this.#control;
    let mask = Atomics.load(words, Header.DETACHED_TABLES);
    let count = 0;
    while (mask !== 0 && count < most) {
      const table = 31 - Math.clz32(mask & -mask);
      mask &= mask - 1;
      if (this.isDown(table, shard)) continue;
      count += this.#table.takeDown(
        this.#control.rootAt(table, shard),
        most - count,
        table === words[Header.HEIR_TABLE],
        (entry) => this.#freeEntry(shard, entry),
      );
      if (!this.isDown(table, shard)) continue;
      this.#endPart(table);
      count++;
    }
    return count;
  }

  #endPart(table: number): void {
    const { words } = this.#control;
    const before = Atomics.sub(words, Header.DETACHED_PARTS + table, 1);
    assert(before > 0, `table ${table} has a part to take down`);
    if (before === 1) Atomics.and(words, Header.DETACHED_TABLES, ~(1 << table));
  }

  #detach(table: number): void {
    const { words, shardCount } = this.#control;
    let parts = 0;
    for (let shard = 0; shard < shardCount; shard++) if (!this.isDown(table, shard)) parts++;
    Atomics.store(words, Header.DETACHED_PARTS + table, parts);
    if (parts > 0) Atomics.or(words, Header.DETACHED_TABLES, 1 << table);
  }

  #findFree(): number {
    for (let table = 0; table < DATABASE_TABLE_COUNT; table++) {
      if (this.#isFree(table)) return table;
    }
    return -1;
  }

  /** Whether a table serves no database, is not the heir and has nothing in it. */
  #isFree(table: number): boolean {
    return table !== this.#control.words[Header.HEIR_TABLE] && !this.isDetached(table) &&
      this.#control.databaseOf(table) < 0;
  }

  #ensureEverywhere(table: number): boolean {
    for (let shard = 0; shard < this.#control.shardCount; shard++) {
      if (!this.#table.ensureTable(this.#control.rootAt(table, shard), shard)) return false;
    }
    return true;
  }
}

assert(DATABASE_TABLE_COUNT <= 32, "a mask of tables fits a word");
assert(DATABASE_TABLE_COUNT > DATABASE_COUNT, "database 0 has an heir");
