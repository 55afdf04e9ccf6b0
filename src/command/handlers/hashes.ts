/**
 * Commands on hashes: fields by name.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Collection } from "../../store/collection/collection.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { replyElement } from "../collection_reply.ts";
import { AT_ONCE_MEMBERS, isLongChange } from "../long_change.ts";
import { isLongLookup, lookUpInSlices } from "../long_lookup.ts";
import { HASH_REMOVAL, putFieldsInSlices, removeInSlices } from "../member_changes.ts";
import { refuseArity } from "../refusals.ts";
import { CommandRow, type Handler, HandlerStatus } from "../row.ts";
import { FIELDS, replyFields } from "./hash_fields.ts";
import { notifyRemoval, openCollection } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

function openHash(call: CommandCall): Collection | undefined {
  return openCollection(call, 1, EntryType.HASH);
}

/** Puts the cursor on the field that argument 2 names; whether it exists. */
function findField(call: CommandCall, c: Collection): boolean {
  const { args, store } = call;
  return store.collections.hashes.find(c, args.bytes, args.starts[2]!, args.ends[2]!);
}

/** Runs `HSET`, and `HMSET` with its older reply. */
function setFields(call: CommandCall, repliesCount: boolean): HandlerStatus {
  const { args, sink, store } = call;
  if ((args.count & 1) !== 0) {
    refuseArity(call.row, sink);
    return HandlerStatus.DONE;
  }
  if (isLongChange(call, 2 * AT_ONCE_MEMBERS)) return putFieldsInSlices(call, repliesCount);
  const c = openHash(call);
  if (c === undefined) return HandlerStatus.DONE;
  const status = store.collections.hashes.putFields(c, args, 2, (args.count - 2) >>> 1);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.HASH, "hset");
  if (repliesCount) sink.integer(c.changed);
  else sink.ok();
  return HandlerStatus.DONE;
}

function handleHSetNx(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  const c = openHash(call);
  if (c === undefined) return HandlerStatus.DONE;
  if (findField(call, c)) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  const status = store.collections.hashes.putFields(c, args, 2, 1);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.HASH, "hset");
  sink.integer(1);
  return HandlerStatus.DONE;
}

function handleHGet(call: CommandCall): HandlerStatus {
  const c = openHash(call);
  if (c === undefined) return HandlerStatus.DONE;
  if (findField(call, c)) replyElement(call.store, call.sink, c.cursor.value());
  else call.sink.nil();
  return HandlerStatus.DONE;
}

function handleHMGet(call: CommandCall): HandlerStatus {
  const c = openHash(call);
  if (c === undefined) return HandlerStatus.DONE;
  if (isLongLookup(call)) return lookUpInSlices(call, c, FIELDS);
  replyFields(call, c, 2);
  return HandlerStatus.DONE;
}

function handleHDel(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  if (isLongChange(call, AT_ONCE_MEMBERS)) return removeInSlices(call, HASH_REMOVAL);
  const c = openHash(call);
  if (c === undefined) return HandlerStatus.DONE;
  const status = store.collections.hashes.remove(c, args, 2, args.count - 2);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  if (c.changed > 0) notifyRemoval(call, c, NotifyClass.HASH, "hdel");
  sink.integer(c.changed);
  return HandlerStatus.DONE;
}

/** Runs a command that replies with a number. */
function replyNumber(numberOf: (call: CommandCall, c: Collection) => number): Handler {
  return (call) => {
    const c = openHash(call);
    if (c !== undefined) call.sink.integer(numberOf(call, c));
    return HandlerStatus.DONE;
  };
}

const writing = {
  group: "hash",
  since: "2.0.0",
  flags: ["write", "denyoom", "fast"],
  access: "write",
  firstKey: 1,
} as const;

const reading = {
  group: "hash",
  since: "2.0.0",
  flags: ["readonly", "fast"],
  access: "read",
  firstKey: 1,
} as const;

/** The rows of HSET HMSET HSETNX HDEL. */
function writeRows(): CommandRow[] {
  return [
    new CommandRow({
      ...writing,
      name: "hset",
      arity: -4,
      syntax: "key field value [field value ...]",
      summary: "Sets fields of a hash, all or none, and returns how many are new.",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N fields",
      reply: "integer",
      handler: (call) => setFields(call, true),
    }),
    new CommandRow({
      ...writing,
      name: "hmset",
      arity: -4,
      syntax: "key field value [field value ...]",
      summary: "Sets fields of a hash, all or none.",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N fields",
      reply: "ok",
      handler: (call) => setFields(call, false),
    }),
    new CommandRow({
      ...writing,
      name: "hsetnx",
      arity: 4,
      syntax: "key field value",
      summary: "Sets a field of a hash, unless it exists.",
      reply: "integer",
      handler: handleHSetNx,
    }),
    new CommandRow({
      ...writing,
      name: "hdel",
      flags: ["write", "fast"],
      arity: -3,
      syntax: "key field [field ...]",
      summary: "Deletes fields of a hash and returns how many there were.",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N fields",
      reply: "integer",
      handler: handleHDel,
    }),
  ];
}

/** The rows of HGET HMGET HEXISTS HLEN HSTRLEN. */
function readRows(): CommandRow[] {
  return [
    new CommandRow({
      ...reading,
      name: "hget",
      arity: 3,
      syntax: "key field",
      summary: "Returns the value of a field of a hash.",
      reply: ["bulk", "nil"],
      handler: handleHGet,
    }),
    new CommandRow({
      ...reading,
      name: "hmget",
      arity: -3,
      syntax: "key field [field ...]",
      summary: "Returns the values of fields of a hash.",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N fields",
      reply: "array",
      handler: handleHMGet,
    }),
    new CommandRow({
      ...reading,
      name: "hexists",
      arity: 3,
      syntax: "key field",
      summary: "Returns 1 if a hash has the field, else 0.",
      reply: "integer",
      handler: replyNumber((call, c) => findField(call, c) ? 1 : 0),
    }),
    new CommandRow({
      ...reading,
      name: "hlen",
      arity: 2,
      syntax: "key",
      summary: "Returns how many fields a hash has.",
      reply: "integer",
      handler: replyNumber((_call, c) => c.count),
    }),
    new CommandRow({
      ...reading,
      name: "hstrlen",
      since: "3.2.0",
      arity: 3,
      syntax: "key field",
      summary: "Returns the length in bytes of the value of a field.",
      reply: "integer",
      handler: replyNumber((call, c) => findField(call, c) ? c.cursor.value().byteCount : 0),
    }),
  ];
}

/** The rows of commands on fields by name. Thread: any; a thread makes its own at start. */
export function hashRows(): CommandRow[] {
  return [...writeRows(), ...readRows()];
}
