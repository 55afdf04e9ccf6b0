/**
 * Every operation of the model, and which of them a table knows.
 *
 * @module
 */

import type { CommandTable } from "../../../src/command/lookup.ts";
import { HASH_OPERATIONS } from "./hash_operations.ts";
import { KEY_OPERATIONS } from "./key_operations.ts";
import { LIST_OPERATIONS } from "./list_operations.ts";
import type { ModelOperation } from "./model.ts";
import { SET_OPERATIONS } from "./set_operations.ts";
import { SORTED_SET_OPERATIONS } from "./sorted_set_operations.ts";
import { STRING_OPERATIONS } from "./string_operations.ts";

/** By type. */
export const OPERATIONS: Readonly<Record<string, readonly ModelOperation[]>> = {
  strings: STRING_OPERATIONS,
  keys: KEY_OPERATIONS,
  lists: LIST_OPERATIONS,
  hashes: HASH_OPERATIONS,
  sets: SET_OPERATIONS,
  "sorted sets": SORTED_SET_OPERATIONS,
};

/** All operations whose command is in the table. */
export function operationsOf(table: CommandTable): ModelOperation[] {
  return Object.values(OPERATIONS).flat().filter(({ name }) => table.named(name) !== undefined);
}
