/// <reference lib="deno.worker" />

/**
 * Worker of `connection_census_test.ts`: connections of few addresses come and go as fast as they
 * can, and counters of its own prove that no cap was ever passed.
 */

import { ADDRESS_BYTES } from "../../../src/base/network.ts";
import {
  CENSUS_FULL,
  CENSUS_FULL_FOR_ADDRESS,
  type CensusMemory,
  ConnectionCensus,
} from "../../../src/server/connection_census.ts";

/** What it is told. */
export interface CensusOrders {
  memory: CensusMemory;
  /**
   * Word 0: connections in; words 1 to 8: by address; word 16: threads inside; word 17: threads
   * ready; word 18: overlaps of both threads; word 19: bits of the caps that were reached; word 20: a thread
   * found something wrong.
   */
  evidence: SharedArrayBuffer;
  seed: number;
  /** Longest run; shorter when the evidence is there. */
  timeoutMs: number;
}

/** What it tells. */
export interface CensusReport {
  /** The first thing that was wrong; empty when nothing was. */
  violation: string;
}

const MAX_CONNECTIONS = 20;
const MAX_PER_ADDRESS = 5;
const HOST_COUNT = 8;

self.onmessage = ({ data }: MessageEvent<CensusOrders>) => {
  let violation: string;
  try {
    violation = comeAndGo(data);
  } catch (error) {
    violation = String(error);
  }
  // The other one need not go on.
  if (violation !== "") Atomics.store(new Int32Array(data.evidence), 20, 1);
  self.postMessage({ violation } satisfies CensusReport);
  self.close();
};

/** @returns the first thing that was wrong, or nothing */
function comeAndGo(orders: CensusOrders): string {
  const census = ConnectionCensus.attach(orders.memory);
  const evidence = new Int32Array(orders.evidence);
  const addresses = Array.from({ length: HOST_COUNT }, (_, host) => {
    const address = new Uint8Array(ADDRESS_BYTES);
    address.set([0xff, 0xff, 10, 0, 0, host], 10);
    return address;
  });
  const mine: { ticket: number; host: number }[] = [];
  let random = orders.seed * 15485863;
  const next = (bound: number): number => {
    random = Math.imul(random, 1664525) + 1013904223;
    return (random >>> 8) % bound;
  };
  const leave = (index: number): void => {
    const [{ ticket, host }] = mine.splice(index, 1) as [typeof mine[0]];
    Atomics.sub(evidence, 0, 1);
    Atomics.sub(evidence, 1 + host, 1);
    census.leave(ticket);
  };
  const isProven = (): boolean =>
    Atomics.load(evidence, 18) >= 20_000 && Atomics.load(evidence, 19) === 3;
  const isOver = (): boolean => Atomics.load(evidence, 20) !== 0 || isProven();
  Atomics.add(evidence, 17, 1);
  while (Atomics.load(evidence, 17) < 2);
  const endMs = performance.now() + orders.timeoutMs;
  while (!isOver() && performance.now() < endMs) {
    if (mine.length > 0 && next(3) === 0) {
      leave(next(mine.length));
      continue;
    }
    const host = next(HOST_COUNT);
    if (Atomics.add(evidence, 16, 1) > 0) Atomics.add(evidence, 18, 1);
    const ticket = census.tryEnter(addresses[host]!);
    Atomics.sub(evidence, 16, 1);
    if (ticket === CENSUS_FULL) Atomics.or(evidence, 19, 1);
    else if (ticket === CENSUS_FULL_FOR_ADDRESS) Atomics.or(evidence, 19, 2);
    else {
      mine.push({ ticket, host });
      const all = Atomics.add(evidence, 0, 1) + 1;
      const ofHost = Atomics.add(evidence, 1 + host, 1) + 1;
      if (all > MAX_CONNECTIONS) return `${all} connections`;
      if (ofHost > MAX_PER_ADDRESS) {
        return `${ofHost} connections of one address`;
      }
    }
    // Keeps both caps in reach: alone it would fill the census and then only be refused.
    if (mine.length > 12) leave(next(mine.length));
  }
  while (mine.length > 0) leave(0);
  return "";
}
