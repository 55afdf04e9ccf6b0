/**
 * A published message on its way to an I/O thread, as a message of its inbox.
 *
 * ```text
 * PUBLISHED
 *   0    u8  kind, u8 flags (bit 0: the payload is in the arena, bit 1: a shard channel),
 *        u16 bytes of the channel's name
 *   4    u32 shard of the channel
 *   8    u32 number of this publication among those of the shard to this thread
 *   12   u32 hash of the channel
 *   16   u32 root of the payload in the arena (see Store.share), or its length
 *   20   the channel's name, then the payload unless it is in the arena
 * ```
 *
 * Numbers are little-endian.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { InboxKind } from "../base/inbox_message.ts";

/** Bytes before the channel's name. */
export const PUBLICATION_HEADER_BYTES = 20;

/**
 * A longer payload goes through the arena.
 *
 * Unit: bytes. Reason: an inbox should have room for many messages; a payload in the arena is there
 * once, however many threads read it.
 */
export const INLINE_PAYLOAD_BYTES = 8192;

/** Bits of the flags. */
export const PublicationFlag = { IN_ARENA: 1, SHARD_CHANNEL: 2 } as const;

/** One message, written or read in place. Thread: belongs to one thread; reuse one instance. */
export class Publication {
  /** Bits of {@link PublicationFlag}. */
  flags = 0;
  /** Shard of the channel. */
  shard = 0;
  /** Its number, int32. */
  number = 0;
  /** Hash of the channel, uint32. */
  channelHash = 0;
  /** Root of the payload, or its length. */
  payload = 0;
  /** Length of the channel's name. */
  channelBytes = 0;

  /** Writes the fields before the channel to `target[0, {@link PUBLICATION_HEADER_BYTES})`. */
  encode(target: DataView): void {
    target.setUint8(0, InboxKind.PUBLISHED);
    target.setUint8(1, this.flags);
    target.setUint16(2, this.channelBytes, true);
    target.setUint32(4, this.shard, true);
    target.setInt32(8, this.number, true);
    target.setUint32(12, this.channelHash, true);
    target.setUint32(16, this.payload, true);
  }

  /** Reads the message `bytes[start, end)`. */
  decode(bytes: Uint8Array, start: number, end: number): this {
    assert(end - start >= PUBLICATION_HEADER_BYTES, `a publication has ${end - start} bytes`);
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
    assert(view.getUint8(0) === InboxKind.PUBLISHED, "the message is a publication");
    this.flags = view.getUint8(1);
    this.channelBytes = view.getUint16(2, true);
    this.shard = view.getUint32(4, true);
    this.number = view.getInt32(8, true);
    this.channelHash = view.getUint32(12, true);
    this.payload = view.getUint32(16, true);
    return this;
  }
}
