/** CONFIG SET of what the whole server has: password, number of clients, what is logged. */

import assert from "node:assert/strict";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess, testsInTurn } from "../helpers/server_process.ts";

async function ask(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  return await client.readUntil("\r\n");
}

/** Connections enough that every thread has some. */
async function connectMany(
  server: ServerProcess,
  stack: DisposableStack,
  count: number,
): Promise<RawClient[]> {
  const port = server.port("resp");
  const clients = await Promise.all(
    Array.from({ length: count }, () => RawClient.connect(port)),
  );
  for (const client of clients) stack.use(client);
  return clients;
}

async function postEvent(server: ServerProcess, extra = ""): Promise<number> {
  using client = await RawClient.connect(server.port("http"));
  await client.send(eventRequest("alice", 1, extra));
  return (await client.readHttpReply()).status;
}

for (const ioThreads of IO_THREAD_COUNTS) {
  const test = testsInTurn(ioThreads);
  const start = (...flags: string[]): Promise<ServerProcess> =>
    ServerProcess.start(["--io-threads", String(ioThreads), ...flags]);

  Deno.test(`CONFIG SET requirepass (${ioThreads} I/O threads): holds on all of them and over HTTP`, async () => {
    await using server = await start("--log-level", "trace");
    using stack = new DisposableStack();
    const [boss] = await connectMany(server, stack, 1);
    assert.equal(await postEvent(server), 202);
    assert.equal(await ask(boss!, "CONFIG", "SET", "requirepass", "Correct-Horse~42"), "+OK\r\n");
    const clients = await connectMany(server, stack, 16);
    for (const client of clients) {
      assert.match(await ask(client, "GET", "k"), /^-NOAUTH /);
      assert.equal(await ask(client, "AUTH", "Correct-Horse~42"), "+OK\r\n");
      assert.equal(await ask(client, "GET", "k"), "$-1\r\n");
    }
    for (let i = 0; i < 8; i++) assert.equal(await postEvent(server), 401);
    assert.equal(await postEvent(server, "Authorization: Bearer Correct-Horse~42\r\n"), 202);
    assert.equal(await ask(boss!, "CONFIG", "SET", "requirepass", ""), "+OK\r\n");
    for (let i = 0; i < 8; i++) assert.equal(await postEvent(server), 202);
    const log = (): string => JSON.stringify(server.lines) + server.otherLines.join("\n");
    for (let ms = 0; !log().includes("requirepass") && ms < 15_000; ms += 5) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(log().includes("requirepass"), "the change is logged");
    assert.ok(!log().includes("Correct-Horse~42"), "the password is not");
  });

  test(`CONFIG SET maxclients (${ioThreads} I/O threads): turns away who is one too many`, async () => {
    await using server = await start("--max-connections", "40");
    using stack = new DisposableStack();
    const clients = await connectMany(server, stack, 10);
    for (const client of clients) assert.equal(await ask(client, "PING"), "+PONG\r\n");
    assert.equal(await ask(clients[0]!, "CONFIG", "SET", "maxclients", "10"), "+OK\r\n");
    for (let i = 0; i < 6; i++) {
      using refused = await RawClient.connect(server.port("resp"));
      assert.match(await refused.readToEnd(), /^-ERR max number of clients reached/);
    }
    for (const client of clients) assert.equal(await ask(client, "PING"), "+PONG\r\n");
    assert.equal(await ask(clients[9]!, "CONFIG", "SET", "maxclients", "40"), "+OK\r\n");
    const more = await connectMany(server, stack, 20);
    for (const client of more) assert.equal(await ask(client, "PING"), "+PONG\r\n");
    assert.match(await ask(clients[0]!, "CONFIG", "SET", "maxclients", "41"), /between 1 and 40/);
  });

  test(`CONFIG SET loglevel (${ioThreads} I/O threads): is heeded by every thread`, async () => {
    await using server = await start();
    using stack = new DisposableStack();
    const clients = await connectMany(server, stack, 12);
    for (const client of clients) assert.equal(await ask(client, "PING"), "+PONG\r\n");
    assert.equal(server.linesOf("command").length, 0);
    assert.equal(await ask(clients[0]!, "CONFIG", "SET", "loglevel", "trace"), "+OK\r\n");
    for (const client of clients) await ask(client, "TYPE", "x");
    const seen = (): number => server.lines.filter(({ command }) => command === "type").length;
    for (let i = 0; i < 1000 && seen() < clients.length; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(seen(), clients.length, JSON.stringify(server.lines.slice(-3)));
    assert.equal(await ask(clients[1]!, "CONFIG", "SET", "loglevel", "error"), "+OK\r\n");
    const before = seen();
    for (const client of clients) await ask(client, "TYPE", "x");
    assert.equal(await ask(clients[1]!, "CONFIG", "SET", "loglevel", "notice"), "+OK\r\n");
    // The change itself is logged again: everything before it has been written by then.
    for (let i = 0; i < 1000 && server.linesOf("settings_changed").length < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(seen(), before);
  });
}
