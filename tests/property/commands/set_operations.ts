/** Operations on sets. */

import {
  bulks,
  int,
  type Model,
  type ModelOperation,
  several,
  someKey,
  someMember,
} from "./model.ts";

type Combine = (sets: readonly Set<string>[]) => Set<string>;

const COMBINATIONS: Readonly<Record<string, Combine>> = {
  sinter: ([first, ...rest]) =>
    new Set([...first!].filter((member) => rest.every((set) => set.has(member)))),
  sunion: (sets) => new Set(sets.flatMap((set) => [...set])),
  sdiff: ([first, ...rest]) =>
    new Set([...first!].filter((member) => !rest.some((set) => set.has(member)))),
};

function setsAt(model: Model, keys: readonly string[]): Set<string>[] {
  return keys.map((key) => model.read(key, "set") ?? new Set());
}

const keyAndMembers = (random: Parameters<typeof someKey>[0]) => [
  someKey(random),
  ...several(random, 6, someMember),
];

const combinations: ModelOperation[] = Object.entries(COMBINATIONS).flatMap(([name, combine]) =>
  [
    {
      name,
      args: (random) => several(random, 3, someKey),
      apply: (model, keys) => bulks([...combine(setsAt(model, keys))]),
      comparison: "unordered",
    },
    {
      name: `${name}store`,
      args: (random) => [someKey(random), ...several(random, 3, someKey)],
      apply(model, [destination, ...keys]) {
        const data = combine(setsAt(model, keys));
        model.keys.delete(destination!);
        if (data.size > 0) model.put(destination!, { type: "set", data });
        return int(data.size);
      },
    },
  ] satisfies ModelOperation[]
);

/** Sets. */
export const SET_OPERATIONS: readonly ModelOperation[] = [
  ...combinations,
  {
    name: "sadd",
    args: keyAndMembers,
    apply(model, [key, ...members]) {
      const set = model.make(key!, "set", new Set());
      const before = set.size;
      for (const member of members) set.add(member);
      return int(set.size - before);
    },
  },
  {
    name: "srem",
    args: keyAndMembers,
    apply(model, [key, ...members]) {
      const set = model.read(key!, "set");
      const count = members.filter((member) => set?.delete(member)).length;
      model.tidy(key!);
      return int(count);
    },
  },
  {
    name: "scard",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => int(model.read(key!, "set")?.size ?? 0),
  },
  {
    name: "sismember",
    args: (random) => [someKey(random), someMember(random)],
    apply: (model, [key, member]) => int(model.read(key!, "set")?.has(member!) ? 1 : 0),
  },
  {
    name: "smembers",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => bulks([...model.read(key!, "set") ?? []]),
    comparison: "unordered",
  },
  {
    name: "smove",
    args: (random) => [someKey(random), someKey(random), someMember(random)],
    apply(model, [from, to, member]) {
      const source = model.read(from!, "set");
      if (source === undefined) return int(0);
      model.read(to!, "set");
      if (from === to) return int(source.has(member!) ? 1 : 0);
      if (!source.delete(member!)) return int(0);
      model.tidy(from!);
      model.make(to!, "set", new Set()).add(member!);
      return int(1);
    },
  },
  {
    // All of them at once: which come out is then no matter of chance.
    name: "spop",
    args: (random) => [someKey(random), "100000"],
    apply(model, [key]) {
      const members = [...model.read(key!, "set") ?? []];
      if (members.length > 0) model.keys.delete(key!);
      return bulks(members);
    },
    comparison: "unordered",
  },
];
