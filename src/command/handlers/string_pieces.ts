/**
 * Looking at all bytes of a string, however long it is.
 *
 * @module
 */

import type { Store } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import type { ReplySink } from "../reply_sink.ts";
import { HandlerStatus } from "../row.ts";
import type { Slices } from "../slices.ts";

/** A string is looked at in pieces of this size. Unit: bytes; a multiple of 8. */
export const PIECE_BYTES = 65536;

/** A piece is worth a look at the clock; see {@link Slices.isOver}. */
const PIECE_WEIGHT = 1024;

/**
 * A longer string is leased and looked at in slices, with no lock held.
 *
 * Unit: bytes. Reason: looking at this much takes some 0.2 ms.
 */
const AT_ONCE_BYTES = 4 * PIECE_BYTES;

/** Looks at the bytes of a string from front to back. */
export interface PieceReader {
  /**
   * Takes the next piece.
   *
   * @param piece its bytes are `piece[0, byteCount)`; aligned to 8 bytes, and the reader's to change
   * @param at place of the first one in the string
   * @returns whether to go on
   */
  take(piece: Uint8Array, byteCount: number, at: number): boolean;
  /** Replies, after the last piece. */
  reply(sink: ReplySink): void;
}

/**
 * Shows `string[start, end)` to a reader, at once if it is short, else later and in slices.
 *
 * Thread: the connection's I/O thread, with the key's lock.
 *
 * @param entry a string of at least `end` bytes
 * @returns what the handler returns
 */
export function readPieces(
  call: CommandCall,
  entry: number,
  start: number,
  end: number,
  reader: PieceReader,
): HandlerStatus {
  const { sink, store } = call;
  if (end - start <= AT_ONCE_BYTES || !store.isLeasable(entry) || call.inTransaction) {
    readAtOnce(store, entry, start, end, reader);
    reader.reply(sink);
    return HandlerStatus.DONE;
  }
  call.later = readLater(call.slices(), store, entry, start, end, reader, sink);
  return HandlerStatus.LATER;
}

function readAtOnce(
  store: Store,
  entry: number,
  start: number,
  end: number,
  reader: PieceReader,
): void {
  const piece = new Uint8Array(roundUp(Math.min(PIECE_BYTES, end - start)));
  for (let at = start; at < end;) {
    const byteCount = Math.min(PIECE_BYTES, end - at);
    store.copyStringRange(entry, at, at + byteCount, piece, 0);
    if (!reader.take(piece, byteCount, at)) return;
    at += byteCount;
  }
}

async function readLater(
  slices: Slices,
  store: Store,
  entry: number,
  start: number,
  end: number,
  reader: PieceReader,
  sink: ReplySink,
): Promise<HandlerStatus> {
  // Up to the first await this runs with the lock held.
  const lease = store.lease(entry, start, end);
  try {
    await slices.next();
    const piece = new Uint8Array(PIECE_BYTES);
    while (lease.remaining > 0) {
      const at = end - lease.remaining;
      const byteCount = Math.min(PIECE_BYTES, lease.remaining);
      lease.copyNext(piece, 0, byteCount);
      if (!reader.take(piece, byteCount, at)) break;
      if (slices.isOver(PIECE_WEIGHT)) await slices.next();
    }
  } finally {
    lease.release();
  }
  reader.reply(sink);
  return HandlerStatus.DONE;
}

function roundUp(byteCount: number): number {
  return (byteCount + 7) & ~7;
}
