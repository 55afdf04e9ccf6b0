/**
 * What a connection asks of a protocol, and nothing else.
 *
 * The server owns sockets, timeouts and fairness; a protocol owns bytes. This interface is the
 * seam: it knows no socket and a connection knows no protocol.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../base/bytes.ts";

/**
 * Pending output above this many bytes pauses a batch: the session returns
 * {@link SessionStep.FLUSH} and goes on when called again.
 *
 * Unit: bytes. Reason: a pipeline of reads of large values must not build all its replies in
 * memory before the first of them is written.
 */
export const OUTPUT_PAUSE_BYTES = 262144;

/**
 * What the connection does after {@link Session.process} returned.
 *
 * - `NEED_INPUT`: write the output, then read more.
 * - `FLUSH`: write the output, if any, let others have their turn, then call `process` again without
 *   reading.
 * - `CLOSE`: write the output, then close.
 */
export const SessionStep = { NEED_INPUT: 0, FLUSH: 1, CLOSE: 2 } as const;

/** One of the values of {@link SessionStep}. */
export type SessionStep = (typeof SessionStep)[keyof typeof SessionStep];

/**
 * Bytes that somebody keeps for as long as they are sent, and that are written from where they are.
 *
 * They take no client memory, however many clients get them and however slowly.
 *
 * Thread: the I/O thread of the connection that they are for.
 */
export interface KeptBytes {
  /** Bytes that were not taken yet. */
  readonly remaining: number;
  /** Takes what comes next, at most so much; it stays as it is until the session goes on. */
  next(mostBytes: number): Uint8Array<ArrayBuffer>;
}

/**
 * One connection's conversation in one protocol.
 *
 * Thread: belongs to one connection, hence to one I/O thread.
 */
export interface Session {
  /**
   * Executes the complete requests at the front of `input` and appends their replies to `output`.
   *
   * An incomplete request stays in `input`. A command that had to wait is the last one of its call:
   * many may go on together, and before the next the caller looks whether there is memory for it. Never called again before the previous call (or its
   * promise) is done; while a promise is pending the connection neither reads into `input` nor
   * touches `output`.
   *
   * @param untilMs when the batch should pause, even if it is not done, by `performance.now()`;
   *   {@link BATCH_SLICE_MS} from now when left out
   * @returns the step, or a promise of it when a command parked because its locks were busy; the
   *   order of replies is kept
   */
  process(
    input: InputBuffer,
    output: ByteWriter,
    untilMs?: number,
  ): SessionStep | Promise<SessionStep>;

  /**
   * Told before several sessions in a row process what has arrived: may note what it will look for,
   * so that all can wait for memory together. Left out: it notes nothing. Must not throw.
   *
   * @returns false when it does not fit beside what the others have noted: it wants to be asked again
   *   when they have processed theirs
   */
  lookAhead?(input: InputBuffer): boolean;

  /** True when a request has been received only in part (for timeouts and for shutting down). */
  readonly midRequest: boolean;

  /** True when what is missing of that request belongs to its body; its head has arrived. */
  readonly midBody: boolean;

  /** What it keeps of the memory that its origin names, until it is closed; left out: nothing. */
  readonly heldBytes?: number;
  /** True when a part of a reply is written and the rest is not; left out: never. */
  readonly midReply?: boolean;

  /**
   * What is to be written behind the output; left out: nothing. To be looked at when
   * {@link Session.process} asked to be called again, which is to be done when all of it is written.
   */
  readonly kept?: KeptBytes | undefined;

  /** What a client that waits is told when the server closes its connection; left out: nothing. */
  readonly farewell?: Uint8Array<ArrayBuffer> | undefined;

  /**
   * What a client is told that was too slow, before its connection is closed; left out: what its
   * port says to everybody.
   */
  readonly timeoutReply?: Uint8Array<ArrayBuffer> | undefined;

  /** Called once when the connection is over. */
  close(): void;
}
