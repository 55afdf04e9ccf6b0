/**
 * piscina as a contender: tasks compute on its threads, the balances are with the main thread, as its
 * threads share nothing.
 *
 * @module
 */

import type { Piscina } from "piscina";
import type { Calls, RunOrders } from "./contender.ts";
import { type Deposit, depositOf } from "./work.ts";

/** Starts its threads. */
export async function createPiscina({ piscina, threads, workUs }: RunOrders): Promise<Calls> {
  const module = await import(piscina);
  // Where it was found by its path it is a CommonJS module, whose exports are the default one.
  const Pool: typeof Piscina = module.Piscina ?? module.default.Piscina;
  const pool = new Pool({
    filename: new URL("./piscina_task.ts", import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
  });
  const balances = new Map<string, number>();
  return {
    call: async (id) => {
      const deposit: Deposit = depositOf(id);
      const amount: number = await pool.run({ deposit, workUs });
      const balance = (balances.get(deposit.user) ?? 0) + amount;
      balances.set(deposit.user, balance);
      return balance;
    },
    total: () => Promise.resolve([...balances.values()].reduce((sum, value) => sum + value, 0)),
    end: () => pool.destroy(),
  };
}
