/**
 * Bodies that are not made in the output.
 *
 * @module
 */

import type { KeptBytes } from "../session.ts";

/**
 * A byte string in memory that is kept as long as it is sent, such as a file that many ask for.
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export interface KeptSource extends KeptBytes {
  /** Length in all. */
  readonly byteCount: number;
  /** Says that it is not needed any more; may be called any number of times, and throws nothing. */
  release(): void;
}

/**
 * A byte string of known length that is fetched while it is sent, from front to back, such as a
 * file.
 *
 * It goes straight into the connection's output, which is bounded and accounted for: a source needs
 * no buffer of its own.
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export interface AsyncByteSource {
  /** Length in all. */
  readonly byteCount: number;
  /** Bytes that were not read yet. */
  readonly remaining: number;
  /**
   * Reads what comes next.
   *
   * @param target as long as {@link AsyncByteSource.remaining} at most, not empty
   * @returns how many bytes it read, at least one
   * @throws {Error} when there is no more, against what was promised: the connection is cut off, so
   *   that the client sees that the body is not whole
   */
  readNext(target: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Gives up what is behind it; may be called any number of times, and throws nothing. */
  release(): void;
}
