/**
 * What `WATCH` remembers of a key, and whether the key has changed since.
 *
 * ```text
 * per shard, at the end of the control region (control.ts), guarded by the shard's lock:
 *   turnover   grows when entries change places in bulk, as when databases are swapped
 *   creations  2^k words, index = low bits of the key's hash; grow whenever a key is created
 * ```
 *
 * A key that exists has changed when its entry's `seq` is another: every mutation draws a new one,
 * and none is drawn twice in a shard. A key that does not exist leaves no `seq`; but whatever was
 * there for a while was created first, so the count of creations tells. Other keys with the same low
 * bits of the hash count as well: then a change is reported that was none, which is rare and does no
 * harm.
 *
 * @module
 */

import type { ControlRegion } from "./control.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { Key } from "./key.ts";
import type { Table } from "./table.ts";

/** A key at a moment. */
export interface KeyVersion {
  /** Number of the entry's last mutation, expired or not; 0 = there is none. */
  seq: number;
  /** Whether there was an entry that had not expired. */
  exists: boolean;
  /** Creations of keys with this hash, modulo 2^32. */
  creations: number;
  /** Changes of the shard as a whole, modulo 2^32. */
  turnover: number;
}

/** What {@link KeyVersions} look at. */
export interface KeyVersionParts {
  /** Has the counters. */
  control: ControlRegion;
  /** Reads entries. */
  reader: EntryReader;
  /** The index. */
  table: Table;
}

/**
 * Reads and compares versions of keys.
 *
 * Thread: one instance per thread; every call needs the lock of the key's shard, shared is enough.
 */
export class KeyVersions {
  readonly #parts: KeyVersionParts;
  readonly #clock: { readonly nowMs: number };
  readonly #now: KeyVersion = { seq: 0, exists: false, creations: 0, turnover: 0 };

  /** Wires the parts of one thread together. */
  constructor(parts: KeyVersionParts, clock: { readonly nowMs: number }) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** Fills `version` with what a located key is now. */
  read(database: number, key: Key, version: KeyVersion): void {
    const { control, reader, table } = this.#parts;
    const entry = table.find(control.databaseRootAt(database, key.shard), key);
    version.seq = entry === 0 ? 0 : reader.seq(entry);
    version.exists = entry !== 0 && !reader.isExpired(entry, this.#clock.nowMs);
    version.creations = control.words[control.creationsAt(key.shard, key.hash)]!;
    version.turnover = control.words[control.turnoverAt(key.shard)]!;
  }

  /** Whether a located key is another than it was, or may have been meanwhile. */
  hasChanged(database: number, key: Key, then: KeyVersion): boolean {
    const now = this.#now;
    this.read(database, key, now);
    return now.seq !== then.seq || now.exists !== then.exists || now.turnover !== then.turnover ||
      (!now.exists && now.creations !== then.creations);
  }

  /**
   * Notes that entries of a shard change places in bulk, as when databases are swapped: all watched
   * keys of it count as changed. Needs the shard's exclusive lock.
   */
  noteTurnover(shard: number): void {
    const { control } = this.#parts;
    control.words[control.turnoverAt(shard)]!++;
  }
}
