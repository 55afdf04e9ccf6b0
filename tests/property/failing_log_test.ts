/**
 * Random commands on a store whose log is kept on a disk that fails now and then, and on which the power
 * is cut in the end: what is recovered is what there was behind some command, not in front of the last
 * one that was called durable.
 */

import assert from "node:assert/strict";
import { Drain } from "../../src/durability/drain.ts";
import { EffectRecorder } from "../../src/durability/effect_recorder.ts";
import { Intake } from "../../src/durability/intake.ts";
import { createIntakeMemory } from "../../src/durability/intake_layout.ts";
import { LogKeeper } from "../../src/durability/log_keeper.ts";
import { createLogStatus, LogFigure, LogStatus } from "../../src/durability/log_status.ts";
import { openLog, recover } from "../../src/durability/recovery.ts";
import type { SyncPolicy } from "../../src/durability/sync_policy.ts";
import type { Store } from "../../src/store/store.ts";
import { Random } from "../helpers/fuzz/random.ts";
import { MemoryStorage, systemError } from "../helpers/memory_storage.ts";
import { say } from "../helpers/say.ts";
import { contentsOf, emptyStore } from "../helpers/store_contents.ts";
import { Harness, request } from "../unit/command/harness.ts";
import { effort } from "../helpers/effort.ts";

/** With SLUICE_SEED the same run comes again. */
const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(Deno.env.get("SLUICE_ROUNDS") ?? effort(12, 25));

/** What a store has, short enough to be kept behind every command. */
function digestOf(store: Store): string {
  const parts = [...contentsOf(store)].map(([key, value]) => {
    let hash = 7;
    for (let i = 0; i < value.length; i++) hash = (Math.imul(hash, 31) + value.charCodeAt(i)) | 0;
    return `${key}=${value.slice(0, 30)}:${hash}`;
  });
  return parts.sort().join("|");
}

function commandOf(random: Random): string[] {
  const key = `k${random.below(4)}`;
  const other = `k${random.below(4)}`;
  const database = String(random.below(2));
  const text = String(random.below(1e6));
  if (random.oneIn(15)) return ["FLUSHDB"];
  if (random.oneIn(60)) return ["SWAPDB", "0", "1"];
  return random.pick<string[]>([
    ["SELECT", database],
    ["SET", key, text],
    ["SET", key, text.repeat(15_000)],
    ["SADD", key, ...Array.from({ length: 700 }, (_, i) => `${i}`.padStart(120, text))],
    ["APPEND", key, text],
    ["APPEND", key, text],
    ["RENAME", key, other],
    ["RENAME", key, other],
    ["COPY", key, other, "DB", database, "REPLACE"],
    ["MOVE", key, database],
    ["DEL", key],
    ["SADD", key, text],
    ["RPUSH", key, text],
    ["LPOP", key],
    ["HSET", key, text, text],
  ]);
}

/** A store, its log and its disk. */
class Run {
  readonly storage = new MemoryStorage();
  readonly kinds = new Map<string, number>();
  readonly #random: Random;
  readonly #harness = new Harness({ shardCount: 4, maxMemoryBytes: 64 * 2 ** 20 });
  readonly #recorder = new EffectRecorder(this.#harness.store);
  readonly #client = this.#harness.connect();
  readonly #intake: Intake;
  readonly #keeper: LogKeeper;
  /** What there was behind each change, and the piece of the log that has it. */
  readonly #states: { piece: number; digest: string }[] = [{ piece: -1, digest: "" }];
  #durable = 0;
  #nowMs = 1e6;
  /** While it is above 0, every second call of the disk fails. */
  #faultyTurns = 0;
  /** That is, calls about files whose names begin so. */
  #faultyNames = "";

  constructor(random: Random, policy: SyncPolicy) {
    this.#random = random;
    const { store } = this.#harness;
    const memory = createIntakeMemory(1, 2 ** 22);
    const intake = this.#intake = new Intake(memory, 0);
    const status = new LogStatus(createLogStatus());
    const recorder = this.#recorder;
    store.hook = recorder;
    recorder.log = {
      get snapshotRuns() {
        return status.get(LogFigure.SNAPSHOT_RUNS) !== 0;
      },
      publish: () => intake.publish(recorder.records),
    };
    const { storage } = this;
    const clock = (): number => this.#nowMs;
    const found = recover(storage, emptyStore(1));
    this.#keeper = new LogKeeper({
      storage,
      history: found.history,
      log: openLog(storage, found, 30_000, clock, random.pick([0, 50_000])),
      drain: new Drain(memory),
      store,
      databaseCount: 16,
      policy,
      snapshotEveryBytes: random.pick([Infinity, 200_000]),
      pending: found.pending,
      status,
      clock,
      report: ({ kind }) => this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1),
    }, 0);
    storage.fault = (call, name, byteCount) => {
      if (this.#faultyTurns === 0 || random.oneIn(2)) return;
      if (!name.startsWith(this.#faultyNames)) return;
      if (call === "append" && byteCount > 1 && random.oneIn(2)) return random.below(byteCount) + 1;
      throw systemError(random.pick(["EIO", "ENOSPC"]));
    };
  }

  async play(hint: string): Promise<void> {
    const random = this.#random;
    for (let left = 30 + random.below(120); left > 0; left--) {
      await this.#change();
      if (random.oneIn(12)) this.#keeper.wantSnapshot();
      if (this.#faultyTurns > 0) this.#faultyTurns--;
      else if (random.oneIn(10)) this.#faultyTurns = 2 + random.below(4);
      if (random.oneIn(3)) this.#faultyNames = random.pick(["", "log", "snapshot"]);
      for (let turns = random.below(4); turns > 0; turns--) {
        this.#nowMs += random.below(700);
        this.#keeper.turn();
      }
      const isDurable = this.#states.map(({ piece }) => this.#intake.isDurable(piece));
      this.#durable = Math.max(this.#durable, isDurable.lastIndexOf(true));
      if (random.oneIn(8)) this.assertRecovers(hint);
    }
    if (random.oneIn(3) && this.#keeper.stop()) this.#durable = this.#states.length - 1;
  }

  async #change(): Promise<void> {
    await this.#client.send(request(...commandOf(this.#random)));
    const { records } = this.#recorder;
    if (records.isEmpty) return;
    this.#intake.publish(records);
    const digest = digestOf(this.#harness.store);
    this.#states.push({ piece: this.#intake.lastPiece, digest });
  }

  /** Checks what a start finds when the power is cut now. */
  assertRecovers(hint: string): void {
    const random = this.#random;
    const survives = random.pick([() => false, () => true, () => random.oneIn(2)]);
    const store = emptyStore(8);
    recover(this.storage.afterPowerCut(survives), store);
    const digest = digestOf(store);
    const found = this.#states.findLastIndex((state) => state.digest === digest);
    assert.ok(
      found >= this.#durable,
      `${hint}: found what was behind change ${found}, and ${this.#durable} was durable: ${digest}`,
    );
  }
}

Deno.test("recovery: whatever the disk does, what was called durable is there, and nothing by halves", async () => {
  say(`SLUICE_SEED=${SEED}`);
  const seen = new Set<string>();
  for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
    const random = new Random(seed);
    // `no` calls durable what a power cut may take.
    const run = new Run(random, random.pick(["always", "everysec"]));
    await run.play(`SLUICE_SEED=${seed}`);
    run.assertRecovers(`SLUICE_SEED=${seed}`);
    for (const kind of run.kinds.keys()) seen.add(kind);
  }
  for (const kind of ["failed", "begun anew", "resumed", "snapshot"]) {
    assert.ok(seen.has(kind), kind);
  }
});
