/**
 * A WebSocket client that speaks bytes, for tests of what goes over the wire.
 *
 * @module
 */

import assert from "node:assert/strict";
import { parseServerFrames } from "./websocket_frames.ts";

/** How long a test waits for bytes before it fails with what it has. Unit: ms. */
const PATIENCE_MS = 20_000;

/** One connection. Thread: the test's. Texts have one character per byte. */
export class WebSocketTcpClient implements Disposable {
  /** The head of the answer to the handshake; empty before it. */
  head = "";
  readonly #socket: Deno.TcpConn;
  #received = "";

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects to the loopback address, without a handshake. */
  static async connect(port: number): Promise<WebSocketTcpClient> {
    return new WebSocketTcpClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /**
   * Connects and shakes hands.
   *
   * @param lines further header lines
   */
  static async open(port: number, lines = ""): Promise<WebSocketTcpClient> {
    const client = await WebSocketTcpClient.connect(port);
    await client.send(
      "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`,
    );
    await client.#readUntil((text) => text.includes("\r\n\r\n"));
    const end = client.#received.indexOf("\r\n\r\n") + 4;
    client.head = client.#received.slice(0, end);
    client.#received = client.#received.slice(end);
    return client;
  }

  /** Sends bytes, all of them. */
  async send(text: string): Promise<void> {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    let written = 0;
    while (written < bytes.length) written += await this.#socket.write(bytes.subarray(written));
  }

  /** Takes frames, as `parseServerFrames` shows them, when there are so many. */
  async readFrames(count: number): Promise<string[]> {
    await this.#readUntil((text) => parseServerFrames(text, true).length >= count);
    const frames = parseServerFrames(this.#received, true);
    this.#received = "";
    return frames;
  }

  /** Takes all frames until the server closes. */
  async readToEnd(): Promise<string[]> {
    while (await this.#receive());
    return parseServerFrames(this.#received);
  }

  /** Closes. */
  [Symbol.dispose](): void {
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  async #readUntil(isEnough: (text: string) => boolean): Promise<void> {
    while (!isEnough(this.#received)) {
      assert.ok(await this.#receive(), `the connection ended behind ${this.#received}`);
    }
  }

  async #receive(): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    const timer = setTimeout(() => this[Symbol.dispose](), PATIENCE_MS);
    try {
      const count = await this.#socket.read(buffer);
      if (count === null) return false;
      for (const byte of buffer.subarray(0, count)) this.#received += String.fromCharCode(byte);
      return true;
    } finally {
      clearTimeout(timer);
    }
  }
}
