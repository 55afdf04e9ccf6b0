/**
 * The flags of `sluice stress`.
 *
 * @module
 */

import { formatDuration, parseDuration, parseRate } from "../base/units.ts";
import type { LoadPlan, LoadProtocol, UserDistribution } from "../lab/load/plan.ts";
import type { Config } from "../server/config.ts";
import { type Flag, FLAGS } from "./flags.ts";
import { localUrl } from "./health.ts";
import { type EnvironmentReader, type FlagTexts, readFlags, type UsageError } from "./settings.ts";

/** A load to run, as far as the command line says it. */
export interface StressOrder {
  /** What to send where; the password and certificates are still in their files. */
  readonly plan: Omit<LoadPlan, "password" | "tls" | "signal" | "onSample">;
  /** Whether to speak TLS. */
  readonly isSecure: boolean;
  /** File with certificates to trust besides the usual ones; empty: none. */
  readonly caPath: string;
  /** Where the password is. */
  readonly secret: Pick<Config, "password" | "passwordFile">;
  /** Prints JSON instead of a table. */
  readonly isJson: boolean;
}

/** An order, or what is wrong with the flags. */
export type StressOrderResult =
  | { readonly kind: "order"; readonly order: StressOrder }
  | UsageError;

const PROTOCOLS: readonly LoadProtocol[] = ["http", "resp", "proto"];
const DISTRIBUTIONS: readonly UserDistribution[] = ["uniform", "zipf"];

const DEFAULTS = { requests: 10_000, concurrency: 50, users: 1000, seed: 1 };
/** Longer than any answer takes that somebody still waits for. Unit: ms. */
const DEFAULT_TIMEOUT_MS = 30_000;
const RANGES = {
  requests: { min: 1, max: 1_000_000_000 },
  // Local ports are some 28,000, and open files often fewer.
  concurrency: { min: 1, max: 20_000 },
  // Under zipf each takes memory.
  users: { min: 1, max: 1_000_000 },
  seed: { min: 0, max: 2 ** 32 - 1 },
};
/** Unit: ms. */
const TIMEOUT_RANGE = { min: 10, max: 3_600_000 };
const RATE_MIN = 0.01;
const RATE_MAX = 1_000_000;

const SUMMARIES: Readonly<Record<string, string>> = {
  "host": "address of the server; one that means every address asks this machine",
  "http-port": "its port for HTTP",
  "resp-port": "its port for Redis clients",
  "proto-port": "its port for Protobuf clients, with lengths in front (--proto-framing delimited)",
  "password": "what the server wants to be told first; other programs can see it in the list of " +
    "processes, so prefer --password-file or the environment variable",
  "password-file": "file whose first line is the password",
  "tls-cert": "its certificate, if it speaks TLS",
};

/** Heading of the flags that say what is sent. */
export const LOAD_GROUP = "Load:";
/** Heading of the flags that say where to. */
const SERVER_GROUP = "Server:";

/** The server's own flags, and so its environment variables, that say where and how it listens. */
export const STRESS_FLAGS: readonly Flag[] = FLAGS.flatMap((flag) => {
  const summary = SUMMARIES[flag.name];
  return summary === undefined ? [] : [{ ...flag, summary, group: SERVER_GROUP }];
});

/** Options that only `sluice stress` has: syntax, summary and heading. */
export const STRESS_OPTIONS:
  readonly (readonly [syntax: string, summary: string, group: string])[] = [
    ["--requests <n>", `events to send\n(default: ${DEFAULTS.requests})`, LOAD_GROUP],
    [
      "--concurrency <n>",
      `connections, with one request under way each\n(default: ${DEFAULTS.concurrency})`,
      LOAD_GROUP,
    ],
    [
      "--rate <rate>",
      "send at these times whatever the server does, e.g. 5000/s or 5000 (open loop); without it " +
      "each connection sends as soon as it was answered (closed loop)",
      LOAD_GROUP,
    ],
    ["--users <n>", `users whom the events are for\n(default: ${DEFAULTS.users})`, LOAD_GROUP],
    [
      "--distribution <kind>",
      "uniform: all users alike; zipf: few of them most of the time\n(default: uniform)",
      LOAD_GROUP,
    ],
    [
      "--timeout <duration>",
      "how long an answer is waited for; then the request is an error and its connection is " +
      `replaced\n(default: ${formatDuration(DEFAULT_TIMEOUT_MS)})`,
      LOAD_GROUP,
    ],
    [
      "--seed <n>",
      `the same seed sends the same events\n(default: ${DEFAULTS.seed})`,
      LOAD_GROUP,
    ],
    [
      "--protocol <name>",
      "http, resp or proto\n(default: what the address says, else http)",
      SERVER_GROUP,
    ],
    [
      "--tls-ca <path>",
      "file with certificates to verify the server's against (PEM)",
      SERVER_GROUP,
    ],
    ["--json", "print plan and result as JSON instead of a table", "Other:"],
  ];

/** Behind the flags in the help. */
export const STRESS_HELP_FOOTER = `
The address is http://, https://, redis://, rediss://, resp:// or proto:// and a
host, or only host:port; without one it is that of the server on this machine,
as its flags and environment variables give it.

With --rate, latency counts from when a request was due, so that a server that
stands still cannot hide it; the service time, from the sending, stands beside it.

Exit codes: 0 every request was accepted or refused, 1 there were errors, or
nothing could connect, 2 wrong usage, 130 and 143 ended by SIGINT or SIGTERM.`;

/**
 * Reads what is to be sent where.
 *
 * @param url the address, if one was given
 * @param texts what the command line gives
 */
export function resolveStressOrder(
  url: string | undefined,
  texts: FlagTexts,
  environment: EnvironmentReader,
  defaults: Config,
): StressOrderResult {
  try {
    return { kind: "order", order: readOrder(url, texts, environment, defaults) };
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    return { kind: "usage_error", message: error.message };
  }
}

/** What is wrong; never leaves this file. */
class WrongUsage extends Error {}

function readOrder(
  url: string | undefined,
  texts: FlagTexts,
  environment: EnvironmentReader,
  defaults: Config,
): StressOrder {
  const reading = readFlags(STRESS_FLAGS, texts, environment, defaults);
  if (reading.kind === "usage_error") throw new WrongUsage(reading.message);
  const { config } = reading;
  if (config.password !== "" && config.passwordFile !== "") {
    throw new WrongUsage("--password-file must not be given together with a password");
  }
  const asked = texts["protocol"] === undefined
    ? undefined
    : readWord(texts, "protocol", PROTOCOLS);
  const target = url === undefined ? ownTarget(asked, config) : targetAt(url, asked, config);
  const caPath = texts["tls-ca"] ?? "";
  const { protocol, hostname, port, isSecure } = target;
  return {
    plan: {
      protocol,
      hostname,
      port,
      requestCount: readCount(texts, "requests"),
      connectionCount: readCount(texts, "concurrency"),
      ratePerSecond: readRate(texts["rate"]),
      userCount: readCount(texts, "users"),
      distribution: texts["distribution"] === undefined
        ? "uniform"
        : readWord(texts, "distribution", DISTRIBUTIONS),
      seed: readCount(texts, "seed"),
      timeoutMs: readTimeout(texts["timeout"]),
    },
    isSecure,
    // A certificate that nobody else has signed vouches for itself.
    caPath: caPath === "" && isSecure && url === undefined ? config.tlsCert : caPath,
    secret: { password: config.password, passwordFile: config.passwordFile },
    isJson: texts["json"] !== undefined,
  };
}

interface Target {
  readonly protocol: LoadProtocol;
  readonly hostname: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** The server that the flags and the environment describe. */
function ownTarget(protocol: LoadProtocol = "http", config: Config): Target {
  const port = ownPort(protocol, config);
  const isSecure = config.tlsCert !== "";
  const { hostname } = localUrl(config.host, port, "");
  return { protocol, hostname: withoutBrackets(hostname), port, isSecure };
}

function ownPort(protocol: LoadProtocol, config: Config): number {
  const port = config[`${protocol}Port`];
  if (port === "off" || port === 0) {
    throw new WrongUsage(
      `--${protocol}-port must be the port that the server listens on, not ${port}; ` +
        `or give its address`,
    );
  }
  return port;
}

/** What a scheme says; where it has no port of its own, it is the server's. */
const SCHEMES: Readonly<
  Record<string, { protocol: LoadProtocol; isSecure: boolean; port: number | null }>
> = {
  "http:": { protocol: "http", isSecure: false, port: 80 },
  "https:": { protocol: "http", isSecure: true, port: 443 },
  "redis:": { protocol: "resp", isSecure: false, port: null },
  "rediss:": { protocol: "resp", isSecure: true, port: null },
  "resp:": { protocol: "resp", isSecure: false, port: null },
  "proto:": { protocol: "proto", isSecure: false, port: null },
};

function targetAt(text: string, asked: LoadProtocol | undefined, config: Config): Target {
  const url = addressIn(text);
  const scheme = SCHEMES[url.protocol];
  if (scheme !== undefined && asked !== undefined && asked !== scheme.protocol) {
    throw new WrongUsage(
      `--protocol ${JSON.stringify(asked)} must be what the address says, ${scheme.protocol}`,
    );
  }
  const protocol = scheme?.protocol ?? asked ?? "http";
  const port = url.port === "" ? scheme?.port ?? ownPort(protocol, config) : Number(url.port);
  if (port === 0) throw new WrongUsage("the address must have a port from 1 to 65535");
  const isSecure = scheme?.isSecure === true;
  return { protocol, hostname: withoutBrackets(url.hostname), port, isSecure };
}

/** Stands in front of an address without a scheme. */
const NO_SCHEME = "plain:";

function addressIn(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `${NO_SCHEME}//${text}`);
  // A word alone is no address: it may be the second one of a password without quotes.
  const isAddress = url !== null && url.hostname !== "" &&
    (url.protocol === NO_SCHEME ? url.port !== "" : Object.hasOwn(SCHEMES, url.protocol)) &&
    /^\/?$|^\/events$/.test(url.pathname) && url.search === "" && url.hash === "";
  if (!isAddress) {
    throw new WrongUsage(
      "the address must be like http://127.0.0.1:8080, redis://127.0.0.1:6379, " +
        "proto://127.0.0.1:9090 or 127.0.0.1:8080, with nothing behind the port",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new WrongUsage("the address must not have a password in it; --password-file names one");
  }
  return url;
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function readCount(texts: FlagTexts, name: keyof typeof RANGES): number {
  const text = texts[name];
  if (text === undefined) return DEFAULTS[name];
  const { min, max } = RANGES[name];
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new WrongUsage(
    `--${name} ${JSON.stringify(text)} must be a whole number from ${min} to ${max}`,
  );
}

function readWord<Word extends string>(
  texts: FlagTexts,
  name: string,
  words: readonly Word[],
): Word {
  const word = words.find((candidate) => candidate === texts[name]);
  if (word !== undefined) return word;
  throw new WrongUsage(
    `--${name} ${JSON.stringify(texts[name])} must be ${words.slice(0, -1).join(", ")} or ` +
      `${words.at(-1)}`,
  );
}

function readTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  const { min, max } = TIMEOUT_RANGE;
  const timeoutMs = parseDuration(text);
  if (timeoutMs !== null && timeoutMs >= min && timeoutMs <= max) return timeoutMs;
  throw new WrongUsage(
    `--timeout ${JSON.stringify(text)} must be a duration from ${formatDuration(min)} to ` +
      `${formatDuration(max)}, like 500ms or 30s`,
  );
}

/** Requests a second, or null for a closed loop. */
function readRate(text: string | undefined): number | null {
  if (text === undefined) return null;
  const rate = /^\d{1,9}(\.\d{1,6})?$/.test(text)
    ? { count: Number(text), perMs: 1000 }
    : parseRate(text);
  const perSecond = rate === null ? NaN : rate.count / rate.perMs * 1000;
  if (perSecond >= RATE_MIN && perSecond <= RATE_MAX) return perSecond;
  throw new WrongUsage(
    `--rate ${JSON.stringify(text)} must be ${RATE_MIN} to ${RATE_MAX} requests a second, ` +
      `e.g. 5000/s, 5000 or 100/m`,
  );
}
