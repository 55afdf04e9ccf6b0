/**
 * Opening collections: at a key, or that of an entry.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { ControlRegion } from "../control.ts";
import { Encoding, Entry, EntryFlag, EntryType, MAX_KEY_BYTES } from "../entry.ts";
import { type EntryWriter, WriteStatus } from "../entry_writer.ts";
import type { Extents } from "../extents.ts";
import type { Key } from "../key.ts";
import { Root, type Table } from "../table.ts";
import { Collection } from "./collection.ts";
import { CollectionEntries, rootWord } from "./entries.ts";
import { CollectionRoot } from "./node.ts";
import type { CollectionsParts } from "./parts.ts";
import { RECORD_KINDS } from "./planner.ts";
import { RecordKind } from "./records.ts";

// V8 fetches what another module exports at each use; what is this module's own it makes part of the
// code. Every command on a collection comes through here.
const { CLOCK, TYPE } = Entry;
const { COUNT, TREE_0, TREE_1 } = CollectionRoot;
const { KEY_TOO_LONG, OK, WRONG_TYPE } = WriteStatus;
const { SORTED_SET } = EntryType;
const { TREE } = Encoding;
const { MEMBERS } = RecordKind;
const { DEPARTURES } = Root;
const KINDS = RECORD_KINDS;
const MOST_KEY_BYTES = MAX_KEY_BYTES;
/** The flag in the first word of an entry. */
const HAS_TTL = EntryFlag.HAS_TTL << 16;
/** Word of the root, of an entry without and with a time to live. */
const ROOT_WORD = rootWord(0);
const TIMED_ROOT_WORD = rootWord(EntryFlag.HAS_TTL);

/** Opens collections. Thread: one instance per thread, under the locks of the keys' shards. */
export class CollectionOpener {
  /** Client data. */
  protected readonly arena: Arena;
  /** Long elements. */
  protected readonly extents: Extents;
  /** Deletes keys, draws numbers. */
  protected readonly writer: EntryWriter;
  /** Entries of collections. */
  protected readonly entries: CollectionEntries;
  readonly #control: ControlRegion;
  readonly #table: Table;
  readonly #handles: Collection[] = [];

  /** Wires the parts of one thread together. */
  constructor(parts: CollectionsParts) {
    this.arena = parts.arena;
    this.extents = parts.extents;
    this.writer = parts.writer;
    this.entries = new CollectionEntries({ ...parts, clock: parts.writer.clock });
    this.#control = parts.control;
    this.#table = parts.table;
  }

  /** A {@link Collection} to open; the same one for the same `index` each time. */
  handle(index: number): Collection {
    const handles = this.#handles;
    while (handles.length <= index) handles.push(new Collection(this.arena, this.extents));
    return handles[index]!;
  }

  /**
   * Opens the collection at a key, which may not exist: then it has no elements. Needs the shard's
   * lock; exclusive when `willWrite`.
   *
   * @returns OK, WRONG_TYPE or KEY_TOO_LONG
   */
  open(
    c: Collection,
    database: number,
    key: Key,
    type: EntryType,
    willWrite: boolean,
  ): WriteStatus {
    return this.openFound(c, database, key, type, willWrite, this.find(database, key));
  }

  /** What is at a key, of whatever type, and expired or not; 0 = nothing. */
  find(database: number, key: Key): number {
    return this.#find(this.#control.databaseRootAt(database, key.shard), key);
  }

  /** As {@link CollectionOpener.open}, of a key at which {@link CollectionOpener.find} has found `entry`. */
  openFound(
    c: Collection,
    database: number,
    key: Key,
    type: EntryType,
    willWrite: boolean,
    entry: number,
  ): WriteStatus {
    c.database = database;
    c.type = type;
    c.key.copyFrom(key);
    c.entry = c.root = 0;
    c.count = c.changed = 0;
    c.isDetached = false;
    const access = this.writer.clock;
    const words = this.arena.wordsOf(entry);
    const at = this.arena.wordAt(entry);
    const head = words[at + TYPE]!;
    if (entry !== 0 && ((head & HAS_TTL) === 0 || !this.writer.isExpired(entry))) {
      if ((head & 0xff) !== type) return WRONG_TYPE;
      if (access.stamps) words[at + CLOCK] = access.nowSeconds;
      this.#load(c, entry, head);
    } else {
      if (entry !== 0 && willWrite) this.writer.remove(database, key);
      this.rewind(c);
    }
    access.note(c.exists);
    if (willWrite && key.end - key.start > MOST_KEY_BYTES) return KEY_TOO_LONG;
    return OK;
  }

  /** Opens the collection of an entry that was looked up, to read it. */
  openEntry(c: Collection, entry: number): void {
    const head = this.arena.read(entry, TYPE);
    c.type = (head & 0xff) as EntryType;
    this.#load(c, entry, head);
  }

  /** Points the cursors of a collection at what it is now; they stand nowhere until they seek. */
  rewind(c: Collection): void {
    const kind = KINDS[c.type]!;
    if (c.root !== 0) {
      c.cursor.openTree(kind, this.arena.read(c.root, TREE_0));
      if (c.type === SORTED_SET) {
        c.members.openTree(MEMBERS, this.arena.read(c.root, TREE_1));
      }
    } else if (c.entry !== 0) {
      c.cursor.openRun(kind, this.arena.bytesOf(c.entry), this.entries.runAt(c.entry));
    } else {
      c.cursor.openTree(kind, 0);
      c.members.openTree(MEMBERS, 0);
    }
  }

  /** The entry of a key; of one that comes again, it is where it was if none has left its place. */
  #find(rootAt: number, key: Key): number {
    if (key.rememberedBytes < 0) return this.#table.find(rootAt, key);
    const departures = this.#control.words[rootAt + DEPARTURES]!;
    if (key.entry !== 0 && key.rootAt === rootAt && key.departures === departures) {
      return key.entry;
    }
    const entry = this.#table.find(rootAt, key);
    key.entry = entry;
    key.rootAt = rootAt;
    key.departures = departures;
    return entry;
  }

  /** Opens an entry with the first word `head`. */
  #load(c: Collection, entry: number, head: number): void {
    c.entry = entry;
    if (((head >>> 8) & 0xff) !== TREE) {
      c.root = 0;
      this.rewind(c);
      c.count = c.cursor.count;
      return;
    }
    c.root = this.arena.read(entry, (head & HAS_TTL) === 0 ? ROOT_WORD : TIMED_ROOT_WORD);
    const words = this.arena.wordsOf(c.root);
    const at = this.arena.wordAt(c.root);
    c.count = words[at + COUNT]! >>> 0;
    c.cursor.openTree(KINDS[c.type]!, words[at + TREE_0]! >>> 0);
    if (c.type === SORTED_SET) {
      c.members.openTree(MEMBERS, words[at + TREE_1]! >>> 0);
    }
  }
}
