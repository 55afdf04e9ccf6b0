/**
 * Which user each event of a load is for.
 *
 * @module
 */

import type { UserDistribution } from "./plan.ts";
import { SeededRandom } from "./random.ts";

/**
 * Under `zipf` the user of rank k comes up in proportion to 1 / k^0.99: `user1` most often.
 *
 * Reason: the exponent that the Yahoo! Cloud Serving Benchmark uses, so that loads can be compared.
 *
 * @see Cooper et al., Benchmarking Cloud Serving Systems with YCSB, SoCC 2010
 */
export const ZIPF_EXPONENT = 0.99;

/**
 * An endless sequence of user numbers, 1 to `userCount`.
 *
 * Thread: belongs to one thread. Under `zipf` each user takes eight bytes.
 */
export class UserSequence {
  readonly #random: SeededRandom;
  readonly #userCount: number;
  /** Share of the users 1 to i + 1 together; null when all are alike. */
  readonly #cumulative: Float64Array | null;

  /** Starts the sequence that belongs to a seed. */
  constructor(distribution: UserDistribution, userCount: number, seed: number) {
    this.#random = new SeededRandom(seed);
    this.#userCount = userCount;
    this.#cumulative = distribution === "zipf" ? zipfShares(userCount) : null;
  }

  /** The next user's number. */
  next(): number {
    const draw = this.#random.next();
    const cumulative = this.#cumulative;
    if (cumulative === null) return 1 + Math.floor(draw * this.#userCount);
    let low = 0;
    let high = this.#userCount - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulative[middle]! > draw) high = middle;
      else low = middle + 1;
    }
    return low + 1;
  }
}

/** Shares of the users 1 to i + 1 together, the last one 1. */
function zipfShares(userCount: number): Float64Array {
  const shares = new Float64Array(userCount);
  let sum = 0;
  for (let i = 0; i < userCount; i++) {
    sum += (i + 1) ** -ZIPF_EXPONENT;
    shares[i] = sum;
  }
  for (let i = 0; i < userCount; i++) shares[i]! /= sum;
  return shares;
}
