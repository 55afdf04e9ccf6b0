/** Operations on keys of any type. */

import {
  error,
  int,
  type Model,
  type ModelOperation,
  type ModelValue,
  OK,
  several,
  someKey,
} from "./model.ts";

function removeAll(model: Model, keys: readonly string[]): string {
  return int(keys.filter((key) => model.keys.delete(key)).length);
}

function copyOf(value: ModelValue): ModelValue {
  return structuredClone(value);
}

const twoKeys = (random: Parameters<typeof someKey>[0]) => [someKey(random), someKey(random)];

/** Keys. */
export const KEY_OPERATIONS: readonly ModelOperation[] = [
  { name: "del", args: (r) => several(r, 2, someKey), apply: removeAll },
  { name: "unlink", args: (r) => several(r, 2, someKey), apply: removeAll },
  {
    name: "exists",
    args: (random) => several(random, 4, someKey),
    apply: (model, keys) => int(keys.filter((key) => model.keys.has(key)).length),
  },
  {
    name: "touch",
    args: (random) => several(random, 4, someKey),
    apply: (model, keys) => int(keys.filter((key) => model.keys.has(key)).length),
  },
  {
    name: "type",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => `+${model.keys.get(key!)?.type ?? "none"}\r\n`,
  },
  { name: "dbsize", args: () => [], apply: (model) => int(model.keys.size) },
  {
    name: "rename",
    args: twoKeys,
    apply(model, [from, to]) {
      const value = model.keys.get(from!);
      if (value === undefined) return error("no such key");
      model.keys.delete(from!);
      model.put(to!, value);
      return OK;
    },
  },
  {
    name: "renamenx",
    args: twoKeys,
    apply(model, [from, to]) {
      const value = model.keys.get(from!);
      if (value === undefined) return error("no such key");
      if (model.keys.has(to!)) return int(0);
      model.keys.delete(from!);
      model.put(to!, value);
      return int(1);
    },
  },
  {
    name: "copy",
    args: (random) => [...twoKeys(random), ...random.pick([[], ["REPLACE"]])],
    apply(model, [from, to, replace]) {
      if (from === to) return error("source and destination objects are the same");
      const value = model.keys.get(from!);
      if (value === undefined) return int(0);
      if (model.keys.has(to!) && replace === undefined) return int(0);
      model.put(to!, copyOf(value));
      return int(1);
    },
  },
];
