/**
 * The store: keys and values in shared memory, usable from every thread.
 *
 * Single-key operations run under the lock of the key's shard, which the caller takes (`docs/
 * locking.md`). A write first plans: it decides everything that can fail and reserves every block
 * it can need; then it commits, which cannot fail (C6). Nothing here awaits.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Int64 } from "../base/int64.ts";
import { Access } from "./access.ts";
import type { Arena } from "./arena.ts";
import { type BackgroundPoint, type BackgroundStep, BackgroundWork } from "./background.ts";
import type { BalanceReserve } from "./balance_reserve.ts";
import type { CollectionCopier } from "./collection/collection_copier.ts";
import type { CollectionForks } from "./collection/collection_fork.ts";
import type { CollectionLeases } from "./collection/collection_lease.ts";
import type { Collections } from "./collection/collections.ts";
import type { ElementView } from "./collection/element.ts";
import type { GarbageSweep } from "./collection/garbage.ts";
import { type ControlRegion, Header } from "./control.ts";
import { type DeadOwner, recoverDeadOwner } from "./dead_owner.ts";
import { Entry, EntryFlag, type EntryType } from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { EntryWriter, WriteStatus } from "./entry_writer.ts";
import type { EvictionPolicy } from "./evictor.ts";
import { ExpirySweeper } from "./expiry_sweeper.ts";
import { hashKey } from "./hash.ts";
import { Lookahead, LOOKAHEAD_DATABASE_KEYS } from "./lookahead.ts";
import { assertStoreInvariants } from "./invariants.ts";
import type { Key } from "./key.ts";
import type { KeyVersions } from "./key_versions.ts";
import type { KeyWatcher } from "./key_watcher.ts";
import type { Keyspace } from "./keyspace.ts";
import { MutationPhase, type ShardLocks } from "./locks.ts";
import type { MutationHook } from "./mutation_hook.ts";
import type { ReadyKeys } from "./ready_keys.ts";
import { PAGE_BYTES } from "./size_classes.ts";
import { readStats, type StoreStats } from "./stats.ts";
import { StoreAssembly } from "./store_assembly.ts";
import { createStoreMemory, type StoreMemory, type StoreOptions } from "./store_memory.ts";
import { Restoration } from "./restoration.ts";
import type { StringEditor } from "./string_editor.ts";
import { Root, type Table } from "./table.ts";
import type { ValueLease } from "./value_lease.ts";
import { WaitQueues } from "./wait_queues.ts";
import type { WaitRegion } from "./wait_region.ts";

export { BALANCE_DATABASE } from "./control.ts";
export { EntryType } from "./entry.ts";
export { WriteStatus } from "./entry_writer.ts";
export { EVICTION_POLICIES, type EvictionPolicy } from "./evictor.ts";
export type { StoreStats } from "./stats.ts";
export { MAX_EXPIRE_AT_MS } from "./expiry_writer.ts";
export type { KeyVersion } from "./key_versions.ts";
export { ValueLease } from "./value_lease.ts";
export { type DeadOwner } from "./dead_owner.ts";
export { minimumMemoryBytes, type StoreMemory, type StoreOptions } from "./store_memory.ts";

/** How long a write that finds no memory frees garbage, per attempt. Unit: ms. */
const RECLAIM_GARBAGE_MS = 1;

/**
 * One thread's view of the shared store.
 *
 * Thread: one instance per thread, made by {@link Store.create} or {@link Store.attach}.
 */
export class Store {
  /** What other threads attach with. */
  readonly memory: StoreMemory;
  /** The shards' locks. */
  readonly locks: ShardLocks;
  /** Memory kept aside for balances of accepted events. */
  readonly credits: BalanceReserve;
  /** Changes strings in place, and several of them at once. */
  readonly strings: StringEditor;
  /** Whole databases, and keys that change theirs or their name. */
  readonly keyspace: Keyspace;
  /** Number of shards. */
  readonly shardCount: number;
  /** Lists, hashes, sets, sorted sets. */
  readonly collections: Collections;
  /** Frees in slices what large collections left behind. */
  readonly garbage: GarbageSweep;
  /** Copies large collections. */
  readonly collectionCopier: CollectionCopier;
  /** Large changes of collections, made aside. Thread: as `collectionCopier`. */
  readonly collectionForks: CollectionForks;
  /** Gives leases of collections. */
  readonly collectionLeases: CollectionLeases;
  /** Largest value in bytes. */
  readonly maxValueBytes: number;
  /** In a database with fewer keys a {@link Lookahead} made from now on does not pay off. For tests. */
  lookaheadKeys: number = LOOKAHEAD_DATABASE_KEYS;
  /** Tells whether keys have changed. */
  readonly versions: KeyVersions;

  readonly #parts: StoreAssembly;
  // Used by every command, so a step nearer than the other parts.
  readonly #arena: Arena;
  readonly #control: ControlRegion;
  readonly #table: Table;
  readonly #clock = new Access();
  readonly #reader: EntryReader;
  readonly #writer: EntryWriter;
  readonly #seed0: number;
  readonly #seed1: number;
  /** For the full check. */
  #waits: WaitRegion | undefined;

  private constructor(memory: StoreMemory, threadId: number, canDieAlone: boolean) {
    this.memory = memory;
    const parts = new StoreAssembly(memory, {
      threadId,
      canDieAlone,
      clock: this.#clock,
      reclaim: () => this.reclaim(),
    });
    this.#parts = parts;
    const { control } = parts;
    this.#control = control;
    this.#arena = parts.arena;
    this.#table = parts.table;
    this.#reader = parts.reader;
    this.#writer = parts.writer;
    this.shardCount = control.shardCount;
    this.maxValueBytes = control.words[Header.MAX_VALUE_BYTES]!;
    this.#seed0 = control.words[Header.HASH_SEED_0]!;
    this.#seed1 = control.words[Header.HASH_SEED_1]!;
    this.locks = parts.locks;
    this.credits = parts.credits;
    this.versions = parts.versions;
    this.strings = parts.strings;
    this.collections = parts.collections;
    this.collectionLeases = parts.collectionLeases;
    this.collectionCopier = parts.collectionCopier;
    this.collectionForks = parts.collectionForks;
    this.garbage = parts.garbage;
    this.keyspace = parts.keyspace;
  }

  /**
   * Makes the shared memory and attaches this thread to it.
   *
   * Thread: the one that starts the server.
   *
   * @param threadId this thread's id
   */
  static create(options: StoreOptions, threadId = 0): Store {
    const memory = createStoreMemory(options);
    const store = new Store(memory, threadId, false);
    store.evictionPolicy = options.evictionPolicy ?? "noeviction";
    // A credit covers an entry and a bucket, not a whole table: balances find theirs made (C1).
    const made = store.keyspace.tables.prepare();
    assert(made, `the memory has room for the index of ${options.shardCount} shards`);
    return store;
  }

  /**
   * Opens a store that another thread created.
   *
   * @param memory the creator's {@link Store.memory}
   * @param threadId this thread's id, unique among living threads, below `threadCount`
   * @param canDieAlone whether this thread's death must not take the store with it: its mutations
   *   then leave a trail for {@link Store.recoverDeadOwner}
   */
  static attach(memory: StoreMemory, threadId: number, canDieAlone = true): Store {
    return new Store(memory, threadId, canDieAlone);
  }

  /** Makes a {@link Lookahead}, for one user of this thread. */
  lookahead(): Lookahead {
    return new Lookahead(this.#parts, this.lookaheadKeys);
  }

  /** Where entries are: for a hook, which reads the one that it is told of. */
  get arena(): Arena {
    return this.#arena;
  }

  /** Clock of the current batch, milliseconds since 1970; the caller sets it before operations. */
  get nowMs(): number {
    return this.#clock.nowMs;
  }

  set nowMs(value: number) {
    this.#clock.nowMs = value;
  }

  /** How accesses to keys count; the caller sets it before operations. */
  get access(): Access {
    return this.#clock;
  }

  /** Told of every mutation; see {@link MutationHook}. */
  get hook(): MutationHook | undefined {
    return this.#writer.hook;
  }

  set hook(value: MutationHook | undefined) {
    this.#writer.hook = value;
  }

  /** Told of keys that come and go; see {@link KeyWatcher}. */
  set keyWatcher(watcher: KeyWatcher | undefined) {
    this.#writer.watcher = watcher;
  }

  /** Hashes a key and finds its shard; fills the key's derived fields. */
  locate(key: Key): void {
    hashKey(key, this.#seed0, this.#seed1);
    key.derive(this.shardCount);
  }

  /**
   * Finds the entry of a key. Needs the shard's lock, shared is enough.
   *
   * @returns the entry's address, valid until unlock or the next write; 0 when missing or expired
   */
  lookup(database: number, key: Key): number {
    const entry = this.peek(database, key);
    const access = this.#clock;
    if (entry !== 0 && access.stamps) {
      // A key in use has the stamp already; what is not written need not go back to memory.
      if (this.#arena.read(entry, Entry.CLOCK) !== access.nowSeconds) {
        this.#arena.write(entry, Entry.CLOCK, access.nowSeconds);
      }
    }
    access.note(entry !== 0);
    return entry;
  }

  /** Like {@link Store.lookup}, for commands that do not count as an access to the key. */
  peek(database: number, key: Key): number {
    const entry = this.#table.find(this.#control.databaseRootAt(database, key.shard), key);
    return entry === 0 || this.#reader.isExpired(entry, this.#clock.nowMs) ? 0 : entry;
  }

  /** Type of an entry. */
  entryType(entry: number): EntryType {
    return this.#reader.type(entry);
  }

  /** Number of the entry's last mutation, 48 bits, drawn per shard. */
  entrySeq(entry: number): number {
    return this.#reader.seq(entry);
  }

  /** Whether an event wrote the entry, so that it is never evicted. */
  isPinned(entry: number): boolean {
    return (this.#reader.flags(entry) & EntryFlag.PINNED) !== 0;
  }

  /** What this thread's store is made of; for `StoreTransaction`. */
  get parts(): StoreAssembly {
    return this.#parts;
  }

  /** For who fills an empty store with what another one had. */
  restoration(): Restoration {
    return new Restoration(this.#parts);
  }

  /** Expiry time of an entry in milliseconds since 1970; 0 = never. */
  expireAtMs(entry: number): number {
    return this.#reader.expireAtMs(entry);
  }

  /** Length in bytes of a string as a client sees it; an integer counts its decimal digits. */
  stringLength(entry: number): number {
    return this.#reader.stringLength(entry);
  }

  /**
   * Copies a string as a client sees it to `target[offset…]`.
   *
   * @returns bytes written, equal to {@link Store.stringLength}
   */
  copyString(entry: number, target: Uint8Array, offset: number): number {
    return this.#reader.copyString(entry, target, offset);
  }

  /**
   * Leases a string of more than {@link MAX_BLOCK_BYTES} bytes, to be copied piece by piece after
   * unlock. Needs the shard's lock, shared is enough.
   *
   * Thread: one whose end stops the server, as for {@link Store.attach}'s `canDieAlone` false.
   *
   * @param start first byte that will be read
   * @param end behind the last one
   * @returns the lease; whoever takes it must release it
   */
  lease(entry: number, start = 0, end: number = this.stringLength(entry)): ValueLease {
    return this.#parts.leases.take(entry, start, end);
  }

  /** Whether {@link Store.lease} can be used for a string. Others are at most 8 KiB long. */
  isLeasable(entry: number): boolean {
    return this.#reader.isLarge(entry);
  }

  /** Copies `string[start, end)`, as a client sees it, to `target[offset…]`. */
  copyStringRange(
    entry: number,
    start: number,
    end: number,
    target: Uint8Array,
    offset: number,
  ): void {
    this.#reader.copyStringRange(entry, start, end, target, offset);
  }

  /** The queues of clients that wait for keys of this store; `region` was made for it. */
  waitQueues(region: WaitRegion): WaitQueues {
    this.#waits = region;
    return new WaitQueues(this, region, this.#control);
  }

  /** Keys that came to have something; see there. */
  get readyKeys(): ReadyKeys {
    return this.#table.ready!;
  }

  /** Leases a long element (`longRoot` is not 0) of a collection as {@link Store.lease} does. */
  leaseElement(element: ElementView): ValueLease {
    return this.#parts.leases.takeRoot(element.longRoot);
  }

  /**
   * Puts bytes into the arena that no key names, for `leaseCount` readers on other threads. Needs
   * the shard's exclusive lock; who could not be told of them gets its lease released for it.
   *
   * @returns what to give to {@link Store.openShared}; 0 when there is no memory for it
   */
  share(
    shard: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    leaseCount: number,
  ): number {
    this.#writer.markPhase(shard, MutationPhase.WRITING);
    const root = this.#parts.leases.share(shard, bytes, start, end, leaseCount);
    this.#writer.markPhase(shard, MutationPhase.DONE);
    return root;
  }

  /** One reader's hold on what {@link Store.share} made; to be released once. Needs no lock. */
  openShared(root: number): ValueLease {
    return this.#parts.leases.open(root);
  }

  /** See {@link EntryReader.mayChangeInPlace}: what commands that change a value in place ask. */
  mayChangeInPlace(entry: number): boolean {
    return this.#reader.mayChangeInPlace(entry);
  }

  /** Points a key at the bytes that an entry has of it; valid as long as its shard is locked. */
  showKey(entry: number, key: Key): Key {
    const at = this.#arena.byteAt(entry) + this.#reader.keyOffset(entry);
    return key.set(this.#arena.bytesOf(entry), at, at + this.#reader.keyBytes(entry));
  }

  /** Copies the key of an entry to `target[offset…]`; returns its length. */
  copyKey(entry: number, target: Uint8Array, offset: number): number {
    return this.#reader.copyKey(entry, target, offset);
  }

  /**
   * Reads a string as an integer.
   *
   * @returns false when it is not a canonical int64; `result` is then unchanged
   */
  readInteger(entry: number, result: Int64): boolean {
    return this.#reader.readInteger(entry, result);
  }

  /**
   * Sets a string. Needs the shard's exclusive lock.
   *
   * @param value buffer that holds the value in `[start, end)`
   * @param expireAtMs milliseconds since 1970; 0 = never
   */
  setString(
    database: number,
    key: Key,
    value: Uint8Array,
    start: number,
    end: number,
    expireAtMs: number,
  ): WriteStatus {
    return this.#writer.setString(database, key, value, start, end, expireAtMs);
  }

  /**
   * Adds to an integer; a missing key counts as 0. Needs the shard's exclusive lock.
   *
   * @param result receives the sum when the outcome is OK
   */
  addInteger(database: number, key: Key, delta: Int64, result: Int64): WriteStatus {
    return this.#writer.addInteger(database, key, delta, result);
  }

  /**
   * Changes when a key expires; it must exist. Needs the shard's exclusive lock.
   *
   * @param expireAtMs milliseconds since 1970, at most {@link MAX_EXPIRE_AT_MS}; 0 = never
   * @returns OK or OUT_OF_MEMORY; taking a time to live away needs no memory
   */
  setExpiry(database: number, key: Key, expireAtMs: number): WriteStatus {
    return this.#parts.expiry.setExpiry(database, key, expireAtMs);
  }

  /**
   * Decides an addition and reserves what it needs, changing nothing that can be seen. Needs the
   * shard's exclusive lock until {@link Store.commitPlan} or {@link Store.cancelPlan}.
   *
   * @param result receives the sum that the commit will store
   * @param forEvent the addition settles an event that holds a credit: it may use the reserve, and
   *   the entry is never evicted
   */
  planAddInteger(
    database: number,
    key: Key,
    delta: Int64,
    result: Int64,
    forEvent: boolean,
  ): WriteStatus {
    return this.#writer.planAddInteger(database, key, delta, result, forEvent);
  }

  /** Carries out the plan under way. Cannot fail. */
  commitPlan(): void {
    this.#writer.commitPlan();
  }

  /** Drops the plan under way and gives back what it reserved. */
  cancelPlan(): void {
    this.#writer.cancelPlan();
  }

  /**
   * Deletes a key. Needs the shard's exclusive lock.
   *
   * @returns whether it existed and had not expired
   */
  remove(database: number, key: Key): boolean {
    return this.#writer.remove(database, key);
  }

  /** Keys in a database, expired ones that nobody touched included. Takes no lock: a snapshot. */
  keyCount(database: number): number {
    let count = 0;
    for (let shard = 0; shard < this.shardCount; shard++) {
      count += this.#control.words[this.#control.databaseRootAt(database, shard) + Root.ENTRIES]!;
    }
    return count;
  }

  /**
   * Visits the entries at one scan position of a shard. Needs the shard's lock, shared is enough.
   *
   * @param position 0 to start
   * @returns the next position, 0 when done
   */
  scanShard(
    database: number,
    shard: number,
    position: number,
    visit: (entry: number) => void,
  ): number {
    return this.#table.scan(this.#control.databaseRootAt(database, shard), position, visit);
  }

  /**
   * Frees memory after OUT_OF_MEMORY: what is garbage, first of all; else moves blocks together so that pages become free; if that
   * gains nothing, evicts keys as the policy allows, for about a millisecond at most.
   *
   * Thread: any that holds no shard lock.
   *
   * @returns whether the write is worth another try
   */
  reclaim(): boolean {
    // What nobody can see any more goes first; only then is it worth moving what is left.
    return this.keyspace.reclaim() || this.garbage.run(RECLAIM_GARBAGE_MS) ||
      this.#parts.reclaimer.reclaim();
  }

  /** Moves blocks together until a page is free. Thread: any that holds no shard lock. */
  compact(): boolean {
    return this.#parts.reclaimer.compact();
  }

  /** What happens when memory is short; a change holds for all threads. */
  get evictionPolicy(): EvictionPolicy {
    return this.#parts.evictor.policy;
  }

  set evictionPolicy(policy: EvictionPolicy) {
    this.#parts.evictor.policy = policy;
  }

  /** Makes what this thread evicts repeatable; for tests. */
  seedEviction(seed: number): void {
    this.#parts.evictor.seed(seed);
  }

  /**
   * Like {@link Store.reclaim} for a transaction, which cannot give its locks back: looks at one
   * shard. Needs its exclusive lock.
   *
   * @returns whether a page was gained
   */
  compactLocked(shard: number): boolean {
    return this.#parts.reclaimer.compactLocked(shard);
  }

  /** Bytes in pages that nobody has. Takes no lock. */
  get freeBytes(): number {
    return this.#parts.pages.freePages * PAGE_BYTES;
  }

  /**
   * Work that this thread may share in when it has time; see {@link BackgroundWork}.
   *
   * @param clock time of day, ms since 1970
   * @param onPoint for tests: called at the points of the work
   */
  backgroundWork(
    clock: () => number,
    onPoint?: (point: BackgroundPoint) => void,
  ): BackgroundWork {
    const sweeper = new ExpirySweeper({
      locks: this.locks,
      shardCount: this.shardCount,
      wheel: this.#parts.wheel,
      writer: this.#writer,
    }, clock);
    const steps: BackgroundStep[] = [sweeper, this.garbage];
    sweeper.onPoint = this.garbage.onPoint = onPoint;
    return new BackgroundWork(steps, this.#control);
  }

  /** Sizes at this moment. Takes no lock. */
  stats(): StoreStats {
    return readStats(this.#control, this.#parts.pages, this.keyspace.tables.detachedCount());
  }

  /**
   * Settles what a dead thread left locked or half done.
   *
   * Thread: the supervisor, once, after that thread's isolate has ended.
   *
   * @returns `none` it held nothing; `released` it held a lock and had changed nothing (reserved
   *   blocks are given back); `completed` its change was complete; `torn` it died inside a change:
   *   the shard is poisoned and the server must stop (C4)
   */
  recoverDeadOwner(threadId: number, onCompleted?: (shard: number) => void): DeadOwner {
    return recoverDeadOwner(this.#parts, threadId, onCompleted);
  }

  /**
   * Test hook: makes the allocation that many requests from now fail, once; negative = off.
   */
  failAllocationAfter(requests: number): void {
    this.#parts.blocks.failAfterRequests = requests;
  }

  /**
   * Walks the whole arena and checks that every byte is in use, free or header.
   *
   * Thread: only with no other thread active; for tests.
   *
   * @param outstandingCredits credits taken and not given back, where the caller knows it
   * @throws {AssertionFault} naming what does not add up
   */
  assertInvariants(outstandingCredits?: number): void {
    assertStoreInvariants(outstandingCredits, {
      arena: this.#arena,
      control: this.#control,
      pages: this.#parts.pages,
      table: this.#table,
      tables: this.keyspace.tables,
      extents: this.#parts.extents,
      memory: this.#parts.memory,
      reserve: this.credits,
      wheel: this.#parts.wheel,
      waits: this.#waits,
      reader: this.#reader,
      locate: (key) => this.locate(key),
    });
  }
}
