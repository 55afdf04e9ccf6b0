/**
 * Events and the balances they add up to.
 *
 * @module
 */

import { AMOUNT_RULE, eventDefect, idRule } from "../event.ts";
import { EventOutcome } from "../event_intake.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { EntryType } from "../../store/store.ts";

/** Keys of balances are this and then the user's name; they live in database 0. */
export const BALANCE_KEY_PREFIX = "balance:";

const EVENT_SYNTAX = "syntax error, expected EVENT user action amount [ID id]";

/** `EVENT user action amount [ID id]` */
function handleEvent(call: CommandCall): HandlerStatus {
  const { args, event, sink } = call;
  const { intake } = call.services;
  const { bytes, starts, ends } = args;
  if (args.count === 6) {
    if (!args.is(4, "ID")) return refuse(call, ReplyCode.SYNTAX, EVENT_SYNTAX);
    event.id.set(bytes, starts[5]!, ends[5]!);
  } else if (args.count === 4) {
    event.id.set(bytes, 0, 0);
  } else {
    return refuse(call, ReplyCode.SYNTAX, EVENT_SYNTAX);
  }
  event.user.set(bytes, starts[1]!, ends[1]!);
  event.action.set(bytes, starts[2]!, ends[2]!);
  let defect = eventDefect(event);
  if (defect === undefined && args.count === 6 && event.id.length === 0) defect = idRule();
  if (defect === undefined && !args.int64(3, event.amount)) defect = AMOUNT_RULE;
  if (defect !== undefined) {
    return refuse(call, ReplyCode.INVALID_EVENT, `invalid event: ${defect}`);
  }
  event.acceptedAtMs = call.store.nowMs;
  switch (intake.offer(event)) {
    case EventOutcome.ACCEPTED:
      sink.simple("ACCEPTED");
      break;
    case EventOutcome.SERVER_BUSY:
      sink.error(
        ReplyCode.SERVER_BUSY,
        `channel is full, retry in ${intake.retryAfterMs()} ms`,
      );
      break;
    case EventOutcome.OUT_OF_MEMORY:
      sink.error(ReplyCode.OUT_OF_MEMORY);
      break;
    case EventOutcome.SHUTTING_DOWN:
      sink.error(ReplyCode.SHUTTING_DOWN);
  }
  return HandlerStatus.DONE;
}

/** Refuses a malformed event, and counts it. */
function refuse(call: CommandCall, code: ReplyCode, detail: string): HandlerStatus {
  call.services.intake.countInvalid();
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

/** `BALANCE user` */
function handleBalance(call: CommandCall): HandlerStatus {
  const { store, sink, result } = call;
  const entry = store.lookup(call.database, call.key);
  if (entry === 0) sink.nil();
  else if (store.entryType(entry) !== EntryType.STRING) sink.error(ReplyCode.WRONG_TYPE);
  else if (!store.readInteger(entry, result)) sink.error(ReplyCode.NOT_AN_INTEGER);
  else sink.int64(result);
  return HandlerStatus.DONE;
}

/** The rows of EVENT BALANCE. Thread: any; a thread makes its own at start. */
export function eventRows(): CommandRow[] {
  return [
    new CommandRow({
      name: "event",
      arity: -4,
      syntax: "user action amount [ID id]",
      summary: "Offers an event; once accepted, its amount is added to the user's balance.",
      group: "events",
      since: "0.1.0",
      flags: ["write", "denyoom", "fast"],
      reply: "simple",
      handler: handleEvent,
    }),
    new CommandRow({
      name: "balance",
      arity: 2,
      syntax: "user",
      summary: "Returns a user's balance.",
      group: "events",
      since: "0.1.0",
      flags: ["readonly", "fast"],
      access: "read",
      firstKey: 1,
      keyPrefix: BALANCE_KEY_PREFIX,
      reply: "integer-or-nil",
      handler: handleBalance,
    }),
  ];
}
