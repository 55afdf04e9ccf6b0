/**
 * Records files of Redis 7, and what it says is in them: `deno task vectors:files`.
 *
 * Starts `redis-server` on a free loopback port, fills it with what `redis_data.ts` has, and copies
 * what it writes to `redis-files/`. Beside each file lies what Redis answers when it is asked for the
 * same keys, a line of JSON for each, a character for each byte. What Redis 7 does not write any more
 * is in `redis_old_files.ts`; of these files, too, it is recorded what Redis finds in them.
 *
 * @module
 */

import { say } from "../helpers/say.ts";
import { type ParsedRespReply, parseRespReplies } from "../helpers/resp_reply_parser.ts";
import { afterRewrite, beforeRewrite, everything, type Words } from "./redis_data.ts";
import { type RecordedKey, REDIS_FILES } from "./redis_model.ts";
import { version3File, version9File } from "./redis_old_files.ts";
import { RedisServer } from "./redis_server.ts";
import { VectorConnection } from "./session.ts";

/** Few elements are many here, so that the files stay small. */
const SMALL_LIMITS = [
  ...["--hash-max-listpack-entries", "40", "--zset-max-listpack-entries", "40"],
  ...["--list-max-listpack-size", "128", "--list-compress-depth", "1"],
];

async function ask(client: VectorConnection, words: Words): Promise<ParsedRespReply> {
  const [reply] = parseRespReplies(await client.ask(words));
  if (reply === undefined || reply.type === "-") {
    throw new Error(`Cannot record ${words.slice(0, 3).join(" ")}: ${reply?.text ?? "no reply"}`);
  }
  return reply;
}

async function list(client: VectorConnection, words: Words): Promise<string[]> {
  return (await ask(client, words)).parts.map(({ text }) => text!);
}

function inPairs(flat: readonly string[]): string[][] {
  return flat.flatMap((text, i) => i % 2 === 0 ? [[text, flat[i + 1]!]] : []);
}

async function valueOf(
  client: VectorConnection,
  type: string,
  key: string,
): Promise<RecordedKey["value"]> {
  switch (type) {
    case "string":
      return (await ask(client, ["GET", key])).text!;
    case "list":
      return await list(client, ["LRANGE", key, "0", "-1"]);
    case "set":
      return (await list(client, ["SMEMBERS", key])).toSorted();
    case "hash":
      return inPairs(await list(client, ["HGETALL", key])).toSorted();
    case "zset":
      return inPairs(await list(client, ["ZRANGE", key, "0", "-1", "WITHSCORES"]));
  }
  return undefined;
}

/** What Redis has, by its own words. */
async function model(client: VectorConnection): Promise<string> {
  const lines: string[] = [];
  for (let database = 0; database < 16; database++) {
    await ask(client, ["SELECT", String(database)]);
    for (const key of (await list(client, ["KEYS", "*"])).toSorted()) {
      const type = (await ask(client, ["TYPE", key])).text!;
      const expireAtMs = Number((await ask(client, ["PEXPIRETIME", key])).text);
      const value = await valueOf(client, type, key);
      const recorded: RecordedKey = {
        ...{ database, key, type, expireAtMs: Math.max(expireAtMs, 0) },
        ...(value === undefined ? {} : { value }),
      };
      lines.push(JSON.stringify(recorded));
    }
  }
  return `${lines.join("\n")}\n`;
}

async function play(client: VectorConnection, commands: readonly Words[]): Promise<void> {
  for (const words of commands) await ask(client, words);
}

async function untilRewritten(client: VectorConnection): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const text = (await ask(client, ["INFO", "persistence"])).text!;
    if (/aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("Cannot record an AOF: it is not rewritten");
}

/** Files that one command writes all of; the same is in each. */
async function recordSnapshots(name: string, flags: readonly string[]): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using server = await RedisServer.start([...SMALL_LIMITS, "--dir", folder, ...flags]);
    using client = await VectorConnection.open(server.port, 2);
    await ask(client, ["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "600B"]);
    await play(client, everything());
    await ask(client, ["SAVE"]);
    await Deno.copyFile(`${folder}/dump.rdb`, new URL(`${name}.rdb`, REDIS_FILES));
    await Deno.writeTextFile(new URL("snapshot.jsonl", REDIS_FILES), await model(client));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Files that grow: a base, what came later, and a history that Redis was told to keep. */
async function recordLog(name: string, flags: readonly string[]): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using server = await RedisServer.start([
      ...["--dir", folder, "--appendonly", "yes", "--appendfsync", "always"],
      ...["--aof-timestamp-enabled", "yes", "--aof-disable-auto-gc", "yes", ...flags],
    ]);
    using client = await VectorConnection.open(server.port, 2);
    await play(client, beforeRewrite());
    await ask(client, ["BGREWRITEAOF"]);
    await untilRewritten(client);
    await play(client, afterRewrite());
    const target = new URL(`${name}/`, REDIS_FILES);
    await Deno.mkdir(target, { recursive: true });
    for await (const file of Deno.readDir(target)) await Deno.remove(new URL(file.name, target));
    for await (const file of Deno.readDir(`${folder}/appendonlydir`)) {
      await Deno.copyFile(`${folder}/appendonlydir/${file.name}`, new URL(file.name, target));
    }
    await Deno.writeTextFile(new URL(`${name}.jsonl`, REDIS_FILES), await model(client));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Files that were written by hand, as Redis reads them. */
async function recordReading(name: string, bytes: Uint8Array): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/dump.rdb`, bytes);
    await using server = await RedisServer.start(["--dir", folder]);
    using client = await VectorConnection.open(server.port, 2);
    await Deno.writeFile(new URL(`${name}.rdb`, REDIS_FILES), bytes);
    await Deno.writeTextFile(new URL(`${name}.jsonl`, REDIS_FILES), await model(client));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await Deno.mkdir(REDIS_FILES, { recursive: true });
await recordSnapshots("snapshot", []);
await recordSnapshots("unchecked", ["--rdbcompression", "no", "--rdbchecksum", "no"]);
await recordLog("log-with-commands", ["--aof-use-rdb-preamble", "no"]);
await recordLog("log-with-snapshot", ["--aof-use-rdb-preamble", "yes"]);
await recordReading("version-3", version3File());
await recordReading("version-9", version9File());
say("Recorded the files of tests/vectors/redis-files/");
