/**
 * What happens to a command between `MULTI` and `EXEC`.
 *
 * @module
 */

import {
  TRANSACTION_ARGUMENTS_MAX,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_COMMANDS_MAX,
} from "../base/limits.ts";
import type { CommandArguments } from "./arguments.ts";
import { ReplyCode } from "./reply_code.ts";
import type { ReplySink } from "./reply_sink.ts";
import type { CommandRow } from "./row.ts";
import { QueueResult, type Transaction } from "./transaction.ts";

const TOO_LONG = `transaction is too long, at most ${TRANSACTION_COMMANDS_MAX} commands with ` +
  `${TRANSACTION_ARGUMENTS_MAX} arguments and ${TRANSACTION_BYTES_MAX} bytes are possible`;

/**
 * Queues a command whose arity is right, or refuses it; then `EXEC` will refuse all.
 *
 * Thread: the connection's I/O thread.
 */
export function queueCommand(
  transaction: Transaction,
  row: CommandRow,
  args: CommandArguments,
  sink: ReplySink,
): void {
  if (!row.allowedInTransaction) {
    transaction.spoil();
    sink.error(ReplyCode.UNSUPPORTED, "Command not allowed inside a transaction");
    return;
  }
  switch (transaction.tryQueue(row, args)) {
    case QueueResult.QUEUED:
      sink.simple("QUEUED");
      break;
    case QueueResult.TOO_LONG:
      transaction.spoil();
      sink.error(ReplyCode.BAD_ARGUMENT, TOO_LONG);
      break;
    case QueueResult.NO_MEMORY:
      transaction.spoil();
      sink.error(ReplyCode.OUT_OF_MEMORY, "no client memory left to queue the command");
  }
}
