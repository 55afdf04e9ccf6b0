import assert from "node:assert/strict";
import { INVALID_FRAMES, ping, text, VALID_FRAMES } from "../cases/websocket_frames.ts";
import { waitForMetrics } from "../helpers/metrics.ts";
import { RawClient } from "../helpers/raw_client.ts";
import {
  IO_THREAD_COUNTS,
  isInstalled,
  ServerProcess,
  testsInTurn,
} from "../helpers/server_process.ts";
import { WebSocketTcpClient } from "../helpers/websocket_client.ts";

type Message = Record<string, unknown>;

/** The runtime's own client, with a queue of what it received. */
class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<CloseEvent>;
  readonly #messages: Message[] = [];
  #news = Promise.withResolvers<void>();

  private constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    this.socket.onmessage = ({ data }) => {
      this.#messages.push(JSON.parse(data));
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    };
    this.closed = new Promise((resolve) => this.socket.onclose = resolve);
  }

  static async open(port: number): Promise<Client> {
    const client = new Client(port);
    await new Promise<void>((resolve, reject) => {
      client.socket.onopen = () => resolve();
      client.socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
    });
    return client;
  }

  send(message: Message): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message. */
  async next(): Promise<Message> {
    while (this.#messages.length === 0) await this.#news.promise;
    return this.#messages.shift()!;
  }

  /** The reply to a message; what comes in front of it is left out. */
  async ask(message: Message): Promise<Message> {
    this.send({ ...message, ref: "asked" });
    for (;;) {
      const { ref, ...reply } = await this.next();
      if (ref === "asked") return reply;
    }
  }

  async close(): Promise<CloseEvent> {
    this.socket.close(1000, "done");
    return await this.closed;
  }
}

const EVENT = { type: "event", user: "alice", action: "buy", amount: 1 };

for (const threads of IO_THREAD_COUNTS) {
  const test = testsInTurn(threads);
  const flags = ["--io-threads", String(threads)];
  const name = `(${threads} I/O thread${threads === 1 ? "" : "s"})`;

  Deno.test(`websocket ${name}: events from many clients are all settled, and all seen by viewers`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("http");
    const clients = await Promise.all(Array.from({ length: 8 }, () => Client.open(port)));
    const eventCount = 500;
    const seen = { accepted: 0, rejected: 0 };
    await Promise.all(clients.map(async (client, index) => {
      const user = `u${index}`;
      for (let ref = 0; ref < eventCount; ref++) client.send({ ...EVENT, user, ref });
      for (let ref = 0; ref < eventCount; ref++) {
        const reply = await client.next();
        assert.equal(reply["ref"], ref);
        if (reply["status"] === "accepted") seen.accepted++;
        else if (reply["reason"] === "server_busy") seen.rejected++;
        else assert.fail(JSON.stringify(reply));
      }
    }));
    assert.ok(seen.accepted > 0);
    const viewer = clients[0]!;
    assert.deepEqual(await viewer.ask({ type: "metrics", interval_ms: 100 }), {
      type: "reply",
      status: "subscribed",
      interval_ms: 100,
    });
    for (;;) {
      const { type, metrics } = await viewer.next() as { type: string; metrics: Message };
      assert.equal(type, "metrics");
      const { received, processed, dropped, pending } = metrics as Record<string, number>;
      assert.equal(received, clients.length * eventCount);
      assert.equal(received, processed! + dropped! + pending!);
      assert.equal(dropped, seen.rejected);
      if (processed === seen.accepted) break;
    }
    const balance = async (client: Client, index: number): Promise<number> =>
      Number((await client.ask({ ...EVENT, user: `u${index}`, wait_ms: 20_000 }))["balance"]);
    await viewer.ask({ type: "metrics", interval_ms: 0 });
    const balances = await Promise.all(clients.map(balance));
    const sum = balances.reduce((total, one) => total + one - 1, 0);
    assert.equal(sum, seen.accepted, "every accepted event counted once");
    const total = clients.length * (eventCount + 1) + 2;
    for (const client of clients) {
      const { code, wasClean } = await client.close();
      assert.deepEqual([code, wasClean], [1000, true]);
    }
    await waitForMetrics(
      port,
      "counters of websockets",
      (metrics) =>
        metrics.get("sluice_websocket_connections") === 0 &&
        metrics.get(`sluice_metrics_streams{kind="websocket"}`) === 0 &&
        metrics.get(`sluice_websocket_messages_total{direction="in"}`) === total,
    );
  });

  test(`websocket ${name}: broken frames end their connection with the right code, and nobody else's`, async () => {
    await using server = await ServerProcess.start([...flags, "--max-request-bytes", "4kb"]);
    const port = server.port("http");
    const witness = await Client.open(port);
    for (const one of INVALID_FRAMES) {
      using client = await WebSocketTcpClient.open(port);
      await client.send(one.text);
      const frames = await client.readToEnd();
      assert.equal(frames.at(-1), one.answer.at(-1), one.name);
      assert.equal(frames.length, one.answer.length, one.name);
    }
    for (const one of VALID_FRAMES) {
      using client = await WebSocketTcpClient.open(port);
      await client.send(one.text);
      // None of the texts is JSON for this server, but each is answered.
      const frames = await client.readFrames(one.answer.length || 0);
      const kinds = (lines: readonly string[]): string[] =>
        lines.map((line) => line.split(" ").slice(0, line.startsWith("close") ? 2 : 1).join(" "));
      assert.deepEqual(kinds(frames), kinds(one.answer), one.name);
    }
    assert.equal((await witness.ask({ ...EVENT, wait_ms: 5000 }))["balance"], 1);
    await witness.close();
    assert.deepEqual(server.linesOf("session_failed"), []);
    assert.deepEqual(server.linesOf("request_failed"), []);
  });

  test(`websocket ${name}: when the server stops, clients are told, and streams end`, async () => {
    await using server = await ServerProcess.start(flags);
    const port = server.port("http");
    const clients = await Promise.all(Array.from({ length: 6 }, () => Client.open(port)));
    for (const client of clients) {
      assert.equal(
        (await client.ask({ type: "metrics", interval_ms: 100 }))["status"],
        "subscribed",
      );
    }
    using stream = await RawClient.connect(port);
    await stream.send("GET /metrics/stream?interval=100ms HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await stream.readUntil("\n\nid: ");
    server.signal("SIGTERM");
    for (const { closed } of clients) assert.equal((await closed).code, 1001);
    assert.match(await stream.readToEnd(), /\n\n$/);
    const { code } = await server.waitForEnd();
    assert.equal(code, 0);
  });

  test(`websocket ${name}: streams outlive the idle timeout, silent as they are`, async () => {
    await using server = await ServerProcess.start([...flags, "--idle-timeout", "300ms"]);
    const port = server.port("http");
    const client = await Client.open(port);
    using stream = await RawClient.connect(port);
    await stream.send("GET /metrics/stream?interval=1m HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await stream.readUntil("\n\nid: ");
    using idle = await RawClient.connect(port);
    await idle.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await idle.readHttpReply();
    assert.equal(await idle.readToEnd(), "", "one that is not a stream is closed");
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal((await client.ask(EVENT))["status"], "accepted");
    await waitForMetrics(
      port,
      "the stream",
      (metrics) => metrics.get(`sluice_metrics_streams{kind="sse"}`) === 1,
    );
    await client.close();
  });
}

Deno.test("websocket: other sites' pages cannot open one, and a password is asked for", async () => {
  await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: "secret" } });
  const port = server.port("http");
  using foreign = await WebSocketTcpClient.open(port, "Origin: http://evil.example\r\n");
  assert.match(foreign.head, /^HTTP\/1\.1 403 /);
  using without = await WebSocketTcpClient.open(port);
  assert.match(without.head, /^HTTP\/1\.1 401 /);
  using withIt = await WebSocketTcpClient.open(port, "Authorization: Bearer secret\r\n");
  assert.match(withIt.head, /^HTTP\/1\.1 101 /);
  await withIt.send(ping("hi") + text("{}"));
  const [pong, reply] = await withIt.readFrames(2);
  assert.equal(pong, "pong hi");
  assert.match(reply!, /"reason":"unknown_type"/);
});

const hasCurl = await isInstalled("curl");

Deno.test(
  `server-sent events: curl -N shows them as they come${hasCurl ? "" : " (not installed)"}`,
  {
    ignore: !hasCurl,
  },
  async () => {
    await using server = await ServerProcess.start();
    const url = `http://127.0.0.1:${server.port("http")}/metrics/stream?interval=100ms`;
    for (const version of ["--http1.0", "--http1.1"]) {
      const curl = new Deno.Command("curl", {
        args: ["-sSN", version, url],
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let received = "";
      const decoder = new TextDecoder();
      for await (const bytes of curl.stdout) {
        received += decoder.decode(bytes, { stream: true });
        if (received.split("\n\n").length > 4) break;
      }
      curl.kill("SIGKILL");
      await curl.status;
      const [retry, ...events] = received.split("\n\n").slice(0, -1);
      assert.equal(retry, "retry: 3000");
      for (const event of events) {
        const match = /^id: (\d+)\nevent: metrics\ndata: (\{.*\})$/.exec(event);
        assert.ok(match, event);
        assert.equal(JSON.parse(match[2]!).received, 0);
      }
    }
  },
);
