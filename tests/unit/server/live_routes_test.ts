import assert from "node:assert/strict";
import { BrowserGuard } from "../../../src/protocol/http/browser_guard.ts";
import { SessionStep } from "../../../src/protocol/session.ts";
import { HANDSHAKES } from "../../cases/websocket_handshakes.ts";
import { close, text } from "../../cases/websocket_frames.ts";
import { parseServerFrames } from "../../helpers/websocket_frames.ts";
import { latin1, readReplies, toLatin1 } from "../protocol/http/support.ts";
import { HANDSHAKE, LiveCount, LiveServer } from "./live_world.ts";

/** What a refusal says that the request has to have. */
const NEEDS =
  /"detail":"(?:GET needs Upgrade: websocket, Connection: Upgrade|the version must be 13)"/;

Deno.test("GET /ws: every handshake is answered as it should be, whole and byte by byte", async () => {
  assert.equal(new Set(HANDSHAKES.map(({ name }) => name)).size, HANDSHAKES.length);
  const server = new LiveServer();
  for (const { name, text, status } of HANDSHAKES) {
    for (const parts of [[text], [...text]]) {
      using client = server.open();
      for (const part of parts) await client.connection.send(part);
      const written = client.take();
      assert.equal(Number(written.split(" ")[1]), status, `${name}: ${written}`);
      assert.equal(server.count(LiveCount.connections), status === 101 ? 1 : 0, name);
      if (status === 101) continue;
      const [reply] = readReplies(written, text.startsWith("HEAD ") ? [0] : []);
      if (status === 426) {
        assert.equal(reply?.headers.get("upgrade"), "websocket", name);
        const kept = text.includes(" HTTP/1.1");
        assert.equal(reply?.headers.get("connection"), kept ? "Upgrade" : "close", name);
        assert.equal(reply?.headers.get("sec-websocket-version"), "13", name);
        if (!text.startsWith("HEAD ")) assert.match(written, NEEDS, name);
      }
    }
  }
});

Deno.test("GET /ws: the answer is exactly these bytes, and frames may come with the request", async () => {
  const server = new LiveServer();
  using client = server.open();
  await client.connection.send(HANDSHAKE + text("nope"));
  const [head, frames] = client.take().split("\r\n\r\n");
  assert.equal(
    head,
    "HTTP/1.1 101 Switching Protocols\r\nDate: " + /Date: (.*)/.exec(head!)![1] + "\r\n" +
      "Connection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  );
  assert.deepEqual(parseServerFrames(frames!), [`text {"type":"error","reason":"invalid_json"}`]);
});

Deno.test("GET /ws: from then on the connection is told what a WebSocket is told", async () => {
  const server = new LiveServer();
  using client = await server.openWebSocket();
  const { session } = client.connection;
  assert.deepEqual(parseServerFrames(toLatin1(session.farewell!)), ["close 1001"]);
  assert.deepEqual(parseServerFrames(toLatin1(session.timeoutReply!)), ["close 1008"]);
  assert.ok(!session.midRequest);
  await client.connection.send(text("x").slice(0, 3));
  assert.ok(session.midRequest && session.midBody);
  using plain = server.open();
  assert.equal(plain.connection.session.timeoutReply, undefined);
});

Deno.test("GET /ws: requests in front are answered, and behind its end nothing is", async () => {
  const server = new LiveServer();
  using client = server.open();
  await client.connection.send(
    `GET /health HTTP/1.1\r\nHost: a\r\n\r\n${HANDSHAKE}${close(1000)}GET /health HTTP/1.1\r\n`,
  );
  const written = client.take();
  assert.match(written, /^HTTP\/1\.1 200 .*HTTP\/1\.1 101 /s);
  assert.deepEqual(parseServerFrames(written.split("\r\n\r\n").at(-1)!), ["close 1000"]);
  assert.ok(client.connection.closed);
  assert.equal(server.count(LiveCount.connections), 0);
});

Deno.test("GET /ws: asks for the password, and the server's own sites only", async () => {
  const secured = new LiveServer({ password: "secret" });
  using without = secured.open();
  await without.connection.send(HANDSHAKE);
  assert.equal(readReplies(without.take())[0]?.status, 401);
  using withIt = secured.open();
  await withIt.connection.send(
    HANDSHAKE.replace("\r\n\r\n", "\r\nAuthorization: Bearer secret\r\n\r\n"),
  );
  assert.match(withIt.take(), /^HTTP\/1\.1 101 /);

  const server = new LiveServer({}, undefined, { guard: new BrowserGuard() });
  using other = server.open();
  await other.connection.send(
    HANDSHAKE.replace("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n"),
  );
  assert.equal(readReplies(other.take())[0]?.status, 403);
  using own = server.open();
  await own.connection.send(HANDSHAKE.replace("\r\n\r\n", "\r\nOrigin: http://localhost\r\n\r\n"));
  assert.match(own.take(), /^HTTP\/1\.1 101 /);
});

Deno.test("GET /ws and /metrics/stream: none begins while the server stops, or where nobody can push", async () => {
  for (const request of [HANDSHAKE, "GET /metrics/stream HTTP/1.1\r\nHost: a\r\n\r\n"]) {
    const server = new LiveServer();
    const plain = server.connect();
    await plain.send(request);
    assert.equal(readReplies(plain.written)[0]?.status, 501);
    using client = server.open();
    await client.connection.send(request.slice(0, -2));
    server.live.phase.stopping = true;
    await client.connection.send(request.slice(-2));
    const [reply] = readReplies(client.take());
    assert.equal(reply?.status, 503);
    assert.equal(reply?.headers.get("connection"), "close");
    assert.equal(server.count(LiveCount.connections), 0);
    assert.equal(server.count(LiveCount.eventStreams), 0);
  }
});

Deno.test("GET /metrics/stream: the head says that it is a stream, and the first counters follow", async () => {
  for (const version of ["1.0", "1.1"]) {
    const server = new LiveServer();
    using client = server.open();
    await client.connection.send(`GET /metrics/stream HTTP/${version}\r\nHost: a\r\n\r\n`);
    const written = client.take();
    const [head, ...rest] = written.split("\r\n\r\n");
    const lines = head!.split("\r\n");
    assert.equal(lines[0], "HTTP/1.1 200 OK");
    assert.deepEqual(lines.slice(2), [
      "Connection: close",
      "Content-Type: text/event-stream",
      "Cache-Control: no-store",
      "X-Accel-Buffering: no",
      "X-Content-Type-Options: nosniff",
    ]);
    assert.match(
      rest.join("\r\n\r\n"),
      /^retry: 3000\n\nid: \d+\nevent: metrics\ndata: {"reads":1,"received":0}\n\n$/,
    );
    assert.equal(server.count(LiveCount.eventStreams), 1);
    assert.ok(client.target.isSubscriber);
    assert.equal(client.connection.steps.at(-1), SessionStep.NEED_INPUT);
    // There is no reply behind one without an end.
    await client.connection.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200));
    assert.equal(client.take(), "");
    assert.equal(client.connection.input.length, 0);
    client.connection.session.close();
    assert.equal(server.count(LiveCount.eventStreams), 0);
  }
});

Deno.test("GET /metrics/stream: HEAD has the same head and ends", async () => {
  const server = new LiveServer();
  using client = server.open();
  await client.connection.send("HEAD /metrics/stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const [reply] = readReplies(client.take(), [0]);
  assert.equal(reply?.headers.get("content-type"), "text/event-stream");
  assert.ok(client.connection.closed);
  assert.equal(server.count(LiveCount.eventStreams), 0);
  assert.equal(server.reads.count, 0);
});

Deno.test("GET /metrics/stream: other methods, other paths and bad intervals are refused", async () => {
  const server = new LiveServer();
  const status = async (line: string): Promise<number | undefined> => {
    using client = server.open();
    await client.connection.send(latin1(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`));
    return readReplies(client.take())[0]?.status;
  };
  assert.equal(await status("POST /metrics/stream"), 405);
  assert.equal(await status("GET /metrics/streams"), 404);
  assert.equal(await status("GET /metrics/stream/"), 404);
  for (const interval of ["99ms", "61s", "0", "1", "", "x", "-1s", "1h", "100ms&interval=100ms"]) {
    assert.equal(await status(`GET /metrics/stream?interval=${interval}`), 400, interval);
  }
  for (const interval of ["100ms", "1m", "0.25s", "333ms"]) {
    using client = server.open();
    await client.connection.send(
      `GET /metrics/stream?interval=${interval} HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    assert.match(client.take(), /^HTTP\/1\.1 200 /, interval);
  }
});

Deno.test("GET /metrics/stream?view=: there is one view, and it has a name", async () => {
  const server = new LiveServer();
  for (const query of ["view=page", "view=pages", "view=", "view=page&view=page"]) {
    using client = server.open();
    await client.connection.send(
      `GET /metrics/stream?${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    );
    const written = client.take();
    if (query === "view=page") {
      assert.match(written, /^HTTP\/1\.1 200 [^]*event: page\ndata: \{"page":1\}\n\n/);
      assert.deepEqual(server.watched, [true]);
    } else {
      assert.match(written, /^HTTP\/1\.1 400 [^]*"reason":"invalid_view"/, query);
    }
  }
  assert.deepEqual(server.watched, [true, false], "nobody watches any more");
});
