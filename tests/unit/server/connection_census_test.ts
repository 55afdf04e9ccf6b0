import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress } from "../../../src/base/network.ts";
import {
  CENSUS_FULL,
  CENSUS_FULL_FOR_ADDRESS,
  ConnectionCensus,
} from "../../../src/server/connection_census.ts";
import type { CensusOrders, CensusReport } from "./census_worker.ts";

function addressOf(text: string): Uint8Array {
  return parseAddress(text) ?? assert.fail(text);
}

Deno.test("ConnectionCensus: without a cap per address it counts to the other cap", () => {
  const census = ConnectionCensus.create({ maxConnections: 2, maxPerAddress: 0 });
  assert.ok(!census.countsAddresses);
  const tickets = [census.tryEnter(null), census.tryEnter(addressOf("10.0.0.1"))];
  assert.equal(census.tryEnter(null), CENSUS_FULL);
  assert.equal(census.openCount, 2);
  for (const ticket of tickets) census.leave(ticket);
  assert.equal(census.openCount, 0);
  assert.throws(() => census.leave(tickets[0]!), { name: "AssertionFault" });
});

Deno.test("ConnectionCensus: an IPv6 network counts as one client, IPv4 addresses do not", () => {
  const census = ConnectionCensus.create({ maxConnections: 100, maxPerAddress: 1 });
  const sameClient: [string, string][] = [
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"],
    ["10.0.0.1", "::ffff:10.0.0.1"],
    ["::1", "::2"],
  ];
  const others: [string, string][] = [
    ["2001:db8:1:3::1", "2001:db8:1:4::1"],
    ["10.0.0.2", "10.0.0.3"],
    ["::ffff:11.0.0.1", "11.0.0.2"],
  ];
  for (const [one, other] of sameClient) {
    assert.ok(census.tryEnter(addressOf(one)) >= 0);
    assert.equal(census.tryEnter(addressOf(other)), CENSUS_FULL_FOR_ADDRESS, `${one} ${other}`);
    assert.equal(census.countOf(addressOf(other)), 1);
  }
  for (const [one, other] of others) {
    assert.ok(census.tryEnter(addressOf(one)) >= 0);
    assert.ok(census.tryEnter(addressOf(other)) >= 0, `${one} ${other}`);
  }
  assert.equal(census.openCount, 9, "who was refused is not counted");
  census.assertInvariants();
});

Deno.test("ConnectionCensus: comes and goes like a plain model", () => {
  const maxConnections = 12;
  const maxPerAddress = 3;
  const step = fc.record({ enters: fc.boolean(), host: fc.nat(7), pick: fc.nat(100) });
  fc.assert(fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
    const census = ConnectionCensus.create({ maxConnections, maxPerAddress });
    const open: { ticket: number; host: number }[] = [];
    const countOf = (host: number): number => open.filter((one) => one.host === host).length;
    for (const { enters, host, pick } of steps) {
      if (enters) {
        const ticket = census.tryEnter(addressOf(`10.0.0.${host}`));
        if (open.length === maxConnections) assert.equal(ticket, CENSUS_FULL);
        else if (countOf(host) === maxPerAddress) assert.equal(ticket, CENSUS_FULL_FOR_ADDRESS);
        else open.push({ ticket, host });
      } else if (open.length > 0) {
        const [left] = open.splice(pick % open.length, 1);
        census.leave(left!.ticket);
      }
      assert.equal(census.openCount, open.length);
      assert.equal(census.countOf(addressOf(`10.0.0.${host}`)), countOf(host));
      census.assertInvariants();
    }
  }));
});

Deno.test("ConnectionCensus: threads together never pass a cap, and nothing is left behind", async () => {
  const census = ConnectionCensus.create({ maxConnections: 20, maxPerAddress: 5 });
  const evidence = new SharedArrayBuffer(64 * 4);
  const { memory } = census;
  const orders = [1, 2].map((seed) => ({ memory, evidence, seed, timeoutMs: 5000 }));
  assert.deepEqual(await Promise.all(orders.map(runWorker)), ["", ""]);
  const words = new Int32Array(evidence);
  assert.ok(words[18]! >= 1000, `the threads were inside at the same time ${words[18]} times`);
  assert.equal(words[19], 3, "both caps were reached");
  assert.equal(census.openCount, 0);
  census.assertInvariants();
});

function runWorker(orders: CensusOrders): Promise<string> {
  const worker = new Worker(new URL("./census_worker.ts", import.meta.url), { type: "module" });
  return new Promise((resolve) => {
    worker.onmessage = ({ data }: MessageEvent<CensusReport>) => resolve(data.violation);
    worker.postMessage(orders);
  });
}
