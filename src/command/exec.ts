/**
 * `EXEC`: runs the queued commands of a client as one, or none of them.
 *
 * @module
 */

import { Key } from "../store/key.ts";
import { PAGE_BYTES } from "../store/size_classes.ts";
import type { Store } from "../store/store.ts";
import type { CommandArguments } from "./arguments.ts";
import type { CommandCall } from "./call.ts";
import { LockSet } from "../store/lock_set.ts";
import { type RecordedBytes, RecordedReply, SwitchedReply } from "./recorded_reply.ts";
import { refuseUnsafe } from "./refusals.ts";
import { ReplyCode } from "./reply_code.ts";
import type { ReplySink } from "./reply_sink.ts";
import { type CommandRow, HandlerStatus } from "./row.ts";
import type { Transaction } from "./transaction.ts";

/** How often memory is looked for, at most, for each command. Reason: each may take a millisecond. */
const RECLAIMS_AT_A_TIME = 8;
/** So many times that often before a transaction begins, with others served in between. */
const MAX_RECLAIM_ATTEMPTS = 64;
/** Commands of fewer bytes together need no more than a few blocks. */
const SMALL_BYTES = 1024;
/** By how much a promise may be larger than what comes; see tree_demand.ts. */
const PROMISE_FACTOR = 4;
/** Pages that a promise has for blocks of different sizes, besides. */
const PROMISE_PAGES = 16;

/**
 * What a queued write may need beside its arguments: an entry's header, its place in the index, what
 * rounding up to a block costs. Unit: bytes.
 */
const WRITE_OVERHEAD_BYTES = 256;

/** A reply that comes later, and what is already known of it. */
interface LateReply {
  readonly reply: RecordedReply;
  /** Undefined for those that only stand behind one that is late. */
  readonly later: Promise<HandlerStatus> | undefined;
}

/**
 * One `EXEC`: from the queued commands to their replies.
 *
 * It takes, ascending, the locks of all keys of all commands and of the watched keys, all exclusive
 * if one command writes, and keeps them until the last command has run: nobody sees a part of it.
 *
 * A command's failure is its own reply; the others run. That goes for memory, too: locks cannot be
 * given back in between, so it is looked for before they are taken, and then only in the shards that
 * are held.
 *
 * A reply that comes later than its command, as `CLIENT LIST` has when it asks other threads, is
 * awaited when the locks have been given back, and so are those behind it.
 *
 * Replies are bounded (C13): when the output is full, values are leased instead of copied, and go
 * out as the client takes them, as they were at this moment. Those that cannot be leased, because
 * they are short, are copied; when they come to more than a client may have, the whole reply is lost
 * and an error says so.
 *
 * Thread: the connection's I/O thread.
 */
export class TransactionRun {
  readonly #call: CommandCall;
  readonly #transaction: Transaction;
  readonly #locks: LockSet;
  readonly #key = new Key();
  readonly #late: LateReply[] = [];
  readonly #recorded: RecordedBytes = { count: 0 };
  #exclusive = false;
  #status: HandlerStatus = HandlerStatus.DONE;

  /**
   * Prepares to run.
   *
   * @param exec the call of EXEC, which may serve others when this returns
   */
  constructor(exec: CommandCall, transaction: Transaction) {
    this.#call = exec.detach();
    this.#call.inTransaction = true;
    this.#transaction = transaction;
    this.#locks = new LockSet(exec.store.locks, exec.store.shardCount);
  }

  /** Runs at once if the locks are free, else later; see `Handler`. */
  start(exec: CommandCall): HandlerStatus {
    const { sink, store } = exec;
    const writeCount = this.#collectLocks();
    if (this.#isRefused(writeCount)) {
      exec.client.discard();
      refuseUnsafe(writeCount > 0, sink);
      return HandlerStatus.DONE;
    }
    const roomBytes = writeCount === 0 ? 0 : this.#roomBytes(store, writeCount);
    if (roomBytes > 0 && !makeHeadroom(store, roomBytes)) {
      exec.later = this.#startWithRoom(roomBytes, sink);
      return HandlerStatus.LATER;
    }
    const busyShard = this.#locks.tryLock(this.#exclusive);
    if (busyShard >= 0) {
      exec.services.counters.add(exec.services.counterIds.parkedCommands);
      exec.later = this.#startLater(busyShard, sink);
      return HandlerStatus.LATER;
    }
    this.#runLocked(sink);
    if (this.#late.length === 0) return this.#status;
    exec.later = this.#settle(sink);
    return HandlerStatus.LATER;
  }

  /** Commands were queued before the log failed, or only read, but perhaps what is lost. */
  #isRefused(writeCount: number): boolean {
    const { storage } = this.#call.services;
    if (storage === undefined || storage.takesWrites) return false;
    return writeCount > 0 || this.#locks.some((shard) => storage.isLost(shard));
  }

  /** What the transaction may need: with its locks held nothing can be evicted for it. */
  #roomBytes(store: Store, writeCount: number): number {
    const { byteCount } = this.#transaction;
    const leastBytes = byteCount + writeCount * WRITE_OVERHEAD_BYTES;
    if (store.evictionPolicy === "noeviction" || byteCount < SMALL_BYTES) return leastBytes;
    return leastBytes + PROMISE_FACTOR * byteCount + PROMISE_PAGES * PAGE_BYTES;
  }

  /** Goes on to look for memory, with others served in between, and then runs. */
  async #startWithRoom(roomBytes: number, sink: ReplySink): Promise<HandlerStatus> {
    const { store, services } = this.#call;
    for (let attempt = 1; attempt < MAX_RECLAIM_ATTEMPTS; attempt++) {
      await nextTurn();
      store.nowMs = services.clock();
      if (makeHeadroom(store, roomBytes)) break;
    }
    const busyShard = this.#locks.tryLock(this.#exclusive);
    if (busyShard >= 0) return await this.#startLater(busyShard, sink);
    store.nowMs = services.clock();
    this.#runLocked(sink);
    return await this.#settle(sink);
  }

  async #startLater(busyShard: number, sink: ReplySink): Promise<HandlerStatus> {
    const { store, services } = this.#call;
    await this.#locks.lockAsync(this.#exclusive, busyShard);
    store.nowMs = services.clock();
    this.#runLocked(sink);
    return this.#settle(sink);
  }

  /** Finds the shards of all keys; returns how many of the commands write. */
  #collectLocks(): number {
    const call = this.#call;
    const locks = this.#locks;
    let writeCount = 0;
    const addShard = (index: number): void => locks.add(call.keyAt(index).shard);
    this.#transaction.forEach((args) => {
      const row = this.#rowOf(args);
      if (row.exclusive || (row.touchesAllKeys && row.flags.includes("write"))) writeCount++;
      if (row.touchesAllKeys || row.access === "all") {
        locks.addAll();
      } else if (row.access !== "none") {
        call.begin(row, args, call.sink, call.client);
        row.forEachKey(args, addShard);
      }
    });
    this.#exclusive = writeCount > 0;
    this.#forEachWatched(() => {
      locks.add(this.#key.shard);
      return true;
    });
    locks.seal();
    return writeCount;
  }

  /** With all locks held: runs everything and gives them back. */
  #runLocked(sink: ReplySink): void {
    const { client, store } = this.#call;
    try {
      const isUnchanged = this.#forEachWatched((database, version) =>
        !store.versions.hasChanged(database, this.#key, version)
      );
      if (isUnchanged) this.#runAll(sink);
      else sink.nilArray();
    } catch (error) {
      this.#locks.poison(this.#call.row.operation);
      throw error;
    }
    this.#locks.unlock(this.#exclusive);
    const { notifier, storage } = this.#call.services;
    if (storage?.confirmsDurable === true) this.#locks.forEach((shard) => storage.touch(shard));
    if (notifier !== undefined && notifier.noteCount > 0) notifier.flush();
    client.discard();
  }

  #runAll(sink: ReplySink): void {
    sink.arrayStart(this.#transaction.count);
    this.#transaction.forEach((args) => this.#runOne(args, sink));
  }

  #runOne(args: CommandArguments, sink: ReplySink): void {
    const call = this.#call;
    const row = this.#rowOf(args);
    const isBehindLate = this.#late.length > 0;
    const reply = new SwitchedReply(isBehindLate ? this.#newRecord() : sink);
    call.begin(row, args, reply, call.client);
    if (row.firstKey > 0) call.keyAt(row.firstKey);
    const { operations } = call.services;
    const { client } = call;
    if (operations.monitors.isWatched) {
      operations.monitors.show(row, args, client, call.store.nowMs);
    }
    client.lastError = -1;
    const startedAtMs = operations.begin(row, args);
    let status = row.handler(call);
    for (let attempt = 0; status === HandlerStatus.RETRY; attempt++) {
      if (attempt >= RECLAIMS_AT_A_TIME || !this.#compact()) {
        reply.error(ReplyCode.OUT_OF_MEMORY);
        break;
      }
      status = row.handler(call);
    }
    if (startedAtMs !== 0) operations.finish(startedAtMs, row, args, client);
    if (client.lastError >= 0) operations.fail(row, client);
    if (status === HandlerStatus.CLOSE) this.#status = HandlerStatus.CLOSE;
    const { later } = call;
    call.later = undefined;
    if (!isBehindLate && later !== undefined) reply.to = this.#newRecord();
    if (reply.to instanceof RecordedReply) this.#late.push({ reply: reply.to, later });
  }

  #newRecord(): RecordedReply {
    return new RecordedReply(this.#recorded);
  }

  /** Frees a page in one of the shards that are held. */
  #compact(): boolean {
    if (!this.#exclusive) return false;
    const { store } = this.#call;
    for (let i = 0; i < this.#locks.count; i++) {
      if (store.compactLocked(this.#locks.shardAt(i))) return true;
    }
    return false;
  }

  /** Writes the replies that came later, in order. */
  async #settle(sink: ReplySink): Promise<HandlerStatus> {
    try {
      for (const { reply, later } of this.#late) {
        if (later !== undefined && await later === HandlerStatus.CLOSE) {
          this.#status = HandlerStatus.CLOSE;
        }
        reply.replay(sink);
      }
    } catch (error) {
      for (const { reply } of this.#late) reply.release();
      throw error;
    }
    return this.#status;
  }

  /** Locates each watched key in turn; see `WatchedKeys.forEach`. */
  #forEachWatched(
    visit: Parameters<NonNullable<CommandCall["client"]["watchedKeys"]>["forEach"]>[1],
  ): boolean {
    const { client, store } = this.#call;
    return client.watchedKeys?.forEach(this.#key, (database, version) => {
      store.locate(this.#key);
      return visit(database, version);
    }) ?? true;
  }

  /** The row of a command that was queued, so there is one. */
  #rowOf({ bytes, starts, ends }: CommandArguments): CommandRow {
    const row = this.#call.services.table.find(bytes, starts[0]!, ends[0]!)!;
    return row.subcommands?.find(bytes, starts[1]!, ends[1]!) ?? row;
  }
}

/**
 * Frees pages, with no lock held.
 *
 * @returns whether that was all that is wanted or can be had; if not, to be called again
 */
function makeHeadroom(store: Store, byteCount: number): boolean {
  for (let attempt = 0; attempt < RECLAIMS_AT_A_TIME; attempt++) {
    if (store.freeBytes >= byteCount || !store.reclaim()) return true;
  }
  return false;
}

/** Lets the event loop go round. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
