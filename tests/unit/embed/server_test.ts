import assert from "node:assert/strict";
import { ConfigError, startServer } from "../../../src/mod.ts";

const QUIET = {
  httpPort: 0,
  respPort: "off",
  protoPort: "off",
  workers: 1,
  shards: 4,
  maxMemoryBytes: 16 * 2 ** 20,
} as const;

Deno.test("startServer: takes what differs from the defaults, and its log goes where it is wanted", async () => {
  const lines: string[] = [];
  {
    await using server = await startServer({
      ...QUIET,
      logFormat: "json",
      log: (line) => lines.push(line),
    });
    assert.ok(server.ports.http! > 0);
    assert.equal(server.ports.resp, null);
    const reply = await fetch(`http://127.0.0.1:${server.ports.http}/ready`);
    assert.equal(await reply.text(), `{"status":"ready"}`);
    assert.equal(server.stats().received, 0);
  }
  const events = lines.map((line) => JSON.parse(line).event);
  assert.ok(events.includes("ready") && events.includes("stopped"), `${events}`);
});

Deno.test("startServer: a setting that cannot be is named, with what would be right", async () => {
  const wrong = [
    [{ shards: 3 }, "shards", /must be a power of two/],
    [{ workers: 0 }, "workersMax", /must be a whole number from 1/],
    [{ httpPort: 70_000 }, "httpPort", /must be a port/],
    [{ host: "0.0.0.0" }, "host", /must be a loopback address/],
    [{ workerz: 1 }, "workerz", /there is no such setting/],
  ] as const;
  for (const [options, setting, message] of wrong) {
    await assert.rejects(startServer({ ...QUIET, ...options }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.setting, setting);
      assert.match(error.message, message);
      return true;
    });
  }
});
