/**
 * Commands that bring very many elements for one collection: their change is made aside, in slices.
 *
 * A fork of the collection (`store/collection/collection_fork.ts`) is changed step by step, with the
 * key's lock given back in between; the key has its old elements meanwhile. Then the lock is taken
 * once more. If nobody else has changed the collection, the fork takes its place and the command has
 * happened, at that moment; else it is thrown away and all begins anew. After
 * {@link MAX_FREE_ATTEMPTS} the change is made with the lock held, however long it takes. Long
 * changes of one key that come by the same thread are made one after the other.
 *
 * @module
 */

import type { Collection } from "../store/collection/collection.ts";
import type { CollectionFork } from "../store/collection/collection_fork.ts";
import { type EntryType, type Store, WriteStatus } from "../store/store.ts";
import type { CommandCall } from "./call.ts";
import { openCollection } from "./handlers/open_collection.ts";
import { refuseWrite } from "./handlers/write_failure.ts";
import { STEP_RECLAIM_ATTEMPTS } from "./reclaim_limits.ts";
import { withLocksAgain } from "./relock.ts";
import { ReplyCode } from "./reply_code.ts";
import { HandlerStatus } from "./row.ts";
import type { Slices } from "./slices.ts";

/**
 * So many fields or members are changed at once, and not aside. Reason: some 4 µs each at worst, so
 * about a millisecond.
 */
export const AT_ONCE_MEMBERS = 256;
/** The same for elements at the ends of a list. Reason: some 0.3 µs each. */
export const AT_ONCE_PUSHES = 2048;

/** How often a change is made aside that is out of date when it is complete. */
const MAX_FREE_ATTEMPTS = 4;
/** Weight of what is changed per lock hold, see `Slices.isOver`: the clock is read after each. */
const HOLD_WEIGHT = 32;

/** A change of the collection at argument 1. */
export interface LongChange {
  /** Type of the collection. */
  readonly type: EntryType;
  /** Parts that it consists of. */
  readonly count: number;
  /** Parts that make about 50 µs of work. */
  readonly partsPerHold: number;
  /**
   * Looks at the collection before it is changed; the exclusive lock is held.
   *
   * @returns undefined to go on; else it has replied, and nothing is to be changed
   */
  check?(call: CommandCall, c: Collection): HandlerStatus | undefined;
  /** Forgets what was counted: the change begins, or begins anew. */
  begin(): void;
  /**
   * Makes the parts `[from, to)` of the change.
   *
   * @returns OK, or OUT_OF_MEMORY and nothing has changed
   */
  apply(c: Collection, from: number, to: number): WriteStatus;
  /** Whether the elements are what they were: then the key counts as not changed. */
  isVoid(): boolean;
  /** Replies and says what happened; the lock is held. `count`: elements there are now. */
  reply(call: CommandCall, count: number): void;
}

/** What became of a fork: complete, overtaken by another change, without memory. */
const Outcome = { COMPLETE: 0, STALE: 1, OUT_OF_MEMORY: 2 } as const;
type Outcome = typeof Outcome[keyof typeof Outcome];

/**
 * Whether a command brings more arguments behind its key than are changed at once. Thread: the
 * connection's I/O thread.
 */
export function isLongChange({ args, inTransaction }: CommandCall, most: number): boolean {
  return args.count - 2 > most && !inTransaction;
}

/**
 * Makes a change in slices, and then replies. Not for transactions, which do all at once.
 *
 * Thread: the connection's I/O thread; the key's lock may be held.
 *
 * @param prepare what comes before, with a call of its own; undefined = it has replied
 * @returns LATER
 */
export function changeInSlices(
  call: CommandCall,
  prepare: (own: CommandCall, slices: Slices) => Promise<LongChange | undefined>,
): HandlerStatus {
  const own = call.detach();
  const slices = call.slices();
  const { hash, hashHigh } = own.keyAt(1);
  call.later = slices.inOrder(`${own.database} ${hash} ${hashHigh}`, async () => {
    await slices.next();
    const change = await prepare(own, slices);
    return change === undefined ? HandlerStatus.DONE : await changeLater(own, change, slices);
  });
  return HandlerStatus.LATER;
}

async function changeLater(
  call: CommandCall,
  change: LongChange,
  slices: Slices,
): Promise<HandlerStatus> {
  const { store } = call;
  for (let attempt = 1;; attempt++) {
    let fork: CollectionFork | undefined = undefined;
    let status = await withLocksAgain(call, () => {
      const c = openCollection(call, 1, change.type);
      if (c === undefined) return HandlerStatus.DONE;
      const early = change.check?.(call, c);
      if (early !== undefined) return early;
      if (attempt > MAX_FREE_ATTEMPTS) return changeNow(call, c, change);
      fork = store.collectionForks.begin(c);
      return fork === undefined ? HandlerStatus.RETRY : HandlerStatus.LATER;
    });
    if (fork === undefined) return status;
    try {
      status = await fillAndCommit(call, fork, change, slices);
    } finally {
      await giveUp(fork, slices);
    }
    if (status !== HandlerStatus.LATER) return status;
  }
}

/** Makes all of a change with the lock held. */
function changeNow(call: CommandCall, c: Collection, change: LongChange): HandlerStatus {
  change.begin();
  const status = change.apply(c, 0, change.count);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  change.reply(call, c.count);
  return HandlerStatus.DONE;
}

/**
 * Makes a change in a fork and puts that in place.
 *
 * @returns LATER when somebody else was faster
 */
export async function fillAndCommit(
  call: CommandCall,
  fork: CollectionFork,
  change: LongChange,
  slices: Slices,
): Promise<HandlerStatus> {
  change.begin();
  const outcome = await fill(call.store, fork, change, slices);
  if (outcome === Outcome.STALE) return HandlerStatus.LATER;
  if (outcome === Outcome.OUT_OF_MEMORY) {
    call.sink.error(ReplyCode.OUT_OF_MEMORY);
    return HandlerStatus.DONE;
  }
  return await withLocksAgain(call, () => {
    if (!fork.isCurrent()) return HandlerStatus.LATER;
    const { count } = fork.c;
    const status = change.isVoid() ? WriteStatus.OK : fork.commit();
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    change.reply(call, count);
    return HandlerStatus.DONE;
  });
}

async function fill(
  store: Store,
  fork: CollectionFork,
  change: LongChange,
  slices: Slices,
): Promise<Outcome> {
  const { shard } = fork.c.key;
  let failures = 0;
  for (let at = 0; at < change.count;) {
    if (!slices.tryLock(shard, true)) {
      slices.wanted(shard, true);
      await slices.next();
      continue;
    }
    const to = Math.min(change.count, at + change.partsPerHold);
    const status = slices.guard(shard, () => {
      if (!fork.isCurrent()) return undefined;
      return fork.step((c) => change.apply(c, at, to));
    });
    slices.unlock(shard, true);
    if (status === undefined) return Outcome.STALE;
    if (status === WriteStatus.OK) {
      at = to;
      failures = 0;
    } else if (++failures > STEP_RECLAIM_ATTEMPTS || !store.reclaim()) {
      return Outcome.OUT_OF_MEMORY;
    }
    if (slices.isOver(HOLD_WEIGHT)) await slices.next();
  }
  return Outcome.COMPLETE;
}

/** Frees, in slices, what is left of a fork. Thread: as {@link changeInSlices}. */
export async function giveUp(fork: CollectionFork, slices: Slices): Promise<void> {
  const { shard } = fork.c.key;
  while (!fork.isOver) {
    if (!slices.tryLock(shard, true)) {
      slices.wanted(shard, true);
      await slices.next();
      continue;
    }
    slices.guard(shard, () => fork.giveUp());
    slices.unlock(shard, true);
    if (slices.isOver(HOLD_WEIGHT)) await slices.next();
  }
}

/**
 * Whether an argument from `first` on is longer than an element may be: to be asked before a long
 * change, which refuses it whole. Thread: the connection's I/O thread.
 */
export function hasTooLong({ args, store }: CommandCall, first: number): boolean {
  const { maxElementBytes } = store.collections;
  for (let i = first; i < args.count; i++) if (args.length(i) > maxElementBytes) return true;
  return false;
}
