/**
 * What the log says about a command, at level trace.
 *
 * @module
 */

import type { LogFields } from "../../base/log.ts";
import type { CommandArguments } from "../../command/arguments.ts";
import type { ClientState } from "../../command/client_state.ts";
import type { CommandRow } from "../../command/row.ts";

/** How much of a key is logged. Unit: bytes. */
const LOGGED_KEY_BYTES = 64;

/**
 * The fields of a command's line.
 *
 * Nothing that a client sent gets in but the beginning of the first key: no values, no password, and
 * not even a name that no command has, because a password sent as an inline line of its own looks
 * like one.
 *
 * Shape: `{ client: 7, command: "set", arguments: 3, key: "balance:alice" }`
 *
 * Thread: the connection's I/O thread.
 *
 * @param row undefined when there is no such command
 */
export function commandLogFields(
  client: ClientState,
  row: CommandRow | undefined,
  args: CommandArguments,
): LogFields {
  const fields = {
    event: "command",
    client: client.id,
    command: row?.name ?? "unknown",
    arguments: args.count,
  };
  if (row === undefined || row.firstKey === 0 || args.count <= row.firstKey) return fields;
  return { ...fields, key: keyText(args, row.firstKey) };
}

/** The beginning of a key in printable ASCII. */
function keyText(args: CommandArguments, index: number): string {
  const start = args.starts[index]!;
  const end = Math.min(args.ends[index]!, start + LOGGED_KEY_BYTES);
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = args.bytes[i]!;
    const isPrintable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += isPrintable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return end < args.ends[index]! ? `${text}…` : text;
}
