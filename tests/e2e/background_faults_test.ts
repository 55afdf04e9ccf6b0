/** An event worker that dies while it removes what has expired, or frees garbage. */

import assert from "node:assert/strict";
import { inTurn } from "../helpers/effort.ts";
import { readMetrics, waitForMetrics } from "../helpers/metrics.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { FAULTY_PROGRAM, ServerProcess } from "../helpers/server_process.ts";

const FLAGS = ["--workers", "1", "--shards", "1"];

/** The main thread is 0 and serves alone, or has others serve; the worker comes behind them. */
const IO_THREADS = Number(Deno.env.get("SLUICE_IO_THREADS") ?? 1);
const WORKER = IO_THREADS > 1 ? IO_THREADS + 1 : 1;

/** Starts a server whose first worker ends so; its replacement lives. */
function start(plan: string): Promise<ServerProcess> {
  const env = { SLUICE_TEST_FAULT: `plan ${plan}:exit` };
  return ServerProcess.start(FLAGS, { script: FAULTY_PROGRAM, env });
}

/** Keys that expire, and a list whose memory is freed in slices. */
async function fill(client: RawClient): Promise<void> {
  const values = Array.from({ length: 20_000 }, (_, i) => `value ${i}`);
  await client.send(respCommand("RPUSH", "list", ...values));
  assert.equal(await client.readUntil("\r\n"), ":20000\r\n");
  for (let i = 0; i < 300; i++) {
    await client.send(respCommand("SET", `key${i}`, "value", "PX", `${50 + i}`));
    assert.equal(await client.readUntil("\r\n"), "+OK\r\n");
  }
  await client.send(respCommand("DEL", "list"));
  assert.equal(await client.readUntil("\r\n"), ":1\r\n");
}

const PLANS = [
  "sweepLocked:1",
  "sweepChanged:1",
  "sweepChanged:40",
  "garbageLocked:1",
  "garbageChanged:1",
  "garbageChanged:3",
];

for (const plan of inTurn(PLANS, (plan) => plan.split(":")[0])) {
  Deno.test(`server: a worker that dies at ${plan} costs nothing, another one goes on`, async () => {
    await using server = await start(plan);
    const [http, resp] = [server.port("http"), server.port("resp")];
    const before = (await readMetrics(http)).get("sluice_memory_block_bytes")!;
    using client = await RawClient.connect(resp);
    await fill(client);
    await waitForMetrics(
      http,
      "all keys and all garbage to be gone",
      (now) =>
        now.get("sluice_worker_deaths_total") === 1 && now.get("sluice_keys") === 0 &&
        now.get("sluice_workers") === 1 && now.get("sluice_memory_block_bytes")! <= before + 4096,
    );
    assert.equal((await readMetrics(http)).get("sluice_expired_keys_total"), 300);
    await client.send(respCommand("EVENT", "amy", "buy", "5", "WAIT", "20000"));
    assert.equal(await client.readUntil("\r\n"), ":5\r\n");
    server.signal("SIGTERM");
    const { code, lines } = await server.waitForEnd();
    assert.equal(code, 0, JSON.stringify(lines));
    const [stopped] = server.linesOf("stopped");
    assert.equal(stopped!["processed"], 1);
    assert.equal(stopped!["lost"], 0);
  });
}

for (
  const [plan, name] of [
    ["sweepChanging:5", "expiry"],
    ["garbageChanging:2", "freeing of a collection"],
  ] as const
) {
  Deno.test(`server: a worker that dies at ${plan} tears its shard, and the server stops (C4)`, async () => {
    await using server = await start(plan);
    using client = await RawClient.connect(server.port("resp"));
    await fill(client).catch(() => {});
    const { code, lines } = await server.waitForEnd();
    assert.equal(code, 4);
    const fault = `internal fault: shard 0 torn by thread ${WORKER} in ${name}`;
    const faults = lines.filter(({ message }) => String(message).startsWith(fault));
    assert.equal(faults.length, 1, JSON.stringify(lines));
    assert.equal(server.linesOf("stopped").length, 0, "nothing pretends that this was a stop");
  });
}
