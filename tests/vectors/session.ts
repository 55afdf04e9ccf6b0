/**
 * Plays cases to a server and returns what it answers, byte for byte.
 *
 * @module
 */

import { encodeRequest, frameEnd, parseStep } from "./format.ts";
import { toLatin1 } from "../helpers/latin1.ts";

/** How long a reply may take. Unit: ms. */
const PATIENCE_MS = 10_000;

/** After this long without news there are none. Unit: ms. */
const QUIET_MS = 15;

/** Stands where a connection was closed. */
export const CLOSED = "(closed)";

/** One connection; replies as text, one character per byte. Thread: the test's. */
export class VectorConnection implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #reading: Promise<void>;
  #text = "";
  #isOver = false;
  #news = Promise.withResolvers<void>();

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    this.#reading = this.#read();
  }

  /** Connects, and changes to `version`. */
  static async open(port: number, version: 2 | 3): Promise<VectorConnection> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay(true);
    const connection = new VectorConnection(socket);
    if (version === 3) await connection.ask(["HELLO", "3"]);
    return connection;
  }

  /** Sends a command. */
  async send(words: readonly string[]): Promise<void> {
    const bytes = encodeRequest(words);
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#socket.write(bytes.subarray(sent));
      }
    } catch {
      // The server has closed; reading says so.
    }
  }

  /** Sends a command and reads one frame. */
  async ask(words: readonly string[]): Promise<string> {
    await this.send(words);
    return await this.take(1);
  }

  /** Takes `count` frames; fewer when the connection ends or time is up. */
  async take(count: number): Promise<string> {
    let taken = "";
    const patience = AbortSignal.timeout(PATIENCE_MS);
    for (let i = 0; i < count; i++) {
      for (;;) {
        const end = this.#text === "" ? -1 : frameEnd(this.#text, 0);
        if (end >= 0) {
          taken += this.#text.slice(0, end);
          this.#text = this.#text.slice(end);
          break;
        }
        if (this.#isOver) return `${taken}${this.#text}${CLOSED}`;
        if (!await this.#wait(PATIENCE_MS) || patience.aborted) return taken;
      }
    }
    return taken;
  }

  /** Takes everything until nothing has come for a while. */
  async takeAll(quietMs = QUIET_MS): Promise<string> {
    while (!this.#isOver && await this.#wait(quietMs));
    const taken = this.#text;
    this.#text = "";
    return this.#isOver ? `${taken}${CLOSED}` : taken;
  }

  /** What came and was not taken. */
  get rest(): string {
    return this.#text;
  }

  /** Closes. */
  [Symbol.dispose](): void {
    try {
      this.#socket.close();
    } catch {
      // The server was faster.
    }
  }

  /** Closes, and waits until nothing of it is left. */
  async end(): Promise<void> {
    this[Symbol.dispose]();
    await this.#reading;
  }

  /** Waits for news; false when there were none in time. */
  async #wait(timeMs: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const time = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeMs);
    });
    const heard = await Promise.race([this.#news.promise.then(() => true), time]);
    clearTimeout(timer);
    return heard;
  }

  async #read(): Promise<void> {
    const bytes = new Uint8Array(1 << 16);
    for (;;) {
      let count: number | null = null;
      try {
        count = await this.#socket.read(bytes);
      } catch {
        // Closed or reset.
      }
      if (count === null) this.#isOver = true;
      else this.#text += toLatin1(bytes.subarray(0, count));
      this.#news.resolve();
      this.#news = Promise.withResolvers();
      if (count === null) return;
    }
  }
}

/** The connections of one case. */
export class VectorSession {
  readonly #connections = new Map<string, VectorConnection>();

  constructor(readonly port: number, readonly version: 2 | 3) {}

  /**
   * Plays one step.
   *
   * @param expected the recorded reply, which says how many frames to wait for; undefined when it is
   *   being recorded
   */
  async play(line: string, expected?: string): Promise<string> {
    const { connection: name, words, reads } = parseStep(line);
    let connection = this.#connections.get(name);
    if (connection === undefined) {
      connection = await VectorConnection.open(this.port, this.version);
      this.#connections.set(name, connection);
    }
    if (words.length > 0) await connection.send(words);
    if (!reads) {
      // Long enough for the server to have begun, so that what others send comes behind it.
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      return "";
    }
    if (expected === undefined) {
      const first = words.length > 0 ? await connection.take(1) : "";
      return first.endsWith(CLOSED)
        ? first
        : first + await connection.takeAll(words.length > 0 ? 1 : QUIET_MS);
    }
    const count = expected === "" ? 0 : countFrames(expected);
    return count === 0 ? await connection.takeAll() : await connection.take(count);
  }

  /** What connections got that no step took. */
  get rest(): string {
    return [...this.#connections.values()].map(({ rest }) => rest).join("");
  }

  /** Closes all connections. */
  async end(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => connection.end()));
  }
}

function countFrames(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; count++) {
    const end = frameEnd(text, at);
    if (end < 0) return count + 1;
    at = end;
  }
  return count;
}
