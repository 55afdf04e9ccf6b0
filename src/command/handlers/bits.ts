/**
 * Commands on the bits of a string: one bit, how many, and where.
 *
 * @module
 */

import { countBits, findBit } from "../../base/bits.ts";
import type { Int64 } from "../../base/int64.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { findString, NOT_A_STRING } from "./string_entry.ts";
import { type PieceReader, readPieces } from "./string_pieces.ts";
import { refuseWrite } from "./write_failure.ts";

/** Redis knows no bit from here on: strings end at 512 MB there. */
const BIT_COUNT = 2 ** 32;

const oneByte = (): Uint8Array => new Uint8Array(1);

/** The bit below `bitCount` that argument `index` names, or -1 and the error was replied. */
function readBitOffset(call: CommandCall, index: number, bitCount: number): number {
  const { args, operand } = call;
  const offset = args.int64(index, operand) ? operand.toNumber() : -1;
  if (offset >= 0 && offset < bitCount) return offset;
  call.sink.error(ReplyCode.BAD_ARGUMENT, "bit offset is not an integer or out of range");
  return -1;
}

/** Handler of GETBIT; `byte` is scratch. */
function handleGetBit(call: CommandCall, byte: Uint8Array): HandlerStatus {
  const { sink, store } = call;
  const offset = readBitOffset(call, 2, BIT_COUNT);
  if (offset < 0) return HandlerStatus.DONE;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const at = Math.floor(offset / 8);
  if (entry === 0 || at >= store.stringLength(entry)) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  store.copyStringRange(entry, at, at + 1, byte, 0);
  sink.integer((byte[0]! >>> (7 - offset % 8)) & 1);
  return HandlerStatus.DONE;
}

/** Handler of SETBIT; `byte` is scratch. */
function handleSetBit(call: CommandCall, byte: Uint8Array): HandlerStatus {
  const { args, operand, sink, store } = call;
  // Redis says so of strings beyond its proto-max-bulk-len.
  const offset = readBitOffset(call, 2, store.maxValueBytes * 8);
  if (offset < 0) return HandlerStatus.DONE;
  const isBit = args.int64(3, operand) && operand.hi === 0 && operand.lo <= 1;
  if (!isBit) {
    sink.error(ReplyCode.BAD_ARGUMENT, "bit is not an integer or out of range");
    return HandlerStatus.DONE;
  }
  const bit = operand.lo;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const at = Math.floor(offset / 8);
  const grows = entry === 0 || at >= store.stringLength(entry);
  const { strings } = store;
  const status = strings.begin(call.database, call.key, entry, at + 1, at + 1);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  const shift = 7 - offset % 8;
  strings.read(at, at + 1, byte, 0);
  const before = (byte[0]! >>> shift) & 1;
  if (before !== bit) {
    byte[0]! ^= 1 << shift;
    strings.write(at, byte, 0, 1);
  }
  strings.end();
  if (grows || before !== bit) call.notify(NotifyClass.STRING, "setbit");
  sink.integer(before);
  return HandlerStatus.DONE;
}

/** A range of bits, `[start, end)`. */
interface BitRange {
  start: number;
  end: number;
}

/**
 * Reads `start end [BYTE | BIT]` from argument `index` on; either may be missing.
 *
 * @returns the range within a string of `byteCount` bytes, undefined when an error was replied
 */
function readBitRange(
  call: CommandCall,
  index: number,
  byteCount: number,
): BitRange | undefined {
  const { args, operand, result } = call;
  const unit = unitOf(args, index + 2);
  const given = args.count - index;
  if (unit === 0) {
    call.sink.error(ReplyCode.SYNTAX);
    return undefined;
  }
  const unitCount = byteCount * 8 / unit;
  operand.setNumber(0);
  result.setNumber(-1);
  if (
    (given > 0 && !args.int64(index, operand)) || (given > 1 && !args.int64(index + 1, result))
  ) {
    call.sink.error(ReplyCode.NOT_AN_INTEGER);
    return undefined;
  }
  const start = fromEitherEnd(operand, unitCount);
  const end = Math.min(fromEitherEnd(result, unitCount) + 1, unitCount);
  return { start: start * unit, end: end * unit };
}

/** Bits per unit that argument `index` names: 8 where it is missing, 0 where it names none. */
function unitOf(args: CommandArguments, index: number): number {
  if (index >= args.count) return 8;
  if (args.is(index, "BYTE")) return 8;
  return args.is(index, "BIT") ? 1 : 0;
}

function fromEitherEnd(value: Int64, count: number): number {
  const index = value.toNumber();
  return Math.max(0, index < 0 ? count + index : index);
}

/** Sets the bits of a piece that are outside of a range to `bit`. */
function maskEnds(
  piece: Uint8Array,
  byteCount: number,
  at: number,
  range: BitRange,
  bit: number,
): void {
  const first = Math.floor(range.start / 8);
  const last = Math.floor((range.end - 1) / 8);
  if (first >= at && first < at + byteCount) {
    const outside = 0xff00 >>> (range.start % 8) & 0xff;
    if (bit === 1) piece[first - at]! |= outside;
    else piece[first - at]! &= ~outside;
  }
  if (last >= at && last < at + byteCount) {
    const outside = 0xff >>> ((range.end - 1) % 8 + 1);
    if (bit === 1) piece[last - at]! |= outside;
    else piece[last - at]! &= ~outside;
  }
}

/** Counts ones. */
class BitCounter implements PieceReader {
  #count = 0;

  constructor(readonly range: BitRange) {}

  take(piece: Uint8Array, byteCount: number, at: number): boolean {
    maskEnds(piece, byteCount, at, this.range, 0);
    this.#count += countBits(piece, 0, byteCount);
    return true;
  }

  reply(sink: ReplySink): void {
    sink.integer(this.#count);
  }
}

/** Looks for the first bit that is 0, or 1. */
class BitFinder implements PieceReader {
  #found = -1;

  /** `otherwise` is the answer when there is no such bit. */
  constructor(readonly range: BitRange, readonly bit: number, readonly otherwise: number) {}

  take(piece: Uint8Array, byteCount: number, at: number): boolean {
    maskEnds(piece, byteCount, at, this.range, 1 - this.bit);
    const found = findBit(piece, 0, byteCount, this.bit);
    if (found < 0) return true;
    this.#found = at * 8 + found;
    return false;
  }

  reply(sink: ReplySink): void {
    sink.integer(this.#found < 0 ? this.otherwise : this.#found);
  }
}

function read(call: CommandCall, entry: number, range: BitRange, reader: PieceReader) {
  const start = Math.floor(range.start / 8);
  return readPieces(call, entry, start, Math.ceil(range.end / 8), reader);
}

function handleBitCount(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  if (entry === 0) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  if (args.count === 3 || args.count > 5) {
    sink.error(ReplyCode.SYNTAX);
    return HandlerStatus.DONE;
  }
  const range = readBitRange(call, 2, store.stringLength(entry));
  if (range === undefined) return HandlerStatus.DONE;
  // BITPOS brings both into the string first; BITCOUNT does not, and neither GETRANGE.
  const { operand, result } = call;
  const isBackwards = operand.hi < 0 && result.hi < 0 && operand.toNumber() > result.toNumber();
  if (isBackwards || range.start >= range.end) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  return read(call, entry, range, new BitCounter(range));
}

function handleBitPos(call: CommandCall): HandlerStatus {
  const { args, operand, sink, store } = call;
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  if (operand.hi !== 0 || operand.lo > 1) {
    sink.error(ReplyCode.BAD_ARGUMENT, "The bit argument must be 1 or 0.");
    return HandlerStatus.DONE;
  }
  const bit = operand.lo;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  if (entry === 0) {
    sink.integer(bit === 1 ? -1 : 0);
    return HandlerStatus.DONE;
  }
  if (args.count > 6) {
    sink.error(ReplyCode.SYNTAX);
    return HandlerStatus.DONE;
  }
  const range = readBitRange(call, 3, store.stringLength(entry));
  if (range === undefined) return HandlerStatus.DONE;
  if (range.start >= range.end) {
    sink.integer(-1);
    return HandlerStatus.DONE;
  }
  // Without an end, a string of ones is taken to be followed by zeros.
  const otherwise = bit === 0 && args.count < 5 ? range.end : -1;
  return read(call, entry, range, new BitFinder(range, bit, otherwise));
}

/** The rows of SETBIT GETBIT BITCOUNT BITPOS. Thread: any; a thread makes its own at start. */
export function bitRows(): CommandRow[] {
  const common = { group: "bitmap", firstKey: 1, reply: "integer" } as const;
  const byte = oneByte();
  return [
    new CommandRow({
      ...common,
      name: "setbit",
      arity: 4,
      syntax: "key offset value",
      summary: "Sets a bit of a string, filling up with zero bytes; returns the bit before.",
      since: "2.2.0",
      flags: ["write", "denyoom"],
      access: "write",
      handler: (call) => handleSetBit(call, byte),
    }),
    new CommandRow({
      ...common,
      name: "getbit",
      arity: 3,
      syntax: "key offset",
      summary: "Returns a bit of a string.",
      since: "2.2.0",
      flags: ["readonly", "fast"],
      access: "read",
      handler: (call) => handleGetBit(call, byte),
    }),
    new CommandRow({
      ...common,
      name: "bitcount",
      arity: -2,
      syntax: "key [start end [BYTE | BIT]]",
      summary: "Returns how many bits of a string, or of a range of it, are set.",
      since: "2.6.0",
      flags: ["readonly"],
      access: "read",
      cost: "per-argument",
      complexity: "O(N) with N bytes",
      handler: handleBitCount,
    }),
    new CommandRow({
      ...common,
      name: "bitpos",
      arity: -3,
      syntax: "key bit [start [end [BYTE | BIT]]]",
      summary: "Returns where the first bit of a string is that is set, or that is not.",
      since: "2.8.7",
      flags: ["readonly"],
      access: "read",
      cost: "per-argument",
      complexity: "O(N) with N bytes",
      handler: handleBitPos,
    }),
  ];
}
