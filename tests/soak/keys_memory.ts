// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * What a million small keys take in memory, here and in Redis, and whether memory that was used can
 * be used again for other sizes, whatever the type.
 *
 *     deno task bench:keys [--keys N] [--types string,list,hash,set,zset,mixed] [--rounds 10]
 *       [--emptied all,second] [--fill-percent N] [--max-memory 128] [--shards 4] [--json]
 *
 * Targets: at most 1.3 times the bytes per key of Redis (`--keys 0` leaves that out); ten times
 * filled and emptied with other sizes without an out-of-memory error, also after only every second
 * key was deleted. `--fill-percent 100` fills until the first error and compares the levels. Exit
 * code 1 when a target is missed.
 *
 * @module
 */

import { BulkLoader } from "../helpers/bulk_loader.ts";
import { isInstalled, ServerProcess } from "../helpers/server_process.ts";
import { tableText } from "../../src/lab/terminal/table.ts";
import { RedisServer } from "../vectors/redis_server.ts";
import { VectorConnection } from "../vectors/session.ts";
import {
  complaint,
  type Emptied,
  refill,
  REFILL_TYPES,
  type RefillRound,
  type RefillType,
} from "./refill.ts";

const RATIO_TARGET = 1.3;
const BATCH = 1000;
/**
 * Per cent of `--max-memory` that is filled. Every shard keeps pages of its own for every size in
 * use; with ten sizes at once, half of each deleted, they are not full.
 */
const FILL_PERCENT: Readonly<Record<Emptied, number>> = { all: 90, "every second": 82 };
/**
 * Per cent by which a later round may be full earlier than the first one, in which keys are of fewer
 * sizes: what is left of others keeps pages of its own.
 */
const TOLERANCE_PERCENT: Readonly<Record<Emptied, number>> = { all: 9, "every second": 15 };

const asJson = Deno.args.includes("--json");
function option(name: string, otherwise: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Deno.args[at + 1] ?? otherwise;
}
const keyCount = Number(option("keys", "1000000"));
const roundCount = Number(option("rounds", "10"));
const maxMemoryMiB = Number(option("max-memory", "128"));
const shards = Number(option("shards", "4"));
const fillPercent = Number(option("fill-percent", "0"));
const types = option("types", REFILL_TYPES.join()).split(",") as RefillType[];
const emptyings = option("emptied", "all,second").split(",")
  .map((word): Emptied => word === "all" ? "all" : "every second");
const unknown = types.filter((type) => !REFILL_TYPES.includes(type));
if (unknown.length > 0) throw new Error(`Cannot fill with ${unknown.join()}: no such type`);

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

const costs: KeyCost[] = [];
if (keyCount > 0) {
  {
    await using server = await ServerProcess.start(["--max-memory", "1gb"]);
    costs.push(await measureKeys("sluice", server.port("resp"), server.pid));
  }
  if (await isInstalled("redis-server")) {
    await using redis = await RedisServer.start();
    costs.push(await measureKeys("redis", redis.port, redis.process.pid));
  }
}
const [ours, theirs] = costs;
const ratio = theirs === undefined ? NaN : ours!.usedPerKey / theirs.usedPerKey;
if (!asJson && costs.length > 0) {
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
}

const HEAD = ["type", "emptied", "round", "bytes", "kept", "written", "filled", "used", "ratio"];
HEAD.push("seconds", "error");
const WIDTHS = [7, 13, 6, 7, 8, 8, 8, 8, 6, 8, 5];
const inColumns = (cells: readonly string[]): string =>
  cells.map((cell, i) => i < 2 ? cell.padEnd(WIDTHS[i]!) : cell.padStart(WIDTHS[i]!)).join(" ");

const levelOf = (emptied: Emptied): number => fillPercent > 0 ? fillPercent : FILL_PERCENT[emptied];
function rowOf(round: RefillRound): string {
  return inColumns([
    ...[round.type, round.emptied, String(round.round), String(round.elementBytes)],
    ...[String(round.kept), String(round.written), `${round.filledPercent.toFixed(1)} %`],
    ...[`${round.usedPercent.toFixed(1)} %`, round.fragmentation.toFixed(2)],
    ...[round.seconds.toFixed(1), round.error === "" ? "none" : round.error],
  ]);
}

const rounds: RefillRound[] = [];
const complaints: string[] = [];
for (const emptied of emptyings) {
  if (!asJson) {
    const level = levelOf(emptied);
    const until = level < 100 ? `to ${level} %` : "until it is full";
    console.log(
      `${maxMemoryMiB} MiB, ${shards} shards, filled ${until}, ${emptied} deleted, filled again`,
    );
    console.log(inColumns(HEAD));
  }
  for (const type of types) {
    const done = await refill({
      type,
      emptied,
      rounds: roundCount,
      fillPercent: levelOf(emptied),
      maxMemoryMiB,
      shards,
      onRound: (round) => asJson || console.log(rowOf(round)),
    });
    rounds.push(...done);
    for (const round of done) {
      const text = complaint(round, done[0]!, levelOf(emptied), TOLERANCE_PERCENT[emptied]);
      if (text !== "") complaints.push(`${type}, ${emptied}, round ${round.round}: ${text}`);
    }
  }
  if (!asJson) console.log("");
}
if (asJson) {
  console.log(JSON.stringify({ keyCount, costs, ratio, rounds, complaints }, undefined, 2));
} else console.log(complaints.length === 0 ? "as it must be" : complaints.join("\n"));
Deno.exit(ratio > RATIO_TARGET || complaints.length > 0 ? 1 : 0);
