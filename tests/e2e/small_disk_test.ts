/** A data directory on a disk that is full, read-only, or none at all. */

import assert from "node:assert/strict";
import { startWithData } from "../helpers/crash_rounds.ts";
import { ProtoTcpClient } from "../helpers/proto_client.ts";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import { PROGRAM, ServerProcess } from "../helpers/server_process.ts";
import { canMount, SmallDisk } from "../helpers/small_disk.ts";

const mounts = await canMount();
/** As deno task test:matrix has the servers. */
const hasOneShard = Deno.env.get("SLUICE_SHARDS") === "1";
const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;

async function ask(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(respCommand(...words));
  const head = await client.readUntil("\r\n");
  if (!head.startsWith("$") || head === "$-1\r\n") return head.trimEnd();
  return (await client.readUntil("\r\n")).trimEnd();
}

async function eventStatus(port: number): Promise<number> {
  const client = await RawClient.connect(port);
  await client.send(eventRequest("ann", 1));
  const { status } = await client.readHttpReply();
  client.close();
  return status;
}

for (const fsync of ["always", "everysec"] as const) {
  Deno.test(
    `full disk: with ${fsync} writes are refused until there is room, and nothing confirmed is lost`,
    {
      ignore: !mounts,
    },
    async () => {
      await using disk = await SmallDisk.mount("size=3m");
      const filler = `${disk.path}/filler`;
      await Deno.writeFile(filler, new Uint8Array(2 ** 20));
      const data = `${disk.path}/data`;
      await Deno.mkdir(data);
      const confirmed = new Map<string, string>();
      const value = "v".repeat(40_000);
      {
        await using server = await startWithData(data, ["--fsync", fsync]);
        const client = await RawClient.connect(server.port("resp"));
        assert.equal(await ask(client, "SET", "first", "1"), "+OK");
        for (let i = 0; i < 8; i++) assert.equal(await ask(client, "SET", `read${i}`, "1"), "+OK");
        let reply = "+OK";
        for (let i = 0; reply === "+OK"; i++) {
          assert.ok(i < 200, "the disk is full at some time");
          // The reply to what did not fit waits with always, so it is asked over another connection.
          const writer = await RawClient.connect(server.port("resp"));
          await writer.send(respCommand("SET", `k${i % 20}`, `${i} ${value}`));
          reply = await Promise.race([
            writer.readUntil("\r\n").then((text) => text.trimEnd()),
            server.waitForLine("log_failed").then(() => "failed"),
          ]);
          if (reply === "+OK") confirmed.set(`k${i % 20}`, `${i} ${value}`);
          else writer.close();
        }
        assert.match(await ask(client, "SET", "first", "2"), /^-MISCONF /);
        // With always a few may be in the shard of the write that was lost, which may not be told: where
        // there is only one, all are.
        let readable = 0;
        for (let i = 0; i < 8; i++) {
          const found = await ask(client, "GET", `read${i}`);
          if (found === "1") readable++;
          else assert.match(found, /^-MISCONF What this command would tell/);
        }
        const [least, most] = fsync === "everysec" ? [8, 8] : hasOneShard ? [0, 0] : [4, 8];
        assert.ok(readable >= least && readable <= most, `${readable} of 8 are read`);
        assert.equal(await eventStatus(server.port("http")), 503);
        await using proto = await ProtoTcpClient.connect(server.port("proto"));
        const event = { user: "ann", action: "add", amount: 1n };
        const refusal = JSON.stringify(await proto.ask({ case: "event", value: event }));
        assert.ok(refusal.includes("EVENT_STATUS_STORAGE_UNAVAILABLE"), refusal);
        const line = server.linesOf("log_failed")[0]!;
        assert.match(String(line["error"]), /No space left on device/);
        // Room again: without a start writes are taken.
        await Deno.remove(filler);
        await server.waitForLine("log_resumed");
        assert.equal(await ask(client, "SET", "first", "3"), "+OK");
        assert.equal(await eventStatus(server.port("http")), 202);
        client.close();
        if (fsync === "everysec") await new Promise((resolve) => setTimeout(resolve, 1500));
        server.signal("SIGKILL");
      }
      await using server = await startWithData(data, ["--fsync", fsync]);
      const client = await RawClient.connect(server.port("resp"));
      assert.equal(await ask(client, "GET", "first"), "3");
      for (const [key, text] of confirmed) {
        const found = await ask(client, "GET", key);
        // What was sent last was not confirmed, and may be there.
        assert.ok(parseInt(found) >= parseInt(text), `${key}: ${found.slice(0, 10)}`);
      }
      assert.equal(await ask(client, "BALANCE", "ann"), ":1");
      client.close();
    },
  );
}

/** The one line that a start ends with, whose exit code is 1. */
async function refusedStart(path: string, script?: readonly string[]): Promise<string> {
  await using server = await ServerProcess.start(["--data-dir", path], {
    denoArgs: script ?? ["run", "--no-check", "--no-prompt", "-A", PROGRAM],
    skipReady: true,
  });
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 1);
  assert.equal(lines.at(-1)!["event"], "start_failed");
  return String(lines.at(-1)!["message"]);
}

Deno.test("data directory: one that is missing, or a file, is one clear line and exit code 1", async () => {
  const path = await Deno.makeTempDir({ prefix: "sluice-data-" });
  const refusal = (problem: string) =>
    new RegExp(`^Cannot use .* for data: ${problem}; check --data`);
  assert.match(await refusedStart(`${path}/none`), refusal("there is no such directory"));
  await Deno.writeTextFile(`${path}/file`, "");
  assert.match(await refusedStart(`${path}/file`), refusal("it is not a directory"));
  const withoutRights = ["run", "--no-check", "--no-prompt", "--allow-net", "--allow-read=."];
  assert.match(
    await refusedStart(path, [...withoutRights, "--allow-env=SLUICE_*,NO_COLOR", PROGRAM]),
    refusal("the runtime lacks --allow-read or --allow-write"),
  );
  await Deno.remove(path, { recursive: true });
});

Deno.test("data directory: one on a disk that is read-only is one clear line and exit code 1", {
  ignore: !mounts,
}, async () => {
  await using disk = await SmallDisk.mount("size=1m");
  await disk.remount("ro");
  assert.match(await refusedStart(disk.path), /for data: the file system is read-only; check/);
});

Deno.test("data directory: one on a disk without any room is one clear line and exit code 1", {
  ignore: !mounts,
}, async () => {
  await using disk = await SmallDisk.mount("size=64k");
  await Deno.writeFile(`${disk.path}/filler`, new Uint8Array(65536));
  assert.match(await refusedStart(disk.path), /No space left on device/);
});

Deno.test("data directory: one that may not be written to is one clear line and exit code 1", {
  // Who is root may.
  ignore: isRoot || Deno.build.os === "windows",
}, async () => {
  const path = await Deno.makeTempDir({ prefix: "sluice-data-" });
  await Deno.chmod(path, 0o500);
  assert.match(await refusedStart(path), /for data: permission denied; check/);
  await Deno.remove(path);
});
