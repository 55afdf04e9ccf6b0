/**
 * What the command stress does and writes down: values that show when they are torn, and exact
 * counts of everything that was added and taken away.
 *
 * @module
 */

import type { StoreMemory } from "../../src/store/store.ts";

/** Word offsets in the evidence region. */
export const CommandEvidence = { START: 0, STOP: 16, INSIDE: 32, WORDS: 48 } as const;

/** Mistakes of the user of the commands that the stress must find. */
export type CommandDefect =
  | "none"
  | "adds with GET and SET"
  | "reads a pair with two GETs"
  | "writes a value in two halves";

/** What a thread is told. */
export interface CommandOrders {
  threadId: number;
  operations: number;
  /** Keys, over all types. */
  keys: number;
  defect: CommandDefect;
  seed: number;
  memory: StoreMemory;
  evidence: SharedArrayBuffer;
}

/** What a thread did. */
export interface CommandReport {
  /** By key: what was added to a counter, to a field, to a score; elements pushed less popped. */
  sums: Record<string, number>;
  /** By key: the members of its own that the thread left in a set or sorted set. */
  members: Record<string, string[]>;
  /** Operations that began while another thread was inside one. */
  overlaps: number;
  /** Calls by command. */
  calls: Record<string, number>;
  /** The first thing that must not be, or "". */
  violation: string;
}

function checksum(text: string): string {
  let sum = 7;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  return (sum >>> 0).toString(36);
}

/** A value that says whose it is, and whether it is whole. */
export function sealedValue(key: string, filler: string): string {
  const body = `${key}:${filler}`;
  return `${body}:${checksum(body)}`;
}

/** What is wrong with a value that was read, or "". */
export function faultInSealed(key: string, value: string): string {
  const at = value.lastIndexOf(":");
  const body = value.slice(0, at);
  if (!body.startsWith(`${key}:`)) return `${key} has ${value.slice(0, 40)}`;
  return checksum(body) === value.slice(at + 1) ? "" : `${key} is torn: ${value.slice(0, 40)}…`;
}
