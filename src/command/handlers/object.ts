/**
 * `OBJECT` and `MEMORY`: what is behind a key. Asking is no access to it.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";

/** Redis's words when its policy does not count how often a key is used; nor does this server. */
const NO_FREQUENCY = "An LFU maxmemory policy is not selected, access frequency not tracked. " +
  "Please note that when switching between policies at runtime LRU and LFU data will take some " +
  "time to adjust.";

/** Finds the key's entry; replies nil when there is none. */
function entryOrNil(call: CommandCall): number {
  const entry = call.store.peek(call.database, call.key);
  call.store.access.note(entry !== 0);
  if (entry === 0) call.sink.nil();
  return entry;
}

function handleEncoding(call: CommandCall): HandlerStatus {
  const entry = entryOrNil(call);
  if (entry !== 0) call.sink.bulkText(call.store.keyspace.encodingName(entry));
  return HandlerStatus.DONE;
}

function handleRefcount(call: CommandCall): HandlerStatus {
  if (entryOrNil(call) !== 0) call.sink.integer(1);
  return HandlerStatus.DONE;
}

function handleIdleTime(call: CommandCall): HandlerStatus {
  const entry = entryOrNil(call);
  if (entry !== 0) call.sink.integer(call.store.keyspace.idleSeconds(entry));
  return HandlerStatus.DONE;
}

function handleFreq(call: CommandCall): HandlerStatus {
  if (entryOrNil(call) !== 0) call.sink.error(ReplyCode.UNSUPPORTED, NO_FREQUENCY);
  return HandlerStatus.DONE;
}

/** `MEMORY USAGE key [SAMPLES count]`: exact, so the number of samples makes no difference. */
function handleUsage(call: CommandCall): HandlerStatus {
  const { args, operand, sink, store } = call;
  for (let i = 3; i < args.count; i += 2) {
    if (!args.is(i, "SAMPLES") || i + 1 === args.count) {
      sink.error(ReplyCode.SYNTAX);
      return HandlerStatus.DONE;
    }
    if (!args.int64(i + 1, operand)) {
      sink.error(ReplyCode.NOT_AN_INTEGER);
      return HandlerStatus.DONE;
    }
    if (operand.hi < 0) {
      sink.error(ReplyCode.SYNTAX);
      return HandlerStatus.DONE;
    }
  }
  const entry = entryOrNil(call);
  if (entry !== 0) sink.integer(store.keyspace.memoryBytes(entry));
  return HandlerStatus.DONE;
}

/** The row of OBJECT. Thread: any; a thread makes its own at start. */
export function objectRow(): CommandRow {
  const about = {
    arity: 3,
    syntax: "key",
    group: "generic",
    since: "2.2.3",
    flags: ["readonly"],
    access: "read",
    firstKey: 2,
  } as const;
  return containerRow("object", "Container for what is behind a key.", "2.2.3", "generic", [
    new CommandRow({
      ...about,
      name: "object|encoding",
      summary: "Returns how the value of a key is stored.",
      reply: ["bulk", "nil"],
      handler: handleEncoding,
    }),
    new CommandRow({
      ...about,
      name: "object|freq",
      summary: "Returns how often a key is used, which this server does not count.",
      since: "4.0.0",
      reply: "nil",
      handler: handleFreq,
    }),
    new CommandRow({
      ...about,
      name: "object|idletime",
      summary: "Returns the seconds since a key was used.",
      reply: ["integer", "nil"],
      handler: handleIdleTime,
    }),
    new CommandRow({
      ...about,
      name: "object|refcount",
      summary: "Returns how many references the value of a key has: one.",
      reply: ["integer", "nil"],
      handler: handleRefcount,
    }),
  ]);
}

/** The row of `MEMORY USAGE`. Thread: any; a thread makes its own at start. */
export function memoryUsageRow(): CommandRow {
  return new CommandRow({
    name: "memory|usage",
    arity: -3,
    syntax: "key [SAMPLES count]",
    summary: "Returns the bytes that a key and its value take.",
    group: "server",
    since: "4.0.0",
    flags: ["readonly"],
    access: "read",
    firstKey: 2,
    reply: ["integer", "nil"],
    handler: handleUsage,
  });
}
