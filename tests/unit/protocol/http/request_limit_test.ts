/** What a limit, ids and an observer of requests do to replies. */

import assert from "node:assert/strict";
import { ContentType, type HttpExchange } from "../../../../src/protocol/http/exchange.ts";
import type { RequestLimit } from "../../../../src/protocol/http/request_limit.ts";
import { createRouter } from "../../../../src/protocol/http/router.ts";
import { FakeConnection, LIMITED, makeService, readReplies } from "./support.ts";

const HEALTH = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

/** Lets `count` requests of each address through. */
class FakeLimit implements RequestLimit {
  readonly taken = new Map<string, number>();
  remaining = 0;
  readonly resetS = 42;

  constructor(readonly count: number) {}

  keyOf(hostname: string): { hostname: string } {
    return { hostname };
  }

  tryTake({ hostname }: { hostname: string }): boolean {
    const taken = this.taken.get(hostname) ?? 0;
    this.remaining = Math.max(0, this.count - taken - 1);
    if (taken < this.count) this.taken.set(hostname, taken + 1);
    return taken < this.count;
  }
}

Deno.test("HttpSession: a limit is said in every reply, and beyond it is 429", async () => {
  const { service, counters } = makeService({ limit: new FakeLimit(2) });
  const client = { id: 1, connectedAtMs: 0, hostname: "10.0.0.1" };
  const connection = new FakeConnection(service.createSession(client), 4096);
  await connection.send(HEALTH + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + HEALTH + HEALTH);
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [200, 404, 429, 429]);
  const remaining = replies.map(({ headers }) => headers.get("ratelimit-remaining"));
  assert.deepEqual(remaining, ["1", "0", "0", "0"]);
  for (const { status, headers } of replies) {
    assert.equal(headers.get("ratelimit-limit"), "2");
    assert.equal(headers.get("ratelimit-reset"), "42");
    assert.equal(headers.get("retry-after"), status === 429 ? "42" : undefined);
  }
  assert.match(replies[2]!.body, /^\{"status":"error","reason":"rate_limited","detail":"[^"]+"\}$/);
  assert.equal(counters.get(LIMITED), 2);
  assert.equal(connection.closed, false);
  const other = new FakeConnection(
    service.createSession({ id: 2, connectedAtMs: 0, hostname: "10.0.0.2" }),
    4096,
  );
  await other.send(HEALTH);
  assert.equal(readReplies(other.written)[0]!.status, 200);
});

Deno.test("HttpSession: a request beyond the limit that announces a body is refused without it", async () => {
  const { service } = makeService({ limit: new FakeLimit(0) });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n");
  const [reply] = readReplies(connection.written);
  assert.equal(reply!.status, 429);
  assert.equal(reply!.headers.get("connection"), "close");
  assert.ok(connection.closed);
});

Deno.test("HttpSession: a client's X-Request-Id is said back, if it can be a name", async () => {
  const { service } = makeService();
  const cases: [given: string, said: string | undefined][] = [
    ["abc-123_X.9", "abc-123_X.9"],
    ["a".repeat(64), "a".repeat(64)],
    ["a".repeat(65), undefined],
    ["a b", undefined],
    ["<script>", undefined],
    ["", undefined],
  ];
  for (const [given, said] of cases) {
    const connection = new FakeConnection(service.createSession(), 4096);
    await connection.send(
      `GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${given}\r\n\r\n${HEALTH}`,
    );
    const [named, unnamed] = readReplies(connection.written);
    assert.equal(named!.headers.get("x-request-id"), said, given);
    assert.equal(unnamed!.headers.get("x-request-id"), undefined);
  }
});

Deno.test("HttpSession: each answered request is told of once, with its id, status and bytes", async () => {
  const seen: { id: string; status: number; bytes: number }[] = [];
  const { service } = makeService({
    namesRequests: true,
    onAnswered: ({ requestId, status, bodyBytes }: HttpExchange) =>
      seen.push({ id: requestId, status, bytes: bodyBytes }),
  });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send(
    HEALTH + "HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n" +
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
      "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + "nonsense\r\n\r\n",
  );
  const replies = readReplies(connection.written, [1]);
  assert.deepEqual(seen.map(({ status }) => status), [200, 200, 200, 404, 400]);
  assert.deepEqual(seen.map(({ bytes }) => bytes), replies.map(({ body }) => body.length));
  const ids = replies.slice(0, 4).map(({ headers }) => headers.get("x-request-id"));
  assert.deepEqual(seen.slice(0, 4).map(({ id }) => id), ids);
  assert.equal(new Set(ids).size, 4);
});

Deno.test("HttpSession: a request that was not understood has an id, too, and the client is told", async () => {
  const seen: string[] = [];
  const { service } = makeService({
    namesRequests: true,
    onAnswered: ({ requestId }: HttpExchange) => seen.push(requestId),
  });
  for (
    const request of ["nonsense\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n", `${"x".repeat(4000)} / `]
  ) {
    const connection = new FakeConnection(service.createSession(), 8192);
    await connection.send(request);
    const [reply] = readReplies(connection.written);
    assert.match(reply!.headers.get("x-request-id") ?? "", /^[0-9a-f]{8}-[0-9a-f]+$/);
    assert.equal(seen.pop(), reply!.headers.get("x-request-id"));
  }
});

Deno.test("HttpSession: what was not sent of a body does not count as sent", async () => {
  const seen: { status: number; bytes: number }[] = [];
  let released = 0;
  const source = {
    byteCount: 1_000_000,
    remaining: 1_000_000,
    readNext(target: Uint8Array): Promise<number> {
      if (this.remaining < 900_000) return Promise.reject(new Error("the file became shorter"));
      this.remaining -= target.length;
      return Promise.resolve(target.length);
    },
    release: () => released++,
  };
  const { service } = makeService({
    router: createRouter([{
      method: "GET",
      pattern: "/file",
      handler: (exchange) => exchange.sendAsync(200, ContentType.TEXT, source),
    }]),
    onAnswered: ({ status, bodyBytes }: HttpExchange) => seen.push({ status, bytes: bodyBytes }),
  });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.ok(connection.closed);
  assert.ok(released > 0);
  const head = connection.written.indexOf("\r\n\r\n") + 4;
  assert.equal(connection.written.length - head, 2 * 65536);
  assert.deepEqual(seen, [{ status: 200, bytes: 2 * 65536 }]);
});
