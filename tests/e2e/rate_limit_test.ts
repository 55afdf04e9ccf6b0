/** `--rate-limit` and `--access-log` on whole servers. */

import assert from "node:assert/strict";
import { RawClient } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`server: of 1,000 requests at once exactly 100 pass 100/1m, ${ioThreads} I/O threads`, async () => {
    await using server = await ServerProcess.start([
      "--rate-limit",
      "100/1m",
      "--io-threads",
      String(ioThreads),
    ]);
    const statuses = await Promise.all(
      Array.from({ length: 1000 / 20 }, async () => {
        using client = await RawClient.connect(server.port("http"));
        await client.send(HEALTH.repeat(20));
        const own: number[] = [];
        for (let i = 0; i < 20; i++) {
          const { status, head } = await client.readHttpReply();
          if (status === 429) assert.match(head, /\r\nRetry-After: \d+\r\n/);
          assert.match(head, /\r\nRateLimit-Limit: 100\r\n/);
          own.push(status);
        }
        return own;
      }),
    );
    const all = statuses.flat();
    assert.equal(all.filter((status) => status === 200).length, 100);
    assert.equal(all.filter((status) => status === 429).length, 900);
  });
}

Deno.test("server: --access-log has one line for each request, and no password", async () => {
  await using server = await ServerProcess.start(["--access-log"], {
    env: { SLUICE_PASSWORD: "correct horse" },
  });
  using client = await RawClient.connect(server.port("http"));
  await client.send(
    "GET /users/al%20ice?x=%0a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test/1\r\n" +
      "Authorization: Bearer correct horse\r\n\r\n",
  );
  const { head, status } = await client.readHttpReply();
  assert.equal(status, 404);
  await client.send("GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: from-a-proxy\r\n\r\n");
  await client.readHttpReply();
  server.signal("SIGTERM");
  await server.waitForEnd();
  const [first, second, ...others] = server.linesOf("request");
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(others, []);
  assert.equal(first["method"], "GET");
  assert.equal(first["target"], "/users/al%20ice?x=%0a");
  assert.equal(first["status"], 404);
  assert.equal(first["user_agent"], "test/1");
  assert.match(head, new RegExp(`\\r\\nX-Request-Id: ${first["request_id"]}\\r\\n`));
  assert.equal(second["request_id"], "from-a-proxy");
  assert.equal(second["status"], 200);
  assert.doesNotMatch(JSON.stringify(server.lines), /horse/);
});
