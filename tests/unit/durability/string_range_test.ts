/** Parts of strings in the log, and snapshots that are taken while they are written. */

import assert from "node:assert/strict";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { FRAME_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { RecordReader, RecordType } from "../../../src/durability/record.ts";
import { Replayer } from "../../../src/durability/replayer.ts";
import { readSnapshot, SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import { SnapshotTaker } from "../../../src/durability/snapshot_taker.ts";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, pattern, remove, set } from "../store/helpers.ts";

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

function withLog(): { store: Store; takeLog: () => Uint8Array } {
  const store = emptyStore(4);
  const recorder = new EffectRecorder(store);
  store.hook = recorder;
  return {
    store,
    takeLog: () => {
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
