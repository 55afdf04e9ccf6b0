/**
 * Routes of HTTP and messages of Protobuf as clients of the command layer.
 *
 * They run rows of the command table like any other client, so that locks, limits and fault handling
 * are those of commands, and look at the reply to make their own.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/bytes.ts";
import { CommandArguments } from "../command/arguments.ts";
import { ClientState } from "../command/client_state.ts";
import type { ExecuteStatus } from "../command/dispatch.ts";
import type { ReplySink } from "../command/reply_sink.ts";
import type { CommandRow } from "../command/row.ts";
import { CapturedReply } from "./captured_reply.ts";

/** Room for arguments or replies that grew beyond this is given back. Unit: bytes. */
const KEPT_ROOM_BYTES = 65536;

/** Idle queries that are kept; only parked requests need more than one at a time. */
const IDLE_QUERY_COUNT = 16;

/** The dispatcher, as far as it is needed here. */
export interface RowExecutor {
  /** Runs the command of `row`; see `Dispatcher.executeRow`. */
  executeRow(
    row: CommandRow,
    args: CommandArguments,
    sink: ReplySink,
    client: ClientState,
  ): ExecuteStatus | Promise<ExecuteStatus>;
}

/** The command table, as far as it is needed here. */
export interface RowTable {
  /** The row with this name; see `CommandTable.named`. */
  named(name: string): CommandRow | undefined;
}

/**
 * One command on its way: its arguments, which are copied, and its reply.
 *
 * Thread: one I/O thread; from {@link CommandClient.take} to {@link CommandClient.give}.
 */
export class CommandQuery {
  /** What the command replied. */
  readonly reply: CapturedReply = new CapturedReply();
  /** The row that runs. */
  row!: CommandRow;
  /** For who asks: how often it was run already. */
  attempt = 0;
  /** The arguments so far, the name first. */
  readonly args: CommandArguments = new CommandArguments();

  readonly #room = new ByteWriter(256);

  /** Starts over with another command. */
  begin(row: CommandRow): void {
    this.row = row;
    this.attempt = 0;
    this.args.reset(this.#room.bytes);
    this.#room.clear(KEPT_ROOM_BYTES);
    this.reply.clear(KEPT_ROOM_BYTES);
    this.add(row.nameBytes);
  }

  /** Appends the argument `bytes[start, end)`. */
  add(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const at = this.#room.length;
    this.#room.copy(bytes, start, end);
    this.#push(at);
  }

  /**
   * Room for an argument that the caller writes itself, to {@link CommandQuery.target}, and then
   * ends with {@link CommandQuery.addWritten}.
   *
   * @returns where it starts
   */
  reserve(byteCount: number): number {
    return this.#room.reserve(byteCount);
  }

  /** What {@link CommandQuery.reserve} gives room in; replaced by any other call. */
  get target(): Uint8Array {
    return this.#room.bytes;
  }

  /** Appends the argument whose `byteCount` bytes were written to the room at `start`. */
  addWritten(start: number, byteCount: number): void {
    this.#room.length = start + byteCount;
    this.#push(start);
  }

  /** Puts other bytes of the same length in the place of the last argument. */
  replaceLast(bytes: Uint8Array): void {
    const { args } = this;
    const start = args.starts[args.count - 1]!;
    assert(args.ends[args.count - 1]! - start === bytes.length, "both words have the same length");
    this.#room.bytes.set(bytes, start);
  }

  /** Takes the last argument away. */
  dropLast(): void {
    this.args.count--;
  }

  #push(start: number): void {
    this.args.push(start, this.#room.length);
    // The room may have moved.
    this.args.bytes = this.#room.bytes;
  }
}

/**
 * Runs commands for one protocol on one thread; allocates nothing unless a command has to wait.
 *
 * Thread: one per I/O thread.
 */
export class CommandClient {
  readonly #executor: RowExecutor;
  readonly #table: RowTable;
  /** The protocol asks only for clients that it has admitted. */
  readonly #client: ClientState = new ClientState({ id: 0, connectedAtMs: 0 }, true);
  readonly #idle: CommandQuery[] = [];

  /**
   * Runs commands through `executor`.
   *
   * @param executor runs commands
   * @param table has them
   */
  constructor(executor: RowExecutor, table: RowTable) {
    this.#executor = executor;
    this.#table = table;
  }

  /**
   * The row of a command; for the start.
   *
   * @throws {AssertionFault} when there is none
   */
  row(name: string): CommandRow {
    const row = this.#table.named(name);
    assert(row !== undefined, `the command table has ${name}`);
    return row;
  }

  /** Lends a query for `row`; give it back with {@link CommandClient.give}. */
  take(row: CommandRow): CommandQuery {
    const query = this.#idle.pop() ?? new CommandQuery();
    query.begin(row);
    return query;
  }

  /** Takes a query back; the caller must not touch it again. */
  give(query: CommandQuery): void {
    if (this.#idle.length < IDLE_QUERY_COUNT) this.#idle.push(query);
  }

  /**
   * Runs the query's command.
   *
   * @returns a promise when it has to wait for a lock; the reply is there when it is done
   * @throws whatever the command throws: a fault of ours
   */
  run(query: CommandQuery): void | Promise<unknown> {
    const result = this.#executor.executeRow(query.row, query.args, query.reply, this.#client);
    if (typeof result !== "number") return result;
  }
}

const encoder = new TextEncoder();

/** Words that are arguments, encoded once. */
export const Word: Readonly<Record<"NX" | "XX" | "PX" | "MATCH" | "COUNT", Uint8Array>> = {
  NX: encoder.encode("NX"),
  XX: encoder.encode("XX"),
  PX: encoder.encode("PX"),
  MATCH: encoder.encode("MATCH"),
  COUNT: encoder.encode("COUNT"),
};
