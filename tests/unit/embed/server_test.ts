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

Deno.test("startServer: a setting of another kind is named, and opens nothing", async () => {
  const wrong: readonly (readonly [setting: string, value: unknown, rule: RegExp])[] = [
    ["password", null, /must be a text$/],
    ["password", 5, /must be a text$/],
    ["insecure", "false", /must be true or false$/],
    ["host", null, /must be a text$/],
    ["processor", new URL("file:///x.ts"), /must be a text$/],
    ["lock", "spin", /must be mutex or rwlock$/],
    ["eviction", "lru", /must be noeviction, allkeys-lru or volatile-ttl$/],
    ["fsync", "sometimes", /must be always, everysec or no$/],
    ["logLevel", "loud", /must be trace, debug, info, warn or error$/],
    ["logFormat", "xml", /must be text or json$/],
    ["protoFraming", "some", /must be delimited or none$/],
    ["allow", "10.0.0.0/8", /must be a list of at most \d+ addresses or networks/],
    ["allow", ["nonsense"], /must be a list of at most \d+ addresses or networks/],
    ["deny", Array(2000).fill("::1"), /must be a list of at most \d+ addresses or networks/],
    ["corsOrigins", ["app.example"], /must be a list of origins/],
    ["corsOrigins", ["https://App.example"], /must be a list of origins in small letters/],
    ["allowedHosts", ["http://app.example"], /must be a list of host names/],
  ];
  for (const [setting, value, rule] of wrong) {
    const options = { ...QUIET, host: "0.0.0.0", [setting]: value };
    await assert.rejects(startServer(options), (error) => {
      assert.ok(error instanceof ConfigError, `${setting}: ${error}`);
      assert.equal(error.setting, setting);
      assert.match(error.message, rule);
      return true;
    });
  }
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
