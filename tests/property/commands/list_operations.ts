/** Operations on lists. */

import {
  bulk,
  bulks,
  error,
  int,
  type Model,
  type ModelOperation,
  OK,
  rangeOf,
  several,
  someIndex,
  someKey,
  someValue,
} from "./model.ts";

type End = "LEFT" | "RIGHT";

function push(model: Model, key: string, values: readonly string[], end: End): string {
  const list = model.make(key, "list", []);
  for (const value of values) end === "LEFT" ? list.unshift(value) : list.push(value);
  return int(list.length);
}

function pop(model: Model, key: string, end: End): string | undefined {
  const list = model.read(key, "list");
  const value = end === "LEFT" ? list?.shift() : list?.pop();
  model.tidy(key);
  return value;
}

function popMany(model: Model, key: string, countText: string, end: End): string {
  if (model.read(key, "list") === undefined) return "*-1\r\n";
  const popped: string[] = [];
  for (let i = 0; i < Number(countText); i++) {
    const value = pop(model, key, end);
    if (value === undefined) break;
    popped.push(value);
  }
  return bulks(popped);
}

function move(model: Model, from: string, to: string, fromEnd: End, toEnd: End): string {
  if (model.read(from, "list") === undefined) return bulk(undefined);
  model.read(to, "list");
  const value = pop(model, from, fromEnd)!;
  push(model, to, [value], toEnd);
  return bulk(value);
}

const keyAndValues = (random: Parameters<typeof someKey>[0]) => [
  someKey(random),
  ...several(random, 4, someValue),
];
const someEnd = (random: Parameters<typeof someKey>[0]) => random.pick(["LEFT", "RIGHT"]);

const pushes: ModelOperation[] = (["LEFT", "RIGHT"] as const).flatMap((end) => {
  const letter = end === "LEFT" ? "l" : "r";
  return [
    {
      name: `${letter}push`,
      args: keyAndValues,
      apply: (model, [key, ...values]) => push(model, key!, values, end),
    },
    {
      name: `${letter}pushx`,
      args: keyAndValues,
      apply: (model, [key, ...values]) =>
        model.read(key!, "list") === undefined ? int(0) : push(model, key!, values, end),
    },
    {
      name: `${letter}pop`,
      args: (random) => [someKey(random)],
      apply: (model, [key]) => bulk(pop(model, key!, end)),
    },
    {
      name: `${letter}pop`,
      args: (random) => [someKey(random), String(random.below(5))],
      apply: (model, [key, count]) => popMany(model, key!, count!, end),
    },
  ] satisfies ModelOperation[];
});

/** Lists. */
export const LIST_OPERATIONS: readonly ModelOperation[] = [
  ...pushes,
  {
    name: "llen",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => int(model.read(key!, "list")?.length ?? 0),
  },
  {
    name: "lindex",
    args: (random) => [someKey(random), someIndex(random)],
    apply: (model, [key, index]) => bulk(model.read(key!, "list")?.at(Number(index))),
  },
  {
    name: "lrange",
    args: (random) => [someKey(random), someIndex(random), someIndex(random)],
    apply(model, [key, start, stop]) {
      const list = model.read(key!, "list") ?? [];
      return bulks(list.slice(...rangeOf(start!, stop!, list.length)));
    },
  },
  {
    name: "lset",
    args: (random) => [someKey(random), someIndex(random), someValue(random)],
    apply(model, [key, indexText, value]) {
      const list = model.read(key!, "list");
      if (list === undefined) return error("no such key");
      const index = Number(indexText) + (Number(indexText) < 0 ? list.length : 0);
      if (index < 0 || index >= list.length) return error("index out of range");
      list[index] = value!;
      return OK;
    },
  },
  {
    name: "ltrim",
    args: (random) => [someKey(random), someIndex(random), someIndex(random)],
    apply(model, [key, start, stop]) {
      const list = model.read(key!, "list");
      if (list === undefined) return OK;
      list.splice(0, list.length, ...list.slice(...rangeOf(start!, stop!, list.length)));
      model.tidy(key!);
      return OK;
    },
  },
  {
    name: "lrem",
    args: (random) => [someKey(random), String(random.below(5) - 2), someValue(random)],
    apply(model, [key, countText, value]) {
      const list = model.read(key!, "list");
      if (list === undefined) return int(0);
      const most = Math.abs(Number(countText)) || Infinity;
      let removed = 0;
      const keep = (each: string) => each !== value || removed >= most || ++removed === 0;
      const kept = Number(countText) < 0
        ? list.toReversed().filter(keep).toReversed()
        : list.filter(keep);
      list.splice(0, list.length, ...kept);
      model.tidy(key!);
      return int(removed);
    },
  },
  {
    name: "linsert",
    args: (random) => [
      someKey(random),
      random.pick(["BEFORE", "AFTER"]),
      someValue(random),
      someValue(random),
    ],
    apply(model, [key, where, pivot, value]) {
      const list = model.read(key!, "list");
      if (list === undefined) return int(0);
      const at = list.indexOf(pivot!);
      if (at < 0) return int(-1);
      list.splice(where === "BEFORE" ? at : at + 1, 0, value!);
      return int(list.length);
    },
  },
  {
    name: "lpos",
    args: (random) => [someKey(random), someValue(random)],
    apply(model, [key, value]) {
      const at = model.read(key!, "list")?.indexOf(value!) ?? -1;
      return at < 0 ? bulk(undefined) : int(at);
    },
  },
  {
    name: "lmove",
    args: (random) => [someKey(random), someKey(random), someEnd(random), someEnd(random)],
    apply: (model, [from, to, fromEnd, toEnd]) =>
      move(model, from!, to!, fromEnd as End, toEnd as End),
  },
  {
    name: "rpoplpush",
    args: (random) => [someKey(random), someKey(random)],
    apply: (model, [from, to]) => move(model, from!, to!, "RIGHT", "LEFT"),
  },
];
