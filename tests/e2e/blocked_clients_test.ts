/** How many clients are blocked, as INFO and the metrics say it, whichever thread is asked. */

import assert from "node:assert/strict";
import { readMetrics, waitForMetrics } from "../helpers/metrics.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const SERIES = "sluice_blocked_clients";

async function infoCount(port: number): Promise<number> {
  using client = await RawClient.connect(port);
  await client.send(respCommand("INFO", "clients"));
  const length = Number((await client.readUntil("\r\n")).slice(1));
  return Number(/^blocked_clients:(\d+)\r$/m.exec(await client.read(length + 2))![1]);
}

for (const threads of IO_THREAD_COUNTS) {
  Deno.test(`blocked clients, ${threads} I/O threads: every thread counts those of all threads`, async () => {
    const flags = ["--io-threads", `${threads}`, "--workers", "1", "--work-ms", "400"];
    await using server = await ServerProcess.start(flags);
    const [http, resp] = [server.port("http"), server.port("resp")];
    assert.equal((await readMetrics(http)).get(SERIES), 0);
    using stack = new DisposableStack();
    const waiting: RawClient[] = [];
    for (let i = 0; i < 6; i++) {
      const client = stack.use(await RawClient.connect(resp));
      await client.send(respCommand(i % 2 === 0 ? "BLPOP" : "BZPOPMIN", `k${i}`, "0"));
      waiting.push(client);
    }
    const counts = async (count: number): Promise<void> => {
      await waitForMetrics(http, `${count} blocked`, (now) => now.get(SERIES) === count);
      // Connections meet one thread or the other.
      for (let i = 0; i < 6; i++) assert.equal(await infoCount(resp), count);
    };
    await counts(6);
    using pusher = await RawClient.connect(resp);
    await pusher.send(respCommand("RPUSH", "k0", "a") + respCommand("ZADD", "k1", "1", "a"));
    assert.equal(await pusher.read(8), ":1\r\n:1\r\n");
    await counts(4);
    waiting[2]!.close();
    await counts(3);
    using events = await RawClient.connect(resp);
    await events.send(respCommand("EVENT", "amy", "buy", "1", "WAIT", "20000"));
    await waitForMetrics(http, "the client of an event", (now) => now.get(SERIES) === 4);
    await events.readUntil("\r\n");
    await counts(3);
  });
}
