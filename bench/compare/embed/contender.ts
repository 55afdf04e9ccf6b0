/**
 * One run of one contender of bench:embed: a program of its own, for Deno and for Node.js.
 *
 * Argument: {@link RunOrders} as JSON. Prints {@link RunResult} as JSON.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { createPiscina } from "./piscina_calls.ts";
import { depositOf, type NumberedDeposit } from "./work.ts";
import { BoundedChannel, Store } from "../../../src/embed/portable.ts";

/** What is measured. */
export interface RunOrders {
  /** Who. */
  readonly contender: "sluice" | "pool" | "map" | "piscina";
  /**
   * `calls`: the main thread hands deposits to workers and wants the balances. `counters`: workers add to
   * balances of their own accord.
   */
  readonly scenario: "calls" | "counters";
  /** Worker threads; the map is always with one. */
  readonly threads: number;
  /** Calls under way at a time. */
  readonly window: number;
  /** Computing per event. Unit: µs. */
  readonly workUs: number;
  /** Length of the run behind the warm-up. Unit: ms. */
  readonly durationMs: number;
  /** Where piscina is; a module's name or URL. */
  readonly piscina: string;
}

/** What came of it. */
export interface RunResult {
  /** Events a second. */
  readonly perSecond: number;
  /** Median of a call's time. Unit: µs. */
  readonly p50Us: number;
  /** The same of the slowest in a hundred. */
  readonly p99Us: number;
}

/** What carries out calls. */
export interface Calls {
  /** Hands over a deposit; resolves with the user's balance. */
  call(n: number): Promise<number>;
  /** The sum of all balances. */
  total(): Promise<number>;
  /** Ends its threads. */
  end(): Promise<void>;
}

const WARM_UP_MS = 500;

function startWorkers(file: string, count: number, data: object): Worker[] {
  const url = new URL(file, import.meta.url);
  return Array.from(
    { length: count },
    (_, index) => new Worker(url, { workerData: { ...data, index } }),
  );
}

function sluiceCalls({ threads, window, workUs }: RunOrders): Calls {
  const store = Store.create();
  const requests = BoundedChannel.create({ capacity: Math.max(window, 16) });
  const replies = BoundedChannel.create({ capacity: Math.max(window, 16) });
  const memory = { store: store.memory, requests: requests.memory, replies: replies.memory };
  const workers = startWorkers("./sluice_worker.ts", threads, { ...memory, workUs });
  const exits = workers.map((worker) => new Promise((resolve) => worker.on("exit", resolve)));
  const waiting = new Map<number, (balance: number) => void>();
  const decoder = new TextDecoder();
  const settle = (message: Uint8Array): void => {
    const [id, balance] = decoder.decode(message).split(" ");
    waiting.get(Number(id))!(Number(balance));
    waiting.delete(Number(id));
  };
  const settling = (async () => {
    for await (const message of replies) {
      settle(message);
      // Whatever else is there needs no waiting.
      for (let more = replies.recv(0); more !== undefined; more = replies.recv(0)) settle(more);
    }
  })();
  return {
    call: (id) => {
      const { promise, resolve } = Promise.withResolvers<number>();
      waiting.set(id, resolve);
      const message = JSON.stringify({ id, ...depositOf(id) } satisfies NumberedDeposit);
      if (requests.trySend(message)) return promise;
      return requests.send(message).then(() => promise);
    },
    total: () => {
      const balances = [...store.keys()].map((key) => Number(store.get(key)));
      return Promise.resolve(balances.reduce((sum, value) => sum + value, 0));
    },
    end: async () => {
      requests.close();
      await Promise.all(exits);
      replies.close();
      await settling;
      store.close();
    },
  };
}

function mapCalls({ workUs }: RunOrders): Calls {
  const [worker] = startWorkers("./map_worker.ts", 1, { workUs });
  const waiting = new Map<number, (balance: number) => void>();
  worker!.on("message", ({ id, balance }: { id: number; balance: number }) => {
    waiting.get(id)!(balance);
    waiting.delete(id);
  });
  const ask = (message: object, id: number): Promise<number> => {
    const { promise, resolve } = Promise.withResolvers<number>();
    waiting.set(id, resolve);
    worker!.postMessage(message);
    return promise;
  };
  return {
    call: (id) => ask({ id, ...depositOf(id) } satisfies NumberedDeposit, id),
    total: () => ask({ id: -1, user: "", amount: 0 }, -1),
    end: async () => void await worker!.terminate(),
  };
}

async function createCalls(orders: RunOrders): Promise<Calls> {
  switch (orders.contender) {
    case "sluice":
      return sluiceCalls(orders);
    case "pool":
      // With what serves: nothing that Node.js could load.
      return await (await import("./pool_calls.ts")).createPool(orders);
    case "map":
      return mapCalls(orders);
    case "piscina":
      return await createPiscina(orders);
  }
}

/** Calls in a closed loop until the time is over. */
async function measureCalls(orders: RunOrders): Promise<RunResult> {
  const calls = await createCalls(orders);
  let n = 0;
  let expected = 0;
  const latencies: number[] = [];
  const loop = async (untilMs: number, isCounted: boolean): Promise<void> => {
    while (performance.now() < untilMs) {
      const id = n++;
      expected += depositOf(id).amount;
      const startedMs = performance.now();
      await calls.call(id);
      if (isCounted) latencies.push(performance.now() - startedMs);
    }
  };
  const phase = async (durationMs: number, isCounted: boolean): Promise<void> => {
    const untilMs = performance.now() + durationMs;
    await Promise.all(Array.from({ length: orders.window }, () => loop(untilMs, isCounted)));
  };
  await calls.call(n++);
  expected += depositOf(0).amount;
  await phase(WARM_UP_MS, false);
  const startedMs = performance.now();
  await phase(orders.durationMs, true);
  const elapsedMs = performance.now() - startedMs;
  const total = await calls.total();
  if (total !== expected) throw new Error(`the balances are ${total} together, not ${expected}`);
  await calls.end();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)]! * 1000;
  return { perSecond: latencies.length / elapsedMs * 1000, p50Us: at(0.5), p99Us: at(0.99) };
}

/** Threads that all add to the same balances, each as fast as it can. */
async function measureCounters(orders: RunOrders): Promise<RunResult> {
  const { contender, threads, window, durationMs } = orders;
  const store = contender === "sluice" ? Store.create() : undefined;
  const owner = contender === "map"
    ? startWorkers("./map_worker.ts", 1, { workUs: 0 })[0]!
    : undefined;
  const adders = startWorkers("./adder_worker.ts", threads, {
    store: store?.memory,
    window,
    warmUpMs: WARM_UP_MS,
    durationMs,
  });
  const results = adders.map((adder) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    adder.on("message", resolve);
    const { port1, port2 } = new MessageChannel();
    owner?.postMessage({ port: port1 }, [port1 as never]);
    adder.postMessage({ port: port2 }, [port2 as never]);
    return promise;
  });
  const rates = await Promise.all(results);
  await Promise.all(adders.map((adder) => adder.terminate()));
  await owner?.terminate();
  store?.close();
  return { perSecond: rates.reduce((sum, rate) => sum + rate, 0), p50Us: NaN, p99Us: NaN };
}

const orders: RunOrders = JSON.parse(globalThis.process.argv[2]!);
const result = orders.scenario === "calls"
  ? await measureCalls(orders)
  : await measureCounters(orders);
globalThis.process.stdout.write(JSON.stringify(result), () => globalThis.process.exit(0));
