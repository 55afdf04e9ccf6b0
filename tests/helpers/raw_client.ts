/**
 * A TCP client that speaks bytes, for tests of what goes over the wire.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How long a test waits for bytes before it fails with what it has. Unit: ms. */
const PATIENCE_MS = 20_000;

/** One connection. Thread: the test's. */
export class RawClient implements Disposable {
  readonly #socket: Deno.Conn;
  #received = "";
  #ended = false;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects to the loopback address. */
  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Takes over a connection, such as one with TLS. */
  static over(socket: Deno.Conn): RawClient {
    return new RawClient(socket);
  }

  /** What was received and not taken yet. */
  get received(): string {
    return this.#received;
  }

  /** Sends text or bytes, all of them. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    let written = 0;
    while (written < bytes.length) written += await this.#socket.write(bytes.subarray(written));
  }

  /** Sends `text` again and again until told to stop or the connection ends. */
  async sendForever(text: string, stop: AbortSignal): Promise<void> {
    const bytes = encoder.encode(text);
    try {
      while (!stop.aborted) await this.send(bytes);
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** Reads and forgets whatever comes until the connection ends. */
  async discard(): Promise<void> {
    const bytes = new Uint8Array(1 << 18);
    try {
      while (await this.#socket.read(bytes) !== null);
    } catch {
      // Closed by the test.
    }
  }

  /** Says that nothing more will be sent. */
  closeWrite(): Promise<void> {
    return this.#socket.closeWrite();
  }

  /** Takes everything up to and including `end`. */
  async readUntil(end: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(end);
      if (at >= 0) return this.#take(at + end.length);
      if (!await this.#receive()) throw new Error(`Cannot read up to ${JSON.stringify(end)}: end`);
    }
  }

  /** Takes `length` characters (bytes, for ASCII). */
  async read(length: number): Promise<string> {
    while (this.#received.length < length) {
      if (!await this.#receive()) throw new Error(`Cannot read ${length} characters: end`);
    }
    return this.#take(length);
  }

  /** Takes everything until the server closes. A reset counts as closing. */
  async readToEnd(): Promise<string> {
    while (await this.#receive());
    return this.#take(this.#received.length);
  }

  /** Takes one HTTP reply with a `Content-Length`. */
  async readHttpReply(): Promise<HttpReply> {
    const head = await this.readUntil("\r\n\r\n");
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? "0");
    const body = await this.read(length);
    return { status: Number(head.split(" ")[1]), head, body };
  }

  /** Closes. */
  close(): void {
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  /** Closes. */
  [Symbol.dispose](): void {
    this.close();
  }

  #take(length: number): string {
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }

  async #receive(): Promise<boolean> {
    if (this.#ended) return false;
    const buffer = new Uint8Array(65536);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      this.close();
    }, PATIENCE_MS);
    let count: number | null;
    try {
      count = await this.#socket.read(buffer);
    } catch (error) {
      if (timedOut) {
        throw new Error(`Cannot read: nothing for ${PATIENCE_MS} ms after ${this.#received}`);
      }
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      count = null;
    } finally {
      clearTimeout(timer);
    }
    if (count === null) {
      this.#ended = true;
      return false;
    }
    this.#received += decoder.decode(buffer.subarray(0, count));
    return true;
  }
}

/** One HTTP reply. */
export interface HttpReply {
  /** Status code. */
  status: number;
  /** Status line and headers. */
  head: string;
  /** The body. */
  body: string;
}

/** An event as an HTTP request. */
export function eventRequest(user: string, amount: number, extra = ""): string {
  const body = JSON.stringify({ user, action: "buy", amount });
  return `POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n${extra}\r\n${body}`;
}

/** A command as RESP. */
export function respCommand(...args: string[]): string {
  const parts = args.map((arg) => `$${encoder.encode(arg).length}\r\n${arg}\r\n`);
  return `*${args.length}\r\n${parts.join("")}`;
}
