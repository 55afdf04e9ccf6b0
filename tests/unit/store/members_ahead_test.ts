/** Members that are looked for together: found where they are, whoever changes what in between. */

import assert from "node:assert/strict";
import { MEMBERS_AHEAD } from "../../../src/store/collection/members_ahead.ts";
import { EntryType, Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice, open, readAll, sourceOf } from "./collection_helpers.ts";
import { keyOf, smallStore } from "./helpers.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? 5501);
const BATCHES = 1500;
const KEY = "key";

/** How the names of members are; those of one length are in leaves that need no walk. */
const NAMES: Record<string, (index: number) => string> = {
  "of one length": (index) => `element:${String(index).padStart(6, "0")}`,
  "of any length": (index) => "n".repeat((index * 7) % 40) + index,
};

/** What was found beforehand, and what had to be forgotten when it was asked for. */
interface Tally {
  known: number;
  unknown: number;
}

/** Counts what is taken from the members ahead. */
function watch(store: Store): Tally {
  const ahead = store.collections.membersAhead;
  const take = ahead.take.bind(ahead);
  const tally: Tally = { known: 0, unknown: 0 };
  ahead.take = (...args) => {
    const index = take(...args);
    if (index < 0) tally.unknown++;
    else tally.known++;
    return index;
  };
  return tally;
}

function locked(store: Store, body: () => void): void {
  const { shard } = keyOf(store, KEY);
  store.locks.lock(shard, true);
  body();
  store.locks.unlock(shard, true);
}

function put(
  store: Store,
  type: EntryType,
  model: Map<string, string>,
  name: string,
  value: string,
) {
  locked(store, () => {
    const { hashes } = store.collections;
    const c = open(store, KEY, type, 1);
    const source = sourceOf(name, value);
    if (type === EntryType.HASH) assert.equal(hashes.putFields(c, source, 0, 1), WriteStatus.OK);
    else assert.equal(hashes.addMembers(c, source, 0, 1), WriteStatus.OK);
  });
  model.set(name, type === EntryType.HASH ? value : "");
}

function remove(store: Store, type: EntryType, model: Map<string, string>, name: string) {
  locked(store, () => {
    const c = open(store, KEY, type, 1);
    assert.equal(store.collections.hashes.remove(c, sourceOf(name), 0, 1), WriteStatus.OK);
  });
  model.delete(name);
}

/** A pair of threads on one store, and a collection that both change. */
function makePair() {
  const own = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
  own.collections.membersAhead.leastBytes = 0;
  const other = Store.attach(own.memory, 3);
  other.nowMs = own.nowMs;
  return { own, other, model: new Map<string, string>() };
}

function assertContent(store: Store, type: EntryType, model: Map<string, string>): void {
  locked(store, () => {
    const c = open(store, KEY, type);
    const lines = readAll(c.cursor, type).toSorted();
    const isHash = type === EntryType.HASH;
    const expected = [...model].map(([name, value]) => isHash ? `${name}=${value}` : name);
    assert.deepEqual(lines, expected.toSorted());
  });
}

for (const type of [EntryType.HASH, EntryType.SET]) {
  for (const [kind, nameOf] of Object.entries(NAMES)) {
    const title = `${type === EntryType.HASH ? "hash" : "set"} with names ${kind}`;
    Deno.test(`members ahead: against a map, with another thread in between (${title})`, () => {
      const { own, other, model } = makePair();
      const tally = watch(own);
      const dice = new Dice(SEED);
      const ahead = own.collections.membersAhead;
      for (let batch = 0; batch < BATCHES; batch++) {
        // Grows, stays, and shrinks to nothing.
        const range = [3000, 300, 3000, 30][Math.floor(batch / 100) % 4]!;
        const names = Array.from({ length: 1 + dice.roll(20) }, () => nameOf(dice.roll(range)));
        const values = names.map(() => "v".repeat(dice.roll(5) === 0 ? dice.roll(300) : 8));
        const source = sourceOf(...names, ...values);
        ahead.begin(source.bytes);
        for (let i = 0; i < names.length; i++) ahead.note(source.starts[i]!, source.ends[i]!);
        for (let i = 0; i < names.length; i++) {
          if (dice.roll(40) === 0) {
            for (let k = dice.roll(80); k > 0; k--) {
              const name = nameOf(dice.roll(range));
              if (dice.roll(2) === 0) remove(other, type, model, name);
              else put(other, type, model, name, "other".repeat(dice.roll(9)));
            }
          }
          if (dice.roll(60) === 0) remove(own, type, model, nameOf(dice.roll(range)));
          if (dice.roll(2000) === 0) {
            for (const name of [...model.keys()]) remove(other, type, model, name);
          }
          const [name, value] = [names[i]!, values[i]!];
          const isNew = !model.has(name);
          locked(own, () => {
            const c = open(own, KEY, type);
            const { starts, ends, bytes } = source;
            const at = names.length + i;
            const status = type === EntryType.HASH
              ? own.collections.hashes.putField(
                c,
                bytes,
                starts[i]!,
                ends[i]!,
                bytes,
                starts[at]!,
                ends[at]!,
              )
              : own.collections.hashes.addMember(c, bytes, starts[i]!, ends[i]!);
            assert.equal(status, WriteStatus.OK);
            assert.equal(c.changed, isNew ? 1 : 0);
          });
          model.set(name, type === EntryType.HASH ? value : "");
        }
        if (batch % 100 === 99) assertContent(own, type, model);
      }
      assertContent(other, type, model);
      own.assertInvariants();
      assert.ok(tally.known > BATCHES, `${tally.known} were known`);
      assert.ok(tally.unknown > 10, `${tally.unknown} were forgotten`);
    });
  }
}

/** A set of many members, of which some are noted. */
function noted(count: number) {
  const pair = makePair();
  const nameOf = NAMES["of one length"]!;
  for (let i = 0; i < 2000; i++) put(pair.own, EntryType.SET, pair.model, nameOf(i), "");
  const ahead = pair.own.collections.membersAhead;
  const source = sourceOf(...Array.from({ length: count }, (_, i) => nameOf(i * 97)));
  ahead.begin(source.bytes);
  const taken: boolean[] = [];
  for (let i = 0; i < count; i++) taken.push(ahead.note(source.starts[i]!, source.ends[i]!));
  const add = (i: number) =>
    locked(pair.own, () => {
      const c = open(pair.own, KEY, EntryType.SET);
      const { hashes } = pair.own.collections;
      assert.equal(
        hashes.addMember(c, source.bytes, source.starts[i]!, source.ends[i]!),
        WriteStatus.OK,
      );
    });
  return { ...pair, ahead, add, taken, source };
}

Deno.test("members ahead: sixteen at most, and none that is long", () => {
  const { ahead, taken } = noted(MEMBERS_AHEAD + 1);
  assert.deepEqual(taken, Array.from({ length: 17 }, (_, i) => i < MEMBERS_AHEAD));
  ahead.clear();
  assert.equal(ahead.isEmpty, true);
  assert.equal(ahead.note(0, 129), false);
});

Deno.test("members ahead: known as long as nobody else has had the lock", () => {
  const { own, add } = noted(4);
  const tally = watch(own);
  for (let i = 0; i < 4; i++) add(i);
  assert.deepEqual(tally, { known: 4, unknown: 0 });
});

Deno.test("members ahead: forgotten when another thread has had the lock", () => {
  const { own, other, add } = noted(4);
  const tally = watch(own);
  add(0);
  add(1);
  locked(other, () => {});
  add(2);
  add(3);
  assert.deepEqual(tally, { known: 2, unknown: 1 });
});

Deno.test("members ahead: forgotten when the lock was taken over from a dead thread", () => {
  const { own, other, add } = noted(4);
  const tally = watch(own);
  const { shard } = keyOf(own, KEY);
  add(0);
  other.locks.takeOver(shard);
  other.locks.unlock(shard, true);
  add(1);
  assert.deepEqual(tally, { known: 1, unknown: 1 });
});

Deno.test("members ahead: forgotten when another shard has its root where it was", () => {
  const { own, ahead, add, source } = noted(2);
  add(0);
  const { exclusive } = own.locks.counters(keyOf(own, KEY).shard);
  const { root } = open(own, KEY, EntryType.SET);
  let name = "";
  do name += "x"; while (keyOf(own, name).shard === keyOf(own, KEY).shard);
  const { shard } = keyOf(own, name);
  while (own.locks.counters(shard).exclusive <= exclusive) {
    own.locks.lock(shard, true);
    own.locks.unlock(shard, true);
  }
  const c = open(own, name, EntryType.SET);
  c.root = root;
  assert.equal(ahead.take(c, source.bytes, source.starts[1]!, source.ends[1]!), -1);
});

Deno.test("members ahead: forgotten when leaves may have moved", () => {
  const { own, model, add } = noted(4);
  const tally = watch(own);
  add(0);
  locked(own, () => {
    const c = open(own, KEY, EntryType.SET);
    const bytes = new TextEncoder().encode(NAMES["of one length"]!(1));
    assert.equal(own.collections.hashes.removeOne(c, bytes, 0, bytes.length), WriteStatus.OK);
    assert.equal(own.collections.membersAhead.isEmpty, true);
  });
  add(1);
  assert.deepEqual(tally, { known: 1, unknown: 0 });
  model.delete(NAMES["of one length"]!(1));
  assertContent(own, EntryType.SET, model);
});

Deno.test("members ahead: wanted for large collections, until it comes to nothing too often", () => {
  const { own, ahead, model } = noted(0);
  const put8 = () => {
    for (let i = 0; i < 8; i++) put(own, EntryType.SET, model, "x", "");
  };
  ahead.isWanted = false;
  ahead.leastBytes = Infinity;
  put8();
  assert.equal(ahead.isWanted, false);
  ahead.leastBytes = 10_000;
  put8();
  assert.equal(ahead.isWanted, true);
  for (let i = 0; i < 16; i++) {
    assert.equal(ahead.isWanted, true);
    ahead.failed();
  }
  for (let i = 0; i < 32; i++) {
    assert.equal(ahead.isWanted, false);
    put8();
  }
  assert.equal(ahead.isWanted, true);
});

Deno.test("members ahead: given up for a while where members are new", () => {
  const { own, model } = noted(0);
  const ahead = own.collections.membersAhead;
  ahead.isWanted = true;
  const source = sourceOf(...Array.from({ length: 16 }, (_, i) => `new ${i}`));
  ahead.begin(source.bytes);
  for (let i = 0; i < 16; i++) ahead.note(source.starts[i]!, source.ends[i]!);
  for (let i = 0; i < 16 && !ahead.isEmpty; i++) {
    assert.equal(ahead.isWanted, true);
    locked(own, () => {
      const c = open(own, KEY, EntryType.SET);
      const [start, end] = [source.starts[i]!, source.ends[i]!];
      assert.equal(ahead.take(c, source.bytes, start, end), i);
      assert.equal(
        c.cursor.findInLeaf(
          ahead.leafAt(i),
          ahead.fractionAt(i),
          ahead.hashAt(i),
          ahead.wordsAt(i),
          source.bytes,
          start,
          end,
        ),
        false,
      );
      ahead.failed();
    });
  }
  assert.equal(ahead.isWanted, false);
  assertContent(own, EntryType.SET, model);
});
