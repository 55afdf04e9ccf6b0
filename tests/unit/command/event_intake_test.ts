import assert from "node:assert/strict";
import { EventFields, JobView } from "../../../src/base/job.ts";
import { EventOutcome } from "../../../src/command/event_intake.ts";
import {
  DEFAULT_RETRY_MS,
  MAX_RETRY_MS,
  RetryEstimate,
} from "../../../src/command/retry_estimate.ts";
import { Count, FakeChannel, Harness, latin1, toLatin1 } from "./harness.ts";

function makeEvent(): EventFields {
  const event = new EventFields();
  const bytes = latin1("xalicebuyid-7");
  event.user.set(bytes, 1, 6);
  event.action.set(bytes, 6, 9);
  event.id.set(bytes, 9, 13);
  event.amount.setNumber(-100);
  return event;
}

/** received, then dropped: busy, out of memory, shutting down; then invalid. */
function counts(harness: Harness): number[] {
  return harness.counters.values.slice(Count.RECEIVED, Count.INVALID + 1);
}

Deno.test("EventIntake: an accepted event is in the channel as it was offered", () => {
  const harness = new Harness();
  assert.equal(harness.intake.offer(makeEvent()), EventOutcome.ACCEPTED);
  const job = harness.channel.jobs[0]!;
  const view = new JobView().attach(job, 0, job.length);
  assert.equal(toLatin1(job.subarray(view.userStart, view.userEnd)), "alice");
  assert.equal(toLatin1(job.subarray(view.actionStart, view.actionEnd)), "buy");
  assert.equal(toLatin1(job.subarray(view.idStart, view.idEnd)), "id-7");
  assert.equal(view.amount.toBigInt(), -100n);
  assert.equal(view.acceptedAtMs, harness.nowMs);
  assert.deepEqual(counts(harness), [1, 0, 0, 0, 0]);
  assert.equal(harness.credits, 1);
});

Deno.test("EventIntake: a full channel refuses, takes no credit and counts the event as dropped", () => {
  const harness = new Harness({ channel: new FakeChannel(2) });
  const outcomes = Array.from({ length: 4 }, () => harness.intake.offer(makeEvent()));
  assert.deepEqual(outcomes, [
    EventOutcome.ACCEPTED,
    EventOutcome.ACCEPTED,
    EventOutcome.SERVER_BUSY,
    EventOutcome.SERVER_BUSY,
  ]);
  assert.deepEqual(counts(harness), [4, 2, 0, 0, 0]);
  assert.equal(harness.credits, 2);
  assert.equal(harness.channel.reserved, 0);
});

Deno.test("EventIntake: without memory for a balance the place in the channel is given back", () => {
  const harness = new Harness({ hasCredits: () => false });
  assert.equal(harness.intake.offer(makeEvent()), EventOutcome.OUT_OF_MEMORY);
  assert.deepEqual(counts(harness), [1, 0, 1, 0, 0]);
  assert.equal(harness.channel.reserved, 0);
  assert.equal(harness.channel.depth, 0);
});

Deno.test("EventIntake: refuses while the server stops, and once the channel is closed", () => {
  const stopping = new Harness();
  stopping.phase.stopping = true;
  assert.equal(stopping.intake.offer(makeEvent()), EventOutcome.SHUTTING_DOWN);
  assert.deepEqual(counts(stopping), [1, 0, 0, 1, 0]);
  const closed = new Harness();
  closed.channel.closed = true;
  assert.equal(closed.intake.offer(makeEvent()), EventOutcome.SHUTTING_DOWN);
  assert.deepEqual(counts(closed), [1, 0, 0, 1, 0]);
});

Deno.test("EventIntake: a channel that closes between look and reservation means shutting down", () => {
  class ClosingChannel extends FakeChannel {
    override tryReserve(): boolean {
      this.closed = true;
      return super.tryReserve();
    }
  }
  const harness = new Harness({ channel: new ClosingChannel() });
  assert.equal(harness.intake.offer(makeEvent()), EventOutcome.SHUTTING_DOWN);
  assert.deepEqual(counts(harness), [1, 0, 0, 1, 0]);
});

Deno.test("EventIntake: a worker that sleeps is woken once for the events of a turn", async () => {
  const { intake, channel } = new Harness();
  channel.hasSleeper = true;
  for (let i = 0; i < 5; i++) intake.offer(makeEvent());
  assert.deepEqual(channel.calls, [], "not before the turn is over");
  await Promise.resolve();
  assert.deepEqual(channel.calls, [5]);
  intake.offer(makeEvent());
  intake.callWorkers();
  assert.deepEqual(channel.calls, [5, 6], "replies are about to be written");
  intake.callWorkers();
  await Promise.resolve();
  assert.deepEqual(channel.calls, [5, 6], "nothing came since");
});

Deno.test("EventIntake: a worker is woken while a long batch is still being read", async () => {
  const { intake, channel } = new Harness();
  channel.hasSleeper = true;
  for (let i = 0; i < 100; i++) intake.offer(makeEvent());
  const { length } = channel.calls;
  assert.ok(length >= 2 && length <= 10, `${length} calls`);
  await Promise.resolve();
  assert.equal(channel.calls.at(-1), 100, "none is left behind");
});

Deno.test("EventIntake: no worker is woken when none sleeps", async () => {
  const { intake, channel } = new Harness();
  for (let i = 0; i < 100; i++) intake.offer(makeEvent());
  await Promise.resolve();
  intake.callWorkers();
  assert.deepEqual(channel.calls, []);
});

Deno.test("RetryEstimate: says how long the waiting events take at the recent rate", () => {
  let settled = 0;
  const estimate = new RetryEstimate(() => settled, 1000);
  assert.equal(estimate.retryAfterMs(50, 1000), DEFAULT_RETRY_MS);
  settled = 200;
  // 200 in 100 ms: 2 per ms.
  assert.equal(estimate.retryAfterMs(50, 1100), 25);
  assert.equal(estimate.retryAfterMs(0, 1101), 1);
  // 20 in 100 ms, smoothed with the former rate: 1.1 per ms.
  settled = 220;
  assert.equal(estimate.retryAfterMs(110, 1200), 100);
});

Deno.test("RetryEstimate: slow events are waited for, idle time says nothing", () => {
  let settled = 0;
  const estimate = new RetryEstimate(() => settled, 0);
  assert.equal(estimate.retryAfterMs(10, 500), DEFAULT_RETRY_MS);
  settled = 1;
  // One in the 500 ms since the first refusal.
  assert.equal(estimate.retryAfterMs(10, 1000), 5000);
  // An hour without a refusal: the rate known before stands.
  settled = 2;
  assert.equal(estimate.retryAfterMs(10, 3_600_000), 5000);
  assert.equal(estimate.retryAfterMs(1000, 3_600_000), MAX_RETRY_MS);
});

Deno.test("RetryEstimate: the quiet time before a burst does not make the workers look slow", () => {
  let settled = 0;
  const estimate = new RetryEstimate(() => settled, 0);
  settled = 2;
  assert.equal(estimate.retryAfterMs(10, 1500), DEFAULT_RETRY_MS);
  settled = 4;
  // Two in the 200 ms since the first refusal, not four in 1,700 ms.
  assert.equal(estimate.retryAfterMs(10, 1700), 1000);
});

Deno.test("RetryEstimate: survives a clock that is set back", () => {
  let settled = 0;
  const estimate = new RetryEstimate(() => settled, 10_000);
  estimate.retryAfterMs(10, 10_000);
  settled = 100;
  assert.equal(estimate.retryAfterMs(10, 10_100), 10);
  settled = 200;
  assert.equal(estimate.retryAfterMs(10, 5_000), 10);
  settled = 300;
  assert.equal(estimate.retryAfterMs(10, 5_100), 10);
});
