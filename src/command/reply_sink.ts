/**
 * Where handlers write their reply.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { ByteSource } from "./byte_source.ts";
import type { ReplyCode } from "./reply_code.ts";
import type { ReplySource } from "./reply_source.ts";

/**
 * A reply under construction, in the words of commands and not of a protocol.
 *
 * A handler makes exactly one top-level call (an array or map is followed by that many elements).
 * Nothing allocates per reply; bytes are copied before the call returns, those of a
 * {@link ByteSource} excepted.
 *
 * Thread: belongs to one connection.
 */
export interface ReplySink {
  /** Done, with nothing to say. RESP: `+OK`. */
  ok(): void;
  /** A fixed word of ASCII. RESP: `+PONG`. */
  simple(word: string): void;
  /**
   * A refusal.
   *
   * @param detail replaces the code's own words; one line of printable ASCII
   */
  error(code: ReplyCode, detail?: string): void;
  /** A safe integer. */
  integer(value: number): void;
  /** A 64-bit integer; copied at once. */
  int64(value: Int64): void;
  /** A double; RESP2: a byte string. */
  double(value: number): void;
  /** No such thing. */
  nil(): void;
  /** No such thing where an array would be; RESP2 tells the two apart. */
  nilArray(): void;
  /** The bytes `bytes[start, end)`. */
  bulk(bytes: Uint8Array, start: number, end: number): void;
  /** A string, as UTF-8 bytes. */
  bulkText(text: string): void;
  /** Text for people to read, several lines of it. RESP3: verbatim string. */
  verbatimText(text: string): void;
  /**
   * Room for a byte string that the caller fills at once: `target[offset, offset + byteCount)`.
   *
   * @returns offset into {@link ReplySink.target} as it is after this call
   */
  bulkStart(byteCount: number): number;
  /** What {@link ReplySink.bulkStart}'s offset refers to; may be replaced by any other call. */
  readonly target: Uint8Array;
  /**
   * A byte string that is fetched later, as the client takes it. The sink owns `source` from now on.
   *
   * A sink that wants everything at once leaves this out.
   */
  readonly bulkSource?: ((source: ByteSource) => void) | undefined;
  /**
   * Replies that are made later, as the client takes them. The sink owns `source` from now on.
   *
   * A sink that wants everything at once leaves this out; {@link streamReplies} serves both.
   */
  readonly replySource?: ((source: ReplySource) => void) | undefined;
  /** `elementCount` replies follow. */
  arrayStart(elementCount: number): void;
  /** `elementCount` different replies in no order follow. */
  setStart(elementCount: number): void;
  /** `pairCount` times a key and a value follow. */
  mapStart(pairCount: number): void;
  /** `elementCount` replies follow that answer no command; RESP2: an array. */
  pushStart(elementCount: number): void;
  /**
   * Whether so much is in front of this reply, as in a long transaction, that whatever can be fetched
   * later should be, however short it is; left out: never.
   */
  readonly isFull?: boolean;
  /** Whether the reply is lost in any case: nobody needs to go on with it; left out: never. */
  readonly isLost?: boolean;
  /** Whether other replies wait to be written together with this one; left out: never. */
  readonly isBehindOthers?: boolean;
  /** A place to {@link ReplySink.rewind} to. */
  mark(): number;
  /** Takes back everything since `mark`. */
  rewind(mark: number): void;
}
