/**
 * Bytes that a client is sent between replies, such as the lines of a monitor.
 *
 * @module
 */

/**
 * Most bytes that may wait for a client.
 *
 * Reason: who is so far behind does not read; a thousand lines of a monitor fit many times.
 */
export const PUSHED_BYTES_MAX = 1_048_576;

/** What waits to be sent to one client. Thread: the connection's. */
export class PushedOutput {
  #waiting: Uint8Array[] = [];
  #byteCount = 0;

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#byteCount === 0;
  }

  /** Adds bytes, which must stay as they are. @returns false when there are too many */
  add(bytes: Uint8Array): boolean {
    if (this.#byteCount + bytes.length > PUSHED_BYTES_MAX) return false;
    this.#waiting.push(bytes);
    this.#byteCount += bytes.length;
    return true;
  }

  /** Takes everything that waits, as one piece. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#byteCount);
    let at = 0;
    for (const part of this.#waiting) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#waiting = [];
    this.#byteCount = 0;
    return bytes;
  }
}
