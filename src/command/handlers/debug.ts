/**
 * `DEBUG`: the little of it that tests of clients and tools use.
 *
 * Redis refuses the command unless it is enabled at start, because much of it can end the server;
 * nothing here can.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";
import { done, refuse } from "./refuse.ts";

/** Longest `DEBUG SLEEP`. Unit: s. Reason: nobody wants more, and the server may have to stop. */
const MAX_SLEEP_SECONDS = 3600;

/** How often a sleeper looks whether it is still wanted. Unit: ms. */
const SLEEP_SLICE_MS = 50;

/** `DEBUG SLEEP seconds`: this connection's replies come later, everybody else's do not. */
function handleSleep(call: CommandCall): HandlerStatus {
  const { args, sink, client, services } = call;
  const text = args.length(2) > 32 ? "" : args.text(2);
  const seconds = /^\d+(\.\d*)?$/.test(text) ? Number(text) : Infinity;
  if (seconds > MAX_SLEEP_SECONDS) return refuse(call, ReplyCode.NOT_A_FLOAT);
  if (sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  const endMs = performance.now() + seconds * 1000;
  const { phase } = services.operations;
  const sleep = async (): Promise<HandlerStatus> => {
    for (;;) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || client.ended || phase.stopping) break;
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, SLEEP_SLICE_MS)));
    }
    sink.ok();
    return client.ended ? HandlerStatus.CLOSE : HandlerStatus.DONE;
  };
  call.later = sleep();
  return HandlerStatus.LATER;
}

/** `DEBUG ERROR text` */
function handleError(call: CommandCall): HandlerStatus {
  const text = call.args.text(2).slice(0, 512).replace(/[^\x20-\x7e]/g, " ");
  return refuse(call, ReplyCode.BAD_ARGUMENT, text);
}

/** `DEBUG PROTOCOL type`: an example of each kind of reply. */
function handleProtocol(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.is(2, "STRING")) sink.bulkText("Hello World");
  else if (args.is(2, "INTEGER")) sink.integer(12345);
  else if (args.is(2, "DOUBLE")) sink.double(3.141);
  else if (args.is(2, "NULL")) sink.nil();
  else if (args.is(2, "ARRAY")) {
    sink.arrayStart(3);
    for (let i = 0; i < 3; i++) sink.integer(i);
  } else if (args.is(2, "SET")) {
    sink.setStart(3);
    for (let i = 0; i < 3; i++) sink.integer(i);
  } else if (args.is(2, "MAP")) {
    sink.mapStart(3);
    for (let i = 0; i < 3; i++) {
      sink.integer(i);
      sink.integer(i);
    }
  } else if (args.is(2, "VERBATIM")) sink.verbatimText("This is a verbatim\nstring");
  else {
    return refuse(
      call,
      ReplyCode.BAD_ARGUMENT,
      "Wrong protocol type name. Please use one of the following: " +
        "string|integer|double|null|array|set|map|verbatim",
    );
  }
  return HandlerStatus.DONE;
}

/** The row of DEBUG. Thread: any; a thread makes its own at start. */
export function debugRow(): CommandRow {
  const base = {
    group: "server",
    since: "1.0.0",
    flags: ["admin", "noscript", "loading", "stale"],
  } as const satisfies Partial<CommandDefinition>;
  return containerRow("debug", "Helps to test clients.", "1.0.0", "server", [
    new CommandRow({
      ...base,
      name: "debug|sleep",
      arity: 3,
      syntax: "seconds",
      summary: "Replies after a while; only this connection waits.",
      cost: "per-client",
      complexity: "O(1), and a while",
      reply: "ok",
      handler: handleSleep,
    }),
    new CommandRow({
      ...base,
      name: "debug|error",
      arity: 3,
      syntax: "text",
      summary: "Replies with an error.",
      reply: [],
      handler: handleError,
    }),
    new CommandRow({
      ...base,
      name: "debug|log",
      arity: 3,
      syntax: "text",
      summary: "Accepted for compatibility; clients do not write to the log.",
      reply: "ok",
      handler: done,
    }),
    new CommandRow({
      ...base,
      name: "debug|protocol",
      arity: 3,
      syntax: "STRING | INTEGER | DOUBLE | NULL | ARRAY | SET | MAP | VERBATIM",
      summary: "Replies with an example of a kind of reply.",
      reply: ["bulk", "integer", "double", "nil", "array", "set", "map", "text"],
      handler: handleProtocol,
    }),
  ]);
}
