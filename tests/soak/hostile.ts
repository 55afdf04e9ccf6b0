// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * Hostile clients at full size: slow ones, those that want memory, a flood of connections; and what
 * the others notice.
 *
 *     deno task bench:hostile [--only NAME] [--server-flag=…]
 *
 * Exit code 1 when something does not hold that should.
 *
 * @module
 */

import {
  type AttackPlan,
  flood,
  GROWTH_MAX_MIB,
  MEMORY_ATTACKS,
  runAttack,
  runControls,
  SLOW_CLIENTS,
  storeBigValue,
  waitForNobody,
} from "../helpers/hostile.ts";
import type { GroupReport } from "../helpers/load/plan.ts";
import { alignedTable } from "../helpers/load/run_load.ts";
import { closedFor, type Metrics } from "../helpers/metrics.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const SLOW_MS = 30_000;
const SLOW_CROWD = 100;
const MEMORY_MS = 10_000;
const MEMORY_CROWD = 1000;
const FLOOD_CONNECTS = 20_000;
const FLOOD_MS = 10_000;
/** The others' p99 may be so many times what it is without slow clients. */
const P99_RATIO_MAX = 2;

const serverFlags = Deno.args
  .filter((arg) => arg.startsWith("--server-flag="))
  .map((arg) => arg.slice("--server-flag=".length));
const onlyAt = Deno.args.indexOf("--only");
const only = onlyAt < 0 ? "" : Deno.args[onlyAt + 1]!;

const heads = ["attack", "http p99 idle", "during", "resp p99 idle", "during", "growth MiB"];
heads.push("header_timeout", "too_slow", "idle", "client_memory", "missed");
const rows: string[][] = [];
let missedCount = 0;

function note(
  name: string,
  before: readonly GroupReport[],
  during: readonly GroupReport[],
  growthMib: number,
  metrics: Metrics,
  missed: string[],
): void {
  for (const { name: group, lostCount, strangeCount, fewest } of during) {
    if (lostCount > 0) missed.push(`${group} clients lost: ${lostCount}`);
    if (strangeCount > 0) missed.push(`strange ${group} answers: ${strangeCount}`);
    if (fewest === 0) missed.push(`${group} clients unserved`);
  }
  if (metrics.get("sluice_internal_errors_total") !== 0) missed.push("internal errors");
  const reasons = ["header_timeout", "too_slow", "idle", "client_memory"];
  missedCount += missed.length;
  rows.push([
    name,
    ...[0, 1].flatMap((i) => [before[i]!, during[i]!].map(({ p99Ms }) => p99Ms.toFixed(2))),
    growthMib.toFixed(0),
    ...reasons.map((reason) => String(closedFor(metrics, reason))),
    missed.join(", ") || "nothing",
  ]);
  console.error(`  ${rows.at(-1)!.join("  ")}`);
}

async function slow(): Promise<void> {
  const { header, body, read } = SLOW_CLIENTS;
  await using server = await ServerProcess.start(["--max-request-bytes", "2mb", ...serverFlags]);
  await storeBigValue(server);
  const groups = [header, body, read].flatMap((kind) => kind.groups(server, SLOW_CROWD));
  const { before, during, growthMib, metrics } = await runAttack(server, groups, SLOW_MS, 5000);
  const missed: string[] = [];
  for (const [i, { name, p99Ms }] of during.entries()) {
    const ratio = p99Ms / before[i]!.p99Ms;
    if (ratio > P99_RATIO_MAX) missed.push(`${name} p99 is ${ratio.toFixed(1)} times`);
  }
  if (closedFor(metrics, "header_timeout") < SLOW_CROWD) missed.push("slow heads are still there");
  // A slow reader may have to go before its time, because its reply is what memory is short of.
  const endedCount = closedFor(metrics, "too_slow") + closedFor(metrics, "client_memory");
  if (endedCount < 2 * SLOW_CROWD) missed.push("slow bodies or readers are");
  note(`${SLOW_CROWD} slow heads, bodies, readers`, before, during, growthMib, metrics, missed);
}

async function memory({ name, groups, wantsBigValue }: AttackPlan): Promise<void> {
  await using server = await ServerProcess.start([
    ...["--max-connections", "2000"],
    ...(wantsBigValue ? ["--max-request-bytes", "2mb"] : []),
    ...serverFlags,
  ]);
  if (wantsBigValue) await storeBigValue(server);
  const attack = groups(server, MEMORY_CROWD);
  const { before, during, growthMib, metrics } = await runAttack(server, attack, MEMORY_MS, 2000);
  const missed = growthMib < GROWTH_MAX_MIB ? [] : ["memory"];
  const crowd = attack[0]!.connectionCount;
  note(`${crowd} × ${name}`, before, during, growthMib, metrics, missed);
}

async function floods(): Promise<void> {
  await using server = await ServerProcess.start(serverFlags);
  const before = await runControls(server, 2000);
  const { flood: report, during, growthMib } = await flood(server, FLOOD_CONNECTS, FLOOD_MS);
  const metrics = await waitForNobody(server);
  const missed = report.failed > 0 ? [`${report.failed} connects failed`] : [];
  const seconds = (report.elapsedMs / 1000).toFixed(1);
  const name = `${report.connected} connects in ${seconds} s, ${report.turnedAway} turned away`;
  note(name, before, during, growthMib, metrics, missed);
}

if ("slow".includes(only)) {
  console.error(`slow clients, ${SLOW_MS / 1000} s`);
  await slow();
}
for (const attack of MEMORY_ATTACKS) {
  if (!`memory ${attack.name}`.includes(only)) continue;
  console.error(`${attack.name}, ${MEMORY_MS / 1000} s`);
  await memory(attack);
}
if ("flood".includes(only)) {
  console.error(`flood, ${FLOOD_MS / 1000} s`);
  await floods();
}
console.log(alignedTable(heads, rows));
Deno.exit(missedCount > 0 ? 1 : 0);
