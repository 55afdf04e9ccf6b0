import assert from "node:assert/strict";
import { recoverStore } from "../../../src/data/data_store.ts";
import { salvage } from "../../../src/data/salvage.ts";
import { filesOf } from "../../../src/durability/file_names.ts";
import { FILE_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { linesOf, loadInto, ROOM, TestFolder } from "../../helpers/data/directories.ts";
import { keysUpTo, SMALL_ROOM, smallLog } from "../../helpers/data/small_logs.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { contentsOf } from "../../helpers/store_contents.ts";

function namesIn(storage: MemoryStorage): Set<string> {
  return new Set([...contentsOf(salvage(storage, SMALL_ROOM).store).keys()].map((k) => k.slice(2)));
}

Deno.test("salvage: of a directory that is whole everything is read", () => {
  for (const { storage } of [smallLog(9), smallLog(9, 4), smallLog(9, 4, true)]) {
    const { passedOver, partialCount } = salvage(storage, SMALL_ROOM);
    assert.deepEqual([passedOver, partialCount], [[], 0]);
    assert.deepEqual([...namesIn(storage)].toSorted(), keysUpTo(9));
  }
});

Deno.test("salvage: behind a damaged snapshot the log is read, up to its own damage", () => {
  const whole = smallLog(20, 5, true).storage;
  const snapshot = filesOf(whole.list(), "snapshot")[0]!.name;
  const damaged = whole.copy();
  damaged.bytesOf(snapshot)[FILE_HEADER_BYTES + 60]! ^= 1;
  assert.deepEqual(namesIn(damaged), new Set(keysUpTo(20).slice(5)), "it had one frame");
  const headless = whole.copy();
  headless.bytesOf(snapshot)[10]! ^= 1;
  assert.deepEqual(namesIn(headless), new Set(keysUpTo(20)), "its header is not needed");
  const segment = filesOf(whole.list(), "log")[1]!.name;
  headless.bytesOf(segment)[FILE_HEADER_BYTES + 190]! ^= 1;
  const found = namesIn(headless);
  assert.deepEqual(found, new Set(keysUpTo(found.size)));
  assert.ok(found.size > 6 && found.size < 19);
  const { passedOver } = salvage(headless, SMALL_ROOM);
  assert.deepEqual(passedOver.map(({ file }) => file), [segment]);
});

Deno.test("salvage: of many frames of a snapshot only those are lost that cannot be read", async () => {
  using folder = new TestFolder();
  const directory = folder.directory();
  const lines = Array.from({ length: 3000 }, (_, i) => ({
    ...{ db: i % 3, key: `key ${i}`, type: "string", value: "x".repeat(500) },
    ...(i % 100 === 0
      ? { type: "list", value: Array.from({ length: 200 }, (_, j) => `e${j}`) }
      : {}),
  }));
  const members = Array.from({ length: 60_000 }, (_, i) => [`member ${i}`, i]);
  lines.push({ db: 0, key: "large", type: "zset", value: members as unknown as string });
  await loadInto(directory, [folder.file(linesOf(lines))]);
  const name = filesOf(directory.list(), "snapshot")[0]!.name;
  const bytes = await Deno.readFile(`${directory.path}/${name}`);
  const everything = contentsOf(recoverStore(directory, ROOM).store);
  assert.equal(everything.size, 3001);
  let partialCount = 0;
  for (let part = 1; part < 8; part++) {
    const damaged = new MemoryStorage();
    damaged.put(name, bytes);
    const at = Math.floor(bytes.length / 8 * part);
    damaged.bytesOf(name)[at]! ^= 1;
    const salvaged = salvage(damaged, ROOM);
    partialCount += salvaged.partialCount;
    assert.equal(salvaged.passedOver.length, 1, `byte ${at}`);
    const found = contentsOf(salvaged.store);
    assert.ok(found.size > 1500, `${found.size} keys`);
    let differing = 0;
    for (const [key, value] of found) {
      assert.ok(everything.has(key), key);
      if (everything.get(key) !== value) differing++;
    }
    assert.equal(differing, salvaged.partialCount, "what is there is as it was");
  }
  assert.ok(partialCount > 0, "the large one is cut at times");
});

Deno.test("salvage: of nothing that can be read there is nothing", () => {
  const storage = new MemoryStorage();
  assert.deepEqual(namesIn(storage), new Set());
  storage.put("snapshot-00000000000000000000.sluice", new Uint8Array(500));
  storage.put("log-00000000000000000000.sluice", new Uint8Array(20));
  assert.deepEqual(namesIn(storage), new Set());
  assert.equal(salvage(storage, SMALL_ROOM).passedOver.length, 1);
});
