/**
 * What piscina's threads do.
 *
 * @module
 */

import { computeFor, type Deposit } from "./work.ts";

/** Computes, and gives the amount back for whoever has the balances. */
export default function task({ deposit, workUs }: { deposit: Deposit; workUs: number }): number {
  computeFor(workUs);
  return deposit.amount;
}
