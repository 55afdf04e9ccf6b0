/**
 * A load of events, and what came of it.
 *
 * @module
 */

import { formatDuration } from "../../base/units.ts";
import { LatencyRecorders } from "./latency.ts";
import { Load } from "./load.ts";
import { LoadConnection } from "./load_connection.ts";
import { Pacer } from "./pacer.ts";
import type { LoadPlan, LoadResult } from "./plan.ts";
import { ReadTurns } from "./read_turns.ts";

/** Connections that are opened at the same time. Reason: servers queue few that they did not accept. */
const OPENING_MAX = 64;

/**
 * Sends the events of a plan and waits for their answers.
 *
 * **Closed loop** (`ratePerSecond` null): each connection sends its next request as soon as the last
 * one was answered. It shows how much a server can do. It says little about latency, because a slow
 * server is asked less.
 *
 * **Open loop**: request i is due i / rate after the first, whatever the server does. A free
 * connection takes the next one that is due; while all are busy, requests wait, and their latency
 * counts from when they were due. That is the correction for coordinated omission: a server that
 * stands still for a second at 1,000 requests a second makes 1,000 requests late, and a generator
 * that waits politely before it sends the next one would report one of them. What such a generator
 * would have reported is in `serviceTime`, for comparison.
 *
 * **This program's own part** is in `ownLag`, one duration per request: how late it was sent although
 * a connection was free; in a closed loop, and when no connection was free, how late this thread was
 * at the last ring of a clock that another thread holds, since answers lie as long before they are
 * looked at.
 *
 * A connection that breaks is an error for its request and is opened again for the next one. When
 * none can be opened for ten seconds, the load ends early; then `sent` is less than planned. With a
 * `timeoutMs`, a request that is not answered in that time is an error as well and its connection is
 * replaced; when none is answered for ten seconds longer than that, the load ends early.
 *
 * Thread: the main isolate; a second one keeps time. Everything is closed when this returns.
 *
 * @throws when the connections cannot be opened at the start
 *
 * @example
 * ```ts
 * import { runLoad } from "./run_load.ts";
 * const run = () => runLoad({
 *   protocol: "http",
 *   hostname: "127.0.0.1",
 *   port: 8080,
 *   requestCount: 5000,
 *   connectionCount: 200,
 *   ratePerSecond: 1000,
 *   userCount: 1000,
 *   distribution: "uniform",
 *   seed: 1,
 * });
 * ```
 */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const recorders = await LatencyRecorders.load();
  using turns = await ReadTurns.open(plan.connectionCount);
  using pacer = await Pacer.start();
  const load = new Load(plan, recorders);
  const connections: LoadConnection[] = [];
  for (let i = 0; i < plan.connectionCount; i++) {
    connections.push(new LoadConnection(plan, load, turns));
  }
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  if (plan.signal?.aborted === true) onAbort();
  plan.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    // A server that never answers must not keep the end waiting.
    await Promise.race([openAll(connections, plan), aborted]);
    return await load.run(connections, pacer);
  } finally {
    plan.signal?.removeEventListener("abort", onAbort);
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

async function openAll(connections: readonly LoadConnection[], plan: LoadPlan): Promise<void> {
  for (let i = 0; i < connections.length; i += OPENING_MAX) {
    const opening = connections.slice(i, i + OPENING_MAX).map((connection) => connection.open());
    // All of them are waited for, so that none is still opening when the first has failed.
    const endings = await inTime(Promise.allSettled(opening), plan.timeoutMs);
    if (plan.signal?.aborted === true) return;
    if (endings === null) {
      throw cannotStart(plan, `no connection within ${formatDuration(plan.timeoutMs!)}`);
    }
    const failure = endings.find(({ status }) => status === "rejected");
    if (failure?.status === "rejected") throw cannotStart(plan, failure.reason);
  }
}

/** What is waited for, or null when that takes longer; undefined = as long as it takes. */
async function inTime<Value>(
  waiting: Promise<Value>,
  timeoutMs: number | undefined,
): Promise<Value | null> {
  if (timeoutMs === undefined) return await waiting;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), timeoutMs));
  try {
    return await Promise.race([waiting, late]);
  } finally {
    clearTimeout(timer);
  }
}

function cannotStart({ hostname, port }: LoadPlan, reason: unknown): Error {
  const address = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const text = reason instanceof Error ? reason.message : reason;
  return new Error(`Cannot start the load on ${address}: ${text}`, { cause: reason });
}
