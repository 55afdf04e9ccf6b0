/**
 * Sorted sets made of others: unions, intersections, differences and ranges, returned or stored.
 *
 * @module
 */

import { parseDouble } from "../../base/double.ts";
import type { CollectionLease } from "../../store/collection/collection_lease.ts";
import { abandonAside, buildAside, type MemberProducer, RankProducer } from "../aside.ts";
import type { CommandCall } from "../call.ts";
import { type Aggregate, type AlgebraKind, combine, workOf } from "../member_algebra.ts";
import { MemberSources } from "../member_sources.ts";
import { MemberShape, memberShape, replyLeasedMembers, startMembers } from "../member_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";
import type { RankInterval } from "../sorted_set_ranges.ts";
import { storeResult } from "../stored_result.ts";
import { countedKeys } from "./counted_keys.ts";
import { integerAt, openSortedSet, refused } from "./sorted_set_entry.ts";
import { type RangeRequest, readRange } from "./sorted_set_ranges.ts";

/** Results of less work are made at once. Unit: members. Reason: C14, some 0.5 ms. */
const AT_ONCE_MEMBERS = 256;

/** One of the commands. */
interface Algebra {
  readonly kind: AlgebraKind;
  /** What it does with the result: returns it, returns how many members it has, or stores it. */
  readonly use: "reply" | "count" | "store";
}

/** What the arguments behind the keys say. */
interface AlgebraOptions {
  weights: number[] | undefined;
  aggregate: Aggregate;
  withScores: boolean;
  /** Most members that are counted; 0 = all. */
  limit: number;
}

/** Runs `ZUNION` and its kin: `[destination] numkeys key [key …] [option …]`. */
function handleAlgebra(call: CommandCall, algebra: Algebra): HandlerStatus {
  const { kind, use } = algebra;
  const at = use === "store" ? 2 : 1;
  const keyCount = readKeyCount(call, at);
  if (keyCount === undefined) return HandlerStatus.DONE;
  const sources = new MemberSources();
  if (!sources.capture(call, at + 1, keyCount)) return refused(call, ReplyCode.WRONG_TYPE);
  const options = readOptions(call, algebra, at + 1 + keyCount, keyCount);
  if (options === undefined) {
    sources.release();
    return HandlerStatus.DONE;
  }
  const producer = (): MemberProducer => {
    for (const [i, source] of sources.sources.entries()) source.weight = options.weights?.[i] ?? 1;
    return combine(kind, sources.sources, options.aggregate);
  };
  const work = (): number => workOf(kind, sources.sources);
  const isQuick = (): boolean => work() <= AT_ONCE_MEMBERS;
  let isFresh = true;
  if (use === "store") {
    return storeResult(call, {
      event: call.row.name,
      destination: 1,
      capture: (own) => {
        if (!isFresh && !sources.capture(own, at + 1, keyCount)) {
          own.sink.error(ReplyCode.WRONG_TYPE);
          return undefined;
        }
        isFresh = false;
        return work();
      },
      areUnchanged: (own) => sources.areUnchanged(own, at + 1),
      producer,
      release: () => sources.release(),
    });
  }
  if (use === "count") return countResult(call, sources, producer(), options.limit, isQuick());
  const shape = memberShape(call, options.withScores);
  if (isQuick() || call.inTransaction) {
    replyNow(call, producer(), shape);
    sources.release();
    return HandlerStatus.DONE;
  }
  call.later = replyLater(call.detach(), sources, producer(), shape, at + 1, call.slices());
  return HandlerStatus.LATER;
}

function readKeyCount(call: CommandCall, at: number): number | undefined {
  const keyCount = integerAt(call, at);
  if (keyCount === undefined) return refuse(call, ReplyCode.NOT_AN_INTEGER);
  if (keyCount < 1) {
    const detail = `at least 1 input key is needed for '${call.row.name}' command`;
    return refuse(call, ReplyCode.BAD_ARGUMENT, detail);
  }
  return keyCount < call.args.count - at ? keyCount : refuse(call, ReplyCode.SYNTAX);
}

function readOptions(
  call: CommandCall,
  { kind, use }: Algebra,
  first: number,
  keyCount: number,
): AlgebraOptions | undefined {
  const { args } = call;
  const options: AlgebraOptions = {
    weights: undefined,
    aggregate: "sum",
    withScores: false,
    limit: 0,
  };
  const hasScores = kind !== "diff" && use !== "count";
  for (let i = first; i < args.count; i++) {
    const behind = args.count - i - 1;
    if (hasScores && behind >= keyCount && args.is(i, "WEIGHTS")) {
      options.weights = readWeights(call, i + 1, keyCount);
      if (options.weights === undefined) return undefined;
      i += keyCount;
    } else if (hasScores && behind >= 1 && args.is(i, "AGGREGATE")) {
      const aggregate = (["sum", "min", "max"] as const).find((each) =>
        args.is(i + 1, each.toUpperCase())
      );
      if (aggregate === undefined) return refuse(call, ReplyCode.SYNTAX);
      options.aggregate = aggregate;
      i++;
    } else if (use === "reply" && args.is(i, "WITHSCORES")) {
      options.withScores = true;
    } else if (use === "count" && behind >= 1 && args.is(i, "LIMIT")) {
      const limit = integerAt(call, i + 1);
      if (limit === undefined || limit < 0) {
        return refuse(call, ReplyCode.BAD_ARGUMENT, "LIMIT can't be negative");
      }
      options.limit = limit;
      i++;
    } else {
      return refuse(call, ReplyCode.SYNTAX);
    }
  }
  return options;
}

function readWeights(call: CommandCall, first: number, count: number): number[] | undefined {
  const { args } = call;
  const weights: number[] = [];
  for (let i = first; i < first + count; i++) {
    const weight = parseDouble(args.bytes, args.starts[i]!, args.ends[i]!);
    if (Number.isNaN(weight)) {
      return refuse(call, ReplyCode.NOT_A_FLOAT, "weight value is not a float");
    }
    weights.push(weight);
  }
  return weights;
}

function refuse(call: CommandCall, code: ReplyCode, detail?: string): undefined {
  call.sink.error(code, detail);
  return undefined;
}

/** Sorts the result and replies with it. */
function replyNow(call: CommandCall, producer: MemberProducer, shape: MemberShape): void {
  const { sink } = call;
  const members: { bytes: Uint8Array; score: number }[] = [];
  for (let next = producer.next(); next !== false; next = producer.next()) {
    if (next !== undefined) {
      members.push({ bytes: producer.element().toBytes(), score: producer.score() });
    }
  }
  // Not `a - b`: equal infinities have no difference.
  members.sort((a, b) =>
    a.score < b.score ? -1 : a.score > b.score ? 1 : compareBytes(a.bytes, b.bytes)
  );
  startMembers(sink, shape, members.length);
  for (const { bytes, score } of members) {
    if (shape === MemberShape.PAIRS) sink.arrayStart(2);
    sink.bulk(bytes, 0, bytes.length);
    if (shape !== MemberShape.BARE) sink.double(score);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Makes the result aside, where its memory is counted, in the shard of the first key; then streams
 * it from a lease that is the last thing to know it.
 */
async function replyLater(
  call: CommandCall,
  sources: MemberSources,
  producer: MemberProducer,
  shape: MemberShape,
  firstKey: number,
  slices: Slices,
): Promise<HandlerStatus> {
  const { store, sink } = call;
  try {
    await slices.next();
    const key = call.keyAt(firstKey);
    const made = await buildAside(store, call.database, key, producer, slices);
    if (made === undefined) {
      sink.error(ReplyCode.OUT_OF_MEMORY);
      return HandlerStatus.DONE;
    }
    const lease = store.collectionLeases.take(made);
    await abandonAside(store, made, slices);
    replyLeasedMembers(call, lease, 0, lease.count, false, shape);
    return HandlerStatus.DONE;
  } finally {
    sources.release();
  }
}

function countResult(
  call: CommandCall,
  sources: MemberSources,
  producer: MemberProducer,
  limit: number,
  isQuick: boolean,
): HandlerStatus {
  const counting = new Counting(producer, limit === 0 ? Infinity : limit);
  const slices = call.slices();
  if (isQuick || call.inTransaction) {
    while (!counting.advance());
    sources.release();
    call.sink.integer(counting.count);
    return HandlerStatus.DONE;
  }
  call.later = countLater(call.detach(), sources, counting, slices);
  return HandlerStatus.LATER;
}

async function countLater(
  { sink }: CommandCall,
  sources: MemberSources,
  counting: Counting,
  slices: Slices,
): Promise<HandlerStatus> {
  try {
    do {
      if (slices.isOver(16)) await slices.next();
    } while (!counting.advance());
  } finally {
    sources.release();
  }
  sink.integer(counting.count);
  return HandlerStatus.DONE;
}

/** Counts what a producer gives. */
class Counting {
  count = 0;
  readonly #producer: MemberProducer;
  readonly #limit: number;

  constructor(producer: MemberProducer, limit: number) {
    this.#producer = producer;
    this.#limit = limit;
  }

  /** Goes on a little; whether it is complete. */
  advance(): boolean {
    const next = this.#producer.next();
    if (next === false) return true;
    if (next === true) this.count++;
    return this.count >= this.#limit;
  }
}

/** Runs `ZRANGESTORE destination source min max [option …]`. */
function handleRangeStore(call: CommandCall): HandlerStatus {
  const request = readRange(call, 3, { isStored: true });
  if (request === undefined) return HandlerStatus.DONE;
  const source = new RangeSource(request);
  return storeResult(call, {
    event: call.row.name,
    destination: 1,
    capture: (own) => source.capture(own),
    areUnchanged: (own) => source.isUnchanged(own),
    producer: () => source.producer(),
    release: () => source.release(),
  });
}

/** A range of a sorted set as it was at one moment. */
class RangeSource {
  readonly #request: RangeRequest;
  #lease: CollectionLease | undefined;
  #interval: RankInterval = { from: 0, to: 0 };
  #seq = -1;

  constructor(request: RangeRequest) {
    this.#request = request;
  }

  capture(call: CommandCall): number | undefined {
    this.release();
    const c = openSortedSet(call, 2, false);
    if (c === undefined) return undefined;
    this.#interval = this.#request.ranksOf(c);
    this.#seq = c.exists ? call.store.entrySeq(c.entry) : -1;
    this.#lease = call.store.collectionLeases.take(c);
    return this.#interval.to - this.#interval.from;
  }

  isUnchanged(call: CommandCall): boolean {
    const { store, database } = call;
    const entry = store.lookup(database, call.keyAt(2));
    return this.#seq === (entry === 0 ? -1 : store.entrySeq(entry));
  }

  producer(): MemberProducer {
    const { from, to } = this.#interval;
    return new RankProducer(this.#lease!.cursor, [from, to]);
  }

  release(): void {
    this.#lease?.release();
  }
}

/** The rows of this family. Thread: any; a thread makes its own at start. */
export function sortedSetStoreRows(): CommandRow[] {
  const options = "[WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX]";
  const keys = "numkeys key [key ...]";
  return [
    algebraRow("zunion", "union", `${keys} ${options} [WITHSCORES]`),
    algebraRow("zinter", "inter", `${keys} ${options} [WITHSCORES]`),
    algebraRow("zdiff", "diff", `${keys} [WITHSCORES]`),
    new CommandRow({
      ...SHARED,
      name: "zintercard",
      arity: -3,
      syntax: `${keys} [LIMIT limit]`,
      summary: "Counts the members that all of several sorted sets have.",
      since: "7.0.0",
      flags: ["readonly", "movablekeys"],
      access: "read",
      findKeys: countedKeys(1),
      reply: "integer",
      handler: (call) => handleAlgebra(call, { kind: "inter", use: "count" }),
    }),
    storeRow("zunionstore", "union", "2.0.0", `destination ${keys} ${options}`),
    storeRow("zinterstore", "inter", "2.0.0", `destination ${keys} ${options}`),
    storeRow("zdiffstore", "diff", "6.2.0", `destination ${keys}`),
    new CommandRow({
      name: "zrangestore",
      arity: -5,
      syntax: "destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
      summary: "Stores the members in a range of ranks, scores or bytes.",
      group: "sorted-set",
      since: "6.2.0",
      flags: ["write", "denyoom"],
      access: "write",
      firstKey: 1,
      lastKey: 2,
      cost: "whole-table",
      complexity: "O(log N + M) with M members stored, in slices when there are many",
      reply: "integer",
      handler: handleRangeStore,
    }),
  ];
}

const SHARED = {
  group: "sorted-set",
  cost: "whole-table",
  complexity: "O(N log M) with N members looked at and M in the result; in slices when N is large",
} as const;

const DEEDS = {
  union: "the members that at least one of several sorted sets has",
  inter: "the members that all of several sorted sets have",
  diff: "the members of the first sorted set that no other one has",
} as const;

function algebraRow(name: string, kind: AlgebraKind, syntax: string): CommandRow {
  return new CommandRow({
    ...SHARED,
    name,
    arity: -3,
    syntax,
    summary: `Returns ${DEEDS[kind]}.`,
    since: "6.2.0",
    flags: ["readonly", "movablekeys"],
    access: "read",
    findKeys: countedKeys(1),
    reply: "array",
    handler: (call) => handleAlgebra(call, { kind, use: "reply" }),
  });
}

const findSources = countedKeys(2);

function storeRow(name: string, kind: AlgebraKind, since: string, syntax: string): CommandRow {
  return new CommandRow({
    ...SHARED,
    name,
    arity: -4,
    syntax,
    summary: `Stores ${DEEDS[kind]}.`,
    since,
    flags: ["write", "denyoom", "movablekeys"],
    access: "write",
    firstKey: 1,
    findKeys: (args, visit) => {
      visit(1);
      return findSources(args, visit);
    },
    reply: "integer",
    handler: (call) => handleAlgebra(call, { kind, use: "store" }),
  });
}
