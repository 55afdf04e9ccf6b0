/**
 * An equal part of this program for every connection of a load.
 *
 * The runtime polls all sockets with a budget of 128 operations at a time. Beyond it, reads that are
 * ready are put off, last in first out, and new reads of connections just served go before them: with
 * a few hundred busy connections some answers would lie unread for a second, and the load would report
 * that as the server's latency. So a connection that got its answer does not read on at once; it waits
 * until a byte has gone through a loopback connection of our own, which takes the runtime around all
 * of its sockets, and until a turn has seen fewer answers than the budget allows.
 *
 * @see docs/architecture.md, where the server's own turns are
 * @module
 */

/** So many connections fit the budget, a read and a write each. */
const UNTURNED_CONNECTIONS_MAX = 48;

/** A turn with as many answers was ended by the budget, not by a lack of answers. */
const FULL_TURN_ANSWERS = 60;

/** Lets the connections of one load take turns at reading. Thread: belongs to one load. */
export class ReadTurns implements Disposable {
  readonly #near: Deno.Conn;
  readonly #far: Deno.Conn;
  readonly #byte = new Uint8Array(1);
  /** More room than what comes, so that the next read does not find the socket marked as ready. */
  readonly #room = new Uint8Array(16);
  #parked: (() => void)[] = [];
  #isTurning = false;
  #answerCount = 0;
  #isOver = false;

  private constructor(near: Deno.Conn, far: Deno.Conn) {
    this.#near = near;
    this.#far = far;
  }

  /** Opens the loopback connection; null when so few connections need no turns. */
  static async open(connectionCount: number): Promise<ReadTurns | null> {
    if (connectionCount <= UNTURNED_CONNECTIONS_MAX) return null;
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    near.setNoDelay(true);
    for (;;) {
      const far = await listener.accept();
      // Any program of this machine could have come first.
      if (far.remoteAddr.port === near.localAddr.port) return new ReadTurns(near, far);
      far.close();
    }
  }

  /** Waits for the turn of a connection that has just read something; never rejects. */
  next(): Promise<void> {
    this.#answerCount++;
    if (this.#isOver) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parked.push(resolve);
    if (!this.#isTurning) void this.#turn();
    return promise;
  }

  /** Lets everybody go on, and closes the loopback connection. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#near.close();
    this.#far.close();
    this.#release();
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    try {
      while (this.#parked.length > 0) {
        do {
          this.#answerCount = 0;
          await this.#near.write(this.#byte);
          await this.#far.read(this.#room);
        } while (this.#answerCount >= FULL_TURN_ANSWERS);
        this.#release();
      }
    } catch {
      // Closed, or broken: then everybody reads when they like.
      this[Symbol.dispose]();
    } finally {
      this.#isTurning = false;
    }
  }

  #release(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const resume of parked) resume();
  }
}
