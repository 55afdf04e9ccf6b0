/**
 * What Redis's types mean, said with plain JavaScript values.
 *
 * @module
 */

import type { Random } from "../../helpers/fuzz/random.ts";
import type { Comparison } from "../../vectors/format.ts";

/** What a key of each type holds; never an empty collection. */
export interface ModelData {
  string: string;
  list: string[];
  hash: Map<string, string>;
  set: Set<string>;
  zset: Map<string, number>;
}

/** Names of the types. */
export type ModelType = keyof ModelData;

/** What a key holds. */
export type ModelValue = {
  [Type in ModelType]: { readonly type: Type; readonly data: ModelData[Type] };
}[ModelType];

/** Thrown by {@link Model.read} where a key holds another type. */
export class WrongType extends Error {}

/** A database. */
export class Model {
  readonly keys = new Map<string, ModelValue>();

  /** The value at `key`, undefined when there is none. */
  read<Type extends ModelType>(key: string, type: Type): ModelData[Type] | undefined {
    const value = this.keys.get(key);
    if (value === undefined) return undefined;
    if (value.type !== type) throw new WrongType();
    return value.data as ModelData[Type];
  }

  /** The value at `key`, which is made of `empty` when there is none. */
  make<Type extends ModelType>(key: string, type: Type, empty: ModelData[Type]): ModelData[Type] {
    const data = this.read(key, type);
    if (data !== undefined) return data;
    this.keys.set(key, { type, data: empty } as ModelValue);
    return empty;
  }

  /** Puts `value` there, whatever was there before. */
  put(key: string, value: ModelValue): void {
    this.keys.set(key, value);
  }

  /** Takes a collection away that has become empty. */
  tidy(key: string): void {
    const value = this.keys.get(key);
    if (value === undefined || value.type === "string") return;
    const size = value.type === "list" ? value.data.length : value.data.size;
    if (size === 0) this.keys.delete(key);
  }
}

/** One kind of operation. */
export interface ModelOperation {
  /** The command as the table names it. */
  readonly name: string;
  /** Other commands that it needs. */
  readonly needs?: readonly string[];
  /** Arguments behind the name. */
  args(random: Random): string[];
  /** Changes the model and returns the reply in RESP2. */
  apply(model: Model, args: readonly string[]): string;
  /** How the reply is compared; exactly, when left out. */
  readonly comparison?: Comparison;
}

/** `+OK`. */
export const OK = "+OK\r\n";

/** The error of a key of another type. */
export const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/** An integer. */
export function int(value: number | bigint): string {
  return `:${value}\r\n`;
}

/** A byte string or nil. */
export function bulk(text: string | undefined): string {
  return text === undefined ? "$-1\r\n" : `$${text.length}\r\n${text}\r\n`;
}

/** An array of byte strings. */
export function bulks(texts: readonly (string | undefined)[]): string {
  return array(texts.map(bulk));
}

/** An array. */
export function array(parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.join("")}`;
}

/** An error of the general kind. */
export function error(text: string): string {
  return `-ERR ${text}\r\n`;
}

/** Runs an operation on the model. */
export function applyTo(model: Model, operation: ModelOperation, args: readonly string[]): string {
  try {
    return operation.apply(model, args);
  } catch (fault) {
    if (fault instanceof WrongType) return WRONG_TYPE;
    throw fault;
  }
}

/** Few keys, so that types collide. */
export function someKey(random: Random): string {
  return `key${random.oneIn(3) ? random.below(8) : random.below(2)}`;
}

/** A value: a number, a short text, now and then a long one. */
export function someValue(random: Random): string {
  const dice = random.below(20);
  if (dice < 6) return String(random.below(2000) - 1000);
  if (dice < 17) return `value-${random.below(12)}`;
  if (dice < 19) return "m".repeat(30 + random.below(120)) + random.below(9);
  return "L".repeat(random.below(10_000)) + random.below(9);
}

/** One of not so many members or fields. */
export function someMember(random: Random): string {
  const dice = random.below(20);
  if (dice < 8) return String(random.below(30));
  if (dice < 19) return `member-${random.below(200)}`;
  return `long-${"x".repeat(100)}-${random.below(9)}`;
}

/** One to `most` of them. */
export function several<T>(random: Random, most: number, make: (random: Random) => T): T[] {
  return Array.from({ length: 1 + random.below(most) }, () => make(random));
}

/** An index around the ends and the middle of a short list. */
export function someIndex(random: Random): string {
  return String(random.below(30) - 15);
}

/** What `start` and `stop` mean in a sequence of `length` elements, as a half-open range. */
export function rangeOf(startText: string, stopText: string, length: number): [number, number] {
  let start = Number(startText);
  let stop = Number(stopText);
  if (start < 0) start = Math.max(0, length + start);
  if (stop < 0) stop = length + stop;
  stop = Math.min(stop, length - 1);
  return start > stop ? [0, 0] : [start, stop + 1];
}
