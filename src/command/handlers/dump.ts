/**
 * `DUMP` and `RESTORE`: values as bytes that a client keeps.
 *
 * @module
 */

import { LEASED_VALUE_BYTES } from "../../base/limits.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { EntryType, MAX_EXPIRE_AT_MS, WriteStatus } from "../../store/store.ts";
import {
  ArraySource,
  DUMP_HEAD_BYTES,
  DUMP_TAIL_BYTES,
  type DumpCodec,
  DumpSource,
  isIntactDump,
} from "../dump_format.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import type { ReplySink } from "../reply_sink.ts";
import { dumpCollection, restoreCollection } from "./dump_collection.ts";
import { refuseWrite } from "./write_failure.ts";

const STRING_CODEC: DumpCodec = {
  type: EntryType.STRING,
  payloadOf(store, entry) {
    const byteCount = store.stringLength(entry);
    if (byteCount > LEASED_VALUE_BYTES) return store.lease(entry);
    const bytes = new Uint8Array(byteCount);
    store.copyString(entry, bytes, 0);
    return new ArraySource(bytes);
  },
  restore(store, database, key, bytes, start, end, expireAtMs) {
    return store.setString(database, key, bytes, start, end, expireAtMs);
  },
};

/** Collections have dump_collection.ts, as theirs may take more than one turn. */
const CODECS: readonly DumpCodec[] = [STRING_CODEC];

function handleDump(call: CommandCall): HandlerStatus {
  const { store, sink } = call;
  const entry = store.lookup(call.database, call.key);
  if (entry === 0) {
    sink.nil();
    return HandlerStatus.DONE;
  }
  const type = store.entryType(entry);
  if (type !== EntryType.STRING) {
    return dumpCollection(call, type, entry, (source) => send(sink, source));
  }
  const codec = CODECS.find((candidate) => candidate.type === type);
  if (codec === undefined) {
    sink.error(ReplyCode.WRONG_TYPE);
    return HandlerStatus.DONE;
  }
  send(sink, new DumpSource(type, codec.payloadOf(store, entry)));
  return HandlerStatus.DONE;
}

/** Replies with a dump: as the client takes it when it is long. */
function send(sink: ReplySink, source: DumpSource): void {
  const isLong = source.byteCount > LEASED_VALUE_BYTES || sink.isFull;
  if (isLong && sink.bulkSource !== undefined) {
    sink.bulkSource(source);
    return;
  }
  const offset = sink.bulkStart(source.byteCount);
  source.copyNext(sink.target, offset, source.byteCount);
  source.release();
}

/** What the options of RESTORE ask for. */
interface RestoreWishes {
  replaces: boolean;
  isAbsolute: boolean;
  idleSeconds: number;
}

/** `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]` */
function handleRestore(call: CommandCall): HandlerStatus {
  const { args, store, sink, operand, key, database } = call;
  const wishes = readWishes(call);
  if (wishes === undefined) return HandlerStatus.DONE;
  const isNew = store.peek(database, key) === 0;
  if (!wishes.replaces && !isNew) {
    sink.error(ReplyCode.BUSY_KEY);
    return HandlerStatus.DONE;
  }
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const ttlMs = operand.toNumber();
  const expireAtMs = ttlMs === 0 || wishes.isAbsolute ? ttlMs : store.nowMs + ttlMs;
  if (ttlMs < 0 || expireAtMs > MAX_EXPIRE_AT_MS) {
    sink.error(ReplyCode.BAD_ARGUMENT, "Invalid TTL value, must be >= 0");
    return HandlerStatus.DONE;
  }
  const start = args.starts[3]!;
  const end = args.ends[3]!;
  if (!isIntactDump(args.bytes, start, end)) {
    sink.error(ReplyCode.BAD_ARGUMENT, "DUMP payload version or checksum are wrong");
    return HandlerStatus.DONE;
  }
  const type = args.bytes[start]!;
  const codec = CODECS.find((candidate) => candidate.type === type);
  const from = start + DUMP_HEAD_BYTES;
  const to = end - DUMP_TAIL_BYTES;
  // Its time may be over already: then it replaces what was there, and is gone.
  const isOver = expireAtMs !== 0 && expireAtMs <= store.nowMs;
  const untilMs = isOver ? 0 : expireAtMs;
  if (type >= EntryType.LIST && type <= EntryType.SORTED_SET) {
    return restoreCollection(call, {
      type: type as EntryType,
      start: from,
      end: to,
      expireAtMs,
      ...wishes,
    });
  }
  const status = codec?.restore(store, database, key, args.bytes, from, to, untilMs);
  if (status === undefined) {
    sink.error(ReplyCode.BAD_ARGUMENT, "Bad data format");
    return HandlerStatus.DONE;
  }
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  if (isOver) {
    store.remove(database, key);
    if (!isNew) call.notify(NotifyClass.GENERIC, "del");
  } else {
    if (wishes.idleSeconds > 0) {
      store.keyspace.setIdleSeconds(store.peek(database, key), wishes.idleSeconds);
    }
    call.notify(NotifyClass.GENERIC, "restore");
  }
  sink.ok();
  return HandlerStatus.DONE;
}

/** Reads the options; undefined when an error was replied. */
function readWishes(call: CommandCall): RestoreWishes | undefined {
  const { args, sink } = call;
  const wishes: RestoreWishes = { replaces: false, isAbsolute: false, idleSeconds: -1 };
  let hasFrequency = false;
  for (let i = 4; i < args.count; i++) {
    const hasMore = i + 1 < args.count;
    if (args.is(i, "REPLACE")) {
      wishes.replaces = true;
    } else if (args.is(i, "ABSTTL")) {
      wishes.isAbsolute = true;
    } else if (args.is(i, "IDLETIME") && hasMore && !hasFrequency) {
      wishes.idleSeconds = numberAt(call, ++i, "IDLETIME", Number.MAX_SAFE_INTEGER);
      if (wishes.idleSeconds < 0) return undefined;
    } else if (args.is(i, "FREQ") && hasMore && wishes.idleSeconds < 0) {
      // Taken and not kept: how often a key is used is not counted.
      if (numberAt(call, ++i, "FREQ", 255) < 0) return undefined;
      hasFrequency = true;
    } else {
      sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
  }
  return wishes;
}

/** Reads an option's number; -1 when an error was replied. */
function numberAt(call: CommandCall, index: number, name: string, most: number): number {
  const { args, operand, sink } = call;
  if (!args.int64(index, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return -1;
  }
  const value = operand.toNumber();
  if (value >= 0 && value <= most) return value;
  const bound = most === 255 ? " and <= 255" : "";
  sink.error(ReplyCode.BAD_ARGUMENT, `Invalid ${name} value, must be >= 0${bound}`);
  return -1;
}

/** The rows of DUMP RESTORE. Thread: any; a thread makes its own at start. */
export function dumpRows(): CommandRow[] {
  return [
    new CommandRow({
      name: "dump",
      arity: 2,
      syntax: "key",
      summary: "Returns the value of a key as bytes for RESTORE, in a format of this server's own.",
      group: "generic",
      since: "2.6.0",
      flags: ["readonly"],
      access: "read",
      firstKey: 1,
      cost: "per-argument",
      complexity: "O(1) for others; O(N) with N bytes as they are sent",
      reply: ["bulk", "nil"],
      handler: handleDump,
    }),
    new CommandRow({
      name: "restore",
      arity: -4,
      syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
      summary: "Makes a key from what DUMP returned.",
      group: "generic",
      since: "2.6.0",
      flags: ["write", "denyoom"],
      access: "write",
      firstKey: 1,
      cost: "per-argument",
      complexity: "O(N) with N bytes",
      reply: "ok",
      handler: handleRestore,
    }),
  ];
}
