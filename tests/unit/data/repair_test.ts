import assert from "node:assert/strict";
import { forecastOf, inspect } from "../../../src/data/inspect.ts";
import { executeRepair, planRepair, type RepairPlan } from "../../../src/data/repair.ts";
import { FILE_HEADER_BYTES } from "../../../src/durability/layout.ts";
import { filesOf } from "../../../src/durability/file_names.ts";
import { encodeFileHeader, HISTORY_BYTES } from "../../../src/durability/file_header.ts";
import { effort } from "../../helpers/effort.ts";
import type { MemoryStorage } from "../../helpers/memory_storage.ts";
import {
  keysAfterStart,
  keysUpTo,
  SMALL_ROOM,
  type SmallLog,
  smallLog,
} from "../../helpers/data/small_logs.ts";

/** One place of so many is damaged in a run, others in the next one; with `test:full` each of them. */
const STRIDE = effort(4, 1);
const FIRST_PLACE = Math.floor(Math.random() * STRIDE);

type Possible = Extract<RepairPlan, { kind: "possible" }>;

function possible(storage: MemoryStorage, context: string): Possible {
  const plan = planRepair(storage, SMALL_ROOM);
  assert.equal(plan.kind, "possible", `${context}: ${JSON.stringify(plan)}`);
  return plan as Possible;
}

/** Which keys are in front of a place of the log. */
function keysBefore({ frames }: SmallLog, segment: string, offset: number): string[] {
  return frames.filter((frame) =>
    frame.segment < segment || (frame.segment === segment && frame.end <= offset)
  ).map(({ key }) => key);
}

/** Everything that a directory has, to see that nothing of it is lost. */
function bytesOf(storage: MemoryStorage): number {
  return storage.list().reduce((sum, name) => sum + storage.bytesOf(name).length, 0);
}

/** Repairs, and checks that what is cut off is kept and that a start finds these keys. */
function repairs(storage: MemoryStorage, plan: Possible, keys: string[], context: string): void {
  const before = bytesOf(storage);
  const restored = plan.steps.filter(({ kind }) => kind === "restore header").length;
  const kept = executeRepair(storage, plan.steps);
  assert.equal(kept.length, plan.steps.length, context);
  if (restored === 0) assert.equal(bytesOf(storage), before, `${context}: nothing is destroyed`);
  else assert.ok(bytesOf(storage) > before, context);
  assert.deepEqual(keysAfterStart(storage), keys, context);
  assert.equal(plan.after.keyCount, keys.length, context);
  assert.equal(planRepair(storage, SMALL_ROOM).kind, "nothing to do", context);
}

Deno.test("repair: a bit that flipped anywhere in a log is found, and all in front of it is saved", () => {
  const whole = smallLog(8);
  const outcomes = { harmless: 0, header: 0, cut: 0 };
  for (const { name, position } of filesOf(whole.storage.list(), "log")) {
    const { length } = whole.storage.bytesOf(name);
    for (let at = FIRST_PLACE; at < length; at += STRIDE) {
      const context = `byte ${at} of ${name}`;
      const storage = whole.storage.copy();
      storage.bytesOf(name)[at]! ^= 1 << (at % 8);
      const { files, forecast } = inspect(storage, SMALL_ROOM);
      const { problem } = files.find((file) => file.name === name)!;
      assert.ok(problem !== undefined && problem.offset <= at, context);
      if (forecast.kind === "starts") {
        // The mark of the stop, behind which nothing is.
        assert.ok(forecast.torn !== undefined && forecast.torn.offset <= at, context);
        assert.deepEqual(keysAfterStart(storage), keysUpTo(8), context);
        outcomes.harmless++;
        continue;
      }
      assert.equal(forecast.damage.file, name, context);
      assert.ok(forecast.damage.offset <= at, context);
      const plan = possible(storage, context);
      if (at < FILE_HEADER_BYTES) {
        // What belongs into a header is known: nothing is lost.
        assert.deepEqual(plan.steps.map(({ kind }) => kind), ["restore header"], context);
        assert.deepEqual([plan.loss.byteCount, plan.loss.recordCount], [0, 0], context);
        repairs(storage, plan, keysUpTo(8), context);
        outcomes.header++;
        continue;
      }
      const [first] = plan.steps;
      assert.ok(first?.kind === "cut" && first.file === name && first.offset <= at, context);
      const keys = keysBefore(whole, name, first.offset);
      const lost = 8 - keys.length;
      // The frame that is damaged cannot be counted any more, unless it is a mark.
      assert.ok([lost, lost - 1].includes(plan.loss.recordCount), context);
      assert.ok(plan.loss.unreadableBytes > 0, context);
      assert.equal(plan.loss.fromPosition, position + first.offset - FILE_HEADER_BYTES, context);
      assert.equal(plan.loss.missingBytes, 0, context);
      repairs(storage, plan, keys, context);
      outcomes.cut++;
    }
  }
  assert.ok(Math.min(...Object.values(outcomes)) > 30 / STRIDE, JSON.stringify(outcomes));
});

Deno.test("repair: wherever a segment ends too early, what is in front of that is saved", () => {
  const whole = smallLog(8);
  const segments = filesOf(whole.storage.list(), "log");
  for (const { name } of segments) {
    const bytes = whole.storage.bytesOf(name);
    for (let cut = FIRST_PLACE; cut < bytes.length; cut += STRIDE) {
      const context = `${name} cut at ${cut}`;
      const storage = whole.storage.copy();
      storage.put(name, bytes.subarray(0, cut));
      const keys = keysBefore(whole, name, cut);
      const forecast = forecastOf(storage, SMALL_ROOM);
      if (forecast.kind === "starts") {
        // In the last segment, behind all that any mark calls durable.
        assert.equal(name, segments.at(-1)!.name, context);
        assert.ok(cut >= FILE_HEADER_BYTES, context);
        continue;
      }
      assert.equal(forecast.damage.offset <= cut, true, context);
      if (cut < FILE_HEADER_BYTES && name === segments[0]!.name) {
        const plan = planRepair(storage, SMALL_ROOM);
        assert.equal(plan.kind, "impossible", "of nothing nothing can be saved");
        continue;
      }
      repairs(storage, possible(storage, context), keys, context);
    }
  }
});

Deno.test("repair: behind a segment that is missing nothing can be used, and the gap is told", () => {
  const whole = smallLog(12);
  const segments = filesOf(whole.storage.list(), "log");
  for (const [index, { name, position }] of segments.entries()) {
    const storage = whole.storage.copy();
    storage.remove(name);
    if (index === 0) {
      const plan = planRepair(storage, SMALL_ROOM);
      assert.ok(plan.kind === "impossible" && /is missing/.test(plan.reason), plan.kind);
      continue;
    }
    if (index === segments.length - 1) continue;
    const plan = possible(storage, name);
    assert.ok(plan.steps.every(({ kind }) => kind === "set aside"), name);
    assert.equal(plan.loss.fromPosition, position, name);
    assert.equal(plan.loss.missingBytes, segments[index + 1]!.position - position, name);
    repairs(storage, plan, keysBefore(whole, name, 0), name);
  }
});

Deno.test("repair: a file of another directory is set aside, and nothing else", () => {
  const { storage } = smallLog(8);
  const [first, second] = filesOf(storage.list(), "log");
  const foreign = storage.bytesOf(second!.name).slice();
  const history = new Uint8Array(HISTORY_BYTES);
  foreign.set(encodeFileHeader({
    kind: "log",
    flags: 0,
    position: second!.position + 8,
    createdAtMs: 0,
    history,
  }));
  const name = `log-${String(second!.position + 8).padStart(20, "0")}.sluice`;
  storage.put(name, foreign);
  const forecast = forecastOf(storage, SMALL_ROOM);
  assert.ok(forecast.kind === "refuses" && forecast.damage.file === name && first !== undefined);
  const plan = possible(storage, name);
  assert.deepEqual(plan.steps, [{ kind: "set aside", file: name }]);
  repairs(storage, plan, keysUpTo(8), name);
});

Deno.test("repair: files of a newer program are left alone", () => {
  const { storage } = smallLog(8);
  for (const { name, position } of filesOf(storage.list(), "log")) {
    const header = encodeFileHeader({
      kind: "log",
      flags: 0,
      position,
      createdAtMs: 0,
      history: new Uint8Array(HISTORY_BYTES).fill(9),
    }, 2);
    storage.bytesOf(name).set(header);
  }
  const plan = planRepair(storage, SMALL_ROOM);
  assert.ok(plan.kind === "impossible");
  assert.match(plan.reason, /version 2 of the format; this program reads version 1/);
});

Deno.test("repair: a damaged snapshot is no damage while the log has everything", () => {
  const { storage } = smallLog(8, 4);
  const [snapshot] = filesOf(storage.list(), "snapshot");
  for (let at = 0; at < storage.bytesOf(snapshot!.name).length; at += 3) {
    const damaged = storage.copy();
    damaged.bytesOf(snapshot!.name)[at]! ^= 4;
    const { files, forecast } = inspect(damaged, SMALL_ROOM);
    assert.ok(files[0]!.problem!.offset <= at, `byte ${at}`);
    assert.ok(forecast.kind === "starts" && forecast.keyCount === 8, `byte ${at}`);
    assert.deepEqual(forecast.passedOver.map(({ file }) => file), [snapshot!.name]);
    assert.equal(planRepair(damaged, SMALL_ROOM).kind, "nothing to do");
  }
});

Deno.test("repair: a damaged snapshot without the log in front of it is told, and nothing is cut", () => {
  const { storage } = smallLog(8, 4, true);
  const [snapshot] = filesOf(storage.list(), "snapshot");
  for (let at = 0; at < storage.bytesOf(snapshot!.name).length; at += 3) {
    const damaged = storage.copy();
    damaged.bytesOf(snapshot!.name)[at]! ^= 4;
    const forecast = forecastOf(damaged, SMALL_ROOM);
    assert.ok(forecast.kind === "refuses" && forecast.damage.file === snapshot!.name);
    const plan = planRepair(damaged, SMALL_ROOM);
    assert.ok(plan.kind === "impossible" && plan.reason.includes(snapshot!.name), plan.kind);
  }
  // Not even when there is no log at all: nobody begins with nothing.
  for (const { name } of filesOf(storage.list(), "log")) storage.remove(name);
  storage.bytesOf(snapshot!.name)[100]! ^= 1;
  assert.equal(forecastOf(storage, SMALL_ROOM).kind, "refuses");
  assert.equal(planRepair(storage, SMALL_ROOM).kind, "impossible");
});

Deno.test("repair: behind a snapshot the log is cut as everywhere", () => {
  const whole = smallLog(20, 5, true);
  const segments = filesOf(whole.storage.list(), "log");
  const { name } = segments[1]!;
  const storage = whole.storage.copy();
  storage.bytesOf(name)[FILE_HEADER_BYTES + 190]! ^= 1;
  const plan = possible(storage, name);
  // The first five are in the snapshot.
  const keys = keysBefore(whole, name, FILE_HEADER_BYTES + 190);
  assert.ok(keys.length > 6 && keys.length < 19);
  repairs(storage, plan, keys, name);
  assert.ok(plan.loss.fromMs! < plan.loss.toMs!, "when it was written is told by the marks");
});

Deno.test("repair: a cut in front of a snapshot leaves the snapshot, too", () => {
  const whole = smallLog(10, 5);
  const storage = whole.storage.copy();
  const [snapshot] = filesOf(storage.list(), "snapshot");
  const [first] = filesOf(storage.list(), "log");
  storage.bytesOf(snapshot!.name)[80]! ^= 1;
  storage.bytesOf(first!.name)[FILE_HEADER_BYTES + 190]! ^= 1;
  const plan = possible(storage, "both");
  assert.ok(plan.steps.some(({ file }) => file === snapshot!.name));
  assert.ok(plan.steps.some(({ kind }) => kind === "cut"));
  executeRepair(storage, plan.steps);
  assert.deepEqual(filesOf(storage.list(), "snapshot"), []);
  assert.deepEqual(keysAfterStart(storage), keysUpTo(plan.after.keyCount));
});

Deno.test("repair: a snapshot that ends too early is damage, wherever it does", () => {
  const { storage } = smallLog(8, 4);
  const alone = smallLog(8, 4, true).storage;
  const { name } = filesOf(storage.list(), "snapshot")[0]!;
  const bytes = storage.bytesOf(name);
  for (let cut = 0; cut < bytes.length; cut += 7) {
    const [withLog, withoutLog] = [storage.copy(), alone.copy()];
    for (const directory of [withLog, withoutLog]) directory.put(name, bytes.subarray(0, cut));
    const forecast = forecastOf(withLog, SMALL_ROOM);
    assert.ok(forecast.kind === "starts" && forecast.keyCount === 8, `cut at ${cut}`);
    assert.equal(forecast.passedOver[0]?.file, name);
    const refused = forecastOf(withoutLog, SMALL_ROOM);
    assert.ok(refused.kind === "refuses" && refused.damage.file === name, `cut at ${cut}`);
  }
});

Deno.test("repair: whether the server was stopped is told", () => {
  const { storage } = smallLog(3);
  const stopped = forecastOf(storage, SMALL_ROOM);
  assert.ok(stopped.kind === "starts" && stopped.isAfterStop);
  const { name } = filesOf(storage.list(), "log")[0]!;
  const bytes = storage.bytesOf(name);
  // Without the mark of the stop, which is a frame of its own.
  storage.put(name, bytes.subarray(0, bytes.length - 56));
  const crashed = forecastOf(storage, SMALL_ROOM);
  assert.ok(crashed.kind === "starts" && !crashed.isAfterStop && crashed.torn === undefined);
});

Deno.test("repair: zeros that a segment has ahead of what is written are nothing to repair", () => {
  const { storage } = smallLog(3);
  const { name } = filesOf(storage.list(), "log")[0]!;
  const bytes = storage.bytesOf(name);
  const isSegment = (file: { name: string }): boolean => file.name === name;
  const before = inspect(storage, SMALL_ROOM).files.find(isSegment)!;
  const longer = new Uint8Array(bytes.length + 100_000);
  longer.set(bytes);
  storage.put(name, longer);
  const report = inspect(storage, SMALL_ROOM).files.find(isSegment)!;
  assert.deepEqual(report, { ...before, byteCount: longer.length });
  assert.equal(planRepair(storage, SMALL_ROOM).kind, "nothing to do");
  // Where they are not all there is, something was written.
  longer[bytes.length + 50_000] = 1;
  storage.put(name, longer);
  const forecast = forecastOf(storage, SMALL_ROOM);
  assert.ok(forecast.kind === "starts" && forecast.torn?.offset === bytes.length);
});

Deno.test("repair: what was interrupted can be repaired again", () => {
  const whole = smallLog(12);
  const segments = filesOf(whole.storage.list(), "log");
  const damaged = whole.storage.copy();
  damaged.bytesOf(segments[1]!.name)[FILE_HEADER_BYTES + 190]! ^= 1;
  const { steps, after } = possible(damaged, "whole");
  for (let calls = 0; calls < 30; calls++) {
    const storage = damaged.copy();
    let left = calls;
    storage.fault = () => {
      if (left-- === 0) throw new Error("interrupted");
    };
    let isDone = false;
    try {
      executeRepair(storage, steps);
      isDone = true;
    } catch (error) {
      assert.equal((error as Error).message, "interrupted");
    }
    storage.fault = () => {};
    const again = planRepair(storage, SMALL_ROOM);
    assert.ok(isDone ? again.kind === "nothing to do" : again.kind !== "impossible", `${calls}`);
    if (again.kind === "possible") executeRepair(storage, again.steps);
    assert.deepEqual(keysAfterStart(storage), keysUpTo(after.keyCount), `call ${calls}`);
    if (isDone) return;
  }
  assert.fail("it ends some time");
});
