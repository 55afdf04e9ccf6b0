/**
 * A handshake with ourselves, to learn whether a certificate can be served.
 *
 * @module
 */

import { connect, createSecureContext } from "node:tls";
import type { TlsMaterial } from "./material.ts";
import { SecureSocket } from "./secure_socket.ts";
import { Wire, type WireSocket } from "./wire.ts";

/** How long it may take. Unit: ms. Reason: it takes some 20, on a machine that is busy more. */
const TRIAL_MS = 10_000;

const NOWHERE: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 0 };

/**
 * Shakes hands with a client of our own, in memory.
 *
 * A key may be read, and fit its certificate, and still be of a kind that the runtime cannot sign
 * with, or there may be something wrong with the certificates behind the first one: that shows in a
 * handshake only, and then in every one.
 *
 * Thread: main isolate.
 *
 * @throws {Error} when no client could connect
 */
export async function tryTls({ cert, key }: Pick<TlsMaterial, "cert" | "key">): Promise<void> {
  const toServer = new Pipe();
  const toClient = new Pipe();
  const ours = {
    ...endOf(toServer, toClient),
    remoteAddr: NOWHERE,
    localAddr: NOWHERE,
  };
  const secureContext = createSecureContext({ cert, key });
  const server = new SecureSocket(ours, { secureContext, alpnProtocols: [] });
  const wire = new Wire(endOf(toClient, toServer), () => true);
  wire.on("error", () => {});
  // What is tried is whether we can speak with it, not whom it convinces.
  const client = connect({ socket: wire as never, rejectUnauthorized: false });
  client.on("error", () => {});
  const timer = setTimeout(() => ours.close(), TRIAL_MS);
  try {
    await server.handshake;
  } finally {
    clearTimeout(timer);
    client.destroy();
    // No goodbye, and nothing to wait for: there is nobody else.
    ours.close();
  }
}

/** Bytes on their way from one end to the other. */
class Pipe {
  readonly #pieces: Uint8Array[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  async read(target: Uint8Array): Promise<number | null> {
    while (this.#pieces.length === 0) {
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const piece = this.#pieces.shift()!;
    const byteCount = Math.min(piece.length, target.length);
    target.set(piece.subarray(0, byteCount));
    if (byteCount < piece.length) this.#pieces.unshift(piece.subarray(byteCount));
    return byteCount;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.#pieces.push(bytes.slice());
    this.#wake?.();
    return Promise.resolve(bytes.length);
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }
}

function endOf(input: Pipe, output: Pipe): WireSocket {
  return {
    read: (target) => input.read(target),
    write: (bytes) => output.write(bytes),
    closeWrite: () => {
      output.end();
      return Promise.resolve();
    },
    close: () => {
      input.end();
      output.end();
    },
  };
}
