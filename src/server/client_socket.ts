/**
 * What a connection needs of a socket.
 *
 * @module
 */

/**
 * A stream of bytes to and from one client: a TCP connection, one with TLS, or what behaves like
 * one.
 *
 * Thread: belongs to one connection.
 */
export interface ClientSocket {
  /** The client's end. */
  readonly remoteAddr: Deno.NetAddr;
  /** Our end. */
  readonly localAddr: Deno.NetAddr;
  /** Whether what it carries is encrypted on its way; left out: it is not. */
  readonly isSecure?: boolean;
  /**
   * The handshake that must end before anything is read; left out: there is none. Resolves with the
   * protocol that was chosen in it, null = none was named.
   */
  readonly handshake?: Promise<string | null>;
  /** Reads what there is, at least a byte; null when the client sends no more. */
  read(target: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Writes what fits, at least a byte, and says how much. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Says that nothing more will be written. */
  closeWrite(): Promise<void>;
  /** Closes at once; pending reads and writes reject. */
  close(): void;
}
