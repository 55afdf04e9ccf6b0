/**
 * What a client sends while its command waits for something that may never come.
 *
 * The command's arguments are in the connection's input buffer, which nobody may touch until the
 * command is over. But the client's end must be noticed, so one read stays pending, into a small
 * buffer of its own. What arrives there is kept and executed later; when the buffer is full, nothing
 * more is read, and the client's end goes unnoticed until the command is over.
 *
 * @module
 */

import type { ClientSocket } from "./client_socket.ts";

/** Kept at most. Unit: bytes. Reason: a pipelined command or two, for thousands of connections. */
const ASIDE_BYTES = 512;

/** What is read from. */
type Readable = Pick<ClientSocket, "read">;

/** Thread: belongs to one connection. */
export class AsideInput {
  readonly #socket: Readable;
  readonly #buffer = new Uint8Array(ASIDE_BYTES);
  #length = 0;
  #pending: Promise<void> | undefined;
  #hasEnded = false;
  #onEnd: (() => void) | undefined;

  /** Reads nothing until {@link AsideInput.watch}. */
  constructor(socket: Readable) {
    this.#socket = socket;
  }

  /** Bytes of memory that it holds. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Reads until {@link AsideInput.unwatch}; `onEnd` is told when the client has ended. */
  watch(onEnd: () => void): void {
    this.#onEnd = onEnd;
    this.#pending ??= this.#readOn();
  }

  /** Reads no more; a read that is pending goes on. */
  unwatch(): void {
    this.#onEnd = undefined;
  }

  /** As `Deno.Conn.read`: first what was kept, then the socket. */
  async read(target: Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (this.#length === 0 && this.#pending !== undefined) await this.#pending;
    if (this.#length > 0) {
      const byteCount = Math.min(this.#length, target.length);
      target.set(this.#buffer.subarray(0, byteCount));
      this.#buffer.copyWithin(0, byteCount, this.#length);
      this.#length -= byteCount;
      return byteCount;
    }
    return this.#hasEnded ? null : await this.#socket.read(target);
  }

  /** Keeps what was read to `at`, in front of which bytes may have been taken meanwhile. */
  #append(at: number, byteCount: number): void {
    if (at > this.#length) this.#buffer.copyWithin(this.#length, at, at + byteCount);
    this.#length += byteCount;
  }

  /** Never rejects. */
  async #readOn(): Promise<void> {
    while (this.#onEnd !== undefined && this.#length < ASIDE_BYTES && !this.#hasEnded) {
      try {
        const at = this.#length;
        const byteCount = await this.#socket.read(this.#buffer.subarray(at));
        if (byteCount === null) this.#hasEnded = true;
        else this.#append(at, byteCount);
      } catch {
        // The connection was reset, or we closed it.
        this.#hasEnded = true;
      }
    }
    this.#pending = undefined;
    if (this.#hasEnded) this.#onEnd?.();
  }
}
