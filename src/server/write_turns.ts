/**
 * Replies of several connections, written one right after the other.
 *
 * A write to a client that sleeps has to wake it, which costs the writer more than everything else
 * about it: 22 µs against 10 µs on a virtual machine. A thread that answers fifty busy connections
 * in turn wakes the same client program fifty times, because that has read one reply, and sleeps
 * again, before the next one is made. When the replies are made first and then written in a row,
 * only the first write finds the client asleep.
 *
 * So a reply waits until the connections whose requests are already there have made theirs. Nobody
 * waits for a request that is still to come, and nobody for long: see {@link WRITE_TURN_MAX_MS}.
 *
 * ```text
 * one by one   read A  execute A  WRITE A  read B  execute B  WRITE B  …
 * in turns     read A  execute A  read B  execute B  …  WRITE A  write B  …
 * ```
 *
 * @module
 */

/**
 * Replies wait no longer than this, and what is being executed just then. Unit: ms.
 *
 * Reason: long against what a write costs, short against what a client notices.
 */
export const WRITE_TURN_MAX_MS = 0.5;

/** Who has a reply to write. */
export interface TurnWriter {
  /** Begins to write it. Must not throw. */
  writeNow(): void;
}

/** Keeps replies back until what they tell is safe. */
export interface ReplyGate {
  /**
   * Asked when all replies of a turn are made.
   *
   * @returns resolves when they may be written, never rejects; undefined: they may be now
   */
  untilSafe(): Promise<void> | undefined;
}

/**
 * The replies of one I/O thread that are made and not yet written.
 *
 * Thread: the I/O thread that made it.
 */
export class WriteTurns {
  /** Called before the replies of a turn are written, which takes a while. Must not throw. */
  beforeWrites: (() => void) | undefined = undefined;
  /** Asked before replies are written; undefined: nobody is. */
  gate: ReplyGate | undefined = undefined;

  #writers: TurnWriter[] = [];
  /** The list that is not in use. */
  #spare: TurnWriter[] = [];
  #turn: PromiseWithResolvers<void> | undefined;
  #startedAtMs = 0;
  #seenCount = 0;

  /**
   * Adds a reply to the turn.
   *
   * @param nowMs a recent reading of `performance.now()`
   * @returns resolves when the writer was told to begin; never rejects
   */
  join(writer: TurnWriter, nowMs: number): Promise<void> {
    this.#writers.push(writer);
    if (this.#turn === undefined) {
      this.#turn = Promise.withResolvers();
      this.#startedAtMs = nowMs;
      this.#seenCount = 1;
      queueMicrotask(this.#look);
    }
    return this.#turn.promise;
  }

  /**
   * Ends the turn if it has lasted for {@link WRITE_TURN_MAX_MS}; to be called before anything that
   * takes time.
   *
   * @param nowMs a recent reading of `performance.now()`
   */
  endIfDue(nowMs: number): void {
    if (this.#turn !== undefined && nowMs - this.#startedAtMs >= WRITE_TURN_MAX_MS) this.#end();
  }

  /**
   * Microtasks run in the order in which they came: those who were ready when the last look was
   * taken have joined by now. When nobody has, nobody is ready.
   */
  readonly #look = (): void => {
    if (this.#turn === undefined) return;
    if (this.#writers.length > this.#seenCount) {
      this.#seenCount = this.#writers.length;
      queueMicrotask(this.#look);
    } else {
      this.#end();
    }
  };

  #end(): void {
    const writers = this.#writers;
    const { resolve } = this.#turn!;
    this.#turn = undefined;
    this.#writers = this.#spare;
    this.beforeWrites?.();
    const untilSafe = this.gate?.untilSafe();
    if (untilSafe === undefined) {
      this.#write(writers, resolve);
    } else {
      // Turns that come meanwhile need a list of their own.
      this.#spare = [];
      void untilSafe.then(() => this.#write(writers, resolve));
    }
  }

  #write(writers: TurnWriter[], resolve: () => void): void {
    for (const writer of writers) writer.writeNow();
    writers.length = 0;
    this.#spare = writers;
    resolve();
  }
}
