/**
 * What settings are that are no numbers: texts, words, switches and lists. Who calls from JavaScript is
 * not checked by a compiler, and a password of null or `insecure: "false"` must not open a server.
 *
 * @module
 */

import { NETWORKS_MAX } from "../base/limits.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../base/log_record.ts";
import { parseNetwork } from "../base/network.ts";
import { SYNC_POLICIES } from "../durability/sync_policy.ts";
import { EVICTION_POLICIES } from "../store/evictor.ts";
import type { Config, ConfigProblem } from "./config.ts";

/** Settings that are one of a few words. */
const WORDS: Partial<Record<keyof Config, readonly string[]>> = {
  protoFraming: ["delimited", "none"] satisfies Config["protoFraming"][],
  lock: ["mutex", "rwlock"] satisfies Config["lock"][],
  eviction: EVICTION_POLICIES,
  fsync: SYNC_POLICIES,
  logLevel: LOG_LEVELS,
  logFormat: LOG_FORMATS,
};

interface ListKind {
  readonly what: string;
  readonly has: (item: string) => boolean;
}

const NETWORKS: ListKind = {
  what: `at most ${NETWORKS_MAX} addresses or networks such as 10.0.0.0/8`,
  has: (item) => parseNetwork(item) !== null,
};

const LISTS: Partial<Record<keyof Config, ListKind>> = {
  allow: NETWORKS,
  deny: NETWORKS,
  corsOrigins: {
    what: "origins in small letters, such as https://app.example",
    has: (item) => isOrigin(item) && item === item.toLowerCase(),
  },
  allowedHosts: { what: "host names without ports", has: isHostName },
};

/** Scheme, host and port and nothing else, as browsers send it. */
export function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.origin !== "null" && url.origin === text.toLowerCase();
}

/** A name as HTTP requests give it in `Host`, without the port. */
export function isHostName(text: string): boolean {
  return /^[0-9a-z_][0-9a-z._-]*$/i.test(text);
}

/**
 * Looks for settings that are not of the kind that the defaults are of; numbers, ports and rates aside,
 * which are compared with their ranges.
 *
 * @returns the first problem, or null
 */
export function findKindProblem(config: Config, defaults: Config): ConfigProblem | null {
  for (const name of Object.keys(defaults)) {
    const field = name as keyof Config;
    const rule = ruleFor(field, config[field], defaults[field]);
    if (rule !== null) return { field, rule };
  }
  return null;
}

/** What a setting must be, to follow "must"; null: it is that. */
function ruleFor(field: keyof Config, value: unknown, normal: unknown): string | null {
  const words = WORDS[field];
  if (words !== undefined) {
    const isWord = words.some((word) => word === value);
    return isWord ? null : `be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  }
  const list = LISTS[field];
  if (list !== undefined) {
    const isList = Array.isArray(value) &&
      value.length <= (list === NETWORKS ? NETWORKS_MAX : Infinity) &&
      value.every((item) => typeof item === "string" && list.has(item));
    return isList ? null : `be a list of ${list.what}`;
  }
  if (typeof normal === "string") return typeof value === "string" ? null : "be a text";
  if (typeof normal === "boolean") return typeof value === "boolean" ? null : "be true or false";
  return null;
}
