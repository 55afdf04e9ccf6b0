/**
 * `SET` and its options.
 *
 * @module
 */

import type { Int64 } from "../../base/int64.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";
import { Expiry, expiryOf, expiryOption, refuseExpiry } from "./expiry_options.ts";
import { replyString } from "./string_reply.ts";
import { refuseWrite } from "./write_failure.ts";

/** Bits of what the options ask for, besides {@link Expiry}. */
const Option = { NX: 64, XX: 128, GET: 256 } as const;

/**
 * Runs `SET key value [option …]`. The key's lock is held exclusively.
 *
 * Thread: the connection's I/O thread.
 */
export function handleSet(call: CommandCall): HandlerStatus {
  const { args, store, sink } = call;
  if (args.count > 3) return setWithOptions(call);
  const status = store.setString(
    call.database,
    call.key,
    args.bytes,
    args.starts[2]!,
    args.ends[2]!,
    0,
  );
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.STRING, "set");
  sink.ok();
  return HandlerStatus.DONE;
}

function setWithOptions(call: CommandCall): HandlerStatus {
  const { args, store, sink, key, operand: time } = call;
  const options = readOptions(call, time);
  if (options < 0) return HandlerStatus.DONE;
  let expireAtMs = 0;
  if ((options & Expiry.NOT_AN_INTEGER) !== 0) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  if ((options & Expiry.GIVEN) !== 0) {
    expireAtMs = expiryOf(options, time, store.nowMs);
    if (expireAtMs < 0) return refuseExpiry(call);
  }
  store.access.counts = (options & Option.GET) !== 0;
  // Without these options it does not matter what was there.
  const asksBefore = (options & (Option.NX | Option.XX | Option.GET | Expiry.KEEP)) !== 0;
  const entry = asksBefore ? store.lookup(call.database, key) : 0;
  if ((options & Expiry.KEEP) !== 0 && entry !== 0) expireAtMs = store.expireAtMs(entry);
  const before = sink.mark();
  // The old value is gone once the new one is set, so it is copied or leased first.
  if ((options & Option.GET) !== 0 && !replyString(call, entry)) return HandlerStatus.DONE;
  const refused = (options & (entry !== 0 ? Option.NX : Option.XX)) !== 0;
  if (refused) {
    if ((options & Option.GET) === 0) sink.nil();
    return HandlerStatus.DONE;
  }
  const status = store.setString(
    call.database,
    key,
    args.bytes,
    args.starts[2]!,
    args.ends[2]!,
    expireAtMs,
  );
  if (status !== WriteStatus.OK) {
    sink.rewind(before);
    return refuseWrite(call, status);
  }
  call.notify(NotifyClass.STRING, "set");
  if ((options & Expiry.GIVEN) !== 0) call.notify(NotifyClass.GENERIC, "expire");
  if ((options & Option.GET) === 0) sink.ok();
  return HandlerStatus.DONE;
}

/** What tells `EX`, `PX`, `EXAT` and `PXAT` apart. */
const EXPIRY_KIND = Expiry.GIVEN | Expiry.IN_SECONDS | Expiry.ABSOLUTE;

/**
 * Reads the options behind the value.
 *
 * @param time receives the number of the expiry option
 * @returns bits of {@link Option} and {@link Expiry}, or -1 when an error was replied
 */
function readOptions(call: CommandCall, time: Int64): number {
  const { args, sink } = call;
  let options = 0;
  for (let i = 3; i < args.count; i++) {
    const expiry = expiryOption(args, i);
    if (args.is(i, "NX") && (options & Option.XX) === 0) options |= Option.NX;
    else if (args.is(i, "XX") && (options & Option.NX) === 0) options |= Option.XX;
    else if (args.is(i, "GET")) options |= Option.GET;
    else if (args.is(i, "KEEPTTL") && (options & Expiry.GIVEN) === 0) options |= Expiry.KEEP;
    else if (
      expiry !== 0 && (options & Expiry.KEEP) === 0 && i + 1 < args.count &&
      // As in Redis, the same kind of time may be given again, and the last one counts.
      ((options & Expiry.GIVEN) === 0 || (options & EXPIRY_KIND) === expiry)
    ) {
      options = (options | expiry) & ~Expiry.NOT_AN_INTEGER;
      if (!args.int64(++i, time)) options |= Expiry.NOT_AN_INTEGER;
    } else {
      sink.error(ReplyCode.SYNTAX);
      return -1;
    }
  }
  return options;
}
