/**
 * Commands that give a value another key, or a key another database.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { DATABASE_COUNT } from "../../store/control.ts";
import type { Place } from "../../store/entry_mover.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { copyFirst, isCopiedFirst } from "../copy_first.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { refuseWrite } from "./write_failure.ts";

const SAME_OBJECTS = "source and destination objects are the same";

function handleRename(call: CommandCall, isCopied = false): HandlerStatus {
  const status = rename(call, true, isCopied, handleRename);
  if (status !== undefined) return status;
  call.sink.ok();
  return HandlerStatus.DONE;
}

function handleRenameNx(call: CommandCall, isCopied = false): HandlerStatus {
  const status = rename(call, false, isCopied, handleRenameNx);
  if (status !== undefined) return status;
  call.sink.integer(1);
  return HandlerStatus.DONE;
}

/** One of these handlers: with `isCopied`, what it needs of a copy was made, or must be at once. */
type CopyingHandler = (call: CommandCall, isCopied: boolean) => HandlerStatus;

/** Has a large collection copied first; undefined where the command goes on at once. */
function copyLater(
  call: CommandCall,
  from: Place,
  to: Place,
  goes: boolean,
  handler: CopyingHandler,
): HandlerStatus | undefined {
  if (!isCopiedFirst(call, from, to, goes)) return undefined;
  const own = call.detach();
  call.later = copyFirst(own, from, to, () => handler(own, true));
  return HandlerStatus.LATER;
}

/**
 * Runs RENAME and RENAMENX.
 *
 * @returns undefined when it was done and the reply is to be written
 */
function rename(
  call: CommandCall,
  replaces: boolean,
  isCopied: boolean,
  handler: CopyingHandler,
): HandlerStatus | undefined {
  const { store, sink, database } = call;
  const from: Place = { database, key: call.ownKeyAt(1) };
  const to: Place = { database, key: call.ownKeyAt(2) };
  if (store.lookup(database, from.key) === 0) {
    sink.error(ReplyCode.NO_SUCH_KEY);
    return HandlerStatus.DONE;
  }
  if (!replaces && store.peek(database, to.key) !== 0) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  if (isSameKey(from, to)) return undefined;
  const later = isCopied ? undefined : copyLater(call, from, to, true, handler);
  if (later !== undefined) return later;
  const status = store.keyspace.transfer(from, to, true);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.GENERIC, "rename_from", from.key);
  call.notify(NotifyClass.GENERIC, "rename_to", to.key);
  return undefined;
}

/** `COPY source destination [DB destination-db] [REPLACE]` */
function handleCopy(call: CommandCall, isCopied = false): HandlerStatus {
  const { args, store, sink, database } = call;
  let toDatabase = database;
  let replaces = false;
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, "REPLACE")) {
      replaces = true;
    } else if (args.is(i, "DB") && i + 1 < args.count) {
      toDatabase = databaseAt(call, ++i);
      if (toDatabase < 0) return HandlerStatus.DONE;
    } else {
      sink.error(ReplyCode.SYNTAX);
      return HandlerStatus.DONE;
    }
  }
  const from: Place = { database, key: call.ownKeyAt(1) };
  const to: Place = { database: toDatabase, key: call.ownKeyAt(2) };
  if (toDatabase === database && isSameKey(from, to)) {
    sink.error(ReplyCode.BAD_ARGUMENT, SAME_OBJECTS);
    return HandlerStatus.DONE;
  }
  const isPossible = store.lookup(database, from.key) !== 0 &&
    (replaces || store.peek(toDatabase, to.key) === 0);
  if (isPossible) {
    const later = isCopied ? undefined : copyLater(call, from, to, false, handleCopy);
    if (later !== undefined) return later;
    const status = store.keyspace.transfer(from, to, false);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.GENERIC, "copy_to", to.key, toDatabase);
  }
  sink.integer(isPossible ? 1 : 0);
  return HandlerStatus.DONE;
}

/** `MOVE key db` */
function handleMove(call: CommandCall): HandlerStatus {
  const { store, sink, database, key } = call;
  const toDatabase = databaseAt(call, 2);
  if (toDatabase < 0) return HandlerStatus.DONE;
  if (toDatabase === database) {
    sink.error(ReplyCode.BAD_ARGUMENT, SAME_OBJECTS);
    return HandlerStatus.DONE;
  }
  const isPossible = store.lookup(database, key) !== 0 && store.peek(toDatabase, key) === 0;
  if (isPossible) {
    const status = store.keyspace.relink({ database, key }, toDatabase);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.GENERIC, "move_from");
    call.notify(NotifyClass.GENERIC, "move_to", key, toDatabase);
  }
  sink.integer(isPossible ? 1 : 0);
  return HandlerStatus.DONE;
}

/** Reads a database's number; -1 when an error was replied. */
function databaseAt(call: CommandCall, index: number): number {
  const { args, operand, sink } = call;
  if (!args.int64(index, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return -1;
  }
  const database = operand.toNumber();
  if (database >= 0 && database < DATABASE_COUNT) return database;
  sink.error(ReplyCode.BAD_ARGUMENT, "DB index is out of range");
  return -1;
}

function isSameKey(from: Place, to: Place): boolean {
  const { key } = from;
  const other = to.key;
  const byteCount = key.end - key.start;
  if (other.end - other.start !== byteCount) return false;
  for (let i = 0; i < byteCount; i++) {
    if (key.bytes[key.start + i] !== other.bytes[other.start + i]) return false;
  }
  return true;
}

/** The rows of RENAME RENAMENX COPY MOVE. Thread: any; a thread makes its own at start. */
export function renameRows(): CommandRow[] {
  const both = { group: "generic", access: "write", firstKey: 1, lastKey: 2 } as const;
  // Within a shard a large value is handed over and not copied.
  const byValue = {
    cost: "per-argument",
    complexity: "O(1), or O(N) with N bytes to copy",
  } as const;
  return [
    new CommandRow({
      ...both,
      ...byValue,
      name: "rename",
      arity: 3,
      syntax: "key newkey",
      summary: "Gives a key another name; a key that had that name is overwritten.",
      since: "1.0.0",
      flags: ["write"],
      reply: "ok",
      handler: (call) => handleRename(call),
    }),
    new CommandRow({
      ...both,
      ...byValue,
      name: "renamenx",
      arity: 3,
      syntax: "key newkey",
      summary: "Gives a key another name if no key has that.",
      since: "1.0.0",
      flags: ["write", "fast"],
      reply: "integer",
      handler: (call) => handleRenameNx(call),
    }),
    new CommandRow({
      ...both,
      ...byValue,
      name: "copy",
      countsLookups: true,
      arity: -3,
      syntax: "source destination [DB destination-db] [REPLACE]",
      summary: "Copies the value of a key, with its time to live, to another key.",
      since: "6.2.0",
      flags: ["write", "denyoom"],
      reply: "integer",
      handler: (call) => handleCopy(call),
    }),
    new CommandRow({
      name: "move",
      arity: 3,
      syntax: "key db",
      summary: "Puts a key into another database unless that has it.",
      group: "generic",
      since: "1.0.0",
      flags: ["write", "fast"],
      access: "write",
      firstKey: 1,
      reply: "integer",
      handler: handleMove,
    }),
  ];
}
