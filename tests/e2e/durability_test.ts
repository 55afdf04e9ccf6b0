/** A server with a data directory, as its users see it. */

import assert from "node:assert/strict";
import { runCrashes, startWithData } from "../helpers/crash_rounds.ts";
import { effort } from "../helpers/effort.ts";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import { say } from "../helpers/say.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
/** How often a server is killed; `deno task test:crash` does it 200 times. */
const KILLS = effort(8, 20);
/** Of writes and of events, together; fewer would show little. */
const CONFIRMED = 100;

async function withDirectory(body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "sluice-data-" });
  try {
    await body(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function ask(port: number, ...words: string[]): Promise<string> {
  const client = await RawClient.connect(port);
  await client.send(respCommand(...words));
  const reply = await client.readUntil("\r\n");
  const text = reply.startsWith("$") && reply !== "$-1\r\n"
    ? await client.read(Number(reply.slice(1)) + 2)
    : reply;
  client.close();
  return text.trimEnd();
}

async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
}

async function stop(server: ServerProcess): Promise<number> {
  server.signal("SIGTERM");
  return (await server.waitForEnd()).code;
}

for (const ioThreads of IO_THREAD_COUNTS) {
  const flags = ["--io-threads", String(ioThreads)];
  Deno.test(`data directory: everything is back after a stop (${ioThreads} I/O threads)`, async () => {
    await withDirectory(async (path) => {
      for (let start = 0; start < 3; start++) {
        await using server = await startWithData(path, flags);
        const port = server.port("resp");
        assert.equal(await ask(port, "GET", "k"), start === 0 ? "$-1" : String(start));
        assert.equal(await ask(port, "LLEN", "list"), `:${start * 2}`);
        assert.equal(await ask(port, "BALANCE", "ann"), start === 0 ? "$-1" : `:${start * 5}`);
        assert.equal(await ask(port, "SET", "k", String(start + 1)), "+OK");
        assert.equal(await ask(port, "RPUSH", "list", "a", "b"), `:${start * 2 + 2}`);
        assert.equal(await ask(port, "SET", "gone", "x", "PX", "1"), "+OK");
        const client = await RawClient.connect(server.port("http"));
        await client.send(eventRequest("ann", 5));
        assert.equal((await client.readHttpReply()).status, 202);
        client.close();
        assert.equal(await stop(server), 0);
      }
    });
  });
}

Deno.test("data directory: SAVE takes a snapshot, from which the next start goes on", async () => {
  await withDirectory(async (path) => {
    {
      await using server = await startWithData(path, []);
      const port = server.port("resp");
      for (let i = 0; i < 20; i++) await ask(port, "SET", `k${i}`, `value ${i}`);
      assert.equal(await ask(port, "SAVE"), "+OK");
      assert.equal(await ask(port, "SET", "later", "x"), "+OK");
      assert.match(await ask(port, "BGSAVE"), /^\+Background saving started/);
      assert.match(await ask(port, "INFO", "persistence"), /aof_enabled:1\r\n/);
      assert.ok(Number((await ask(port, "LASTSAVE")).slice(1)) > 1_700_000_000);
      assert.equal(await stop(server), 0);
    }
    const names = await namesIn(path);
    assert.equal(names.filter((name) => name.startsWith("snapshot-")).length, 1, names.join(" "));
    await using server = await startWithData(path, ["--shards", "8"]);
    assert.ok(server.linesOf("recovered")[0]!["snapshot_keys"] as number >= 20);
    assert.equal(await ask(server.port("resp"), "GET", "k7"), "value 7");
    assert.equal(await ask(server.port("resp"), "GET", "later"), "x");
  });
});

Deno.test("data directory: a crash behind a snapshot is not taken for a stop", async () => {
  await withDirectory(async (path) => {
    const endings: unknown[] = [];
    for (const ending of ["kill", "stop", "none"]) {
      await using server = await startWithData(path, ["--fsync", "always"]);
      endings.push(server.linesOf("recovered")[0]!["after_stop"]);
      if (ending === "stop") assert.equal(await stop(server), 0);
      if (ending === "kill") {
        await ask(server.port("resp"), "SET", "k", "v");
        // What it has is in the snapshot, so that nothing is in the segment that begins behind it.
        assert.equal(await ask(server.port("resp"), "SAVE"), "+OK");
        server.signal("SIGKILL");
        await server.waitForEnd();
      }
    }
    assert.deepEqual(endings, [true, false, true]);
  });
});

Deno.test("data directory: two servers cannot have the same one", async () => {
  await withDirectory(async (path) => {
    await using first = await startWithData(path, []);
    await assert.rejects(startWithData(path, []), (error: Error) => {
      return error.message.includes("another process uses it") &&
        error.message.includes(String(first.pid));
    });
  });
});

Deno.test("data directory: one that is missing, or damaged, keeps the server from starting", async () => {
  await withDirectory(async (path) => {
    await assert.rejects(startWithData(`${path}/none`, []), /there is no such directory/);
    {
      await using server = await startWithData(path, ["--fsync", "always"]);
      for (let i = 0; i < 5; i++) await ask(server.port("resp"), "SET", `k${i}`, "v");
      assert.equal(await stop(server), 0);
    }
    const name = (await namesIn(path)).find((name) => name.startsWith("log-"))!;
    const bytes = await Deno.readFile(`${path}/${name}`);
    bytes[150]! ^= 4;
    await Deno.writeFile(`${path}/${name}`, bytes);
    await assert.rejects(startWithData(path, []), new RegExp(`${name} is damaged at byte \\d+`));
  });
});

for (const [fsync, kills] of [["always", KILLS], ["everysec", KILLS / 2]] as const) {
  Deno.test(`data directory: ${kills} kills with ${fsync} lose nothing that was promised`, async () => {
    await withDirectory(async (path) => {
      say(`SLUICE_SEED=${SEED}`);
      const counts = await runCrashes({
        ...{ path, fsync, rounds: kills, confirmed: CONFIRMED, seed: SEED },
        // What was sent in a round is sent again in the next ones.
        mostWorkMs: effort(200, 420),
      });
      say(JSON.stringify(counts));
      const { writes, events } = counts;
      assert.ok(writes >= CONFIRMED && events >= CONFIRMED, JSON.stringify(counts));
      if (fsync === "always") assert.equal(counts.lost, 0);
    });
  });
}
