import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { EventOutcome } from "../../../src/command/event_intake.ts";
import type { Settlement } from "../../../src/command/event_waits.ts";
import type { EventOffer } from "../../../src/server/routes/event_offer.ts";
import { JobView } from "../../../src/base/job.ts";
import { text } from "../../cases/websocket_frames.ts";
import { parseServerFrames } from "../../helpers/websocket_frames.ts";
import { Count, FakeChannel } from "../command/harness.ts";
import { LiveCount, LiveServer } from "./live_world.ts";

const ALICE = `"type":"event","user":"alice","action":"buy","amount":100`;

Deno.test("/ws: an event is accepted, with the ref that it had", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const refs = [`1`, `-0`, `9007199254740993`, `"one"`, `""`, `"\\u0061\\"\\ud800"`, `"é€😀"`];
  for (const ref of refs) {
    await client.connection.send(
      textFrame(`{${ALICE},"ref":${ref}}`),
    );
    assert.deepEqual(parseServerFrames(client.take()), [
      `text {"type":"reply","ref":${bytesOf(ref)},"status":"accepted"}`,
    ]);
  }
  assert.deepEqual(await client.ask(`{${ALICE}}`), [{ type: "reply", status: "accepted" }]);
  assert.equal(server.live.channel.jobs.length, refs.length + 1);
  assert.equal(server.count(Count.RECEIVED), refs.length + 1);
  assert.equal(server.count(Count.INVALID), 0);
  assert.equal(server.count(LiveCount.messagesIn), refs.length + 1);
  assert.equal(server.count(LiveCount.messagesOut), refs.length + 1);
});

Deno.test("/ws: an amount keeps its digits, and all fields arrive", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  await client.ask(
    `{"id":"i","user":"a\\u006cice","action":"é","amount":-9223372036854775808,"type":"event"}`,
  );
  const [job] = server.live.channel.jobs;
  const view = new JobView().attach(job!, 0, job!.length);
  const text = (start: number, end: number): string =>
    new TextDecoder().decode(job!.subarray(start, end));
  assert.equal(text(view.userStart, view.userEnd), "alice");
  assert.equal(text(view.actionStart, view.actionEnd), "é");
  assert.equal(text(view.idStart, view.idEnd), "i");
  assert.equal(view.amount.toBigInt(), -(2n ** 63n));
});

Deno.test("/ws: many messages in one read are answered in order", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const messages = Array.from(
    { length: 300 },
    (_, ref) => ref % 3 === 2 ? `{"type":"nope","ref":${ref}}` : `{${ALICE},"ref":${ref}}`,
  );
  const replies = await client.ask(...messages);
  assert.deepEqual(replies.map(({ ref }) => ref), messages.map((_, ref) => ref));
  assert.equal(server.live.channel.jobs.length, 200);
});

Deno.test("/ws: what is wrong with a message is said, and the connection stays", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const cases: [message: string, reason: string, detail: RegExp | undefined, invalid: 0 | 1][] = [
    ["nope", "invalid_json", undefined, 1],
    ["", "invalid_json", undefined, 1],
    ["{} {}", "invalid_json", undefined, 1],
    [`{"type":"event"`, "invalid_json", undefined, 1],
    ["[]", "unknown_type", /^type must be/, 0],
    ["5", "unknown_type", /^type must be/, 0],
    ["{}", "unknown_type", /^type must be/, 0],
    [`{"type":"ping"}`, "unknown_type", /^type must be/, 0],
    [`{"type":7}`, "unknown_type", /^type must be/, 0],
    [`{"type":"event"}`, "invalid_event", /^user is missing$/, 1],
    [`{"type":"event","user":"a","action":"b","amount":1.5}`, "invalid_event", /^amount/, 1],
    [`{"type":"event","user":"a","action":"b","amount":"1"}`, "invalid_event", /^amount/, 1],
    [`{"type":"event","user":"","action":"b","amount":1}`, "invalid_event", /^user/, 1],
    [`{${ALICE},"id":""}`, "invalid_event", /^id/, 1],
    [`{${ALICE},"wait_ms":60001}`, "invalid_wait", /^wait_ms must be/, 1],
    [`{${ALICE},"wait_ms":-1}`, "invalid_wait", /^wait_ms must be/, 1],
    [`{${ALICE},"wait_ms":1.0}`, "invalid_wait", /^wait_ms must be/, 1],
    [`{${ALICE},"wait_ms":"1s"}`, "invalid_wait", /^wait_ms must be/, 1],
    [`{${ALICE},"wait_ms":null}`, "invalid_wait", /^wait_ms must be/, 1],
    [`{${ALICE},"wait_ms":99999999999999999999}`, "invalid_wait", /^wait_ms must be/, 1],
    [`{${ALICE},"ref":1.5}`, "invalid_ref", /^ref must be/, 0],
    [`{${ALICE},"ref":null}`, "invalid_ref", /^ref must be/, 0],
    [`{${ALICE},"ref":{}}`, "invalid_ref", /^ref must be/, 0],
    [`{${ALICE},"ref":"${"r".repeat(129)}"}`, "invalid_ref", /^ref must be/, 0],
    [`{"type":"metrics","interval_ms":99}`, "invalid_interval", /^interval_ms must be/, 0],
    [`{"type":"metrics","interval_ms":60001}`, "invalid_interval", /^interval_ms must be/, 0],
    [`{"type":"metrics","interval_ms":-1}`, "invalid_interval", /^interval_ms must be/, 0],
    [`{"type":"metrics","interval_ms":"1s"}`, "invalid_interval", /^interval_ms must be/, 0],
    [`{"type":"metrics","interval_ms":250.5}`, "invalid_interval", /^interval_ms must be/, 0],
  ];
  for (const [message, reason, detail, invalid] of cases) {
    const before = server.count(Count.INVALID);
    const [reply, ...rest] = await client.ask(message);
    assert.deepEqual(rest, [], message);
    assert.equal(reply?.["type"], "error", message);
    assert.equal(reply["reason"], reason, message);
    if (detail === undefined) assert.ok(!("detail" in reply), message);
    else assert.match(String(reply["detail"]), detail, message);
    assert.equal(server.count(Count.INVALID) - before, invalid, message);
  }
  assert.deepEqual(
    await client.ask(`{"ref":"r","type":"x"}`),
    [{
      type: "error",
      ref: "r",
      reason: "unknown_type",
      detail: `type must be "event" or "metrics"`,
    }],
  );
  assert.deepEqual(await client.ask(`{${ALICE}}`), [{ type: "reply", status: "accepted" }]);
  assert.equal(server.count(Count.RECEIVED), 1);
  assert.equal(server.count(LiveCount.viewers), 0);
});

Deno.test("/ws: a refused event is told why, and is counted as everywhere", async () => {
  const full = new LiveServer({ channel: new FakeChannel(1) });
  using busy = await full.openWebSocket();
  const [first, second] = await busy.ask(`{${ALICE}}`, `{${ALICE},"ref":2}`);
  assert.equal(first?.["status"], "accepted");
  const { retry_after_ms: retryAfterMs, ...rest } = second!;
  assert.deepEqual(rest, { type: "reply", ref: 2, status: "rejected", reason: "server_busy" });
  assert.ok(Number.isInteger(retryAfterMs) && Number(retryAfterMs) >= 1);
  assert.equal(full.count(Count.RECEIVED), 2);
  assert.equal(full.count(Count.DROPPED_BUSY), 1);

  const poor = new LiveServer({ hasCredits: () => false });
  using hungry = await poor.openWebSocket();
  assert.deepEqual(await hungry.ask(`{${ALICE}}`), [
    { type: "reply", status: "rejected", reason: "out_of_memory" },
  ]);
  assert.equal(poor.count(Count.DROPPED_OUT_OF_MEMORY), 1);

  const stopping = new LiveServer();
  using late = await stopping.openWebSocket();
  stopping.live.phase.stopping = true;
  await late.connection.send(textFrame(`{${ALICE}}`));
  assert.deepEqual(parseServerFrames(late.take()), [
    `text {"type":"reply","status":"rejected","reason":"shutting_down"}`,
    "close 1001",
  ]);
  assert.equal(stopping.count(Count.DROPPED_SHUTTING_DOWN), 1);
  assert.ok(late.connection.closed);
});

Deno.test("/ws: who waits is told the outcome; nothing behind it is done before", async () => {
  const cases: [Settlement, Record<string, unknown>][] = [
    [{ kind: "processed", balance: new Int64(-0x80000000, 0) }, { status: "processed" }],
    [{ kind: "failed", reason: "overflow" }, { status: "failed", reason: "overflow" }],
    [{ kind: "pending" }, { status: "accepted" }],
  ];
  for (const [settlement, expected] of cases) {
    const offered: string[] = [];
    const wait = Promise.withResolvers<Settlement>();
    const intake: EventOffer = {
      offer: (event) => {
        offered.push(`at once ${event.amount}`);
        return EventOutcome.ACCEPTED;
      },
      offerWaiting: (event, timeoutMs) => {
        offered.push(`${timeoutMs} ms ${event.amount}`);
        return wait.promise;
      },
      countRefused: () => {},
      countInvalid: () => {},
      retryAfterMs: () => 1,
    };
    const server = new LiveServer({}, intake);
    using client = await server.openWebSocket();
    using other = await server.openWebSocket();
    const asked = client.ask(
      `{${ALICE},"ref":1}`,
      `{${ALICE},"ref":"waits","wait_ms":500}`,
      `{${ALICE},"ref":3}`,
    );
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(offered, ["at once 100", "500 ms 100"]);
    assert.deepEqual(client.replies(), [{ type: "reply", ref: 1, status: "accepted" }]);
    // Another client's message goes through the same hands meanwhile.
    await other.ask(`{${ALICE},"ref":"other"}`);
    wait.resolve(settlement);
    const [waited, last] = await asked;
    assert.deepEqual(last, { type: "reply", ref: 3, status: "accepted" });
    const { balance, ...rest } = waited!;
    assert.deepEqual(rest, { type: "reply", ref: "waits", ...expected });
    assert.equal(balance === undefined, settlement.kind !== "processed");
    assert.equal(server.count(LiveCount.messagesIn), 4);
  }
});

Deno.test("/ws: the balance after a wait keeps its digits", async () => {
  const server = new LiveServer({}, {
    offer: () => EventOutcome.ACCEPTED,
    offerWaiting: () =>
      Promise.resolve({ kind: "processed", balance: new Int64(-0x80000000, 0) } as const),
    countRefused: () => {},
    countInvalid: () => {},
    retryAfterMs: () => 1,
  });
  using client = await server.openWebSocket();
  await client.connection.send(textFrame(`{${ALICE},"wait_ms":1}`));
  assert.deepEqual(parseServerFrames(client.take()), [
    `text {"type":"reply","status":"processed","balance":-9223372036854775808}`,
  ]);
});

Deno.test("/ws: the counters come at once, then at the interval, until they are not wanted", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const [reply, first] = await client.ask(`{"type":"metrics","interval_ms":120,"ref":"m"}`);
  assert.deepEqual(reply, { type: "reply", ref: "m", status: "subscribed", interval_ms: 150 });
  assert.equal(first?.["type"], "metrics");
  assert.deepEqual(first["metrics"], { reads: 1, received: 0 });
  assert.equal(server.count(LiveCount.viewers), 1);
  while (client.target.pendingBytes === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(client.pushed().map(({ type }) => type), ["metrics"]);
  // Another interval instead, not besides; without one it is a second.
  const [again] = await client.ask(`{"type":"metrics"}`);
  assert.equal(again?.["interval_ms"], 1000);
  assert.equal(server.count(LiveCount.viewers), 1);
  assert.deepEqual(await client.ask(`{"type":"metrics","interval_ms":0}`), [
    { type: "reply", status: "unsubscribed" },
  ]);
  assert.equal(server.count(LiveCount.viewers), 0);
  assert.deepEqual(await client.ask(`{"type":"metrics","interval_ms":0,"ref":0}`), [
    { type: "reply", ref: 0, status: "unsubscribed" },
  ]);
  assert.equal(server.count(LiveCount.viewers), 0);
});

Deno.test("/ws: who has not taken the last counters is not sent more, then those of now", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  await client.ask(`{"type":"metrics","interval_ms":100}`);
  const isShown = async (): Promise<void> => {
    while (client.target.pendingBytes === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await isShown();
  const sent = server.count(LiveCount.messagesOut);
  const reads = server.reads.count;
  // Others are shown what this one misses.
  using other = await server.openWebSocket();
  await other.ask(`{"type":"metrics","interval_ms":100}`);
  while (server.reads.count < reads + 4) {
    other.target.take();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(client.pushed().length, 1);
  await isShown();
  const [last] = client.pushed();
  assert.ok((last?.["metrics"] as { reads: number }).reads >= reads + 4);
  assert.ok(server.count(LiveCount.messagesOut) > sent);
});

Deno.test("/ws: whoever is gone is shown nothing more", async () => {
  const server = new LiveServer();
  const client = await server.openWebSocket();
  await client.ask(`{"type":"metrics","interval_ms":100}`);
  client.connection.session.close();
  assert.equal(server.count(LiveCount.viewers), 0);
  assert.equal(server.count(LiveCount.connections), 0);
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(client.target.pendingBytes, 0);
});

Deno.test("/ws: a client that asks for the counters again and again has them read once", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const replies = await client.ask(
    ...new Array<string>(200).fill(`{"type":"metrics","interval_ms":60000}`),
  );
  assert.equal(replies.length, 400);
  // Some 50 ms may have passed meanwhile, on a busy machine more than once.
  assert.ok(server.reads.count < 20, `${server.reads.count} readings`);
});

Deno.test("/ws: the longest message is as long as a request's body may be", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const padding = (length: number): string => `{${ALICE},"x":"${"x".repeat(length)}"}`;
  const fits = 1000 - padding(0).length;
  assert.equal((await client.ask(padding(fits)))[0]?.["status"], "accepted");
  await client.connection.send(textFrame(padding(fits + 1)));
  assert.deepEqual(parseServerFrames(client.take()), ["close 1009"]);
});

function textFrame(message: string): string {
  return text(bytesOf(message));
}

function bytesOf(message: string): string {
  return String.fromCharCode(...new TextEncoder().encode(message));
}
