import assert from "node:assert/strict";
import { DamageError } from "../../../src/durability/damage.ts";
import { filesOf } from "../../../src/durability/file_names.ts";
import { FrameReader } from "../../../src/durability/frame_reader.ts";
import { LogFigure, LogState } from "../../../src/durability/log_status.ts";
import { recover } from "../../../src/durability/recovery.ts";
import { EntryType, Store, WriteStatus } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { type Fault, MemoryStorage, systemError } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, set } from "../store/helpers.ts";
import { frameOf, Site } from "./log_keeper_site.ts";

/** Fails these calls until it is told to stop. */
function failing(storage: MemoryStorage, calls: Parameters<Fault>[0][], code: string): () => void {
  storage.fault = (call) => {
    if (calls.includes(call)) throw systemError(code);
  };
  return () => storage.fault = () => {};
}

Deno.test("keeper: with `always` what was put in is durable when it says so, and not before", () => {
  const site = new Site(new MemoryStorage());
  const piece = site.set("a", "1");
  assert.equal(site.intake.isDurable(piece), false);
  site.keeper.turn();
  assert.equal(site.intake.isDurable(piece), true);
  const after = site.storage.afterPowerCut(() => false);
  site.assertRecovers(after);
});

Deno.test("keeper: one write and one sync for all that arrived meanwhile", () => {
  const site = new Site(new MemoryStorage());
  let [writes, syncs] = [0, 0];
  site.storage.fault = (call) => {
    if (call === "append") writes++;
    if (call === "sync") syncs++;
  };
  for (let n = 0; n < 20; n++) site.set(`k${n}`, "v");
  site.keeper.turn();
  assert.deepEqual([writes, syncs], [1, 1]);
  site.keeper.turn();
  assert.deepEqual([writes, syncs], [1, 1], "with nothing new nothing is done");
});

Deno.test("keeper: with `everysec` at most the last second is lost, with `no` nothing is synced", () => {
  for (const policy of ["everysec", "no"] as const) {
    const site = new Site(new MemoryStorage(), policy);
    site.set("a", "1");
    site.pass(900);
    assert.equal(site.status.get(LogFigure.DURABLE_POSITION), 0);
    site.pass(200);
    const isDurable = site.status.get(LogFigure.DURABLE_POSITION) > 0;
    assert.equal(isDurable, policy === "everysec");
    const kept = new Map(contentsOf(site.store));
    site.set("b", "2");
    site.pass(10);
    const store = emptyStore(4);
    recover(site.storage.afterPowerCut(() => false), store);
    assert.deepEqual(contentsOf(store), policy === "everysec" ? kept : new Map());
    site.assertRecovers();
  }
});

Deno.test("keeper: a stop leaves everything, and the next start goes on", () => {
  const storage = new MemoryStorage();
  for (let start = 0; start < 5; start++) {
    const site = new Site(storage, "no");
    assert.equal(contentsOf(site.store).size, start);
    site.set(`k${start}`, "v".repeat(400));
    site.keeper.stop();
    site.assertRecovers(storage.afterPowerCut(() => false));
  }
});

Deno.test("keeper: after a snapshot older segments and snapshots are gone, and everything is there", () => {
  const site = new Site(new MemoryStorage());
  for (let n = 0; n < 100; n++) {
    site.set(`k${n % 30}`, `value ${n}`);
    site.keeper.turn();
  }
  const before = filesOf(site.storage.list(), "log").length;
  assert.ok(before > 3);
  for (let round = 1; round <= 3; round++) {
    site.snapshot();
    assert.equal(filesOf(site.storage.list(), "log").length, 1);
    assert.equal(filesOf(site.storage.list(), "snapshot").length, 1);
    site.assertRecovers();
    site.set(`after ${round}`, "x");
    site.remove("k1");
    site.keeper.turn();
    site.assertRecovers(site.storage.afterPowerCut(() => false));
  }
});

Deno.test("keeper: a log that has grown enough is followed by a snapshot by itself", () => {
  const site = new Site(new MemoryStorage(), "always", 5000);
  for (let n = 0; n < 300; n++) {
    site.set("k", `value ${n}`);
    site.pass(20);
  }
  assert.ok(site.status.get(LogFigure.SNAPSHOTS) >= 3);
  site.assertRecovers();
});

Deno.test("keeper: accepted events come again until they are settled, across snapshots and starts", () => {
  const storage = new MemoryStorage();
  const site = new Site(storage);
  for (let n = 1; n <= 5; n++) site.accept(n);
  site.settle(2);
  site.snapshot();
  site.settle(4);
  site.accept(6);
  site.keeper.stop();
  const next = new Site(storage);
  assert.deepEqual([...next.pending.jobs.keys()], [1, 3, 5, 6]);
  assert.deepEqual([...next.pending.jobs.values()], [1, 3, 5, 6].map((n) => new Uint8Array([n])));
  next.settle(1);
  next.snapshot();
  next.keeper.stop();
  assert.deepEqual([...new Site(storage).pending.jobs.keys()], [3, 5, 6]);
});

for (const [calls, code] of [[["append", "create"], "ENOSPC"], [["sync"], "EIO"]] as const) {
  Deno.test(`keeper: ${code}: writes are refused until a snapshot makes good for what was lost`, () => {
    const site = new Site(new MemoryStorage());
    site.set("before", "1");
    site.keeper.turn();
    const heal = failing(site.storage, [...calls], code);
    const lost = site.set("lost", "2");
    site.keeper.turn();
    assert.equal(site.status.state, LogState.FAILED);
    assert.deepEqual(site.kinds(), ["failed"]);
    for (let i = 0; i < 3; i++) {
      site.set("thrown away", `${i}`);
      site.pass(1100);
    }
    assert.deepEqual(site.kinds(), ["failed"], "it is said once");
    assert.equal(site.intake.isDurable(lost), false);
    // A crash now loses what nobody was told is safe, and nothing else.
    const store = emptyStore(4);
    recover(site.storage.afterPowerCut(() => false), store);
    assert.ok(contentsOf(store).has("0 before"));
    heal();
    for (let i = 0; i < 10; i++) site.pass(1100);
    assert.equal(site.status.state, LogState.SERVING);
    assert.deepEqual(site.kinds(), ["failed", "begun anew", "snapshot", "resumed"]);
    assert.equal(site.intake.isDurable(lost), true, "who waited is told");
    site.assertRecovers(site.storage.afterPowerCut(() => false));
    site.set("later", "3");
    site.keeper.turn();
    site.assertRecovers(site.storage.afterPowerCut(() => false));
  });
}

Deno.test("keeper: what a dead thread left out of the log is made good, and nothing behind it counts before", () => {
  const site = new Site(new MemoryStorage());
  site.set("before", "1");
  site.keeper.turn();
  const durable = new Map(contentsOf(site.store));
  // A change that was never put in; what comes behind it was put in when it was known.
  set(site.store, "left out", "2");
  site.recorder.records.clear();
  site.status.wantRepair();
  const behind = site.set("behind", "3");
  let isOver = false;
  for (let i = 0; i < 1000 && !isOver; i++) {
    const crashed = emptyStore(4);
    recover(site.storage.afterPowerCut(() => false), crashed);
    isOver = site.intake.isDurable(behind);
    assert.deepEqual(contentsOf(crashed), isOver ? contentsOf(site.store) : durable);
    site.keeper.turn();
  }
  assert.ok(isOver);
  assert.deepEqual(site.kinds(), ["failed", "begun anew", "snapshot", "resumed"]);
  assert.equal(site.status.state, LogState.SERVING);
  site.assertRecovers();
});

Deno.test("keeper: a snapshot that cannot be written is tried again, and writes go on", () => {
  const site = new Site(new MemoryStorage());
  site.set("a", "1");
  site.keeper.turn();
  site.storage.fault = (call, name) => {
    if ((call === "rename" || call === "append") && name.startsWith("snapshot")) {
      throw systemError("ENOSPC");
    }
  };
  site.keeper.wantSnapshot();
  site.pass(1100);
  site.keeper.turn();
  assert.deepEqual(site.kinds(), ["snapshot failed"]);
  assert.equal(site.status.state, LogState.SERVING);
  site.storage.fault = () => {};
  site.set("b", "2");
  site.snapshot();
  site.assertRecovers();
});

for (const file of ["log", "snapshot"]) {
  Deno.test(`keeper: a disk on which the header of a ${file} has no room is not filled with attempts`, () => {
    const storage = new MemoryStorage();
    const site = new Site(storage);
    site.set("a", "1");
    site.keeper.turn();
    const openCount = storage.openCount;
    storage.fault = (call, name) => {
      if (call === "append" && name.startsWith(file)) throw systemError("ENOSPC");
    };
    for (let i = 0; i < 5; i++) {
      if (file === "snapshot") site.keeper.wantSnapshot();
      // What is put in while the log has failed makes it begin elsewhere each time.
      else site.set("thrown away", `${i}`);
      site.pass(1100);
    }
    assert.ok(storage.openCount <= openCount, `${storage.openCount} files are open`);
    assert.ok(storage.list().length <= 2, storage.list().join(" "));
    storage.fault = () => {};
    for (let i = 0; i < 10; i++) site.pass(1100);
    site.assertRecovers(storage.afterPowerCut(() => false));
  });
}

Deno.test("keeper: a damaged snapshot is passed over while the log has everything", () => {
  const site = new Site(new MemoryStorage());
  site.set("a", "1");
  site.keeper.turn();
  const older = site.storage.copy();
  site.snapshot();
  site.set("b", "2");
  site.keeper.turn();
  const [snapshot] = filesOf(site.storage.list(), "snapshot");
  const damaged = site.storage.copy();
  damaged.bytesOf(snapshot!.name)[80]! ^= 1;
  assert.throws(() => recover(damaged, emptyStore(4)), (error) => {
    return error instanceof DamageError && error.path === `memory/${snapshot!.name}`;
  });
  // A crash before the older segments were removed leaves them.
  for (const { name } of filesOf(older.list(), "log")) damaged.put(name, older.bytesOf(name));
  const store = emptyStore(4);
  assert.equal(recover(damaged, store).damaged.length, 1);
  assert.deepEqual(contentsOf(store), contentsOf(site.store));
});

Deno.test("keeper: who holds a lock and waits for room in the log gets it while a snapshot is taken", () => {
  const site = new Site(new MemoryStorage());
  site.set("a", "1");
  site.keeper.turn();
  // Another thread, in the middle of a change.
  const other = Store.attach(site.store.memory, 1, false);
  for (let shard = 0; shard < other.shardCount; shard++) other.locks.lock(shard, true);
  site.keeper.wantSnapshot();
  site.pass(1500);
  site.intake.publish(frameOf("b", "2"));
  const piece = site.intake.lastPiece;
  site.pass(10);
  assert.equal(site.intake.isDurable(piece), true);
  assert.equal(site.status.get(LogFigure.SNAPSHOTS), 0);
  for (let shard = 0; shard < other.shardCount; shard++) other.locks.unlock(shard, true);
  site.pass(10);
  assert.equal(site.status.get(LogFigure.SNAPSHOTS), 1);
});

Deno.test("keeper: what was leased for a snapshot and is nobody's then becomes free, later if need be", () => {
  const site = new Site(new MemoryStorage());
  site.set("large", "v".repeat(700_000));
  const other = Store.attach(site.store.memory, 1, false);
  // The lease is taken by hand, as the taker does, and ended while the shard is busy.
  const key = keyOf(site.store, "large");
  const { shard } = key;
  site.store.locks.lock(shard, true);
  const lease = site.store.lease(site.store.peek(0, key));
  site.store.locks.unlock(shard, true);
  site.remove("large");
  other.locks.lock(shard, true);
  lease.release();
  assert.ok(site.store.stats().orphanBytes > 0);
  other.locks.unlock(shard, true);
  site.pass(10);
  assert.equal(site.store.stats().orphanBytes, 0);
});

Deno.test("keeper: a snapshot of long elements, few or many, is written in pieces", () => {
  for (const [count, elementBytes] of [[30, 200_000], [150, 40_000]] as const) {
    const site = new Site(new MemoryStorage(), "no", Infinity, 2 ** 26);
    const { locks, collections } = site.store;
    const key = keyOf(site.store, "list");
    const c = collections.newHandle();
    for (let n = 0; n < count; n++) {
      locks.lock(key.shard, true);
      collections.open(c, 0, key, EntryType.LIST, true);
      const element = new Uint8Array(elementBytes).fill(n);
      assert.equal(collections.lists.insert(c, n, element, 0, elementBytes), WriteStatus.OK);
      locks.unlock(key.shard, true);
      site.intake.publish(site.recorder.records);
      site.keeper.turn();
    }
    site.snapshot();
    const [snapshot] = filesOf(site.storage.list(), "snapshot");
    const frames = new FrameReader(site.storage.open(snapshot!.name, "read"), 0);
    while (frames.next() === "frame") assert.ok(frames.bodyEnd - frames.bodyStart < 2 ** 21);
    site.assertRecovers();
  }
});

Deno.test("keeper: a clock that is set back holds up neither syncs nor snapshots", () => {
  const site = new Site(new MemoryStorage(), "everysec");
  site.set("a", "1");
  site.pass(-3_600_000);
  site.set("b", "2");
  site.pass(1100);
  assert.equal(site.status.get(LogFigure.DURABLE_POSITION), site.status.get(LogFigure.POSITION));
  site.snapshot();
  site.assertRecovers();
});

Deno.test("keeper: a clock that is set back makes no snapshot end before it began", () => {
  const site = new Site(new MemoryStorage());
  site.set("a", "1");
  site.keeper.wantSnapshot();
  site.pass(1500);
  assert.equal(site.status.get(LogFigure.SNAPSHOT_RUNS), 1);
  site.nowMs -= 3_600_000;
  for (let i = 0; i < 10_000 && site.status.get(LogFigure.SNAPSHOTS) === 0; i++) site.keeper.turn();
  const tookMs = site.status.get(LogFigure.SNAPSHOT_TOOK_MS);
  assert.ok(tookMs >= 0 && tookMs < 60_000, `${tookMs} ms`);
});

Deno.test("keeper: power cuts at random calls lose nothing that was called durable", () => {
  const seed = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  for (let round = 0; round < 150; round++) {
    const context = `seed ${seed}, round ${round}`;
    const storage = new MemoryStorage();
    const site = new Site(storage, "always", 3000, 1500, random.pick([0, 1000]));
    const cut = new Error("power cut");
    let left = random.below(400);
    storage.fault = () => {
      if (left-- <= 0) throw cut;
    };
    let written = 0;
    const pieces: number[] = [];
    try {
      for (; written < 150; written++) {
        pieces.push(site.set("counter", String(written)));
        if (random.oneIn(3)) site.set(`k${random.below(9)}`, "v".repeat(random.below(300)));
        if (random.oneIn(40)) site.keeper.wantSnapshot();
        if (!random.oneIn(3)) site.pass(random.below(400));
      }
    } catch (error) {
      if (error !== cut) throw error;
    }
    const durable = pieces.findLastIndex((piece) => site.intake.isDurable(piece));
    const store = emptyStore(2);
    recover(storage.afterPowerCut(() => random.oneIn(2)), store);
    const counter = contentsOf(store).get("0 counter")?.split(" ").at(-1);
    const found = counter === undefined ? -1 : Number(counter);
    assert.ok(found >= durable && found <= written, `${context}: ${durable} ${found} ${written}`);
  }
});
