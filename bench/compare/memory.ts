/**
 * What the server takes in memory: idle, with connections, under load, per key; and how fast it
 * starts. Redis beside it.
 *
 *     deno task bench:memory --help
 *
 * @module
 */

import { Progress, standardErrorOutput } from "../../src/lab/terminal/progress.ts";
import { type Check, inDigits, under } from "./lib/checks.ts";
import { Children, descriptorLimit, isInstalled } from "./lib/children.ts";
import { IdleClients } from "./lib/idle_clients.ts";
import { loadText, machineFacts } from "./lib/machine.ts";
import { countOf, fail, readOptions, textOf } from "./lib/options.ts";
import { readMemory } from "./lib/process_facts.ts";
import { parseRedisBenchmark, redisBenchmarkWords } from "./lib/redis_benchmark.ts";
import { commandLine, publish, type ReportTable } from "./lib/report.ts";
import { askBulk, RespFiller } from "./lib/resp_filler.ts";
import { type BenchServer, redisVersion, startRedis, startSluice } from "./lib/servers.ts";
import { type Spread, spreadOf } from "./lib/statistics.ts";
import { parseWrk, wrkWords } from "./lib/wrk.ts";

const HELP = `Memory and start of Sluice, and of Redis beside it (Linux).

Usage: deno task bench:memory [options]

  --idle COUNT        idle connections at most (default: 10000)
  --seconds COUNT     length of the load of 1,000 connections (default: 8)
  --keys COUNT        keys of 16 bytes with values of 32 (default: 1000000)
  --starts COUNT      starts of each kind (default: 10)
  --quick             100,000 keys, 3 s of load, 3 starts
  --binary PATH       measure this executable beside the sources
  --flags WORDS       further flags of Sluice, separated by spaces
  --json FILE         write all figures
  --markdown FILE     write the report
  --help              show this

Nothing is pinned to a processor. Exit code 1 when something that must hold does not.`;

/** Connections of the rows that have a bound. */
const CONNECTIONS = 1000;
/** Until connections that came or went are noticed everywhere. Unit: ms. */
const SETTLE_MS = 2000;
/** Until the threads that read the modules have ended, which are idle for 10 s first. Unit: ms. */
const IDLE_MS = 15_000;
/** From the end of the load until what is left is looked at. Unit: ms. */
const AFTER_MS = 10_000;
const SAMPLE_MS = 250;
/** Unit of the bounds. */
const MB = 1e6;

/** How to start one of the servers that are measured. */
interface Subject {
  readonly name: string;
  readonly start: (flags?: readonly string[]) => Promise<BenchServer>;
  /** Flags that let in `count` connections. */
  readonly letIn: (count: number) => readonly string[];
  readonly hasHttp: boolean;
}

/** What was found. Unit of memory: bytes; NaN = not measured. */
interface Findings {
  readonly name: string;
  readonly atReady: number;
  readonly idle: number;
  readonly idleResp: number;
  readonly activeResp: number;
  readonly afterResp: number;
  readonly idleHttp: number;
  readonly activeHttp: number;
  readonly afterHttp: number;
  readonly manyIdle: number;
  readonly perConnection: number;
  readonly usedPerKey: number;
  readonly residentPerKey: number;
  readonly respPerSecond: number;
  readonly httpPerSecond: number;
  readonly startMs: Spread;
}

const options = readOptions(HELP);
const isQuick = options["quick"] === true;
const seconds = countOf(options, "seconds", isQuick ? 3 : 8);
const keyCount = countOf(options, "keys", isQuick ? 100_000 : 1_000_000);
const startCount = countOf(options, "starts", isQuick ? 3 : 10);
const flags = textOf(options, "flags")?.split(" ").filter((word) => word !== "") ?? [];
const binary = textOf(options, "binary");
const remarks: string[] = [];
if (Deno.build.os !== "linux") {
  fail("Cannot measure: memory is read from /proc, which is Linux's", 1);
}

await using children = new Children();
const most = await descriptorLimit() - 200;
const idleCount = Math.min(countOf(options, "idle", 10_000), most);
if (idleCount < CONNECTIONS) {
  fail("Cannot measure: the limit of descriptors is too low (ulimit -n)", 1);
}
if (idleCount === most) remarks.push(`${most} idle connections only: the limit of descriptors`);

function rest(ms = SETTLE_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function resident(server: BenchServer): Promise<number> {
  return (await readMemory(server.pid)).residentBytes;
}

/** The most that was resident while `load` went on. */
async function residentDuring<T>(server: BenchServer, load: Promise<T>): Promise<[number, T]> {
  let isOver = false;
  const result = load.finally(() => isOver = true);
  let most = 0;
  while (!isOver) {
    most = Math.max(most, await resident(server));
    await rest(SAMPLE_MS);
  }
  return [most, await result];
}

/** What one server had, in the order of time. Unit of memory: bytes. */
interface ProtocolFindings {
  readonly ready: number;
  readonly start: number;
  readonly idle: number;
  readonly active: number;
  readonly after: number;
  readonly perSecond: number;
}

/** Idle connections, then as many that send all the time, then none. */
async function measureProtocol(
  subject: Subject,
  protocol: "resp" | "http",
): Promise<ProtocolFindings> {
  const server = await subject.start();
  const ready = await resident(server);
  await rest(IDLE_MS);
  const start = await resident(server);
  let idle: number;
  {
    using clients = new IdleClients();
    await clients.growTo(
      CONNECTIONS,
      protocol === "resp" ? server.respPort : server.httpPort,
      protocol,
    );
    await rest();
    idle = await resident(server);
  }
  await rest();
  const load = protocol === "resp" ? respLoad(server) : httpLoad(server);
  const [active, perSecond] = await residentDuring(server, load);
  await rest(AFTER_MS);
  const after = await resident(server);
  await server.stop();
  return { ready, start, idle, active, after, perSecond };
}

/** Few keys, so that what they take does not count. */
async function respLoad(server: BenchServer): Promise<number> {
  if (!await isInstalled("redis-benchmark")) return NaN;
  const load = (requestCount: number): Promise<number> =>
    children.run(redisBenchmarkWords({
      port: server.respPort,
      requestCount,
      clientCount: CONNECTIONS,
      pipeline: 1,
      keyCount: 1000,
      words: ["SET", "key:__rand_int__", "x".repeat(16)],
    })).then(({ text }) => parseRedisBenchmark(text).perSecond);
  // It knows no time, so a short run tells how many commands fill it.
  const perSecond = await load(20_000);
  return await load(Math.ceil(perSecond * seconds));
}

async function httpLoad(server: BenchServer): Promise<number> {
  if (!await isInstalled("wrk")) return NaN;
  const url = `http://127.0.0.1:${server.httpPort}/health`;
  const { text } = await children.run(wrkWords({ url, connectionCount: CONNECTIONS, seconds }));
  return parseWrk(text).perSecond;
}

/** Connections beyond the first thousand, in a server that lets in so many. */
async function measureMany(subject: Subject): Promise<{ many: number; perConnection: number }> {
  const server = await subject.start(subject.letIn(idleCount));
  using clients = new IdleClients();
  await clients.growTo(CONNECTIONS, server.respPort, "resp");
  await rest();
  const few = await resident(server);
  await clients.growTo(idleCount, server.respPort, "resp");
  await rest();
  const many = await resident(server);
  await server.stop();
  return { many, perConnection: (many - few) / (idleCount - CONNECTIONS) };
}

async function measureKeys(subject: Subject): Promise<{ used: number; resident: number }> {
  const server = await subject.start();
  const read = async (): Promise<[number, number]> => {
    const text = await askBulk(server.respPort, ["INFO", "memory"]);
    return [Number(/^used_memory:(\d+)/m.exec(text)?.[1] ?? NaN), await resident(server)];
  };
  using filler = await RespFiller.connect(server.respPort);
  const value = "0123456789abcdef".repeat(2);
  const [usedBefore, residentBefore] = await read();
  await filler.send(keyCount, (i) => ["SET", `key:${String(i).padStart(12, "0")}`, value]);
  const [usedAfter, residentAfter] = await read();
  await server.stop();
  return {
    used: (usedAfter - usedBefore) / keyCount,
    resident: (residentAfter - residentBefore) / keyCount,
  };
}

async function measureStarts(subject: Subject): Promise<Spread> {
  const times: number[] = [];
  for (let i = -1; i < startCount; i++) {
    const server = await subject.start();
    // The first one fills caches.
    if (i >= 0) times.push(server.startMs);
    await server.stop();
  }
  return spreadOf(times);
}

async function measure(subject: Subject, progress: Progress): Promise<Findings> {
  const { name } = subject;
  progress.line(`${name}: ${CONNECTIONS} connections`);
  const resp = await measureProtocol(subject, "resp");
  const http = subject.hasHttp ? await measureProtocol(subject, "http") : undefined;
  progress.line(`${name}: ${idleCount} idle connections`);
  const many = await measureMany(subject);
  progress.line(`${name}: ${keyCount} keys`);
  const keys = await measureKeys(subject);
  progress.line(`${name}: ${startCount} starts`);
  return {
    name,
    atReady: resp.ready,
    idle: Math.max(resp.start, http?.start ?? 0),
    idleResp: resp.idle,
    activeResp: resp.active,
    afterResp: resp.after,
    idleHttp: http?.idle ?? NaN,
    activeHttp: http?.active ?? NaN,
    afterHttp: http?.after ?? NaN,
    manyIdle: many.many,
    perConnection: many.perConnection,
    usedPerKey: keys.used,
    residentPerKey: keys.resident,
    respPerSecond: resp.perSecond,
    httpPerSecond: http?.perSecond ?? NaN,
    startMs: await measureStarts(subject),
  };
}

function sluice(name: string, executable: string | undefined): Subject {
  return {
    name,
    start: (more = []) => startSluice(children, { binary: executable, flags: [...flags, ...more] }),
    letIn: (count) => ["--max-connections", String(count + 10)],
    hasHttp: true,
  };
}

async function subjects(): Promise<Subject[]> {
  const all = [sluice("deno run", undefined)];
  if (binary !== undefined) all.push(sluice("executable", binary));
  else remarks.push("the executable was not measured: --binary PATH");
  if (await redisVersion() === "") {
    remarks.push("redis-server is not installed (Debian: apt install redis-server)");
    return all;
  }
  all.push({
    name: "Redis",
    start: (more = []) => startRedis(children, { flags: more }),
    letIn: (count) => ["--maxclients", String(count + 100)],
    hasHttp: false,
  });
  return all;
}

function memoryTable(findings: readonly Findings[]): ReportTable {
  const row = (what: string, of: (found: Findings) => number): string[] => [
    what,
    ...findings.map((found) => inDigits(of(found))),
  ];
  return {
    title: "Memory and start",
    note:
      "Resident memory (VmRSS) in MB of 10^6 bytes. An idle connection has asked once; active " +
      "ones are in a closed loop at full load, SET on 1,000 keys and GET /health: the most that was " +
      "seen, and what is left 10 s after the load. Idle is 15 s after the start: the threads that " +
      "read the modules wait 10 s for more before they end.",
    head: ["what", ...findings.map(({ name }) => name)],
    rows: [
      row("when it is ready, MB", ({ atReady }) => atReady / MB),
      row("idle, MB", ({ idle }) => idle / MB),
      row("1,000 idle Redis clients, MB", ({ idleResp }) => idleResp / MB),
      row("1,000 active Redis clients, MB", ({ activeResp }) => activeResp / MB),
      row("after them, MB", ({ afterResp }) => afterResp / MB),
      row("1,000 idle HTTP clients, MB", ({ idleHttp }) => idleHttp / MB),
      row("1,000 active HTTP clients, MB", ({ activeHttp }) => activeHttp / MB),
      row("after them, MB", ({ afterHttp }) => afterHttp / MB),
      row(`${idleCount} idle Redis clients, MB`, ({ manyIdle }) => manyIdle / MB),
      row("each beyond 1,000, KiB", ({ perConnection }) => perConnection / 1024),
      row("bytes per key, as INFO counts", ({ usedPerKey }) => usedPerKey),
      row("bytes per key, resident", ({ residentPerKey }) => residentPerKey),
      row("SET a second under that load", ({ respPerSecond }) => respPerSecond),
      row("GET /health a second", ({ httpPerSecond }) => httpPerSecond),
      row("start to ready, ms", ({ startMs }) => startMs.median),
      row("fastest", ({ startMs }) => startMs.min),
      row("slowest", ({ startMs }) => startMs.max),
    ],
  };
}

/** What must hold for Sluice. */
function checksOf(found: Findings): Check[] {
  const { name } = found;
  const mb = (what: string, limit: number, bytes: number): Check =>
    under(`${name}: ${what}`, limit, bytes / MB, "MB");
  return [
    mb("idle", 50, found.idle),
    mb("1,000 idle Redis clients", 60, found.idleResp),
    mb("1,000 idle HTTP clients", 60, found.idleHttp),
    mb("1,000 active Redis clients", 75, found.activeResp),
    mb("1,000 active HTTP clients", 75, found.activeHttp),
    under(`${name}: each idle connection beyond 1,000`, 8, found.perConnection / 1024, "KiB"),
    under(`${name}: start to ready`, name === "executable" ? 150 : 250, found.startMs.median, "ms"),
  ];
}

async function measureAll(): Promise<Findings[]> {
  using progress = new Progress("bench:memory", standardErrorOutput());
  const findings: Findings[] = [];
  for (const subject of await subjects()) findings.push(await measure(subject, progress));
  return findings;
}

const loadBefore = loadText();
const findings = await measureAll();
const code = await publish(
  {
    title: "Memory and start: Sluice, and Redis beside it",
    command: commandLine("bench:memory"),
    facts: [
      ...await machineFacts(),
      ["Redis", await redisVersion() || "not installed"],
      ["load average", `${loadBefore} before, ${loadText()} after`],
      ["keys", `${keyCount} of 16 bytes with values of 32`],
    ],
    tables: [memoryTable(findings)],
    checks: findings.filter(({ name }) => name !== "Redis").flatMap(checksOf),
    remarks,
  },
  { json: textOf(options, "json"), markdown: textOf(options, "markdown") },
  findings,
);
await children[Symbol.asyncDispose]();
Deno.exit(code);
