/**
 * Connections that have asked once, were answered, and then do nothing.
 *
 * @module
 */

/** Connections that are opened at a time: the accept queue of a server is finite. */
const AT_A_TIME = 100;

/** What a client says first, and how the answer ends. */
const GREETINGS = {
  resp: { request: "*1\r\n$4\r\nPING\r\n", end: "+PONG\r\n" },
  http: { request: "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", end: "}" },
} as const;

/** Open connections. Thread: the bench's; disposing closes them all. */
export class IdleClients implements Disposable {
  readonly #sockets: Deno.TcpConn[] = [];

  /** How many there are. */
  get count(): number {
    return this.#sockets.length;
  }

  /** Opens more, until there are `count`. */
  async growTo(count: number, port: number, protocol: "resp" | "http"): Promise<void> {
    while (this.#sockets.length < count) {
      const wanted = Math.min(AT_A_TIME, count - this.#sockets.length);
      const opening = Array.from({ length: wanted }, () => openOne(port, protocol));
      this.#sockets.push(...await Promise.all(opening));
    }
  }

  /** Closes. */
  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.length = 0;
  }
}

async function openOne(port: number, protocol: "resp" | "http"): Promise<Deno.TcpConn> {
  const { request, end } = GREETINGS[protocol];
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const room = new Uint8Array(1024);
  let text = "";
  await socket.write(new TextEncoder().encode(request));
  while (!text.endsWith(end)) {
    const byteCount = await socket.read(room);
    if (byteCount === null) throw new Error(`Cannot open connections: the server closed one`);
    text += new TextDecoder().decode(room.subarray(0, byteCount));
  }
  return socket;
}
