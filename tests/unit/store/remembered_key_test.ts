/** Keys that are remembered: found wherever their entry goes, by whatever takes it there. */

import assert from "node:assert/strict";
import { Key } from "../../../src/store/key.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Root } from "../../../src/store/table.ts";
import { Dice, open, sourceOf } from "./collection_helpers.ts";
import { keyOf, remove, set, smallStore } from "./helpers.ts";
import { flush, freeAll, swap, transfer } from "./keyspace_helpers.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? 4711);
const STEPS = 3000;
const NAMES = ["a", "b", "c", "a key of more bytes than the others"];
const DATABASES = [0, 1];
/** Blocks of these are cut and freed around the others, so that compaction has something to move. */
const BYSTANDERS = 600;
const encoder = new TextEncoder();

function locked<T>(store: Store, key: Key, body: () => T): T {
  store.locks.lock(key.shard, true);
  const result = body();
  store.locks.unlock(key.shard, true);
  return result;
}

/** Puts a field into a hash of database 0, or takes all of them away; other types stay. */
function changeHash(store: Store, name: string, dice: Dice): void {
  const key = keyOf(store, name);
  locked(store, key, () => {
    const { collections } = store;
    const c = collections.handle(1);
    if (collections.open(c, 0, key, EntryType.HASH, true) !== WriteStatus.OK) return;
    if (dice.roll(8) === 0) {
      while (c.exists) {
        assert.equal(collections.hashes.removeRank(c, 0), WriteStatus.OK);
        collections.open(c, 0, key, EntryType.HASH, true);
      }
      return;
    }
    for (let i = dice.roll(12); i >= 0; i--) {
      const field = sourceOf(`field ${dice.roll(40)}`, "v".repeat(dice.roll(60)));
      assert.equal(collections.hashes.putFields(c, field, 0, 1), WriteStatus.OK);
    }
  });
}

function changeExpiry(store: Store, name: string, dice: Dice): void {
  const key = keyOf(store, name);
  locked(store, key, () => {
    if (store.peek(0, key) === 0) return;
    const atMs = dice.roll(3) === 0 ? 0 : store.nowMs + 1 + dice.roll(400);
    assert.equal(store.setExpiry(0, key, atMs), WriteStatus.OK);
  });
}

/** Makes holes between entries, and lets blocks be moved into them. */
function compact(store: Store, dice: Dice): boolean {
  for (let i = 0; i < BYSTANDERS; i++) {
    if (dice.roll(3) > 0) set(store, `bystander ${i}`, "x".repeat(dice.roll(80)), { database: 2 });
    else remove(store, `bystander ${i}`, 2);
  }
  return store.compact();
}

function step(store: Store, dice: Dice): void {
  const name = NAMES[dice.roll(NAMES.length)]!;
  const database = dice.roll(2);
  const kind = dice.roll(40);
  if (kind < 20) changeHash(store, name, dice);
  else if (kind < 26) changeExpiry(store, name, dice);
  else if (kind < 29) remove(store, name, database);
  else if (kind < 31) set(store, name, "text", { database });
  else if (kind < 35) {
    const to = { name: NAMES[dice.roll(NAMES.length)]!, database: dice.roll(2) };
    if (to.name !== name || to.database !== database) {
      transfer(store, { name, database }, to, dice.roll(2) === 0);
    }
  } else if (kind === 35) flush(store, database);
  else if (kind === 36) swap(store, 0, 1);
  else if (kind === 37) freeAll(store);
  else if (kind === 38) compact(store, dice);
  else store.nowMs += dice.roll(300);
}

Deno.test("Collections: a remembered key is found wherever its entry goes", () => {
  const store = smallStore({ shardCount: 1 });
  const dice = new Dice(SEED);
  const { control, table } = store.parts;
  const remembered = DATABASES.flatMap((database) =>
    NAMES.map((name) => {
      const key = keyOf(store, name);
      key.remember();
      return { database, key, name };
    })
  );
  let hits = 0;
  let moves = 0;
  for (let i = 0; i < STEPS; i++) {
    step(store, dice);
    for (const { database, key, name } of remembered) {
      const before = key.entry;
      locked(store, key, () => {
        const rootAt = control.databaseRootAt(database, key.shard);
        const isKnown = key.rootAt === rootAt &&
          key.departures === control.words[rootAt + Root.DEPARTURES];
        store.collections.open(store.collections.handle(0), database, key, EntryType.HASH, false);
        const entry = table.find(rootAt, keyOf(store, name));
        assert.equal(key.entry, entry, `step ${i}: ${name} of ${database} (SLUICE_SEED=${SEED})`);
        if (before !== 0 && isKnown) hits++;
        if (before !== 0 && entry !== before) moves++;
      });
    }
  }
  // Else nothing was tested.
  assert.ok(hits > STEPS / 2, `${hits} were where they had been`);
  assert.ok(moves > STEPS / 20, `${moves} had moved`);
});

Deno.test("Collections: a remembered key is looked up in a table that was emptied since", () => {
  const store = smallStore({ shardCount: 1 });
  const key = keyOf(store, "a");
  key.remember();
  const make = (name: string) =>
    locked(store, key, () => {
      const c = open(store, name, EntryType.HASH, 1);
      assert.equal(store.collections.hashes.putFields(c, sourceOf("f", "v"), 0, 1), WriteStatus.OK);
    });
  const look = () =>
    locked(store, key, () => {
      const c = store.collections.handle(0);
      assert.equal(store.collections.open(c, 0, key, EntryType.HASH, false), WriteStatus.OK);
      return c.entry;
    });
  make("a");
  const { control } = store.parts;
  const rootAt = control.databaseRootAt(0, 0);
  const before = look();
  flush(store, 0);
  freeAll(store);
  // It takes the block, and keeps it while its table waits to be taken down.
  make("b");
  flush(store, 0);
  assert.equal(control.databaseRootAt(0, 0), rootAt, "the same table again");
  make("a");
  const after = look();
  assert.notEqual(after, before);
  assert.equal(after, locked(store, key, () => store.peek(0, keyOf(store, "a"))));
});

Deno.test("Key: trySetSame takes the same bytes only, and what was derived from them stays", () => {
  const store = smallStore();
  const key = keyOf(store, "myhash");
  const { hash, shard } = key;
  const text = encoder.encode("-myhash-myhasH-myhash1-");
  assert.equal(key.trySetSame(text, 1, 7), false, "nothing was remembered");
  key.remember();
  assert.equal(key.trySetSame(text, 8, 14), false, "another byte");
  assert.equal(key.trySetSame(text, 15, 22), false, "another length");
  assert.equal(key.trySetSame(text, 1, 7), true);
  assert.deepEqual([key.bytes, key.start, key.end], [text, 1, 7]);
  assert.deepEqual([key.hash, key.shard], [hash, shard]);
  key.set(text, 8, 14);
  assert.equal(key.trySetSame(text, 1, 7), false, "another key came in between");
});

Deno.test("Key: a long key is not remembered", () => {
  const store = smallStore();
  const name = "k".repeat(65);
  const key = keyOf(store, name);
  key.remember();
  assert.equal(key.trySetSame(encoder.encode(name), 0, 65), false);
  assert.equal(open(store, name, EntryType.HASH).exists, false);
});
