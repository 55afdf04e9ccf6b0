/**
 * Fair service among many busy connections.
 *
 * The runtime polls all sockets as one task with a budget of 128 operations. Beyond it, reads that
 * are ready are put off, last in first out, until the runtime visits its I/O driver, and new reads of
 * connections just served go before them: with more than about a hundred busy connections the same
 * few are served again and again while others wait for seconds.
 *
 * The cure: a connection that was served parks before it reads again, behind those who parked before
 * it. A turn sends one byte through a loopback connection of our own, which takes the runtime through
 * its I/O driver, and lets the next {@link GROUP_SIZE} go on: their reads fit the budget and are done
 * on the spot. A read that has to wait costs the runtime more than one that does not, and everything
 * that belongs to it outlives a collection of the young generation; so the fewer wait, the better.
 * When a turn sees many more reads than were let go, others are waiting for theirs, and the parked
 * ones leave it to them.
 *
 * ```text
 * parked   [61 … 120] [121 … 180] … [961 … 1000, 1 … 20]
 *              ↓ next turn                            ↑ just served
 * ```
 *
 * That bounds how often a connection has its turn, not how long all of them take. A connection
 * that keeps the thread busy says so when it parks: each round, in which everybody else who was
 * parked has a turn, lets only as many of these go on as fit {@link COSTLY_SHARE_MS}, in the order in
 * which they came. And the later it is in a round, the shorter are the slices that are left. So a
 * thousand clients that always have more to do wait for each other, and others hardly for them.
 *
 * Few connections fit the budget and need not park each time, but one of them that always has more to
 * do keeps the runtime from its I/O driver as well: operations that are ready are done on the spot,
 * thousands of them in a row, and nobody notices that another client has sent something. So once in
 * a while they take a turn, too.
 *
 * @see docs/architecture.md
 * @module
 */

import { BATCH_SLICE_MS } from "../protocol/batch_slice.ts";

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
 * As many connections as the budget lasts for: each request takes two operations of the 128, a read
 * and a write, and a few go elsewhere.
 *
 * A turn lets so many go on; and one with so many reads by others was ended by the budget and not by
 * a lack of ready sockets.
 */
const GROUP_SIZE = 60;

/**
 * A connection whose last batch took this long waits for others like it.
 *
 * Unit: ms. Reason: a batch of a few small requests takes a fifth of it.
 */
const COSTLY_MS = 0.05;

/**
 * What costly connections may take of one round together.
 *
 * Unit: ms. Reason: others wait that long for them; a turn itself costs some 30 µs.
 */
const COSTLY_SHARE_MS = 8;

/** What a round should take. Unit: ms. */
const ROUND_MS = 20;

/** A batch gets one in so many parts of what is left of its round. */
const SLICES_LEFT = 8;

/**
 * No batch gets less.
 *
 * Unit: ms. Reason: what a batch costs beside its commands, a read, a write and a turn, is about a
 * fifth of it.
 */
const SLICE_MIN_MS = 0.1;

/** A connection that keeps the thread busy. */
interface Costly {
  readonly resume: () => void;
  /** What its last batch took, and its next one probably will. Unit: ms. */
  readonly costMs: number;
}

/** Connections that go on together. */
interface Group extends PromiseWithResolvers<void> {
  /** How many. */
  size: number;
}

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
  /** All who are parked and not costly, in the order in which they came. */
  readonly #groups: Group[] = [];
  /** In the order in which they came. */
  #costly: Costly[] = [];
  #turning = false;
  #readCount = 0;
  #over = false;
  /** When the last turn ended, by `performance.now()`. */
  #turnedAtMs = -Infinity;
  /** When the round under way began: the first one parked, or the last round ended. */
  #roundStartedAtMs = 0;
  /** Groups that have their turn before the round ends. */
  #groupsLeft = 0;

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
   * Asks whether a connection that was served may go on at once.
   *
   * @param connectionCount open connections
   * @param nowMs a recent reading of `performance.now()`
   * @param costMs how long it just kept the thread busy; 0 when that is not worth knowing
   * @returns undefined if so, else a promise of its turn; it never rejects
   */
  park(connectionCount: number, nowMs: number, costMs = 0): Promise<void> | undefined {
    if (this.#over) return undefined;
    const isCostly = costMs >= COSTLY_MS;
    const fewAndRecent = connectionCount <= UNPARKED_CONNECTIONS_MAX &&
      nowMs - this.#turnedAtMs < TURN_INTERVAL_MS;
    // Those who keep the thread busy do not overtake each other.
    if (fewAndRecent && !(isCostly && this.#costly.length > 0)) return undefined;
    const turn = isCostly ? Promise.withResolvers<void>() : this.#joinGroup();
    if (isCostly) this.#costly.push({ resume: turn.resolve, costMs });
    if (!this.#turning) {
      this.#turning = true;
      this.#roundStartedAtMs = nowMs;
      void this.#turn();
    }
    return turn.promise;
  }

  /**
   * How long a batch that begins now may go on before it pauses. Unit: ms.
   *
   * @param nowMs a recent reading of `performance.now()`
   */
  sliceMs(nowMs: number): number {
    if (!this.#turning) return BATCH_SLICE_MS;
    const leftMs = ROUND_MS - (nowMs - this.#roundStartedAtMs);
    return Math.min(BATCH_SLICE_MS, Math.max(SLICE_MIN_MS, leftMs / SLICES_LEFT));
  }

  /** Lets everybody go and closes the loopback connection. */
  [Symbol.dispose](): void {
    if (this.#over) return;
    this.#over = true;
    this.#near.close();
    this.#far.close();
    for (const { resolve } of this.#groups.splice(0)) resolve();
    this.#releaseCostly(Infinity);
  }

  #joinGroup(): Group {
    let group = this.#groups.at(-1);
    if (group === undefined || group.size === GROUP_SIZE) {
      group = { ...Promise.withResolvers<void>(), size: 0 };
      this.#groups.push(group);
    }
    group.size++;
    return group;
  }

  async #turn(): Promise<void> {
    let releasedCount = 0;
    try {
      while (this.#groups.length > 0 || this.#costly.length > 0) {
        this.#readCount = 0;
        await this.#near.write(this.#byte);
        await this.#far.read(this.#room);
        const otherCount = this.#readCount - releasedCount;
        releasedCount = otherCount < GROUP_SIZE ? this.#releaseNext() : 0;
      }
    } catch {
      // Without its connection it can do no more than let everybody read when they like.
      this[Symbol.dispose]();
    } finally {
      this.#turning = false;
    }
  }

  /** Ends a turn: the next group goes on, and in front of a round's first one some of the costly. */
  #releaseNext(): number {
    this.#turnedAtMs = performance.now();
    if (this.#groupsLeft === 0) {
      this.#groupsLeft = this.#groups.length;
      this.#roundStartedAtMs = this.#turnedAtMs;
      this.#releaseCostly(COSTLY_SHARE_MS);
    }
    const group = this.#groups.shift();
    if (group === undefined) return 0;
    this.#groupsLeft--;
    group.resolve();
    return group.size;
  }

  /** Lets as many of the costly ones go on, in their order, as will take `shareMs`, but one at least. */
  #releaseCostly(shareMs: number): void {
    const costly = this.#costly;
    let releasedCount = 0;
    for (let leftMs = shareMs; leftMs > 0 && releasedCount < costly.length; releasedCount++) {
      const { resume, costMs } = costly[releasedCount]!;
      leftMs -= costMs;
      resume();
    }
    if (releasedCount > 0) costly.splice(0, releasedCount);
  }
}
