/**
 * What the rows of commands have in common that pop from the first of several keys that has
 * something, and wait until one of them has.
 *
 * @module
 */

import type { CommandDefinition } from "../row.ts";
import { countedKeys } from "./counted_keys.ts";

/** What a row says of such a command besides its name, summary and handler. */
export type PopFields = Omit<CommandDefinition, "name" | "summary" | "handler">;

/** What differs between lists and sorted sets. */
export type PopKind = Pick<CommandDefinition, "group" | "since" | "flags" | "complexity">;

/** Of those that pop one element: `BLPOP key [key ...] timeout`. Thread: any. */
export function blockingPop(kind: PopKind): PopFields {
  return {
    ...kind,
    arity: -3,
    syntax: "key [key ...] timeout",
    access: "write",
    firstKey: 1,
    lastKey: -2,
    cost: "per-key",
    reply: ["array", "nil"],
  };
}

/** Of those that pop several: `BLMPOP timeout numkeys key [key ...] LEFT | RIGHT`. Thread: any. */
export function blockingPopMany(kind: Omit<PopKind, "flags">, ends: string): PopFields {
  return {
    ...kind,
    flags: ["write", "blocking", "movablekeys"],
    arity: -5,
    syntax: `timeout numkeys key [key ...] ${ends} [COUNT count]`,
    access: "write",
    findKeys: countedKeys(2, 1),
    cost: "per-key",
    reply: ["array", "nil"],
  };
}
