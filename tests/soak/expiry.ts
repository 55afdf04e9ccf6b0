// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * How long expired keys stay in memory, and what another client notices of their end.
 *
 *     deno task bench:expiry [--keys N] [--server-flag=…]
 *
 * Keys of 16 bytes with values of 32 bytes get times to live that end within some seconds. Nobody
 * touches them; one connection reads other keys meanwhile. Targets: every key is gone from memory
 * 2 s after its time, and the reader's p99 is below 5 ms. Exit code 1 when one is missed.
 *
 * @module
 */

import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const LAG_TARGET_MS = 2000;
const P99_TARGET_MS = 5;
const BATCH = 500;

const keyCount = Number(argument("--keys") ?? "1000000");
const serverFlags = Deno.args
  .filter((arg) => arg.startsWith("--server-flag="))
  .map((arg) => arg.slice("--server-flag=".length));

function argument(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function ask(client: RawClient, words: readonly string[], end: string): Promise<string> {
  await client.send(respCommand(...words));
  return await client.readUntil(end);
}

/** Writes the keys; each expires at its place between `firstMs` and `firstMs + spreadMs`. */
async function write(client: RawClient, firstMs: number, spreadMs: number): Promise<void> {
  const value = "v".repeat(32);
  for (let first = 0; first < keyCount; first += BATCH) {
    let text = "";
    for (let i = first; i < first + BATCH; i++) {
      const atMs = Math.floor(firstMs + spreadMs * ((i * 7919) % keyCount) / keyCount);
      const name = `key:${String(i).padStart(12, "0")}`;
      text +=
        `*5\r\n$3\r\nSET\r\n$16\r\n${name}\r\n$32\r\n${value}\r\n$4\r\nPXAT\r\n$13\r\n${atMs}\r\n`;
    }
    await client.send(text);
    for (let i = 0; i < BATCH; i++) await client.readUntil("\r\n");
  }
}

/** Reads a key again and again; returns what each took, in ms. */
async function readMeanwhile(port: number, stop: AbortSignal): Promise<number[]> {
  using client = await RawClient.connect(port);
  const times: number[] = [];
  while (!stop.aborted) {
    const startedAtMs = performance.now();
    await ask(client, ["GET", "other"], "$5\r\nvalue\r\n");
    times.push(performance.now() - startedAtMs);
    await sleep(0);
  }
  return times.toSorted((a, b) => a - b);
}

async function run(spreadMs: number): Promise<Record<string, unknown>> {
  await using server = await ServerProcess.start(["--max-memory", "512mb", ...serverFlags]);
  const port = server.port("resp");
  using client = await RawClient.connect(port);
  await ask(client, ["SET", "other", "value"], "+OK\r\n");
  // Time for the writing: some 150,000 keys a second.
  const firstMs = Date.now() + Math.max(3000, keyCount / 50);
  const startedAtMs = Date.now();
  await write(client, firstMs, spreadMs);
  const writeMs = Date.now() - startedAtMs;
  if (Date.now() > firstMs) throw new Error("writing took too long");
  const full = Number(
    /used_memory:(\d+)/.exec(
      await ask(client, ["INFO", "memory"], "active_defrag_running:0\r\n\r\n"),
    )![1],
  );
  const quietStop = new AbortController();
  const quietReading = readMeanwhile(port, quietStop.signal);
  await sleep(firstMs - Date.now() - 200);
  quietStop.abort();
  const quietTimes = await quietReading;
  const stop = new AbortController();
  const reading = readMeanwhile(port, stop.signal);
  let worstLagMs = 0;
  let left = keyCount;
  while (left > 0 && Date.now() < firstMs + spreadMs + 60_000) {
    await sleep(20);
    const askedAtMs = Date.now();
    left = Number((await ask(client, ["DBSIZE"], "\r\n")).slice(1)) - 1;
    if (left === keyCount && askedAtMs < firstMs) continue;
    // The oldest of those left should have gone at this time.
    const oldestMs = firstMs + spreadMs * (keyCount - left) / keyCount;
    worstLagMs = Math.max(worstLagMs, askedAtMs - oldestMs);
  }
  const goneMs = Date.now() - firstMs - spreadMs;
  stop.abort();
  const times = await reading;
  const empty = Number(
    /used_memory:(\d+)/.exec(
      await ask(client, ["INFO", "memory"], "active_defrag_running:0\r\n\r\n"),
    )![1],
  );
  return {
    keys: keyCount,
    "spread s": spreadMs / 1000,
    "written/s": Math.round(keyCount / writeMs * 1000),
    "longest lag ms": Math.round(worstLagMs),
    "all gone after ms": Math.round(goneMs),
    "quiet p99 ms": quantile(quietTimes, 0.99),
    "p50 ms": quantile(times, 0.5),
    "p99 ms": quantile(times, 0.99),
    "max ms": quantile(times, 1),
    "memory MiB": `${(full / 2 ** 20).toFixed(0)} → ${(empty / 2 ** 20).toFixed(0)}`,
  };
}

function quantile(sorted: readonly number[], share: number): number {
  const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
  return Math.round((sorted[at] ?? NaN) * 100) / 100;
}

const results: Record<string, unknown>[] = [];
for (const spreadMs of [5000, 1000]) results.push(await run(spreadMs));
console.table(results);
const missed = results.filter((result) =>
  Number(result["longest lag ms"]) >= LAG_TARGET_MS || Number(result["p99 ms"]) >= P99_TARGET_MS
);
if (missed.length > 0) {
  console.log(`Missed: a lag below ${LAG_TARGET_MS} ms and a p99 below ${P99_TARGET_MS} ms`);
  Deno.exit(1);
}
