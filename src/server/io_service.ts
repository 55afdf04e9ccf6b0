/**
 * What serves the clients, as the start and stop order see it: one I/O thread on the main isolate,
 * or several in Workers.
 *
 * @module
 */

import type { ServerPorts } from "./server_view.ts";
import type { StopBudget } from "./stop_deadline.ts";
import type { TlsMaterial } from "./tls/material.ts";

/** What closing all connections found. */
export type ClosedConnections = {
  /** Connections that were open. */
  readonly open: number;
  /** Those of them that were cut off while they were being answered. */
  readonly cut_off: number;
};

/**
 * All I/O threads of a server.
 *
 * Its life, in this order: {@link IoService.listen}, {@link IoService.closeListeners},
 * {@link IoService.settleRequests}, {@link IoService.closeConnections}, disposal. A start that
 * failed may leave out any of the first.
 *
 * Thread: main isolate.
 */
export interface IoService extends AsyncDisposable {
  /** Resolves with a text for people when a thread that may have held locks has ended unasked. */
  readonly failure: Promise<string>;
  /** Resolves when a client asked for the server to stop. */
  readonly stopWish: Promise<void>;
  /**
   * Binds every port that is not off and begins to accept.
   *
   * @throws {StartError} when one cannot be had; none is bound then
   */
  listen(): Promise<ServerPorts>;
  /**
   * Has every TLS handshake from now on use `material`; nothing that is open notices.
   *
   * @throws {Error} when a thread cannot use it; it goes on with what it had
   */
  replaceTls(material: TlsMaterial): Promise<void>;
  /** Stops accepting. */
  closeListeners(budget: StopBudget): Promise<void>;
  /**
   * Waits until requests in flight are answered; the server is stopping.
   *
   * @returns how many were not
   */
  settleRequests(budget: StopBudget): Promise<{ unfinished: number }>;
  /** Closes what is still open. */
  closeConnections(budget: StopBudget): Promise<ClosedConnections>;
}
