// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * One connection sends commands that take long, at a million elements or at their caps, while
 * others send small ones: how long do those wait?
 *
 *     deno task bench:long [--json] [--elements N] [--only TITLE]… [--server-flag=…]
 *
 * `--only` takes the beginning of a title; `--only many` those of many arguments.
 *
 * Target: p99 of the others below 20 ms. Exit code 1 when one command misses it.
 *
 * @module
 */

import { makeCommandTable } from "../../src/command/table.ts";
import { BulkLoader } from "../helpers/bulk_loader.ts";
import { ServerProcess } from "../helpers/server_process.ts";
import { tableText } from "../../src/lab/terminal/table.ts";
import { encodeRequest } from "../vectors/format.ts";
import { MANY_ARGUMENTS } from "./long_argument_cases.ts";

const P99_TARGET_MS = 20;
/** A command that is over sooner is sent again until this long has passed. Unit: ms. */
const LEAST_MS = 1500;
const PROBES = 4;

const asJson = Deno.args.includes("--json");
const only = Deno.args.flatMap((arg, i) => arg === "--only" ? [Deno.args[i + 1] ?? ""] : []);
const elementCount = Number(argument("--elements") ?? 1_000_000);
const serverFlags = Deno.args
  .filter((arg) => arg.startsWith("--server-flag="))
  .map((arg) => arg.slice("--server-flag=".length));
const table = makeCommandTable();

function argument(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

/** Whether `--only`, if it is there, asks for it. */
function isWanted(title: string): boolean {
  const isAsked = (words: string): boolean =>
    title.toLowerCase().startsWith(words.toLowerCase()) ||
    (words === "many" && MANY_ARGUMENTS.some((each) => each.title === title));
  return only.length === 0 || only.some(isAsked);
}

/** Makes the data of a run: commands of one-line replies, by a number from 0 on. */
interface Filling {
  readonly name: string;
  /** Commands for the elements from `start` to `end`. */
  commands(start: number, end: number): string[][];
}

const numbers = (start: number, end: number): string[] =>
  Array.from({ length: end - start }, (_, i) => String(start + i));

const FILLINGS: Readonly<Record<string, Filling>> = {
  keys: {
    name: "set",
    commands: (start, end) => [["MSET", ...numbers(start, end).flatMap((i) => [`k:${i}`, "v"])]],
  },
  list: {
    name: "rpush",
    commands: (start, end) => [["RPUSH", "big", ...numbers(start, end).map((i) => `element-${i}`)]],
  },
  numbers: {
    name: "rpush",
    commands: (start, end) => [[
      ...["RPUSH", "big"],
      ...numbers(start, end).map((i) => String(Math.imul(Number(i), 2654435761) >>> 0)),
    ]],
  },
  repeats: {
    name: "rpush",
    commands: (start, end) => [[
      ...["RPUSH", "big"],
      ...numbers(start, end).map((i) => `element-${Number(i) % 20}`),
    ]],
  },
  hash: {
    name: "hset",
    commands: (
      start,
      end,
    ) => [["HSET", "big", ...numbers(start, end).flatMap((i) => [`f${i}`, i])]],
  },
  set: {
    name: "sadd",
    commands: (start, end) => [["SADD", "big", ...numbers(start, end).map((i) => `member-${i}`)]],
  },
  zset: {
    name: "zadd",
    commands: (
      start,
      end,
    ) => [["ZADD", "big", ...numbers(start, end).flatMap((i) => [i, `m${i}`])]],
  },
};

/** One thing to measure. */
interface Long {
  readonly title: string;
  readonly needs: readonly string[];
  readonly filling?: keyof typeof FILLINGS;
  /** Sent before, when the data is there. */
  readonly before?: readonly (readonly string[])[];
  /** Sent while the others measure. */
  readonly commands: readonly (readonly string[])[];
  /** Whether it can be sent only once, because it takes the data away. */
  readonly once?: boolean;
}

const MIB = 2 ** 20;
const thousand = (words: readonly string[]): string[][] =>
  Array.from({ length: 1000 }, () => [...words]);

const LONGS: readonly Long[] = [
  { title: "(nothing)", needs: [], commands: [["PING"]] },
  { title: "KEYS *", needs: ["keys"], filling: "keys", commands: [["KEYS", "*"]] },
  { title: "KEYS none", needs: ["keys"], filling: "keys", commands: [["KEYS", "nothing*"]] },
  { title: "FLUSHALL", needs: ["flushall"], filling: "keys", commands: [["FLUSHALL"]], once: true },
  {
    title: "FLUSHDB ASYNC",
    needs: ["flushdb"],
    filling: "keys",
    commands: [["FLUSHDB", "ASYNC"]],
    once: true,
  },
  { title: "DBSIZE, RANDOMKEY", needs: ["randomkey"], filling: "keys", commands: [["RANDOMKEY"]] },
  {
    title: "LRANGE 0 -1",
    needs: ["lrange"],
    filling: "list",
    commands: [["LRANGE", "big", "0", "-1"]],
  },
  {
    title: "LINDEX middle",
    needs: ["lindex"],
    filling: "list",
    commands: [["LINDEX", "big", String(elementCount >> 1)]],
  },
  { title: "LPOS none", needs: ["lpos"], filling: "list", commands: [["LPOS", "big", "nothing"]] },
  {
    title: "LREM none",
    needs: ["lrem"],
    filling: "list",
    commands: [["LREM", "big", "0", "nothing"]],
  },
  {
    title: "LINSERT middle",
    needs: ["linsert"],
    filling: "list",
    commands: [["LINSERT", "big", "BEFORE", `element-${elementCount >> 1}`, "x"]],
  },
  {
    title: "LTRIM to 1",
    needs: ["ltrim"],
    filling: "list",
    commands: [["LTRIM", "big", "0", "0"]],
    once: true,
  },
  {
    title: "LPOP all",
    needs: ["lpop"],
    filling: "list",
    commands: [["LPOP", "big", String(elementCount)]],
    once: true,
  },
  { title: "SORT", needs: ["sort"], filling: "numbers", commands: [["SORT", "big"]] },
  {
    title: "SORT BY GET STORE",
    needs: ["sort"],
    filling: "numbers",
    commands: [["SORT", "big", "BY", "w*", "GET", "#", "STORE", "sorted"]],
  },
  { title: "SMEMBERS", needs: ["smembers"], filling: "set", commands: [["SMEMBERS", "big"]] },
  {
    title: "SUNIONSTORE",
    needs: ["sunionstore"],
    filling: "set",
    commands: [["SUNIONSTORE", "other", "big", "big"]],
  },
  { title: "SINTER", needs: ["sinter"], filling: "set", commands: [["SINTER", "big", "big"]] },
  { title: "SDIFF", needs: ["sdiff"], filling: "set", commands: [["SDIFF", "big", "nothing"]] },
  {
    title: "SPOP all",
    needs: ["spop"],
    filling: "set",
    commands: [["SPOP", "big", String(elementCount)]],
    once: true,
  },
  { title: "HGETALL", needs: ["hgetall"], filling: "hash", commands: [["HGETALL", "big"]] },
  { title: "HKEYS", needs: ["hkeys"], filling: "hash", commands: [["HKEYS", "big"]] },
  {
    title: "ZRANGE 0 -1",
    needs: ["zrange"],
    filling: "zset",
    commands: [["ZRANGE", "big", "0", "-1", "WITHSCORES"]],
  },
  {
    title: "ZUNIONSTORE",
    needs: ["zunionstore"],
    filling: "zset",
    commands: [["ZUNIONSTORE", "other", "2", "big", "big"]],
  },
  {
    title: "ZREMRANGEBYRANK",
    needs: ["zremrangebyrank"],
    filling: "zset",
    commands: [["ZREMRANGEBYRANK", "big", "0", "-2"]],
    once: true,
  },
  {
    title: "ZPOPMIN all",
    needs: ["zpopmin"],
    filling: "zset",
    commands: [["ZPOPMIN", "big", String(elementCount)]],
    once: true,
  },
  ...(["list", "hash", "set", "zset"] as const).flatMap((filling): Long[] => [
    { title: `DEL a ${filling}`, needs: ["del"], filling, commands: [["DEL", "big"]], once: true },
    {
      title: `COPY a ${filling}`,
      needs: ["copy"],
      filling,
      commands: [["COPY", "big", "other", "REPLACE"]],
    },
    {
      title: `RENAME a ${filling}`,
      needs: ["rename"],
      filling,
      before: [["SET", "small", "v"]],
      commands: [["RENAME", "big", "other"]],
      once: true,
    },
    {
      title: `RENAME over a ${filling}`,
      needs: ["rename"],
      filling,
      before: [["SET", "small", "v"]],
      commands: [["RENAME", "small", "big"]],
      once: true,
    },
    { title: `DUMP a ${filling}`, needs: ["dump"], filling, commands: [["DUMP", "big"]] },
    {
      title: `EXPIRE a ${filling}`,
      needs: ["pexpire"],
      filling,
      commands: [["PEXPIRE", "big", "1"], ["EXISTS", "big"]],
      once: true,
    },
  ]),
  {
    title: "SETRANGE",
    needs: ["setrange"],
    commands: [["SETRANGE", "big", String(16 * MIB - 1), "x"], ["SETRANGE", "big", "0", "x"]],
  },
  {
    title: "SETBIT",
    needs: ["setbit"],
    commands: [["SETBIT", "bits", String(128 * MIB - 1), "1"], ["SETBIT", "bits", "0", "1"]],
  },
  {
    title: "APPEND",
    needs: ["append", "setrange"],
    before: [["SETRANGE", "big", String(15 * MIB), "x"]],
    commands: [["APPEND", "big", "x"]],
  },
  {
    title: "BITCOUNT",
    needs: ["bitcount"],
    before: [["SETBIT", "bits", String(128 * MIB - 1), "1"]],
    commands: [["BITCOUNT", "bits"]],
  },
  {
    title: "BITPOS",
    needs: ["bitpos"],
    before: [["SETBIT", "bits", String(128 * MIB - 1), "1"]],
    commands: [["BITPOS", "bits", "1"]],
  },
  {
    title: "BITOP",
    needs: ["bitop"],
    before: [["SETBIT", "bits", String(128 * MIB - 1), "1"]],
    commands: [["BITOP", "XOR", "dest", "bits", "bits"]],
  },
  {
    title: "COPY a string",
    needs: ["copy", "setrange"],
    before: [["SETRANGE", "big", String(15 * MIB), "x"]],
    commands: [["COPY", "big", "other", "REPLACE"]],
  },
  {
    title: "MULTI of 1,000",
    needs: ["exec"],
    filling: "keys",
    commands: [["MULTI"], ...thousand(["SET", "k:1", "x".repeat(100)]), ["EXEC"]],
  },
  {
    title: "MULTI of long ones",
    needs: ["exec", "lrange"],
    filling: "list",
    commands: [["MULTI"], ...thousand(["LRANGE", "big", "0", "5000"]), ["EXEC"]],
  },
  ...MANY_ARGUMENTS,
];

interface Result {
  readonly title: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly longestCallMs: number;
  readonly callCount: number;
  /** How the last call was answered: the beginning of its reply. */
  readonly reply: string;
}

class Probe implements Disposable {
  readonly #worker = new Worker(new URL("../helpers/latency_probe_worker.ts", import.meta.url), {
    type: "module",
  });

  async start(port: number): Promise<void> {
    const ready = this.#answer();
    this.#worker.postMessage({ port, connectionCount: PROBES });
    await ready;
  }

  async stop(): Promise<Float64Array> {
    const answer = this.#answer();
    this.#worker.postMessage("stop");
    return (await answer as Float64Array).sort();
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
      this.#worker.onerror = ({ message }) => reject(new Error(message));
    });
  }
}

/** A connection that reads whatever comes and knows where its last reply ends: at an `ECHO`. */
class LongClient implements Disposable {
  private constructor(readonly socket: Deno.TcpConn) {}

  static async connect(port: number): Promise<LongClient> {
    return new LongClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends commands, and returns how the first reply begins when all are answered. */
  async send(commands: readonly (readonly string[])[]): Promise<string> {
    const end = `end-${crypto.randomUUID()}`;
    const write = async (): Promise<void> => {
      for (const words of [...commands, ["ECHO", end]]) {
        const bytes = encodeRequest(words);
        for (let sent = 0; sent < bytes.length;) {
          sent += await this.socket.write(bytes.subarray(sent));
        }
      }
    };
    const read = async (): Promise<string> => {
      const room = new Uint8Array(1 << 20);
      const decoder = new TextDecoder();
      let first = "";
      let tail = "";
      for (;;) {
        const byteCount = await this.socket.read(room);
        if (byteCount === null) return `${first}(closed)`;
        if (first.length < 60) first += decoder.decode(room.subarray(0, Math.min(60, byteCount)));
        tail = (tail + decoder.decode(room.subarray(Math.max(0, byteCount - 80), byteCount)))
          .slice(-80);
        if (tail.endsWith(`${end}\r\n`)) return first;
      }
    };
    const [reply] = await Promise.all([read(), write()]);
    return reply;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

async function fill(port: number, { commands }: Filling): Promise<void> {
  using loader = await BulkLoader.connect(port);
  const batch = 2000;
  for (let start = 0; start < elementCount; start += batch * 4) {
    const parts = [0, 1, 2, 3].map((i) => start + i * batch).filter((at) => at < elementCount);
    const { firstError } = await loader.send(
      parts.flatMap((at) => commands(at, Math.min(elementCount, at + batch))),
    );
    if (firstError !== "") throw new Error(`Cannot fill: ${firstError}`);
  }
}

async function measure(long: Long, probe: Probe): Promise<Result> {
  await using server = await ServerProcess.start([
    ...["--max-memory", "2gb", ...serverFlags],
  ]);
  const port = server.port("resp");
  if (long.filling !== undefined) await fill(port, FILLINGS[long.filling]!);
  using client = await LongClient.connect(port);
  await client.send([["SET", "probe", "value"], ...long.before ?? []]);
  await probe.start(port);
  // The probes connect and the compilers have their say before anything counts.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const startedAtMs = performance.now();
  let longestCallMs = 0;
  let callCount = 0;
  let reply = "";
  do {
    const sentAtMs = performance.now();
    reply = await client.send(long.commands);
    longestCallMs = Math.max(longestCallMs, performance.now() - sentAtMs);
    callCount++;
  } while (!long.once && performance.now() - startedAtMs < LEAST_MS);
  // What goes on behind the reply counts as well.
  const restMs = LEAST_MS - (performance.now() - startedAtMs);
  if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(restMs, 500)));
  const latencies = await probe.stop();
  const quantile = (q: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? NaN;
  return {
    title: long.title,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: latencies.at(-1) ?? NaN,
    longestCallMs,
    callCount,
    reply: reply.slice(0, 24).replaceAll("\r\n", " ").trim(),
  };
}

const results: Result[] = [];
const missing: string[] = [];
{
  using probe = new Probe();
  for (const long of LONGS) {
    if (!isWanted(long.title)) continue;
    const filler = long.filling === undefined ? [] : [FILLINGS[long.filling]!.name];
    const extra = long.filling === "keys" ? ["mset"] : [];
    if ([...long.needs, ...filler, ...extra].some((name) => table.named(name) === undefined)) {
      missing.push(long.title);
      continue;
    }
    // Minutes of silence would look like a hang.
    console.error(`${long.title} …`);
    results.push(await measure(long, probe));
  }
}
const missed = results.filter(({ p99Ms }) => !(p99Ms < P99_TARGET_MS));
if (asJson) {
  console.log(JSON.stringify({ elementCount, results, missing }, undefined, 2));
} else {
  console.log(tableText(
    ["command", "p50 ms", "p99 ms", "max ms", "longest call ms", "calls", "reply"],
    results.map((each) => [
      each.title,
      ...[each.p50Ms, each.p99Ms, each.maxMs, each.longestCallMs].map((ms) => ms.toFixed(2)),
      String(each.callCount),
      each.reply,
    ]),
  ));
  if (missing.length > 0) console.log(`not here yet: ${missing.join(", ")}`);
}
for (const { title, p99Ms } of missed) {
  console.error(`missed: ${title}, p99 ${p99Ms.toFixed(1)} ms`);
}
Deno.exit(missed.length > 0 ? 1 : 0);
