import assert from "node:assert/strict";
import { JobView } from "../../../src/base/job.ts";
import { Int64 } from "../../../src/base/int64.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Key } from "../../../src/store/key.ts";
import { Count, FakeChannel, Harness, latin1, request, skipValue } from "./harness.ts";

const COMMAND_COUNT = makeCommandTable().rows.length;

/** Exchanges on one connection each: what is sent (a line) and what must come back. */
const conversations: [string, [string, string | RegExp][]][] = [
  ["PING and ECHO", [
    ["PING", "+PONG\r\n"],
    ["PING hello", "$5\r\nhello\r\n"],
    ["PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"],
    ["ECHO hello", "$5\r\nhello\r\n"],
  ]],
  ["SELECT", [
    ["SELECT 15", "+OK\r\n"],
    ["SELECT 16", "-ERR DB index is out of range\r\n"],
    ["SELECT -1", "-ERR DB index is out of range\r\n"],
    ["SELECT 2147483647", "-ERR DB index is out of range\r\n"],
    ["SELECT -2147483648", "-ERR DB index is out of range\r\n"],
    [
      "SELECT 2147483648",
      "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
    ],
    ["SELECT x", "-ERR value is not an integer or out of range\r\n"],
  ]],
  ["HELLO refuses what it cannot do and changes nothing", [
    ["HELLO 4", "-NOPROTO unsupported protocol version\r\n"],
    ["HELLO 1", "-NOPROTO unsupported protocol version\r\n"],
    ["HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"],
    ["HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"],
    ["HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n"],
    ["HELLO 3 AUTH a b", /^-WRONGPASS /],
    ["HELLO 3 SETNAME x FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"],
    ['HELLO 3 "a\\r\\nb"', "-ERR Syntax error in HELLO option 'a  b'\r\n"],
    ['HELLO 3 SETNAME "a b"', /^-ERR Client names cannot contain spaces/],
    ["CLIENT GETNAME", "$-1\r\n"],
    ["GET missing", "$-1\r\n"],
  ]],
  ["HELLO changes the version, both ways", [
    ["HELLO 3 SETNAME me", /^%7\r\n\$6\r\nserver\r\n\$6\r\nsluice\r\n.*proto\r\n:3\r\n/s],
    ["GET missing", "_\r\n"],
    ["CLIENT GETNAME", "$2\r\nme\r\n"],
    ["HELLO", /^%7\r\n/],
    ["HELLO 2", /^\*14\r\n.*proto\r\n:2\r\n/s],
    ["GET missing", "$-1\r\n"],
  ]],
  ["DEL, EXISTS and DBSIZE", [
    ["SET a 1", "+OK\r\n"],
    ["SET b 2", "+OK\r\n"],
    ["EXISTS a a b c", ":3\r\n"],
    ["DEL a a c", ":1\r\n"],
    ["DBSIZE", ":1\r\n"],
    ["DEL b", ":1\r\n"],
    ["EXISTS b", ":0\r\n"],
  ]],
  ["INFO", [
    ["INFO", /^\$\d+\r\n# Server\r\n.*\r\n\r\n# Keyspace\r\n/s],
    ["SET a 1", "+OK\r\n"],
    ["INFO keyspace", /^\$\d+\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\r\n$/],
    ["INFO MEMORY clients", /# Clients\r\n.*# Memory\r\n.*maxmemory:8388608\r\n/s],
    ["INFO nothing", "$0\r\n\r\n"],
    ["INFO all", /# Events\r\nevents_received:0\r\n/],
  ]],
  ["CONFIG", [
    ["CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"],
    ["CONFIG GET APPENDONLY", "*2\r\n$10\r\nAPPENDONLY\r\n$2\r\nno\r\n"],
    ["CONFIG GET nothing", "*0\r\n"],
    ["CONFIG GET maxmem* save", /^\*6\r\n/],
    [
      "CONFIG SET maxmemory 1",
      "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable config\r\n",
    ],
    ["CONFIG SET nope 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'\r\n"],
    ["CONFIG REWRITE", "-ERR The server is running without a config file\r\n"],
    ["CONFIG RESETSTAT", "+OK\r\n"],
    ["CONFIG GET requirepass", "*2\r\n$11\r\nrequirepass\r\n$0\r\n\r\n"],
    [
      `CONFIG GET${" *".repeat(129)}`,
      "-ERR wrong number of arguments for 'config|get' command\r\n",
    ],
    ["CONFIG SET save 1 x", "-ERR wrong number of arguments for 'config|set' command\r\n"],
    ['CONFIG SET "a\\r\\n+OK" 1', /^-ERR Unknown option [^\r\n]*\r\n$/],
    ["CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"],
    ["CONFIG", "-ERR wrong number of arguments for 'config' command\r\n"],
  ]],
  ["CLIENT", [
    ["CLIENT ID", ":1\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
    ["CLIENT SETNAME me", "+OK\r\n"],
    ["CLIENT GETNAME", "$2\r\nme\r\n"],
    ['CLIENT SETNAME "a b"', /^-ERR Client names cannot contain spaces/],
    [`CLIENT SETNAME ${"n".repeat(257)}`, /^-ERR Client names/],
    ['CLIENT SETNAME ""', "+OK\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
    ["CLIENT SETINFO lib-name deno", "+OK\r\n"],
    ["CLIENT SETINFO LIB-VER 1.2", "+OK\r\n"],
    ["CLIENT SETINFO LIB-X 1", /^-ERR Unrecognized option/],
    ['CLIENT SETINFO LIB-VER "a b"', /^-ERR lib-ver cannot contain/],
    ["CLIENT NO-EVICT on", "+OK\r\n"],
    ["CLIENT NO-TOUCH on", "+OK\r\n"],
    ["CLIENT NO-TOUCH maybe", "-ERR syntax error\r\n"],
    ["CLIENT NO-EVICT maybe", "-ERR syntax error\r\n"],
    ["CLIENT REPLY X", "-ERR syntax error\r\n"],
    [
      "CLIENT INFO",
      /id=1 addr=127\.0\.0\.1:50000 .*flags=eT db=0 .*resp=2 lib-name=deno lib-ver=1\.2\n\r\n$/,
    ],
    ["CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"],
    ["CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"],
    ["CLIENT HELP", /^\*37\r\n\+CLIENT <subcommand>/],
    ["CLIENT GETREDIR", ":-1\r\n"],
    ["CLIENT TRACKING off", "+OK\r\n"],
    ["CLIENT TRACKING on", "-ERR CLIENT TRACKING is not supported by this server\r\n"],
    ["CLIENT TRACKING maybe", "-ERR syntax error\r\n"],
    [
      "CLIENT TRACKINGINFO",
      "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n",
    ],
    ["CLIENT PAUSE 0", "+OK\r\n"],
    ["CLIENT UNPAUSE", "+OK\r\n"],
  ]],
  ["COMMAND", [
    ["COMMAND COUNT", `:${COMMAND_COUNT}\r\n`],
    ["COMMAND", new RegExp(`^\\*${COMMAND_COUNT}\r\n\\*10\r\n\\$4\r\nping\r\n:-1\r\n`)],
    [
      "COMMAND INFO get nope",
      "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n" +
      "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n" +
      "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n" +
      "$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n" +
      "$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n",
    ],
    [
      "COMMAND INFO del",
      /^\*1\r\n\*10\r\n\$3\r\ndel\r\n:-2\r\n\*1\r\n\+write\r\n:1\r\n:-1\r\n:1\r\n/,
    ],
    ["COMMAND INFO client|id", /^\*1\r\n\*10\r\n\$9\r\nclient\|id\r\n:2\r\n/],
    [
      "COMMAND INFO balance",
      /^\*1\r\n\*10\r\n\$7\r\nbalance\r\n:2\r\n\*2\r\n[^:]*:0\r\n:0\r\n:0\r\n/,
    ],
    ["COMMAND GETKEYS set a b", "*1\r\n$1\r\na\r\n"],
    ["COMMAND GETKEYS del a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"],
    ["COMMAND GETKEYS ping x", "-ERR The command has no key arguments\r\n"],
    ["COMMAND GETKEYS client id", "-ERR The command has no key arguments\r\n"],
    ["COMMAND GETKEYS nope a", "-ERR Invalid command specified\r\n"],
    ["COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command\r\n"],
    ["COMMAND DOCS get nope", /^\*2\r\n\$3\r\nget\r\n\*10\r\n\$7\r\nsummary\r\n/],
    ["COMMAND DOCS config", /subcommands\r\n\*10\r\n\$10\r\nconfig\|get\r\n/],
    ["COMMAND LIST", /\r\nget\r\n(.*\r\n)*.*\r\nclient\|list\r\n/],
    [
      "COMMAND LIST FILTERBY PATTERN incr*",
      "*3\r\n$4\r\nincr\r\n$6\r\nincrby\r\n$11\r\nincrbyfloat\r\n",
    ],
    ["COMMAND LIST FILTERBY ACLCAT keyspace", /^\*\d+\r\n\$3\r\ndel\r\n\$6\r\nunlink\r\n/],
    ["COMMAND LIST FILTERBY MODULE x", "*0\r\n"],
    [
      `COMMAND INFO${" get".repeat(1025)}`,
      "-ERR wrong number of arguments for 'command|info' command\r\n",
    ],
    ["COMMAND LIST x", "-ERR syntax error\r\n"],
    ["COMMAND LIST FILTERBY X y", "-ERR syntax error\r\n"],
    ["COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"],
  ]],
];

for (const [name, exchanges] of conversations) {
  Deno.test(`handlers: ${name}`, async () => {
    const client = new Harness().connect();
    for (const [line, expected] of exchanges) {
      const reply = await client.send(`${line}\r\n`);
      if (typeof expected === "string") assert.equal(reply, expected, line);
      else assert.match(reply, expected, line);
    }
  });
}

for (const version of [2, 3]) {
  Deno.test(`handlers: long replies are exactly one value in RESP${version}`, async () => {
    const client = new Harness().connect();
    await client.send(`HELLO ${version}\r\n`);
    for (
      const line of [
        "HELLO",
        "INFO",
        "COMMAND",
        "COMMAND DOCS",
        "COMMAND LIST",
        "COMMAND INFO",
        "COMMAND HELP",
        "CONFIG GET *",
        "CONFIG HELP",
        "CLIENT INFO",
        "CLIENT LIST",
        "CLIENT TRACKINGINFO",
        "CLIENT HELP",
      ]
    ) {
      const reply = await client.send(`${line}\r\n`);
      assert.equal(skipValue(reply, 0), reply.length, line);
    }
  });
}

Deno.test("EVENT: offers what was sent", async () => {
  const harness = new Harness();
  assert.equal(
    await harness.ask("EVENT alice buy -9223372036854775808 id order-7\r\nEVENT bob sell 5\r\n"),
    "+ACCEPTED\r\n+ACCEPTED\r\n",
  );
  const [first, second] = harness.channel.jobs.map((job) => {
    const view = new JobView().attach(job, 0, job.length);
    const text = (start: number, end: number) => String.fromCharCode(...job.subarray(start, end));
    return [
      text(view.userStart, view.userEnd),
      text(view.actionStart, view.actionEnd),
      text(view.idStart, view.idEnd),
      view.amount.toString(),
      view.acceptedAtMs,
    ];
  });
  assert.deepEqual(first, ["alice", "buy", "order-7", "-9223372036854775808", harness.nowMs]);
  assert.deepEqual(second, ["bob", "sell", "", "5", harness.nowMs]);
  assert.equal(harness.counters.values[Count.INVALID], 0);
});

const invalidEvents: [string, string][] = [
  [request("EVENT", "", "b", "1"), "invalid event: user must be 1 to 128 bytes"],
  [request("EVENT", "u".repeat(129), "b", "1"), "invalid event: user must be 1 to 128 bytes"],
  [
    request("EVENT", "a\xff", "b", "1"),
    "invalid event: user must be UTF-8 without control characters",
  ],
  [request("EVENT", "a", "b".repeat(65), "1"), "invalid event: action must be 1 to 64 bytes"],
  [request("EVENT", "a", "b", "1", "ID", ""), "invalid event: id must be 1 to 64 bytes"],
  [
    request("EVENT", "a", "b", "1.0"),
    "invalid event: amount must be an integer from -9223372036854775808 to 9223372036854775807",
  ],
  [
    request("EVENT", "a", "b", "9223372036854775808"),
    "invalid event: amount must be an integer from -9223372036854775808 to 9223372036854775807",
  ],
  ...[
    ["ID"],
    ["WAIT"],
    ["NOW", "1"],
    ["ID", "x", "WAIT"],
    ["ID", "x", "ID", "y"],
    ["WAIT", "0", "WAIT", "0"],
  ].map((options): [string, string] => [
    request("EVENT", "a", "b", "1", ...options),
    "syntax error, expected EVENT user action amount [ID id] [WAIT ms]",
  ]),
  [request("EVENT", "a", "b", "1", "WAIT", "-1"), "timeout is negative"],
  [request("EVENT", "a", "b", "1", "WAIT", "60001"), "timeout is out of range"],
  [
    request("EVENT", "a", "b", "1", "WAIT", "1.5"),
    "timeout is not an integer or out of range",
  ],
  [
    request("EVENT", "a", "b", "1", "WAIT", "9223372036854775808"),
    "timeout is not an integer or out of range",
  ],
];

for (const [text, refusal] of invalidEvents) {
  Deno.test(`EVENT: refuses ${JSON.stringify(text.slice(0, 60))}`, async () => {
    const harness = new Harness();
    assert.equal(await harness.ask(text), `-ERR ${refusal}\r\n`);
    assert.equal(harness.channel.depth, 0);
    assert.equal(harness.counters.values[Count.INVALID], 1);
    assert.equal(harness.counters.values[Count.RECEIVED], 0);
  });
}

Deno.test("EVENT: says when the channel is full, when memory is short and when the server stops", async () => {
  let settled = 0;
  const full = new Harness({ channel: new FakeChannel(1), settledTotal: () => settled });
  const event = "EVENT alice buy 1\r\n";
  assert.equal(
    await full.ask(event + event),
    "+ACCEPTED\r\n-BUSY channel is full, retry in 1000 ms\r\n",
  );
  settled = 10;
  full.nowMs += 100;
  assert.equal(await full.ask(event), "-BUSY channel is full, retry in 10 ms\r\n");
  const poor = new Harness({ hasCredits: () => false });
  assert.equal(
    await poor.ask(event),
    "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
  );
  const closed = new Harness();
  closed.channel.closed = true;
  assert.equal(await closed.ask(event), "-ERR server is shutting down\r\n");
});

Deno.test("BALANCE: reads the user's key in database 0 from every database", async () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(await client.send("BALANCE alice\r\n"), "$-1\r\n");
  const bytes = latin1("balance:alice");
  const key = new Key().set(bytes, 0, bytes.length);
  harness.store.locate(key);
  harness.store.addInteger(0, key, Int64.fromNumber(-250), new Int64());
  assert.equal(await client.send("SELECT 3\r\nBALANCE alice\r\n"), "+OK\r\n:-250\r\n");
  assert.equal(
    await client.send(
      "SELECT 0\r\nGET balance:alice\r\nINCRBY balance:alice 50\r\nBALANCE alice\r\n",
    ),
    "+OK\r\n$4\r\n-250\r\n:-200\r\n:-200\r\n",
  );
  assert.equal(
    await client.send("SET balance:bob x\r\nBALANCE bob\r\n"),
    "+OK\r\n-ERR value is not an integer or out of range\r\n",
  );
  assert.equal(await client.send(request("BALANCE", "u".repeat(1000))), "$-1\r\n");
});
