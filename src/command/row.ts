/**
 * One command's row: everything there is to know about it, in one place.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { CommandArguments } from "./arguments.ts";
import type { CommandCall } from "./call.ts";
import type { CommandTable } from "./lookup.ts";

/** What a handler tells the dispatcher. */
export const HandlerStatus = {
  /** The reply is written. */
  DONE: 0,
  /** The reply is written and the connection ends behind it. */
  CLOSE: 1,
  /** There was no memory; nothing was written, neither to the store nor to the reply. */
  RETRY: 2,
  /** The reply comes later, with no lock held; see {@link CommandCall.later}. */
  LATER: 3,
  /**
   * The reply may take long, and there are replies in front of it that should not wait for it: call
   * again when they are written. Nothing was done. Only for commands without keys.
   */
  WRITE_FIRST: 4,
} as const;

/** One of the values of {@link HandlerStatus}. */
export type HandlerStatus = (typeof HandlerStatus)[keyof typeof HandlerStatus];

/**
 * A command's code. Runs with the locks of its keys held; never locks, waits or awaits.
 *
 * Thread: the connection's I/O thread.
 */
export type Handler = (call: CommandCall) => HandlerStatus;

/**
 * Finds the keys of a command whose places the first, last and step cannot tell, such as
 * `ZUNIONSTORE destination numkeys key …`. Calls `visit` with the argument index of each key, in
 * order. The number of arguments has been checked against the arity, nothing else.
 *
 * @returns false when the arguments do not say where the keys are: no lock is taken, and the
 *   handler, which must then touch no key, replies with the error
 */
export type KeyFinder = (args: CommandArguments, visit: (index: number) => void) => boolean;

/**
 * Which locks a command needs on its keys' shards; `all`: those of all shards, exclusive if it has
 * the flag `write`.
 */
export type CommandAccess = "none" | "read" | "write" | "all";

/** How a command's work grows; commands that are not `constant` are bounded elsewhere. */
export type CommandCost = "constant" | "per-key" | "per-argument" | "per-client" | "whole-table";

/** Which part of the command set a row belongs to, as `COMMAND DOCS` calls it. */
export type CommandGroup =
  | "connection"
  | "generic"
  | "string"
  | "bitmap"
  | "list"
  | "hash"
  | "set"
  | "sorted-set"
  | "hyperloglog"
  | "transactions"
  | "pubsub"
  | "server"
  | "events";

/**
 * One thing that a reply can look like when all is well; most commands have one, some several.
 *
 * `simple` is a fixed word other than OK; `map` and `set` are arrays in version 2, `text` is a bulk
 * string there.
 */
export type ReplyShape =
  | "ok"
  | "simple"
  | "integer"
  | "double"
  | "bulk"
  | "nil"
  | "array"
  | "set"
  | "map"
  | "push"
  | "text";

/** What a client that subscribes may still use with version 2, where replies cannot be told apart. */
const ALLOWED_TO_SUBSCRIBERS: ReadonlySet<string> = new Set([
  "ping",
  "psubscribe",
  "punsubscribe",
  "quit",
  "reset",
  "ssubscribe",
  "subscribe",
  "sunsubscribe",
  "unsubscribe",
]);

/** Groups of commands on collections. */
const COLLECTION_GROUPS: ReadonlySet<CommandGroup> = new Set([
  "list",
  "hash",
  "set",
  "sorted-set",
]);

/** Flags as `COMMAND INFO` reports them. */
export type CommandFlag =
  | "admin"
  | "blocking"
  | "denyoom"
  | "fast"
  | "loading"
  | "movablekeys"
  | "no_auth"
  | "no_multi"
  | "noscript"
  | "pubsub"
  | "readonly"
  | "skip_monitor"
  | "skip_slowlog"
  | "stale"
  | "write";

/** What a family file says about one of its commands. */
export interface CommandDefinition {
  /** Lower case; a subcommand has its parent's name in front: `client|setname`. */
  name: string;
  /** As in Redis: the exact number of arguments with the name, or minus the least number. */
  arity: number;
  /** Most arguments, the name included, when there is a bound that the arity does not tell. */
  maxArguments?: number;
  /** What follows the name, e.g. `key value [NX | XX]`. */
  syntax?: string;
  /** One line. */
  summary: string;
  /** Part of the command set. */
  group: CommandGroup;
  /** First version that had it: of Redis, or of this server for its own commands. */
  since: string;
  /** Flags for `COMMAND INFO`. */
  flags: readonly CommandFlag[];
  /** Locks on the keys' shards; `none` when it has no keys. */
  access?: CommandAccess;
  /** Argument index of the first key; 0 = no keys. */
  firstKey?: number;
  /** Argument index of the last key; negative counts from the end, -1 being the last argument. */
  lastKey?: number;
  /** Distance between keys. */
  keyStep?: number;
  /** Finds the keys instead of first, last and step, which then are what `COMMAND INFO` says. */
  findKeys?: KeyFinder;
  /** The key in the store is this prefix and then the argument; its database is 0. */
  keyPrefix?: string;
  /**
   * It reads or writes keys that its arguments do not name, taking locks as it goes: inside a
   * transaction, which must have them before, it needs all.
   */
  touchesAllKeys?: boolean;
  /** It is never queued: what ends or begins a transaction, and what ends the conversation. */
  runsAtOnce?: boolean;
  /** Its looks at keys count as hits and misses; left out: exactly if it only reads keys. */
  countsLookups?: boolean;
  /** How the work grows. */
  cost?: CommandCost;
  /**
   * Whether its arguments say how much work it is, up to a logarithm, so that only a long one has
   * to be measured; left out: no, unless the work is constant or grows with the number of keys.
   */
  workIsInArguments?: boolean;
  /** With so many arguments at most, the name included, its work is constant all the same. */
  constantArguments?: number;
  /** The same in words, e.g. `O(1)`. */
  complexity?: string;
  /**
   * What the reply looks like; several when it depends on the arguments or on the store, none when
   * the command is always refused.
   */
  reply: ReplyShape | readonly ReplyShape[];
  /** The code. */
  handler: Handler;
  /** Rows of subcommands, if it has any. */
  subcommands?: CommandTable;
}

/**
 * A row of the command table. All rows have the same fields in the same order, so that reading
 * them stays fast.
 *
 * Thread: any; never changes.
 */
export class CommandRow {
  /** Lower case, e.g. `get` or `client|setname`. */
  readonly name: string;
  /** The part that a client sends, in lower-case ASCII: for `client|setname`, `setname`. */
  readonly nameBytes: Uint8Array;
  /** The code. */
  readonly handler: Handler;
  /** Least number of arguments, the name included. */
  readonly minArguments: number;
  /** Greatest number of arguments. */
  readonly maxArguments: number;
  /** Argument index of the first key; 0 = no keys, no locks. */
  readonly firstKey: number;
  /** Argument index of the last key; negative counts from the end. */
  readonly lastKey: number;
  /** Distance between keys. */
  readonly keyStep: number;
  /** Finds the keys where first, last and step cannot. */
  readonly findKeys: KeyFinder | undefined;
  /** Whether the locks are exclusive. */
  readonly exclusive: boolean;
  /** Whether its looks at keys count as hits and misses. */
  readonly countsLookups: boolean;
  /** Whether there is exactly one key however many arguments there are. */
  readonly oneKey: boolean;
  /** Whether its keys have lists, hashes, sets or sorted sets. */
  readonly hasCollection: boolean;
  /** Put in front of the argument to make the key; empty for most. */
  readonly keyPrefix: Uint8Array;
  /** Whether a transaction takes all locks for it. */
  readonly touchesAllKeys: boolean;
  /** Whether it is run also where others are queued. */
  readonly runsAtOnce: boolean;
  /** Whether a transaction may contain it. */
  readonly allowedInTransaction: boolean;
  /** Rows of subcommands. */
  readonly subcommands: CommandTable | undefined;
  /** As `COMMAND INFO` reports it. */
  readonly arity: number;
  /** As `COMMAND INFO` reports them. */
  readonly flags: readonly CommandFlag[];
  /** Locks on the keys' shards. */
  readonly access: CommandAccess;
  /** What follows the name. */
  readonly syntax: string;
  /** One line. */
  readonly summary: string;
  /** Part of the command set. */
  readonly group: CommandGroup;
  /** First version that had it. */
  readonly since: string;
  /** How the work grows. */
  readonly cost: CommandCost;
  /** The same in words. */
  readonly complexity: string;
  /** What the reply looks like. */
  readonly replies: readonly ReplyShape[];
  /** Whether clients may use it before they present the password. */
  readonly allowedUnauthenticated: boolean;
  /** Every call with as many arguments is measured: its work can grow with more than those. */
  readonly measuredFrom: number;
  /** Whether clients that subscribe may use it with version 2. */
  readonly allowedToSubscribers: boolean;
  /** Whether its reply may tell of keys that its locks do not name, which it has none of or too few. */
  readonly tellsOfMore: boolean;
  /** Number by which a fault names the command; given once, by the table. */
  operation = 0;
  /** Where the command is counted; given once, by `CommandStats`. */
  statisticsAt = 0;

  /**
   * Makes the row.
   *
   * @throws {AssertionFault} when the definition contradicts itself
   */
  constructor(definition: CommandDefinition) {
    const { name, arity } = definition;
    this.name = name;
    this.nameBytes = encoder.encode(name.slice(name.indexOf("|") + 1));
    this.handler = definition.handler;
    this.minArguments = Math.abs(arity);
    this.maxArguments = definition.maxArguments ?? (arity < 0 ? 0x7fffffff : arity);
    this.firstKey = definition.firstKey ?? 0;
    this.lastKey = definition.lastKey ?? this.firstKey;
    this.keyStep = definition.keyStep ?? (this.firstKey === 0 ? 0 : 1);
    this.findKeys = definition.findKeys;
    this.access = definition.access ?? "none";
    this.exclusive = this.access === "write" ||
      (this.access === "all" && definition.flags.includes("write"));
    this.countsLookups = definition.countsLookups ?? this.access === "read";
    this.oneKey = this.findKeys === undefined && this.firstKey > 0 &&
      this.firstKey === this.lastKey;
    this.hasCollection = COLLECTION_GROUPS.has(definition.group);
    this.keyPrefix = encoder.encode(definition.keyPrefix ?? "");
    this.touchesAllKeys = definition.touchesAllKeys ?? false;
    this.runsAtOnce = definition.runsAtOnce ?? false;
    this.allowedInTransaction = !definition.flags.includes("no_multi");
    this.subcommands = definition.subcommands;
    this.arity = arity;
    this.flags = definition.flags;
    this.syntax = definition.syntax ?? "";
    this.summary = definition.summary;
    this.group = definition.group;
    this.since = definition.since;
    this.cost = definition.cost ?? "constant";
    this.complexity = definition.complexity ?? "O(1)";
    this.replies = typeof definition.reply === "string" ? [definition.reply] : definition.reply;
    this.allowedUnauthenticated = definition.flags.includes("no_auth");
    const isMeasured = !(definition.workIsInArguments ?? false) &&
      this.cost !== "constant" && this.cost !== "per-key";
    this.measuredFrom = isMeasured ? (definition.constantArguments ?? 0) + 1 : 0x7fffffff;
    this.tellsOfMore = this.touchesAllKeys ||
      (this.access === "none" && this.flags.includes("readonly"));
    this.allowedToSubscribers = ALLOWED_TO_SUBSCRIBERS.has(name);
    assert(name === name.toLowerCase() && name !== "", `command name ${name} is lower case`);
    assert(arity !== 0, `command ${name} has an arity`);
    assert(
      this.access === "all" ||
        (this.firstKey > 0 || this.findKeys !== undefined) === (this.access !== "none"),
      `command ${name} locks exactly if it has keys`,
    );
    assert(
      this.firstKey < this.minArguments,
      `command ${name} has its first key whenever its arity is right`,
    );
    assert(
      this.keyPrefix.length === 0 || this.oneKey,
      `command ${name} with a key prefix has one key`,
    );
  }

  /** Argument index of the last key of a call with `argumentCount` arguments. */
  lastKeyOf(argumentCount: number): number {
    return this.lastKey < 0 ? argumentCount + this.lastKey : this.lastKey;
  }

  /**
   * Calls `visit` with the argument index of each key of a call, in order.
   *
   * @returns false when the arguments do not say where the keys are; see {@link KeyFinder}
   */
  forEachKey(args: CommandArguments, visit: (index: number) => void): boolean {
    if (this.findKeys !== undefined) return this.findKeys(args, visit);
    const last = this.lastKeyOf(args.count);
    for (let i = this.firstKey; i > 0 && i <= last; i += this.keyStep) visit(i);
    return true;
  }
}

const encoder = new TextEncoder();
