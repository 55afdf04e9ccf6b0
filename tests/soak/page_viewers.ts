// deno-lint-ignore-file no-console -- a program whose result is what it prints
/**
 * What viewers of the live page cost the server: processor time with none, one and twenty of them,
 * and what twenty do to `POST /events`.
 *
 *     deno task bench:page [--seconds 10] [--rounds 5] [--server-flag=…]
 *
 * Exit code 1 when a viewer costs 1 % of a core or more, or twenty cost more than 5 % of the events.
 *
 * @module
 */

import { runLoad } from "../../src/lab/load/run_load.ts";
import { alignedTable } from "../helpers/load/run_load.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const CROWD = 20;
const VIEWER_SHARE_MAX = 0.01;
const LOSS_MAX = 0.05;
const REQUESTS = 250_000;

const serverFlags = Deno.args.filter((arg) => arg.startsWith("--server-flag="))
  .map((arg) => arg.slice("--server-flag=".length));

function numberAfter(name: string, fallback: number): number {
  const at = Deno.args.indexOf(name);
  return at < 0 ? fallback : Number(Deno.args[at + 1]);
}

/** Processor time of the server so far. Unit: s. */
async function cpuSeconds(server: ServerProcess): Promise<number> {
  using client = await RawClient.connect(server.port("resp"));
  await client.send(respCommand("INFO", "cpu") + respCommand("ECHO", "that was it"));
  const text = await client.readUntil("that was it\r\n");
  const read = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(text)![1]);
  return read("used_cpu_user") + read("used_cpu_sys");
}

/** Viewers in a process of their own, as they would be. */
function view(port: number, count: number): Disposable {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--allow-net",
      "--allow-env",
      import.meta.filename!,
      "--view",
      `${port}`,
      `${count}`,
    ],
    stdout: "null",
  }).spawn();
  return {
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
}

/** Looks until it is ended. */
async function look(port: number, count: number): Promise<void> {
  const request = new TextEncoder().encode(
    "GET /metrics/stream?view=page&interval=200ms HTTP/1.1\r\nHost: localhost\r\n\r\n",
  );
  await Promise.all(Array.from({ length: count }, async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(request);
    const bytes = new Uint8Array(65536);
    while (await connection.read(bytes) !== null);
  }));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function quietShare(server: ServerProcess, viewers: number): Promise<number> {
  const seconds = numberAfter("--seconds", 10);
  using _crowd = viewers > 0 ? view(server.port("http"), viewers) : { [Symbol.dispose]() {} };
  await pause(1500);
  const [before, startedAtMs] = [await cpuSeconds(server), performance.now()];
  await pause(seconds * 1000);
  return (await cpuSeconds(server) - before) / ((performance.now() - startedAtMs) / 1000);
}

/** One load: events a second, and the server's processor time for each. Unit: µs. */
async function loaded(server: ServerProcess, viewers: number): Promise<[number, number]> {
  using _crowd = viewers > 0 ? view(server.port("http"), viewers) : { [Symbol.dispose]() {} };
  await pause(1000);
  const [before, startedAtMs] = [await cpuSeconds(server), performance.now()];
  await runLoad({
    protocol: "http",
    hostname: "127.0.0.1",
    port: server.port("http"),
    requestCount: REQUESTS,
    connectionCount: 32,
    ratePerSecond: null,
    userCount: 1000,
    distribution: "uniform",
    seed: 1,
  });
  const tookS = (performance.now() - startedAtMs) / 1000;
  return [REQUESTS / tookS, (await cpuSeconds(server) - before) * 1e6 / REQUESTS];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function measure(): Promise<boolean> {
  await using server = await ServerProcess.start(serverFlags);
  const none = await quietShare(server, 0);
  const one = await quietShare(server, 1);
  const many = await quietShare(server, CROWD);
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  console.log("Of a core, while nothing else happens:");
  console.log(alignedTable(["viewers", "in all", "each"], [
    ["0", percent(none), "–"],
    ["1", percent(one), percent(one - none)],
    [String(CROWD), percent(many), percent((many - none) / CROWD)],
  ]));
  const rates: Record<number, number[]> = { 0: [], [CROWD]: [] };
  const costs: Record<number, number[]> = { 0: [], [CROWD]: [] };
  await loaded(server, 0);
  for (let round = 0; round < numberAfter("--rounds", 5); round++) {
    for (const viewers of round % 2 === 0 ? [0, CROWD] : [CROWD, 0]) {
      const [rate, cost] = await loaded(server, viewers);
      rates[viewers]!.push(rate);
      costs[viewers]!.push(cost);
    }
  }
  console.log(`POST /events, ${REQUESTS} of them in turns:`);
  const row = (viewers: number): string[] => [
    String(viewers),
    rates[viewers]!.map((rate) => Math.round(rate)).join(" "),
    String(Math.round(median(rates[viewers]!))),
    `${median(costs[viewers]!).toFixed(1)} µs`,
  ];
  console.log(
    alignedTable(["viewers", "events/s", "median", "server CPU each"], [row(0), row(CROWD)]),
  );
  const loss = 1 - median(rates[CROWD]!) / median(rates[0]!);
  console.log(`${percent(loss)} fewer events with ${CROWD} viewers`);
  return one - none < VIEWER_SHARE_MAX && loss <= LOSS_MAX;
}

if (Deno.args[0] === "--view") await look(Number(Deno.args[1]), Number(Deno.args[2]));
else if (!await measure()) Deno.exit(1);
