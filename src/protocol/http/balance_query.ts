/**
 * Reads a balance through the command layer.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { Int64 } from "../../base/int64.ts";
import { ByteSlice, MAX_USER_BYTES } from "../../base/job.ts";
import { CommandArguments } from "../../command/arguments.ts";
import { ClientState } from "../../command/client_state.ts";
import { isPlainText } from "../../command/event.ts";
import type { ExecuteStatus } from "../../command/dispatch.ts";
import { ReplyCode } from "../../command/reply_code.ts";
import type { ReplySink } from "../../command/reply_sink.ts";
import type { CommandRow } from "../../command/row.ts";
import { encodeText } from "./characters.ts";
import { percentDecode } from "./percent_decoding.ts";

const NAME = encodeText("balance");
const NO_BYTES = new Uint8Array(0);

/** What a {@link BalanceLookup} found. */
export const BalanceStatus = {
  /** The user has no balance. */
  MISSING: 0,
  /** `value` is the balance. */
  FOUND: 1,
  /** The key holds something else. */
  WRONG_TYPE: 2,
} as const;

/** One of the values of {@link BalanceStatus}. */
export type BalanceStatus = (typeof BalanceStatus)[keyof typeof BalanceStatus];

/** The dispatcher, as far as a query needs it. */
export interface RowExecutor {
  /** Runs the command of `row`; see `Dispatcher.executeRow`. */
  executeRow(
    row: CommandRow,
    args: CommandArguments,
    sink: ReplySink,
    client: ClientState,
  ): ExecuteStatus | Promise<ExecuteStatus>;
}

/** The command table, as far as a query needs it. */
export interface RowTable {
  /** The row with this name; see `CommandTable.named`. */
  named(name: string): CommandRow | undefined;
}

/**
 * One question for a user's balance and its answer.
 *
 * Thread: one I/O thread.
 */
export class BalanceLookup implements ReplySink {
  /** Whose balance. */
  readonly user: ByteSlice = new ByteSlice();
  /** What was found. */
  status: BalanceStatus = BalanceStatus.MISSING;
  /** The balance, when found. */
  readonly value: Int64 = new Int64();

  /** The question as a command: `BALANCE user`. */
  readonly args: CommandArguments = new CommandArguments();
  /** The command's name, then the user. */
  readonly #decoded = new Uint8Array(NAME.length + MAX_USER_BYTES);
  readonly #userRoom = this.#decoded.subarray(NAME.length);

  /** Makes a lookup for nobody yet. */
  constructor() {
    this.#decoded.set(NAME);
  }

  /**
   * Takes the user from a percent-encoded path segment; its bytes are copied.
   *
   * @returns false when that is not a name a user can have
   */
  setUser(source: Uint8Array, start: number, end: number): boolean {
    const decoded = this.#decoded;
    const byteCount = percentDecode(source, start, end, this.#userRoom);
    if (byteCount < 1) return false;
    this.user.set(decoded, NAME.length, NAME.length + byteCount);
    this.args.reset(decoded);
    this.args.push(0, NAME.length);
    this.args.push(this.user.start, this.user.end);
    return isPlainText(this.user);
  }

  /** See {@link ReplySink}. */
  int64(value: Int64): void {
    this.status = BalanceStatus.FOUND;
    this.value.copyFrom(value);
  }

  /** See {@link ReplySink}. */
  integer(value: number): void {
    this.status = BalanceStatus.FOUND;
    this.value.setNumber(value);
  }

  /** See {@link ReplySink}. */
  nil(): void {
    this.status = BalanceStatus.MISSING;
  }

  /** See {@link ReplySink}. */
  error(code: ReplyCode, detail?: string): void {
    assert(
      code === ReplyCode.WRONG_TYPE || code === ReplyCode.NOT_AN_INTEGER,
      `BALANCE answers with an integer, nil or a wrong type, not ${code} ${detail ?? ""}`,
    );
    this.status = BalanceStatus.WRONG_TYPE;
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

/**
 * Asks for balances; allocates nothing unless the shard's lock is busy.
 *
 * Thread: one per I/O thread.
 */
export class BalanceQuery {
  readonly #executor: RowExecutor;
  readonly #row: CommandRow;
  readonly #client: ClientState = new ClientState({ id: 0, connectedAtMs: 0 }, true);
  #spare: BalanceLookup | null = new BalanceLookup();

  /**
   * Asks through `executor`.
   *
   * @param executor runs commands
   * @param table has `BALANCE`
   * @throws {AssertionFault} when it has not
   */
  constructor(executor: RowExecutor, table: RowTable) {
    const row = table.named("balance");
    assert(row !== undefined, "the command table has BALANCE");
    this.#executor = executor;
    this.#row = row;
  }

  /** Lends a lookup; give it back with {@link BalanceQuery.give}. */
  take(): BalanceLookup {
    const lookup = this.#spare ?? new BalanceLookup();
    this.#spare = null;
    return lookup;
  }

  /** Takes a lookup back. */
  give(lookup: BalanceLookup): void {
    this.#spare = lookup;
  }

  /**
   * Answers `lookup`.
   *
   * @returns a promise when the lock is busy; the answer is there when it is done
   */
  run(lookup: BalanceLookup): void | Promise<ExecuteStatus> {
    const result = this.#executor.executeRow(this.#row, lookup.args, lookup, this.#client);
    if (typeof result !== "number") return result;
  }
}

function unexpected(): never {
  throw new TypeError("Cannot reply to BALANCE: not an integer and not nil");
}
