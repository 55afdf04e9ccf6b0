/**
 * `BITFIELD` and `BITFIELD_RO`: integers of any width in a string.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { findString, NOT_A_STRING } from "./string_entry.ts";
import { refuseWrite } from "./write_failure.ts";

const OperationKind = { GET: 0, SET: 1, INCREMENT: 2 } as const;
const Overflow = { WRAP: 0, SATURATE: 1, FAIL: 2 } as const;

/** One thing to do with one field. */
interface FieldOperation {
  kind: number;
  overflow: number;
  isSigned: boolean;
  bits: number;
  /** First bit. */
  offset: number;
  /** To set or to add. */
  operand: bigint;
}

/** Bytes that a field of 64 bits can touch. */
const WINDOW_BYTES = 9;

const BAD_TYPE = "Invalid bitfield type. Use something like i16 u8. " +
  "Note that u64 is not supported but i64 is.";

function handleBitField(call: CommandCall, window: Uint8Array): HandlerStatus {
  const operations = readOperations(call);
  if (operations === undefined) return HandlerStatus.DONE;
  const { sink, store } = call;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  let neededBytes = 0;
  for (const { kind, offset, bits } of operations) {
    if (kind === OperationKind.GET) continue;
    neededBytes = Math.max(neededBytes, Math.ceil((offset + bits) / 8));
  }
  if (neededBytes === 0) {
    const byteCount = entry === 0 ? 0 : store.stringLength(entry);
    sink.arrayStart(operations.length);
    for (const operation of operations) {
      const [start, end] = spanOf(operation, byteCount);
      window.fill(0);
      if (start < end) store.copyStringRange(entry, start, end, window, 0);
      replyField(call, readField(operation, window));
    }
    return HandlerStatus.DONE;
  }
  const grows = entry === 0 || neededBytes > store.stringLength(entry);
  const { strings } = store;
  const status = strings.begin(call.database, call.key, entry, neededBytes, neededBytes);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  const byteCount = strings.byteCount;
  let hasChanged = false;
  sink.arrayStart(operations.length);
  for (const operation of operations) {
    const [start, end] = spanOf(operation, byteCount);
    window.fill(0);
    if (start < end) strings.read(start, end, window, 0);
    const before = readField(operation, window);
    if (operation.kind === OperationKind.GET) {
      replyField(call, before);
      continue;
    }
    const after = changedField(operation, before);
    if (after === undefined) {
      sink.nil();
      continue;
    }
    writeField(operation, window, after);
    strings.write(start, window, 0, end - start);
    if (grows || after !== before) hasChanged = true;
    replyField(call, operation.kind === OperationKind.SET ? before : after);
  }
  strings.end();
  if (hasChanged) call.notify(NotifyClass.STRING, "setbit");
  return HandlerStatus.DONE;
}

/** The bytes that hold a field, as far as the string reaches. */
function spanOf({ offset, bits }: FieldOperation, byteCount: number): [number, number] {
  return [Math.floor(offset / 8), Math.min(byteCount, Math.ceil((offset + bits) / 8))];
}

/** Bits below the field in the window's bytes, taken together as one number. */
function shiftOf({ offset, bits }: FieldOperation): bigint {
  return BigInt(WINDOW_BYTES * 8 - offset % 8 - bits);
}

function windowValue(window: Uint8Array): bigint {
  let value = 0n;
  for (let i = 0; i < WINDOW_BYTES; i++) value = value << 8n | BigInt(window[i]!);
  return value;
}

function readField(operation: FieldOperation, window: Uint8Array): bigint {
  const value = windowValue(window) >> shiftOf(operation);
  return operation.isSigned
    ? BigInt.asIntN(operation.bits, value)
    : BigInt.asUintN(operation.bits, value);
}

function writeField(operation: FieldOperation, window: Uint8Array, value: bigint): void {
  const shift = shiftOf(operation);
  const mask = ((1n << BigInt(operation.bits)) - 1n) << shift;
  let whole = (windowValue(window) & ~mask) |
    (BigInt.asUintN(operation.bits, value) << shift);
  for (let i = WINDOW_BYTES - 1; i >= 0; i--) {
    window[i] = Number(whole & 0xffn);
    whole >>= 8n;
  }
}

/** What a field becomes; undefined when it would overflow and must not. */
function changedField(operation: FieldOperation, before: bigint): bigint | undefined {
  const { bits, isSigned, kind, operand } = operation;
  const most = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n;
  const least = isSigned ? -most - 1n : 0n;
  let wanted = before + operand;
  // A negative number for an unsigned field is a very large one, as in Redis.
  if (kind === OperationKind.SET) wanted = isSigned ? operand : BigInt.asUintN(64, operand);
  if (wanted >= least && wanted <= most) return wanted;
  if (operation.overflow === Overflow.FAIL) return undefined;
  if (operation.overflow === Overflow.SATURATE) return wanted > most ? most : least;
  return isSigned ? BigInt.asIntN(bits, wanted) : BigInt.asUintN(bits, wanted);
}

function replyField(call: CommandCall, value: bigint): void {
  const { result } = call;
  result.hi = Number(BigInt.asIntN(32, value >> 32n));
  result.lo = Number(BigInt.asUintN(32, value));
  call.sink.int64(result);
}

/** Reads all arguments; undefined when an error was replied. */
function readOperations(call: CommandCall): FieldOperation[] | undefined {
  const { args, sink, store } = call;
  const isReadOnly = call.row.access === "read";
  const operations: FieldOperation[] = [];
  let overflow: number = Overflow.WRAP;
  let writes = false;
  for (let i = 2; i < args.count;) {
    const left = args.count - i - 1;
    let kind: number;
    if (args.is(i, "GET") && left >= 2) {
      kind = OperationKind.GET;
    } else if (args.is(i, "SET") && left >= 3) {
      kind = OperationKind.SET;
    } else if (args.is(i, "INCRBY") && left >= 3) {
      kind = OperationKind.INCREMENT;
    } else if (args.is(i, "OVERFLOW") && left >= 1) {
      overflow = readOverflow(call, i + 1);
      if (overflow < 0) return undefined;
      i += 2;
      continue;
    } else {
      sink.error(ReplyCode.SYNTAX);
      return undefined;
    }
    const type = readType(call, i + 1);
    if (type === undefined) return undefined;
    const offset = readOffset(call, i + 2, type.bits, store.maxValueBytes);
    if (offset < 0) return undefined;
    const operand = new Int64();
    if (kind !== OperationKind.GET) {
      writes = true;
      if (!args.int64(i + 3, operand)) {
        sink.error(ReplyCode.NOT_AN_INTEGER);
        return undefined;
      }
    }
    operations.push({ kind, overflow, ...type, offset, operand: operand.toBigInt() });
    i += kind === OperationKind.GET ? 3 : 4;
  }
  if (isReadOnly && writes) {
    sink.error(ReplyCode.BAD_ARGUMENT, "BITFIELD_RO only supports the GET subcommand");
    return undefined;
  }
  return operations;
}

function readOverflow(call: CommandCall, index: number): number {
  const { args } = call;
  if (args.is(index, "WRAP")) return Overflow.WRAP;
  if (args.is(index, "SAT")) return Overflow.SATURATE;
  if (args.is(index, "FAIL")) return Overflow.FAIL;
  call.sink.error(ReplyCode.BAD_ARGUMENT, "Invalid OVERFLOW type specified");
  return -1;
}

/** Reads `u8`, `i64`; undefined when an error was replied. */
function readType(
  call: CommandCall,
  index: number,
): { isSigned: boolean; bits: number } | undefined {
  const { args } = call;
  const text = args.length(index) <= 3 ? args.text(index) : "";
  const match = /^([iu])([1-9]\d?)$/.exec(text);
  const bits = Number(match?.[2]);
  const isSigned = match?.[1] === "i";
  if (bits >= 1 && bits <= (isSigned ? 64 : 63)) return { isSigned, bits };
  call.sink.error(ReplyCode.BAD_ARGUMENT, BAD_TYPE);
  return undefined;
}

/** Reads `17` or, in units of the field's width, `#17`; -1 when an error was replied. */
function readOffset(call: CommandCall, index: number, bits: number, maxBytes: number): number {
  const { args, operand } = call;
  const start = args.starts[index]!;
  const isMultiple = args.length(index) > 0 && args.bytes[start] === 0x23;
  let offset = -1;
  if (isMultiple) {
    args.starts[index] = start + 1;
    if (args.int64(index, operand)) offset = operand.toNumber() * bits;
    args.starts[index] = start;
  } else if (args.int64(index, operand)) {
    offset = operand.toNumber();
  }
  if (offset >= 0 && Math.ceil((offset + bits) / 8) <= Math.max(maxBytes, 2 ** 29)) return offset;
  call.sink.error(ReplyCode.BAD_ARGUMENT, "bit offset is not an integer or out of range");
  return -1;
}

/** The rows of BITFIELD BITFIELD_RO. Thread: any; a thread makes its own at start. */
export function bitFieldRows(): CommandRow[] {
  const window = new Uint8Array(WINDOW_BYTES);
  const common = {
    group: "bitmap",
    arity: -2,
    firstKey: 1,
    cost: "per-argument",
    complexity: "O(N) with N operations",
    reply: "array",
    handler: (call: CommandCall) => handleBitField(call, window),
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "bitfield",
      syntax: "key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] " +
        "SET type offset value | INCRBY type offset increment ...]",
      summary: "Reads, sets and adds to integers of any width in a string.",
      since: "3.2.0",
      flags: ["write", "denyoom"],
      access: "write",
    }),
    new CommandRow({
      ...common,
      name: "bitfield_ro",
      syntax: "key [GET type offset ...]",
      summary: "Reads integers of any width in a string.",
      since: "6.0.0",
      flags: ["readonly", "fast"],
      access: "read",
    }),
  ];
}
