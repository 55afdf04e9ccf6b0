/**
 * `PUBSUB`: who subscribes to what.
 *
 * @module
 */

import { ChannelSpace } from "../../pubsub/channel_registry.ts";
import { latin1Text } from "../../pubsub/region.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, HandlerStatus, type KeyFinder } from "../row.ts";
import { containerRow } from "./container.ts";

/** Most channels of one `PUBSUB NUMSUB`, the two words in front included. */
const MAX_ARGUMENTS = 2050;

const findChannels: KeyFinder = (args, visit) => {
  for (let i = 2; i < args.count; i++) visit(i);
  return true;
};

function listChannels(call: CommandCall, space: ChannelSpace): HandlerStatus {
  const { args, sink } = call;
  const directory = call.services.channels;
  if (args.count > 3) {
    const word = args.text(1).replace(/[^\x20-\x7e]/g, "?");
    sink.error(
      ReplyCode.BAD_ARGUMENT,
      `unknown subcommand or wrong number of arguments for '${word}'. Try PUBSUB HELP.`,
    );
    return HandlerStatus.DONE;
  }
  if (directory === undefined) {
    sink.arrayStart(0);
    return HandlerStatus.DONE;
  }
  if (sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  const pattern = args.count === 3 ? latin1Text(args.bytes, args.starts[2]!, args.ends[2]!) : null;
  call.later = directory.names(space, pattern).then((names) => {
    sink.arrayStart(names.length);
    for (const name of names) {
      const offset = sink.bulkStart(name.length);
      for (let i = 0; i < name.length; i++) sink.target[offset + i] = name.charCodeAt(i);
    }
    return HandlerStatus.DONE;
  });
  return HandlerStatus.LATER;
}

function countSubscribers(call: CommandCall, space: ChannelSpace): HandlerStatus {
  const { args, sink } = call;
  const registry = call.services.pubsub?.registry;
  sink.arrayStart((args.count - 2) * 2);
  for (let i = 2; i < args.count; i++) {
    sink.bulk(args.bytes, args.starts[i]!, args.ends[i]!);
    sink.integer(registry?.total(space, call.keyAt(i)) ?? 0);
  }
  return HandlerStatus.DONE;
}

function handlePatternCount(call: CommandCall): HandlerStatus {
  call.sink.integer(call.services.pubsub?.patterns.distinctCount() ?? 0);
  return HandlerStatus.DONE;
}

/** The row of PUBSUB. Thread: any; a thread makes its own at start. */
export function pubsubRow(): CommandRow {
  const base = {
    group: "pubsub",
    flags: ["pubsub", "loading", "stale"],
    reply: "array",
  } as const satisfies Partial<CommandDefinition>;
  const counting = {
    ...base,
    arity: -2,
    maxArguments: MAX_ARGUMENTS,
    access: "read",
    findKeys: findChannels,
    cost: "per-argument",
    complexity: "O(N) with N channels",
  } as const satisfies Partial<CommandDefinition>;
  const listing = {
    ...base,
    arity: -2,
    syntax: "[pattern]",
    cost: "per-client",
    complexity: "O(N) with N channels that have subscribers",
  } as const satisfies Partial<CommandDefinition>;
  return containerRow("pubsub", "Tells who subscribes to what.", "2.8.0", "pubsub", [
    new CommandRow({
      ...listing,
      name: "pubsub|channels",
      summary: "Returns the channels that have subscribers.",
      since: "2.8.0",
      handler: (call) => listChannels(call, ChannelSpace.PLAIN),
    }),
    new CommandRow({
      ...base,
      name: "pubsub|numpat",
      arity: 2,
      summary: "Returns how many different patterns clients subscribe to.",
      since: "2.8.0",
      reply: "integer",
      handler: handlePatternCount,
    }),
    new CommandRow({
      ...counting,
      name: "pubsub|numsub",
      syntax: "[channel [channel ...]]",
      summary: "Returns how many clients subscribe to each of the channels.",
      since: "2.8.0",
      handler: (call) => countSubscribers(call, ChannelSpace.PLAIN),
    }),
    new CommandRow({
      ...listing,
      name: "pubsub|shardchannels",
      summary: "Returns the channels of SPUBLISH that have subscribers.",
      since: "7.0.0",
      handler: (call) => listChannels(call, ChannelSpace.SHARD),
    }),
    new CommandRow({
      ...counting,
      name: "pubsub|shardnumsub",
      syntax: "[shardchannel [shardchannel ...]]",
      summary: "Returns how many clients subscribe to each of the channels of SPUBLISH.",
      since: "7.0.0",
      handler: (call) => countSubscribers(call, ChannelSpace.SHARD),
    }),
  ]);
}
