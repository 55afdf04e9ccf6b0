/**
 * Bytes of a reply that are fetched when there is room for them.
 *
 * @module
 */

/**
 * A byte string that does not change and is read once, from front to back, piece by piece.
 *
 * Whoever has it must release it. A lease of a stored value is one (`ValueLease` of the store).
 *
 * Thread: the I/O thread of the connection that it is for.
 */
export interface ByteSource {
  /** Length in all. */
  readonly byteCount: number;
  /** Bytes that were not copied yet. */
  readonly remaining: number;
  /**
   * Copies the next `byteCount` bytes, at most {@link ByteSource.remaining}, to `target[offset…]`.
   */
  copyNext(target: Uint8Array, offset: number, byteCount: number): void;
  /** Gives up what is behind it; may be called any number of times, and throws nothing. */
  release(): void;
}
