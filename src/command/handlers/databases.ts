/**
 * Commands on whole databases. They run with the locks of all shards held, for as long as it takes to
 * change a word or two per database.
 *
 * @module
 */

import { DATABASE_COUNT } from "../../store/control.ts";
import { LockPoisonedError } from "../../store/locks.ts";
import type { Store } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { LockSet } from "../../store/lock_set.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { nextTurn, SLICE_MS } from "../turns.ts";

/**
 * How long a slice of freeing lasts when no client waits for it. Unit: ms. Reason: the loop has
 * others to serve.
 */
const BACKGROUND_SLICE_MS = 0.2;

function handleFlushDb(call: CommandCall): HandlerStatus {
  return flush(call, [call.client.database]);
}

function handleFlushAll(call: CommandCall): HandlerStatus {
  return flush(call, Array.from({ length: DATABASE_COUNT }, (_, database) => database));
}

/**
 * Empties databases for everybody at once; their memory is freed in slices. With ASYNC nobody waits
 * for that, else the reply does.
 */
function flush(call: CommandCall, databases: readonly number[]): HandlerStatus {
  const { args, store, sink } = call;
  const isAsync = args.count === 2 && args.is(1, "ASYNC");
  if (args.count > 2 || (args.count === 2 && !isAsync && !args.is(1, "SYNC"))) {
    sink.error(ReplyCode.SYNTAX);
    return HandlerStatus.DONE;
  }
  const isFlushed = store.keyspace.flushAll(databases);
  if (isFlushed && (isAsync || !store.keyspace.tables.hasDetached)) {
    if (isAsync) void freeInBackground(store);
    sink.ok();
    return HandlerStatus.DONE;
  }
  call.later = flushLater(store, call.row.operation, databases, isFlushed, isAsync, sink);
  return HandlerStatus.LATER;
}

async function flushLater(
  store: Store,
  operation: number,
  databases: readonly number[],
  isFlushed: boolean,
  isAsync: boolean,
  sink: ReplySink,
): Promise<HandlerStatus> {
  while (!isFlushed) {
    // All spare tables are still being freed from earlier flushes.
    store.keyspace.freeSlice(performance.now() + SLICE_MS);
    await nextTurn();
    isFlushed = await flushWithLocks(store, operation, databases);
  }
  if (isAsync) void freeInBackground(store);
  else await freeAll(store, SLICE_MS);
  sink.ok();
  return HandlerStatus.DONE;
}

async function flushWithLocks(
  store: Store,
  operation: number,
  databases: readonly number[],
): Promise<boolean> {
  const lockSet = new LockSet(store.locks, store.shardCount);
  lockSet.addAll();
  lockSet.seal();
  const busyShard = lockSet.tryLock(true);
  if (busyShard >= 0) await lockSet.lockAsync(true, busyShard);
  let isFlushed: boolean;
  try {
    isFlushed = store.keyspace.flushAll(databases);
  } catch (error) {
    lockSet.poison(operation);
    throw error;
  }
  lockSet.unlock(true);
  return isFlushed;
}

/** Frees what flushed databases have left behind, a slice per turn. */
async function freeAll(store: Store, sliceMs: number): Promise<void> {
  for (;;) {
    store.keyspace.freeSlice(performance.now() + sliceMs);
    if (!store.keyspace.tables.hasDetached) return;
    await nextTurn();
  }
}

async function freeInBackground(store: Store): Promise<void> {
  try {
    await freeAll(store, BACKGROUND_SLICE_MS);
  } catch (error) {
    // The server is stopping for that reason; its memory goes with it.
    if (!(error instanceof LockPoisonedError)) throw error;
  }
}

/** `SWAPDB index1 index2` */
function handleSwapDb(call: CommandCall): HandlerStatus {
  const { args, operand, sink, store } = call;
  const indexes: number[] = [];
  for (const [i, name] of ["first", "second"].entries()) {
    if (!args.int64(i + 1, operand)) {
      sink.error(ReplyCode.BAD_ARGUMENT, `invalid ${name} DB index`);
      return HandlerStatus.DONE;
    }
    indexes.push(operand.toNumber());
  }
  const [first, second] = indexes as [number, number];
  if (first < 0 || first >= DATABASE_COUNT || second < 0 || second >= DATABASE_COUNT) {
    sink.error(ReplyCode.BAD_ARGUMENT, "DB index is out of range");
    return HandlerStatus.DONE;
  }
  if (!store.keyspace.swap(first, second)) return HandlerStatus.RETRY;
  call.services.blocking?.lookEverywhere();
  sink.ok();
  return HandlerStatus.DONE;
}

/** The rows of FLUSHDB FLUSHALL SWAPDB. Thread: any; a thread makes its own at start. */
export function databaseRows(): CommandRow[] {
  const flushing = {
    arity: -1,
    syntax: "[ASYNC | SYNC]",
    group: "server",
    since: "1.0.0",
    flags: ["write"],
    access: "all",
    cost: "whole-table",
    complexity: "O(S) with S shards for others; O(N) with N keys for who waits for the memory",
    reply: "ok",
  } as const;
  return [
    new CommandRow({
      ...flushing,
      name: "flushdb",
      summary: "Deletes all keys of the database; ASYNC does not wait for their memory.",
      handler: handleFlushDb,
    }),
    new CommandRow({
      ...flushing,
      name: "flushall",
      summary: "Deletes all keys of all databases; ASYNC does not wait for their memory.",
      handler: handleFlushAll,
    }),
    new CommandRow({
      name: "swapdb",
      arity: 3,
      syntax: "index1 index2",
      summary: "Lets two databases have each other's keys.",
      group: "server",
      since: "4.0.0",
      flags: ["write", "fast"],
      access: "all",
      cost: "per-argument",
      complexity: "O(S) with S shards",
      reply: "ok",
      handler: handleSwapDb,
    }),
  ];
}
