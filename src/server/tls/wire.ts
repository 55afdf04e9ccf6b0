/**
 * The encrypted side of a TLS connection.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";

/** What a connection reads into while its client is silent. Unit: bytes. */
const QUIET_READ_BYTES = 4096;

/** The same while it sends more than that at a time. Unit: bytes. Reason: one TLS record. */
const BUSY_READ_BYTES = 16384;

/** What a {@link Wire} reads from and writes to: a `Deno.TcpConn`, or a test's. */
export interface WireSocket {
  /** Reads what there is, at least a byte; null when the client sends no more. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes what fits, at least a byte, and says how much. */
  write(bytes: Uint8Array): Promise<number>;
  /** Says that nothing more will be written. */
  closeWrite(): Promise<void>;
  /** Closes at once. */
  close(): void;
}

/**
 * A TCP connection as the stream that `node:tls` wants.
 *
 * It reads only while somebody wants what is inside: the TLS layer itself takes all that it is given
 * and keeps it, so a client that sends faster than it is served would fill the memory.
 *
 * Thread: belongs to one connection.
 */
export class Wire extends Duplex {
  readonly #socket: WireSocket;
  readonly #isWanted: () => boolean;
  #buffer = Buffer.allocUnsafeSlow(QUIET_READ_BYTES);
  #isReading = false;
  #hasRoom = false;
  #isOver = false;

  /**
   * Takes over `socket`.
   *
   * @param isWanted whether more should be read; call {@link Wire.readOn} when that becomes true
   */
  constructor(socket: WireSocket, isWanted: () => boolean) {
    super({
      allowHalfOpen: true,
      autoDestroy: false,
      emitClose: false,
      readableHighWaterMark: 1,
    });
    this.#socket = socket;
    this.#isWanted = isWanted;
  }

  /** Reads, if that is wanted and nobody does already. */
  readOn(): void {
    if (this.#isReading || !this.#hasRoom || this.#isOver || !this.#isWanted()) return;
    this.#isReading = true;
    this.#hasRoom = false;
    this.#socket.read(this.#buffer).then(this.#take, this.#fail);
  }

  /** The stream's. */
  override _read(): void {
    this.#hasRoom = true;
    this.readOn();
  }

  /** The stream's. */
  override _write(
    bytes: Uint8Array,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const go = (written: number): void => {
      if (written === bytes.length) return done();
      bytes = bytes.subarray(written);
      this.#socket.write(bytes).then(go, done);
    };
    if (bytes.length === 0) return done();
    this.#socket.write(bytes).then(go, done);
  }

  /** The stream's. */
  override _final(done: (error?: Error | null) => void): void {
    this.#socket.closeWrite().then(() => done(), () => done());
  }

  /** The stream's. The TLS layer is done with it; the connection is closed by whoever owns it. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#isOver = true;
    done(error);
  }

  /** Sends bytes past the TLS layer, which has given up; whether they arrive is not known. */
  sayLast(bytes: Uint8Array): void {
    this.#socket.write(bytes).catch(() => {});
  }

  /** Closes the connection at once. */
  close(): void {
    this.#isOver = true;
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  readonly #take = (byteCount: number | null): void => {
    this.#isReading = false;
    if (this.#isOver) return;
    if (byteCount === null) {
      this.#isOver = true;
      this.push(null);
      return;
    }
    const bytes = this.#buffer.subarray(0, byteCount);
    const roomBytes = this.#buffer.length;
    if (byteCount === roomBytes && roomBytes < BUSY_READ_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(BUSY_READ_BYTES);
    } else if (byteCount < QUIET_READ_BYTES / 2 && roomBytes > QUIET_READ_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(QUIET_READ_BYTES);
    }
    // The TLS layer has copied it when the next read is asked for.
    this.push(bytes);
    this.readOn();
  };

  readonly #fail = (error: unknown): void => {
    this.#isReading = false;
    if (this.#isOver) return;
    this.destroy(error instanceof Error ? error : new Error(String(error)));
  };
}
