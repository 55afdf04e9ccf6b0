import assert from "node:assert/strict";
import { JobView } from "../../../../src/base/job.ts";
import { Int64 } from "../../../../src/base/int64.ts";
import { ClientMessageSchema } from "../../../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { OUTPUT_PAUSE_BYTES, SessionStep } from "../../../../src/protocol/session.ts";
import { Store } from "../../../../src/store/store.ts";
import { Count, FakeChannel, pause, settled } from "../../command/harness.ts";
import { type Ask, decodeReplies, delimited, encodeAsk, World } from "./support.ts";

const echo: Ask = { case: "echoMessage", value: { content: "hi" } };
const event: Ask = { case: "event", value: { user: "alice", action: "buy", amount: 3n } };
const balance: Ask = { case: "balanceRequest", value: { user: "alice" } };
const auth = (password: string): Ask => ({ case: "authRequest", value: { password } });
const waiting: Ask = {
  case: "event",
  value: { user: "alice", action: "buy", amount: 3n, waitMs: 50_000 },
};

const ECHOED = { echoMessage: { content: "hi" } };
const ACCEPTED = { eventReply: { status: "EVENT_STATUS_ACCEPTED" } };

/** The kind of an error. */
function codeOf(reply: unknown): string | undefined {
  return (reply as { error?: { code: string } }).error?.code;
}

const UNAUTHENTICATED = "ERROR_CODE_UNAUTHENTICATED";
const WRONG_PASSWORD = "ERROR_CODE_WRONG_PASSWORD";
const SHUTTING_DOWN = "ERROR_CODE_SHUTTING_DOWN";

Deno.test("ProtoSession: an event waits in the channel with all that its message said", async () => {
  const world = new World();
  const value = { user: "ali\u{1f600}", action: "büy", amount: -(2n ** 40n) - 7n, id: "id-1" };
  assert.deepEqual(await world.connect().ask({ case: "event", value }), ACCEPTED);
  const job = world.harness.channel.jobs[0]!;
  const view = new JobView().attach(job, 0, job.length);
  const text = (start: number, end: number): string =>
    new TextDecoder().decode(view.bytes.subarray(start, end));
  assert.equal(text(view.userStart, view.userEnd), value.user);
  assert.equal(text(view.actionStart, view.actionEnd), value.action);
  assert.equal(text(view.idStart, view.idEnd), value.id);
  assert.equal(view.amount.toBigInt(), value.amount);
  assert.equal(view.flags, 0);
  assert.equal(view.acceptedAtMs, world.harness.nowMs);
});

Deno.test("ProtoSession: a full channel refuses at once and says when to come back", async () => {
  const world = new World({ channel: new FakeChannel(1) });
  const client = world.connect();
  assert.deepEqual(await client.ask(event), ACCEPTED);
  const { eventReply } = await client.ask(event) as {
    eventReply: { status: string; reason: string; retryAfterMs: number };
  };
  assert.equal(eventReply.status, "EVENT_STATUS_BUSY");
  assert.equal(eventReply.reason, "server_busy");
  assert.ok(eventReply.retryAfterMs >= 1);
  const { values } = world.harness.counters;
  assert.equal(values[Count.RECEIVED], 2);
  assert.equal(values[Count.DROPPED_BUSY], 1);
});

Deno.test("ProtoSession: no memory for another balance is a refusal of its own", async () => {
  const world = new World({ hasCredits: () => false });
  assert.deepEqual(await world.connect().ask(event), {
    eventReply: { status: "EVENT_STATUS_OUT_OF_MEMORY", reason: "out_of_memory" },
  });
});

Deno.test("ProtoSession: malformed events are counted as invalid and not as received", async () => {
  const world = new World();
  const client = world.connect();
  await client.ask({ case: "event", value: { user: "", action: "buy" } });
  await client.ask({ case: "event", value: { user: "a", action: "b", waitMs: 60_001 } });
  const { values } = world.harness.counters;
  assert.deepEqual([values[Count.INVALID], values[Count.RECEIVED]], [2, 0]);
  assert.equal(world.harness.channel.jobs.length, 0);
});

Deno.test("ProtoSession: an event with wait_ms is answered when it is settled", async () => {
  const settlements = [
    [{ kind: "processed", balance: new Int64(-1, 5) } as const, {
      status: "EVENT_STATUS_PROCESSED",
      balance: String(5n - 2n ** 32n),
    }],
    [{ kind: "failed", reason: "overflow" } as const, {
      status: "EVENT_STATUS_FAILED",
      reason: "overflow",
    }],
    [{ kind: "pending" } as const, { status: "EVENT_STATUS_ACCEPTED" }],
  ] as const;
  for (const [settlement, eventReply] of settlements) {
    const world = new World();
    const { waits, channel } = world.harness;
    const client = world.connect();
    const replies = client.send(delimited(encodeAsk(waiting), encodeAsk(echo)));
    await pause(5);
    assert.equal(waits.size, 1);
    assert.equal(client.output.length, 0);
    const job = new JobView().attach(channel.jobs[0]!, 0, channel.jobs[0]!.length);
    assert.ok(waits.settle(job.replySlot, job.replyGeneration, settlement));
    // In order, although the second message was there all the time.
    assert.deepEqual(await replies, [{ eventReply }, ECHOED]);
  }
});

Deno.test("ProtoSession: a refused event with wait_ms does not wait", async () => {
  const world = new World({ channel: new FakeChannel(0) });
  const { eventReply } = await world.connect().ask(waiting) as { eventReply: { status: string } };
  assert.equal(eventReply.status, "EVENT_STATUS_BUSY");
  assert.equal(world.harness.waits.size, 0);
});

Deno.test("ProtoSession: the wait ends with the time that the client gave", async () => {
  const world = new World();
  const value = { user: "alice", action: "buy", amount: 3n, waitMs: 1 };
  assert.deepEqual(await world.connect().ask({ case: "event", value }), ACCEPTED);
});

Deno.test("ProtoSession: before the password nothing is done, whatever is asked", async () => {
  const world = new World({ password: "secret" });
  const client = world.connect();
  // Whatever the schema has, and what is more than its defaults.
  const kinds = ClientMessageSchema.oneofs[0]!.fields.map(({ localName }) => localName);
  assert.ok(kinds.length >= 5);
  const asks = kinds.filter((kind) => kind !== "authRequest")
    .map((kind) => ({ case: kind, value: {} }) as Ask);
  for (const ask of [...asks, event, waiting, balance]) {
    assert.equal(codeOf(await client.ask(ask)), UNAUTHENTICATED, ask.case);
  }
  assert.equal(codeOf((await client.send(delimited(new Uint8Array(0))))[0]), UNAUTHENTICATED);
  const { values } = world.harness.counters;
  assert.deepEqual([values[Count.RECEIVED], values[Count.INVALID]], [0, 0]);
  assert.equal(world.harness.channel.jobs.length, 0);
  assert.equal(client.closed, false);
});

Deno.test("ProtoSession: the right password opens the connection, and only that one", async () => {
  const world = new World({ password: "pässword" });
  const client = world.connect();
  assert.deepEqual(await client.ask(auth("pässword")), { authReply: {} });
  assert.deepEqual(await client.ask(echo), ECHOED);
  assert.equal(codeOf(await world.connect().ask(echo)), UNAUTHENTICATED);
});

Deno.test("ProtoSession: a wrong password is counted, and another may be tried", async () => {
  const world = new World({ password: "secret" });
  const client = world.connect();
  for (const wrong of ["", "secre", "secrets", "Secret", "\0".repeat(6)]) {
    assert.equal(codeOf(await client.ask(auth(wrong))), WRONG_PASSWORD);
  }
  assert.equal(world.harness.counters.values[Count.AUTH_FAILURES], 5);
  assert.equal(codeOf(await client.ask(echo)), UNAUTHENTICATED);
  assert.deepEqual(await client.ask(auth("secret")), { authReply: {} });
  // A later mistake takes nothing away.
  assert.equal(codeOf(await client.ask(auth("wrong"))), WRONG_PASSWORD);
  assert.deepEqual(await client.ask(echo), ECHOED);
});

Deno.test("ProtoSession: before the password nobody can make the server hold a large message", async () => {
  const large = encodeAsk({ case: "echoMessage", value: { content: "x".repeat(20_000) } });
  for (const framing of ["delimited", "none"] as const) {
    const frame = (bytes: Uint8Array): Uint8Array => framing === "none" ? bytes : delimited(bytes);
    const world = new World({ framing, password: "secret", maxRequestBytes: 1_048_576 });
    const stranger = world.connect(32_768);
    // The length alone is enough.
    const sent = framing === "none" ? large : delimited(large).slice(0, 3);
    assert.deepEqual((await stranger.send(sent)).map(codeOf), ["ERROR_CODE_TOO_LARGE"]);
    assert.equal(stranger.closed, true);
    const client = world.connect(32_768);
    assert.deepEqual(await client.ask(auth("secret")), { authReply: {} });
    assert.equal((await client.send(frame(large))).map(codeOf)[0], undefined);
    assert.equal(client.closed, false);
    const longest = encodeAsk(auth("y".repeat(1024)));
    assert.equal(codeOf((await world.connect(4096).send(frame(longest)))[0]), WRONG_PASSWORD);
  }
});

Deno.test("ProtoSession: after ten wrong passwords the connection closes", async () => {
  const world = new World({ password: "secret" });
  const client = world.connect(4096);
  const guesses = new Array<Uint8Array>(100).fill(encodeAsk(auth("no")));
  const replies = await client.send(delimited(...guesses));
  assert.deepEqual(replies.map(codeOf), new Array(10).fill(WRONG_PASSWORD));
  assert.equal(client.closed, true);
  assert.equal(world.harness.counters.values[Count.AUTH_FAILURES], 10);
});

Deno.test("ProtoSession: replies in front of one that may take long do not wait for it", async () => {
  const gate = Promise.withResolvers<void>();
  const world = new World({ password: "secret", passwordPause: () => gate.promise });
  for (const late of [auth("no"), waiting]) {
    const { session, input, output } = world.connect(4096);
    const isGuess = late.case === "authRequest";
    const bytes = delimited(encodeAsk(isGuess ? echo : auth("secret")), encodeAsk(late));
    input.space().set(bytes);
    input.commit(bytes.length);
    assert.equal(session.process(input, output), SessionStep.FLUSH);
    const [reply, ...more] = decodeReplies(output.view());
    assert.deepEqual(more, []);
    if (isGuess) assert.equal(codeOf(reply), UNAUTHENTICATED);
    else assert.deepEqual(reply, { authReply: {} });
    assert.equal(world.harness.channel.depth, 0);
    output.clear();
    const step = session.process(input, output);
    assert.ok(step instanceof Promise);
    gate.resolve();
    if (!isGuess) {
      const { waits, channel } = world.harness;
      const job = new JobView().attach(channel.jobs[0]!, 0, channel.jobs[0]!.length);
      assert.ok(waits.settle(job.replySlot, job.replyGeneration, { kind: "pending" }));
    }
    await step;
    assert.equal(decodeReplies(output.view()).length, 1);
  }
  assert.equal(world.harness.counters.values[Count.AUTH_FAILURES], 1);
  assert.equal(world.harness.channel.depth, 1);
});

Deno.test("ProtoSession: the password and what follows it may come in one read", async () => {
  const client = new World({ password: "secret" }).connect();
  const bytes = delimited(encodeAsk(auth("no")), encodeAsk(auth("secret")), encodeAsk(echo));
  const [first, ...rest] = await client.send(bytes);
  assert.equal(codeOf(first), WRONG_PASSWORD);
  assert.deepEqual(rest, [{ authReply: {} }, ECHOED]);
});

Deno.test("ProtoSession: while stopping, a message that starts is refused and the last", async () => {
  for (const framing of ["delimited", "none"] as const) {
    const world = new World({ framing });
    const client = world.connect();
    world.harness.phase.stopping = true;
    const bytes = encodeAsk(event);
    const replies = await client.send(framing === "none" ? bytes : delimited(bytes, bytes));
    assert.deepEqual(replies.map(codeOf), [SHUTTING_DOWN]);
    assert.equal(client.closed, true);
    assert.equal(world.harness.channel.jobs.length, 0);
  }
});

Deno.test("ProtoSession: while stopping, a message that had begun is still served", async () => {
  const world = new World();
  const client = world.connect();
  const bytes = delimited(encodeAsk(echo), encodeAsk(echo));
  assert.deepEqual(await client.send(bytes.subarray(0, 3)), []);
  world.harness.phase.stopping = true;
  assert.deepEqual(await client.send(bytes.subarray(3, 4)), []);
  const [first, second] = await client.send(bytes.subarray(4));
  assert.deepEqual(first, ECHOED);
  assert.equal(codeOf(second), SHUTTING_DOWN);
  assert.equal(client.closed, true);
});

Deno.test("ProtoSession: a balance whose shard is busy keeps the order of replies", async () => {
  const world = new World({ shardCount: 1 });
  await world.setBalance("alice", "-7");
  const other = Store.attach(world.harness.store.memory, 1);
  const client = world.connect();
  other.locks.lock(0, true);
  const bytes = delimited(...[echo, balance, echo, balance].map(encodeAsk));
  const pending = client.send(bytes);
  let done = false;
  void pending.then(() => done = true);
  await pause();
  assert.equal(done, false);
  assert.equal(world.harness.counters.values[Count.PARKED], 1);
  // Others go on meanwhile, those with the same question included.
  assert.deepEqual(await world.connect().ask(echo), ECHOED);
  const second = world.connect().ask({ case: "balanceRequest", value: { user: "bob" } });
  await pause();
  other.locks.unlock(0, true);
  const found = { balanceReply: { user: "alice", balance: "-7" } };
  assert.deepEqual(await settled(pending), [ECHOED, found, ECHOED, found]);
  assert.deepEqual(await settled(second), { balanceReply: { user: "bob" } });
});

Deno.test("ProtoSession: pending output stays within the bound and one reply", async () => {
  const world = new World();
  const content = "x".repeat(200_000);
  const one = encodeAsk({ case: "echoMessage", value: { content } });
  const bytes = delimited(...Array.from({ length: 5 }, () => one));
  const client = world.connect(bytes.length);
  client.input.space().set(bytes);
  client.input.commit(bytes.length);
  await client.session.process(client.input, client.output);
  assert.ok(client.output.length >= OUTPUT_PAUSE_BYTES);
  assert.ok(client.output.length < OUTPUT_PAUSE_BYTES + 201_000);
  assert.ok(client.input.length > 0);
  // What is whole in the input is no message that would have to arrive.
  assert.equal(client.session.midRequest, false);
});

Deno.test("ProtoSession: a long batch pauses and is answered whole", async () => {
  const world = new World();
  const messages = Array.from({ length: 30_000 }, () => encodeAsk(echo));
  const bytes = delimited(...messages);
  const client = world.connect(bytes.length);
  assert.equal((await client.send(bytes)).length, messages.length);
  assert.ok(client.flushCount > 0, `${client.flushCount} pauses`);
  assert.equal(world.harness.counters.values[Count.COMMANDS], messages.length);
});

Deno.test("ProtoSession: counts every message that it answered", async () => {
  const world = new World();
  const client = world.connect();
  await client.send(delimited(encodeAsk(echo), new Uint8Array(0), Uint8Array.of(0x08, 0x05)));
  assert.equal(world.harness.counters.values[Count.COMMANDS], 3);
});

Deno.test("ProtoSession: an HTTP request is reported and nothing of its body runs", async () => {
  for (const framing of ["delimited", "none"] as const) {
    const world = new World({ framing });
    const client = world.connect(4096);
    const head = new TextEncoder().encode("POST / HTTP/1.1\r\nHost: a\r\n" + "x".repeat(99));
    const body = encodeAsk(event);
    await client.send(new Uint8Array([...head, ...delimited(body)]));
    assert.equal(client.closed, true);
    assert.deepEqual(world.crossProtocol, ["127.0.0.1:50000"]);
    assert.equal(world.harness.channel.jobs.length, 0);
  }
});

Deno.test("ProtoSession: without a framing, messages in one read are one message", async () => {
  const client = new World({ framing: "none" }).connect(4096);
  const [reply, ...more] = await client.send(
    new Uint8Array([...encodeAsk(event), ...encodeAsk(echo)]),
  );
  assert.deepEqual(reply, ECHOED);
  assert.deepEqual(more, []);
});

Deno.test("ProtoSession: without a framing, a read that fills the buffer is not the end", async () => {
  const content = "x".repeat(10_000);
  const client = new World({ framing: "none" }).connect(4096);
  assert.deepEqual(await client.ask({ case: "echoMessage", value: { content } }), {
    echoMessage: { content },
  });
  assert.equal(client.session.midRequest, false);
  assert.deepEqual(await client.ask(echo), ECHOED);
});

Deno.test("ProtoSession: without a framing, a message above the bound closes", async () => {
  const world = new World({ framing: "none", maxRequestBytes: 5000 });
  const client = world.connect(4096);
  const content = "x".repeat(10_000);
  const reply = await client.ask({ case: "echoMessage", value: { content } });
  assert.equal(codeOf(reply), "ERROR_CODE_TOO_LARGE");
  assert.equal(client.closed, true);
});

Deno.test("ProtoSession: the longest message is served, one byte more is not", async () => {
  const world = new World({ maxRequestBytes: 1000 });
  // Two tags and two lengths of two bytes.
  const ofBytes = (count: number): Ask => ({
    case: "echoMessage",
    value: { content: "x".repeat(count - 6) },
  });
  assert.equal(encodeAsk(ofBytes(1000)).length, 1000);
  const client = world.connect();
  assert.ok("echoMessage" in (await client.ask(ofBytes(1000)) as Record<string, unknown>));
  assert.equal(codeOf(await client.ask(ofBytes(1001))), "ERROR_CODE_TOO_LARGE");
  assert.equal(client.closed, true);
});
