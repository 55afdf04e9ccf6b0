/**
 * Sorted set commands that wait until there is something.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { BlockingPlan } from "../blocking/blocked_clients.ts";
import type { HandedElements } from "../blocking/hand_over.ts";
import { readKeysAndTimeout, readTimeout, waitOr } from "../blocking/timeout.ts";
import { Take } from "../blocking/wait_server.ts";
import type { CommandCall } from "../call.ts";
import { replyElement } from "../collection_reply.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { blockingPop, blockingPopMany } from "./blocking_rows.ts";
import { openSortedSet } from "./sorted_set_entry.ts";
import { popFirst, readPopMany } from "./sorted_set_removals.ts";
import { refuseWrite } from "./write_failure.ts";

/** Most members that a waiter's record can say. */
const MOST_MEMBERS = 0x7fffffff;

/** Runs `BZPOPMIN key [key …] timeout` and `BZPOPMAX`. */
function handlePop(call: CommandCall, isMax: boolean): HandlerStatus {
  const request = readKeysAndTimeout(call);
  if (request === undefined) return HandlerStatus.DONE;
  const { keys, timeoutMs } = request;
  const plan: BlockingPlan = {
    operation: isMax ? Take.SCORE_MAX : Take.SCORE_MIN,
    count: 1,
    keys,
    destination: 0,
    timeoutMs,
    attempt: (own) => popOne(own, keys, isMax),
    replyServed: (own, taken, keyIndex) => {
      own.sink.arrayStart(3);
      replyKey(own, keys[keyIndex]!);
      own.sink.bulk(taken.bytes, taken.starts[0]!, taken.ends[0]!);
      own.sink.double(taken.scores[0]!);
    },
    replyTimeout: replyNothing,
    putBack: (own, taken, keyIndex) => putBack(own, keys[keyIndex]!, taken),
  };
  return waitOr(call, plan, replyNothing);
}

/** Runs `BZMPOP timeout numkeys key [key …] MIN|MAX [COUNT count]`. */
function handlePopMany(call: CommandCall): HandlerStatus {
  const wishes = readPopMany(call, 2);
  if (wishes === undefined) return HandlerStatus.DONE;
  const timeoutMs = readTimeout(call, 1);
  if (timeoutMs < 0) return HandlerStatus.DONE;
  // Many members may be popped in slices; who has waited for them takes them at once.
  const status = popFirst(call, wishes);
  if (status !== undefined) return status;
  const keys = Array.from({ length: wishes.keyCount }, (_, i) => wishes.firstKey + i);
  const plan: BlockingPlan = {
    operation: wishes.isMax ? Take.SCORE_MAX : Take.SCORE_MIN,
    count: Math.min(wishes.count, MOST_MEMBERS),
    keys,
    destination: 0,
    timeoutMs,
    attempt: (own) => popFirst(own, wishes, true),
    replyServed: (own, taken, keyIndex) => {
      const { sink } = own;
      sink.arrayStart(2);
      replyKey(own, keys[keyIndex]!);
      sink.arrayStart(taken.count);
      for (let i = 0; i < taken.count; i++) {
        sink.arrayStart(2);
        sink.bulk(taken.bytes, taken.starts[i]!, taken.ends[i]!);
        sink.double(taken.scores[i]!);
      }
    },
    replyTimeout: replyNothing,
    putBack: (own, taken, keyIndex) => putBack(own, keys[keyIndex]!, taken),
  };
  return waitOr(call, plan, replyNothing);
}

/** Pops one member of the first key that has some; undefined when none has. */
function popOne(
  call: CommandCall,
  keys: readonly number[],
  isMax: boolean,
): HandlerStatus | undefined {
  const { sink, store } = call;
  for (const index of keys) {
    const c = openSortedSet(call, index, true);
    if (c === undefined) return HandlerStatus.DONE;
    if (c.count === 0) continue;
    const rank = isMax ? c.count - 1 : 0;
    const mark = sink.mark();
    sink.arrayStart(3);
    replyKey(call, index);
    c.cursor.seekRank(rank);
    replyElement(store, sink, c.cursor.element());
    sink.double(c.cursor.score());
    const status = store.collections.sortedSets.removeRanks(c, rank, 1);
    if (status === WriteStatus.OK) {
      call.notify(NotifyClass.SORTED_SET, isMax ? "zpopmax" : "zpopmin");
      if (c.count === 0) call.notify(NotifyClass.GENERIC, "del");
      return HandlerStatus.DONE;
    }
    sink.rewind(mark);
    return refuseWrite(call, status);
  }
  return undefined;
}

/** Puts what was taken back; a member that has come anew meanwhile keeps its new score. */
function putBack(call: CommandCall, index: number, taken: HandedElements): WriteStatus {
  const { sortedSets } = call.store.collections;
  const c = openSortedSet(call, index, true);
  if (c === undefined) return WriteStatus.WRONG_TYPE;
  const { bytes, starts, ends, scores } = taken;
  const status = sortedSets.begin(c, taken.count, taken);
  if (status !== WriteStatus.OK) return status;
  for (let i = 0; i < taken.count; i++) {
    if (sortedSets.find(c, bytes, starts[i]!, ends[i]!)) continue;
    sortedSets.putFound(c, false, bytes, starts[i]!, ends[i]!, scores[i]!);
  }
  sortedSets.finish(c);
  call.notify(NotifyClass.SORTED_SET, "zadd");
  return WriteStatus.OK;
}

function replyKey({ args, sink }: CommandCall, index: number): void {
  sink.bulk(args.bytes, args.starts[index]!, args.ends[index]!);
}

function replyNothing({ sink }: CommandCall): void {
  sink.nilArray();
}

/** The rows of BZPOPMIN BZPOPMAX BZMPOP. Thread: any; a thread makes its own at start. */
export function sortedSetBlockingRows(): CommandRow[] {
  const pop = blockingPop({
    group: "sorted-set",
    since: "5.0.0",
    flags: ["write", "noscript", "fast", "blocking"],
    complexity: "O(K) with K keys + O(log N)",
  });
  const popMany = blockingPopMany({
    group: "sorted-set",
    since: "7.0.0",
    complexity: "O(K) + O(M log N) with K keys and M members popped",
  }, "MIN | MAX");
  return [
    new CommandRow({
      ...pop,
      name: "bzpopmin",
      summary: "Removes and returns the member with the lowest score; waits until there is one.",
      handler: (call) => handlePop(call, false),
    }),
    new CommandRow({
      ...pop,
      name: "bzpopmax",
      summary: "Removes and returns the member with the highest score; waits until there is one.",
      handler: (call) => handlePop(call, true),
    }),
    new CommandRow({
      ...popMany,
      name: "bzmpop",
      summary: "Removes and returns members of the first sorted set that has some; waits for some.",
      handler: handlePopMany,
    }),
  ];
}
