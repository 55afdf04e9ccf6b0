/** What transactions on the store come to, worked out with plain values. */

import { CommitStatus } from "../../src/store/transaction.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** One write. */
export type Write =
  | { kind: "set"; key: string; value: string; ttlMs?: number; keepTtl?: boolean }
  | { kind: "add"; key: string; delta: bigint }
  | { kind: "del"; key: string }
  | { kind: "expire"; key: string; ttlMs: number }
  | { kind: "persist"; key: string }
  | { kind: "hset"; key: string; member: string; value: string }
  | { kind: "hincrby"; key: string; member: string; delta: bigint }
  | { kind: "hdel" | "sadd" | "srem" | "zrem"; key: string; member: string }
  | { kind: "zadd" | "zincrby"; key: string; member: string; score: number }
  | { kind: "lpush" | "rpush"; key: string; value: string };

/** What a key holds. */
export type Value =
  | { type: "string"; value: string }
  | { type: "list"; elements: string[] }
  | { type: "hash"; fields: Map<string, string> }
  | { type: "set"; members: Set<string> }
  | { type: "zset"; scores: Map<string, number> };

/** A key with its value. */
export type Entry = Value & { expireAtMs: number };

const TYPES: Record<Write["kind"], Value["type"] | undefined> = {
  set: "string",
  add: "string",
  del: undefined,
  expire: undefined,
  persist: undefined,
  hset: "hash",
  hincrby: "hash",
  hdel: "hash",
  sadd: "set",
  srem: "set",
  zadd: "zset",
  zincrby: "zset",
  zrem: "zset",
  lpush: "list",
  rpush: "list",
};

function integerOf(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const integer = BigInt(text);
  return fits(integer) ? integer : undefined;
}

function fits(integer: bigint): boolean {
  return integer >= INT64_MIN && integer <= INT64_MAX;
}

/** A sum whose first summand may be what is in the store. */
class Sum {
  constructor(readonly delta: bigint) {}
}

/** The writes of one transaction, in their order, as far as they were taken. */
export class ModelTransaction {
  readonly taken = new Map<string, Write[]>();

  /** Whether a write is refused at once; else it is taken. */
  refuses(write: Write): boolean {
    const before = this.taken.get(write.key) ?? [];
    if (this.#isRefused(before, write)) return true;
    this.taken.set(write.key, [...before, write]);
    return false;
  }

  #isRefused(before: Write[], write: Write): boolean {
    const type = TYPES[write.kind];
    if (type === undefined || write.kind === "set") return false;
    const since = before.slice(lastReset(before));
    const other = since.find((each) => {
      const its = TYPES[each.kind];
      if (its === undefined) return false;
      return its !== type;
    });
    if (other !== undefined) return true;
    if (write.kind === "add") {
      let sum = 0n;
      for (const each of since) {
        if (each.kind === "set") {
          const integer = integerOf(each.value);
          if (integer === undefined) return true;
          sum = integer;
        } else if (each.kind === "add") sum += each.delta;
      }
      return !fits(sum + write.delta);
    }
    if (write.kind === "hincrby") {
      let sum = 0n;
      for (const each of since) {
        if (!("member" in each) || each.member !== write.member) continue;
        if (each.kind === "hset") {
          const integer = integerOf(each.value);
          if (integer === undefined) return true;
          sum = integer;
        } else if (each.kind === "hdel") sum = 0n;
        else if (each.kind === "hincrby") sum += each.delta;
      }
      return !fits(sum + write.delta);
    }
    return false;
  }

  /**
   * Makes all writes on `store`, or none.
   *
   * @returns why they cannot be made; of several reasons any will do
   */
  commit(store: Map<string, Entry>, nowMs: number): CommitStatus[] {
    const changed = new Map<string, Entry | undefined>();
    const reasons: CommitStatus[] = [];
    for (const [key, writes] of this.taken) {
      const result = changeKey(store.get(key), writes, nowMs);
      if (typeof result === "number") reasons.push(result);
      else changed.set(key, result.entry);
    }
    if (reasons.length > 0) return reasons;
    for (const [key, entry] of changed) {
      if (entry === undefined) store.delete(key);
      else store.set(key, entry);
    }
    return [CommitStatus.OK];
  }
}

/** Index of the last write that replaces whatever there is, or behind which there is nothing. */
function lastReset(writes: Write[]): number {
  return Math.max(0, writes.findLastIndex(({ kind }) => kind === "set" || kind === "del"));
}

function changeKey(
  stored: Entry | undefined,
  writes: Write[],
  nowMs: number,
): { entry: Entry | undefined } | CommitStatus {
  // Times to live go on across a SET that keeps them, but not across a DEL.
  let expireAtMs = stored?.expireAtMs ?? 0;
  let isDeleted = false;
  for (const write of writes) {
    if (write.kind === "del") [expireAtMs, isDeleted] = [0, true];
    else if (write.kind === "expire") {
      const isGone = isDeleted && lastType(writes, write) === undefined;
      if (!isGone) expireAtMs = nowMs + write.ttlMs;
    } else if (write.kind === "persist") expireAtMs = 0;
    else if (write.kind === "set") {
      if (write.ttlMs !== undefined) expireAtMs = nowMs + write.ttlMs;
      else if (write.keepTtl !== true) expireAtMs = 0;
    }
  }
  const rest = writes.slice(lastReset(writes));
  const value = changeValue(rest[0]?.kind === "del" ? undefined : stored, rest);
  if (typeof value === "number") return value;
  return { entry: value === undefined ? undefined : { ...value, expireAtMs } };
}

/** The type that a key has in a transaction in front of one of its writes; undefined: not known. */
function lastType(writes: Write[], behind: Write): Value["type"] | undefined {
  const before = writes.slice(0, writes.indexOf(behind));
  const since = before.slice(before.findLastIndex(({ kind }) => kind === "del") + 1);
  return since.map(({ kind }) => TYPES[kind]).findLast((type) => type !== undefined);
}

function changeValue(stored: Value | undefined, writes: Write[]): Value | undefined | CommitStatus {
  const type = writes.map(({ kind }) => TYPES[kind]).findLast((each) => each !== undefined);
  if (type === undefined) return writes[0]?.kind === "del" ? undefined : stored;
  const isReset = writes[0]!.kind === "set" || writes[0]!.kind === "del";
  const base = isReset ? undefined : stored;
  if (base !== undefined && base.type !== type) return CommitStatus.WRONG_TYPE;
  switch (type) {
    case "string":
      return changeString(base as Value & { type: "string" } | undefined, writes);
    case "list": {
      const elements = base?.type === "list" ? [...base.elements] : [];
      for (const write of writes) {
        if (write.kind === "lpush") elements.unshift(write.value);
        else if (write.kind === "rpush") elements.push(write.value);
      }
      return { type, elements };
    }
    case "set": {
      const members = new Set(base?.type === "set" ? base.members : []);
      for (const write of writes) {
        if (write.kind === "sadd") members.add(write.member);
        else if (write.kind === "srem") members.delete(write.member);
      }
      return members.size === 0 ? undefined : { type, members };
    }
    case "hash":
      return changeHash(base?.type === "hash" ? base.fields : new Map(), writes);
    case "zset":
      return changeScores(base?.type === "zset" ? base.scores : new Map(), writes);
  }
}

function changeString(
  base: Value & { type: "string" } | undefined,
  writes: Write[],
): Value | CommitStatus {
  let value: string | Sum | undefined;
  for (const write of writes) {
    if (write.kind === "set") value = write.value;
    else if (write.kind === "add") {
      if (value instanceof Sum) value = new Sum(value.delta + write.delta);
      else if (value === undefined) value = new Sum(write.delta);
      else value = String(integerOf(value)! + write.delta);
    }
  }
  if (!(value instanceof Sum)) return { type: "string", value: value! };
  const before = base === undefined ? 0n : integerOf(base.value);
  if (before === undefined) return CommitStatus.NOT_AN_INTEGER;
  const sum = before + value.delta;
  return fits(sum) ? { type: "string", value: String(sum) } : CommitStatus.OVERFLOW;
}

function changeHash(
  stored: Map<string, string>,
  writes: Write[],
): Value | undefined | CommitStatus {
  const changes = new Map<string, string | Sum | undefined>();
  const isEmpty = writes[0]?.kind === "del";
  for (const write of writes) {
    if (write.kind === "hset") changes.set(write.member, write.value);
    else if (write.kind === "hdel") changes.set(write.member, undefined);
    else if (write.kind === "hincrby") {
      const { delta, member } = write;
      const known = changes.get(member);
      if (known instanceof Sum) changes.set(member, new Sum(known.delta + delta));
      else if (changes.has(member) || isEmpty) {
        changes.set(member, String((known === undefined ? 0n : integerOf(known)!) + delta));
      } else changes.set(member, new Sum(delta));
    }
  }
  const fields = new Map(stored);
  for (const [member, change] of changes) {
    if (change === undefined) fields.delete(member);
    else if (change instanceof Sum) {
      const before = fields.has(member) ? integerOf(fields.get(member)!) : 0n;
      if (before === undefined) return CommitStatus.NOT_AN_INTEGER;
      if (!fits(before + change.delta)) return CommitStatus.OVERFLOW;
      fields.set(member, String(before + change.delta));
    } else fields.set(member, change);
  }
  return fields.size === 0 ? undefined : { type: "hash", fields };
}

function changeScores(stored: Map<string, number>, writes: Write[]): Value | undefined {
  const scores = new Map(stored);
  // Scores of the tests are whole numbers, so that the order of additions does not matter.
  for (const write of writes) {
    if (write.kind === "zadd") scores.set(write.member, write.score);
    else if (write.kind === "zrem") scores.delete(write.member);
    else if (write.kind === "zincrby") {
      scores.set(write.member, (scores.get(write.member) ?? 0) + write.score);
    }
  }
  return scores.size === 0 ? undefined : { type: "zset", scores };
}
