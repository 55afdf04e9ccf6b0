/** A server whose disk fails, hangs and comes back, as its clients see it. */

import assert from "node:assert/strict";
import { FailingDisk } from "../helpers/failing_disk.ts";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS } from "../helpers/server_process.ts";

const BROKEN = { fail: { calls: ["append log", "sync log", "create log"], code: "EIO" } } as const;

async function ask(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  return await replyOf(client);
}

async function replyOf(client: RawClient): Promise<string> {
  const head = await client.readUntil("\r\n");
  if (!head.startsWith("$") || head === "$-1\r\n") return head.trimEnd();
  return (await client.readUntil("\r\n")).trimEnd();
}

async function http(port: number, method: string, path: string, body?: string): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body ?? null });
  await reply.body?.cancel();
  return reply.status;
}

async function connectionCount(port: number): Promise<number> {
  const client = await RawClient.connect(port);
  const info = await infoOf(client, "clients");
  client.close();
  return Number(info.match(/connected_clients:(\d+)/)![1]);
}

async function infoOf(client: RawClient, section: string): Promise<string> {
  await client.send(respCommand("INFO", section));
  const head = await client.readUntil("\r\n");
  return await client.read(Number(head.slice(1)) + 2);
}

async function logMetrics(port: number): Promise<Record<string, unknown>> {
  const headers = { Accept: "application/json" };
  return (await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers })).json()).log;
}

async function hasFailed(client: RawClient): Promise<boolean> {
  return (await infoOf(client, "persistence")).includes("aof_last_write_status:err");
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`it never came true that ${what}`);
}

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`failing disk: with always reads go on, and what is lost is told to nobody (${ioThreads} I/O threads)`, async () => {
    await using disk = await FailingDisk.make();
    const flags = ["--fsync", "always", "--io-threads", String(ioThreads), "--shards", "64"];
    const server = await disk.start(flags);
    const port = server.port("resp");
    const client = await RawClient.connect(port);
    const names = Array.from({ length: 16 }, (_, i) => `kept${i}`);
    for (const name of names) assert.equal(await ask(client, "SET", name, "1"), "+OK");
    await disk.plan(BROKEN);
    // Its reply waits for a disk that is never written again.
    const writer = await RawClient.connect(port);
    await writer.send(respCommand("SET", "lost", "2"));
    await eventually("writes are refused", () => hasFailed(client));
    const replies: string[] = [];
    for (const name of names) replies.push(await ask(client, "GET", name));
    // One or the other may be in the shard of `lost`.
    assert.ok(replies.filter((reply) => reply === "1").length >= 12, replies.join(" "));
    const kept = names[replies.indexOf("1")]!;
    assert.match(await ask(client, "SET", kept, "3"), /^-MISCONF /);
    // The shard of `lost` tells nothing; the others do.
    assert.match(await ask(client, "GET", "lost"), /^-MISCONF What this command would tell /);
    assert.match(await ask(client, "DBSIZE"), /^-MISCONF /);
    assert.equal(await ask(client, "GET", kept), "1");
    assert.equal(await ask(client, "PING"), "+PONG");
    assert.match(await infoOf(client, "persistence"), /log_state:(failed|repairing)/);
    const before = await logMetrics(server.port("http"));
    assert.equal(before["failures"], 1);
    assert.notEqual(before["state"], "serving");
    assert.ok((before["written_bytes"] as number) > 0 && (before["writes"] as number) >= 2);
    assert.match(await ask(client, "EVENT", "ann", "buy", "1"), /^-MISCONF /);
    // A transaction that only reads goes on, one that writes does not.
    for (const [word, reply] of [["GET", /^\*1$/], ["INCR", /^-EXECABORT/]] as const) {
      assert.equal(await ask(client, "MULTI"), "+OK");
      await ask(client, word, kept);
      assert.match(await ask(client, "EXEC"), reply);
      if (word === "GET") assert.equal(await replyOf(client), "1");
    }
    const httpPort = server.port("http");
    assert.equal(await http(httpPort, "GET", "/health"), 200);
    assert.equal(await http(httpPort, "GET", "/metrics"), 200);
    assert.equal(await http(httpPort, "GET", `/keys/${kept}`), 200);
    assert.equal(await http(httpPort, "PUT", `/keys/${kept}`, "3"), 503);
    assert.equal(await http(httpPort, "GET", "/keys/lost"), 503);
    assert.equal(await http(httpPort, "GET", "/keys/lost/info"), 503);
    assert.equal(await http(httpPort, "GET", `/keys/${kept}/info`), 200);
    assert.equal(await http(httpPort, "GET", "/keys"), 503);
    const eventClient = await RawClient.connect(httpPort);
    await eventClient.send(eventRequest("ann", 5));
    assert.equal((await eventClient.readHttpReply()).status, 503);
    eventClient.close();
    // The log can be written again: what waited is told.
    await disk.plan({});
    assert.equal(await replyOf(writer), "+OK");
    assert.equal(await ask(client, "GET", "lost"), "2");
    assert.equal(await ask(client, "SET", kept, "4"), "+OK");
    const after = await logMetrics(httpPort);
    assert.equal(after["state"], "serving");
    assert.equal((after["snapshots"] as { completed: number }).completed, 1);
    writer.close();
    client.close();
    server.signal("SIGTERM");
    assert.equal((await server.waitForEnd()).code, 0);
  });
}

Deno.test("failing disk: who waits for it and leaves takes up no room", async () => {
  await using disk = await FailingDisk.make();
  const server = await disk.start(["--fsync", "always"]);
  const port = server.port("resp");
  const client = await RawClient.connect(port);
  assert.equal(await ask(client, "SET", "k", "1"), "+OK");
  await disk.plan(BROKEN);
  const writers = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const writer = await RawClient.connect(port);
    await writer.send(respCommand("SET", `k${i}`, "1"));
    return writer;
  }));
  await eventually("writes are refused", () => hasFailed(client));
  for (const writer of writers) writer.close();
  await eventually("all are gone", async () => await connectionCount(port) <= 2);
  client.close();
});

Deno.test("failing disk: what is published waits for it, and a subscriber may leave meanwhile", async () => {
  await using disk = await FailingDisk.make();
  // Who publishes waits, too, where the channel is in the shard of `lost`: so there are very many.
  const server = await disk.start(["--fsync", "always", "--shards", "1024", "--max-memory", "1gb"]);
  const port = server.port("resp");
  const [client, stays, leaves] = await Promise.all([1, 2, 3].map(() => RawClient.connect(port)));
  const subscribed = "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n";
  for (const subscriber of [stays!, leaves!]) {
    await subscriber.send(respCommand("SUBSCRIBE", "ch"));
    assert.equal(await subscriber.read(subscribed.length), subscribed);
  }
  await disk.plan(BROKEN);
  const writer = await RawClient.connect(port);
  await writer.send(respCommand("SET", "lost", "1"));
  await eventually("writes are refused", () => hasFailed(client!));
  // It may tell of what is lost.
  assert.equal(await ask(client!, "PUBLISH", "ch", "news"), ":2");
  // This reply has to wait behind the message.
  await leaves!.send(respCommand("PING"));
  leaves!.close();
  await eventually("it is gone", async () => await connectionCount(port) <= 4);
  await disk.plan({});
  const message = "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$4\r\nnews\r\n";
  assert.equal(await stays!.read(message.length), message);
  assert.equal(await replyOf(writer), "+OK");
  for (const each of [client!, stays!, writer]) each.close();
});

for (const fsync of ["always", "everysec", "no"] as const) {
  Deno.test(`failing disk: a stop with ${fsync} says what it costs`, async () => {
    await using disk = await FailingDisk.make();
    const server = await disk.start(["--fsync", fsync]);
    const port = server.port("resp");
    const client = await RawClient.connect(port);
    assert.equal(await ask(client, "SET", "k", "1"), "+OK");
    await disk.plan(BROKEN);
    const writer = await RawClient.connect(port);
    await writer.send(respCommand("SET", "k", "2"));
    await eventually("writes are refused", () => hasFailed(client));
    client.close();
    server.signal("SIGTERM");
    const { code, lines } = await server.waitForEnd();
    writer.close();
    // With `always` nobody was told that 2 is there.
    assert.equal(code, fsync === "always" ? 0 : 3);
    const last = lines.at(-1)!;
    assert.equal(last["event"], "stopped");
    assert.equal(last["log_incomplete"], fsync === "always" ? undefined : true);
    assert.equal(server.linesOf("log_incomplete").length, 1);
  });
}

Deno.test("failing disk: a stop after it has come back saves everything", async () => {
  await using disk = await FailingDisk.make();
  const server = await disk.start(["--fsync", "everysec"]);
  const client = await RawClient.connect(server.port("resp"));
  assert.equal(await ask(client, "SET", "k", "1"), "+OK");
  // The next attempt to begin anew would come after a second.
  await disk.plan(BROKEN);
  // The first value may only be written now; then the second is refused already.
  const reply = await ask(client, "SET", "k", "2");
  if (reply !== "+OK") assert.match(reply, /^-MISCONF /);
  await eventually("writes are refused", () => hasFailed(client));
  await disk.plan({});
  client.close();
  server.signal("SIGTERM");
  assert.equal((await server.waitForEnd()).code, 0);
  await server[Symbol.asyncDispose]();
  const next = await disk.start();
  const reader = await RawClient.connect(next.port("resp"));
  assert.equal(await ask(reader, "GET", "k"), reply === "+OK" ? "2" : "1");
  reader.close();
});

for (const fsync of ["always", "everysec"] as const) {
  Deno.test(`failing disk: a stop with ${fsync} meets its deadline also when a sync never returns`, async () => {
    await using disk = await FailingDisk.make();
    const server = await disk.start(["--fsync", fsync, "--shutdown-timeout", "3s"]);
    const port = server.port("resp");
    await disk.plan({ hang: ["sync log"] });
    const client = await RawClient.connect(port);
    await client.send(respCommand("SET", "k", "1"));
    if (fsync === "everysec") assert.equal(await replyOf(client), "+OK");
    const startedAtMs = performance.now();
    server.signal("SIGTERM");
    const { code, lines } = await server.waitForEnd();
    const tookMs = performance.now() - startedAtMs;
    client.close();
    assert.equal(code, fsync === "always" ? 0 : 3);
    assert.equal(lines.at(-1)!["event"], "stopped");
    // Not a matter of speed: without a deadline it would take for ever.
    assert.ok(tookMs < 20_000, `${tookMs} ms`);
  });
}

Deno.test("data directory: events that a stop has no time for are settled after the next start", async () => {
  await using disk = await FailingDisk.make();
  const flags = ["--fsync", "always", "--workers", "1"];
  const slow = ["--work-ms", "300", "--shutdown-timeout", "2s"];
  const server = await disk.start([...flags, ...slow]);
  const client = await RawClient.connect(server.port("resp"));
  for (let i = 0; i < 30; i++) {
    assert.equal(await ask(client, "EVENT", "ann", "buy", "1"), "+ACCEPTED");
  }
  client.close();
  server.signal("SIGTERM");
  const { code, lines } = await server.waitForEnd();
  const last = lines.at(-1)!;
  assert.equal(last["event"], "stopped");
  assert.ok(last["pending"] as number > 0, JSON.stringify(last));
  assert.equal(last["lost"], 0);
  assert.equal(code, 0);
  const next = await disk.start(flags);
  const reader = await RawClient.connect(next.port("resp"));
  await eventually("all are settled", async () => await ask(reader, "BALANCE", "ann") === ":30");
  assert.ok(await ask(reader, "BALANCE", "ann") === ":30");
  reader.close();
});
