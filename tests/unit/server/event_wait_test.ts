import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { EventOutcome } from "../../../src/command/event_intake.ts";
import type { Settlement } from "../../../src/command/event_waits.ts";
import { createHttpRoutes } from "../../../src/server/http_routes.ts";
import { Count, FakeChannel, Harness, pause } from "../command/harness.ts";
import { readReplies, toLatin1 } from "../protocol/http/support.ts";
import { requestWithBody, routeParts, TestServer } from "./http_world.ts";

const ALICE = `{"user":"alice","action":"buy","amount":100}`;
const ACCEPTED = `{"status":"accepted"}`;

/** A server whose waits end with what the test says. */
class WaitingServer extends TestServer {
  readonly timeouts: number[];
  readonly #waits: PromiseWithResolvers<Settlement>[];

  constructor() {
    const timeouts: number[] = [];
    const waits: PromiseWithResolvers<Settlement>[] = [];
    const parts = routeParts(new Harness());
    const router = createHttpRoutes({
      ...parts,
      intake: {
        offer: (event) => parts.intake.offer(event),
        offerWaiting: (_, timeoutMs) => {
          timeouts.push(timeoutMs);
          const wait = Promise.withResolvers<Settlement>();
          waits.push(wait);
          return wait.promise;
        },
        stage: () => undefined,
        countRefused: () => {},
        countInvalid: () => {},
        retryAfterMs: () => 1,
      },
    });
    super({}, router);
    this.timeouts = timeouts;
    this.#waits = waits;
  }

  settle(settlement: Settlement): void {
    this.#waits.shift()!.resolve(settlement);
  }
}

Deno.test("?wait: the reply is the event's outcome", async () => {
  const cases: [Settlement, number, string][] = [
    [
      { kind: "processed", balance: Int64.fromNumber(107) },
      200,
      `{"status":"processed","balance":107}`,
    ],
    [
      { kind: "processed", balance: new Int64(-0x80000000, 0) },
      200,
      `{"status":"processed","balance":-9223372036854775808}`,
    ],
    [{ kind: "failed", reason: "overflow" }, 200, `{"status":"failed","reason":"overflow"}`],
    [{ kind: "pending" }, 202, ACCEPTED],
  ];
  for (const path of ["/events", "/"]) {
    for (const [settlement, status, body] of cases) {
      const server = new WaitingServer();
      const asked = server.post(`${path}?wait=1s`, ALICE);
      server.settle(settlement);
      const reply = await asked;
      assert.deepEqual([reply.status, reply.body], [status, body]);
      assert.equal(reply.headers.get("content-type"), "application/json");
      assert.deepEqual(server.timeouts, [1000]);
    }
  }
});

Deno.test("?wait: takes durations up to a minute; none means not to wait", async () => {
  const cases: [query: string, timeoutMs: number | undefined][] = [
    ["wait=500ms", 500],
    ["a=b&wait=1.5s&c", 1500],
    ["wait=60s", 60_000],
    ["wait=1m", 60_000],
    ["wait=1%73", 1000],
    ["wait=0", undefined],
    ["wait=0s", undefined],
    ["waits=1s", undefined],
    ["a=wait", undefined],
    ["", undefined],
  ];
  for (const [query, timeoutMs] of cases) {
    const server = new WaitingServer();
    const asked = server.post(`/events?${query}`, ALICE);
    if (timeoutMs !== undefined) server.settle({ kind: "pending" });
    assert.equal((await asked).status, 202, query);
    assert.deepEqual(server.timeouts, timeoutMs === undefined ? [] : [timeoutMs], query);
  }
});

Deno.test("?wait: anything else is refused and counted as invalid", async () => {
  const wrong = [
    "wait=",
    "wait",
    "wait=1",
    "wait=-1s",
    "wait=61s",
    "wait=2m",
    "wait=x",
    "wait=1+s",
  ];
  for (const query of [...wrong, "wait=1s&wait=1s", "wait=%31%"]) {
    const server = new TestServer();
    const reply = await server.post(`/events?${query}`, ALICE);
    assert.equal(reply.status, 400, query);
    if (query.endsWith("%")) continue;
    assert.deepEqual(JSON.parse(reply.body), {
      status: "error",
      reason: "invalid_wait",
      detail: "wait must be a duration such as 500ms or 1s, at most 1m",
    }, query);
    assert.equal(server.jobs().length, 0);
    assert.equal(server.harness.counters.values[Count.INVALID], 1);
  }
});

Deno.test("?wait: refusals are as without it", async () => {
  const server = new TestServer({ channel: new FakeChannel(0) });
  const busy = await server.post("/events?wait=1s", ALICE);
  assert.deepEqual([busy.status, JSON.parse(busy.body).reason], [503, "server_busy"]);
  assert.match(busy.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  assert.equal((await server.post("/events?wait=1s", "{")).status, 400);
  assert.equal((await server.post("/events?wait=1s", "{}")).status, 400);
  const metrics = await server.post("/?wait=1s", `{"type":"metrics"}`);
  assert.equal(metrics.status, 200);
  assert.equal(server.harness.waits.size, 0);
});

Deno.test("?wait: with the whole intake, time that is up is a plain accepted", async () => {
  const server = new TestServer();
  const reply = await server.post("/events?wait=5ms", ALICE);
  assert.deepEqual([reply.status, reply.body], [202, ACCEPTED]);
  assert.equal(server.jobs().length, 1);
  const other = server.post("/events?wait=60s", ALICE);
  server.harness.waits.giveUp();
  assert.equal((await other).status, 202);
});

Deno.test("?wait: what came before is written first, what comes behind waits its turn", async () => {
  const server = new WaitingServer();
  const connection = server.connect();
  const get = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  const waiting = toLatin1(requestWithBody("POST", "/events?wait=1s", ALICE));
  const sent = connection.send(get + get + waiting + waiting + get);
  await pause(0);
  assert.equal(readReplies(connection.written).length, 2);
  server.settle({ kind: "failed", reason: "overflow" });
  await pause(0);
  assert.equal(readReplies(connection.written).length, 3);
  assert.equal(server.timeouts.length, 2);
  server.settle({ kind: "pending" });
  await sent;
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [200, 200, 200, 202, 200]);
  assert.equal(replies[2]!.body, `{"status":"failed","reason":"overflow"}`);
});

Deno.test("?wait: another connection is served meanwhile", async () => {
  const server = new WaitingServer();
  const asked = server.post("/events?wait=1s", ALICE);
  assert.equal((await server.post("/events", ALICE)).status, 202);
  server.settle({ kind: "processed", balance: Int64.fromNumber(EventOutcome.ACCEPTED) });
  assert.equal((await asked).body, `{"status":"processed","balance":0}`);
});

Deno.test("?wait: a chunked body behind other requests is not read twice", async () => {
  const server = new WaitingServer();
  const connection = server.connect();
  const get = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  const half = ALICE.length >> 1;
  const chunks = [ALICE.slice(0, half), ALICE.slice(half), ""]
    .map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join("");
  const waiting = `POST /events?wait=1s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const sent = connection.send(get + waiting + chunks + get);
  await pause(0);
  server.settle({ kind: "processed", balance: Int64.fromNumber(1) });
  await sent;
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [200, 200, 200]);
  assert.equal(replies[1]!.body, `{"status":"processed","balance":1}`);
  assert.equal(connection.input.length, 0);
});
