/**
 * One connection to a server of the lab, as bytes and as HTTP.
 *
 * @module
 */

/** An answer over HTTP. */
export interface HttpAnswer {
  /** Status code. */
  readonly status: number;
  /** Its body. */
  readonly body: string;
}

const READ_BYTES = 65_536;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A connection; one question under way at most.
 *
 * Thread: belongs to one thread. Closing it ends what waits for an answer.
 */
export class Wire implements Disposable {
  readonly #socket: Deno.Conn;
  #received: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isOpen = true;
  #hasEnded = false;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects to a server on this machine. */
  static async connect(port: number): Promise<Wire> {
    return new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends all of it. */
  async send(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? encoder.encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#socket.write(rest));
  }

  /** Asks over HTTP and waits for the answer. */
  async request(
    method: string,
    path: string,
    body = "",
    headers: readonly string[] = [],
  ): Promise<HttpAnswer> {
    const length = body === "" ? [] : [`Content-Length: ${encoder.encode(body).length}`];
    const head = [`${method} ${path} HTTP/1.1`, "Host: localhost", ...headers, ...length];
    await this.send(`${head.join("\r\n")}\r\n\r\n${body}`);
    return await this.readAnswer();
  }

  /** Waits for an HTTP answer that says how long it is. */
  async readAnswer(): Promise<HttpAnswer> {
    let headEnd = -1;
    while ((headEnd = this.#text().indexOf("\r\n\r\n")) < 0) await this.#receive();
    const head = this.#text().slice(0, headEnd);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? NaN);
    if (Number.isNaN(status)) throw new Error("Cannot read an answer: it is not HTTP");
    // The head is ASCII: so many characters are so many bytes.
    const bodyStart = headEnd + 4;
    const bodyBytes = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    while (this.#received.length < bodyStart + bodyBytes) await this.#receive();
    const body = decoder.decode(this.#received.subarray(bodyStart, bodyStart + bodyBytes));
    this.#received = this.#received.slice(bodyStart + bodyBytes);
    return { status, body };
  }

  /**
   * Takes whatever was received as soon as `isWhole` says that it is enough, or the server has
   * closed the connection.
   */
  async readUntil(isWhole: (bytes: Uint8Array) => boolean): Promise<Uint8Array> {
    while (!isWhole(this.#received) && !this.#hasEnded) await this.#receive(true);
    const taken = this.#received;
    this.#received = new Uint8Array(0);
    return taken;
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  #text(): string {
    return decoder.decode(this.#received);
  }

  async #receive(mayEnd = false): Promise<void> {
    const chunk = new Uint8Array(READ_BYTES);
    const count = await this.#socket.read(chunk);
    if (count === null) {
      this.#hasEnded = true;
      if (mayEnd) return;
      throw new Error("Cannot read an answer: the connection has ended");
    }
    const together = new Uint8Array(this.#received.length + count);
    together.set(this.#received);
    together.set(chunk.subarray(0, count), this.#received.length);
    this.#received = together;
  }
}
