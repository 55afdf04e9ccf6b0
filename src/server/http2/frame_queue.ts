/**
 * What goes out on an HTTP/2 connection, in order.
 *
 * @module
 */

import type { ClientSocket } from "../client_socket.ts";

/** Frames are written together up to this. Unit: bytes. */
const WRITE_BYTES = 65536;

/** Who sends waits while more than this is in front of it. Unit: bytes. */
const DRAINED_BYTES = 16384;

/**
 * Writes frames one batch after the other.
 *
 * Thread: belongs to one connection.
 */
export class FrameQueue {
  readonly #socket: Pick<ClientSocket, "write">;
  readonly #onSent: (byteCount: number) => void;
  #frames: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #isOver = false;

  /**
   * Writes nothing yet.
   *
   * @param onSent told of bytes that the system has taken
   */
  constructor(socket: Pick<ClientSocket, "write">, onSent: (byteCount: number) => void) {
    this.#socket = socket;
    this.#onSent = onSent;
  }

  /** Appends a frame. What is appended in one go is written in one go. */
  push(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#isOver) return;
    this.#frames.push(frame);
    this.#waitingBytes += frame.length;
    this.#writing ??= this.#write();
  }

  /** Resolves when little is waiting, or nothing ever will be written again. Never rejects. */
  async drained(): Promise<void> {
    while (this.#waitingBytes > DRAINED_BYTES && !this.#isOver) await this.#writing;
  }

  /** Resolves when all is written. Never rejects. */
  async emptied(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Writes nothing more. */
  end(): void {
    this.#isOver = true;
    this.#frames = [];
    this.#waitingBytes = 0;
  }

  /** One batch. */
  async #write(): Promise<void> {
    // Others of this turn join it.
    await Promise.resolve();
    const batch = this.#takeBatch();
    try {
      for (let written = 0; written < batch.length && !this.#isOver;) {
        const byteCount = await this.#socket.write(written === 0 ? batch : batch.subarray(written));
        written += byteCount;
        this.#onSent(byteCount);
      }
    } catch {
      // The client has gone; whoever reads hears of it.
      this.end();
    }
    this.#waitingBytes = Math.max(0, this.#waitingBytes - batch.length);
    this.#writing = this.#frames.length > 0 ? this.#write() : undefined;
  }

  #takeBatch(): Uint8Array<ArrayBuffer> {
    const frames = this.#frames;
    let count = 0;
    let byteCount = 0;
    while (count < frames.length && (count === 0 || byteCount < WRITE_BYTES)) {
      byteCount += frames[count++]!.length;
    }
    const taken = frames.splice(0, count);
    if (taken.length === 1) return taken[0]!;
    const batch = new Uint8Array(byteCount);
    let at = 0;
    for (const frame of taken) {
      batch.set(frame, at);
      at += frame.length;
    }
    return batch;
  }
}
