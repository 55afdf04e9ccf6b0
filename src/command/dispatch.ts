/**
 * Runs commands: find the row, check the arguments, take the locks, call the handler.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import type { CommandArguments } from "./arguments.ts";
import { CommandCall } from "./call.ts";
import type { ClientState } from "./client_state.ts";
import { LockSet } from "../store/lock_set.ts";
import {
  refuseArity,
  refuseExecArity,
  refuseSubscriber,
  refuseUnknown,
  refuseUnknownSubcommand,
  refuseUnsafe,
} from "./refusals.ts";
import { queueCommand } from "./queue_command.ts";
import type { Operations } from "./operations.ts";
import { ReplyCode } from "./reply_code.ts";
import type { ReplySink } from "./reply_sink.ts";
import { type CommandRow, HandlerStatus } from "./row.ts";
import type { CommandServices, StorageControl } from "./services.ts";

/**
 * How often a command that found no memory is tried again after some was reclaimed.
 *
 * Reason: each time may gain a page, or as many as can be evicted in a millisecond; the largest value
 * takes hundreds.
 */
export const MAX_RECLAIM_ATTEMPTS = 512;
/** After so many of these the thread serves others before each. */
const PROMPT_RECLAIM_ATTEMPTS = 4;

/**
 * What the session does behind a command.
 *
 * - `CONTINUE`: go on with the next one.
 * - `CLOSE`: write the output, then close.
 * - `WRITE_FIRST`: nothing was done, because the reply may take long; write the output, then execute
 *   the same command again.
 */
export const ExecuteStatus = { CONTINUE: 0, CLOSE: 1, WRITE_FIRST: 2 } as const;

/** One of the values of {@link ExecuteStatus}. */
export type ExecuteStatus = (typeof ExecuteStatus)[keyof typeof ExecuteStatus];

/**
 * Executes commands on behalf of all sessions of one thread.
 *
 * Locks are taken for the handler's whole run and never across a wait (C2). A command whose locks
 * are busy is parked: its promise resolves when it has run. An exception inside a handler that
 * holds locks poisons them (C4) and is thrown on; the server must stop.
 *
 * Thread: one per I/O thread; nothing in it is shared.
 */
export class Dispatcher {
  readonly #services: CommandServices;
  readonly #call: CommandCall;
  readonly #lockSet: LockSet;
  readonly #operations: Operations;
  readonly #notifier: Notifier | undefined;
  readonly #storage: StorageControl | undefined;
  /** The same, if replies wait for what they tell of. */
  readonly #disclosure: StorageControl | undefined;

  /**
   * Makes the dispatcher of a thread.
   *
   * @param services what commands may use, for the life of the thread
   */
  constructor(services: CommandServices) {
    this.#services = services;
    this.#call = new CommandCall(services);
    this.#notifier = services.notifier;
    this.#storage = services.storage;
    this.#disclosure = services.storage?.confirmsDurable === true ? services.storage : undefined;
    this.#lockSet = new LockSet(services.store.locks, services.store.shardCount);
    this.#operations = services.operations;
  }

  /** What administration sees and steers. */
  get operations(): Operations {
    return this.#operations;
  }

  /** The time that was taken last. Unit: ms since the epoch. */
  get nowMs(): number {
    return this.#services.store.nowMs;
  }

  /**
   * The row that {@link Dispatcher.execute} would run, arguments unchecked; for logs.
   *
   * @returns undefined when there is no such command or subcommand
   */
  rowOf(args: CommandArguments): CommandRow | undefined {
    const { bytes, starts, ends } = args;
    const row = this.#services.table.find(bytes, starts[0]!, ends[0]!);
    if (row?.subcommands === undefined || args.count < 2) return row;
    return row.subcommands.find(bytes, starts[1]!, ends[1]!);
  }

  /**
   * Takes the time once for the commands that follow in this turn of the event loop.
   *
   * @returns that time, ms since the epoch
   */
  beginBatch(): number {
    this.#operations.beginBatch();
    return this.#services.store.nowMs = this.#services.clock();
  }

  /**
   * Executes one command and writes its reply.
   *
   * @param args at least the name; must stay untouched until a returned promise is done
   * @returns the status, or a promise of it when the command had to wait for a lock
   * @throws whatever a handler throws, and {@link LockPoisonedError}: faults of ours
   */
  execute(
    args: CommandArguments,
    sink: ReplySink,
    client: ClientState,
  ): ExecuteStatus | Promise<ExecuteStatus> {
    const row = this.#services.table.find(args.bytes, args.starts[0]!, args.ends[0]!);
    if (row === undefined) {
      client.transaction?.spoil();
      refuseUnknown(args, sink);
      this.#operations.countError(client);
      return ExecuteStatus.CONTINUE;
    }
    return this.executeRow(row, args, sink, client);
  }

  /**
   * The same for a caller that knows the row, as routes of HTTP do; argument 0 is not looked at.
   *
   * @throws whatever a handler throws, and {@link LockPoisonedError}: faults of ours
   */
  executeRow(
    row: CommandRow,
    args: CommandArguments,
    sink: ReplySink,
    client: ClientState,
  ): ExecuteStatus | Promise<ExecuteStatus> {
    const argumentCount = args.count;
    if (row.subcommands !== undefined && argumentCount > 1) {
      const subcommand = row.subcommands.find(args.bytes, args.starts[1]!, args.ends[1]!);
      if (subcommand === undefined) {
        client.transaction?.spoil();
        refuseUnknownSubcommand(row, args, sink);
        this.#operations.countError(client);
        return ExecuteStatus.CONTINUE;
      }
      row = subcommand;
    }
    if (argumentCount < row.minArguments || argumentCount > row.maxArguments) {
      client.transaction?.spoil();
      if (row.name === "exec") refuseExecArity(row, client, sink);
      else refuseArity(row, sink);
      this.#operations.reject(row, client);
      return ExecuteStatus.CONTINUE;
    }
    if (!client.authenticated && !row.allowedUnauthenticated) {
      if (this.#services.authenticator.required) {
        sink.error(ReplyCode.NOT_AUTHENTICATED);
        this.#operations.reject(row, client);
        return ExecuteStatus.CONTINUE;
      }
      // None is wanted any more.
      client.authenticated = true;
    }
    if (client.subscriptionCount > 0 && client.protocol === 2 && !row.allowedToSubscribers) {
      client.transaction?.spoil();
      refuseSubscriber(row, sink);
      this.#operations.reject(row, client);
      return ExecuteStatus.CONTINUE;
    }
    const storage = this.#storage;
    if (storage !== undefined && !storage.takesWrites && this.#isRefused(row, args, sink, client)) {
      client.transaction?.spoil();
      refuseUnsafe(row.exclusive, sink);
      this.#operations.reject(row, client);
      return ExecuteStatus.CONTINUE;
    }
    client.lastRow = row;
    if (client.transaction !== undefined && !row.runsAtOnce) {
      queueCommand(client.transaction, row, args, sink);
      return ExecuteStatus.CONTINUE;
    }
    const operations = this.#operations;
    if (operations.monitors.isWatched) operations.monitors.show(row, args, client, this.nowMs);
    const startedAtMs = operations.begin(row, args);
    const outcome = this.#run(row, args, sink, client);
    if (this.#disclosure !== undefined && row.tellsOfMore) this.#disclosure.touchAll();
    if (typeof outcome !== "number") {
      if (this.#disclosure !== undefined && mayTell(row)) this.#disclosure.tellsLater();
      return this.#finishLater(outcome, takesTime(row) ? startedAtMs : 0, row, args, client);
    }
    if (startedAtMs !== 0) operations.finish(startedAtMs, row, args, client);
    if (client.lastError >= 0) operations.fail(row, client);
    if (outcome === ExecuteStatus.WRITE_FIRST) operations.stats.takeBack(row);
    return outcome;
  }

  /** Counts a command whose reply comes later. */
  async #finishLater(
    outcome: Promise<ExecuteStatus>,
    startedAtMs: number,
    row: CommandRow,
    args: CommandArguments,
    client: ClientState,
  ): Promise<ExecuteStatus> {
    const status = await outcome;
    if (startedAtMs !== 0) this.#operations.finish(startedAtMs, row, args, client, 1);
    if (client.lastError >= 0) this.#operations.fail(row, client);
    return status;
  }

  /**
   * The log cannot be written. Whether the command may change something, of which nobody could say
   * whether it survives; or would tell of something that is lost, where replies wait for the disk.
   * `EXEC` and `EVENT` refuse by themselves.
   */
  #isRefused(
    row: CommandRow,
    args: CommandArguments,
    sink: ReplySink,
    client: ClientState,
  ): boolean {
    // Of those that take locks for writing some change no data: PUBLISH.
    if (row.exclusive) return row.flags.includes("write");
    const disclosure = this.#disclosure;
    if (disclosure === undefined) return false;
    if (row.tellsOfMore) return disclosure.isAnyLost;
    if (row.access !== "read" || (client.transaction !== undefined && !row.runsAtOnce)) {
      return false;
    }
    this.#call.begin(row, args, sink, client);
    this.#call.collectShards(this.#lockSet);
    return this.#lockSet.some((shard) => disclosure.isLost(shard));
  }

  #run(
    row: CommandRow,
    args: CommandArguments,
    sink: ReplySink,
    client: ClientState,
  ): ExecuteStatus | Promise<ExecuteStatus> {
    const call = this.#call;
    call.begin(row, args, sink, client);
    if (row.access === "none") {
      return outcomeOf(row.handler(call), call);
    }
    const argumentCount = args.count;
    const hasOneKey = row.oneKey ||
      (row.findKeys === undefined && row.access !== "all" && row.firstKey > 0 &&
        row.lastKeyOf(argumentCount) === row.firstKey);
    return hasOneKey ? this.#runOneKey(call) : this.#runManyKeys(call);
  }

  #runOneKey(call: CommandCall): ExecuteStatus | Promise<ExecuteStatus> {
    const row = call.row;
    const exclusive = row.exclusive;
    const { store } = this.#services;
    const shard = call.keyAt(row.firstKey).shard;
    for (let attempt = 0;; attempt++) {
      if (!store.locks.tryLock(shard, exclusive)) return this.#park(call, shard, attempt);
      let status: HandlerStatus;
      try {
        status = row.handler(call);
      } catch (error) {
        store.locks.poison(shard, row.operation);
        throw error;
      }
      store.locks.unlock(shard, exclusive);
      if (this.#disclosure !== undefined) this.#disclosure.touch(shard);
      if (this.#notifier !== undefined && this.#notifier.noteCount > 0) this.#notifier.flush();
      if (status !== HandlerStatus.RETRY) return outcomeOf(status, call);
      if (attempt === PROMPT_RECLAIM_ATTEMPTS) return this.#park(call, -1, attempt);
      if (!this.#reclaim(call, attempt)) return ExecuteStatus.CONTINUE;
    }
  }

  #runManyKeys(call: CommandCall): ExecuteStatus | Promise<ExecuteStatus> {
    const row = call.row;
    const lockSet = this.#lockSet;
    call.collectShards(lockSet);
    for (let attempt = 0;; attempt++) {
      const busyShard = lockSet.tryLock(row.exclusive);
      if (busyShard >= 0) return this.#park(call, busyShard, attempt);
      const status = this.#runLocked(call, lockSet);
      if (status !== HandlerStatus.RETRY) return outcomeOf(status, call);
      if (attempt === PROMPT_RECLAIM_ATTEMPTS) return this.#park(call, -1, attempt);
      if (!this.#reclaim(call, attempt)) return ExecuteStatus.CONTINUE;
    }
  }

  /**
   * Waits for the locks and runs the command when it has them.
   *
   * @param busyShard the shard whose lock was busy; -1 when none was, but memory is short
   */
  async #park(call: CommandCall, busyShard: number, attempt: number): Promise<ExecuteStatus> {
    const { store, counters, counterIds } = this.#services;
    if (busyShard >= 0) counters.add(counterIds.parkedCommands);
    // Others use the dispatcher's own call and lock set while this command waits.
    const own = call.detach();
    const lockSet = new LockSet(store.locks, store.shardCount);
    own.collectShards(lockSet);
    for (;; attempt++) {
      if (attempt >= PROMPT_RECLAIM_ATTEMPTS) {
        await nextTurn();
        if (!this.#reclaim(own, attempt)) return ExecuteStatus.CONTINUE;
      }
      if (busyShard < 0) busyShard = lockSet.tryLock(own.row.exclusive);
      if (busyShard >= 0) await lockSet.lockAsync(own.row.exclusive, busyShard);
      busyShard = -1;
      this.beginBatch();
      own.stampAccess();
      const status = this.#runLocked(own, lockSet);
      if (status !== HandlerStatus.RETRY) return outcomeOf(status, own);
      if (attempt + 1 >= PROMPT_RECLAIM_ATTEMPTS) continue;
      if (!this.#reclaim(own, attempt)) return ExecuteStatus.CONTINUE;
    }
  }

  #runLocked(call: CommandCall, lockSet: LockSet): HandlerStatus {
    const row = call.row;
    let status: HandlerStatus;
    try {
      status = row.handler(call);
    } catch (error) {
      lockSet.poison(row.operation);
      throw error;
    }
    lockSet.unlock(row.exclusive);
    const disclosure = this.#disclosure;
    if (disclosure !== undefined) lockSet.forEach((shard) => disclosure.touch(shard));
    if (this.#notifier !== undefined && this.#notifier.noteCount > 0) this.#notifier.flush();
    return status;
  }

  /** Finds memory for another attempt, with no lock held; if there is none, refuses. */
  #reclaim(call: CommandCall, attempt: number): boolean {
    if (attempt < MAX_RECLAIM_ATTEMPTS && this.#services.store.reclaim()) return true;
    call.sink.error(ReplyCode.OUT_OF_MEMORY);
    return false;
  }
}

/** Lets the event loop go round. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Whether the time until a late reply is the command's own. It is not when the command waits for
 * locks, for something to happen, or for a wrong password to be worth its time.
 */
function takesTime(row: CommandRow): boolean {
  return row.access === "none" && !row.flags.includes("blocking") && !row.allowedUnauthenticated;
}

/** Whether a late reply of the command may tell of something that is in the store. */
function mayTell(row: CommandRow): boolean {
  return row.access !== "none" || row.tellsOfMore || row.flags.includes("write") ||
    row.name === "exec";
}

/** What a handler's status means for the session, now or later; no lock is held any more. */
function outcomeOf(
  status: HandlerStatus,
  call: CommandCall,
): ExecuteStatus | Promise<ExecuteStatus> {
  return status === HandlerStatus.LATER ? takeLater(call) : executeStatusOf(status);
}

function executeStatusOf(status: HandlerStatus): ExecuteStatus {
  if (status === HandlerStatus.DONE) return ExecuteStatus.CONTINUE;
  if (status === HandlerStatus.WRITE_FIRST) return ExecuteStatus.WRITE_FIRST;
  return status === HandlerStatus.CLOSE ? ExecuteStatus.CLOSE : ExecuteStatus.CONTINUE;
}

/** The promise of a reply that comes later. */
async function takeLater(call: CommandCall): Promise<ExecuteStatus> {
  const { later } = call;
  assert(later !== undefined, `${call.row.name} said what its reply waits for`);
  call.later = undefined;
  return executeStatusOf(await later);
}
