/**
 * Members of sorted sets as replies: some at once, many from a lease, piece by piece.
 *
 * @module
 */

import { LEASED_VALUE_BYTES } from "../base/limits.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import type { ElementView } from "../store/collection/element.ts";
import type { Store } from "../store/store.ts";
import type { CommandCall } from "./call.ts";
import { replyElement, STEP_BYTES } from "./collection_reply.ts";
import type { ReplySink } from "./reply_sink.ts";
import { type ReplySource, streamReplies } from "./reply_source.ts";

/**
 * What a reply says of each member.
 *
 * - `BARE`: the member.
 * - `FLAT`: the member, the score.
 * - `PAIRS`: an array of member and score.
 */
export const MemberShape = { BARE: 0, FLAT: 1, PAIRS: 2 } as const;

/** One of {@link MemberShape}. */
export type MemberShape = (typeof MemberShape)[keyof typeof MemberShape];

/** More bytes of members are not copied at once. Reason: see {@link LEASED_VALUE_BYTES}. */
const AT_ONCE_BYTES = LEASED_VALUE_BYTES;
/** More members are not written at once. Reason: C14, some 50 µs. */
const AT_ONCE_MEMBERS = 512;
/** A longer member is a source of its own. Reason: many of them in one reply. */
const PIECE_BYTES = 4096;
/** Bytes that a member has around it, about. */
const FRAME_BYTES = 16;
/** Bytes that a score takes, at most. */
const SCORE_BYTES = 36;

/** The shape of replies with or without scores, as the client's protocol has it. */
export function memberShape(call: CommandCall, withScores: boolean): MemberShape {
  if (!withScores) return MemberShape.BARE;
  return call.client.protocol === 3 ? MemberShape.PAIRS : MemberShape.FLAT;
}

/** Writes the header of a reply of `count` members. */
export function startMembers(sink: ReplySink, shape: MemberShape, count: number): void {
  sink.arrayStart(shape === MemberShape.FLAT ? 2 * count : count);
}

/** Writes one of many members; a long one, if the sink can, as a source of its own. */
export function replyMember(sink: ReplySink, store: Store, element: ElementView): void {
  replyElement(store, sink, element, PIECE_BYTES);
}

/**
 * Replies with the members at the ranks `[from, to)` of an opened sorted set, an array; what is too
 * much to copy at once from a lease. Needs the lock of its shard, shared is enough.
 *
 * @param isRemoved whether they are to be removed next: from a leased sorted set that takes memory,
 *   so there is no lease if they are not very many
 */
export function replyMembers(
  call: CommandCall,
  c: Collection,
  from: number,
  to: number,
  isReversed: boolean,
  shape: MemberShape,
  isRemoved = false,
): void {
  const { sink, store } = call;
  const count = Math.max(0, to - from);
  startMembers(sink, shape, count);
  if (count === 0) return;
  const walk = new MemberWalk(store, c.cursor, count, isReversed, shape);
  c.cursor.seekRank(isReversed ? to - 1 : from);
  const isSmall = c.root === 0 || (isRemoved && count <= AT_ONCE_MEMBERS);
  if (sink.replySource === undefined || isSmall) {
    while (!walk.writeNext(sink, Infinity));
  } else if (
    count > AT_ONCE_MEMBERS || sink.isFull ||
    !walk.writeNext(sink, AT_ONCE_BYTES)
  ) {
    streamReplies(sink, walk.leased(store.collectionLeases.take(c), from, to));
  }
}

/** Replies with the members at the ranks `[from, to)` of a lease, which it ends. */
export function replyLeasedMembers(
  call: CommandCall,
  lease: CollectionLease,
  from: number,
  to: number,
  isReversed: boolean,
  shape: MemberShape,
): void {
  const { sink, store } = call;
  const count = Math.max(0, to - from);
  startMembers(sink, shape, count);
  const walk = new MemberWalk(store, lease.cursor, count, isReversed, shape);
  streamReplies(sink, walk.leased(lease, from, to));
}

/** The members from where a cursor stands on, forwards or backwards. */
class MemberWalk implements ReplySource {
  readonly #store: Store;
  #cursor: RecordCursor;
  readonly #isReversed: boolean;
  readonly #shape: MemberShape;
  readonly #count: number;
  #left: number;
  #lease: CollectionLease | undefined;
  /** The score of a member that was written as a source of its own. */
  #owedScore: number | undefined;

  constructor(
    store: Store,
    cursor: RecordCursor,
    count: number,
    isReversed: boolean,
    shape: MemberShape,
  ) {
    this.#store = store;
    this.#cursor = cursor;
    this.#count = this.#left = count;
    this.#isReversed = isReversed;
    this.#shape = shape;
  }

  /** Goes on from where it is, in the collection as it was when it was leased. */
  leased(lease: CollectionLease, from: number, to: number): this {
    this.#lease = lease;
    this.#cursor = lease.cursor;
    const done = this.#count - this.#left;
    if (this.#left > 0) this.#cursor.seekRank(this.#isReversed ? to - 1 - done : from + done);
    return this;
  }

  writeNext(sink: ReplySink, mostBytes: number): boolean {
    // Others have their turn after each step; who wants all at once has none to wait for.
    const most = mostBytes === Infinity ? mostBytes : Math.min(mostBytes, STEP_BYTES);
    let written = 0;
    if (this.#owedScore !== undefined) {
      sink.double(this.#owedScore);
      this.#owedScore = undefined;
      written += SCORE_BYTES;
    }
    while (this.#left > 0) {
      if (written >= most) return false;
      const cursor = this.#cursor;
      const element = cursor.element();
      if (this.#shape === MemberShape.PAIRS) sink.arrayStart(2);
      const { byteCount } = element;
      written += byteCount + FRAME_BYTES;
      const isSource = this.#lease !== undefined && byteCount > PIECE_BYTES &&
        sink.bulkSource !== undefined;
      if (isSource) sink.bulkSource!(this.#store.leaseElement(element));
      else replyMember(sink, this.#store, element);
      const score = cursor.score();
      this.#left--;
      if (this.#left > 0) {
        if (this.#isReversed) cursor.previous();
        else cursor.next();
      }
      if (this.#shape === MemberShape.BARE) {
        if (isSource) return this.#left === 0;
        continue;
      }
      if (isSource) {
        this.#owedScore = score;
        return false;
      }
      sink.double(score);
      written += SCORE_BYTES;
    }
    return true;
  }

  release(): void {
    this.#lease?.release();
  }
}
