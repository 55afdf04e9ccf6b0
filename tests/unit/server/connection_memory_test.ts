import assert from "node:assert/strict";
import { CounterIndex, PROTOCOL_COUNTERS } from "../../../src/metrics/names.ts";
import { RawClient } from "../../helpers/raw_client.ts";
import { EchoServer, eventually } from "./echo.ts";

const { active, bytesRead } = PROTOCOL_COUNTERS.http;
const MIB = 1 << 20;

Deno.test("Connection: between requests it holds its smallest buffer, in the end nothing", async () => {
  await using server = new EchoServer();
  const { memory } = server.connections;
  using clients = new DisposableStack();
  for (let i = 0; i < 20; i++) {
    const client = clients.use(await RawClient.connect(server.port));
    await client.send(`${"x".repeat(100_000)}\n`);
    assert.equal((await client.readUntil("\n")).length, 100_001);
  }
  await eventually(() => memory.heldBytes === 20 * 4096, "small buffers");
  server.connections.sweep();
  assert.equal(server.counts.get(CounterIndex.CLIENT_MEMORY_BYTES), 20 * 4096);
  clients.dispose();
  await eventually(() => memory.heldBytes === 0, "no buffers");
  memory.assertInvariants();
  server.connections.sweep();
  assert.equal(server.counts.get(CounterIndex.CLIENT_MEMORY_BYTES), 0);
});

for (const operation of ["read", "write"] as const) {
  Deno.test(`Connection: what a ${operation} has is lent until it has ended, close or not`, async () => {
    const ended = Promise.withResolvers<never>();
    let isPending = false;
    const held = (): Promise<never> => {
      isPending = true;
      return ended.promise;
    };
    await using server = new EchoServer({
      source: (listener) => ({
        accept: async () => Object.assign(await listener.accept(), { [operation]: held }),
        close: () => listener.close(),
      }),
    });
    const { memory } = server.connections;
    using client = await RawClient.connect(server.port);
    await client.send("hello\n");
    await eventually(() => isPending, `a ${operation}`);
    const heldBytes = operation === "read" ? 1024 : 1024 + 4096;
    assert.equal(memory.heldBytes, heldBytes);
    server.connections[Symbol.dispose]();
    await client.readToEnd();
    assert.equal(memory.heldBytes, heldBytes, "the system may still touch it");
    ended.reject(new Deno.errors.Interrupted("closed"));
    await eventually(() => memory.heldBytes === 0, "its end");
    memory.assertInvariants();
  });
}

Deno.test("Connection: incomplete requests of many take no more memory than there is", async () => {
  await using server = new EchoServer({ maxMemoryBytes: MIB });
  const { memory } = server.connections;
  let mostBytes = 0;
  server.control.onProcess = () => mostBytes = Math.max(mostBytes, memory.heldBytes);
  using attackers = new DisposableStack();
  const sending: Promise<unknown>[] = [];
  for (let i = 0; i < 40; i++) {
    const attacker = attackers.use(await RawClient.connect(server.port));
    // Some are closed while they send.
    sending.push(attacker.send("x".repeat(100_000)).catch(() => {}));
  }
  using modest = await RawClient.connect(server.port);
  for (let i = 0; i < 50; i++) {
    await modest.send("hello\n");
    assert.equal(await modest.read(6), "hello\n", "who needs little is served all along");
  }
  await eventually(() => server.control.closedForMemory.length > 30, "closed attackers");
  assert.ok(mostBytes > MIB / 2 && mostBytes <= MIB, `${mostBytes} bytes were held`);
  for (const heldBytes of server.control.closedForMemory) assert.ok(heldBytes > 4096);
  assert.equal(
    server.counts.get(CounterIndex.CLOSED_CLIENT_MEMORY),
    server.control.closedForMemory.length,
  );
  attackers.dispose();
  await Promise.all(sending);
  await modest.send("still here\n");
  assert.equal(await modest.read(11), "still here\n");
  modest.close();
  await eventually(() => server.counts.get(active) === 0, "everybody's end");
  assert.equal(memory.heldBytes, 0);
  memory.assertInvariants();
});

Deno.test("Connection: replies that nobody takes overdraw memory one at a time", async () => {
  const replyBytes = 6 * MIB;
  await using server = new EchoServer({ maxMemoryBytes: 16 * MIB });
  server.control.bigBytes = replyBytes;
  const { memory } = server.connections;
  let mostBytes = 0;
  let wasOverdrawn = false;
  server.control.onProcess = () => {
    mostBytes = Math.max(mostBytes, memory.heldBytes);
    wasOverdrawn ||= memory.isOverdrawn;
  };
  using greedy = new DisposableStack();
  const clients: RawClient[] = [];
  for (let i = 0; i < 12; i++) clients.push(greedy.use(await RawClient.connect(server.port)));
  await eventually(() => server.counts.get(active) === 12, "twelve connections");
  // All together, so that many batches could begin before the first overdraft is made good.
  await Promise.all(clients.map((client) => client.send("big\nbig\nbig\n")));
  await eventually(() => (server.counts.get(bytesRead) ?? 0) >= 12 * 12, "all requests");
  await eventually(() => server.control.closedForMemory.length > 0, "the first end");
  using modest = await RawClient.connect(server.port);
  await modest.send("hello\n");
  assert.equal(await modest.read(6), "hello\n");
  assert.ok(!wasOverdrawn, "nobody begins while memory is overdrawn");
  assert.ok(mostBytes <= 16 * MIB);
  greedy.dispose();
  modest.close();
  await eventually(() => server.counts.get(active) === 0, "everybody's end");
  assert.equal(memory.heldBytes, 0);
  memory.assertInvariants();
});

Deno.test("Connection: who overdraws goes first, also while its command is under way", async () => {
  await using server = new EchoServer({ maxMemoryBytes: 16 * MIB });
  const { control } = server;
  const { memory } = server.connections;
  const gate = Promise.withResolvers<void>();
  control.parked = gate.promise;
  control.bigBytes = 24 * MIB;
  using clients = new DisposableStack();
  const modest: RawClient[] = [];
  for (let i = 0; i < 10; i++) {
    const client = clients.use(await RawClient.connect(server.port));
    await client.send("hello\n");
    assert.equal(await client.read(6), "hello\n");
    modest.push(client);
  }
  const greedy = clients.use(await RawClient.connect(server.port));
  await greedy.send("stay\n");
  await eventually(() => memory.isOverdrawn, "an overdraft");
  const replies = modest.map(async (client) => {
    await client.send("hello\n");
    return await client.read(6);
  });
  await eventually(() => control.closedForMemory.length > 0, "the end of the greedy one");
  assert.equal(control.closedForMemory.length, 1);
  assert.ok(control.closedForMemory[0]! >= 24 * MIB, `closed one with ${control.closedForMemory}`);
  gate.resolve();
  assert.deepEqual(await Promise.all(replies), modest.map(() => "hello\n"));
  clients.dispose();
  await eventually(() => server.counts.get(active) === 0, "everybody's end");
  assert.equal(memory.heldBytes, 0);
  memory.assertInvariants();
});
