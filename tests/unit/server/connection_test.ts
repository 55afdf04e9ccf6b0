import assert from "node:assert/strict";
import { StopDeadline } from "../../../src/server/stop_deadline.ts";
import { PROTOCOL_COUNTERS } from "../../../src/metrics/names.ts";
import { RawClient } from "../../helpers/raw_client.ts";
import { EchoServer, eventually } from "./echo.ts";

const { accepted, active, refused, bytesRead, bytesWritten } = PROTOCOL_COUNTERS.http;

/**
 * A server that closed with unread input has sent a reset, which on a real network can destroy the
 * reply before it. Writing shows it: after a reset it fails, to a server that lingers it does not.
 */
async function assertNotReset(client: RawClient): Promise<void> {
  await client.send("more");
  await new Promise((resolve) => setTimeout(resolve, 2));
  await client.send("and more");
}

Deno.test("Connection: answers requests whole, in pieces and several at once", async () => {
  await using server = new EchoServer();
  using client = await RawClient.connect(server.port);
  await client.send("one\n");
  assert.equal(await client.read(4), "one\n");
  for (const byte of "two\n") await client.send(byte);
  assert.equal(await client.read(4), "two\n");
  await client.send("a\nb\nc\nd");
  assert.equal(await client.read(6), "a\nb\nc\n");
  await client.send("\n");
  assert.equal(await client.read(2), "d\n");
  assert.equal(server.counts.get(accepted), 1);
  assert.equal(server.counts.get(active), 1);
  assert.equal(server.counts.get(bytesRead), 16);
  assert.equal(server.counts.get(bytesWritten), 16);
});

Deno.test("Connection: ends when the client leaves, whether with FIN or RST", async () => {
  await using server = new EchoServer();
  {
    using client = await RawClient.connect(server.port);
    await client.send("one\n");
    await client.read(4);
  }
  await eventually(() => server.counts.get(active) === 0, "the first client's end");
  {
    // Closing with unread input sends a reset.
    using client = await RawClient.connect(server.port);
    await client.send("two\n");
    await eventually(() => server.counts.get(bytesWritten) === 8, "the reply");
  }
  await eventually(() => server.counts.get(active) === 0, "the second client's end");
  assert.equal(server.control.closedCount, 2, "each session was closed once");
  assert.deepEqual(server.control.failures, []);
});

Deno.test("Connection: still answers a client that has closed its half", async () => {
  await using server = new EchoServer();
  using client = await RawClient.connect(server.port);
  await client.send("one\ntwo\n");
  await client.closeWrite();
  assert.equal(await client.readToEnd(), "one\ntwo\n");
});

Deno.test("Connection: writes every byte to a client that reads slowly", async () => {
  await using server = new EchoServer();
  const bigBytes = 16 * 1024 * 1024;
  server.control.bigBytes = bigBytes;
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  try {
    await socket.write(new TextEncoder().encode("big\n"));
    // Nobody reads: what the sockets can hold is full, and the write has stopped half-way.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(server.counts.get(bytesWritten), undefined, "the write cannot be complete");
    const buffer = new Uint8Array(1 << 20);
    let count = 0;
    while (count < bigBytes + 4) count += (await socket.read(buffer)) ?? assert.fail("early end");
    assert.equal(count, bigBytes + 4);
  } finally {
    socket.close();
  }
});

Deno.test("Connection: writes and calls again when the session wants to flush", async () => {
  await using server = new EchoServer();
  server.control.flushes = 3;
  using client = await RawClient.connect(server.port);
  await client.send("flush\nnext\n");
  assert.equal(
    await client.readUntil("next\n"),
    "part 1\npart 2\npart 3\nflush\nnext\n",
  );
});

Deno.test("Connection: a parked request delays nobody else and keeps its place", async () => {
  await using server = new EchoServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.control.parked = promise;
  using parked = await RawClient.connect(server.port);
  using other = await RawClient.connect(server.port);
  await parked.send("first\npark\nlast\n");
  await other.send("hello\n");
  assert.equal(await other.read(6), "hello\n");
  assert.equal(parked.received, "");
  resolve();
  assert.equal(await parked.readUntil("last\n"), "first\npark\nlast\n");
});

Deno.test("Connection: a last reply arrives although the client has sent more", async () => {
  await using server = new EchoServer();
  for (let round = 0; round < 20; round++) {
    using client = await RawClient.connect(server.port);
    // Closing at once would reset the connection and could destroy the reply.
    await client.send(`quit\n${"x".repeat(200_000)}`);
    assert.equal(await client.readToEnd(), "quit\n");
    await assertNotReset(client);
  }
});

Deno.test("Connection: a throwing session costs its own connection only", async () => {
  await using server = new EchoServer();
  using bad = await RawClient.connect(server.port);
  using good = await RawClient.connect(server.port);
  await bad.send("throw\n");
  assert.equal(await bad.readToEnd(), "");
  await good.send("fine\n");
  assert.equal(await good.read(5), "fine\n");
  assert.equal(server.control.failures.length, 1);
});

Deno.test("Connection: stops reading a request that its session lets grow without end", async () => {
  await using server = new EchoServer({ maxRequestBytes: 4096 });
  using client = await RawClient.connect(server.port);
  const piece = "x".repeat(65536);
  // The server ends the connection; sending fails or the end is seen, whichever comes first.
  await assert.rejects(async () => {
    for (let i = 0; i < 1000; i++) await client.send(piece);
  });
  assert(server.counts.get(bytesRead)! < 1 << 20, "it read little more than the bound");
});

Deno.test("ConnectionSet: turns away who comes when it is full, and says so", async () => {
  await using server = new EchoServer({ maxConnections: 2 });
  using first = await RawClient.connect(server.port);
  using second = await RawClient.connect(server.port);
  await first.send("one\n");
  await second.send("two\n");
  await Promise.all([first.read(4), second.read(4)]);
  for (let i = 0; i < 100; i++) {
    using third = await RawClient.connect(server.port);
    if (i % 2 === 0) await third.send("three\n").catch(() => {});
    assert.equal(await third.readToEnd(), "full\n");
    if (i < 10) await assertNotReset(third);
  }
  assert.equal(server.counts.get(refused), 100);
  first.close();
  await eventually(() => server.counts.get(active) === 1, "room");
  using fourth = await RawClient.connect(server.port);
  await fourth.send("four\n");
  assert.equal(await fourth.read(5), "four\n");
});

Deno.test("ConnectionSet: ends silent clients, without a word when no request had begun", async () => {
  await using server = new EchoServer({ idleTimeoutMs: 100 });
  using silent = await RawClient.connect(server.port);
  assert.equal(await silent.readToEnd(), "");
});

Deno.test("ConnectionSet: tells a client whose request does not arrive in time", async () => {
  await using server = new EchoServer({ headTimeoutMs: 100 });
  using slow = await RawClient.connect(server.port);
  using idle = await RawClient.connect(server.port);
  await slow.send("half a li");
  assert.equal(await slow.readToEnd(), "too slow\n");
  await idle.send("alive\n");
  assert.equal(await idle.read(6), "alive\n", "a client between requests has time");
});

Deno.test("ConnectionSet: a request dripping in gets no more time than one that stalls", async () => {
  await using server = new EchoServer({ headTimeoutMs: 200 });
  using slow = await RawClient.connect(server.port);
  let dripping = true;
  const dripped = (async () => {
    while (dripping) {
      await slow.send("x").catch(() => dripping = false);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  assert.equal(await slow.readToEnd(), "too slow\n");
  dripping = false;
  await dripped;
});

Deno.test("ConnectionSet: requests that always end in the middle of a read are not late", async () => {
  await using server = new EchoServer({ headTimeoutMs: 400 });
  using client = await RawClient.connect(server.port);
  await client.send("li");
  for (let i = 0; i < 60; i++) {
    await client.send("ne\nli");
    assert.equal(await client.read(5), "line\n");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

Deno.test("ConnectionSet: settling waits for what is being answered, and for nothing else", async () => {
  await using server = new EchoServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.control.parked = promise;
  using parked = await RawClient.connect(server.port);
  using silent = await RawClient.connect(server.port);
  await silent.send("hello\nhalf");
  await silent.read(6);
  await parked.send("park\n");
  await eventually(() => server.counts.get(bytesRead) === 15, "both requests");
  using deadline = new StopDeadline(20_000);
  deadline.begin();
  {
    using little = deadline.slice(0.005);
    assert.equal(await server.connections.settleInFlight(little), 1, "one did not finish");
  }
  using rest = deadline.slice(1);
  const settled = server.connections.settleInFlight(rest);
  resolve();
  assert.equal(await settled, 0);
});

Deno.test("ConnectionSet: closing all ends every connection and says how many were cut off", async () => {
  await using server = new EchoServer();
  server.control.parked = new Promise(() => {});
  using parked = await RawClient.connect(server.port);
  using silent = await RawClient.connect(server.port);
  await silent.send("hello\n");
  await silent.read(6);
  await parked.send("park\n");
  await eventually(() => server.counts.get(bytesRead) === 11, "both requests");
  using deadline = new StopDeadline(20_000);
  deadline.begin();
  assert.equal(await server.connections.closeAll(deadline, 20), 1);
  assert.equal(await silent.readToEnd(), "");
  assert.equal(await parked.readToEnd(), "");
});
