/** `sluice repair`, `dump` and `load` as programs, between servers that stop and start. */

import assert from "node:assert/strict";
import { startWithData } from "../helpers/crash_rounds.ts";
import { eventRequest, RawClient } from "../helpers/raw_client.ts";
import { parseRespReplies } from "../helpers/resp_reply_parser.ts";
import { isInstalled, PROGRAM, type ServerProcess } from "../helpers/server_process.ts";
import { everything } from "../vectors/redis_data.ts";
import { RedisServer } from "../vectors/redis_server.ts";
import { VectorConnection } from "../vectors/session.ts";

interface End {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the program to its end. */
async function sluice(args: readonly string[], input?: string): Promise<End> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--allow-net", "--allow-read", "--allow-write"],
      ...["--allow-env=SLUICE_*,NO_COLOR", PROGRAM, ...args],
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function withFolder(body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "sluice-commands-" });
  try {
    await body(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function stop(server: ServerProcess): Promise<void> {
  server.signal("SIGTERM");
  assert.equal((await server.waitForEnd()).code, 0);
}

async function firstOf(path: string, kind: string): Promise<string> {
  const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  const found = names.filter((name) => name.startsWith(`${kind}-`)).toSorted()[0];
  assert.ok(found !== undefined, names.join(" "));
  return found;
}

Deno.test("data commands: what one server had is dumped, loaded, and had by another", async () => {
  await withFolder(async (folder) => {
    const first = `${folder}/first`;
    await Deno.mkdir(first);
    {
      await using server = await startWithData(first, []);
      using client = await VectorConnection.open(server.port("resp"), 2);
      // A character for each byte.
      await client.ask(["SET", "text", "gr\xc3\xbc\xc3\x9fe"]);
      await client.ask(["RPUSH", "list", "a", "b"]);
      await client.ask(["SELECT", "3"]);
      await client.ask(["ZADD", "z", "1.5", "m", "-inf", "n"]);
      const http = await RawClient.connect(server.port("http"));
      await http.send(eventRequest("ann", 7));
      assert.equal((await http.readHttpReply()).status, 202);
      http.close();
      const inUse = await sluice(["dump", first]);
      assert.deepEqual([inUse.code, inUse.stdout], [1, ""]);
      assert.match(inUse.stderr, new RegExp(`another process uses it \\(process ${server.pid}\\)`));
      for (const words of [["repair", first], ["load", first, "-", "--add"]]) {
        const { code, stderr } = await sluice(words, "");
        assert.deepEqual([code, stderr], [1, inUse.stderr]);
      }
      await stop(server);
    }
    const dumped = await sluice(["dump", first]);
    assert.equal(dumped.code, 0, dumped.stderr);
    assert.deepEqual(dumped.stdout.trimEnd().split("\n"), [
      '{"sluice_dump":1}',
      '{"db":0,"key":"balance:ann","type":"string","value":"7","balance":true}',
      '{"db":0,"key":"list","type":"list","value":["a","b"]}',
      '{"db":0,"key":"text","type":"string","value":"grüße"}',
      '{"db":3,"key":"z","type":"zset","value":[["n","-inf"],["m",1.5]]}',
      '{"end":{"keys":4,"events":0}}',
    ]);
    const event = '{"event":{"user":"ann","action":"pay","amount":"5"}}\n';
    const lines = dumped.stdout.trimEnd().split("\n").slice(1, -1).join("\n");
    const second = `${folder}/second`;
    const loaded = await sluice(["load", second, "-"], `${lines}\n${event}`);
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.match(
      loaded.stdout,
      /second has 4 keys \(databases 0: 3, 3: 1\) now; 1 event to settle/,
    );
    {
      await using server = await startWithData(second, ["--fsync", "always"]);
      using client = await VectorConnection.open(server.port("resp"), 2);
      for (let reply = ""; reply !== ":12\r\n"; reply = await client.ask(["BALANCE", "ann"])) {
        assert.ok(["", ":7\r\n"].includes(reply), `${reply}: the event is settled once`);
      }
      await client.ask(["SET", "more", "1"]);
      server.signal("SIGKILL");
      await server.waitForEnd();
    }
    const after = await sluice(["dump", second, "--match", "[bm]*", "--output", `${folder}/out`]);
    assert.equal(after.code, 0, after.stderr);
    assert.deepEqual((await Deno.readTextFile(`${folder}/out`)).trimEnd().split("\n"), [
      '{"sluice_dump":1}',
      '{"db":0,"key":"balance:ann","type":"string","value":"12","balance":true}',
      '{"db":0,"key":"more","type":"string","value":"1"}',
      '{"end":{"keys":2,"events":0}}',
    ]);
  });
});

Deno.test("data commands: a start that is refused names sluice repair, after which it succeeds", async () => {
  await withFolder(async (path) => {
    {
      await using server = await startWithData(path, ["--fsync", "always"]);
      using client = await VectorConnection.open(server.port("resp"), 2);
      for (let i = 0; i < 10; i++) await client.ask(["SET", `k${i}`, "v".repeat(100)]);
      await stop(server);
    }
    const name = await firstOf(path, "log");
    const bytes = await Deno.readFile(`${path}/${name}`);
    // In the fifth piece or so.
    bytes[1000]! ^= 1;
    await Deno.writeFile(`${path}/${name}`, bytes);
    const ports = ["http", "resp", "proto"].flatMap((name) => [`--${name}-port`, "0"]);
    const refused = await sluice(["--data-dir", path, ...ports]);
    assert.equal(refused.code, 1);
    assert.ok(refused.stderr.includes(`sluice repair ${path} shows`), refused.stderr);
    const shown = await sluice(["repair", path]);
    assert.equal(shown.code, 1, shown.stderr);
    assert.match(shown.stdout, new RegExp(`A start: is refused: ${name} is damaged at byte \\d+`));
    assert.match(shown.stdout, /--truncate would\n- cut off .*\nLost with that: \d records/);
    assert.deepEqual(await Deno.readFile(`${path}/${name}`), bytes, "nothing was changed");
    const asJson = JSON.parse((await sluice(["repair", path, "--json"])).stdout);
    assert.equal(asJson.start.damage.file, name);
    const { offset } = asJson.repair.steps[0];
    assert.ok(offset <= 1000 && offset > 800);
    const cut = await sluice(["repair", path, "--truncate"]);
    assert.equal(cut.code, 0, cut.stderr);
    const keptName = `${name}.from-${offset}.cut`;
    assert.ok(cut.stdout.includes(`What was there is kept in ${keptName}.`), cut.stdout);
    assert.deepEqual(await Deno.readFile(`${path}/${keptName}`), bytes.slice(offset));
    assert.equal((await sluice(["repair", path])).code, 0);
    await using server = await startWithData(path, []);
    using client = await VectorConnection.open(server.port("resp"), 2);
    const left = Number((await client.ask(["DBSIZE"])).slice(1));
    assert.equal(left, asJson.repair.after.keyCount);
    for (let i = 0; i < 10; i++) {
      assert.equal(await client.ask(["EXISTS", `k${i}`]), i < left ? ":1\r\n" : ":0\r\n");
    }
    await stop(server);
  });
});

Deno.test("data commands: what can be read of a damaged snapshot is dumped, and can be loaded", async () => {
  await withFolder(async (folder) => {
    const [data, saved] = [`${folder}/data`, `${folder}/saved`];
    const lines = Array.from(
      { length: 2000 },
      (_, i) => JSON.stringify({ key: `k${i}`, type: "string", value: "v".repeat(300) }),
    );
    assert.equal((await sluice(["load", data, "-"], `${lines.join("\n")}\n`)).code, 0);
    const name = await firstOf(data, "snapshot");
    const bytes = await Deno.readFile(`${data}/${name}`);
    bytes[300_000]! ^= 1;
    await Deno.writeFile(`${data}/${name}`, bytes);
    const shown = await sluice(["repair", data, "--truncate"]);
    assert.equal(shown.code, 1, shown.stderr);
    assert.match(shown.stdout, /cannot be repaired by cutting something off: snapshot-/);
    assert.ok(shown.stdout.includes(`sluice dump ${data} --salvage writes what can be read.`));
    assert.deepEqual(await Deno.readFile(`${data}/${name}`), bytes, "it is left as it is");
    const refused = await sluice(["dump", data]);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /is damaged at byte \d+: .*; sluice repair .* shows what/);
    const dumped = await sluice(["dump", data, "--salvage"]);
    assert.equal(dumped.code, 0);
    assert.match(dumped.stderr, /passed over: snapshot-.*, from byte \d+ on: the checksum/);
    const loaded = await sluice(["load", saved, "-", "--json"], dumped.stdout);
    assert.equal(loaded.code, 0, loaded.stderr);
    const { keyCount } = JSON.parse(loaded.stdout);
    assert.ok(keyCount > 800 && keyCount < 1900, `${keyCount} of 2000 keys`);
  });
});

Deno.test("data commands: a directory that is missing, wrong arguments, and help", async () => {
  await withFolder(async (folder) => {
    for (const command of ["repair", "dump"]) {
      const { code, stderr } = await sluice([command, `${folder}/nowhere`]);
      assert.equal(code, 1);
      assert.equal(stderr, `sluice: Cannot use ${folder}/nowhere: there is no such directory\n`);
    }
    const wrong = await sluice(["load", `${folder}/new`, "-"], "nonsense");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^sluice: Cannot load standard input: it is no dump[^\n]*\n$/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), [], "nothing is left behind");
    const noFile = await sluice(["load", `${folder}/new`, `${folder}/none`]);
    assert.equal(noFile.stderr, `sluice: Cannot read ${folder}/none: there is no such file\n`);
    await Deno.mkdir(`${folder}/empty`);
    const to = `${folder}/nowhere/keys.ndjson`;
    const unwritten = await sluice(["dump", `${folder}/empty`, "--output", to]);
    assert.equal(unwritten.stderr, `sluice: Cannot write ${to}: there is no such directory\n`);
    assert.equal((await sluice(["load", folder])).code, 2);
  });
});

/** What a server replies when it is asked for every key of every database. */
async function everyKey(port: number): Promise<Map<string, string>> {
  using client = await VectorConnection.open(port, 2);
  const ask = async (...words: string[]) => parseRespReplies(await client.ask(words))[0]!;
  const found = new Map<string, string>();
  for (let database = 0; database < 16; database++) {
    await ask("SELECT", String(database));
    for (const { text: key } of (await ask("KEYS", "*")).parts) {
      const { text: type } = await ask("TYPE", key!);
      if (type === "stream") continue;
      const words = {
        string: ["GET", key!],
        list: ["LRANGE", key!, "0", "-1"],
        set: ["SMEMBERS", key!],
        hash: ["HGETALL", key!],
        zset: ["ZRANGE", key!, "0", "-1", "WITHSCORES"],
      }[type!]!;
      const reply = await ask(...words);
      const parts = reply.parts.map(({ text }) => text!);
      const pairs = parts.flatMap((part, i) => i % 2 === 0 ? [[part, parts[i + 1]!]] : []);
      const value = type === "string"
        ? reply.text
        : type === "set"
        ? parts.toSorted()
        : type === "hash"
        ? pairs.toSorted()
        // Scores have other digits for the same number.
        : type === "zset"
        ? pairs.map(([member, score]) => [member, String(Number(score!.replace("inf", "1e999")))])
        : parts;
      const expiry = Number((await ask("PEXPIRETIME", key!)).text);
      // No key expires later here.
      const expireAtMs = Math.min(expiry, 2 ** 48 - 1);
      found.set(`${database} ${key}`, JSON.stringify([type, value, expireAtMs]));
    }
  }
  return found;
}

Deno.test({
  name: "data commands: what a Redis had is there, from its RDB file and from its AOF",
  ignore: !await isInstalled("redis-server"),
  fn: async () => {
    await withFolder(async (folder) => {
      await using redis = await RedisServer.start(["--dir", folder, "--appendonly", "yes"]);
      {
        using client = await VectorConnection.open(redis.port, 2);
        for (const words of everything()) await client.ask(words);
        await client.ask(["SELECT", "9"]);
        for (let i = 0; i < 500; i++) {
          await client.ask(["ZADD", "scores", String(i / 7), `member ${i}`]);
          await client.ask(["HINCRBY", "counts", `field ${i % 97}`, String(i)]);
        }
        await client.ask(["SAVE"]);
      }
      const expected = await everyKey(redis.port);
      assert.ok(expected.size > 60, `${expected.size} keys`);
      for (const source of ["dump.rdb", "appendonlydir"]) {
        const path = `${folder}/from-${source}`;
        const words = ["load", path, `${folder}/${source}`];
        const refused = await sluice(words);
        assert.equal(refused.code, 1, "there are streams");
        assert.match(refused.stdout, /(streams|XADD) .*\n[^]*Nothing was written/);
        const { code, stderr } = await sluice([...words, "--skip-unsupported"]);
        assert.equal(code, 0, stderr);
        await using server = await startWithData(path, []);
        const found = await everyKey(server.port("resp"));
        assert.deepEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted());
        for (const [key, value] of expected) {
          const context = `${source}, ${key.slice(0, 40)}: ${found.get(key)?.slice(0, 200)}`;
          assert.ok(found.get(key) === value, context);
        }
        await stop(server);
      }
    });
  },
});
