/**
 * What clients call the types of values.
 *
 * @module
 */

import { EntryType } from "../../store/store.ts";
import type { CommandArguments } from "../arguments.ts";

/** Indexed by {@link EntryType}; 0 is a key that is not there. */
const TYPE_NAMES: readonly string[] = namesByType({
  STRING: "string",
  LIST: "list",
  HASH: "hash",
  SET: "set",
  SORTED_SET: "zset",
});

/** What `TYPE` replies for a type, or for 0. */
export function typeName(type: EntryType | 0): string {
  return TYPE_NAMES[type]!;
}

/** The type that argument `index` names in any case; 0 when there is none of that name. */
export function typeNamed(args: CommandArguments, index: number): EntryType | 0 {
  for (const type of Object.values(EntryType)) {
    if (args.is(index, typeName(type).toUpperCase())) return type;
  }
  return 0;
}

function namesByType(names: Record<keyof typeof EntryType, string>): readonly string[] {
  const byType = ["none"];
  for (const name of Object.keys(EntryType) as (keyof typeof EntryType)[]) {
    byType[EntryType[name]] = names[name];
  }
  return byType;
}
