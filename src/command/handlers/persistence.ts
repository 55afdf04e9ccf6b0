/**
 * `SAVE`, `BGSAVE`, `BGREWRITEAOF`, `LASTSAVE`: snapshots of the store in the data directory.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import type { StorageControl } from "../services.ts";
import { refuse } from "./refuse.ts";

/** Why there can be no snapshot. */
export const NO_FILES = "this server keeps its data in memory only: there is no data directory";

const IN_PROGRESS = "Background save already in progress";
/** How often `SAVE` looks whether its snapshot is complete. Unit: ms. */
const LOOK_EVERY_MS = 5;

/** `SAVE`: replies when a snapshot that was begun after it is complete; others are served meanwhile. */
function handleSave(call: CommandCall): HandlerStatus {
  const { storage } = call.services;
  if (storage === undefined) return refuse(call, ReplyCode.UNSUPPORTED, NO_FILES);
  if (storage.snapshotRuns) return refuse(call, ReplyCode.UNSUPPORTED, IN_PROGRESS);
  const { sink } = call;
  call.later = takeSnapshot(storage).then((isTaken) => {
    if (isTaken) sink.simple("OK");
    else sink.error(ReplyCode.STORAGE_UNAVAILABLE);
    return HandlerStatus.DONE;
  });
  return HandlerStatus.LATER;
}

async function takeSnapshot(storage: StorageControl): Promise<boolean> {
  const { snapshotCount, snapshotFailureCount } = storage;
  storage.wantSnapshot();
  while (
    storage.snapshotCount === snapshotCount && storage.snapshotFailureCount === snapshotFailureCount
  ) {
    // One is taken when the log can be written again, and nobody knows when that is.
    if (!storage.takesWrites) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return storage.snapshotCount !== snapshotCount;
}

/** `BGSAVE [SCHEDULE]` */
function handleBackgroundSave(call: CommandCall): HandlerStatus {
  const { args, sink, services: { storage } } = call;
  const isScheduled = args.count === 2;
  if (isScheduled && !args.is(1, "SCHEDULE")) return refuse(call, ReplyCode.SYNTAX);
  if (storage === undefined) return refuse(call, ReplyCode.UNSUPPORTED, NO_FILES);
  if (storage.snapshotRuns && !isScheduled) return refuse(call, ReplyCode.UNSUPPORTED, IN_PROGRESS);
  sink.simple(storage.snapshotRuns ? "Background saving scheduled" : "Background saving started");
  storage.wantSnapshot();
  return HandlerStatus.DONE;
}

/** `BGREWRITEAOF`: the same; what is in front of a snapshot goes. */
function handleRewrite(call: CommandCall): HandlerStatus {
  const { sink, services: { storage } } = call;
  if (storage === undefined) return refuse(call, ReplyCode.UNSUPPORTED, NO_FILES);
  const what = "Background append only file rewriting";
  sink.simple(`${what} ${storage.snapshotRuns ? "scheduled" : "started"}`);
  storage.wantSnapshot();
  return HandlerStatus.DONE;
}

/** `LASTSAVE`: when the last snapshot was complete; without one, when the server started. */
function handleLastSave(call: CommandCall): HandlerStatus {
  const { services, sink } = call;
  const savedAtMs = services.storage?.snapshotAtMs || services.snapshot().startedAtMs;
  sink.integer(Math.floor(savedAtMs / 1000));
  return HandlerStatus.DONE;
}

const ADMIN = {
  group: "server",
  since: "1.0.0",
  flags: ["admin", "noscript"],
  reply: "simple",
} as const;

/** The rows of this file. */
export function persistenceRows(): CommandRow[] {
  return [
    new CommandRow({
      name: "lastsave",
      arity: 1,
      summary: "Returns when the last snapshot was complete, or when the server started.",
      group: "server",
      since: "1.0.0",
      flags: ["loading", "stale", "fast"],
      reply: "integer",
      handler: handleLastSave,
    }),
    new CommandRow({
      ...ADMIN,
      flags: [...ADMIN.flags, "no_multi"],
      name: "save",
      arity: 1,
      summary: "Takes a snapshot and replies when it is complete; others are served meanwhile.",
      reply: "ok",
      handler: handleSave,
    }),
    new CommandRow({
      ...ADMIN,
      name: "bgsave",
      arity: -1,
      maxArguments: 2,
      syntax: "[SCHEDULE]",
      summary: "Takes a snapshot in the background.",
      handler: handleBackgroundSave,
    }),
    new CommandRow({
      ...ADMIN,
      name: "bgrewriteaof",
      arity: 1,
      summary: "Takes a snapshot in the background; the log in front of it goes.",
      handler: handleRewrite,
    }),
  ];
}
