/**
 * List commands that wait until there is something.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { BlockingPlan } from "../blocking/blocked_clients.ts";
import type { HandedElements } from "../blocking/hand_over.ts";
import { readKeysAndTimeout, readTimeout, waitOr } from "../blocking/timeout.ts";
import { Take, TAKE_ITSELF } from "../blocking/wait_server.ts";
import type { CommandCall } from "../call.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { blockingPop, blockingPopMany } from "./blocking_rows.ts";
import { openList, popOne } from "./list_entry.ts";
import {
  MovedElement,
  moveElement,
  type MoveEnds,
  popFirstList,
  type PopRequest,
  readEnds,
  readPopRequest,
  RIGHT_TO_LEFT,
} from "./list_moves.ts";

/** Puts what was taken back to the end that it came from. */
function putBack(
  call: CommandCall,
  index: number,
  taken: HandedElements,
  atFront: boolean,
): WriteStatus {
  const { collections } = call.store;
  const c = openList(call, index, true);
  if (c === undefined) return WriteStatus.WRONG_TYPE;
  // The last one taken comes first.
  const source = {
    bytes: taken.bytes,
    starts: taken.starts.toReversed(),
    ends: taken.ends.toReversed(),
  };
  const status = collections.lists.push(c, atFront, source, 0, taken.count);
  if (status === WriteStatus.OK) call.notify(NotifyClass.LIST, atFront ? "lpush" : "rpush");
  return status;
}

function replyKey(call: CommandCall, index: number): void {
  const { args, sink } = call;
  sink.bulk(args.bytes, args.starts[index]!, args.ends[index]!);
}

function popFirstKey(
  call: CommandCall,
  keys: readonly number[],
  atFront: boolean,
): HandlerStatus | undefined {
  for (const index of keys) {
    const c = openList(call, index, true);
    if (c === undefined) return HandlerStatus.DONE;
    if (c.count === 0) continue;
    const mark = call.sink.mark();
    call.sink.arrayStart(2);
    replyKey(call, index);
    const status = popOne(call, c, atFront);
    if (status === HandlerStatus.RETRY) call.sink.rewind(mark);
    return status;
  }
  return undefined;
}

function handlePop(call: CommandCall, atFront: boolean): HandlerStatus {
  const request = readKeysAndTimeout(call);
  if (request === undefined) return HandlerStatus.DONE;
  const { keys, timeoutMs } = request;
  const plan: BlockingPlan = {
    operation: atFront ? Take.LIST_FRONT : Take.LIST_BACK,
    count: 1,
    keys,
    destination: 0,
    timeoutMs,
    attempt: (own) => popFirstKey(own, keys, atFront),
    replyServed: ({ args: { bytes, starts, ends }, sink }, taken, keyIndex) => {
      const index = keys[keyIndex]!;
      sink.arrayStart(2);
      sink.bulk(bytes, starts[index]!, ends[index]!);
      sink.bulk(taken.bytes, taken.starts[0]!, taken.ends[0]!);
    },
    replyTimeout: ({ sink }) => sink.nilArray(),
    putBack: (own, taken, keyIndex) => putBack(own, keys[keyIndex]!, taken, atFront),
  };
  return waitOr(call, plan, ({ sink }) => sink.nilArray());
}

function handleMPop(call: CommandCall): HandlerStatus {
  const request = readPopRequest(call, 2);
  if (request === undefined) return HandlerStatus.DONE;
  const timeoutMs = readTimeout(call, 1);
  if (timeoutMs < 0) return HandlerStatus.DONE;
  return waitOr(call, mpopPlan(request, timeoutMs), ({ sink }) => sink.nilArray());
}

function mpopPlan(request: PopRequest, timeoutMs: number): BlockingPlan {
  const { keys, atFront } = request;
  return {
    operation: atFront ? Take.LIST_FRONT : Take.LIST_BACK,
    count: Math.min(request.count, 0x7fffffff),
    keys,
    destination: 0,
    timeoutMs,
    attempt: (own) => popFirstList(own, request),
    replyServed: (own, taken, keyIndex) => {
      own.sink.arrayStart(2);
      replyKey(own, keys[keyIndex]!);
      own.sink.arrayStart(taken.count);
      for (let i = 0; i < taken.count; i++) {
        own.sink.bulk(taken.bytes, taken.starts[i]!, taken.ends[i]!);
      }
    },
    replyTimeout: ({ sink }) => sink.nilArray(),
    putBack: (own, taken, keyIndex) => putBack(own, keys[keyIndex]!, taken, atFront),
  };
}

function handleMove(
  call: CommandCall,
  ends: MoveEnds | undefined,
  moved: MovedElement,
): HandlerStatus {
  if (ends === undefined) return HandlerStatus.DONE;
  const timeoutMs = readTimeout(call, call.args.count - 1);
  if (timeoutMs < 0) return HandlerStatus.DONE;
  const plan: BlockingPlan = {
    operation: (ends.from ? Take.LIST_FRONT : Take.LIST_BACK) | TAKE_ITSELF,
    count: 1,
    keys: [1],
    destination: 2,
    timeoutMs,
    attempt: (own) => moveElement(own, ends, moved),
    // It takes what it moves itself, so there is nothing that another thread could have taken.
    replyServed: () => {},
    replyTimeout: ({ sink }) => sink.nilArray(),
    putBack: () => WriteStatus.OK,
  };
  return waitOr(call, plan, ({ sink }) => sink.nil());
}

/** The rows of BLPOP BRPOP BLMPOP BLMOVE BRPOPLPUSH. Thread: any; a thread makes its own. */
export function listBlockingRows(): CommandRow[] {
  const moved = new MovedElement();
  const pop = blockingPop({
    group: "list",
    since: "2.0.0",
    flags: ["write", "noscript", "blocking"],
    complexity: "O(N) with N keys",
  });
  const popMany = blockingPopMany({
    group: "list",
    since: "7.0.0",
    complexity: "O(N+M) with N keys and M elements returned",
  }, "LEFT | RIGHT");
  const move = {
    group: "list",
    flags: ["write", "denyoom", "noscript", "blocking"],
    access: "write",
    firstKey: 1,
    lastKey: 2,
    complexity: "O(1)",
    reply: ["bulk", "nil"],
  } as const;
  return [
    new CommandRow({
      ...pop,
      name: "blpop",
      summary: "Removes and returns the first element of a list; waits until one of them has any.",
      handler: (call) => handlePop(call, true),
    }),
    new CommandRow({
      ...pop,
      name: "brpop",
      summary: "Removes and returns the last element of a list; waits until one of them has any.",
      handler: (call) => handlePop(call, false),
    }),
    new CommandRow({
      ...popMany,
      name: "blmpop",
      summary: "Removes and returns elements of the first list that has any; waits for some.",
      handler: handleMPop,
    }),
    new CommandRow({
      ...move,
      name: "blmove",
      arity: 6,
      syntax: "source destination LEFT | RIGHT LEFT | RIGHT timeout",
      summary:
        "Moves an element from one list to another and returns it; waits until there is one.",
      since: "6.2.0",
      handler: (call) => handleMove(call, readEnds(call, 3), moved),
    }),
    new CommandRow({
      ...move,
      name: "brpoplpush",
      arity: 4,
      syntax: "source destination timeout",
      summary:
        "Moves the last element of a list to the front of another; waits until there is one.",
      since: "2.2.0",
      handler: (call) => handleMove(call, RIGHT_TO_LEFT, moved),
    }),
  ];
}
