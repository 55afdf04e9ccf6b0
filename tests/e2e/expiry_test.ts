import assert from "node:assert/strict";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const KEYS = 5000;
/** How long keys may take to go before a test gives up; the bench measures how long they do. */
const PATIENCE_MS = 20_000;

async function ask(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  return await client.readUntil("\r\n");
}

async function infoValue(client: RawClient, section: string, name: string): Promise<string> {
  await client.send(respCommand("INFO", section));
  const head = await client.readUntil("\r\n");
  const text = await client.read(Number(head.slice(1)) + 2);
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(text)![1]!;
}

/** Waits until the database is empty without touching a key. */
async function waitUntilEmpty(client: RawClient): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const reply = await ask(client, "DBSIZE");
    if (reply === ":0\r\n") return;
    assert.ok(Date.now() < endMs, `${reply} keys are left`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function fill(client: RawClient, ttlMs: number): Promise<void> {
  const value = "v".repeat(200);
  for (let i = 0; i < KEYS; i++) {
    await client.send(respCommand("SET", `k${i}`, value, "PX", String(ttlMs + i % 500)));
  }
  for (let i = 0; i < KEYS; i++) assert.equal(await client.readUntil("\r\n"), "+OK\r\n");
}

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`expiry: keys go from memory although nobody touches them, io-threads ${ioThreads}`, async () => {
    await using server = await ServerProcess.start(["--io-threads", `${ioThreads}`]);
    using client = await RawClient.connect(server.port("resp"));
    await fill(client, 2000);
    const full = Number(await infoValue(client, "memory", "used_memory"));
    assert.equal(await ask(client, "DBSIZE"), `:${KEYS}\r\n`);
    await waitUntilEmpty(client);
    assert.ok(Number(await infoValue(client, "memory", "used_memory")) < full / 2);
    assert.ok(Number(await infoValue(client, "memory", "used_memory_peak")) >= full);
    assert.equal(await infoValue(client, "stats", "expired_keys"), String(KEYS));
    using http = await RawClient.connect(server.port("http"));
    await http.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const { body } = await http.readHttpReply();
    assert.match(body, new RegExp(`^sluice_expired_keys_total ${KEYS}$`, "m"));
    assert.match(body, /^sluice_keys_with_ttl 0$/m);
  });
}

Deno.test("expiry: the I/O thread removes keys while every worker is busy", async () => {
  await using server = await ServerProcess.start(["--workers", "1", "--work-ms", "60000"]);
  using client = await RawClient.connect(server.port("resp"));
  assert.match(await ask(client, "EVENT", "amy", "buy", "1"), /^\+/);
  await fill(client, 100);
  await waitUntilEmpty(client);
});

Deno.test("eviction: with allkeys-lru every write is taken, and what was used last is there", async () => {
  const flags = ["--eviction", "allkeys-lru", "--max-memory", "4mb", "--shards", "4"];
  await using server = await ServerProcess.start(flags);
  using client = await RawClient.connect(server.port("resp"));
  const value = "v".repeat(200);
  for (let first = 0; first < 40_000; first += 500) {
    let text = "";
    for (let i = first; i < first + 500; i++) text += respCommand("SET", `k${i}`, value);
    await client.send(text);
    for (let i = 0; i < 500; i++) assert.equal(await client.readUntil("\r\n"), "+OK\r\n");
  }
  assert.equal(await ask(client, "EXISTS", "k39999"), ":1\r\n");
  const evicted = Number(await infoValue(client, "stats", "evicted_keys"));
  const left = Number((await ask(client, "DBSIZE")).slice(1));
  assert.equal(evicted + left, 40_000);
  assert.equal(await infoValue(client, "memory", "maxmemory_policy"), "allkeys-lru");
});
