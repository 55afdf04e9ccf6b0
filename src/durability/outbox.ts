/**
 * What one thread has done to the store, on its way into the log.
 *
 * Most of it goes there at once, when a command gives back its first lock. Of commands that a
 * connection has sent in a row (a turn), all but the first share a place in the log, if nobody else
 * puts anything in between: then a command costs two looks and no atomic change. intake_layout.ts says
 * why the order is right all the same.
 *
 * ```text
 * records   header │ records with a place in the open span │ those of the command under way
 *                                                     settledEnd                           length
 * ```
 *
 * @module
 */

import type { Intake } from "./intake.ts";
import { FRAME_HEADER_BYTES } from "./layout.ts";
import { RecordWriter } from "./record.ts";

/** A span is at least so long, or as long as what it begins with. Unit: bytes. */
const LEAST_SPAN_BYTES = 64;

/** Thread: belongs to one thread. */
export class Outbox {
  /** What was done since it was put into the log; the records of one command are not parted. */
  readonly records: RecordWriter = new RecordWriter();

  readonly #intake: Intake;
  /** In front of it, records have a place in the open span; without one there are none. */
  #settledEnd = FRAME_HEADER_BYTES;
  #isTurn = false;
  /** Whether the turn has put something in. */
  #hasPublished = false;

  /**
   * How long the next span is. What others come behind is void and cannot be given back: where several
   * threads are busy, long spans would fill a buffer with it.
   */
  #spanBytes: number;

  /** Begins empty. */
  constructor(intake: Intake) {
    this.#intake = intake;
    this.#spanBytes = intake.mostSpanBytes;
  }

  /**
   * Gives what was recorded its place in the log; called with the locks held under which it was done.
   *
   * @returns whether there was anything; then it is in the piece that was claimed last
   */
  publish(): boolean {
    const { length } = this.records;
    if (length === this.#settledEnd) return false;
    if (this.#intake.spanTakes(length - FRAME_HEADER_BYTES)) this.#settledEnd = length;
    else this.#publishAnew();
    return true;
  }

  /** There is no span, or it takes no more: what is claimed now comes behind it. */
  #publishAnew(): void {
    const intake = this.#intake;
    const { records } = this;
    this.closeSpan();
    // A turn of one command, as all are without pipelining, is not worth a span.
    const isFirst = !this.#isTurn || !this.#hasPublished;
    this.#hasPublished = true;
    if (isFirst || records.length - FRAME_HEADER_BYTES > intake.mostSpanBytes) {
      intake.publish(records);
    } else {
      intake.openSpan(Math.max(this.#spanBytes, records.length - FRAME_HEADER_BYTES));
      this.#settledEnd = records.length;
    }
  }

  /** Puts in what has a place; to be called before anything else is put in. */
  closeSpan(): void {
    const intake = this.#intake;
    if (!intake.hasSpan) return;
    this.#spanBytes = intake.closeSpan(this.records, this.#settledEnd)
      ? Math.min(this.#spanBytes * 2, intake.mostSpanBytes)
      : Math.max((this.#spanBytes >> 2) & -8, Math.min(LEAST_SPAN_BYTES, intake.mostSpanBytes));
    this.records.forgetBefore(this.#settledEnd);
    this.#settledEnd = FRAME_HEADER_BYTES;
  }

  /**
   * Commands are executed one behind the other from now on, until {@link Outbox.endTurn}. The thread does
   * not sleep meanwhile, but for room in the log, nor go back to its event loop.
   *
   * Thread: one whose death ends the server.
   */
  beginTurn(): void {
    this.#isTurn = true;
    this.#hasPublished = false;
  }

  /** No more are. */
  endTurn(): void {
    this.#isTurn = false;
    this.closeSpan();
  }
}
