/**
 * How the values of flags are read: each reader gives settings, or the rule that the text breaks.
 *
 * @module
 */

import { NETWORKS_MAX } from "../base/limits.ts";
import { formatDuration, formatSize, parseDuration, parseRate, parseSize } from "../base/units.ts";
import { parseNetwork } from "../base/network.ts";
import { type Config, CONFIG_RANGES, isRateInRange, RATE_RULE } from "../server/config.ts";
import { isHostName, isOrigin } from "../server/config_texts.ts";

/** What a value became. */
export type Reading =
  | { readonly kind: "settings"; readonly settings: Partial<Config> }
  /** `rule` follows "must", e.g. `"be a port from 0 to 65535, or off"`. */
  | { readonly kind: "refused"; readonly rule: string };

/** Reads the text given for a flag. */
export type ValueReader = (text: string) => Reading;

/** A numeric setting with a range. */
export type RangedField = keyof typeof CONFIG_RANGES;

function settings(values: Partial<Config>): Reading {
  return { kind: "settings", settings: values };
}

function refused(rule: string): Reading {
  return { kind: "refused", rule };
}

/** Whole decimal digits only: no sign, exponent, fraction or spaces. */
function parseWhole(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function ranged(
  field: RangedField,
  parse: (text: string) => number | null,
  describe: (min: number, max: number) => string,
): ValueReader {
  const { min, max } = CONFIG_RANGES[field];
  return (text) => {
    const value = parse(text);
    return value === null || value < min || value > max
      ? refused(describe(min, max))
      : settings({ [field]: value });
  };
}

/** Reads a whole number. */
export function count(field: RangedField): ValueReader {
  return ranged(field, parseWhole, (min, max) => `be a whole number from ${min} to ${max}`);
}

/** Reads a size. */
export function size(field: RangedField): ValueReader {
  return ranged(
    field,
    parseSize,
    (min, max) => `be a size from ${formatSize(min)} to ${formatSize(max)}, e.g. 64mb`,
  );
}

/** Reads a duration. */
export function duration(field: RangedField): ValueReader {
  return ranged(
    field,
    parseDuration,
    (min, max) =>
      `be a duration from ${formatDuration(min)} to ${formatDuration(max)}, e.g. 500ms or 10s`,
  );
}

/** Reads milliseconds: a plain number, or a duration. */
export function milliseconds(field: RangedField): ValueReader {
  return ranged(
    field,
    (text) => parseWhole(text) ?? parseDuration(text),
    (min, max) => `be milliseconds from ${min} to ${max}, e.g. 100`,
  );
}

/** Reads a power of two. */
export function powerOfTwo(field: RangedField): ValueReader {
  return ranged(
    field,
    (text) => {
      const value = parseWhole(text);
      return value !== null && Number.isInteger(Math.log2(value)) ? value : null;
    },
    (min, max) => `be a power of two from ${min} to ${max}`,
  );
}

/** Reads a port, or `off`. */
export function port(field: "httpPort" | "respPort" | "protoPort"): ValueReader {
  return (text) => {
    const value = text === "off" ? text : parseWhole(text);
    return value === null || (value !== "off" && value > 65535)
      ? refused("be a port from 0 to 65535, or off")
      : settings({ [field]: value });
  };
}

/** Reads `N` or `MIN-MAX`; only the MIN of a range may be 0. */
export function pool(text: string): Reading {
  const { min, max } = CONFIG_RANGES.workersMax;
  const [low, high, ...rest] = text.split("-").map(parseWhole);
  const from = low ?? -1;
  const to = high === undefined ? from : high ?? 0;
  if (rest.length > 0 || from < CONFIG_RANGES.workersMin.min || to < min || to > max || from > to) {
    return refused(
      `be N from ${min} to ${max}, or MIN-MAX with MIN from 0 and at most MAX: e.g. 4 or 2-8`,
    );
  }
  return settings({ workersMin: from, workersMax: to });
}

/** Reads one of a few words. */
export function oneOf<
  Field extends "eviction" | "fsync" | "lock" | "logLevel" | "logFormat" | "protoFraming",
>(
  field: Field,
  words: readonly Config[Field][],
): ValueReader {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    return word === undefined
      ? refused(`be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`)
      : settings({ [field]: word });
  };
}

/** Reads an address or a host name. */
export function host(text: string): Reading {
  const name = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (/^[^:]*:\d*$/.test(name)) {
    return refused("be an address without a port; --http-port and its like give the ports");
  }
  return /^[0-9a-z_][0-9a-z._-]*$/i.test(name) || /^[0-9a-f:.]*:[0-9a-f:.]*(%\w+)?$/i.test(name)
    ? settings({ host: name })
    : refused("be an IP address or a host name, e.g. 127.0.0.1 or ::1");
}

/** Reads host names separated by commas, without ports, or `none`. */
export function hostNames(text: string): Reading {
  if (text === "none") return settings({ allowedHosts: [] });
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  return names.length > 0 && names.every(isHostName) ? settings({ allowedHosts: names }) : refused(
    "be host names without ports, separated by commas, e.g. sluice,events.example, or none",
  );
}

/** Reads a whole number, or `off` for 0. */
export function countOrOff(field: RangedField): ValueReader {
  const { max } = CONFIG_RANGES[field];
  return (text) => {
    const value = text === "off" ? 0 : parseWhole(text);
    return value === null || value > max
      ? refused(`be a whole number from 1 to ${max}, or off`)
      : settings({ [field]: value });
  };
}

/** Reads a rate, or `off`. */
export function rate(field: "rateLimit" | "respRateLimit"): ValueReader {
  return (text) => {
    if (text === "off") return settings({ [field]: null });
    const value = parseRate(text);
    return value === null || !isRateInRange(value)
      ? refused(RATE_RULE)
      : settings({ [field]: value });
  };
}

/** Reads networks in CIDR notation, separated by commas, or `none`. */
export function networks(field: "allow" | "deny"): ValueReader {
  return (text) => {
    const list = listOf(text);
    const wrong = list.find((network) => parseNetwork(network) === null);
    if (wrong !== undefined || (list.length === 0 && text !== "none")) {
      return refused(
        "be addresses or networks separated by commas, e.g. 10.0.0.0/8,2001:db8::/32, or none" +
          (wrong === undefined ? "" : `; ${JSON.stringify(wrong)} is neither`),
      );
    }
    return list.length > NETWORKS_MAX
      ? refused(`be at most ${NETWORKS_MAX} networks`)
      : settings({ [field]: list });
  };
}

/** Reads origins separated by commas, or `none`. */
export function origins(text: string): Reading {
  const list = listOf(text);
  return (list.length > 0 || text === "none") && list.every(isOrigin)
    ? settings({ corsOrigins: list.map((origin) => origin.toLowerCase()) })
    : refused(
      "be origins separated by commas, e.g. https://app.example,http://localhost:3000, or none",
    );
}

/** Reads a password, or `none`; its text never appears in what is said about it. */
export function password(text: string): Reading {
  if (text === "none") return settings({ password: "" });
  return /[\0\r\n]/.test(text) || text === ""
    ? refused("be one line that is not empty")
    : settings({ password: text });
}

/** Reads a path, or `none`. */
export function path(
  field: "passwordFile" | "staticDir" | "dataDir" | "tlsCert" | "tlsKey",
  kind: "file" | "directory" = "file",
): ValueReader {
  return (text) =>
    text === "none"
      ? settings({ [field]: "" })
      : text === "" || text.includes("\0")
      ? refused(`be the path of a ${kind}`)
      : settings({ [field]: text });
}

/** Reads where the module of a processor is. */
export function processorPlace(text: string): Reading {
  if (text === "built-in") return settings({ processor: "" });
  return text === "" || text.includes("\0")
    ? refused("be the path or the URL of a module")
    : settings({ processor: text });
}

function listOf(text: string): string[] {
  if (text === "none") return [];
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

/** Reads a switch; a flag without a value reads `true`. */
export function toggle(
  field: "insecure" | "accessLog" | "lockTiming" | "stopOnEof",
): ValueReader {
  return (text) => {
    switch (text.toLowerCase()) {
      case "true":
      case "1":
      case "yes":
      case "on":
        return settings({ [field]: true });
      case "false":
      case "0":
      case "no":
      case "off":
        return settings({ [field]: false });
      default:
        return refused("be true or false");
    }
  };
}
