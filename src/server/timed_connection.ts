/**
 * Whether the client of a connection is late, and with what.
 *
 * @module
 */

import type { ClientMemory } from "../base/client_memory.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { Session } from "../protocol/session.ts";
import { ClientEnd } from "./client_end.ts";
import type { ClientSocket } from "./client_socket.ts";
import type { ConnectionHost } from "./connection_host.ts";
import { LINGER_MS } from "./connection_limits.ts";
import { NOTHING } from "./connection_parts.ts";
import { ConnectionState } from "./connection_state.ts";
import type { Front } from "./front.ts";
import { PushOutput, type PushOwner } from "./push_output.ts";
import { paceFor, type TransferPace } from "./transfer_pace.ts";

/**
 * What a connection is doing and since when, which a sweep looks at.
 *
 * Thread: the I/O thread that accepted it.
 */
export abstract class TimedConnection extends ClientEnd implements PushOwner {
  /** The protocol it speaks. */
  readonly front: Front;
  /** What it is doing now. */
  state: ConnectionState = ConnectionState.READING;
  /** When its client last sent or took something, by the host's coarse clock. Unit: ms. */
  lastActivityMs: number;

  /** What it shares with others. */
  protected readonly host: ConnectionHost;
  /** Executes; set by whoever extends this. */
  protected session!: Session;
  /** Whether the transfer under way is fast enough. */
  protected readonly pace: TransferPace;
  /** Made when something is pushed for the first time. */
  protected pushes: PushOutput | undefined = undefined;
  /** When the request that is half received began to arrive; 0 = none is. */
  protected requestStartedAtMs = 0;
  /** When it was told to end while it was answering; 0 = it was not. Unit: ms. */
  protected endedAtMs = 0;
  /** Whether the session has the buffers: no request is waited for, and no client. */
  protected executing = false;
  /** Whether the current batch wrote a reply. */
  protected replied = false;

  /** Begins to wait for a request. */
  constructor(socket: ClientSocket, front: Front, host: ConnectionHost, id: number) {
    super(socket, id, host.clock.timeMs);
    this.front = front;
    this.host = host;
    this.pace = paceFor(front.minTransferRate);
    this.lastActivityMs = host.nowMs;
  }

  /** See `MemoryHolder.close`. */
  abstract close(): void;

  /** Closes after telling the client that nothing more will come. */
  abstract closeGently(farewell: Uint8Array<ArrayBuffer>): Promise<void>;

  /** See {@link PushOwner.pushed}. */
  abstract pushed(): void;

  /** See {@link ClientOrigin.memory}. */
  get memory(): ClientMemory {
    return this.host.memory;
  }

  /** See {@link ClientOrigin.pushTarget}. */
  get pushTarget(): PushOutput {
    return this.pushes ??= new PushOutput(this, this.host.memory);
  }

  /**
   * Ends the connection when its client has been silent or slow for too long.
   *
   * @param nowMs the sweep's time, by the host's coarse clock
   */
  sweep(nowMs: number): void {
    if (this.state === ConnectionState.READING) this.#sweepReader(nowMs);
    else if (this.state === ConnectionState.ANSWERING) this.#sweepWriter(nowMs);
    else if (nowMs - this.lastActivityMs >= LINGER_MS) this.close();
  }

  /** It waits for a request, or for the rest of one. */
  #sweepReader(nowMs: number): void {
    const { headTimeoutMs } = this.front;
    const timeoutReply = this.session.timeoutReply ?? this.front.timeoutReply;
    const { counters } = this.host;
    if (
      headTimeoutMs > 0 && this.requestStartedAtMs > 0 && !this.session.midBody &&
      nowMs - this.requestStartedAtMs >= headTimeoutMs
    ) {
      counters.add(CounterIndex.CLOSED_HEAD_TIMEOUT);
      void this.closeGently(timeoutReply);
    } else if (this.pace.isTooSlow(nowMs)) {
      counters.add(CounterIndex.CLOSED_SLOW);
      void this.closeGently(timeoutReply);
    } else if (this.pushes?.isSubscriber !== true && this.#isIdle(nowMs)) {
      counters.add(CounterIndex.CLOSED_IDLE);
      void this.closeGently(this.requestStartedAtMs > 0 ? timeoutReply : NOTHING);
    }
  }

  /** Its client should take a reply; while it is executed, the client cannot be late. */
  #sweepWriter(nowMs: number): void {
    if (this.endedAtMs > 0 && nowMs - this.endedAtMs >= LINGER_MS) return this.close();
    if (this.executing) return;
    const isTooSlow = this.pace.isTooSlow(nowMs);
    if (!isTooSlow && !this.#isIdle(nowMs)) return;
    this.host.counters.add(isTooSlow ? CounterIndex.CLOSED_SLOW : CounterIndex.CLOSED_IDLE);
    // Who does not take a reply takes no farewell.
    this.close();
  }

  #isIdle(nowMs: number): boolean {
    const { idleTimeoutMs } = this.front;
    return idleTimeoutMs > 0 && nowMs - this.lastActivityMs >= idleTimeoutMs;
  }

  /** A reply means that the request before was whole: what is half there now began after it. */
  protected noteRequestStart(): void {
    const session = this.session;
    if (!session.midRequest) {
      this.requestStartedAtMs = 0;
      this.pace.end();
      return;
    }
    if (this.replied || this.requestStartedAtMs === 0) {
      this.requestStartedAtMs = this.host.nowMs;
    }
    if (!session.midBody) this.pace.end();
    else if (!this.pace.isMeasuring) this.pace.beginBody(this.host.nowMs);
  }
}
