import assert from "node:assert/strict";
import { createHttpRoutes, type Readiness } from "../../../src/server/http_routes.ts";
import { Store } from "../../../src/store/store.ts";
import { EVENT_BODIES } from "../../cases/http_events.ts";
import { Count, FakeChannel, Harness, settled } from "../command/harness.ts";
import { FakeConnection, readReplies } from "../protocol/http/support.ts";
import { routeParts, TestServer } from "./http_world.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const ALICE = `{"user":"alice","action":"buy","amount":100}`;

Deno.test("POST /events: an accepted event is in the channel", async () => {
  const server = new TestServer();
  const reply = await server.post("/events", ALICE);
  assert.equal(reply.status, 202);
  assert.equal(reply.body, `{"status":"accepted"}`);
  assert.equal(reply.headers.get("content-type"), "application/json");
  assert.deepEqual(server.jobs(), [{ user: "alice", action: "buy", id: "", amount: 100n }]);
});

Deno.test("POST /: is the same endpoint, except for the metrics request", async () => {
  const server = new TestServer();
  assert.equal((await server.post("/", ALICE)).status, 202);
  const metrics = await server.post("/", `{"type":"metrics"}`);
  assert.equal(metrics.status, 200);
  assert.equal(metrics.headers.get("content-type"), "application/json");
  assert.deepEqual(JSON.parse(metrics.body), { received: 1 });
  assert.equal((await server.post("/events", `{"type":"metrics"}`)).status, 400);
  assert.equal(server.jobs().length, 1);
});

Deno.test("POST /events: every body of the cases gets its reply and is counted", async () => {
  for (const { name, body, expected } of EVENT_BODIES) {
    const server = new TestServer();
    const reply = await server.post("/events", body);
    const { values } = server.harness.counters;
    const accepted = expected.kind === "event";
    assert.equal(reply.status, accepted ? 202 : 400, name);
    assert.deepEqual(
      JSON.parse(reply.body),
      accepted
        ? { status: "accepted" }
        : expected.kind === "invalid_json"
        ? { status: "error", reason: "invalid_json" }
        : { status: "error", reason: "invalid_event", detail: expected.detail },
      name,
    );
    assert.equal(values[Count.RECEIVED], accepted ? 1 : 0, name);
    assert.equal(values[Count.INVALID], accepted ? 0 : 1, name);
    assert.equal(reply.headers.get("connection"), undefined, name);
  }
});

Deno.test("POST /events: a full channel is told at once, with when to come back", async () => {
  const server = new TestServer({ channel: new FakeChannel(1) });
  await server.post("/events", ALICE);
  const reply = await server.post("/events", ALICE);
  assert.equal(reply.status, 503);
  assert.equal(reply.body, `{"status":"rejected","reason":"server_busy"}`);
  assert.match(reply.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  assert.equal(reply.headers.get("connection"), undefined);
  assert.equal(server.harness.counters.values[Count.DROPPED_BUSY], 1);
});

Deno.test("POST /events: Retry-After is whole seconds, rounded up, at least 1", async () => {
  for (const [retryAfterMs, expected] of [[1, "1"], [1000, "1"], [1001, "2"], [1e9, "3600"]]) {
    const router = createHttpRoutes({
      ...routeParts(new Harness()),
      intake: {
        offer: () => 1,
        offerWaiting: () => 1,
        stage: () => undefined,
        countRefused: () => {},
        countInvalid: () => {},
        retryAfterMs: () => Number(retryAfterMs),
      },
    });
    const reply = await new TestServer({}, router).post("/events", ALICE);
    assert.equal(reply.headers.get("retry-after"), expected);
  }
});

Deno.test("POST /events: without memory for a balance the event is refused", async () => {
  const server = new TestServer({ hasCredits: () => false });
  const reply = await server.post("/events", ALICE);
  assert.equal(reply.status, 503);
  assert.equal(reply.body, `{"status":"rejected","reason":"out_of_memory"}`);
});

Deno.test("POST /events: an event that meets a closed channel is refused", async () => {
  const server = new TestServer();
  server.harness.channel.closed = true;
  const reply = await server.post("/events", ALICE);
  assert.equal(reply.status, 503);
  assert.equal(reply.body, `{"status":"rejected","reason":"shutting_down"}`);
});

Deno.test("POST /events: an event whose request began before the stop is refused by the intake", async () => {
  const server = new TestServer();
  const connection = new FakeConnection(server.service.createSession(), 4096);
  const head = `POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: ${ALICE.length}\r\n\r\n`;
  await connection.send(head);
  server.harness.phase.stopping = true;
  await connection.send(ALICE);
  const [reply] = readReplies(connection.written);
  assert.equal(reply?.status, 503);
  assert.equal(reply?.body, `{"status":"rejected","reason":"shutting_down"}`);
  assert.ok(connection.closed);
  assert.equal(server.harness.counters.values[Count.DROPPED_SHUTTING_DOWN], 1);
});

Deno.test("POST /events: Idempotency-Key is the event's id", async () => {
  const withId = ALICE.replace("}", `,"id":"i-1"}`);
  const cases: [headers: string, body: string, id: string | null, detail?: string][] = [
    ["Idempotency-Key: k-1\r\n", ALICE, "k-1"],
    ["idempotency-key: i-1\r\n", withId, "i-1"],
    ["", withId, "i-1"],
    ["Idempotency-Key: k-1\r\n", withId, null, "id and Idempotency-Key must be the same"],
    ["Idempotency-Key:\r\n", ALICE, null, "id must be 1 to 64 bytes"],
    [`Idempotency-Key: ${"k".repeat(65)}\r\n`, ALICE, null, "id must be 1 to 64 bytes"],
    ["Idempotency-Key: a\xff\r\n", ALICE, null, "id must be UTF-8 without control characters"],
    ["Idempotency-Key: a\r\nIdempotency-Key: a\r\n", ALICE, null, "Idempotency-Key is repeated"],
  ];
  for (const [headers, body, id, detail] of cases) {
    const server = new TestServer();
    const reply = await server.post("/events", body, headers);
    assert.equal(reply.status, id === null ? 400 : 202, headers);
    assert.equal(JSON.parse(reply.body).detail, detail, headers);
    assert.deepEqual(server.jobs().map((job) => job.id), id === null ? [] : [id]);
  }
});

Deno.test("POST /events: an id does not stick to the next event", async () => {
  const server = new TestServer();
  await server.post("/events", ALICE, "Idempotency-Key: k-1\r\n");
  await server.post("/events", ALICE);
  assert.deepEqual(server.jobs().map((job) => job.id), ["k-1", ""]);
});

Deno.test("POST /events: a chunked body in pieces is an event", async () => {
  const server = new TestServer();
  const connection = new FakeConnection(server.service.createSession(), 64);
  await connection.send("POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const character of ALICE) await connection.send(`1\r\n${character}\r\n`);
  await connection.send("0\r\n\r\n");
  assert.equal(readReplies(connection.written)[0]?.status, 202);
  assert.equal(server.jobs()[0]?.user, "alice");
});

Deno.test("GET /users/:user: balances, and users that have none", async () => {
  const server = new TestServer();
  await server.harness.ask("SET balance:alice 100\r\nSET balance:big -9223372036854775808\r\n");
  await server.harness.ask("SET balance:word hello\r\n");
  const cases: [path: string, status: number, body: string][] = [
    ["alice", 200, `{"user":"alice","balance":100}`],
    ["%61lice", 200, `{"user":"alice","balance":100}`],
    ["alice?x=1", 200, `{"user":"alice","balance":100}`],
    ["big", 200, `{"user":"big","balance":-9223372036854775808}`],
    ["bob", 404, `{"status":"error","reason":"unknown_user"}`],
    ["Alice", 404, `{"status":"error","reason":"unknown_user"}`],
    ["word", 409, `{"status":"error","reason":"wrong_type"}`],
    ["alice/x", 404, `{"status":"error","reason":"not_found"}`],
    ["", 404, `{"status":"error","reason":"not_found"}`],
  ];
  for (const [user, status, body] of cases) {
    const reply = await server.get(`/users/${user}`);
    assert.equal(reply.status, status, user);
    assert.equal(reply.body, body, user);
  }
});

Deno.test("GET /users/:user: a name that needs escapes comes back as JSON", async () => {
  const server = new TestServer();
  const name = `a "b" \\ é😀/`;
  const bytes = encoder.encode(`balance:${name}`);
  const head = encoder.encode(`*3\r\n$3\r\nSET\r\n$${bytes.length}\r\n`);
  const tail = encoder.encode("\r\n$1\r\n7\r\n");
  await server.harness.connect().send(Uint8Array.from([...head, ...bytes, ...tail]));
  const reply = await server.get(`/users/${encodeURIComponent(name)}`);
  assert.equal(reply.status, 200);
  const body = decoder.decode(Uint8Array.from(reply.body, (byte) => byte.charCodeAt(0)));
  assert.deepEqual(JSON.parse(body), { user: name, balance: 7 });
});

Deno.test("GET /users/:user: names that no user can have are refused", async () => {
  const server = new TestServer();
  for (const user of ["u".repeat(129), "%00", "a%0Ab", "%FF", "%C3", "%C2%80"]) {
    const reply = await server.get(`/users/${user}`);
    assert.equal(reply.status, 400, user);
    assert.equal(JSON.parse(reply.body).reason, "invalid_user", user);
  }
  assert.equal((await server.get(`/users/${"u".repeat(128)}`)).status, 404);
  assert.equal((await server.get(`/users/${"%75".repeat(128)}`)).status, 404);
});

Deno.test("GET /users/:user: a busy lock parks the requests, and replies keep their order", async () => {
  const server = new TestServer({ shardCount: 1 });
  await server.harness.ask("SET balance:alice 1\r\nSET balance:bob 2\r\n");
  const other = Store.attach(server.harness.store.memory, 1);
  other.locks.lock(0, true);
  const connection = new FakeConnection(server.service.createSession(), 4096);
  const paths = ["/users/alice", "/users/bob", "/health", "/users/eve"];
  const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join("");
  const sent = connection.send(requests);
  // Another connection that meets the same lock has a lookup of its own.
  const second = new FakeConnection(server.service.createSession(), 4096);
  const secondSent = second.send("GET /users/bob HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(connection.written, "");
  other.locks.unlock(0, true);
  await settled(Promise.all([sent, secondSent]));
  assert.deepEqual(readReplies(connection.written).map(({ body }) => JSON.parse(body)), [
    { user: "alice", balance: 1 },
    { user: "bob", balance: 2 },
    { status: "ok" },
    { status: "error", reason: "unknown_user" },
  ]);
  assert.deepEqual(JSON.parse(readReplies(second.written)[0]!.body), { user: "bob", balance: 2 });
  assert.ok(server.harness.counters.values[Count.PARKED]! >= 2);
});

Deno.test("GET /metrics: text by default, JSON when asked for", async () => {
  const server = new TestServer();
  const text = await server.get("/metrics");
  assert.equal(text.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(text.body, "# TYPE a counter\na 1\n");
  const json = await server.get("/metrics", "Accept: application/json\r\n");
  assert.equal(json.headers.get("content-type"), "application/json");
  assert.deepEqual(JSON.parse(json.body), { received: 0 });
});

Deno.test("GET /health and /ready: only the latter depends on the phase", async () => {
  const server = new TestServer();
  const seen: [Readiness, number, string][] = [];
  for (const readiness of ["starting", "ready", "shutting_down"] as const) {
    server.readiness = readiness;
    assert.equal((await server.get("/health")).body, `{"status":"ok"}`);
    const { status, body } = await server.get("/ready");
    seen.push([readiness, status, body]);
  }
  assert.deepEqual(seen, [
    ["starting", 503, `{"status":"error","reason":"starting"}`],
    ["ready", 200, `{"status":"ready"}`],
    ["shutting_down", 503, `{"status":"error","reason":"shutting_down"}`],
  ]);
});

Deno.test("GET /ready: tells of workers that are lost, and is no more when all are", async () => {
  const server = new TestServer();
  const replies: [number, string][] = [];
  for (const lost of [0, 1, 3, 4]) {
    server.lostWorkerCount = lost;
    const { status, body } = await server.get("/ready");
    replies.push([status, body]);
  }
  assert.deepEqual(replies, [
    [200, `{"status":"ready"}`],
    [200, `{"status":"ready","workers_lost":1}`],
    [200, `{"status":"ready","workers_lost":3}`],
    [503, `{"status":"error","reason":"workers_lost","workers_lost":4}`],
  ]);
  server.readiness = "shutting_down";
  assert.equal((await server.get("/ready")).body, `{"status":"error","reason":"shutting_down"}`);
});

Deno.test("routes: every path names its methods", async () => {
  const server = new TestServer();
  const cases: [path: string, allow: string][] = [
    ["/", "GET, HEAD, POST, OPTIONS"],
    ["/events", "POST, OPTIONS"],
    ["/users/alice", "GET, HEAD, OPTIONS"],
    ["/keys", "GET, HEAD, OPTIONS"],
    ["/keys/a", "GET, HEAD, PUT, DELETE, OPTIONS"],
    ["/metrics", "GET, HEAD, OPTIONS"],
    ["/metrics/contention", "GET, HEAD, OPTIONS"],
    ["/health", "GET, HEAD, OPTIONS"],
    ["/ready", "GET, HEAD, OPTIONS"],
  ];
  for (const [path, allow] of cases) {
    const options = await server.ask(`OPTIONS ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal(options.status, 204, path);
    assert.equal(options.headers.get("allow"), allow, path);
    const refused = await server.ask(`PATCH ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal(refused.status, 405, path);
    assert.equal(refused.headers.get("allow"), allow, path);
  }
});

Deno.test("routes: HEAD of every path with a GET is the GET without its body", async () => {
  const server = new TestServer();
  await server.put("/keys/a", "value");
  const paths = ["/users/a", "/users/%00", "/keys", "/keys?count=x", "/keys/a", "/keys/b"];
  for (
    const path of [...paths, "/metrics", "/metrics/contention", "/health", "/ready", "/nothing"]
  ) {
    const get = await server.get(path);
    const head = await server.ask(`HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal(head.status, get.status, path);
    get.headers.delete("date");
    head.headers.delete("date");
    assert.deepEqual(head.headers, get.headers, path);
    assert.equal(Number(head.headers.get("content-length")), get.body.length, path);
  }
});
