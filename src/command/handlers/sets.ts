/**
 * Commands on sets: members by name, and all of them.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Collection } from "../../store/collection/collection.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ELEMENTS, replyRecords } from "../collection_reply.ts";
import { AT_ONCE_MEMBERS, isLongChange } from "../long_change.ts";
import { isLongLookup, lookUpInSlices, type Lookups, replyKept } from "../long_lookup.ts";
import { addMembersInSlices, removeInSlices, SET_REMOVAL } from "../member_changes.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { handleCollectionScan } from "./collection_scan.ts";
import { notifyRemoval, openCollection } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

function openSet(call: CommandCall): Collection | undefined {
  return openCollection(call, 1, EntryType.SET);
}

/** Whether a set has the member that an argument names. */
function hasMember(call: CommandCall, c: Collection, index: number): boolean {
  const { args, store } = call;
  return store.collections.sets.find(c, args.bytes, args.starts[index]!, args.ends[index]!);
}

function handleSAdd(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  if (isLongChange(call, AT_ONCE_MEMBERS)) return addMembersInSlices(call);
  const c = openSet(call);
  if (c === undefined) return HandlerStatus.DONE;
  const status = store.collections.sets.addMembers(c, args, 2, args.count - 2);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  if (c.changed > 0) call.notify(NotifyClass.SET, "sadd");
  sink.integer(c.changed);
  return HandlerStatus.DONE;
}

function handleSRem(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  if (isLongChange(call, AT_ONCE_MEMBERS)) return removeInSlices(call, SET_REMOVAL);
  const c = openSet(call);
  if (c === undefined) return HandlerStatus.DONE;
  const status = store.collections.sets.remove(c, args, 2, args.count - 2);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  if (c.changed > 0) notifyRemoval(call, c, NotifyClass.SET, "srem");
  sink.integer(c.changed);
  return HandlerStatus.DONE;
}

function handleSIsMember(call: CommandCall): HandlerStatus {
  const c = openSet(call);
  if (c !== undefined) call.sink.integer(hasMember(call, c, 2) ? 1 : 0);
  return HandlerStatus.DONE;
}

/** SMISMEMBER of very many. */
const MEMBERSHIP: Lookups = {
  found: () => 1,
  missing: 0,
  reply(sink, kept, lease) {
    lease.release();
    replyKept(sink, kept, (target, number) => target.integer(number));
  },
};

function handleSMIsMember(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const c = openSet(call);
  if (c === undefined) return HandlerStatus.DONE;
  if (isLongLookup(call)) return lookUpInSlices(call, c, MEMBERSHIP);
  sink.arrayStart(args.count - 2);
  for (let i = 2; i < args.count; i++) sink.integer(hasMember(call, c, i) ? 1 : 0);
  return HandlerStatus.DONE;
}

function handleSCard(call: CommandCall): HandlerStatus {
  const c = openSet(call);
  if (c !== undefined) call.sink.integer(c.count);
  return HandlerStatus.DONE;
}

function handleSMembers(call: CommandCall): HandlerStatus {
  const c = openSet(call);
  if (c === undefined) return HandlerStatus.DONE;
  call.sink.setStart(c.count);
  replyRecords(call.store, call.sink, c, 0, c.count, false, ELEMENTS);
  return HandlerStatus.DONE;
}

function handleSMove(call: CommandCall): HandlerStatus {
  const { sink } = call;
  const from = openSet(call);
  if (from === undefined) return HandlerStatus.DONE;
  if (!from.exists) {
    // As in Redis, whatever the other key holds.
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  const to = openCollection(call, 2, EntryType.SET, 1);
  if (to === undefined) return HandlerStatus.DONE;
  const exists = hasMember(call, from, 3);
  if (exists && to.entry !== from.entry) {
    const status = move(call, from, to);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
  }
  sink.integer(exists ? 1 : 0);
  return HandlerStatus.DONE;
}

/** Moves the member that argument 3 names, which exists. */
function move(call: CommandCall, from: Collection, to: Collection): WriteStatus {
  const { args, store } = call;
  const { collections } = store;
  const { sets } = collections;
  const start = args.starts[3]!;
  const end = args.ends[3]!;
  const pages = collections.pagesFor(from, 1, 0, 0) + collections.pagesFor(to, 1, end - start);
  if (!collections.reserve(pages)) return WriteStatus.OUT_OF_MEMORY;
  const removed = sets.removeOne(from, args.bytes, start, end);
  const added = sets.addMember(to, args.bytes, start, end);
  assert(removed === WriteStatus.OK && added === WriteStatus.OK, "what is promised does not fail");
  collections.settle();
  notifyRemoval(call, from, NotifyClass.SET, "srem");
  if (to.changed > 0) call.notify(NotifyClass.SET, "sadd", to.key);
  return WriteStatus.OK;
}

const writing = {
  group: "set",
  since: "1.0.0",
  flags: ["write", "fast"],
  access: "write",
  firstKey: 1,
  reply: "integer",
} as const;

const reading = {
  group: "set",
  since: "1.0.0",
  flags: ["readonly", "fast"],
  access: "read",
  firstKey: 1,
  reply: "integer",
} as const;

/** The rows of SADD SREM SMOVE. */
function writeRows(): CommandRow[] {
  return [
    new CommandRow({
      ...writing,
      name: "sadd",
      arity: -3,
      syntax: "key member [member ...]",
      summary: "Adds members to a set, all or none, and returns how many are new.",
      flags: ["write", "denyoom", "fast"],
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N members",
      handler: handleSAdd,
    }),
    new CommandRow({
      ...writing,
      name: "srem",
      arity: -3,
      syntax: "key member [member ...]",
      summary: "Removes members from a set and returns how many there were.",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N members",
      handler: handleSRem,
    }),
    new CommandRow({
      ...writing,
      name: "smove",
      arity: 4,
      syntax: "source destination member",
      summary: "Moves a member from one set to another; returns 1 if there was one.",
      lastKey: 2,
      handler: handleSMove,
    }),
  ];
}

/** The rows of SISMEMBER SMISMEMBER SCARD SMEMBERS SSCAN. */
function readRows(): CommandRow[] {
  return [
    new CommandRow({
      ...reading,
      name: "sismember",
      arity: 3,
      syntax: "key member",
      summary: "Returns 1 if a set has the member, else 0.",
      handler: handleSIsMember,
    }),
    new CommandRow({
      ...reading,
      name: "smismember",
      arity: -3,
      syntax: "key member [member ...]",
      summary: "Returns for each member 1 if a set has it, else 0.",
      since: "6.2.0",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(N) with N members",
      reply: "array",
      handler: handleSMIsMember,
    }),
    new CommandRow({
      ...reading,
      name: "scard",
      arity: 2,
      syntax: "key",
      summary: "Returns how many members a set has.",
      handler: handleSCard,
    }),
    new CommandRow({
      ...reading,
      name: "smembers",
      arity: 2,
      syntax: "key",
      summary: "Returns all members of a set.",
      flags: ["readonly"],
      cost: "per-argument",
      complexity: "O(N) with N members; a long reply is made as the client takes it",
      reply: "set",
      handler: handleSMembers,
    }),
    new CommandRow({
      ...reading,
      name: "sscan",
      arity: -3,
      syntax: "key cursor [MATCH pattern] [COUNT count]",
      summary: "Returns some members of a set, and a cursor to go on with; 0 starts and ends.",
      since: "2.8.0",
      flags: ["readonly"],
      cost: "per-argument",
      complexity: "O(1) for every call, at most 1 ms; O(N) for all N members",
      reply: "array",
      handler: (call) => handleCollectionScan(call, EntryType.SET),
    }),
  ];
}

/** The rows of commands on members of sets. Thread: any; a thread makes its own at start. */
export function setRows(): CommandRow[] {
  return [...writeRows(), ...readRows()];
}
