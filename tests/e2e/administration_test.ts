import assert from "node:assert/strict";
import { readMetrics } from "../helpers/metrics.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";

const THREADS = ["--io-threads", "2"];

/** Connections enough that both threads have some. */
const CLIENT_COUNT = 20;

/** Many connections; closed with the stack. */
async function connectMany(server: ServerProcess, stack: DisposableStack): Promise<RawClient[]> {
  const port = server.port("resp");
  const clients = await Promise.all(
    Array.from({ length: CLIENT_COUNT }, () => RawClient.connect(port)),
  );
  for (const client of clients) stack.use(client);
  return clients;
}

/** Sends a command and returns the bulk string that it is answered with. */
async function askText(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  const length = Number((await client.readUntil("\r\n")).slice(1));
  return (await client.read(length + 2)).slice(0, length);
}

/** Sends a command and returns the first line of the answer. */
async function askLine(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  return await client.readUntil("\r\n");
}

Deno.test("administration: CLIENT PAUSE holds up the clients of every thread, and loses nothing", async () => {
  await using server = await ServerProcess.start(THREADS);
  using stack = new DisposableStack();
  const [boss, ...clients] = await connectMany(server, stack);
  assert.equal(await askLine(boss!, "CLIENT", "PAUSE", "60000", "WRITE"), "+OK\r\n");
  for (const client of clients) await client.send(respCommand("INCR", "n") + respCommand("PING"));
  assert.equal(await askLine(boss!, "GET", "n"), "$-1\r\n");
  assert.equal(await askLine(boss!, "CLIENT", "UNPAUSE"), "+OK\r\n");
  for (const client of clients) {
    assert.match(await client.readUntil("\r\n"), /^:\d+\r\n$/);
    assert.equal(await client.readUntil("\r\n"), "+PONG\r\n");
  }
  assert.equal(await askText(boss!, "GET", "n"), String(clients.length));
  assert.equal(await askLine(boss!, "CLIENT", "PAUSE", "100"), "+OK\r\n");
  for (const client of clients) assert.equal(await askLine(client, "PING"), "+PONG\r\n");
});

Deno.test("administration: a stop does not wait for the end of a pause", async () => {
  await using server = await ServerProcess.start(THREADS);
  using stack = new DisposableStack();
  const [boss, client] = await connectMany(server, stack);
  await askLine(boss!, "CLIENT", "PAUSE", "3600000");
  await client!.send(respCommand("PING"));
  await boss!.send(respCommand("SHUTDOWN", "NOSAVE"));
  assert.match(await client!.readToEnd(), /^(-ERR server is shutting down\r\n)?$/);
  const { code } = await server.waitForEnd();
  assert.equal(code, 0);
  assert.equal(server.linesOf("stop_requested").length, 1);
});

for (const ioThreads of ["1", "2"]) {
  Deno.test(`administration: MONITOR shows what every thread runs (${ioThreads})`, async () => {
    await using server = await ServerProcess.start(["--io-threads", ioThreads]);
    using stack = new DisposableStack();
    const [monitor, idle, ...clients] = await connectMany(server, stack);
    assert.equal(await askLine(monitor!, "MONITOR"), "+OK\r\n");
    await Promise.all(clients.map((client, i) => askLine(client, "ECHO", `hello ${i}`)));
    const seen = new Set<string>();
    while (seen.size < clients.length) {
      const line = await monitor!.readUntil("\r\n");
      const found = /^\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "ECHO" "(hello \d+)"\r\n$/.exec(line);
      assert.ok(found, line);
      seen.add(found[1]!);
    }
    // A monitor still gets its own replies, and lines only between them.
    await monitor!.send(respCommand("ECHO", "own"));
    assert.match(await monitor!.readUntil("own\r\n"), /^(\+.*\r\n)?\$3\r\nown\r\n$/);
    assert.equal(await askLine(idle!, "PING"), "+PONG\r\n");
  });
}

Deno.test("administration: a monitor that does not read is cut off, and nobody else notices", async () => {
  await using server = await ServerProcess.start(THREADS);
  using stack = new DisposableStack();
  const [monitor, client, ...others] = await connectMany(server, stack);
  await askLine(monitor!, "MONITOR");
  const long = respCommand("ECHO", "x".repeat(3000)).repeat(100);
  for (let i = 0;; i++) {
    await client!.send(long);
    for (let j = 0; j < 100; j++) await client!.readUntil("x\r\n");
    const list = await askText(others[0]!, "CLIENT", "LIST");
    if (!/ flags=O /.test(list)) break;
    assert.ok(i < 500, "the monitor is still there after much more than it may be behind");
  }
  for (const other of others) assert.equal(await askLine(other, "PING"), "+PONG\r\n");
});

Deno.test("administration: settings, slow commands and counters are those of the whole server", async () => {
  await using server = await ServerProcess.start(THREADS);
  using stack = new DisposableStack();
  const clients = await connectMany(server, stack);
  const [boss] = clients;
  await askLine(boss!, "CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000");
  for (const client of clients) {
    await client.send(respCommand("CONFIG", "GET", "slowlog-max-len"));
    assert.equal(
      await client.readUntil("1000\r\n"),
      "*2\r\n$15\r\nslowlog-max-len\r\n$4\r\n1000\r\n",
    );
    assert.equal(await askLine(client, "SET", "slow", "1"), "+OK\r\n");
  }
  await askLine(boss!, "CONFIG", "SET", "slowlog-log-slower-than", "-1");
  await boss!.send(respCommand("SLOWLOG", "GET", "-1") + respCommand("PING"));
  const log = await boss!.readUntil("+PONG\r\n");
  assert.equal(log.match(/\$3\r\nSET\r\n\$4\r\nslow\r\n/g)?.length, clients.length);
  const stats = /cmdstat_set:calls=(\d+),/;
  for (const client of clients.slice(0, 5)) {
    const found = stats.exec(await askText(client, "INFO", "commandstats"));
    assert.equal(Number(found?.[1]), clients.length);
  }
  assert.equal(await askLine(boss!, "CONFIG", "RESETSTAT"), "+OK\r\n");
  for (const client of clients) {
    assert.doesNotMatch(await askText(client, "INFO", "commandstats"), stats);
  }
  assert.match(await askText(boss!, "INFO", "stats"), /total_connections_received:0\r\n/);
  assert.match(await askText(boss!, "INFO", "cpu"), /used_cpu_user:(?!0\.000000)\d+\.\d{6}\r\n/);
  assert.ok(server.linesOf("settings_changed").length >= 2);
});

Deno.test("administration: CONFIG SET timeout closes connections that were open before", async () => {
  await using server = await ServerProcess.start([...THREADS, "--resp-idle-timeout", "0"]);
  using stack = new DisposableStack();
  const [boss, ...clients] = await connectMany(server, stack);
  await askLine(boss!, "CONFIG", "SET", "timeout", "1");
  await Promise.all(clients.map((client) => client.readToEnd()));
});

Deno.test({
  name: "administration: redis-cli shows statistics and latency",
  ignore: !await isInstalled("redis-cli"),
  fn: async () => {
    await using server = await ServerProcess.start();
    for (
      const [args, expected] of [
        [["--latency", "-i", "1"], /^\d+ \d+ [\d.]+ \d+/],
        [["INFO", "everything"], /# Keyspace/],
        [["DEBUG", "SLEEP", "0.01"], /^OK/],
        [["LOLWUT"], /Sluice ver/],
      ] as const
    ) {
      const command = new Deno.Command("redis-cli", {
        args: ["-p", String(server.port("resp")), ...args],
        stdin: "null",
      });
      const { stdout, stderr } = await command.output();
      assert.match(new TextDecoder().decode(stdout), expected);
      assert.equal(new TextDecoder().decode(stderr), "");
    }
  },
});

/** The fields of `INFO` by name. */
async function infoFields(client: RawClient): Promise<Map<string, string>> {
  const text = await askText(client, "INFO", "everything");
  return new Map([...text.matchAll(/^(\w+):(.*)\r$/gm)].map(([, name, value]) => [name!, value!]));
}

Deno.test("INFO: what monitoring reads is that of all threads, and the same on each", async () => {
  await using server = await ServerProcess.start(THREADS);
  using stack = new DisposableStack();
  const clients = await connectMany(server, stack);
  assert.equal(await askLine(clients[0]!, "SET", "k", "v"), "+OK\r\n");
  const before = await infoFields(clients[0]!);
  for (const client of clients) {
    await client.send(respCommand("MGET", "k", "no", "k"));
    await client.readUntil("$-1\r\n$1\r\nv\r\n");
  }
  const runIds = new Set<string>();
  for (const client of clients) {
    const fields = await infoFields(client);
    assert.equal(fields.get("keyspace_hits"), String(2 * CLIENT_COUNT));
    assert.equal(fields.get("keyspace_misses"), String(CLIENT_COUNT));
    assert.match(fields.get("run_id")!, /^[0-9a-f]{40}$/);
    runIds.add(fields.get("run_id")!);
  }
  assert.equal(runIds.size, 1);
  assert.equal(before.get("keyspace_hits"), "0");
  assert.match(before.get("os")!, /^\w+ \w+$/);
  const metrics = await readMetrics(server.port("http"));
  assert.equal(metrics.get('sluice_keyspace_lookups_total{result="hit"}'), 2 * CLIENT_COUNT);
  assert.equal(metrics.get('sluice_keyspace_lookups_total{result="miss"}'), CLIENT_COUNT);
  await askLine(clients[0]!, "CONFIG", "RESETSTAT");
  const after = await infoFields(clients[1]!);
  assert.equal(after.get("keyspace_hits"), "0");
  // Some traffic of both threads until the rate is noticed on both.
  for (const client of clients.slice(0, 8)) {
    let rate = 0;
    while (rate === 0) {
      await Promise.all(clients.map((other) => askLine(other, "PING")));
      rate = Number((await infoFields(client)).get("instantaneous_ops_per_sec"));
    }
    assert.ok(Number.isInteger(rate), String(rate));
  }
  await using other = await ServerProcess.start();
  using client = await RawClient.connect(other.port("resp"));
  assert.ok(!runIds.has((await infoFields(client)).get("run_id")!), "each run has its own");
});
