/**
 * What is to be written to a connection although its client has not asked for it just now.
 *
 * @module
 */

import { ByteWriter } from "../base/bytes.ts";
import type { ClientMemory } from "../base/client_memory.ts";
import { CONNECTION_BUFFER_BYTES } from "../base/limits.ts";
import type { PushTarget } from "../command/pubsub/subscriber.ts";

/** What a {@link PushOutput} asks of its connection. */
export interface PushOwner {
  /** Something waits to be written. */
  pushed(): void;
  /** Closes at once. */
  close(): void;
}

/**
 * Two buffers, lent while there is something in them: one is appended to, the other being written
 * to the socket.
 *
 * Thread: belongs to one connection.
 */
export class PushOutput implements PushTarget {
  /** See {@link PushTarget.isSubscriber}. */
  isSubscriber = false;

  readonly #owner: PushOwner;
  readonly #memory: ClientMemory;
  #waiting: ByteWriter | undefined;
  #leaving: ByteWriter | undefined;

  /** Starts empty and holds no memory. */
  constructor(owner: PushOwner, memory: ClientMemory) {
    this.#owner = owner;
    this.#memory = memory;
  }

  /** See {@link PushTarget.writer}. */
  get writer(): ByteWriter {
    return this.#waiting ??= this.#makeWriter();
  }

  /** Bytes that wait to be written. */
  get waitingBytes(): number {
    return this.#waiting === undefined ? 0 : this.#waiting.length;
  }

  /** See {@link PushTarget.pendingBytes}. */
  get pendingBytes(): number {
    return this.waitingBytes + (this.#leaving === undefined ? 0 : this.#leaving.length);
  }

  /** What both buffers hold. Unit: bytes. */
  get heldBytes(): number {
    return (this.#waiting === undefined ? 0 : this.#waiting.bytes.length) +
      (this.#leaving === undefined ? 0 : this.#leaving.bytes.length);
  }

  /** See {@link PushTarget.wake}. */
  wake(): void {
    this.#owner.pushed();
  }

  /** See {@link PushTarget.cutOff}. */
  cutOff(): void {
    this.#owner.close();
  }

  /** Takes what waits, to be written until {@link PushOutput.endWrite}; more may come meanwhile. */
  beginWrite(): Uint8Array<ArrayBuffer> {
    const bytes = this.writer;
    this.#waiting = this.#leaving;
    this.#leaving = bytes;
    return bytes.view();
  }

  /** What was taken is written. */
  endWrite(): void {
    this.#leaving?.release();
  }

  /** Moves what waits to the end of `output`, if there is anything. */
  tryMoveTo(output: ByteWriter): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.length === 0) return false;
    output.copy(waiting.bytes, 0, waiting.length);
    waiting.release();
    return true;
  }

  /** Forgets everything. Nothing may be being written. */
  release(): void {
    this.#waiting?.release();
    this.#leaving?.release();
  }

  #makeWriter(): ByteWriter {
    return new ByteWriter(CONNECTION_BUFFER_BYTES, this.#memory);
  }
}
