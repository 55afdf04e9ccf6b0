/**
 * What every contender of bench:embed does with an event, in its own way: read it, compute for a while,
 * add the amount to the user's balance, answer with the balance.
 *
 * @module
 */

/** One of a thousand users gets some money. */
export interface Deposit {
  /** Whose balance. */
  readonly user: string;
  /** How much. */
  readonly amount: number;
}

/** A deposit whose answer has to be found again. */
export interface NumberedDeposit extends Deposit {
  /** Number of the call. */
  readonly id: number;
}

/** Users there are. */
export const USER_COUNT = 1000;

/** The n-th deposit. */
export function depositOf(n: number): Deposit {
  return { user: `user:${(n * 7919) % USER_COUNT}`, amount: 1 + n % 5 };
}

/** Computes for about so long, as a real job would. Unit: µs. */
export function computeFor(durationUs: number): void {
  if (durationUs === 0) return;
  const endMs = performance.now() + durationUs / 1000;
  while (performance.now() < endMs);
}
