/** Records that need what was there before, and snapshots that are taken while they are written. */

import assert from "node:assert/strict";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { RecordReader, RecordType, RecordWriter } from "../../../src/durability/record.ts";
import { Replayer } from "../../../src/durability/replayer.ts";
import {
  createShardPieces,
  ShardNoter,
  ShardPieces,
} from "../../../src/durability/shard_pieces.ts";
import { readSnapshot, SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import { SnapshotTaker } from "../../../src/durability/snapshot_taker.ts";
import type { Key } from "../../../src/store/key.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, pattern, remove, set } from "../store/helpers.ts";

const encoder = new TextEncoder();

/** Writes into a string, as APPEND and SETRANGE do. */
function writeInto(store: Store, name: string, offset: number, bytes: Uint8Array): void {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  const entry = store.lookup(0, key);
  const at = offset < 0 && entry !== 0 ? store.stringLength(entry) : Math.max(0, offset);
  const status = store.strings.begin(0, key, entry, at + bytes.length, at);
  assert.equal(status, WriteStatus.OK);
  store.strings.write(at, bytes, 0, bytes.length);
  store.strings.end();
  store.locks.unlock(key.shard, true);
}

function withLog() {
  const store = emptyStore(16);
  const recorder = new EffectRecorder(store);
  store.hook = recorder;
  return {
    store,
    recorder,
    takeLog: (): Uint8Array => {
      const { bytes, length } = recorder.records;
      const taken = bytes.slice(FRAME_HEADER_BYTES, length);
      recorder.records.clear();
      return taken;
    },
  };
}

function replay(replayer: Replayer, log: Uint8Array): void {
  const record = new RecordReader().open(log, 0, log.length);
  for (let found = record.next(); found !== false; found = record.next()) {
    assert.equal(found, true);
    assert.equal(replayer.apply(record), undefined);
  }
}

Deno.test("recorder: a byte more of a long string is a short record, of a short one the string", () => {
  const { store, takeLog } = withLog();
  for (const byteCount of [100, 1_000_000]) {
    set(store, "k", pattern(byteCount, 1));
    takeLog();
    writeInto(store, "k", -1, pattern(1, 1));
    const log = takeLog();
    const record = new RecordReader().open(log, 0, log.length);
    assert.equal(record.next(), true);
    const isLong = byteCount > 1000;
    assert.equal(record.type, isLong ? RecordType.STRING_RANGE : RecordType.STRING);
    assert.ok(log.length < 160, `${log.length} bytes`);
  }
  writeInto(store, "new", 2000, pattern(10, 1));
  const log = takeLog();
  assert.equal(log[0], RecordType.STRING, "there is nothing that it would be a part of");
});

Deno.test("recorder: what is added between the end and a far write comes back as zeros", () => {
  const { store, takeLog } = withLog();
  set(store, "k", pattern(9000, 1));
  const key = keyOf(store, "k");
  store.locks.lock(key.shard, true);
  store.setExpiry(0, key, 5_000_000);
  store.locks.unlock(key.shard, true);
  writeInto(store, "k", 50_000, pattern(10, 1));
  const copy = emptyStore(8);
  const replayer = new Replayer(copy);
  replay(replayer, takeLog());
  replayer.finish();
  assert.deepEqual(contentsOf(copy), contentsOf(store));
});

Deno.test("recovery: parts of strings that are written while a snapshot is taken are written once", () => {
  let skippedCount = 0;
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    const random = new Random(seed);
    const { store, takeLog } = withLog();
    const names = Array.from({ length: 12 }, (_, i) => `k${i}`);
    const change = (): void => {
      const name = names[random.below(names.length)]!;
      const bytes = pattern(1 + random.below(40), random.below(256));
      switch (random.below(8)) {
        case 0:
          set(store, name, pattern(1000 + random.below(40_000), random.below(256)));
          break;
        case 1:
          remove(store, name);
          break;
        case 2:
          writeInto(store, name, random.below(30_000), bytes);
          break;
        default:
          writeInto(store, name, -1, bytes);
      }
    };
    for (let i = 0; i < 100; i++) change();
    takeLog();
    const storage = new MemoryStorage();
    const history = new Uint8Array(16);
    const writer = new SnapshotWriter({ storage, history, position: 0, createdAtMs: 1 });
    const taker = new SnapshotTaker(store, writer, 16);
    for (let isGoingOn = true; isGoingOn;) {
      if (random.oneIn(2)) change();
      isGoingOn = taker.step();
    }
    writer.finish(taker.keyCount, 0);
    for (let i = 0; i < 20; i++) change();
    const copy = emptyStore(8);
    const replayer = new Replayer(copy);
    readSnapshot(storage, writer.name, (record) => {
      assert.equal(replayer.apply(record), undefined);
    });
    replay(replayer, takeLog());
    replayer.finish();
    skippedCount += replayer.skippedCount;
    assert.deepEqual(contentsOf(copy), contentsOf(store), `seed ${seed}`);
  }
  assert.ok(skippedCount > 10, "snapshots have some of it already");
});

function locked<T>(store: Store, names: readonly string[], action: (keys: Key[]) => T): T {
  const keys = names.map((name) => keyOf(store, name));
  const shards = [...new Set(keys.map(({ shard }) => shard))].sort((a, b) => a - b);
  for (const shard of shards) store.locks.lock(shard, true);
  const result = action(keys);
  for (const shard of shards) store.locks.unlock(shard, true);
  return result;
}

/** Adds fields to a hash. */
function addFields(store: Store, name: string, first: number, count: number): void {
  locked(store, [name], ([key]) => {
    const c = store.collections.newHandle();
    const status = store.collections.open(c, 0, key!, EntryType.HASH, true);
    if (status === WriteStatus.WRONG_TYPE) return;
    for (let i = first; i < first + count; i++) {
      const text = encoder.encode(`field ${i}, which is rather long`);
      const put = store.collections.hashes.putField(c, text, 0, text.length, text, 0, text.length);
      assert.equal(put, WriteStatus.OK);
    }
  });
}

/** As RENAME or COPY does it, where the source is there. */
function transfer(store: Store, from: string, to: string, goes: boolean): void {
  if (from === to) return;
  locked(store, [from, to], ([source, target]) => {
    if (store.peek(0, source!) === 0) return;
    const places = [source!, target!].map((key) => ({ database: 0, key }));
    assert.equal(store.keyspace.transfer(places[0]!, places[1]!, goes), WriteStatus.OK);
  });
}

Deno.test("recorder: a long value that gets another key is a short record, but in a snapshot", () => {
  const { store, recorder, takeLog } = withLog();
  const log = { snapshotRuns: false, publish: () => {} };
  recorder.log = log;
  addFields(store, "hash", 0, 5000);
  set(store, "text", pattern(100_000, 1));
  const replayed = [takeLog()];
  for (const name of ["hash", "text"]) {
    transfer(store, name, `${name} copy`, false);
    transfer(store, name, `${name} too`, true);
    replayed.push(takeLog());
    assert.ok(replayed.at(-1)!.length < 400, `${name}: ${replayed.at(-1)!.length} bytes`);
    log.snapshotRuns = true;
    transfer(store, `${name} copy`, `${name} again`, false);
    log.snapshotRuns = false;
    replayed.push(takeLog());
    assert.ok(replayed.at(-1)!.length > 90_000, `${name}: all of it`);
  }
  const copy = emptyStore(8);
  const replayer = new Replayer(copy);
  for (const bytes of replayed) replay(replayer, bytes);
  replayer.finish();
  assert.deepEqual(contentsOf(copy), contentsOf(store));
});

Deno.test("recovery: values that get other keys around a snapshot come back once, and whole", () => {
  let referredCount = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const random = new Random(seed);
    const { store, recorder, takeLog } = withLog();
    const log = { snapshotRuns: false, publish: () => {} };
    recorder.log = log;
    const names = Array.from({ length: 8 }, (_, i) => `k${i}`);
    const anyName = (): string => names[random.below(names.length)]!;
    const change = (): void => {
      switch (random.below(8)) {
        case 0:
          set(store, anyName(), pattern(70_000 + random.below(9000), random.below(256)));
          break;
        case 1:
          if (random.oneIn(4)) remove(store, anyName());
          break;
        case 2:
          addFields(store, anyName(), random.below(1000), 1200);
          break;
        case 3:
          addFields(store, anyName(), random.below(2000), 2);
          break;
        case 4:
          transfer(store, anyName(), anyName(), false);
          break;
        default:
          transfer(store, anyName(), anyName(), true);
      }
    };
    for (const name of names) addFields(store, name, 0, 1100);
    for (let i = 0; i < 5; i++) change();
    for (const name of names) addFields(store, name, 0, 1100);
    takeLog();
    // What was put in and not written yet is behind the place where the snapshot begins.
    for (let i = 0; i < 2; i++) change();
    const storage = new MemoryStorage();
    const history = new Uint8Array(16);
    const writer = new SnapshotWriter({ storage, history, position: 0, createdAtMs: 1 });
    const taker = new SnapshotTaker(store, writer, 16);
    log.snapshotRuns = true;
    for (let isGoingOn = true; isGoingOn;) {
      if (random.oneIn(4)) change();
      isGoingOn = taker.step();
    }
    writer.finish(taker.keyCount, 0);
    log.snapshotRuns = false;
    for (let i = 0; i < 3; i++) change();
    const copy = emptyStore(8);
    const replayer = new Replayer(copy);
    readSnapshot(storage, writer.name, (record) => {
      assert.equal(replayer.apply(record), undefined);
    });
    const bytes = takeLog();
    const record = new RecordReader().open(bytes, 0, bytes.length);
    while (record.next() === true) if (record.type === RecordType.COPIED) referredCount++;
    replay(replayer, bytes);
    replayer.finish();
    assert.deepEqual(contentsOf(copy), contentsOf(store), `seed ${seed}`);
  }
  assert.ok(referredCount > 10, `${referredCount} values were not written again`);
});

Deno.test("recovery: a value that goes where the snapshot has been is not lost", () => {
  const { store, recorder, takeLog } = withLog();
  const log = { snapshotRuns: false, publish: () => {} };
  recorder.log = log;
  const nameIn = (shard: number): string => {
    for (let i = 0;; i++) if (keyOf(store, `k${i}`).shard === shard) return `k${i}`;
  };
  const [seen, unseen] = [nameIn(0), nameIn(15)];
  addFields(store, unseen, 0, 1100);
  takeLog();
  const storage = new MemoryStorage();
  const history = new Uint8Array(16);
  const writer = new SnapshotWriter({ storage, history, position: 0, createdAtMs: 1 });
  const taker = new SnapshotTaker(store, writer, 16);
  log.snapshotRuns = true;
  for (let i = 0; i < 8; i++) assert.ok(taker.step());
  transfer(store, unseen, seen, true);
  while (taker.step());
  assert.equal(taker.keyCount, 0, "the snapshot has it nowhere");
  writer.finish(0, 0);
  const copy = emptyStore(8);
  const replayer = new Replayer(copy);
  readSnapshot(storage, writer.name, (record) => {
    assert.equal(replayer.apply(record), undefined);
  });
  replay(replayer, takeLog());
  replayer.finish();
  assert.deepEqual(contentsOf(copy), contentsOf(store));
});

Deno.test("recorder: with `always` the shard is noted of a part of a string, and of a value that came", () => {
  const store = emptyStore(16);
  const pieces = new ShardPieces(createShardPieces(16));
  const recorder = new ShardNoter(store, new RecordWriter(), pieces);
  recorder.log = { snapshotRuns: false, publish: () => {} };
  store.hook = recorder;
  set(store, "text", pattern(100_000, 1));
  const shards = ["text", "elsewhere"].map((name) => keyOf(store, name).shard);
  assert.notEqual(shards[0], shards[1]);
  pieces.published(1);
  writeInto(store, "text", -1, pattern(1, 1));
  pieces.published(2);
  assert.equal(pieces.of(shards[0]!), 2);
  transfer(store, "text", "elsewhere", false);
  pieces.published(3);
  assert.deepEqual(shards.map((shard) => pieces.of(shard)), [2, 3]);
});

Deno.test("recovery: a crash within a value that gets another key in parts leaves it under one of them", () => {
  for (const runsInSnapshot of [true, false]) {
    const { store, recorder, takeLog } = withLog();
    const parts: Uint8Array[] = [];
    recorder.log = { snapshotRuns: runsInSnapshot, publish: () => parts.push(takeLog()) };
    recorder.muchBytes = 20_000;
    addFields(store, "old", 0, 5000);
    set(store, "new", "something else");
    parts.push(takeLog());
    const whole = contentsOf(store).get("0 old");
    transfer(store, "old", "new", true);
    parts.push(takeLog());
    assert.equal(parts.length > 4, runsInSnapshot, `${parts.length} parts`);
    for (let count = 1; count <= parts.length; count++) {
      const copy = emptyStore(8);
      const replayer = new Replayer(copy);
      for (const part of parts.slice(0, count)) replay(replayer, part);
      replayer.finish();
      const found = contentsOf(copy);
      const isOver = count === parts.length;
      assert.equal(found.get(isOver ? "0 new" : "0 old"), whole, `after part ${count}`);
      assert.equal(found.size, isOver ? 1 : 2);
    }
  }
});
