/**
 * The rule for names that clients give themselves.
 *
 * @module
 */

import type { CommandArguments } from "../arguments.ts";

/** Said about a name that breaks the rule. */
export const NAME_RULE = "Client names cannot contain spaces, newlines or special characters.";

/** Longest name or library name. Unit: bytes. Reason: it is kept as long as the connection. */
export const MAX_NAME_BYTES = 256;

/** Whether argument `index` is printable ASCII without spaces, and not too long. Thread: any. */
export function isClientName(args: CommandArguments, index: number): boolean {
  if (args.length(index) > MAX_NAME_BYTES) return false;
  for (let i = args.starts[index]!; i < args.ends[index]!; i++) {
    const byte = args.bytes[i]!;
    if (byte < 0x21 || byte > 0x7e) return false;
  }
  return true;
}
