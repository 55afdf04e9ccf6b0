/**
 * What hostile clients do, and what a server and its other clients go through meanwhile: small in
 * the suite, at full size in the long tests.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { AttackGroup, FloodReport } from "./load/attack_plan.ts";
import type { GroupReport } from "./load/plan.ts";
import { Attack, MemoryWatch, runFlood } from "./load/run_attack.ts";
import { runLoad } from "./load/run_load.ts";
import { activeConnections, type Metrics, waitForMetrics } from "./metrics.ts";
import { RawClient, respCommand } from "./raw_client.ts";
import type { ServerProcess } from "./server_process.ts";

/** Largest growth of the server's memory that an attack may cause. Unit: MiB. */
export const GROWTH_MAX_MIB = 100;

const POST = "POST /events HTTP/1.1\r\nHost: localhost\r\n";
/** A receive buffer that holds next to nothing. */
const TINY = { receiveBytes: 4096 };

/** An attack by name; `scale` is the number of connections of its crowd. */
export interface AttackPlan {
  /** Its name in reports. */
  readonly name: string;
  /** Whether it asks for the value of {@link storeBigValue}. */
  readonly wantsBigValue?: true;
  /** Whether it is in the quick tests, too. */
  readonly quick?: true;
  /** Who takes part. */
  groups(server: ServerProcess, scale: number): AttackGroup[];
}

/** Clients that take their time; `scale` of each kind. */
export const SLOW_CLIENTS: Readonly<Record<"header" | "body" | "read" | "silent", AttackPlan>> = {
  header: {
    name: "slow header",
    groups: (server, scale) => [{
      ...{ port: server.port("http"), connectionCount: scale, readBytes: 1000, dripMs: 300 },
      opening: "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
      drip: "a",
    }],
  },
  body: {
    name: "slow body",
    groups: (server, scale) => [{
      ...{ port: server.port("http"), connectionCount: scale, readBytes: 1000, dripMs: 300 },
      opening: `${POST}Content-Length: 100000\r\n\r\n`,
      drip: "a".repeat(10),
    }],
  },
  read: {
    name: "slow read",
    wantsBigValue: true,
    groups: (server, scale) => [{
      ...{ port: server.port("http"), connectionCount: scale, readBytes: 20, dripMs: 300, ...TINY },
      opening: "",
      // More than the system takes on its own: the server has to wait for the client.
      filler: { text: "GET /keys/big HTTP/1.1\r\nHost: localhost\r\n\r\n", times: 8 },
    }],
  },
  silent: {
    name: "silent",
    groups: (server, scale) => [{
      ...{ port: server.port("http"), connectionCount: scale, readBytes: 1000, dripMs: 300 },
      opening: "",
    }],
  },
};

/** Bytes of an incomplete request, less than `--max-request-bytes` allows. */
const HOARD_BYTES = 1_000_000;

/** Clients that want the server to keep much in memory. */
export const MEMORY_ATTACKS: readonly AttackPlan[] = [
  {
    name: "1 MB of a request, HTTP",
    quick: true,
    groups: (server, scale) => [{
      ...{ port: server.port("http"), connectionCount: scale, readBytes: 1000, dripMs: 300 },
      opening: `${POST}Content-Length: ${HOARD_BYTES + 10}\r\n\r\n`,
      filler: { text: "a", times: HOARD_BYTES },
    }],
  },
  {
    name: "1 MB of a request, RESP",
    quick: true,
    groups: (server, scale) => [{
      ...{ port: server.port("resp"), connectionCount: scale, readBytes: 1000, dripMs: 300 },
      opening: `*2\r\n$4\r\nECHO\r\n$${HOARD_BYTES + 10}\r\n`,
      filler: { text: "a", times: HOARD_BYTES },
    }],
  },
  {
    name: "a MB in small arguments, RESP",
    quick: true,
    groups: (server, scale) => [{
      ...{ port: server.port("resp"), connectionCount: scale, readBytes: 1000, dripMs: 300 },
      opening: `*100000\r\n$6\r\nEXISTS\r\n`,
      filler: { text: "$1\r\na\r\n", times: 99_990 },
    }],
  },
  {
    name: "3,000 GETs of 1 MB, one slow reader",
    quick: true,
    wantsBigValue: true,
    groups: (server) => [{
      ...{ port: server.port("resp"), connectionCount: 1, readBytes: 65_536, dripMs: 10 },
      opening: "",
      filler: { text: "GET big\r\n", times: 3000 },
    }],
  },
  {
    name: "GET of 1 MB, never read",
    quick: true,
    wantsBigValue: true,
    groups: (server, scale) => [{
      ...{ port: server.port("resp"), connectionCount: scale, readBytes: 0, dripMs: 300, ...TINY },
      opening: "GET big\r\n",
    }],
  },
  {
    name: "pipelined PINGs, never read",
    groups: (server, scale) => [{
      ...{ port: server.port("resp"), connectionCount: scale, readBytes: 0, dripMs: 300, ...TINY },
      opening: "",
      filler: { text: "PING\r\n", times: 200_000 },
    }],
  },
  {
    name: "pipelined GET /metrics, never read",
    groups: (server, scale) => [{
      ...{ port: server.port("http"), connectionCount: scale, readBytes: 0, dripMs: 300, ...TINY },
      opening: "",
      filler: { text: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", times: 1000 },
    }],
  },
];

/** Stores the value that memory attacks ask for; needs `--max-request-bytes 2mb`. */
export async function storeBigValue(server: ServerProcess): Promise<void> {
  using client = await RawClient.connect(server.port("resp"));
  await client.send(respCommand("SET", "big", "v".repeat(2 ** 20)));
  assert.equal(await client.read(5), "+OK\r\n");
}

/** Well-behaved clients: their number on each port is {@link CONTROL_CONNECTIONS}. */
export function runControls(
  server: ServerProcess,
  durationMs: number,
  pauseMs = 0,
): Promise<GroupReport[]> {
  return runLoad({
    groups: (["http", "resp"] as const).map((protocol) => ({
      ...{ name: protocol, protocol, port: server.port(protocol), depth: 1, pauseMs },
      connectionCount: CONTROL_CONNECTIONS,
    })),
    warmUpMs: 200,
    durationMs,
  });
}

/** Well-behaved clients on each port. */
export const CONTROL_CONNECTIONS = 20;

/** Fails unless all of them were served all the time. */
export function assertControlsServed(reports: readonly GroupReport[], name = ""): void {
  for (const report of reports) {
    const what = `${name}: ${JSON.stringify(report)}`;
    assert.equal(report.lostCount, 0, what);
    assert.equal(report.strangeCount, 0, what);
    assert.ok(report.fewest > 0, what);
  }
}

/** What an attack came to. */
export interface AttackReport {
  /** The others, before. */
  readonly before: readonly GroupReport[];
  /** The others, during. */
  readonly during: readonly GroupReport[];
  /** How much the server's memory grew at most. Unit: MiB. */
  readonly growthMib: number;
  /** The metrics at the end, the attackers still there. */
  readonly metrics: Metrics;
}

/**
 * Attacks for a while, with well-behaved clients before and during.
 *
 * @param pauseMs how long each of those waits after a reply; 0: the server is busy with them alone
 */
export async function runAttack(
  server: ServerProcess,
  groups: readonly AttackGroup[],
  durationMs: number,
  beforeMs = 1000,
  pauseMs = 0,
): Promise<AttackReport> {
  const before = await runControls(server, beforeMs, pauseMs);
  await using memory = await MemoryWatch.start(server.pid);
  const controls = runControls(server, durationMs, pauseMs);
  let metrics: Metrics;
  let during: readonly GroupReport[];
  {
    await using _attack = await Attack.start(groups);
    during = await controls;
    metrics = await waitForMetrics(server.port("http"), "the metrics", () => true);
  }
  return { before, during, growthMib: memory.growthMib, metrics };
}

/** Waits until nobody is connected any more. */
export async function waitForNobody(server: ServerProcess): Promise<Metrics> {
  return await waitForMetrics(
    server.port("http"),
    "no connection being open",
    (metrics) => activeConnections(metrics) === 0,
  );
}

/** Floods both ports, with well-behaved clients meanwhile. */
export async function flood(
  server: ServerProcess,
  connectCount: number,
  durationMs: number,
): Promise<{ flood: FloodReport; during: GroupReport[]; growthMib: number }> {
  await using memory = await MemoryWatch.start(server.pid);
  const controls = runControls(server, durationMs + 1000);
  // They are to be connected when the flood begins: who comes during it may be turned away.
  await new Promise((resolve) => setTimeout(resolve, CONTROLS_START_MS));
  const report = await runFlood({
    targets: [
      { port: server.port("http"), half: "GET /health HTTP/1.1\r\nHost: localhost" },
      { port: server.port("resp"), half: "*1\r\n$4\r\nPI" },
    ],
    connectCount,
    durationMs,
    stayMs: 4000,
  });
  return { flood: report, during: await controls, growthMib: memory.growthMib };
}

/** How long well-behaved clients take to connect, generously. Unit: ms. */
const CONTROLS_START_MS = 800;
