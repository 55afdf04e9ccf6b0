/**
 * What `sluice stress` prints: what came of a load, for people.
 *
 * @module
 */

import type { LatencySummary, LoadPlan, LoadResult } from "../lab/load/plan.ts";
import { tableText } from "../lab/terminal/table.ts";

/** Above this part of the latency, this program's own lag is worth a warning. */
const LAG_SHARE_MAX = 1 / 3;
/** Below this part of the rate that was asked for, it was not reached. */
const RATE_SHARE_MIN = 0.95;
/** Shorter loads say little about rates. Unit: ms. */
const RATE_DURATION_MIN_MS = 500;

/** A whole number with its thousands apart, e.g. `"12,345"`. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** A duration in three digits or a little more, e.g. `"0.123 ms"`, `"12.3 ms"` or `"1.23 s"`. */
export function durationText(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(ms >= 10_000 ? 1 : 2)} s`;
  return `${ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3)} ms`;
}

/** All of it; ends with a line end. */
export function stressText(plan: LoadPlan, result: LoadResult): string {
  const parts = [
    headText(plan, result),
    latencyTable(plan, result),
    ...remarks(plan, result),
  ];
  const errors = errorList(result);
  if (errors !== null) parts.push(errors);
  return `${parts.join("\n\n")}\n`;
}

function headText(plan: LoadPlan, result: LoadResult): string {
  const host = plan.hostname.includes(":") ? `[${plan.hostname}]` : plan.hostname;
  const pace = plan.ratePerSecond === null
    ? "closed loop"
    : `${countText(plan.ratePerSecond)} a second`;
  const sent = `${countText(result.sent)} requests in ${durationText(result.durationMs)}`;
  const address = `${schemeOf(plan)}://${host}:${plan.port}`;
  return `${address}, ${countText(plan.connectionCount)} connections, ${pace}: ${sent}\n` +
    `accepted ${countText(result.accepted)}, refused ${countText(result.refused)}, ` +
    `errors ${countText(result.errors)}, ` +
    `${countText(Math.round(result.answersPerSecond))} answers/s`;
}

/** As it stands in addresses; Protobuf has no other one with TLS. */
function schemeOf({ protocol, tls }: LoadPlan): string {
  if (tls === undefined) return protocol;
  return { http: "https", resp: "rediss", proto: "proto" }[protocol];
}

function latencyTable({ ratePerSecond }: LoadPlan, result: LoadResult): string {
  const rows = [
    latencyRow("all answers", result.latency),
    latencyRow("accepted", result.acceptedLatency),
    latencyRow("refused", result.refusedLatency),
  ];
  if (ratePerSecond !== null) rows.push(latencyRow("service time", result.serviceTime));
  rows.push(latencyRow("own lag", result.ownLag));
  return tableText(
    ["latency", "count", "average", "p50", "p90", "p99", "p99.9", "max"],
    rows,
  );
}

function latencyRow(name: string, summary: LatencySummary): string[] {
  const { count, averageMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = summary;
  const durations = [averageMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs];
  return [name, countText(count), ...durations.map((ms) => count === 0 ? "-" : durationText(ms))];
}

function remarks(plan: LoadPlan, result: LoadResult): string[] {
  return [
    endRemark(plan, result),
    overdueRemark(result),
    timeoutRemark(result),
    rateRemark(plan, result),
    lagRemark(result),
  ].filter((remark) => remark !== null);
}

function endRemark({ requestCount }: LoadPlan, { sent, interrupted }: LoadResult): string | null {
  if (interrupted) {
    return `Ended early: ${countText(sent)} of ${countText(requestCount)} requests were sent.`;
  }
  if (sent === requestCount) return null;
  return `Given up, ${countText(requestCount - sent)} requests were not sent: ` +
    "the server was gone, or did not answer any more.";
}

function overdueRemark({ overdue, overdueMs }: LoadResult): string | null {
  if (overdue === 0) return null;
  return `At the end ${countText(overdue)} requests were due that had found no free connection, ` +
    `the first of\nthem for ${durationText(overdueMs)}. The latencies leave them out.`;
}

function timeoutRemark({ timeouts }: LoadResult): string | null {
  if (timeouts === 0) return null;
  return `${countText(timeouts)} requests were not answered in time. The latencies leave them out.`;
}

function rateRemark(plan: LoadPlan, { sent, sendingMs }: LoadResult): string | null {
  const asked = plan.ratePerSecond;
  if (asked === null || sendingMs < RATE_DURATION_MIN_MS) return null;
  // The first one is sent at the beginning of that time. How long the last answer takes says nothing.
  const reached = (sent - 1) / sendingMs * 1000;
  if (reached >= asked * RATE_SHARE_MIN) return null;
  return `The rate was not reached: ${rateText(reached)} of ${
    rateText(asked)
  } requests a second.\n` +
    "No connection was free; requests waited for one, and their latency has that wait in it.";
}

/** Low rates are told apart by what stands behind the point. */
function rateText(perSecond: number): string {
  return countText(perSecond < 100 ? Number(perSecond.toPrecision(3)) : Math.round(perSecond));
}

function lagRemark({ latency, ownLag }: LoadResult): string | null {
  if (latency.count === 0 || ownLag.p99Ms <= latency.p99Ms * LAG_SHARE_MAX) return null;
  return `The load generator itself was a bottleneck: 99 of 100 times it was up to\n` +
    `${durationText(ownLag.p99Ms)} late, of a latency of ${durationText(latency.p99Ms)}. ` +
    `The figures say as much about it,\nor about this machine, as about the server.`;
}

/** One line per text. Not a table: to that, texts such as `400 invalid_event` are numbers. */
function errorList({ errorTexts }: LoadResult): string | null {
  const errors = Object.entries(errorTexts).toSorted(([, one], [, other]) => other - one);
  if (errors.length === 0) return null;
  const width = countText(errors[0]![1]).length;
  const lines = errors.map(([text, count]) => `${countText(count).padStart(width)}  ${text}`);
  return ["Errors:", ...lines].join("\n");
}
