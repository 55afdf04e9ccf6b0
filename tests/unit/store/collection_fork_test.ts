/** Large changes of collections, made aside and put in place at once. */

import assert from "node:assert/strict";
import type { CollectionFork } from "../../../src/store/collection/collection_fork.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { contentOf, Dice, type Model, models, open, sourceOf } from "./collection_helpers.ts";
import { hookWith, keyOf, smallStore } from "./helpers.ts";

const SIZES = [0, 1, 8, 60, 900];

function grow(store: Store, model: Model, steps: number, dice: Dice): void {
  for (let i = 0; i < steps; i++) {
    assert.equal(model.step(store, open(store, "k", model.type), dice), WriteStatus.OK);
  }
}

function begin(store: Store, type: EntryType): CollectionFork {
  const fork = store.collectionForks.begin(open(store, "k", type));
  assert.ok(fork !== undefined, "there is memory");
  return fork;
}

function change(store: Store, fork: CollectionFork, model: Model, steps: number, dice: Dice): void {
  for (let i = 0; i < steps; i++) {
    const status = fork.step((c) => model.step(store, c, dice));
    assert.equal(status, WriteStatus.OK);
    // Compaction moves what it may: neither what is shared nor what was made for the fork.
    if (i % 16 === 0) store.compact();
  }
}

function giveUp(fork: CollectionFork): void {
  for (let calls = 0; !fork.giveUp(); calls++) assert.ok(calls < 1000, "it comes to an end");
}

function contentAt(store: Store, type: EntryType): string[] {
  return contentOf(open(store, "k", type, 5).cursor, type);
}

async function settle(store: Store): Promise<void> {
  await Promise.resolve();
  while (store.garbage.run(10));
  store.assertInvariants();
}

Deno.test("CollectionFork: the key has its old elements until the commit, then the new ones", async () => {
  for (const size of SIZES) {
    for (const model of models()) {
      for (const steps of [1, 30, 400]) {
        const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
        const dice = new Dice(size + steps + model.type);
        model.clear();
        grow(store, model, size, dice);
        const before = model.content();
        const expireAtMs = store.nowMs + 5000;
        if (before.length > 0) store.setExpiry(0, keyOf(store, "k"), expireAtMs);
        const fork = begin(store, model.type);
        change(store, fork, model, steps, dice);
        assert.deepEqual(contentAt(store, model.type), before);
        const early = store.collectionLeases.take(open(store, "k", model.type));
        assert.ok(fork.isCurrent());
        assert.equal(fork.commit(), WriteStatus.OK);
        giveUp(fork);
        const what = `type ${model.type}, ${size} and ${steps} steps`;
        assert.deepEqual(contentAt(store, model.type), model.content(), what);
        assert.deepEqual(contentOf(early.cursor, model.type), before, `a reader, ${what}`);
        store.assertInvariants();
        early.release();
        await settle(store);
        const entry = store.peek(0, keyOf(store, "k"));
        if (before.length > 0 && entry !== 0) assert.equal(store.expireAtMs(entry), expireAtMs);
        // What comes after changes what the fork left, and not what somebody reads.
        const middle = model.content();
        const lease = store.collectionLeases.take(open(store, "k", model.type));
        grow(store, model, 60, dice);
        assert.deepEqual(contentOf(lease.cursor, model.type), middle);
        assert.deepEqual(contentAt(store, model.type), model.content());
        lease.release();
        // At once: what the reader left must not be forgotten with the key.
        store.remove(0, keyOf(store, "k"));
        await settle(store);
      }
    }
  }
});

Deno.test("CollectionFork: one that others were faster than leaves nothing behind", async () => {
  for (const size of SIZES) {
    for (const [i, model] of models().entries()) {
      const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
      const forkModel = models()[i]!;
      grow(store, model, size, new Dice(size));
      store.remove(0, keyOf(store, "k"));
      grow(store, forkModel, size, new Dice(size));
      const dice = new Dice(3 * size + i);
      const start = JSON.stringify(model.content());
      const fork = begin(store, model.type);
      change(store, fork, forkModel, 100, dice);
      for (let round = 0; round < 5; round++) {
        // Until they are others; a key that is missing again may be what it was.
        do grow(store, model, 1, dice); while (JSON.stringify(model.content()) === start);
        assert.equal(fork.isCurrent(), false);
        // Also when its time is wasted.
        change(store, fork, forkModel, 20, dice);
      }
      assert.deepEqual(contentAt(store, model.type), model.content());
      while (!fork.giveUp()) store.compact();
      assert.deepEqual(contentAt(store, model.type), model.content());
      await settle(store);
      grow(store, model, 60, dice);
      assert.deepEqual(contentAt(store, model.type), model.content());
      await settle(store);
    }
  }
});

Deno.test("CollectionFork: a key that goes, or is another, is not changed", async () => {
  for (const size of [8, 900]) {
    for (const model of models()) {
      for (const deed of ["remove", "expire", "renew", "string", "rename"]) {
        const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
        const dice = new Dice(size + 17);
        model.clear();
        grow(store, model, size, dice);
        const fork = begin(store, model.type);
        change(store, fork, model, 50, dice);
        const key = keyOf(store, "k");
        if (deed === "expire") {
          store.setExpiry(0, key, store.nowMs + 5);
          store.nowMs += 10;
        } else if (deed === "rename") {
          const to = keyOf(store, "other");
          store.keyspace.transfer({ database: 0, key }, { database: 0, key: to }, true);
        } else {
          store.remove(0, key);
        }
        model.clear();
        if (deed === "renew") grow(store, model, size, dice);
        if (deed === "string") store.setString(0, key, new Uint8Array(3), 0, 3, 0);
        assert.equal(fork.isCurrent(), false, deed);
        giveUp(fork);
        await settle(store);
        if (deed === "renew") assert.deepEqual(contentAt(store, model.type), model.content());
      }
    }
  }
});

Deno.test("CollectionFork: a step without memory changes nothing, and it can go on or be given up", async () => {
  for (const size of [8, 900]) {
    for (const model of models()) {
      const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
      const dice = new Dice(size + 5);
      grow(store, model, size, dice);
      const fork = begin(store, model.type);
      let failures = 0;
      for (let i = 0; i < 300; i++) {
        store.failAllocationAfter(i % 3);
        const status = fork.step((c) => model.step(store, c, dice));
        store.failAllocationAfter(-1);
        if (status !== WriteStatus.OK) failures++;
      }
      assert.ok(failures > 10, `${failures} steps failed`);
      assert.ok(fork.isCurrent());
      if (size > 8) {
        assert.equal(fork.commit(), WriteStatus.OK);
        giveUp(fork);
        assert.deepEqual(contentAt(store, model.type), model.content());
      } else {
        // A small one needs memory for its new entry.
        for (let k = 0;; k++) {
          store.failAllocationAfter(k);
          const status = fork.commit();
          store.failAllocationAfter(-1);
          if (status === WriteStatus.OK) break;
        }
        giveUp(fork);
        assert.deepEqual(contentAt(store, model.type), model.content());
      }
      await settle(store);
    }
  }
});

Deno.test("CollectionFork: a commit is a change for WATCH and for the hook", () => {
  for (const size of [8, 900]) {
    const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
    const model = models()[2]!;
    grow(store, model, size, new Dice(1));
    const key = keyOf(store, "k");
    const version = { seq: 0, exists: false, creations: 0, turnover: 0 };
    store.versions.read(0, key, version);
    let effects = "";
    store.hook = hookWith({
      written: () => void (effects += " written"),
      changed: () => void (effects += " changed"),
    });
    const fork = begin(store, EntryType.SET);
    fork.step((c) => store.collections.sets.addMembers(c, sourceOf("a", "b", "c"), 0, 3));
    assert.equal(store.versions.hasChanged(0, key, version), false);
    assert.equal(effects, "", "nothing has happened yet");
    assert.equal(fork.commit(), WriteStatus.OK);
    giveUp(fork);
    assert.equal(store.versions.hasChanged(0, key, version), true);
    assert.equal(effects, " written");
    store.hook = undefined;
  }
});

Deno.test("CollectionFork: what it took the place of goes in steps, whatever happens in between", async () => {
  for (const hasReader of [false, true]) {
    for (const deed of ["nothing", "change", "remove"]) {
      const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
      const { sets } = store.collections;
      const members = Array.from({ length: 60_000 }, (_, i) => `member-${i}`);
      const source = sourceOf(...members);
      for (let at = 0; at < 40_000; at += 1000) {
        sets.addMembers(open(store, "k", EntryType.SET), source, at, 1000);
      }
      const fork = begin(store, EntryType.SET);
      for (let at = 40_000; at < 60_000; at += 100) {
        fork.step((c) => sets.addMembers(c, source, at, 100));
      }
      fork.step((c) => sets.remove(c, source, 0, 5000));
      const early = store.collectionLeases.take(open(store, "k", EntryType.SET));
      if (!hasReader) early.release();
      assert.equal(fork.commit(), WriteStatus.OK);
      let steps = 0;
      for (; !fork.giveUp(); steps++) {
        store.compact();
        const c = open(store, "k", EntryType.SET);
        if (deed === "change") {
          sets.removeOne(c, source.bytes, source.starts[9000 + steps]!, source.ends[9000 + steps]!);
        }
        if (deed === "remove" && steps === 0) store.remove(0, keyOf(store, "k"));
      }
      assert.ok(steps > 0, "there was something in between");
      if (deed !== "remove") {
        const gone = deed === "change" ? new Set(members.slice(9000, 9000 + steps)) : new Set();
        const expected = members.slice(5000).filter((member) => !gone.has(member)).toSorted();
        assert.deepEqual(contentAt(store, EntryType.SET), expected);
      }
      if (hasReader) {
        assert.equal(contentOf(early.cursor, EntryType.SET).length, 40_000);
        store.assertInvariants();
        early.release();
      }
      await settle(store);
    }
  }
});
