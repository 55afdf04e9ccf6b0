/**
 * Keeps a log: takes out of the intake what threads have put in, writes it, syncs it, and takes the
 * snapshots that make older segments superfluous.
 *
 * **One at a time.** A turn takes all that has arrived, writes it at once, and syncs it as the policy
 * says (group commit); then a snapshot that is under way goes on for a moment.
 *
 * **After a failure** to write or sync, nothing is written and writes are refused; what still comes in
 * is thrown away. Once a new segment can be begun, a snapshot of the whole store makes good for what is
 * missing, and writes are taken again when it is complete. Whoever waits for what was lost is told
 * then: it is in the snapshot. The same is done when a thread has died with a change that the log may
 * not have.
 *
 * @module
 */

import { assert, AssertionFault } from "../base/assert.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { Store } from "../store/store.ts";
import { freePostponed } from "../store/value_lease.ts";
import type { Drain, Piece } from "./drain.ts";
import { EventIdSnapshot } from "./event_id_records.ts";
import { filesOf } from "./file_names.ts";
import { FRAME_HEADER_BYTES } from "./layout.ts";
import { LogFigure, LogPhase, LogState, type LogStatus } from "./log_status.ts";
import type { LogWriter } from "./log_writer.ts";
import { MARK_FRAME_BYTES } from "./mark.ts";
import type { PendingEvents } from "./pending_events.ts";
import { recordLengthAt, RecordReader, RecordType, RecordWriter } from "./record.ts";
import { SnapshotWriter } from "./snapshot_file.ts";
import { SnapshotTaker } from "./snapshot_taker.ts";
import type { Storage } from "./storage.ts";
import type { SyncPolicy } from "./sync_policy.ts";

/** How often `everysec` syncs. Unit: ms. */
const SYNC_EVERY_MS = 1000;
/**
 * After something was written, how long the next is gathered. Waking the thread costs some
 * microseconds, and what is written soon is still in the processor's caches. Unit: ms.
 */
const GATHER_MS = 5;
/** How often it is tried to begin anew after a failure. Unit: ms. */
const RETRY_EVERY_MS = 1000;
/** How long a snapshot goes on before the log has its turn again. Unit: ms. */
const SNAPSHOT_SLICE_MS = 1;
/** Steps of a snapshot between two looks at the clock: most of them are shorter than such a look. */
const STEPS_PER_LOOK = 8;

/** What a {@link LogKeeper} tells of. */
export type LogEvent =
  /** The log could not be written or synced; writes are refused from now on. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** Another segment was begun after that, and a snapshot is being taken. */
  | { readonly kind: "begun anew"; readonly position: number }
  /** It is complete, and writes are taken again. */
  | { readonly kind: "resumed" }
  /** A snapshot is complete. */
  | {
    readonly kind: "snapshot";
    readonly name: string;
    readonly keyCount: number;
    readonly tookMs: number;
  }
  /** One could not be written. */
  | { readonly kind: "snapshot failed"; readonly error: unknown };

/** What a {@link LogKeeper} works with. */
export interface LogKeeperOptions {
  /** The directory. */
  readonly storage: Storage;
  /** Of the directory. */
  readonly history: Uint8Array;
  /** Where to write. */
  readonly log: LogWriter;
  /** Where from. */
  readonly drain: Drain;
  /** What snapshots are of; attached for this thread, whose end stops the server. */
  readonly store: Store;
  /** How many databases it has. */
  readonly databaseCount: number;
  /** Ids of events that are remembered; absent: none are. */
  readonly eventIds?: EventIds | undefined;
  /** When to sync. */
  readonly policy: SyncPolicy;
  /**
   * A snapshot is taken when the log behind the last one is as long as this, and as the last one.
   * Unit: bytes.
   */
  readonly snapshotEveryBytes: number;
  /** Events that were pending where the log ended before. */
  readonly pending: PendingEvents;
  /** What others see. */
  readonly status: LogStatus;
  /** The time. Unit: ms since the epoch. */
  readonly clock: () => number;
  /** Told of what whoever runs the server should know. */
  readonly report: (event: LogEvent) => void;
}

/** A snapshot under way. */
interface Taking {
  readonly taker: SnapshotTaker;
  readonly writer: SnapshotWriter;
  readonly position: number;
  /** By `performance.now()`. */
  readonly beganAtMs: number;
}

/** How the log is. */
type Phase =
  /** What is put in is written. */
  | "serving"
  /** It is thrown away. */
  | "failed"
  /** It is written again, and a snapshot is being taken that has what was thrown away. */
  | "repairing";

const PHASES: Readonly<Record<Phase, number>> = {
  serving: LogPhase.SERVING,
  failed: LogPhase.FAILED,
  repairing: LogPhase.REPAIRING,
};

/** Keeps the log of one server. Thread: the log's, which may sleep. */
export class LogKeeper {
  readonly #options: LogKeeperOptions;
  readonly #record = new RecordReader();
  #phase: Phase = "serving";
  /** What was thrown away since the failure. Unit: bytes of log. */
  #lostBytes = 0;
  /** When it was last tried to begin anew, or to take a snapshot that failed. Unit: ms. */
  #triedAtMs = 0;
  #syncedAtMs: number;
  /** The last piece that was taken. */
  #lastPiece: number;
  #taking: Taking | undefined;
  #isSnapshotWanted = false;
  /** How often the log was found to lack something, as far as it was seen to. */
  #repairs: number;
  /** The snapshot under way is of no use: databases changed places. */
  #isSnapshotSpoiled = false;
  /** Where the last snapshot begins, or the log. */
  #snapshotPosition: number;
  /** How long the last snapshot is; 0 = none was taken since the start. Unit: bytes. */
  #snapshotBytes = 0;

  /**
   * Begins; the log is open.
   *
   * @param snapshotPosition where the last snapshot begins; without one, where the log does
   */
  constructor(options: LogKeeperOptions, snapshotPosition: number) {
    this.#options = options;
    this.#syncedAtMs = options.clock();
    this.#repairs = options.status.repairs;
    this.#lastPiece = options.drain.durablePiece;
    this.#snapshotPosition = snapshotPosition;
    // Who keeps a log never lets the event loop run.
    options.store.locks.postponed ??= [];
    this.#showPositions();
  }

  /** Lets a snapshot be taken as soon as none is under way. */
  wantSnapshot(): void {
    this.#isSnapshotWanted = true;
  }

  /**
   * Does what there is to do.
   *
   * @returns how long nothing more is to do, unless the writer is called. Unit: ms
   */
  turn(): number {
    const nowMs = this.#options.clock();
    if (this.#phase === "failed" && this.#mayTryAgain(nowMs)) this.#startAnew(nowMs);
    const wasBusy = this.#takePiece();
    this.#syncIfDue(nowMs);
    this.#snapshot(nowMs);
    freePostponed(this.#options.store.locks);
    this.#showPositions();
    const restMs = this.#restMs(nowMs);
    return wasBusy ? Math.min(restMs, GATHER_MS) : restMs;
  }

  /**
   * Writes and syncs what is left, and ends the log. After a failure it is tried once more to begin
   * anew and to make good for what is missing. The store is not changed any more.
   *
   * @returns whether everything is on the disk
   */
  stop(): boolean {
    if (this.#phase === "serving") this.#abandonSnapshot();
    this.#takePiece();
    if (this.#phase === "failed") this.#startAnew(this.#options.clock());
    if (this.#phase === "repairing" && this.#taking === undefined) {
      this.#beginSnapshot(this.#options.clock());
    }
    while (this.#taking !== undefined) this.#continueSnapshot();
    const isComplete = this.#phase === "serving" && this.#attempt(() => this.#options.log.stop());
    if (isComplete) this.#tell();
    else this.#options.log.close();
    this.#showPositions();
    return isComplete;
  }

  #restMs(nowMs: number): number {
    if (this.#taking !== undefined) return 0;
    if (this.#phase !== "serving" || this.#isSnapshotWanted) {
      return Math.max(1, this.#triedAtMs + RETRY_EVERY_MS - nowMs);
    }
    return Math.max(1, this.#syncedAtMs + SYNC_EVERY_MS - nowMs);
  }

  #mayTryAgain(nowMs: number): boolean {
    return hasPassed(RETRY_EVERY_MS, this.#triedAtMs, nowMs);
  }

  /** Takes what was put in, and writes it; whether there was anything. */
  #takePiece(): boolean {
    const { drain, log, status } = this.#options;
    const piece = drain.take();
    if (piece === undefined) return false;
    this.#lastPiece = piece.number;
    if (piece.hasNotes) this.#follow(piece);
    if (status.repairs !== this.#repairs) this.#giveUpSegment();
    const isWritten = this.#phase !== "failed" &&
      this.#attempt(() => log.append(piece.bytes, piece.view, piece.end));
    // Some of it may be in the file all the same: what comes next is to be behind all of it.
    if (isWritten) {
      status.count(LogFigure.PIECES);
      status.count(LogFigure.BYTES, piece.end);
      status.count(LogFigure.RECORDS, piece.recordCount);
    } else this.#lostBytes += piece.end;
    drain.release();
    return true;
  }

  /** The piece that was taken may lack something, or be the first one that does. */
  #giveUpSegment(): void {
    const { log, status } = this.#options;
    this.#repairs = status.repairs;
    if (this.#phase === "failed") return;
    this.#attempt(() => log.giveUp("a thread has died with a change that the log may not have"));
    // There is nothing wrong with the disk.
    this.#triedAtMs = -Infinity;
  }

  /** Takes note of what a piece has that matters here: little of it, so most is passed over. */
  #follow({ bytes, view, end }: Piece): void {
    for (let at: number = MARK_FRAME_BYTES; at < end;) {
      const bodyEnd = at + FRAME_HEADER_BYTES + view.getInt32(at, true);
      at += FRAME_HEADER_BYTES;
      while (at < bodyEnd) {
        if (bytes[at]! >= RecordType.SWAPPED) this.#note(bytes, at, bodyEnd);
        at += recordLengthAt(view, at);
      }
    }
  }

  #note(bytes: Uint8Array, at: number, end: number): void {
    const record = this.#record.open(bytes, at, end);
    assert(record.next() === true, "what threads put in are records");
    if (this.#options.pending.note(record)) return;
    this.#isSnapshotSpoiled ||= record.type === RecordType.SWAPPED;
  }

  #syncIfDue(nowMs: number): void {
    const { policy } = this.#options;
    if (this.#phase === "failed" || policy === "no") return;
    if (policy === "everysec" && !hasPassed(SYNC_EVERY_MS, this.#syncedAtMs, nowMs)) return;
    this.#sync();
  }

  /** Syncs the log; whether it is on the disk then. */
  #sync(): boolean {
    const { clock, log, status } = this.#options;
    const isNews = log.durablePosition !== log.position;
    const beganAtMs = performance.now();
    if (!this.#attempt(() => log.sync())) return false;
    this.#syncedAtMs = clock();
    if (isNews) status.recordSync(performance.now() - beganAtMs);
    status.set(LogFigure.SYNCED_AT_MS, this.#syncedAtMs);
    this.#tell();
    return true;
  }

  /** Tells those who wait that what was put in is safe, if it is. */
  #tell(): void {
    if (this.#phase === "serving") this.#options.drain.setDurable(this.#lastPiece);
  }

  #startAnew(nowMs: number): void {
    const { log, report } = this.#options;
    this.#triedAtMs = nowMs;
    try {
      log.startAnew(log.position + this.#lostBytes);
    } catch {
      // It was reported why when it failed, and is tried again.
      return;
    }
    this.#lostBytes = 0;
    this.#phase = "repairing";
    report({ kind: "begun anew", position: log.position });
    this.#beginSnapshot(nowMs);
  }

  #snapshot(nowMs: number): void {
    if (this.#taking !== undefined) {
      this.#continueSnapshot();
      return;
    }
    const { log, snapshotEveryBytes } = this.#options;
    if (this.#phase === "failed") return;
    if (this.#phase === "repairing" && this.#mayTryAgain(nowMs)) this.#isSnapshotWanted = true;
    // A snapshot costs what it has: not before as much again is in the log.
    const enoughBytes = Math.max(snapshotEveryBytes, this.#snapshotBytes);
    const isDue = log.position - this.#snapshotPosition >= enoughBytes;
    if ((this.#isSnapshotWanted || isDue) && this.#mayTryAgain(nowMs)) this.#beginSnapshot(nowMs);
  }

  /** Begins a segment with what is still open, and a snapshot that makes the others superfluous. */
  #beginSnapshot(nowMs: number): void {
    const { databaseCount, history, log, status, storage, store } = this.#options;
    this.#isSnapshotWanted = this.#isSnapshotSpoiled = false;
    if (!this.#attempt(() => log.rotate())) return;
    const position = log.position;
    if (!this.#appendPending()) return;
    try {
      const options = { storage, history, position, createdAtMs: Math.floor(nowMs) };
      const writer = new SnapshotWriter(options);
      const { eventIds } = this.#options;
      const ids = eventIds && new EventIdSnapshot(eventIds, nowMs);
      const taker = new SnapshotTaker(store, writer, databaseCount, ids);
      this.#taking = { taker, writer, position, beganAtMs: performance.now() };
      status.set(LogFigure.SNAPSHOT_BEGAN_AT_MS, nowMs);
      status.set(LogFigure.SNAPSHOT_RUNS, 1);
    } catch (error) {
      this.#failSnapshot(error);
    }
  }

  /** Whether it went well. */
  #appendPending(): boolean {
    const { log, pending } = this.#options;
    if (pending.size === 0) return true;
    const records = new RecordWriter();
    pending.appendTo(records);
    const bytes = new Uint8Array(MARK_FRAME_BYTES + records.length);
    bytes.set(records.bytes.subarray(0, records.length), MARK_FRAME_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(MARK_FRAME_BYTES, records.length - FRAME_HEADER_BYTES, true);
    const isWritten = this.#attempt(() => log.append(bytes, view, bytes.length));
    // As with a piece; and the segment is not begun a second time, as there may be zeros in it.
    if (!isWritten) this.#lostBytes += bytes.length;
    return isWritten;
  }

  #continueSnapshot(): void {
    const taking = this.#taking!;
    const untilMs = performance.now() + SNAPSHOT_SLICE_MS;
    try {
      for (let steps = 1; taking.taker.step(); steps++) {
        if (steps % STEPS_PER_LOOK === 0 && performance.now() >= untilMs) return;
      }
      this.#finishSnapshot(taking);
    } catch (error) {
      if (error instanceof AssertionFault) throw error;
      this.#failSnapshot(error);
    }
  }

  #finishSnapshot(taking: Taking): void {
    const { log } = this.#options;
    // Everything that the snapshot shows was put in before it was shown.
    this.#takePiece();
    if (this.#isSnapshotSpoiled) {
      this.#abandonSnapshot();
      this.#isSnapshotWanted = true;
      return;
    }
    // Where that fails the snapshot is abandoned with it.
    if (this.#phase === "failed" || !this.#sync()) return;
    const { taker, writer } = taking;
    writer.finish(taker.keyCount, log.position);
    this.#noteSnapshot(taking);
    this.#removeSuperfluous();
    if (this.#phase !== "repairing") return;
    log.confirm();
    this.#phase = "serving";
    this.#options.status.state = LogState.SERVING;
    this.#tell();
    this.#options.report({ kind: "resumed" });
  }

  #noteSnapshot(
    { taker: { keyCount }, writer: { byteCount, name }, position, beganAtMs }: Taking,
  ): void {
    const { clock, report, status } = this.#options;
    const tookMs = Math.round(performance.now() - beganAtMs);
    this.#taking = undefined;
    this.#snapshotBytes = byteCount;
    this.#snapshotPosition = position;
    status.set(LogFigure.SNAPSHOT_POSITION, position);
    status.set(LogFigure.SNAPSHOT_KEYS, keyCount);
    status.set(LogFigure.SNAPSHOT_BYTES, byteCount);
    status.set(LogFigure.SNAPSHOT_AT_MS, clock());
    status.set(LogFigure.SNAPSHOT_TOOK_MS, tookMs);
    status.set(LogFigure.SNAPSHOT_RUNS, 0);
    status.count(LogFigure.SNAPSHOTS);
    report({ kind: "snapshot", name, keyCount, tookMs });
  }

  /** Removes the segments and snapshots in front of the last snapshot. */
  #removeSuperfluous(): void {
    const { storage } = this.#options;
    const names = storage.list();
    for (const kind of ["snapshot", "log"] as const) {
      for (const { name, position } of filesOf(names, kind)) {
        if (position < this.#snapshotPosition) storage.remove(name);
      }
    }
  }

  #failSnapshot(error: unknown): void {
    const { clock, report, status } = this.#options;
    this.#abandonSnapshot();
    this.#triedAtMs = clock();
    status.count(LogFigure.SNAPSHOT_FAILURES);
    report({ kind: "snapshot failed", error });
  }

  #abandonSnapshot(): void {
    if (this.#taking === undefined) return;
    this.#taking.taker.release();
    this.#taking.writer.abandon();
    this.#taking = undefined;
    this.#options.status.set(LogFigure.SNAPSHOT_RUNS, 0);
  }

  /** Does something to the log; whether that went well. If not, the log has failed. */
  #attempt(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      const { clock, drain, log, report, status } = this.#options;
      if (!log.hasFailed) throw error;
      this.#phase = "failed";
      this.#triedAtMs = clock();
      status.state = LogState.FAILED;
      status.count(LogFigure.FAILURES);
      this.#abandonSnapshot();
      // Whoever waits has to look, not only at what is durable.
      drain.setDurable(drain.durablePiece);
      report({ kind: "failed", error });
      return false;
    }
  }

  #showPositions(): void {
    const { log, status } = this.#options;
    status.set(LogFigure.POSITION, log.position);
    status.set(LogFigure.DURABLE_POSITION, log.durablePosition);
    status.set(LogFigure.PHASE, PHASES[this.#phase]);
  }
}

/** Whether so much time has passed; a clock that was set back does not stop everything until then. */
function hasPassed(ms: number, sinceMs: number, nowMs: number): boolean {
  return nowMs - sinceMs >= ms || nowMs < sinceMs;
}
