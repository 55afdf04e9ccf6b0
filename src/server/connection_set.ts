/**
 * All open connections of one I/O thread: who may come in, the sweep and the end.
 *
 * @module
 */

import { ClientMemory } from "../base/client_memory.ts";
import { parseAddress } from "../base/network.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { AddressFilter } from "./address_filter.ts";
import {
  CENSUS_FULL,
  CENSUS_FULL_FOR_ADDRESS,
  type ConnectionCensus,
} from "./connection_census.ts";
import type { ClientSocket } from "./client_socket.ts";
import { MemoryPressure } from "./memory_pressure.ts";
import type { StopBudget } from "./stop_deadline.ts";
import type { TlsTerminator } from "./tls/terminator.ts";
import { Connection } from "./connection.ts";
import { ConnectionState } from "./connection_state.ts";
import type { ConnectionHost } from "./connection_host.ts";
import { WaveClock } from "../base/wave_clock.ts";
import type { CounterSink } from "../command/counters.ts";
import { BATCH_SLICE_MS } from "../protocol/batch_slice.ts";
import type { FairTurns } from "./fair_turns.ts";
import type { Front } from "./front.ts";
import { Http2Sessions } from "./http2/sessions.ts";
import { Refusals } from "./refusal.ts";
import { pause } from "./pause.ts";
import { WriteTurns } from "./write_turns.ts";

/** Longest time between two sweeps; short timeouts are swept more often. Unit: ms. */
const SWEEP_INTERVAL_MAX_MS = 1000;

/** Shortest time between two sweeps. Unit: ms. */
const SWEEP_INTERVAL_MIN_MS = 20;

/** How often a stopping server looks whether its connections are done. Unit: ms. */
const SETTLE_POLL_MS = 2;

/** Instead of a ticket: it is a stream of a connection that has one. */
const STREAM_TICKET = -Infinity;

/** What a {@link ConnectionSet} is made of. */
export interface ConnectionSetOptions {
  /** The caps, over all listeners and threads. */
  readonly census: ConnectionCensus;
  /** Who may connect at all. */
  readonly filter: AddressFilter;
  /** What this thread's connections may buffer together. Unit: bytes. */
  readonly maxMemoryBytes: number;
  /** Bound on an incomplete request. Unit: bytes. */
  readonly maxRequestBytes: number;
  /** The thread's counters. */
  readonly counters: CounterSink;
  /** Who reads when; everybody at any time when left out. */
  readonly turns?: FairTurns;
  /** The shortest timeout that connections may have, for the sweep's pace; 0 = none. Unit: ms. */
  readonly shortestTimeoutMs: number;
  /** Draws a connection's number, never the same twice in the process. */
  readonly nextConnectionId: () => number;
  /** Told when a session threw. */
  readonly onSessionFailure: (front: Front, error: unknown) => void;
  /** Told of a connection that is closed because it held the most when memory was short. */
  readonly onMemoryShort: (front: Front, heldBytes: number) => void;
  /** Ends TLS on every connection; plain bytes are spoken when left out. */
  readonly tls?: TlsTerminator | undefined;
  /** How long a TLS handshake may take. Unit: ms. */
  readonly handshakeTimeoutMs?: number;
  /** Told of a request of HTTP/2 that is none, and of a client that sends too many frames. */
  readonly onHttp2Abuse?: (socket: ClientSocket, reason: string) => void;
  /** Told of a TLS handshake that came to nothing. */
  readonly onHandshakeFailure?: (front: Front, socket: ClientSocket, error: unknown) => void;
  /** Clock of the timeouts, which nobody sets; `performance.now` when left out. Unit: ms. */
  readonly now?: () => number;
}

/**
 * The connections of one I/O thread.
 *
 * Thread: the one that accepts; it runs all of them.
 */
export class ConnectionSet implements ConnectionHost, Disposable {
  /** See {@link ConnectionHost.clock}. */
  readonly clock: WaveClock = new WaveClock();
  /** See {@link ConnectionHost.nowMs}; set by each sweep. */
  nowMs: number;
  /** Bound on an incomplete request. Unit: bytes. */
  readonly maxRequestBytes: number;
  /** The thread's counters. */
  readonly counters: CounterSink;

  /** Lends the buffers. */
  readonly memory: ClientMemory;
  /** Who has to go when it is short. */
  readonly pressure: MemoryPressure<Connection>;
  /** When requests are executed, and replies written. */
  readonly writeTurns: WriteTurns = new WriteTurns();

  readonly #connections = new Set<Connection>();
  readonly #refusals = new Refusals();
  /** Clients whose TLS handshake is under way, and when it began, by `nowMs`. */
  readonly #handshakes = new Map<ClientSocket, number>();
  /** Made for the first client that speaks HTTP/2. */
  #http2: Http2Sessions | undefined;
  readonly #options: ConnectionSetOptions;
  readonly #turns: FairTurns | undefined;
  readonly #now: () => number;
  readonly #sweepTimer: ReturnType<typeof setInterval>;
  readonly #needsAddress: boolean;
  /** This thread's part of the gauge of client memory. */
  #publishedBytes = 0;

  /** Starts sweeping; dispose it to stop. */
  constructor(options: ConnectionSetOptions) {
    this.#options = options;
    this.#turns = options.turns;
    this.#now = options.now ?? (() => performance.now());
    this.maxRequestBytes = options.maxRequestBytes;
    this.counters = options.counters;
    this.memory = new ClientMemory(options.maxMemoryBytes);
    this.pressure = new MemoryPressure(this.memory, this.#connections, (connection) => {
      this.counters.add(CounterIndex.CLOSED_CLIENT_MEMORY);
      options.onMemoryShort(connection.front, connection.heldBytes);
    });
    this.#needsAddress = !options.filter.admitsAll || options.census.countsAddresses;
    this.nowMs = this.#now();
    this.#sweepTimer = setInterval(() => this.sweep(), sweepIntervalMs(options.shortestTimeoutMs));
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Serves a connection that was just accepted, or turns it away: without a word when its address
   * may not connect, with the protocol's words when the house is full.
   */
  admit(socket: ClientSocket, front: Front): void {
    const { filter, census, nextConnectionId } = this.#options;
    const { accepted, refused, refusedPerIp, refusedDenied } = front.counterIds;
    const address = this.#needsAddress ? parseAddress(socket.remoteAddr.hostname) : null;
    if (this.#needsAddress && !filter.admits(address)) {
      this.counters.add(refusedDenied);
      socket.close();
      return;
    }
    const ticket = census.tryEnter(address);
    if (ticket === CENSUS_FULL || ticket === CENSUS_FULL_FOR_ADDRESS) {
      this.counters.add(ticket === CENSUS_FULL ? refused : refusedPerIp);
      void this.#refusals.refuse(socket, front.fullReply, this.#securer(front, true));
      return;
    }
    this.counters.add(accepted);
    const id = nextConnectionId();
    const securer = this.#securer(front);
    if (securer === undefined) {
      this.#run(new Connection(socket, front, this, id), ticket);
    } else {
      void this.#secure(securer(socket), front, id, ticket);
    }
  }

  /** One pass over all connections: the clock, and whose time is up. */
  sweep(): void {
    this.nowMs = this.#now();
    for (const connection of this.#connections) connection.sweep(this.nowMs);
    this.#sweepHandshakes();
    this.#http2?.sweep(this.nowMs);
    this.#publishMemory();
  }

  /** See {@link ConnectionHost.countRead}. */
  countRead(): void {
    this.#turns?.countRead();
  }

  /** See {@link ConnectionHost.park}. */
  park(nowMs: number, costMs = 0): Promise<void> | undefined {
    return this.#turns?.park(this.#connections.size, nowMs, costMs);
  }

  /** See {@link ConnectionHost.sliceMs}. */
  sliceMs(nowMs: number): number {
    return this.#turns?.sliceMs(nowMs) ?? BATCH_SLICE_MS;
  }

  /** See {@link ConnectionHost.left}. */
  left(connection: Connection, ticket: number): void {
    this.#connections.delete(connection);
    if (ticket === STREAM_TICKET) return;
    this.#options.census.leave(ticket);
    this.counters.add(connection.front.counterIds.active, -1);
  }

  /** See {@link ConnectionHost.sessionFailed}. */
  sessionFailed(front: Front, error: unknown): void {
    this.#options.onSessionFailure(front, error);
  }

  /**
   * Waits until every request that is being executed or answered now is answered.
   *
   * Batches that begin meanwhile are not waited for: once the server is stopping they are refusals,
   * and a client that keeps sending must not keep it from stopping.
   *
   * @returns how many were not done when the budget ended
   */
  async settleInFlight(budget: StopBudget): Promise<number> {
    this.#http2?.goAway();
    const inFlight = new Map<Connection, number>();
    for (const connection of this.#connections) {
      if (connection.state === ConnectionState.ANSWERING) {
        inFlight.set(connection, connection.batchCount);
      }
    }
    for (;;) {
      for (const [connection, batchCount] of inFlight) {
        const done = connection.state !== ConnectionState.ANSWERING ||
          connection.batchCount !== batchCount;
        if (done) inFlight.delete(connection);
      }
      if (inFlight.size === 0 || budget.ended) return inFlight.size;
      await pause(SETTLE_POLL_MS, budget.signal);
    }
  }

  /**
   * Waits until no connection is open, or until the budget or `graceMs` ends.
   *
   * @returns how many are still open
   */
  async waitUntilEmpty(budget: StopBudget, graceMs: number): Promise<number> {
    const untilMs = performance.now() + graceMs;
    while (this.#connections.size > 0 && !budget.ended && performance.now() < untilMs) {
      await pause(SETTLE_POLL_MS, budget.signal);
    }
    return this.#connections.size;
  }

  /**
   * Ends every connection: first those that only wait, telling them so, then, a moment later, what
   * is still there.
   *
   * @returns how many had to be cut off while they were being answered
   */
  async closeAll(budget: StopBudget, graceMs: number): Promise<number> {
    this.#closeHandshakes();
    for (const connection of this.#connections) void connection.closeGently(connection.farewell);
    await this.waitUntilEmpty(budget, graceMs);
    this.#http2?.end();
    let cutOff = 0;
    for (const connection of this.#connections) {
      if (connection.state === ConnectionState.ANSWERING) cutOff++;
      connection.close();
    }
    this.#refusals.close();
    // Lets the tasks of the closed connections end, so that nothing is left behind.
    await this.waitUntilEmpty(budget, graceMs);
    return cutOff;
  }

  /** Stops sweeping and closes whatever is open. */
  [Symbol.dispose](): void {
    clearInterval(this.#sweepTimer);
    this.#closeHandshakes();
    this.#refusals.close();
    this.#http2?.end();
    for (const connection of this.#connections) connection.close();
    this.#publishMemory();
  }

  #publishMemory(): void {
    const { heldBytes } = this.memory;
    this.counters.add(CounterIndex.CLIENT_MEMORY_BYTES, heldBytes - this.#publishedBytes);
    this.#publishedBytes = heldBytes;
  }

  #securer(
    front: Front,
    isRefused = false,
  ): ((socket: ClientSocket) => ClientSocket) | undefined {
    const { tls } = this.#options;
    return tls === undefined
      ? undefined
      : (socket) => tls.secure(socket, front.protocol, isRefused);
  }

  /** Serves a client whose handshake has to end first. Never rejects. */
  async #secure(
    socket: ClientSocket,
    front: Front,
    id: number,
    ticket: number,
  ): Promise<void> {
    this.#handshakes.set(socket, this.nowMs);
    let error: unknown;
    let protocol: string | null | undefined;
    try {
      protocol = await socket.handshake;
    } catch (reason) {
      error = reason;
    }
    this.#handshakes.delete(socket);
    if (error === undefined) {
      return protocol === "h2"
        ? await this.#runHttp2(socket, front, ticket)
        : this.#run(new Connection(socket, front, this, id), ticket);
    }
    this.counters.add(CounterIndex.CLOSED_TLS_HANDSHAKE);
    this.#options.onHandshakeFailure?.(front, socket, error);
    await this.#refusals.refuse(socket, NOTHING);
    this.#options.census.leave(ticket);
  }

  async #runHttp2(socket: ClientSocket, front: Front, ticket: number): Promise<void> {
    const { active } = front.counterIds;
    this.counters.add(active, 1);
    this.#http2 ??= this.#createHttp2(front);
    await this.#http2.serve(socket);
    this.#options.census.leave(ticket);
    this.counters.add(active, -1);
  }

  #createHttp2(front: Front): Http2Sessions {
    const { nextConnectionId, onHttp2Abuse } = this.#options;
    const { headTimeoutMs, idleTimeoutMs } = front;
    return new Http2Sessions({ headTimeoutMs, idleTimeoutMs }, {
      now: () => this.nowMs,
      turn: () => {
        this.countRead();
        return this.park(performance.now());
      },
      serveStream: async (stream) => {
        const connection = new Connection(stream, front, this, nextConnectionId());
        this.#connections.add(connection);
        await connection.run(STREAM_TICKET);
      },
      onFailure: (error) => this.#options.onSessionFailure(front, error),
      onTimeout: (_client, isMidHead) =>
        this.counters.add(
          isMidHead ? CounterIndex.CLOSED_HEAD_TIMEOUT : CounterIndex.CLOSED_IDLE,
        ),
      onAbuse: (client) => {
        this.counters.add(CounterIndex.CLOSED_HTTP2_FLOOD);
        onHttp2Abuse?.(client, "it sends more frames than anybody needs to");
      },
      onMalformed: (client, reason) => onHttp2Abuse?.(client, reason),
    });
  }

  #sweepHandshakes(): void {
    const { handshakeTimeoutMs = 0 } = this.#options;
    if (handshakeTimeoutMs === 0) return;
    for (const [socket, startedAtMs] of this.#handshakes) {
      // In the order of their beginnings.
      if (this.nowMs - startedAtMs < handshakeTimeoutMs) return;
      socket.close();
    }
  }

  #closeHandshakes(): void {
    for (const socket of this.#handshakes.keys()) socket.close();
  }

  #run(connection: Connection, ticket: number): void {
    this.#connections.add(connection);
    this.counters.add(connection.front.counterIds.active, 1);
    void connection.run(ticket);
  }
}

const NOTHING = new Uint8Array(0);

function sweepIntervalMs(shortestTimeoutMs: number): number {
  if (shortestTimeoutMs === 0) return SWEEP_INTERVAL_MAX_MS;
  const wanted = Math.floor(shortestTimeoutMs / 4);
  return Math.min(SWEEP_INTERVAL_MAX_MS, Math.max(SWEEP_INTERVAL_MIN_MS, wanted));
}
