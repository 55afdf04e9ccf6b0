/**
 * Commands on keys of any type.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { CommandCall } from "../call.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { typeName } from "./type_names.ts";

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
  // A key that is named twice counts twice. Asking for it is no access.
  for (let i = 1; i < call.args.count; i++) {
    const isFound = call.store.peek(call.database, call.keyAt(i)) !== 0;
    call.store.access.note(isFound);
    if (isFound) foundCount++;
  }
  call.sink.integer(foundCount);
  return HandlerStatus.DONE;
}

function handleTouch(call: CommandCall): HandlerStatus {
  const { store } = call;
  // The one command that counts as an access whatever CLIENT NO-TOUCH says.
  store.access.stamps = true;
  let foundCount = 0;
  for (let i = 1; i < call.args.count; i++) {
    if (store.lookup(call.database, call.keyAt(i)) !== 0) foundCount++;
  }
  call.sink.integer(foundCount);
  return HandlerStatus.DONE;
}

function handleType(call: CommandCall): HandlerStatus {
  const { store } = call;
  const entry = store.peek(call.database, call.key);
  store.access.note(entry !== 0);
  call.sink.simple(typeName(entry === 0 ? 0 : store.entryType(entry)));
  return HandlerStatus.DONE;
}

/** The rows of DEL UNLINK EXISTS TOUCH TYPE. Thread: any; a thread makes its own at start. */
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
      name: "unlink",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Deletes keys, as DEL does: neither makes others wait.",
      group: "generic",
      since: "4.0.0",
      flags: ["write", "fast"],
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
    new CommandRow({
      name: "touch",
      arity: -2,
      syntax: "key [key ...]",
      summary: "Notes that keys were used now, and returns how many of them exist.",
      group: "generic",
      since: "3.2.1",
      flags: ["readonly", "fast"],
      access: "read",
      firstKey: 1,
      lastKey: -1,
      cost: "per-key",
      complexity: "O(N) with N keys",
      reply: "integer",
      handler: handleTouch,
    }),
    new CommandRow({
      name: "type",
      arity: 2,
      syntax: "key",
      summary: "Returns the type of a key's value; none when there is no such key.",
      group: "generic",
      since: "1.0.0",
      flags: ["readonly", "fast"],
      access: "read",
      firstKey: 1,
      reply: "simple",
      handler: handleType,
    }),
  ];
}
