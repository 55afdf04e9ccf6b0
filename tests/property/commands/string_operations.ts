/** Operations on strings and integers. */

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

const NOT_AN_INTEGER = error("value is not an integer or out of range");

function add(model: Model, key: string, amount: bigint): string {
  const text = model.read(key, "string") ?? "0";
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return NOT_AN_INTEGER;
  const value = BigInt(text);
  if (value !== BigInt.asIntN(64, value)) return NOT_AN_INTEGER;
  const sum = value + amount;
  if (sum !== BigInt.asIntN(64, sum)) return error("increment or decrement would overflow");
  model.put(key, { type: "string", data: `${sum}` });
  return int(sum);
}

function pairs(words: readonly string[]): [string, string][] {
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, words[2 * i + 1]!]);
}

/** The text at a key, undefined for any other type as well. */
function textAt(model: Model, key: string): string | undefined {
  const value = model.keys.get(key);
  return value?.type === "string" ? value.data : undefined;
}

const keyAndValue = (random: Parameters<typeof someKey>[0]) => [someKey(random), someValue(random)];

/** Strings and integers. */
export const STRING_OPERATIONS: readonly ModelOperation[] = [
  { name: "get", args: (r) => [someKey(r)], apply: (m, [k]) => bulk(m.read(k!, "string")) },
  {
    name: "set",
    args: keyAndValue,
    apply(model, [key, value]) {
      model.put(key!, { type: "string", data: value! });
      return OK;
    },
  },
  {
    name: "set",
    args: (random) => [...keyAndValue(random), random.pick(["NX", "XX"])],
    apply(model, [key, value, option]) {
      if (model.keys.has(key!) !== (option === "XX")) return bulk(undefined);
      model.put(key!, { type: "string", data: value! });
      return OK;
    },
  },
  {
    name: "getset",
    args: keyAndValue,
    apply(model, [key, value]) {
      const before = model.read(key!, "string");
      model.put(key!, { type: "string", data: value! });
      return bulk(before);
    },
  },
  {
    name: "getdel",
    args: (random) => [someKey(random)],
    apply(model, [key]) {
      const before = model.read(key!, "string");
      model.keys.delete(key!);
      return bulk(before);
    },
  },
  {
    name: "setnx",
    args: keyAndValue,
    apply(model, [key, value]) {
      if (model.keys.has(key!)) return int(0);
      model.put(key!, { type: "string", data: value! });
      return int(1);
    },
  },
  { name: "incr", args: (r) => [someKey(r)], apply: (model, [key]) => add(model, key!, 1n) },
  { name: "decr", args: (r) => [someKey(r)], apply: (model, [key]) => add(model, key!, -1n) },
  {
    name: "incrby",
    args: (random) => [
      someKey(random),
      random.pick(["5", "-7", "1000000", "9223372036854775807", "-9223372036854775808"]),
    ],
    apply: (model, [key, amount]) => add(model, key!, BigInt(amount!)),
  },
  {
    name: "append",
    args: keyAndValue,
    apply(model, [key, value]) {
      const text = (model.read(key!, "string") ?? "") + value;
      model.put(key!, { type: "string", data: text });
      return int(text.length);
    },
  },
  {
    name: "strlen",
    args: (random) => [someKey(random)],
    apply: (model, [key]) => int(model.read(key!, "string")?.length ?? 0),
  },
  {
    name: "getrange",
    args: (random) => [someKey(random), someIndex(random), someIndex(random)],
    apply(model, [key, start, stop]) {
      const text = model.read(key!, "string") ?? "";
      // Both ends before the start are the first byte, as in Redis, unless they are turned.
      const end = Number(stop) < -text.length ? String(-text.length) : stop!;
      if (Number(start) < 0 && Number(stop) < 0 && Number(start) > Number(stop)) return bulk("");
      return bulk(text === "" ? "" : text.slice(...rangeOf(start!, end, text.length)));
    },
  },
  {
    name: "setrange",
    args: (random) => [someKey(random), String(random.below(200)), someValue(random)],
    apply(model, [key, offset, value]) {
      const text = model.read(key!, "string") ?? "";
      const at = Number(offset);
      const next = text.padEnd(at, "\0").slice(0, at) + value + text.slice(at + value!.length);
      model.put(key!, { type: "string", data: next });
      return int(next.length);
    },
  },
  {
    name: "mset",
    args: (random) => several(random, 4, keyAndValue).flat(),
    apply(model, words) {
      for (const [key, data] of pairs(words)) model.put(key, { type: "string", data });
      return OK;
    },
  },
  {
    name: "msetnx",
    args: (random) => several(random, 3, keyAndValue).flat(),
    apply(model, words) {
      if (pairs(words).some(([key]) => model.keys.has(key))) return int(0);
      for (const [key, data] of pairs(words)) model.put(key, { type: "string", data });
      return int(1);
    },
  },
  {
    name: "mget",
    args: (random) => several(random, 4, someKey),
    apply: (model, keys) => bulks(keys.map((key) => textAt(model, key))),
  },
];
