/**
 * How a client says who it is and how it wants to be spoken to, and how it takes that back.
 *
 * @module
 */

import { MAX_WRONG_PASSWORDS } from "../authenticator.ts";
import type { CommandCall } from "../call.ts";
import { refuseHelloOption } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { isClientName, NAME_RULE } from "./client_name.ts";

const NO_PASSWORD_CONFIGURED =
  "AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";

const HELLO_NEEDS_PASSWORD =
  "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH " +
  "<user> <pass> option can be used to authenticate the client and select the RESP protocol " +
  "version at the same time";

/** The name of the only user there is. */
const USER = "default";

/** `AUTH [user] password` */
function handleAuth(call: CommandCall): HandlerStatus {
  const { args, sink, services } = call;
  if (args.count > 3) return refuse(call, ReplyCode.SYNTAX);
  if (args.count === 2 && !services.authenticator.required) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, NO_PASSWORD_CONFIGURED);
  }
  if (!isPassword(call, args.count === 3 ? 1 : 0, args.count - 1)) return refusePassword(call);
  call.client.authenticated = true;
  sink.ok();
  return HandlerStatus.DONE;
}

/**
 * Whether argument `passwordIndex` is the password of the user that argument `userIndex` names; 0
 * means the only user. Without a password configured, that user has any.
 */
function isPassword(call: CommandCall, userIndex: number, passwordIndex: number): boolean {
  const { args } = call;
  const { authenticator } = call.services;
  // The password is compared in any case, so that the time does not tell whether the user exists.
  const matches = !authenticator.required || authenticator.matches(
    args.bytes,
    args.starts[passwordIndex]!,
    args.ends[passwordIndex]!,
  );
  return (userIndex === 0 || isUser(call, userIndex)) && matches;
}

/** As in Redis, `DEFAULT` would be somebody else. */
function isUser({ args }: CommandCall, index: number): boolean {
  return args.length(index) === USER.length && args.text(index) === USER;
}

/** Refuses a wrong password, some time later; one too many ends the connection. */
function refusePassword(call: CommandCall): HandlerStatus {
  const { sink, client } = call;
  if (sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  const isLast = ++client.wrongPasswords >= MAX_WRONG_PASSWORDS;
  call.later = call.services.authenticator.refuse().then(() => {
    sink.error(ReplyCode.WRONG_PASSWORD);
    return isLast ? HandlerStatus.CLOSE : HandlerStatus.DONE;
  });
  return HandlerStatus.LATER;
}

/** What the options of a `HELLO` say. */
interface Greeting {
  /** Argument index of the new name; 0 = none. */
  nameIndex: number;
  /** Argument index of the user, the password behind it; 0 = none. */
  userIndex: number;
}

/** `HELLO [version [AUTH user password] [SETNAME name]]`: everything that it asks for, or nothing. */
function handleHello(call: CommandCall): HandlerStatus {
  const { args, client, operand } = call;
  let version: 2 | 3 = client.protocol;
  if (args.count > 1) {
    if (!args.int64(1, operand)) {
      return refuse(
        call,
        ReplyCode.BAD_ARGUMENT,
        "Protocol version is not an integer or out of range",
      );
    }
    if (operand.hi !== 0 || (operand.lo !== 2 && operand.lo !== 3)) {
      return refuse(call, ReplyCode.NO_PROTOCOL);
    }
    version = operand.lo;
  }
  const greeting = readGreeting(call);
  if (greeting === undefined) return HandlerStatus.DONE;
  const { nameIndex, userIndex } = greeting;
  if (userIndex > 0 && !isPassword(call, userIndex, userIndex + 1)) return refusePassword(call);
  if (userIndex === 0 && !client.authenticated && call.services.authenticator.required) {
    return refuse(call, ReplyCode.NOT_AUTHENTICATED, HELLO_NEEDS_PASSWORD);
  }
  client.authenticated = true;
  client.protocol = version;
  if (nameIndex > 0) client.name = args.text(nameIndex);
  replyGreeting(call);
  return HandlerStatus.DONE;
}

/** Reads the options of a `HELLO`; the last of each kind counts. Undefined: refused. */
function readGreeting(call: CommandCall): Greeting | undefined {
  const { args, sink } = call;
  const greeting: Greeting = { nameIndex: 0, userIndex: 0 };
  let i = 2;
  while (i < args.count) {
    if (args.is(i, "SETNAME") && i + 1 < args.count) {
      if (!isClientName(args, i + 1)) {
        sink.error(ReplyCode.BAD_ARGUMENT, NAME_RULE);
        return undefined;
      }
      greeting.nameIndex = i + 1;
      i += 2;
    } else if (args.is(i, "AUTH") && i + 2 < args.count) {
      greeting.userIndex = i + 1;
      i += 3;
    } else {
      refuseHelloOption(args, i, sink);
      return undefined;
    }
  }
  return greeting;
}

function replyGreeting(call: CommandCall): void {
  const { sink, client } = call;
  sink.mapStart(7);
  sink.bulkText("server");
  sink.bulkText("sluice");
  sink.bulkText("version");
  sink.bulkText(call.services.snapshot().version);
  sink.bulkText("proto");
  sink.integer(client.protocol);
  sink.bulkText("id");
  sink.integer(client.id);
  sink.bulkText("mode");
  sink.bulkText("standalone");
  sink.bulkText("role");
  sink.bulkText("master");
  sink.bulkText("modules");
  sink.arrayStart(0);
}

/** `RESET` */
function handleReset(call: CommandCall): HandlerStatus {
  call.services.pubsub?.forget(call.client);
  call.client.reset(!call.services.authenticator.required);
  call.services.operations.monitors.remove(call.client);
  call.sink.simple("RESET");
  return HandlerStatus.DONE;
}

function refuse(call: CommandCall, code: ReplyCode, detail?: string): HandlerStatus {
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

/** The rows of AUTH HELLO RESET. Thread: any; a thread makes its own at start. */
export function greetingRows(): CommandRow[] {
  const group = "connection";
  return [
    new CommandRow({
      name: "auth",
      arity: -2,
      syntax: "[default] password",
      summary: "Presents the password; a wrong one is answered after a while.",
      group,
      since: "1.0.0",
      flags: ["noscript", "loading", "stale", "fast", "no_auth"],
      reply: "ok",
      handler: handleAuth,
    }),
    new CommandRow({
      name: "hello",
      arity: -1,
      syntax: "[version [AUTH default password] [SETNAME name]]",
      summary: "Chooses the protocol version, 2 or 3, and describes the server.",
      group,
      since: "6.0.0",
      flags: ["noscript", "loading", "stale", "fast", "no_auth"],
      reply: "map",
      handler: handleHello,
    }),
    new CommandRow({
      name: "reset",
      arity: 1,
      summary: "Makes the connection as it was at first; the password is needed again.",
      group,
      since: "6.2.0",
      flags: ["noscript", "loading", "stale", "fast", "no_auth"],
      runsAtOnce: true,
      reply: "simple",
      handler: handleReset,
    }),
  ];
}
