/**
 * `SLOWLOG`: commands of all threads that took long.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { type CommandDefinition, CommandRow, type HandlerStatus } from "../row.ts";
import type { SlowCommand } from "../slow_log.ts";
import { containerRow } from "./container.ts";
import { refuse, replyLater } from "./refuse.ts";

/** Slow commands that are shown unless more are asked for. Source: Redis. */
const SHOWN_COUNT = 10;

/** `SLOWLOG GET [count]` */
function handleGet(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  let count = SHOWN_COUNT;
  if (args.count === 3) {
    count = args.int64(2, operand) ? operand.toNumber() : -2;
    if (count < -1) {
      return refuse(
        call,
        ReplyCode.BAD_ARGUMENT,
        "count should be greater than or equal to -1",
      );
    }
  }
  const { operations } = call.services;
  return replyLater(call, () => operations.slowest(count), (commands) => {
    sink.arrayStart(commands.length);
    for (const command of commands) writeSlowCommand(sink, command);
  });
}

function writeSlowCommand(sink: ReplySink, command: SlowCommand): void {
  sink.arrayStart(6);
  sink.integer(command.id);
  sink.integer(command.atSeconds);
  sink.integer(command.micros);
  sink.arrayStart(command.words.length);
  for (const word of command.words) sink.bulk(word, 0, word.length);
  sink.bulkText(command.address);
  sink.bulkText(command.name);
}

/** `SLOWLOG LEN` */
function handleLength(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  return replyLater(call, () => services.operations.slowCount(), (count) => sink.integer(count));
}

/** `SLOWLOG RESET` */
function handleReset(call: CommandCall): HandlerStatus {
  const { sink, services } = call;
  return replyLater(call, () => services.operations.resetSlow(), () => sink.ok());
}

/** The row of SLOWLOG. Thread: any; a thread makes its own at start. */
export function slowlogRow(): CommandRow {
  const base = {
    group: "server",
    since: "2.2.12",
    flags: ["admin", "loading", "stale"],
  } as const satisfies Partial<CommandDefinition>;
  return containerRow("slowlog", "Shows commands that took long.", "2.2.12", "server", [
    new CommandRow({
      ...base,
      name: "slowlog|get",
      arity: -2,
      maxArguments: 3,
      syntax: "[count]",
      summary: "Returns the newest slow commands of all threads; -1 means all.",
      cost: "per-client",
      complexity: "O(N) with N slow commands",
      reply: "array",
      handler: handleGet,
    }),
    new CommandRow({
      ...base,
      name: "slowlog|len",
      arity: 2,
      summary: "Returns how many slow commands are kept.",
      reply: "integer",
      handler: handleLength,
    }),
    new CommandRow({
      ...base,
      name: "slowlog|reset",
      arity: 2,
      summary: "Forgets the slow commands.",
      reply: "ok",
      handler: handleReset,
    }),
  ]);
}
