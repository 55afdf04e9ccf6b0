/**
 * Turning connections away at the cap: cheaply, and so that the client learns why.
 *
 * @module
 */

import type { ClientSocket } from "./client_socket.ts";

/** How long a refused client has to read its reply. Unit: ms. */
const REFUSAL_LINGER_MS = 250;

/**
 * How many refused connections may linger at once; those beyond are closed straight after the
 * reply, so that a flood of connections costs a bounded number of sockets and timers.
 */
const REFUSALS_LINGERING_MAX = 64;

const discarded = new Uint8Array(4096);

/**
 * Tells clients that there is no room, and closes.
 *
 * Thread: one object per I/O thread.
 */
export class Refusals {
  readonly #lingering = new Set<ClientSocket>();

  /**
   * Sends `reply` and closes. Never rejects.
   *
   * The client has usually sent a request that we did not read; closing on it would reset the
   * connection and may destroy the reply. So a few refused connections linger for a moment.
   *
   * @param secure puts TLS on the connection: only for those that linger, the others get no reply,
   *   because a handshake costs more than most requests
   */
  async refuse(
    plainSocket: ClientSocket,
    reply: Uint8Array<ArrayBuffer>,
    secure?: (socket: ClientSocket) => ClientSocket,
  ): Promise<void> {
    const lingers = reply.length > 0 && this.#lingering.size < REFUSALS_LINGERING_MAX;
    if (secure !== undefined && !lingers) return closeQuietly(plainSocket);
    const socket = secure?.(plainSocket) ?? plainSocket;
    if (lingers) this.#lingering.add(socket);
    const timer = lingers ? setTimeout(() => closeQuietly(socket), REFUSAL_LINGER_MS) : undefined;
    try {
      await socket.handshake;
      // A fresh socket's send buffer is empty and the replies are short: one write takes all.
      if (reply.length > 0) await socket.write(reply);
      if (lingers) {
        await socket.closeWrite();
        while (await socket.read(discarded) !== null);
      }
    } catch {
      // The client has gone, or its time is up.
    } finally {
      clearTimeout(timer);
      this.#lingering.delete(socket);
      closeQuietly(socket);
    }
  }

  /** Closes what still lingers. */
  close(): void {
    for (const socket of this.#lingering) closeQuietly(socket);
  }
}

function closeQuietly(socket: ClientSocket): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
