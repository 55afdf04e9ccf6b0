/**
 * Reads a balance through the command layer, on behalf of a Protobuf message.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { Int64 } from "../../base/int64.ts";
import { type ByteSlice, MAX_USER_BYTES } from "../../base/job.ts";
import { CommandArguments } from "../../command/arguments.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import type { ReplySink } from "../../command/reply_sink.ts";

const NO_BYTES = new Uint8Array(0);

/** What a {@link BalanceLookup} found. */
export const BalanceFinding = {
  /** The user has no balance. */
  MISSING: 0,
  /** `value` is the balance. */
  FOUND: 1,
  /** The key holds something else. */
  WRONG_TYPE: 2,
} as const;

/** One of the values of {@link BalanceFinding}. */
export type BalanceFinding = (typeof BalanceFinding)[keyof typeof BalanceFinding];

/**
 * One question for a user's balance and its answer.
 *
 * Thread: one I/O thread.
 */
export class BalanceLookup implements ReplySink {
  /** The question as a command: `BALANCE user`. */
  readonly args: CommandArguments = new CommandArguments();
  /** What was found. */
  finding: BalanceFinding = BalanceFinding.MISSING;
  /** The balance, when found. */
  readonly value: Int64 = new Int64();

  readonly #user = new Uint8Array(MAX_USER_BYTES);

  /** Asks for a user of at most `MAX_USER_BYTES`; the name is copied, it may have to wait. */
  setUser({ bytes, start, end }: ByteSlice): void {
    this.#user.set(bytes.subarray(start, end));
    this.args.reset(this.#user);
    // The command's name is not looked at.
    this.args.push(0, 0);
    this.args.push(0, end - start);
  }

  /** See {@link ReplySink}. */
  int64(value: Int64): void {
    this.finding = BalanceFinding.FOUND;
    this.value.copyFrom(value);
  }

  /** See {@link ReplySink}. */
  integer(value: number): void {
    this.finding = BalanceFinding.FOUND;
    this.value.setNumber(value);
  }

  /** See {@link ReplySink}. */
  nil(): void {
    this.finding = BalanceFinding.MISSING;
  }

  /** See {@link ReplySink}. */
  error(code: ReplyCode, detail?: string): void {
    assert(
      code === ReplyCode.WRONG_TYPE || code === ReplyCode.NOT_AN_INTEGER,
      `BALANCE answers with an integer, nil or a wrong type, not ${code} ${detail ?? ""}`,
    );
    this.finding = BalanceFinding.WRONG_TYPE;
  }

  /** See {@link ReplySink}; never used by `BALANCE`. */
  readonly target: Uint8Array = NO_BYTES;
  /** See {@link ReplySink}; never used by `BALANCE`. */
  ok(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  simple(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  bulk(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  bulkText(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  verbatimText(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  bulkStart(): number {
    return unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  arrayStart(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  setStart(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  mapStart(): void {
    unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  mark(): number {
    return unexpected();
  }
  /** See {@link ReplySink}; never used by `BALANCE`. */
  rewind(): void {
    unexpected();
  }
}

function unexpected(): never {
  throw new TypeError("Cannot reply to BALANCE: not an integer and not nil");
}
