/**
 * Snapshots that begin and end anywhere among random commands on several databases, with commands that
 * were put into the log and not written yet when they begin.
 */

import assert from "node:assert/strict";
import { EffectRecorder } from "../../src/durability/effect_recorder.ts";
import { FRAME_HEADER_BYTES } from "../../src/durability/layout.ts";
import { RecordReader, RecordType } from "../../src/durability/record.ts";
import { Replayer } from "../../src/durability/replayer.ts";
import { readSnapshot, SnapshotWriter } from "../../src/durability/snapshot_file.ts";
import { SnapshotTaker } from "../../src/durability/snapshot_taker.ts";
import { Random } from "../helpers/fuzz/random.ts";
import { MemoryStorage } from "../helpers/memory_storage.ts";
import { say } from "../helpers/say.ts";
import { contentsOf, emptyStore } from "../helpers/store_contents.ts";
import { Harness, request } from "../unit/command/harness.ts";
import { effort } from "../helpers/effort.ts";

/** With SLUICE_SEED the same run comes again. */
const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(Deno.env.get("SLUICE_ROUNDS") ?? effort(20, 50));
const KEYS = 5;
const DATABASES = 3;

/** A server's store, its log, and one snapshot. */
class Run {
  readonly log = { snapshotRuns: false, publish: () => {} };
  readonly #harness: Harness;
  readonly #recorder: EffectRecorder;
  readonly #client: { send(bytes: Uint8Array | string): Promise<string> | string };
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    this.#harness = new Harness({
      shardCount: random.pick([1, 4, 16]),
      maxMemoryBytes: 64 * 2 ** 20,
    });
    this.#recorder = new EffectRecorder(this.store);
    this.#recorder.log = this.log;
    this.store.hook = this.#recorder;
    this.#client = this.#harness.connect();
  }

  get store() {
    return this.#harness.store;
  }

  /** What was put into the log since it was asked last. */
  takeLog(): Uint8Array {
    const { records } = this.#recorder;
    const taken = records.bytes.slice(FRAME_HEADER_BYTES, records.length);
    records.clear();
    return taken;
  }

  async execute(count: number): Promise<void> {
    const random = this.#random;
    for (let i = 0; i < count; i++) {
      const isTransaction = random.oneIn(8);
      if (isTransaction) await this.send(["MULTI"]);
      const length = isTransaction ? 4 : 1;
      for (let k = 0; k < length; k++) await this.send(this.#command());
      if (isTransaction) await this.send(["EXEC"]);
    }
  }

  async send(words: readonly string[]): Promise<void> {
    await this.#client.send(request(...words));
  }

  #command(): string[] {
    const random = this.#random;
    const key = `k${random.below(KEYS)}`;
    const other = `k${random.below(KEYS)}`;
    const database = String(random.below(DATABASES));
    const text = String(random.below(1e6));
    const members = Array.from({ length: 1 + random.below(3) }, () => `m${random.below(9)}`);
    if (random.oneIn(12)) return ["FLUSHDB"];
    return random.pick<string[]>([
      ["SELECT", database],
      ["SELECT", database],
      ["SET", key, text],
      ["SET", key, text.repeat(20_000)],
      ["SET", key, text.repeat(20_000), "PXAT", String(2 ** 45 + random.below(9))],
      ["APPEND", key, text],
      ["APPEND", key, text],
      ["SETRANGE", key, String(random.below(90_000)), text],
      ["RENAME", key, other],
      ["RENAME", key, other],
      ["COPY", key, other, "DB", database, "REPLACE"],
      ["COPY", key, other, "REPLACE"],
      ["MOVE", key, database],
      ["DEL", key],
      ["PEXPIREAT", key, random.oneIn(2) ? "1" : String(2 ** 45 + random.below(9))],
      ["PERSIST", key],
      ["SADD", key, ...members],
      ["SREM", key, ...members],
      ["SADD", key, ...Array.from({ length: 600 }, (_, i) => `${i}`.padStart(120, text))],
      ["SMOVE", key, other, members[0]!],
      ["RPUSH", key, ...members],
      ["RPUSH", key, ...Array.from({ length: 600 }, (_, i) => `${i}`.padStart(120, text))],
      ["LMOVE", key, other, "LEFT", "RIGHT"],
      ["LINSERT", key, "BEFORE", members[0]!, text],
      ["LREM", key, "0", members[0]!],
      ["LTRIM", key, "2", "400"],
      ["ZADD", key, "1", members[0]!, "2", members.at(-1)!],
      ["ZREMRANGEBYRANK", key, "0", "1"],
      ["HSET", key, members[0]!, text, members.at(-1)!, key],
      ["HDEL", key, ...members],
      ["MSET", key, text, other, text],
      ["INCR", key],
      ["EVENT", "ann", "add", "3"],
    ]);
  }
}

function replay(replayer: Replayer, log: Uint8Array, seen: Set<RecordType>): void {
  const record = new RecordReader().open(log, 0, log.length);
  for (let found = record.next(); found !== false; found = record.next()) {
    assert.equal(found, true);
    seen.add(record.type);
    assert.equal(replayer.apply(record), undefined);
  }
}

/** Takes a snapshot, with something to be done before each of its steps; its name. */
async function takeSnapshot(
  run: Run,
  storage: MemoryStorage,
  beforeStep: () => Promise<void> = async () => {},
): Promise<string> {
  const history = new Uint8Array(16);
  const writer = new SnapshotWriter({ storage, history, position: 0, createdAtMs: 1 });
  const taker = new SnapshotTaker(run.store, writer, 16);
  run.log.snapshotRuns = true;
  do {
    await beforeStep();
  } while (taker.step());
  writer.finish(taker.keyCount, 0);
  run.log.snapshotRuns = false;
  return writer.name;
}

/** What comes of a snapshot, and of the log since `Run.takeLog` was called last, is what is there. */
function assertRecovered(
  run: Run,
  storage: MemoryStorage,
  name: string,
  seen = new Set<RecordType>(),
  hint = "",
): void {
  const copy = emptyStore(8);
  const replayer = new Replayer(copy);
  readSnapshot(storage, name, (record) => {
    assert.equal(replayer.apply(record), undefined);
  });
  replay(replayer, run.takeLog(), seen);
  replayer.finish();
  copy.assertInvariants();
  const [found, expected] = [copy, run.store].map((store) =>
    [...contentsOf(store)].map(([key, value]) => `${key} = ${value}`).sort()
  );
  const brief = (texts: string[]): string[] => texts.map((text) => text.slice(0, 300));
  assert.deepEqual(brief(found!), brief(expected!), hint);
  assert.deepEqual(found, expected, hint);
}

async function playRound(seed: number, seen: Set<RecordType>): Promise<void> {
  const random = new Random(seed);
  const run = new Run(random);
  await run.execute(random.below(60));
  run.takeLog();
  // Put in and not written: behind the position of the snapshot.
  await run.execute(random.below(25));
  const storage = new MemoryStorage();
  const commandEvery = 1 + random.below(8);
  const name = await takeSnapshot(run, storage, async () => {
    if (random.oneIn(commandEvery)) await run.execute(1);
  });
  await run.execute(random.below(12));
  assertRecovered(run, storage, name, seen, `SLUICE_SEED=${seed}`);
}

Deno.test("recovery: from a snapshot that begins and ends anywhere comes what was there", async () => {
  say(`SLUICE_SEED=${SEED}`);
  const seen = new Set<RecordType>();
  for (let round = 0; round < ROUNDS; round++) await playRound(SEED + round, seen);
  for (const type of [RecordType.COPIED, RecordType.STRING_RANGE, RecordType.FLUSHED]) {
    assert.ok(seen.has(type), `records of type ${type}`);
  }
});

for (const way of [["MOVE", "k", "1"], ["COPY", "k", "k", "DB", "1"]]) {
  Deno.test(`recovery: ${way[0]} to a database that was flushed just before is not lost`, async () => {
    const run = new Run(new Random(1));
    await run.send(["SET", "k", "x".repeat(100_000)]);
    await run.send(["SELECT", "1"]);
    await run.send(["SET", "other", "1"]);
    run.takeLog();
    await run.send(["FLUSHDB"]);
    await run.send(["SELECT", "0"]);
    await run.send(way);
    await run.send(["SET", "k", "something else"]);
    const storage = new MemoryStorage();
    assertRecovered(run, storage, await takeSnapshot(run, storage));
  });
}
