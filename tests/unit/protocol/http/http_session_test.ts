import assert from "node:assert/strict";
import type { ByteWriter } from "../../../../src/base/bytes.ts";
import { BrowserGuard } from "../../../../src/protocol/http/browser_guard.ts";
import { ContentType, type HttpExchange } from "../../../../src/protocol/http/exchange.ts";
import { createRouter } from "../../../../src/protocol/http/router.ts";
import { OUTPUT_PAUSE_BYTES, SessionStep } from "../../../../src/protocol/session.ts";
import { FakeConnection, makeService, readReplies, REQUESTS } from "./support.ts";

const HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HEALTH_REPLY = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
  'Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"ok"}';

Deno.test("HttpSession: a reply is exactly these bytes", async () => {
  const connection = connect();
  await connection.send(HEALTH);
  assert.equal(connection.written, HEALTH_REPLY);
  assert.deepEqual(connection.steps, [SessionStep.NEED_INPUT]);
});

Deno.test("HttpSession: a reply built at run time is exactly these bytes", async () => {
  const connection = connect();
  await connection.send(
    "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
  );
  assert.equal(
    connection.written,
    "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi",
  );
});

Deno.test("HttpSession: pipelined requests are answered in one write, in order", async () => {
  const connection = connect(4096);
  const echo = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
  await connection.send(`${HEALTH}${echo}1${HEALTH}${echo}2GET /x HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.equal(connection.writeCount, 1);
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [200, 200, 200, 200, 404]);
  assert.equal(replies[1]?.body, "1");
  assert.equal(replies[3]?.body, "2");
});

Deno.test("HttpSession: an incomplete request waits behind complete ones", async () => {
  const connection = connect(4096);
  await connection.send(HEALTH + HEALTH.slice(0, 20));
  assert.equal(readReplies(connection.written).length, 1);
  assert.ok(connection.session.midRequest);
  await connection.send(HEALTH.slice(20));
  assert.equal(readReplies(connection.written).length, 2);
  assert.ok(!connection.session.midRequest);
});

Deno.test("HttpSession: midRequest is true from the first byte to the reply", async () => {
  const connection = connect();
  assert.ok(!connection.session.midRequest);
  const request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
  for (const byte of request.slice(0, -1)) {
    await connection.send(byte);
    assert.ok(connection.session.midRequest);
  }
  await connection.send(request.slice(-1));
  assert.ok(!connection.session.midRequest);
});

Deno.test("HttpSession: an empty line behind a request is no request", async () => {
  const connection = connect(4096);
  await connection.send(`${HEALTH}\r\n`);
  assert.equal(readReplies(connection.written).length, 1);
  assert.ok(!connection.session.midRequest);
  await connection.send(HEALTH);
  assert.equal(readReplies(connection.written).length, 2);
});

Deno.test("HttpSession: nothing behind Connection: close is answered", async () => {
  const connection = connect(4096);
  await connection.send(
    `${HEALTH}GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${HEALTH}`,
  );
  const replies = readReplies(connection.written);
  assert.equal(replies.length, 2);
  assert.equal(replies[1]?.headers.get("connection"), "close");
  assert.ok(connection.closed);
});

Deno.test("HttpSession: HEAD is answered as GET without the body", async () => {
  const connection = connect(4096);
  await connection.send(`${HEALTH.replace("GET", "HEAD")}${HEALTH}`);
  const [head, get] = readReplies(connection.written, [0]);
  assert.deepEqual(head, { ...get, body: "" });
  assert.equal(head?.headers.get("content-length"), "15");
});

Deno.test("HttpSession: HEAD of what is not there has no body either", async () => {
  const connection = connect(4096);
  await connection.send(
    "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nHEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  const replies = readReplies(connection.written, [0, 1]);
  assert.deepEqual(replies.map(({ status }) => status), [404, 405]);
  assert.equal(replies[1]?.headers.get("allow"), "POST, OPTIONS");
});

Deno.test("HttpSession: HEAD that is refused while it is read has no body", async () => {
  const connection = connect(4096);
  await connection.send("HEAD /health HTTP/1.1\r\n\r\n");
  const [reply] = readReplies(connection.written, [0]);
  assert.equal(reply?.status, 400);
});

Deno.test("HttpSession: OPTIONS and 405 name the methods of the path", async () => {
  const connection = connect(4096);
  await connection.send("OPTIONS /health HTTP/1.1\r\nHost: a\r\n\r\n");
  await connection.send("PUT /health HTTP/1.1\r\nHost: a\r\n\r\n");
  const [options, refused] = readReplies(connection.written);
  assert.equal(options?.status, 204);
  assert.equal(options?.headers.get("allow"), "GET, HEAD, OPTIONS");
  assert.ok(!options?.headers.has("content-length"));
  assert.equal(refused?.status, 405);
  assert.equal(refused?.headers.get("allow"), "GET, HEAD, OPTIONS");
  assert.equal(refused?.body, `{"status":"error","reason":"method_not_allowed"}`);
});

Deno.test("HttpSession: Expect: 100-continue is answered once, before the body comes", async () => {
  const connection = connect(4096);
  const head =
    "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  await connection.send(head);
  assert.equal(connection.written, "HTTP/1.1 100 Continue\r\n\r\n");
  connection.written = "";
  await connection.send("h");
  assert.equal(connection.written, "");
  await connection.send("i");
  assert.equal(readReplies(connection.written)[0]?.body, "hi");
});

Deno.test("HttpSession: Expect: 100-continue with the body at hand needs no 100", async () => {
  const connection = connect(4096);
  const head =
    "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  await connection.send(`${head}hi${head}hi`);
  assert.deepEqual(readReplies(connection.written).map(({ status }) => status), [200, 200]);
});

Deno.test("HttpSession: Expect: 100-continue for too large a body is refused at once", async () => {
  const connection = connect(4096);
  await connection.send(
    "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n",
  );
  assert.deepEqual(readReplies(connection.written).map(({ status }) => status), [413]);
  assert.ok(connection.closed);
});

Deno.test("HttpSession: a body in chunks of one byte stays small in the input buffer", async () => {
  const connection = connect(64);
  await connection.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let i = 0; i < 900; i++) await connection.send(`1;${"e".repeat(2)}\r\nx\r\n`);
  // 900 bytes of data came as 8,100 bytes of input.
  assert.ok(connection.input.bytes.length <= 2048, `${connection.input.bytes.length} bytes`);
  await connection.send("0\r\nTrailer: t\r\n\r\n");
  assert.equal(readReplies(connection.written)[0]?.body, "x".repeat(900));
});

Deno.test("HttpSession: output above its limit pauses the batch and loses nothing", async () => {
  const body = "y".repeat(1000);
  const request = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${body}`;
  const count = Math.ceil(OUTPUT_PAUSE_BYTES / 1000) * 2;
  const connection = connect(4 * 1024 * 1024);
  await connection.send(request.repeat(count));
  // At least twice: a batch that takes long pauses, too.
  const flushes = connection.steps.filter((step) => step === SessionStep.FLUSH).length;
  assert.ok(flushes >= 2, `${flushes} pauses`);
  const replyBytes = connection.written.length / count;
  assert.ok(connection.largestWriteBytes < OUTPUT_PAUSE_BYTES + replyBytes);
  assert.equal(readReplies(connection.written).length, count);
});

Deno.test("HttpSession: a request that started before the stop is finished, then closed", async () => {
  const { service, phase } = makeService();
  const connection = new FakeConnection(service.createSession());
  await connection.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
  phase.stopping = true;
  await connection.send("i");
  const [reply] = readReplies(connection.written);
  assert.equal(reply?.status, 200);
  assert.equal(reply?.body, "hi");
  assert.equal(reply?.headers.get("connection"), "close");
  assert.ok(connection.closed);
});

Deno.test("HttpSession: a request that starts while stopping is refused and closed", async () => {
  const { service, phase } = makeService();
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send(HEALTH);
  phase.stopping = true;
  await connection.send(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n`);
  const reply = readReplies(connection.written)[1];
  assert.equal(reply?.status, 503);
  assert.equal(reply?.body, `{"status":"rejected","reason":"shutting_down"}`);
  assert.equal(reply?.headers.get("connection"), "close");
  assert.ok(connection.closed);
});

Deno.test("HttpSession: a parked request keeps the order of replies", async () => {
  const gate = Promise.withResolvers<void>();
  const log: string[] = [];
  const router = createRouter([
    {
      method: "GET",
      pattern: "/slow/:n",
      handler: async (exchange) => {
        log.push("slow");
        await gate.promise;
        reply(exchange, "slow");
      },
    },
    {
      method: "GET",
      pattern: "/fast",
      handler: (exchange) => {
        log.push("fast");
        reply(exchange, "fast");
      },
    },
  ]);
  const { service } = makeService({ router });
  const connection = new FakeConnection(service.createSession(), 4096);
  const requests = ["/fast", "/slow/1", "/slow/2", "/fast"]
    .map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const sent = connection.send(requests.join(""));
  assert.deepEqual(log, ["fast", "slow"]);
  gate.resolve();
  await sent;
  assert.deepEqual(log, ["fast", "slow", "slow", "fast"]);
  const bodies = readReplies(connection.written).map(({ body }) => body);
  assert.deepEqual(bodies, ["fast", "slow", "slow", "fast"]);
  // Behind each that waited the connection looks whether there is memory for the next.
  assert.equal(connection.writeCount, 3);
});

Deno.test("HttpSession: two parked sessions do not share their exchange", async () => {
  const gates = new Map([["1", Promise.withResolvers<void>()], [
    "2",
    Promise.withResolvers<void>(),
  ]]);
  const router = createRouter([{
    method: "GET",
    pattern: "/slow/:n",
    handler: async (exchange) => {
      const { request, params } = exchange;
      const n = String.fromCharCode(...request.bytes.subarray(params.start(0), params.end(0)));
      await gates.get(n)!.promise;
      reply(exchange, n);
    },
  }]);
  const { service } = makeService({ router });
  const first = new FakeConnection(service.createSession());
  const second = new FakeConnection(service.createSession());
  const firstSent = first.send("GET /slow/1 HTTP/1.1\r\nHost: a\r\n\r\n");
  const secondSent = second.send("GET /slow/2 HTTP/1.1\r\nHost: a\r\n\r\n");
  gates.get("2")!.resolve();
  await secondSent;
  gates.get("1")!.resolve();
  await firstSent;
  assert.equal(readReplies(first.written)[0]?.body, "1");
  assert.equal(readReplies(second.written)[0]?.body, "2");
});

Deno.test("HttpSession: a handler's exception reaches the connection", async () => {
  const router = createRouter([{
    method: "GET",
    pattern: "/broken",
    handler: () => {
      throw new TypeError("Cannot answer: broken");
    },
  }]);
  const { service } = makeService({ router });
  const connection = new FakeConnection(service.createSession());
  await assert.rejects(
    connection.send("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n"),
    /Cannot answer: broken/,
  );
});

Deno.test("HttpSession: every answered request is counted once", async () => {
  const { service, counters } = makeService();
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send(`${HEALTH}${HEALTH}GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET\t`);
  assert.equal(readReplies(connection.written).length, 4);
  assert.equal(counters.get(REQUESTS), 4);
});

Deno.test("HttpSession: the date of canned replies goes with the clock", async () => {
  let nowMs = 0;
  const { service } = makeService({ clock: () => nowMs });
  const connection = new FakeConnection(service.createSession());
  const dates: (string | undefined)[] = [];
  for (nowMs of [0, 999, 1000, 86_400_000]) {
    connection.written = "";
    await connection.send(HEALTH);
    dates.push(readReplies(connection.written)[0]?.headers.get("date"));
  }
  assert.deepEqual(dates, [
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:01 GMT",
    "Fri, 02 Jan 1970 00:00:00 GMT",
  ]);
});

Deno.test("HttpSession: with a guard, foreign hosts and origins are refused", async () => {
  const { service } = makeService({ guard: new BrowserGuard() });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  await connection.send(`${HEALTH.slice(0, -2)}Origin: http://evil.example\r\n\r\n`);
  await connection.send(HEALTH);
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [421, 403, 200]);
  assert.ok(!connection.closed);
});

Deno.test("HttpSession: nothing of one request is left for the next one", async () => {
  const { service } = makeService();
  const closing = new FakeConnection(service.createSession(), 4096);
  await closing.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  // Takes the exchange that the first connection gave back.
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send(HEALTH);
  assert.equal(connection.written, HEALTH_REPLY);
  const chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
    `1;${"e".repeat(3000)}\r\nx\r\n0\r\n${`A: ${"b".repeat(100)}\r\n`.repeat(99)}\r\n`;
  await connection.send(chunked.repeat(3) + HEALTH);
  const statuses = readReplies(connection.written).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200]);
});

Deno.test("HttpSession: close in the middle of a request gives its exchange back", async () => {
  const { service } = makeService();
  const connection = new FakeConnection(service.createSession());
  await connection.send(HEALTH.slice(0, 20));
  connection.session.close();
  assert.ok(!connection.session.midRequest);
  const next = new FakeConnection(service.createSession());
  await next.send(HEALTH);
  assert.equal(next.written, HEALTH_REPLY);
});

function connect(inputBytes = 64): FakeConnection {
  return new FakeConnection(makeService().service.createSession(), inputBytes);
}

function reply(exchange: HttpExchange, text: string): void {
  exchange.sendBody(200, ContentType.TEXT, new TextEncoder().encode(text));
}

Deno.test("HttpSession: who waits for the rest of a request keeps no large scratch", async () => {
  let scratch: ByteWriter | undefined;
  const router = createRouter([{
    method: "GET",
    pattern: "/large",
    handler: (exchange) => {
      scratch = exchange.scratch;
      exchange.scratch.utf8("a".repeat(20_000));
      exchange.sendScratch(200);
    },
  }]);
  const { service } = makeService({ router });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\n");
  assert.ok(scratch!.bytes.length <= 1024, `${scratch!.bytes.length} bytes`);
  await connection.send("Host: a\r\n\r\n");
  assert.deepEqual(readReplies(connection.written).map(({ body }) => body.length), [
    20_000,
    20_000,
  ]);
});
