/**
 * Commands of clusters: clients ask for them to find out that this is none.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, type HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";
import { refuse } from "./refuse.ts";

/** Subcommands with their arity, as Redis has them. */
const SUBCOMMANDS: readonly [name: string, arity: number, syntax: string, since: string][] = [
  ["addslots", -3, "slot [slot ...]", "3.0.0"],
  ["addslotsrange", -4, "start end [start end ...]", "7.0.0"],
  ["bumpepoch", 2, "", "3.0.0"],
  ["count-failure-reports", 3, "node", "3.0.0"],
  ["countkeysinslot", 3, "slot", "3.0.0"],
  ["delslots", -3, "slot [slot ...]", "3.0.0"],
  ["delslotsrange", -4, "start end [start end ...]", "7.0.0"],
  ["failover", -2, "[FORCE | TAKEOVER]", "3.0.0"],
  ["flushslots", 2, "", "3.0.0"],
  ["forget", 3, "node", "3.0.0"],
  ["getkeysinslot", 4, "slot count", "3.0.0"],
  ["info", 2, "", "3.0.0"],
  ["keyslot", 3, "key", "3.0.0"],
  ["links", 2, "", "7.0.0"],
  ["meet", -4, "host port [bus-port]", "3.0.0"],
  ["myid", 2, "", "3.0.0"],
  ["nodes", 2, "", "3.0.0"],
  ["replicas", 3, "node", "5.0.0"],
  ["replicate", 3, "node", "3.0.0"],
  ["reset", -2, "[HARD | SOFT]", "3.0.0"],
  ["saveconfig", 2, "", "3.0.0"],
  ["set-config-epoch", 3, "epoch", "3.0.0"],
  ["setslot", -4, "slot IMPORTING node | MIGRATING node | NODE node | STABLE", "3.0.0"],
  ["shards", 2, "", "7.0.0"],
  ["slaves", 3, "node", "3.0.0"],
  ["slots", 2, "", "3.0.0"],
];

function refuseCluster(call: CommandCall): HandlerStatus {
  return refuse(call, ReplyCode.UNSUPPORTED, "This instance has cluster support disabled");
}

function refusedRow(name: string, arity: number, syntax: string, since: string): CommandRow {
  return new CommandRow({
    name,
    arity,
    syntax,
    summary: "Refused: this server is no cluster.",
    group: "server",
    since,
    flags: ["loading", "stale", "fast"],
    reply: [],
    handler: refuseCluster,
  });
}

/** The rows of CLUSTER ASKING READONLY READWRITE. Thread: any; a thread makes its own at start. */
export function clusterRows(): CommandRow[] {
  return [
    containerRow(
      "cluster",
      "Tells that this server is no cluster.",
      "3.0.0",
      "server",
      SUBCOMMANDS.map(([name, arity, syntax, since]) =>
        refusedRow(`cluster|${name}`, arity, syntax, since)
      ),
    ),
    refusedRow("asking", 1, "", "3.0.0"),
    refusedRow("readonly", 1, "", "3.0.0"),
    refusedRow("readwrite", 1, "", "3.0.0"),
  ];
}
