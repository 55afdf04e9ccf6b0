/**
 * Refusals whose words depend on what the client sent.
 *
 * @module
 */

import type { CommandArguments } from "./arguments.ts";
import type { ClientState } from "./client_state.ts";
import { ReplyCode } from "./reply_code.ts";
import type { ReplySink } from "./reply_sink.ts";
import type { CommandRow } from "./row.ts";

/** How much of a name, and of all arguments together, is repeated to the client. Unit: bytes. */
const QUOTED_BYTES = 128;

/**
 * Says that there is no such command, with the beginning of its arguments, as Redis does.
 *
 * Thread: the connection's I/O thread.
 */
export function refuseUnknown(args: CommandArguments, sink: ReplySink): void {
  let beginning = "";
  for (let i = 1; i < args.count && beginning.length < QUOTED_BYTES; i++) {
    beginning += `'${quote(args, i, QUOTED_BYTES - beginning.length)}' `;
  }
  sink.error(
    ReplyCode.UNKNOWN_COMMAND,
    `unknown command '${quote(args, 0, QUOTED_BYTES)}', with args beginning with: ${beginning}`,
  );
}

/** Says that the command has no such subcommand. Thread: the connection's I/O thread. */
export function refuseUnknownSubcommand(
  row: CommandRow,
  args: CommandArguments,
  sink: ReplySink,
): void {
  sink.error(
    ReplyCode.UNKNOWN_COMMAND,
    `unknown subcommand '${quote(args, 1, QUOTED_BYTES)}'. Try ${row.name.toUpperCase()} HELP.`,
  );
}

/** Says that the command takes another number of arguments. Thread: the connection's I/O thread. */
export function refuseArity(row: CommandRow, sink: ReplySink): void {
  sink.error(ReplyCode.WRONG_ARITY, `wrong number of arguments for '${row.name}' command`);
}

/** The same for `EXEC`, which ends the transaction. Thread: the connection's I/O thread. */
export function refuseExecArity(row: CommandRow, client: ClientState, sink: ReplySink): void {
  client.discard();
  sink.error(
    ReplyCode.EXEC_ABORTED,
    `Transaction discarded because of: wrong number of arguments for '${row.name}' command`,
  );
}

/** Says that who subscribes may not use the command. Thread: the connection's I/O thread. */
export function refuseSubscriber(row: CommandRow, sink: ReplySink): void {
  sink.error(
    ReplyCode.UNSUPPORTED,
    `Can't execute '${row.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
      "are allowed in this context",
  );
}

/** Says that `HELLO` knows no such option, or not so. Thread: the connection's I/O thread. */
export function refuseHelloOption(args: CommandArguments, index: number, sink: ReplySink): void {
  const option = quote(args, index, QUOTED_BYTES);
  sink.error(ReplyCode.SYNTAX, `Syntax error in HELLO option '${option}'`);
}

/** Says that there is no such kind of client. Thread: the connection's I/O thread. */
export function refuseClientType(args: CommandArguments, index: number, sink: ReplySink): void {
  const type = quote(args, index, QUOTED_BYTES);
  sink.error(ReplyCode.BAD_ARGUMENT, `Unknown client type '${type}'`);
}

/** Says that `EXPIRE` and its kin know no such option. Thread: the connection's I/O thread. */
export function refuseExpiryOption(args: CommandArguments, index: number, sink: ReplySink): void {
  const option = quote(args, index, QUOTED_BYTES);
  sink.error(ReplyCode.SYNTAX, `Unsupported option ${option}`);
}

/** Says that there is no such user. Thread: the connection's I/O thread. */
export function refuseUser(args: CommandArguments, index: number, sink: ReplySink): void {
  sink.error(ReplyCode.BAD_ARGUMENT, `No such user '${quote(args, index, QUOTED_BYTES)}'`);
}

/** At most `maxBytes` bytes of an argument as one line of text. */
function quote(args: CommandArguments, index: number, maxBytes: number): string {
  const start = args.starts[index]!;
  const end = Math.min(args.ends[index]!, start + maxBytes);
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = args.bytes[i]!;
    // A line end inside an error would forge the next reply.
    if (byte === 0x0d || byte === 0x0a) text += " ";
    else if (byte < 0x20 || byte >= 0x7f) text += `\\x${byte.toString(16).padStart(2, "0")}`;
    else text += String.fromCharCode(byte);
  }
  return text;
}

/** What a read is refused with, instead of the words for writes. */
const LOST_TEXT = "What this command would tell could not be written to the log in the data " +
  "directory, and might be lost. Look at the server's log for the cause.";

/** The log cannot be written, and the command would change something, or tell of what is lost. */
export function refuseUnsafe(writes: boolean, sink: ReplySink): void {
  if (writes) sink.error(ReplyCode.STORAGE_UNAVAILABLE);
  else sink.error(ReplyCode.STORAGE_UNAVAILABLE, LOST_TEXT);
}
