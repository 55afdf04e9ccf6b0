/** `GET /keys/:key/info`. */

import assert from "node:assert/strict";
import type { KeyInfoJson } from "../../../../src/server/routes/key_info_json.ts";
import { toLatin1 } from "../../protocol/http/support.ts";
import { TestServer } from "../http_world.ts";

const encoder = new TextEncoder();

async function infoOf(server: TestServer, path: string): Promise<KeyInfoJson> {
  const reply = await server.get(`/keys/${path}/info`);
  assert.equal(reply.status, 200, reply.body);
  assert.equal(reply.headers.get("content-type"), "application/json");
  return JSON.parse(reply.body);
}

Deno.test("/keys/:key/info: says what a key of each type holds", async () => {
  const server = new TestServer();
  const { harness } = server;
  const cases: [command: string, type: string, length: number, preview: unknown[]][] = [
    ["SET k hello", "string", 5, [{ value: "hello", bytes: 5, cut: false }]],
    ["SET k 12345", "string", 5, [{ value: "12345", bytes: 5, cut: false }]],
    ["RPUSH k b a", "list", 2, [
      { value: "b", bytes: 1, cut: false },
      { value: "a", bytes: 1, cut: false },
    ]],
    ["SADD k one", "set", 1, [{ value: "one", bytes: 3, cut: false }]],
    ["HSET k name Alice", "hash", 1, [{ field: "name", value: "Alice", bytes: 5, cut: false }]],
    ["ZADD k 2.5 bob -inf eve", "zset", 2, [
      { value: "eve", bytes: 3, cut: false, score: "-inf" },
      { value: "bob", bytes: 3, cut: false, score: "2.5" },
    ]],
  ];
  for (const [command, type, length, preview] of cases) {
    await harness.ask("DEL k\r\n");
    await harness.ask(`${command}\r\n`);
    const info = await infoOf(server, "k");
    assert.deepEqual([info.type, info.length, info.ttl_ms], [type, length, null], command);
    assert.deepEqual(info.preview, preview, command);
    const [, encoding] = (await harness.ask("OBJECT ENCODING k\r\n")).split("\r\n");
    assert.equal(info.encoding, encoding, command);
    assert.equal(`:${info.memory_bytes}\r\n`, await harness.ask("MEMORY USAGE k\r\n"), command);
  }
  assert.equal((await server.get("/keys/nothing/info")).status, 404);
  assert.equal((await server.get(`/keys/${"k".repeat(4097)}/info`)).status, 414);
});

Deno.test("/keys/:key/info: knows when a key expires, and looks at one as if it did not", async () => {
  const server = new TestServer();
  const { harness } = server;
  await harness.ask("SET k v PX 60000\r\n");
  const { ttl_ms } = await infoOf(server, "k");
  assert.ok(ttl_ms !== null && ttl_ms > 0 && ttl_ms <= 60_000, String(ttl_ms));
  const stats = await harness.ask("OBJECT IDLETIME k\r\n");
  await infoOf(server, "k");
  assert.equal(await harness.ask("OBJECT IDLETIME k\r\n"), stats);
});

Deno.test("/keys/:key/info: shows the beginning of what is large", async () => {
  const server = new TestServer({ maxRequestBytes: 4_000_000 });
  const { harness } = server;
  await harness.ask(`SET s ${"x".repeat(30_000)}\r\n`);
  const string = await infoOf(server, "s");
  assert.equal(string.length, 30_000);
  assert.deepEqual(string.preview, [{ value: "x".repeat(4096), bytes: 30_000, cut: true }]);
  const members = Array.from({ length: 3000 }, (_, i) => `m${i}`);
  for (const [command, one] of [["SADD", ""], ["RPUSH", ""], ["HSET", " v"]] as const) {
    await harness.ask("DEL c\r\n");
    for (let at = 0; at < members.length; at += 100) {
      await harness.ask(
        `${command} c ${members.slice(at, at + 100).map((m) => m + one).join(" ")}\r\n`,
      );
    }
    const info = await infoOf(server, "c");
    assert.equal(info.length, 3000, command);
    assert.equal(info.preview.length, 20, command);
    const shown = info.preview.map(({ field, value }) => field ?? value);
    assert.equal(new Set(shown).size, 20, command);
    assert.ok(shown.every((name) => members.includes(name as string)), command);
  }
  await harness.ask("DEL h\r\n");
  await harness.ask(`HSET h ${"f".repeat(20_000)} ${"\xc3\xa9".repeat(200)}\r\n`);
  const [part] = (await infoOf(server, "h")).preview;
  assert.deepEqual(part, {
    field: "f".repeat(256),
    value: toLatin1(encoder.encode("é".repeat(128))),
    bytes: 400,
    cut: true,
  });
});

Deno.test("/keys/:key/info: names and values are bytes of any kind", async () => {
  const server = new TestServer();
  await server.put("/keys/%00%FF%2F", Uint8Array.of(0, 255, 65));
  const info = await infoOf(server, "%00%FF%2F");
  assert.deepEqual(info.preview, [{ value: { encoded: "%00%FFA" }, bytes: 3, cut: false }]);
  assert.equal((await server.get("/keys/%00%FF%2F")).body, "\u0000\u00ffA");
});
