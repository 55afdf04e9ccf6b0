/**
 * Commands on the strings of several keys at once.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import { pagesForSets } from "../../store/many_sets.ts";
import type { SetPlan } from "../../store/set_plan.ts";
import { MAX_OVERWRITES } from "../../store/string_editor.ts";
import type { CommandCall } from "../call.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { refuseArity } from "../refusals.ts";
import { replyString } from "./string_reply.ts";
import { refuseWrite } from "./write_failure.ts";

function handleMGet(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  sink.arrayStart(args.count - 1);
  for (let i = 1; i < args.count && !sink.isLost; i++) {
    const entry = store.lookup(call.database, call.keyAt(i));
    // Another type counts as no string.
    replyString(call, entry !== 0 && store.entryType(entry) !== EntryType.STRING ? 0 : entry);
  }
  return HandlerStatus.DONE;
}

function handleMSet(call: CommandCall): HandlerStatus {
  if (call.args.count % 2 === 0) return refusePairs(call);
  const status = setAll(call);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  notifyAll(call);
  call.sink.ok();
  return HandlerStatus.DONE;
}

function handleMSetNx(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  if (args.count % 2 === 0) return refusePairs(call);
  for (let i = 1; i < args.count; i += 2) {
    if (store.lookup(call.database, call.keyAt(i)) === 0) continue;
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  const status = setAll(call);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  notifyAll(call);
  sink.integer(1);
  return HandlerStatus.DONE;
}

function refusePairs(call: CommandCall): HandlerStatus {
  refuseArity(call.row, call.sink);
  return HandlerStatus.DONE;
}

function notifyAll(call: CommandCall): void {
  if (!call.wantsToKnow(NotifyClass.STRING)) return;
  for (let i = 1; i < call.args.count; i += 2) {
    call.notify(NotifyClass.STRING, "set", call.keyAt(i));
  }
}

/**
 * Sets every key where its value is now, if each has one of the same size.
 *
 * @returns false, nothing changed, when one of them has not
 */
function overwriteAll(call: CommandCall): boolean {
  const { args, database, store: { strings } } = call;
  const { bytes, starts, ends } = args;
  if (args.count > 2 * MAX_OVERWRITES) return false;
  for (let i = 1; i < args.count; i += 2) {
    const valueBytes = ends[i + 1]! - starts[i + 1]!;
    if (!strings.findOverwrite(i >>> 1, database, call.keyAt(i), valueBytes)) return false;
  }
  for (let i = 1; i < args.count; i += 2) {
    const key = call.keyAt(i);
    strings.overwrite(i >>> 1, database, key, bytes, starts[i + 1]!, ends[i + 1]!);
  }
  return true;
}

/** Sets every key, with the memory for all of them promised. */
function setPromised(call: CommandCall): WriteStatus {
  const { args, database, store } = call;
  for (let i = 1; i < args.count; i += 2) {
    const start = args.starts[i + 1]!;
    const end = args.ends[i + 1]!;
    const status = store.setString(database, call.keyAt(i), args.bytes, start, end, 0);
    assert(status === WriteStatus.OK, "what is promised does not fail");
  }
  store.strings.endPromise();
  return WriteStatus.OK;
}

/** Sets every key or, if that cannot be, none. */
function setAll(call: CommandCall): WriteStatus {
  const { args, database, store } = call;
  if (args.count === 3) {
    const key = call.keyAt(1);
    return store.setString(database, key, args.bytes, args.starts[2]!, args.ends[2]!, 0);
  }
  if (overwriteAll(call)) return WriteStatus.OK;
  const pages = pagesForSets(args, 1, (args.count - 1) / 2, store);
  if (pages >= 0 && store.strings.promise(pages)) return setPromised(call);
  const plans: SetPlan[] = [];
  for (let i = 1; i < args.count; i += 2) {
    const start = args.starts[i + 1]!;
    const end = args.ends[i + 1]!;
    const status = store.strings.planSet(database, call.keyAt(i), args.bytes, start, end, plans);
    if (status === WriteStatus.OK) continue;
    store.strings.cancelAll(plans);
    return status;
  }
  store.strings.commitAll(plans);
  return WriteStatus.OK;
}

/** The rows of MGET MSET MSETNX. Thread: any; a thread makes its own at start. */
export function manyStringRows(): CommandRow[] {
  const set = {
    group: "string",
    since: "1.0.1",
    arity: -3,
    syntax: "key value [key value ...]",
    flags: ["write", "denyoom"],
    access: "write",
    firstKey: 1,
    lastKey: -1,
    keyStep: 2,
    cost: "per-key",
    complexity: "O(N) with N keys",
  } as const;
  return [
    new CommandRow({
      name: "mget",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Returns the string values of keys, as of one moment.",
      group: "string",
      since: "1.0.0",
      flags: ["readonly", "fast"],
      access: "read",
      firstKey: 1,
      lastKey: -1,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "array",
      handler: handleMGet,
    }),
    new CommandRow({
      ...set,
      name: "mset",
      summary: "Sets the string values of keys, all at once.",
      reply: "ok",
      handler: handleMSet,
    }),
    new CommandRow({
      ...set,
      name: "msetnx",
      summary: "Sets the string values of keys, all at once, unless one of them exists.",
      reply: "integer",
      handler: handleMSetNx,
    }),
  ];
}
