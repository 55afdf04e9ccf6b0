/**
 * Subcommands of `CLIENT` that act on other clients: `PAUSE`, `UNPAUSE`, `UNBLOCK`.
 *
 * @module
 */

import { getLogger } from "../../base/log.ts";
import type { CommandCall } from "../call.ts";
import { PauseMode } from "../client_pause.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, type HandlerStatus } from "../row.ts";
import { done, refuse, replyLater } from "./refuse.ts";

const log = getLogger("server");

/** `CLIENT PAUSE timeout [WRITE | ALL]` */
function handlePause(call: CommandCall): HandlerStatus {
  const { args, operand } = call;
  let mode: PauseMode = PauseMode.ALL;
  if (args.count === 4) {
    if (args.is(3, "WRITE")) mode = PauseMode.WRITE;
    else if (!args.is(3, "ALL")) {
      return refuse(call, ReplyCode.BAD_ARGUMENT, "CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  if (!args.int64(2, operand)) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, "timeout is not an integer or out of range");
  }
  if (operand.hi < 0) return refuse(call, ReplyCode.BAD_ARGUMENT, "timeout is negative");
  const durationMs = operand.toNumber();
  call.services.operations.pause.begin(mode, durationMs);
  log.info("clients paused", {
    event: "clients_paused",
    client: call.client.id,
    mode: mode === PauseMode.ALL ? "all" : "write",
    duration_ms: durationMs,
  });
  return done(call);
}

/** `CLIENT UNPAUSE` */
function handleUnpause(call: CommandCall): HandlerStatus {
  call.services.operations.pause.end();
  return done(call);
}

/** `CLIENT UNBLOCK id [TIMEOUT | ERROR]` */
function handleUnblock(call: CommandCall): HandlerStatus {
  const { args, operand, sink, services } = call;
  let withError = false;
  if (args.count === 4) {
    if (args.is(3, "ERROR")) withError = true;
    else if (!args.is(3, "TIMEOUT")) {
      return refuse(
        call,
        ReplyCode.BAD_ARGUMENT,
        "CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
      );
    }
  }
  if (!args.int64(2, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
  const id = operand.toNumber();
  return replyLater(
    call,
    async () => await services.clients.unblock(id, withError),
    (isUnblocked) => sink.integer(isUnblocked ? 1 : 0),
  );
}

/** `CLIENT CACHING YES | NO`: nobody is in the mode that it needs. */
function handleCaching(call: CommandCall): HandlerStatus {
  return refuse(
    call,
    ReplyCode.BAD_ARGUMENT,
    "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT " +
      "mode enabled",
  );
}

/** The rows. Thread: any; a thread makes its own at start. */
export function clientControlRows(): CommandRow[] {
  const base = {
    group: "connection",
    flags: ["admin", "noscript", "loading", "stale"],
    reply: "ok",
  } as const satisfies Partial<CommandDefinition>;
  return [
    new CommandRow({
      ...base,
      name: "client|pause",
      arity: -3,
      maxArguments: 4,
      syntax: "timeout [WRITE | ALL]",
      summary: "Has commands of all RESP connections, or those that write, wait for milliseconds.",
      since: "3.0.0",
      handler: handlePause,
    }),
    new CommandRow({
      ...base,
      name: "client|unpause",
      arity: 2,
      summary: "Ends a pause.",
      since: "6.2.0",
      handler: handleUnpause,
    }),
    new CommandRow({
      ...base,
      name: "client|unblock",
      arity: -3,
      maxArguments: 4,
      syntax: "id [TIMEOUT | ERROR]",
      summary: "Ends the blocking command that a connection waits for.",
      since: "5.0.0",
      reply: "integer",
      handler: handleUnblock,
    }),
    new CommandRow({
      ...base,
      flags: ["noscript", "loading", "stale"],
      name: "client|caching",
      arity: 3,
      syntax: "YES | NO",
      summary: "Refused: clients are not told when keys change.",
      since: "6.0.0",
      reply: [],
      handler: handleCaching,
    }),
  ];
}
