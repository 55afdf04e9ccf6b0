import assert from "node:assert/strict";
import { startWithData } from "../helpers/crash_rounds.ts";
import { otelEnvironment, OtlpReceiver, type ReceivedSpan } from "../helpers/otlp_receiver.ts";
import { ProtoTcpClient } from "../helpers/proto_client.ts";
import { RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";
const SERVER_KIND = 2;
const CONSUMER_KIND = 5;
const FAILED = 2;

/** Deno 2.4 has no samplers, and does not come back from a receiver that never answers. */
const needsNewerDeno = { ignore: /^2\.4\./.test(Deno.version.deno) };

const isJob = ({ name }: ReceivedSpan): boolean => name === "settle event";
const isEvent = ({ name }: ReceivedSpan): boolean => name === "event";
const isRequest = ({ name }: ReceivedSpan): boolean => name.startsWith("POST ");

async function postEvent(
  server: ServerProcess,
  { user = "alice", traceparent = "", query = "", amount = "1", lines = 1 } = {},
): Promise<void> {
  const body = `{"user":"${user}","action":"buy","amount":${amount}}\n`.repeat(lines);
  const headers = new Headers({
    "content-type": lines > 1 ? "application/x-ndjson" : "application/json",
  });
  if (traceparent !== "") headers.set("traceparent", traceparent);
  const url = `http://127.0.0.1:${server.port("http")}/events${query}`;
  const reply = await fetch(url, { method: "POST", headers, body });
  const text = await reply.text();
  assert.ok(reply.ok, text);
}

/** A parent with another trace for each number. */
function parentWith(flags: string, number = 0): string {
  return `00-${TRACE_ID.slice(0, 30)}${String(number).padStart(2, "0")}-${PARENT_ID}-${flags}`;
}

function assertProcessed(span: ReceivedSpan, queueBeginsAtMs: number): void {
  const { values } = span;
  assert.equal(values["sluice.event.outcome"], "processed");
  const queueTimeMs = Number(values["sluice.queue.time"]);
  const agoMs = Date.now() - queueBeginsAtMs;
  assert.ok(queueTimeMs >= 0 && queueTimeMs <= agoMs + 1, `${queueTimeMs} ms in the queue`);
  assert.ok(Number(values["sluice.lock.wait"]) >= 0);
}

for (const ioThreads of IO_THREAD_COUNTS) {
  const flags = ["--io-threads", `${ioThreads}`];

  Deno.test(`tracing, ${ioThreads} I/O threads: a job is part of its request, and that of the client's span`, async () => {
    await using receiver = new OtlpReceiver();
    const begunAtMs = Date.now();
    await using server = await ServerProcess.start(flags, { env: receiver.environment });
    assert.equal(server.linesOf("tracing").length, 1, "it says so");
    const numbers = Array.from({ length: 8 }, (_, i) => i);
    // Connections of their own, so that all I/O threads have some.
    await Promise.all(numbers.map((i) => {
      return postEvent(server, { traceparent: parentWith("01", i), query: "?wait=5s" });
    }));
    const requests = await receiver.waitForSpans(8, isRequest);
    const jobs = await receiver.waitForSpans(8, isJob);
    assert.deepEqual([requests.length, jobs.length], [8, 8]);
    for (const i of numbers) {
      const traceId = parentWith("01", i).slice(3, 35);
      const [request, ...otherRequests] = requests.filter((span) => span.traceId === traceId);
      const [job, ...otherJobs] = jobs.filter((span) => span.traceId === traceId);
      assert.ok(request !== undefined && job !== undefined, `trace ${traceId} is complete`);
      assert.deepEqual([otherRequests, otherJobs], [[], []]);
      assert.equal(request.parentSpanId, PARENT_ID);
      assert.equal(job.parentSpanId, request.spanId);
      assert.deepEqual([request.kind, job.kind], [SERVER_KIND, CONSUMER_KIND]);
      assert.equal(request.name, "POST /events");
      const { "http.response.body.size": bodyBytes, ...values } = request.values;
      assert.ok(Number(bodyBytes) > 0);
      assert.deepEqual(values, {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/events",
        "network.transport": "tcp",
        "url.path": "/events",
        "url.scheme": "http",
      });
      assertProcessed(job, begunAtMs);
      const [begin, ...later] = [
        BigInt(begunAtMs) * 1_000_000n,
        ...[request.startTimeUnixNano, job.startTimeUnixNano, job.endTimeUnixNano].map(BigInt),
      ];
      assert.deepEqual(
        [begin, ...later].toSorted((a, b) => a! < b! ? -1 : 1),
        [begin, ...later],
        "in this order: the test, the request, the job's start, its end",
      );
    }
    server.signal("SIGTERM");
    assert.equal((await server.waitForEnd()).code, 0);
  });
}

Deno.test("tracing: events of other protocols begin traces, and their jobs are in these", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await ServerProcess.start([], { env: receiver.environment });
  using resp = await RawClient.connect(server.port("resp"));
  await resp.send(respCommand("EVENT", "alice", "buy", "1"));
  await resp.readUntil("+ACCEPTED\r\n");
  await resp.send(respCommand("EVENT", "alice", "buy", "1", "WAIT", "20000"));
  await resp.readUntil("\r\n");
  await using proto = await ProtoTcpClient.connect(server.port("proto"));
  await proto.ask({ case: "event", value: { user: "alice", action: "buy", amount: 1n } });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port("http")}/ws`);
  await new Promise((resolve) => socket.onopen = resolve);
  const replied = new Promise((resolve) => socket.onmessage = resolve);
  socket.send(`{"type":"event","user":"alice","action":"buy","amount":1}`);
  await replied;
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;

  const events = await receiver.waitForSpans(4, isEvent);
  const jobs = await receiver.waitForSpans(4, isJob);
  assert.deepEqual([events.length, jobs.length], [4, 4]);
  assert.deepEqual(
    events.map(({ values }) => values["network.protocol.name"]).toSorted(),
    ["protobuf", "resp", "resp", "websocket"],
  );
  assert.deepEqual(
    events.map(({ values }) => values["sluice.event.outcome"]).toSorted(),
    ["accepted", "accepted", "accepted", "processed"],
  );
  for (const event of events) {
    assert.equal(event.parentSpanId, "");
    const job = jobs.find(({ parentSpanId }) => parentSpanId === event.spanId);
    assert.equal(job?.traceId, event.traceId);
  }
});

Deno.test("tracing: every line of a body has its job, failures are told, nothing tells of whom", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await ServerProcess.start([], { env: receiver.environment });
  const base = `http://127.0.0.1:${server.port("http")}`;
  await postEvent(server, { user: "secretname", lines: 20 });
  await postEvent(server, { user: "secretname", amount: "9223372036854775807", query: "?wait=5s" });
  const failed = await receiver.waitForSpans(1, (span) => span.status.code === FAILED);
  assert.deepEqual(
    failed.map(({ name, status, values }) => [name, status.message, values["error.type"]]),
    [["settle event", "overflow", "overflow"]],
  );
  const jobs = await receiver.waitForSpans(21, isJob);
  const [batch] = receiver.spans.filter(isRequest)
    .filter(({ spanId }) => jobs.filter((job) => job.parentSpanId === spanId).length === 20);
  assert.equal(batch?.values["http.response.status_code"], 202);
  for (const path of ["/users/secretname", "/keys/secretname", "/nowhere"]) {
    await (await fetch(base + path)).body?.cancel();
  }
  const gets = await receiver.waitForSpans(3, ({ name }) => name.startsWith("GET"));
  assert.deepEqual(
    gets.map(({ name, values }) =>
      [name, values["url.path"], values["http.response.status_code"]].join(" ")
    ).toSorted(),
    ["GET /keys/:key /keys/:key 404", "GET /nowhere 404", "GET /users/:user /users/:user 200"],
  );
  using client = await RawClient.connect(server.port("http"));
  await client.send("what is this?\r\n\r\n");
  await client.readToEnd();
  const [refused] = await receiver.waitForSpans(
    1,
    ({ values }) => values["http.response.status_code"] === 400,
  );
  assert.equal(refused!.values["http.route"], undefined);
  assert.doesNotMatch(JSON.stringify(receiver.spans), /secretname|9223372036854775807/);
});

Deno.test("tracing: a client whose trace is not sampled has no spans, one with nonsense its own", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await ServerProcess.start([], { env: receiver.environment });
  await postEvent(server, { traceparent: parentWith("00") });
  await postEvent(server, { traceparent: parentWith("01").toUpperCase() });
  await postEvent(server, { traceparent: parentWith("01", 1) });
  const requests = await receiver.waitForSpans(2, isRequest);
  await receiver.waitForSpans(2, isJob);
  // Behind the last of them: in order, they were sent one after the other.
  assert.deepEqual(requests.map(({ parentSpanId }) => parentSpanId), ["", PARENT_ID]);
  assert.notEqual(requests[0]!.traceId, TRACE_ID);
  assert.equal(receiver.spans.length, 4);
});

Deno.test(
  "tracing: no trace is begun that the sampler leaves out, but that of a client goes on",
  needsNewerDeno,
  async () => {
    await using receiver = new OtlpReceiver();
    const env = {
      ...receiver.environment,
      OTEL_TRACES_SAMPLER: "parentbased_always_off",
    };
    await using server = await ServerProcess.start([], { env });
    await postEvent(server);
    using resp = await RawClient.connect(server.port("resp"));
    await resp.send(respCommand("EVENT", "alice", "buy", "1", "WAIT", "20000"));
    await resp.readUntil("\r\n");
    await postEvent(server, { traceparent: parentWith("01") });
    await receiver.waitForSpans(2, () => true);
    assert.deepEqual(
      receiver.spans.map(({ name, traceId }) => [name, traceId.slice(0, 30)]).toSorted(),
      [["POST /events", TRACE_ID.slice(0, 30)], ["settle event", TRACE_ID.slice(0, 30)]],
    );
  },
);

Deno.test("tracing: events that are requeued after a crash are in their traces", async () => {
  const path = await Deno.makeTempDir({ prefix: "sluice-data-" });
  try {
    await using receiver = new OtlpReceiver();
    const flags = ["--fsync", "always", "--workers", "1"];
    {
      // Its worker is never done.
      const slow = [...flags, "--work-ms", "60000"];
      await using server = await startWithData(path, slow, receiver.environment);
      for (const i of [0, 1, 2]) await postEvent(server, { traceparent: parentWith("01", i) });
      await receiver.waitForSpans(3, isRequest);
      server.signal("SIGKILL");
      await server.waitForEnd();
    }
    assert.deepEqual(receiver.spans.filter(isJob), []);
    await using _server = await startWithData(path, flags, receiver.environment);
    const jobs = await receiver.waitForSpans(3, isJob);
    const requests = receiver.spans.filter(isRequest);
    assert.deepEqual(
      jobs.map(({ traceId, parentSpanId }) => `${traceId} ${parentSpanId}`).toSorted(),
      requests.map(({ traceId, spanId }) => `${traceId} ${spanId}`).toSorted(),
    );
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("tracing: nothing is sent when it is off, whatever the client asks for", async () => {
  await using receiver = new OtlpReceiver();
  const { OTEL_DENO: _, ...env } = receiver.environment;
  await using server = await ServerProcess.start([], { env });
  await postEvent(server, { traceparent: parentWith("01"), query: "?wait=5s" });
  assert.deepEqual(server.linesOf("tracing"), []);
  server.signal("SIGTERM");
  assert.equal((await server.waitForEnd()).code, 0);
  assert.equal(receiver.requestCount, 0);
});

Deno.test("tracing: spans that are not sent yet are sent at the stop", async () => {
  await using receiver = new OtlpReceiver();
  const env = { ...receiver.environment, OTEL_BSP_SCHEDULE_DELAY: "3600000" };
  await using server = await ServerProcess.start([], { env });
  await postEvent(server, { query: "?wait=5s" });
  assert.equal(receiver.spans.length, 0);
  server.signal("SIGTERM");
  assert.equal((await server.waitForEnd()).code, 0);
  await receiver.waitForSpans(2, () => true);
});

Deno.test(
  "tracing: a receiver that is not there or never answers does not keep the server from serving and stopping",
  needsNewerDeno,
  async () => {
    // Takes connections, and says nothing on them.
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const taken: Deno.Conn[] = [];
    const taking = (async () => {
      for await (const connection of silent) taken.push(connection);
    })();
    const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const gonePort = gone.addr.port;
    gone.close();
    for (const port of [gonePort, silent.addr.port]) {
      // The runtime waits for it, behind everything that the server does at its stop.
      const env = { ...otelEnvironment(port), OTEL_EXPORTER_OTLP_TIMEOUT: "300" };
      await using server = await ServerProcess.start([], { env });
      for (let i = 0; i < 20; i++) await postEvent(server, { query: "?wait=5s" });
      if (port === silent.addr.port) {
        while (taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      server.signal("SIGTERM");
      const { code } = await server.waitForEnd();
      assert.equal(code, 0);
      const [stopped] = server.linesOf("stopped");
      assert.deepEqual([stopped?.["processed"], stopped?.["lost"]], [20, 0]);
    }
    silent.close();
    await taking;
    for (const connection of taken) connection.close();
  },
);
