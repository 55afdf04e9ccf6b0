/**
 * Lines of a file, one after the other.
 *
 * @module
 */

/** Bytes that are asked for at a time. */
const CHUNK_BYTES = 2 ** 18;
/** A longer line is none that was dumped. Unit: bytes. */
const LINE_MAX_BYTES = 2 ** 29;
const LINE_END = 0x0a;

/** Reads more of a file into `target`; 0 at its end. */
export type ByteGiver = (target: Uint8Array) => number;

/** Reads lines. Thread: belongs to one thread. */
export class LineReader {
  /** Number of the line that was read last, from 1 on. */
  lineNumber = 0;
  /** What was read. Unit: bytes. */
  bytesRead = 0;

  readonly #give: ByteGiver;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #bytes = new Uint8Array(CHUNK_BYTES);
  #start = 0;
  #end = 0;

  /**
   * Reads what `give` gives.
   *
   * @param front what was read already
   */
  constructor(give: ByteGiver, front: Uint8Array = new Uint8Array(0)) {
    this.#give = give;
    this.#bytes.set(front);
    this.#end = this.bytesRead = front.length;
  }

  /**
   * The next line without its end.
   *
   * @returns undefined behind the last one
   * @throws {RangeError} when a line is too long
   * @throws {TypeError} when it is not UTF-8
   */
  next(): string | undefined {
    for (let searched = this.#start;;) {
      const at = this.#bytes.subarray(0, this.#end).indexOf(LINE_END, searched);
      if (at >= 0) return this.#take(at, at + 1);
      // What is there begins the buffer then, and has no line end.
      const byteCount = searched = this.#end - this.#start;
      if (this.#fill()) continue;
      return byteCount === 0 ? undefined : this.#take(this.#end, this.#end);
    }
  }

  #take(end: number, next: number): string {
    this.lineNumber++;
    const text = this.#decoder.decode(this.#bytes.subarray(this.#start, end));
    this.#start = next;
    return text;
  }

  /** Has more bytes behind those that are there, which begin the buffer then. */
  #fill(): boolean {
    const left = this.#end - this.#start;
    if (left > LINE_MAX_BYTES) {
      throw new RangeError(`a line is longer than ${LINE_MAX_BYTES} bytes`);
    }
    if (left + CHUNK_BYTES > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * left, left + CHUNK_BYTES));
      grown.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = grown;
    } else {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = left;
    const count = this.#give(this.#bytes.subarray(left));
    this.#end += count;
    this.bytesRead += count;
    return count > 0;
  }
}
