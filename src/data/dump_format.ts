/**
 * What the lines of a dump have in common; docs/moving.md describes all of them.
 *
 * ```text
 * {"sluice_dump":1}
 * {"db":0,"key":"a","type":"string","value":"1","balance":true}
 * {"db":0,"key":"b","type":"zset","value":[["one",1],["two",2.5]],"expire_at_ms":1900000000000}
 * {"event":{"user":"u","action":"a","amount":"5","accepted_at_ms":1700000000000}}
 * {"end":{"keys":2,"events":1}}
 * ```
 *
 * @module
 */

import { EntryType } from "../store/store.ts";

/** Version of the format. */
export const DUMP_VERSION = 1;

/** Types by the names that `TYPE` gives them. */
export const TYPE_NAMES: Readonly<Record<EntryType, string>> = {
  [EntryType.STRING]: "string",
  [EntryType.LIST]: "list",
  [EntryType.HASH]: "hash",
  [EntryType.SET]: "set",
  [EntryType.SORTED_SET]: "zset",
};

/** The type with a name; undefined: there is none. */
export function typeNamed(name: unknown): EntryType | undefined {
  const found = Object.entries(TYPE_NAMES).find(([, known]) => known === name);
  return found === undefined ? undefined : Number(found[0]) as EntryType;
}

/** A score in JSON: infinite ones are strings. */
export function scoreToJson(score: number): string {
  if (Number.isFinite(score)) return Object.is(score, -0) ? "-0" : String(score);
  return score > 0 ? '"inf"' : '"-inf"';
}

/** The score that a JSON value stands for; undefined: it stands for none. */
export function scoreFromJson(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (value === "inf") return Infinity;
  return value === "-inf" ? -Infinity : undefined;
}
