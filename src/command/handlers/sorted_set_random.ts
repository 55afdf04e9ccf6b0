/**
 * `ZRANDMEMBER`.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import type { CollectionLease } from "../../store/collection/collection_lease.ts";
import type { RecordCursor } from "../../store/collection/cursor.ts";
import type { Store } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { STEP_BYTES } from "../collection_reply.ts";
import {
  MemberShape,
  memberShape,
  replyMember,
  replyMembers,
  startMembers,
} from "../member_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type ReplySource, streamReplies } from "../reply_source.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { integerAt, openSortedSet, refused } from "./sorted_set_entry.ts";

/** More members are not written at once. Reason: C14. */
const AT_ONCE_MEMBERS = 128;
/** As many different ranks are drawn one by one and kept; more are drawn in ascending order. */
const DRAWN_RANKS = 1024;
/** What finding a member and writing its score costs, in bytes that could be copied meanwhile. */
const FRAME_BYTES = 150;
/** Most members that are given, in two elements each: what a number counts exactly. */
const MAX_COUNT = 2 ** 52;

/** Runs `ZRANDMEMBER key [count [WITHSCORES]]`. */
function handleRandom(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.count === 2) {
    const c = openSortedSet(call, 1, false);
    if (c === undefined) return HandlerStatus.DONE;
    if (c.count === 0) {
      sink.nil();
    } else {
      c.cursor.seekRank(randomBelow(c.count));
      replyMember(sink, call.store, c.cursor.element());
    }
    return HandlerStatus.DONE;
  }
  const count = integerAt(call, 2);
  if (count === undefined) return refused(call, ReplyCode.NOT_AN_INTEGER);
  if (count <= -(2 ** 63)) {
    const detail =
      "value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    return refused(call, ReplyCode.BAD_ARGUMENT, detail);
  }
  if (args.count > 4 || (args.count === 4 && !args.is(3, "WITHSCORES"))) {
    return refused(call, ReplyCode.SYNTAX);
  }
  if (Math.abs(count) > MAX_COUNT) {
    return refused(call, ReplyCode.BAD_ARGUMENT, "value is out of range");
  }
  const c = openSortedSet(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  const shape = memberShape(call, args.count === 4);
  if (c.count === 0 || count === 0) sink.arrayStart(0);
  // The highest score first, as in Redis.
  else if (count >= c.count) replyMembers(call, c, 0, c.count, true, shape);
  else replySome(call, c, count, shape);
  return HandlerStatus.DONE;
}

function replySome(call: CommandCall, c: Collection, count: number, shape: MemberShape): void {
  const { sink, store } = call;
  const picks = Math.abs(count);
  const ranks = count < 0 ? anyRanks(c.count) : differentRanks(c.count, count);
  startMembers(sink, shape, picks);
  const isShort = picks <= AT_ONCE_MEMBERS && !(sink.isFull && c.root !== 0);
  if (isShort || sink.replySource === undefined) {
    const picked = new RandomMembers(store, c.cursor, picks, ranks, shape);
    while (!picked.writeNext(sink, Infinity));
    return;
  }
  const lease = store.collectionLeases.take(c);
  streamReplies(sink, new RandomMembers(store, lease.cursor, picks, ranks, shape, lease));
}

/** Members at the ranks that a function draws. */
class RandomMembers implements ReplySource {
  readonly #store: Store;
  readonly #cursor: RecordCursor;
  readonly #draw: () => number;
  readonly #shape: MemberShape;
  readonly #lease: CollectionLease | undefined;
  #left: number;
  #owedScore: number | undefined;

  constructor(
    store: Store,
    cursor: RecordCursor,
    count: number,
    draw: () => number,
    shape: MemberShape,
    lease?: CollectionLease,
  ) {
    this.#store = store;
    this.#cursor = cursor;
    this.#draw = draw;
    this.#shape = shape;
    this.#lease = lease;
    this.#left = count;
  }

  writeNext(sink: ReplySink, mostBytes: number): boolean {
    const most = mostBytes === Infinity ? mostBytes : Math.min(mostBytes, STEP_BYTES);
    let written = 0;
    if (this.#owedScore !== undefined) sink.double(this.#owedScore);
    this.#owedScore = undefined;
    while (this.#left > 0) {
      if (written >= most) return false;
      this.#left--;
      this.#cursor.seekRank(this.#draw());
      const element = this.#cursor.element();
      written += element.byteCount + FRAME_BYTES;
      if (this.#shape === MemberShape.PAIRS) sink.arrayStart(2);
      if (this.#lease !== undefined && element.longRoot !== 0 && sink.bulkSource !== undefined) {
        sink.bulkSource(this.#store.leaseElement(element));
        if (this.#shape === MemberShape.BARE) return this.#left === 0;
        this.#owedScore = this.#cursor.score();
        return false;
      }
      replyMember(sink, this.#store, element);
      if (this.#shape !== MemberShape.BARE) sink.double(this.#cursor.score());
    }
    return true;
  }

  release(): void {
    this.#lease?.release();
  }
}

function randomBelow(bound: number): number {
  return Math.floor(Math.random() * bound);
}

function anyRanks(size: number): () => number {
  return () => randomBelow(size);
}

/**
 * Draws `count` different ranks below `size`, every choice of them as likely as any other.
 *
 * Few: each is drawn from those that are left (Floyd), and noted. Many: in ascending order, each rank
 * with the odds of being among those still to come, so nothing needs to be noted.
 */
function differentRanks(size: number, count: number): () => number {
  if (count <= DRAWN_RANKS) {
    const drawn = new Set<number>();
    let bound = size - count;
    return () => {
      const rank = randomBelow(++bound);
      const taken = drawn.has(rank) ? bound - 1 : rank;
      drawn.add(taken);
      return taken;
    };
  }
  let rank = -1;
  let left = count;
  return () => {
    do rank++; while (Math.random() * (size - rank) >= left);
    left--;
    return rank;
  };
}

/** The row of ZRANDMEMBER. Thread: any; a thread makes its own at start. */
export function sortedSetRandomRow(): CommandRow {
  return new CommandRow({
    name: "zrandmember",
    arity: -2,
    syntax: "key [count [WITHSCORES]]",
    summary: "Returns members at random: different ones, or any if the count is negative.",
    group: "sorted-set",
    since: "6.2.0",
    flags: ["readonly"],
    access: "read",
    firstKey: 1,
    cost: "whole-table",
    constantArguments: 2,
    complexity: "O(M log N) with M members returned; many are sent piece by piece",
    reply: ["bulk", "nil", "array"],
    handler: handleRandom,
  });
}
