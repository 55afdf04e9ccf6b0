import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import type { ReplyShape } from "../../../src/command/row.ts";
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
  "config|set": ["CONFIG SET notify-keyspace-events KEA"],
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
  "subscribe": ["SUBSCRIBE a"],
  "unsubscribe": ["UNSUBSCRIBE a"],
  "psubscribe": ["PSUBSCRIBE a"],
  "punsubscribe": ["PUNSUBSCRIBE a"],
  "ssubscribe": ["SSUBSCRIBE a"],
  "sunsubscribe": ["SUNSUBSCRIBE a"],
  "publish": ["PUBLISH a 1"],
  "spublish": ["SPUBLISH a 1"],
  "pubsub": ["PUBSUB x"],
  "pubsub|channels": ["PUBSUB CHANNELS"],
  "pubsub|numpat": ["PUBSUB NUMPAT"],
  "pubsub|numsub": ["PUBSUB NUMSUB a"],
  "pubsub|shardchannels": ["PUBSUB SHARDCHANNELS"],
  "pubsub|shardnumsub": ["PUBSUB SHARDNUMSUB a"],
  "pubsub|help": ["PUBSUB HELP"],
};

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
    ">": "push",
    "-": "error",
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
    const examples = EXAMPLES[row.name] ?? assert.fail(`${row.name} needs an example here`);
    const seen = new Set<string>();
    for (const line of examples) seen.add(shapeOf(await replyTo(line)));
    assert.deepEqual(
      [...seen].sort(),
      row.replies.length === 0 ? ["error"] : [...row.replies].sort(),
    );
  });
}
