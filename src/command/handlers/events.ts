/**
 * Events and the balances they add up to.
 *
 * @module
 */

import { EVENT_WAIT_MAX_MS } from "../../base/limits.ts";
import { AMOUNT_RULE, eventDefect, idRule } from "../event.ts";
import { GATE_FAILED_TEXT, type GateRefusal } from "../event_gate.ts";
import { EventOutcome } from "../event_intake.ts";
import type { Settlement } from "../event_waits.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { EntryType } from "../../store/store.ts";

/** Keys of balances are this and then the user's name; they live in database 0. */
export const BALANCE_KEY_PREFIX = "balance:";

const EVENT_SYNTAX = "syntax error, expected EVENT user action amount [ID id] [WAIT ms]";
const FIELDS_SYNTAX = `${EVENT_SYNTAX} [FIELDS json]`;

/** `EVENT user action amount [ID id] [WAIT ms] [FIELDS json]` */
function handleEvent(call: CommandCall): HandlerStatus {
  const { args, event } = call;
  const { bytes, starts, ends } = args;
  event.id.set(bytes, 0, 0);
  event.fieldsJson.set(bytes, 0, 0);
  const waitMs = args.count === 4 ? 0 : readOptions(call);
  if (waitMs < 0) return HandlerStatus.DONE;
  event.user.set(bytes, starts[1]!, ends[1]!);
  event.action.set(bytes, starts[2]!, ends[2]!);
  let defect = eventDefect(event);
  if (defect === undefined && !args.int64(3, event.amount)) defect = AMOUNT_RULE;
  if (defect !== undefined) {
    return refuse(call, ReplyCode.INVALID_EVENT, `invalid event: ${defect}`);
  }
  const { gate } = call.services.intake;
  if (gate !== undefined) {
    const { fieldsJson } = event;
    const refusal = gate.admitText(event, bytes, fieldsJson.start, fieldsJson.end, "FIELDS");
    if (refusal !== undefined) return refuseAtGate(call, refusal);
  }
  event.acceptedAtMs = call.store.nowMs;
  if (waitMs > 0) return offerWaiting(call, waitMs);
  replyOutcome(call, call.services.intake.offer(event));
  return HandlerStatus.DONE;
}

/**
 * Reads `[ID id] [WAIT ms] [FIELDS json]` in any order; id and fields go into the call's event.
 *
 * @returns how long to wait in ms, 0 = not at all; -1 when an error was replied
 */
function readOptions(call: CommandCall): number {
  const { args, event, operand } = call;
  const hasGate = call.services.intake.gate !== undefined;
  let waitMs = -1;
  let hasId = false;
  let hasFields = false;
  for (let i = 4; i < args.count; i += 2) {
    const hasValue = i + 1 < args.count;
    if (hasValue && !hasId && args.is(i, "ID")) {
      hasId = true;
      event.id.set(args.bytes, args.starts[i + 1]!, args.ends[i + 1]!);
      if (event.id.length === 0) {
        refuse(call, ReplyCode.INVALID_EVENT, `invalid event: ${idRule()}`);
        return -1;
      }
    } else if (hasValue && waitMs < 0 && args.is(i, "WAIT")) {
      if (!args.int64(i + 1, operand)) {
        refuse(call, ReplyCode.BAD_ARGUMENT, "timeout is not an integer or out of range");
        return -1;
      }
      waitMs = operand.toNumber();
      if (waitMs < 0 || waitMs > EVENT_WAIT_MAX_MS) {
        const problem = waitMs < 0 ? "negative" : "out of range";
        refuse(call, ReplyCode.BAD_ARGUMENT, `timeout is ${problem}`);
        return -1;
      }
    } else if (hasValue && hasGate && !hasFields && args.is(i, "FIELDS")) {
      hasFields = true;
      event.fieldsJson.set(args.bytes, args.starts[i + 1]!, args.ends[i + 1]!);
    } else {
      refuse(call, ReplyCode.SYNTAX, hasGate ? FIELDS_SYNTAX : EVENT_SYNTAX);
      return -1;
    }
  }
  return Math.max(0, waitMs);
}

/** Offers the call's event and replies when it is settled, or the time is up. */
function offerWaiting(call: CommandCall, waitMs: number): HandlerStatus {
  const { sink } = call;
  if (sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  const offered = call.services.intake.offerWaiting(call.event, waitMs);
  if (typeof offered === "number") {
    replyOutcome(call, offered);
    return HandlerStatus.DONE;
  }
  call.later = offered.then((settlement) => {
    replySettlement(sink, settlement);
    return HandlerStatus.DONE;
  });
  return HandlerStatus.LATER;
}

function replySettlement(sink: ReplySink, settlement: Settlement): void {
  switch (settlement.kind) {
    case "processed":
      if (settlement.result !== undefined) sink.bulkText(settlement.result);
      else if (settlement.balance !== undefined) sink.int64(settlement.balance);
      else sink.simple("PROCESSED");
      break;
    case "failed":
      sink.error(ReplyCode.EVENT_FAILED, settlement.reason);
      break;
    case "pending":
      sink.simple("ACCEPTED");
  }
}

function replyOutcome(call: CommandCall, outcome: EventOutcome): void {
  const { sink } = call;
  switch (outcome) {
    case EventOutcome.ACCEPTED:
      sink.simple("ACCEPTED");
      break;
    case EventOutcome.SERVER_BUSY: {
      const retryMs = call.services.intake.retryAfterMs();
      sink.error(ReplyCode.SERVER_BUSY, `channel is full, retry in ${retryMs} ms`);
      break;
    }
    case EventOutcome.OUT_OF_MEMORY:
      sink.error(ReplyCode.OUT_OF_MEMORY);
      break;
    case EventOutcome.STORAGE_UNAVAILABLE:
      sink.error(ReplyCode.STORAGE_UNAVAILABLE);
      break;
    case EventOutcome.SHUTTING_DOWN:
      sink.error(ReplyCode.SHUTTING_DOWN);
  }
}

/** Refuses an event that the processor does not want, or could not look at. */
function refuseAtGate(call: CommandCall, refusal: GateRefusal): HandlerStatus {
  return refusal.kind === "invalid"
    // A line end would end the reply.
    ? refuse(
      call,
      ReplyCode.INVALID_EVENT,
      `invalid event: ${refusal.detail.replaceAll(/[\r\n]+/g, " ")}`,
    )
    : refuse(call, ReplyCode.UNSUPPORTED, GATE_FAILED_TEXT);
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
      syntax: "user action amount [ID id] [WAIT ms] [FIELDS json]",
      summary: "Offers an event, whose amount is then added to the user's balance, or which a " +
        "processor of one's own sees to; with ID, only once if it is sent again; with WAIT, " +
        "replies with the new balance, or what that processor returned; FIELDS is for such a " +
        "processor only.",
      group: "events",
      since: "0.1.0",
      flags: ["write", "denyoom", "blocking", "fast", "no_multi"],
      reply: ["simple", "integer", "bulk"],
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
      reply: ["integer", "nil"],
      handler: handleBalance,
    }),
  ];
}
