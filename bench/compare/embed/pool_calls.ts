/**
 * The library's pool as a contender, in Deno.
 *
 * @module
 */

import { Store, WorkerPool } from "../../../src/mod.ts";
import type { Calls, RunOrders } from "./contender.ts";
import { depositOf } from "./work.ts";

/** Starts its workers. */
export async function createPool({ threads, window, workUs }: RunOrders): Promise<Calls> {
  const store = Store.create();
  const pool = await WorkerPool.start({
    processor: new URL("./pool_processor.ts", import.meta.url),
    store,
    workers: threads,
    capacity: Math.max(window, 16),
  });
  const action = `work_${workUs}`;
  return {
    call: async (id) => {
      const outcome = await pool.submit({ ...depositOf(id), action });
      if (outcome.status === "processed") return outcome.result as number;
      throw new Error(`a deposit was not processed: ${JSON.stringify(outcome)}`);
    },
    total: () => {
      const balances = [...store.keys()].map((key) => Number(store.get(key)));
      return Promise.resolve(balances.reduce((sum, value) => sum + value, 0));
    },
    end: async () => {
      await pool.stop();
      store.close();
    },
  };
}
