/**
 * A bounded queue of lines with one asynchronous writer.
 *
 * Whoever reads the log may be slow or stopped; the server may not. So a line is dropped and
 * counted when the queue is full, and one line says how many were dropped once there is room.
 *
 * @module
 */

import { LOG_QUEUE_MAX_BYTES, LOG_QUEUE_MAX_LINES } from "./limits.ts";

/** Where lines go and how many may wait. */
export interface LogQueueOptions {
  /** Writes some of the bytes and says how many; may take as long as it likes. */
  write(bytes: Uint8Array): Promise<number>;
  /** The line that tells how many lines were dropped. */
  describeDrop(count: number): string;
  /** Told whenever lines were dropped. */
  onDrop?(): void;
  /** Unit: lines. Default: {@link LOG_QUEUE_MAX_LINES}. */
  maxLines?: number;
  /** Unit: bytes, two per UTF-16 code unit. Default: {@link LOG_QUEUE_MAX_BYTES}. */
  maxBytes?: number;
}

/**
 * Lines on their way to a slow place.
 *
 * The bounds hold for the lines that wait; those of the write under way come on top, so at most
 * twice the bounds are in memory.
 *
 * Thread: belongs to one isolate.
 */
export class LogQueue {
  readonly #options: LogQueueOptions;
  readonly #maxLines: number;
  readonly #maxBytes: number;
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #lineBytes = 0;
  #droppedLines = 0;
  #unreportedDrops = 0;
  #writing: Promise<void> | null = null;

  /** Starts empty; nothing is written before the first line. */
  constructor(options: LogQueueOptions) {
    this.#options = options;
    this.#maxLines = options.maxLines ?? LOG_QUEUE_MAX_LINES;
    this.#maxBytes = options.maxBytes ?? LOG_QUEUE_MAX_BYTES;
  }

  /** Lines dropped since start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /**
   * Takes a line, or drops and counts it when the queue is full. Never waits, never throws.
   *
   * @param line without its end
   */
  push(line: string): void {
    const bytes = line.length * 2;
    if (this.#lines.length >= this.#maxLines || this.#lineBytes + bytes > this.#maxBytes) {
      this.#drop(1);
      return;
    }
    this.#reportDrops();
    this.#lines.push(line);
    this.#lineBytes += bytes;
    this.#writing ??= this.#drain();
  }

  /**
   * Waits until everything is written.
   *
   * @param deadlineMs how long to wait at most
   * @returns whether everything was written in time
   */
  async flush(deadlineMs: number): Promise<boolean> {
    // Kept, because the first setTimeout under `deno test` runs microtasks (seen on 2.9.6).
    const writing = this.#writing;
    if (writing === null) return true;
    const expired = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => expired.resolve(false), deadlineMs);
    const written = await Promise.race([writing.then(() => true), expired.promise]);
    clearTimeout(timer);
    return written;
  }

  async #drain(): Promise<void> {
    // One turn later, so that the lines of one burst leave in one write.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      this.#lineBytes = 0;
      const written = await this.#write(lines);
      // Not after a failure: a report that fails would call for the next one, for ever.
      if (written && this.#lines.length === 0) this.#reportDrops();
    }
    this.#writing = null;
  }

  async #write(lines: readonly string[]): Promise<boolean> {
    let rest = this.#encoder.encode(lines.join("\n") + "\n");
    try {
      while (rest.length > 0) rest = rest.subarray(await this.#options.write(rest));
      return true;
    } catch {
      // The reader has gone. Should one come back, it is told how many lines it missed.
      this.#drop(lines.length);
      return false;
    }
  }

  #drop(count: number): void {
    this.#droppedLines += count;
    this.#unreportedDrops += count;
    this.#options.onDrop?.();
  }

  #reportDrops(): void {
    if (this.#unreportedDrops === 0) return;
    const line = this.#options.describeDrop(this.#unreportedDrops);
    this.#unreportedDrops = 0;
    this.#lines.push(line);
    this.#lineBytes += line.length * 2;
  }
}
