/**
 * Who is at the other end of a connection.
 *
 * @module
 */

import type { ClientSocket } from "./client_socket.ts";
import { addressText } from "./connection_parts.ts";

/**
 * What is known of a client from its socket. Texts are made for whoever asks: most clients of many
 * thousands are never asked about.
 *
 * Thread: belongs to one connection.
 */
export class ClientEnd {
  /** Number of the connection, see `ClientOrigin`. */
  readonly id: number;
  /** When it opened, ms since the epoch. */
  readonly connectedAtMs: number;
  /** Carries what it says and hears. */
  protected readonly socket: ClientSocket;

  /** Belongs to `socket`, which opened at that time of day. */
  constructor(socket: ClientSocket, id: number, connectedAtMs: number) {
    this.socket = socket;
    this.id = id;
    this.connectedAtMs = connectedAtMs;
  }

  /** Peer as `address:port`. */
  get address(): string {
    return addressText(this.socket.remoteAddr);
  }

  /** Own end as `address:port`. */
  get localAddress(): string {
    return addressText(this.socket.localAddr);
  }

  /** Peer without its port. */
  get hostname(): string {
    return this.socket.remoteAddr.hostname;
  }

  /** Whether what it says and hears is encrypted on its way. */
  get isSecure(): boolean {
    return this.socket.isSecure ?? false;
  }
}
