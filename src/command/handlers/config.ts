/**
 * `CONFIG`: the settings, those among them that change at run time, and the counters of `INFO`.
 *
 * @module
 */

import { PASSWORD_MAX_BYTES } from "../../base/limits.ts";
import { getLogger } from "../../base/log.ts";
import type { CommandCall } from "../call.ts";
import { matchesGlob } from "../../base/glob.ts";
import { refuseArity } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { REDACTED } from "../secrets.ts";
import { MEMORY_POLICIES, type SettingChange, SettingIndex } from "../runtime_settings.ts";
import { containerRow } from "./container.ts";
import { resetTotals } from "./info_totals.ts";
import { done, refuse } from "./refuse.ts";

const log = getLogger("server");

/** The one setting that is no number. */
const PASSWORD = "requirepass";

/** Most patterns of one `CONFIG GET`. Reason: each setting is compared with all of them. */
const MAX_PATTERNS = 128;

/** `CONFIG GET pattern [pattern ...]` */
function handleGet(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const { settings, operations } = call.services;
  const patterns: string[] = [];
  const asked = new Map<string, string>();
  for (let i = 2; i < args.count; i++) {
    const text = args.text(i);
    patterns.push(text.toLowerCase());
    if (!asked.has(text.toLowerCase())) asked.set(text.toLowerCase(), text);
  }
  const password = [PASSWORD, passwordText(call)] as const;
  const found = [...settings, ...operations.settings.texts(), password]
    .filter(([name]) => patterns.some((pattern) => matchesGlob(pattern, name)))
    .toSorted(([a], [b]) => a < b ? -1 : 1);
  sink.mapStart(found.length);
  for (const [name, text] of found) {
    // As in Redis, a name that was asked for comes back as it was written.
    sink.bulkText(asked.get(name) ?? name);
    sink.bulkText(text);
  }
  return HandlerStatus.DONE;
}

/** `CONFIG SET name value [name value ...]`: all of them or none. */
function handleSet(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.count % 2 !== 0) {
    refuseArity(call.row, sink);
    return HandlerStatus.DONE;
  }
  const { operations } = call.services;
  const names: string[] = [];
  for (let i = 2; i < args.count; i += 2) names.push(args.text(i).toLowerCase());
  const problem = problemOfNames(call, names);
  if (problem !== undefined) return refuse(call, ReplyCode.BAD_ARGUMENT, problem);
  const changes: SettingChange[] = [];
  const passwordIndex = names.indexOf(PASSWORD);
  const refused = passwordIndex < 0 ? undefined : problemOfPassword(call, 3 + passwordIndex * 2);
  if (refused !== undefined) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, failure(PASSWORD, refused));
  }
  for (const [index, name] of names.entries()) {
    if (name === PASSWORD) continue;
    const change = operations.settings.plan(name, args.text(3 + index * 2));
    if (typeof change === "string") {
      return refuse(call, ReplyCode.BAD_ARGUMENT, failure(name, change));
    }
    changes.push(change);
  }
  for (const change of changes) operations.settings.apply(change);
  if (passwordIndex >= 0) changePassword(call, 3 + passwordIndex * 2);
  carryOut(call);
  operations.beginBatch();
  log.info("settings changed", {
    event: "settings_changed",
    client: call.client.id,
    settings: [...operations.settings.texts(), [PASSWORD, passwordText(call)]]
      .filter(([name]) => names.includes(name!)).map((pair) => pair.join("=")).join(" "),
  });
  return done(call);
}

/** Tells those of the settings that keep them elsewhere. */
function carryOut({ store, services }: CommandCall): void {
  const { values } = services.operations.settings;
  store.evictionPolicy = MEMORY_POLICIES[values[SettingIndex.MEMORY_POLICY]!]!;
  services.settingsChanged?.();
  const region = services.pubsub?.region;
  if (region !== undefined) region.notifyClasses = values[SettingIndex.NOTIFY_CLASSES]!;
}

/** What is shown of the password: whether there is one. */
function passwordText({ services }: CommandCall): string {
  return services.authenticator.required ? REDACTED : "";
}

/** Why argument `index` cannot be the password. */
function problemOfPassword({ args, services }: CommandCall, index: number): string | undefined {
  const byteCount = args.length(index);
  if (byteCount > PASSWORD_MAX_BYTES) {
    return `argument must be at most ${PASSWORD_MAX_BYTES} bytes long`;
  }
  return byteCount === 0 && services.mustHavePassword
    ? "the server must have a password, because other machines reach it"
    : undefined;
}

/** Who has presented the password before goes on. */
function changePassword({ args, services }: CommandCall, index: number): void {
  services.authenticator.change(args.bytes.slice(args.starts[index]!, args.ends[index]!));
}

/** Why these settings cannot be set, whatever their values are. */
function problemOfNames(call: CommandCall, names: readonly string[]): string | undefined {
  const { settings, operations } = call.services;
  const unknown = names.find((name) =>
    name !== PASSWORD && !operations.settings.has(name) && !settings.has(name)
  );
  if (unknown !== undefined) {
    return `Unknown option or number of arguments for CONFIG SET - '${printable(unknown)}'`;
  }
  const fixed = names.find((name) => settings.has(name));
  if (fixed !== undefined) return failure(fixed, "can't set immutable config");
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : failure(twice, "duplicate parameter");
}

function failure(name: string, reason: string): string {
  return `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
}

/** `CONFIG RESETSTAT` */
function handleResetStatistics(call: CommandCall): HandlerStatus {
  resetTotals(call.services);
  call.services.operations.stats.reset();
  return done(call);
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
  return containerRow("config", "Shows and changes the settings.", "2.0.0", "server", [
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
      summary: "Changes settings on all threads, all of them or none.",
      group: "server",
      since: "2.0.0",
      flags: ["admin", "noscript", "loading", "stale"],
      cost: "per-argument",
      complexity: "O(N) with N settings",
      reply: "ok",
      handler: handleSet,
    }),
    new CommandRow({
      name: "config|resetstat",
      arity: 2,
      summary: "Has INFO count from now on.",
      group: "server",
      since: "2.0.0",
      flags: ["admin", "noscript", "loading", "stale"],
      reply: "ok",
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
