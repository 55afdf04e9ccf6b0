/**
 * `SORT` and `SORT_RO`.
 *
 * What is sorted is as it was at one moment. The keys that `BY` and `GET` name are looked up later,
 * one by one, with their own locks; together with the rest only in a transaction. Long ones run in
 * slices; `STORE` then puts the result at its key in the end.
 *
 * @module
 */

import { LEASED_VALUE_BYTES } from "../../base/limits.ts";
import type { Collection } from "../../store/collection/collection.ts";
import type { CollectionLease } from "../../store/collection/collection_lease.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { ArraySource } from "../dump_format.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { withLocksAgain } from "../relock.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type ReplySource, streamReplies } from "../reply_source.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";
import { SortPattern } from "../sort_pattern.ts";
import { type SortOrder, SortOutcome, SortRun } from "../sort_run.ts";
import type { TextHoldings } from "../texts.ts";
import { refuseWrite } from "./write_failure.ts";

/**
 * What one thread's `SORT`s may hold together until their replies are read.
 *
 * Unit: bytes. Reason: it is in no arena that bounds it. A million short members take some 32 MiB.
 */
export const SORT_MAX_BYTES: number = 256 * 2 ** 20;

/** Fewer elements are sorted at once. Reason: some 0.1 ms. */
const AT_ONCE_COUNT = 200;
/** And of elements this long at most, together. Unit: bytes. */
const AT_ONCE_BYTES = 64 * 1024;

/**
 * Most elements that are sorted inside a transaction, which holds its locks and the thread meanwhile.
 *
 * Reason: some 50 ms.
 */
const ATOMIC_MAX_COUNT = 50_000;
const TOO_MANY = `SORT of more than ${ATOMIC_MAX_COUNT} elements is not done in a transaction`;

/** A call of SORT, read. */
interface SortCall extends SortOrder {
  /** Argument with the key for the result; 0 = it is replied. */
  readonly storeIndex: number;
}

/** Runs SORT and SORT_RO. */
class Sorting {
  readonly #holdings: TextHoldings;

  constructor(mostBytes: number) {
    this.#holdings = { byteCount: 0, mostBytes };
  }

  handle(call: CommandCall, mayStore: boolean): HandlerStatus {
    const order = readOrder(call, mayStore);
    if (order === undefined) return HandlerStatus.DONE;
    const { database, sink, store } = call;
    const { collections } = store;
    const entry = store.peek(database, call.keyAt(1));
    const type = entry === 0 ? EntryType.LIST : store.entryType(entry);
    if (type !== EntryType.LIST && type !== EntryType.SET && type !== EntryType.SORTED_SET) {
      sink.error(ReplyCode.WRONG_TYPE);
      return HandlerStatus.DONE;
    }
    const c = collections.handle(0);
    collections.open(c, database, call.keyAt(1), type, false);
    if (call.inTransaction && c.count > ATOMIC_MAX_COUNT && !order.keepsOrder) {
      sink.error(ReplyCode.UNSUPPORTED, TOO_MANY);
      return HandlerStatus.DONE;
    }
    const lease = store.collectionLeases.take(c);
    const isSmall = c.count <= AT_ONCE_COUNT && collections.footprintBytes(c) <= AT_ONCE_BYTES;
    const looksUp = [...order.gets, order.by].some((pattern) => pattern?.hasStar === true);
    const slices = call.slices();
    const parts = { store, database, holdings: this.#holdings, slices };
    // A set has no order to keep, and what is stored should not depend on chance.
    const own = type === EntryType.SET && order.keepsOrder && order.storeIndex > 0
      ? { ...order, keepsOrder: false, isAlpha: true, by: undefined }
      : order;
    if (call.inTransaction || (isSmall && !looksUp)) {
      const run = new SortRun({ ...parts, isLocked: !call.inTransaction }, own);
      return sortNow(call, own, run, lease);
    }
    const run = new SortRun({ ...parts, isLocked: false }, own);
    call.later = sortLater(call.detach(), own, run, lease, slices);
    return HandlerStatus.LATER;
  }
}

/** With all locks held that it needs. */
function sortNow(
  call: CommandCall,
  order: SortCall,
  run: SortRun,
  lease: CollectionLease,
): HandlerStatus {
  const outcome = toEnd(run.run(lease));
  lease.release();
  if (outcome !== SortOutcome.DONE) return refuse(call, run, outcome);
  if (order.storeIndex === 0) return reply(call.sink, run);
  const { collections } = call.store;
  const list = toEnd(run.list(call.ownKeyAt(order.storeIndex)));
  const count = run.resultCount;
  run.release();
  if (list === undefined) return HandlerStatus.RETRY;
  const status = publish(call, list, order.storeIndex, count);
  if (status === WriteStatus.OK) return HandlerStatus.DONE;
  collections.abandon(list);
  return refuseWrite(call, status);
}

/** Puts a list of `count` elements at the key behind STORE, and replies if that was possible. */
function publish(
  call: CommandCall,
  list: Collection,
  storeIndex: number,
  count: number,
): WriteStatus {
  const { database, store } = call;
  const key = call.ownKeyAt(storeIndex);
  const isNew = store.peek(database, key) === 0;
  const status = store.collections.publish(list);
  if (status !== WriteStatus.OK) return status;
  if (count > 0) call.notify(NotifyClass.LIST, "sortstore", key);
  else if (!isNew) call.notify(NotifyClass.GENERIC, "del", key);
  call.sink.integer(count);
  return status;
}

async function sortLater(
  call: CommandCall,
  order: SortCall,
  run: SortRun,
  lease: CollectionLease,
  slices: Slices,
): Promise<HandlerStatus> {
  try {
    const outcome = await inSlices(run.run(lease), slices);
    if (outcome !== SortOutcome.DONE) return refuse(call, run, outcome);
    if (order.storeIndex === 0) return reply(call.sink, run);
    return await storeLater(call, order.storeIndex, run, slices);
  } finally {
    lease.release();
    if (order.storeIndex > 0) run.release();
  }
}

async function storeLater(
  call: CommandCall,
  storeIndex: number,
  run: SortRun,
  slices: Slices,
): Promise<HandlerStatus> {
  const { locks, collections } = call.store;
  const key = call.ownKeyAt(storeIndex);
  const list = await inSlices(run.list(key), slices);
  if (list === undefined) return refuse(call, run, SortOutcome.OUT_OF_MEMORY);
  try {
    return await withLocksAgain(call, () => {
      const status = publish(call, list, storeIndex, run.resultCount);
      return status === WriteStatus.OK ? HandlerStatus.DONE : refuseWrite(call, status);
    });
  } finally {
    if (list.isDetached) {
      await locks.lockAsync(key.shard, true);
      collections.abandon(list);
      locks.unlock(key.shard, true);
    }
  }
}

function toEnd<Result>(work: Generator<void, Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

async function inSlices<Result>(work: Generator<void, Result>, slices: Slices): Promise<Result> {
  for (;;) {
    await slices.next();
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

function refuse(call: CommandCall, run: SortRun, outcome: SortOutcome): HandlerStatus {
  const { sink } = call;
  run.release();
  if (outcome === SortOutcome.NOT_A_NUMBER) {
    sink.error(ReplyCode.BAD_ARGUMENT, "One or more scores can't be converted into double");
  } else if (outcome === SortOutcome.TOO_MUCH) {
    const most = SORT_MAX_BYTES / 2 ** 20;
    sink.error(ReplyCode.BAD_ARGUMENT, `SORT would have to hold more than ${most} MiB at a time`);
  } else {
    sink.error(ReplyCode.OUT_OF_MEMORY);
  }
  return HandlerStatus.DONE;
}

function reply(sink: ReplySink, run: SortRun): HandlerStatus {
  sink.arrayStart(run.resultCount);
  streamReplies(sink, new SortReply(run));
  return HandlerStatus.DONE;
}

/** The results, as the client takes them. */
class SortReply implements ReplySource {
  readonly #run: SortRun;
  #index = 0;

  constructor(run: SortRun) {
    this.#run = run;
  }

  writeNext(sink: ReplySink, mostBytes: number): boolean {
    const { results, resultCount } = this.#run;
    for (let written = 0; this.#index < resultCount && written < mostBytes;) {
      const at = this.#run.resultAt(this.#index++);
      // Length, line ends and some digits come with each.
      written += 8;
      if (results.isMissing(at)) {
        sink.nil();
        continue;
      }
      const start = results.starts[at]!;
      const end = results.ends[at]!;
      written += end - start;
      if (end - start > LEASED_VALUE_BYTES && sink.bulkSource !== undefined) {
        sink.bulkSource(new ArraySource(results.bytes.subarray(start, end)));
        break;
      }
      sink.bulk(results.bytes, start, end);
    }
    return this.#index === resultCount;
  }

  release(): void {
    this.#run.release();
  }
}

/** Reads the options; undefined when an error was replied. */
function readOrder(call: CommandCall, mayStore: boolean): SortCall | undefined {
  const { args, operand, sink } = call;
  const gets: SortPattern[] = [];
  const order = { descends: false, isAlpha: false, offset: 0, most: -1, storeIndex: 0 };
  let by: SortPattern | undefined;
  let keepsOrder = false;
  for (let i = 2; i < args.count; i++) {
    const left = args.count - i - 1;
    if (args.is(i, "ASC")) order.descends = false;
    else if (args.is(i, "DESC")) order.descends = true;
    else if (args.is(i, "ALPHA")) order.isAlpha = true;
    else if (args.is(i, "LIMIT") && left >= 2) {
      if (!args.int64(++i, operand)) return refuseNumber(sink);
      order.offset = operand.toNumber();
      if (!args.int64(++i, operand)) return refuseNumber(sink);
      order.most = operand.toNumber();
    } else if (args.is(i, "BY") && left >= 1) {
      by = patternAt(args, ++i);
      // A pattern that is the same for all puts none before another.
      if (!by.hasStar) keepsOrder = true;
    } else if (args.is(i, "GET") && left >= 1) {
      gets.push(patternAt(args, ++i));
    } else if (args.is(i, "STORE") && left >= 1 && mayStore) {
      order.storeIndex = ++i;
    } else {
      sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
  }
  return { ...order, by, gets, keepsOrder };
}

function refuseNumber(sink: ReplySink): undefined {
  sink.error(ReplyCode.NOT_AN_INTEGER);
}

function patternAt(args: CommandArguments, index: number): SortPattern {
  return new SortPattern(args.bytes, args.starts[index]!, args.ends[index]!);
}

/** The key that is sorted, and the last one behind STORE. */
function findKeys(args: CommandArguments, visit: (index: number) => void): boolean {
  visit(1);
  let storeIndex = 0;
  for (let i = 2; i < args.count; i++) {
    if (args.is(i, "LIMIT")) i += 2;
    else if (args.is(i, "BY") || args.is(i, "GET")) i++;
    else if (args.is(i, "STORE") && i + 1 < args.count) storeIndex = ++i;
  }
  if (storeIndex > 0) visit(storeIndex);
  return true;
}

/** The rows of SORT and SORT_RO. Thread: any; a thread makes its own at start. */
export function sortRows(mostBytes: number = SORT_MAX_BYTES): CommandRow[] {
  const sorting = new Sorting(mostBytes);
  const both = {
    arity: -2,
    group: "generic",
    firstKey: 1,
    touchesAllKeys: true,
    cost: "per-key",
    complexity: "O(N log N) with N elements, and as many lookups as patterns name keys",
  } as const;
  return [
    new CommandRow({
      ...both,
      name: "sort",
      syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] " +
        "[ASC | DESC] [ALPHA] [STORE destination]",
      summary: "Sorts the elements of a list, set or sorted set, and returns or stores them.",
      since: "1.0.0",
      flags: ["write", "denyoom", "movablekeys"],
      access: "write",
      findKeys,
      reply: ["array", "integer"],
      handler: (call) => sorting.handle(call, true),
    }),
    new CommandRow({
      ...both,
      name: "sort_ro",
      syntax: "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] " +
        "[ASC | DESC] [ALPHA]",
      summary: "Sorts the elements of a list, set or sorted set, and returns them.",
      since: "7.0.0",
      flags: ["readonly", "movablekeys"],
      access: "read",
      findKeys: (_args, visit) => {
        visit(1);
        return true;
      },
      reply: "array",
      handler: (call) => sorting.handle(call, false),
    }),
  ];
}
