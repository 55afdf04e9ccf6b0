/**
 * From texts to a {@link Config}: flags before environment before defaults.
 *
 * @module
 */

import { type Config, type ConfigProblem, findConfigProblem } from "../server/config.ts";
import { environmentName, type Flag, FLAGS } from "./flags.ts";

/** Texts by flag name, e.g. `{ "http-port": "0" }`. */
export type FlagTexts = Readonly<Record<string, string | undefined>>;

/** Reads an environment variable. */
export type EnvironmentReader = (name: string) => string | undefined;

/** One line, without its end, that says what is wrong. */
export interface UsageError {
  /** Tells it from what was asked for. */
  readonly kind: "usage_error";
  /** E.g. `--shards "48" must be a power of two from 1 to 4096`. */
  readonly message: string;
}

/** A configuration, or what is wrong. */
export type ConfigResult = { readonly kind: "config"; readonly config: Config } | UsageError;

/**
 * Builds the configuration.
 *
 * An empty environment variable counts as not set.
 *
 * @param texts what the command line gives
 * @param environment the environment variables
 * @param defaults what holds where neither says anything
 */
export function resolveConfig(
  texts: FlagTexts,
  environment: EnvironmentReader,
  defaults: Config,
): ConfigResult {
  const reading = readFlags(FLAGS, texts, environment, defaults);
  if (reading.kind === "usage_error") return reading;
  const { config, sources } = reading;
  const problem = findConfigProblem(config);
  return problem === null ? { kind: "config", config } : explain(problem, config, sources);
}

/** What some of the flags say. */
export type FlagReading =
  | {
    readonly kind: "config";
    /** The defaults with what the flags set. */
    readonly config: Config;
    /** The flags that were given, each with how an error names it. */
    readonly sources: ReadonlyMap<Flag, string>;
  }
  | UsageError;

/** Reads some of the flags, without a look at whether they fit together. */
export function readFlags(
  flags: readonly Flag[],
  texts: FlagTexts,
  environment: EnvironmentReader,
  defaults: Config,
): FlagReading {
  let config = defaults;
  const sources = new Map<Flag, string>();
  for (const flag of flags) {
    const given = findText(flag, texts, environment);
    if (given === null) continue;
    // What was typed for a password is nobody's business, whatever else is wrong with it.
    const source = flag.secret === true
      ? given.name
      : `${given.name} ${JSON.stringify(given.text)}`;
    const reading = flag.read(given.text);
    if (reading.kind === "refused") return usageError(`${source} must ${reading.rule}`);
    config = { ...config, ...reading.settings };
    sources.set(flag, source);
  }
  return { kind: "config", config, sources };
}

function findText(
  flag: Flag,
  texts: FlagTexts,
  environment: EnvironmentReader,
): { name: string; text: string } | null {
  const given = texts[flag.name];
  if (given !== undefined) return { name: `--${flag.name}`, text: given };
  const name = environmentName(flag.name);
  const text = environment(name);
  return text === undefined || text === "" ? null : { name, text };
}

function explain(
  { field, rule }: ConfigProblem,
  config: Config,
  sources: ReadonlyMap<Flag, string>,
): ConfigResult {
  const flag = FLAGS.find(({ fields }) => fields.includes(field));
  if (flag === undefined) return usageError(`${field} must ${rule}`);
  const source = sources.get(flag) ??
    `--${flag.name} ${JSON.stringify(flag.show(config))} (the default)`;
  return usageError(`${source} must ${rule}`);
}

function usageError(message: string): UsageError {
  return { kind: "usage_error", message };
}
