/**
 * What threads put into the inboxes of I/O threads. The first byte of a message is its kind.
 *
 * ```text
 * SETTLED, 20 bytes and more: the outcome of an event that a client waits for
 *   0    u8  kind, u8 outcome (the pool's codes), 2 bytes 0
 *   4    u32 slot of the wait
 *   8    u32 generation of the slot
 *   12   i64 balance after the event, low word first; 0 unless it was processed
 *   20   JSON text of what its processor returned, up to the end of the message; mostly none
 * WAITER, 12 bytes: news for a client that waits for keys
 *   0    u8  kind, u8 what (command/blocking/wait_server.ts), 2 bytes 0
 *   4    u32 waiter (store/wait_region.ts)
 *   8    u32 generation of the waiter
 * MONITOR_LINE: a line that monitors are shown
 *   0    u8  kind
 *   1    its bytes, line end included
 * ```
 *
 * Numbers are little-endian.
 *
 * @module
 */

import { assert } from "./assert.ts";
import { Int64 } from "./int64.ts";
import { RESULT_MAX_BYTES } from "./limits.ts";

/** Kinds of messages. */
export const InboxKind = {
  /** The outcome of an event. */
  SETTLED: 1,
  /** A published message; its shape is in `pubsub/publication.ts`. */
  PUBLISHED: 2,
  /** News for a client that waits for keys. */
  WAITER: 3,
  /** A line for monitors, as they get it: the kind, then its bytes. */
  MONITOR_LINE: 8,
} as const;

/** Bytes of a {@link SettledMessage} without a result. */
export const SETTLED_MESSAGE_BYTES = 20;
/** Most bytes of a {@link SettledMessage}. */
export const SETTLED_MESSAGE_MAX_BYTES: number = SETTLED_MESSAGE_BYTES + RESULT_MAX_BYTES;

const NO_BYTES = new Uint8Array(0);

/**
 * The outcome of an event, addressed to the client that waits for it.
 *
 * Thread: belongs to one thread; reuse one instance.
 */
export class SettledMessage {
  /** How the event ended; the pool's codes. */
  outcome = 0;
  /** Slot of the wait, uint32. */
  slot = 0;
  /** Generation of that slot, uint32. */
  generation = 0;
  /** The balance after the event. */
  readonly balance: Int64 = new Int64();
  /**
   * JSON text of what its processor returned; empty: it returned nothing. Decoded, it is a view of the
   * message.
   */
  resultBytes: Uint8Array = NO_BYTES;

  /** How many bytes {@link SettledMessage.encode} will write. */
  get byteLength(): number {
    return SETTLED_MESSAGE_BYTES + this.resultBytes.length;
  }

  /** Writes it to `target[0, {@link SettledMessage.byteLength})`. */
  encode(target: Uint8Array): void {
    target[0] = InboxKind.SETTLED;
    target[1] = this.outcome;
    target[2] = 0;
    target[3] = 0;
    writeWord(target, 4, this.slot);
    writeWord(target, 8, this.generation);
    writeWord(target, 12, this.balance.lo);
    writeWord(target, 16, this.balance.hi);
    if (this.resultBytes.length > 0) target.set(this.resultBytes, SETTLED_MESSAGE_BYTES);
  }

  /** Reads the message `bytes[start, end)`. */
  decode(bytes: Uint8Array, start: number, end: number): this {
    const byteLength = end - start;
    assert(
      byteLength >= SETTLED_MESSAGE_BYTES && byteLength <= SETTLED_MESSAGE_MAX_BYTES,
      `an outcome has ${byteLength} bytes`,
    );
    assert(bytes[start] === InboxKind.SETTLED, "the message is an outcome");
    this.outcome = bytes[start + 1]!;
    this.slot = readWord(bytes, start + 4) >>> 0;
    this.generation = readWord(bytes, start + 8) >>> 0;
    this.balance.lo = readWord(bytes, start + 12) >>> 0;
    this.balance.hi = readWord(bytes, start + 16);
    this.resultBytes = byteLength === SETTLED_MESSAGE_BYTES
      ? NO_BYTES
      : bytes.subarray(start + SETTLED_MESSAGE_BYTES, end);
    return this;
  }
}

/** Bytes of a {@link WaiterMessage}. */
export const WAITER_MESSAGE_BYTES = 12;

/**
 * News for a client that waits for keys.
 *
 * Thread: belongs to one thread; reuse one instance.
 */
export class WaiterMessage {
  /** What happened; the command layer's codes. */
  news = 0;
  /** Number of the waiter, uint32. */
  waiter = 0;
  /** Its generation, uint32. */
  generation = 0;

  /** Writes it to `target[0, {@link WAITER_MESSAGE_BYTES})`. */
  encode(target: Uint8Array): void {
    target[0] = InboxKind.WAITER;
    target[1] = this.news;
    target[2] = 0;
    target[3] = 0;
    writeWord(target, 4, this.waiter);
    writeWord(target, 8, this.generation);
  }

  /** Reads the message `bytes[start, end)`. */
  decode(bytes: Uint8Array, start: number, end: number): this {
    assert(end - start === WAITER_MESSAGE_BYTES, `news for a waiter have ${end - start} bytes`);
    this.news = bytes[start + 1]!;
    this.waiter = readWord(bytes, start + 4) >>> 0;
    this.generation = readWord(bytes, start + 8) >>> 0;
    return this;
  }
}

function writeWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word;
  target[at + 1] = word >>> 8;
  target[at + 2] = word >>> 16;
  target[at + 3] = word >>> 24;
}

function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
