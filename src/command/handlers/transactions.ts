/**
 * Transactions.
 *
 * @module
 */

import { TRANSACTION_BYTES_MAX, WATCHED_KEYS_MAX } from "../../base/limits.ts";
import type { KeyVersion } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { TransactionRun } from "../exec.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandFlag, CommandRow, HandlerStatus } from "../row.ts";
import { Transaction, WatchedKeys } from "../transaction.ts";

/** `MULTI` */
function handleMulti(call: CommandCall): HandlerStatus {
  const { client } = call;
  if (client.transaction !== undefined) return refuse(call, "MULTI calls can not be nested");
  client.transaction = new Transaction(client.memory);
  call.sink.ok();
  return HandlerStatus.DONE;
}

/** `EXEC` */
function handleExec(call: CommandCall): HandlerStatus {
  const { client, sink } = call;
  const { transaction } = client;
  if (transaction === undefined) return refuse(call, "EXEC without MULTI");
  if (transaction.isSpoiled) {
    client.discard();
    sink.error(ReplyCode.EXEC_ABORTED);
    return HandlerStatus.DONE;
  }
  return new TransactionRun(call, transaction).start(call);
}

/** `DISCARD` */
function handleDiscard(call: CommandCall): HandlerStatus {
  const { client } = call;
  if (client.transaction === undefined) return refuse(call, "DISCARD without MULTI");
  client.discard();
  call.sink.ok();
  return HandlerStatus.DONE;
}

/** `WATCH key [key ...]`; those that came before an error stay watched. */
function handleWatch(call: CommandCall): HandlerStatus {
  const { client, args, store, sink } = call;
  if (client.transaction !== undefined) return refuse(call, "WATCH inside MULTI is not allowed");
  const watchedKeys = client.watchedKeys ??= new WatchedKeys(client.memory);
  if (!watchedKeys.hasRoomFor(args.count - 1)) {
    return refuse(call, `too many watched keys, at most ${WATCHED_KEYS_MAX} are possible`);
  }
  const version: KeyVersion = { seq: 0, exists: false, creations: 0, turnover: 0 };
  for (let i = 1; i < args.count; i++) {
    const key = call.keyAt(i);
    store.versions.read(call.database, key, version);
    if (watchedKeys.tryAdd(call.database, key, version)) continue;
    sink.error(ReplyCode.OUT_OF_MEMORY, "no client memory left to watch keys");
    return HandlerStatus.DONE;
  }
  sink.ok();
  return HandlerStatus.DONE;
}

/** `UNWATCH` */
function handleUnwatch(call: CommandCall): HandlerStatus {
  // Inside a transaction they have done their work, and the transaction drops them at its end.
  if (!call.inTransaction) call.client.unwatch();
  call.sink.ok();
  return HandlerStatus.DONE;
}

function refuse(call: CommandCall, text: string): HandlerStatus {
  call.sink.error(ReplyCode.BAD_ARGUMENT, text);
  return HandlerStatus.DONE;
}

/** The rows of MULTI EXEC DISCARD WATCH UNWATCH. Thread: any; a thread makes its own at start. */
export function transactionRows(): CommandRow[] {
  const group = "transactions";
  const flags: CommandFlag[] = ["noscript", "loading", "stale", "fast"];
  return [
    new CommandRow({
      name: "multi",
      arity: 1,
      summary: "Begins a transaction: the commands that follow are queued, not run.",
      group,
      since: "1.2.0",
      flags,
      runsAtOnce: true,
      reply: "ok",
      handler: handleMulti,
    }),
    new CommandRow({
      name: "exec",
      arity: 1,
      summary: "Runs the queued commands as one, unless a watched key has changed; at most " +
        `${TRANSACTION_BYTES_MAX / 2 ** 20} MiB of arguments.`,
      group,
      since: "1.2.0",
      flags: ["noscript", "loading", "stale", "skip_slowlog"],
      runsAtOnce: true,
      cost: "per-argument",
      complexity: "the sum of the queued commands'",
      reply: ["array", "nil"],
      handler: handleExec,
    }),
    new CommandRow({
      name: "discard",
      arity: 1,
      summary: "Drops the queued commands, and watches no keys any more.",
      group,
      since: "2.0.0",
      flags,
      runsAtOnce: true,
      reply: "ok",
      handler: handleDiscard,
    }),
    new CommandRow({
      name: "watch",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Makes the next transaction run only if none of the keys has changed until then.",
      group,
      since: "2.2.0",
      flags,
      access: "read",
      firstKey: 1,
      lastKey: -1,
      runsAtOnce: true,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "ok",
      handler: handleWatch,
    }),
    new CommandRow({
      name: "unwatch",
      arity: 1,
      summary: "Watches no keys any more.",
      group,
      since: "2.2.0",
      flags,
      reply: "ok",
      handler: handleUnwatch,
    }),
  ];
}
