/**
 * Replies that are made when there is room for them.
 *
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import type { ReplySink } from "./reply_sink.ts";

/**
 * The elements of an array (set, map) that is too long to be in a connection's output at once.
 *
 * Whoever has it must release it.
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export interface ReplySource {
  /**
   * Writes the next elements, at least one if there are any: about `mostBytes` bytes of them, each
   * whole and together at most some KiB more. An element that is longer goes to
   * {@link ReplySink.bulkSource}, as the last thing of the step. A step that has written less than
   * it may lets others have their turn: none should take longer than some 1 ms.
   *
   * @returns whether these were the last ones
   */
  writeNext(sink: ReplySink, mostBytes: number): boolean;
  /** Gives up what is behind it; may be called any number of times, and throws nothing. */
  release(): void;
}

/** Replies with the bytes of `source`: piece by piece if the sink can, else at once. */
export function streamBytes(sink: ReplySink, source: ByteSource): void {
  if (sink.bulkSource !== undefined) return sink.bulkSource(source);
  const { byteCount } = source;
  const offset = sink.bulkStart(byteCount);
  source.copyNext(sink.target, offset, byteCount);
  source.release();
}

/** Replies with all that `source` has: piece by piece if the sink can, else at once. */
export function streamReplies(sink: ReplySink, source: ReplySource): void {
  if (sink.replySource !== undefined) return sink.replySource(source);
  while (!source.writeNext(sink, Infinity));
  source.release();
}
