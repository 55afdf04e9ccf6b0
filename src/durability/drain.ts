/**
 * The writer's side of the intake; intake_layout.ts draws it.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  bufferAt,
  CLOSED,
  filledAt,
  IntakeHeader,
  type IntakeMemory,
  PIECE_HEAD_BYTES,
  recordBytesAt,
  VOID,
} from "./intake_layout.ts";
import { MARK_FRAME_BYTES } from "./mark.ts";
import { RecordType } from "./record.ts";

/** How often the writer looks at something unconfirmed before it sleeps in between. */
const SPIN_ROUNDS = 200;
/** How long it sleeps then. Unit: ms. */
const CONFIRM_SLICE_MS = 1;
/** Of one sleep, however long it took, so much counts as waited. Unit: ms. */
const MOST_COUNTED_MS = 100;
/**
 * How long the writer waits for something to be confirmed. A living thread takes microseconds, and dead
 * ones are seen to: after this, the log is stuck for good. Unit: ms.
 */
const PATIENCE_MS = 30_000;

/** Records that were taken out of the intake. */
export interface Piece {
  /** Its number. */
  readonly number: number;
  /** Room for a mark, and then a frame whose header has its length only. */
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  /** Behind the frame. */
  readonly end: number;
  /** Whether there are records that the writer itself takes note of, from `SWAPPED` on. */
  readonly hasNotes: boolean;
  /** How many records there are. */
  readonly recordCount: number;
}

/**
 * Takes pieces out of the intake, one at a time.
 *
 * Thread: the writer; one instance.
 */
export class Drain {
  /** How often a piece had records that were claimed and not confirmed yet when it was closed. */
  unconfirmedCount = 0;

  readonly #memory: IntakeMemory;
  readonly #patienceMs: number;
  readonly #words: Int32Array;
  readonly #buffers: readonly { bytes: Uint8Array; view: DataView }[];
  /** Whether the piece has records that the writer takes note of. */
  #hasNotes = false;
  #recordCount = 0;
  /** The piece that was taken and not released. */
  #taken: Piece | undefined;

  /**
   * Attaches the writer.
   *
   * @param patienceMs how long something may stay unconfirmed
   */
  constructor(memory: IntakeMemory, patienceMs = PATIENCE_MS) {
    this.#memory = memory;
    this.#patienceMs = patienceMs;
    this.#words = new Int32Array(memory.bytes);
    this.#buffers = [0, 1].map((parity) => {
      const at = bufferAt(memory, parity);
      return {
        bytes: new Uint8Array(memory.bytes, at, memory.bufferBytes),
        view: new DataView(memory.bytes, at, memory.bufferBytes),
      };
    });
  }

  /** Counts how often the writer was called; what {@link Drain.sleep} takes. */
  get calls(): number {
    return Atomics.load(this.#words, IntakeHeader.BELL);
  }

  /**
   * Sleeps until the writer is called.
   *
   * @param calls as it was before the writer looked for work
   * @param timeoutMs at most so long
   */
  sleep(calls: number, timeoutMs: number): void {
    Atomics.wait(this.#words, IntakeHeader.BELL, calls, timeoutMs);
  }

  /**
   * Takes everything that was put in so far.
   *
   * @returns a piece, to be released before the next one is taken; undefined: there is nothing
   * @throws {AssertionFault} when something stays unconfirmed: the log is stuck
   */
  take(): Piece | undefined {
    assert(this.#taken === undefined, "one piece is taken at a time");
    const words = this.#words;
    const number = Atomics.load(words, IntakeHeader.PIECE);
    if (Atomics.load(words, filledAt(number)) === PIECE_HEAD_BYTES) return undefined;
    const next = (number + 1) | 0;
    // In this order: whoever claims in the other buffer does so behind this. Who has found it empty two
    // pieces ago may claim there as soon as it is open, and what comes after that must not be in front.
    Atomics.store(words, IntakeHeader.PIECE, next);
    Atomics.store(words, filledAt(next), PIECE_HEAD_BYTES);
    const filled = Atomics.or(words, filledAt(number), CLOSED);
    // Who found no room waits for this.
    Atomics.notify(words, IntakeHeader.PIECE);
    const end = this.#awaitConfirmed(number, filled);
    const { bytes, view } = this.#buffers[number & 1]!;
    view.setUint32(MARK_FRAME_BYTES, end - PIECE_HEAD_BYTES, true);
    // Without a record there is no frame.
    const isEmpty = end === PIECE_HEAD_BYTES;
    return this.#taken = {
      number,
      bytes,
      view,
      end: isEmpty ? MARK_FRAME_BYTES : end,
      hasNotes: this.#hasNotes,
      recordCount: this.#recordCount,
    };
  }

  /** Gives the piece's buffer back: it is written, or given up. */
  release(): void {
    assert(this.#taken !== undefined, "a piece was taken");
    const { number, bytes } = this.#taken;
    // The supervisor may look here for what a dead thread has claimed: there is nothing any more.
    const filled = Atomics.exchange(this.#words, filledAt(number), CLOSED) & ~CLOSED;
    bytes.fill(0, 0, filled);
    this.#taken = undefined;
  }

  /** Number of the last piece that is durable. */
  get durablePiece(): number {
    return Atomics.load(this.#words, IntakeHeader.DURABLE);
  }

  /** Says that everything up to and including a piece is durable. */
  setDurable(piece: number): void {
    Atomics.store(this.#words, IntakeHeader.DURABLE, piece);
    Atomics.notify(this.#words, IntakeHeader.DURABLE);
  }

  /** Waits until everything is confirmed or void; returns where the records end, without gaps. */
  #awaitConfirmed(piece: number, filled: number): number {
    const words = this.#words;
    const base = bufferAt(this.#memory, piece);
    let voidCount = 0;
    this.#hasNotes = false;
    this.#recordCount = 0;
    for (let at = PIECE_HEAD_BYTES; at < filled;) {
      const index = (base + at) >> 2;
      const first = Atomics.load(words, index) || this.#awaitFirst(index);
      const type = first & 0xff;
      if (type === VOID) voidCount++;
      else {
        if (type >= RecordType.SWAPPED && type < RecordType.STRING_RANGE) this.#hasNotes = true;
        this.#recordCount++;
      }
      at += recordBytesAt(words, index, first);
      assert(at <= filled, "records end where the piece ends");
    }
    return voidCount === 0 ? filled : this.#closeGaps(piece, filled);
  }

  /**
   * Closes the gaps that dead threads left. Not before everything is confirmed: the supervisor looks for
   * what another one has claimed from the front.
   */
  #closeGaps(piece: number, filled: number): number {
    const words = this.#words;
    const base = bufferAt(this.#memory, piece);
    const { bytes } = this.#buffers[piece & 1]!;
    let end = PIECE_HEAD_BYTES;
    for (let at = PIECE_HEAD_BYTES; at < filled;) {
      const index = (base + at) >> 2;
      const first = words[index]!;
      const byteCount = recordBytesAt(words, index, first);
      if ((first & 0xff) !== VOID) {
        if (end !== at) bytes.copyWithin(end, at, at + byteCount);
        end += byteCount;
      }
      at += byteCount;
    }
    return end;
  }

  #awaitFirst(index: number): number {
    const words = this.#words;
    this.unconfirmedCount++;
    let waitedMs = 0;
    let seenMs = 0;
    for (let round = 0;; round++) {
      const first = Atomics.load(words, index);
      if (first !== 0) return first;
      if (round < SPIN_ROUNDS) {
        Atomics.pause();
        continue;
      }
      Atomics.wait(words, index, 0, CONFIRM_SLICE_MS);
      const nowMs = performance.now();
      // Where the process was stopped for a while, those who are waited for were, too.
      waitedMs += Math.min(nowMs - (seenMs || nowMs), MOST_COUNTED_MS);
      seenMs = nowMs;
      assert(waitedMs < this.#patienceMs, "what was claimed is confirmed or void soon");
    }
  }
}
