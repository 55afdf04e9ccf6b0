/**
 * One command's arguments as ranges of the read buffer.
 *
 * Nothing is copied and no string or array is made per command: a decoder fills the two offset
 * arrays, the dispatcher and the handler read them, and the next command overwrites them.
 *
 * @module
 */

import { parseInt64 } from "../base/int64.ts";
import type { Int64 } from "../base/int64.ts";

/** Offset slots to start with; most commands have fewer arguments. */
const INITIAL_SLOT_COUNT = 16;

/** Of larger ones {@link ArgumentsPool} keeps a single one, so that huge commands pin no memory. */
const KEEP_SLOT_COUNT = 1024;

/**
 * {@link ArgumentsPool} keeps none that is larger.
 *
 * Reason: what fits a request of 1 MB. Without it each such command would leave its own offsets,
 * more bytes than it has, to the garbage collector.
 */
const KEEP_LARGE_SLOT_COUNT = 262144;

/** Idle instances that an {@link ArgumentsPool} keeps. */
const KEEP_INSTANCE_COUNT = 64;

const textDecoder = new TextDecoder();

/**
 * The arguments of one command, the command's name first.
 *
 * Shape: argument `i` is `bytes[starts[i], ends[i])` for `0 <= i < count`. For
 * `SET key 17` in inline form: `starts = [0, 4, 8]`, `ends = [3, 7, 10]`, `count = 3`.
 *
 * Thread: belongs to one session at a time; the views are valid until that session's connection
 * reads again.
 */
export class CommandArguments {
  /** What the offsets refer to: the connection's read buffer. */
  bytes: Uint8Array = new Uint8Array(0);
  /** First byte of each argument. */
  starts: Int32Array = new Int32Array(INITIAL_SLOT_COUNT);
  /** Behind the last byte of each argument. */
  ends: Int32Array = new Int32Array(INITIAL_SLOT_COUNT);
  /** Number of arguments, the name included. */
  count = 0;
  /** The argument whose hash is known; 0: of none. Who changes that argument sets it to 0. */
  hashedIndex = 0;
  /** Its hash, as int32; see {@link Key}. */
  hash = 0;
  /** The other word of it. */
  hashHigh = 0;

  /** Starts a new command over `bytes`. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.count = 0;
    this.hashedIndex = 0;
  }

  /** Appends the argument `bytes[start, end)`. */
  push(start: number, end: number): void {
    const index = this.count;
    if (index === this.starts.length) this.#grow(index * 2);
    this.starts[index] = start;
    this.ends[index] = end;
    this.count = index + 1;
  }

  /** Makes room for `count` arguments in all. */
  reserve(count: number): void {
    if (count > this.starts.length) this.#grow(count);
  }

  /** The same arguments in memory of their own. */
  copy(): CommandArguments {
    const copy = new CommandArguments();
    const first = this.count === 0 ? 0 : this.starts[0]!;
    const last = this.count === 0 ? 0 : this.ends[this.count - 1]!;
    copy.reset(this.bytes.slice(first, last));
    copy.reserve(this.count);
    for (let i = 0; i < this.count; i++) copy.push(this.starts[i]! - first, this.ends[i]! - first);
    return copy;
  }

  /** Length of argument `index` in bytes. */
  length(index: number): number {
    return this.ends[index]! - this.starts[index]!;
  }

  /**
   * Compares argument `index` with an ASCII word, ignoring case, without making a string.
   *
   * @param word upper-case ASCII, e.g. `"KEEPTTL"`
   */
  is(index: number, word: string): boolean {
    const start = this.starts[index]!;
    if (this.ends[index]! - start !== word.length) return false;
    for (let i = 0; i < word.length; i++) {
      let byte = this.bytes[start + i]!;
      if (byte >= 0x61 && byte <= 0x7a) byte -= 32;
      if (byte !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /**
   * Reads argument `index` as a canonical int64.
   *
   * @returns false, `result` unchanged, when it is not one
   */
  int64(index: number, result: Int64): boolean {
    return parseInt64(this.bytes, this.starts[index]!, this.ends[index]!, result);
  }

  /** Argument `index` as text; invalid UTF-8 is replaced. For errors and rare commands only. */
  text(index: number): string {
    return textDecoder.decode(this.bytes.subarray(this.starts[index]!, this.ends[index]!));
  }

  #grow(slotCount: number): void {
    const starts = new Int32Array(slotCount);
    const ends = new Int32Array(slotCount);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }
}

/**
 * Lends {@link CommandArguments} to sessions.
 *
 * A session holds one only while it processes, so thousands of idle connections hold none, and
 * neither do those that wait for the rest of a request.
 *
 * Thread: one pool per I/O thread.
 */
export class ArgumentsPool {
  readonly #idle: CommandArguments[] = [];
  #large: CommandArguments | undefined;

  /** Takes an instance with no arguments in it. */
  take(): CommandArguments {
    const large = this.#large;
    if (large === undefined) return this.#idle.pop() ?? new CommandArguments();
    this.#large = undefined;
    return large;
  }

  /** Gives one back; the caller must not touch it again. */
  give(args: CommandArguments): void {
    args.reset(EMPTY);
    const slotCount = args.starts.length;
    if (slotCount > KEEP_SLOT_COUNT) {
      if (slotCount <= KEEP_LARGE_SLOT_COUNT) this.#large = args;
    } else if (this.#idle.length < KEEP_INSTANCE_COUNT) {
      this.#idle.push(args);
    }
  }
}

const EMPTY = new Uint8Array(0);
