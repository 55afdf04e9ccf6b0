/**
 * The shared memory between the threads that change the store and the one that writes the log.
 *
 * ```text
 * 32-bit words, one line (64 bytes) per drawing
 *
 * header   0  PIECE      number of the piece that takes records; its buffer is PIECE & 1
 *          1  BELL       counts up when the writer is to look; it sleeps on this
 *          2  DURABLE    number of the last piece that is durable, as are all before it
 * buffer 0, buffer 1
 *          0  FILLED     bytes that were claimed, the room in front included; bit 31 = closed
 * thread   0  STATE      ClaimState                    one line for each thread
 *          1  piece  2  first byte  3  bytes           what it claims, or tries to claim
 *
 * content of buffer 0, content of buffer 1
 *          room for a mark and the header of a frame │ records │ records │ … │ zeros
 * ```
 *
 * **The records of a command** are claimed by compare-and-swap of FILLED, copied, and confirmed by
 * their first word, which is 0 until then, as everything behind FILLED is while a buffer takes records.
 * A record says itself how long it is, so that nothing is needed around them. All that is in a piece
 * becomes one frame. A record of the type {@link VOID} is what a thread has left that died before it
 * confirmed; its second word says how long that is.
 *
 * **Spans.** A thread that executes many commands in a row claims more than it needs (a span), and keeps
 * the records of those commands until its turn is over; then it copies and confirms all of them at once,
 * and gives back what is left, by compare-and-swap of FILLED from the span's end to theirs. Where others
 * have claimed behind it, what is left is VOID. The place in the log is that of the claim, so a command
 * may join only where that is right: nothing that others did before it may be behind the span. While it
 * holds its locks, it looks whether PIECE is the span's and FILLED its end. What another thread did
 * before, and this command can see or builds upon, was claimed before that thread gave back its lock, so
 * it is in front of the span, or one of the two has changed, and the span is closed and another claimed
 * behind. PIECE must be looked at because two buffers are open for a moment: the other thread may have
 * been in the next one already. Who sees what a command in the span did claims behind it, and a piece is
 * written when all of it is confirmed, so that nothing is on the disk without what came before it.
 *
 * The writer waits for a span as for any claim, up to a turn of its thread. It is therefore closed before
 * the thread claims anything else, sleeps, or returns to its event loop. When its thread dies, nothing
 * of it is in the log; that of a thread that dies alone could be voided only if it gave nothing back, so
 * that only threads have spans whose death ends the server.
 *
 * **Pieces.** The writer first opens the other buffer (PIECE, then FILLED), then closes this one, then
 * waits until everything in it is confirmed. Between the two a thread that had read the old PIECE may
 * still claim there; a thread that has the lock of the same shard after it reads PIECE after it, so
 * that the records of one key are in the order in which its lock was held. PIECE comes first because a
 * thread may have read PIECE and FILLED, equal to what is set now, any number of pieces ago: where it
 * claims then, PIECE says so already to all who come after it. A buffer that was written has nothing
 * in it (FILLED is the bit alone) before it is cleared.
 *
 * Numbers of pieces are compared by their difference, and go round after 2^32.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { aligned, EXPIRY_BYTES, FRAME_HEADER_BYTES, RECORD_HEADER_BYTES } from "./layout.ts";
import { MARK_FRAME_BYTES } from "./mark.ts";

/** Word offsets in the header. */
export const IntakeHeader = { PIECE: 0, BELL: 1, DURABLE: 2 } as const;

/** Word offsets in a thread's line. */
export const Claim = { STATE: 0, PIECE: 1, START: 2, BYTES: 3 } as const;

/** What a thread's line says. */
export const ClaimState = {
  /** The thread claims nothing. */
  NONE: 0,
  /** It tries to claim what the line says, or has it and has not confirmed it. */
  CLAIMING: 1,
} as const;

/** Bit of FILLED: the buffer takes no more records. */
export const CLOSED = 1 << 31;

/** In front of the records of a piece: room for a mark, and for the header of a frame. */
export const PIECE_HEAD_BYTES: number = MARK_FRAME_BYTES + FRAME_HEADER_BYTES;

/** Type of what is no record; none of `RecordType`. */
export const VOID = 0xff;

const LINE_BYTES = 64;
const LINE_WORDS = LINE_BYTES / 4;

/** The memory, to be handed to threads. */
export interface IntakeMemory {
  /** Header, buffers' lines, threads' lines, contents. */
  readonly bytes: SharedArrayBuffer;
  /** How many threads may publish. */
  readonly threadCount: number;
  /** Length of one buffer. */
  readonly bufferBytes: number;
}

/**
 * Makes the memory. The system gives it out when it is first touched, so that a large buffer costs
 * what is ever waiting in it.
 *
 * @param bufferBytes a multiple of 64, below 2^30; no record is longer
 */
export function createIntakeMemory(threadCount: number, bufferBytes: number): IntakeMemory {
  assert(bufferBytes % LINE_BYTES === 0 && bufferBytes < 2 ** 30, "a buffer can be addressed");
  const bytes = new SharedArrayBuffer(contentAt(threadCount) + 2 * bufferBytes);
  const memory = { bytes, threadCount, bufferBytes };
  const words = new Int32Array(bytes);
  words[IntakeHeader.DURABLE] = -1;
  words[filledAt(0)] = PIECE_HEAD_BYTES;
  words[filledAt(1)] = CLOSED;
  return memory;
}

/** Word index of FILLED of the buffer of a piece. */
export function filledAt(piece: number): number {
  return (1 + (piece & 1)) * LINE_WORDS;
}

/** Word index of a thread's line. */
export function claimAt(threadId: number): number {
  return (3 + threadId) * LINE_WORDS;
}

/**
 * Length of the record at `words[index…]`; record.ts draws it.
 *
 * @param first its first word, not 0
 */
export function recordBytesAt(words: Int32Array, index: number, first: number): number {
  if ((first & 0xff) === VOID) return words[index + 1]!;
  // The lowest bit of its flags says whether it has a time; see RecordFlag.
  const expiryBytes = ((words[index + 3]! >>> 24) & 1) * EXPIRY_BYTES;
  return aligned(RECORD_HEADER_BYTES + expiryBytes + (first >>> 16) + words[index + 1]!);
}

/** Index of the first byte of the buffer of a piece. */
export function bufferAt(memory: IntakeMemory, piece: number): number {
  return contentAt(memory.threadCount) + (piece & 1) * memory.bufferBytes;
}

function contentAt(threadCount: number): number {
  return (3 + threadCount) * LINE_BYTES;
}
