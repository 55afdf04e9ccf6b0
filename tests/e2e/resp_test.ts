import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const PASSWORD = "open sesame";

Deno.test("server: a wrong password delays nobody else and is nowhere in the log", async () => {
  await using server = await ServerProcess.start(["--log-level", "trace"], {
    env: { SLUICE_PASSWORD: PASSWORD },
  });
  const port = server.port("resp");
  using guesser = await RawClient.connect(port);
  using other = await RawClient.connect(port);
  await guesser.send(respCommand("AUTH", "a guess") + respCommand("PING"));
  await other.send(respCommand("AUTH", PASSWORD) + respCommand("SET", "key-7", "value-7"));
  assert.equal(await other.read(10), "+OK\r\n+OK\r\n");
  assert.equal(guesser.received, "");
  assert.equal(
    await guesser.readUntil("required.\r\n"),
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n" +
      "-NOAUTH Authentication required.\r\n",
  );
  await other.send(respCommand("HELLO", "3", "AUTH", "default", PASSWORD, "SETNAME", "me"));
  await other.readUntil("*0\r\n");
  await other.send(respCommand("INFO") + respCommand("CONFIG", "GET", "*"));
  const shown = await other.readUntil("timeout\r\n");
  await other.send(respCommand("QUIT"));
  await other.readToEnd();
  server.signal("SIGTERM");
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 0);
  const commands = lines.filter((line) => line["event"] === "command");
  assert.deepEqual(
    // Between two clients there is no order.
    commands.map((line) => [line["client"], line["command"], line["arguments"], line["key"]])
      .sort(([a], [b]) => Number(a) - Number(b)),
    [
      [1, "auth", 2, undefined],
      [1, "ping", 1, undefined],
      [2, "auth", 2, undefined],
      [2, "set", 3, "key-7"],
      [2, "hello", 7, undefined],
      [2, "info", 1, undefined],
      [2, "config|get", 3, undefined],
      [2, "quit", 1, undefined],
    ],
  );
  for (const text of [JSON.stringify(lines), shown, server.otherLines.join()]) {
    assert.doesNotMatch(text, /sesame|guess|value-7/);
  }
});

Deno.test("server: at level debug no command is logged", async () => {
  await using server = await ServerProcess.start(["--log-level", "debug"]);
  using client = await RawClient.connect(server.port("resp"));
  await client.send(respCommand("PING"));
  await client.readUntil("+PONG\r\n");
  server.signal("SIGTERM");
  assert.deepEqual((await server.waitForEnd()).lines.filter((l) => l["event"] === "command"), []);
});

Deno.test("server: --resp-rate-limit refuses what is too much, counts it and shows its port", async () => {
  await using server = await ServerProcess.start(["--resp-rate-limit", "3/1h"]);
  const port = server.port("resp");
  using client = await RawClient.connect(port);
  await client.send(respCommand("CONFIG", "GET", "port") + "PING\r\n".repeat(4));
  assert.equal(
    await client.readUntil("+PONG\r\n+PONG\r\n"),
    `*2\r\n$4\r\nport\r\n$${String(port).length}\r\n${port}\r\n+PONG\r\n+PONG\r\n`,
  );
  assert.match(
    await client.readUntil("ms\r\n"),
    /^-THROTTLED too many commands, retry in 3[56]\d{5} ms\r\n$/,
  );
  await client.readUntil("ms\r\n");
  using http = await RawClient.connect(server.port("http"));
  await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.match((await http.readHttpReply()).body, /^sluice_[a-z_]*throttled[a-z_]* 2$/m);
  await client.send("QUIT\r\n");
  assert.equal(await client.readToEnd(), "+OK\r\n");
});

Deno.test("server: CLIENT KILL ends a client that waits, and one that does not read its replies", async () => {
  await using server = await ServerProcess.start();
  const port = server.port("resp");
  using killer = await RawClient.connect(port);
  using waiting = await RawClient.connect(port);
  using deaf = await RawClient.connect(port);
  await waiting.send("CLIENT ID\r\n");
  const waitingId = Number((await waiting.readUntil("\r\n")).slice(1));
  await deaf.send("CLIENT ID\r\n");
  const deafId = Number((await deaf.readUntil("\r\n")).slice(1));
  const value = "v".repeat(900_000);
  // Far more replies than the kernel's buffers hold.
  await deaf.send(respCommand("SET", "large", value) + "GET large\r\n".repeat(50));
  await deaf.readUntil("$900000\r\n");
  assert.equal(deaf.received.length < 10_000_000, true);
  await killer.send(`CLIENT KILL ID ${waitingId}\r\nCLIENT KILL ID ${deafId}\r\n`);
  assert.equal(await killer.read(8), ":1\r\n:1\r\n");
  assert.equal(await waiting.readToEnd(), "");
  for (let count = 3; count > 1;) {
    await killer.send("INFO clients\r\n");
    const text = await killer.readUntil("blocked_clients:0\r\n\r\n");
    count = Number(/connected_clients:(\d+)/.exec(text)![1]);
  }
  await killer.send("CLIENT LIST\r\n");
  assert.match(await killer.readUntil("\n\r\n"), /^\$\d+\r\nid=1 [^\n]*\n\r\n$/);
  await killer.send("CLIENT KILL ID 1 SKIPME no\r\nPING\r\n");
  assert.equal(await killer.readToEnd(), ":1\r\n");
});
