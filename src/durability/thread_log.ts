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
import { Outbox } from "./outbox.ts";
import { RecordType, RecordWriter } from "./record.ts";
import { ShardNoter, ShardPieces } from "./shard_pieces.ts";
import { newTold, type Told } from "./told.ts";

const NO_KEY = new Uint8Array(0);
/**
 * How long replies wait for the disk together; then each looks for itself, and whether its client is
 * still there. Unit: ms.
 */
const PATIENCE_MS = 1000;
/** How long one wait for the disk lasts at most, before it is looked again. Unit: ms. */
const WATCH_SLICE_MS = 250;

const PHASES = ["serving", "failed", "repairing"] as const;

/** What a thread needs to take part; structured-cloneable, shares the memory. */
export interface ThreadLogMemory {
  /** The way into the log. */
  readonly intake: IntakeMemory;
  /** How the log is. */
  readonly status: SharedArrayBuffer;
  /** Whether clients are told only what is on the disk. */
  readonly confirmsDurable: boolean;
  /** See {@link ShardPieces}; undefined: nobody waits for the disk. */
  readonly shardPieces?: SharedArrayBuffer | undefined;
  /** Events have numbers from here on. */
  readonly firstEventNumber: number;
  /** What was found at the start. */
  readonly recovery?: RecoveryFigures | undefined;
}

/** What came of the data directory at the start. */
export interface RecoveryFigures {
  /** How long it took. Unit: ms. */
  readonly tookMs: number;
  /** Effects that were applied. */
  readonly appliedCount: number;
  /** Keys of the snapshot. */
  readonly snapshotKeyCount: number;
  /** What was cut off the end of the log. Unit: bytes. */
  readonly tornBytes: number;
  /** Events that were accepted before and had to be settled. */
  readonly pendingCount: number;
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
  /** What was found at the start. */
  readonly recovery: RecoveryFigures | undefined;

  readonly #outbox: Outbox;
  readonly #eventRecords = new RecordWriter(512);
  readonly #eventStride: number;
  #eventNumber: number;
  readonly #shardPieces: ShardPieces | undefined;
  #waiting: { piece: number; untilMs: number; resolve: () => void }[] = [];
  #change: Promise<void> | undefined;
  #isCallDue = false;
  /** What the connection has told, or somebody else, whose commands are being executed. */
  #told: Told = newTold();
  /** What nobody in particular has told, and how often. */
  readonly #stray = this.#told;
  #strayCount = 0;

  /**
   * Attaches a thread, and has the store tell of all mutations from now on.
   *
   * @param store the thread's
   */
  constructor(memory: ThreadLogMemory, store: Store, threadId: number) {
    this.status = new LogStatus(memory.status);
    this.intake = new Intake(memory.intake, threadId);
    this.#outbox = new Outbox(this.intake);
    this.confirmsDurable = memory.confirmsDurable;
    this.recovery = memory.recovery;
    this.#eventStride = memory.intake.threadCount;
    this.#eventNumber = memory.firstEventNumber + threadId;
    this.#shardPieces = memory.shardPieces && new ShardPieces(memory.shardPieces);
    const { records } = this.#outbox;
    store.hook = this.#shardPieces === undefined
      ? new EffectRecorder(store, records)
      : new ShardNoter(store, records, this.#shardPieces);
    if (store.hook instanceof EffectRecorder) store.hook.log = this;
    store.locks.effects = this;
  }

  /** Whether writes are taken. */
  get takesWrites(): boolean {
    return this.status.state === LogState.SERVING;
  }

  /** How the log is, in a word. */
  get phase(): "serving" | "failed" | "repairing" {
    return PHASES[this.status.get(LogFigure.PHASE)]!;
  }

  /** Whether a snapshot is being taken. */
  get snapshotRuns(): boolean {
    return this.status.get(LogFigure.SNAPSHOT_RUNS) !== 0;
  }

  /** When it was begun. Unit: ms since the epoch. */
  get snapshotBeganAtMs(): number {
    return this.status.get(LogFigure.SNAPSHOT_BEGAN_AT_MS);
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
    if (!this.#outbox.publish()) return;
    if (this.#shardPieces !== undefined) this.#shardPieces.published(this.intake.claimedPiece);
  }

  /** See {@link Outbox.beginTurn}. */
  beginTurn(): void {
    this.#outbox.beginTurn();
  }

  /** See {@link Outbox.endTurn}. */
  endTurn(): void {
    this.#outbox.endTurn();
  }

  /** What is executed now is told by a connection, until {@link ThreadLog.end}. */
  begin(told: Told): void {
    this.#told = told;
    told.isLate = false;
    told.strayCount = this.#strayCount;
  }

  /** What is executed from now on is told by nobody in particular. */
  end(): void {
    this.#told = this.#stray;
  }

  /** What is executed now ends later, and may tell of more then. */
  tellsLater(): void {
    if (this.#told === this.#stray) this.#strayCount++;
    else this.#told.isLate = true;
  }

  /** What ended later than its execution tells of all that can be seen now, unless it tells of nothing. */
  finish(told: Told): void {
    // It may have executed something when its turn was over, which nobody could see was for it.
    if (told.isLate || told.strayCount !== this.#strayCount) this.touchAll(told);
  }

  /** A shard was looked at, or changed, and its lock was given back: the reply tells of it. */
  touch(shard: number): void {
    const piece = this.#shardPieces!.of(shard);
    // As most of a batch does.
    if (this.#told.isWaiting && piece === this.#told.piece) return;
    if (this.intake.isPending(piece)) this.#note(this.#told, piece);
  }

  /** The reply tells of all that can be seen now. */
  touchAll(told: Told = this.#told): void {
    const piece = this.intake.lastPiece;
    if (!this.intake.isDurable(piece)) this.#note(told, piece);
  }

  /** Whether the last change of a shard is lost, or about to be: the log has failed. */
  isLost(shard: number): boolean {
    return this.#shardPieces !== undefined && this.intake.isPending(this.#shardPieces.of(shard));
  }

  /** Whether the last change of any shard is; the log has failed. */
  get isAnyLost(): boolean {
    return this.#shardPieces !== undefined && !this.intake.isDurable(this.intake.lastPiece);
  }

  /** Whether all that a connection has told, or is about to tell, is on the disk. */
  isSafe(told: Told): boolean {
    if (!told.isWaiting) return true;
    if (!this.intake.isDurable(told.piece)) return false;
    told.isWaiting = false;
    return true;
  }

  /**
   * Resolves when a piece is durable, when the log has failed, or when that has taken long: who waits
   * has to look again, and to wait for {@link ThreadLog.nextChange} from then on.
   */
  untilSafe(piece: number): Promise<void> {
    this.#callSoon();
    const { promise, resolve } = Promise.withResolvers<void>();
    const untilMs = performance.now() + PATIENCE_MS;
    if (this.#waiting.push({ piece, untilMs, resolve }) === 1) void this.#watch();
    return promise;
  }

  /**
   * Calls the writer when all connections had their turn whose requests are there: one call for all of
   * them, and one wait for the disk instead of one for the first and another for the others.
   */
  #callSoon(): void {
    if (this.#isCallDue) return;
    this.#isCallDue = true;
    // Microtasks run in the order in which they came: who is ready now has its turn before.
    queueMicrotask(() => {
      this.#isCallDue = false;
      this.intake.callWriter();
    });
  }

  /** Resolves when something has become durable, or may have, and now and then. */
  nextChange(): Promise<void> {
    if (this.#change === undefined) this.intake.callWriter();
    return this.#change ??= this.#awaitChange();
  }

  #note(told: Told, piece: number): void {
    if (told === this.#stray) {
      // Each time: whose it is may have begun since the last one.
      this.#strayCount++;
      return;
    }
    if (told.isWaiting && (piece - told.piece | 0) <= 0) return;
    told.piece = piece;
    told.isWaiting = true;
  }

  async #awaitChange(): Promise<void> {
    await this.intake.nextDurable(this.intake.durablePiece, WATCH_SLICE_MS);
    this.#change = undefined;
  }

  async #watch(): Promise<void> {
    const { intake } = this;
    for (;;) {
      const seen = intake.durablePiece;
      const isServing = this.takesWrites;
      const nowMs = performance.now();
      this.#waiting = this.#waiting.filter(({ piece, untilMs, resolve }) => {
        if (isServing && nowMs < untilMs && !intake.isDurable(piece)) return true;
        resolve();
        return false;
      });
      if (this.#waiting.length === 0) return;
      await intake.nextDurable(seen, WATCH_SLICE_MS);
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
    this.#acceptInto(this.#eventRecords, number, job, start, end);
    this.#publishEvents(this.#eventRecords);
  }

  /** Begins to say of several events that they were accepted, which is in the log at once or not at all. */
  beginBatch(): {
    add(number: number, job: Uint8Array, start: number, end: number): void;
    publish(): void;
  } {
    const records = new RecordWriter();
    return {
      add: (number, job, start, end) => this.#acceptInto(records, number, job, start, end),
      publish: () => this.#publishEvents(records),
    };
  }

  #acceptInto(
    records: RecordWriter,
    number: number,
    job: Uint8Array,
    start: number,
    end: number,
  ): void {
    records.begin(RecordType.EVENT_ACCEPTED, 0, NO_KEY, 0, 0, 0);
    records.appendUint64(number).append(job, start, end).end();
  }

  #publishEvents(records: RecordWriter): void {
    this.#outbox.closeSpan();
    this.intake.publish(records);
    this.tellEvent();
  }

  /** The reply tells of an event; who waits for its outcome is told of that later. */
  tellEvent(): void {
    if (!this.confirmsDurable) return;
    this.touchAll();
    this.tellsLater();
  }

  /**
   * Has a snapshot made that has what the log lacks: a thread has died with a change that it may not
   * have put there. Until it is complete, the log is as after a failure.
   *
   * Thread: the supervisor, in the dead thread's place: with the lock of the shard, which it gives back
   * next.
   *
   * @param eventNumber the event that was settled with it; 0 = none was
   * @param balance see {@link ThreadLog.settleEvent}
   */
  repair(shard: number, eventNumber = 0, outcome = 0, balance?: Int64): void {
    // First: whatever is put in behind the change is not written before this is seen.
    this.status.wantRepair();
    this.#shardPieces?.note(shard);
    // If there is no event, it is said of none: something has to be put in for others to wait for.
    this.settleEvent(eventNumber, outcome, true, balance);
    this.intake.callWriter();
  }

  /**
   * Says that an event was settled: in one frame with its effect, when its lock is held.
   *
   * @param isUnderLock whether the effect was made just now, under a lock that is still held
   * @param balance after it, if its client may ask again
   */
  settleEvent(number: number, outcome: number, isUnderLock: boolean, balance?: Int64): void {
    const { records } = this.#outbox;
    records.begin(RecordType.EVENT_SETTLED, 0, NO_KEY, 0, 0, 0);
    records.appendUint64(number).appendUint64(outcome);
    if (balance !== undefined) records.appendInt64(balance.hi, balance.lo);
    records.end();
    if (!isUnderLock) this.publish();
  }
}
