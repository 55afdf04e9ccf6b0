/**
 * Executes the commands of a log.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import { CommandArguments } from "../command/arguments.ts";
import { Authenticator } from "../command/authenticator.ts";
import type { ByteSource } from "../command/byte_source.ts";
import { LocalClients } from "../command/client_directory.ts";
import { ClientState } from "../command/client_state.ts";
import { Dispatcher } from "../command/dispatch.ts";
import { EventIntake } from "../command/event_intake.ts";
import { EventWaits } from "../command/event_waits.ts";
import { Operations } from "../command/operations.ts";
import { ReplyCode } from "../command/reply_code.ts";
import type { ReplySink } from "../command/reply_sink.ts";
import type { ReplySource } from "../command/reply_source.ts";
import type { ServerSnapshot } from "../command/services.ts";
import { makeCommandTable } from "../command/table.ts";
import { MAX_EXPIRE_AT_MS, type Store } from "../store/store.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import { noRoom, type RoomOptions } from "./data_store.ts";
import type { Skipped } from "./skipped.ts";

/** Commands whose times count from now on; in logs of Redis times are absolute. */
const RELATIVE: ReadonlySet<string> = new Set(["EXPIRE", "PEXPIRE", "SETEX", "PSETEX"]);
/** Options that do the same. */
const RELATIVE_OPTIONS: ReadonlySet<string> = new Set(["EX", "PX"]);
/** Commands that may have them. */
const WITH_OPTIONS: ReadonlySet<string> = new Set(["SET", "GETEX"]);
/** What is not counted. */
const NO_COUNTERS = { add: () => {} };
const NAME_BYTES = 64;

/**
 * Executes commands on a store, as a server would for one client.
 *
 * Nothing expires meanwhile, as in Redis: whether a key has is decided when all commands have been
 * executed, as some of them may have given it more time.
 *
 * Thread: the only one that uses the store.
 */
export class CommandRunner {
  readonly #store: Store;
  readonly #room: RoomOptions;
  readonly #skipped: Skipped;
  readonly #dispatcher: Dispatcher;
  readonly #args = new CommandArguments();
  readonly #sink = new ErrorSink();
  readonly #client = new ClientState({ id: 1, connectedAtMs: 0 }, true);
  #nowMs = 0;
  #bytes = new Uint8Array(4096);

  /** Executes on `store`, which was made with these options. */
  constructor(store: Store, room: RoomOptions, skipped: Skipped) {
    this.#store = store;
    this.#room = room;
    this.#skipped = skipped;
    this.#dispatcher = makeDispatcher(store, () => this.#nowMs);
  }

  /**
   * Executes one command; what has no place here is counted.
   *
   * @returns undefined when it is done
   * @throws {DataError} when there is too little memory
   */
  run(database: number, words: readonly Uint8Array[]): Promise<void> | undefined {
    const name = nameOf(words[0]!);
    const key = words[1];
    if (database >= DATABASE_COUNT) {
      this.#skipped.add(`databases above ${DATABASE_COUNT - 1}`, key);
      return undefined;
    }
    this.#nowMs = isRelative(name, words) ? Date.now() : 0;
    this.#fill(withKnownTime(name, words));
    if (this.#dispatcher.rowOf(this.#args)?.flags.includes("write") !== true) {
      // A log has what changes data, and nothing else is executed.
      this.#skipped.add(`commands ${name}`, key);
      return undefined;
    }
    this.#client.database = database;
    this.#sink.begin();
    this.#dispatcher.beginBatch();
    const done = this.#dispatcher.execute(this.#args, this.#sink, this.#client);
    if (typeof done === "number") {
      this.#finish(name, key);
      return undefined;
    }
    return done.then(() => this.#finish(name, key));
  }

  #finish(name: string, key: Uint8Array | undefined): void {
    // Whatever is asked of the store from now on is about what has not expired yet.
    this.#store.nowMs = 0;
    const { code } = this.#sink;
    if (code < 0) return;
    if (code === ReplyCode.OUT_OF_MEMORY) {
      throw noRoom(this.#room, "the keys do not fit the memory");
    }
    const what = code === ReplyCode.VALUE_TOO_LARGE
      ? `values above ${this.#store.maxValueBytes} bytes (see --max-value-bytes)`
      : `commands ${name} that failed`;
    this.#skipped.add(what, key);
  }

  #fill(words: readonly Uint8Array[]): void {
    const byteCount = words.reduce((sum, { length }) => sum + length, 0);
    if (byteCount > this.#bytes.length) this.#bytes = new Uint8Array(byteCount * 2);
    this.#args.reset(this.#bytes);
    let at = 0;
    for (const word of words) {
      this.#bytes.set(word, at);
      this.#args.push(at, at += word.length);
    }
  }
}

function nameOf(word: Uint8Array): string {
  return new TextDecoder().decode(word.subarray(0, NAME_BYTES)).toUpperCase();
}

function isRelative(name: string, words: readonly Uint8Array[]): boolean {
  if (RELATIVE.has(name)) return true;
  const first = firstOption(name);
  return WITH_OPTIONS.has(name) && words.length > first &&
    words.slice(first).some((word) => word.length === 2 && RELATIVE_OPTIONS.has(nameOf(word)));
}

/** Index of the first word that may be an option. */
function firstOption(name: string): number {
  return name === "SET" ? 3 : 2;
}

/** Where a command has an absolute time; no key expires later than {@link MAX_EXPIRE_AT_MS} here. */
function withKnownTime(name: string, words: readonly Uint8Array[]): readonly Uint8Array[] {
  let at = name === "PEXPIREAT" ? 2 : 0;
  if (WITH_OPTIONS.has(name)) {
    at = words.findIndex((word, i) => i > 2 && nameOf(word) === "PXAT") + 1;
  }
  if (at === 0 || at >= words.length || !(Number(nameOf(words[at]!)) > MAX_EXPIRE_AT_MS)) {
    return words;
  }
  return words.with(at, new TextEncoder().encode(String(MAX_EXPIRE_AT_MS)));
}

/** A dispatcher with a store, and none of what only servers have. */
function makeDispatcher(store: Store, clock: () => number): Dispatcher {
  const phase = { stopping: false };
  const table = makeCommandTable();
  return new Dispatcher({
    store,
    intake: closedIntake(phase),
    authenticator: new Authenticator({
      password: new Uint8Array(0),
      counters: NO_COUNTERS,
      failures: 0,
    }),
    clients: new LocalClients(),
    table,
    settings: new Map(),
    operations: Operations.alone(table, phase),
    snapshot: () => ({ version: "" }) as ServerSnapshot,
    clock,
    counters: NO_COUNTERS,
    counterIds: { parkedCommands: 0 },
  });
}

/** Takes no events: nobody would settle them. */
function closedIntake(phase: { readonly stopping: boolean }): EventIntake {
  return new EventIntake({
    channel: {
      closed: true,
      depth: 0,
      tryReserve: () => false,
      put: () => false,
      callConsumer: () => {},
      cancelReservation: () => {},
    },
    credits: { tryAcquire: () => false, release: () => {} },
    phase,
    counters: NO_COUNTERS,
    counterIds: {
      received: 0,
      droppedBusy: 0,
      droppedOutOfMemory: 0,
      droppedShuttingDown: 0,
      droppedStorage: 0,
      invalid: 0,
      duplicates: 0,
      forgottenIds: 0,
    },
    waits: new EventWaits(0),
    settledTotal: () => 0,
  });
}

/** Takes a reply, of which only matters whether it is an error. */
class ErrorSink implements ReplySink {
  /** See {@link ReplySink.target}. */
  target: Uint8Array = new Uint8Array(0);
  /** Code of the error; -1 = it is none. */
  code = -1;

  begin(): void {
    this.code = -1;
  }

  error(code: ReplyCode): void {
    this.code = code;
  }

  bulkStart(byteCount: number): number {
    if (byteCount > this.target.length) this.target = new Uint8Array(byteCount);
    return 0;
  }

  bulkSource(source: ByteSource): void {
    source.release();
  }

  replySource(source: ReplySource): void {
    source.release();
  }

  mark(): number {
    return this.code;
  }

  rewind(mark: number): void {
    this.code = mark;
  }

  ok(): void {}
  simple(_word: string): void {}
  integer(_value: number): void {}
  int64(_value: Int64): void {}
  double(_value: number): void {}
  nil(): void {}
  nilArray(): void {}
  bulk(_bytes: Uint8Array, _start: number, _end: number): void {}
  bulkText(_text: string): void {}
  verbatimText(_text: string): void {}
  arrayStart(_elementCount: number): void {}
  setStart(_elementCount: number): void {}
  mapStart(_pairCount: number): void {}
  pushStart(_elementCount: number): void {}
}
