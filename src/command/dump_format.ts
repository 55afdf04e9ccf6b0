/**
 * Values as bytes that a client can keep: what `DUMP` gives and `RESTORE` takes.
 *
 * ```text
 * byte 0       type of the value, as the store numbers types
 * byte 1 …     payload; for a string, its bytes
 * last 6       uint16 LE  version of the format
 *              uint32 LE  CRC-32C of everything before it
 * ```
 *
 * The format is this server's own: payloads of Redis are refused, as Redis refuses these.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import type { Key } from "../store/key.ts";
import type { EntryType, Store, WriteStatus } from "../store/store.ts";
import type { ByteSource } from "./byte_source.ts";

/** Version of the format. */
export const DUMP_VERSION = 1;
/** Bytes in front of the payload. */
export const DUMP_HEAD_BYTES = 1;
/** Bytes behind the payload. */
export const DUMP_TAIL_BYTES = 6;

/**
 * Reads and writes the payloads of one type of values. Collections add theirs to the list in
 * handlers/dump.ts.
 */
export interface DumpCodec {
  /** The type. */
  readonly type: EntryType;
  /** The payload of an entry. Needs the shard's lock, shared is enough. */
  payloadOf(store: Store, entry: number): ByteSource;
  /**
   * Makes `bytes[start, end)` the value of a key. Needs the shard's exclusive lock.
   *
   * @param expireAtMs milliseconds since 1970; 0 = never
   * @returns undefined, nothing changed, when it is no payload of this type
   */
  restore(
    store: Store,
    database: number,
    key: Key,
    bytes: Uint8Array,
    start: number,
    end: number,
    expireAtMs: number,
  ): WriteStatus | undefined;
}

/** Whether `bytes[start, end)` has this format, version and checksum. */
export function isIntactDump(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < DUMP_HEAD_BYTES + DUMP_TAIL_BYTES) return false;
  const at = end - DUMP_TAIL_BYTES;
  if ((bytes[at]! | (bytes[at + 1]! << 8)) !== DUMP_VERSION) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + 2, 4);
  return view.getUint32(0, true) === crc32c(bytes, start, at + 2);
}

/**
 * A whole dump: head, payload and tail, with the checksum of what was copied so far, so that the
 * payload is neither copied nor looked at before there is room for it.
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export class DumpSource implements ByteSource {
  /** See {@link ByteSource}. */
  readonly byteCount: number;
  readonly #payload: ByteSource;
  readonly #head: Uint8Array;
  readonly #tail = new Uint8Array(DUMP_TAIL_BYTES);
  #crc = 0;
  #copiedCount = 0;

  /** Makes the dump of a value; the payload is its own from now on. */
  constructor(type: EntryType, payload: ByteSource) {
    this.#payload = payload;
    this.#head = Uint8Array.of(type);
    this.#tail[0] = DUMP_VERSION & 0xff;
    this.#tail[1] = DUMP_VERSION >>> 8;
    this.byteCount = DUMP_HEAD_BYTES + payload.byteCount + DUMP_TAIL_BYTES;
  }

  /** See {@link ByteSource}. */
  get remaining(): number {
    return this.byteCount - this.#copiedCount;
  }

  /** See {@link ByteSource}. */
  copyNext(target: Uint8Array, offset: number, byteCount: number): void {
    let at = offset;
    for (let left = byteCount; left > 0;) {
      const copied = this.#copyPart(target, at, left);
      at += copied;
      left -= copied;
    }
  }

  /** See {@link ByteSource}. */
  release(): void {
    this.#payload.release();
  }

  /** Copies up to `most` bytes of the part that is next; returns how many. */
  #copyPart(target: Uint8Array, at: number, most: number): number {
    const behindHead = this.#copiedCount - DUMP_HEAD_BYTES;
    const payloadLeft = this.#payload.remaining;
    let byteCount: number;
    if (behindHead < 0) {
      byteCount = 1;
      target.set(this.#head, at);
    } else if (payloadLeft > 0) {
      byteCount = Math.min(most, payloadLeft);
      this.#payload.copyNext(target, at, byteCount);
    } else {
      const from = behindHead - this.#payload.byteCount;
      if (from === 0) this.#endTail();
      byteCount = Math.min(most, DUMP_TAIL_BYTES - from);
      target.set(this.#tail.subarray(from, from + byteCount), at);
      this.#copiedCount += byteCount;
      return byteCount;
    }
    this.#crc = crc32c(target, at, at + byteCount, this.#crc);
    this.#copiedCount += byteCount;
    return byteCount;
  }

  #endTail(): void {
    const crc = crc32c(this.#tail, 0, 2, this.#crc);
    new DataView(this.#tail.buffer).setUint32(2, crc, true);
  }
}

/** Bytes in an array as a source. */
export class ArraySource implements ByteSource {
  /** See {@link ByteSource}. */
  readonly byteCount: number;
  readonly #bytes: Uint8Array;
  #position = 0;

  /** Makes a source of all of `bytes`, which must not change. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.byteCount = bytes.length;
  }

  /** See {@link ByteSource}. */
  get remaining(): number {
    return this.byteCount - this.#position;
  }

  /** See {@link ByteSource}. */
  copyNext(target: Uint8Array, offset: number, byteCount: number): void {
    target.set(this.#bytes.subarray(this.#position, this.#position + byteCount), offset);
    this.#position += byteCount;
  }

  /** See {@link ByteSource}. */
  release(): void {}
}
