import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { ByteSlice, encodeJob, EventFields, JobView } from "../../../src/base/job.ts";
import { DamageError } from "../../../src/durability/damage.ts";
import { load } from "../../../src/data/load.ts";
import { Drain } from "../../../src/durability/drain.ts";
import { EVENT_ID_BYTES } from "../../../src/durability/event_id_records.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import { LogKeeper } from "../../../src/durability/log_keeper.ts";
import { createLogStatus, LogFigure, LogStatus } from "../../../src/durability/log_status.ts";
import { RecordType } from "../../../src/durability/record.ts";
import { openLog, recover } from "../../../src/durability/recovery.ts";
import { SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import { newTold } from "../../../src/durability/told.ts";
import { ThreadLog } from "../../../src/durability/thread_log.ts";
import { EventIds, IdState } from "../../../src/store/event_ids.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { emptyStore } from "../../helpers/store_contents.ts";

const encoder = new TextEncoder();
const WINDOW_MS = 600_000;

function slice(text: string): ByteSlice {
  const bytes = encoder.encode(text);
  return new ByteSlice().set(bytes, 0, bytes.length);
}

/** A server's log and ids, without the server: one thread plays all parts. */
class Site {
  readonly ids: EventIds;
  readonly log: ThreadLog;
  readonly keeper: LogKeeper;
  readonly pending: ReadonlyMap<number, Uint8Array>;
  readonly #status = createLogStatus();
  readonly #event = new EventFields();
  readonly #job = new Uint8Array(512);

  constructor(readonly storage: MemoryStorage, maxIds = 1000, windowMs = WINDOW_MS) {
    const store = emptyStore(4);
    this.ids = EventIds.create({ maxIds, windowMs });
    const found = recover(storage, store, () => {}, this.ids);
    this.pending = found.pending.jobs;
    const intake = createIntakeMemory(1, 2 ** 22);
    this.log = new ThreadLog(
      {
        intake,
        status: this.#status,
        confirmsDurable: true,
        firstEventNumber: found.pending.highestNumber + 1,
      },
      store,
      0,
    );
    this.keeper = new LogKeeper({
      storage,
      history: found.history,
      log: openLog(storage, found, 2 ** 20, Date.now),
      drain: new Drain(intake),
      store,
      databaseCount: 16,
      eventIds: this.ids,
      policy: "always",
      snapshotEveryBytes: Infinity,
      pending: found.pending,
      status: new LogStatus(this.#status),
      clock: Date.now,
      report: () => {},
    }, found.snapshot?.position ?? 0);
  }

  /** Accepts an event, as the intake does. */
  accept(user: string, id: string, acceptedAtMs = Date.now()): number {
    const { ids, log } = this;
    const event = this.#event.clear();
    event.user.set(encoder.encode(user), 0, user.length);
    event.action.set(encoder.encode("add"), 0, 3);
    event.id.set(encoder.encode(id), 0, id.length);
    event.acceptedAtMs = acceptedAtMs;
    event.number = log.nextEventNumber();
    ids.choose(event.user, event.id);
    assert.ok(ids.remember(acceptedAtMs, IdState.ENTERING));
    const { slot, ticket } = ids;
    const length = encodeJob(event, this.#job, 0);
    log.acceptEvent(event.number, this.#job, 0, length);
    ids.confirm(slot, ticket);
    return event.number;
  }

  /** Accepts so many events at once. */
  acceptBatch(count: number): void {
    const batch = this.log.beginBatch();
    const event = this.#event.clear();
    event.user.set(encoder.encode("bob"), 0, 3);
    event.action.set(encoder.encode("add"), 0, 3);
    for (let i = 0; i < count; i++) {
      event.number = this.log.nextEventNumber();
      batch.add(event.number, this.#job, 0, encodeJob(event, this.#job, 0));
      // Whenever the writer looks, nothing is there yet.
      this.keeper.turn();
    }
    batch.publish();
  }

  /** Settles an event, as a worker does. */
  settle(user: string, id: string, number: number, outcome: number, balance: number): void {
    const value = new Int64(balance < 0 ? -1 : 0, balance);
    this.log.settleEvent(number, outcome, false, value);
    assert.equal(this.find(user, id), IdState.PENDING);
    this.ids.settle(this.ids.slot, this.ids.ticket, outcome, value);
  }

  find(user: string, id: string): IdState {
    this.ids.choose(slice(user), slice(id));
    return this.ids.find(Date.now());
  }

  snapshot(): void {
    const status = new LogStatus(this.#status);
    this.keeper.wantSnapshot();
    for (let i = 0; i < 100_000 && status.get(LogFigure.SNAPSHOTS) === 0; i++) this.keeper.turn();
    assert.equal(status.get(LogFigure.SNAPSHOTS), 1, "a snapshot is complete");
  }

  /** What a start after a crash finds. */
  restarted(maxIds?: number, windowMs?: number): Site {
    this.keeper.turn();
    return new Site(this.storage.copy(), maxIds, windowMs);
  }
}

for (const where of ["the log", "a snapshot", "a snapshot and the log behind it"]) {
  Deno.test(`event ids: outcomes come back from ${where}`, () => {
    const site = new Site(new MemoryStorage());
    const first = site.accept("ann", "1");
    const second = site.accept("ann", "2");
    const third = site.accept("bob", "1");
    site.settle("ann", "1", first, 1, -5);
    if (where.endsWith("behind it")) site.snapshot();
    site.settle("ann", "2", second, 2, 0);
    if (where === "a snapshot") site.snapshot();
    let again = site.restarted();
    for (let start = 0; start < 2; start++) {
      assert.equal(again.find("ann", "1"), IdState.SETTLED);
      assert.equal(again.ids.outcome, 1);
      assert.equal(again.ids.balance.toNumber(), -5);
      assert.equal(again.find("ann", "2"), IdState.SETTLED);
      assert.equal(again.ids.outcome, 2);
      assert.equal(again.find("bob", "1"), IdState.PENDING);
      assert.equal(again.find("bob", "2"), IdState.ABSENT);
      // The event that goes on says where its id is.
      const job = again.pending.get(third)!;
      const view = new JobView().attach(job, 0, job.length);
      again.ids.settle(view.idSlot, view.idTicket, 1, new Int64(0, 9));
      assert.equal(again.find("bob", "1"), IdState.SETTLED);
      again.ids.assertInvariants();
      again = again.restarted();
    }
  });
}

Deno.test("event ids: they stay in a directory into which something is loaded", async () => {
  const site = new Site(new MemoryStorage());
  const settled = site.accept("ann", "1");
  site.settle("ann", "1", settled, 1, 5);
  site.snapshot();
  const behind = site.accept("bob", "2");
  site.settle("bob", "2", behind, 1, -7);
  site.accept("cat", "3");
  const stopped = site.restarted();
  assert.ok(stopped.keeper.stop());
  const { storage } = stopped;
  await load({
    storage,
    files: ["-"],
    standardInput: linesGiver('{"sluice_dump":1}\n{"end":{"keys":0,"events":0}}\n'),
    isAdded: true,
    skipsUnsupported: false,
    maxMemoryBytes: 64 * 2 ** 20,
    nowMs: Date.now(),
  });
  const loaded = new Site(storage);
  const { ids, pending } = loaded;
  const find = (user: string, id: string): IdState => loaded.find(user, id);
  assert.equal(find("ann", "1"), IdState.SETTLED);
  assert.deepEqual([ids.outcome, ids.balance.toString()], [1, "5"]);
  assert.equal(find("bob", "2"), IdState.SETTLED);
  assert.deepEqual([ids.outcome, ids.balance.toString()], [1, "-7"]);
  assert.equal(find("cat", "3"), IdState.PENDING);
  assert.equal(pending.size, 1);
});

/** Gives a text as a file would. */
function linesGiver(text: string): (target: Uint8Array) => number {
  let left = encoder.encode(text);
  return (target) => {
    const part = left.subarray(0, target.length);
    target.set(part);
    left = left.subarray(part.length);
    return part.length;
  };
}

Deno.test("event ids: a snapshot has all of many ids, and the newest come back where fewer fit", () => {
  const site = new Site(new MemoryStorage(), 20_000);
  const startMs = Date.now() - 300_000;
  const numbers = new Map<number, number>();
  for (let i = 0; i < 10_000; i++) numbers.set(i, site.accept("ann", `${i}`, startMs + i));
  for (const [i, number] of numbers) site.settle("ann", `${i}`, number, 1, i);
  site.snapshot();
  const again = site.restarted(20_000);
  assert.equal(again.ids.size, 10_000);
  for (const i of numbers.keys()) {
    assert.equal(again.find("ann", `${i}`), IdState.SETTLED, `${i}`);
    assert.equal(again.ids.balance.toNumber(), i);
  }
  const small = site.restarted(100);
  assert.equal(small.ids.size, 100);
  for (const i of numbers.keys()) {
    assert.equal(small.find("ann", `${i}`), i < 9900 ? IdState.ABSENT : IdState.SETTLED, `${i}`);
  }
});

Deno.test("event ids: after a start with a shorter window the older ones are not known", () => {
  const site = new Site(new MemoryStorage());
  const nowMs = Date.now();
  site.accept("ann", "old", nowMs - 200_000);
  site.accept("ann", "new", nowMs - 50_000);
  for (const hasSnapshot of [false, true]) {
    if (hasSnapshot) site.snapshot();
    const again = site.restarted(1000, 100_000);
    assert.equal(again.find("ann", "old"), IdState.ABSENT);
    assert.equal(again.find("ann", "new"), IdState.PENDING);
    assert.equal(again.ids.size, 1);
    // Pending all the same: it was accepted.
    assert.equal(again.pending.size, 2);
  }
});

Deno.test("event ids: with `always` who sends an event again is told when the first one is durable", () => {
  const site = new Site(new MemoryStorage());
  site.keeper.turn();
  const told = newTold();
  site.log.begin(told);
  site.log.tellEvent();
  assert.ok(site.log.isSafe(told));
  site.accept("ann", "1");
  // Another request of the same client, while the event is not in the file yet.
  site.log.begin(told);
  assert.equal(site.find("ann", "1"), IdState.PENDING);
  site.log.tellEvent();
  assert.ok(!site.log.isSafe(told), "the reply waits");
  assert.equal(new Site(site.storage.copy()).find("ann", "1"), IdState.ABSENT);
  site.keeper.turn();
  assert.ok(site.log.isSafe(told));
  assert.equal(new Site(site.storage.copy()).find("ann", "1"), IdState.PENDING);
});

Deno.test("event ids: a record of ids with a wrong length is damage", () => {
  const storage = new MemoryStorage();
  const history = new Uint8Array(16).fill(7);
  const writer = new SnapshotWriter({ storage, history, position: 0, createdAtMs: 0 });
  writer.records.begin(RecordType.EVENT_IDS, 0, new Uint8Array(0), 0, 0, 0);
  writer.records.append(new Uint8Array(EVENT_ID_BYTES + 8), 0, EVENT_ID_BYTES + 8).end();
  writer.finish(0, 0);
  assert.throws(
    () => new Site(storage),
    (error) =>
      error instanceof DamageError && /a record of ids has a wrong length/.test(`${error}`),
  );
});

Deno.test("events: a batch comes back whole or not at all, wherever the log is cut", () => {
  const site = new Site(new MemoryStorage());
  site.accept("ann", "1");
  site.keeper.turn();
  const name = site.storage.list().find((name) => name.startsWith("log"))!;
  const shortest = site.storage.bytesOf(name).length;
  site.acceptBatch(20);
  site.keeper.turn();
  const bytes = site.storage.bytesOf(name);
  assert.ok(bytes.length > shortest + 20 * 40, "the batch was written");
  const found = new Map<number, number>();
  for (let end = shortest; end <= bytes.length; end++) {
    const storage = site.storage.copy();
    storage.put(name, bytes.slice(0, end));
    const { size } = recover(storage, emptyStore(1), () => {}).pending.jobs;
    found.set(size, end);
  }
  assert.deepEqual([...found], [[1, bytes.length - 1], [21, bytes.length]]);
});
