import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { JobFlag, JobView } from "../../../src/base/job.ts";
import type { Settlement } from "../../../src/command/event_waits.ts";
import { SessionStep } from "../../../src/protocol/session.ts";
import { Count, FakeChannel, Harness, latin1, pause, toLatin1 } from "./harness.ts";

/** Answers the job that was offered last, as a worker would. */
function settle(
  harness: Harness,
  settlement: Settlement,
  job = harness.channel.jobs.at(-1)!,
): void {
  const view = new JobView().attach(job, 0, job.length);
  assert.ok((view.flags & JobFlag.WANTS_REPLY) !== 0, "the job asks for an answer");
  assert.ok(harness.waits.settle(view.replySlot, view.replyGeneration, settlement));
}

const processed = (balance: number | string): Settlement => ({
  kind: "processed",
  balance: typeof balance === "number" ? Int64.fromNumber(balance) : parse(balance),
});

function parse(text: string): Int64 {
  const value = BigInt.asUintN(64, BigInt(text));
  const result = new Int64();
  result.hi = Number(value >> 32n) | 0;
  result.lo = Number(value & 0xffffffffn) >>> 0;
  return result;
}

const outcomes: [string, Settlement, string][] = [
  ["the new balance", processed(350), ":350\r\n"],
  ["a negative balance", processed(-5), ":-5\r\n"],
  ["a balance beyond 2^53", processed("9223372036854775807"), ":9223372036854775807\r\n"],
  ["why it failed", { kind: "failed", reason: "overflow" }, "-FAILED overflow\r\n"],
  ["that it is still pending", { kind: "pending" }, "+ACCEPTED\r\n"],
];

for (const [name, settlement, reply] of outcomes) {
  Deno.test(`EVENT WAIT: replies with ${name}`, async () => {
    const harness = new Harness();
    const answer = harness.ask("EVENT alice buy 100 WAIT 60000\r\n");
    assert.equal(harness.waits.size, 1);
    settle(harness, settlement);
    assert.equal(await answer, reply);
    assert.equal(harness.waits.size, 0);
  });
}

Deno.test("EVENT WAIT: replies in front of it do not wait, and it is offered once", async () => {
  const harness = new Harness({ rateLimit: { count: 4, perMs: 60_000 } });
  const { session, input, output } = harness.connect(256);
  const text = latin1(
    "PING\r\nCLIENT REPLY SKIP\r\nPING\r\nEVENT alice buy 1 WAIT 60000\r\nPING\r\n",
  );
  input.space().set(text);
  input.commit(text.length);
  assert.equal(session.process(input, output), SessionStep.FLUSH);
  assert.equal(toLatin1(output.view()), "+PONG\r\n");
  assert.equal(harness.channel.depth, 0);
  output.clear();
  let step = session.process(input, output);
  assert.equal(harness.channel.depth, 1);
  settle(harness, processed(1));
  while (await step === SessionStep.FLUSH) step = session.process(input, output);
  assert.match(toLatin1(output.view()), /^:1\r\n-THROTTLED [^\r]+\r\n$/);
  assert.equal(harness.channel.depth, 1);
  assert.equal(harness.counters.values[Count.RECEIVED], 1);
  assert.equal(harness.counters.values[Count.COMMANDS], 4);
});

Deno.test("EVENT WAIT: replies ACCEPTED when the time is up", async () => {
  const harness = new Harness();
  assert.equal(await harness.ask("EVENT alice buy 100 WAIT 1\r\n"), "+ACCEPTED\r\n");
  assert.equal(harness.waits.size, 0);
  assert.equal(harness.channel.depth, 1);
});

Deno.test("EVENT WAIT: 0 does not wait", async () => {
  const harness = new Harness();
  assert.equal(await harness.ask("EVENT alice buy 100 WAIT 0\r\n"), "+ACCEPTED\r\n");
  const job = harness.channel.jobs[0]!;
  assert.equal(new JobView().attach(job, 0, job.length).flags & JobFlag.WANTS_REPLY, 0);
});

Deno.test("EVENT WAIT: takes the id before or behind", async () => {
  for (const options of ["ID order-7 WAIT 60000", "wait 60000 id order-7"]) {
    const harness = new Harness();
    const answer = harness.ask(`EVENT alice buy 100 ${options}\r\n`);
    const job = harness.channel.jobs[0]!;
    const view = new JobView().attach(job, 0, job.length);
    assert.equal(String.fromCharCode(...job.subarray(view.idStart, view.idEnd)), "order-7");
    settle(harness, processed(1));
    assert.equal(await answer, ":1\r\n");
  }
});

Deno.test("EVENT WAIT: keeps the order of a pipeline and holds up nobody else", async () => {
  const harness = new Harness();
  const client = harness.connect();
  let replies = "";
  const answer = client.send(
    "PING\r\nEVENT alice buy 1 WAIT 60000\r\nECHO between\r\nEVENT bob buy 2 WAIT 60000\r\n" +
      "EVENT carol buy 3\r\nPING\r\n",
  ).then((text) => replies = text);
  assert.equal(await harness.ask("PING\r\n"), "+PONG\r\n");
  assert.equal(harness.channel.depth, 1, "the second event waits for the first");
  settle(harness, processed(10));
  await pause(1);
  assert.equal(replies, "");
  assert.equal(harness.channel.depth, 2);
  settle(harness, { kind: "failed", reason: "wrong_type" });
  await answer;
  assert.equal(
    replies,
    "+PONG\r\n:10\r\n$7\r\nbetween\r\n-FAILED wrong_type\r\n+ACCEPTED\r\n+PONG\r\n",
  );
  // What was asked for once is not asked for again by the next event.
  const last = harness.channel.jobs[2]!;
  assert.equal(new JobView().attach(last, 0, last.length).flags & JobFlag.WANTS_REPLY, 0);
});

Deno.test("EVENT WAIT: many clients wait, each for its own", async () => {
  const harness = new Harness();
  const answers = Array.from(
    { length: 50 },
    (_, i) => harness.ask(`EVENT user${i} buy 1 WAIT 60000\r\n`),
  );
  const jobs = [...harness.channel.jobs];
  for (let i = 49; i >= 0; i--) settle(harness, processed(i * 10), jobs[i]);
  const expected = answers.map((_, i) => `:${i * 10}\r\n`);
  assert.deepEqual(await Promise.all(answers), expected);
});

Deno.test("EVENT WAIT: a refusal comes at once", async () => {
  const full = new Harness({ channel: new FakeChannel(0) });
  assert.match(
    await full.ask("EVENT alice buy 1 WAIT 60000\r\n"),
    /^-BUSY channel is full, retry in \d+ ms\r\n$/,
  );
  const poor = new Harness({ hasCredits: () => false });
  assert.match(await poor.ask("EVENT alice buy 1 WAIT 60000\r\n"), /^-OOM /);
  const stopping = new Harness();
  stopping.channel.closed = true;
  assert.equal(
    await stopping.ask("EVENT alice buy 1 WAIT 60000\r\n"),
    "-ERR server is shutting down\r\n",
  );
  for (const { waits } of [full, poor, stopping]) assert.equal(waits.size, 0);
});

Deno.test("EVENT WAIT: a server that stops answers everybody who waits", async () => {
  const harness = new Harness();
  const answer = harness.ask("EVENT alice buy 1 WAIT 60000\r\nPING\r\n");
  harness.phase.stopping = true;
  harness.waits.giveUp();
  assert.equal(await answer, "+ACCEPTED\r\n-ERR server is shutting down\r\n");
});

Deno.test("EVENT WAIT: a malformed one is counted as invalid and not offered", async () => {
  const harness = new Harness();
  await harness.ask("EVENT alice buy 1 WAIT x\r\nEVENT alice buy 1 WAIT 60001\r\n");
  assert.equal(harness.counters.values[Count.INVALID], 2);
  assert.equal(harness.counters.values[Count.RECEIVED], 0);
  assert.equal(harness.channel.depth, 0);
});
