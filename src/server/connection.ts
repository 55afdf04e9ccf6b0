/**
 * The life of one connection: read → execute what is complete → write every reply → read.
 *
 * The loop is deliberately small: it knows sockets and time, the session knows bytes. Nothing else
 * may read or write the socket, but anybody on the thread may end it.
 *
 * @module
 */

import { ByteWriter, InputBuffer } from "../base/bytes.ts";
import { BUSY_INPUT_BYTES, CONNECTION_BUFFER_BYTES, IDLE_INPUT_BYTES } from "../base/limits.ts";
import { newTold, type Told } from "../durability/told.ts";
import { CounterIndex } from "../metrics/names.ts";
import { type KeptBytes, type Session, SessionStep } from "../protocol/session.ts";
import { AsideInput } from "./aside_input.ts";
import type { ClientSocket } from "./client_socket.ts";
import { REQUEST_SLACK_BYTES } from "./config.ts";
import type { ConnectionHost } from "./connection_host.ts";
import {
  BATCH_ROOM_BYTES,
  COSTLY_BYTES,
  KEPT_OUTPUT_BYTES,
  KEPT_PART_BYTES,
  LINGER_MS,
} from "./connection_limits.ts";
import { addressText, discardRest, FAILED, NOTHING, type PartStep } from "./connection_parts.ts";
import { ConnectionState } from "./connection_state.ts";
import { DiskWait } from "./disk_wait.ts";
import type { Front } from "./front.ts";
import type { MemoryHolder } from "./memory_pressure.ts";
import { PushOutput } from "./push_output.ts";
import { TransferPace } from "./transfer_pace.ts";
import type { TurnWriter } from "./write_turns.ts";

/**
 * One accepted connection.
 *
 * Its buffers are lent: one for input as long as it is open, one for output while there is some.
 * They go back only when no read or write is pending on them, because the system may still write
 * into the buffer of a pending read: not when the connection is closed but when it has ended.
 *
 * Thread: the I/O thread that accepted it.
 */
export class Connection implements MemoryHolder, TurnWriter {
  /** The protocol it speaks. */
  readonly front: Front;
  /** See {@link TurnWriter.told}. */
  readonly told: Told = newTold();
  /** Answers begun; tells a batch from the next one. */
  batchCount = 0;

  readonly #socket: ClientSocket;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #input: InputBuffer;
  readonly #output: ByteWriter;
  readonly #pushes: PushOutput;
  readonly #pace: TransferPace;
  /** Whether a reply is being written. */
  #isWriting = false;
  /** The first part of a reply's way to the client, see {@link Connection.writeNow}. */
  #firstWrite: Promise<number> | undefined;
  /** Ends when what was pushed is written, or is in the way of a reply. */
  #pushing: Promise<void> | undefined;
  #state: ConnectionState = ConnectionState.READING;
  #lastActivityMs: number;
  /** When the request that is half received began to arrive; 0 = none is. */
  #requestStartedAtMs = 0;
  /** When it was told to end while it was answering; 0 = it was not. Unit: ms since the epoch. */
  #endedAtMs = 0;
  /** Whether the session has the buffers: no request is waited for, and no client. */
  #executing = false;
  /** Whether the current batch wrote a reply. */
  #replied = false;
  /** When the current batch began, by `performance.now()`. */
  #batchStartedAtMs = 0;
  /** The time when it was asked for last, see {@link ConnectionHost.clock}. */
  #clockMs = 0;
  /** How long the last batch kept the thread busy; 0 = hardly. Unit: ms. */
  #costMs = 0;
  /** How long writes of kept bytes have kept it busy since the last turn. Unit: ms. */
  #writeCostMs = 0;
  #disk: DiskWait | undefined;
  /** Ends what a command waits for; undefined when none waits. */
  #leave: (() => void) | undefined;
  /** Made when a command waits for the first time. */
  #aside: AsideInput | undefined;

  /**
   * Takes over `socket`; {@link Connection.run} serves it.
   *
   * @param id number that no other connection of the process has
   */
  constructor(socket: ClientSocket, front: Front, host: ConnectionHost, id: number) {
    this.front = front;
    this.#socket = socket;
    this.#host = host;
    this.#input = new InputBuffer(IDLE_INPUT_BYTES, host.memory, ...BUSY_INPUT_BYTES);
    this.#output = new ByteWriter(CONNECTION_BUFFER_BYTES, host.memory);
    this.#pushes = new PushOutput(this, host.memory);
    this.#pace = new TransferPace(front.minTransferRate);
    this.#lastActivityMs = host.nowMs;
    this.#session = front.createSession({
      id,
      address: addressText(socket.remoteAddr),
      localAddress: addressText(socket.localAddr),
      hostname: socket.remoteAddr.hostname,
      isSecure: socket.isSecure ?? false,
      connectedAtMs: host.nowMs,
      end: () => this.end(),
      waiting: (leave) => this.#noteWaiting(leave),
      memory: host.memory,
      pushTarget: this.#pushes,
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

  /** What its client is told when the server closes it, while it waits. */
  get farewell(): Uint8Array<ArrayBuffer> {
    return this.#session.farewell ?? NOTHING;
  }

  /** See {@link MemoryHolder.heldBytes}. */
  get heldBytes(): number {
    return this.#input.bytes.length + this.#output.bytes.length + this.#pushes.heldBytes +
      (this.#session.heldBytes ?? 0) + (this.#aside?.heldBytes ?? 0);
  }

  /**
   * See {@link MemoryHolder.isExecuting}. A command with more output than a batch ever waits for has
   * its reply: it is about to end.
   */
  get isExecuting(): boolean {
    return this.#executing && this.#output.bytes.length <= KEPT_OUTPUT_BYTES;
  }

  /** See {@link MemoryHolder.lastActivityMs}. */
  get lastActivityMs(): number {
    return this.#lastActivityMs;
  }

  /**
   * Serves the client until one side closes. Never rejects.
   */
  async run(): Promise<void> {
    try {
      if (await this.#serve()) {
        this.#releaseBuffers();
        await this.#linger();
      }
    } catch {
      // The socket's own errors are how clients leave: reset, broken pipe, closed by the sweep.
    } finally {
      this.close();
      this.#session.close();
      this.#releaseBuffers();
      if (this.#pushing !== undefined) await this.#pushing;
      this.#pushes.release();
      this.#host.pressure.departed(this);
    }
  }

  /**
   * Told that something was pushed; it is written at once, unless a reply is in the way: what is
   * pushed goes out between replies only.
   */
  pushed(): void {
    if (this.#host.memory.isOverdrawn) this.#host.pressure.relieve();
    if (this.#pushing === undefined && this.#mayPush()) this.#pushing = this.#writePushes();
  }

  /** Closes at once; a pending read or write ends. May be called any number of times. */
  close(): void {
    if (this.#state === ConnectionState.CLOSED) return;
    this.#state = ConnectionState.CLOSED;
    this.#leave?.();
    try {
      this.#socket.close();
    } catch {
      // Already gone.
    }
    this.#host.pressure.forget(this);
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
      if (this.#pushing !== undefined) await this.#pushing;
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
    else if (this.#state === ConnectionState.ANSWERING) {
      this.#endedAtMs ||= this.#host.nowMs;
      this.#leave?.();
    }
  }

  /**
   * Ends the connection when its client has been silent or slow for too long.
   *
   * @param nowMs the sweep's time, ms since the epoch
   */
  sweep(nowMs: number): void {
    if (this.#state === ConnectionState.READING) this.#sweepReader(nowMs);
    else if (this.#state === ConnectionState.ANSWERING) this.#sweepWriter(nowMs);
    else if (nowMs - this.#lastActivityMs >= LINGER_MS) this.close();
  }

  /** It waits for a request, or for the rest of one. */
  #sweepReader(nowMs: number): void {
    const { headTimeoutMs } = this.front;
    const timeoutReply = this.#session.timeoutReply ?? this.front.timeoutReply;
    const { counters } = this.#host;
    if (
      headTimeoutMs > 0 && this.#requestStartedAtMs > 0 && !this.#session.midBody &&
      nowMs - this.#requestStartedAtMs >= headTimeoutMs
    ) {
      counters.add(CounterIndex.CLOSED_HEAD_TIMEOUT);
      void this.closeGently(timeoutReply);
    } else if (this.#pace.isTooSlow(nowMs)) {
      counters.add(CounterIndex.CLOSED_SLOW);
      void this.closeGently(timeoutReply);
    } else if (!this.#pushes.isSubscriber && this.#isIdle(nowMs)) {
      counters.add(CounterIndex.CLOSED_IDLE);
      void this.closeGently(this.#requestStartedAtMs > 0 ? timeoutReply : NOTHING);
    }
  }

  /** Its client should take a reply; while it is executed, the client cannot be late. */
  #sweepWriter(nowMs: number): void {
    if (this.#endedAtMs > 0 && nowMs - this.#endedAtMs >= LINGER_MS) return this.close();
    if (this.#executing) return;
    const isTooSlow = this.#pace.isTooSlow(nowMs);
    if (!isTooSlow && !this.#isIdle(nowMs)) return;
    this.#host.counters.add(isTooSlow ? CounterIndex.CLOSED_SLOW : CounterIndex.CLOSED_IDLE);
    // Who does not take a reply takes no farewell.
    this.close();
  }

  #isIdle(nowMs: number): boolean {
    const { idleTimeoutMs } = this.front;
    return idleTimeoutMs > 0 && nowMs - this.#lastActivityMs >= idleTimeoutMs;
  }

  /**
   * The whole of it in one function, which runs as long as the connection is open: another one that
   * waits would be made and thrown away for every batch.
   *
   * @returns true when we end the connection and the client should get to see our last reply
   */
  async #serve(): Promise<boolean> {
    const input = this.#input;
    const output = this.#output;
    const host = this.#host;
    for (;;) {
      if (!input.tryMakeRoom() && !await this.#waitForRoom()) return !this.#isOver();
      const byteCount = await (this.#aside ?? this.#socket).read(input.space());
      host.countRead();
      if (this.#state !== ConnectionState.READING) return true;
      if (byteCount === null) return false;
      this.#beginBatch(byteCount);
      for (;;) {
        host.writeTurns.endIfDue(this.#clockMs);
        // Nothing may come between the last look and the batch: many are told at once.
        while (host.memory.isOverdrawn) await this.#waitForOthers();
        let step = this.#execute();
        if (typeof step !== "number") step = await step;
        if (step === FAILED) return !this.#isOver();
        if (host.memory.isOverdrawn) host.pressure.relieve();
        if (this.#isOver()) return false;
        const kept = step === SessionStep.FLUSH ? this.#session.kept : undefined;
        if (output.length > 0) {
          this.#replied = true;
          if (this.#pushing !== undefined) {
            await (this.#disk?.watch(this.#pushing) ?? this.#pushing);
          }
          if (this.#isOver()) return false;
          await host.writeTurns.join(this, this.#clockMs);
          if (this.#firstWrite === undefined && !await this.#diskWait.write(this)) return false;
          const written = await this.#firstWrite!;
          if (written < output.length) await this.#writeFrom(output.view(), written);
          this.#noteReply(step, kept !== undefined);
          if (this.#isOver()) return false;
        }
        if (kept !== undefined) {
          this.#replied = true;
          await this.#writeKept(kept);
          this.front.latency?.recordMs(this.#clockMs - this.#batchStartedAtMs);
          if (this.#isOver()) return false;
          // What is left to do for the reply is little, and the turn comes before the next one.
          if (this.#endedAtMs === 0) continue;
        }
        if (step === SessionStep.CLOSE || this.#endedAtMs > 0) return true;
        if (step !== SessionStep.FLUSH) break;
        // Without a turn, a client that reads as fast as we write, or wants no replies at all, would
        // never let the thread go.
        this.#clockMs = host.clock.read();
        const turn = this.#park();
        if (turn !== undefined) {
          await turn;
          this.#clockMs = host.clock.nowMs;
        }
        if (this.#isOver()) return false;
        if (this.#endedAtMs > 0) return true;
      }
      this.#state = ConnectionState.READING;
      this.pushed();
      this.#noteRequestStart();
      if (input.length > host.maxRequestBytes + REQUEST_SLACK_BYTES) return true;
      const turn = this.#park();
      if (turn !== undefined) await turn;
    }
  }

  /** Takes note of what was read: it is going to be executed. */
  #beginBatch(byteCount: number): void {
    const { clock, counters, nowMs } = this.#host;
    this.#input.commit(byteCount);
    counters.add(this.front.counterIds.bytesRead, byteCount);
    this.#lastActivityMs = nowMs;
    this.#pace.earn(byteCount, nowMs);
    this.#state = ConnectionState.ANSWERING;
    this.batchCount++;
    this.#replied = false;
    this.#batchStartedAtMs = this.#clockMs = clock.nowMs;
  }

  /**
   * Waits until what others have overdrawn may be made good: one overdraft at a time, see
   * {@link MemoryPressure}.
   *
   * @throws {Deno.errors.Interrupted} when the connection was closed meanwhile
   */
  async #waitForOthers(): Promise<void> {
    this.#pace.end();
    if (!this.#isOver()) await this.#host.pressure.waitForRoom(this, BATCH_ROOM_BYTES);
    if (this.#isOver()) throw new Deno.errors.Interrupted("closed while it waited for memory");
    this.#clockMs = this.#host.clock.nowMs;
  }

  /** Made when it has to wait for the disk for the first time. */
  get #diskWait(): DiskWait {
    return this.#disk ??= new DiskWait(this.#host.writeTurns.gate!, {
      isOver: () => this.#isOver(),
      waiting: (leave) => this.#noteWaiting(leave),
      left: () => this.#endedAtMs === 0 && this.close(),
    });
  }

  /**
   * Waits until there is memory to read into.
   *
   * @returns false when the connection was closed, or is being closed, meanwhile
   */
  async #waitForRoom(): Promise<boolean> {
    // What the client sends now, we do not take: its pace is none of its fault.
    this.#pace.end();
    do {
      // Also before the first time: it may have been closed while it waited for its turn.
      if (this.#state !== ConnectionState.READING) return false;
      await this.#host.pressure.waitForRoom(this, this.#input.wantedBytes);
    } while (!this.#input.tryMakeRoom());
    this.#noteRequestStart();
    return true;
  }

  /** Executes what is complete in the input, as far as the session goes at a stretch. */
  #execute(): PartStep | Promise<PartStep> {
    const input = this.#input;
    const output = this.#output;
    const session = this.#session;
    const { clock, writeTurns } = this.#host;
    const inputBytes = input.length;
    const startedAtMs = inputBytes >= COSTLY_BYTES ? clock.read() : this.#clockMs;
    // A command that waits costs the thread next to nothing.
    this.#costMs = 0;
    this.#executing = true;
    try {
      writeTurns.begin(this.told);
      // What was published before a command is seen before its reply.
      if (!session.midReply && this.#pushes.tryMoveTo(output)) writeTurns.gate?.touchAll(this.told);
      const untilMs = startedAtMs + this.#host.sliceMs(startedAtMs);
      const step = session.process(input, output, untilMs);
      writeTurns.end();
      if (typeof step !== "number") return this.#executeOn(step);
      this.#executing = false;
      const movedBytes = inputBytes - input.length + output.length;
      if (movedBytes >= COSTLY_BYTES || step === SessionStep.FLUSH) {
        this.#costMs = clock.read() - startedAtMs;
      }
      return step;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Never rejects. */
  async #executeOn(pending: Promise<SessionStep>): Promise<PartStep> {
    try {
      const step = await pending;
      this.#host.writeTurns.gate?.finish(this.told);
      this.#lastActivityMs = this.#host.nowMs;
      this.#executing = false;
      return step;
    } catch (error) {
      return this.#fail(error);
    }
  }

  #fail(error: unknown): typeof FAILED {
    this.#host.writeTurns.end();
    this.#executing = false;
    this.#host.sessionFailed(this.front, error);
    return FAILED;
  }

  /** While a command waits, the client's end is its end, too. */
  #noteWaiting(leave: (() => void) | undefined): void {
    this.#leave = leave;
    if (leave === undefined) {
      this.#aside?.unwatch();
    } else {
      this.#aside ??= new AsideInput(this.#socket);
      this.#aside.watch(leave);
    }
  }

  /** A reply means that the request before was whole: what is half there now began after it. */
  #noteRequestStart(): void {
    const session = this.#session;
    if (!session.midRequest) {
      this.#requestStartedAtMs = 0;
      this.#pace.end();
      return;
    }
    if (this.#replied || this.#requestStartedAtMs === 0) {
      this.#requestStartedAtMs = this.#host.nowMs;
    }
    if (!session.midBody) this.#pace.end();
    else if (!this.#pace.isMeasuring) this.#pace.beginBody(this.#host.nowMs);
  }

  /** Whether what is pushed may be written now: no reply is being made or written. */
  #mayPush(): boolean {
    const isOpen = this.#state === ConnectionState.READING ||
      this.#state === ConnectionState.ANSWERING;
    return isOpen && this.#pushes.waitingBytes > 0 && !this.#isWriting &&
      this.#output.length === 0 && !this.#session.midReply;
  }

  /** See {@link TurnWriter.writeNow}: the reply that {@link Connection.run} waits to write. */
  writeNow(): void {
    this.#isWriting = true;
    this.#pace.beginReply(this.#host.nowMs);
    try {
      this.#firstWrite = this.#socket.write(this.#output.view());
    } catch (error) {
      this.#firstWrite = Promise.reject(error);
    }
  }

  /** Never rejects. */
  async #writePushes(): Promise<void> {
    const host = this.#host;
    try {
      do {
        const bytes = this.#pushes.beginWrite();
        // What was published may tell of what is not safe yet, as a reply may.
        if (host.writeTurns.gate !== undefined) await this.#diskWait.untilAllSafe();
        let written = 0;
        while (written < bytes.length) {
          written += await this.#socket.write(written === 0 ? bytes : bytes.subarray(written));
        }
        this.#pushes.endWrite();
        this.#lastActivityMs = host.nowMs;
        host.counters.add(this.front.counterIds.bytesWritten, written);
      } while (this.#mayPush());
    } catch {
      // As with replies: this is how clients leave.
      this.close();
    }
    this.#pushing = undefined;
  }

  /** Writes what is not in the output, such as a farewell. */
  async #write(bytes: Uint8Array<ArrayBuffer>, writing = this.#socket.write(bytes)): Promise<void> {
    this.#isWriting = true;
    this.#pace.beginReply(this.#host.nowMs);
    const written = await writing;
    if (written < bytes.length) await this.#writeFrom(bytes, written);
    this.#noteWritten(bytes.length);
  }

  /** The kernel takes what fits; a client that reads slowly makes this a loop. */
  async #writeFrom(bytes: Uint8Array<ArrayBuffer>, start: number): Promise<void> {
    const host = this.#host;
    for (let written = start; written < bytes.length;) {
      // A large reply is many writes; none of them may look like the client's last sign of life.
      this.#lastActivityMs = host.nowMs;
      const byteCount = await this.#socket.write(bytes.subarray(written));
      this.#pace.earn(byteCount, host.nowMs);
      written += byteCount;
    }
  }

  #noteWritten(byteCount: number): void {
    const host = this.#host;
    this.#pace.end();
    this.#isWriting = false;
    this.#lastActivityMs = host.nowMs;
    host.counters.add(this.front.counterIds.bytesWritten, byteCount);
  }

  /** All of the output is written; the reply may go on with kept bytes. */
  #noteReply(step: SessionStep, hasMore: boolean): void {
    const output = this.#output;
    this.#firstWrite = undefined;
    this.#noteWritten(output.length);
    if (step === SessionStep.FLUSH && !hasMore) output.clear(KEPT_OUTPUT_BYTES);
    else output.release();
    this.#clockMs = this.#host.clock.nowMs;
    if (!hasMore) this.front.latency?.recordMs(this.#clockMs - this.#batchStartedAtMs);
  }

  /** Writes what somebody keeps for us, in parts between which others have their turn. */
  async #writeKept(kept: KeptBytes): Promise<void> {
    const host = this.#host;
    if (this.#pushing !== undefined) await this.#pushing;
    while (kept.remaining > 0) {
      const turn = this.#writeCostMs > 0 ? this.#park() : undefined;
      if (turn !== undefined) await turn;
      if (this.#isOver() || this.#endedAtMs > 0) return;
      const startedAtMs = this.#clockMs = host.clock.read();
      host.writeTurns.endIfDue(startedAtMs);
      const part = kept.next(KEPT_PART_BYTES);
      // The system copies what it takes before the promise is there.
      const writing = this.#socket.write(part);
      this.#writeCostMs += host.clock.read() - startedAtMs;
      await this.#write(part, writing);
    }
    this.#clockMs = host.clock.nowMs;
  }

  /** Asks for the turn to go on, see {@link ConnectionHost.park}. */
  #park(): Promise<void> | undefined {
    const turn = this.#host.park(this.#clockMs, this.#costMs + this.#writeCostMs);
    this.#writeCostMs = 0;
    return turn;
  }

  /** Says that nothing more will come, then throws away what the client still sends. */
  async #linger(): Promise<void> {
    if (this.#state !== ConnectionState.CLOSING) {
      this.#state = ConnectionState.CLOSING;
      this.#lastActivityMs = this.#host.nowMs;
      if (this.#pushing !== undefined) await this.#pushing;
      await this.#socket.closeWrite();
    }
    await discardRest(this.#socket);
  }

  #releaseBuffers(): void {
    this.#input.release();
    this.#output.release();
  }

  /** A getter's worth of help for the compiler, which takes `#state` for unchanged across awaits. */
  #isOver(): boolean {
    return this.#state === ConnectionState.CLOSED;
  }
}
