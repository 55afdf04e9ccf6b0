/** Operations on hashes. */

import {
  bulk,
  bulks,
  error,
  int,
  type ModelOperation,
  several,
  someKey,
  someMember,
  someValue,
} from "./model.ts";

type Chance = Parameters<typeof someKey>[0];

const keyAndField = (random: Chance) => [someKey(random), someMember(random)];
const keyAndPairs = (random: Chance) => [
  someKey(random),
  ...several(random, 5, (each) => [someMember(each), someValue(each)]).flat(),
];

/** Hashes. */
export const HASH_OPERATIONS: readonly ModelOperation[] = [
  {
    name: "hset",
    args: keyAndPairs,
    apply(model, [key, ...words]) {
      const hash = model.make(key!, "hash", new Map());
      const before = hash.size;
      for (let i = 0; i < words.length; i += 2) hash.set(words[i]!, words[i + 1]!);
      return int(hash.size - before);
    },
  },
  {
    name: "hsetnx",
    args: (random) => [...keyAndField(random), someValue(random)],
    apply(model, [key, field, value]) {
      const hash = model.make(key!, "hash", new Map());
      if (hash.has(field!)) return int(0);
      hash.set(field!, value!);
      return int(1);
    },
  },
  {
    name: "hget",
    args: keyAndField,
    apply: (model, [key, field]) => bulk(model.read(key!, "hash")?.get(field!)),
  },
  {
    name: "hmget",
    args: (random) => [someKey(random), ...several(random, 4, someMember)],
    apply(model, [key, ...fields]) {
      const hash = model.read(key!, "hash");
      return bulks(fields.map((field) => hash?.get(field)));
    },
  },
  {
    name: "hdel",
    args: (random) => [someKey(random), ...several(random, 4, someMember)],
    apply(model, [key, ...fields]) {
      const hash = model.read(key!, "hash");
      const count = fields.filter((field) => hash?.delete(field)).length;
      model.tidy(key!);
      return int(count);
    },
  },
  {
    name: "hlen",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => int(model.read(key!, "hash")?.size ?? 0),
  },
  {
    name: "hexists",
    args: keyAndField,
    apply: (model, [key, field]) => int(model.read(key!, "hash")?.has(field!) ? 1 : 0),
  },
  {
    name: "hstrlen",
    args: keyAndField,
    apply: (model, [key, field]) => int(model.read(key!, "hash")?.get(field!)?.length ?? 0),
  },
  {
    name: "hgetall",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => bulks([...model.read(key!, "hash") ?? []].flat()),
    comparison: "pairs",
  },
  {
    name: "hkeys",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => bulks([...model.read(key!, "hash")?.keys() ?? []]),
    comparison: "unordered",
  },
  {
    name: "hvals",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => bulks([...model.read(key!, "hash")?.values() ?? []]),
    comparison: "unordered",
  },
  {
    name: "hincrby",
    args: (random) => [...keyAndField(random), String(random.below(200) - 100)],
    apply(model, [key, field, amount]) {
      const text = model.read(key!, "hash")?.get(field!) ?? "0";
      if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return error("hash value is not an integer");
      const sum = `${BigInt(text) + BigInt(amount!)}`;
      model.make(key!, "hash", new Map()).set(field!, sum);
      return int(BigInt(sum));
    },
  },
];
