/**
 * The options that all scanning commands have: `[MATCH pattern] [COUNT count]`.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import { isMatchAll } from "../../base/glob.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";

/**
 * Longest pattern.
 *
 * Unit: bytes. Reason: comparing it with a key takes up to their product.
 */
export const MAX_PATTERN_BYTES = 1024;

/** What they say. */
export interface ScanOptions {
  /** About how many elements a call should return, at least 1. */
  count: number;
  /** What they must match, a copy of its own; undefined = anything. */
  pattern: Uint8Array | undefined;
}

/**
 * Reads the options from argument `from` on into `options`, which has the defaults.
 *
 * Thread: one I/O thread.
 *
 * @param readOther takes the option at an index that one command alone has; false = there is no such
 * @returns false when an error was replied
 */
export function readScanOptions(
  call: CommandCall,
  from: number,
  options: ScanOptions,
  readOther: (index: number) => boolean = () => false,
): boolean {
  const { args } = call;
  const number = new Int64();
  for (let i = from; i < args.count; i += 2) {
    if (i + 1 === args.count) return refuse(call, ReplyCode.SYNTAX);
    if (args.is(i, "COUNT")) {
      if (!args.int64(i + 1, number)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
      options.count = number.toNumber();
      if (options.count < 1) return refuse(call, ReplyCode.SYNTAX);
    } else if (args.is(i, "MATCH")) {
      if (args.length(i + 1) > MAX_PATTERN_BYTES) {
        const detail = `a pattern must have at most ${MAX_PATTERN_BYTES} bytes`;
        return refuse(call, ReplyCode.BAD_ARGUMENT, detail);
      }
      const pattern = args.bytes.slice(args.starts[i + 1]!, args.ends[i + 1]!);
      options.pattern = isMatchAll(pattern) ? undefined : pattern;
    } else if (!readOther(i)) {
      return refuse(call, ReplyCode.SYNTAX);
    }
  }
  return true;
}

function refuse({ sink }: CommandCall, code: ReplyCode, detail?: string): false {
  sink.error(code, detail);
  return false;
}
