import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const THREADS = ["--io-threads", "2"];

async function ask(port: number, request: string, end: string | RegExp): Promise<string> {
  using client = await RawClient.connect(port);
  await client.send(request);
  if (typeof end === "string") return await client.readUntil(end);
  return (await client.readHttpReply()).body;
}

Deno.test("io-threads: every thread says the same about the server", async () => {
  await using server = await ServerProcess.start([...THREADS, "--workers", "3"]);
  const [http, resp] = [server.port("http"), server.port("resp")];
  const expected = ["io_threads:2", "workers:3", `tcp_port:${resp}`, `http_port:${http}`];
  // Connections go to whichever thread is idle; 30 at once reach both.
  const infos = await Promise.all(
    Array.from({ length: 30 }, () => ask(resp, respCommand("INFO", "server"), "workers:3\r\n")),
  );
  for (const info of infos) {
    for (const line of expected) assert.ok(info.split("\r\n").includes(line), `${line} in ${info}`);
  }
  const request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const texts = await Promise.all(Array.from({ length: 10 }, () => ask(http, request, /body/)));
  for (const text of texts) {
    assert.match(text, /^sluice_io_threads 2$/m);
    assert.match(text, /^sluice_workers 3$/m);
    const resident = Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1]);
    assert.ok(resident > 2 ** 24, `the whole process's memory, not a thread's: ${resident}`);
  }
  const accepted = await ask(http, request, /body/);
  assert.match(accepted, /^sluice_connections_accepted_total\{protocol="resp"\} 30$/m);
});

Deno.test("io-threads: what one connection wrote, every other reads (P5)", async () => {
  await using server = await ServerProcess.start(THREADS);
  const port = server.port("resp");
  using stack = new DisposableStack();
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(port)));
  for (const client of clients) stack.use(client);
  for (let round = 0; round < 20; round++) {
    const writer = clients[round]!;
    await writer.send(respCommand("SET", "key", String(round)));
    assert.equal(await writer.read(5), "+OK\r\n");
    await Promise.all(clients.map(async (client) => {
      await client.send(respCommand("GET", "key"));
      const length = String(round).length;
      assert.equal(await client.read(8 - 2 + length), `$${length}\r\n${round}\r\n`);
    }));
  }
  await Promise.all(clients.map((client) => client.send(respCommand("INCR", "sum").repeat(500))));
  await Promise.all(clients.map(async (client) => {
    for (let i = 0; i < 500; i++) assert.match(await client.readUntil("\r\n"), /^:\d+\r\n$/);
  }));
  assert.equal(await ask(port, respCommand("GET", "sum"), "10000\r\n"), "$5\r\n10000\r\n");
});

Deno.test("io-threads: one listening line per port, one ready line, and only free ports", async () => {
  await using server = await ServerProcess.start(THREADS);
  assert.equal(server.linesOf("listening").length, 3);
  assert.equal(server.linesOf("ready").length, 1);
  const flags = [...THREADS, "--resp-port", String(server.port("resp"))];
  await using second = await ServerProcess.start(flags, { skipReady: true });
  const { code, lines } = await second.waitForEnd();
  assert.equal(code, 1);
  assert.deepEqual(lines.map(({ event }) => event), ["start_failed"]);
  assert.match(String(lines[0]!["message"]), /^Cannot listen on .* for resp: the port is in use; /);
});

Deno.test("io-threads: what any thread logs arrives", async () => {
  await using server = await ServerProcess.start([...THREADS, "--log-level", "debug"]);
  await Promise.all(Array.from({ length: 10 }, async () => {
    using client = await RawClient.connect(server.port("resp"));
    await client.send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await client.readToEnd();
  }));
  while (server.linesOf("cross_protocol").length < 10) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

Deno.test("io-threads: CLIENT LIST and CLIENT KILL reach the clients of every thread", async () => {
  await using server = await ServerProcess.start(THREADS);
  const port = server.port("resp");
  using stack = new DisposableStack();
  const clients = await Promise.all(Array.from({ length: 30 }, () => RawClient.connect(port)));
  const ids = await Promise.all(clients.map(async (client) => {
    stack.use(client);
    await client.send(respCommand("CLIENT", "ID"));
    return Number((await client.readUntil("\r\n")).slice(1));
  }));
  for (const asker of clients.slice(0, 5)) {
    await asker.send(respCommand("CLIENT", "LIST"));
    const length = Number((await asker.readUntil("\r\n")).slice(1));
    const listed = [...(await asker.read(length + 2)).matchAll(/^id=(\d+) /gm)];
    assert.deepEqual(listed.map(([, id]) => Number(id)), ids.toSorted((a, b) => a - b));
  }
  const [killer, ...victims] = clients;
  await killer!.send(respCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"));
  assert.equal(await killer!.readUntil("\r\n"), ":29\r\n");
  for (const victim of victims) assert.equal(await victim.readToEnd(), "");
});

Deno.test("io-threads: who waits for an event is told on its own thread, by every protocol", async () => {
  await using server = await ServerProcess.start([...THREADS, "--workers", "2"]);
  const body = `{"user":"http","action":"buy","amount":1}`;
  const post = "POST /events?wait=20s HTTP/1.1\r\nHost: localhost\r\n" +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  const event = respCommand("EVENT", "resp", "buy", "1", "WAIT", "20000");
  const [resp, http] = await Promise.all([
    Promise.all(Array.from({ length: 40 }, async () => {
      using client = await RawClient.connect(server.port("resp"));
      await client.send(event + respCommand("PING"));
      return await client.readUntil("+PONG\r\n");
    })),
    Promise.all(Array.from({ length: 40 }, () => ask(server.port("http"), post, /body/))),
  ]);
  for (const replies of [resp, http]) {
    const balances = replies.map((reply) => Number(/(\d+)\D*$/.exec(reply)?.[1]));
    assert.deepEqual(
      balances.toSorted((a, b) => a - b),
      Array.from({ length: 40 }, (_, i) => i + 1),
      replies[0],
    );
  }
});
