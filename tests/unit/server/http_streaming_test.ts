/** `GET /keys/:key` of large values: pieces, order, and what becomes of the leases. */

import assert from "node:assert/strict";
import { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import { LEASED_VALUE_BYTES } from "../../../src/base/limits.ts";
import { OUTPUT_PAUSE_BYTES, type Session, SessionStep } from "../../../src/protocol/session.ts";
import { Store } from "../../../src/store/store.ts";
import { type Harness, type HarnessOptions, pause, request, settled } from "../command/harness.ts";
import { latin1, readReplies, toLatin1 } from "../protocol/http/support.ts";
import { TestServer } from "./http_world.ts";

const ROOMY: HarnessOptions = { maxMemoryBytes: 48 * 2 ** 20, maxRequestBytes: 4 * 2 ** 20 };
const GET = "GET /keys/k HTTP/1.1\r\nHost: a\r\n\r\n";

/** A value of `byteCount` printable characters that differ from place to place. */
function text(byteCount: number, seed: number): string {
  const unit = Array.from({ length: 251 }, (_, i) => String.fromCharCode(97 + (i * seed) % 26));
  return unit.join("").repeat(Math.ceil(byteCount / 251)).slice(0, byteCount);
}

/** A client that takes the output only when it is told to. */
class SlowReader {
  readonly session: Session;
  readonly input = new InputBuffer(4096);
  readonly output = new ByteWriter();
  received = "";
  step: SessionStep = SessionStep.FLUSH;

  constructor(server: TestServer, pipeline: string) {
    this.session = server.service.createSession();
    this.input.ensure(pipeline.length);
    this.input.space().set(latin1(pipeline));
    this.input.commit(pipeline.length);
  }

  /** Lets the session go one step, which may make no more output than the bound. */
  async next(): Promise<boolean> {
    this.step = await this.session.process(this.input, this.output);
    const { length } = this.output;
    assert.ok(length <= OUTPUT_PAUSE_BYTES + LEASED_VALUE_BYTES, `${length} bytes of output`);
    this.received += toLatin1(this.output.view());
    this.output.clear();
    return this.step === SessionStep.FLUSH;
  }

  /** Takes everything. */
  async all(): Promise<string> {
    while (await this.next());
    return this.received;
  }
}

async function serverWith(values: Record<string, string>, options = ROOMY): Promise<TestServer> {
  const server = new TestServer(options);
  for (const [key, value] of Object.entries(values)) {
    assert.equal(await server.harness.ask(request("SET", key, value)), "+OK\r\n");
  }
  return server;
}

function assertNothingHeld({ store }: Harness): void {
  const { leases, orphanBytes } = store.stats();
  assert.deepEqual({ leases, orphanBytes }, { leases: 0, orphanBytes: 0 });
  store.assertInvariants();
}

Deno.test("GET /keys: large and small values of a pipeline keep their order and the bound (C13)", async () => {
  const sizes = [1, LEASED_VALUE_BYTES, LEASED_VALUE_BYTES + 1, 262_144, 300_000, 1_000_000];
  const values = sizes.map((byteCount, i) => text(byteCount, i + 3));
  const server = await serverWith(Object.fromEntries(values.map((value, i) => [`k${i}`, value])));
  const order = [0, 5, 1, 2, 4, 4, 3, 5, 2, 0];
  const pipeline = order.map((i) => `GET /keys/k${i} HTTP/1.1\r\nHost: a\r\n\r\n` + GET).join("");
  const reader = new SlowReader(server, pipeline);
  const replies = readReplies(await reader.all());
  assert.equal(replies.length, order.length * 2);
  for (const [at, i] of order.entries()) {
    const { status, headers, body } = replies[at * 2]!;
    assert.equal(status, 200);
    assert.equal(headers.get("content-length"), String(sizes[i]));
    assert.equal(headers.get("content-type"), "application/octet-stream");
    assert.equal(body === values[i], true, `value ${i} is exact`);
    assert.equal(replies[at * 2 + 1]!.status, 404);
  }
  assert.equal(reader.step, SessionStep.NEED_INPUT);
  assertNothingHeld(server.harness);
});

Deno.test("GET /keys: requests that arrive byte by byte get the same large replies", async () => {
  const value = text(700_000, 7);
  const server = await serverWith({ k: value });
  const connection = server.connect();
  for (const byte of latin1(GET + GET)) await connection.send(Uint8Array.of(byte));
  assert.ok(connection.largestWriteBytes <= OUTPUT_PAUSE_BYTES);
  const bodies = readReplies(connection.written).map(({ body }) => body === value);
  assert.deepEqual(bodies, [true, true]);
  assertNothingHeld(server.harness);
});

Deno.test("GET /keys: a reader gets the value as it was asked for, and the next time the new one", async () => {
  const [first, second] = [text(1_000_000, 3), text(900_000, 5)];
  const server = await serverWith({ k: first });
  const reader = new SlowReader(server, GET + GET);
  assert.equal(await reader.next(), true);
  await server.harness.ask(request("SET", "k", second));
  server.harness.store.assertInvariants();
  assert.ok(server.harness.store.stats().orphanBytes >= first.length);
  const bodies = readReplies(await reader.all()).map(({ body }) => body);
  assert.equal(bodies.length, 2);
  assert.equal(bodies[0] === first && bodies[1] === second, true);
  assertNothingHeld(server.harness);
});

Deno.test("HEAD /keys: tells the length of a large value and holds nothing of it", async () => {
  const server = await serverWith({ k: text(1_000_000, 3) });
  const head = GET.replace("GET", "HEAD");
  const reader = new SlowReader(server, head + head);
  assert.equal(await reader.next(), false);
  assertNothingHeld(server.harness);
  const replies = readReplies(reader.received, [0, 1]);
  assert.deepEqual(
    replies.map(({ status, headers, body }) => [status, headers.get("content-length"), body]),
    [[200, "1000000", ""], [200, "1000000", ""]],
  );
});

Deno.test("GET /keys: a connection that ends in the middle lets go of the value", async () => {
  const server = await serverWith({ k: text(1_000_000, 3) });
  const reader = new SlowReader(server, GET + GET);
  assert.equal(await reader.next(), true);
  assert.equal(server.harness.store.stats().leases, 1);
  await server.delete("/keys/k");
  assert.ok(server.harness.store.stats().orphanBytes >= 1_000_000);
  reader.session.close();
  assertNothingHeld(server.harness);
});

Deno.test("GET /keys: with Connection: close and HTTP/1.0 the connection closes behind the last byte", async () => {
  const value = text(700_000, 3);
  const server = await serverWith({ k: value });
  for (
    const request of [
      GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
      "GET /keys/k HTTP/1.0\r\n\r\n",
    ]
  ) {
    const reader = new SlowReader(server, request + GET);
    const replies = readReplies(await reader.all());
    assert.equal(replies.length, 1);
    assert.equal(replies[0]!.body === value, true);
    assert.equal(reader.step, SessionStep.CLOSE);
    assertNothingHeld(server.harness);
  }
});

Deno.test("GET /keys: a request that waits for a lock is answered with a large value, too", async () => {
  const value = text(700_000, 3);
  const server = await serverWith({ k: value }, { ...ROOMY, shardCount: 1 });
  const other = Store.attach(server.harness.store.memory, 1);
  const reader = new SlowReader(server, GET + GET + GET.replace("/k ", "/none "));
  other.locks.lock(0, true);
  const pending = reader.all();
  await pause();
  other.locks.unlock(0, true);
  const replies = readReplies(await settled(pending));
  assert.deepEqual(replies.map(({ status }) => status), [200, 200, 404]);
  assert.equal(replies[0]!.body === value && replies[1]!.body === value, true);
  assertNothingHeld(server.harness);
});

Deno.test("GET /keys: a reply that has begun is finished while the server stops", async () => {
  const value = text(700_000, 3);
  const server = await serverWith({ k: value });
  const reader = new SlowReader(server, GET + GET);
  assert.equal(await reader.next(), true);
  server.harness.phase.stopping = true;
  const replies = readReplies(await reader.all());
  assert.equal(replies[0]!.body === value, true);
  assert.deepEqual(replies.map(({ status }) => status), [200, 503]);
  assert.equal(reader.step, SessionStep.CLOSE);
  assertNothingHeld(server.harness);
});
