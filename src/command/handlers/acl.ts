/**
 * `ACL`: there is one user, `default`, who may do everything.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, HandlerStatus } from "../row.ts";
import { categories } from "../command_facts.ts";
import { containerRow } from "./container.ts";
import { done, refuse } from "./refuse.ts";

/** The only user. */
const USER = "default";

/** Categories as Redis orders them. */
const CATEGORIES = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
];

const NO_FILE =
  "This Redis instance is not configured to use an ACL file. You may want to specify users via the " +
  "ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration " +
  "file set) in order to store users in the Redis configuration.";

function handleWhoAmI(call: CommandCall): HandlerStatus {
  call.sink.bulkText(USER);
  return HandlerStatus.DONE;
}

function passwordFlag(call: CommandCall): string {
  return call.services.authenticator.required ? "" : "nopass ";
}

function handleList(call: CommandCall): HandlerStatus {
  call.sink.arrayStart(1);
  call.sink.bulkText(`user ${USER} on ${passwordFlag(call)}~* &* +@all`);
  return HandlerStatus.DONE;
}

function handleUsers(call: CommandCall): HandlerStatus {
  call.sink.arrayStart(1);
  call.sink.bulkText(USER);
  return HandlerStatus.DONE;
}

/** `ACL GETUSER user`; passwords are not shown, not even as a hash. */
function handleGetUser(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.text(2) !== USER) {
    sink.nil();
    return HandlerStatus.DONE;
  }
  const flags = call.services.authenticator.required ? ["on"] : ["on", "nopass"];
  sink.mapStart(6);
  sink.bulkText("flags");
  sink.setStart(flags.length);
  for (const flag of flags) sink.bulkText(flag);
  sink.bulkText("passwords");
  sink.arrayStart(0);
  for (const [name, text] of [["commands", "+@all"], ["keys", "~*"], ["channels", "&*"]]) {
    sink.bulkText(name!);
    sink.bulkText(text!);
  }
  sink.bulkText("selectors");
  sink.arrayStart(0);
  return HandlerStatus.DONE;
}

/** `ACL CAT [category]` */
function handleCategories(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  let words = CATEGORIES;
  if (args.count === 3) {
    const category = args.text(2).toLowerCase();
    if (!CATEGORIES.includes(category)) {
      const shown = args.text(2).slice(0, 128).replace(/[^\x20-\x7e]/g, "?");
      return refuse(call, ReplyCode.BAD_ARGUMENT, `Unknown category '${shown}'`);
    }
    words = call.services.table.rows.filter((row) => categories(row).includes(`@${category}`)).map((
      { name },
    ) => name);
  }
  sink.arrayStart(words.length);
  for (const word of words) sink.bulkText(word);
  return HandlerStatus.DONE;
}

/** `ACL GENPASS [bits]` */
function handleGeneratePassword(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  let bitCount = 256;
  if (args.count === 3) {
    if (!args.int64(2, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
    bitCount = operand.toNumber();
    if (bitCount <= 0 || bitCount > 4096) {
      return refuse(
        call,
        ReplyCode.BAD_ARGUMENT,
        "ACL GENPASS argument must be the number of bits for the output password, " +
          "a positive number up to 4096",
      );
    }
  }
  const digitCount = Math.ceil(bitCount / 4);
  const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil(digitCount / 2)));
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  sink.bulkText(text.slice(0, digitCount));
  return HandlerStatus.DONE;
}

function handleSetUser(call: CommandCall): HandlerStatus {
  return refuse(
    call,
    ReplyCode.UNSUPPORTED,
    "ACL SETUSER is not supported by this server: there is one user, whose password is requirepass",
  );
}

/** `ACL DELUSER user [user ...]` */
function handleDeleteUser(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  for (let i = 2; i < args.count; i++) {
    if (args.text(i) === USER) {
      return refuse(call, ReplyCode.BAD_ARGUMENT, "The 'default' user cannot be removed");
    }
  }
  sink.integer(0);
  return HandlerStatus.DONE;
}

/** `ACL DRYRUN user command [argument ...]` */
function handleDryRun(call: CommandCall): HandlerStatus {
  const { args } = call;
  const shown = (index: number): string =>
    args.text(index).slice(0, 128).replace(/[^\x20-\x7e]/g, "?");
  if (args.text(2) !== USER) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, `User '${shown(2)}' not found`);
  }
  if (call.services.table.named(args.text(3)) === undefined) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, `Command '${shown(3)}' not found`);
  }
  return done(call);
}

function refuseFile(call: CommandCall): HandlerStatus {
  return refuse(call, ReplyCode.UNSUPPORTED, NO_FILE);
}

/** `ACL LOG [count | RESET]`: nothing is ever denied to the only user. */
function handleLog(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  if (args.count === 3) {
    if (args.is(2, "RESET")) return done(call);
    if (!args.int64(2, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
  }
  sink.arrayStart(0);
  return HandlerStatus.DONE;
}

/** The row of ACL. Thread: any; a thread makes its own at start. */
export function aclRow(): CommandRow {
  const base = {
    group: "server",
    since: "6.0.0",
    flags: ["admin", "noscript", "loading", "stale"],
  } as const satisfies Partial<CommandDefinition>;
  const open = ["noscript", "loading", "stale"] as const;
  return containerRow("acl", "Tells who may do what.", "6.0.0", "server", [
    new CommandRow({
      ...base,
      name: "acl|cat",
      arity: -2,
      maxArguments: 3,
      flags: open,
      syntax: "[category]",
      summary: "Returns the categories of commands, or the commands of one.",
      reply: "array",
      handler: handleCategories,
    }),
    new CommandRow({
      ...base,
      name: "acl|deluser",
      arity: -3,
      maxArguments: 128,
      syntax: "user [user ...]",
      summary: "Removes nobody: the only user stays.",
      reply: "integer",
      handler: handleDeleteUser,
    }),
    new CommandRow({
      ...base,
      name: "acl|dryrun",
      arity: -4,
      syntax: "user command [argument ...]",
      summary: "Tells that the only user may run a command.",
      since: "7.0.0",
      reply: "ok",
      handler: handleDryRun,
    }),
    new CommandRow({
      ...base,
      name: "acl|genpass",
      arity: -2,
      maxArguments: 3,
      flags: open,
      syntax: "[bits]",
      summary: "Returns a random password in hexadecimal digits.",
      reply: "bulk",
      handler: handleGeneratePassword,
    }),
    new CommandRow({
      ...base,
      name: "acl|getuser",
      arity: 3,
      syntax: "user",
      summary: "Returns what a user may do.",
      reply: ["map", "nil"],
      handler: handleGetUser,
    }),
    new CommandRow({
      ...base,
      name: "acl|list",
      arity: 2,
      summary: "Returns the rules of the users.",
      reply: "array",
      handler: handleList,
    }),
    new CommandRow({
      ...base,
      name: "acl|load",
      arity: 2,
      summary: "Refused: there is no file of users.",
      reply: [],
      handler: refuseFile,
    }),
    new CommandRow({
      ...base,
      name: "acl|log",
      arity: -2,
      maxArguments: 3,
      syntax: "[count | RESET]",
      summary: "Returns what was denied: nothing is.",
      reply: ["array", "ok"],
      handler: handleLog,
    }),
    new CommandRow({
      ...base,
      name: "acl|save",
      arity: 2,
      summary: "Refused: there is no file of users.",
      reply: [],
      handler: refuseFile,
    }),
    new CommandRow({
      ...base,
      name: "acl|setuser",
      arity: -3,
      syntax: "user [rule ...]",
      summary: "Refused: there is one user.",
      reply: [],
      handler: handleSetUser,
    }),
    new CommandRow({
      ...base,
      name: "acl|users",
      arity: 2,
      summary: "Returns the names of the users.",
      reply: "array",
      handler: handleUsers,
    }),
    new CommandRow({
      ...base,
      name: "acl|whoami",
      arity: 2,
      flags: open,
      summary: "Returns the name of this connection's user.",
      reply: "bulk",
      handler: handleWhoAmI,
    }),
  ]);
}
