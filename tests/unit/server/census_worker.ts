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
  /** Word 0: connections in; words 1 to 8: by address; word 16: threads in; word 17: ready. */
  evidence: SharedArrayBuffer;
  seed: number;
  rounds: number;
}

/** What it tells. */
export interface CensusReport {
  refused: number;
  refusedForAddress: number;
  /** Rounds in which the other thread was inside, too. */
  overlaps: number;
  /** The first thing that was wrong; empty when nothing was. */
  violation: string;
}

const MAX_CONNECTIONS = 20;
const MAX_PER_ADDRESS = 5;
const HOST_COUNT = 8;

self.onmessage = ({ data }: MessageEvent<CensusOrders>) => {
  const census = ConnectionCensus.attach(data.memory);
  const evidence = new Int32Array(data.evidence);
  const report: CensusReport = { refused: 0, refusedForAddress: 0, overlaps: 0, violation: "" };
  const addresses = Array.from({ length: HOST_COUNT }, (_, host) => {
    const address = new Uint8Array(ADDRESS_BYTES);
    address.set([0xff, 0xff, 10, 0, 0, host], 10);
    return address;
  });
  const mine: { ticket: number; host: number }[] = [];
  let random = data.seed * 15485863;
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
  Atomics.add(evidence, 17, 1);
  while (Atomics.load(evidence, 17) < 2);
  for (let round = 0; round < data.rounds && report.violation === ""; round++) {
    if (mine.length > 0 && next(3) === 0) {
      leave(next(mine.length));
      continue;
    }
    const host = next(HOST_COUNT);
    if (Atomics.add(evidence, 16, 1) > 0) report.overlaps++;
    const ticket = census.tryEnter(addresses[host]!);
    Atomics.sub(evidence, 16, 1);
    if (ticket === CENSUS_FULL) report.refused++;
    else if (ticket === CENSUS_FULL_FOR_ADDRESS) report.refusedForAddress++;
    else {
      mine.push({ ticket, host });
      const all = Atomics.add(evidence, 0, 1) + 1;
      const ofHost = Atomics.add(evidence, 1 + host, 1) + 1;
      if (all > MAX_CONNECTIONS) report.violation = `${all} connections`;
      if (ofHost > MAX_PER_ADDRESS) report.violation = `${ofHost} connections of one address`;
    }
    // Keeps both caps in reach: alone it would fill the census and then only be refused.
    if (mine.length > 12) leave(next(mine.length));
  }
  while (mine.length > 0) leave(0);
  self.postMessage(report);
  self.close();
};
