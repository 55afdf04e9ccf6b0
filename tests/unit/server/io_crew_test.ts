import assert from "node:assert/strict";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { type Config, defaultConfig } from "../../../src/server/config.ts";
import { IoCrew } from "../../../src/server/io_crew.ts";
import type { ServerPorts } from "../../../src/server/server_view.ts";
import { createSharedParts, type SharedParts } from "../../../src/server/shared_parts.ts";
import { StartError } from "../../../src/server/start_error.ts";
import { StopDeadline } from "../../../src/server/stop_deadline.ts";
import { pause } from "../../../src/server/pause.ts";
import { type Answers, within } from "../../../src/server/thread_questions.ts";
import { RawClient, respCommand } from "../../helpers/raw_client.ts";

const config: Config = {
  ...defaultConfig(),
  httpPort: 0,
  respPort: 0,
  protoPort: "off",
  ioThreads: 3,
  workersMin: 1,
  workersMax: 1,
  shards: 4,
  maxMemoryBytes: 16 * 2 ** 20,
};

/** A crew without a server around it. */
async function openCrew(settings: Config = config): Promise<{ crew: IoCrew; shared: SharedParts }> {
  const shared = createSharedParts(settings);
  const crew = await IoCrew.open({
    config: settings,
    shared,
    startWorker: (options) =>
      new Worker(new URL("./asking_io_worker.ts", import.meta.url), options),
  });
  return { crew, shared };
}

async function connectMany(ports: ServerPorts, count: number): Promise<DisposableStack> {
  const stack = new DisposableStack();
  const clients = await Promise.all(
    Array.from({ length: count }, () => RawClient.connect(ports.resp!)),
  );
  for (const client of clients) stack.use(client);
  await Promise.all(clients.map((client) => client.send(respCommand("PING"))));
  for (const client of clients) assert.equal(await client.read(7), "+PONG\r\n");
  return stack;
}

function acceptedBy(shared: SharedParts): number[] {
  const { firstIoThreadId, ioThreadCount } = shared.threads;
  return Array.from(
    { length: ioThreadCount },
    (_, index) =>
      shared.metrics.counters(firstIoThreadId + index).get(CounterIndex.RESP_CONNECTIONS_ACCEPTED),
  );
}

Deno.test("IoCrew: every thread serves, on one port each protocol that was free", async () => {
  const { crew, shared } = await openCrew();
  await using _ended = crew;
  const ports = await crew.listen();
  assert.ok(ports.http! > 0 && ports.resp! > 0 && ports.http !== ports.resp);
  let accepted = [0];
  for (let round = 0; round < 20 && accepted.includes(0); round++) {
    using _clients = await connectMany(ports, 60);
    accepted = acceptedBy(shared);
  }
  assert.ok(!accepted.includes(0), `accepted by thread: ${accepted}`);
});

Deno.test("IoCrew: no two connections of its threads have one number", async () => {
  const { crew } = await openCrew();
  await using _ended = crew;
  const { resp } = await crew.listen();
  const ids = await Promise.all(Array.from({ length: 100 }, async () => {
    using client = await RawClient.connect(resp!);
    await client.send(respCommand("CLIENT", "ID"));
    return await client.readUntil("\r\n");
  }));
  assert.equal(new Set(ids).size, 100);
});

Deno.test("IoCrew: a port in use is a StartError, and none is bound", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const httpPort = free.addr.port;
  free.close();
  const { crew } = await openCrew({ ...config, httpPort, respPort: taken.addr.port });
  await using _ended = crew;
  await assert.rejects(crew.listen(), (error) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /^Cannot listen on .* for resp: the port is in use; /);
    return true;
  });
  Deno.listen({ hostname: "127.0.0.1", port: httpPort }).close();
});

Deno.test("IoCrew: two crews of one process never share a port by accident", async () => {
  const first = await openCrew();
  await using _firstEnded = first.crew;
  const { resp, http } = await first.crew.listen();
  const second = await openCrew({ ...config, httpPort: http!, respPort: resp! });
  await using _secondEnded = second.crew;
  await assert.rejects(second.crew.listen(), StartError);
});

Deno.test("IoCrew: listeners close on all threads, and results of steps are summed", async () => {
  const { crew } = await openCrew();
  await using _ended = crew;
  const ports = await crew.listen();
  using _clients = await connectMany(ports, 30);
  using deadline = new StopDeadline(10_000);
  deadline.begin();
  await crew.closeListeners(deadline);
  await assert.rejects(RawClient.connect(ports.resp!), Deno.errors.ConnectionRefused);
  assert.deepEqual(await crew.settleRequests(deadline), { unfinished: 0 });
  assert.deepEqual(await crew.closeConnections(deadline), { open: 30, cut_off: 0 });
});

/** Has a request wait for a lock that nobody gives back. */
async function sendEndless(
  ports: ServerPorts,
  { store, metrics }: SharedParts,
): Promise<RawClient> {
  for (let shard = 0; shard < store.shardCount; shard++) {
    assert.ok(store.locks.tryLock(shard, true));
  }
  const client = await RawClient.connect(ports.resp!);
  await client.send(respCommand("SET", "key", "value"));
  while (metrics.total(CounterIndex.PARKED_COMMANDS) === 0) await pause(1);
  return client;
}

Deno.test("IoCrew: a step whose budget ends gives up on every thread", async () => {
  const { crew, shared } = await openCrew();
  await using _ended = crew;
  const ports = await crew.listen();
  using _clients = await connectMany(ports, 10);
  using _client = await sendEndless(ports, shared);
  using deadline = new StopDeadline(60_000);
  deadline.begin();
  const settled = crew.settleRequests(deadline);
  deadline.hurry();
  // Long before the budget that the threads were told of.
  const { answers } = await within(20_000, [settled]);
  assert.deepEqual(answers, [{ unfinished: 1 }]);
});

Deno.test("IoCrew: a step does not wait for a thread that has ended", async () => {
  const { crew, shared } = await openCrew();
  await using _ended = crew;
  const ports = await crew.listen();
  using _client = await sendEndless(ports, shared);
  using deadline = new StopDeadline(60_000);
  deadline.begin();
  const settled = crew.settleRequests(deadline).then(() => "settled", String);
  for (const thread of (await crew.ask("who", null)).answers) await crew.ask("end", thread);
  const { answers: [end] } = await within(20_000, [settled]);
  assert.match(String(end), /Cannot go on with I\/O thread \d: it has ended/);
});

Deno.test("ThreadQuestions: every thread answers once, whoever asks", async () => {
  const { crew } = await openCrew();
  await using _ended = crew;
  const { answers, missing } = await crew.ask("who", null);
  assert.deepEqual([new Set(answers).size, missing], [3, 0]);
  assert.deepEqual(await crew.ask("double", 21), { answers: [42, 42, 42], missing: 0 });
  // Each asks all, itself included; the way back is through the main isolate.
  const asked = (await crew.ask("ask the others", "who")).answers as Answers[];
  assert.equal(asked.length, 3);
  for (const { answers: seen, missing } of asked) {
    assert.deepEqual([new Set(seen), missing], [new Set(answers), 0]);
  }
});

Deno.test("ThreadQuestions: who cannot answer, hangs or is gone is missing, and nobody waits long", async () => {
  const { crew } = await openCrew();
  await using _ended = crew;
  assert.deepEqual(await crew.ask("nobody knows this", null), { answers: [], missing: 3 });
  assert.deepEqual(await crew.ask("hang", null), { answers: [], missing: 3 });
  const [victim] = (await crew.ask("who", null)).answers;
  const { answers, missing } = await crew.ask("hang at", victim);
  assert.deepEqual([answers.length, missing], [2, 1]);
  const end = await crew.ask("end", victim);
  assert.deepEqual([end.answers.length, end.missing], [2, 1]);
  assert.match(await crew.failure, /^internal fault: I\/O thread \d ended unasked$/);
  const after = await crew.ask("ask the others", "who");
  assert.equal(after.missing, 1);
  for (const { answers: seen, missing } of after.answers as Answers[]) {
    assert.deepEqual([seen.length, missing], [2, 1]);
  }
});

Deno.test("IoCrew: errors that nobody handled are counted and survived by every thread", async () => {
  const { crew, shared } = await openCrew();
  await using _ended = crew;
  assert.equal((await crew.ask("loose errors", null)).missing, 0);
  while (shared.metrics.total(CounterIndex.INTERNAL_ERRORS) < 6) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await crew.ask("who", null)).answers.length, 3);
});
