/**
 * Puts the parts of a thread's store together.
 *
 * @module
 */

import type { Access } from "./access.ts";
import { Arena } from "./arena.ts";
import { BalanceReserve } from "./balance_reserve.ts";
import { BlockAllocator } from "./block_allocator.ts";
import { CollectionCopier } from "./collection/collection_copier.ts";
import { CollectionForks } from "./collection/collection_fork.ts";
import { CollectionLeases } from "./collection/collection_lease.ts";
import { CollectionMemory } from "./collection/collection_memory.ts";
import { Collections } from "./collection/collections.ts";
import { GarbageSweep } from "./collection/garbage.ts";
import { Compactor } from "./compactor.ts";
import { ControlRegion, Header } from "./control.ts";
import { Encoding } from "./entry.ts";
import { EntryReader } from "./entry_reader.ts";
import { EntryWriter, type WriterParts } from "./entry_writer.ts";
import { Evictor } from "./evictor.ts";
import { ExpiryWheel } from "./expiry_wheel.ts";
import { ExpiryWriter } from "./expiry_writer.ts";
import { Extents } from "./extents.ts";
import { KeyVersions } from "./key_versions.ts";
import { Keyspace } from "./keyspace.ts";
import { LockTiming } from "./lock_timing.ts";
import { ShardLocks } from "./locks.ts";
import { PageAllocator } from "./page_allocator.ts";
import { ReadyKeys } from "./ready_keys.ts";
import { Reclaimer } from "./reclaimer.ts";
import type { StoreMemory } from "./store_memory.ts";
import { StringEditor } from "./string_editor.ts";
import { Table } from "./table.ts";
import { TableMap } from "./table_map.ts";
import { ValueLeases } from "./value_lease.ts";
/** How a {@link StoreAssembly} is made. */
export interface AssemblyOptions {
  /** The thread's id. */
  readonly threadId: number;
  /** Whether the thread's death must not take the store with it. */
  readonly canDieAlone: boolean;
  /** Time of the current batch and how accesses count; the store's user sets it. */
  readonly clock: Access;
  /** Frees memory; see `Store.reclaim`. */
  readonly reclaim: () => boolean;
}

/**
 * The parts of a store, as one thread has them. Each part says what it is for and which locks it needs.
 *
 * Thread: one instance per thread.
 */
export class StoreAssembly {
  /** Client data. */
  readonly arena: Arena;
  /** Blocks. */
  readonly blocks: BlockAllocator;
  /** Lists, hashes, sets, sorted sets. */
  readonly collections: Collections;
  /** Copies large collections. */
  readonly collectionCopier: CollectionCopier;
  /** Makes large changes of collections aside. */
  readonly collectionForks: CollectionForks;
  /** Gives leases of collections. */
  readonly collectionLeases: CollectionLeases;
  /** Locks, lists, roots, counters. */
  readonly control: ControlRegion;
  /** Memory kept aside for balances of accepted events. */
  readonly credits: BalanceReserve;
  /** Makes room by deleting keys. */
  readonly evictor: Evictor;
  /** Whether the thread's death must not take the store with it. */
  readonly canDieAlone: boolean;
  /** Changes times to live. */
  readonly expiry: ExpiryWriter;
  /** Large values. */
  readonly extents: Extents;
  /** Frees in slices what large collections left behind. */
  readonly garbage: GarbageSweep;
  /** Whole databases, and keys that change theirs or their name. */
  readonly keyspace: Keyspace;
  /** Gives leases of large values. */
  readonly leases: ValueLeases;
  /** The shards' locks. */
  readonly locks: ShardLocks;
  /** Nodes of collections. */
  readonly memory: CollectionMemory;
  /** Pages of the arena. */
  readonly pages: PageAllocator;
  /** Reads entries. */
  readonly reader: EntryReader;
  /** Finds memory when there is none. */
  readonly reclaimer: Reclaimer;
  /** Changes strings in place, and several of them at once. */
  readonly strings: StringEditor;
  /** The index. */
  readonly table: Table;
  /** The thread's id. */
  readonly threadId: number;
  /** Tells whether keys have changed. */
  readonly versions: KeyVersions;
  /** The expiry index. */
  readonly wheel: ExpiryWheel;
  /** Writes entries. */
  readonly writer: EntryWriter;

  /** Opens the shared memory and wires everything. */
  constructor(memory: StoreMemory, options: AssemblyOptions) {
    const { threadId, canDieAlone, clock, reclaim } = options;
    const control = ControlRegion.attach(memory.control);
    this.control = control;
    this.threadId = threadId;
    this.canDieAlone = canDieAlone;
    this.arena = Arena.attach(memory.segments, control.words[Header.SEGMENT_SHIFT]!);
    this.pages = new PageAllocator(control, memory.descriptors);
    const timing = memory.lockTiming && new LockTiming(memory.lockTiming);
    this.locks = new ShardLocks(control, threadId, canDieAlone, timing);
    this.credits = new BalanceReserve(
      this.arena,
      this.pages,
      control,
      reclaim,
    );
    this.blocks = new BlockAllocator(this.arena, this.pages, control, this.credits);
    this.extents = new Extents(this.arena, this.blocks, control, this.pages);
    this.memory = new CollectionMemory({
      arena: this.arena,
      blocks: this.blocks,
      control,
      extents: this.extents,
      pages: this.pages,
    });
    this.table = new Table(this.arena, this.blocks, control);
    this.table.ready = new ReadyKeys(this.arena, control, this.locks);
    this.wheel = new ExpiryWheel(this.arena, control);
    this.reader = new EntryReader(this.arena, this.extents);
    this.versions = new KeyVersions(
      { control, reader: this.reader, table: this.table },
      clock,
    );
    this.leases = new ValueLeases({
      arena: this.arena,
      control,
      extents: this.extents,
      locks: this.locks,
      reader: this.reader,
      canDieAlone,
    });
    const tables = new TableMap({
      control,
      table: this.table,
      freeEntry: (shard, entry) => this.writer.freeEntry(shard, entry),
    });
    const parts: WriterParts = {
      arena: this.arena,
      blocks: this.blocks,
      collections: this.memory,
      control,
      extents: this.extents,
      reader: this.reader,
      reserve: this.credits,
      table: this.table,
      tables,
      wheel: this.wheel,
      tracksPhases: canDieAlone,
    };
    const writer = new EntryWriter(parts, clock);
    this.writer = writer;
    this.expiry = new ExpiryWriter(parts, writer);
    this.evictor = new Evictor({ ...parts, writer });
    this.reclaimer = new Reclaimer({
      ...parts,
      compactor: new Compactor(
        this.arena,
        this.blocks,
        this.memory,
        control,
        this.extents,
        this.pages,
        this.table,
        this.wheel,
      ),
      evictor: this.evictor,
      locks: this.locks,
      pages: this.pages,
      writer,
    });
    this.strings = new StringEditor({
      arena: this.arena,
      blocks: this.blocks,
      extents: this.extents,
      reader: this.reader,
      writer,
      maxValueBytes: control.words[Header.MAX_VALUE_BYTES]!,
    });
    const collectionParts = {
      ...parts,
      locks: this.locks,
      memory: this.memory,
      writer,
      canDieAlone,
    };
    this.collections = new Collections(collectionParts);
    this.collectionLeases = new CollectionLeases(collectionParts);
    this.garbage = new GarbageSweep(collectionParts);
    this.keyspace = new Keyspace({
      ...parts,
      versions: this.versions,
      locks: this.locks,
      writer,
      collections: this.collections,
    });
    this.collectionCopier = new CollectionCopier({
      ...collectionParts,
      collections: this.collections,
      leases: this.collectionLeases,
    });
    this.collectionForks = new CollectionForks({
      ...collectionParts,
      collections: this.collections,
      expiry: this.expiry,
      leases: this.collectionLeases,
    });
    this.keyspace.mover.setRootMover(Encoding.TREE, this.collectionCopier);
  }
}
