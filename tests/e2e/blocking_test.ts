/** Waiting for lists over sockets, on one and two I/O threads. */

import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess, testsInTurn } from "../helpers/server_process.ts";

const PRODUCERS = 4;
const CONSUMERS = 6;
const MOVERS = 2;
const ELEMENTS_PER_PRODUCER = 2500;
const QUEUES = ["jobs:0", "jobs:1", "jobs:2"];

async function integer(client: RawClient, ...words: string[]): Promise<number> {
  await client.send(respCommand(...words));
  return Number((await client.readUntil("\r\n")).slice(1));
}

/** A byte string; undefined = nil. */
async function bulk(client: RawClient): Promise<string | undefined> {
  const length = Number((await client.readUntil("\r\n")).slice(1));
  if (length < 0) return undefined;
  return (await client.read(length + 2)).slice(0, -2);
}

/** What BLPOP and its kin reply: key and element; undefined = time is up. */
async function popped(client: RawClient): Promise<[string, string] | undefined> {
  const head = await client.readUntil("\r\n");
  if (head === "*-1\r\n") return undefined;
  assert.equal(head, "*2\r\n");
  return [(await bulk(client))!, (await bulk(client))!];
}

/** Waits until so many clients are blocked. */
async function untilBlocked(client: RawClient, count: number): Promise<void> {
  for (;;) {
    await client.send(respCommand("INFO", "clients"));
    const info = await bulk(client);
    if (new RegExp(`^blocked_clients:${count}\r?$`, "m").test(info!)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function produce(port: number, number: number): Promise<void> {
  using client = await RawClient.connect(port);
  for (let i = 0; i < ELEMENTS_PER_PRODUCER; i += 5) {
    const name = i % 2 === 0 ? "RPUSH" : "LPUSH";
    const push = (j: number) => respCommand(name, QUEUES[j % 3]!, `${number}:${i + j}`);
    const transaction = respCommand("MULTI") + push(2) + push(3) + respCommand("EXEC");
    await client.send(push(0) + push(1) + transaction + push(4));
    // Two pushes, OK, QUEUED twice, an array of two, a push.
    for (let lines = 0; lines < 9; lines++) await client.readUntil("\r\n");
  }
}

async function consume(port: number, number: number, taken: string[]): Promise<void> {
  using client = await RawClient.connect(port);
  const queues = number % 2 === 0 ? QUEUES : QUEUES.toReversed();
  for (;;) {
    await client.send(respCommand(number % 3 === 0 ? "BRPOP" : "BLPOP", ...queues, "2"));
    const reply = await popped(client);
    if (reply === undefined) return;
    taken.push(reply[1]);
  }
}

async function move(port: number): Promise<void> {
  using client = await RawClient.connect(port);
  for (;;) {
    await client.send(respCommand("BLMOVE", QUEUES[0]!, QUEUES[1]!, "LEFT", "RIGHT", "1"));
    if (await bulk(client) === undefined) return;
  }
}

for (const threads of IO_THREAD_COUNTS) {
  const test = testsInTurn(threads);
  const flags = ["--io-threads", `${threads}`];

  Deno.test(`blocking, ${threads} I/O threads: many producers, movers and consumers lose and double nothing`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    const taken: string[] = [];
    await Promise.all([
      ...Array.from({ length: CONSUMERS }, (_, i) => consume(port, i, taken)),
      ...Array.from({ length: MOVERS }, () => move(port)),
      ...Array.from({ length: PRODUCERS }, (_, i) => produce(port, i)),
    ]);
    assert.equal(taken.length, PRODUCERS * ELEMENTS_PER_PRODUCER);
    assert.equal(new Set(taken).size, taken.length);
    using client = await RawClient.connect(port);
    assert.equal(await integer(client, "EXISTS", ...QUEUES), 0);
    await untilBlocked(client, 0);
  });

  Deno.test(`blocking, ${threads} I/O threads: who came first is served first, on whichever thread`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    using stack = new DisposableStack();
    const pusher = stack.use(await RawClient.connect(port));
    const clients: RawClient[] = [];
    for (let i = 0; i < 20; i++) {
      const client = stack.use(await RawClient.connect(port));
      await client.send(respCommand("BLPOP", "k", "0"));
      await untilBlocked(pusher, i + 1);
      clients.push(client);
    }
    const elements = clients.map((_, i) => `${i}`);
    assert.equal(await integer(pusher, "RPUSH", "k", ...elements), 20);
    const replies = await Promise.all(clients.map(popped));
    assert.deepEqual(replies, elements.map((element) => ["k", element]));
    assert.equal(await integer(pusher, "EXISTS", "k"), 0);
  });

  test(`blocking, ${threads} I/O threads: a client that goes is noticed and takes nothing`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    using pusher = await RawClient.connect(port);
    const leavers = await Promise.all(Array.from({ length: 10 }, () => RawClient.connect(port)));
    for (const client of leavers) await client.send(respCommand("BLPOP", "k", "other", "0"));
    await untilBlocked(pusher, 10);
    using stays = await RawClient.connect(port);
    await stays.send(respCommand("BLPOP", "k", "0"));
    await untilBlocked(pusher, 11);
    // What it sends meanwhile is executed afterwards.
    await stays.send(respCommand("PING").repeat(3) + respCommand("ECHO", "x".repeat(2000)));
    for (const client of leavers) client.close();
    await untilBlocked(pusher, 1);
    assert.equal(await integer(pusher, "RPUSH", "k", "a"), 1);
    assert.deepEqual(await popped(stays), ["k", "a"]);
    assert.equal(await stays.read(21), "+PONG\r\n".repeat(3));
    assert.equal(await bulk(stays), "x".repeat(2000));
    assert.equal(await integer(pusher, "EXISTS", "k"), 0);
  });

  test(`blocking, ${threads} I/O threads: unblocked, killed, and sent away when the server stops`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("resp");
    using admin = await RawClient.connect(port);
    using client = await RawClient.connect(port);
    const id = await integer(client, "CLIENT", "ID");
    await client.send(respCommand("BLMOVE", "k", "l", "LEFT", "LEFT", "0"));
    await untilBlocked(admin, 1);
    assert.equal(await integer(admin, "CLIENT", "UNBLOCK", `${id}`, "ERROR"), 1);
    assert.match(await client.readUntil("\r\n"), /^-UNBLOCKED /);
    await client.send(respCommand("BRPOP", "k", "0"));
    await untilBlocked(admin, 1);
    assert.equal(await integer(admin, "CLIENT", "KILL", "ID", `${id}`), 1);
    await untilBlocked(admin, 0);
    using last = await RawClient.connect(port);
    await last.send(respCommand("BRPOP", "k", "0"));
    await untilBlocked(admin, 1);
    server.signal("SIGTERM");
    assert.equal(await last.readUntil("\r\n"), "-ERR server is shutting down\r\n");
  });
}
