/**
 * Small servers that misbehave on purpose, speaking as much RESP as a load does.
 *
 * @module
 */

/** What to do about a request: bytes to answer with, nothing, or a close. */
export type Reaction = string | null | "close" | Promise<string>;

/** A request as the server sees it. */
export interface FakeRequest {
  /** 1, 2, … over all connections. */
  readonly number: number;
  /** 1, 2, … on this connection. */
  readonly numberHere: number;
  /** Number of the connection: 1, 2, … */
  readonly connection: number;
}

/** A port on the loopback address at which nothing listens. */
export function closedPort(): number {
  // One that a FakeServer had may still take a connection: its accept ends a moment later.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Answers each request, one write of the client, as it is told. Thread: the test's. */
export class FakeServer implements AsyncDisposable {
  /** Requests so far. */
  requestCount = 0;
  /** Connections so far. */
  connectionCount = 0;
  /** What was asked, joined. */
  asked = "";

  /** Where it listens. */
  readonly port: number;

  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #react: (request: FakeRequest) => Reaction;
  readonly #sockets = new Set<Deno.Conn>();
  readonly #tasks: Promise<void>[] = [];
  readonly #isBytewise: boolean;

  /** Listens; `isBytewise` sends each byte of a reply alone. */
  constructor(react: (request: FakeRequest) => Reaction, isBytewise = false) {
    this.port = this.#listener.addr.port;
    this.#react = react;
    this.#isBytewise = isBytewise;
    this.#tasks.push(this.#accept());
  }

  /** Is gone: takes no connections any more, and ends those it has. */
  stop(): void {
    try {
      this.#listener.close();
    } catch {
      // It has been stopped.
    }
    for (const socket of this.#sockets) closeQuietly(socket);
  }

  /** Stops, and waits until nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await Promise.all(this.#tasks);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let socket: Deno.Conn;
      try {
        socket = await this.#listener.accept();
      } catch {
        return;
      }
      this.#sockets.add(socket);
      this.#tasks.push(this.#serve(socket, ++this.connectionCount));
    }
  }

  async #serve(socket: Deno.TcpConn | Deno.Conn, connection: number): Promise<void> {
    const buffer = new Uint8Array(4096);
    const encoder = new TextEncoder();
    try {
      for (let numberHere = 1;; numberHere++) {
        const byteCount = await socket.read(buffer);
        if (byteCount === null) break;
        this.asked += new TextDecoder().decode(buffer.subarray(0, byteCount));
        const reaction = await this.#react({ number: ++this.requestCount, numberHere, connection });
        if (reaction === "close") break;
        if (reaction === null) continue;
        const [answer, ...rest] = reaction.split("|close|");
        const bytes = encoder.encode(answer);
        if (!this.#isBytewise) await socket.write(bytes);
        else for (const byte of bytes) await socket.write(new Uint8Array([byte]));
        if (rest.length > 0) break;
      }
    } catch {
      // The other side has gone.
    }
    this.#sockets.delete(socket);
    closeQuietly(socket);
  }
}

function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // It was closed already.
  }
}
