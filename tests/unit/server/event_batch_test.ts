import assert from "node:assert/strict";
import { type EventLog, EventOutcome } from "../../../src/command/event_intake.ts";
import { createHttpRoutes } from "../../../src/server/http_routes.ts";
import { LISTED_ERRORS_MAX } from "../../../src/server/routes/event_batch.ts";
import { Count, FakeChannel, Harness } from "../command/harness.ts";
import { EventIds } from "../../../src/store/event_ids.ts";
import { readReplies, toLatin1 } from "../protocol/http/support.ts";
import { requestWithBody, routeParts, TestServer } from "./http_world.ts";

const NDJSON = "Content-Type: application/x-ndjson\r\n";

function event(amount: number | string, user = "alice"): string {
  return `{"user":"${user}","action":"buy","amount":${amount}}`;
}

function amounts(server: TestServer): bigint[] {
  return server.jobs().map(({ amount }) => amount);
}

Deno.test("NDJSON: every line is an event, offered in order", async () => {
  const server = new TestServer();
  const reply = await server.post("/events", `${event(1)}\n${event(2)}\n${event(3)}\n`, NDJSON);
  assert.equal(reply.status, 202);
  assert.deepEqual(JSON.parse(reply.body), {
    accepted: 3,
    rejected: 0,
    first_rejected_line: null,
    retry_from_line: null,
    errors: [],
    errors_omitted: 0,
  });
  assert.equal(reply.headers.get("retry-after"), undefined);
  assert.deepEqual(amounts(server), [1n, 2n, 3n]);
  assert.equal(server.harness.counters.values[Count.RECEIVED], 3);
});

Deno.test("NDJSON: blank lines, CR LF and a last line without LF are all right", async () => {
  const bodies = [
    `${event(1)}\r\n${event(2)}\r\n`,
    `${event(1)}\n${event(2)}`,
    `\n\n${event(1)}\n \t\r\n\n${event(2)}\n\n`,
    ` ${event(1)} \n\t${event(2)}\r`,
  ];
  for (const body of bodies) {
    const server = new TestServer();
    const reply = await server.post("/events", body, NDJSON);
    assert.equal(JSON.parse(reply.body).accepted, 2, JSON.stringify(body));
    assert.deepEqual(amounts(server), [1n, 2n]);
  }
});

Deno.test("NDJSON: a body without events accepts nothing and rejects nothing", async () => {
  for (const body of ["", "\n", " \r\n\n"]) {
    const reply = await new TestServer().post("/events", body, NDJSON);
    assert.equal(reply.status, 202);
    assert.equal(JSON.parse(reply.body).accepted + JSON.parse(reply.body).rejected, 0);
  }
});

Deno.test("NDJSON: malformed lines are told by number and stop nothing", async () => {
  const server = new TestServer();
  const lines = [event(1), "{", event("1.5"), "", event(2), "[]", event(3)];
  const reply = await server.post("/events", lines.join("\n"), NDJSON);
  assert.equal(reply.status, 200);
  assert.deepEqual(JSON.parse(reply.body), {
    accepted: 3,
    rejected: 3,
    first_rejected_line: 2,
    retry_from_line: null,
    errors: [
      { line: 2, reason: "invalid_json" },
      {
        line: 3,
        reason: "invalid_event",
        detail: "amount must be an integer from -9223372036854775808 to 9223372036854775807",
      },
      { line: 6, reason: "invalid_event", detail: "the event must be a JSON object" },
    ],
    errors_omitted: 0,
  });
  const { values } = server.harness.counters;
  assert.deepEqual([values[Count.RECEIVED], values[Count.INVALID]], [3, 3]);
});

Deno.test("NDJSON: a body with nothing valid in it is 400", async () => {
  const reply = await new TestServer().post("/events", "x\ny\n", NDJSON);
  assert.equal(reply.status, 400);
  assert.equal(JSON.parse(reply.body).rejected, 2);
});

Deno.test("NDJSON: behind the first server_busy everything is rejected, even if room is made", async () => {
  const channel = new FakeChannel(2);
  // A worker that takes a job whenever an event is refused.
  const { tryReserve } = channel;
  channel.tryReserve = () => {
    const hasRoom = tryReserve.call(channel);
    if (!hasRoom) channel.jobs.shift();
    return hasRoom;
  };
  const server = new TestServer({ channel });
  const lines = [event(1), "x", event(2), event(3), "y", event(4), event(5)];
  const reply = await server.post("/events", lines.join("\n"), NDJSON);
  assert.equal(reply.status, 200);
  assert.match(reply.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  assert.deepEqual(JSON.parse(reply.body), {
    accepted: 2,
    rejected: 5,
    first_rejected_line: 2,
    retry_from_line: 4,
    errors: [
      { line: 2, reason: "invalid_json" },
      { line: 4, reason: "server_busy" },
      { line: 5, reason: "invalid_json" },
      { line: 6, reason: "server_busy" },
      { line: 7, reason: "server_busy" },
    ],
    errors_omitted: 0,
  });
  const { values } = server.harness.counters;
  assert.deepEqual(
    [values[Count.RECEIVED], values[Count.DROPPED_BUSY], values[Count.INVALID]],
    [5, 3, 2],
  );
});

Deno.test("NDJSON: when none was accepted and one could be later, 503 says so", async () => {
  const full = new TestServer({ channel: new FakeChannel(0) });
  const busy = await full.post("/events", `${event(1)}\nx\n`, NDJSON);
  assert.equal(busy.status, 503);
  assert.match(busy.headers.get("retry-after") ?? "", /^[1-9]\d*$/);

  const poor = new TestServer({ hasCredits: () => false });
  const noMemory = await poor.post("/events", event(1), NDJSON);
  assert.equal(noMemory.status, 503);
  assert.equal(noMemory.headers.get("retry-after"), undefined);
  assert.deepEqual(JSON.parse(noMemory.body).errors, [{ line: 1, reason: "out_of_memory" }]);
  assert.equal(poor.harness.counters.values[Count.DROPPED_OUT_OF_MEMORY], 1);

  const closed = new TestServer();
  closed.harness.channel.closed = true;
  const stopping = await closed.post("/events", `${event(1)}\n${event(2)}`, NDJSON);
  assert.equal(stopping.status, 503);
  assert.equal(JSON.parse(stopping.body).errors[1].reason, "shutting_down");
  assert.equal(closed.harness.counters.values[Count.DROPPED_SHUTTING_DOWN], 2);
});

Deno.test("NDJSON: the list of errors is bounded, the count is not", async () => {
  const server = new TestServer();
  const reply = await server.post("/events", "x\n".repeat(250), NDJSON);
  const body = JSON.parse(reply.body);
  assert.equal(body.rejected, 250);
  assert.equal(body.errors.length, LISTED_ERRORS_MAX);
  assert.equal(body.errors_omitted, 250 - LISTED_ERRORS_MAX);
});

Deno.test("NDJSON: the media type may have parameters and any case, and POST / takes it, too", async () => {
  const server = new TestServer();
  const types = [
    "Application/X-NDJSON",
    "application/x-ndjson; charset=utf-8",
    "application/x-ndjson;a",
  ];
  for (const type of types) {
    const reply = await server.post("/", `${event(1)}\n${event(2)}`, `Content-Type: ${type}\r\n`);
    assert.equal(JSON.parse(reply.body).accepted, 2, type);
  }
  for (const type of ["application/json", "application/x-ndjsonx", "text/plain"]) {
    const reply = await server.post("/", `${event(1)}\n${event(2)}`, `Content-Type: ${type}\r\n`);
    assert.equal(reply.status, 400, type);
    assert.equal(JSON.parse(reply.body).reason, "invalid_json", type);
  }
});

Deno.test("NDJSON: what is for a single event is refused", async () => {
  const server = new TestServer();
  const waiting = await server.post("/events?wait=1s", event(1), NDJSON);
  assert.deepEqual([waiting.status, JSON.parse(waiting.body).reason], [400, "invalid_wait"]);
  const keyed = await server.post("/events", event(1), `${NDJSON}Idempotency-Key: a\r\n`);
  assert.deepEqual([keyed.status, JSON.parse(keyed.body).reason], [400, "invalid_event"]);
  assert.equal(server.jobs().length, 0);
});

Deno.test("NDJSON: a large body lets others have their turn, and nothing overtakes it", async () => {
  const harness = new Harness({ channel: new FakeChannel(1_000_000) });
  const parts = routeParts(harness);
  let offeredCount = 0;
  // Takes its time, as a machine under load does.
  const slowOffer = (event: Parameters<typeof parts.intake.offer>[0]): EventOutcome => {
    const untilMs = performance.now() + 0.01;
    while (performance.now() < untilMs);
    offeredCount++;
    return harness.intake.offer(event);
  };
  const router = createHttpRoutes({
    ...parts,
    intake: {
      offer: slowOffer,
      offerWaiting: () => EventOutcome.SERVER_BUSY,
      stage: () => undefined,
      countRefused: (outcome) => harness.intake.countRefused(outcome),
      countInvalid: () => harness.intake.countInvalid(),
      retryAfterMs: () => 1,
    },
  });
  const server = new TestServer({ channel: harness.channel }, router);
  const lineCount = 3000;
  const body = Array.from({ length: lineCount }, (_, i) => event(i)).join("\n");
  const connection = server.connect(2 ** 20);
  const batch = toLatin1(requestWithBody("POST", "/events", body, NDJSON));
  const sent = connection.send(`${batch}GET /health HTTP/1.1\r\nHost: a\r\n\r\n`);
  const seen: number[] = [];
  let done = false;
  void sent.then(() => done = true);
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    seen.push(offeredCount);
  }
  assert.ok(new Set(seen).size >= 3, `others had ${seen.length} turns`);
  const [first, second] = readReplies(connection.written);
  assert.equal(JSON.parse(first!.body).accepted, lineCount);
  assert.equal(second!.body, `{"status":"ok"}`);
  const offered = harness.channel.jobs.length;
  assert.equal(offered, lineCount);
});

/** A log that notes what it is told of, and how many events were in the channel by then. */
function notingLog(channel: FakeChannel, notes: string[], takesWrites = () => true): EventLog {
  let number = 0;
  return {
    get takesWrites(): boolean {
      return takesWrites();
    },
    nextEventNumber: () => ++number,
    acceptEvent: (number) => void notes.push(`${number} alone`),
    beginBatch: () => {
      const numbers: number[] = [];
      return {
        add: (number) => void numbers.push(number),
        publish: () => void notes.push(`${numbers} with ${channel.depth} in the channel`),
      };
    },
    tellEvent: () => {},
  };
}

Deno.test("NDJSON: with a log, all of a body is told it at once, before any of it is in the channel", async () => {
  const channel = new FakeChannel(3);
  const notes: string[] = [];
  const server = new TestServer({ channel, eventLog: notingLog(channel, notes) });
  const lines = [event(1), "nonsense", event(2), event(3), event(4), event(5)];
  const reply = await server.post("/events", lines.join("\n"), NDJSON);
  assert.equal(reply.status, 200);
  assert.equal(JSON.parse(reply.body).accepted, 3);
  assert.equal(JSON.parse(reply.body).retry_from_line, 5);
  assert.deepEqual(notes, ["1,2,3 with 0 in the channel"]);
  assert.deepEqual(amounts(server), [1n, 2n, 3n]);
  assert.equal(channel.reserved, 0);
  assert.equal((await server.post("/events", event(6))).status, 503);
});

Deno.test("NDJSON: with a log, long bodies go into the channel whole and in order", async () => {
  const channel = new FakeChannel(1_000_000);
  const notes: string[] = [];
  const server = new TestServer({ channel, eventLog: notingLog(channel, notes) });
  const lines = Array.from({ length: 10_000 }, (_, i) => event(i));
  const reply = await server.post("/events", lines.join("\n"), NDJSON);
  assert.equal(reply.status, 202);
  assert.equal(notes.length, 1);
  assert.deepEqual(amounts(server), Array.from({ length: 10_000 }, (_, i) => BigInt(i)));
});

Deno.test("NDJSON: with a log, an id that comes twice in a body is accepted twice and applied once", async () => {
  const channel = new FakeChannel();
  const notes: string[] = [];
  const eventIds = EventIds.create({ maxIds: 100, windowMs: 60_000 });
  const server = new TestServer({ channel, eventIds, eventLog: notingLog(channel, notes) });
  const line = `{"user":"ann","action":"buy","amount":1,"id":"7"}`;
  for (let i = 0; i < 2; i++) {
    const reply = await server.post("/events", `${line}\n${event(2)}\n${line}`, NDJSON);
    assert.equal(JSON.parse(reply.body).accepted, 3);
  }
  assert.deepEqual(amounts(server), [1n, 2n, 2n]);
  assert.equal(server.harness.counters.values[Count.DUPLICATES], 3);
  assert.deepEqual(notes, ["1,2 with 0 in the channel", "3 with 2 in the channel"]);
});
