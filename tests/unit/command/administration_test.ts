import assert from "node:assert/strict";
import { Harness, latin1, pause, settled, skipValue } from "./harness.ts";

/** What is sent on one connection, a line each, and what must come back: the texts of Redis 7. */
const conversations: [string, [string, string | RegExp][]][] = [
  ["SLOWLOG", [
    // However long the machine takes for one of these.
    ["CONFIG SET slowlog-log-slower-than 600000000", "+OK\r\n"],
    ["SLOWLOG GET -2", "-ERR count should be greater than or equal to -1\r\n"],
    ["SLOWLOG GET x", "-ERR count should be greater than or equal to -1\r\n"],
    ["SLOWLOG GET 1 2", "-ERR wrong number of arguments for 'slowlog|get' command\r\n"],
    ["SLOWLOG FOO", "-ERR unknown subcommand 'FOO'. Try SLOWLOG HELP.\r\n"],
    ["SLOWLOG LEN", ":0\r\n"],
    ["SLOWLOG GET", "*0\r\n"],
    ["SLOWLOG RESET", "+OK\r\n"],
    ["SLOWLOG HELP", /^\*9\r\n\+SLOWLOG <subcommand> .*\r\n\+GET \[count\]\r\n/],
  ]],
  ["LATENCY", [
    ["LATENCY LATEST", "*0\r\n"],
    ["LATENCY HISTORY foo", "*0\r\n"],
    ["LATENCY GRAPH foo", "-ERR No samples available for event 'foo'\r\n"],
    ["LATENCY DOCTOR", /^\$\d+\r\nLatency is not watched/],
    ["LATENCY RESET", ":0\r\n"],
    ["LATENCY RESET command x", ":0\r\n"],
    ["LATENCY HISTOGRAM set", "*0\r\n"],
    ["SET a 1", "+OK\r\n"],
    [
      "LATENCY HISTOGRAM SET",
      /^\*2\r\n\$3\r\nset\r\n\*4\r\n\$5\r\ncalls\r\n:1\r\n\$14\r\nhistogram_usec\r\n\*2\r\n:\d+\r\n:1\r\n$/,
    ],
    ["LATENCY HISTOGRAM latency", /latency\|reset/],
    ["LATENCY FOO", "-ERR unknown subcommand 'FOO'. Try LATENCY HELP.\r\n"],
  ]],
  ["ACL", [
    ["ACL WHOAMI", "$7\r\ndefault\r\n"],
    ["ACL USERS", "*1\r\n$7\r\ndefault\r\n"],
    ["ACL LIST", "*1\r\n$34\r\nuser default on nopass ~* &* +@all\r\n"],
    ["ACL GETUSER nobody", "$-1\r\n"],
    [
      "ACL GETUSER default",
      "*12\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$6\r\nnopass\r\n$9\r\npasswords\r\n*0\r\n" +
      "$8\r\ncommands\r\n$5\r\n+@all\r\n$4\r\nkeys\r\n$2\r\n~*\r\n$8\r\nchannels\r\n$2\r\n&*\r\n" +
      "$9\r\nselectors\r\n*0\r\n",
    ],
    ["ACL CAT", /^\*21\r\n\$8\r\nkeyspace\r\n/],
    ["ACL CAT transaction", /^\*\d+\r\n/],
    ["ACL CAT foo", "-ERR Unknown category 'foo'\r\n"],
    ["ACL GENPASS", /^\$64\r\n[0-9a-f]{64}\r\n$/],
    ["ACL GENPASS 5", /^\$2\r\n[0-9a-f]{2}\r\n$/],
    ["ACL GENPASS 1", /^\$1\r\n[0-9a-f]\r\n$/],
    ["ACL GENPASS 5000", /^-ERR ACL GENPASS argument must be the number of bits/],
    ["ACL GENPASS x", "-ERR value is not an integer or out of range\r\n"],
    ["ACL LOG", "*0\r\n"],
    ["ACL LOG RESET", "+OK\r\n"],
    ["ACL LOG x", "-ERR value is not an integer or out of range\r\n"],
    ["ACL DELUSER default", "-ERR The 'default' user cannot be removed\r\n"],
    ["ACL DELUSER foo", ":0\r\n"],
    ["ACL DRYRUN default get a", "+OK\r\n"],
    ["ACL DRYRUN default nope a", "-ERR Command 'nope' not found\r\n"],
    ["ACL DRYRUN nobody get a", "-ERR User 'nobody' not found\r\n"],
    ["ACL LOAD", /^-ERR This Redis instance is not configured to use an ACL file\./],
    ["ACL SAVE", /^-ERR This Redis instance is not configured to use an ACL file\./],
    ["ACL SETUSER x", /^-ERR ACL SETUSER is not supported by this server: there is one user/],
    ["ACL FOO", "-ERR unknown subcommand 'FOO'. Try ACL HELP.\r\n"],
  ]],
  ["CONFIG SET", [
    ["CONFIG SET nope 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'\r\n"],
    ["CONFIG SET slowlog-max-len", "-ERR wrong number of arguments for 'config|set' command\r\n"],
    ...([
      ["slowlog-max-len x", "argument couldn't be parsed into an integer"],
      ["slowlog-max-len 9223372036854775808", "argument couldn't be parsed into an integer"],
      ["slowlog-max-len -1", "argument must be between 0 and 9223372036854775807 inclusive"],
      [
        "slowlog-log-slower-than -5",
        "argument must be between -1 and 9223372036854775807 inclusive",
      ],
      ["timeout -1", "argument must be between 0 and 2147483647 inclusive"],
      ["notify-keyspace-events Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."],
      ["latency-tracking x", "argument must be 'yes' or 'no'"],
      [
        "maxmemory-policy foo",
        "argument(s) must be one of the following: noeviction, allkeys-lru, volatile-ttl",
      ],
      ["save x", "can't set immutable config"],
      ["slowlog-max-len 1 slowlog-max-len 2", "duplicate parameter"],
    ] as const).map(([words, reason]): [string, string] => [
      `CONFIG SET ${words}`,
      "-ERR CONFIG SET failed (possibly related to argument " +
      `'${words.split(" ")[0]}') - ${reason}\r\n`,
    ]),
    ["CONFIG SET slowlog-max-len 5 timeout x", /argument 'timeout'/],
    ["CONFIG GET slowlog-max-len", "*2\r\n$15\r\nslowlog-max-len\r\n$3\r\n128\r\n"],
    ["CONFIG SET SLOWLOG-MAX-LEN 5 timeout 7", "+OK\r\n"],
    [
      "CONFIG GET timeout slowlog-max*",
      "*4\r\n$15\r\nslowlog-max-len\r\n$1\r\n5\r\n$7\r\ntimeout\r\n$1\r\n7\r\n",
    ],
    ["CONFIG SET notify-keyspace-events KEA", "+OK\r\n"],
    ["CONFIG GET notify*", "*2\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n"],
    ["CONFIG SET notify-keyspace-events gKx", "+OK\r\n"],
    ["CONFIG GET notify*", "*2\r\n$22\r\nnotify-keyspace-events\r\n$3\r\ngxK\r\n"],
    ["CONFIG SET maxmemory-policy ALLKEYS-LRU", "+OK\r\n"],
    ["CONFIG GET maxmemory-policy", "*2\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lru\r\n"],
    ["CONFIG SET slowlog-log-slower-than 9223372036854775807", "+OK\r\n"],
    ["CONFIG GET slowlog-log*", /\$19\r\n9223372036854775807\r\n$/],
  ]],
  ["CLIENT, on others", [
    ["CLIENT PAUSE x", "-ERR timeout is not an integer or out of range\r\n"],
    ["CLIENT PAUSE -1", "-ERR timeout is negative\r\n"],
    ["CLIENT PAUSE 1 FOO", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n"],
    ["CLIENT UNBLOCK x", "-ERR value is not an integer or out of range\r\n"],
    ["CLIENT UNBLOCK 99", ":0\r\n"],
    ["CLIENT UNBLOCK 99 ERROR", ":0\r\n"],
    ["CLIENT UNBLOCK 99 FOO", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"],
    [
      "CLIENT CACHING YES",
      "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or " +
      "OPTOUT mode enabled\r\n",
    ],
  ]],
  ["what this server has none of", [
    ["ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"],
    ["WAIT 3 100000", ":0\r\n"],
    ["WAIT x 0", "-ERR value is not an integer or out of range\r\n"],
    ["WAIT 0 x", "-ERR timeout is not an integer or out of range\r\n"],
    ["WAIT 0 -1", "-ERR timeout is negative\r\n"],
    ["REPLICAOF no ONE", "+OK\r\n"],
    ["SLAVEOF NO ONE", "+OK\r\n"],
    ["REPLICAOF a 1", /^-ERR REPLICAOF is not supported/],
    ["FAILOVER", "-ERR FAILOVER requires connected replicas.\r\n"],
    ["FAILOVER ABORT", "-ERR No failover in progress.\r\n"],
    ["SAVE", /^-ERR .*no data directory/],
    ["BGSAVE SCHEDULE", /^-ERR .*no data directory/],
    ["BGREWRITEAOF", /^-ERR .*no data directory/],
    ["LASTSAVE", ":1700000000\r\n"],
    ["CLUSTER INFO", "-ERR This instance has cluster support disabled\r\n"],
    ["CLUSTER KEYSLOT a", "-ERR This instance has cluster support disabled\r\n"],
    ["CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.\r\n"],
    ["CLUSTER", "-ERR wrong number of arguments for 'cluster' command\r\n"],
    ["READONLY", "-ERR This instance has cluster support disabled\r\n"],
    ["READWRITE", "-ERR This instance has cluster support disabled\r\n"],
    ["ASKING", "-ERR This instance has cluster support disabled\r\n"],
    ["MODULE LIST", "*0\r\n"],
    ["MODULE LOAD x", /^-ERR MODULE command not allowed/],
    ["WAITAOF 0 0 0", "-ERR unknown command 'WAITAOF', with args beginning with: '0' '0' '0' \r\n"],
    ["EVAL x 0", "-ERR unknown command 'EVAL', with args beginning with: 'x' '0' \r\n"],
    ["XADD s * a b", /^-ERR unknown command 'XADD', with args beginning with: 's' '\*' /],
    ["GEOADD g 1 2 a", /^-ERR unknown command 'GEOADD'/],
  ]],
  ["SHUTDOWN, refused", [
    ["SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n"],
    ["SHUTDOWN FOO", "-ERR syntax error\r\n"],
    ["SHUTDOWN ABORT NOW", "-ERR syntax error\r\n"],
    ["SHUTDOWN SAVE NOSAVE", "-ERR syntax error\r\n"],
    ["SHUTDOWN SAVE", /^-ERR .*no data directory/],
  ]],
  ["DEBUG", [
    ["DEBUG SLEEP 0", "+OK\r\n"],
    ["DEBUG SLEEP 0.01", "+OK\r\n"],
    ["DEBUG SLEEP x", "-ERR value is not a valid float\r\n"],
    ["DEBUG SLEEP 1e9", "-ERR value is not a valid float\r\n"],
    ["DEBUG ERROR oops", "-ERR oops\r\n"],
    ['DEBUG ERROR "a\\r\\n+OK"', "-ERR a  +OK\r\n"],
    ["DEBUG PROTOCOL integer", ":12345\r\n"],
    ["DEBUG PROTOCOL nope", /^-ERR Wrong protocol type name/],
    ["DEBUG JMAP", "-ERR unknown subcommand 'JMAP'. Try DEBUG HELP.\r\n"],
  ]],
  ["LOLWUT", [
    ["LOLWUT", /^\$\d+\r\n[\s\S]*#[\s\S]*Sluice ver\. 0\.1\.0\n\r\n$/],
    ["LOLWUT VERSION 3 20", /Sluice ver\./],
    ["LOLWUT VERSION x", "-ERR value is not an integer or out of range\r\n"],
  ]],
  ["INFO", [
    ["GET a", "$-1\r\n"],
    ["INCR a b", /^-ERR wrong number/],
    ["NOPE", /^-ERR unknown command/],
    ["SET s x", "+OK\r\n"],
    ["INCR s", /^-ERR value is not an integer/],
    [
      "INFO commandstats",
      new RegExp(
        "^\\$\\d+\\r\\n# Commandstats\\r\\n" +
          "cmdstat_set:calls=1,usec=\\d+,usec_per_call=\\d+\\.\\d\\d,rejected_calls=0,failed_calls=0\\r\\n" +
          "cmdstat_get:calls=1,usec=\\d+,usec_per_call=\\d+\\.\\d\\d,rejected_calls=0,failed_calls=0\\r\\n" +
          "cmdstat_incr:calls=1,usec=\\d+,usec_per_call=\\d+\\.\\d\\d,rejected_calls=1,failed_calls=1\\r\\n" +
          "cmdstat_info:calls=1,usec=0,usec_per_call=0\\.00,rejected_calls=0,failed_calls=0\\r\\n\\r\\n$",
      ),
    ],
    ["INFO errorstats", "$37\r\n# Errorstats\r\nerrorstat_ERR:count=3\r\n\r\n"],
    ["INFO stats", /total_error_replies:3\r\n/],
    ["INFO latencystats", /latency_percentiles_usec_get:p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=/],
    ["CONFIG SET latency-tracking no", "+OK\r\n"],
    ["INFO latencystats", "$16\r\n# Latencystats\r\n\r\n"],
    ["INFO cpu", /used_cpu_sys:0\.250000\r\nused_cpu_user:1\.500000\r\n/],
    ["INFO replication", /role:master\r\nconnected_slaves:0\r\n/],
    ["INFO modules cluster", /^\$\d+\r\n# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n$/],
    ["CONFIG RESETSTAT", "+OK\r\n"],
    ["INFO errorstats", "$14\r\n# Errorstats\r\n\r\n"],
    ["INFO commandstats", /^\$\d+\r\n# Commandstats\r\ncmdstat_info:calls=2,/],
  ]],
];

for (const [name, exchanges] of conversations) {
  Deno.test(`administration: ${name}`, async () => {
    const client = new Harness().connect();
    for (const [line, expected] of exchanges) {
      const reply = await settled(client.send(`${line}\r\n`));
      if (typeof expected === "string") assert.equal(reply, expected, line);
      else assert.match(reply, expected, line);
    }
  });
}

for (const version of [2, 3]) {
  Deno.test(`administration: long replies are exactly one value in RESP${version}`, async () => {
    const client = new Harness().connect();
    await client.send(`HELLO ${version}\r\nCONFIG SET slowlog-log-slower-than 0\r\nSET a 1\r\n`);
    const lines = [
      ...["SLOWLOG GET -1", "SLOWLOG HELP", "LATENCY HISTOGRAM", "LATENCY HELP", "LATENCY DOCTOR"],
      ...["ACL GETUSER default", "ACL CAT", "ACL HELP", "LOLWUT", "ROLE", "INFO everything"],
      ...["MODULE HELP", "CLUSTER HELP", "DEBUG HELP", "DEBUG PROTOCOL map", "CONFIG GET *"],
    ];
    for (const line of lines) {
      const reply = await settled(client.send(`${line}\r\n`));
      assert.equal(skipValue(reply, 0), reply.length, line);
    }
  });
}

Deno.test("SHUTDOWN: asks for the stop and closes without a reply", async () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(await client.send("SHUTDOWN NOSAVE NOW FORCE\r\nPING\r\n"), "");
  assert.equal(client.closed, true);
  assert.equal(harness.stopWishCount, 1);
});

Deno.test("DEBUG SLEEP: only its own connection waits", async () => {
  const harness = new Harness();
  const sleeper = harness.connect();
  let isOver = false;
  const reply = sleeper.send("PING\r\nDEBUG SLEEP 0.2\r\nPING\r\n").then((text) => {
    isOver = true;
    return text;
  });
  assert.equal(await harness.ask("PING\r\n"), "+PONG\r\n");
  assert.equal(isOver, false);
  assert.equal(await settled(reply), "+PONG\r\n+OK\r\n+PONG\r\n");
});

Deno.test("DEBUG SLEEP: ends when the server stops", async () => {
  const harness = new Harness();
  const reply = harness.connect().send("DEBUG SLEEP 3000\r\n");
  await pause(5);
  harness.phase.stopping = true;
  assert.equal(await settled(reply), "+OK\r\n");
});

Deno.test("CLIENT UNBLOCK: ends the wait of a client that has one", async () => {
  const harness = new Harness();
  const blocked = harness.connect();
  const wishes: boolean[] = [];
  blocked.session.client.unblock = (withError) => wishes.push(withError) > 0;
  assert.equal(
    await settled(harness.ask("CLIENT UNBLOCK 1 ERROR\r\nCLIENT UNBLOCK 1\r\n")),
    ":1\r\n:1\r\n",
  );
  assert.deepEqual(wishes, [true, false]);
  assert.match(await harness.ask("CLIENT LIST ID 1\r\n"), /flags=b /);
});

Deno.test("commandstats: a command that is tried again behind the replies before it counts once", async () => {
  const harness = new Harness();
  await settled(harness.ask("PING\r\nCLIENT LIST\r\n"));
  const row = harness.services.table.named("client|list");
  const [numbers] = harness.operations.stats.numbers().filter((one) => one.row === row);
  assert.equal(numbers?.calls, 1);
});

Deno.test("limits: more arguments or longer ones than the protocol has are refused as in Redis", async () => {
  for (
    const [request, text] of [
      ["*1048577\r\n", "invalid multibulk length"],
      ["*1\r\n$536870913\r\n", "invalid bulk length"],
      ["*1\r\n$-1\r\n", "invalid bulk length"],
      ["*1\r\n+PING\r\n", "expected '$', got '+'"],
      [`${"x".repeat(66000)}`, "too big inline request"],
    ]
  ) {
    const client = new Harness().connect(131072);
    const reply = await client.send(latin1(request!));
    assert.equal(reply, `-ERR Protocol error: ${text}\r\n`, request!.slice(0, 20));
    assert.equal(client.closed, true);
  }
});
