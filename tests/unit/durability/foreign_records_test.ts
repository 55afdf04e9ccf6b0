/** Records in whole frames that no server has written. */

import assert from "node:assert/strict";
import { salvage } from "../../../src/data/salvage.ts";
import { DamageError } from "../../../src/durability/damage.ts";
import { RecordType, type RecordWriter } from "../../../src/durability/record.ts";
import { recover } from "../../../src/durability/recovery.ts";
import { SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import { EventIds } from "../../../src/store/event_ids.ts";
import { EntryType } from "../../../src/store/store.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";

const NO_KEY = new Uint8Array(0);
const KEY = new Uint8Array([107]);

const RECORDS: Readonly<Record<string, (records: RecordWriter) => void>> = {
  "a database that there is not": (records) =>
    records.begin(RecordType.STRING, 16, KEY, 0, 1, 1, EntryType.STRING).end(),
  "a time that no key can have": (records) => {
    records.begin(RecordType.STRING, 0, KEY, 0, 1, 1, EntryType.STRING).end();
    records.begin(RecordType.EXPIRY, 0, KEY, 0, 1, 2, EntryType.STRING, 2 ** 52).end();
  },
  "a swap with a database that there is not": (records) =>
    records.begin(RecordType.SWAPPED, 0, NO_KEY, 0, 0, 0).appendUint64(99).end(),
  "an event that is none": (records) =>
    records.begin(RecordType.EVENT_ACCEPTED, 0, NO_KEY, 0, 0, 0).appendUint64(1)
      .append(new Uint8Array(60).fill(9), 0, 60).end(),
  "an event that is shorter than its number": (records) =>
    records.begin(RecordType.EVENT_ACCEPTED, 0, NO_KEY, 0, 0, 0).append(KEY, 0, 1).end(),
  "a source that is none": (records) =>
    records.begin(RecordType.COPIED, 0, KEY, 0, 1, 1, EntryType.STRING).append(KEY, 0, 1).end(),
};

/** A directory with a snapshot that has them. */
function storageWith(append: (records: RecordWriter) => void) {
  const storage = new MemoryStorage();
  const history = new Uint8Array(16).fill(7);
  const writer = new SnapshotWriter({ storage, history, position: 0, createdAtMs: 0 });
  append(writer.records);
  writer.finish(0, 0);
  return { storage, name: writer.name };
}

for (const [name, append] of Object.entries(RECORDS)) {
  Deno.test(`recovery: ${name} is damage, with its place`, () => {
    const { storage, name: file } = storageWith(append);
    const eventIds = EventIds.create({ maxIds: 10, windowMs: 1e12 });
    assert.throws(
      () => recover(storage, emptyStore(2), () => {}, eventIds),
      (error) => error instanceof DamageError && error.path.endsWith(file),
    );
  });
}

Deno.test("salvage: what nobody can have written is passed over, and the rest is there", () => {
  const { storage, name } = storageWith((records) => {
    for (const append of Object.values(RECORDS)) append(records);
    records.begin(RecordType.STRING, 3, KEY, 0, 1, 1, EntryType.STRING).end();
  });
  const { passedOver, pending, store } = salvage(storage, { maxMemoryBytes: 64 * 2 ** 20 });
  assert.deepEqual([...contentsOf(store).keys()], ["0 k", "3 k"]);
  assert.equal(pending.size, 0);
  assert.deepEqual(
    passedOver.map(({ file }) => file),
    Object.keys(RECORDS).map(() => name),
  );
});
