import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { DamageError } from "../../../src/durability/damage.ts";
import { Drain } from "../../../src/durability/drain.ts";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { filesOf } from "../../../src/durability/file_names.ts";
import { FrameReader } from "../../../src/durability/frame_reader.ts";
import { Intake } from "../../../src/durability/intake.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import { type LogEvent, LogKeeper } from "../../../src/durability/log_keeper.ts";
import type { SyncPolicy } from "../../../src/durability/sync_policy.ts";
import {
  createLogStatus,
  LogFigure,
  LogState,
  LogStatus,
} from "../../../src/durability/log_status.ts";
import { RecordType, RecordWriter } from "../../../src/durability/record.ts";
import { openLog, recover, tellEvicted } from "../../../src/durability/recovery.ts";
import { EntryType, Store, WriteStatus } from "../../../src/store/store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { type Fault, MemoryStorage, systemError } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { keyOf, remove, set, smallStore } from "../store/helpers.ts";

const encoder = new TextEncoder();
const NO_KEY = new Uint8Array(0);

/** A server's store and log, without the server: one thread plays all parts. */
class Site {
  readonly store: Store;
  readonly recorder: EffectRecorder;
  readonly intake: Intake;
  readonly status = new LogStatus(createLogStatus());
  readonly keeper: LogKeeper;
  readonly events: LogEvent[] = [];
  nowMs = 1_000_000;
  readonly pending: ReturnType<typeof recover>["pending"];

  constructor(
    readonly storage: MemoryStorage,
    policy: SyncPolicy = "always",
    snapshotEveryBytes = Infinity,
    segmentBytes = 2000,
    reserveBytes = 0,
  ) {
    this.store = emptyStore(4);
    const found = recover(storage, this.store);
    this.pending = found.pending;
    const memory = createIntakeMemory(1, 2 ** 20);
    this.intake = new Intake(memory, 0);
    this.recorder = new EffectRecorder(this.store);
    this.store.hook = this.recorder;
    const clock = (): number => this.nowMs;
    this.keeper = new LogKeeper({
      storage,
      history: found.history,
      log: openLog(storage, found, segmentBytes, clock, reserveBytes),
      drain: new Drain(memory),
      store: this.store,
      databaseCount: 16,
      policy,
      snapshotEveryBytes,
      pending: found.pending,
      status: this.status,
      clock,
      report: (event) => this.events.push(event),
    }, found.snapshot?.position ?? 0);
  }

  set(name: string, value: string): number {
    set(this.store, name, value);
    this.intake.publish(this.recorder.records);
    return this.intake.lastPiece;
  }

  remove(name: string): void {
    if (remove(this.store, name)) this.intake.publish(this.recorder.records);
  }

  accept(number: number): void {
    this.recorder.records.begin(RecordType.EVENT_ACCEPTED, 0, NO_KEY, 0, 0, 0)
      .appendUint64(number).append(new Uint8Array([number]), 0, 1).end();
    this.intake.publish(this.recorder.records);
  }

  settle(number: number): void {
    this.recorder.records.begin(RecordType.EVENT_SETTLED, 0, NO_KEY, 0, 0, 0)
      .appendUint64(number).appendUint64(1).end();
    this.intake.publish(this.recorder.records);
  }

  /** Turns until a snapshot that was asked for is complete. */
  snapshot(): void {
    const before = this.status.get(LogFigure.SNAPSHOTS);
    this.keeper.wantSnapshot();
    this.pass(1500);
    for (let i = 0; i < 10_000 && this.status.get(LogFigure.SNAPSHOTS) === before; i++) {
      this.keeper.turn();
    }
    assert.equal(this.status.get(LogFigure.SNAPSHOTS), before + 1, "a snapshot is complete");
  }

  /** Lets time go by, in turns. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.keeper.turn();
  }

  /** Checks that a server that starts from these files has what this one has. */
  assertRecovers(storage = this.storage): void {
    const store = emptyStore(8);
    recover(storage.copy(), store);
    assert.deepEqual(contentsOf(store), contentsOf(this.store));
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }
}

/** What another thread would publish when it sets a key. */
function frameOf(name: string, value: string): RecordWriter {
  const records = new RecordWriter();
  const [key, bytes] = [name, value].map((text) => encoder.encode(text));
  records.begin(RecordType.STRING, 0, key!, 0, key!.length, 1000, EntryType.STRING);
  records.append(bytes!, 0, bytes!.length).end();
  return records;
}

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
