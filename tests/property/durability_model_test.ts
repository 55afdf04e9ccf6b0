/**
 * Random commands on a store whose effects are logged, with snapshots taken in between: what is
 * recovered from snapshot and log, into a store of another shape, is what was there.
 */

import assert from "node:assert/strict";
import { Drain } from "../../src/durability/drain.ts";
import { EffectRecorder } from "../../src/durability/effect_recorder.ts";
import { HISTORY_BYTES } from "../../src/durability/file_header.ts";
import { Intake } from "../../src/durability/intake.ts";
import { createIntakeMemory } from "../../src/durability/intake_layout.ts";
import { LogReader } from "../../src/durability/log_reader.ts";
import { LogWriter } from "../../src/durability/log_writer.ts";
import { RecordReader } from "../../src/durability/record.ts";
import { Replayer } from "../../src/durability/replayer.ts";
import { readSnapshot, SnapshotWriter } from "../../src/durability/snapshot_file.ts";
import { SnapshotTaker } from "../../src/durability/snapshot_taker.ts";
import { EntryType, type Store } from "../../src/store/store.ts";
import { Random } from "../helpers/fuzz/random.ts";
import { MemoryStorage } from "../helpers/memory_storage.ts";
import { say } from "../helpers/say.ts";
import { Harness, request } from "../unit/command/harness.ts";
import { contentOf } from "../unit/store/collection_helpers.ts";
import { smallStore } from "../unit/store/helpers.ts";
import { OPERATIONS } from "./commands/all_operations.ts";

/** With SLUICE_SEED the same run comes again. */
const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const HISTORY = new Uint8Array(HISTORY_BYTES).fill(3);
const DATABASES = 16;
const ROUNDS = 12;
const COMMANDS = 1200;
const FAMILIES = Object.keys(OPERATIONS);

/** Everything that can be seen of a store, as text by key. */
function contentsOf(store: Store): Map<string, string> {
  const contents = new Map<string, string>();
  const decoder = new TextDecoder("latin1");
  const key = new Uint8Array(8192);
  const c = store.collections.newHandle();
  for (let database = 0; database < DATABASES; database++) {
    for (let shard = 0; shard < store.shardCount; shard++) {
      let position = 0;
      do {
        position = store.scanShard(database, shard, position, (entry) => {
          const name = decoder.decode(key.subarray(0, store.copyKey(entry, key, 0)));
          contents.set(`${database} ${name}`, valueOf(store, entry));
        });
      } while (position !== 0);
    }
  }
  return contents;

  function valueOf(store: Store, entry: number): string {
    const type = store.entryType(entry);
    const facts = `${type} ${store.expireAtMs(entry)} ${store.isPinned(entry)} `;
    if (type !== EntryType.STRING) {
      store.collections.openEntry(c, entry);
      return facts + JSON.stringify(contentOf(c.cursor, type));
    }
    const bytes = new Uint8Array(store.stringLength(entry));
    store.copyString(entry, bytes, 0);
    return facts + decoder.decode(bytes);
  }
}

/** A store with a log, whose snapshots are taken as it is changed. */
class LoggedStore {
  readonly storage = new MemoryStorage();
  readonly harness: Harness;
  readonly recorder: EffectRecorder;
  readonly log: LogWriter;
  taking: { taker: SnapshotTaker; writer: SnapshotWriter; sawSwap: boolean } | undefined;
  snapshot: string | undefined;
  readonly #intake: Intake;
  readonly #drain: Drain;
  readonly #send: (bytes: Uint8Array | string) => Promise<string> | string;

  constructor(shardCount: number, private readonly random: Random) {
    const harness = new Harness({ shardCount, maxMemoryBytes: 64 * 2 ** 20 });
    this.harness = harness;
    this.recorder = new EffectRecorder(harness.store);
    harness.store.hook = this.recorder;
    const memory = createIntakeMemory(1, 2 ** 22);
    this.#intake = new Intake(memory, 0);
    this.#drain = new Drain(memory);
    this.log = LogWriter.begin({
      storage: this.storage,
      history: HISTORY,
      segmentBytes: 20_000,
      clock: () => 1,
    }, 0);
    const client = harness.connect();
    this.#send = (bytes) => client.send(bytes);
  }

  async execute(words: string[]): Promise<void> {
    await this.#send(request(...words));
    if (this.recorder.records.isEmpty) return;
    this.#intake.publish(this.recorder.records);
    if (this.random.oneIn(3)) this.write();
  }

  write(): void {
    const piece = this.#drain.take();
    if (piece === undefined) return;
    this.log.append(piece.bytes, piece.view, piece.end);
    this.#drain.release();
  }

  /** Begins a snapshot, or goes on with one. */
  stepSnapshot(): void {
    if (this.taking === undefined) {
      this.write();
      this.log.rotate();
      const { storage, log } = this;
      const options = { storage, history: HISTORY, position: log.position, createdAtMs: 1 };
      const writer = new SnapshotWriter(options);
      const taker = new SnapshotTaker(this.harness.store, writer, DATABASES);
      this.taking = { taker, writer, sawSwap: false };
      return;
    }
    const { taker, writer, sawSwap } = this.taking;
    if (taker.step()) return;
    this.taking = undefined;
    if (sawSwap) {
      writer.abandon();
      return;
    }
    this.write();
    this.log.sync();
    writer.finish(taker.keyCount, this.log.position);
    this.snapshot = writer.name;
  }

  stop(): void {
    if (this.taking !== undefined) {
      this.taking.taker.release();
      this.taking.writer.abandon();
      this.taking = undefined;
    }
    this.write();
    this.log.stop();
  }
}

/** What the files of a directory make of an empty store. */
function recover(storage: MemoryStorage, snapshot: string | undefined, shardCount: number) {
  const store = smallStore({
    shardCount,
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 16 * 2 ** 20,
    hashSeed: new Uint32Array([7, 8]),
  });
  const replayer = new Replayer(store);
  let fromPosition = 0;
  if (snapshot !== undefined) {
    const summary = readSnapshot(storage, snapshot, (record) => {
      assert.equal(replayer.apply(record), undefined);
    });
    fromPosition = summary.position;
  }
  const record = new RecordReader();
  new LogReader({
    storage,
    history: HISTORY,
    fromPosition,
    onFrame: ({ bytes, bodyStart, bodyEnd }) => {
      record.open(bytes, bodyStart, bodyEnd);
      for (let found = record.next(); found !== false; found = record.next()) {
        assert.equal(found, true);
        assert.equal(replayer.apply(record), undefined);
      }
    },
  }).read();
  replayer.finish();
  store.assertInvariants();
  return { store, replayer };
}

/** Keys of a type are mostly for that type, so that collections grow; now and then all types meet. */
function wordsOf(random: Random): string[] {
  const family = random.pick(FAMILIES);
  const operation = random.pick(OPERATIONS[family]!);
  const args = operation.args(random);
  if (random.oneIn(6)) return [operation.name, ...args];
  const prefix = family === "keys" ? random.pick(FAMILIES) : family;
  return [operation.name, ...args.map((word) => /^key\d$/.test(word) ? `${prefix}:${word}` : word)];
}

/** Commands that no operation of the model has, on purpose rare. */
function rareWords(random: Random): string[] {
  const key = `key${random.below(8)}`;
  const member = `m${random.below(5000)}`;
  if (random.oneIn(40)) return random.pick([["FLUSHDB"], ["SWAPDB", "0", "1"]]);
  return random.pick([
    ["SELECT", String(random.below(3))],
    ["MOVE", key, String(random.below(3))],
    ["EVENT", `user${random.below(3)}`, "add", "5"],
    ["SET", `big:${key}`, member.repeat(4000)],
    ["APPEND", `big:${key}`, "tail"],
    ["RPUSH", `list:${key}`, ...Array.from({ length: 300 }, (_, i) => `${member}:${i}`)],
    ["SADD", `set:${key}`, ...Array.from({ length: 600 }, (_, i) => `${member}:${i}`)],
    ["ZADD", `zset:${key}`, ...Array.from({ length: 600 }, (_, i) => [String(i), `m${i}`]).flat()],
    ["HSET", `hash:${key}`, ...Array.from({ length: 600 }, (_, i) => [`f${i}`, member]).flat()],
    ["HSET", `hash:${key}`, "long", "x".repeat(20_000)],
    ["PEXPIREAT", `list:${key}`, String(2 ** 45 + random.below(1000))],
    ["PERSIST", `list:${key}`],
    ["RENAME", `set:${key}`, `set:key${random.below(8)}`],
    ["COPY", `zset:${key}`, `zset:key${random.below(8)}`, "REPLACE"],
    ["SPOP", `set:${key}`, "100"],
    ["LTRIM", `list:${key}`, "50", "-50"],
    ["ZREMRANGEBYRANK", `zset:${key}`, "10", "300"],
    ["DEL", `set:${key}`, `zset:${key}`, `hash:${key}`],
  ]);
}

for (const [shardCount, recoveredShards] of [[1, 8], [8, 1], [8, 8]] as const) {
  Deno.test(`recovery: ${shardCount} shards come back in ${recoveredShards}`, async () => {
    say(`SLUICE_SEED=${SEED}`);
    const random = new Random(SEED + shardCount * 31 + recoveredShards);
    let [skipped, snapshots] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const logged = new LoggedStore(shardCount, random);
      // Some rounds have no snapshot, some one after the other.
      const stepEvery = random.pick(shardCount === 1 ? [0, 4, 12] : [0, 2, 4]);
      for (let i = 0; i < COMMANDS; i++) {
        const words = random.oneIn(10) ? rareWords(random) : wordsOf(random);
        if (words[0] === "SWAPDB" && logged.taking !== undefined) logged.taking.sawSwap = true;
        await logged.execute(words);
        if (stepEvery > 0 && random.oneIn(stepEvery)) logged.stepSnapshot();
      }
      logged.stop();
      const { store, replayer } = recover(logged.storage, logged.snapshot, recoveredShards);
      skipped += replayer.skippedCount;
      if (logged.snapshot !== undefined) snapshots++;
      const expected = contentsOf(logged.harness.store);
      const found = contentsOf(store);
      for (const [key, value] of expected) {
        assert.equal(found.get(key), value, `${key}, round ${round}, SLUICE_SEED=${SEED}`);
      }
      assert.equal(found.size, expected.size, `round ${round}, SLUICE_SEED=${SEED}`);
      logged.harness.store.assertInvariants();
    }
    assert.ok(snapshots >= 2 && skipped > 0, `${snapshots} snapshots, ${skipped} skipped`);
  });
}

Deno.test("recovery: effects of one command on one key share a number, and all are applied", async () => {
  const logged = new LoggedStore(4, new Random(1));
  await logged.execute(["SADD", "s", "a", "b", "c"]);
  await logged.execute(["ZADD", "z", "1", "a", "2", "b"]);
  await logged.execute(["RPUSH", "l", "1", "2", "3"]);
  logged.stop();
  const { store } = recover(logged.storage, undefined, 2);
  assert.deepEqual(contentsOf(store), contentsOf(logged.harness.store));
});
