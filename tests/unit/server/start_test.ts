import assert from "node:assert/strict";
import { type Config, defaultConfig, StartError, startServer } from "../../../src/mod.ts";
import { pause } from "../../../src/server/pause.ts";
import { eventRequest, RawClient, respCommand } from "../../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, testsInTurn } from "../../helpers/server_process.ts";

const small: Config = {
  ...defaultConfig(),
  httpPort: 0,
  respPort: 0,
  protoPort: 0,
  workersMin: 1,
  workersMax: 1,
  shards: 4,
  maxMemoryBytes: 16 * 2 ** 20,
};

for (const ioThreads of IO_THREAD_COUNTS) {
  const test = testsInTurn(ioThreads);
  const config: Config = { ...small, ioThreads };

  test(`startServer, ${ioThreads} I/O threads: a server is a value that stops itself`, async () => {
    let port: number;
    {
      await using server = await startServer(config);
      port = server.ports.http!;
      using http = await RawClient.connect(port);
      await http.send(eventRequest("alice", 3));
      assert.equal((await http.readHttpReply()).status, 202);
      const { received, dropped, active_connections } = server.stats();
      assert.deepEqual([received, dropped, active_connections], [1, 0, 1]);
    }
    await assert.rejects(RawClient.connect(port), Deno.errors.ConnectionRefused);
  });

  test(`startServer, ${ioThreads} I/O threads: stopping says what became of the events, the same every time`, async () => {
    await using server = await startServer(config);
    using resp = await RawClient.connect(server.ports.resp!);
    await resp.send(respCommand("EVENT", "alice", "buy", "1").repeat(100));
    await resp.read(1100);
    const [first, second] = await Promise.all([server.stop(), server.stop()]);
    assert.deepEqual(first, {
      received: 100,
      processed: 100,
      dropped: 0,
      failed: 0,
      pending: 0,
      lost: 0,
      isLogIncomplete: false,
    });
    assert.equal(first, second);
  });

  test(`startServer, ${ioThreads} I/O threads: hurrying ends a stop that would take long, and counts what it costs`, async () => {
    await using server = await startServer({ ...config, workMs: 100 });
    using resp = await RawClient.connect(server.ports.resp!);
    await resp.send(respCommand("EVENT", "alice", "buy", "1").repeat(50));
    await resp.read(550);
    const stopped = server.stop();
    server.hurry();
    const { received, processed, lost } = await stopped;
    assert.equal(received, 50);
    assert.equal(lost, 50 - processed);
    assert(lost > 25, `lost ${lost}`);
  });

  test(`startServer, ${ioThreads} I/O threads: a stop does not wait for events that clients wait for`, async () => {
    // Longer than the step takes that settles requests, shorter than the time that it may take.
    await using server = await startServer({ ...config, workMs: 1500 });
    using resp = await RawClient.connect(server.ports.resp!);
    await resp.send(respCommand("EVENT", "alice", "buy", "1", "WAIT", "30000"));
    while (server.stats().received === 0) await pause(1);
    const stopped = server.stop();
    assert.equal(await resp.readToEnd(), "+ACCEPTED\r\n");
    const { processed, lost } = await stopped;
    assert.deepEqual([processed, lost], [1, 0], "it is settled all the same");
  });

  test(`startServer, ${ioThreads} I/O threads: a listener that is off has no port`, async () => {
    await using server = await startServer({ ...config, httpPort: "off" });
    assert.equal(server.ports.http, null);
    using resp = await RawClient.connect(server.ports.resp!);
    await resp.send(respCommand("PING"));
    assert.equal(await resp.read(7), "+PONG\r\n");
  });

  test(`startServer, ${ioThreads} I/O threads: a failed start leaves nothing running`, async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const httpPort = free.addr.port;
    free.close();
    await assert.rejects(
      startServer({ ...config, httpPort, respPort: taken.addr.port }),
      StartError,
    );
    // The port that could be had was given back.
    await using server = await startServer({ ...config, httpPort });
    assert.equal(server.ports.http, httpPort);
  });

  test(`startServer, ${ioThreads} I/O threads: two servers in one process know nothing of each other`, async () => {
    await using one = await startServer(config);
    await using two = await startServer(config);
    using toOne = await RawClient.connect(one.ports.resp!);
    using toTwo = await RawClient.connect(two.ports.resp!);
    await toOne.send(respCommand("SET", "key", "1"));
    assert.equal(await toOne.read(5), "+OK\r\n");
    await toTwo.send(respCommand("EXISTS", "key"));
    assert.equal(await toTwo.read(4), ":0\r\n");
  });
}
