/**
 * `SINTERSTORE`, `SUNIONSTORE` and `SDIFFSTORE`.
 *
 * What is small is combined at once, under the locks. Large sets are leased and searched without
 * any lock, and the result is made aside, in slices under its own shard's lock. Then all locks are
 * taken again: if no set has changed, the result takes its place, and the command has happened at
 * that moment. If one has, everything is done once more.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Collection } from "../../store/collection/collection.ts";
import type { RecordCursor } from "../../store/collection/cursor.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ELEMENTS } from "../collection_reply.ts";
import { RankedRecords } from "../ranked_reply.ts";
import { WRITE_RECLAIM_ATTEMPTS } from "../reclaim_limits.ts";
import { withLocksAgain } from "../relock.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { SetOperation, SetSearch } from "../set_search.ts";
import type { Slices } from "../slices.ts";
import { MOST_LOCKED_MEMBERS } from "../stored_result.ts";
import { SourceSets } from "./source_sets.ts";
import { refuseWrite } from "./write_failure.ts";

/** What is published, by {@link SetOperation}. */
const EVENTS = ["sinterstore", "sunionstore", "sdiffstore"] as const;
const DESTINATION = 1;
const FIRST_SOURCE = 2;
/**
 * So often the result is made without locks, and thrown away because one of the sets has changed
 * meanwhile; then with them.
 */
const MAX_FREE_ATTEMPTS = 3;
/** What adding a member costs, see `Slices.isOver`. */
const ADD_WEIGHT = 32;

function handleStore(call: CommandCall, operation: SetOperation): HandlerStatus {
  const sources = SourceSets.capture(call, FIRST_SOURCE, call.args.count);
  if (sources === undefined) return HandlerStatus.DONE;
  if (sources.areSmall || call.inTransaction) return storeNow(call, operation, sources);
  call.later = storeLater(call.detach(), operation, sources);
  return HandlerStatus.LATER;
}

/** With all locks held; gives up the sources. */
function storeNow(
  call: CommandCall,
  operation: SetOperation,
  sources: SourceSets,
): HandlerStatus {
  const { collections } = call.store;
  const search = new SetSearch(operation, sources.inputs);
  search.advance(undefined);
  const target = collections.make(call.database, call.keyAt(DESTINATION), EntryType.SET);
  let status: WriteStatus = WriteStatus.OUT_OF_MEMORY;
  if (target !== undefined) {
    const found = new FoundMembers(search);
    status = WriteStatus.OK;
    while (status === WriteStatus.OK && found.next()) status = add(call, target, found.cursor);
    if (status === WriteStatus.OK) status = publish(call, operation, target);
    if (status !== WriteStatus.OK) collections.abandon(target);
  }
  sources.release();
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.sink.integer(search.total);
  return HandlerStatus.DONE;
}

/** Without the locks; takes them again for the result. */
async function storeLater(
  call: CommandCall,
  operation: SetOperation,
  sources: SourceSets,
): Promise<HandlerStatus> {
  const slices = call.slices();
  let current = sources;
  try {
    for (let attempt = 1;; attempt++) {
      const search = new SetSearch(operation, current.inputs);
      do await slices.next(); while (!search.advance(slices));
      const aside = new AsideSet(call, slices);
      if (!await aside.fill(new FoundMembers(search))) return outOfMemory(call);
      let next: SourceSets | undefined;
      const status = await withLocksAgain(call, () => {
        if (current.areUnchanged(call, FIRST_SOURCE)) {
          return aside.publish(operation, search.total);
        }
        aside.abandonLocked();
        next = SourceSets.capture(call, FIRST_SOURCE, call.args.count);
        if (next === undefined) return HandlerStatus.DONE;
        if (next.areSmall) return storeNow(call, operation, next);
        if (attempt < MAX_FREE_ATTEMPTS) return HandlerStatus.LATER;
        return storeLocked(call, operation, next);
      });
      await aside.abandon();
      if (status !== HandlerStatus.LATER) return status;
      current.release();
      current = next!;
    }
  } finally {
    current.release();
  }
}

/** With all locks held, because others change the sets all the time; gives up the sources. */
function storeLocked(
  call: CommandCall,
  operation: SetOperation,
  sources: SourceSets,
): HandlerStatus {
  if (sources.memberCount <= MOST_LOCKED_MEMBERS) return storeNow(call, operation, sources);
  sources.release();
  call.sink.error(
    ReplyCode.BAD_ARGUMENT,
    "the sets are too large to be combined while others change them, try again",
  );
  return HandlerStatus.DONE;
}

function outOfMemory(call: CommandCall): HandlerStatus {
  call.sink.error(ReplyCode.OUT_OF_MEMORY);
  return HandlerStatus.DONE;
}

/** Puts a set that was made aside at its key; an empty one deletes the key. */
function publish(call: CommandCall, operation: SetOperation, target: Collection): WriteStatus {
  const { store } = call;
  const key = call.keyAt(DESTINATION);
  const isEmpty = target.count === 0;
  const wasThere = isEmpty && store.lookup(call.database, key) !== 0;
  const status = store.collections.publish(target);
  if (status !== WriteStatus.OK) return status;
  if (!isEmpty) call.notify(NotifyClass.SET, EVENTS[operation]!, key);
  else if (wasThere) call.notify(NotifyClass.GENERIC, "del", key);
  return status;
}

/** Adds a copy of the member at a cursor. */
function add(call: CommandCall, target: Collection, from: RecordCursor): WriteStatus {
  const { sets } = call.store.collections;
  const member = from.element();
  if (member.longRoot === 0) return sets.addMember(target, member.bytes, member.start, member.end);
  return sets.addMember(target, member.toBytes(), 0, member.byteCount);
}

/** The members that a search has found, one after the other. */
class FoundMembers extends RankedRecords {
  /** The current one. */
  cursor!: RecordCursor;

  constructor(search: SetSearch) {
    super(search.inputs, search.ranges, ELEMENTS);
  }

  /** Goes to the next one; undefined when there is none. */
  override next(): RecordCursor | undefined {
    const cursor = super.next();
    if (cursor !== undefined) this.cursor = cursor;
    return cursor;
  }
}

/** A set that is made aside, in slices. */
class AsideSet {
  readonly #call: CommandCall;
  readonly #slices: Slices;
  readonly #shard: number;
  #target: Collection | undefined;

  constructor(call: CommandCall, slices: Slices) {
    this.#call = call;
    this.#slices = slices;
    this.#shard = call.keyAt(DESTINATION).shard;
  }

  /** Copies all members; false when there is no memory, and nothing is left of it. */
  async fill(found: FoundMembers): Promise<boolean> {
    const { store } = this.#call;
    const slices = this.#slices;
    let isPending = found.next() !== undefined;
    let attempts = 0;
    do {
      let status: WriteStatus = WriteStatus.OK;
      await this.#withLock(() => {
        this.#target ??= this.#make();
        if (this.#target === undefined) status = WriteStatus.OUT_OF_MEMORY;
        while (isPending && status === WriteStatus.OK) {
          status = add(this.#call, this.#target!, found.cursor);
          if (status === WriteStatus.OK) isPending = found.next() !== undefined;
          if (slices.isOver(ADD_WEIGHT)) break;
        }
      });
      if (status === WriteStatus.OK) {
        attempts = 0;
        if (isPending) await slices.next();
      } else if (++attempts > WRITE_RECLAIM_ATTEMPTS || !store.reclaim()) {
        await this.abandon();
        return false;
      } else if (attempts % 8 === 0) {
        await slices.next();
      }
    } while (isPending || this.#target === undefined);
    return true;
  }

  /** Puts the set at its key and replies; needs the key's exclusive lock. */
  publish(operation: SetOperation, total: number): HandlerStatus {
    const call = this.#call;
    const status = publish(call, operation, this.#target!);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    this.#target = undefined;
    call.sink.integer(total);
    return HandlerStatus.DONE;
  }

  /** Lets go of the set if it was not published; needs the key's exclusive lock. */
  abandonLocked(): void {
    if (this.#target !== undefined) this.#call.store.collections.abandon(this.#target);
    this.#target = undefined;
  }

  /** The same, with no lock held. */
  async abandon(): Promise<void> {
    if (this.#target !== undefined) await this.#withLock(() => this.abandonLocked());
  }

  #make(): Collection | undefined {
    const call = this.#call;
    return call.store.collections.make(call.database, call.keyAt(DESTINATION), EntryType.SET);
  }

  async #withLock(step: () => void): Promise<void> {
    const slices = this.#slices;
    const shard = this.#shard;
    while (!slices.tryLock(shard, true)) {
      slices.wanted(shard, true);
      await slices.next();
    }
    slices.guard(shard, step);
    slices.unlock(shard, true);
  }
}

/** The rows of SINTERSTORE SUNIONSTORE SDIFFSTORE. Thread: any; a thread makes its own. */
export function setStoreRows(): CommandRow[] {
  const common = {
    group: "set",
    since: "1.0.0",
    arity: -3,
    syntax: "destination key [key ...]",
    flags: ["write", "denyoom"],
    access: "write",
    firstKey: 1,
    lastKey: -1,
    cost: "per-argument",
    reply: "integer",
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "sinterstore",
      summary: "Stores the members that all sets have and returns how many there are.",
      complexity: "O(N * M) with N members of the smallest of M sets; large ones in slices",
      handler: (call) => handleStore(call, SetOperation.INTERSECTION),
    }),
    new CommandRow({
      ...common,
      name: "sunionstore",
      summary: "Stores the members that any of the sets has and returns how many there are.",
      complexity: "O(N * M) with N members of all M sets; large ones in slices",
      handler: (call) => handleStore(call, SetOperation.UNION),
    }),
    new CommandRow({
      ...common,
      name: "sdiffstore",
      summary: "Stores the members of the first set that no other has, returns how many.",
      complexity: "O(N * M) with N members of the first of M sets; large ones in slices",
      handler: (call) => handleStore(call, SetOperation.DIFFERENCE),
    }),
  ];
}
