/**
 * HTTP/2 on one I/O thread: every stream becomes a connection that speaks HTTP/1.1.
 *
 * So routes, rights, limits, timeouts, memory and fairness are those of HTTP/1.1, because they are
 * the same code.
 *
 * @module
 */

import type { ClientSocket } from "../client_socket.ts";
import { ClientSession, type SessionEvents, type SessionLimits } from "./session.ts";

/** All HTTP/2 connections of one I/O thread. Thread: the one that accepts them. */
export class Http2Sessions {
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents;
  readonly #sessions = new Set<ClientSession>();

  /** Serves nobody yet. */
  constructor(limits: SessionLimits, events: SessionEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** Serves a client until its connection is over. Never rejects. */
  async serve(socket: ClientSocket): Promise<void> {
    const session = new ClientSession(socket, this.#limits, this.#events);
    this.#sessions.add(session);
    await session.run();
    this.#sessions.delete(session);
  }

  /** Ends whoever was silent for too long. */
  sweep(nowMs: number): void {
    for (const session of this.#sessions) session.sweep(nowMs);
  }

  /** Tells every client that no further requests will be answered. */
  goAway(): void {
    for (const session of this.#sessions) session.goAway();
  }

  /** Ends all connections at once. */
  end(): void {
    for (const session of this.#sessions) session.end();
  }
}
