/**
 * What the thread that writes the log lets the others see.
 *
 * ```text
 * words    0 STATE    LogState
 *          1 STOP     1 = the log is to be ended
 *          2 WISHES   counts up when somebody wants a snapshot
 *          3 REPAIRS  counts up when the log lacks something that only a snapshot has
 * doubles  from byte 64 on, one per LogFigure; written by the log's thread only
 *          then one per bucket of how long syncs took, see SYNC_BOUNDS_US
 * ```
 *
 * @module
 */

/** Whether writes are taken. */
export const LogState = {
  /** They are. */
  SERVING: 0,
  /** The log could not be written; what was lost is not in a snapshot yet. */
  FAILED: 1,
} as const;
/** One of {@link LogState}. */
export type LogState = typeof LogState[keyof typeof LogState];

/** Figures of the log. */
export const LogFigure = {
  /** Position behind everything that was written. Unit: bytes. */
  POSITION: 0,
  /** Everything in front of it is on the disk. Unit: bytes. */
  DURABLE_POSITION: 1,
  /** Pieces that were written. */
  PIECES: 2,
  /** Times that the disk was waited for. */
  SYNCS: 3,
  /** Times that the log could not be written or synced. */
  FAILURES: 4,
  /** When the disk was last waited for. Unit: ms since the epoch. */
  SYNCED_AT_MS: 5,
  /** Position of the last snapshot. Unit: bytes; with no snapshot 0. */
  SNAPSHOT_POSITION: 6,
  /** When the last snapshot was complete. Unit: ms since the epoch; 0 = there is none. */
  SNAPSHOT_AT_MS: 7,
  /** Keys in it. */
  SNAPSHOT_KEYS: 8,
  /** How long it took. Unit: ms. */
  SNAPSHOT_TOOK_MS: 9,
  /** 1 while a snapshot is being taken. */
  SNAPSHOT_RUNS: 10,
  /** Snapshots that could not be completed. */
  SNAPSHOT_FAILURES: 11,
  /** Snapshots that were completed. */
  SNAPSHOTS: 12,
  /** How the log is: one of {@link LogPhase}. */
  PHASE: 13,
  /** What was written since the start. Unit: bytes. */
  BYTES: 14,
  /** Records in it. */
  RECORDS: 15,
  /** How long syncs took in all. Unit: ms. */
  SYNC_SUM_MS: 16,
  /** How long the longest took. Unit: ms. */
  SYNC_MAX_MS: 17,
  /** How long the last snapshot is. Unit: bytes. */
  SNAPSHOT_BYTES: 18,
  /** When the one that is being taken was begun. Unit: ms since the epoch. */
  SNAPSHOT_BEGAN_AT_MS: 19,
} as const;
/** One of {@link LogFigure}. */
export type LogFigure = typeof LogFigure[keyof typeof LogFigure];

/** How the log is, for people. */
export const LogPhase = {
  /** It is written. */
  SERVING: 0,
  /** It cannot be written. */
  FAILED: 1,
  /** It is written again; the snapshot that makes good for what was lost is being taken. */
  REPAIRING: 2,
} as const;

/** Upper bounds of the buckets of how long syncs took: powers of two. Unit: µs. */
export const SYNC_BOUNDS_US: readonly number[] = Array.from({ length: 22 }, (_, i) => 2 ** (i + 4));

const STATE = 0;
const STOP = 1;
const WISHES = 2;
const REPAIRS = 3;
const FIGURES_AT = 64;
const FIGURE_COUNT = Object.keys(LogFigure).length;
/** One more than bounds, for what takes longer. */
const SYNC_BUCKET_COUNT = SYNC_BOUNDS_US.length + 1;

/** Makes the memory. */
export function createLogStatus(): SharedArrayBuffer {
  return new SharedArrayBuffer(FIGURES_AT + (FIGURE_COUNT + SYNC_BUCKET_COUNT) * 8);
}

/** The status of the log. Thread: any; one instance per thread. */
export class LogStatus {
  readonly #words: Int32Array;
  readonly #figures: Float64Array;

  /** Attaches a thread to what {@link createLogStatus} made. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, FIGURES_AT / 4);
    this.#figures = new Float64Array(memory, FIGURES_AT);
  }

  /** Whether writes are taken. */
  get state(): LogState {
    return Atomics.load(this.#words, STATE) as LogState;
  }

  /** Thread: the log's. */
  set state(state: LogState) {
    Atomics.store(this.#words, STATE, state);
  }

  /** Whether the log is to be ended: nothing changes the store any more. */
  get isStopWanted(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  /** Lets the log end; the writer has to be called then. Thread: the supervisor. */
  wantStop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  /** How often a snapshot was wished for; goes round after 2^32. */
  get wishes(): number {
    return Atomics.load(this.#words, WISHES);
  }

  /** Wishes for a snapshot; the writer has to be called then. */
  wantSnapshot(): void {
    Atomics.add(this.#words, WISHES, 1);
  }

  /** How often the log was found to lack something; goes round after 2^32. */
  get repairs(): number {
    return Atomics.load(this.#words, REPAIRS);
  }

  /** Says that it does; to be called before anything that comes behind it. Thread: the supervisor. */
  wantRepair(): void {
    Atomics.add(this.#words, REPAIRS, 1);
  }

  /** A figure. */
  get(figure: LogFigure): number {
    return this.#figures[figure]!;
  }

  /** Sets a figure. Thread: the log's. */
  set(figure: LogFigure, value: number): void {
    this.#figures[figure] = value;
  }

  /** Adds to a figure. Thread: the log's. */
  count(figure: LogFigure, amount = 1): void {
    this.#figures[figure]! += amount;
  }

  /** Counts a sync. Thread: the log's. */
  recordSync(tookMs: number): void {
    this.count(LogFigure.SYNCS);
    this.count(LogFigure.SYNC_SUM_MS, tookMs);
    this.set(LogFigure.SYNC_MAX_MS, Math.max(tookMs, this.get(LogFigure.SYNC_MAX_MS)));
    const bucket = SYNC_BOUNDS_US.findIndex((boundUs) => tookMs * 1000 <= boundUs);
    this.#figures[FIGURE_COUNT + (bucket < 0 ? SYNC_BOUNDS_US.length : bucket)]!++;
  }

  /** How many syncs took no longer than each of {@link SYNC_BOUNDS_US}; the last number is all of them. */
  syncCounts(): number[] {
    let sum = 0;
    return Array.from(
      { length: SYNC_BUCKET_COUNT },
      (_, i) => sum += this.#figures[FIGURE_COUNT + i]!,
    );
  }
}
