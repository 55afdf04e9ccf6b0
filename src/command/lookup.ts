/**
 * Finds a command by the bytes of its name, in any case, without making a string.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { CommandRow } from "./row.ts";

/** Slots per row; few enough to stay in cache, many enough that nearly every name is found first. */
const SLOTS_PER_ROW = 4;

/**
 * Operation number of a table's first row. Lower numbers are free for those who hold shard locks
 * without a command, such as event workers.
 */
export const FIRST_COMMAND_OPERATION = 256;

/** Any odd number with well-mixed bits serves; this one is 2^32 / golden ratio. */
const MIX = 0x9e3779b1;

/**
 * A set of rows that stays as it is.
 *
 * The hash takes the length and three bytes of the name with their case bit set; the name is then
 * compared whole. Collisions go to the next slot.
 *
 * Thread: any; never changes.
 */
export class CommandTable {
  /** The rows in the order they were given. */
  readonly rows: readonly CommandRow[];

  readonly #slots: (CommandRow | undefined)[];
  readonly #shift: number;
  #last: CommandRow | undefined = undefined;

  /**
   * Makes the table and gives its rows their operation numbers.
   *
   * @throws {AssertionFault} when a name occurs twice
   */
  constructor(rows: readonly CommandRow[]) {
    this.rows = rows;
    const bits = Math.ceil(Math.log2(Math.max(rows.length, 1) * SLOTS_PER_ROW)) + 1;
    this.#shift = 32 - bits;
    this.#slots = new Array<CommandRow | undefined>(1 << bits).fill(undefined);
    for (const [index, row] of rows.entries()) {
      row.operation = FIRST_COMMAND_OPERATION + index;
      const name = row.nameBytes;
      assert(this.find(name, 0, name.length) === undefined, `command ${row.name} occurs once`);
      let slot = this.#slotOf(name, 0, name.length);
      while (this.#slots[slot] !== undefined) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = row;
    }
  }

  /** The row whose name is `bytes[start, end)` in any case; undefined when there is none. */
  find(bytes: Uint8Array, start: number, end: number): CommandRow | undefined {
    if (start === end) return undefined;
    // Commands come in rows of the same kind.
    const last = this.#last;
    if (last !== undefined && sameName(last.nameBytes, bytes, start, end)) return last;
    const slots = this.#slots;
    let slot = this.#slotOf(bytes, start, end);
    for (;;) {
      const row = slots[slot];
      if (row === undefined) return row;
      if (sameName(row.nameBytes, bytes, start, end)) return this.#last = row;
      slot = (slot + 1) & (slots.length - 1);
    }
  }

  /** The row with this name, as in `get` or `client|setname`; for rare use. */
  named(name: string): CommandRow | undefined {
    const [first, second] = name.toLowerCase().split("|");
    const bytes = encoder.encode(first);
    const row = this.find(bytes, 0, bytes.length);
    return second === undefined ? row : row?.subcommands?.named(second);
  }

  /** The command that a fault's operation number means; undefined when it means none. */
  operationName(operation: number): string | undefined {
    return this.rows[operation - FIRST_COMMAND_OPERATION]?.name;
  }

  #slotOf(bytes: Uint8Array, start: number, end: number): number {
    const byteCount = end - start;
    const first = bytes[start]! | 0x20;
    const middle = bytes[start + (byteCount >> 1)]! | 0x20;
    const last = bytes[end - 1]! | 0x20;
    return Math.imul(byteCount ^ (first << 8) ^ (middle << 16) ^ (last << 24), MIX) >>> this.#shift;
  }
}

function sameName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== name[i]) return false;
  }
  return true;
}

const encoder = new TextEncoder();
