import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import http2 from "node:http2";
import { CONTROL_FRAMES_MAX, RESETS_MAX } from "../../src/protocol/http2/frame_meter.ts";
import {
  Code,
  codeOf,
  Flag,
  Frame,
  frame,
  FrameClient,
  headerBlock,
  join,
  requestFields,
  word,
} from "../helpers/http2_frames.ts";
import { activeConnections, closedFor, readMetrics, waitForMetrics } from "../helpers/metrics.ts";
import type { RawClient } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, isInstalled, ServerProcess } from "../helpers/server_process.ts";
import { connectSecurely, testCertificate, tlsFlags } from "../helpers/tls.ts";

const one = testCertificate("one");

/** Starts a server with TLS. */
function start(...flags: string[]): Promise<ServerProcess> {
  return ServerProcess.start([...tlsFlags(one), ...flags]);
}

function metricsOf(server: ServerProcess): () => Promise<RawClient> {
  return () => connectSecurely(server.port("http"), one);
}

/** A reply to the library's client. */
interface Reply {
  status: number;
  headers: http2.IncomingHttpHeaders;
  body: string;
}

/** The library's client. */
class LibraryClient implements AsyncDisposable {
  readonly session: http2.ClientHttp2Session;

  constructor(port: number, settings: http2.Settings = {}) {
    this.session = http2.connect(`https://localhost:${port}`, { ca: one.cert, settings });
    this.session.on("error", () => {});
  }

  async ask(
    headers: http2.OutgoingHttpHeaders,
    body?: string | Uint8Array | Uint8Array[],
  ): Promise<Reply> {
    const stream = this.session.request(headers, { endStream: body === undefined });
    const head = Promise.withResolvers<http2.IncomingHttpHeaders>();
    stream.on("response", head.resolve);
    stream.on("error", head.reject);
    stream.on("close", () => head.reject(new Error(`closed with ${stream.rstCode}`)));
    if (body !== undefined) {
      for (const part of Array.isArray(body) ? body : [body]) stream.write(part);
      stream.end();
    }
    const response = await head.promise;
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return {
      status: Number(response[":status"]),
      headers: response,
      body: Buffer.concat(chunks).toString("latin1"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.session.once("close", resolve));
    this.session.destroy();
    await closed;
  }
}

Deno.test("http2: the same routes, rights and replies as HTTP/1.1", async (t) => {
  for (const ioThreads of IO_THREAD_COUNTS) {
    await t.step(`with ${ioThreads} I/O threads`, async () => {
      await using server = await start("--io-threads", String(ioThreads));
      await using client = new LibraryClient(server.port("http"));
      const health = await client.ask({ ":path": "/health" });
      assert.deepEqual([health.status, health.body], [200, `{"status":"ok"}`]);
      assert.equal(health.headers["content-length"], "15");
      assert.equal(health.headers["connection"], undefined);

      const head = await client.ask({ ":path": "/health", ":method": "HEAD" });
      assert.deepEqual([head.status, head.body, head.headers["content-length"]], [200, "", "15"]);

      const event = JSON.stringify({ user: "alice", action: "buy", amount: 100 });
      const post = { ":method": "POST", ":path": "/events?wait=5s" };
      assert.equal((await client.ask(post, event)).body, `{"status":"processed","balance":100}`);

      // A body whose length is not said, in parts.
      const large = "0123456789".repeat(60_000);
      const parts = [large.slice(0, 5), large.slice(5, 400_000), large.slice(400_000)]
        .map((part) => Buffer.from(part));
      const put = { ":method": "PUT", ":path": "/keys/large" };
      assert.equal((await client.ask(put, parts)).status, 201);
      assert.equal((await client.ask({ ":path": "/keys/large" })).body, large);
      const known = { ...put, "content-length": String(large.length) };
      assert.equal((await client.ask(known, large)).status, 204);
      assert.equal((await client.ask({ ...put, ":method": "DELETE" })).status, 204);

      const statuses = await Promise.all([
        client.ask({ ":path": "/nowhere" }),
        client.ask({ ":path": "/health", ":method": "PATCH" }, ""),
        client.ask({ ":path": "/health", "origin": "https://evil.example" }),
        client.ask({ ":path": "/health", ":authority": "evil.example" }),
        client.ask({ ":path": `/${"x".repeat(9000)}` }),
        client.ask(put, Buffer.alloc(1_100_000)),
      ]);
      assert.deepEqual(statuses.map(({ status }) => status), [404, 405, 403, 421, 414, 413]);

      // Many at once, each with its own reply.
      const users = Array.from({ length: 90 }, (_, i) => `/keys/${i}`);
      await Promise.all(users.map((path) => client.ask({ ":method": "PUT", ":path": path }, path)));
      const replies = await Promise.all(users.map((path) => client.ask({ ":path": path })));
      assert.deepEqual(replies.map(({ body }) => body), users);
    });
  }
});

Deno.test("http2: the password is asked for on every stream", async () => {
  await using server = await start("--password", "secret");
  await using client = new LibraryClient(server.port("http"));
  assert.equal((await client.ask({ ":path": "/keys" })).status, 401);
  const authorization = "Bearer secret";
  assert.equal((await client.ask({ ":path": "/keys", authorization })).status, 200);
  assert.equal((await client.ask({ ":path": "/keys" })).status, 401);
});

Deno.test("http2: curl speaks it", async (t) => {
  if (!await isInstalled("curl")) return;
  await using server = await start();
  const base = `https://localhost:${server.port("http")}`;
  const curl = async (...args: string[]): Promise<string> => {
    const command = new Deno.Command("curl", {
      args: [
        "-s",
        "--http2",
        "--cacert",
        one.certPath,
        "-w",
        " %{http_version} %{http_code}",
        ...args,
      ],
      stdin: "null",
    });
    return new TextDecoder().decode((await command.output()).stdout);
  };
  await t.step("GET, HEAD, PUT of a file, DELETE", async () => {
    assert.equal(await curl(`${base}/health`), `{"status":"ok"} 2 200`);
    assert.match(await curl("-I", `${base}/health`), /^HTTP\/2 200 \r\n.*content-length: 15\r\n/s);
    assert.equal(await curl("-T", "LICENSE", `${base}/keys/license`), " 2 201");
    const license = await Deno.readTextFile("LICENSE");
    assert.equal(await curl(`${base}/keys/license`), `${license} 2 200`);
    assert.equal(await curl("-X", "DELETE", `${base}/keys/license`), " 2 204");
  });
  await t.step("a client that wants HTTP/1.1 has it", async () => {
    assert.equal(await curl("--http1.1", `${base}/health`), `{"status":"ok"} 1.1 200`);
  });
  await t.step("100-continue and a limited rate", async () => {
    const large = "x".repeat(200_000);
    const expects = ["-H", "Expect: 100-continue", "--data-binary", large.slice(0, 50_000)];
    assert.equal(await curl("-X", "PUT", ...expects, `${base}/keys/large`), " 2 201");
    assert.match(await curl("--limit-rate", "100k", `${base}/keys/large`), /^x{50000} 2 200$/);
  });
});

Deno.test("http2: what could be read in two ways gets no reply", async () => {
  await using server = await start();
  const withoutField = (name: string): (readonly [string, string])[] =>
    requestFields("GET", "/health").filter(([field]) => field !== name);
  const cases: Record<string, (readonly [string, string])[]> = {
    "a request in the path": requestFields("GET", "/health HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a line break in a value": requestFields("GET", "/health", ["x", "a\r\norigin: https://x"]),
    "a line feed in a value": requestFields("GET", "/health", ["x", "a\norigin: https://x"]),
    "NUL in a value": requestFields("GET", "/health", ["x", "a\0b"]),
    "white space around a value": requestFields("GET", "/health", ["x", " a"]),
    "a header in a name": requestFields("GET", "/health", ["x: a\r\norigin", "https://x"]),
    "a line break in the host": [
      ...withoutField(":authority"),
      [":authority", "localhost\r\nx: y"],
    ],
    "a space in the path": requestFields("GET", "/he alth"),
    "an absolute path": requestFields("GET", "http://localhost/health"),
    "an empty path": requestFields("GET", ""),
    "a method with a space": requestFields("GET /keys HTTP/1.1\r\n", "/health"),
    "transfer-encoding": requestFields("POST", "/", ["transfer-encoding", "chunked"]),
    "connection": requestFields("GET", "/health", ["connection", "close"]),
    "upgrade": requestFields("GET", "/health", ["upgrade", "websocket"]),
    "te that is not trailers": requestFields("GET", "/health", ["te", "gzip"]),
    "an upper-case name": requestFields("GET", "/health", ["X-Y", "z"]),
    "two paths": [...requestFields("GET", "/health"), [":path", "/keys"]],
    "an unknown pseudo-header": [...requestFields("GET", "/health"), [":x", "y"]],
    "a pseudo-header behind a header": [["x", "y"], ...requestFields("GET", "/health")],
    "no authority": withoutField(":authority"),
    "no method": withoutField(":method"),
    "no scheme": withoutField(":scheme"),
    "another host": requestFields("GET", "/health", ["host", "evil.example"]),
    "the wrong scheme": [...withoutField(":scheme"), [":scheme", "http"]],
    "two lengths": requestFields(
      "GET",
      "/health",
      ["content-length", "0"],
      ["content-length", "0"],
    ),
    "a length without a body": requestFields("PUT", "/keys/x", ["content-length", "5"]),
    "a length that is none": requestFields("GET", "/health", ["content-length", "+0"]),
    "CONNECT": [[":method", "CONNECT"], [":authority", "localhost:1"]],
  };
  for (const [why, fields] of Object.entries(cases)) {
    using client = await FrameClient.connect(server.port("http"), one);
    await client.request(1, fields);
    for (;;) {
      const received = await client.next();
      assert.ok(received !== null, `${why}: it is told`);
      assert.notEqual(received.type, Frame.HEADERS, `${why}: no reply`);
      const code = received.type === Frame.RST_STREAM
        ? codeOf(received)
        : received.type === Frame.GOAWAY
        ? codeOf(received, 4)
        : undefined;
      if (code === undefined) continue;
      assert.equal(code, Code.PROTOCOL_ERROR, why);
      break;
    }
  }
  await waitForMetrics(metricsOf(server), "the end", (now) => activeConnections(now) === 0);
});

Deno.test("http2: a body that is longer or shorter than it said is no request", async () => {
  await using server = await start();
  for (const body of ["x", "xxxxxx", "x".repeat(100)]) {
    using client = await FrameClient.connect(server.port("http"), one);
    await client.request(1, requestFields("PUT", "/keys/x", ["content-length", "5"]), true);
    await client.send(frame(Frame.DATA, Flag.END_STREAM, 1, new TextEncoder().encode(body)));
    await client.waitFor(Frame.RST_STREAM, 1);
    await using other = new LibraryClient(server.port("http"));
    assert.equal((await other.ask({ ":path": "/keys/x" })).status, 404, body);
  }
});

Deno.test("http2: trailers end a body and are dropped", async () => {
  await using server = await start();
  using client = await FrameClient.connect(server.port("http"), one);
  await client.request(1, requestFields("PUT", "/keys/x"), true);
  await client.send(
    frame(Frame.DATA, 0, 1, new TextEncoder().encode("body")),
    frame(
      Frame.HEADERS,
      Flag.END_HEADERS | Flag.END_STREAM,
      1,
      headerBlock([["x-sum", "1"]]),
    ),
  );
  await client.waitFor(Frame.HEADERS, 1);
  await client.request(3, requestFields("GET", "/keys/x"));
  await client.waitFor(Frame.HEADERS, 3);
  assert.equal(new TextDecoder().decode((await client.waitFor(Frame.DATA, 3)).payload), "body");
});

Deno.test("http2: floods of frames end their connection, and only that", async () => {
  await using server = await start("--log-level", "debug");
  const port = server.port("http");
  const ping = frame(Frame.PING, 0, 0, new Uint8Array(8));
  const get = headerBlock(requestFields("GET", "/health"));
  const headers = (stream: number): Uint8Array =>
    frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, get);
  const floods: Record<string, Uint8Array[]> = {
    "requests taken back": Array.from({ length: RESETS_MAX + 1 }, (_, i) =>
      join(
        headers(2 * i + 1),
        frame(Frame.RST_STREAM, 0, 2 * i + 1, word(8)),
      )),
    "pings": new Array(CONTROL_FRAMES_MAX + 1).fill(ping),
    "settings": new Array(CONTROL_FRAMES_MAX + 1).fill(frame(Frame.SETTINGS, 0, 0)),
    "priorities": new Array(CONTROL_FRAMES_MAX + 1).fill(
      frame(Frame.PRIORITY, 0, 1, Uint8Array.of(0, 0, 0, 0, 1)),
    ),
    "continuations": [
      frame(Frame.HEADERS, Flag.END_STREAM, 1, get),
      ...new Array(50).fill(frame(Frame.CONTINUATION, 0, 1)),
    ],
  };
  let floodCount = 0;
  for (const [name, frames] of Object.entries(floods)) {
    using client = await FrameClient.connect(port, one);
    await client.trySend(...frames);
    await client.waitForEnd();
    floodCount++;
    const metrics = await waitForMetrics(
      metricsOf(server),
      name,
      (now) => closedFor(now, "http2_flood") === floodCount && activeConnections(now) === 0,
    );
    assert.equal(metrics.get("sluice_internal_errors_total"), 0, name);
  }
});

Deno.test("http2: who floods is told to be calm", async () => {
  await using server = await start();
  using client = await FrameClient.connect(server.port("http"), one);
  const ping = frame(Frame.PING, 0, 0, new Uint8Array(8));
  const sending = client.trySend(...new Array(CONTROL_FRAMES_MAX + 1).fill(ping));
  assert.equal(await client.waitForEnd(), Code.ENHANCE_YOUR_CALM);
  await sending;
});

Deno.test("http2: garbage of every kind ends its connection, and only that", async () => {
  await using server = await start();
  const port = server.port("http");
  const garbage: Record<string, Uint8Array[]> = {
    "noise": [Uint8Array.from({ length: 5000 }, (_, i) => i * 7919 >> 3)],
    "a frame that is too long": [frame(Frame.DATA, 0, 1, new Uint8Array(20_000))],
    "data on no stream": [frame(Frame.DATA, 0, 0, new Uint8Array(5))],
    "a continuation of nothing": [frame(Frame.CONTINUATION, 4, 1)],
    "a stream of the server's": [
      frame(Frame.HEADERS, 5, 2, headerBlock(requestFields("GET", "/"))),
    ],
    "broken compression": [frame(Frame.HEADERS, 5, 1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff))],
    "settings of odd length": [frame(Frame.SETTINGS, 0, 0, new Uint8Array(5))],
    "a window of zero": [frame(Frame.WINDOW_UPDATE, 0, 0, word(0))],
    "a window that is too large": [
      frame(Frame.WINDOW_UPDATE, 0, 0, word(0x7fffffff)),
      frame(Frame.WINDOW_UPDATE, 0, 0, word(0x7fffffff)),
    ],
  };
  for (const [name, frames] of Object.entries(garbage)) {
    using client = await FrameClient.connect(port, one);
    await client.trySend(...frames);
    await client.waitForEnd();
    const metrics = await waitForMetrics(
      metricsOf(server),
      name,
      (now) => activeConnections(now) === 0,
    );
    assert.equal(metrics.get("sluice_internal_errors_total"), 0, name);
  }
});

Deno.test("http2: silence and half a head are ended in time", async () => {
  await using server = await start("--idle-timeout", "400ms", "--header-timeout", "300ms");
  using silent = await FrameClient.connect(server.port("http"), one);
  using late = await FrameClient.connect(server.port("http"), one);
  const keepsTalking = async (): Promise<void> => {
    while (await late.trySend(frame(Frame.CONTINUATION, 0, 1, new Uint8Array(0)))) {
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  };
  await late.send(
    frame(Frame.HEADERS, Flag.END_STREAM, 1, headerBlock(requestFields("GET", "/health"))),
  );
  const talking = keepsTalking();
  await Promise.all([silent.waitForEnd(), late.waitForEnd()]);
  late.close();
  await talking;
  const metrics = await readMetrics(metricsOf(server));
  assert.equal(closedFor(metrics, "idle"), 1);
  assert.equal(closedFor(metrics, "header_timeout"), 1);
});

Deno.test("http2: a client that takes no reply holds no more than its window", async () => {
  await using server = await start(
    "--max-value-bytes",
    "16mb",
    "--max-request-bytes",
    "16mb",
    // Enough for two I/O threads with such requests, too.
    "--max-client-memory",
    "192mb",
  );
  const port = server.port("http");
  {
    await using client = new LibraryClient(port);
    const put = { ":method": "PUT", ":path": "/keys/large" };
    assert.equal((await client.ask(put, Buffer.alloc(12_000_000, "x"))).status, 201);
  }
  const resident = async (): Promise<number> =>
    (await readMetrics(metricsOf(server))).get("process_resident_memory_bytes")!;
  const before = await resident();
  using greedy = await FrameClient.connect(port, one);
  for (let i = 0; i < 20; i++) await greedy.request(2 * i + 1, requestFields("GET", "/keys/large"));
  await greedy.waitFor(Frame.DATA);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const growth = await resident() - before;
  assert.ok(growth < 60 * 2 ** 20, `240 MB asked for, grown by ${growth} bytes`);
  // Others are served, and the stop does not wait.
  await using client = new LibraryClient(port);
  assert.equal((await client.ask({ ":path": "/health" })).status, 200);
});

Deno.test("http2: a stop finishes what is under way and says goodbye", async () => {
  await using server = await start("--work-ms", "500");
  const port = server.port("http");
  using client = await FrameClient.connect(port, one);
  const body = new TextEncoder().encode(
    JSON.stringify({ user: "alice", action: "buy", amount: 100 }),
  );
  await client.request(1, requestFields("POST", "/events"), true);
  await client.send(frame(Frame.DATA, Flag.END_STREAM, 1, body));
  await client.waitFor(Frame.HEADERS, 1);
  server.signal("SIGTERM");
  assert.equal(await client.waitForEnd(), Code.NO_ERROR);
  const { code, lines } = await server.waitForEnd();
  assert.equal(code, 0);
  assert.deepEqual(lines.filter(({ level }) => level === "error"), []);
});
