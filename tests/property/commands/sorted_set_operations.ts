/** Operations on sorted sets. */

import {
  bulk,
  bulks,
  int,
  type Model,
  type ModelOperation,
  rangeOf,
  several,
  someIndex,
  someKey,
  someMember,
} from "./model.ts";

type Chance = Parameters<typeof someKey>[0];

/** A score that is written in the same digits by everybody. */
const someScore = (random: Chance): string => String((random.below(60) - 30) / 2);

function sorted(zset: ReadonlyMap<string, number> | undefined): [string, number][] {
  return [...zset ?? []].toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

function sortedAt(model: Model, key: string): [string, number][] {
  return sorted(model.read(key, "zset"));
}

function withScores(entries: readonly [string, number][]): string {
  return bulks(entries.flatMap(([member, score]) => [member, String(score)]));
}

function removeEntries(model: Model, key: string, entries: readonly [string, number][]): string {
  const zset = model.read(key, "zset");
  for (const [member] of entries) zset?.delete(member);
  model.tidy(key);
  return int(entries.length);
}

function combine(model: Model, keys: readonly string[], isUnion: boolean): Map<string, number> {
  const sets = keys.map((key) => model.read(key, "zset") ?? new Map<string, number>());
  const sums = new Map<string, number>();
  for (const set of sets) {
    for (const [member, score] of set) sums.set(member, (sums.get(member) ?? 0) + score);
  }
  if (isUnion) return sums;
  return new Map([...sums].filter(([member]) => sets.every((set) => set.has(member))));
}

const keyAndMember = (random: Chance) => [someKey(random), someMember(random)];
const keyAndRange = (random: Chance) => [someKey(random), someIndex(random), someIndex(random)];
const keyAndScores = (random: Chance) => [someKey(random), someScore(random), someScore(random)];

function between(entries: readonly [string, number][], least: string, most: string) {
  return entries.filter(([, score]) => score >= Number(least) && score <= Number(most));
}

const stores: ModelOperation[] = [true, false].map((isUnion) => ({
  name: isUnion ? "zunionstore" : "zinterstore",
  args: (random) => {
    const keys = several(random, 3, someKey);
    return [someKey(random), String(keys.length), ...keys];
  },
  apply(model, [destination, , ...keys]) {
    // Sets are allowed there; this model asks for sorted sets only.
    const types = keys.map((key) => model.keys.get(key)?.type);
    const data = types.includes("set")
      ? combineSets(model, keys, isUnion)
      : combine(model, keys, isUnion);
    model.keys.delete(destination!);
    if (data.size > 0) model.put(destination!, { type: "zset", data });
    return int(data.size);
  },
}));

/** Members of sets count as if they had a score of 1. */
function combineSets(model: Model, keys: readonly string[], isUnion: boolean): Map<string, number> {
  const plain = structuredClone(model.keys);
  const other = Object.assign(Object.create(Object.getPrototypeOf(model)), {
    keys: plain,
  }) as Model;
  for (const key of keys) {
    const value = plain.get(key);
    if (value?.type !== "set") continue;
    plain.set(key, { type: "zset", data: new Map([...value.data].map((member) => [member, 1])) });
  }
  return combine(other, keys, isUnion);
}

/** Sorted sets. */
export const SORTED_SET_OPERATIONS: readonly ModelOperation[] = [
  ...stores,
  {
    name: "zadd",
    args: (random) => [
      someKey(random),
      ...several(random, 6, (each) => [someScore(each), someMember(each)]).flat(),
    ],
    apply(model, [key, ...words]) {
      const zset = model.make(key!, "zset", new Map());
      const before = zset.size;
      for (let i = 0; i < words.length; i += 2) zset.set(words[i + 1]!, Number(words[i]));
      return int(zset.size - before);
    },
  },
  {
    name: "zincrby",
    args: (random) => [someKey(random), someScore(random), someMember(random)],
    apply(model, [key, amount, member]) {
      const zset = model.make(key!, "zset", new Map());
      const sum = (zset.get(member!) ?? 0) + Number(amount);
      zset.set(member!, sum);
      return bulk(String(sum));
    },
  },
  {
    name: "zrem",
    args: (random) => [someKey(random), ...several(random, 4, someMember)],
    apply(model, [key, ...members]) {
      const zset = model.read(key!, "zset");
      const count = members.filter((member) => zset?.delete(member)).length;
      model.tidy(key!);
      return int(count);
    },
  },
  {
    name: "zcard",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => int(model.read(key!, "zset")?.size ?? 0),
  },
  {
    name: "zscore",
    args: keyAndMember,
    apply(model, [key, member]) {
      const score = model.read(key!, "zset")?.get(member!);
      return bulk(score === undefined ? undefined : String(score));
    },
  },
  {
    name: "zrank",
    args: keyAndMember,
    apply(model, [key, member]) {
      const rank = sortedAt(model, key!).findIndex(([each]) => each === member);
      return rank < 0 ? bulk(undefined) : int(rank);
    },
  },
  {
    name: "zrange",
    args: (random) => [...keyAndRange(random), "WITHSCORES"],
    apply(model, [key, start, stop]) {
      const entries = sortedAt(model, key!);
      return withScores(entries.slice(...rangeOf(start!, stop!, entries.length)));
    },
  },
  {
    name: "zrevrange",
    args: keyAndRange,
    apply(model, [key, start, stop]) {
      const entries = sortedAt(model, key!).toReversed();
      return bulks(entries.slice(...rangeOf(start!, stop!, entries.length)).map(([each]) => each));
    },
  },
  {
    name: "zrangebyscore",
    args: (random) => [...keyAndScores(random), "WITHSCORES"],
    apply: (model, [key, least, most]) => withScores(between(sortedAt(model, key!), least!, most!)),
  },
  {
    name: "zcount",
    args: keyAndScores,
    apply: (model, [key, least, most]) => int(between(sortedAt(model, key!), least!, most!).length),
  },
  {
    name: "zremrangebyrank",
    args: keyAndRange,
    apply(model, [key, start, stop]) {
      const entries = sortedAt(model, key!);
      return removeEntries(model, key!, entries.slice(...rangeOf(start!, stop!, entries.length)));
    },
  },
  {
    name: "zremrangebyscore",
    args: keyAndScores,
    apply: (model, [key, least, most]) =>
      removeEntries(model, key!, between(sortedAt(model, key!), least!, most!)),
  },
  ...[true, false].map((isMin): ModelOperation => ({
    name: isMin ? "zpopmin" : "zpopmax",
    args: (random) => [someKey(random), String(random.below(4))],
    apply(model, [key, count]) {
      const entries = sortedAt(model, key!);
      const popped = (isMin ? entries : entries.toReversed()).slice(0, Number(count));
      removeEntries(model, key!, popped);
      return withScores(popped);
    },
  })),
];
