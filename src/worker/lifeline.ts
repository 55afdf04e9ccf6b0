/**
 * Tells the supervisor that a worker's isolate has ended, however it ended.
 *
 * `self.close()`, `Deno.exit()` and `terminate()` raise no event, and `terminate()` does not even
 * end an isolate that runs. Something that the isolate holds and the runtime takes back
 * when, and only when, it is gone does tell: a Web Lock, or where those are missing (Deno before
 * 2.9, which compiled binaries may be based on) a TCP connection over loopback.
 *
 * @module
 */

/** What a worker is to hold; structured-cloneable. */
export type LifelineSpec =
  | { kind: "lock"; name: string }
  | { kind: "socket"; port: number; token: string };

/** The supervisor's end of all lifelines of one pool. Thread: the supervisor. */
export interface Lifelines {
  /** What the next worker of this slot is to hold. */
  issue(slotIndex: number, epoch: number): LifelineSpec;
  /**
   * Resolves when the isolate that holds it has ended; never after {@link Lifelines.close}.
   *
   * Call it only when the worker said that it holds its lifeline.
   */
  ended(spec: LifelineSpec): Promise<void>;
  /** Stops watching. */
  close(): void;
}

/** The part of the Web Locks interface that is used; not in the types of every version. */
interface WebLocks {
  request(
    name: string,
    options: { signal?: AbortSignal },
    callback: () => unknown,
  ): Promise<unknown>;
}

const HOST = "127.0.0.1";
const TOKEN_BYTES = 32;

function webLocks(): WebLocks | undefined {
  return (navigator as unknown as { locks?: WebLocks }).locks;
}

/**
 * Takes hold of the lifeline, for the life of this isolate.
 *
 * Thread: the worker, once, before it touches anything shared.
 */
export async function holdLifeline(spec: LifelineSpec): Promise<void> {
  if (spec.kind === "socket") {
    const connection = await Deno.connect({ hostname: HOST, port: spec.port });
    await connection.write(new TextEncoder().encode(spec.token));
    // Referenced for good, so that it is not collected and closed.
    Object.defineProperty(globalThis, Symbol("lifeline"), { value: connection });
    return;
  }
  const held = Promise.withResolvers<void>();
  webLocks()!.request(spec.name, {}, () => {
    held.resolve();
    return new Promise(() => {});
  }).catch(held.reject);
  await held.promise;
}

/**
 * Opens the lifelines of a pool with what this runtime has.
 *
 * @param poolId makes the names unique among the pools of this process
 * @param kind for tests; default: Web Locks where there are any
 */
export function openLifelines(poolId: string, kind?: "lock" | "socket"): Lifelines {
  if ((kind ?? "lock") === "lock" && webLocks() !== undefined) return new LockLifelines(poolId);
  return new SocketLifelines();
}

class LockLifelines implements Lifelines {
  readonly #poolId: string;
  readonly #closing = new AbortController();

  constructor(poolId: string) {
    this.#poolId = poolId;
  }

  issue(slotIndex: number, epoch: number): LifelineSpec {
    return { kind: "lock", name: `sluice-worker-${this.#poolId}-${slotIndex}-${epoch}` };
  }

  async ended(spec: LifelineSpec): Promise<void> {
    const name = spec.kind === "lock" ? spec.name : "";
    try {
      await webLocks()!.request(name, { signal: this.#closing.signal }, () => {});
    } catch {
      // Closed: nobody wants to know any more.
      await new Promise(() => {});
    }
  }

  close(): void {
    this.#closing.abort();
  }
}

class SocketLifelines implements Lifelines {
  readonly #listener = Deno.listen({ hostname: HOST, port: 0 });
  /** By token; resolved with the connection of the worker that knew it. */
  readonly #expected = new Map<string, PromiseWithResolvers<Deno.Conn>>();
  readonly #connections = new Set<Deno.Conn>();
  #closed = false;

  constructor() {
    this.#accept();
  }

  issue(): LifelineSpec {
    const token = crypto.randomUUID().replaceAll("-", "");
    this.#expected.set(token, Promise.withResolvers());
    return { kind: "socket", port: (this.#listener.addr as Deno.NetAddr).port, token };
  }

  async ended(spec: LifelineSpec): Promise<void> {
    const token = spec.kind === "socket" ? spec.token : "";
    const connection = await this.#expected.get(token)!.promise;
    this.#expected.delete(token);
    try {
      // A worker never sends anything more: whatever comes is the end.
      await connection.read(new Uint8Array(1));
    } catch {
      // A reset is an end as well.
    }
    this.#connections.delete(connection);
    closeQuietly(connection);
    if (this.#closed) await new Promise(() => {});
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#connections) closeQuietly(connection);
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#identify(await this.#listener.accept());
      } catch {
        // A connection that was reset before it was accepted, or the listener is closed.
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  async #identify(connection: Deno.Conn): Promise<void> {
    this.#connections.add(connection);
    const token = new Uint8Array(TOKEN_BYTES);
    let length = 0;
    try {
      while (length < TOKEN_BYTES) {
        const count = await connection.read(token.subarray(length));
        if (count === null) break;
        length += count;
      }
    } catch {
      // Not one of ours, or already gone.
    }
    const waiting = this.#expected.get(new TextDecoder().decode(token));
    if (waiting !== undefined) return waiting.resolve(connection);
    this.#connections.delete(connection);
    closeQuietly(connection);
  }
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
