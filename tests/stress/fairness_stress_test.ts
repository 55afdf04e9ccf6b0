import assert from "node:assert/strict";
import { ServerProcess } from "../helpers/server_process.ts";
import type { FairnessOrders } from "./fairness_client.ts";

const THREADS = 10;
const CONNECTIONS_PER_THREAD = 60;

/** Starts a thread of clients; resolves when all are connected. */
async function connectClients(orders: FairnessOrders): Promise<() => Promise<number[]>> {
  const worker = new Worker(new URL("./fairness_client.ts", import.meta.url), { type: "module" });
  const ask = (message: unknown): Promise<unknown> =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage(message);
    });
  assert.equal(await ask(orders), "connected");
  return async () => await ask("start") as number[];
}

Deno.test("server: of 600 busy clients none is starved (P3)", async () => {
  await using server = await ServerProcess.start(["--max-connections", "1000"]);
  const orders = {
    port: server.port("resp"),
    connectionCount: CONNECTIONS_PER_THREAD,
    durationMs: 3000,
  };
  const threads = [];
  for (let i = 0; i < THREADS; i++) threads.push(await connectClients(orders));
  const counts = (await Promise.all(threads.map((start) => start()))).flat().sort((a, b) => a - b);
  const median = counts[counts.length / 2]!;
  const spread = `fewest ${counts[0]}, median ${median}, most ${counts.at(-1)} replies`;
  assert(counts[0]! >= median / 4, spread);
});
