/**
 * What the changes of a transaction may need of memory, all together.
 *
 * Per shard the blocks of all its keys are added up, as block_demand.ts argues for one change: it counts
 * by how much the blocks in use can grow, and never what other changes give back.
 *
 * @module
 */

import type { Collection } from "../collection/collection.ts";
import { BlockDemand } from "../collection/block_demand.ts";
import { addIndexDemand, addManyIndexDemand } from "../collection/index_demand.ts";
import { PACKED_RECORD_BYTES } from "../collection/planner.ts";
import { RUN_HEADER_BYTES } from "../collection/records.ts";
import { BALANCE_DATABASE } from "../control.ts";
import { Encoding, Entry, entryBytes, EntryFlag, INTEGER_BYTES, needsExtents } from "../entry.ts";
import { blockBytesFor } from "../in_place_writer.ts";
import { PageKind } from "../page_allocator.ts";
import type { Store } from "../store.ts";
import { ElementKind, PendingExpiry, type PendingKey, PendingKind } from "./pending_key.ts";
import type { TransactionBytes } from "./transaction_bytes.ts";

const DATABASE = BALANCE_DATABASE;

/** Adds up what keys need. Thread: that of the store; needs the locks of the shards. */
export class TransactionDemand {
  readonly #store: Store;
  readonly #bytes: TransactionBytes;
  readonly #demand = new BlockDemand();
  #newKeys = 0;
  #whole = false;

  /** Of changes of a store, whose keys and values are in `bytes`. */
  constructor(store: Store, bytes: TransactionBytes) {
    this.#store = store;
    this.#bytes = bytes;
  }

  /**
   * Upper bound of the pages that changes lease.
   *
   * @param keys those of one shard one behind the other
   * @param open opens the collection of a key as it is when its elements change
   * @param whole whether nodes of collections get whole blocks: less, where memory is short
   */
  pagesFor(
    keys: readonly PendingKey[],
    open: (pending: PendingKey) => Collection,
    whole: boolean,
  ): number {
    this.#whole = whole;
    const { blocks, control } = this.#store.parts;
    const demand = this.#demand;
    let pages = 0;
    for (let i = 0; i < keys.length;) {
      const { shard } = keys[i]!.key;
      demand.clear();
      this.#newKeys = 0;
      for (; i < keys.length && keys[i]!.key.shard === shard; i++) this.#addKey(keys[i]!, open);
      if (this.#newKeys > 1) {
        const rootAt = control.databaseRootAt(DATABASE, shard);
        addManyIndexDemand(demand, control, rootAt, this.#newKeys);
      }
      if (!demand.isEmpty) pages += demand.pages(blocks, shard);
    }
    return pages;
  }

  #addKey(pending: PendingKey, open: (pending: PendingKey) => Collection): void {
    switch (pending.kind) {
      case PendingKind.DELETE:
        return;
      case PendingKind.NONE:
        if (pending.expiry === PendingExpiry.AFTER) this.#addExpiry(pending);
        return;
      case PendingKind.STRING:
        this.#addString(pending);
        return;
      case PendingKind.ADD:
        this.#addSum(pending);
        return;
      default:
        this.#addElements(pending, open(pending));
    }
  }

  #addString({ expiry, key, replaces, valueEnd, valueStart }: PendingKey): void {
    const { blocks, reader } = this.#store.parts;
    const entry = this.#entryOf(key);
    const keyBytes = key.end - key.start;
    const valueBytes = valueEnd - valueStart;
    // One that has expired has none to keep, as the change will find.
    const keepsTtl = expiry === PendingExpiry.KEEP && !replaces &&
      this.#store.peek(DATABASE, key) !== 0;
    const flags = expiry === PendingExpiry.AFTER
      ? EntryFlag.HAS_TTL
      : keepsTtl
      ? reader.flags(entry) & EntryFlag.HAS_TTL
      : 0;
    const isLarge = needsExtents(flags, keyBytes, valueBytes);
    const encoding = isLarge ? Encoding.EXTENTS : Encoding.RAW;
    const byteCount = entryBytes(flags, encoding, keyBytes, valueBytes);
    if (
      entry !== 0 && !isLarge && reader.encoding(entry) < Encoding.EXTENTS &&
      blocks.blockBytes(entry) === blockBytesFor(byteCount)
    ) return;
    this.#demand.add(PageKind.ENTRY, byteCount, 1);
    if (isLarge) this.#demand.addExtents(valueBytes);
    if (entry === 0) this.#addNewKey(key.shard);
  }

  #addSum(pending: PendingKey): void {
    const { key, replaces } = pending;
    const { reader } = this.#store.parts;
    const entry = replaces ? 0 : this.#store.peek(DATABASE, key);
    const flags = entry === 0 ? 0 : reader.flags(entry) & EntryFlag.HAS_TTL;
    const keyBytes = key.end - key.start;
    if (entry === 0 || reader.encoding(entry) !== Encoding.INTEGER) {
      const byteCount = entryBytes(flags, Encoding.INTEGER, keyBytes, INTEGER_BYTES);
      this.#demand.add(PageKind.ENTRY, byteCount, 1);
      if (replaces || this.#entryOf(key) === 0) this.#addNewKey(key.shard);
    }
    if (pending.expiry === PendingExpiry.AFTER && flags === 0) {
      const byteCount = entryBytes(EntryFlag.HAS_TTL, Encoding.INTEGER, keyBytes, INTEGER_BYTES);
      this.#demand.add(PageKind.ENTRY, byteCount, 1);
    }
  }

  /** Of a time to live that a key gets which does not change otherwise. */
  #addExpiry({ key }: PendingKey): void {
    const { arena, reader } = this.#store.parts;
    const entry = this.#store.peek(DATABASE, key);
    if (entry === 0 || (reader.flags(entry) & EntryFlag.HAS_TTL) !== 0) return;
    const flags = reader.flags(entry) | EntryFlag.HAS_TTL;
    const keyBytes = key.end - key.start;
    const valueBytes = arena.read(entry, Entry.VALUE_BYTES);
    let encoding = reader.encoding(entry);
    if (encoding === Encoding.RAW && needsExtents(flags, keyBytes, valueBytes)) {
      encoding = Encoding.EXTENTS;
      this.#demand.addExtents(valueBytes);
    }
    this.#demand.add(PageKind.ENTRY, entryBytes(flags, encoding, keyBytes, valueBytes), 1);
  }

  #addElements(pending: PendingKey, c: Collection): void {
    const { expiry, key } = pending;
    pending.fits = this.#fits(pending, c);
    if (!pending.fits) this.#addComing(pending, c);
    if (expiry !== PendingExpiry.AFTER) return;
    const keyBytes = key.end - key.start;
    const least = entryBytes(EntryFlag.HAS_TTL, Encoding.TREE, keyBytes, 0);
    const most = entryBytes(
      EntryFlag.HAS_TTL,
      Encoding.PACKED,
      keyBytes,
      RUN_HEADER_BYTES + PACKED_RECORD_BYTES,
    );
    this.#demand.addEntrySteps(least, most, 1);
  }

  /**
   * Whether a single element comes that needs no memory, as in a store that is full: what
   * {@link BlockDemand} bounds is what it would take if there were no room.
   */
  #fits({ back, front, items, kind }: PendingKey, c: Collection): boolean {
    if (items.length + front.length + back.length !== 1 || c.entry === 0) return false;
    const { hashes, lists, sortedSets } = this.#store.collections;
    if (kind === PendingKind.LIST) {
      const { end, start } = front[0] ?? back[0]!;
      return lists.fitsOne(c, front.length === 1, end - start);
    }
    const { end, kind: elementKind, newScore, start, valueEnd, valueStart } = items[0]!;
    if (elementKind === ElementKind.REMOVE) return false;
    const { bytes } = this.#bytes;
    if (kind !== PendingKind.SORTED_SET) {
      return hashes.fitsOne(c, bytes, start, end, valueEnd - valueStart);
    }
    const exists = sortedSets.find(c, bytes, start, end);
    return exists && sortedSets.score === newScore ||
      sortedSets.fitsOne(c, exists, bytes, start, end, newScore);
  }

  /** Of elements that come and go. */
  #addComing(pending: PendingKey, c: Collection): void {
    const { collections } = this.#store;
    const { back, front, items, kind } = pending;
    const coming = collections.startComing(c);
    for (let i = 0; i < front.length; i++) coming.add(front[i]!.end - front[i]!.start);
    for (let i = 0; i < back.length; i++) coming.add(back[i]!.end - back[i]!.start);
    let removals = 0;
    for (let i = 0; i < items.length; i++) {
      const element = items[i]!;
      if (element.kind === ElementKind.REMOVE) {
        removals++;
      } else {
        const valueBytes = kind === PendingKind.HASH ? element.valueEnd - element.valueStart : -1;
        coming.add(element.end - element.start, valueBytes);
        // A new score is a removal and an insertion.
        if (kind === PendingKind.SORTED_SET) removals++;
      }
    }
    const isAtEdge = kind === PendingKind.LIST && (front.length === 0 || back.length === 0);
    collections.addDemand(c, removals, isAtEdge, this.#whole, this.#demand, pending.way);
    if (c.entry === 0 && coming.records > 0) this.#newKeys++;
  }

  #addNewKey(shard: number): void {
    const { control } = this.#store.parts;
    this.#newKeys++;
    // Of several it is added for all of them together.
    if (this.#newKeys > 1) return;
    addIndexDemand(this.#demand, control, control.databaseRootAt(DATABASE, shard));
  }

  /** The entry of a key, expired or not; 0 = there is none. */
  #entryOf(key: PendingKey["key"]): number {
    const { control, table } = this.#store.parts;
    return table.find(control.databaseRootAt(DATABASE, key.shard), key);
  }
}
