import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { EventFields, JobView } from "../../../src/base/job.ts";
import { EventOutcome } from "../../../src/command/event_intake.ts";
import type { Settlement } from "../../../src/command/event_waits.ts";
import { EventIds } from "../../../src/store/event_ids.ts";
import { Count, FakeChannel, Harness, type HarnessOptions, latin1, pause } from "./harness.ts";

const { ACCEPTED, OUT_OF_MEMORY, SERVER_BUSY, SHUTTING_DOWN, STORAGE_UNAVAILABLE } = EventOutcome;

function makeEvent(user = "ann", id = "1"): EventFields {
  const event = new EventFields();
  event.user.set(latin1(user), 0, user.length);
  event.action.set(latin1("add"), 0, 3);
  event.id.set(latin1(id), 0, id.length);
  event.amount.setNumber(5);
  return event;
}

function makeHarness(options: HarnessOptions = {}, maxIds = 100): Harness {
  return new Harness({ eventIds: EventIds.create({ maxIds, windowMs: 1000 }), ...options });
}

function jobOf(harness: Harness, index = -1): JobView {
  const job = harness.channel.jobs.at(index)!;
  return new JobView().attach(job, 0, job.length);
}

/** Settles a job as a worker does. */
function settle(ids: EventIds, job: JobView, outcome: number, balance: number): void {
  assert.ok(job.idTicket > 0, "the job says where its id is");
  ids.settle(job.idSlot, job.idTicket, outcome, new Int64(0, balance));
}

/** received, duplicates, dropped because of a full channel. */
function counts({ counters: { values } }: Harness): (number | undefined)[] {
  return [values[Count.RECEIVED], values[Count.DUPLICATES], values[Count.DROPPED_BUSY]];
}

Deno.test("EventIntake: an event that was accepted is accepted again, and offered to nobody", () => {
  const harness = makeHarness();
  for (let i = 0; i < 3; i++) assert.equal(harness.intake.offer(makeEvent()), ACCEPTED);
  assert.equal(harness.channel.depth, 1);
  assert.equal(harness.credits, 1);
  assert.deepEqual(counts(harness), [1, 2, 0]);
  assert.equal(harness.intake.offer(makeEvent("bob")), ACCEPTED);
  assert.equal(harness.intake.offer(makeEvent("ann", "2")), ACCEPTED);
  assert.deepEqual(counts(harness), [3, 2, 0]);
  harness.nowMs += 1000;
  assert.equal(harness.intake.offer(makeEvent()), ACCEPTED);
  assert.deepEqual(counts(harness), [4, 2, 0], "the window is over");
  assert.equal(harness.channel.depth, 4);
});

Deno.test("EventIntake: events without an id are all offered", () => {
  const harness = makeHarness();
  for (let i = 0; i < 3; i++) assert.equal(harness.intake.offer(makeEvent("ann", "")), ACCEPTED);
  assert.equal(harness.channel.depth, 3);
  assert.deepEqual(counts(harness), [3, 0, 0]);
});

Deno.test("EventIntake: an event that was refused may be sent again, and pushes no id out", () => {
  const ids = EventIds.create({ maxIds: 2, windowMs: 1000 });
  const channel = new FakeChannel(2);
  let hasCredits = true;
  const harness = makeHarness({ channel, eventIds: ids, hasCredits: () => hasCredits });
  assert.equal(harness.intake.offer(makeEvent("ann", "1")), ACCEPTED);
  hasCredits = false;
  assert.equal(harness.intake.offer(makeEvent("ann", "2")), OUT_OF_MEMORY);
  hasCredits = true;
  assert.equal(harness.intake.offer(makeEvent("ann", "2")), ACCEPTED);
  for (let i = 3; i < 10; i++) {
    assert.equal(harness.intake.offer(makeEvent("ann", `${i}`)), SERVER_BUSY);
  }
  assert.equal(harness.intake.offer(makeEvent("ann", "1")), ACCEPTED, "known, full or not");
  harness.phase.stopping = true;
  assert.equal(harness.intake.offer(makeEvent("ann", "3")), SHUTTING_DOWN);
  assert.equal(harness.intake.offer(makeEvent("ann", "1")), ACCEPTED, "it was accepted before");
  harness.phase.stopping = false;
  channel.jobs.shift();
  assert.equal(harness.intake.offer(makeEvent("ann", "3")), ACCEPTED);
  assert.equal(harness.counters.values[Count.FORGOTTEN_IDS], 1);
  assert.deepEqual(counts(harness), [12, 2, 7]);
  ids.assertInvariants();
});

Deno.test("EventIntake: a log that cannot be written refuses new events and knows the old ones", () => {
  let takesWrites = true;
  const eventLog = {
    get takesWrites(): boolean {
      return takesWrites;
    },
    nextEventNumber: () => 1,
    acceptEvent: () => {},
    beginBatch: () => ({ add: () => {}, publish: () => {} }),
    tellEvent: () => {},
  };
  const harness = makeHarness({ eventLog });
  assert.equal(harness.intake.offer(makeEvent("ann", "1")), ACCEPTED);
  takesWrites = false;
  assert.equal(harness.intake.offer(makeEvent("ann", "1")), ACCEPTED);
  assert.equal(harness.intake.offer(makeEvent("ann", "2")), STORAGE_UNAVAILABLE);
  takesWrites = true;
  assert.equal(harness.intake.offer(makeEvent("ann", "2")), ACCEPTED);
  assert.equal(harness.channel.depth, 2);
});

Deno.test("EventIntake: nobody is told that an event is accepted before it is in the log", () => {
  const ids = EventIds.create({ maxIds: 100, windowMs: 1000 });
  const other = makeHarness({ eventIds: EventIds.attach(ids.memory) });
  const seen: unknown[] = [];
  const eventLog = {
    takesWrites: true,
    nextEventNumber: () => 1,
    // Another thread has the same event just now.
    acceptEvent: () => void seen.push(other.intake.offer(makeEvent()), other.channel.depth),
    beginBatch: () => ({ add: () => {}, publish: () => {} }),
    tellEvent: () => {},
  };
  const harness = makeHarness({ eventIds: ids, eventLog });
  assert.equal(harness.intake.offer(makeEvent()), ACCEPTED);
  assert.deepEqual(seen, [SERVER_BUSY, 0]);
  assert.deepEqual(counts(other), [1, 0, 1]);
  assert.equal(other.credits, 0);
  assert.equal(other.channel.reserved, 0);
  assert.equal(other.intake.offer(makeEvent()), ACCEPTED);
  assert.deepEqual(counts(other), [1, 1, 1]);
});

Deno.test("EventIntake: who sends an event again and waits is told what came of the first", async () => {
  const ids = EventIds.create({ maxIds: 100, windowMs: 1000 });
  const harness = makeHarness({ eventIds: ids });
  assert.equal(harness.intake.offer(makeEvent()), ACCEPTED);
  const waiting = harness.intake.offerWaiting(makeEvent(), 60_000) as Promise<Settlement>;
  let settlement: Settlement | undefined;
  void waiting.then((found) => settlement = found);
  await pause(20);
  assert.equal(settlement, undefined);
  assert.equal(harness.waits.size, 1);
  settle(ids, jobOf(harness), 1, 7);
  const expected = { kind: "processed", balance: Int64.fromNumber(7) };
  assert.deepEqual(await waiting, expected);
  assert.equal(harness.waits.size, 0);
  // And once it is settled, at once.
  assert.deepEqual(await harness.intake.offerWaiting(makeEvent(), 60_000), expected);
  assert.equal(harness.channel.depth, 1);
  assert.deepEqual(counts(harness), [1, 2, 0]);
});

Deno.test("EventIntake: who waits for an event that was sent before waits no longer than he said", async () => {
  const harness = makeHarness();
  assert.equal(harness.intake.offer(makeEvent()), ACCEPTED);
  assert.deepEqual(await harness.intake.offerWaiting(makeEvent(), 1), { kind: "pending" });
  const waiting = harness.intake.offerWaiting(makeEvent(), 60_000);
  harness.waits.giveUp();
  assert.deepEqual(await waiting, { kind: "pending" });
});

Deno.test("EventIntake: who waits for an event whose id is forgotten meanwhile is told that it was accepted", async () => {
  const ids = EventIds.create({ maxIds: 1, windowMs: 1000 });
  const harness = makeHarness({ eventIds: ids });
  assert.equal(harness.intake.offer(makeEvent("ann", "1")), ACCEPTED);
  const waiting = harness.intake.offerWaiting(makeEvent("ann", "1"), 60_000);
  assert.equal(harness.intake.offer(makeEvent("ann", "2")), ACCEPTED);
  settle(ids, jobOf(harness), 1, 7);
  assert.deepEqual(await waiting, { kind: "pending" });
});

Deno.test("EventIntake: a first event that waits is offered once, and its job names its client", async () => {
  const ids = EventIds.create({ maxIds: 100, windowMs: 1000 });
  const harness = makeHarness({ eventIds: ids });
  const waiting = harness.intake.offerWaiting(makeEvent(), 60_000);
  const job = jobOf(harness);
  settle(ids, job, 2, 0);
  harness.waits.settle(job.replySlot, job.replyGeneration, { kind: "failed", reason: "overflow" });
  assert.deepEqual(await waiting, { kind: "failed", reason: "overflow" });
  assert.deepEqual(await harness.intake.offerWaiting(makeEvent(), 60_000), await waiting);
  assert.equal(harness.channel.depth, 1);
});
