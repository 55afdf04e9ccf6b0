/**
 * The server as a value: started with what differs from the defaults, stopped by `await using`.
 *
 * @module
 */

import { startLogging } from "../base/log.ts";
import type { LogFormat, LogLevel } from "../base/log_record.ts";
import type { MetricsJson } from "../metrics/json.ts";
import { type Config, defaultConfig, findConfigProblem } from "../server/config.ts";
import type { StopReport } from "../server/running_server.ts";
import type { ServerPorts } from "../server/server_view.ts";
import { startServer as start } from "../server/start.ts";

/**
 * What differs from the defaults, which are those of the command line (the README lists them): the
 * setting `maxMemoryBytes` is its flag `--max-memory`, and so on.
 */
export interface ServerOptions extends Partial<Config> {
  /** Event workers: `workersMin` and `workersMax` at once. */
  readonly workers?: number;
  /**
   * Where the log goes: to standard error, or line by line to a function. It is one per process.
   * Default: nowhere.
   */
  readonly log?: "stderr" | ((line: string) => void);
}

/** A setting of {@link startServer} cannot be as it is. */
export class ConfigError extends Error {
  /** Always `"ConfigError"`. */
  override readonly name = "ConfigError";
  /** The setting. */
  readonly setting: string;

  /** Says what would be right, e.g. `"be a power of two"`. */
  constructor(setting: string, rule: string) {
    super(`Cannot start a server: ${setting} must ${rule}`);
    this.setting = setting;
  }
}

/** A server that runs. */
export interface Server extends AsyncDisposable {
  /** Where it listens; null where it does not. */
  readonly ports: ServerPorts;
  /**
   * Resolves with a text for people when the server must be ended at once, because everything in memory
   * is in doubt: a thread failed in the middle of a change.
   */
  readonly fault: Promise<string>;
  /** Resolves when a client asked for a stop (`SHUTDOWN`); the program decides what comes of it. */
  readonly stopWish: Promise<void>;
  /** Counters, sizes and times, as `GET /metrics` shows them with `Accept: application/json`. */
  stats(): MetricsJson;
  /**
   * Reads the TLS certificate and its key again.
   *
   * @returns whether there is anything to read again
   */
  reload(): boolean;
  /** Stops in order, within `shutdownTimeoutMs`. Never rejects; later calls get the same report. */
  stop(): Promise<StopReport>;
  /** Makes a stop give up on everything. */
  hurry(): void;
}

/**
 * Starts a server in this process.
 *
 * It needs `--allow-net`, `--allow-read` (its workers are modules) and, for some settings, more; see
 * `docs/embedding.md`. It starts worker threads, whose heaps follow the process's V8 flags.
 *
 * Thread: main isolate.
 *
 * @param options what differs from the defaults
 * @throws {ConfigError} when a setting is out of range or does not fit another one
 * @throws {StartError} when something outside the program is in the way, e.g. a port in use
 *
 * @example
 * ```ts
 * import { startServer } from "./server.ts";
 *
 * await using server = await startServer({
 *   httpPort: 0, // any free port
 *   respPort: "off",
 *   protoPort: "off",
 *   workers: 1,
 * });
 * const url = `http://127.0.0.1:${server.ports.http}`;
 * const event = { user: "alice", action: "buy", amount: 100 };
 * const reply = await fetch(`${url}/events?wait=5s`, { method: "POST", body: JSON.stringify(event) });
 * console.assert((await reply.json()).balance === 100);
 * console.assert(server.stats().processed === 1);
 * const { lost } = await server.stop();
 * console.assert(lost === 0);
 * ```
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const config = readServerOptions(options);
  const { log } = options;
  if (log !== undefined) logTo(log, config.logLevel, config.logFormat);
  return await start(config);
}

/** Fills in the defaults and checks everything. */
export function readServerOptions(options: ServerOptions): Config {
  const { workers, log: _log, ...settings } = options;
  const defaults = defaultConfig();
  for (const name of Object.keys(settings)) {
    if (!(name in defaults)) throw new ConfigError(name, "not be given: there is no such setting");
  }
  const given = Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  );
  const config: Config = {
    ...defaults,
    ...(workers === undefined ? {} : { workersMin: workers, workersMax: workers }),
    ...given,
  };
  const problem = findConfigProblem(config);
  if (problem !== null) throw new ConfigError(problem.field, problem.rule);
  return config;
}

function logTo(log: "stderr" | ((line: string) => void), level: LogLevel, format: LogFormat): void {
  if (log === "stderr") return startLogging({ level, format });
  const decoder = new TextDecoder();
  let rest = "";
  startLogging({
    level,
    format,
    colored: false,
    write: (bytes) => {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) log(line);
      return Promise.resolve(bytes.length);
    },
  });
}
