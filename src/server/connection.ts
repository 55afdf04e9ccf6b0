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
import type { ClientOrigin } from "../command/client_state.ts";
import { type KeptBytes, SessionStep } from "../protocol/session.ts";
import { AsideInput } from "./aside_input.ts";
import type { ClientSocket } from "./client_socket.ts";
import { REQUEST_SLACK_BYTES } from "./config.ts";
import type { ConnectionHost } from "./connection_host.ts";
import {
  BATCH_ROOM_BYTES,
  COSTLY_BYTES,
  KEPT_OUTPUT_BYTES,
  KEPT_PART_BYTES,
} from "./connection_limits.ts";
import { discardRest, FAILED, NOTHING, type PartStep } from "./connection_parts.ts";
import { ConnectionState } from "./connection_state.ts";
import { DiskWait } from "./disk_wait.ts";
import type { Front } from "./front.ts";
import type { MemoryHolder } from "./memory_pressure.ts";
import { TimedConnection } from "./timed_connection.ts";
import type { TurnMember } from "./write_turns.ts";

/**
 * One accepted connection.
 *
 * Its buffers are lent: one for input as long as it is open, one for output while there is some.
 * They go back only when no read or write is pending on them, because the system may still write
 * into the buffer of a pending read: not when the connection is closed but when it has ended.
 *
 * Most connections are idle, and there may be many thousands: what not every one needs is made when
 * it is needed, and whoever wants to know something of the client asks the connection itself.
 *
 * Thread: the I/O thread that accepted it.
 */
export class Connection extends TimedConnection implements ClientOrigin, MemoryHolder, TurnMember {
  /** Answers begun; tells a batch from the next one. */
  batchCount = 0;

  readonly #input: InputBuffer;
  readonly #output: ByteWriter;
  /** Made when it is asked for: without a disk to wait for, nobody does. */
  #told: Told | undefined;
  /** What came of executing in a turn; undefined: nothing was executed. */
  #turnStep: PartStep | Promise<PartStep> | undefined;
  /** Whether a reply is being written. */
  #isWriting = false;
  /** The first part of a reply's way to the client, see {@link Connection.writeNow}. */
  #firstWrite: Promise<number> | undefined;
  /** Ends when what was pushed is written, or is in the way of a reply. */
  #pushing: Promise<void> | undefined;
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
    super(socket, front, host, id);
    this.#input = new InputBuffer(IDLE_INPUT_BYTES, host.memory, ...BUSY_INPUT_BYTES);
    this.#output = new ByteWriter(CONNECTION_BUFFER_BYTES, host.memory);
    this.session = front.createSession(this);
  }

  /** See {@link TurnMember.told}. */
  get told(): Told {
    return this.#told ??= newTold();
  }

  /** True when a request has been received only in part. */
  get midRequest(): boolean {
    return this.session.midRequest;
  }

  /** What its client is told when the server closes it, while it waits. */
  get farewell(): Uint8Array<ArrayBuffer> {
    return this.session.farewell ?? NOTHING;
  }

  /** See {@link MemoryHolder.heldBytes}. */
  get heldBytes(): number {
    return this.#input.bytes.length + this.#output.bytes.length +
      (this.pushes?.heldBytes ?? 0) + (this.session.heldBytes ?? 0) +
      (this.#aside?.heldBytes ?? 0);
  }

  /**
   * See {@link MemoryHolder.isExecuting}. A command with more output than a batch ever waits for has
   * its reply: it is about to end.
   */
  get isExecuting(): boolean {
    return this.executing && this.#output.bytes.length <= KEPT_OUTPUT_BYTES;
  }

  /**
   * Serves the client until one side closes, and tells the host when that is over. Never rejects.
   *
   * The whole of it in one function, which waits as long as the connection is open: a second one
   * around it would be half a kilobyte for each idle connection, and another one that waits inside
   * would be made and thrown away for every batch.
   *
   * @param ticket whatever the host wants to be told when it is over
   */
  async run(ticket: number): Promise<void> {
    let lingers = true;
    try {
      const input = this.#input;
      const output = this.#output;
      const host = this.host;
      for (;;) {
        if (!input.tryMakeRoom() && !await this.#waitForRoom()) return;
        const byteCount = await (this.#aside ?? this.socket).read(input.space());
        host.countRead();
        if (this.state !== ConnectionState.READING) return;
        if (byteCount === null) {
          lingers = false;
          return;
        }
        this.#beginBatch(byteCount);
        await host.writeTurns.come(this, this.#clockMs);
        for (;;) {
          let step = this.#turnStep;
          this.#turnStep = undefined;
          if (step === undefined) {
            host.writeTurns.endIfDue(this.#clockMs);
            if (this.#isOver() || this.endedAtMs > 0) return;
            // Nothing may come between the last look and the batch: many are told at once.
            while (host.memory.isOverdrawn) await this.#waitForOthers();
            step = this.#execute();
          }
          if (typeof step !== "number") step = await step;
          if (step === FAILED) return;
          if (host.memory.isOverdrawn) host.pressure.relieve();
          // Closed in its turn: a write that has begun is waited for, the system reads from the output.
          if (this.#isOver() && this.#firstWrite === undefined) return;
          const kept = step === SessionStep.FLUSH ? this.session.kept : undefined;
          if (output.length > 0) {
            this.replied = true;
            if (this.#firstWrite === undefined) {
              if (this.#pushing !== undefined) {
                await (this.#disk?.watch(this.#pushing) ?? this.#pushing);
              }
              if (this.#isOver()) return;
              await host.writeTurns.join(this, this.#clockMs);
              if (this.#firstWrite === undefined && !await this.#diskWait.write(this)) {
                lingers = false;
                return;
              }
            }
            const written = await this.#firstWrite!;
            if (written < output.length) await this.#writeFrom(output.view(), written);
            this.#noteReply(step, kept !== undefined);
            if (this.#isOver()) return;
          }
          if (kept !== undefined) {
            this.replied = true;
            await this.#writeKept(kept);
            this.front.latency?.recordMs(this.#clockMs - this.#batchStartedAtMs);
            if (this.#isOver()) return;
            // What is left to do for the reply is little, and the turn comes before the next one.
            if (this.endedAtMs === 0) continue;
          }
          if (step === SessionStep.CLOSE || this.endedAtMs > 0) return;
          if (step !== SessionStep.FLUSH) break;
          // Without a turn, a client that reads as fast as we write, or wants no replies at all, would
          // never let the thread go.
          this.#clockMs = host.clock.read();
          const turn = this.#park();
          if (turn !== undefined) {
            await turn;
            this.#clockMs = host.clock.nowMs;
          }
          if (this.#isOver() || this.endedAtMs > 0) return;
        }
        this.state = ConnectionState.READING;
        this.pushed();
        this.noteRequestStart();
        if (input.length > host.maxRequestBytes + REQUEST_SLACK_BYTES) return;
        const turn = this.#park();
        if (turn !== undefined) await turn;
      }
    } catch {
      // The socket's own errors are how clients leave: reset, broken pipe, closed by the sweep.
      lingers = false;
    } finally {
      await this.#depart(lingers && !this.#isOver());
      this.host.left(this, ticket);
    }
  }

  /**
   * Gives everything back when nothing is served any more.
   *
   * @param lingers whether we end the connection and the client should get to see our last reply
   */
  async #depart(lingers: boolean): Promise<void> {
    try {
      if (lingers) {
        this.#releaseBuffers();
        await this.#linger();
      }
    } catch {
      // As above.
    } finally {
      this.close();
      this.session.close();
      this.#releaseBuffers();
      if (this.#pushing !== undefined) await this.#pushing;
      this.pushes?.release();
      this.host.pressure.departed(this);
    }
  }

  /**
   * Told that something was pushed; it is written at once, unless a reply is in the way: what is
   * pushed goes out between replies only.
   */
  pushed(): void {
    if (this.host.memory.isOverdrawn) this.host.pressure.relieve();
    if (this.#pushing === undefined && this.#mayPush()) this.#pushing = this.#writePushes();
  }

  /** Closes at once; a pending read or write ends. May be called any number of times. */
  close(): void {
    if (this.state === ConnectionState.CLOSED) return;
    this.state = ConnectionState.CLOSED;
    this.#leave?.();
    try {
      this.socket.close();
    } catch {
      // Already gone.
    }
    this.host.pressure.forget(this);
  }

  /**
   * Closes after telling the client that nothing more will come; for a connection that waits for
   * input.
   *
   * @param farewell a last reply, may be empty
   */
  async closeGently(farewell: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.state !== ConnectionState.READING) return;
    this.state = ConnectionState.CLOSING;
    this.lastActivityMs = this.host.nowMs;
    try {
      if (this.#pushing !== undefined) await this.#pushing;
      if (farewell.length > 0) await this.#write(farewell);
      await this.socket.closeWrite();
    } catch {
      this.close();
    }
  }

  /**
   * Ends the connection on behalf of somebody else: at once when it waits for input, else behind
   * the output that is being made or written, for which the client has a second.
   */
  end(): void {
    if (this.state === ConnectionState.READING) void this.closeGently(NOTHING);
    else if (this.state === ConnectionState.ANSWERING) {
      this.endedAtMs ||= this.host.nowMs;
      this.#leave?.();
    }
  }

  /** Takes note of what was read: it is going to be executed. */
  #beginBatch(byteCount: number): void {
    const { clock, counters, nowMs } = this.host;
    this.#input.commit(byteCount);
    counters.add(this.front.counterIds.bytesRead, byteCount);
    this.lastActivityMs = nowMs;
    this.pace.earn(byteCount, nowMs);
    this.state = ConnectionState.ANSWERING;
    this.batchCount++;
    this.replied = false;
    this.#batchStartedAtMs = this.#clockMs = clock.nowMs;
  }

  /**
   * Waits until what others have overdrawn may be made good: one overdraft at a time, see
   * {@link MemoryPressure}.
   *
   * @throws {Deno.errors.Interrupted} when the connection was closed meanwhile
   */
  async #waitForOthers(): Promise<void> {
    this.pace.end();
    if (!this.#isOver()) await this.host.pressure.waitForRoom(this, BATCH_ROOM_BYTES);
    if (this.#isOver()) throw new Deno.errors.Interrupted("closed while it waited for memory");
    this.#clockMs = this.host.clock.nowMs;
  }

  /** Made when it has to wait for the disk for the first time. */
  get #diskWait(): DiskWait {
    return this.#disk ??= new DiskWait(this.host.writeTurns.gate!, {
      isOver: () => this.#isOver(),
      waiting: (leave) => this.waiting(leave),
      left: () => this.endedAtMs === 0 && this.close(),
    });
  }

  /**
   * Waits until there is memory to read into.
   *
   * @returns false when the connection was closed, or is being closed, meanwhile
   */
  async #waitForRoom(): Promise<boolean> {
    // What the client sends now, we do not take: its pace is none of its fault.
    this.pace.end();
    do {
      // Also before the first time: it may have been closed while it waited for its turn.
      if (this.state !== ConnectionState.READING) return false;
      await this.host.pressure.waitForRoom(this, this.#input.wantedBytes);
    } while (!this.#input.tryMakeRoom());
    this.noteRequestStart();
    return true;
  }

  /** See {@link TurnMember.lookAhead}. */
  lookAhead(): boolean {
    return this.session.lookAhead?.(this.#input) ?? true;
  }

  /**
   * See {@link TurnMember.executeNow}. What another one has ended or closed in the same turn is not
   * executed, and nothing is while memory is overdrawn: {@link Connection.run} goes on with it.
   */
  executeNow(): boolean {
    const host = this.host;
    if (this.#isOver() || this.endedAtMs > 0 || host.memory.isOverdrawn) return false;
    this.#clockMs = host.clock.nowMs;
    host.writeTurns.endIfDue(this.#clockMs);
    const step = this.#turnStep = this.#execute();
    if (typeof step !== "number" || step === FAILED) return false;
    if (host.memory.isOverdrawn) host.pressure.relieve();
    return this.#output.length > 0 && this.#pushing === undefined && !this.#isOver();
  }

  /** Executes what is complete in the input, as far as the session goes at a stretch. */
  #execute(): PartStep | Promise<PartStep> {
    const input = this.#input;
    const output = this.#output;
    const session = this.session;
    const { clock, writeTurns } = this.host;
    const inputBytes = input.length;
    const startedAtMs = inputBytes >= COSTLY_BYTES ? clock.read() : this.#clockMs;
    // A command that waits costs the thread next to nothing.
    this.#costMs = 0;
    this.executing = true;
    try {
      writeTurns.begin(this);
      // What was published before a command is seen before its reply.
      const pushes = this.pushes;
      if (pushes !== undefined && !session.midReply && pushes.tryMoveTo(output)) {
        writeTurns.gate?.touchAll(this.told);
      }
      const untilMs = startedAtMs + this.host.sliceMs(startedAtMs);
      const step = session.process(input, output, untilMs);
      writeTurns.end();
      if (typeof step !== "number") return this.#executeOn(step);
      this.executing = false;
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
      this.host.writeTurns.gate?.finish(this.told);
      this.lastActivityMs = this.host.nowMs;
      this.executing = false;
      return step;
    } catch (error) {
      return this.#fail(error);
    }
  }

  #fail(error: unknown): typeof FAILED {
    this.host.writeTurns.end();
    this.executing = false;
    this.host.sessionFailed(this.front, error);
    return FAILED;
  }

  /** See {@link ClientOrigin.waiting}: meanwhile the client's end is the command's, too. */
  waiting(leave: (() => void) | undefined): void {
    this.#leave = leave;
    if (leave === undefined) {
      this.#aside?.unwatch();
    } else {
      this.#aside ??= new AsideInput(this.socket);
      this.#aside.watch(leave);
    }
  }

  /** Whether what is pushed may be written now: no reply is being made or written. */
  #mayPush(): boolean {
    const isOpen = this.state === ConnectionState.READING ||
      this.state === ConnectionState.ANSWERING;
    return isOpen && (this.pushes?.waitingBytes ?? 0) > 0 && !this.#isWriting &&
      this.#output.length === 0 && !this.session.midReply;
  }

  /** See {@link TurnMember.writeNow}: the reply that {@link Connection.run} waits to write. */
  writeNow(): void {
    this.#isWriting = true;
    this.pace.beginReply(this.host.nowMs);
    try {
      this.#firstWrite = this.socket.write(this.#output.view());
    } catch (error) {
      this.#firstWrite = Promise.reject(error);
    }
  }

  /** Never rejects. */
  async #writePushes(): Promise<void> {
    const host = this.host;
    try {
      do {
        const bytes = this.pushTarget.beginWrite();
        // What was published may tell of what is not safe yet, as a reply may.
        if (host.writeTurns.gate !== undefined) await this.#diskWait.untilAllSafe();
        let written = 0;
        while (written < bytes.length) {
          written += await this.socket.write(written === 0 ? bytes : bytes.subarray(written));
        }
        this.pushTarget.endWrite();
        this.lastActivityMs = host.nowMs;
        host.counters.add(this.front.counterIds.bytesWritten, written);
      } while (this.#mayPush());
    } catch {
      // As with replies: this is how clients leave.
      this.close();
    }
    this.#pushing = undefined;
  }

  /** Writes what is not in the output, such as a farewell. */
  async #write(bytes: Uint8Array<ArrayBuffer>, writing = this.socket.write(bytes)): Promise<void> {
    this.#isWriting = true;
    this.pace.beginReply(this.host.nowMs);
    const written = await writing;
    if (written < bytes.length) await this.#writeFrom(bytes, written);
    this.#noteWritten(bytes.length);
  }

  /** The kernel takes what fits; a client that reads slowly makes this a loop. */
  async #writeFrom(bytes: Uint8Array<ArrayBuffer>, start: number): Promise<void> {
    const host = this.host;
    for (let written = start; written < bytes.length;) {
      // A large reply is many writes; none of them may look like the client's last sign of life.
      this.lastActivityMs = host.nowMs;
      const byteCount = await this.socket.write(bytes.subarray(written));
      this.pace.earn(byteCount, host.nowMs);
      written += byteCount;
    }
  }

  #noteWritten(byteCount: number): void {
    const host = this.host;
    this.pace.end();
    this.#isWriting = false;
    this.lastActivityMs = host.nowMs;
    host.counters.add(this.front.counterIds.bytesWritten, byteCount);
  }

  /** All of the output is written; the reply may go on with kept bytes. */
  #noteReply(step: SessionStep, hasMore: boolean): void {
    const output = this.#output;
    this.#firstWrite = undefined;
    this.#noteWritten(output.length);
    if (step === SessionStep.FLUSH && !hasMore) output.clear(KEPT_OUTPUT_BYTES);
    else output.release();
    this.#clockMs = this.host.clock.nowMs;
    if (!hasMore) this.front.latency?.recordMs(this.#clockMs - this.#batchStartedAtMs);
  }

  /** Writes what somebody keeps for us, in parts between which others have their turn. */
  async #writeKept(kept: KeptBytes): Promise<void> {
    const host = this.host;
    if (this.#pushing !== undefined) await this.#pushing;
    while (kept.remaining > 0) {
      const turn = this.#writeCostMs > 0 ? this.#park() : undefined;
      if (turn !== undefined) await turn;
      if (this.#isOver() || this.endedAtMs > 0) return;
      host.writeTurns.endIfDue(host.clock.read());
      // What was done there for others is not this client's cost.
      const startedAtMs = this.#clockMs = host.clock.read();
      const part = kept.next(KEPT_PART_BYTES);
      // The system copies what it takes before the promise is there.
      const writing = this.socket.write(part);
      this.#writeCostMs += host.clock.read() - startedAtMs;
      await this.#write(part, writing);
    }
    this.#clockMs = host.clock.nowMs;
  }

  /** Asks for the turn to go on, see {@link ConnectionHost.park}. */
  #park(): Promise<void> | undefined {
    const turn = this.host.park(this.#clockMs, this.#costMs + this.#writeCostMs);
    this.#writeCostMs = 0;
    return turn;
  }

  /** Says that nothing more will come, then throws away what the client still sends. */
  async #linger(): Promise<void> {
    if (this.state !== ConnectionState.CLOSING) {
      this.state = ConnectionState.CLOSING;
      this.lastActivityMs = this.host.nowMs;
      if (this.#pushing !== undefined) await this.#pushing;
      await this.socket.closeWrite();
    }
    await discardRest(this.socket);
  }

  #releaseBuffers(): void {
    this.#input.release();
    this.#output.release();
  }

  /** A getter's worth of help for the compiler, which takes `#state` for unchanged across awaits. */
  #isOver(): boolean {
    return this.state === ConnectionState.CLOSED;
  }
}
