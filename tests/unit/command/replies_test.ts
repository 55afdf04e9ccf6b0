import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import type { CommandRow, ReplyShape } from "../../../src/command/row.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { backgroundDone, Harness, pause, settled } from "./harness.ts";

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
  "setnx": ["SETNX k 1"],
  "setex": ["SETEX k 1 1"],
  "psetex": ["PSETEX k 1 1"],
  "getset": ["GETSET k 1", "GETSET a 1"],
  "getdel": ["GETDEL k", "GETDEL a"],
  "getex": ["GETEX k", "GETEX a"],
  "append": ["APPEND k 1"],
  "strlen": ["STRLEN k"],
  "getrange": ["GETRANGE k 0 -1"],
  "substr": ["SUBSTR k 0 -1"],
  "setrange": ["SETRANGE k 0 1"],
  "mget": ["MGET k a"],
  "mset": ["MSET k 1 a 2"],
  "msetnx": ["MSETNX k 1 a 2"],
  "incrbyfloat": ["INCRBYFLOAT k 1.5"],
  "lcs": ["LCS k k", "LCS k k LEN", "LCS k k IDX"],
  "setbit": ["SETBIT k 0 1"],
  "getbit": ["GETBIT k 0"],
  "bitcount": ["BITCOUNT k"],
  "bitpos": ["BITPOS k 1"],
  "bitop": ["BITOP NOT a k"],
  "bitfield": ["BITFIELD k GET u8 0"],
  "bitfield_ro": ["BITFIELD_RO k GET u8 0"],
  "pfadd": ["PFADD h 1"],
  "pfcount": ["PFCOUNT h"],
  "pfmerge": ["PFMERGE h"],
  "pfselftest": ["PFSELFTEST"],
  "lpush": ["LPUSH l 1"],
  "rpush": ["RPUSH l 1"],
  "lpushx": ["LPUSHX l 1"],
  "rpushx": ["RPUSHX l 1"],
  "lpop": ["RPUSH l 1\r\nLPOP l", "RPUSH l 1\r\nLPOP l 2", "LPOP l"],
  "rpop": ["RPUSH l 1\r\nRPOP l", "RPUSH l 1\r\nRPOP l 2", "RPOP l"],
  "llen": ["LLEN l"],
  "lindex": ["RPUSH l 1\r\nLINDEX l 0", "LINDEX l 0"],
  "lset": ["RPUSH l 1\r\nLSET l 0 2"],
  "lrange": ["LRANGE l 0 -1"],
  "ltrim": ["LTRIM l 0 -1"],
  "lmove": ["RPUSH l 1\r\nLMOVE l m LEFT LEFT", "LMOVE l m LEFT LEFT"],
  "rpoplpush": ["RPUSH l 1\r\nRPOPLPUSH l m", "RPOPLPUSH l m"],
  "lmpop": ["RPUSH l 1\r\nLMPOP 1 l LEFT", "LMPOP 1 l LEFT"],
  "lrem": ["LREM l 0 1"],
  "linsert": ["LINSERT l BEFORE 1 2"],
  "lpos": ["RPUSH l 1\r\nLPOS l 1", "LPOS l 1 COUNT 1", "LPOS l 1"],
  "blpop": ["RPUSH l 1\r\nBLPOP l 1", "BLPOP l 0.01"],
  "brpop": ["RPUSH l 1\r\nBRPOP l 1", "BRPOP l 0.01"],
  "blmpop": ["RPUSH l 1\r\nBLMPOP 1 1 l LEFT", "BLMPOP 0.01 1 l LEFT"],
  "blmove": ["RPUSH l 1\r\nBLMOVE l m LEFT LEFT 1", "BLMOVE l m LEFT LEFT 0.01"],
  "brpoplpush": ["RPUSH l 1\r\nBRPOPLPUSH l m 1", "BRPOPLPUSH l m 0.01"],
  "del": ["DEL k"],
  "exists": ["EXISTS k"],
  "expire": ["EXPIRE k 10"],
  "pexpire": ["PEXPIRE k 10"],
  "expireat": ["EXPIREAT k 9999999999"],
  "pexpireat": ["PEXPIREAT k 9999999999999"],
  "ttl": ["TTL k"],
  "pttl": ["PTTL k"],
  "expiretime": ["EXPIRETIME k"],
  "pexpiretime": ["PEXPIRETIME k"],
  "persist": ["PERSIST k"],
  "memory|doctor": ["MEMORY DOCTOR"],
  "memory|malloc-stats": ["MEMORY MALLOC-STATS"],
  "memory|purge": ["MEMORY PURGE"],
  "memory|stats": ["MEMORY STATS"],
  "event": ["EVENT alice buy 1", "EVENT alice buy 1 WAIT 60000"],
  "balance": ["BALANCE alice", "BALANCE nobody"],
  "scan": ["SCAN 0"],
  "dbsize": ["DBSIZE"],
  "time": ["TIME"],
  "info": ["INFO"],
  "unlink": ["UNLINK k"],
  "touch": ["TOUCH k"],
  "type": ["TYPE k"],
  "rename": ["RENAME k l"],
  "renamenx": ["RENAMENX k l"],
  "copy": ["COPY k l"],
  "move": ["MOVE k 1"],
  "swapdb": ["SWAPDB 0 1"],
  "flushdb": ["FLUSHDB", "FLUSHDB ASYNC"],
  "flushall": ["FLUSHALL", "FLUSHALL ASYNC"],
  "keys": ["KEYS *"],
  "randomkey": ["RANDOMKEY", "FLUSHDB\r\nRANDOMKEY"],
  "object": ["OBJECT x"],
  "object|encoding": ["OBJECT ENCODING k", "OBJECT ENCODING none"],
  "object|freq": ["OBJECT FREQ none"],
  "object|idletime": ["OBJECT IDLETIME k", "OBJECT IDLETIME none"],
  "object|refcount": ["OBJECT REFCOUNT k", "OBJECT REFCOUNT none"],
  "object|help": ["OBJECT HELP"],
  "memory": ["MEMORY x"],
  "memory|usage": ["MEMORY USAGE k", "MEMORY USAGE none"],
  "memory|help": ["MEMORY HELP"],
  "dump": ["DUMP k", "DUMP none"],
  "restore": [`RESTORE l 0 "\\x011\\x01\\x00\\xe8m'\\xb2"`],
  "multi": ["MULTI"],
  "exec": ["MULTI\r\nEXEC", "WATCH k\r\nDEL k\r\nMULTI\r\nEXEC"],
  "discard": ["MULTI\r\nDISCARD"],
  "watch": ["WATCH k"],
  "unwatch": ["UNWATCH"],
  "command": ["COMMAND"],
  "command|count": ["COMMAND COUNT"],
  "command|docs": ["COMMAND DOCS"],
  "command|getkeys": ["COMMAND GETKEYS get k"],
  "command|getkeysandflags": ["COMMAND GETKEYSANDFLAGS get k"],
  "command|info": ["COMMAND INFO get"],
  "command|list": ["COMMAND LIST"],
  "command|help": ["COMMAND HELP"],
  "config": ["CONFIG x"],
  "config|get": ["CONFIG GET *"],
  "config|set": ["CONFIG SET timeout 1", "CONFIG SET notify-keyspace-events KEA"],
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
    ">": "push",
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
  const text = await settled(reply);
  await backgroundDone(harness);
  return text;
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
