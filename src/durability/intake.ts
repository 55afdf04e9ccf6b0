/**
 * Where threads put what goes into the log; intake_layout.ts draws it.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  bufferAt,
  Claim,
  claimAt,
  ClaimState,
  CLOSED,
  filledAt,
  IntakeHeader,
  type IntakeMemory,
  PIECE_HEAD_BYTES,
  recordBytesAt,
  VOID,
} from "./intake_layout.ts";
import { copyBytes } from "../base/shared_copy.ts";
import { FRAME_HEADER_BYTES } from "./layout.ts";
import type { RecordWriter } from "./record.ts";

/** Up to this length words are copied one by one: faster than a call. */
const SHORT_BYTES = 256;
/** The writer is called when so much waits, although it would look by itself within milliseconds. */
const MUCH_BYTES = 2 ** 20;
/** Length of a span, where buffers are long. Unit: bytes. */
const SPAN_BYTES = 8192;
/** At most this part of a buffer is a span: others need room beside it. */
const SPANS_PER_BUFFER = 16;
/** How long a thread waits at a time for room. Unit: ms. */
const ROOM_SLICE_MS = 10;
/** How long it waits in all, before it takes the log's thread for dead. Unit: ms. */
const ROOM_PATIENCE_MS = 60_000;

/** What {@link Intake.onStep} is told of. */
export type PublishStep = "announced" | "claimed" | "copied" | "returned" | "confirmed";

/**
 * One thread's way into the log.
 *
 * Thread: one instance per thread.
 */
export class Intake {
  /** Tests only: called between the steps of a publication. */
  onStep: ((step: PublishStep) => void) | undefined;
  /** How often this thread found no room and waited. */
  stallCount = 0;
  /** How much a span has room for. Unit: bytes. */
  readonly mostSpanBytes: number;

  readonly #memory: IntakeMemory;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #claimAt: number;
  #hasMuch = false;
  /** Where the last claim begins in its buffer, and where it ends, as FILLED said then. */
  #start = 0;
  #end = 0;
  /** Index of its first byte. */
  #at = 0;
  #piece = 0;
  /** How long the span is that the last claim is, and that is open; 0 = there is none. */
  #spanBytes = 0;

  /** Attaches a thread. */
  constructor(memory: IntakeMemory, threadId: number) {
    assert(threadId < memory.threadCount, "each thread has a line");
    this.#memory = memory;
    this.#words = new Int32Array(memory.bytes);
    this.#bytes = new Uint8Array(memory.bytes);
    this.#claimAt = claimAt(threadId);
    this.mostSpanBytes = Math.min(SPAN_BYTES, (memory.bufferBytes / SPANS_PER_BUFFER) & -8);
  }

  /**
   * Puts the records into the log, within one frame, and forgets them. Those that are longer than a
   * buffer go into several: then a crash may leave some of them and not the others.
   *
   * Called with the locks held under which the effects were made; so it does not wait, but for the
   * rare case that what waits for the disk fills a buffer.
   *
   * No span is open.
   *
   * @param records at least one, none of them longer than a buffer
   */
  publish(records: RecordWriter): void {
    assert(!records.isEmpty, "there is something to publish");
    const mostBytes = this.#memory.bufferBytes - PIECE_HEAD_BYTES;
    for (let start: number = FRAME_HEADER_BYTES; start < records.length;) {
      const end = records.length - start <= mostBytes
        ? records.length
        : records.endOfRecords(start, mostBytes);
      this.#publishPart(records, start, end);
      start = end;
    }
    records.clear();
  }

  /** Publishes the records `[from, to)`. */
  #publishPart(records: RecordWriter, from: number, to: number): void {
    this.#claim(to - from);
    this.onStep?.("claimed");
    this.#copy(records, from + 4, to, this.#at + 4);
    this.onStep?.("copied");
    this.#confirm(records.words[from >> 2]!);
  }

  /** @param first first word of what is claimed; the rest is there */
  #confirm(first: number): void {
    const words = this.#words;
    // Who sees the first word sees all of them.
    Atomics.store(words, this.#at >> 2, first);
    this.onStep?.("confirmed");
    // Read by who waits for it in a loop only, so that it need not be ordered.
    words[this.#claimAt + Claim.STATE] = ClaimState.NONE;
    if (this.#hasMuch) this.#callForMuch();
  }

  /** Whether a span is open. */
  get hasSpan(): boolean {
    return this.#spanBytes > 0;
  }

  /** The piece that the last claim is in, the open span's if there is one. */
  get claimedPiece(): number {
    return this.#piece;
  }

  /**
   * Claims a place for records that are still to come. The writer waits for it like for any other: it
   * is to be closed within a millisecond or so, and before the thread sleeps or puts in anything else.
   *
   * Called like {@link Intake.publish}. Thread: one whose death ends the server; see {@link voidClaimOf}.
   *
   * @param byteCount a multiple of 8, at most {@link Intake.mostSpanBytes}
   */
  openSpan(byteCount: number): void {
    this.#claim(byteCount);
    this.#spanBytes = byteCount;
    this.onStep?.("claimed");
  }

  /**
   * Whether what was just done may go into the span: there is room, and all that others have put in so
   * far is in front of it. Called with the locks held under which the effects were made.
   *
   * PIECE is read, too: for a moment two buffers are open, and others may be in the next one already.
   *
   * @param byteCount length of all that is to be in the span
   */
  spanTakes(byteCount: number): boolean {
    const words = this.#words;
    return byteCount <= this.#spanBytes &&
      Atomics.load(words, IntakeHeader.PIECE) === this.#piece &&
      Atomics.load(words, filledAt(this.#piece)) === this.#end;
  }

  /**
   * Puts records into the span, and gives back what is left of it.
   *
   * @param records the span takes those in front of `end`, which are one at least
   * @returns whether nothing of it is lost: nobody has put in anything behind what is left
   */
  closeSpan(records: RecordWriter, end: number): boolean {
    const byteCount = end - FRAME_HEADER_BYTES;
    assert(byteCount > 0 && byteCount <= this.#spanBytes, "a span has what it has room for");
    this.#copy(records, FRAME_HEADER_BYTES + 4, end, this.#at + 4);
    this.onStep?.("copied");
    const isReturned = this.#giveBack(byteCount);
    this.onStep?.("returned");
    this.#spanBytes = 0;
    this.#confirm(records.words[FRAME_HEADER_BYTES >> 2]!);
    // The writer may have found it open, and sleep; else it has not closed the piece when it looks.
    const words = this.#words;
    if ((Atomics.load(words, filledAt(this.#piece)) & CLOSED) !== 0) {
      Atomics.notify(words, this.#at >> 2);
    }
    return isReturned;
  }

  /** Gives back what is behind the first `byteCount` bytes, or voids it where others came behind. */
  #giveBack(byteCount: number): boolean {
    const restBytes = this.#spanBytes - byteCount;
    if (restBytes === 0) return true;
    const words = this.#words;
    const filled = filledAt(this.#piece);
    if (Atomics.compareExchange(words, filled, this.#end, this.#start + byteCount) === this.#end) {
      return true;
    }
    const rest = (this.#at + byteCount) >> 2;
    words[rest + 1] = restBytes;
    words[rest] = VOID;
    return false;
  }

  /**
   * Takes a place.
   *
   * The buffer may have come round since PIECE was read; the place is then in a later piece. In any
   * case that is one which the writer has not closed before the claim, and closes behind it.
   */
  #claim(byteCount: number): void {
    assert(this.#spanBytes === 0, "one place is claimed at a time");
    const words = this.#words;
    const { bufferBytes } = this.#memory;
    let waitsSinceMs = 0;
    for (;;) {
      const piece = Atomics.load(words, IntakeHeader.PIECE);
      const filled = filledAt(piece);
      const start = Atomics.load(words, filled);
      // Closed: the next piece is open, or is about to be.
      if ((start & CLOSED) !== 0) {
        Atomics.pause();
        continue;
      }
      const end = start + byteCount;
      if (end > bufferBytes) {
        waitsSinceMs ||= performance.now();
        this.#awaitRoom(piece, waitsSinceMs);
        continue;
      }
      this.#announce(piece, start, byteCount);
      this.onStep?.("announced");
      if (Atomics.compareExchange(words, filled, start, end) !== start) continue;
      if (start < MUCH_BYTES && end >= MUCH_BYTES) this.#hasMuch = true;
      this.#piece = this.#pieceWith(piece);
      this.#start = start;
      this.#end = end;
      this.#at = bufferAt(this.#memory, piece) + start;
      return;
    }
  }

  /**
   * The piece of what was just claimed in the buffer of `seen`, which may be a later one: as long as
   * that is not confirmed, PIECE says so, or is one further.
   */
  #pieceWith(seen: number): number {
    const open = Atomics.load(this.#words, IntakeHeader.PIECE);
    return ((open ^ seen) & 1) === 0 ? open : (open - 1) | 0;
  }

  /**
   * Lets the supervisor find what this thread is about to claim, should it die, and see that others do
   * not mean the same. Plain stores: who sees the claim sees what came before it.
   */
  #announce(piece: number, start: number, byteCount: number): void {
    const words = this.#words;
    const line = this.#claimAt;
    words[line + Claim.PIECE] = piece;
    words[line + Claim.START] = start;
    words[line + Claim.BYTES] = byteCount;
    words[line + Claim.STATE] = ClaimState.CLAIMING;
  }

  /** Once it is confirmed: on the same processor the writer would run at once, and wait for it. */
  #callForMuch(): void {
    this.#hasMuch = false;
    this.callWriter();
  }

  /** Number of the last piece that has a record: everything visible so far is in it or before it. */
  get lastPiece(): number {
    const words = this.#words;
    for (;;) {
      const piece = Atomics.load(words, IntakeHeader.PIECE);
      const filled = Atomics.load(words, filledAt(piece));
      // Closed: it is about to be opened, or the next one is. And what was read may be of a later piece.
      if ((filled & CLOSED) !== 0 || Atomics.load(words, IntakeHeader.PIECE) !== piece) continue;
      // An empty piece may be closed and filled meanwhile, by what is not visible yet.
      return filled === PIECE_HEAD_BYTES ? (piece - 1) | 0 : piece;
    }
  }

  /** Whether a piece is durable. */
  isDurable(piece: number): boolean {
    return (Atomics.load(this.#words, IntakeHeader.DURABLE) - piece | 0) >= 0;
  }

  /**
   * Whether a piece has been opened and is not durable. Unlike {@link Intake.isDurable} it may be asked of
   * a number of any age, though one that comes again may be taken for the new one.
   */
  isPending(piece: number): boolean {
    const durable = Atomics.load(this.#words, IntakeHeader.DURABLE);
    // In this order: the window may be found too large, never too small.
    const open = Atomics.load(this.#words, IntakeHeader.PIECE);
    return (piece - durable - 1) >>> 0 < (open - durable) >>> 0;
  }

  /** How much waits to be written, without what is being written. Unit: bytes. */
  get waitingBytes(): number {
    const words = this.#words;
    const filled = Atomics.load(words, filledAt(Atomics.load(words, IntakeHeader.PIECE)));
    return Math.max(0, (filled & ~CLOSED) - PIECE_HEAD_BYTES);
  }

  /** Wakes the writer if it sleeps. */
  callWriter(): void {
    Atomics.add(this.#words, IntakeHeader.BELL, 1);
    Atomics.notify(this.#words, IntakeHeader.BELL);
  }

  /**
   * Resolves when another piece has become durable, or after some time.
   *
   * @param timeoutMs at most so long
   */
  async nextDurable(seen: number, timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, IntakeHeader.DURABLE, seen, timeoutMs);
    if (wait.async) await wait.value;
  }

  /** Number of the last piece that is durable. */
  get durablePiece(): number {
    return Atomics.load(this.#words, IntakeHeader.DURABLE);
  }

  /** See {@link voidClaimOf}. */
  voidClaimOf(deadThread: number, isAlive: (threadId: number) => boolean): boolean {
    return voidClaimOf(this.#memory, deadThread, isAlive);
  }

  /**
   * Sleeps until there is another piece.
   *
   * @param sinceMs when the waiting began, by `performance.now()`
   */
  #awaitRoom(piece: number, sinceMs: number): void {
    this.stallCount++;
    this.callWriter();
    Atomics.wait(this.#words, IntakeHeader.PIECE, piece, ROOM_SLICE_MS);
    // This thread may be the one that would hear of the end of the log's thread.
    assert(performance.now() - sinceMs < ROOM_PATIENCE_MS, "the log's thread takes what is put in");
  }

  /** Copies the bytes `[from, end)` of records. */
  #copy({ bytes, words: source }: RecordWriter, from: number, end: number, at: number): void {
    if (end - from > SHORT_BYTES) {
      copyBytes(bytes, from, end, this.#bytes, at);
      return;
    }
    const target = this.#words;
    for (let to = at >> 2, i = from >> 2; i < end >> 2; i++) target[to++] = source[i]!;
  }
}

/**
 * Voids what a dead thread had claimed and not confirmed, so that the writer need not wait for it.
 *
 * Two threads that die between the same two instructions, having tried to claim the same place, can
 * not be told apart; it is then taken for that of the first one asked about.
 *
 * Thread: the supervisor, once, after that thread's isolate has ended.
 *
 * @param isAlive whether a thread still runs
 * @returns whether there was something: effects were made that the log does not have
 */
export function voidClaimOf(
  memory: IntakeMemory,
  deadThread: number,
  isAlive: (threadId: number) => boolean,
): boolean {
  const words = new Int32Array(memory.bytes);
  const line = claimAt(deadThread);
  if (Atomics.load(words, line + Claim.STATE) === ClaimState.NONE) return false;
  const parity = words[line + Claim.PIECE]! & 1;
  const start = words[line + Claim.START]!;
  const at = bufferAt(memory, parity) + start;
  while (isUnconfirmed(memory, words, parity, start)) {
    if (isAnnouncedByOthers(memory, words, deadThread, isAlive)) {
      // It has the place and is about to confirm it, or finds that it is taken and looks for another.
      Atomics.pause();
      continue;
    }
    words[(at >> 2) + 1] = words[line + Claim.BYTES]!;
    Atomics.store(words, at >> 2, VOID);
    Atomics.store(words, line + Claim.STATE, ClaimState.NONE);
    return true;
  }
  Atomics.store(words, line + Claim.STATE, ClaimState.NONE);
  return false;
}

/** Whether something that is claimed and not confirmed begins there. */
function isUnconfirmed(
  memory: IntakeMemory,
  words: Int32Array,
  parity: number,
  start: number,
): boolean {
  const base = bufferAt(memory, parity);
  for (let at = PIECE_HEAD_BYTES;;) {
    // From the front: a zero elsewhere may be in the middle of a record.
    if (at >= (Atomics.load(words, filledAt(parity)) & ~CLOSED) || at > start) return false;
    const index = (base + at) >> 2;
    const first = Atomics.load(words, index);
    if (first !== 0) at += recordBytesAt(words, index, first);
    else if (at !== start) Atomics.pause();
    // Else it was written meanwhile, and given back.
    else if ((Atomics.load(words, filledAt(parity)) & ~CLOSED) > start) return true;
  }
}

function isAnnouncedByOthers(
  memory: IntakeMemory,
  words: Int32Array,
  deadThread: number,
  isAlive: (threadId: number) => boolean,
): boolean {
  const own = claimAt(deadThread);
  for (let threadId = 0; threadId < memory.threadCount; threadId++) {
    if (threadId === deadThread || !isAlive(threadId)) continue;
    const line = claimAt(threadId);
    if (Atomics.load(words, line + Claim.STATE) !== ClaimState.CLAIMING) continue;
    const isSameBuffer = ((words[line + Claim.PIECE]! ^ words[own + Claim.PIECE]!) & 1) === 0;
    if (isSameBuffer && words[line + Claim.START] === words[own + Claim.START]) return true;
  }
  return false;
}
