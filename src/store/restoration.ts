/**
 * What a store that is filled with the keys of another one takes over besides their values.
 *
 * @module
 */

import type { Arena } from "./arena.ts";
import type { Collections } from "./collection/collections.ts";
import { type ControlRegion, DATABASE_COUNT, Shard } from "./control.ts";
import { Entry, EntryFlag } from "./entry.ts";
import type { EntryWriter } from "./entry_writer.ts";
import type { Table } from "./table.ts";

/** What a {@link Restoration} works with. */
export interface RestorationParts {
  /** Client data. */
  readonly arena: Arena;
  /** Who has remembered something of entries by their numbers. */
  readonly collections: Collections;
  /** Roots and counters. */
  readonly control: ControlRegion;
  /** Finds entries. */
  readonly table: Table;
  /** Numbers entries. */
  readonly writer: EntryWriter;
}

/**
 * Numbers of mutations and pins, as another store had them.
 *
 * Numbers are unique in a shard, and the other store may have had other shards: while entries have
 * theirs from there, two of one shard may have the same. {@link Restoration.finish} ends that.
 *
 * Thread: the one that starts the server, before there are others.
 */
export class Restoration {
  readonly #parts: RestorationParts;

  /** Made by `Store.restoration`. */
  constructor(parts: RestorationParts) {
    this.#parts = parts;
  }

  /** Gives an entry the number of its last mutation, and says whether an event wrote it. */
  restore(entry: number, seq: number, isPinned: boolean): void {
    const { arena, collections, writer } = this.#parts;
    writer.stamp(entry, seq);
    collections.ends.forget();
    // It may have the pin of a value that had expired when this one was written over it.
    const head = arena.read(entry, Entry.TYPE) & ~(EntryFlag.PINNED << 16);
    arena.write(entry, Entry.TYPE, isPinned ? head | (EntryFlag.PINNED << 16) : head);
  }

  /**
   * Gives all entries numbers that are unique in their shard and above `seq`, as will be those of all
   * mutations to come.
   */
  finish(seq: number): void {
    const { collections, control, table, writer } = this.#parts;
    collections.ends.forget();
    for (let shard = 0; shard < control.shardCount; shard++) {
      const at = control.shardAt(shard);
      control.words[at + Shard.SEQ_LO] = seq | 0;
      control.words[at + Shard.SEQ_HI] = Math.floor(seq / 2 ** 32);
      for (let database = 0; database < DATABASE_COUNT; database++) {
        let position = 0;
        do {
          position = table.scan(
            control.databaseRootAt(database, shard),
            position,
            (entry) => writer.stampSeq(shard, entry),
          );
        } while (position !== 0);
      }
    }
  }
}
