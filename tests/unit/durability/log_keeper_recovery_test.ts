import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { RecordType } from "../../../src/durability/record.ts";
import { recover, tellEvicted } from "../../../src/durability/recovery.ts";
import { EntryType, WriteStatus } from "../../../src/store/store.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, smallStore } from "../store/helpers.ts";
import { frameOf, Site } from "./log_keeper_site.ts";

const encoder = new TextEncoder();
const NO_KEY = new Uint8Array(0);

Deno.test("recovery: a key that had to go does not come back in parts, and not with the next start", () => {
  const storage = new MemoryStorage();
  const site = new Site(storage, "no", Infinity, 2 ** 26);
  const [keyCount, fieldCount] = [150, 40];
  let seq = 0;
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < keyCount; n++) {
      const key = encoder.encode(`hash ${n}`);
      seq++;
      const { records } = site.recorder;
      for (let i = 0; i < fieldCount / 4; i++) {
        const field = encoder.encode(`${round} ${i}`);
        records.begin(RecordType.PUT, 0, key, 0, key.length, seq, EntryType.HASH);
        records.appendCounted(field, 0, field.length).appendCounted(new Uint8Array(900), 0, 900)
          .end();
      }
      site.intake.publish(records);
      site.keeper.turn();
    }
  }
  site.keeper.stop();
  const store = smallStore({ evictionPolicy: "allkeys-lru", maxMemoryBytes: 4 * 2 ** 20 });
  const found = recover(storage, store);
  store.assertInvariants();
  const present = [...contentsOf(store)].map(([name, text]) => [name.slice(2), text] as const);
  assert.ok(present.length > 20 && present.length < keyCount);
  for (const [name, text] of present) {
    assert.equal(text.match(/\d \d/g)!.length >= fieldCount, true, `${name} has all its fields`);
  }
  const names = new Set(present.map(([name]) => name));
  assert.equal(found.evicted.length, keyCount - names.size);
  const told = new Set<string>();
  store.hook = new EffectRecorder(store);
  store.hook.removed = (_shard, _database, key, number) => {
    assert.ok(number > seq);
    told.add(new TextDecoder().decode(key.bytes.subarray(key.start, key.end)));
  };
  tellEvicted(found, store);
  assert.equal(told.size, keyCount - names.size);
  assert.ok(told.isDisjointFrom(names));
});

Deno.test("recovery: what is written over a balance that has expired is no balance", () => {
  const site = new Site(new MemoryStorage());
  const { store } = site;
  const key = keyOf(store, "ann");
  store.locks.lock(key.shard, true);
  store.planAddInteger(0, key, new Int64(0, 5), new Int64(), true);
  store.commitPlan();
  store.setExpiry(0, key, store.nowMs + 10);
  store.locks.unlock(key.shard, true);
  assert.equal(store.isPinned(store.peek(0, key)), true);
  store.nowMs += 20;
  site.set("ann", "x");
  assert.equal(store.isPinned(store.peek(0, key)), false);
  site.keeper.turn();
  site.assertRecovers();
});

Deno.test("recovery: a collection that is written to after it has expired begins anew", () => {
  const site = new Site(new MemoryStorage());
  const { store } = site;
  const key = keyOf(store, "h");
  const c = store.collections.newHandle();
  const put = (field: string): void => {
    const bytes = encoder.encode(field);
    store.locks.lock(key.shard, true);
    assert.equal(store.collections.open(c, 0, key, EntryType.HASH, true), WriteStatus.OK);
    store.collections.hashes.putField(c, bytes, 0, bytes.length, bytes, 0, bytes.length);
    store.locks.unlock(key.shard, true);
    site.intake.publish(site.recorder.records);
  };
  put("old");
  store.locks.lock(key.shard, true);
  store.setExpiry(0, key, store.nowMs + 10);
  store.locks.unlock(key.shard, true);
  store.nowMs += 20;
  put("new");
  site.keeper.turn();
  assert.doesNotMatch(contentsOf(store).get("0 h")!, /old/);
  site.assertRecovers();
});

Deno.test("recovery: other frames may come between the parts of one that was too long", () => {
  const begin = (name: string, count: number, seq: number): void => {
    const key = encoder.encode(name);
    site.recorder.records.begin(RecordType.COLLECTION, 0, key, 0, key.length, seq, EntryType.SET)
      .appendUint64(count).end();
  };
  const elements = (...members: string[]): void => {
    const { records } = site.recorder;
    records.begin(RecordType.ELEMENTS, 0, NO_KEY, 0, 0, 0, EntryType.SET);
    for (const member of members.map((text) => encoder.encode(text))) {
      records.appendCounted(member, 0, member.length);
    }
    records.end();
  };
  const publish = (): void => {
    site.intake.publish(site.recorder.records);
    site.keeper.turn();
  };
  let site = new Site(new MemoryStorage());
  const recovered = (): Map<string, string> => {
    const store = emptyStore(4);
    recover(site.storage.copy(), store);
    store.assertInvariants();
    return contentsOf(store);
  };
  for (const isWhole of [true, false]) {
    site = new Site(new MemoryStorage());
    begin("long", 4, 10);
    elements("a", "b");
    publish();
    site.intake.publish(frameOf("between", "1"));
    begin("short", 1, 11);
    elements("x");
    publish();
    // Of an event, as there are most of them.
    site.accept(7);
    if (isWhole) {
      elements("c", "d");
      publish();
    }
    begin("after", 1, 12);
    elements("y");
    publish();
    const found = recovered();
    assert.deepEqual(
      [...found.keys()].toSorted(),
      ["0 after", "0 between", ...(isWhole ? ["0 long"] : []), "0 short"],
    );
    if (isWhole) assert.match(found.get("0 long")!, /[abcd].*[abcd].*[abcd].*[abcd]/);
  }
});
