/**
 * Totals that `INFO stats` counts since start, or since `CONFIG RESETSTAT`.
 *
 * @module
 */

import type { CommandServices, ServerSnapshot } from "../services.ts";

/** One of the totals. */
export type TotalName =
  | "acceptedConnections"
  | "refusedConnections"
  | "processedCommands"
  | "readBytes"
  | "writtenBytes"
  | "keyspaceHits"
  | "keyspaceMisses"
  | "authFailures"
  | "evictedClients"
  | "slowSubscribers";

/** All of them; their order is that of the baseline in shared memory. */
const TOTALS: readonly TotalName[] = [
  "acceptedConnections",
  "refusedConnections",
  "processedCommands",
  "readBytes",
  "writtenBytes",
  "keyspaceHits",
  "keyspaceMisses",
  "authFailures",
  "evictedClients",
  "slowSubscribers",
];

/** A total without what it was at the last reset. Thread: any I/O thread. */
export function totalSinceReset(
  services: CommandServices,
  snapshot: ServerSnapshot,
  name: TotalName,
): number {
  const { totalsBaseline } = services.operations.region;
  return Math.max(0, snapshot[name] - totalsBaseline[TOTALS.indexOf(name)]!);
}

/** Hides what was counted so far. Thread: any I/O thread. */
export function resetTotals(services: CommandServices): void {
  const snapshot = services.snapshot();
  const { totalsBaseline } = services.operations.region;
  for (const [index, name] of TOTALS.entries()) totalsBaseline[index] = snapshot[name];
}
