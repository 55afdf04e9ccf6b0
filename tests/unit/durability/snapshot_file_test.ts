import assert from "node:assert/strict";
import { DamageError } from "../../../src/durability/damage.ts";
import { HISTORY_BYTES } from "../../../src/durability/file_header.ts";
import { RecordType } from "../../../src/durability/record.ts";
import { readSnapshot, SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import type { Storage } from "../../../src/durability/storage.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { MemoryStorage, systemError } from "../../helpers/memory_storage.ts";

const HISTORY = new Uint8Array(HISTORY_BYTES).fill(9);
const CREATED_AT_MS = 1_700_000_000_000;

function begin(storage: Storage, position = 4096): SnapshotWriter {
  return new SnapshotWriter({ storage, history: HISTORY, position, createdAtMs: CREATED_AT_MS });
}

function addKey(writer: SnapshotWriter, n: number, valueBytes = 10): void {
  const key = new TextEncoder().encode(`key:${n}`);
  const value = new Uint8Array(valueBytes).fill(n);
  writer.records.begin(RecordType.STRING, 0, key, 0, key.length, n, 1)
    .append(value, 0, value.length).end();
  writer.flushIfFull();
}

function keysOf(storage: Storage, name: string): string[] {
  const keys: string[] = [];
  readSnapshot(storage, name, ({ bytes, keyStart, keyEnd }) => {
    keys.push(new TextDecoder().decode(bytes.subarray(keyStart, keyEnd)));
  });
  return keys;
}

const namesUpTo = (count: number): string[] => Array.from({ length: count }, (_, n) => `key:${n}`);

Deno.test("snapshot: what was written is read, and what it says of itself", () => {
  const storage = new MemoryStorage();
  const writer = begin(storage);
  for (let n = 0; n < 1000; n++) addKey(writer, n, n % 17 === 0 ? 50_000 : n);
  assert.deepEqual(storage.list(), [writer.unfinishedName], "it has its name when it is whole");
  writer.finish(1000, 9000);
  assert.deepEqual(storage.list(), [writer.name]);
  assert.deepEqual(keysOf(storage, writer.name), namesUpTo(1000));
  assert.deepEqual(readSnapshot(storage, writer.name, () => {}), {
    position: 4096,
    replayUntil: 9000,
    keyCount: 1000,
    createdAtMs: CREATED_AT_MS,
    history: HISTORY,
  });
});

Deno.test("snapshot: one that is cut off anywhere is damaged", () => {
  const whole = new MemoryStorage();
  const writer = begin(whole);
  for (let n = 0; n < 5; n++) addKey(writer, n);
  writer.finish(5, 9000);
  const bytes = whole.bytesOf(writer.name);
  for (let cut = 0; cut < bytes.length; cut++) {
    const storage = new MemoryStorage();
    storage.put(writer.name, bytes.subarray(0, cut));
    assert.throws(() => keysOf(storage, writer.name), DamageError, `cut at ${cut}`);
  }
});

Deno.test("snapshot: a bit that flipped anywhere is damage", () => {
  const whole = new MemoryStorage();
  const writer = begin(whole);
  for (let n = 0; n < 5; n++) addKey(writer, n);
  writer.finish(5, 9000);
  for (let bit = 0; bit < whole.bytesOf(writer.name).length * 8; bit++) {
    const storage = whole.copy();
    storage.bytesOf(writer.name)[bit >>> 3]! ^= 1 << (bit & 7);
    assert.throws(() => keysOf(storage, writer.name), DamageError, `bit ${bit}`);
  }
});

Deno.test("snapshot: after a power cut a file of its name is whole, or there is none", () => {
  const seed = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  let found = 0;
  for (let round = 0; round < 300; round++) {
    const storage = new MemoryStorage();
    const writer = begin(storage);
    for (let n = 0; n < 20; n++) addKey(writer, n, random.below(5000));
    let left = random.below(8);
    const cut = new Error("power cut");
    storage.fault = () => {
      if (left-- === 0) throw cut;
    };
    try {
      writer.finish(20, 9000);
    } catch (error) {
      if (error !== cut) throw error;
    }
    const after = storage.afterPowerCut(() => random.oneIn(2));
    if (!after.list().includes(writer.name)) continue;
    found++;
    assert.equal(keysOf(after, writer.name).length, 20, `seed ${seed}, round ${round}`);
  }
  assert.ok(found > 30 && found < 300, `${found} of 300 snapshots are there`);
});

Deno.test("snapshot: one that cannot be written leaves nothing behind", () => {
  for (const code of ["ENOSPC", "EIO"]) {
    for (const failing of ["append", "sync", "rename"]) {
      const storage = new MemoryStorage();
      const writer = begin(storage);
      for (let n = 0; n < 5; n++) addKey(writer, n);
      storage.fault = (call) => {
        if (call === failing) throw systemError(code);
      };
      assert.throws(() => writer.finish(5, 9000), new RegExp(code));
      writer.abandon();
      assert.deepEqual(storage.list(), [], `${failing}: ${code}`);
    }
  }
});
