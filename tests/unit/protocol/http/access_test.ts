import assert from "node:assert/strict";
import { Authenticator } from "../../../../src/command/authenticator.ts";
import { BrowserGuard } from "../../../../src/protocol/http/browser_guard.ts";
import { ContentType } from "../../../../src/protocol/http/exchange.ts";
import { createRouter } from "../../../../src/protocol/http/router.ts";
import { FakeConnection, FakeCounters, latin1, makeService, readReplies } from "./support.ts";

const FAILURES = 9;
const PASSWORD = "s3cret pässword";
const BYTES = String.fromCharCode(...new TextEncoder().encode(PASSWORD));
const RIGHT = `Authorization: Bearer ${BYTES}\r\n`;
const ORIGIN = "Origin: https://app.example\r\n";
const FOREIGN = "Origin: https://evil.example\r\n";

/** A server with a password whose delays end when the test says so. */
function guarded() {
  const counters = new FakeCounters();
  const delays: PromiseWithResolvers<void>[] = [];
  const authenticator = new Authenticator({
    password: new TextEncoder().encode(PASSWORD),
    counters,
    failures: FAILURES,
    pause: () => {
      const delay = Promise.withResolvers<void>();
      delays.push(delay);
      return delay.promise;
    },
  });
  const guard = new BrowserGuard({ corsOrigins: ["https://app.example"] });
  const router = createRouter([
    {
      method: "GET",
      pattern: "/health",
      handler: (exchange) => exchange.sendBody(200, ContentType.TEXT, latin1("ok")),
      isOpen: true,
    },
    {
      method: "POST",
      pattern: "/echo",
      handler: ({ request }) => {
        throw new TypeError(`Cannot echo ${request.bodyEnd - request.bodyStart} bytes`);
      },
    },
    {
      method: "GET",
      pattern: "/data",
      handler: (exchange) => exchange.sendBody(200, ContentType.TEXT, latin1("data")),
    },
  ]);
  const { service } = makeService({ router, guard, authenticator, onFailure: () => true });
  return {
    counters,
    delays,
    connect: () => new FakeConnection(service.createSession(), 4096),
  };
}

function get(path: string, headers = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
}

Deno.test("password: without it nothing is answered but what is open, known or not", async () => {
  const connection = guarded().connect();
  const paths = ["/data", "/nothing", "/", "/echo", "/health/x", "//health"];
  for (const path of paths) await connection.send(get(path));
  await connection.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await connection.send("OPTIONS /data HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const replies = readReplies(connection.written);
  assert.equal(replies.length, paths.length + 2);
  for (const reply of replies) {
    assert.equal(reply.status, 401);
    assert.equal(reply.body, `{"status":"error","reason":"unauthorized"}`);
    assert.equal(reply.headers.get("www-authenticate"), "Bearer");
  }
  assert.ok(!connection.closed);
});

Deno.test("password: what is open needs none, whatever the method", async () => {
  const connection = guarded().connect();
  await connection.send(get("/health") + get("/health?a=b", "Authorization: Bearer x\r\n"));
  await connection.send("DELETE /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const statuses = readReplies(connection.written).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 405]);
});

Deno.test("password: the right one opens everything, the scheme in any case", async () => {
  const connection = guarded().connect();
  for (const scheme of ["Bearer", "bearer", "BEARER", "bEaReR  "]) {
    await connection.send(get("/data", `aUTHORIZATION: ${scheme} ${BYTES}\r\n`));
  }
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ body }) => body), ["data", "data", "data", "data"]);
});

Deno.test("password: what is no password is refused at once and not counted", async () => {
  const { counters, delays, connect } = guarded();
  const connection = connect();
  const fields = [
    "Authorization:",
    "Authorization: Bearer",
    "Authorization: Bearer ",
    `Authorization: ${BYTES}`,
    `Authorization: Basic ${BYTES}`,
    `Authorization: Bearer${BYTES}`,
    `Authorization: BearerX ${BYTES}`,
    `Proxy-Authorization: Bearer ${BYTES}`,
    `Authorization: Bearer ${BYTES}\r\nAuthorization: Bearer ${BYTES}`,
    `Cookie: password=${BYTES}`,
  ];
  for (const field of fields) await connection.send(get("/data", `${field}\r\n`));
  const statuses = readReplies(connection.written).map(({ status }) => status);
  assert.deepEqual(statuses, fields.map(() => 401));
  assert.deepEqual([counters.get(FAILURES), delays.length], [0, 0]);
  const path = get(`/data?password=${encodeURIComponent(PASSWORD)}`);
  await connection.send(path);
  assert.equal(readReplies(connection.written).at(-1)!.status, 401);
});

Deno.test("password: a wrong one is counted, answered late, and closes its connection", async () => {
  const { counters, delays, connect } = guarded();
  const wrong = [BYTES.slice(0, -1), `${BYTES}x`, BYTES.toUpperCase(), `${BYTES} ${BYTES}`];
  for (const [index, word] of wrong.entries()) {
    const connection = connect();
    const sent = connection.send(
      get("/data", `Authorization: Bearer ${word}\r\n`) + get("/health"),
    );
    await Promise.resolve();
    assert.equal(connection.written, "", word);
    assert.equal(counters.get(FAILURES), index + 1);
    delays.shift()!.resolve();
    await sent;
    const statuses = readReplies(connection.written).map(({ status }) => status);
    assert.deepEqual(statuses, [401], word);
    assert.match(connection.written, /\r\nConnection: close\r\n/);
    assert.equal(connection.closed, true, word);
  }
});

Deno.test("password: who has none cannot send a body; the answer does not wait for it", async () => {
  const bodies = [
    "Content-Length: 900\r\n\r\n",
    "Content-Length: 2\r\n\r\nok",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "Expect: 100-continue\r\nContent-Length: 900\r\n\r\n",
    // Not 413: what is wrong with the body is nobody's business.
    "Content-Length: 999999\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nxyz",
  ];
  for (const body of bodies) {
    const texts = ["POST /echo", "GET /health", "POST /health", "PUT /missing"].map((line) =>
      `${line} HTTP/1.1\r\nHost: localhost\r\n${body}`
    );
    for (const parts of texts.flatMap((text) => [[text], [...text]])) {
      const connection = guarded().connect();
      for (const part of parts) await connection.send(part);
      const replies = readReplies(connection.written);
      assert.deepEqual(replies.map(({ status }) => status), [401], body);
      assert.equal(replies[0]!.headers.get("connection"), "close");
      assert.ok(connection.closed, body);
    }
  }
  const empty = guarded().connect();
  await empty.send(`POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
  assert.ok(!empty.closed);
});

Deno.test("password: HEAD without it has no body", async () => {
  const connection = guarded().connect();
  await connection.send("HEAD /data HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/health"));
  const statuses = readReplies(connection.written, [0]).map(({ status }) => status);
  assert.deepEqual(statuses, [401, 200]);
});

const EXPOSED = "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id";

Deno.test("origins: an allowed one may read every reply, refusals and mistakes too", async () => {
  const cases: [request: string, status: number][] = [
    [get("/health", ORIGIN), 200],
    [get("/health", "ORIGIN: HTTPS://APP.example\r\n"), 200],
    [get("/data", ORIGIN), 401],
    [get("/data", ORIGIN + RIGHT), 200],
    [get("/nothing", ORIGIN + RIGHT), 404],
    [get("/echo", ORIGIN + RIGHT), 405],
    [`OPTIONS /data HTTP/1.1\r\nHost: localhost\r\n${ORIGIN}${RIGHT}\r\n`, 204],
    [`POST /echo HTTP/1.1\r\nHost: localhost\r\n${ORIGIN}${RIGHT}\r\n`, 500],
    [
      `POST /echo HTTP/1.1\r\nHost: localhost\r\n${ORIGIN}${RIGHT}Content-Length: 9999\r\n\r\n`,
      413,
    ],
  ];
  for (const [request, status] of cases) {
    const connection = guarded().connect();
    await connection.send(request);
    const [reply] = readReplies(connection.written);
    assert.equal(reply!.status, status, request);
    assert.equal(reply!.headers.get("access-control-allow-origin"), "https://app.example");
    assert.equal(reply!.headers.get("access-control-expose-headers"), EXPOSED);
    assert.equal(reply!.headers.get("access-control-allow-credentials"), undefined);
    assert.equal(reply!.headers.get("vary"), "Origin");
  }
});

Deno.test("origins: nothing of one request's origin is left for the next one", async () => {
  const connection = guarded().connect();
  await connection.send(get("/health", ORIGIN) + get("/health") + get("/health", FOREIGN));
  const replies = readReplies(connection.written);
  assert.deepEqual(replies.map(({ status }) => status), [200, 200, 403]);
  const allowed = replies.map(({ headers }) => headers.has("access-control-allow-origin"));
  assert.deepEqual(allowed, [true, false, false]);
  // A browser that kept the second one must not show it to a page that may see the first.
  assert.deepEqual(replies.map(({ headers }) => headers.get("vary")), [
    "Origin",
    "Origin",
    "Origin",
  ]);
  const other = guarded().connect();
  await other.send(`${get("/health", ORIGIN)}GET\tmalformed`);
  const [, malformed] = readReplies(other.written);
  assert.equal(malformed!.status, 400);
  assert.ok(!malformed!.headers.has("access-control-allow-origin"));
});

Deno.test("origins: a preflight of an allowed one needs no password and no path", async () => {
  const connection = guarded().connect();
  for (const path of ["/data", "/health", "/nothing", "*"]) {
    connection.written = "";
    await connection.send(
      `OPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\n${ORIGIN}` +
        "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization\r\n\r\n",
    );
    const [reply] = readReplies(connection.written);
    assert.equal(reply!.status, 204, path);
    const { headers } = reply!;
    assert.equal(headers.get("access-control-allow-origin"), "https://app.example");
    assert.equal(headers.get("access-control-allow-methods"), "GET, HEAD, POST, PUT, DELETE");
    assert.equal(
      headers.get("access-control-allow-headers"),
      "Authorization, Content-Type, Idempotency-Key, X-Request-Id",
    );
    assert.match(headers.get("access-control-max-age")!, /^[1-9]\d*$/);
    assert.equal(headers.get("vary"), "Origin");
  }
});

Deno.test("origins: others are refused before anything else, preflights too", async () => {
  const preflight = "Access-Control-Request-Method: PUT\r\n";
  const requests = [
    get("/health", FOREIGN + RIGHT),
    get("/health", "Origin: null\r\n"),
    `OPTIONS /health HTTP/1.1\r\nHost: localhost\r\n${FOREIGN}${preflight}\r\n`,
    `OPTIONS /health HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n${preflight}\r\n`,
  ];
  for (const request of requests) {
    const connection = guarded().connect();
    await connection.send(request);
    const [reply] = readReplies(connection.written);
    assert.equal(reply!.status, 403);
    assert.equal(JSON.parse(reply!.body).reason, "forbidden_origin");
    assert.ok(!reply!.headers.has("access-control-allow-origin"));
  }
  // Not a preflight: no browser sends it without an origin.
  const connection = guarded().connect();
  await connection.send(`OPTIONS /data HTTP/1.1\r\nHost: localhost\r\n${preflight}\r\n`);
  assert.equal(readReplies(connection.written)[0]!.status, 401);
});

Deno.test("origins: a page cannot make the server wait for a body, nor use another name for it", async () => {
  const connection = guarded().connect();
  await connection.send(
    `POST /echo HTTP/1.1\r\nHost: localhost\r\n${FOREIGN}Content-Length: 900\r\n\r\n`,
  );
  assert.deepEqual(readReplies(connection.written).map(({ status }) => status), [403]);
  assert.ok(connection.closed);
  const rebound = guarded().connect();
  await rebound.send(
    "GET /health HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n",
  );
  assert.deepEqual(readReplies(rebound.written).map(({ status }) => status), [421]);
});

/** Handlers that fail in every way, and one that does not. */
const brokenRouter = createRouter([
  {
    method: "GET",
    pattern: "/throws",
    handler: () => {
      throw new TypeError("Cannot answer: secret detail");
    },
  },
  {
    method: "GET",
    pattern: "/rejects",
    handler: async () => {
      await Promise.resolve();
      throw new TypeError("Cannot answer: secret detail");
    },
  },
  {
    method: "GET",
    pattern: "/half",
    handler: (exchange) => {
      exchange.sendBody(200, ContentType.TEXT, latin1("half"));
      throw new TypeError("Cannot answer: secret detail");
    },
  },
  {
    method: "GET",
    pattern: "/whole",
    handler: (exchange) => exchange.sendBody(200, ContentType.TEXT, latin1("whole")),
  },
]);

for (const path of ["/throws", "/rejects", "/half"]) {
  Deno.test(`failures: a handler that fails (${path}) answers 500 and closes`, async () => {
    const errors: unknown[] = [];
    const { service } = makeService({
      router: brokenRouter,
      onFailure: (error) => errors.push(error) > 0,
    });
    const connection = new FakeConnection(service.createSession(), 4096);
    await connection.send(get("/whole") + get(path) + get("/whole"));
    const replies = readReplies(connection.written);
    assert.deepEqual(replies.map(({ status }) => status), [200, 500]);
    assert.equal(replies[1]!.body, `{"status":"error","reason":"internal_error"}`);
    assert.equal(replies[1]!.headers.get("connection"), "close");
    assert.ok(connection.closed);
    assert.equal(errors.length, 1);
  });

  Deno.test(`failures: what is not for HTTP to deal with (${path}) is thrown on`, async () => {
    const { service } = makeService({ router: brokenRouter, onFailure: () => false });
    const connection = new FakeConnection(service.createSession(), 4096);
    await assert.rejects(connection.send(get(path)), /secret detail/);
  });
}
