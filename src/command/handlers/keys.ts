/**
 * Commands on keys of any type.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { CommandCall } from "../call.ts";
import { CommandRow, HandlerStatus } from "../row.ts";

function handleDel(call: CommandCall): HandlerStatus {
  let removedCount = 0;
  for (let i = 1; i < call.args.count; i++) {
    if (!call.store.remove(call.database, call.keyAt(i))) continue;
    call.notify(NotifyClass.GENERIC, "del");
    removedCount++;
  }
  call.sink.integer(removedCount);
  return HandlerStatus.DONE;
}

function handleExists(call: CommandCall): HandlerStatus {
  let foundCount = 0;
  // A key that is named twice counts twice.
  for (let i = 1; i < call.args.count; i++) {
    if (call.store.lookup(call.database, call.keyAt(i)) !== 0) foundCount++;
  }
  call.sink.integer(foundCount);
  return HandlerStatus.DONE;
}

/** The rows of DEL EXISTS. Thread: any; a thread makes its own at start. */
export function keyRows(): CommandRow[] {
  return [
    new CommandRow({
      name: "del",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Deletes keys, all at once, and returns how many there were.",
      group: "generic",
      since: "1.0.0",
      flags: ["write"],
      access: "write",
      firstKey: 1,
      lastKey: -1,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "integer",
      handler: handleDel,
    }),
    new CommandRow({
      name: "exists",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Returns how many of the keys exist.",
      group: "generic",
      since: "1.0.0",
      flags: ["readonly", "fast"],
      access: "read",
      firstKey: 1,
      lastKey: -1,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "integer",
      handler: handleExists,
    }),
  ];
}
