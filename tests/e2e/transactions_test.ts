/** Transactions of clients of a whole server. */

import assert from "node:assert/strict";
import { MemoryWatch } from "../helpers/load/run_attack.ts";
import { assertControlsServed, GROWTH_MAX_MIB, runControls } from "../helpers/hostile.ts";
import { canRunLoad } from "../helpers/load/run_load.ts";
import { closedFor, readMetrics, waitForMetrics } from "../helpers/metrics.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const CLIENTS = 12;
const INCREMENTS = 40;

async function connect(server: ServerProcess, count: number): Promise<RawClient[]> {
  const port = server.port("resp");
  return await Promise.all(Array.from({ length: count }, () => RawClient.connect(port)));
}

/** The replies of a pipeline that ends with a `PING`, without that. */
async function talk(client: RawClient, ...commands: string[][]): Promise<string> {
  await client.send(commands.map((words) => respCommand(...words)).join("") + respCommand("PING"));
  return (await client.readUntil("+PONG\r\n")).slice(0, -"+PONG\r\n".length);
}

for (const ioThreads of IO_THREAD_COUNTS) {
  const name = `${ioThreads} I/O threads`;

  Deno.test(`transactions (${name}): with WATCH no increment is lost`, async () => {
    await using server = await ServerProcess.start(["--io-threads", String(ioThreads)]);
    using stack = new DisposableStack();
    const clients = await connect(server, CLIENTS);
    for (const client of clients) stack.use(client);
    let abortCount = 0;
    await Promise.all(clients.map(async (client) => {
      for (let done = 0; done < INCREMENTS;) {
        const [, , value = "0"] = (await talk(client, ["WATCH", "sum"], ["GET", "sum"]))
          .split("\r\n");
        const next = String(Number(value) + 1);
        const reply = await talk(client, ["MULTI"], ["SET", "sum", next], ["EXEC"]);
        if (reply.endsWith("*-1\r\n")) abortCount++;
        else done++;
      }
    }));
    assert.equal(await talk(clients[0]!, ["GET", "sum"]), "$3\r\n480\r\n");
    assert.ok(abortCount > 0, "inconclusive: nobody ever came in between");
  });

  Deno.test(`transactions (${name}): nobody sees a part of one`, async () => {
    await using server = await ServerProcess.start(["--io-threads", String(ioThreads)]);
    using stack = new DisposableStack();
    const clients = await connect(server, 8);
    for (const client of clients) stack.use(client);
    let isOver = false;
    const writers = clients.slice(0, 4).map(async (client) => {
      for (let i = 0; i < 300; i++) {
        const change = i % 2 === 0
          ? [["SET", "a", "1"], ["SET", "b", "1"], ["SET", "c", "1"]]
          : [["DEL", "b"], ["DEL", "c"], ["DEL", "a"]];
        await talk(client, ["MULTI"], ...change, ["EXEC"]);
      }
      isOver = true;
    });
    const seen = new Set<string>();
    const readers = clients.slice(4).map(async (client) => {
      while (!isOver) seen.add(await talk(client, ["EXISTS", "a", "b", "c"]));
    });
    await Promise.all([...writers, ...readers]);
    assert.deepEqual([...seen].toSorted(), [":0\r\n", ":3\r\n"]);
  });
}

Deno.test("transactions: what clients queue and watch is client memory, and comes back", async () => {
  await using server = await ServerProcess.start([
    ...["--io-threads", "1", "--max-client-memory", "16mb", "--max-request-bytes", "2mb"],
  ]);
  using stack = new DisposableStack();
  const clients = await connect(server, 40);
  for (const client of clients) stack.use(client);
  const http = server.port("http");
  const before = (await readMetrics(http)).get("sluice_client_memory_bytes")!;
  // 40 MB in all: some are refused, or closed, so that the others can be served.
  const queued = await Promise.all(clients.map(async (client) => {
    try {
      await client.send(
        respCommand("MULTI") + respCommand("SET", "big", "x".repeat(1_000_000)) +
          respCommand("PING"),
      );
      return await client.readUntil("+QUEUED\r\n");
    } catch {
      return "closed";
    }
  }));
  await waitForMetrics(
    http,
    "what is queued counts",
    (now) => now.get("sluice_client_memory_bytes")! > before + 4 * 2 ** 20,
  );
  const metrics = await readMetrics(http);
  const heldBytes = metrics.get("sluice_client_memory_bytes")!;
  assert.ok(heldBytes <= 16 * 2 ** 20, `${heldBytes} bytes are held`);
  const refused = queued.filter((reply) => reply.includes("-OOM no client memory left"));
  assert.ok(refused.length + closedFor(metrics, "client_memory") > 0, "not all were kept");
  assert.ok(queued.includes("+OK\r\n+QUEUED\r\n"), "some were kept");
  for (const client of clients) client[Symbol.dispose]();
  await waitForMetrics(
    http,
    "what is queued comes back",
    (now) => now.get("sluice_client_memory_bytes")! <= before + 2 ** 16,
  );
});

/** Between two requests of the others: they are to be served, not to keep the processors busy. */
const PAUSE_MS = 20;

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(
    `transactions (${ioThreads} I/O threads): 120 MB of replies are streamed, and the others are served (C13)`,
    {
      ignore: !canRunLoad,
    },
    async () => {
      await using server = await ServerProcess.start(["--io-threads", String(ioThreads)]);
      using stack = new DisposableStack();
      const [client, slow] = await connect(server, 2);
      stack.use(client!);
      stack.use(slow!);
      const value = "v".repeat(60_000);
      assert.equal(await talk(client!, ["SET", "wide", value]), "+OK\r\n");
      const queue = respCommand("MULTI") + respCommand("GET", "wide").repeat(2000);
      await using memory = await MemoryWatch.start(server.pid);
      const controls = runControls(server, 1500, PAUSE_MS);
      // It asks for as much and reads nothing.
      await slow!.send(queue + respCommand("EXEC"));
      for (let round = 0; round < 2; round++) {
        await client!.send(queue);
        await client!.readUntil("+QUEUED\r\n".repeat(2000));
        await client!.send(respCommand("EXEC") + respCommand("PING"));
        assert.equal(await client!.readUntil("\r\n"), "*2000\r\n");
        for (let i = 0; i < 2000; i++) {
          assert.equal(await client!.read(8), "$60000\r\n");
          assert.equal(await client!.read(60_002) === `${value}\r\n`, true);
        }
        assert.equal(await client!.readUntil("\r\n"), "+PONG\r\n");
      }
      assertControlsServed(await controls);
      assert.ok(memory.growthMib < GROWTH_MAX_MIB, `it grew by ${memory.growthMib.toFixed(0)} MiB`);
      assert.equal(closedFor(await readMetrics(server.port("http")), "client_memory"), 0);
    },
  );
}

Deno.test(
  "transactions: replies that cannot be streamed are bounded, and cost only who asked (C13)",
  {
    ignore: !canRunLoad,
  },
  async () => {
    await using server = await ServerProcess.start([
      ...["--io-threads", "1", "--max-request-bytes", "2mb"],
    ]);
    using stack = new DisposableStack();
    const clients = await connect(server, 6);
    for (const client of clients) stack.use(client);
    assert.equal(await talk(clients[0]!, ["SET", "wide", "v".repeat(8000)]), "+OK\r\n");
    await using memory = await MemoryWatch.start(server.pid);
    const controls = runControls(server, 1500, PAUSE_MS);
    const greedy = clients.map(async (client) => {
      for (let round = 0; round < 3; round++) {
        const many = new Array<string>(50_000).fill("wide");
        // Both would be more than there is client memory.
        const queue = Array.from({ length: 9000 }, () => ["GET", "wide"]);
        const inMulti = await talk(client, ["MULTI"], ...queue, ["EXEC"]);
        assert.match(inMulti.slice(-200), /QUEUED\r\n-ERR the command was executed, but its reply/);
        const atOnce = await talk(client, ["MGET", ...many]);
        assert.match(atOnce, /^-ERR the command was executed, but its reply is larger/);
      }
    });
    await Promise.all(greedy);
    assertControlsServed(await controls);
    assert.ok(memory.growthMib < GROWTH_MAX_MIB, `it grew by ${memory.growthMib.toFixed(0)} MiB`);
  },
);
