/**
 * The data directory of a server: what is recovered from it at the start, and the thread that keeps its
 * log from then on.
 *
 * @module
 */

import { getLogger, type Logger } from "../base/log.ts";
import { DamageError } from "../durability/damage.ts";
import { DenoStorage } from "../durability/deno_storage.ts";
import {
  DirectoryError,
  type DirectoryLock,
  directoryProblem,
  lockDirectory,
} from "../durability/directory_lock.ts";
import { createIntakeMemory, type IntakeMemory } from "../durability/intake_layout.ts";
import type { LogMessage, LogOrders } from "../durability/log_life.ts";
import { type LogWorkerStarter, startLogThread } from "../durability/log_thread.ts";
import { createLogStatus } from "../durability/log_status.ts";
import { recover, type Recovered, tellEvicted } from "../durability/recovery.ts";
import { NoRoomError } from "../durability/replayer.ts";
import { createShardPieces } from "../durability/shard_pieces.ts";
import { ThreadLog, type ThreadLogMemory } from "../durability/thread_log.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import type { Config } from "./config.ts";
import { requeueEvents } from "./requeue.ts";
import type { SharedParts } from "./shared_parts.ts";
import { StartError } from "./start_error.ts";
import type { StopBudget } from "./stop_deadline.ts";

/** What may wait for the disk, twice. The system gives out what is ever used. Unit: bytes. */
const BUFFER_BYTES = 256 * 2 ** 20;
/** A segment of this length is followed by another one. Unit: bytes. */
const SEGMENT_BYTES = 64 * 2 ** 20;
/** A snapshot is taken when the log behind the last one has as much, and is longer than that. */
const SNAPSHOT_EVERY_BYTES = 128 * 2 ** 20;
/** How often a long recovery is reported. Unit: ms. */
const PROGRESS_EVERY_MS = 1000;

/** The part of the data directory that is the main isolate's. Thread: the main isolate. */
export class DataDirectory {
  /** The log as the main isolate has it. */
  readonly log: ThreadLog;
  /** What other threads need to take part. */
  readonly memory: ThreadLogMemory;
  /** Resolves with a text for people when the log's thread has ended unasked. */
  readonly failure: Promise<string>;

  readonly #logger: Logger = getLogger("durability");
  readonly #recovered: Recovered;
  readonly #lock: DirectoryLock;
  readonly #worker: Worker;
  #end: "complete" | "incomplete" | undefined;
  readonly #messages = new Map<LogMessage["kind"], PromiseWithResolvers<LogMessage>>();

  private constructor(
    config: Config,
    { eventIds, store, threads, threadId }: SharedParts,
    recovered: Recovered,
    tookMs: number,
    lock: DirectoryLock,
    startWorker: LogWorkerStarter | undefined,
  ) {
    const intake = reserveIntake(threads.threadCount);
    const status = createLogStatus();
    this.#recovered = recovered;
    this.#lock = lock;
    this.memory = {
      intake,
      status,
      confirmsDurable: config.fsync === "always",
      shardPieces: config.fsync === "always" ? createShardPieces(store.shardCount) : undefined,
      firstEventNumber: recovered.pending.highestNumber + 1,
      recovery: {
        tookMs,
        appliedCount: recovered.appliedCount,
        snapshotKeyCount: recovered.snapshot?.keyCount ?? 0,
        tornBytes: recovered.log.torn?.byteCount ?? 0,
        pendingCount: recovered.pending.size,
      },
    };
    this.log = new ThreadLog(this.memory, store, threadId);
    const failure = Promise.withResolvers<string>();
    this.failure = failure.promise;
    const orders: LogOrders = {
      path: config.dataDir,
      history: recovered.history,
      log: recovered.log,
      pending: recovered.pending.jobs,
      snapshotPosition: recovered.snapshot?.position ?? 0,
      intake,
      status,
      store: store.memory,
      eventIds: eventIds?.memory,
      threadId: threads.logThreadId,
      databaseCount: DATABASE_COUNT,
      policy: config.fsync,
      segmentBytes: SEGMENT_BYTES,
      snapshotEveryBytes: SNAPSHOT_EVERY_BYTES,
    };
    const ended = (text: string): void =>
      failure.resolve(`internal fault: the log's thread ended: ${text}`);
    this.#worker = startLogThread(
      orders,
      (message) => {
        this.#report(message);
        this.#told(message.kind).resolve(message);
        if (message.kind === "died") ended(message.error);
      },
      ended,
      startWorker,
    );
  }

  /**
   * Fills the store with what the directory has, and starts the log's thread.
   *
   * @param shared of the main isolate; its store is empty
   * @param startWorker tests only: see {@link LogWorkerStarter}
   * @throws {StartError} when the directory cannot be used, or what is in it
   */
  static async open(
    config: Config,
    shared: SharedParts,
    startWorker?: LogWorkerStarter,
  ): Promise<DataDirectory> {
    const lock = await takeDirectory(config.dataDir);
    try {
      const beganAtMs = performance.now();
      const recovered = recoverInto(config, shared);
      const tookMs = performance.now() - beganAtMs;
      const directory = new DataDirectory(config, shared, recovered, tookMs, lock, startWorker);
      const failed = directory.failure.then((text) => {
        throw new StartError(`Cannot write to ${config.dataDir}: ${text}`);
      });
      await Promise.race([directory.#told("open").promise, failed]);
      tellEvicted(recovered, shared.store);
      return directory;
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /**
   * Has the events settled that were accepted and not settled; see {@link requeueEvents}.
   *
   * @param signal ends it; what is left is pending at the next start
   * @throws {StartError} when there is no memory for their balances
   */
  async requeue(
    { channel, metrics, store, threadId }: SharedParts,
    signal: AbortSignal,
  ): Promise<void> {
    const { pending } = this.#recovered;
    if (pending.size === 0) return;
    this.#logger.info("events that were accepted before go on", {
      event: "events_requeued",
      count: pending.size,
    });
    const count = await requeueEvents(pending.jobs.values(), {
      channel,
      credits: store.credits,
      counters: metrics.counters(threadId),
      pendingCount: () => metrics.readEventCounters().pending,
      signal,
    });
    if (count === pending.size) return;
    this.#logger.info("the start is cut short: accepted events wait for the next one", {
      event: "events_left_pending",
      count: pending.size - count,
    });
  }

  /** Writes and syncs what is left, and lets go of the directory. Nothing changes the store any more. */
  async stop({ signal }: StopBudget): Promise<void> {
    this.log.status.wantStop();
    this.log.intake.callWriter();
    const given = Promise.withResolvers<"given up">();
    const giveUp = (): void => given.resolve("given up");
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    const died = this.failure.then(() => "died" as const);
    const stopped = await Promise.race([this.#told("stopped").promise, died, given.promise]);
    signal.removeEventListener("abort", giveUp);
    const isComplete = typeof stopped !== "string" && stopped.kind === "stopped" &&
      stopped.isComplete;
    this.#end = isComplete ? "complete" : "incomplete";
    if (!isComplete) {
      const problem = stopped === "given up"
        ? "the disk does not answer"
        : stopped === "died"
        ? "its thread has ended"
        : "it cannot be written";
      this.#logger.error(`the log is not complete: ${problem}`, { event: "log_incomplete" });
    }
    this.#worker.terminate();
    // A thread that did not end may still write: nobody else may have the directory before the process ends.
    if (stopped !== "given up") this.#lock.close();
  }

  /** Whether the stop has left what was confirmed on the disk. */
  get isComplete(): boolean {
    // With `always` nothing was confirmed that is not there.
    return this.#end === "complete" || this.log.confirmsDurable;
  }

  #told(kind: LogMessage["kind"]): PromiseWithResolvers<LogMessage> {
    let told = this.#messages.get(kind);
    if (told === undefined) this.#messages.set(kind, told = Promise.withResolvers());
    return told;
  }

  #report(message: LogMessage): void {
    const log = this.#logger;
    switch (message.kind) {
      case "failed":
        return log.error("the log cannot be written: writes are refused", {
          event: "log_failed",
          error: message.error,
        });
      case "begun anew":
        return log.warn("the log is written again; a snapshot makes good for what is missing", {
          event: "log_begun_anew",
          position: message.position,
        });
      case "resumed":
        return log.info("writes are taken again", { event: "log_resumed" });
      case "snapshot":
        return log.info("snapshot taken", {
          event: "snapshot",
          file: message.name,
          keys: message.keyCount,
          ms: Math.round(message.tookMs),
        });
      case "snapshot failed":
        return log.error("the snapshot cannot be written", {
          event: "snapshot_failed",
          error: message.error,
        });
    }
  }
}

/** @throws {StartError} when the system does not give that much memory */
function reserveIntake(threadCount: number): IntakeMemory {
  try {
    return createIntakeMemory(threadCount, BUFFER_BYTES);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StartError(
      `Cannot reserve ${2 * BUFFER_BYTES} bytes of memory for the log: ${error.message}`,
    );
  }
}

/** Takes the directory for this process. */
async function takeDirectory(path: string): Promise<DirectoryLock> {
  try {
    return await lockDirectory(path);
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    throw new StartError(`Cannot use ${path} for data: ${error.message}; check --data-dir`);
  }
}

function recoverInto(config: Config, { eventIds, store }: SharedParts): Recovered {
  const log = getLogger("durability");
  const startedAtMs = performance.now();
  let toldAtMs = startedAtMs;
  try {
    const recovered = recover(new DenoStorage(config.dataDir), store, (appliedCount) => {
      const nowMs = performance.now();
      if (nowMs - toldAtMs < PROGRESS_EVERY_MS) return;
      toldAtMs = nowMs;
      log.info("recovering", { event: "recovering", applied: appliedCount });
    }, eventIds);
    reportRecovered(log, recovered, performance.now() - startedAtMs, eventIds?.size ?? 0);
    return recovered;
  } catch (error) {
    if (error instanceof DamageError) {
      throw new StartError(
        `Cannot start from ${config.dataDir}: ${error.message}; ` +
          `sluice repair ${config.dataDir} shows what can be saved`,
      );
    }
    if (error instanceof NoRoomError) {
      throw new StartError(
        `Cannot start from ${config.dataDir}: ${error.message}; give more with ${error.flag}`,
      );
    }
    throw new StartError(`Cannot read ${config.dataDir}: ${directoryProblem(error)}`);
  }
}

function reportRecovered(
  log: Logger,
  recovered: Recovered,
  tookMs: number,
  eventIdCount: number,
): void {
  const { appliedCount, damaged, evicted, pending, snapshot } = recovered;
  const { lastMark, position, segment, torn, unconfirmedSegments } = recovered.log;
  for (const error of damaged) {
    log.warn("a damaged snapshot was passed over", {
      event: "snapshot_damaged",
      error: error.message,
    });
  }
  if (torn !== undefined) {
    log.warn("the log ends in the middle of a write; that is cut off", {
      event: "log_torn",
      file: torn.name,
      offset: torn.offset,
      bytes: torn.byteCount,
      reason: torn.reason,
    });
  }
  if (unconfirmedSegments.length > 0) {
    log.warn("segments of the log that were never confirmed are removed", {
      event: "log_unconfirmed",
      files: unconfirmedSegments.join(" "),
    });
  }
  if (evicted.length > 0) {
    log.warn("there was no room for all keys: some were evicted", {
      event: "recovery_evicted",
      keys: evicted.length,
    });
  }
  log.info("recovered", {
    event: "recovered",
    applied: appliedCount,
    snapshot_keys: snapshot?.keyCount ?? 0,
    pending_events: pending.size,
    event_ids: eventIdCount,
    position,
    // Else the log ends with a crash, or its end was cut off where nobody can tell. A segment without
    // a mark has been begun, by a start or behind a snapshot, and not ended.
    after_stop: segment === undefined || lastMark?.isStop === true,
    ms: Math.round(tookMs),
  });
}
