/**
 * Ends TLS on the connections of one I/O thread.
 *
 * @module
 */

import { createSecureContext, type SecureContext } from "node:tls";
import type { ProtocolLabel } from "../../metrics/names.ts";
import type { TlsMaterial } from "./material.ts";
import { type PlainSocket, SecureSocket } from "./secure_socket.ts";

/** The oldest version that is spoken. Reason: RFC 8996 forbids those before it. */
const MIN_VERSION = "TLSv1.2";

/** What is offered on each port, the best first. */
const ALPN_PROTOCOLS: Readonly<Record<ProtocolLabel, readonly string[]>> = {
  http: ["h2", "http/1.1"],
  resp: [],
  proto: [],
};

/**
 * Knows the certificate of the hour.
 *
 * Thread: one per I/O thread.
 */
export class TlsTerminator {
  #context: SecureContext;

  /** Begins with `material`. */
  constructor(material: TlsMaterial) {
    this.#context = contextOf(material);
  }

  /**
   * Has every handshake from now on use `material`; those under way and open connections go on with
   * what they began with.
   *
   * @throws {Error} when the runtime cannot use it; nothing is changed then
   */
  replace(material: TlsMaterial): void {
    this.#context = contextOf(material);
  }

  /**
   * Begins a handshake on a connection to the port of `protocol`.
   *
   * @param isRefused whether the client will only be told that there is no room, in HTTP/1.1
   */
  secure(socket: PlainSocket, protocol: ProtocolLabel, isRefused = false): SecureSocket {
    const offered = ALPN_PROTOCOLS[protocol];
    return new SecureSocket(socket, {
      secureContext: this.#context,
      alpnProtocols: isRefused ? offered.filter((name) => name !== "h2") : offered,
    });
  }
}

function contextOf({ cert, key }: TlsMaterial): SecureContext {
  return createSecureContext({ cert, key, minVersion: MIN_VERSION });
}
