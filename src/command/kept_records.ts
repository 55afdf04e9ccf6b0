/**
 * Records that a client has the server keep between its commands: what it queued, what it watches.
 *
 * ```text
 * a block of client memory, 4 KiB × 2^k:
 *   | bytes of the record | its content, padded to whole words | next record … | unused
 *     one word
 * ```
 *
 * The blocks count as the connection's memory (C13), and there is nothing else: thousands of queued
 * commands leave no objects behind.
 *
 * @module
 */

import type { ClientMemory } from "../base/client_memory.ts";

/** First block. Unit: bytes. Reason: the smallest that client memory lends. */
const FIRST_BLOCK_BYTES = 4096;

/** Blocks double up to this. Unit: bytes. Reason: half of one is unused at most. */
const LAST_BLOCK_BYTES = 65536;

/** One block. */
interface KeptBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array<ArrayBuffer>;
  usedBytes: number;
}

/**
 * Sees a record; `at` is the index of its first word of content in `words`, which are the same
 * memory as `bytes`. Returns false to stop.
 */
export type RecordVisitor = (words: Int32Array, at: number, bytes: Uint8Array) => boolean;

/**
 * An append-only list of records of any size.
 *
 * Thread: one I/O thread; belongs to one client.
 */
export class KeptRecords {
  /** Records in the list. */
  count = 0;
  /** What the list takes of client memory. Unit: bytes. */
  heldBytes = 0;

  readonly #memory: ClientMemory | undefined;
  readonly #blocks: KeptBlock[] = [];

  /**
   * Starts empty.
   *
   * @param memory lends the blocks; without it they are not accounted for
   */
  constructor(memory: ClientMemory | undefined) {
    this.#memory = memory;
  }

  /**
   * Appends a record, whose content `write` fills in.
   *
   * @returns false when there is no memory for it; nothing was changed
   */
  tryAdd(
    byteCount: number,
    write: (words: Int32Array, at: number, bytes: Uint8Array) => void,
  ): boolean {
    const recordBytes = 4 + (byteCount + 3 & ~3);
    let block = this.#blocks.at(-1);
    if (block === undefined || block.usedBytes + recordBytes > block.bytes.length) {
      block = this.#tryAddBlock(recordBytes);
      if (block === undefined) return false;
    }
    const at = block.usedBytes / 4;
    block.words[at] = recordBytes;
    write(block.words, at + 1, block.bytes);
    block.usedBytes += recordBytes;
    this.count++;
    return true;
  }

  /**
   * Shows all records in order until a visitor has seen enough.
   *
   * @returns whether all were visited
   */
  forEach(visit: RecordVisitor): boolean {
    for (const { words, bytes, usedBytes } of this.#blocks) {
      for (let at = 0; at < usedBytes / 4; at += words[at]! / 4) {
        if (!visit(words, at + 1, bytes)) return false;
      }
    }
    return true;
  }

  /** Empties the list and gives its memory back. */
  clear(): void {
    for (const { bytes } of this.#blocks) this.#memory?.give(bytes);
    this.#blocks.length = 0;
    this.count = 0;
    this.heldBytes = 0;
  }

  #tryAddBlock(recordBytes: number): KeptBlock | undefined {
    const usualBytes = FIRST_BLOCK_BYTES * 2 ** Math.min(this.#blocks.length, 31);
    const byteCount = Math.max(Math.min(usualBytes, LAST_BLOCK_BYTES), recordBytes);
    const bytes = this.#memory === undefined
      ? new Uint8Array(byteCount + 3 & ~3)
      : this.#memory.tryTake(byteCount);
    if (bytes === undefined) return undefined;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    const block = { bytes, words, usedBytes: 0 };
    this.#blocks.push(block);
    this.heldBytes += bytes.length;
    return block;
  }
}
