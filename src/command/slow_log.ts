/**
 * Commands that took long: what `SLOWLOG` shows.
 *
 * Each thread keeps its own; a number that all draw from one counter puts them in order.
 *
 * @module
 */

import type { CommandArguments } from "./arguments.ts";
import type { CommandRow } from "./row.ts";
import { firstSecretWord, REDACTED } from "./secrets.ts";

/** Arguments of a command that are kept, the note about the rest included. Source: Redis. */
export const SLOW_ARGUMENTS_MAX = 32;

/** Bytes of an argument that are kept. Source: Redis. */
export const SLOW_ARGUMENT_BYTES = 128;

/**
 * Most slow commands that a thread keeps, whatever `slowlog-max-len` says.
 *
 * Reason: each takes up to 5 KiB.
 */
export const SLOW_COMMANDS_MAX = 4096;

/** One slow command; structured-cloneable. */
export interface SlowCommand {
  /** Its number, unique in this process and growing. */
  readonly id: number;
  /** When it ran. Unit: s since the epoch. */
  readonly atSeconds: number;
  /** How long. Unit: µs. */
  readonly micros: number;
  /** Its words, cut. */
  readonly words: readonly Uint8Array[];
  /** Who sent it, `address:port`. */
  readonly address: string;
  /** What that client calls itself. */
  readonly name: string;
}

/**
 * The slow commands of one thread, the newest last.
 *
 * Thread: that thread.
 */
export class SlowLog {
  #commands: SlowCommand[] = [];

  /** How many there are. */
  get size(): number {
    return this.#commands.length;
  }

  /** Adds one and drops the oldest above `maxCount`. */
  add(command: SlowCommand, maxCount: number): void {
    const keptCount = Math.min(maxCount, SLOW_COMMANDS_MAX);
    this.#commands.push(command);
    if (this.#commands.length > keptCount) {
      this.#commands.splice(0, this.#commands.length - keptCount);
    }
  }

  /** The newest ones, newest first. */
  newest(maxCount: number): SlowCommand[] {
    return this.#commands.slice(Math.max(0, this.#commands.length - maxCount)).reverse();
  }

  /** Forgets all. */
  reset(): void {
    this.#commands = [];
  }
}

/**
 * A copy of a command's words as they are kept: long ones and the rest of many are cut, secret ones
 * left out.
 */
export function slowWords(row: CommandRow, args: CommandArguments): Uint8Array[] {
  const secretAt = firstSecretWord(row, args);
  const words: Uint8Array[] = [];
  const shownCount = args.count > SLOW_ARGUMENTS_MAX ? SLOW_ARGUMENTS_MAX - 1 : args.count;
  for (let i = 0; i < shownCount; i++) {
    words.push(i >= secretAt ? encoder.encode(REDACTED) : slowWord(args, i));
  }
  if (shownCount < args.count) {
    words.push(encoder.encode(`... (${args.count - shownCount} more arguments)`));
  }
  return words;
}

function slowWord(args: CommandArguments, index: number): Uint8Array {
  const start = args.starts[index]!;
  const byteCount = args.length(index);
  if (byteCount <= SLOW_ARGUMENT_BYTES) return args.bytes.slice(start, start + byteCount);
  const note = encoder.encode(`... (${byteCount - SLOW_ARGUMENT_BYTES} more bytes)`);
  const word = new Uint8Array(SLOW_ARGUMENT_BYTES + note.length);
  word.set(args.bytes.subarray(start, start + SLOW_ARGUMENT_BYTES));
  word.set(note, SLOW_ARGUMENT_BYTES);
  return word;
}

const encoder = new TextEncoder();
