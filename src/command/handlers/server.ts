/**
 * Commands about the server.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { infoText } from "./info.ts";

/** Most sections that one `INFO` may name; there are far fewer. */
const MAX_SECTIONS = 64;

function handleDbSize(call: CommandCall): HandlerStatus {
  call.sink.integer(call.store.keyCount(call.client.database));
  return HandlerStatus.DONE;
}

/** `TIME` */
function handleTime(call: CommandCall): HandlerStatus {
  const { sink } = call;
  const nowMs = call.services.clock();
  sink.arrayStart(2);
  sink.bulkText(String(Math.floor(nowMs / 1000)));
  sink.bulkText(String(nowMs % 1000 * 1000));
  return HandlerStatus.DONE;
}

/** `INFO [section ...]` */
function handleInfo(call: CommandCall): HandlerStatus {
  const wanted: string[] = [];
  for (let i = 1; i < call.args.count; i++) wanted.push(call.args.text(i).toLowerCase());
  call.sink.verbatimText(infoText(call.services, wanted));
  return HandlerStatus.DONE;
}

/** The rows of DBSIZE TIME INFO. Thread: any; a thread makes its own at start. */
export function serverRows(): CommandRow[] {
  return [
    new CommandRow({
      name: "dbsize",
      arity: 1,
      summary: "Returns the number of keys in the database.",
      group: "server",
      since: "1.0.0",
      flags: ["readonly", "fast"],
      touchesAllKeys: true,
      reply: "integer",
      handler: handleDbSize,
    }),
    new CommandRow({
      name: "time",
      arity: 1,
      summary: "Returns the time of day: seconds since 1970, and microseconds.",
      group: "server",
      since: "2.6.0",
      flags: ["loading", "stale", "fast"],
      reply: "array",
      handler: handleTime,
    }),
    new CommandRow({
      name: "info",
      arity: -1,
      maxArguments: MAX_SECTIONS + 1,
      syntax: "[section ...]",
      summary: "Describes the server in numbers.",
      group: "server",
      since: "1.0.0",
      flags: ["loading", "stale"],
      reply: "text",
      handler: handleInfo,
    }),
  ];
}
