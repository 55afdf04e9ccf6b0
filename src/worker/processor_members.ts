/**
 * Members of a processor that it does not have: mostly names that are mistyped, which would go unnoticed.
 *
 * @module
 */

import type { Processor } from "./processor.ts";

/** All members, and how a value is told that somebody may have meant for them. */
const MEMBERS: Readonly<Record<keyof Required<Processor>, (value: unknown) => boolean>> = {
  name: (value) => typeof value === "string",
  concurrency: (value) => typeof value === "number",
  timeoutMs: (value) => typeof value === "number",
  counters: Array.isArray,
  schema: (value) => typeof value === "object" && !Array.isArray(value),
  validate: (value) => typeof value === "function",
  process: (value) => typeof value === "function",
};
const NAMES = Object.keys(MEMBERS) as (keyof typeof MEMBERS)[];

/** Letters that are missing, too many, wrong or exchanged, at most, in a name that was mistyped. */
const MISTAKES_MAX = 2;
/** The same where it may be a name of somebody's own. */
const MISTAKES_MAX_OF_OTHERS = 1;

/**
 * Looks for a member that is none of a processor's.
 *
 * An object literal has the members of a processor and no others; what it keeps is with its module. An
 * instance of a class, or a function, may have what it likes: there only a name counts that is nearly
 * one which is missing, with a value as that one has.
 *
 * @throws {TypeError} that names it, and what was probably meant
 */
export function refuseUnknownMembers(processor: Processor): void {
  const prototype: unknown = Object.getPrototypeOf(processor);
  const isLiteral = typeof processor === "object" &&
    (prototype === Object.prototype || prototype === null);
  for (const member of isLiteral ? Object.keys(processor) : allMembers(processor)) {
    if (NAMES.includes(member as keyof typeof MEMBERS)) continue;
    const most = isLiteral ? MISTAKES_MAX : MISTAKES_MAX_OF_OTHERS;
    const meant = NAMES.find((name) => countMistakes(member, name) <= most);
    if (isLiteral) {
      throw new TypeError(
        `it has a member ${JSON.stringify(member)}, which processors have not; ` +
          (meant === undefined ? `theirs are ${NAMES.join(", ")}` : `did you mean ${meant}?`),
      );
    }
    if (meant === undefined || meant === "name" || processor[meant] !== undefined) continue;
    if (MEMBERS[meant](processor[member as keyof Processor])) {
      throw new TypeError(
        `it has a member ${JSON.stringify(member)} and no ${meant}: did you mean that?`,
      );
    }
  }
}

/** Names of all members, those of its classes included; none that JavaScript gives to everything. */
function allMembers(processor: object): string[] {
  const names = new Set<string>();
  for (let owner = processor; owner !== null; owner = Object.getPrototypeOf(owner)) {
    if (owner === Object.prototype || owner === Function.prototype) break;
    for (const name of Object.getOwnPropertyNames(owner)) names.add(name);
  }
  return [...names].filter((name) => name !== "constructor" && isPlain(processor, name));
}

/** Whether a member can be looked at without running code: getters are left alone. */
function isPlain(processor: object, name: string): boolean {
  for (let owner = processor; owner !== null; owner = Object.getPrototypeOf(owner)) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    if (descriptor !== undefined) return "value" in descriptor;
  }
  return false;
}

/** Letters to change, add, take away or exchange with their neighbor; small ones count as capitals. */
function countMistakes(typed: string, name: string): number {
  if (Math.abs(typed.length - name.length) > MISTAKES_MAX) return Infinity;
  const a = typed.toLowerCase();
  const b = name.toLowerCase();
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let count = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1);
      count = Math.min(count, rows[i - 1]![j - 1]! + (isSame ? 0 : 1));
      const isExchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isExchanged) count = Math.min(count, rows[i - 2]![j - 2]! + 1);
      row.push(count);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
