/**
 * `CLIENT PAUSE`: commands of RESP clients wait until a time that all threads know.
 *
 * A command that waits is not lost: it runs when the pause ends. Connections over HTTP and Protobuf go
 * on, and so do event workers.
 *
 * @module
 */

import { OperationsDouble, type OperationsRegion, OperationsWord } from "./operations_memory.ts";
import type { ServerPhase } from "./phase.ts";
import type { CommandRow } from "./row.ts";

/** Whose commands wait. */
export const PauseMode = {
  /** Nobody's. */
  OFF: 0,
  /** Commands that write. */
  WRITE: 1,
  /** All of them, but those that change the pause. */
  ALL: 2,
} as const;

/** One of the values of {@link PauseMode}. */
export type PauseMode = (typeof PauseMode)[keyof typeof PauseMode];

/**
 * How often a waiting command looks whether the pause was ended early, or the server stops. Unit: ms.
 *
 * Reason: so much later it goes on at most; a pause is rare, and what waits costs nothing else.
 */
const LOOK_INTERVAL_MS = 20;

// Looked at before every command; V8 fetches what another module exports at each use.
const { PAUSE_MODE } = OperationsWord;
/** The mode's bits in its word; above them is the pause's number. */
const MODE_MASK = 3;
/** What a new pause adds to the word. */
const EPOCH = 4;

/** Commands that run although everything else waits: otherwise nobody could end a pause. */
const ALWAYS_RUN: readonly string[] = ["client|unpause", "client|pause", "shutdown"];

/** The pause as one thread sees it. Thread: any; one object per thread. */
export class ClientPause {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #region: OperationsRegion;
  readonly #clock: () => number;
  readonly #phase: ServerPhase;

  /**
   * Looks at the pause of a region.
   *
   * @param clock time of day, ms since the epoch
   */
  constructor(region: OperationsRegion, clock: () => number, phase: ServerPhase) {
    this.#words = region.words;
    this.#region = region;
    this.#clock = clock;
    this.#phase = phase;
  }

  /** Whether there may be a pause; costs one load. */
  get mayHold(): boolean {
    return (this.#words[PAUSE_MODE]! & MODE_MASK) !== 0;
  }

  /** Begins a pause or makes the present one longer and stricter, never shorter or laxer. */
  begin(mode: PauseMode, durationMs: number): void {
    const { words, doubles } = this.#region;
    const endMs = this.#clock() + durationMs;
    const word = Atomics.load(words, OperationsWord.PAUSE_MODE);
    const isOn = (word & MODE_MASK) !== PauseMode.OFF && this.#remainingMs() > 0;
    const at = OperationsDouble.PAUSE_END;
    doubles[at] = isOn ? Math.max(doubles[at]!, endMs) : endMs;
    const strictest = isOn ? Math.max(word & MODE_MASK, mode) : mode;
    Atomics.store(words, OperationsWord.PAUSE_MODE, (word & ~MODE_MASK) + EPOCH | strictest);
  }

  /** Ends it. */
  end(): void {
    Atomics.and(this.#region.words, OperationsWord.PAUSE_MODE, ~MODE_MASK);
  }

  /** Whether a command has to wait now; undefined stands for one that does not exist. */
  holds(row: CommandRow | undefined): boolean {
    const { words } = this.#region;
    const word = Atomics.load(words, OperationsWord.PAUSE_MODE);
    const mode = word & MODE_MASK;
    if (mode === PauseMode.OFF || this.#phase.stopping) return false;
    if (this.#remainingMs() <= 0) {
      // So that commands are fast again; another pause that begins meanwhile has another epoch.
      Atomics.compareExchange(words, OperationsWord.PAUSE_MODE, word, word & ~MODE_MASK);
      return false;
    }
    if (row !== undefined && ALWAYS_RUN.includes(row.name)) return false;
    return mode === PauseMode.ALL || (row !== undefined && mayWrite(row));
  }

  /**
   * Waits until a command no longer has to.
   *
   * @param isOver asked now and then: whether nobody waits for the command any more
   */
  async wait(row: CommandRow | undefined, isOver: () => boolean): Promise<void> {
    while (this.holds(row) && !isOver()) {
      const delayMs = Math.min(LOOK_INTERVAL_MS, Math.max(1, this.#remainingMs()));
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }

  #remainingMs(): number {
    return this.#region.doubles[OperationsDouble.PAUSE_END]! - this.#clock();
  }
}

/** What changes something, or may: an EXEC, a message to others. */
function mayWrite(row: CommandRow): boolean {
  return row.flags.includes("write") || MAY_WRITE.includes(row.name);
}

const MAY_WRITE: readonly string[] = ["event", "exec", "publish", "pfcount"];
