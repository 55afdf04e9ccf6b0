/**
 * A whole fuzz run against a server of its own: before, during, after.
 *
 * @module
 */

import assert from "node:assert/strict";
import { activeConnections, waitForMetrics } from "../metrics.ts";
import { ServerProcess } from "../server_process.ts";
import type { FuzzProtocol } from "./protocols.ts";
import { fuzzOverTcp, type FuzzTally } from "./tcp_fuzzer.ts";

/** How much, and from where. */
export interface FuzzRunOptions {
  readonly seed: number;
  readonly firstCase: number;
  readonly sequenceCount: number;
  readonly onProgress?: (sequenceCount: number) => void;
}

/** Small bounds and short times, so that sequences meet them. */
const FLAGS = [
  ...["--header-timeout", "400ms", "--idle-timeout", "800ms", "--resp-idle-timeout", "800ms"],
  ...["--max-request-bytes", "64kb", "--max-memory", "8mb", "--shards", "4"],
  ...["--channel-capacity", "16", "--workers", "1"],
];

/** A client may ask to be told of an event's outcome within a minute, and leave. Unit: ms. */
const GONE_PATIENCE_MS = 90_000;

/** Reads the settings from the environment: `SLUICE_FUZZ_SEED`, `_FROM` and `_COUNT`. */
export function fuzzOptions(sequenceCount: number): FuzzRunOptions {
  const setting = (name: string, otherwise: number): number => {
    const text = Deno.env.get(`SLUICE_FUZZ_${name}`);
    return text === undefined ? otherwise : Number(text);
  };
  return {
    seed: setting("SEED", Math.floor(Math.random() * 2 ** 31)),
    firstCase: setting("FROM", 0),
    sequenceCount: setting("COUNT", sequenceCount),
  };
}

/**
 * Fuzzes one protocol; fails unless everything was answered or ended, nothing of the server broke,
 * and it serves on.
 */
export async function fuzzServer(
  protocol: FuzzProtocol,
  options: FuzzRunOptions,
): Promise<FuzzTally> {
  await using server = await ServerProcess.start([...FLAGS, ...protocol.flags ?? []]);
  const port = server.port(protocol.port);
  await protocol.probe(port);
  const tally = await fuzzOverTcp({
    protocol,
    port,
    connectionCount: 64,
    patienceMs: 60_000,
    ...options,
  });
  await protocol.probe(port);
  const metrics = await waitForMetrics(
    server.port("http"),
    "no connection being open",
    (metrics) => activeConnections(metrics) === 0,
    GONE_PATIENCE_MS,
  );
  assert.equal(metrics.get("sluice_internal_errors_total"), 0);
  assert.equal(metrics.get("sluice_worker_deaths_total"), 0);
  const received = metrics.get("sluice_events_received_total") ?? NaN;
  assert.ok(received >= 0, "the metrics have events");
  assert.deepEqual(server.lines.filter(({ level }) => level === "error"), []);
  assert.deepEqual(server.otherLines, [], "the runtime has nothing to complain of");
  if (Deno.build.os !== "windows") {
    server.signal("SIGTERM");
    const { code, lines } = await server.waitForEnd();
    assert.equal(code, 0);
    assert.equal(lines.at(-1)!["lost"], 0);
  }
  return tally;
}
