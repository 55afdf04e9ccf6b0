/**
 * The life of one connection: read → execute what is complete → write every reply → read.
 *
 * The loop is deliberately small: it knows sockets and time, the session knows bytes. Nothing else
 * may read or write the socket, but anybody on the thread may end it.
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../base/bytes.ts";
import type { CounterSink } from "../command/counters.ts";
import { type Session, SessionStep } from "../protocol/session.ts";
import { REQUEST_SLACK_BYTES } from "./config.ts";
import type { Front } from "./front.ts";

/** Buffers above this size are given back after a batch. Unit: bytes. */
const KEPT_OUTPUT_BYTES = 16384;

/**
 * How long a closing connection waits for its client to close first. Unit: ms.
 *
 * A socket closed with unread input resets the connection, and a reset can destroy the reply that
 * was written just before: the client would never see why.
 */
const LINGER_MS = 1000;

/** How much a closing connection throws away before it closes anyway. Unit: bytes. */
const LINGER_BYTES = 4 * 1024 * 1024;

/** Where closing connections put the bytes that they throw away; never looked at. */
const discarded = new Uint8Array(65536);

/**
 * What a connection is doing.
 *
 * - `READING`: waiting for input.
 * - `ANSWERING`: executing or writing replies.
 * - `CLOSING`: the last reply is out; waiting for the client to close.
 * - `CLOSED`: over.
 */
export const ConnectionState = { READING: 0, ANSWERING: 1, CLOSING: 2, CLOSED: 3 } as const;

/** One of the values of {@link ConnectionState}. */
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState];

/**
 * What connections share on their thread.
 *
 * Thread: one object per I/O thread.
 */
export interface ConnectionHost {
  /** A clock that is right to a sweep, and free to read. Unit: ms since the epoch. */
  readonly nowMs: number;
  /** Bound on an incomplete request. Unit: bytes. */
  readonly maxRequestBytes: number;
  /** The thread's counters. */
  readonly counters: CounterSink;
  /** Takes note of a read that brought something. */
  countRead(): void;
  /**
   * A promise of the connection's turn to go on; undefined when it may at once.
   *
   * @param nowMs a recent reading of `performance.now()`
   */
  park(nowMs: number): Promise<void> | undefined;
  /** Told when a session threw: our bug, which costs that connection only. */
  sessionFailed(connection: Connection, error: unknown): void;
}

/**
 * One accepted connection.
 *
 * Thread: the I/O thread that accepted it.
 */
export class Connection {
  /** The protocol it speaks. */
  readonly front: Front;
  /** Answers begun; tells a batch from the next one. */
  batchCount = 0;

  readonly #socket: Deno.TcpConn;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #input = new InputBuffer();
  readonly #output = new ByteWriter();
  #state: ConnectionState = ConnectionState.READING;
  #lastActivityMs: number;
  /** When the request that is half received began to arrive; 0 = none is. */
  #requestStartedAtMs = 0;
  /** When it was told to end while it was answering; 0 = it was not. Unit: ms since the epoch. */
  #endedAtMs = 0;
  /** Whether the current batch wrote a reply. */
  #replied = false;
  /** The last reading of `performance.now()`. */
  #clockMs = 0;

  /**
   * Takes over `socket`; {@link Connection.run} serves it.
   *
   * @param id number that no other connection of the process has
   */
  constructor(socket: Deno.TcpConn, front: Front, host: ConnectionHost, id: number) {
    this.front = front;
    this.#socket = socket;
    this.#host = host;
    this.#lastActivityMs = host.nowMs;
    this.#session = front.createSession({
      id,
      address: addressText(socket.remoteAddr),
      localAddress: addressText(socket.localAddr),
      connectedAtMs: host.nowMs,
      end: () => this.end(),
    });
  }

  /** What it is doing now. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** True when a request has been received only in part. */
  get midRequest(): boolean {
    return this.#session.midRequest;
  }

  /**
   * Serves the client until one side closes. Never rejects.
   */
  async run(): Promise<void> {
    try {
      if (await this.#serve()) await this.#linger();
    } catch {
      // The socket's own errors are how clients leave: reset, broken pipe, closed by the sweep.
    } finally {
      this.close();
      this.#session.close();
    }
  }

  /** Closes at once; a pending read or write ends. May be called any number of times. */
  close(): void {
    if (this.#state === ConnectionState.CLOSED) return;
    this.#state = ConnectionState.CLOSED;
    try {
      this.#socket.close();
    } catch {
      // Already gone.
    }
  }

  /**
   * Closes after telling the client that nothing more will come; for a connection that waits for
   * input.
   *
   * @param farewell a last reply, may be empty
   */
  async closeGently(farewell: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#state !== ConnectionState.READING) return;
    this.#state = ConnectionState.CLOSING;
    this.#lastActivityMs = this.#host.nowMs;
    try {
      if (farewell.length > 0) await this.#write(farewell);
      await this.#socket.closeWrite();
    } catch {
      this.close();
    }
  }

  /**
   * Ends the connection on behalf of somebody else: at once when it waits for input, else behind
   * the output that is being made or written, for which the client has a second.
   */
  end(): void {
    if (this.#state === ConnectionState.READING) void this.closeGently(NOTHING);
    else if (this.#state === ConnectionState.ANSWERING) this.#endedAtMs ||= this.#host.nowMs;
  }

  /**
   * Ends the connection when it has been silent, or a request on its way, for too long.
   *
   * @param nowMs the sweep's time, ms since the epoch
   */
  sweep(nowMs: number): void {
    if (this.#state === ConnectionState.CLOSING) {
      if (nowMs - this.#lastActivityMs >= LINGER_MS) this.close();
      return;
    }
    if (this.#endedAtMs > 0 && nowMs - this.#endedAtMs >= LINGER_MS) {
      this.close();
      return;
    }
    const { headTimeoutMs, idleTimeoutMs } = this.front;
    if (
      headTimeoutMs > 0 && this.#requestStartedAtMs > 0 && !this.#session.midBody &&
      this.#state === ConnectionState.READING &&
      nowMs - this.#requestStartedAtMs >= headTimeoutMs
    ) {
      void this.closeGently(this.front.timeoutReply);
    } else if (idleTimeoutMs > 0 && nowMs - this.#lastActivityMs >= idleTimeoutMs) {
      // A client that has stopped reading our reply is idle, too, and gets no farewell.
      if (this.#state === ConnectionState.ANSWERING) this.close();
      else void this.closeGently(this.#requestStartedAtMs > 0 ? this.front.timeoutReply : NOTHING);
    }
  }

  /** @returns true when we end the connection and the client should get to see our last reply */
  async #serve(): Promise<boolean> {
    const input = this.#input;
    const host = this.#host;
    const { counters } = host;
    const { bytesRead } = this.front.counterIds;
    for (;;) {
      const byteCount = await this.#socket.read(input.space());
      host.countRead();
      if (this.#state !== ConnectionState.READING) return true;
      if (byteCount === null) return false;
      input.commit(byteCount);
      counters.add(bytesRead, byteCount);
      this.#lastActivityMs = this.#host.nowMs;
      this.#state = ConnectionState.ANSWERING;
      this.batchCount++;
      const step = await this.#answer();
      if (this.#isOver()) return false;
      if (step === SessionStep.CLOSE) return true;
      this.#state = ConnectionState.READING;
      this.#noteRequestStart();
      if (input.length > host.maxRequestBytes + REQUEST_SLACK_BYTES) return true;
      const turn = host.park(this.#clockMs);
      if (turn !== undefined) await turn;
    }
  }

  /** Executes everything complete in the input and writes every reply. */
  async #answer(): Promise<SessionStep> {
    const output = this.#output;
    this.#replied = false;
    const startedAtMs = this.#clockMs = performance.now();
    for (;;) {
      let step: SessionStep;
      try {
        const result = this.#session.process(this.#input, output);
        step = typeof result === "number" ? result : await result;
      } catch (error) {
        this.#host.sessionFailed(this, error);
        return SessionStep.CLOSE;
      }
      if (output.length > 0) {
        this.#replied = true;
        await this.#write(output.view());
        output.clear(KEPT_OUTPUT_BYTES);
        this.#clockMs = performance.now();
        this.front.latency?.recordMs(this.#clockMs - startedAtMs);
      }
      if (this.#endedAtMs > 0) return SessionStep.CLOSE;
      if (step !== SessionStep.FLUSH || this.#isOver()) return step;
      // Without a turn, a client that reads as fast as we write, or wants no replies at all, would
      // never let the thread go.
      this.#clockMs = performance.now();
      const turn = this.#host.park(this.#clockMs);
      if (turn !== undefined) await turn;
      if (this.#endedAtMs > 0) return SessionStep.CLOSE;
      if (this.#isOver()) return step;
    }
  }

  /** A reply means that the request before was whole: what is half there now began after it. */
  #noteRequestStart(): void {
    if (!this.#session.midRequest) this.#requestStartedAtMs = 0;
    else if (this.#replied || this.#requestStartedAtMs === 0) {
      this.#requestStartedAtMs = this.#host.nowMs;
    }
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let written = await this.#socket.write(bytes);
    // The kernel takes what fits; a client that reads slowly makes this a loop.
    while (written < bytes.length) {
      this.#lastActivityMs = this.#host.nowMs;
      written += await this.#socket.write(bytes.subarray(written));
    }
    // A large reply is many writes; none of them may look like the client's last sign of life.
    this.#lastActivityMs = this.#host.nowMs;
    this.#host.counters.add(this.front.counterIds.bytesWritten, written);
  }

  /** Says that nothing more will come, then throws away what the client still sends. */
  async #linger(): Promise<void> {
    if (this.#state !== ConnectionState.CLOSING) {
      this.#state = ConnectionState.CLOSING;
      this.#lastActivityMs = this.#host.nowMs;
      await this.#socket.closeWrite();
    }
    let budgetBytes = LINGER_BYTES;
    while (budgetBytes > 0) {
      const byteCount = await this.#socket.read(discarded);
      if (byteCount === null) return;
      budgetBytes -= byteCount;
    }
  }

  /** A getter's worth of help for the compiler, which takes `#state` for unchanged across awaits. */
  #isOver(): boolean {
    return this.#state === ConnectionState.CLOSED;
  }
}

const NOTHING = new Uint8Array(0);

function addressText({ hostname, port }: Deno.NetAddr): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
