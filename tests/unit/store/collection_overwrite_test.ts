/** Fields and scores that are written where they are, against maps: what is seen, told, numbered. */

import assert from "node:assert/strict";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import { type CollectionChange, ElementEffect } from "../../../src/store/mutation_hook.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice, open, readAll, sourceOf } from "./collection_helpers.ts";
import { hookWith, smallStore } from "./helpers.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? 8127);
const STEPS = 5000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How the names of fields and members are; those of one length are in leaves that need no walk. */
const NAMES: Record<string, (index: number) => string> = {
  "of one length": (index) => `element:${String(index).padStart(6, "0")}`,
  "of any length": (index) => "n".repeat((index * 7) % 40) + index,
  "of one length, and some long": (index) =>
    index % 50 === 0 ? "L".repeat(1100) + index : String(index).padStart(8, "0"),
};

/** A collection, and what it should be. */
interface Subject {
  readonly type: EntryType;
  /** The expected content; of a sorted set scores as text. */
  readonly content: Map<string, string>;
  /** The same as it was told to the hook. */
  readonly told: Map<string, string>;
  /** Readers, and what they should see. */
  readonly readers: { lease: CollectionLease; expected: string[] }[];
}

function linesOf({ type, content }: Subject): string[] {
  const mark = type === EntryType.HASH ? "=" : ":";
  return [...content].map(([name, value]) => name + mark + value).toSorted();
}

function locked(store: Store, body: () => void): void {
  store.locks.lock(0, true);
  body();
  store.locks.unlock(0, true);
}

/** Puts a field or a member; returns whether anything changed. */
function put(store: Store, subject: Subject, name: string, value: string): boolean {
  const { hashes, sortedSets } = store.collections;
  const { type, content } = subject;
  const before = content.get(name);
  const c = open(store, "key", type);
  if (type === EntryType.HASH) {
    assert.equal(hashes.putFields(c, sourceOf(name, value), 0, 1), WriteStatus.OK);
    assert.equal(c.changed, before === undefined ? 1 : 0);
  } else {
    const bytes = encoder.encode(name);
    const exists = sortedSets.find(c, bytes, 0, bytes.length);
    assert.equal(exists, before !== undefined);
    if (exists) assert.equal(String(sortedSets.score), before);
    if (before === value) return false;
    const status = sortedSets.putOne(c, exists, bytes, 0, bytes.length, Number(value));
    assert.equal(status, WriteStatus.OK);
  }
  content.set(name, value);
  return true;
}

function remove(store: Store, { type, content }: Subject, name: string): boolean {
  const { hashes, sortedSets } = store.collections;
  const c = open(store, "key", type);
  const bytes = encoder.encode(name);
  if (type === EntryType.HASH) {
    assert.equal(hashes.removeOne(c, bytes, 0, bytes.length), WriteStatus.OK);
  } else assert.equal(sortedSets.remove(c, bytes, 0, bytes.length), WriteStatus.OK);
  assert.equal(c.changed, content.has(name) ? 1 : 0);
  return content.delete(name);
}

/** Looks a name up, as a command that only reads does. */
function look(store: Store, { type, content }: Subject, name: string): void {
  const { hashes, sortedSets } = store.collections;
  const bytes = encoder.encode(name);
  const c = open(store, "key", type);
  const expected = content.get(name);
  if (type === EntryType.HASH) {
    assert.equal(hashes.find(c, bytes, 0, bytes.length), expected !== undefined);
    if (expected !== undefined) {
      assert.equal(decoder.decode(c.cursor.value().toBytes()), expected);
    }
    return;
  }
  const rank = sortedSets.rankOf(c, bytes, 0, bytes.length);
  if (expected === undefined) {
    assert.equal(rank, -1);
    return;
  }
  assert.equal(String(sortedSets.score), expected);
  assert.ok(c.cursor.seekRank(rank));
  assert.equal(decoder.decode(c.cursor.element().toBytes()), name);
}

/** Tells a map what a hook is told. */
function follow(store: Store, told: Map<string, string>): void {
  store.hook = hookWith({
    removed: () => told.clear(),
    changed: (_shard, _database, _key, change: CollectionChange) => {
      const name = decoder.decode(change.bytes.subarray(change.start, change.end));
      const { type, effect, valueBytes, valueStart, valueEnd } = change;
      if (effect === ElementEffect.REMOVED) told.delete(name);
      else if (type === EntryType.SORTED_SET) told.set(name, String(change.score));
      else told.set(name, decoder.decode(valueBytes.subarray(valueStart, valueEnd)));
    },
  });
}

function valueOf(dice: Dice, type: EntryType): string {
  if (type === EntryType.SORTED_SET) {
    return String(dice.roll(3) === 0 ? dice.roll(4) : dice.roll(9999));
  }
  const kind = dice.roll(40);
  if (kind === 0) return "M".repeat(254 + dice.roll(3)) + dice.roll(10);
  if (kind === 1) return "L".repeat(1030) + dice.roll(10);
  if (kind === 2) return "v".repeat(dice.roll(20));
  return String(dice.roll(1e6)).padStart(16, "x");
}

for (const type of [EntryType.HASH, EntryType.SORTED_SET]) {
  for (const [kind, nameOf] of Object.entries(NAMES)) {
    const what = type === EntryType.HASH ? "Hashes" : "SortedSets";
    Deno.test(`${what}: names ${kind}: what is written over is seen, told and numbered, and no reader sees it`, () => {
      const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
      const dice = new Dice(SEED + type);
      const subject: Subject = { type, content: new Map(), told: new Map(), readers: [] };
      // So many that it is packed at first, one leaf, several, and empty now and then.
      let most = 10;
      for (let step = 0; step < STEPS; step++) {
        if (step % 500 === 0) most = [10, 40, 90, 600][dice.roll(4)]!;
        if (step % 700 === 0) follow(store, subject.told);
        const name = nameOf(dice.roll(most));
        locked(store, () => {
          const before = subject.content.size === 0
            ? -1
            : store.collections.seqOf(open(store, "key", type));
          const act = dice.roll(10);
          let isChange = false;
          if (act < 7) isChange = put(store, subject, name, valueOf(dice, type));
          else if (act < 9) look(store, subject, name);
          else isChange = remove(store, subject, name);
          const c = open(store, "key", type);
          assert.equal(c.count, subject.content.size);
          if (before >= 0 && c.exists) {
            assert.equal(store.collections.seqOf(c) > before, isChange, "a change is numbered");
          }
          if (dice.roll(60) === 0 && subject.readers.length < 3) {
            subject.readers.push({
              lease: store.collectionLeases.take(c),
              expected: linesOf(subject),
            });
          }
          if (step % 100 === 0) {
            assert.deepEqual(readAll(c.cursor, type).toSorted(), linesOf(subject));
          }
        });
        if (subject.readers.length > 0 && dice.roll(40) === 0) {
          const { lease, expected } = subject.readers.shift()!;
          assert.deepEqual(readAll(lease.cursor, type).toSorted(), expected, "what a reader sees");
          lease.release();
        }
        if (step % 1000 === 999) store.assertInvariants();
      }
      for (const { lease } of subject.readers) lease.release();
      assert.deepEqual(subject.told, subject.content, `what the hook was told, seed ${SEED}`);
    });
  }
}
