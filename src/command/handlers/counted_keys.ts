/**
 * Keys whose number is an argument: `numkeys key [key …]`.
 *
 * @module
 */

import type { CommandArguments } from "../arguments.ts";
import type { KeyFinder } from "../row.ts";

/**
 * Finds the keys of a command with their number at argument `at`, followed by at least `rest`
 * arguments.
 *
 * Thread: any.
 */
export function countedKeys(at: number, rest = 0): KeyFinder {
  return (args, visit) => {
    const count = countAt(args, at);
    if (count < 1 || at + count + rest >= args.count) return false;
    for (let i = at + 1; i <= at + count; i++) visit(i);
    return true;
  };
}

/** The positive number at argument `index`, at most nine digits long; else 0. */
function countAt(args: CommandArguments, index: number): number {
  const length = args.length(index);
  if (length === 0 || length > 9) return 0;
  let count = 0;
  for (let i = args.starts[index]!; i < args.ends[index]!; i++) {
    const digit = args.bytes[i]! - 0x30;
    if (digit < 0 || digit > 9 || (count === 0 && digit === 0)) return 0;
    count = count * 10 + digit;
  }
  return count;
}
