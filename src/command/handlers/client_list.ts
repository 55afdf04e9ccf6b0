/**
 * `CLIENT LIST`, `CLIENT INFO` and `CLIENT KILL`.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import type { CommandCall } from "../call.ts";
import { type ClientFilter, describeClient } from "../client_directory.ts";
import { refuseClientType, refuseUser } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";
import { refuse } from "./refuse.ts";

/**
 * Most numbers that one `CLIENT LIST ID` may name. Reason: each client is compared with all of
 * them.
 */
export const MAX_LISTED_IDS = 128;

/** Runs `CLIENT INFO`. Thread: the connection's I/O thread. */
export function handleInfo(call: CommandCall): HandlerStatus {
  call.sink.verbatimText(describeClient(call.client, call.store.nowMs));
  return HandlerStatus.DONE;
}

/** Runs `CLIENT LIST [TYPE type | ID id ...]`. Thread: the connection's I/O thread. */
export function handleList(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  let filter: ClientFilter = {};
  if (args.count === 4 && args.is(2, "TYPE")) {
    const type = readType(call, 3);
    if (type === undefined) return HandlerStatus.DONE;
    if (type === "nobody") {
      sink.verbatimText("");
      return HandlerStatus.DONE;
    }
    filter = { isSubscriber: type === "pubsub" };
  } else if (args.count > 3 && args.is(2, "ID")) {
    const ids: number[] = [];
    for (let i = 3; i < args.count; i++) {
      const id = readId(call, i);
      if (id <= 0) return refuse(call, ReplyCode.BAD_ARGUMENT, "Invalid client ID");
      ids.push(id);
    }
    filter = { ids };
  } else if (args.count !== 2) {
    return refuse(call, ReplyCode.SYNTAX);
  }
  if (sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  const lines = call.services.clients.list(filter);
  if (typeof lines === "string") {
    sink.verbatimText(lines);
    return HandlerStatus.DONE;
  }
  call.later = lines.then((text) => {
    sink.verbatimText(text);
    return HandlerStatus.DONE;
  });
  return HandlerStatus.LATER;
}

/**
 * Runs `CLIENT KILL address`, and `CLIENT KILL` with filters. Thread: the connection's I/O thread.
 */
export function handleKill(call: CommandCall): HandlerStatus {
  const { args, client } = call;
  if (args.count === 3) return kill(call, { address: args.text(2) }, true);
  const wish = readKillFilter(call);
  if (wish === undefined) return HandlerStatus.DONE;
  const { filter, skipMe, nobody } = wish;
  if (nobody) {
    call.sink.integer(0);
    return HandlerStatus.DONE;
  }
  return kill(call, skipMe ? { ...filter, exceptId: client.id } : filter, false);
}

/** Ends them and replies how many, or in the old form whether there was one. */
function kill(call: CommandCall, filter: ClientFilter, oldForm: boolean): HandlerStatus {
  const { sink, client } = call;
  if (sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  const finish = (count: number): HandlerStatus => {
    if (!oldForm) sink.integer(count);
    else if (count > 0) sink.ok();
    else sink.error(ReplyCode.BAD_ARGUMENT, "No such client");
    return client.ended ? HandlerStatus.CLOSE : HandlerStatus.DONE;
  };
  const count = call.services.clients.kill(filter);
  if (typeof count === "number") return finish(count);
  call.later = count.then(finish);
  return HandlerStatus.LATER;
}

/** What a `CLIENT KILL` asks for. */
interface KillWish {
  filter: { -readonly [Name in keyof ClientFilter]: ClientFilter[Name] };
  skipMe: boolean;
  /** It means only clients of a kind that there is not. */
  nobody: boolean;
}

/** Reads the filters of a `CLIENT KILL`. Undefined: refused. */
function readKillFilter(call: CommandCall): KillWish | undefined {
  const wish: KillWish = { filter: {}, skipMe: true, nobody: false };
  const { args } = call;
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 === args.count) {
      call.sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
    if (!readKillOption(call, i, wish)) return undefined;
  }
  return wish;
}

/** Takes one filter, of which the name is argument `i`. False: refused. */
function readKillOption(call: CommandCall, i: number, wish: KillWish): boolean {
  const { args, sink } = call;
  const { filter } = wish;
  if (args.is(i, "ID")) {
    const id = readId(call, i + 1);
    if (id <= 0) {
      sink.error(ReplyCode.BAD_ARGUMENT, "client-id should be greater than 0");
      return false;
    }
    filter.ids = [id];
  } else if (args.is(i, "ADDR")) {
    filter.address = args.text(i + 1);
  } else if (args.is(i, "LADDR")) {
    filter.localAddress = args.text(i + 1);
  } else if (args.is(i, "TYPE")) {
    const type = readType(call, i + 1);
    if (type === undefined) return false;
    if (type === "nobody") wish.nobody = true;
    else filter.isSubscriber = type === "pubsub";
  } else if (args.is(i, "USER")) {
    if (args.text(i + 1) !== "default") {
      refuseUser(args, i + 1, sink);
      return false;
    }
  } else if (args.is(i, "SKIPME") && (args.is(i + 1, "YES") || args.is(i + 1, "NO"))) {
    wish.skipMe = args.is(i + 1, "YES");
  } else if (args.is(i, "MAXAGE")) {
    filter.minAgeSeconds = readId(call, i + 1);
    if (filter.minAgeSeconds <= 0) {
      sink.error(ReplyCode.BAD_ARGUMENT, "maxage should be greater than 0");
      return false;
    }
  } else {
    sink.error(ReplyCode.SYNTAX);
    return false;
  }
  return true;
}

/** A positive number; -1 when the argument is none. */
function readId(call: CommandCall, index: number): number {
  const value = new Int64();
  return call.args.int64(index, value) ? value.toNumber() : -1;
}

/** Kinds that do not exist here are known by name. Undefined: refused. */
function readType(call: CommandCall, index: number): "normal" | "pubsub" | "nobody" | undefined {
  const { args, sink } = call;
  if (args.is(index, "NORMAL")) return "normal";
  if (args.is(index, "PUBSUB")) return "pubsub";
  for (const kind of ["MASTER", "REPLICA", "SLAVE"]) {
    if (args.is(index, kind)) return "nobody";
  }
  refuseClientType(args, index, sink);
  return undefined;
}
