import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { SETTLED_MESSAGE_BYTES, SettledMessage } from "../../../src/base/inbox_message.ts";
import { encodeJob, EventFields, JobFlag, JobView, MAX_JOB_BYTES } from "../../../src/base/job.ts";
import { EventOutcome } from "../../../src/command/event_intake.ts";
import { EventWaits, type Settlement } from "../../../src/command/event_waits.ts";
import { FakeChannel, Harness } from "./harness.ts";

const PROCESSED: Settlement = { kind: "processed", balance: new Int64().setNumber(7) };

Deno.test("EventWaits: an answer reaches the wait it is addressed to, once", async () => {
  const waits = new EventWaits(3);
  const first = waits.begin(60_000);
  const second = waits.begin(60_000);
  assert.equal(waits.size, 2);
  assert.equal(first.address.thread, 3);
  assert.ok(waits.settle(second.address.slot, second.address.generation, PROCESSED));
  assert.deepEqual(await second.settlement, PROCESSED);
  assert.ok(!waits.settle(second.address.slot, second.address.generation, PROCESSED), "it is over");
  const third = waits.begin(60_000);
  assert.equal(third.address.slot, second.address.slot, "the slot is used again");
  assert.ok(
    !waits.settle(second.address.slot, second.address.generation, PROCESSED),
    "late answer",
  );
  assert.ok(!waits.settle(17, 0, PROCESSED), "no such slot");
  assert.ok(waits.settle(third.address.slot, third.address.generation, { kind: "pending" }));
  assert.ok(waits.settle(first.address.slot, first.address.generation, PROCESSED));
  assert.equal(waits.size, 0);
});

Deno.test("EventWaits: generations wrap, through job and message", async () => {
  const last = 2 ** 32 - 1;
  const waits = new EventWaits(0, () => {}, last);
  for (const generation of [last, 0]) {
    const { address, settlement } = waits.begin(60_000);
    assert.deepEqual(address, { thread: 0, slot: 0, generation });
    const text = new TextEncoder().encode("alicebuy");
    const event = new EventFields();
    event.user.set(text, 0, 5);
    event.action.set(text, 5, 8);
    event.replyGeneration = generation;
    const bytes = new Uint8Array(MAX_JOB_BYTES);
    const job = new JobView().attach(bytes, 0, encodeJob(event, bytes, 0));
    const message = new SettledMessage();
    message.generation = job.replyGeneration;
    message.encode(bytes);
    message.decode(bytes, 0, SETTLED_MESSAGE_BYTES);
    assert.ok(waits.settle(message.slot, message.generation, PROCESSED));
    assert.deepEqual(await settlement, PROCESSED);
  }
});

Deno.test("EventWaits: ends as pending when the time is up, and when the server stops", async () => {
  const waits = new EventWaits(0);
  assert.deepEqual(await waits.begin(1).settlement, { kind: "pending" });
  const long = waits.begin(60_000);
  waits.giveUp();
  assert.deepEqual(await long.settlement, { kind: "pending" });
  const late = waits.begin(60_000).settlement;
  const tooLate = Promise.withResolvers<string>();
  const timer = setTimeout(() => tooLate.resolve("waits on"), 20_000);
  assert.deepEqual(await Promise.race([late, tooLate.promise]), { kind: "pending" });
  clearTimeout(timer);
  assert.equal(waits.size, 0);
});

Deno.test("EventWaits: each ends at its own time, whatever others wait for", async () => {
  const waits = new EventWaits(0);
  const ended: number[] = [];
  const begin = (timeoutMs: number): Promise<unknown> =>
    waits.begin(timeoutMs).settlement.then(() => ended.push(timeoutMs));
  // The first deadline comes first, last and in the middle; one is answered, and its slot used again.
  const late = waits.begin(60_000);
  // Far apart: those whose time came while this thread had no processor end in any order.
  const all = [200, 25, 100, 25].map(begin);
  waits.settle(late.address.slot, late.address.generation, PROCESSED);
  all.push(begin(300));
  await Promise.all(all);
  assert.deepEqual(ended, [25, 25, 100, 200, 300]);
  assert.equal(waits.size, 0);
  assert.deepEqual(await waits.begin(3).settlement, { kind: "pending" }, "and again");
});

Deno.test("EventWaits: outcomes that nobody rang for are taken, and before a wait ends without", async () => {
  const waits = new EventWaits(0);
  let posted: { slot: number; generation: number } | undefined;
  waits.lookWith(() => {
    if (posted !== undefined) waits.settle(posted.slot, posted.generation, PROCESSED);
  });
  const long = waits.begin(60_000);
  posted = long.address;
  assert.deepEqual(await long.settlement, PROCESSED);
  const short = waits.begin(0);
  posted = short.address;
  assert.deepEqual(await short.settlement, PROCESSED, "it was there in time");
  posted = undefined;
  assert.deepEqual(await waits.begin(1).settlement, { kind: "pending" });
  assert.equal(waits.size, 0);
});

Deno.test("EventIntake.offerWaiting: the job carries the address; a refusal leaves no wait", async () => {
  const channel = new FakeChannel(1);
  const harness = new Harness({ channel });
  const event = new EventFields();
  const text = new TextEncoder().encode("alicebuy");
  event.user.set(text, 0, 5);
  event.action.set(text, 5, 8);
  const settlement = harness.intake.offerWaiting(event, 60_000);
  assert.ok(settlement instanceof Promise);
  assert.equal(harness.intake.offerWaiting(event, 60_000), EventOutcome.SERVER_BUSY);
  assert.equal(harness.waits.size, 1);
  const [bytes] = channel.jobs;
  const job = new JobView().attach(bytes!, 0, bytes!.length);
  assert.equal(job.flags, JobFlag.WANTS_REPLY);
  assert.ok(harness.waits.settle(job.replySlot, job.replyGeneration, PROCESSED));
  assert.deepEqual(await settlement, PROCESSED);
  channel.jobs.length = 0;
  harness.intake.offer(event);
  assert.equal(new JobView().attach(channel.jobs[0]!, 0, channel.jobs[0]!.length).flags, 0);
});
