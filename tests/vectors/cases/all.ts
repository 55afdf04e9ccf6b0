/**
 * All cases, by the family whose file they are recorded in.
 *
 * @module
 */

import type { VectorCase } from "../format.ts";
import { BITS, HYPERLOGLOG } from "./bits.ts";
import { PUBSUB, SERVER, TRANSACTIONS } from "./connections.ts";
import { EVERY_COMMAND } from "./every_command.ts";
import { HASHES } from "./hashes.ts";
import { KEYS } from "./keys.ts";
import { LISTS } from "./lists.ts";
import { SETS } from "./sets.ts";
import { SORTED_SETS } from "./sorted_sets.ts";
import { STRINGS } from "./strings.ts";

/** Families and their cases. */
export const FAMILIES: Readonly<Record<string, readonly VectorCase[]>> = {
  every_command: EVERY_COMMAND,
  strings: STRINGS,
  bits: BITS,
  lists: LISTS,
  hashes: HASHES,
  sets: SETS,
  sorted_sets: SORTED_SETS,
  hyperloglog: HYPERLOGLOG,
  keys: KEYS,
  transactions: TRANSACTIONS,
  pubsub: PUBSUB,
  server: SERVER,
};
