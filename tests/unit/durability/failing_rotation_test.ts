import assert from "node:assert/strict";
import { Drain } from "../../../src/durability/drain.ts";
import { EffectRecorder } from "../../../src/durability/effect_recorder.ts";
import { Intake } from "../../../src/durability/intake.ts";
import { createIntakeMemory } from "../../../src/durability/intake_layout.ts";
import { FILE_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { LogKeeper } from "../../../src/durability/log_keeper.ts";
import { createLogStatus, LogState, LogStatus } from "../../../src/durability/log_status.ts";
import { RecordType } from "../../../src/durability/record.ts";
import { openLog, recover } from "../../../src/durability/recovery.ts";
import { MemoryStorage, systemError } from "../../helpers/memory_storage.ts";
import { contentsOf, emptyStore } from "../../helpers/store_contents.ts";
import { set } from "../store/helpers.ts";

/** A log with an event that waits and a key; `pass` lets a retry's time go by. */
function makeSite(storage: MemoryStorage, reserveBytes: number) {
  const store = emptyStore(4);
  const found = recover(storage, store);
  const memory = createIntakeMemory(1, 2 ** 20);
  const intake = new Intake(memory, 0);
  const { records } = store.hook = new EffectRecorder(store);
  const status = new LogStatus(createLogStatus());
  let nowMs = 1_000_000;
  const clock = (): number => nowMs;
  const keeper = new LogKeeper({
    storage,
    history: found.history,
    log: openLog(storage, found, 2000, clock, reserveBytes),
    drain: new Drain(memory),
    store,
    databaseCount: 16,
    policy: "always",
    snapshotEveryBytes: Infinity,
    pending: found.pending,
    status,
    clock,
    report: () => {},
  }, 0);
  const pass = (): void => {
    nowMs += 1100;
    keeper.turn();
  };
  records.begin(RecordType.EVENT_ACCEPTED, 0, new Uint8Array(0), 0, 0, 0);
  records.appendUint64(1).append(new Uint8Array(1), 0, 1).end();
  set(store, "a", "1");
  intake.publish(records);
  keeper.turn();
  return { store, status, keeper, pass };
}

function assertFound(storage: MemoryStorage, expected: ReturnType<typeof contentsOf>): void {
  const store = emptyStore(4);
  const found = recover(storage.copy(), store);
  assert.deepEqual(contentsOf(store), expected);
  assert.deepEqual([...found.pending.jobs.keys()], [1]);
}

for (const [reserveBytes, writtenBytes] of [[0, 0], [0, 8], [1000, 0], [1000, 8]] as const) {
  const how = `${reserveBytes} bytes ahead, ${writtenBytes} written`;
  Deno.test(`keeper: a segment whose first write fails does not stop the next try: ${how}`, () => {
    const storage = new MemoryStorage();
    const { store, status, keeper, pass } = makeSite(storage, reserveBytes);
    // The header can be written, and perhaps a part of the events that come first.
    let left: number = writtenBytes;
    storage.fault = (call, name, byteCount) => {
      if (call !== "append" || !name.startsWith("log-") || byteCount <= FILE_HEADER_BYTES) return;
      if (left === 0) throw systemError("EIO");
      left = 0;
      return writtenBytes;
    };
    keeper.wantSnapshot();
    for (let i = 0; i < 3; i++) pass();
    assert.equal(status.state, LogState.FAILED);
    assertFound(storage, contentsOf(store));
    storage.fault = () => {};
    for (let i = 0; i < 10; i++) pass();
    assert.equal(status.state, LogState.SERVING);
    assert.ok(keeper.stop());
    assertFound(storage, contentsOf(store));
  });
}
