/**
 * The servers that are compared, as child processes on free ports of the loopback address.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import denoJson from "../../../deno.json" with { type: "json" };
import type { ChildOptions, Children } from "./children.ts";
import { outputOf } from "./machine.ts";

const REPOSITORY = new URL("../../../", import.meta.url);

/** How long a server may take to start. Unit: ms. */
const PATIENCE_MS = 30_000;
const POLL_MS = 20;

/** A running server. */
export interface BenchServer {
  /** Its name in tables. */
  readonly name: string;
  /** Its process. */
  readonly pid: number;
  /** Port for Redis clients; 0 = none. */
  readonly respPort: number;
  /** Port for HTTP; 0 = none. */
  readonly httpPort: number;
  /** From the start of the process until it was ready. Unit: ms. */
  readonly startMs: number;
  /** Ends it. */
  stop(): Promise<void>;
}

/** How Sluice is started. */
export interface SluiceOptions extends ChildOptions {
  /** An executable; undefined = from the joined sources, as `deno task start` does. */
  readonly binary?: string | undefined;
  /** Flags besides ports and the form of the log. */
  readonly flags?: readonly string[];
  /** Another working tree of the project, whose sources are run; undefined = this one. */
  readonly tree?: string | undefined;
}

/** The words of a command of deno.json, without its quotes. */
export function taskWords(command: string): string[] {
  return Array.from(command.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, bare]) => quoted ?? bare!);
}

/**
 * The command that starts Sluice: an executable, or the task of a deno.json, with the variables that it
 * sets.
 */
export function sluiceWords(
  binary: string | undefined,
  command: string = denoJson.tasks.start.command,
): string[] {
  if (binary !== undefined) return [binary];
  const words = taskWords(command);
  const at = words.indexOf("deno");
  const program = [Deno.execPath(), ...words.slice(at + 1)];
  return at === 0 ? program : ["env", ...words.slice(0, at), ...program];
}

/** Start commands of the trees whose programs are joined, by their folder. */
const startCommands = new Map<string, Promise<string>>();

/** The start command of a working tree, once all that it needs is there. */
function startCommandOf(tree: string): Promise<string> {
  let command = startCommands.get(tree);
  if (command === undefined) startCommands.set(tree, command = prepareStart(tree));
  return command;
}

async function prepareStart(tree: string): Promise<string> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${tree}/deno.json`));
  for (const name of tasks.start.dependencies ?? []) {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", name],
      cwd: tree,
    }).output();
    if (!success) throw new Error(`Cannot start Sluice: deno task ${name} failed in ${tree}`);
  }
  return tasks.start.command;
}

/** Starts Sluice and waits until it is ready. */
export async function startSluice(
  children: Children,
  options: SluiceOptions = {},
): Promise<BenchServer> {
  const { binary, flags = [], tree, ...child } = options;
  const ports = ["http", "resp", "proto"].flatMap((name) => [`--${name}-port`, "0"]);
  const command = sluiceWords(
    binary,
    binary === undefined ? await startCommandOf(tree ?? fileURLToPath(REPOSITORY)) : undefined,
  );
  const words = [...command, ...ports, "--log-format", "json", ...flags];
  const startedAtMs = performance.now();
  const process = children.spawn(words, { cwd: tree ?? REPOSITORY, ...child, stderr: "piped" });
  const found = new Map<string, number>();
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const giveUp = setTimeout(() => process.kill("SIGKILL"), PATIENCE_MS);
  let text = "";
  while (!found.has("ready")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`Cannot start Sluice: it said\n${text}`);
    text += value;
    readLog(text, found);
  }
  const startMs = performance.now() - startedAtMs;
  clearTimeout(giveUp);
  void drain(reader);
  return {
    name: tree === undefined ? "Sluice" : "other tree",
    pid: process.pid,
    respPort: found.get("resp") ?? 0,
    httpPort: found.get("http") ?? 0,
    startMs,
    stop: () => end(process),
  };
}

/** Notes the ports, and `ready`. */
function readLog(text: string, found: Map<string, number>): void {
  for (const line of text.split("\n")) {
    if (!line.startsWith("{") || !line.endsWith("}")) continue;
    const { event, protocol, port } = JSON.parse(line);
    if (event === "listening") found.set(protocol, port);
    if (event === "ready") found.set("ready", 1);
  }
}

/** A full pipe would stop the server's log. */
async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  for (;;) if ((await reader.read()).done) return;
}

/** Starts `redis-server`, which keeps nothing on disk. */
export async function startRedis(
  children: Children,
  options: ChildOptions & { readonly flags?: readonly string[] } = {},
): Promise<BenchServer> {
  const { flags = [], ...child } = options;
  const respPort = freePort();
  const words = [
    ...["redis-server", "--port", String(respPort), "--bind", "127.0.0.1", "--save", ""],
    ...["--appendonly", "no", "--dir", children.makeFolder(), ...flags],
  ];
  const startedAtMs = performance.now();
  const process = children.spawn(words, child);
  await waitForPort(respPort, "redis-server", process);
  const startMs = performance.now() - startedAtMs;
  return {
    name: "Redis",
    pid: process.pid,
    respPort,
    httpPort: 0,
    startMs,
    stop: () => end(process),
  };
}

/** Starts a server for HTTP that is told its port in the words, and waits until it answers. */
export async function startHttpServer(
  children: Children,
  name: string,
  words: (port: number) => readonly string[],
  options: ChildOptions = {},
): Promise<BenchServer> {
  const httpPort = freePort();
  const startedAtMs = performance.now();
  const process = children.spawn(words(httpPort), options);
  await waitForPort(httpPort, name, process);
  const startMs = performance.now() - startedAtMs;
  return { name, pid: process.pid, respPort: 0, httpPort, startMs, stop: () => end(process) };
}

/** Version of Redis, or "" when it is not installed. */
export async function redisVersion(): Promise<string> {
  return /v=([\d.]+)/.exec(await outputOf(["redis-server", "--version"]))?.[1] ?? "";
}

/** A port that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function waitForPort(
  port: number,
  name: string,
  process: Deno.ChildProcess,
): Promise<void> {
  let hasEnded = false;
  void process.status.then(() => hasEnded = true);
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!hasEnded && performance.now() < deadlineMs) {
    try {
      using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  throw new Error(`Cannot start ${name}: ${hasEnded ? "it ended" : "it does not answer"}`);
}

async function end(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await process.status;
}
