/**
 * Commands that subscribe and publish.
 *
 * A channel's name is looked up under the lock of the shard that its bytes choose, as a key is, so
 * the rows name their channels as keys; `COMMAND INFO` says what Redis says.
 *
 * @module
 */

import { ChannelSpace } from "../../pubsub/channel_registry.ts";
import { NO_MEMORY_TO_PUBLISH } from "../../pubsub/publisher.ts";
import { CHANNEL_MAX_BYTES, latin1Text } from "../../pubsub/region.ts";
import { VALUE_MAX_BYTES } from "../../base/limits.ts";
import { MAX_KEY_BYTES } from "../../store/entry.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import type { PubSubHub } from "../pubsub/hub.ts";
import type { Subscriber } from "../pubsub/subscriber.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, HandlerStatus, type KeyFinder } from "../row.ts";
import { refuseWrite } from "./write_failure.ts";

/**
 * Most channels or patterns that one command may name, the command's name included.
 *
 * Reason: their shards are locked for as long as the command takes, about a microsecond for each.
 */
const MAX_ARGUMENTS = 2049;

const TOO_LONG = "channel name is too long";
const TOO_MANY = "too many subscriptions on this connection";
const TOO_MANY_PATTERNS = "too many patterns, or a pattern is too long";
const NOT_HERE = "subscriptions are not supported on this connection";

/** Every argument names a channel. */
const findChannels: KeyFinder = (args, visit) => {
  for (let i = 1; i < args.count; i++) visit(i);
  return true;
};

/** The first argument names a channel. */
const findChannel: KeyFinder = (_args, visit) => {
  visit(1);
  return true;
};

function refuse(call: CommandCall, code: ReplyCode, detail: string): HandlerStatus {
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

function nameAt(args: CommandArguments, index: number): string {
  return latin1Text(args.bytes, args.starts[index]!, args.ends[index]!);
}

/** `>3 subscribe channel 1` */
function confirm(call: CommandCall, kind: string, index: number, count: number): void {
  const { sink, args } = call;
  sink.pushStart(3);
  sink.bulkText(kind);
  sink.bulk(args.bytes, args.starts[index]!, args.ends[index]!);
  sink.integer(count);
}

/** The same with a name that is no argument; null = there was nothing to leave. */
function confirmName(call: CommandCall, kind: string, name: string | null, count: number): void {
  const { sink } = call;
  sink.pushStart(3);
  sink.bulkText(kind);
  if (name === null) sink.nil();
  else {
    const offset = sink.bulkStart(name.length);
    for (let i = 0; i < name.length; i++) sink.target[offset + i] = name.charCodeAt(i);
  }
  sink.integer(count);
}

/** What a confirmation counts: shard channels apart from the rest. */
function countOf(subscriber: Subscriber | undefined, space: ChannelSpace): number {
  if (subscriber === undefined) return 0;
  return space === ChannelSpace.SHARD
    ? subscriber.shardChannels.size
    : subscriber.channels.size + subscriber.patterns.size;
}

function subscribe(call: CommandCall, space: ChannelSpace, kind: string): HandlerStatus {
  const { args } = call;
  const hub = call.services.pubsub;
  const subscriber = hub?.subscriberOf(call.client);
  if (hub === undefined || subscriber === undefined) {
    return refuse(call, ReplyCode.UNSUPPORTED, NOT_HERE);
  }
  const known = space === ChannelSpace.SHARD ? subscriber.shardChannels : subscriber.channels;
  // First everything that can fail, then what is seen.
  const added = new Map<string, number>();
  let nameBytes = 0;
  for (let i = 1; i < args.count; i++) {
    const name = nameAt(args, i);
    if (known.has(name) || added.has(name)) continue;
    nameBytes += name.length;
    let status: WriteStatus = WriteStatus.OK;
    const isTooLong = name.length > MAX_KEY_BYTES;
    const isTooMany = subscriber.isFull(added.size + 1, nameBytes);
    if (!isTooLong && !isTooMany) status = hub.tryJoin(space, call.keyAt(i));
    if (isTooLong || isTooMany || status !== WriteStatus.OK) {
      for (const index of added.values()) hub.cancelJoin(space, call.keyAt(index));
      if (isTooLong) return refuse(call, ReplyCode.KEY_TOO_LONG, TOO_LONG);
      if (isTooMany) return refuse(call, ReplyCode.BAD_ARGUMENT, TOO_MANY);
      return refuseWrite(call, status);
    }
    added.set(name, i);
  }
  for (let i = 1; i < args.count; i++) {
    const name = nameAt(args, i);
    if (added.get(name) === i) hub.join(space, call.keyAt(i), name, subscriber);
    confirm(call, kind, i, countOf(subscriber, space));
  }
  return HandlerStatus.DONE;
}

function unsubscribe(call: CommandCall, space: ChannelSpace, kind: string): HandlerStatus {
  const { args } = call;
  const hub = call.services.pubsub;
  const subscriber = hub?.find(call.client);
  if (args.count === 1) return unsubscribeAll(call, hub, subscriber, space, kind);
  for (let i = 1; i < args.count; i++) {
    const name = nameAt(args, i);
    const known = space === ChannelSpace.SHARD ? subscriber?.shardChannels : subscriber?.channels;
    if (known?.has(name)) hub!.leave(space, call.keyAt(i), name, subscriber!);
    confirm(call, kind, i, countOf(subscriber, space));
  }
  return HandlerStatus.DONE;
}

function unsubscribeAll(
  call: CommandCall,
  hub: PubSubHub | undefined,
  subscriber: Subscriber | undefined,
  space: ChannelSpace,
  kind: string,
): HandlerStatus {
  const names = subscriber === undefined ? [] : hub!.leaveAll(space, subscriber);
  const rest = countOf(subscriber, space);
  if (names.length === 0) confirmName(call, kind, null, rest);
  for (let i = 0; i < names.length; i++) {
    confirmName(call, kind, names[i]!, rest + names.length - 1 - i);
  }
  return HandlerStatus.DONE;
}

function handlePatternSubscribe(call: CommandCall): HandlerStatus {
  const { args } = call;
  const hub = call.services.pubsub;
  const subscriber = hub?.subscriberOf(call.client);
  if (hub === undefined || subscriber === undefined) {
    return refuse(call, ReplyCode.UNSUPPORTED, NOT_HERE);
  }
  const patterns = new Set<string>();
  let nameBytes = 0;
  const before = countOf(subscriber, ChannelSpace.PLAIN);
  for (let i = 1; i < args.count; i++) {
    const pattern = nameAt(args, i);
    if (subscriber.patterns.has(pattern) || patterns.has(pattern)) continue;
    patterns.add(pattern);
    nameBytes += pattern.length;
  }
  if (subscriber.isFull(patterns.size, nameBytes)) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, TOO_MANY);
  }
  if (patterns.size > 0 && !hub.tryJoinPatterns([...patterns], subscriber)) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, TOO_MANY_PATTERNS);
  }
  let count = before;
  for (let i = 1; i < args.count; i++) {
    if (patterns.delete(nameAt(args, i))) count++;
    confirm(call, "psubscribe", i, count);
  }
  return HandlerStatus.DONE;
}

function handlePatternUnsubscribe(call: CommandCall): HandlerStatus {
  const { args } = call;
  const hub = call.services.pubsub;
  const subscriber = hub?.find(call.client);
  let count = countOf(subscriber, ChannelSpace.PLAIN);
  const known = [...subscriber?.patterns ?? []];
  if (args.count === 1) {
    if (known.length > 0) hub!.leavePatterns(known, subscriber!);
    else confirmName(call, "punsubscribe", null, count);
    for (const pattern of known) confirmName(call, "punsubscribe", pattern, --count);
    return HandlerStatus.DONE;
  }
  const wanted = new Set<string>();
  for (let i = 1; i < args.count; i++) {
    const pattern = nameAt(args, i);
    if (subscriber?.patterns.has(pattern)) wanted.add(pattern);
  }
  if (wanted.size > 0) hub!.leavePatterns([...wanted], subscriber!);
  for (let i = 1; i < args.count; i++) {
    if (wanted.delete(nameAt(args, i))) count--;
    confirm(call, "punsubscribe", i, count);
  }
  return HandlerStatus.DONE;
}

function publish(call: CommandCall, space: ChannelSpace): HandlerStatus {
  const { args, sink } = call;
  const hub = call.services.pubsub;
  if (hub === undefined) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  if (args.length(1) > CHANNEL_MAX_BYTES) return refuse(call, ReplyCode.KEY_TOO_LONG, TOO_LONG);
  if (args.length(2) > VALUE_MAX_BYTES) {
    return refuse(call, ReplyCode.VALUE_TOO_LARGE, "message is too large");
  }
  const { publisher } = hub;
  const channel = call.keyAt(1);
  const count = publisher.publish(space, channel, args.bytes, args.starts[2]!, args.ends[2]!);
  if (count === NO_MEMORY_TO_PUBLISH) return HandlerStatus.RETRY;
  sink.integer(count);
  return HandlerStatus.DONE;
}

/**
 * The rows of (P|S)SUBSCRIBE, (P|S)UNSUBSCRIBE, (S)PUBLISH. Thread: any; a thread makes its own at
 * start.
 */
export function pubsubRows(): CommandRow[] {
  const group = "pubsub";
  const listening = {
    group,
    flags: ["pubsub", "noscript", "loading", "stale"],
    cost: "per-argument",
    reply: "push",
    maxArguments: MAX_ARGUMENTS,
  } as const satisfies Partial<CommandDefinition>;
  const channels = { access: "write", findKeys: findChannels } as const;
  const publishing = {
    group,
    flags: ["pubsub", "loading", "stale", "fast"],
    arity: 3,
    access: "write",
    findKeys: findChannel,
    cost: "per-client",
    reply: "integer",
  } as const satisfies Partial<CommandDefinition>;
  return [
    new CommandRow({
      ...listening,
      ...channels,
      name: "subscribe",
      arity: -2,
      syntax: "channel [channel ...]",
      summary: "Has messages that are published to channels sent to this connection.",
      since: "2.0.0",
      complexity: "O(N) with N channels",
      handler: (call) => subscribe(call, ChannelSpace.PLAIN, "subscribe"),
    }),
    new CommandRow({
      ...listening,
      ...channels,
      name: "unsubscribe",
      arity: -1,
      syntax: "[channel [channel ...]]",
      summary: "Ends subscriptions to channels, or to all of them.",
      since: "2.0.0",
      complexity: "O(N) with N channels",
      handler: (call) => unsubscribe(call, ChannelSpace.PLAIN, "unsubscribe"),
    }),
    new CommandRow({
      ...listening,
      name: "psubscribe",
      arity: -2,
      syntax: "pattern [pattern ...]",
      summary: "Has messages to all channels that match sent to this connection.",
      since: "2.0.0",
      complexity: "O(N) with N patterns of this server",
      handler: handlePatternSubscribe,
    }),
    new CommandRow({
      ...listening,
      name: "punsubscribe",
      arity: -1,
      syntax: "[pattern [pattern ...]]",
      summary: "Ends subscriptions to patterns, or to all of them.",
      since: "2.0.0",
      complexity: "O(N) with N patterns of this server",
      handler: handlePatternUnsubscribe,
    }),
    new CommandRow({
      ...listening,
      ...channels,
      name: "ssubscribe",
      arity: -2,
      firstKey: 1,
      lastKey: -1,
      syntax: "shardchannel [shardchannel ...]",
      summary: "Like SUBSCRIBE, for the channels of SPUBLISH.",
      since: "7.0.0",
      complexity: "O(N) with N channels",
      handler: (call) => subscribe(call, ChannelSpace.SHARD, "ssubscribe"),
    }),
    new CommandRow({
      ...listening,
      ...channels,
      name: "sunsubscribe",
      arity: -1,
      syntax: "[shardchannel [shardchannel ...]]",
      summary: "Like UNSUBSCRIBE, for the channels of SPUBLISH.",
      since: "7.0.0",
      complexity: "O(N) with N channels",
      handler: (call) => unsubscribe(call, ChannelSpace.SHARD, "sunsubscribe"),
    }),
    new CommandRow({
      ...publishing,
      name: "publish",
      syntax: "channel message",
      summary: "Sends a message to all who subscribe; returns how many do.",
      since: "2.0.0",
      complexity: "O(N + M) with N I/O threads and M patterns of this server",
      handler: (call) => publish(call, ChannelSpace.PLAIN),
    }),
    new CommandRow({
      ...publishing,
      name: "spublish",
      firstKey: 1,
      syntax: "shardchannel message",
      summary: "Like PUBLISH, to who used SSUBSCRIBE.",
      since: "7.0.0",
      complexity: "O(N) with N I/O threads",
      handler: (call) => publish(call, ChannelSpace.SHARD),
    }),
  ];
}
