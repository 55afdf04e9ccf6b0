/**
 * `sluice health`: asks a running server whether it is well, for container health checks and probes.
 *
 * It speaks HTTP itself, because `fetch` would go through a proxy that the environment names, and
 * would give a name as `Host` that the server need not allow.
 *
 * @module
 */

import { formatDuration } from "../base/units.ts";
import { isLoopback } from "../server/config.ts";

/** What to ask. */
export interface HealthQuestion {
  /** Where to ask, e.g. `http://127.0.0.1:8080/health`. */
  readonly url: URL;
  /** Value of the `Host` header. */
  readonly hostHeader: string;
  /** How long the answer may take, connecting included. Unit: ms. */
  readonly timeoutMs: number;
  /** File with certificates to trust besides the usual ones; empty or left out: none. */
  readonly caPath?: string;
}

/** What came of it. */
export interface HealthAnswer {
  /** Whether the server answered 200. */
  readonly healthy: boolean;
  /** One line for people, without its end. */
  readonly text: string;
}

/** Where `sluice health` asks when it is not told. Shape: `http://[::1]:8080/health`. */
export function localUrl(host: string, port: number, path: string, scheme = "http"): URL {
  const address = LOOPBACK_OF[host] ?? host;
  return new URL(`${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}${path}`);
}

/** Addresses that mean every address; a client needs one. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Most bytes of a reply that are looked at. */
const REPLY_BYTES = 1024;

/** How a TLS server's answer to plain text begins. */
const TLS_ALERT = 0x15;

/** Where the status stands in a reply. */
const STATUS_AT = "HTTP/1.1 ".length;

/**
 * Asks a server; never rejects.
 *
 * Thread: any.
 */
export async function askHealth(question: HealthQuestion): Promise<HealthAnswer> {
  const expired = Promise.withResolvers<null>();
  const timer = setTimeout(() => expired.resolve(null), question.timeoutMs);
  try {
    const answer = await ask(question, expired.promise);
    if (answer === null) {
      return unhealthy(
        `no answer from ${question.url} within ${formatDuration(question.timeoutMs)}`,
      );
    }
    const { status, isFull } = answer;
    const text = `${question.url} answered ${status}`;
    if (status === 200) return { healthy: true, text: `healthy: ${text}` };
    // Whoever restarts what is not well must not lose the data because many clients came.
    if (isFull && !question.url.pathname.endsWith("/ready")) {
      return { healthy: true, text: `healthy: ${text}, it has as many connections as it may` };
    }
    return unhealthy(text);
  } catch (error) {
    return unhealthy(`${question.url}: ${reason(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

/** What a server says. */
interface Answer {
  readonly status: number;
  /** Whether it turned us away because it has too many connections. */
  readonly isFull: boolean;
}

/** The server's answer, or null when the time is over before it is there. */
async function ask(
  question: HealthQuestion,
  expired: Promise<null>,
): Promise<Answer | null> {
  const { url, hostHeader } = question;
  const connecting = connect(question);
  const socket = await Promise.race([connecting, expired]);
  if (socket === null) {
    connecting.then((late) => late.close(), () => {});
    return null;
  }
  // Closing it ends what still reads or writes.
  using _socket = socket;
  const asking = exchange(
    socket,
    `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${hostHeader}\r\nConnection: close\r\n\r\n`,
  );
  asking.catch(() => {});
  return await Promise.race([asking, expired]);
}

/** What is asked through. */
interface HealthSocket extends Disposable {
  /** Reads what there is; null at the end. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes what fits, and says how much. */
  write(bytes: Uint8Array): Promise<number>;
  /** Closes at once. */
  close(): void;
}

async function connect({ url, caPath = "" }: HealthQuestion): Promise<HealthSocket> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  if (!secure) return await Deno.connect({ hostname, port });
  // Its certificate names the host that others know it by; that it is this machine which answers is
  // certain all the same.
  if (caPath === "" && isLoopback(hostname)) return await connectUnverified(hostname, port);
  const caCerts = caPath === "" ? [] : [await Deno.readTextFile(caPath)];
  return await Deno.connectTls({ hostname, port, caCerts });
}

/** Speaks TLS with whoever answers. */
async function connectUnverified(host: string, port: number): Promise<HealthSocket> {
  const { connect: connectTls } = await import("node:tls");
  const socket = connectTls({ host, port, rejectUnauthorized: false });
  const ready = Promise.withResolvers<void>();
  socket.once("secureConnect", () => ready.resolve());
  socket.on("error", (error: Error) => ready.reject(error));
  await ready.promise;
  const chunks = socket[Symbol.asyncIterator]();
  return {
    async read(target): Promise<number | null> {
      const { value, done } = await chunks.next();
      if (done) return null;
      const chunk: Uint8Array = value.subarray(0, target.length);
      target.set(chunk);
      return chunk.length;
    },
    write: (bytes) => {
      socket.write(bytes);
      return Promise.resolve(bytes.length);
    },
    close: () => void socket.destroy(),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

async function exchange(socket: HealthSocket, request: string): Promise<Answer> {
  let rest = new TextEncoder().encode(request);
  while (rest.length > 0) rest = rest.subarray(await socket.write(rest));
  const reply = new Uint8Array(REPLY_BYTES);
  let text = "";
  for (let length = 0; length < reply.length;) {
    const count = await socket.read(reply.subarray(length)).catch((error) => {
      // A server that refuses may reset the connection behind its reply.
      if (text === "") throw error;
      return null;
    });
    if (count === null) break;
    length += count;
    text = new TextDecoder().decode(reply.subarray(0, length));
    // Only a refusal is worth waiting for the rest.
    if (text.includes("\r\n") && !text.startsWith("503", STATUS_AT)) break;
  }
  const status = /^HTTP\/1\.[01] (\d{3})\b.*\r\n/.exec(text)?.[1];
  if (status !== undefined) {
    const isFull = status === "503" && text.includes('"reason":"too_many_connections"');
    return { status: Number(status), isFull };
  }
  if (text.charCodeAt(0) === TLS_ALERT) {
    throw new Error("what answers there speaks TLS; give --tls-cert as to the server, or --url");
  }
  throw new Error("what answers there does not speak HTTP");
}

function unhealthy(text: string): HealthAnswer {
  return { healthy: false, text: `not healthy: ${text}` };
}

function reason(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "ECONNRESET") return "the connection was reset";
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
  // What came is no record of TLS: an answer in plain text, as a rule.
  return text.includes("InvalidContentType") ? "what answers there does not speak TLS" : text;
}
