/**
 * Seats: who uses a piece of shared memory, with numbers that nobody has to hand out.
 *
 * What is shared needs a number for each of its users: a lock word names its holder, a receiver has
 * a place for the message it takes. Two users with one number would break everything, so users do
 * not choose theirs: they take a free seat, by compare-and-swap, and give it back.
 *
 * ```text
 * 0    u32 magic, u32 seats, u32 changes (counts up whenever a seat is held or given back), u32 unused
 * 16   u32 × 4  identity of these seats, drawn at random
 * 32   u32 per seat: bits 0–1 state, bits 2–31 generation, which counts up when the seat is given back
 * ```
 *
 * ```text
 * FREE ── take ──▶ TAKEN ── its lifeline is held ──▶ HELD
 *   ▲                │                                 │
 *   └── give back, or freed by who saw its user end ───┘
 * ```
 *
 * **Users that end without giving back** are noticed where the runtime has Web Locks (Deno from 2.9,
 * Node.js from 24): a user on a worker thread holds one for life, named after seat and generation,
 * and the runtime grants it to whoever {@link Seats.watch}es when that thread is gone, however it
 * went. Main threads hold none: their end is the end of all, and a held lock would keep Deno from
 * ending. Nor do workers of `node:worker_threads` in Deno, which would not end for the same reason.
 *
 * @module
 */

import { mayHoldLocks } from "./runtime.ts";

const MAGIC = 0x53454154;
const WORD = { MAGIC: 0, COUNT: 1, CHANGES: 2, IDENTITY: 4, FIRST: 8 } as const;

const STATE_MASK = 3;
const GENERATION_STEP = 4;
const FREE = 0;
const TAKEN = 1;
const HELD = 2;

/** The part of the Web Locks interface that is used; not in the types of every runtime. */
interface WebLocks {
  request(
    name: string,
    options: { signal?: AbortSignal },
    callback: () => unknown,
  ): Promise<unknown>;
}

const webLocks = (globalThis as { navigator?: { locks?: WebLocks } }).navigator?.locks;

/** A seat in the hands of its user. */
export interface Seat {
  /** Which one, from 0. */
  readonly index: number;
  /** Gives it back. Must be the last that its user does. */
  giveBack(): void;
}

/**
 * The seats of one piece of shared memory.
 *
 * Thread: any.
 */
export class Seats {
  /** To hand to other threads for {@link Seats.attach}. */
  readonly buffer: SharedArrayBuffer;
  /** How many there are. */
  readonly count: number;

  readonly #words: Int32Array<SharedArrayBuffer>;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.count = this.#words[WORD.COUNT]!;
  }

  /** Makes `count` free seats. */
  static create(count: number): Seats {
    const buffer = new SharedArrayBuffer((WORD.FIRST + count) * 4);
    const words = new Int32Array(buffer);
    words[WORD.MAGIC] = MAGIC;
    words[WORD.COUNT] = count;
    words.set(crypto.getRandomValues(new Int32Array(4)), WORD.IDENTITY);
    return new Seats(buffer);
  }

  /**
   * Opens what another thread has made.
   *
   * @throws {TypeError} when it is something else, or of another version
   */
  static attach(buffer: SharedArrayBuffer): Seats {
    const isOurs = buffer.byteLength > WORD.FIRST * 4 && buffer.byteLength % 4 === 0 &&
      new Int32Array(buffer)[WORD.MAGIC] === MAGIC;
    if (!isOurs) throw new TypeError("Cannot attach: the memory is not that of this version");
    return new Seats(buffer);
  }

  /** How many are taken. A snapshot. */
  get takenCount(): number {
    let count = 0;
    for (let index = 0; index < this.count; index++) if (this.isTaken(index)) count++;
    return count;
  }

  /** Whether somebody has the seat. A snapshot. */
  isTaken(index: number): boolean {
    return (Atomics.load(this.#words, WORD.FIRST + index) & STATE_MASK) !== FREE;
  }

  /**
   * Takes a free seat, the lowest one.
   *
   * @returns undefined when there is none
   */
  take(): Seat | undefined {
    for (let index = 0; index < this.count; index++) {
      const taken = this.#tryTake(index);
      if (taken === 0) continue;
      const letGo = mayHoldLocks ? this.#holdLifeline(index, taken) : undefined;
      return {
        index,
        giveBack: () => {
          this.#free(index, taken);
          letGo?.();
        },
      };
    }
    return undefined;
  }

  /**
   * Takes free seats that follow each other, for users that somebody else looks after: they have no
   * lifelines.
   *
   * @returns the first one and what gives all of them back; undefined when there are not so many
   */
  takeRow(count: number): { readonly first: number; giveBack(): void } | undefined {
    const taken: (readonly [index: number, word: number])[] = [];
    const giveBack = (): void => {
      for (const [index, word] of taken.splice(0)) this.#free(index, word);
    };
    for (let index = 0; index < this.count; index++) {
      const word = this.#tryTake(index);
      if (word === 0) giveBack();
      else if (taken.push([index, word]) === count) return { first: taken[0]![0], giveBack };
    }
    giveBack();
    return undefined;
  }

  /**
   * Frees the seat of a user that has ended.
   *
   * @returns whether anybody had it
   */
  free(index: number): boolean {
    const word = Atomics.load(this.#words, WORD.FIRST + index);
    return (word & STATE_MASK) !== FREE && this.#free(index, word);
  }

  /**
   * Has `onEnd` called with the seat of every user that ends without giving it back. It frees the seat.
   *
   * Does not keep the process alive for longer than those users live. Does nothing where the runtime
   * has no Web Locks.
   */
  watch(onEnd: (index: number) => void, signal: AbortSignal): void {
    if (webLocks === undefined) return;
    signal.addEventListener("abort", () => this.#noteChange(), { once: true });
    void this.#watch(webLocks, onEnd, signal);
  }

  async #watch(
    locks: WebLocks,
    onEnd: (index: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const watched = new Set<string>();
    while (!signal.aborted) {
      const changes = Atomics.load(this.#words, WORD.CHANGES);
      for (let index = 0; index < this.count; index++) {
        const word = Atomics.load(this.#words, WORD.FIRST + index);
        if ((word & STATE_MASK) !== HELD) continue;
        const name = this.#lifelineOf(index, word);
        if (watched.has(name)) continue;
        watched.add(name);
        locks.request(name, { signal }, () => {
          watched.delete(name);
          if (Atomics.load(this.#words, WORD.FIRST + index) === word) onEnd(index);
        }).catch(() => watched.delete(name));
      }
      const wait = Atomics.waitAsync(this.#words, WORD.CHANGES, changes);
      if (wait.async) await wait.value;
    }
  }

  /** Holds a lifeline from soon on, until the thread ends or what is returned is called. */
  #holdLifeline(index: number, taken: number): (() => void) | undefined {
    if (webLocks === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = (taken & ~STATE_MASK) | HELD;
    webLocks.request(this.#lifelineOf(index, taken), {}, () => {
      // Given back before the lock was granted: nothing to hold on to.
      const seen = Atomics.compareExchange(this.#words, WORD.FIRST + index, taken, held);
      if (seen !== taken) return undefined;
      this.#noteChange();
      return promise;
    }).catch(() => {});
    return resolve;
  }

  #lifelineOf(index: number, word: number): string {
    const identity = this.#words.subarray(WORD.IDENTITY, WORD.IDENTITY + 4).join(".");
    return `sluice-seat ${identity} ${index} ${word >>> 2}`;
  }

  /** Takes a seat if it is free; returns its word then, else 0. */
  #tryTake(index: number): number {
    const words = this.#words;
    const at = WORD.FIRST + index;
    const seen = Atomics.load(words, at);
    if ((seen & STATE_MASK) !== FREE) return 0;
    const taken = seen | TAKEN;
    return Atomics.compareExchange(words, at, seen, taken) === seen ? taken : 0;
  }

  /** Frees a seat unless it has a new user since it was seen as `word`. */
  #free(index: number, word: number): boolean {
    const at = WORD.FIRST + index;
    for (let seen = Atomics.load(this.#words, at);;) {
      if ((seen & STATE_MASK) === FREE || ((seen ^ word) & ~STATE_MASK) !== 0) return false;
      const next = ((seen & ~STATE_MASK) + GENERATION_STEP) | 0;
      const before = Atomics.compareExchange(this.#words, at, seen, next);
      if (before === seen) break;
      seen = before;
    }
    this.#noteChange();
    return true;
  }

  #noteChange(): void {
    Atomics.add(this.#words, WORD.CHANGES, 1);
    Atomics.notify(this.#words, WORD.CHANGES);
  }
}
