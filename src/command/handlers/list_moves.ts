/**
 * Commands that take from one list and give to another, or take from the first of several.
 *
 * @module
 */

import type { Collection, ElementSource } from "../../store/collection/collection.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { replyElement } from "../collection_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { countedKeys } from "./counted_keys.ts";
import { endAt, openList, popMany } from "./list_entry.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { notifyRemoval } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

/** Short elements are moved through a buffer of this size. Unit: bytes. */
const MOVED_BYTES = 1024;

/** One element outside of a list. Thread: one I/O thread. */
export class MovedElement implements ElementSource {
  /** See {@link ElementSource}. */
  bytes: Uint8Array = new Uint8Array(MOVED_BYTES);
  /** See {@link ElementSource}. */
  readonly starts = new Int32Array(1);
  /** See {@link ElementSource}. */
  readonly ends = new Int32Array(1);
  readonly #own = this.bytes;

  /** Copies the element at the cursor of a list. */
  take(c: Collection): void {
    const element = c.cursor.element();
    const { byteCount } = element;
    this.bytes = byteCount <= MOVED_BYTES ? this.#own : new Uint8Array(byteCount);
    element.copyTo(this.bytes, 0);
    this.ends[0] = byteCount;
  }

  /** Lets go of a long one. */
  clear(): void {
    this.bytes = this.#own;
  }
}

/** Which ends an element goes from and to; true is the front. */
export interface MoveEnds {
  /** The end that it is taken from. */
  readonly from: boolean;
  /** The end that it is put to. */
  readonly to: boolean;
}

/**
 * Moves an element from the list of argument 1 to the one of argument 2 and replies with it. Both
 * keys are locked.
 *
 * @returns undefined when there is none to be moved; nothing was replied then
 */
export function moveElement(
  call: CommandCall,
  ends: MoveEnds,
  moved: MovedElement,
): HandlerStatus | undefined {
  const { args, sink, store } = call;
  const source = openList(call, 1, true, 0);
  if (source === undefined) return HandlerStatus.DONE;
  if (source.count === 0) return undefined;
  const isSame = sameBytes(args, 1, 2);
  const target = isSame ? source : openList(call, 2, true, 1);
  if (target === undefined) return HandlerStatus.DONE;
  const mark = sink.mark();
  store.collections.lists.seekEnd(source, ends.from);
  replyElement(store, sink, source.cursor.element());
  moved.take(source);
  const status = shift(call, source, target, ends, moved);
  moved.clear();
  if (status === WriteStatus.OK) {
    // In Redis's order: what arrived, what went, what is empty now.
    call.notify(NotifyClass.LIST, ends.to ? "lpush" : "rpush", target.key);
    notifyRemoval(call, source, NotifyClass.LIST, ends.from ? "lpop" : "rpop");
    return HandlerStatus.DONE;
  }
  sink.rewind(mark);
  return refuseWrite(call, status);
}

/** Pushes what was taken, then removes it: a list that is its own target does not go in between. */
function shift(
  call: CommandCall,
  source: Collection,
  target: Collection,
  ends: MoveEnds,
  moved: MovedElement,
): WriteStatus {
  const { collections } = call.store;
  const isSame = source === target;
  const byteCount = moved.ends[0]!;
  const pages = isSame
    ? collections.pagesFor(source, 3, byteCount, 1)
    : collections.pagesFor(source, 2, 0, 0) + collections.pagesFor(target, 1, byteCount, 1);
  if (!collections.reserve(pages)) return WriteStatus.OUT_OF_MEMORY;
  const status = collections.lists.push(target, ends.to, moved, 0, 1);
  if (status === WriteStatus.OK) {
    // A list that is its own target has the element twice now.
    const rank = ends.from
      ? (isSame && ends.to ? 1 : 0)
      : source.count - (isSame && !ends.to ? 2 : 1);
    collections.lists.removeRanks(source, rank, 1);
  }
  collections.settle();
  return status;
}

function sameBytes(args: CommandArguments, a: number, b: number): boolean {
  const length = args.length(a);
  if (length !== args.length(b)) return false;
  const { bytes, starts } = args;
  for (let i = 0; i < length; i++) {
    if (bytes[starts[a]! + i] !== bytes[starts[b]! + i]) return false;
  }
  return true;
}

/**
 * Reads the ends of arguments `index` and `index + 1`.
 *
 * @returns undefined when the error was replied
 */
export function readEnds(call: CommandCall, index: number): MoveEnds | undefined {
  const from = endAt(call.args, index);
  const to = endAt(call.args, index + 1);
  if (from !== undefined && to !== undefined) return { from, to };
  call.sink.error(ReplyCode.SYNTAX);
  return undefined;
}

/** The ends of RPOPLPUSH and BRPOPLPUSH. */
export const RIGHT_TO_LEFT: MoveEnds = { from: false, to: true };

function move(call: CommandCall, ends: MoveEnds | undefined, moved: MovedElement): HandlerStatus {
  if (ends === undefined) return HandlerStatus.DONE;
  const status = moveElement(call, ends, moved);
  if (status !== undefined) return status;
  call.sink.nil();
  return HandlerStatus.DONE;
}

/** What LMPOP and BLMPOP ask for. */
export interface PopRequest {
  /** Argument indexes of the keys. */
  readonly keys: readonly number[];
  /** Whether it is the front that elements are taken from. */
  readonly atFront: boolean;
  /** Most elements to take. */
  readonly count: number;
}

/**
 * Reads `numkeys key [key ...] LEFT | RIGHT [COUNT count]` from argument `at` on.
 *
 * @returns undefined when the error was replied
 */
export function readPopRequest(call: CommandCall, at: number): PopRequest | undefined {
  const { args, operand, sink } = call;
  if (!args.int64(at, operand) || operand.toNumber() < 1) {
    sink.error(ReplyCode.BAD_ARGUMENT, "numkeys should be greater than 0");
    return undefined;
  }
  const endIndex = at + 1 + operand.toNumber();
  const atFront = endIndex < args.count ? endAt(args, endIndex) : undefined;
  if (atFront === undefined) {
    sink.error(ReplyCode.SYNTAX);
    return undefined;
  }
  let count = 0;
  for (let i = endIndex + 1; i < args.count; i += 2) {
    if (count !== 0 || !args.is(i, "COUNT") || i + 1 === args.count) {
      sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
    if (!args.int64(i + 1, operand) || operand.toNumber() < 1) {
      sink.error(ReplyCode.BAD_ARGUMENT, "count should be greater than 0");
      return undefined;
    }
    count = operand.toNumber();
  }
  const keys: number[] = [];
  for (let i = at + 1; i < endIndex; i++) keys.push(i);
  return { keys, atFront, count: count === 0 ? 1 : count };
}

/**
 * Takes elements of the first list that has any and replies with its key and them. All keys are
 * locked.
 *
 * @returns undefined when none has any; nothing was replied then
 */
export function popFirstList(call: CommandCall, request: PopRequest): HandlerStatus | undefined {
  const { args, sink } = call;
  for (const index of request.keys) {
    const c = openList(call, index, true);
    if (c === undefined) return HandlerStatus.DONE;
    if (c.count === 0) continue;
    const mark = sink.mark();
    sink.arrayStart(2);
    sink.bulk(args.bytes, args.starts[index]!, args.ends[index]!);
    return popMany(call, c, request.atFront, Math.min(request.count, c.count), mark);
  }
  return undefined;
}

function handleLMPop(call: CommandCall): HandlerStatus {
  const request = readPopRequest(call, 1);
  if (request === undefined) return HandlerStatus.DONE;
  const status = popFirstList(call, request);
  if (status !== undefined) return status;
  call.sink.nilArray();
  return HandlerStatus.DONE;
}

/** The rows of LMOVE RPOPLPUSH LMPOP. Thread: any; a thread makes its own at start. */
export function listMoveRows(): CommandRow[] {
  const moved = new MovedElement();
  const common = {
    group: "list",
    flags: ["write", "denyoom"],
    access: "write",
    firstKey: 1,
    lastKey: 2,
    complexity: "O(1)",
    reply: ["bulk", "nil"],
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "lmove",
      arity: 5,
      syntax: "source destination LEFT | RIGHT LEFT | RIGHT",
      summary: "Moves an element from an end of one list to an end of another, and returns it.",
      since: "6.2.0",
      handler: (call) => move(call, readEnds(call, 3), moved),
    }),
    new CommandRow({
      ...common,
      name: "rpoplpush",
      arity: 3,
      syntax: "source destination",
      summary: "Moves the last element of one list to the front of another, and returns it.",
      since: "1.2.0",
      handler: (call) => move(call, RIGHT_TO_LEFT, moved),
    }),
    new CommandRow({
      name: "lmpop",
      arity: -4,
      syntax: "numkeys key [key ...] LEFT | RIGHT [COUNT count]",
      summary: "Removes and returns elements of the first of several lists that has any.",
      group: "list",
      since: "7.0.0",
      flags: ["write", "movablekeys"],
      access: "write",
      findKeys: countedKeys(1, 1),
      cost: "per-key",
      complexity: "O(N+M) with N keys and M elements returned",
      reply: ["array", "nil"],
      handler: handleLMPop,
    }),
  ];
}
