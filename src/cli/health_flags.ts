/**
 * The flags of `sluice health`.
 *
 * @module
 */

import { formatDuration, parseDuration } from "../base/units.ts";
import { type Config, isLoopback } from "../server/config.ts";
import { type Flag, FLAGS } from "./flags.ts";
import { type HealthQuestion, localUrl } from "./health.ts";
import { type EnvironmentReader, type FlagTexts, readFlags, type UsageError } from "./settings.ts";

const DEFAULT_TIMEOUT_MS = 2000;
const MAX_TIMEOUT_MS = 60_000;

const SUMMARIES: Readonly<Record<string, string>> = {
  "host": "address of the server; one that means every address asks this machine",
  "http-port": "its port for HTTP",
  "tls-cert": "its certificate, if it speaks TLS; on this machine it is not verified",
};

/** Heading of the flags in the help. */
export const HEALTH_GROUP = "Question:";

/** The server's own flags, and so its environment variables, that say where it listens. */
export const HEALTH_FLAGS: readonly Flag[] = FLAGS.flatMap((flag) => {
  const summary = SUMMARIES[flag.name];
  return summary === undefined ? [] : [{ ...flag, summary, group: HEALTH_GROUP }];
});

/** Options that only `sluice health` has: syntax and summary. */
export const HEALTH_OPTIONS: readonly (readonly [syntax: string, summary: string])[] = [
  ["--url <url>", "ask there instead, e.g. http://10.0.0.7:8080"],
  ["--tls-ca <path>", "file with certificates to verify the server's against (PEM)"],
  ["--ready", "ask /ready instead of /health: does it take requests?"],
  [
    "--timeout <time>",
    `time the answer may take\n(default: ${formatDuration(DEFAULT_TIMEOUT_MS)})`,
  ],
];

/** A question, or what is wrong with the flags. */
export type HealthQuestionResult =
  | { readonly kind: "question"; readonly question: HealthQuestion }
  | UsageError;

/**
 * Reads what is to be asked.
 *
 * @param texts what the command line gives
 */
export function resolveHealthQuestion(
  texts: FlagTexts,
  environment: EnvironmentReader,
  defaults: Config,
): HealthQuestionResult {
  const { url: urlText, timeout = formatDuration(DEFAULT_TIMEOUT_MS) } = texts;
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs === null || timeoutMs < 1 || timeoutMs > MAX_TIMEOUT_MS) {
    return usageError(
      `--timeout ${JSON.stringify(timeout)} must be a duration from 1ms to ` +
        `${formatDuration(MAX_TIMEOUT_MS)}, e.g. 2s`,
    );
  }
  const path = texts["ready"] === undefined ? "/health" : "/ready";
  const caPath = texts["tls-ca"] ?? "";
  if (urlText !== undefined) return questionAt(urlText, path, timeoutMs, caPath);
  const reading = readFlags(HEALTH_FLAGS, texts, environment, defaults);
  if (reading.kind === "usage_error") return reading;
  const { host, httpPort, tlsCert } = reading.config;
  if (httpPort === "off" || httpPort === 0) {
    return usageError(
      `--http-port must be the port that the server listens on, not ${httpPort}; or give --url`,
    );
  }
  const url = localUrl(host, httpPort, path, tlsCert === "" ? "http" : "https");
  // Elsewhere than on this machine, a certificate that nobody else has signed vouches for itself.
  const isTrusted = isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
  return {
    kind: "question",
    question: {
      url,
      hostHeader: "localhost",
      timeoutMs,
      caPath: caPath === "" && !isTrusted ? tlsCert : caPath,
    },
  };
}

function questionAt(
  text: string,
  path: string,
  timeoutMs: number,
  caPath: string,
): HealthQuestionResult {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.hash !== "") {
    return usageError("--url must be an HTTP address, e.g. http://127.0.0.1:8080");
  }
  if (url.pathname === "/") url.pathname = path;
  return { kind: "question", question: { url, hostHeader: url.host, timeoutMs, caPath } };
}

function usageError(message: string): UsageError {
  return { kind: "usage_error", message };
}
