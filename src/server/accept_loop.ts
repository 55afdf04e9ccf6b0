/**
 * Accepting connections, whatever happens.
 *
 * @module
 */

import { pause } from "./pause.ts";

/**
 * How long to wait after an error that is likely to come again at once, such as having no file
 * descriptor left: a bare retry would spin at tens of thousands of rejections a second.
 *
 * Unit: ms.
 */
const RETRY_PAUSE_MS = 50;

/**
 * So many connections are taken in a row before those that are served have their turn.
 *
 * Reason: thousands may be waiting, and taking or refusing one costs about as much as some requests.
 */
const ACCEPTS_PER_TURN = 32;

/** What an {@link AcceptLoop} takes connections from: a `Deno.Listener`, or a test's. */
export interface ConnectionSource {
  /** The next connection. */
  accept(): Promise<Deno.TcpConn>;
  /** Stops listening; a pending accept rejects. */
  close(): void;
}

/** What an {@link AcceptLoop} tells its owner. */
export interface AcceptLoopEvents {
  /** A connection, Nagle's algorithm already off. */
  onConnection(socket: Deno.TcpConn): void;
  /** An accept failed and the loop goes on. */
  onAcceptError(error: unknown): void;
  /** A promise of the loop's turn to go on; undefined when it may at once. */
  turn?(): Promise<void> | undefined;
}

/**
 * Accepts until its listener is closed, and stops for nothing else.
 *
 * Any client can make `accept` fail (by resetting the connection before it is taken), and so can a
 * shortage of file descriptors; neither may cost the others their server.
 *
 * Thread: the I/O thread that made it.
 */
export class AcceptLoop implements AsyncDisposable {
  /** Resolved when the loop has ended. */
  readonly done: Promise<void>;

  readonly #source: ConnectionSource;
  readonly #events: AcceptLoopEvents;
  readonly #stop = new AbortController();

  /** Starts accepting. */
  constructor(source: ConnectionSource, events: AcceptLoopEvents) {
    this.#source = source;
    this.#events = events;
    this.done = this.#run();
  }

  /** Closes the listener and waits for the loop to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      try {
        this.#source.close();
      } catch {
        // Closed already.
      }
    }
    await this.done;
  }

  async #run(): Promise<void> {
    let acceptedInTurn = 0;
    while (!this.#stop.signal.aborted) {
      let socket: Deno.TcpConn;
      try {
        socket = await this.#source.accept();
      } catch (error) {
        if (this.#stop.signal.aborted || isClosedListener(error)) return;
        this.#events.onAcceptError(error);
        if (!isLostConnection(error)) await pause(RETRY_PAUSE_MS, this.#stop.signal);
        continue;
      }
      this.#take(socket);
      if (++acceptedInTurn < ACCEPTS_PER_TURN) continue;
      acceptedInTurn = 0;
      const turn = this.#events.turn?.();
      if (turn !== undefined) await turn;
    }
  }

  #take(socket: Deno.TcpConn): void {
    try {
      socket.setNoDelay(true);
    } catch {
      // Reset since it was accepted; its first read will say so.
    }
    try {
      this.#events.onConnection(socket);
    } catch (error) {
      this.#events.onAcceptError(error);
      try {
        socket.close();
      } catch {
        // Closed already.
      }
    }
  }
}

function isClosedListener(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource;
}

/** The client left before it was accepted: the next one may be accepted at once. */
function isLostConnection(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}
