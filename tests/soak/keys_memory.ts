// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * What a million small keys take in memory, here and in Redis, and whether memory that was used can
 * be used again for other sizes.
 *
 *     deno task bench:keys [--json] [--keys N]
 *
 * Targets: at most 1.3 times the bytes per key of Redis; ten times filled and emptied with other
 * sizes without an out-of-memory error, also after only every second key was deleted. Exit code 1
 * when one is missed.
 *
 * @module
 */

import { BulkLoader } from "../helpers/bulk_loader.ts";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";
import { tableText } from "../helpers/table_text.ts";
import { RedisServer } from "../vectors/redis_server.ts";
import { VectorConnection } from "../vectors/session.ts";
import { makeCommandTable } from "../../src/command/table.ts";

const MIB = 2 ** 20;
const RATIO_TARGET = 1.3;
const BATCH = 1000;
const REFILL_MIB = 128;
/**
 * Share of `--max-memory` that is filled. Every shard keeps pages of its own for every size in use;
 * with ten sizes at once, half of each deleted, they are not full.
 */
const REFILL_SHARE = { all: 0.95, "every second": 0.85 } as const;
/** Bytes of the values of each round. */
const REFILL_SIZES = [32, 500, 8, 3000, 100, 20_000, 64, 1000, 200, 7000];

const asJson = Deno.args.includes("--json");
const keysAt = Deno.args.indexOf("--keys");
const keyCount = keysAt < 0 ? 1_000_000 : Number(Deno.args[keysAt + 1]);
const table = makeCommandTable();

interface MemoryReading {
  readonly usedBytes: number;
  readonly datasetBytes: number;
  readonly residentBytes: number;
}

async function readMemory(port: number, pid: number): Promise<MemoryReading> {
  using connection = await VectorConnection.open(port, 2);
  const text = await connection.ask(["INFO", "memory"]);
  await connection.end();
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1] ?? NaN);
  // Deno keeps /proc to itself unless it may do everything.
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] })
    .output();
  return {
    usedBytes: field("used_memory"),
    datasetBytes: field("used_memory_dataset"),
    residentBytes: Number(new TextDecoder().decode(stdout).trim() || NaN) * 1024,
  };
}

interface KeyCost {
  readonly name: string;
  readonly usedPerKey: number;
  readonly residentPerKey: number;
  readonly seconds: number;
}

/** Fills a server with keys of 16 bytes and values of 32. */
async function measureKeys(name: string, port: number, pid: number): Promise<KeyCost> {
  const before = await readMemory(port, pid);
  const startedAtMs = performance.now();
  using loader = await BulkLoader.connect(port);
  const value = "0123456789abcdef".repeat(2);
  for (let start = 0; start < keyCount; start += BATCH) {
    const commands = Array.from({ length: BATCH }, (_, i) => [
      "SET",
      `key:${String(start + i).padStart(12, "0")}`,
      value,
    ]);
    const { firstError } = await loader.send(commands);
    if (firstError !== "") throw new Error(`Cannot fill ${name}: ${firstError}`);
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  const after = await readMemory(port, pid);
  return {
    name,
    usedPerKey: (after.usedBytes - before.usedBytes) / keyCount,
    residentPerKey: (after.residentBytes - before.residentBytes) / keyCount,
    seconds,
  };
}

/** How a type's elements are written: keys and commands of about `valueBytes` each. */
const WRITERS: Readonly<Record<string, (key: string, bytes: number, i: number) => string[]>> = {
  set: (key, bytes) => ["SET", key, "v".repeat(bytes)],
  rpush: (key, bytes) => ["RPUSH", key, ...new Array<string>(8).fill("v".repeat(bytes / 8 | 0))],
  hset: (key, bytes) => ["HSET", key, "field", "v".repeat(bytes), "other", "1"],
  sadd: (key, bytes, i) => ["SADD", key, `${"v".repeat(bytes)}${i}`, `${i}`],
  zadd: (key, bytes, i) => ["ZADD", key, `${i}`, "v".repeat(bytes), `${i + 1}`, "w"],
};

interface Round {
  readonly type: string;
  readonly valueBytes: number;
  readonly emptied: string;
  readonly written: number;
  readonly filledShare: number;
  readonly error: string;
}

/** Fills to the share, empties, fills again with other sizes. */
async function refill(type: string, emptied: "all" | "every second"): Promise<Round[]> {
  await using server = await ServerProcess.start([
    ...["--max-memory", `${REFILL_MIB}mb`, "--shards", "16"],
  ]);
  const port = server.port("resp");
  const rounds: Round[] = [];
  using loader = await BulkLoader.connect(port);
  let live: string[] = [];
  for (const [round, valueBytes] of REFILL_SIZES.entries()) {
    const write = WRITERS[type]!;
    let error = "";
    let written = 0;
    let memory = await readMemory(port, server.pid);
    const batch = Math.max(1, Math.min(BATCH, Math.floor(MIB / (valueBytes + 50))));
    while (error === "" && memory.datasetBytes < REFILL_SHARE[emptied] * REFILL_MIB * MIB) {
      for (let i = 0; i < 2 && error === ""; i++) {
        const names = Array.from({ length: batch }, (_, each) => `r${round}:${written + each}`);
        const commands = names.map((name, each) => write(name, valueBytes, each));
        error = (await loader.send(commands)).firstError;
        written += batch;
        live.push(...names);
      }
      memory = await readMemory(port, server.pid);
    }
    const filledShare = memory.datasetBytes / (REFILL_MIB * MIB);
    rounds.push({ type, valueBytes, emptied, written, filledShare, error });
    const [gone, kept] = emptied === "all"
      ? [live, []]
      : [live.filter((_, i) => i % 2 === 0), live.filter((_, i) => i % 2 === 1)];
    for (let start = 0; start < gone.length; start += BATCH) {
      await loader.send([["DEL", ...gone.slice(start, start + BATCH)]]);
    }
    live = kept;
  }
  return rounds;
}

const costs: KeyCost[] = [];
{
  await using server = await ServerProcess.start(["--max-memory", "1gb"]);
  costs.push(await measureKeys("sluice", server.port("resp"), server.pid));
}
if (await isInstalled("redis-server")) {
  await using redis = await RedisServer.start();
  costs.push(await measureKeys("redis", redis.port, redis.process.pid));
}
const [ours, theirs] = costs;
const ratio = theirs === undefined ? NaN : ours!.usedPerKey / theirs.usedPerKey;

const rounds: Round[] = [];
for (const type of Object.keys(WRITERS)) {
  if (table.named(type) === undefined) continue;
  for (const emptied of ["all", "every second"] as const) {
    rounds.push(...await refill(type, emptied));
  }
}
const failed = rounds.filter(({ error }) => error !== "");

if (asJson) {
  console.log(JSON.stringify({ keyCount, costs, ratio, rounds }, undefined, 2));
} else {
  console.log(`${keyCount} keys of 16 bytes with values of 32 bytes`);
  console.log(tableText(
    ["server", "bytes per key", "resident per key", "seconds"],
    costs.map(({ name, usedPerKey, residentPerKey, seconds }) => [
      name,
      usedPerKey.toFixed(1),
      residentPerKey.toFixed(1),
      seconds.toFixed(1),
    ]),
  ));
  console.log(`ratio ${ratio.toFixed(2)}, target ${RATIO_TARGET}\n`);
  console.log(`filled to most of ${REFILL_MIB} MiB, emptied, filled again`);
  console.log(tableText(
    ["command", "emptied", "value bytes", "keys", "filled", "error"],
    rounds.map(({ type, emptied, valueBytes, written, filledShare, error }) => [
      ...[type, emptied, String(valueBytes), String(written)],
      ...[`${(filledShare * 100).toFixed(1)} %`, error === "" ? "none" : error],
    ]),
  ));
  const missing = Object.keys(WRITERS).filter((type) => table.named(type) === undefined);
  if (missing.length > 0) console.log(`not here yet: ${missing.join(" ")}`);
}
Deno.exit(ratio > RATIO_TARGET || failed.length > 0 ? 1 : 0);
