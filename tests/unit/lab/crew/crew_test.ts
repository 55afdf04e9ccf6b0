import assert from "node:assert/strict";
import {
  COUNTER_KINDS,
  CounterMemory,
  incrementTasks,
} from "../../../../src/lab/counters/increments.ts";
import { Crew } from "../../../../src/lab/crew/crew.ts";
import { StartLine } from "../../../../src/lab/crew/start_line.ts";

const WAY = "one shared atomic";

Deno.test("Crew: does as much as it was given, all threads together, and again", async () => {
  using crew = new Crew(3);
  const memory = CounterMemory.create("mutex");
  for (const threads of [1, 3, 2]) {
    memory.reset();
    const round = await crew.prepare(incrementTasks(memory, WAY, threads), 12_345);
    assert.equal(memory.total(WAY), 0, "nobody starts before the common start");
    round.runAsleep();
    // Nothing of the others is waited for: this thread slept until they were done.
    assert.equal(memory.total(WAY), 12_345);
    const { workCount, reports, wallMs } = await round.result();
    assert.equal(workCount, 12_345);
    assert.equal(reports.length, threads);
    assert.ok(wallMs >= Math.max(...reports.map((one) => one.endedAtMs - one.startedAtMs)));
  }
});

Deno.test("Crew: works until the time is over", async () => {
  using crew = new Crew(2);
  const memory = CounterMemory.create("mutex");
  const tasks = incrementTasks(memory, WAY, 2);
  const { workCount } = await crew.runFor({ tasks, durationMs: 20 });
  assert.ok(workCount > 0);
  assert.equal(memory.total(WAY), workCount);
});

Deno.test("Crew: ends at once when it is told to, before and after the start", async () => {
  const memory = CounterMemory.create("mutex");
  const tasks = incrementTasks(memory, WAY, 2);
  // Threads take longer than that to load.
  for (const delayMs of [0, 300]) {
    using crew = new Crew(2);
    const ending = new AbortController();
    const { signal } = ending;
    // Ten minutes, but for the signal.
    const running = crew.runFor({ tasks, durationMs: 600_000, signal });
    setTimeout(() => ending.abort(new Error("enough")), delayMs);
    await assert.rejects(running, /enough/);
    await assert.rejects(crew.runFor({ tasks, durationMs: 600_000, signal }), /enough/);
  }
});

Deno.test("Crew: a thread that fails is told of, and does not leave the others behind", async () => {
  using crew = new Crew(2);
  const memory = CounterMemory.create("mutex");
  const [sound, broken] = incrementTasks(memory, WAY, 2);
  const buffers = { ...broken!.buffers, counters: new SharedArrayBuffer(0) };
  const tasks = [sound!, { ...broken!, buffers }];
  await assert.rejects(crew.runFor({ tasks, durationMs: 600_000 }), /RangeError|Invalid/);
  // The other one is asked to end, too; the crew can still be disposed of.
});

Deno.test("Crew: threads that wait for a start that never comes are let go", async () => {
  const crew = new Crew(2);
  const memory = CounterMemory.create("mutex");
  const round = await crew.prepare(incrementTasks(memory, WAY, 2), 1000);
  crew[Symbol.dispose]();
  // Were they still asleep, this process would not end.
  await assert.rejects(round.result(), /was ended/);
});

Deno.test("StartLine: hands out a budget exactly, also when more is asked for", () => {
  const line = new StartLine();
  const round = line.prepare(2500);
  line.open();
  const crew = new StartLine(line.buffer);
  crew.pass(round);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => crew.take(1000)), [1000, 1000, 500, 0, 0]);
  line.prepare(10);
  assert.equal(crew.take(4), 4);
  line.stop();
  assert.equal(crew.take(4), 0);
});

Deno.test("incrementTasks: each way counts in memory of its own kind", async () => {
  using crew = new Crew(2);
  for (const kind of COUNTER_KINDS) {
    const memory = CounterMemory.create("mutex");
    // One thread alone loses nothing in any way.
    const round = await crew.prepare(incrementTasks(memory, kind, 2).slice(1), 3000);
    round.runAsleep();
    assert.equal(memory.total(kind), 3000, kind);
    memory.reset();
    assert.equal(memory.total(kind), 0, kind);
  }
});
