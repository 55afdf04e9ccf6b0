import assert from "node:assert/strict";
import { CommandArguments } from "../../../src/command/arguments.ts";
import { PUSHED_BYTES_MAX } from "../../../src/command/client_state.ts";
import { CommandStats, percentileMicros } from "../../../src/command/command_stats.ts";
import { LatencyLog, mergeLatency } from "../../../src/command/latency_log.ts";
import { OperationsRegion } from "../../../src/command/operations_memory.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import type { ThreadCircle } from "../../../src/command/thread_circle.ts";
import { Harness, pause, request, settled } from "./harness.ts";

/** Two threads of one server: what they share, and questions that reach both. */
function twoThreads(): [Harness, Harness] {
  const region = OperationsRegion.create(2);
  const answerers = new Map<string, ((question: unknown) => unknown)[]>();
  const circle: ThreadCircle = {
    answer: (topic, answerer) => answerers.set(topic, [...answerers.get(topic) ?? [], answerer]),
    ask: (topic, question) =>
      Promise.resolve({ answers: answerers.get(topic)!.map((answerer) => answerer(question)) }),
  };
  const threads = [0, 1].map((blockIndex) => new Harness({ region, blockIndex, circle }));
  const [first, second] = threads as [Harness, Harness];
  first.operations.settings.begin();
  first.operations.monitors.post = (line) => (second.operations.monitors.receive(line), true);
  second.operations.monitors.post = (line) => (first.operations.monitors.receive(line), true);
  return [first, second];
}

Deno.test("SLOWLOG: shows the slow commands of every thread, newest first, up to its length", async () => {
  const [first, second] = twoThreads();
  await first.ask("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3\r\nSLOWLOG RESET\r\n");
  await first.ask("SET one 1\r\n");
  await second.ask("SET two 2\r\n");
  await first.ask("CONFIG SET slowlog-log-slower-than -1\r\n");
  await first.ask("SET three 3\r\n");
  // What turned it off was itself still watched while it began.
  const reply = await settled(second.ask("SLOWLOG GET -1\r\n"));
  const keys = [...reply.matchAll(/\$3\r\nSET\r\n\$\d\r\n(\w+)/g)].map(([, key]) => key);
  assert.deepEqual(keys, ["two", "one"]);
  assert.equal(await settled(first.ask("SLOWLOG LEN\r\n")), ":3\r\n");
  assert.match(
    await settled(first.ask("SLOWLOG GET 1\r\n")),
    /^\*1\r\n\*6\r\n:\d+\r\n:1700000000\r\n:\d+\r\n/,
  );
  assert.equal(await settled(second.ask("SLOWLOG RESET\r\nSLOWLOG LEN\r\n")), "+OK\r\n:0\r\n");
});

Deno.test("SLOWLOG: cuts long and many arguments, and never has a password", async () => {
  const harness = new Harness({ password: "sesame" });
  const client = harness.connect();
  await client.send("AUTH sesame\r\nHELLO 2 AUTH default sesame\r\n");
  await client.send("CONFIG SET slowlog-log-slower-than 0\r\n");
  await client.send("AUTH sesame\r\nHELLO 2 AUTH default sesame\r\n");
  await client.send(request("SET", "k", "v".repeat(200)));
  await client.send(request("DEL", ...Array.from({ length: 40 }, (_, i) => `k${i}`)));
  const reply = await settled(client.send("SLOWLOG GET -1\r\n"));
  assert.doesNotMatch(reply, /sesame/);
  assert.ok(reply.includes(`${"v".repeat(128)}... (72 more bytes)\r\n`));
  assert.ok(reply.includes("*32\r\n$3\r\nDEL\r\n"));
  assert.ok(reply.includes("k29\r\n$23\r\n... (10 more arguments)\r\n"));
});

Deno.test("SLOWLOG and LATENCY: a command that took long is there, whatever its usual cost", async () => {
  const harness = new Harness();
  await harness.ask("CONFIG SET latency-monitor-threshold 20\r\n");
  await settled(harness.ask("DEBUG SLEEP 0.03\r\n"));
  assert.match(await settled(harness.ask("SLOWLOG GET\r\n")), /\$5\r\nDEBUG\r\n\$5\r\nSLEEP\r\n/);
  assert.match(
    await settled(harness.ask("LATENCY LATEST\r\n")),
    /^\*1\r\n\*4\r\n\$7\r\ncommand\r\n:1700000000\r\n:\d\d+\r\n:\d\d+\r\n$/,
  );
  assert.match(
    await settled(harness.ask("LATENCY HISTORY command\r\n")),
    /^\*1\r\n\*2\r\n:1700000000/,
  );
  assert.match(await settled(harness.ask("LATENCY GRAPH command\r\n")), /command - high \d+ ms/);
  assert.match(await settled(harness.ask("LATENCY DOCTOR\r\n")), /command: 1 samples/);
  assert.equal(await settled(harness.ask("LATENCY RESET\r\nLATENCY LATEST\r\n")), ":1\r\n*0\r\n");
});

Deno.test("commandstats: are summed over threads, and RESETSTAT on one hides them on all", async () => {
  const [first, second] = twoThreads();
  await first.ask("GET a\r\nGET a\r\n");
  await second.ask("GET a\r\n");
  assert.match(await first.ask("INFO commandstats\r\n"), /cmdstat_get:calls=3,/);
  assert.match(await second.ask("INFO commandstats\r\n"), /cmdstat_get:calls=3,/);
  await second.ask("CONFIG RESETSTAT\r\n");
  assert.doesNotMatch(await first.ask("INFO commandstats\r\n"), /cmdstat_get/);
  await first.ask("GET a\r\n");
  assert.match(await second.ask("INFO commandstats\r\n"), /cmdstat_get:calls=1,/);
});

Deno.test("CONFIG SET: holds on every thread at once", async () => {
  const [first, second] = twoThreads();
  await first.ask("CONFIG SET timeout 9\r\n");
  assert.equal(await second.ask("CONFIG GET timeout\r\n"), "*2\r\n$7\r\ntimeout\r\n$1\r\n9\r\n");
});

Deno.test("MONITOR: sees the commands of every thread, but no administration and no password", async () => {
  const [first, second] = twoThreads();
  const monitor = first.connect();
  assert.equal(await monitor.send("MONITOR\r\n"), "+OK\r\n");
  await first.connect().send("SELECT 3\r\n");
  await second.connect().send(request("SET", 'a"\\\r\n\x01', "b"));
  await second.ask(
    "AUTH secret\r\nHELLO 3 AUTH default secret\r\nCONFIG GET save\r\nNOPE\r\nGET\r\n",
  );
  const lines = monitor.pushedText.split("\r\n");
  assert.deepEqual(lines.map((line) => line.replace(/127.0.0.1:\d+/, "peer")), [
    '+1700000000.000000 [0 peer] "SELECT" "3"',
    '+1700000000.000000 [0 peer] "SET" "a\\"\\\\\\r\\n\\x01" "b"',
    '+1700000000.000000 [0 peer] "AUTH" "(redacted)"',
    '+1700000000.000000 [0 peer] "HELLO" "3" "AUTH" "(redacted)" "(redacted)"',
    "",
  ]);
});

Deno.test("MONITOR: RESET and the end of the connection end it, and nothing is shown then", async () => {
  const harness = new Harness();
  const monitor = harness.connect();
  const other = harness.connect();
  await monitor.send("MONITOR\r\nMONITOR\r\n");
  await other.send("MONITOR\r\n");
  assert.match(await harness.ask("CLIENT LIST ID 1\r\n"), /flags=O /);
  assert.equal(await monitor.send("RESET\r\n"), "+RESET\r\n");
  const before = monitor.pushedText;
  await harness.ask("PING\r\n");
  assert.equal(monitor.pushedText, before);
  assert.equal(harness.operations.monitors.isWatched, true);
  other.session.close();
  assert.equal(harness.operations.monitors.isWatched, false);
});

Deno.test("MONITOR: who does not read, or missed a line, is cut off", async () => {
  const [first, second] = twoThreads();
  const slow = first.connect();
  const quick = first.connect();
  await slow.send("MONITOR\r\n");
  await quick.send("MONITOR\r\n");
  slow.pushed.copy(new Uint8Array(PUSHED_BYTES_MAX - 100));
  for (let i = 0; i < 5; i++) await first.ask("PING\r\n");
  assert.equal(slow.endCount, 1);
  assert.equal(quick.endCount, 0);
  second.operations.monitors.post = () => false;
  await second.ask("PING\r\n");
  await first.ask("PING\r\n");
  assert.equal(quick.endCount, 1);
  assert.equal(first.operations.monitors.isWatched, false);
});

Deno.test("MONITOR: long arguments are cut in the line", async () => {
  const harness = new Harness();
  const monitor = harness.connect();
  await monitor.send("MONITOR\r\n");
  await harness.ask(request("ECHO", "x".repeat(10_000)));
  assert.match(monitor.pushedText, /x"\.\.\. \(5904 more bytes\)\r\n$/);
});

Deno.test("CLIENT PAUSE: commands of every thread wait and run when it ends, none is lost", async () => {
  const [first, second] = twoThreads();
  await first.ask("CLIENT PAUSE 1000\r\n");
  const replies = [first, second].map((thread) => thread.ask("PING\r\nPING\r\nNOPE\r\n"));
  await pause(30);
  assert.equal(first.counters.values[6], 2);
  // The clock decides, not the timer.
  first.nowMs += 1001;
  second.nowMs += 1001;
  for (const reply of replies) {
    assert.match(await settled(reply), /^\+PONG\r\n\+PONG\r\n-ERR unknown/);
  }
});

Deno.test("CLIENT PAUSE WRITE: only commands that write wait, UNPAUSE ends it", async () => {
  const harness = new Harness();
  await harness.ask("CLIENT PAUSE 1000 WRITE\r\n");
  assert.equal(await harness.ask("GET a\r\n"), "$-1\r\n");
  const client = harness.connect();
  const set = client.send("GET a\r\nSET a 1\r\n");
  const event = harness.ask("EVENT alice buy 1\r\n");
  await pause(30);
  assert.equal(client.flushCount, 1, "the reply in front is not held back");
  assert.equal(harness.channel.depth, 0);
  assert.equal(await harness.ask("GET a\r\nCLIENT UNPAUSE\r\n"), "$-1\r\n+OK\r\n");
  assert.equal(await settled(set), "$-1\r\n+OK\r\n");
  assert.equal(await settled(event), "+ACCEPTED\r\n");
});

Deno.test("CLIENT PAUSE: another pause makes it longer and stricter, never the reverse", async () => {
  const harness = new Harness();
  await harness.ask("CLIENT PAUSE 1000\r\nCLIENT PAUSE 10 WRITE\r\n");
  const { pause: gate } = harness.operations;
  const ping = harness.services.table.named("ping");
  harness.nowMs += 500;
  assert.equal(gate.holds(ping), true);
  harness.nowMs += 501;
  assert.equal(gate.holds(ping), false);
  assert.equal(gate.mayHold, false, "commands are fast again");
  await harness.ask("CLIENT PAUSE 10 WRITE\r\n");
  assert.equal(gate.holds(ping), false, "what was before is over");
  assert.equal(gate.holds(harness.services.table.named("set")), true);
});

Deno.test("CLIENT PAUSE: a stop of the server and the end of the client end the wait", async () => {
  const harness = new Harness();
  await harness.ask("CLIENT PAUSE 1000000\r\n");
  const killed = harness.connect();
  const lost = killed.send("SET a 1\r\n");
  const refused = harness.connect().send("SET b 1\r\n");
  await pause(5);
  killed.session.client.end();
  assert.equal(await settled(lost), "");
  harness.phase.stopping = true;
  assert.equal(await settled(refused), "-ERR server is shutting down\r\n");
});

Deno.test("CommandStats: what was measured counts for as many calls as it stands for", () => {
  const table = makeCommandTable();
  const stats = new CommandStats(OperationsRegion.create(1), 0, table);
  const row = table.named("get")!;
  for (let i = 0; i < 100; i++) stats.countCall(row);
  for (const micros of [0, 1, 2, 3]) stats.measured(row, micros, 1);
  stats.measured(row, 100, 64);
  const [numbers] = stats.numbers();
  assert.equal(numbers!.calls, 100);
  assert.equal(numbers!.micros, 6 + 6400);
  assert.equal(percentileMicros(numbers!.buckets, 0.03), 2);
  assert.equal(percentileMicros(numbers!.buckets, 0.99), 128);
  stats.measured(row, 1e12, 1);
  assert.equal(percentileMicros(stats.numbers()[0]!.buckets, 1), 2 ** 26);
});

Deno.test("Operations: a pop is measured now and then, with a count each time", () => {
  const { operations } = new Harness();
  const row = makeCommandTable().named("rpop")!;
  row.statisticsAt = 1;
  const args = new CommandArguments();
  const measuredOf = (argumentCount: number) => {
    args.reset(new Uint8Array(8));
    for (let i = 0; i < argumentCount; i++) args.push(i, i + 1);
    let measured = 0;
    for (let i = 0; i < 1024; i++) if (operations.begin(row, args) !== 0) measured++;
    return measured;
  };
  measuredOf(2);
  assert.ok(measuredOf(2) < 256);
  assert.equal(measuredOf(3), 1024);
});

Deno.test("LatencyLog: keeps the worst of each second, and threads are merged alike", () => {
  const logs = [new LatencyLog(), new LatencyLog()];
  logs[0]!.add("command", 10, 5);
  logs[0]!.add("command", 10, 9);
  logs[0]!.add("command", 10, 7);
  logs[1]!.add("command", 10, 11);
  logs[1]!.add("command", 9, 1);
  for (let i = 0; i < 200; i++) logs[1]!.add("fast-command", i, i);
  assert.deepEqual(logs[0]!.all(), [
    { event: "command", samples: [{ atSeconds: 10, latencyMs: 9 }], maxMs: 9 },
  ]);
  const merged = mergeLatency(logs.flatMap((log) => log.all()));
  assert.deepEqual(merged[0], {
    event: "command",
    samples: [{ atSeconds: 9, latencyMs: 1 }, { atSeconds: 10, latencyMs: 11 }],
    maxMs: 11,
  });
  assert.equal(merged[1]!.samples.length, 160);
  assert.deepEqual(logs[1]!.reset(["command", "nothing"]), ["command"]);
});
