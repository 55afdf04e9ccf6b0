/// <reference lib="deno.worker" />

/** Worker of `request_limiter_test.ts`: takes of a few clients' allowances as fast as it can. */

import { RequestLimiter, type RequestLimiterMemory } from "../../../src/server/request_limiter.ts";

/** What it is told. */
export interface LimiterOrders {
  memory: RequestLimiterMemory;
  /** Word 0: workers ready; words from 16 on: requests let through, by client. */
  evidence: SharedArrayBuffer;
  /** Workers that start together. */
  workerCount: number;
  hosts: readonly string[];
  /** Attempts for each client. */
  attempts: number;
}

self.onmessage = ({ data }: MessageEvent<LimiterOrders>) => {
  const limiter = RequestLimiter.attach(data.memory);
  const evidence = new Int32Array(data.evidence);
  const clients = data.hosts.map((host) => limiter.keyOf(host));
  Atomics.add(evidence, 0, 1);
  while (Atomics.load(evidence, 0) < data.workerCount);
  for (let i = 0; i < data.attempts; i++) {
    clients.forEach((client, index) => {
      if (limiter.tryTake(client, 1000)) Atomics.add(evidence, 16 + index, 1);
    });
  }
  self.postMessage("done");
  self.close();
};
