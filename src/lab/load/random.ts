/**
 * Random numbers that can be had again: the same seed gives the same sequence.
 *
 * @module
 */

/**
 * xoshiro128** with its state made from the seed by splitmix32.
 *
 * Thread: belongs to one thread. Not for secrets.
 *
 * @see https://prng.di.unimi.it/ (public domain)
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SeededRandom } from "./random.ts";
 * assert.equal(new SeededRandom(7).next(), new SeededRandom(7).next());
 * ```
 */
export class SeededRandom {
  readonly #state = new Uint32Array(4);

  /** Starts a sequence. */
  constructor(seed: number) {
    // Seeds beyond 32 bits differ in their upper half only.
    let mixed = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x85ebca6b);
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9) | 0;
      let word = mixed ^ (mixed >>> 16);
      word = Math.imul(word, 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      this.#state[i] = word ^ (word >>> 15);
    }
  }

  /** The next number, from 0 inclusive to 1 exclusive. */
  next(): number {
    const state = this.#state;
    const second = state[1]!;
    const product = Math.imul(second, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    state[2]! ^= state[0]!;
    state[3]! ^= second;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= second << 9;
    const fourth = state[3]!;
    state[3] = (fourth << 11) | (fourth >>> 21);
    return result / 2 ** 32;
  }
}
