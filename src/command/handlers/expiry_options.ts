/**
 * The options that say when a key expires, as `SET` and `GETEX` take them.
 *
 * @module
 */

import { MAX_EXPIRE_AT_MS } from "../../store/store.ts";
import type { Int64 } from "../../base/int64.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";

/** Bits of what the options ask for. */
export const Expiry = {
  /** There is a time. */
  GIVEN: 1,
  /** It is in seconds and not in milliseconds. */
  IN_SECONDS: 2,
  /** It counts from 1970 and not from now. */
  ABSOLUTE: 4,
  /** `KEEPTTL` */
  KEEP: 8,
  /** `PERSIST` */
  PERSIST: 16,
  /** The time is no integer; said after anything that is wrong with the syntax. */
  NOT_AN_INTEGER: 32,
} as const;

/** Bits of the expiry option that argument `index` names, or 0. Thread: any. */
export function expiryOption(args: CommandArguments, index: number): number {
  if (args.is(index, "PX")) return Expiry.GIVEN;
  if (args.is(index, "EX")) return Expiry.GIVEN | Expiry.IN_SECONDS;
  if (args.is(index, "PXAT")) return Expiry.GIVEN | Expiry.ABSOLUTE;
  if (args.is(index, "EXAT")) return Expiry.GIVEN | Expiry.IN_SECONDS | Expiry.ABSOLUTE;
  return 0;
}

/**
 * When the key expires.
 *
 * Thread: any.
 *
 * @param options bits of {@link Expiry}
 * @returns ms since the epoch, or -1 when the time is not positive or too far away
 */
export function expiryOf(options: number, time: Int64, nowMs: number): number {
  // Beyond 2^48 every value is refused, so a double that rounds there does no harm.
  let expireAtMs = time.toNumber();
  if (expireAtMs <= 0) return -1;
  if ((options & Expiry.IN_SECONDS) !== 0) expireAtMs *= 1000;
  if ((options & Expiry.ABSOLUTE) === 0) expireAtMs += nowMs;
  return expireAtMs > MAX_EXPIRE_AT_MS ? -1 : expireAtMs;
}

/** Says that the time is not positive or too far away. Thread: the connection's I/O thread. */
export function refuseExpiry(call: CommandCall): HandlerStatus {
  const text = `invalid expire time in '${call.row.name}' command`;
  call.sink.error(ReplyCode.BAD_ARGUMENT, text);
  return HandlerStatus.DONE;
}
