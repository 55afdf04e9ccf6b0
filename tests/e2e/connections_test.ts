import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

Deno.test("server: twenty silent clients on each port do not delay the next one (P3)", async () => {
  await using server = await ServerProcess.start();
  using silent = new DisposableStack();
  for (let i = 0; i < 20; i++) {
    silent.use(await RawClient.connect(server.port("http")));
    const half = silent.use(await RawClient.connect(server.port("resp")));
    await half.send("*2\r\n$3\r\nGE");
  }
  using http = await RawClient.connect(server.port("http"));
  using resp = await RawClient.connect(server.port("resp"));
  await http.send(HEALTH);
  assert.equal((await http.readHttpReply()).status, 200);
  await resp.send(respCommand("PING"));
  assert.equal(await resp.read(7), "+PONG\r\n");
});

/** Clients that always have more to do, each in a way of its own. */
const GREEDY: readonly { name: string; port: "http" | "resp"; before?: string; batch: string }[] = [
  {
    name: "pipelines GET /metrics",
    port: "http",
    batch: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000),
  },
  { name: "pipelines INFO", port: "resp", batch: respCommand("INFO").repeat(5000) },
  {
    name: "names very many keys",
    port: "resp",
    batch: respCommand("EXISTS", ...new Array<string>(90_000).fill("a")),
  },
  {
    name: "wants no replies",
    port: "resp",
    before: respCommand("SET", "big", "v".repeat(900_000)) + respCommand("CLIENT", "REPLY", "OFF"),
    batch: respCommand("GET", "big").repeat(5000),
  },
];

for (const { name, port, before, batch } of GREEDY) {
  Deno.test(`server: a client that ${name} delays nobody else (P3)`, async () => {
    await using server = await ServerProcess.start();
    using greedy = await RawClient.connect(server.port(port));
    using modest = await RawClient.connect(server.port("resp"));
    await greedy.send(before ?? "");
    const stop = new AbortController();
    const load = Promise.all([greedy.sendForever(batch, stop.signal), greedy.discard()]);
    const delaysMs: number[] = [];
    const endMs = performance.now() + 500;
    try {
      while (performance.now() < endMs) {
        const sentAtMs = performance.now();
        await modest.send(respCommand("PING"));
        assert.equal(await modest.read(7), "+PONG\r\n");
        delaysMs.push(performance.now() - sentAtMs);
      }
    } finally {
      stop.abort();
      greedy.close();
      await load;
    }
    // Some 5 ms, and the noise of a shared machine; without turns it was seconds.
    delaysMs.sort((a, b) => a - b);
    const medianMs = delaysMs[delaysMs.length >> 1]!;
    assert.ok(medianMs < 100, `median ${medianMs} ms of ${delaysMs.length}`);
    assert.ok(delaysMs.at(-1)! < 1000, `longest ${delaysMs.at(-1)} ms of ${delaysMs.length}`);
  });
}

Deno.test("server: the cap counts all listeners and says no in the client's protocol", async () => {
  await using server = await ServerProcess.start(["--max-connections", "2"]);
  using http = await RawClient.connect(server.port("http"));
  using resp = await RawClient.connect(server.port("resp"));
  await http.send(HEALTH);
  await resp.send(respCommand("PING"));
  await Promise.all([http.readHttpReply(), resp.read(7)]);

  using thirdHttp = await RawClient.connect(server.port("http"));
  await thirdHttp.send(HEALTH);
  const refusal = await thirdHttp.readHttpReply();
  assert.equal(refusal.status, 503);
  assert.match(refusal.head, /\r\nDate: [A-Z].* GMT\r\n/);
  assert.match(refusal.head, /\r\nConnection: close\r\n/);
  assert.equal(refusal.body, `{"status":"rejected","reason":"too_many_connections"}`);
  assert.equal(await thirdHttp.readToEnd(), "");
  using thirdResp = await RawClient.connect(server.port("resp"));
  await thirdResp.send(respCommand("PING"));
  assert.equal(await thirdResp.readToEnd(), "-ERR max number of clients reached\r\n");

  await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
  const { active_connections, protocols } = JSON.parse((await http.readHttpReply()).body);
  assert.equal(active_connections, 2);
  assert.equal(protocols.http.connections_refused.max_connections, 1);
  assert.equal(protocols.resp.connections_refused.max_connections, 1);
});

Deno.test("server: half a request is told that it took too long, silence is closed", async () => {
  await using server = await ServerProcess.start([
    ...["--header-timeout", "200ms", "--idle-timeout", "600ms"],
  ]);
  using half = await RawClient.connect(server.port("http"));
  using silent = await RawClient.connect(server.port("http"));
  using respSilent = await RawClient.connect(server.port("resp"));
  await half.send("GET /health HTT");
  const late = await half.readHttpReply();
  assert.equal(late.status, 408);
  assert.match(late.head, /\r\nDate: [A-Z].* GMT\r\n/);
  assert.equal(await half.readToEnd(), "");
  assert.equal(await silent.readToEnd(), "");
  await respSilent.send(respCommand("PING"));
  assert.equal(await respSilent.read(7), "+PONG\r\n", "RESP clients may be silent");
});

Deno.test("server: many requests in one write are answered in order, on both ports", async () => {
  await using server = await ServerProcess.start();
  using http = await RawClient.connect(server.port("http"));
  using resp = await RawClient.connect(server.port("resp"));
  const commands: string[] = [];
  for (let i = 0; i < 2000; i++) commands.push(respCommand("ECHO", `message ${i}`));
  await Promise.all([resp.send(commands.join("")), http.send(HEALTH.repeat(500))]);
  for (let i = 0; i < 2000; i++) {
    const message = `message ${i}`;
    assert.equal(await resp.readUntil(`${message}\r\n`), `$${message.length}\r\n${message}\r\n`);
  }
  for (let i = 0; i < 500; i++) assert.equal((await http.readHttpReply()).status, 200);
});

Deno.test("server: survives having no file descriptor left, and serves again when it has", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using server = await ServerProcess.start([], { descriptorLimit: 100 });
  using first = await RawClient.connect(server.port("resp"));
  await first.send(respCommand("PING"));
  await first.read(7);
  {
    using crowd = new DisposableStack();
    for (let i = 0; i < 150; i++) crowd.use(await RawClient.connect(server.port("http")));
    await server.waitForLine("accept_failed");
    await first.send(respCommand("PING"));
    assert.equal(await first.read(7), "+PONG\r\n", "who is in is served");
  }
  using next = await RawClient.connect(server.port("http"));
  await next.send(HEALTH);
  assert.equal((await next.readHttpReply()).status, 200);
});

Deno.test("server: addresses are filtered and counted over all listeners", async () => {
  await using strict = await ServerProcess.start(["--max-connections-per-ip", "2"]);
  using http = await RawClient.connect(strict.port("http"));
  using resp = await RawClient.connect(strict.port("resp"));
  await http.send(HEALTH);
  await resp.send(respCommand("PING"));
  await Promise.all([http.readHttpReply(), resp.read(7)]);
  using third = await RawClient.connect(strict.port("http"));
  await third.send(HEALTH);
  const refusal = await third.readHttpReply();
  assert.equal(refusal.status, 503);
  assert.match(refusal.head, /\r\nDate: [A-Z].* GMT\r\n/);
  assert.equal(refusal.body, `{"status":"rejected","reason":"too_many_connections"}`);
  await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const metrics = (await http.readHttpReply()).body;
  assert.match(metrics, /refused_total\{protocol="http",reason="max_connections_per_ip"\} 1\n/);

  await using closed = await ServerProcess.start([
    ...["--allow", "127.0.0.0/8,10.0.0.0/8", "--deny", "127.0.0.1"],
  ]);
  using denied = await RawClient.connect(closed.port("resp"));
  assert.equal(await denied.readToEnd(), "");
});

Deno.test("server: a hundred half requests of 1 MB do not make it large (C13)", async () => {
  await using server = await ServerProcess.start();
  using watcher = await RawClient.connect(server.port("http"));
  const read = async (series: string): Promise<number> => {
    await watcher.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const { body } = await watcher.readHttpReply();
    const line = body.split("\n").find((line) => line.startsWith(`${series} `));
    return Number(line?.split(" ")[1] ?? assert.fail(`no ${series}`));
  };
  const closedByMemory = 'sluice_connections_closed_total{reason="client_memory"}';
  const beforeBytes = await read("process_resident_memory_bytes");
  using attackers = new DisposableStack();
  const head = "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
  const piece = head + "x".repeat(999_000);
  const sending: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    const attacker = attackers.use(await RawClient.connect(server.port("http")));
    sending.push(attacker.send(piece).catch(() => {}));
  }
  for (let round = 0; await read(closedByMemory) < 30; round++) {
    assert.ok(round < 1000, "those that are too many are closed");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(await read("sluice_client_memory_bytes") <= 64 * 2 ** 20);
  const growthBytes = await read("process_resident_memory_bytes") - beforeBytes;
  assert.ok(growthBytes < 100 * 2 ** 20, `it grew by ${growthBytes} bytes`);
  attackers.dispose();
  await Promise.all(sending);
});
