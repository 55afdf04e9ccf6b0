/**
 * `DUMP` and `RESTORE` of collections. Small ones at once; large ones in slices: the one counts and
 * then sends from a lease, the other fills a collection aside and puts it at its key in the end.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import type { CollectionLease } from "../../store/collection/collection_lease.ts";
import { type EntryType, type Store, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { CollectionPayload, elementBytes, PayloadReader, ReadOutcome } from "../collection_dump.ts";
import { DumpSource } from "../dump_format.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { STEP_RECLAIM_ATTEMPTS } from "../reclaim_limits.ts";
import { withLocksAgain } from "../relock.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";
import { refuseWrite } from "./write_failure.ts";

/** More elements are counted in slices. Reason: 0.1 µs each. */
const COUNTED_AT_ONCE = 2000;
/** A longer payload is restored in slices. Unit: bytes. Reason: some 0.3 ms of small members. */
const RESTORED_AT_ONCE_BYTES = 4096;
/** Elements restored per lock hold. Reason: some 50 µs. */
const ELEMENTS_PER_HOLD = 16;
/** Weight of as many, see `Slices.isOver`: the clock is read after each. */
const HOLD_WEIGHT = 32;
/** Pages that publishing and a time to live may need. */
const PUBLISH_PAGES = 10;

/** Dumps the collection of an entry. */
export function dumpCollection(
  call: CommandCall,
  type: EntryType,
  entry: number,
  send: (source: DumpSource) => void,
): HandlerStatus {
  const { collections, collectionLeases } = call.store;
  const c = collections.handle(0);
  collections.openEntry(c, entry);
  const lease = collectionLeases.take(c);
  const slices = call.slices();
  const count = new PayloadCount(type, lease);
  if (call.inTransaction || lease.count <= COUNTED_AT_ONCE) {
    while (!count.advance());
    send(count.source());
    return HandlerStatus.DONE;
  }
  call.later = dumpLater(count, slices, lease, send);
  return HandlerStatus.LATER;
}

async function dumpLater(
  count: PayloadCount,
  slices: Slices,
  lease: CollectionLease,
  send: (source: DumpSource) => void,
): Promise<HandlerStatus> {
  try {
    do await slices.next(); while (!count.advance(slices));
  } catch (error) {
    lease.release();
    throw error;
  }
  send(count.source());
  return HandlerStatus.DONE;
}

/** Counts the bytes of a payload, which its reply must know first. */
class PayloadCount {
  readonly #type: EntryType;
  readonly #lease: CollectionLease;
  #byteCount = 0;
  #hasMore: boolean;

  constructor(type: EntryType, lease: CollectionLease) {
    this.#type = type;
    this.#lease = lease;
    this.#hasMore = lease.cursor.seekFirst();
  }

  /** Goes on; whether all is counted. */
  advance(slices?: Slices): boolean {
    const { cursor } = this.#lease;
    while (this.#hasMore) {
      this.#byteCount += elementBytes(this.#type, cursor);
      this.#hasMore = cursor.next();
      if (slices?.isOver() === true) return !this.#hasMore;
    }
    return true;
  }

  source(): DumpSource {
    const payload = new CollectionPayload(this.#type, this.#lease, this.#byteCount);
    return new DumpSource(this.#type, payload);
  }
}

/** What RESTORE was asked for, once its arguments were found to be right. */
export interface RestoreOrder {
  /** The type of the payload. */
  readonly type: EntryType;
  /** First byte of the payload in the arguments. */
  readonly start: number;
  /** Behind its last byte. */
  readonly end: number;
  /** When the key expires, ms since 1970; 0 = never. */
  readonly expireAtMs: number;
  /** Whether the key may exist. */
  readonly replaces: boolean;
  /** Whole seconds since it was used, as far as it is to seem; 0 or less = just now. */
  readonly idleSeconds: number;
}

/** Restores a collection. The key's lock is held, and unless it may be replaced it is not there. */
export function restoreCollection(call: CommandCall, order: RestoreOrder): HandlerStatus {
  const { args, database, key, store } = call;
  const c = store.collections.make(database, key, order.type);
  if (c === undefined) return HandlerStatus.RETRY;
  const reader = new PayloadReader(store, args.bytes, order.start, order.end);
  if (order.end - order.start > RESTORED_AT_ONCE_BYTES && !call.inTransaction) {
    call.later = restoreLater(call.detach(), order, c, reader);
    return HandlerStatus.LATER;
  }
  const outcome = reader.advance(c, Infinity);
  if (outcome === ReadOutcome.COMPLETE) return publish(call, order, c, true);
  store.collections.abandon(c);
  if (outcome === ReadOutcome.OUT_OF_MEMORY) return HandlerStatus.RETRY;
  return refuse(call, outcome);
}

async function restoreLater(
  call: CommandCall,
  order: RestoreOrder,
  c: Collection,
  reader: PayloadReader,
): Promise<HandlerStatus> {
  const { store } = call;
  try {
    const outcome = await fill(call, c, reader);
    return await withLocksAgain(call, () => {
      if (outcome !== ReadOutcome.COMPLETE) return refuse(call, outcome);
      if (order.replaces || !isThere(call)) return publish(call, order, c, false);
      call.sink.error(ReplyCode.BUSY_KEY);
      return HandlerStatus.DONE;
    });
  } finally {
    if (c.isDetached) await abandonLater(store, c);
  }
}

async function abandonLater({ collections, locks }: Store, c: Collection): Promise<void> {
  await locks.lockAsync(c.key.shard, true);
  collections.abandon(c);
  locks.unlock(c.key.shard, true);
}

async function fill(call: CommandCall, c: Collection, reader: PayloadReader): Promise<ReadOutcome> {
  const { store } = call;
  const slices = call.slices();
  const { shard } = c.key;
  let attempts = 0;
  await slices.next();
  for (;;) {
    if (!slices.tryLock(shard, true)) {
      slices.wanted(shard, true);
      await slices.next();
      continue;
    }
    const outcome = slices.guard(shard, () => reader.advance(c, ELEMENTS_PER_HOLD));
    slices.unlock(shard, true);
    if (outcome === ReadOutcome.OUT_OF_MEMORY) {
      if (++attempts > STEP_RECLAIM_ATTEMPTS || !store.reclaim()) return outcome;
    } else if (outcome === ReadOutcome.MORE) {
      attempts = 0;
    } else {
      return outcome;
    }
    if (slices.isOver(HOLD_WEIGHT)) await slices.next();
  }
}

function isThere(call: CommandCall): boolean {
  return call.store.peek(call.database, call.keyAt(1)) !== 0;
}

/** Puts a collection at its key, with its time to live: both or neither. */
function publish(
  call: CommandCall,
  order: RestoreOrder,
  c: Collection,
  abandons: boolean,
): HandlerStatus {
  const { database, sink, store } = call;
  const { collections } = store;
  const key = call.keyAt(1);
  if (!collections.reserve(PUBLISH_PAGES)) {
    if (abandons) collections.abandon(c);
    return HandlerStatus.RETRY;
  }
  const isNew = store.peek(database, key) === 0;
  let status = collections.publish(c);
  if (status === WriteStatus.OK && order.expireAtMs > store.nowMs) {
    status = store.setExpiry(database, key, order.expireAtMs);
  }
  collections.settle();
  if (status !== WriteStatus.OK) {
    if (abandons) collections.abandon(c);
    return refuseWrite(call, status);
  }
  if (order.expireAtMs !== 0 && order.expireAtMs <= store.nowMs) {
    store.remove(database, key);
    if (!isNew) call.notify(NotifyClass.GENERIC, "del", key);
  } else {
    if (order.idleSeconds > 0) {
      store.keyspace.setIdleSeconds(store.peek(database, key), order.idleSeconds);
    }
    call.notify(NotifyClass.GENERIC, "restore", key);
  }
  sink.ok();
  return HandlerStatus.DONE;
}

function refuse(call: CommandCall, outcome: ReadOutcome): HandlerStatus {
  if (outcome === ReadOutcome.OUT_OF_MEMORY) call.sink.error(ReplyCode.OUT_OF_MEMORY);
  else if (outcome === ReadOutcome.TOO_LARGE) call.sink.error(ReplyCode.VALUE_TOO_LARGE);
  else call.sink.error(ReplyCode.BAD_ARGUMENT, "Bad data format");
  return HandlerStatus.DONE;
}
