import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import type { CommandRow, ReplyShape } from "../../../src/command/row.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Harness, pause, settled } from "./harness.ts";

/**
 * For every row, calls that together give each of the replies that the row promises. The key `k`
 * holds `17`, alice has a balance of 5.
 */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "ping": ["PING", "PING hi"],
  "echo": ["ECHO hi"],
  "quit": ["QUIT"],
  "select": ["SELECT 3"],
  "auth": ["AUTH default x"],
  "hello": ["HELLO"],
  "reset": ["RESET"],
  "set": ["SET a 1", "SET k 1 GET", "SET a 1 XX"],
  "get": ["GET k", "GET missing"],
  "incr": ["INCR k"],
  "decr": ["DECR k"],
  "incrby": ["INCRBY k 5"],
  "decrby": ["DECRBY k 5"],
  "del": ["DEL k"],
  "exists": ["EXISTS k"],
  "event": ["EVENT alice buy 1", "EVENT alice buy 1 WAIT 60000"],
  "balance": ["BALANCE alice", "BALANCE nobody"],
  "scan": ["SCAN 0"],
  "dbsize": ["DBSIZE"],
  "time": ["TIME"],
  "info": ["INFO"],
  "command": ["COMMAND"],
  "command|count": ["COMMAND COUNT"],
  "command|docs": ["COMMAND DOCS"],
  "command|getkeys": ["COMMAND GETKEYS get k"],
  "command|info": ["COMMAND INFO get"],
  "command|list": ["COMMAND LIST"],
  "command|help": ["COMMAND HELP"],
  "config": ["CONFIG x"],
  "config|get": ["CONFIG GET *"],
  "config|set": ["CONFIG SET timeout 1"],
  "config|resetstat": ["CONFIG RESETSTAT"],
  "config|rewrite": ["CONFIG REWRITE"],
  "config|help": ["CONFIG HELP"],
  "client": ["CLIENT x"],
  "client|id": ["CLIENT ID"],
  "client|getname": ["CLIENT GETNAME", "CLIENT SETNAME me\r\nCLIENT GETNAME"],
  "client|setname": ["CLIENT SETNAME me"],
  "client|setinfo": ["CLIENT SETINFO LIB-NAME x"],
  "client|info": ["CLIENT INFO"],
  "client|list": ["CLIENT LIST"],
  "client|kill": ["CLIENT KILL ID 99", "CLIENT KILL 127.0.0.1:50001"],
  "client|reply": ["CLIENT REPLY ON"],
  "client|no-evict": ["CLIENT NO-EVICT ON"],
  "client|no-touch": ["CLIENT NO-TOUCH ON"],
  "client|getredir": ["CLIENT GETREDIR"],
  "client|tracking": ["CLIENT TRACKING OFF"],
  "client|trackinginfo": ["CLIENT TRACKINGINFO"],
  "client|pause": ["CLIENT PAUSE 1"],
  "client|unpause": ["CLIENT UNPAUSE"],
  "client|help": ["CLIENT HELP"],
  "client|unblock": ["CLIENT UNBLOCK 99"],
  "client|caching": ["CLIENT CACHING YES"],
  "slowlog": ["SLOWLOG x"],
  "slowlog|get": ["SLOWLOG GET"],
  "slowlog|len": ["SLOWLOG LEN"],
  "slowlog|reset": ["SLOWLOG RESET"],
  "slowlog|help": ["SLOWLOG HELP"],
  "latency": ["LATENCY x"],
  "latency|doctor": ["LATENCY DOCTOR"],
  "latency|graph": [
    "CONFIG SET latency-monitor-threshold 1\r\nDEBUG SLEEP 0.01\r\nLATENCY GRAPH command",
  ],
  "latency|histogram": ["LATENCY HISTOGRAM"],
  "latency|history": ["LATENCY HISTORY command"],
  "latency|latest": ["LATENCY LATEST"],
  "latency|reset": ["LATENCY RESET"],
  "latency|help": ["LATENCY HELP"],
  "debug": ["DEBUG x"],
  "debug|sleep": ["DEBUG SLEEP 0"],
  "debug|error": ["DEBUG ERROR x"],
  "debug|log": ["DEBUG LOG x"],
  "debug|protocol": [
    "DEBUG PROTOCOL string",
    "DEBUG PROTOCOL integer",
    "DEBUG PROTOCOL double",
    "DEBUG PROTOCOL null",
    "DEBUG PROTOCOL array",
    "DEBUG PROTOCOL set",
    "DEBUG PROTOCOL map",
    "DEBUG PROTOCOL verbatim",
  ],
  "debug|help": ["DEBUG HELP"],
  "acl": ["ACL x"],
  "acl|cat": ["ACL CAT", "ACL CAT string"],
  "acl|deluser": ["ACL DELUSER x"],
  "acl|dryrun": ["ACL DRYRUN default get k"],
  "acl|genpass": ["ACL GENPASS"],
  "acl|getuser": ["ACL GETUSER default", "ACL GETUSER x"],
  "acl|list": ["ACL LIST"],
  "acl|load": ["ACL LOAD"],
  "acl|log": ["ACL LOG", "ACL LOG RESET"],
  "acl|save": ["ACL SAVE"],
  "acl|setuser": ["ACL SETUSER x"],
  "acl|users": ["ACL USERS"],
  "acl|whoami": ["ACL WHOAMI"],
  "acl|help": ["ACL HELP"],
  "shutdown": ["SHUTDOWN ABORT"],
  "monitor": ["MONITOR"],
  "lolwut": ["LOLWUT"],
  "role": ["ROLE"],
  "wait": ["WAIT 1 0"],
  "lastsave": ["LASTSAVE"],
  "save": ["SAVE"],
  "bgsave": ["BGSAVE"],
  "bgrewriteaof": ["BGREWRITEAOF"],
  "replicaof": ["REPLICAOF NO ONE"],
  "slaveof": ["SLAVEOF NO ONE"],
  "failover": ["FAILOVER"],
  "module": ["MODULE x"],
  "module|list": ["MODULE LIST"],
  "module|load": ["MODULE LOAD x"],
  "module|loadex": ["MODULE LOADEX x"],
  "module|unload": ["MODULE UNLOAD x"],
  "module|help": ["MODULE HELP"],
  "cluster": ["CLUSTER x"],
  "cluster|help": ["CLUSTER HELP"],
  "asking": ["ASKING"],
  "readonly": ["READONLY"],
  "readwrite": ["READWRITE"],
};

/** Subcommands of CLUSTER are all alike. */
function clusterExample({ name, minArguments }: CommandRow): string[] | undefined {
  if (!name.startsWith("cluster|")) return undefined;
  const word = name.slice("cluster|".length);
  return [`CLUSTER ${word}${" 1".repeat(minArguments - 2)}`];
}

/** What a RESP3 reply is, as rows call it. */
function shapeOf(reply: string): ReplyShape | "error" {
  if (reply === "+OK\r\n") return "ok";
  const shapes: Readonly<Record<string, ReplyShape | "error">> = {
    "+": "simple",
    ":": "integer",
    "$": "bulk",
    "_": "nil",
    "*": "array",
    "~": "set",
    "%": "map",
    "=": "text",
    "-": "error",
    ",": "double",
  };
  return shapes[reply[0]!] ?? assert.fail(`an unknown type: ${reply}`);
}

/** The last reply that `line` gets. */
async function replyTo(line: string): Promise<string> {
  const harness = new Harness();
  const client = harness.connect();
  harness.connect();
  await client.send("HELLO 3\r\nSET k 17\r\nSET balance:alice 5\r\n");
  const lines = line.split("\r\n");
  for (const earlier of lines.slice(0, -1)) await client.send(`${earlier}\r\n`);
  const reply = client.send(`${lines.at(-1)}\r\n`);
  if (line.includes("WAIT")) {
    await pause(0);
    harness.waits.settle(0, 0, { kind: "processed", balance: Int64.fromNumber(6) });
  }
  return await settled(reply);
}

const rows = makeCommandTable().rows.flatMap((row) => [row, ...(row.subcommands?.rows ?? [])]);

for (const row of rows) {
  Deno.test(`replies: ${row.name} gives what its row promises, and all of it`, async () => {
    const examples = EXAMPLES[row.name] ?? clusterExample(row) ??
      assert.fail(`${row.name} needs an example here`);
    const seen = new Set<string>();
    for (const line of examples) seen.add(shapeOf(await replyTo(line)));
    assert.deepEqual(
      [...seen].sort(),
      row.replies.length === 0 ? ["error"] : [...row.replies].sort(),
    );
  });
}
