/**
 * `CONFIG`: what tools ask for, and a clear refusal to change most of it.
 *
 * @module
 */

import { parseNotifyClasses } from "../../pubsub/keyspace_events.ts";
import type { CommandCall } from "../call.ts";
import { matchesGlob } from "../glob.ts";
import { refuseArity } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";

/** Most patterns of one `CONFIG GET`. Reason: each setting is compared with all of them. */
const MAX_PATTERNS = 128;

const BAD_CLASS = "CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - " +
  "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";

/** `CONFIG GET pattern [pattern ...]` */
function handleGet(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const { settings } = call.services;
  const found: string[] = [];
  const patterns: string[] = [];
  for (let i = 2; i < args.count; i++) patterns.push(args.text(i).toLowerCase());
  for (const name of settings.keys()) {
    if (patterns.some((pattern) => matchesGlob(pattern, name))) found.push(name);
  }
  sink.mapStart(found.length);
  for (const name of found) {
    sink.bulkText(name);
    sink.bulkText(settings.get(name)!);
  }
  return HandlerStatus.DONE;
}

/** `CONFIG SET name value [name value ...]` */
function handleSet(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.count % 2 !== 0) {
    refuseArity(call.row, sink);
    return HandlerStatus.DONE;
  }
  const region = call.services.pubsub?.region;
  if (region !== undefined && args.count === 4 && args.is(2, "NOTIFY-KEYSPACE-EVENTS")) {
    const classes = parseNotifyClasses(args.text(3));
    if (classes === undefined) {
      sink.error(ReplyCode.BAD_ARGUMENT, BAD_CLASS);
    } else {
      region.notifyClasses = classes;
      sink.ok();
    }
    return HandlerStatus.DONE;
  }
  const name = printable(args.text(2).toLowerCase());
  sink.error(
    ReplyCode.UNSUPPORTED,
    call.services.settings.has(name)
      ? `CONFIG SET failed (possibly related to argument '${name}') - ` +
        "can't set immutable config; settings are given on the command line at start"
      : `Unknown option or number of arguments for CONFIG SET - '${name}'`,
  );
  return HandlerStatus.DONE;
}

/** `CONFIG RESETSTAT` */
function handleResetStatistics(call: CommandCall): HandlerStatus {
  call.sink.error(
    ReplyCode.UNSUPPORTED,
    "CONFIG RESETSTAT is not supported by this server: counters only grow",
  );
  return HandlerStatus.DONE;
}

/** `CONFIG REWRITE` */
function handleRewrite(call: CommandCall): HandlerStatus {
  call.sink.error(ReplyCode.UNSUPPORTED, "The server is running without a config file");
  return HandlerStatus.DONE;
}

/** Settings have ASCII names; anything else must not reach an error line. */
function printable(text: string): string {
  return text.slice(0, 128).replace(/[^\x20-\x7e]/g, "?");
}

/** The row of CONFIG. Thread: any; a thread makes its own at start. */
export function configRow(): CommandRow {
  return containerRow("config", "Shows the settings.", "2.0.0", "server", [
    new CommandRow({
      name: "config|get",
      arity: -3,
      maxArguments: MAX_PATTERNS + 2,
      syntax: "pattern [pattern ...]",
      summary: "Returns the settings whose names match.",
      group: "server",
      since: "2.0.0",
      flags: ["admin", "noscript", "loading", "stale"],
      cost: "per-argument",
      complexity: "O(N) with N settings times patterns",
      reply: "map",
      handler: handleGet,
    }),
    new CommandRow({
      name: "config|set",
      arity: -4,
      syntax: "name value [name value ...]",
      summary: "Sets notify-keyspace-events; other settings are given on the command line.",
      group: "server",
      since: "2.0.0",
      flags: ["admin", "noscript", "loading", "stale"],
      reply: "ok",
      handler: handleSet,
    }),
    new CommandRow({
      name: "config|resetstat",
      arity: 2,
      summary: "Refused: counters only grow.",
      group: "server",
      since: "2.0.0",
      flags: ["admin", "noscript", "loading", "stale"],
      reply: [],
      handler: handleResetStatistics,
    }),
    new CommandRow({
      name: "config|rewrite",
      arity: 2,
      summary: "Refused: there is no config file.",
      group: "server",
      since: "2.8.0",
      flags: ["admin", "noscript", "loading", "stale"],
      reply: [],
      handler: handleRewrite,
    }),
  ]);
}
