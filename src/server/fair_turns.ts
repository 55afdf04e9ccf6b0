/**
 * Fair service among many busy connections.
 *
 * The runtime polls all sockets as one task with a budget of 128 operations. Beyond it, reads that
 * are ready are put off, last in first out, until the runtime visits its I/O driver, and new reads of
 * connections just served go before them: with more than about a hundred busy connections the same
 * few are served again and again while others wait for seconds.
 *
 * The cure: a connection that was served parks before it reads again. A turn sends one byte through a
 * loopback connection of our own, which takes the runtime through its I/O driver. As long as turns
 * see about as many reads as the budget allows, others are still waiting for theirs; when one sees
 * fewer, everybody has been served, and all that are parked may read again.
 *
 * Few connections fit the budget and need not park each time, but one of them that always has more to
 * do keeps the runtime from its I/O driver as well: operations that are ready are done on the spot,
 * thousands of them in a row, and nobody notices that another client has sent something. So once in
 * a while they take a turn, too.
 *
 * @see docs/architecture.md
 * @module
 */

/**
 * Up to this many open connections nobody parks for each batch: all of them fit the budget, and a
 * parked connection pays a turn (some 30 µs) per batch.
 */
const UNPARKED_CONNECTIONS_MAX = 64;

/**
 * After this long without a turn somebody parks, however few connections there are.
 *
 * Unit: ms. Reason: that is how long one busy client can delay the others; a turn costs below one
 * hundredth of it.
 */
export const TURN_INTERVAL_MS = 4;

/**
 * A turn with this many reads was ended by the budget and not by a lack of ready sockets: each
 * request takes two operations of the 128, a read and a write, and a few go elsewhere.
 */
const FULL_TURN_READS = 60;

/**
 * Lets the connections of one I/O thread take turns.
 *
 * Thread: the I/O thread that made it.
 */
export class FairTurns implements Disposable {
  readonly #near: Deno.TcpConn;
  readonly #far: Deno.TcpConn;
  readonly #byte = new Uint8Array(1);
  /**
   * More room than what comes: a read that fills its buffer leaves the socket marked as ready, and
   * the next one would find its byte without a visit to the I/O driver.
   */
  readonly #room = new Uint8Array(16);
  #parked: (() => void)[] = [];
  #turning = false;
  #readCount = 0;
  #over = false;
  /** When the last turn ended, by `performance.now()`. */
  #turnedAtMs = -Infinity;

  private constructor(near: Deno.TcpConn, far: Deno.TcpConn) {
    this.#near = near;
    this.#far = far;
  }

  /** Opens the loopback connection. */
  static async open(): Promise<FairTurns> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    near.setNoDelay(true);
    for (;;) {
      const far = await listener.accept();
      // Any program of this machine could have come first.
      if (far.remoteAddr.port === near.localAddr.port) return new FairTurns(near, far);
      far.close();
    }
  }

  /** Takes note of a read that brought something. */
  countRead(): void {
    this.#readCount++;
  }

  /**
   * Asks whether a connection that was served may read again at once.
   *
   * @param connectionCount open connections
   * @param nowMs a recent reading of `performance.now()`
   * @returns undefined if so, else a promise of its turn; it never rejects
   */
  park(connectionCount: number, nowMs: number): Promise<void> | undefined {
    if (this.#over) return undefined;
    const fewAndRecent = connectionCount <= UNPARKED_CONNECTIONS_MAX &&
      nowMs - this.#turnedAtMs < TURN_INTERVAL_MS;
    if (fewAndRecent) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parked.push(resolve);
    if (!this.#turning) {
      this.#turning = true;
      void this.#turn();
    }
    return promise;
  }

  /** Lets everybody go and closes the loopback connection. */
  [Symbol.dispose](): void {
    if (this.#over) return;
    this.#over = true;
    this.#near.close();
    this.#far.close();
    this.#release();
  }

  async #turn(): Promise<void> {
    try {
      while (this.#parked.length > 0) {
        do {
          this.#readCount = 0;
          await this.#near.write(this.#byte);
          await this.#far.read(this.#room);
        } while (this.#readCount >= FULL_TURN_READS);
        this.#turnedAtMs = performance.now();
        this.#release();
      }
    } catch {
      // Without its connection it can do no more than let everybody read when they like.
      this[Symbol.dispose]();
    } finally {
      this.#turning = false;
    }
  }

  #release(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const resume of parked) resume();
  }
}
