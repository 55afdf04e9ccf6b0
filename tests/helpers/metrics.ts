/**
 * Reads a server's counters, as a scraper does.
 *
 * @module
 */

import { RawClient } from "./raw_client.ts";

/** Samples by their line's beginning, e.g. `sluice_active_connections{protocol="http"}`. */
export type Metrics = ReadonlyMap<string, number>;

/** Where to ask: a port, or what connects to it, e.g. with TLS. */
export type MetricsSource = number | (() => Promise<RawClient>);

/** Asks for the metrics over a connection of its own, which is among what they count. */
export async function readMetrics(source: MetricsSource): Promise<Metrics> {
  using client = typeof source === "number" ? await RawClient.connect(source) : await source();
  await client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const { body } = await client.readHttpReply();
  const samples = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(samples.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

/** Open connections besides the one that asks. */
export function activeConnections(metrics: Metrics): number {
  let sum = -1;
  for (const [name, value] of metrics) {
    if (name.startsWith("sluice_active_connections{")) sum += value;
  }
  return sum;
}

/** Connections that the server ended for this reason. */
export function closedFor(metrics: Metrics, reason: string): number {
  return metrics.get(`sluice_connections_closed_total{reason="${reason}"}`) ?? NaN;
}

/** Waits until the metrics are as they should be; fails with `what` and the last ones if never. */
export async function waitForMetrics(
  source: MetricsSource,
  what: string,
  isReached: (metrics: Metrics) => boolean,
  patienceMs = 20_000,
): Promise<Metrics> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const metrics = await readMetrics(source);
    if (isReached(metrics)) return metrics;
    if (performance.now() > endMs) {
      const ours = [...metrics].filter(([name]) => /connections|memory|errors/.test(name));
      throw new Error(`Waited for ${what}; now ${JSON.stringify(Object.fromEntries(ours))}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
