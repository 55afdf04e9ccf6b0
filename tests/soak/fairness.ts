// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * Whether every one of 1,000 busy connections gets its share, and how long requests wait.
 *
 *     deno task bench:fairness [--json] [--seconds N] [--server-flag=…]
 *
 * Targets: p99 below 50 ms, and no connection with fewer than a quarter of the median connection's
 * requests. Exit code 1 when one is missed.
 *
 * @module
 */

import type { GroupReport, LoadGroup } from "../helpers/load/plan.ts";
import { reportTable, runLoad } from "../helpers/load/run_load.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const P99_TARGET_MS = 50;
const SHARE_TARGET = 0.25;
const PROTOCOLS = ["http", "resp"] as const;

const asJson = Deno.args.includes("--json");
const seconds = Number(argument("--seconds") ?? "8");
const serverFlags = Deno.args
  .filter((arg) => arg.startsWith("--server-flag="))
  .map((arg) => arg.slice("--server-flag=".length));

function argument(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

interface Scenario {
  readonly name: string;
  groups(protocol: LoadGroup["protocol"], port: number): LoadGroup[];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "1,000 active",
    groups: (protocol, port) => [
      { name: `${protocol} active`, protocol, port, connectionCount: 1000, depth: 1, pauseMs: 0 },
    ],
  },
  {
    name: "500 pipelining, 500 slow",
    groups: (protocol, port) => [
      ...[{
        name: `${protocol} 16 deep`,
        protocol,
        port,
        connectionCount: 500,
        depth: 16,
        pauseMs: 0,
      }],
      { name: `${protocol} slow`, protocol, port, connectionCount: 500, depth: 1, pauseMs: 250 },
    ],
  },
];

const reports: GroupReport[] = [];
for (const { name, groups } of SCENARIOS) {
  for (const protocol of PROTOCOLS) {
    console.error(`${protocol}: ${name}, ${seconds} s`);
    await using server = await ServerProcess.start([
      ...["--max-connections", "1100"],
      ...serverFlags,
    ]);
    const plan = {
      groups: groups(protocol, server.port(protocol)),
      warmUpMs: 2000,
      durationMs: seconds * 1000,
    };
    reports.push(...await runLoad(plan, true));
  }
}

const missed = reports.filter((report) =>
  !(report.p99Ms < P99_TARGET_MS) || !(report.fewest >= report.median * SHARE_TARGET) ||
  report.lostCount > 0 || report.strangeCount > 0
);
console.log(asJson ? JSON.stringify(reports, undefined, 2) : reportTable(reports));
for (const { name } of missed) console.error(`missed: ${name}`);
Deno.exit(missed.length > 0 ? 1 : 0);
