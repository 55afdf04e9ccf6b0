/**
 * Commands that look for an element of a list: where it is, to remove it, to insert next to it.
 *
 * A long list is looked through in slices, by a lease and with no lock held. What is then to be
 * changed is changed only if the list is still the one that was looked through; if it is not, all
 * begins again. After {@link MAX_SCANS} the list is looked through under the lock, in one go.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import type { CollectionLease } from "../../store/collection/collection_lease.ts";
import type { CollectionFork } from "../../store/collection/collection_fork.ts";
import { EntryType, type Store, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { fillAndCommit, giveUp, type LongChange } from "../long_change.ts";
import { withLocksAgain } from "../relock.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type ReplySource, streamReplies } from "../reply_source.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { openList } from "./list_entry.ts";
import { ListScan, type ScanWishes } from "./list_scan.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { notifyRemoval } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

/** Lists with no more elements than this, and … Reason: some 0.1 ms. */
const AT_ONCE_ELEMENTS = 2048;
/** … no more bytes are looked through at once. Reason: the same. */
const AT_ONCE_BYTES = 262144;

/** So many runs of neighbours are removed at once. Reason: some 2 µs each. */
const AT_ONCE_RUNS = 512;
/** Runs per lock hold. */
const RUNS_PER_HOLD = 16;

/** How often a list that others change is looked through without its lock. */
const MAX_SCANS = 4;

/** A command that changes what it found. */
interface Change {
  /** What to look for. */
  readonly wishes: ScanWishes;
  /** Changes the list, which exists, and replies; the exclusive lock is held. */
  apply(call: CommandCall, c: Collection, ranks: readonly number[]): HandlerStatus;
  /** The same to be made aside; undefined when it is little. */
  aside?(ranks: readonly number[]): LongChange | undefined;
}

function isSmall(call: CommandCall, c: Collection): boolean {
  return call.inTransaction || c.isPacked ||
    (c.count <= AT_ONCE_ELEMENTS && call.store.collections.footprintBytes(c) <= AT_ONCE_BYTES);
}

function scanAtOnce(c: Collection, wishes: ScanWishes): readonly number[] {
  const scan = new ListScan(c.cursor, c.count, wishes);
  scan.advance(undefined);
  return scan.ranks;
}

/** Looks through the list of argument 1, which has elements and is open, and changes it. */
function searchAndChange(call: CommandCall, c: Collection, change: Change): HandlerStatus {
  if (isSmall(call, c)) return change.apply(call, c, scanAtOnce(c, change.wishes));
  const { store } = call;
  const seq = store.entrySeq(c.entry);
  call.later = changeLater(call.detach(), store.collectionLeases.take(c), seq, change);
  return HandlerStatus.LATER;
}

async function changeLater(
  call: CommandCall,
  lease: CollectionLease,
  seq: number,
  change: Change,
): Promise<HandlerStatus> {
  const { store } = call;
  for (let scans = 1;; scans++) {
    let ranks: readonly number[] = [];
    try {
      ranks = await scanInSlices(call, lease, change.wishes);
    } finally {
      // Now, so that the change finds no reader and copies nothing.
      lease.release();
    }
    const aside = change.aside?.(ranks);
    let again: CollectionLease | undefined = undefined;
    let fork: CollectionFork | undefined = undefined;
    const takeAgain = (c: Collection): HandlerStatus => {
      seq = store.entrySeq(c.entry);
      again = store.collectionLeases.take(c);
      return HandlerStatus.LATER;
    };
    let status = await withLocksAgain(call, () => {
      const c = openList(call, 1, true);
      if (c === undefined) return HandlerStatus.DONE;
      if (c.count === 0) return change.apply(call, c, []);
      if (store.entrySeq(c.entry) !== seq) {
        if (scans < MAX_SCANS) return takeAgain(c);
        return change.apply(call, c, scanAtOnce(c, change.wishes));
      }
      if (aside === undefined || scans === MAX_SCANS) return change.apply(call, c, ranks);
      fork = store.collectionForks.begin(c);
      return fork === undefined ? HandlerStatus.RETRY : HandlerStatus.LATER;
    });
    if (fork !== undefined && aside !== undefined) {
      status = await changeAside(call, fork, aside);
      if (status !== HandlerStatus.LATER) return status;
      // The list is another by now.
      status = await withLocksAgain(call, () => {
        const c = openList(call, 1, true);
        if (c === undefined) return HandlerStatus.DONE;
        return c.count === 0 ? change.apply(call, c, []) : takeAgain(c);
      });
    }
    if (again === undefined) return status;
    lease = again;
  }
}

async function changeAside(
  call: CommandCall,
  fork: CollectionFork,
  aside: LongChange,
): Promise<HandlerStatus> {
  const slices = call.slices();
  try {
    return await fillAndCommit(call, fork, aside, slices);
  } finally {
    await giveUp(fork, slices);
  }
}

async function scanInSlices(
  call: CommandCall,
  lease: CollectionLease,
  wishes: ScanWishes,
): Promise<readonly number[]> {
  const slices = call.slices();
  const scan = new ListScan(lease.cursor, lease.count, wishes);
  do await slices.next(); while (!scan.advance(slices));
  return scan.ranks;
}

function handleLRem(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const count = operand.toNumber();
  const c = openList(call, 1, true);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  const wishes: ScanWishes = {
    bytes: args.bytes,
    start: args.starts[3]!,
    end: args.ends[3]!,
    isBackwards: count < 0,
    skip: 0,
    most: count === 0 ? Infinity : Math.abs(count),
    mostCompared: Infinity,
  };
  return searchAndChange(call, c, {
    wishes,
    apply: removeRanks,
    aside: (ranks) => removalAside(call.store, ranks),
  });
}

/** Removes the elements at `ranks`, which are in ascending or in descending order. */
function removeRanks(call: CommandCall, c: Collection, ranks: readonly number[]): HandlerStatus {
  const { collections } = call.store;
  if (ranks.length > 0) {
    const runs = runsOf(ranks);
    if (!collections.reserve(collections.pagesFor(c, 2 * runs.length, 0, 0))) {
      return HandlerStatus.RETRY;
    }
    // From the end, so that the ranks in front stay what they are.
    for (let i = runs.length - 2; i >= 0; i -= 2) {
      collections.lists.removeRanks(c, runs[i]!, runs[i + 1]!);
    }
    collections.settle();
    notifyRemoval(call, c, NotifyClass.LIST, "lrem");
  }
  call.sink.integer(ranks.length);
  return HandlerStatus.DONE;
}

/** The removal of many elements that are not neighbours. */
function removalAside(store: Store, ranks: readonly number[]): LongChange | undefined {
  if (ranks.length <= AT_ONCE_RUNS) return undefined;
  const runs = runsOf(ranks);
  const count = runs.length / 2;
  if (count <= AT_ONCE_RUNS) return undefined;
  const { lists } = store.collections;
  return {
    type: EntryType.LIST,
    count,
    partsPerHold: RUNS_PER_HOLD,
    begin() {},
    apply(c, from, to) {
      // From the end, as in removeRanks.
      const pages = store.collections.pagesFor(c, 2 * (to - from), 0, 0);
      if (!store.collections.reserve(pages)) return WriteStatus.OUT_OF_MEMORY;
      for (let i = from; i < to; i++) {
        const at = runs.length - 2 * (i + 1);
        lists.removeRanks(c, runs[at]!, runs[at + 1]!);
      }
      store.collections.settle();
      return WriteStatus.OK;
    },
    isVoid: () => false,
    reply(call, left) {
      const key = call.keyAt(1);
      call.notify(NotifyClass.LIST, "lrem", key);
      if (left === 0) call.notify(NotifyClass.GENERIC, "del", key);
      call.sink.integer(ranks.length);
    },
  };
}

/** First rank and length of each run of neighbours, in ascending order, one after the other. */
function runsOf(ranks: readonly number[]): number[] {
  const runs: number[] = [];
  const isDescending = ranks[0]! > ranks[ranks.length - 1]!;
  for (let i = 0; i < ranks.length; i++) {
    const rank = ranks[isDescending ? ranks.length - 1 - i : i]!;
    const last = runs.length - 2;
    if (last >= 0 && runs[last]! + runs[last + 1]! === rank) runs[last + 1]!++;
    else runs.push(rank, 1);
  }
  return runs;
}

function handleLInsert(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const isBefore = args.is(2, "BEFORE");
  if (!isBefore && !args.is(2, "AFTER")) {
    sink.error(ReplyCode.SYNTAX);
    return HandlerStatus.DONE;
  }
  const c = openList(call, 1, true);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  const wishes: ScanWishes = {
    bytes: args.bytes,
    start: args.starts[3]!,
    end: args.ends[3]!,
    isBackwards: false,
    skip: 0,
    most: 1,
    mostCompared: Infinity,
  };
  return searchAndChange(call, c, {
    wishes,
    apply: (own, list, ranks) => insertNextTo(own, list, ranks, isBefore),
  });
}

function insertNextTo(
  call: CommandCall,
  c: Collection,
  ranks: readonly number[],
  isBefore: boolean,
): HandlerStatus {
  const { args, sink, store } = call;
  if (ranks.length === 0) {
    sink.integer(c.count === 0 ? 0 : -1);
    return HandlerStatus.DONE;
  }
  const rank = ranks[0]! + (isBefore ? 0 : 1);
  const { lists } = store.collections;
  const status = lists.insert(c, rank, args.bytes, args.starts[4]!, args.ends[4]!);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.LIST, "linsert", c.key);
  sink.integer(c.count);
  return HandlerStatus.DONE;
}

/** What LPOS asks for. */
interface PositionWishes extends ScanWishes {
  /** Whether an array is replied. */
  readonly isCounted: boolean;
}

function handleLPos(call: CommandCall): HandlerStatus {
  const wishes = readPositionWishes(call);
  if (wishes === undefined) return HandlerStatus.DONE;
  const c = openList(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  if (isSmall(call, c)) {
    replyPositions(call.sink, scanAtOnce(c, wishes), wishes.isCounted);
    return HandlerStatus.DONE;
  }
  call.later = positionsLater(call.detach(), call.store.collectionLeases.take(c), wishes);
  return HandlerStatus.LATER;
}

async function positionsLater(
  call: CommandCall,
  lease: CollectionLease,
  wishes: PositionWishes,
): Promise<HandlerStatus> {
  try {
    replyPositions(call.sink, await scanInSlices(call, lease, wishes), wishes.isCounted);
  } finally {
    lease.release();
  }
  return HandlerStatus.DONE;
}

function replyPositions(sink: ReplySink, ranks: readonly number[], isCounted: boolean): void {
  if (isCounted) {
    sink.arrayStart(ranks.length);
    streamReplies(sink, new RankReplies(ranks));
  } else if (ranks.length === 0) {
    sink.nil();
  } else {
    sink.integer(ranks[0]!);
  }
}

/** Ranks as replies; there may be a million. */
class RankReplies implements ReplySource {
  #ranks: readonly number[];
  #done = 0;

  constructor(ranks: readonly number[]) {
    this.#ranks = ranks;
  }

  writeNext(sink: ReplySink, mostBytes: number): boolean {
    // A colon, up to ten digits, CR and LF.
    const end = Math.min(this.#ranks.length, this.#done + Math.ceil(mostBytes / 13));
    while (this.#done < end) sink.integer(this.#ranks[this.#done++]!);
    return this.#done === this.#ranks.length;
  }

  release(): void {
    this.#ranks = [];
    this.#done = 0;
  }
}

const RANK_ZERO =
  "RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
  "or use negative to start from the end of the list";

/** Reads the options of LPOS; undefined when the error was replied. */
function readPositionWishes(call: CommandCall): PositionWishes | undefined {
  const { args, operand, sink } = call;
  let rank = 1;
  let count = -1;
  let mostCompared = 0;
  for (let i = 3; i < args.count; i += 2) {
    const isRank = args.is(i, "RANK");
    const isCount = args.is(i, "COUNT");
    if ((!isRank && !isCount && !args.is(i, "MAXLEN")) || i + 1 === args.count) {
      sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
    const isNumber = args.int64(i + 1, operand);
    const number = isNumber ? operand.toNumber() : 0;
    if (isRank) {
      if (!isNumber) {
        sink.error(ReplyCode.NOT_AN_INTEGER);
        return undefined;
      }
      if (number === 0) {
        sink.error(ReplyCode.BAD_ARGUMENT, RANK_ZERO);
        return undefined;
      }
      // Redis negates this one and gets itself back: the first match from the end.
      rank = operand.hi === -0x80000000 && operand.lo === 0 ? -1 : number;
    } else if (!isNumber || number < 0) {
      sink.error(ReplyCode.BAD_ARGUMENT, `${isCount ? "COUNT" : "MAXLEN"} can't be negative`);
      return undefined;
    } else if (isCount) {
      count = number;
    } else {
      mostCompared = number;
    }
  }
  return {
    bytes: args.bytes,
    start: args.starts[2]!,
    end: args.ends[2]!,
    isBackwards: rank < 0,
    skip: Math.abs(rank) - 1,
    most: count < 0 ? 1 : count === 0 ? Infinity : count,
    mostCompared: mostCompared === 0 ? Infinity : mostCompared,
    isCounted: count >= 0,
  };
}

/** The rows of LREM LINSERT LPOS. Thread: any; a thread makes its own at start. */
export function listSearchRows(): CommandRow[] {
  const common = {
    group: "list",
    firstKey: 1,
    cost: "per-argument",
    complexity: "O(N) with N elements of the list; in slices of a millisecond where it is long",
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "lrem",
      arity: 4,
      syntax: "key count element",
      summary: "Removes elements equal to the given one: all, or the first or last few.",
      since: "1.0.0",
      flags: ["write"],
      access: "write",
      reply: "integer",
      handler: handleLRem,
    }),
    new CommandRow({
      ...common,
      name: "linsert",
      arity: 5,
      syntax: "key BEFORE | AFTER pivot element",
      summary: "Inserts an element next to the first one that is equal to the pivot.",
      since: "2.2.0",
      flags: ["write", "denyoom"],
      access: "write",
      reply: "integer",
      handler: handleLInsert,
    }),
    new CommandRow({
      ...common,
      name: "lpos",
      arity: -3,
      syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
      summary: "Returns the index of an element of a list, or the indexes of several matches.",
      since: "6.0.6",
      flags: ["readonly"],
      access: "read",
      reply: ["integer", "array", "nil"],
      handler: handleLPos,
    }),
  ];
}
