/** A server's store and log, without the server. @module */

import assert from "node:assert/strict";
import { Drain } from "../../../src/durability/drain.ts";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { Intake } from "../../../src/durability/intake.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import { type LogEvent, LogKeeper } from "../../../src/durability/log_keeper.ts";
import type { SyncPolicy } from "../../../src/durability/sync_policy.ts";
import { createLogStatus, LogFigure, LogStatus } from "../../../src/durability/log_status.ts";
import { RecordType, RecordWriter } from "../../../src/durability/record.ts";
import { openLog, recover } from "../../../src/durability/recovery.ts";
import { EntryType, Store } from "../../../src/store/store.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { remove, set } from "../store/helpers.ts";

const encoder = new TextEncoder();
const NO_KEY = new Uint8Array(0);

/** One thread plays all parts. */
export class Site {
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
export function frameOf(name: string, value: string): RecordWriter {
  const records = new RecordWriter();
  const [key, bytes] = [name, value].map((text) => encoder.encode(text));
  records.begin(RecordType.STRING, 0, key!, 0, key!.length, 1000, EntryType.STRING);
  records.append(bytes!, 0, bytes!.length).end();
  return records;
}
