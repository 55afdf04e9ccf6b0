/** Transactions of clients of a whole server. */

import assert from "node:assert/strict";
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
