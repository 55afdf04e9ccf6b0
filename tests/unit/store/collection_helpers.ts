/** Shared pieces of the tests of collections: sources of values, models, what is read back. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Collection, ElementSource } from "../../../src/store/collection/collection.ts";
import type { RecordCursor } from "../../../src/store/collection/cursor.ts";
import type { ElementView } from "../../../src/store/collection/element.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { keyOf } from "./helpers.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Values as the arguments of a command are. */
export function sourceOf(...values: string[]): ElementSource {
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + Buffer.byteLength(value), 0));
  const writer = Buffer.from(bytes.buffer);
  const starts = new Int32Array(values.length);
  const ends = new Int32Array(values.length);
  let at = 0;
  for (const [i, value] of values.entries()) {
    starts[i] = at;
    at += writer.write(value, at);
    ends[i] = at;
  }
  return { bytes, starts, ends };
}

/** Opens a collection to write; its shard is locked by the caller. */
export function open(store: Store, name: string, type: EntryType, handle = 0): Collection {
  const c = store.collections.handle(handle);
  const status = store.collections.open(c, 0, keyOf(store, name), type, true);
  assert.equal(status, WriteStatus.OK);
  return c;
}

/** Room for one element: the models read millions. */
const scratch = Buffer.alloc(2 ** 17);

function textOf(element: ElementView): string {
  if (element.byteCount > scratch.length) return decoder.decode(element.toBytes());
  element.copyTo(scratch, 0);
  return scratch.toString("utf8", 0, element.byteCount);
}

/** Text of the current element. */
export function textAt(cursor: RecordCursor): string {
  return textOf(cursor.element());
}

/** Everything from front to back (or back to front), one text per element. */
export function readAll(cursor: RecordCursor, type: EntryType, backwards = false): string[] {
  const found: string[] = [];
  let more = backwards ? cursor.seekLast() : cursor.seekFirst();
  while (more) {
    let text = textAt(cursor);
    if (type === EntryType.HASH) text += `=${textOf(cursor.value())}`;
    if (type === EntryType.SORTED_SET) text += `:${cursor.score()}`;
    found.push(text);
    more = backwards ? cursor.previous() : cursor.next();
  }
  return found;
}

/** A seeded source of small numbers. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to below `sides`. */
  roll(sides: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * sides);
  }

  /** Mostly short, at times around the border of long elements, at times in extents. */
  value(): string {
    const kind = this.roll(120);
    if (kind === 0) return "L".repeat(1100 + this.roll(90_000)) + this.roll(1e6);
    if (kind === 1) return "m".repeat(1018 + this.roll(12));
    if (kind < 5) return "s".repeat(this.roll(1000)) + this.roll(1e6);
    if (kind === 5) return "";
    return `v${this.roll(1e9)}${"y".repeat(this.roll(30))}`;
  }
}

/** One random change of a collection and of its model. */
export interface Model {
  /** Which type. */
  readonly type: EntryType;
  /** Changes both, or neither when there is no memory. */
  step(store: Store, c: Collection, dice: Dice): WriteStatus;
  /** What {@link readAll} must give; of hashes and sets sorted by text. */
  content(): string[];
  /** The key was deleted. */
  clear(): void;
}

/** An array. */
export class ListModel implements Model {
  readonly type = EntryType.LIST;
  #elements: string[] = [];

  content(): string[] {
    return [...this.#elements];
  }

  clear(): void {
    this.#elements = [];
  }

  step(store: Store, c: Collection, dice: Dice): WriteStatus {
    const { lists } = store.collections;
    const elements = this.#elements;
    const kind = dice.roll(12);
    if (kind < 5 || elements.length === 0) {
      const values = Array.from(
        { length: 1 + dice.roll(dice.roll(4) === 0 ? 60 : 2) },
        () => dice.value(),
      );
      const atFront = dice.roll(2) === 0;
      const status = lists.push(c, atFront, sourceOf(...values), 0, values.length);
      if (status === WriteStatus.OK) {
        if (atFront) elements.unshift(...values.toReversed());
        else elements.push(...values);
      }
      return status;
    }
    const bytes = encoder.encode(dice.value());
    const value = decoder.decode(bytes);
    if (kind < 7) {
      const at = dice.roll(elements.length + 1);
      const status = lists.insert(c, at, bytes, 0, bytes.length);
      if (status === WriteStatus.OK) elements.splice(at, 0, value);
      return status;
    }
    const at = dice.roll(3) === 0 ? 0 : dice.roll(elements.length);
    if (kind < 9) {
      const status = lists.set(c, at, bytes, 0, bytes.length);
      if (status === WriteStatus.OK) elements[at] = value;
      return status;
    }
    const count = 1 + dice.roll(Math.min(elements.length - at, dice.roll(15) === 0 ? 1000 : 3));
    const status = lists.removeRanks(c, at, count);
    if (status === WriteStatus.OK) elements.splice(at, count);
    return status;
  }

  /** Puts or takes one element at an end, as a queue does. */
  stepAtEnd(store: Store, c: Collection, atFront: boolean, dice: Dice): WriteStatus {
    const { lists } = store.collections;
    const elements = this.#elements;
    if (elements.length === 0 || dice.roll(2) === 0) {
      const value = `${dice.roll(1e9)}`;
      const status = lists.push(c, atFront, sourceOf(value), 0, 1);
      if (status === WriteStatus.OK) elements.splice(atFront ? 0 : elements.length, 0, value);
      return status;
    }
    if (atFront) c.cursor.seekFirst();
    else c.cursor.seekLast();
    const status = lists.removeEnd(c, atFront);
    if (status === WriteStatus.OK) elements.splice(atFront ? 0 : elements.length - 1, 1);
    return status;
  }
}

/** A map from fields to values; members of sets have none. */
export class HashModel implements Model {
  readonly type: EntryType;
  readonly #fields = new Map<string, string>();

  constructor(type: EntryType) {
    this.type = type;
  }

  content(): string[] {
    const isHash = this.type === EntryType.HASH;
    return [...this.#fields].map(([field, value]) => isHash ? `${field}=${value}` : field)
      .toSorted();
  }

  clear(): void {
    this.#fields.clear();
  }

  step(store: Store, c: Collection, dice: Dice): WriteStatus {
    const { hashes, sets } = store.collections;
    const count = 1 + dice.roll(dice.roll(8) === 0 ? 50 : 2);
    const isPut = dice.roll(9) < 5;
    const names = Array.from({ length: count }, () => this.#name(dice));
    if (!isPut) {
      const status = hashes.remove(c, sourceOf(...names), 0, count);
      if (status !== WriteStatus.OK) return status;
      const before = this.#fields.size;
      for (const name of names) this.#fields.delete(name);
      assert.equal(c.changed, before - this.#fields.size, "as many existed");
      return status;
    }
    const values = names.map(() => dice.value());
    const status = this.type === EntryType.HASH
      ? hashes.putFields(c, sourceOf(...names.flatMap((name, i) => [name, values[i]!])), 0, count)
      : sets.addMembers(c, sourceOf(...names), 0, count);
    if (status !== WriteStatus.OK) return status;
    const before = this.#fields.size;
    for (const [i, name] of names.entries()) this.#fields.set(name, values[i]!);
    assert.equal(c.changed, this.#fields.size - before, "as many are new");
    return status;
  }

  #name(dice: Dice): string {
    const name = `f${dice.roll(dice.roll(2) === 0 ? 60 : 900)}`;
    return dice.roll(150) === 0 ? name.repeat(400) : name;
  }
}

/** Members with scores; many have the same one. */
export class SortedSetModel implements Model {
  readonly type = EntryType.SORTED_SET;
  #scores = new Map<string, number>();

  content(): string[] {
    return this.#sorted().map(([member, score]) => `${member}:${score}`);
  }

  clear(): void {
    this.#scores.clear();
  }

  step(store: Store, c: Collection, dice: Dice): WriteStatus {
    const { sortedSets } = store.collections;
    const kind = dice.roll(12);
    if (kind === 11 && this.#scores.size > 0) {
      const rank = dice.roll(this.#scores.size);
      const count = 1 + dice.roll(Math.min(this.#scores.size - rank, dice.roll(40) > 0 ? 3 : 200));
      const status = sortedSets.removeRanks(c, rank, count);
      if (status === WriteStatus.OK) {
        for (const [member] of this.#sorted().slice(rank, rank + count)) {
          this.#scores.delete(member);
        }
      }
      return status;
    }
    const member = `m${dice.roll(dice.roll(2) === 0 ? 40 : 700)}`;
    const name = dice.roll(150) === 0 ? member.repeat(400) : member;
    const bytes = encoder.encode(name);
    if (kind > 7) {
      const status = sortedSets.remove(c, bytes, 0, bytes.length);
      if (status === WriteStatus.OK) {
        assert.equal(c.changed === 1, this.#scores.delete(name), "it existed");
      }
      return status;
    }
    const score = [dice.roll(20) / 4 - 2, -0, 0, Infinity, -Infinity, 1e300][
      dice.roll(4) === 0 ? dice.roll(6) : 0
    ]!;
    const status = sortedSets.beginOne(c, bytes.length);
    if (status !== WriteStatus.OK) return status;
    const isNew = sortedSets.put(c, bytes, 0, bytes.length, score);
    assert.equal(isNew, !this.#scores.has(name), "it is new");
    if (!isNew) assert.ok(Object.is(sortedSets.score, this.#scores.get(name)), "the old score");
    sortedSets.finish(c);
    this.#scores.set(name, score);
    return status;
  }

  #sorted(): [string, number][] {
    return [...this.#scores].toSorted(([a, x], [b, y]) =>
      x < y ? -1 : x > y ? 1 : a < b ? -1 : a > b ? 1 : 0
    );
  }
}

/** A fresh model of each type. */
export function models(): Model[] {
  return [
    new ListModel(),
    new HashModel(EntryType.HASH),
    new HashModel(EntryType.SET),
    new SortedSetModel(),
  ];
}

/** What a cursor gives, in the order of {@link Model.content}. */
export function contentOf(cursor: RecordCursor, type: EntryType): string[] {
  const found = readAll(cursor, type);
  return type === EntryType.HASH || type === EntryType.SET ? found.toSorted() : found;
}
