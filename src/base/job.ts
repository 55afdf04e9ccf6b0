/**
 * One event, from the request that brought it to the bytes that wait in the channel.
 *
 * {@link EventFields} is what a protocol fills in, {@link encodeJob} writes it as a job and
 * {@link JobView} reads the job in the worker. Nothing here allocates per event.
 *
 * A job, little-endian, at any byte offset:
 *
 * ```text
 *  0  u8   version = 1
 *  1  u8   flags (JobFlag)
 *  2  u8   user bytes, 1 to 128
 *  3  u8   action bytes, 1 to 64
 *  4  u8   id bytes, 0 to 64 (0: the event has no id)
 *  5  u8   trace bytes, 0 or 24 (0: the event is not traced)
 *  6  u16  thread to reply to
 *  8  i64  amount
 * 16  u32  connection slot to reply to
 * 20  u32  generation of that slot
 * 24  u64  accepted at, microseconds since the epoch
 * 32  u64  number in the log; 0 without a log
 * 40  trace (base/trace_link.ts), user, action, id
 *     only with an id: u32 slot where it is remembered, u32 ticket for it (store/event_ids.ts)
 *     only with HAS_FIELDS: u16 bytes of the further fields, their JSON text
 * ```
 *
 * @module
 */

import { assert } from "./assert.ts";
import { Int64 } from "./int64.ts";
import { FIELDS_MAX_BYTES, JOB_MAX_BYTES } from "./limits.ts";
import { TRACE_LINK_BYTES, type TraceLink, writeTraceLink } from "./trace_link.ts";

/** Longest user name. Unit: bytes of UTF-8. Source: the event contract. */
export const MAX_USER_BYTES = 128;
/** Longest action. Unit: bytes of UTF-8. Source: the event contract. */
export const MAX_ACTION_BYTES = 64;
/** Longest event id. Unit: bytes of UTF-8. Source: the event contract. */
export const MAX_ID_BYTES = 64;
/** Bytes before the user name in a job. */
export const JOB_HEADER_BYTES = 40;
/** Bytes behind an id. */
const ID_PLACE_BYTES = 8;
/** Bytes in front of the further fields. */
const FIELDS_LENGTH_BYTES = 2;
/** Longest job that a channel carries. Unit: bytes. */
export const MAX_JOB_BYTES: number = JOB_MAX_BYTES;
/** Longest job of an event with further fields. Unit: bytes, whole cache lines. */
export const MAX_FIELDS_JOB_BYTES: number = JOB_MAX_BYTES +
  Math.ceil((FIELDS_LENGTH_BYTES + FIELDS_MAX_BYTES) / 64) * 64;

assert(
  JOB_HEADER_BYTES + TRACE_LINK_BYTES + MAX_USER_BYTES + MAX_ACTION_BYTES + MAX_ID_BYTES +
      ID_PLACE_BYTES <= MAX_JOB_BYTES,
  "the largest event fits a job",
);

const JOB_VERSION = 1;
const TWO_32 = 4294967296;
const EMPTY = new Uint8Array(0);

/** Bits of a job's flags byte. */
export const JobFlag = {
  /** Somebody waits for the outcome at (reply thread, slot, generation). */
  WANTS_REPLY: 1,
  /** It has further fields; {@link encodeJob} sees to this bit. */
  HAS_FIELDS: 2,
} as const;

/**
 * A view of bytes in somebody's buffer: `bytes[start, end)`.
 *
 * Thread: belongs to one thread; reuse instances.
 */
export class ByteSlice {
  /** Buffer that holds the bytes. */
  bytes: Uint8Array = EMPTY;
  /** First byte. */
  start = 0;
  /** Behind the last byte. */
  end = 0;

  /** Length in bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /** Points at other bytes. */
  set(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return this;
  }

  /** Becomes empty and lets go of the buffer. */
  clear(): this {
    return this.set(EMPTY, 0, 0);
  }
}

/**
 * One event as a protocol received it; the slices may point into different buffers (a read buffer,
 * a scratch buffer with JSON escapes decoded).
 *
 * The filler guarantees the limits of the event contract; {@link encodeJob} asserts the lengths.
 *
 * Thread: belongs to one thread; reuse one instance per connection or thread.
 */
export class EventFields {
  /** Who, 1 to 128 bytes. */
  readonly user: ByteSlice = new ByteSlice();
  /** What, 1 to 64 bytes. */
  readonly action: ByteSlice = new ByteSlice();
  /** Idempotency id, 0 to 64 bytes; empty means none. */
  readonly id: ByteSlice = new ByteSlice();
  /** JSON text of its further fields, an object; empty means that it has none. */
  readonly fieldsJson: ByteSlice = new ByteSlice();
  /** How much. */
  readonly amount: Int64 = new Int64();
  /** Bits of {@link JobFlag}. */
  flags = 0;
  /** Thread that waits for the outcome (with `WANTS_REPLY`), uint16. */
  replyThread = 0;
  /** Connection slot that waits for the outcome, uint32. */
  replySlot = 0;
  /** Generation of that slot, uint32. */
  replyGeneration = 0;
  /** When it was accepted, milliseconds since the epoch; kept to the microsecond. */
  acceptedAtMs = 0;
  /** By which number the log knows it, a safe integer; 0 = there is no log. */
  number = 0;
  /** Where its id is remembered, uint32. */
  idSlot = 0;
  /** Ticket for that slot, uint32; 0 = the id is not remembered. */
  idTicket = 0;
  /** The span that its job is part of; undefined: it is not traced. */
  trace: TraceLink | undefined = undefined;
  /**
   * What it came by, where it is not part of a request that is traced: `"resp"`; "" where it is, or
   * where nobody traces.
   */
  readonly protocol: string;

  /** Makes an event without fields. */
  constructor(protocol = "") {
    this.protocol = protocol;
  }

  /** Forgets everything, buffers included. */
  clear(): this {
    this.user.clear();
    this.action.clear();
    this.id.clear();
    this.fieldsJson.clear();
    this.amount.setNumber(0);
    this.flags = 0;
    this.replyThread = 0;
    this.replySlot = 0;
    this.replyGeneration = 0;
    this.acceptedAtMs = 0;
    this.number = 0;
    this.idSlot = 0;
    this.idTicket = 0;
    this.trace = undefined;
    return this;
  }
}

/** How many bytes {@link encodeJob} will write for `event`. */
export function jobByteLength(event: EventFields): number {
  const idBytes = event.id.length === 0 ? 0 : event.id.length + ID_PLACE_BYTES;
  const traceBytes = event.trace === undefined ? 0 : TRACE_LINK_BYTES;
  const fieldsBytes = event.fieldsJson.length;
  return JOB_HEADER_BYTES + traceBytes + event.user.length + event.action.length + idBytes +
    (fieldsBytes === 0 ? 0 : FIELDS_LENGTH_BYTES + fieldsBytes);
}

/**
 * Writes `event` as a job at `target[offset…]`.
 *
 * Thread: any; `target` may be shared memory that only this thread can reach.
 *
 * @param target has {@link MAX_JOB_BYTES} bytes (with fields {@link MAX_FIELDS_JOB_BYTES}, or in any
 *   case {@link jobByteLength}) from `offset`
 * @returns how many bytes were written
 * @throws {AssertionFault} when a field is longer than its limit: the caller did not validate
 */
export function encodeJob(event: EventFields, target: Uint8Array, offset: number): number {
  const userBytes = event.user.length;
  const actionBytes = event.action.length;
  const idBytes = event.id.length;
  const fieldsBytes = event.fieldsJson.length;
  assert(userBytes >= 1 && userBytes <= MAX_USER_BYTES, `user has ${userBytes} bytes`);
  assert(actionBytes >= 1 && actionBytes <= MAX_ACTION_BYTES, `action has ${actionBytes} bytes`);
  assert(idBytes >= 0 && idBytes <= MAX_ID_BYTES, `id has ${idBytes} bytes`);
  assert(fieldsBytes <= FIELDS_MAX_BYTES, `fields have ${fieldsBytes} bytes`);
  const jobBytes = jobByteLength(event);
  assert(offset + jobBytes <= target.length, `a job of ${jobBytes} bytes fits its target`);
  target[offset] = JOB_VERSION;
  target[offset + 1] = fieldsBytes === 0
    ? event.flags & ~JobFlag.HAS_FIELDS
    : event.flags | JobFlag.HAS_FIELDS;
  target[offset + 2] = userBytes;
  target[offset + 3] = actionBytes;
  target[offset + 4] = idBytes;
  target[offset + 5] = event.trace === undefined ? 0 : TRACE_LINK_BYTES;
  target[offset + 6] = event.replyThread;
  target[offset + 7] = event.replyThread >>> 8;
  writeWord(target, offset + 8, event.amount.lo);
  writeWord(target, offset + 12, event.amount.hi);
  writeWord(target, offset + 16, event.replySlot);
  writeWord(target, offset + 20, event.replyGeneration);
  const acceptedAtUs = Math.round(event.acceptedAtMs * 1000);
  writeWord(target, offset + 24, acceptedAtUs);
  writeWord(target, offset + 28, acceptedAtUs / TWO_32);
  writeWord(target, offset + 32, event.number);
  writeWord(target, offset + 36, event.number / TWO_32);
  let at = offset + JOB_HEADER_BYTES;
  if (event.trace !== undefined) {
    writeTraceLink(event.trace, target, at);
    at += TRACE_LINK_BYTES;
  }
  at = writeSlice(event.user, target, at);
  at = writeSlice(event.action, target, at);
  if (idBytes !== 0) {
    at = writeSlice(event.id, target, at);
    writeWord(target, at, event.idSlot);
    writeWord(target, at + 4, event.idTicket);
    at += ID_PLACE_BYTES;
  }
  if (fieldsBytes === 0) return jobBytes;
  target[at] = fieldsBytes;
  target[at + 1] = fieldsBytes >>> 8;
  writeSlice(event.fieldsJson, target, at + FIELDS_LENGTH_BYTES);
  return jobBytes;
}

/**
 * Reads a job in place.
 *
 * Shape: `bytes[userStart, userEnd)`, `bytes[actionStart, actionEnd)`, `bytes[idStart, idEnd)`,
 * `bytes[fieldsStart, fieldsEnd)`.
 *
 * Thread: belongs to one thread; reuse one instance.
 */
export class JobView {
  /** Buffer that holds the job. */
  bytes: Uint8Array = EMPTY;
  /** First byte of the link to its trace. */
  traceStart = 0;
  /** Behind the last byte of that link; equal to `traceStart` when the event is not traced. */
  traceEnd = 0;
  /** First byte of the user name. */
  userStart = 0;
  /** Behind the last byte of the user name. */
  userEnd = 0;
  /** First byte of the action. */
  actionStart = 0;
  /** Behind the last byte of the action. */
  actionEnd = 0;
  /** First byte of the id. */
  idStart = 0;
  /** Behind the last byte of the id; equal to `idStart` when the event has no id. */
  idEnd = 0;
  /** First byte of the JSON text of the further fields. */
  fieldsStart = 0;
  /** Behind the last byte of that text; equal to `fieldsStart` when there are none. */
  fieldsEnd = 0;
  /** How much. */
  readonly amount: Int64 = new Int64();
  /** Bits of {@link JobFlag}. */
  flags = 0;
  /** Thread that waits for the outcome, uint16. */
  replyThread = 0;
  /** Connection slot that waits for the outcome, uint32. */
  replySlot = 0;
  /** Generation of that slot, uint32. */
  replyGeneration = 0;
  /** When it was accepted, milliseconds since the epoch. */
  acceptedAtMs = 0;
  /** By which number the log knows it; 0 = there is no log. */
  number = 0;
  /** Where its id is remembered; valid with a ticket. */
  idSlot = 0;
  /** Ticket for that slot; 0 = it has no id, or that is not remembered. */
  idTicket = 0;

  /**
   * Points at the job `bytes[offset, offset + byteLength)` and reads its header.
   *
   * @throws {AssertionFault} when that is not a job as {@link encodeJob} writes it
   */
  attach(bytes: Uint8Array, offset: number, byteLength: number): this {
    // Texts are made only when they are needed: this is on the way of every event.
    if (byteLength < JOB_HEADER_BYTES || bytes[offset] !== JOB_VERSION) {
      assert(false, `job version ${bytes[offset]} with ${byteLength} bytes can be read`);
    }
    this.bytes = bytes;
    this.flags = bytes[offset + 1]!;
    this.traceStart = offset + JOB_HEADER_BYTES;
    this.traceEnd = this.traceStart + bytes[offset + 5]!;
    this.userStart = this.traceEnd;
    this.userEnd = this.userStart + bytes[offset + 2]!;
    this.actionStart = this.userEnd;
    this.actionEnd = this.actionStart + bytes[offset + 3]!;
    this.idStart = this.actionEnd;
    this.idEnd = this.idStart + bytes[offset + 4]!;
    const hasId = this.idEnd > this.idStart;
    let end = hasId ? this.idEnd + ID_PLACE_BYTES : this.idEnd;
    this.fieldsStart = end;
    if ((this.flags & JobFlag.HAS_FIELDS) !== 0 && end + FIELDS_LENGTH_BYTES <= bytes.length) {
      this.fieldsStart = end + FIELDS_LENGTH_BYTES;
      end = this.fieldsStart + (bytes[end]! | (bytes[end + 1]! << 8));
    }
    this.fieldsEnd = end;
    if (end !== offset + byteLength) {
      assert(false, `fields end at ${end - offset}, the job at ${byteLength}`);
    }
    this.idSlot = hasId ? readWord(bytes, this.idEnd) : 0;
    this.idTicket = hasId ? readWord(bytes, this.idEnd + 4) : 0;
    this.replyThread = bytes[offset + 6]! | (bytes[offset + 7]! << 8);
    this.amount.lo = readWord(bytes, offset + 8);
    this.amount.hi = readWord(bytes, offset + 12) | 0;
    this.replySlot = readWord(bytes, offset + 16);
    this.replyGeneration = readWord(bytes, offset + 20);
    this.acceptedAtMs = (readWord(bytes, offset + 24) + readWord(bytes, offset + 28) * TWO_32) /
      1000;
    this.number = readWord(bytes, offset + 32) + readWord(bytes, offset + 36) * TWO_32;
    return this;
  }
}

/**
 * Makes a job one that nobody waits for: who did may be gone, and its place somebody else's.
 *
 * @param bytes the job begins at its first byte
 */
export function forgetWaiter(bytes: Uint8Array): void {
  bytes[1]! &= ~JobFlag.WANTS_REPLY;
}

/**
 * Whether a job has further fields.
 *
 * @param bytes the job begins at its first byte
 */
export function hasFields(bytes: Uint8Array): boolean {
  return (bytes[1]! & JobFlag.HAS_FIELDS) !== 0;
}

/**
 * Says where the id of a job is remembered.
 *
 * @param bytes the job, which has an id, and nothing else
 */
export function placeId(bytes: Uint8Array, slot: number, ticket: number): void {
  // Behind trace, user, action and id, whose lengths are next to each other.
  const at = JOB_HEADER_BYTES + bytes[2]! + bytes[3]! + bytes[4]! + bytes[5]!;
  writeWord(bytes, at, slot);
  writeWord(bytes, at + 4, ticket);
}

function writeWord(target: Uint8Array, at: number, value: number): void {
  const word = value >>> 0;
  target[at] = word;
  target[at + 1] = word >>> 8;
  target[at + 2] = word >>> 16;
  target[at + 3] = word >>> 24;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) |
    (bytes[at + 3]! << 24)) >>> 0;
}

function writeSlice(slice: ByteSlice, target: Uint8Array, at: number): number {
  const { bytes, start, end } = slice;
  if (end - start <= 32) {
    let out = at;
    for (let i = start; i < end; i++) target[out++] = bytes[i]!;
  } else {
    target.set(bytes.subarray(start, end), at);
  }
  return at + end - start;
}
