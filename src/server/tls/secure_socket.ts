/**
 * One client's connection with TLS on it, as a connection sees it.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { type SecureContext, TLSSocket } from "node:tls";
import type { ClientSocket } from "../client_socket.ts";
import { Wire, type WireSocket } from "./wire.ts";

/**
 * Most that is encrypted at a time.
 *
 * Unit: bytes. Reason: what is encrypted waits in memory until the client takes it.
 */
const WRITE_BYTES = 65536;

/**
 * How long a connection that is closed may go on saying goodbye.
 *
 * Unit: ms. Reason: a client that is not told that this is the end must take it for an attack.
 */
const PARTING_MS = 50;

/** A fatal alert, in the clear (RFC 8446 section 6). */
const HANDSHAKE_FAILURE = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 40);

/** What a {@link SecureSocket} is made from. */
export interface SecureSocketOptions {
  /** The certificate and its key. */
  readonly secureContext: SecureContext;
  /** Protocols to choose from, the best first. */
  readonly alpnProtocols: readonly string[];
}

/** A plain connection that TLS is to be spoken on. */
export interface PlainSocket extends WireSocket {
  /** The client's end. */
  readonly remoteAddr: Deno.NetAddr;
  /** Our end. */
  readonly localAddr: Deno.NetAddr;
}

/**
 * A TLS connection from our side.
 *
 * The runtime's own TLS listener is not used: it begins the handshake before anybody can say whether
 * the client may connect, and a client that never goes on keeps its file descriptor, whoever closes
 * the connection (seen on 2.9.6). Here the TCP connection is ours and closes when we say so.
 *
 * Thread: the I/O thread that accepted it.
 */
export class SecureSocket implements ClientSocket {
  /** See {@link ClientSocket.isSecure}. */
  readonly isSecure = true;
  /** The client's end. */
  readonly remoteAddr: Deno.NetAddr;
  /** Our end. */
  readonly localAddr: Deno.NetAddr;

  readonly #tls: TLSSocket;
  readonly #wire: Wire;
  readonly #handshake = Promise.withResolvers<string | null>();
  #isShaken = false;
  /** What was decrypted and nobody has read, the oldest first. */
  readonly #waiting: Buffer[] = [];
  #reader: { target: Uint8Array; settled: PromiseWithResolvers<number | null> } | undefined;
  #hasEnded = false;
  #error: Error | undefined;
  #isClosed = false;

  /** Begins the handshake. */
  constructor(socket: PlainSocket, { secureContext, alpnProtocols }: SecureSocketOptions) {
    this.remoteAddr = socket.remoteAddr;
    this.localAddr = socket.localAddr;
    this.#handshake.promise.catch(() => {});
    const wire = this.#wire = new Wire(
      socket,
      () => !this.#isShaken || this.#reader !== undefined,
    );
    const tls = this.#tls = new TLSSocket(wire as never, {
      isServer: true,
      secureContext,
      ALPNProtocols: [...alpnProtocols],
    });
    tls.allowHalfOpen = true;
    // A client may leave at any time, also between two of our steps.
    wire.on("error", (error: Error) => this.#fail(error));
    tls.on("error", (error: Error) => {
      // The TLS layer keeps what it would say to the client to itself.
      if (!this.#isShaken && this.#error === undefined) wire.sayLast(HANDSHAKE_FAILURE);
      this.#fail(error);
    });
    tls.on("close", () => this.#fail(new Deno.errors.Interrupted("the connection was closed")));
    tls.on("data", (chunk: Buffer) => this.#take(chunk));
    tls.on("end", () => this.#end());
    tls.once("secure", () => {
      this.#isShaken = true;
      this.#handshake.resolve(tls.alpnProtocol || null);
    });
  }

  /**
   * Resolves when the client and we agree, with the protocol that was chosen, null = none was named.
   *
   * Rejects when we do not, or when the connection ends before.
   */
  get handshake(): Promise<string | null> {
    return this.#handshake.promise;
  }

  /** See {@link ClientSocket.read}. */
  read(target: Uint8Array<ArrayBuffer>): Promise<number | null> {
    const [chunk] = this.#waiting;
    if (chunk !== undefined) {
      const byteCount = copy(chunk, target);
      if (byteCount === chunk.length) this.#waiting.shift();
      else this.#waiting[0] = chunk.subarray(byteCount);
      return Promise.resolve(byteCount);
    }
    if (this.#hasEnded) return Promise.resolve(null);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const settled = Promise.withResolvers<number | null>();
    this.#reader = { target, settled };
    this.#wire.readOn();
    return settled.promise;
  }

  /** See {@link ClientSocket.write}. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const piece = bytes.length > WRITE_BYTES ? bytes.subarray(0, WRITE_BYTES) : bytes;
    const written = Promise.withResolvers<number>();
    this.#tls.write(piece, (error) => {
      if (error) written.reject(error);
      else written.resolve(piece.length);
    });
    return written.promise;
  }

  /** See {@link ClientSocket.closeWrite}. */
  closeWrite(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const ended = Promise.withResolvers<void>();
    this.#tls.once("close", () => ended.resolve());
    this.#tls.end(() => ended.resolve());
    return ended.promise;
  }

  /** See {@link ClientSocket.close}; the client is told, if it takes that at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const hadEnded = this.#error !== undefined;
    this.#fail(new Deno.errors.Interrupted("the connection was closed"));
    // What was said last, such as why there is no handshake, is on its way through the TLS layer.
    const timer = setTimeout(() => this.#leave(), PARTING_MS);
    if (!this.#isShaken || hadEnded) return;
    this.#tls.end(() => {
      clearTimeout(timer);
      this.#leave();
    });
  }

  #leave(): void {
    this.#wire.close();
    this.#tls.destroy();
  }

  #take(chunk: Buffer): void {
    const reader = this.#reader;
    if (reader === undefined) {
      this.#waiting.push(chunk);
      return;
    }
    this.#reader = undefined;
    const byteCount = copy(chunk, reader.target);
    if (byteCount < chunk.length) this.#waiting.push(chunk.subarray(byteCount));
    reader.settled.resolve(byteCount);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#handshake.reject(new Deno.errors.UnexpectedEof("the client left during the handshake"));
    this.#reader?.settled.resolve(null);
    this.#reader = undefined;
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#handshake.reject(error);
    this.#reader?.settled.reject(error);
    this.#reader = undefined;
  }
}

function copy(chunk: Uint8Array, target: Uint8Array): number {
  if (chunk.length <= target.length) {
    target.set(chunk);
    return chunk.length;
  }
  target.set(chunk.subarray(0, target.length));
  return target.length;
}
