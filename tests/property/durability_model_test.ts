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
import { LogWriter } from "../../src/durability/log_writer.ts";
import { recover } from "../../src/durability/recovery.ts";
import { SnapshotWriter } from "../../src/durability/snapshot_file.ts";
import { SnapshotTaker } from "../../src/durability/snapshot_taker.ts";
import type { Store } from "../../src/store/store.ts";
import { Random } from "../helpers/fuzz/random.ts";
import { contentsOf, emptyStore } from "../helpers/store_contents.ts";
import { MemoryStorage } from "../helpers/memory_storage.ts";
import { say } from "../helpers/say.ts";
import { Harness, request } from "../unit/command/harness.ts";
import { OPERATIONS } from "./commands/all_operations.ts";
import { effort } from "../helpers/effort.ts";

/** With SLUICE_SEED the same run comes again. */
const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const HISTORY = new Uint8Array(HISTORY_BYTES).fill(3);
const DATABASES = 16;
const ROUNDS = effort(6, 12);
const COMMANDS = 1200;
const FAMILIES = Object.keys(OPERATIONS);

/** A store with a log, whose snapshots are taken as it is changed. */
class LoggedStore {
  readonly storage = new MemoryStorage();
  readonly harness: Harness;
  readonly recorder: EffectRecorder;
  readonly log: LogWriter;
  taking: { taker: SnapshotTaker; writer: SnapshotWriter; sawSwap: boolean } | undefined;
  snapshotCount = 0;
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
    this.snapshotCount++;
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

/** What the files of a directory make of an empty store of another shape. */
function recovered(storage: MemoryStorage, shardCount: number): Store {
  const store = emptyStore(shardCount);
  recover(storage, store);
  store.assertInvariants();
  return store;
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
    let snapshots = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const logged = new LoggedStore(shardCount, random);
      // In turn: no snapshot, and one after the other, each in fewer and in more commands.
      const stepEvery = (shardCount === 1 ? [0, 4, 12] : [0, 2, 4])[round % 3]!;
      for (let i = 0; i < COMMANDS; i++) {
        const words = random.oneIn(10) ? rareWords(random) : wordsOf(random);
        if (words[0] === "SWAPDB" && logged.taking !== undefined) logged.taking.sawSwap = true;
        await logged.execute(words);
        if (stepEvery > 0 && random.oneIn(stepEvery)) logged.stepSnapshot();
      }
      logged.stop();
      snapshots += logged.snapshotCount;
      const expected = contentsOf(logged.harness.store);
      const found = contentsOf(recovered(logged.storage, recoveredShards));
      for (const [key, value] of expected) {
        assert.equal(found.get(key), value, `${key}, round ${round}, SLUICE_SEED=${SEED}`);
      }
      assert.equal(found.size, expected.size, `round ${round}, SLUICE_SEED=${SEED}`);
      logged.harness.store.assertInvariants();
    }
    assert.ok(snapshots >= 2, `${snapshots} snapshots`);
  });
}

Deno.test("recovery: effects of one command on one key share a number, and all are applied", async () => {
  const logged = new LoggedStore(4, new Random(1));
  await logged.execute(["SADD", "s", "a", "b", "c"]);
  await logged.execute(["ZADD", "z", "1", "a", "2", "b"]);
  await logged.execute(["RPUSH", "l", "1", "2", "3"]);
  logged.stop();
  assert.deepEqual(contentsOf(recovered(logged.storage, 2)), contentsOf(logged.harness.store));
});

Deno.test("recovery: a key that the snapshot has last, and the log first, is not changed twice", async () => {
  const logged = new LoggedStore(1, new Random(1));
  while (logged.taking === undefined) logged.stepSnapshot();
  await logged.execute(["RPUSH", "l", "1", "2"]);
  while (logged.taking !== undefined) logged.stepSnapshot();
  logged.stop();
  assert.equal(logged.snapshotCount, 1);
  assert.deepEqual(contentsOf(recovered(logged.storage, 1)), contentsOf(logged.harness.store));
});

Deno.test("recovery: what came back from several shards is changed as what was always in one", async () => {
  const random = new Random(SEED);
  const logged = new LoggedStore(8, random);
  // Lists of many shards, whose last mutations have the same numbers in theirs.
  const names = Array.from({ length: 64 }, (_, i) => `list:${i}`);
  for (const name of names) {
    const count = 2 + random.below(3);
    for (let i = 0; i < count; i++) {
      await logged.execute(["RPUSH", name, `${name}:${i}`.padEnd(8 + random.below(20), "x")]);
    }
  }
  logged.stop();
  const found = new Harness({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
  recover(logged.storage, found.store);
  const model = new Map(names.map((name) => [name, [] as string[]]));
  const client = found.connect();
  for (const name of names) {
    const reply = await client.send(request("LRANGE", name, "0", "-1"));
    model.set(name, reply.split("\r\n").filter((line) => line.startsWith("list:")));
  }
  for (let i = 0; i < 3000; i++) {
    const name = random.pick(names);
    const list = model.get(name)!;
    if (random.oneIn(2)) {
      const reply = await client.send(request("RPOP", name));
      const last = list.pop();
      assert.equal(reply, last === undefined ? "$-1\r\n" : `$${last.length}\r\n${last}\r\n`);
    } else {
      const value = `list:${i}`.padEnd(8 + random.below(20), "y");
      list.push(value);
      await client.send(request("RPUSH", name, value));
    }
  }
});
