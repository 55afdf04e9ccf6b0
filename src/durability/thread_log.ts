/**
 * The log as a thread that changes the store has it.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { EffectOutlet } from "../store/locks.ts";
import type { Store } from "../store/store.ts";
import { EffectRecorder } from "./effect_recorder.ts";
import { Intake } from "./intake.ts";
import type { IntakeMemory } from "./intake_layout.ts";
import { LogFigure, LogState, LogStatus } from "./log_status.ts";
import { RecordType, RecordWriter } from "./record.ts";

const NO_KEY = new Uint8Array(0);
/** How long one wait for the disk lasts at most, before it is looked again. Unit: ms. */
const WATCH_SLICE_MS = 1000;

/** What a thread needs to take part; structured-cloneable, shares the memory. */
export interface ThreadLogMemory {
  /** The way into the log. */
  readonly intake: IntakeMemory;
  /** How the log is. */
  readonly status: SharedArrayBuffer;
  /** Whether clients are told only what is on the disk. */
  readonly confirmsDurable: boolean;
  /** Events have numbers from here on. */
  readonly firstEventNumber: number;
}

/**
 * Writes down what its thread does to the store, and puts it into the log before a lock is given back.
 *
 * Thread: one instance per thread.
 */
export class ThreadLog implements EffectOutlet {
  /** How the log is. */
  readonly status: LogStatus;
  /** The way into the log. */
  readonly intake: Intake;
  /** Whether clients are told only what is on the disk. */
  readonly confirmsDurable: boolean;

  readonly #records = new RecordWriter();
  readonly #eventRecords = new RecordWriter(512);
  readonly #eventStride: number;
  #eventNumber: number;
  readonly #waiting: { piece: number; resolve: () => void }[] = [];

  /**
   * Attaches a thread, and has the store tell of all mutations from now on.
   *
   * @param store the thread's
   */
  constructor(memory: ThreadLogMemory, store: Store, threadId: number) {
    this.status = new LogStatus(memory.status);
    this.intake = new Intake(memory.intake, threadId);
    this.confirmsDurable = memory.confirmsDurable;
    this.#eventStride = memory.intake.threadCount;
    this.#eventNumber = memory.firstEventNumber + threadId;
    store.hook = new EffectRecorder(store, this.#records);
    store.locks.effects = this;
  }

  /** Whether writes are taken. */
  get takesWrites(): boolean {
    return this.status.state === LogState.SERVING;
  }

  /** Whether a snapshot is being taken. */
  get snapshotRuns(): boolean {
    return this.status.get(LogFigure.SNAPSHOT_RUNS) !== 0;
  }

  /** Snapshots that were completed since the start. */
  get snapshotCount(): number {
    return this.status.get(LogFigure.SNAPSHOTS);
  }

  /** Snapshots that could not be. */
  get snapshotFailureCount(): number {
    return this.status.get(LogFigure.SNAPSHOT_FAILURES);
  }

  /** When the last one was complete; 0 = none was since the start. Unit: ms since the epoch. */
  get snapshotAtMs(): number {
    return this.status.get(LogFigure.SNAPSHOT_AT_MS);
  }

  /** How long it took. Unit: ms. */
  get snapshotTookMs(): number {
    return this.status.get(LogFigure.SNAPSHOT_TOOK_MS);
  }

  /** Position behind everything that was written. Unit: bytes. */
  get logPosition(): number {
    return this.status.get(LogFigure.POSITION);
  }

  /** Everything in front of it is on the disk. Unit: bytes. */
  get durablePosition(): number {
    return this.status.get(LogFigure.DURABLE_POSITION);
  }

  /** When the disk was last waited for. Unit: ms since the epoch. */
  get syncedAtMs(): number {
    return this.status.get(LogFigure.SYNCED_AT_MS);
  }

  /** Has a snapshot taken, as soon as none is. */
  wantSnapshot(): void {
    this.status.wantSnapshot();
    this.intake.callWriter();
  }

  /** See {@link EffectOutlet.publish}. */
  publish(): void {
    if (!this.#records.isEmpty) this.intake.publish(this.#records);
  }

  /**
   * Asked before replies are written: what they tell of the store is in the log by now, and with
   * `always` has to be on the disk.
   *
   * @returns resolves when it is; undefined: it is, or nobody is promised that
   */
  untilSafe(): Promise<void> | undefined {
    if (!this.confirmsDurable) return undefined;
    const { intake } = this;
    const piece = intake.lastPiece;
    if (intake.isDurable(piece)) return undefined;
    intake.callWriter();
    const { promise, resolve } = Promise.withResolvers<void>();
    // Numbers of pieces only grow: who comes later waits for no less.
    if (this.#waiting.push({ piece, resolve }) === 1) void this.#watch();
    return promise;
  }

  async #watch(): Promise<void> {
    const waiting = this.#waiting;
    for (;;) {
      const seen = this.intake.durablePiece;
      while (waiting.length > 0 && this.intake.isDurable(waiting[0]!.piece)) {
        waiting.shift()!.resolve();
      }
      if (waiting.length === 0) return;
      await this.intake.nextDurable(seen, WATCH_SLICE_MS);
    }
  }

  /** A number that no other event has. */
  nextEventNumber(): number {
    return this.#eventNumber += this.#eventStride;
  }

  /**
   * Says that an event was accepted, before anybody can take it.
   *
   * @param job as it goes into the channel
   */
  acceptEvent(number: number, job: Uint8Array, start: number, end: number): void {
    // Holds no lock, so that nothing else is under way in this thread; but a frame of its own.
    const records = this.#eventRecords;
    records.begin(RecordType.EVENT_ACCEPTED, 0, NO_KEY, 0, 0, 0);
    records.appendUint64(number).append(job, start, end).end();
    this.intake.publish(records);
  }

  /**
   * Says that an event was settled: in one frame with its effect, when its lock is held.
   *
   * @param isUnderLock whether the effect was made just now, under a lock that is still held
   * @param balance after it, if its client may ask again
   */
  settleEvent(number: number, outcome: number, isUnderLock: boolean, balance?: Int64): void {
    const records = this.#records;
    records.begin(RecordType.EVENT_SETTLED, 0, NO_KEY, 0, 0, 0);
    records.appendUint64(number).appendUint64(outcome);
    if (balance !== undefined) records.appendInt64(balance.hi, balance.lo);
    records.end();
    if (!isUnderLock) this.publish();
  }
}
