/**
 * What the commands on sorted sets mean, said with maps of texts, one character per byte; replies in
 * version 3 of the protocol.
 *
 * @module
 */

/** Member and score. */
export type Pair = readonly [member: string, score: number];

/** A byte string. */
export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** A number. */
export function integer(value: number): string {
  return `:${value}\r\n`;
}

/** A score as text. */
export function scoreText(score: number): string {
  return String(score).replace("Infinity", "inf");
}

function double(score: number): string {
  return `,${scoreText(score)}\r\n`;
}

function array(replies: readonly string[]): string {
  return `*${replies.length}\r\n${replies.join("")}`;
}

const NIL = "_\r\n";

function pairReply([member, score]: Pair): string {
  return array([bulk(member), double(score)]);
}

/** Members, or members with scores. */
function membersReply(pairs: readonly Pair[], withScores: boolean): string {
  return array(pairs.map((pair) => withScores ? pairReply(pair) : bulk(pair[0])));
}

type Aggregate = (one: number, other: number) => number;

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  SUM: (one, other) => Number.isNaN(one + other) ? 0 : one + other,
  MIN: Math.min,
  MAX: Math.max,
};

/** Sorted sets by key, and the commands on them. */
export class SortedSetModel {
  readonly sets = new Map<string, Map<string, number>>();

  /** The pairs of a key in order. */
  pairs(key: string): Pair[] {
    return inOrder(this.sets.get(key) ?? new Map());
  }

  /** The reply to a command. */
  execute(words: readonly string[]): string {
    const [name, key, ...rest] = words as [string, string, ...string[]];
    const set = this.sets.get(key) ?? new Map<string, number>();
    switch (name) {
      case "ZADD":
        return this.#add(key, set, rest);
      case "ZINCRBY":
        return this.#add(key, set, ["INCR", ...rest]);
      case "ZREM":
        return integer(this.#drop(key, rest.filter((each) => set.delete(each)).length));
      case "ZSCORE":
        return set.has(rest[0]!) ? double(set.get(rest[0]!)!) : NIL;
      case "ZMSCORE":
        return array(rest.map((each) => set.has(each) ? double(set.get(each)!) : NIL));
      case "ZCARD":
        return integer(set.size);
      case "ZCOUNT":
        return integer(this.#between(key, rest[0]!, rest[1]!).length);
      case "ZLEXCOUNT":
        return integer(this.#lexBetween(key, rest[0]!, rest[1]!).length);
      case "ZRANK":
        return rank(this.pairs(key), rest[0]!);
      case "ZREVRANK":
        return rank(this.pairs(key).reverse(), rest[0]!);
      case "ZRANGE":
        return membersReply(this.#range(key, rest), rest.includes("WITHSCORES"));
      case "ZRANGESTORE":
        return this.#store(key, this.#range(rest[0]!, rest.slice(1)));
      case "ZREMRANGEBYRANK":
        return this.#remove(key, this.#range(key, rest));
      case "ZREMRANGEBYSCORE":
        return this.#remove(key, this.#range(key, [...rest, "BYSCORE"]));
      case "ZREMRANGEBYLEX":
        return this.#remove(key, this.#range(key, [...rest, "BYLEX"]));
      case "ZPOPMIN":
      case "ZPOPMAX":
        return membersReply(this.#pop(key, name === "ZPOPMAX", Number(rest[0])), true);
      default:
        return this.#several(words);
    }
  }

  #add(key: string, set: Map<string, number>, rest: readonly string[]): string {
    const first = rest.findIndex((word) => /^([-\d]|inf)/.test(word));
    const options = rest.slice(0, first);
    const has = (option: string): boolean => options.includes(option);
    let added = 0;
    let changed = 0;
    let last = NIL;
    for (let i = first; i < rest.length; i += 2) {
      const member = rest[i + 1]!;
      const old = set.get(member);
      let score = Number(rest[i]!.replace("inf", "Infinity"));
      if (old === undefined ? has("XX") : has("NX")) continue;
      if (has("INCR") && old !== undefined) score += old;
      if (Number.isNaN(score)) return "-ERR resulting score is not a number (NaN)\r\n";
      if (old !== undefined && has("GT") && score <= old) continue;
      if (old !== undefined && has("LT") && score >= old) continue;
      if (old === undefined) added++;
      else if (score !== old) changed++;
      set.set(member, score);
      last = double(score);
    }
    if (set.size > 0) this.sets.set(key, set);
    if (has("INCR")) return last;
    return integer(has("CH") ? added + changed : added);
  }

  #several(words: readonly string[]): string {
    const [name] = words as [string];
    const at = name.endsWith("STORE") ? 2 : 1;
    const keyCount = Number(words[at]);
    const keys = words.slice(at + 1, at + 1 + keyCount);
    const rest = words.slice(at + 1 + keyCount);
    if (name === "ZMPOP") {
      const key = keys.find((each) => this.sets.has(each));
      if (key === undefined) return NIL;
      const popped = this.#pop(key, rest[0] === "MAX", Number(rest[2] ?? 1));
      return array([bulk(key), membersReply(popped, true)]);
    }
    const result = inOrder(this.#combine(name, keys, rest));
    if (name === "ZINTERCARD") {
      const limit = Number(rest[1] ?? 0);
      return integer(limit === 0 ? result.length : Math.min(limit, result.length));
    }
    if (at === 2) return this.#store(words[1]!, result);
    return membersReply(result, rest.includes("WITHSCORES"));
  }

  #combine(name: string, keys: readonly string[], rest: readonly string[]): Map<string, number> {
    const weightAt = rest.indexOf("WEIGHTS") + 1;
    const aggregateAt = rest.indexOf("AGGREGATE") + 1;
    const aggregate = AGGREGATES[aggregateAt === 0 ? "SUM" : rest[aggregateAt]!]!;
    const sources = keys.map((key, i) => ({
      set: this.sets.get(key) ?? new Map<string, number>(),
      weight: weightAt === 0 ? 1 : Number(rest[weightAt + i]),
    }));
    const [first, ...others] = sources as [typeof sources[0], ...typeof sources];
    if (name.startsWith("ZDIFF")) {
      return new Map([...first.set].filter(([each]) => !others.some(({ set }) => set.has(each))));
    }
    const result = new Map<string, number>();
    for (const { set, weight } of sources.toSorted((a, b) => a.set.size - b.set.size)) {
      for (const [member, score] of set) {
        if (name.startsWith("ZINTER") && !sources.every((each) => each.set.has(member))) continue;
        const product = Number.isNaN(score * weight) ? 0 : score * weight + 0;
        const old = result.get(member);
        result.set(member, old === undefined ? product : aggregate(old, product));
      }
    }
    return result;
  }

  #range(key: string, [least, most, ...options]: readonly string[]): Pair[] {
    const isReversed = options.includes("REV");
    const isRank = !options.includes("BYSCORE") && !options.includes("BYLEX");
    const [min, max] = isReversed && !isRank ? [most!, least!] : [least!, most!];
    const pairs = options.includes("BYSCORE")
      ? this.#between(key, min, max)
      : options.includes("BYLEX")
      ? this.#lexBetween(key, min, max)
      : this.pairs(key);
    if (isReversed) pairs.reverse();
    if (isRank) return pairs.slice(...rankSlice(pairs.length, Number(least), Number(most)));
    const limitAt = options.indexOf("LIMIT");
    if (limitAt < 0) return pairs;
    const offset = Number(options[limitAt + 1]);
    const limit = Number(options[limitAt + 2]);
    if (offset < 0) return [];
    return pairs.slice(offset, limit < 0 ? undefined : offset + limit);
  }

  #between(key: string, least: string, most: string): Pair[] {
    const [min, max] = [least, most].map((text) =>
      Number(text.replace("(", "").replace("inf", "Infinity"))
    ) as [number, number];
    return this.pairs(key).filter(([, score]) =>
      (least.startsWith("(") ? score > min : score >= min) &&
      (most.startsWith("(") ? score < max : score <= max)
    );
  }

  #lexBetween(key: string, least: string, most: string): Pair[] {
    return this.pairs(key).filter(([member]) =>
      isAtLeast(member, least) && (most === "+" || !isAtLeast(member, opposite(most)))
    );
  }

  #remove(key: string, pairs: readonly Pair[]): string {
    for (const [member] of pairs) this.sets.get(key)?.delete(member);
    return integer(this.#drop(key, pairs.length));
  }

  #pop(key: string, isMax: boolean, count: number): Pair[] {
    const pairs = this.pairs(key);
    if (isMax) pairs.reverse();
    const popped = pairs.slice(0, count);
    this.#remove(key, popped);
    return popped;
  }

  #store(key: string, pairs: readonly Pair[]): string {
    this.sets.set(key, new Map(pairs));
    return integer(this.#drop(key, pairs.length));
  }

  /** Lets an empty one go; gives the count on. */
  #drop(key: string, count: number): number {
    if (this.sets.get(key)?.size === 0) this.sets.delete(key);
    return count;
  }
}

function inOrder(set: ReadonlyMap<string, number>): Pair[] {
  return [...set].sort(([a, x], [b, y]) => x < y ? -1 : x > y ? 1 : a < b ? -1 : 1);
}

function rank(pairs: readonly Pair[], member: string): string {
  const index = pairs.findIndex(([each]) => each === member);
  return index < 0 ? NIL : integer(index);
}

/** What `slice` needs for Redis's `start stop`. */
function rankSlice(count: number, start: number, stop: number): [number, number] {
  const from = start < 0 ? Math.max(0, count + start) : start;
  const last = stop < 0 ? count + stop : stop;
  return [from, Math.max(from, last + 1)];
}

function isAtLeast(member: string, bound: string): boolean {
  if (bound === "-") return true;
  if (bound === "+") return false;
  const text = bound.slice(1);
  return bound.startsWith("[") ? member >= text : member > text;
}

/** The bound from which on an upper bound has nothing. */
function opposite(bound: string): string {
  if (bound === "-") return "-";
  return (bound.startsWith("[") ? "(" : "[") + bound.slice(1);
}
