/**
 * Reads the commands of an AOF.
 *
 * ```text
 * command     "*" number of arguments CRLF, each: "$" length CRLF bytes CRLF
 * annotation  "#" anything LF          between commands
 * ```
 *
 * @module
 */

import type { FileCursor } from "./file_cursor.ts";
import type { RedisFileLimits } from "./rdb_strings.ts";

const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const HASH = 0x23;
const CR = 0x0d;
const LF = 0x0a;
const DIGIT_0 = 0x30;

/** Longest annotation; Redis writes 15. Unit: bytes. */
const MAX_ANNOTATION_BYTES = 1024;
/** More is no length of anything. */
const MAX_DIGITS = 15;

/** Means that the file ends first. */
const TORN = -1;

/** Reads commands, as far as they are complete. */
export class CommandParser {
  readonly #cursor: FileCursor;
  readonly #limits: RedisFileLimits;
  /** Where the command begins that was read last, or could not be. Unit: bytes. */
  offset = 0;

  /** Reads where the cursor is. */
  constructor(cursor: FileCursor, limits: RedisFileLimits) {
    this.#cursor = cursor;
    this.#limits = limits;
  }

  /**
   * Passes over annotations.
   *
   * @returns whether a command begins; if not, the file ends here
   */
  findCommand(): boolean {
    const cursor = this.#cursor;
    for (;;) {
      this.offset = cursor.offset;
      // One that has become shorter has no end here.
      if (!cursor.tryHave(1)) return cursor.remaining > 0;
      if (cursor.peek() !== HASH) return true;
      if (!this.#passAnnotation()) return true;
    }
  }

  /**
   * Reads the command that was found.
   *
   * @returns its arguments, or undefined when the file ends before it does
   * @throws {RedisFileError} when something else is there
   */
  tryRead(): Uint8Array[] | undefined {
    const cursor = this.#cursor;
    // The file ends in an annotation.
    if (cursor.remaining === 0) return undefined;
    const count = this.#number(ASTERISK, "*");
    if (count === TORN) return undefined;
    if (count === 0 || count > this.#limits.maxArguments) {
      const expected = `a command of 1 to ${this.#limits.maxArguments} arguments`;
      cursor.fail(this.offset, expected, String(count));
    }
    const found: Uint8Array[] = [];
    while (found.length < count) {
      const argument = this.#tryArgument();
      if (argument === undefined) return undefined;
      found.push(argument);
    }
    return found;
  }

  /** False when the file ends in it. */
  #passAnnotation(): boolean {
    const cursor = this.#cursor;
    for (let i = 0; i < MAX_ANNOTATION_BYTES; i++) {
      if (!cursor.tryHave(1)) return false;
      if (cursor.byte("an annotation") === LF) return true;
    }
    return cursor.fail(this.offset, "an annotation", "none that ends");
  }

  #tryArgument(): Uint8Array | undefined {
    const cursor = this.#cursor;
    const { offset } = cursor;
    const byteCount = this.#number(DOLLAR, "$");
    if (byteCount === TORN) return undefined;
    const { maxStringBytes } = this.#limits;
    if (byteCount > maxStringBytes) {
      cursor.fail(offset, `an argument of at most ${maxStringBytes} bytes`, `one of ${byteCount}`);
    }
    if (!cursor.tryHave(byteCount)) return undefined;
    const argument = cursor.take(byteCount, "an argument");
    return this.#tryEnd() ? argument : undefined;
  }

  /** Reads `mark`, digits and the end of the line. */
  #number(mark: number, name: string): number {
    const cursor = this.#cursor;
    if (!cursor.tryHave(1)) return TORN;
    this.#expect(mark, name);
    let value = 0;
    for (let digits = 0;; digits++) {
      if (!cursor.tryHave(1)) return TORN;
      const digit = cursor.peek() - DIGIT_0;
      if (digits > 0 && cursor.peek() === CR) break;
      if (digit < 0 || digit > 9 || digits === MAX_DIGITS) this.#failAt("a number");
      cursor.byte(name);
      value = value * 10 + digit;
    }
    return this.#tryEnd() ? value : TORN;
  }

  /** Passes over the end of a line; false when the file ends before. */
  #tryEnd(): boolean {
    const cursor = this.#cursor;
    if (!cursor.tryHave(1)) return false;
    this.#expect(CR, "CR");
    if (!cursor.tryHave(1)) return false;
    this.#expect(LF, "LF");
    return true;
  }

  /** Takes the next byte, which is in the buffer. */
  #expect(byte: number, name: string): void {
    if (this.#cursor.peek() !== byte) this.#failAt(name);
    this.#cursor.byte(name);
  }

  #failAt(expected: string): never {
    const cursor = this.#cursor;
    return cursor.fail(cursor.offset, expected, `the byte ${cursor.peek()}`);
  }
}
