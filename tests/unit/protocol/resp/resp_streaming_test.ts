/** Replies with large values: pieces, order, and what becomes of the leases. */

import assert from "node:assert/strict";
import { LEASED_VALUE_BYTES } from "../../../../src/base/limits.ts";
import type { CommandCall } from "../../../../src/command/call.ts";
import { replyString } from "../../../../src/command/handlers/string_reply.ts";
import { CommandTable } from "../../../../src/command/lookup.ts";
import { CommandRow, HandlerStatus } from "../../../../src/command/row.ts";
import { makeCommandTable } from "../../../../src/command/table.ts";
import { OUTPUT_PAUSE_BYTES, SessionStep } from "../../../../src/protocol/session.ts";
import { Store } from "../../../../src/store/store.ts";
import {
  Harness,
  type HarnessOptions,
  latin1,
  pause,
  request,
  settled,
  type TestClient,
  toLatin1,
} from "../../command/harness.ts";

const ROOMY: HarnessOptions = { maxMemoryBytes: 48 * 2 ** 20, maxRequestBytes: 4 * 2 ** 20 };

/** A value of `byteCount` printable characters that differ from place to place. */
function text(byteCount: number, seed: number): string {
  const unit = Array.from({ length: 251 }, (_, i) => String.fromCharCode(97 + (i * seed) % 26));
  return unit.join("").repeat(Math.ceil(byteCount / 251)).slice(0, byteCount);
}

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

/** Lets a client's session go one step; returns what it wrote, at most the bound. */
async function step(client: TestClient): Promise<{ text: string; more: boolean }> {
  const result = await client.session.process(client.input, client.output);
  assert.ok(client.output.length <= OUTPUT_PAUSE_BYTES, `${client.output.length} bytes of output`);
  const written = toLatin1(client.output.view());
  client.output.clear();
  return { text: written, more: result === SessionStep.FLUSH };
}

/** Delivers a request without running the session. */
function deliver(client: TestClient, bytes: string): void {
  client.input.space().set(latin1(bytes));
  client.input.commit(bytes.length);
}

function assertNothingHeld({ store }: Harness): void {
  const { leases, orphanBytes } = store.stats();
  assert.deepEqual({ leases, orphanBytes }, { leases: 0, orphanBytes: 0 });
  store.assertInvariants();
}

for (const lockKind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`RespSession (${lockKind}, ${shardCount} shards): large and small replies keep their order and the bound`, async () => {
      const harness = new Harness({ ...ROOMY, lockKind, shardCount });
      const values = [LEASED_VALUE_BYTES, LEASED_VALUE_BYTES + 1, 300_000, 1_000_000, 262_144]
        .map((byteCount, i) => text(byteCount, i + 3));
      for (const [i, value] of values.entries()) {
        assert.equal(await harness.ask(request("SET", `k${i}`, value)), "+OK\r\n");
      }
      let pipeline = "";
      let expected = "";
      for (const i of [0, 3, 1, 2, 4, 1, 1, 3]) {
        pipeline += `GET k${i}\r\nECHO e${i}\r\n`;
        expected += bulk(values[i]!) + bulk(`e${i}`);
      }
      const client = harness.connect(1024);
      deliver(client, pipeline);
      let received = "";
      for (let more = true; more;) {
        const written = await step(client);
        received += written.text;
        more = written.more;
      }
      assert.equal(received === expected, true, "the replies are exact");
      assertNothingHeld(harness);
      // The same one byte at a time, which makes every request a batch of its own.
      assert.equal(await client.sendByteByByte(latin1(pipeline)) === expected, true);
      assertNothingHeld(harness);
    });
  }
}

Deno.test("RespSession: a value longer than the bound is leased, one at the bound is copied", async () => {
  const harness = new Harness(ROOMY);
  for (const [byteCount, leases] of [[LEASED_VALUE_BYTES, 0], [LEASED_VALUE_BYTES + 1, 1]]) {
    await harness.ask(request("SET", "k", "v".repeat(byteCount!)));
    const client = harness.connect();
    // Fills the output, so that the source has to wait.
    client.output.copy(new Uint8Array(OUTPUT_PAUSE_BYTES - 20));
    deliver(client, "GET k\r\n");
    await client.session.process(client.input, client.output);
    assert.equal(harness.store.stats().leases, leases);
    client.session.close();
    assertNothingHeld(harness);
  }
});

Deno.test("RespSession: a client gets the value as it was when the command ran, and the next one the new", async () => {
  const harness = new Harness(ROOMY);
  const writer = harness.connect();
  const [first, second] = [text(1_000_000, 3), text(900_000, 5)];
  await writer.send(request("SET", "k", first));
  const reader = harness.connect();
  deliver(reader, "GET k\r\nGET k\r\n");
  let received = (await step(reader)).text;
  await writer.send(request("SET", "k", second));
  harness.store.assertInvariants();
  assert.ok(harness.store.stats().orphanBytes >= first.length);
  for (let more = true; more;) {
    const written = await step(reader);
    received += written.text;
    more = written.more;
  }
  assert.equal(received === bulk(first) + bulk(second), true);
  assertNothingHeld(harness);
});

Deno.test("RespSession: SET with GET replies with the large value that it replaced", async () => {
  const harness = new Harness(ROOMY);
  const client = harness.connect();
  const [first, second] = [text(500_000, 3), text(400_000, 5)];
  await client.send(request("SET", "k", first));
  assert.equal(await client.send(request("SET", "k", second, "GET")) === bulk(first), true);
  assertNothingHeld(harness);
  assert.equal(await client.send("GET k\r\n") === bulk(second), true);
});

Deno.test("RespSession: SET with GET that finds no memory replies with the error alone", async () => {
  const harness = new Harness({ maxMemoryBytes: 3 * 2 ** 20, maxRequestBytes: 4 * 2 ** 20 });
  const client = harness.connect();
  const first = text(800_000, 3);
  await client.send(request("SET", "k", first));
  await client.send(request("SET", "other", text(1_000_000, 7)));
  const reply = await client.send(request("SET", "k", text(1_000_000, 5), "GET"));
  assert.match(reply.slice(0, 200), /^-OOM [^\r]*\r\n$/);
  assertNothingHeld(harness);
  assert.equal(await client.send("GET k\r\n") === bulk(first), true);
});

Deno.test("RespSession: a large reply that nobody wants holds nothing", async () => {
  const harness = new Harness(ROOMY);
  const client = harness.connect();
  await client.send(request("SET", "k", text(500_000, 3)));
  assert.equal(await client.send("CLIENT REPLY OFF\r\nGET k\r\nGET k\r\n"), "");
  assertNothingHeld(harness);
  assert.equal(
    await client.send("CLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nGET k\r\nPING\r\n"),
    "+OK\r\n+PONG\r\n",
  );
  assertNothingHeld(harness);
});

Deno.test("RespSession: a connection that ends in the middle of a large reply lets go of the value", async () => {
  const harness = new Harness(ROOMY);
  const writer = harness.connect();
  await writer.send(request("SET", "k", text(1_000_000, 3)));
  const reader = harness.connect();
  deliver(reader, "GET k\r\n");
  assert.equal((await step(reader)).more, true);
  await writer.send("DEL k\r\n");
  assert.equal(harness.store.stats().leases, 1);
  assert.ok(harness.store.stats().orphanBytes >= 1_000_000);
  reader.session.close();
  assertNothingHeld(harness);
});

Deno.test("RespSession: a parked command replies with a large value, too", async () => {
  const harness = new Harness({ ...ROOMY, shardCount: 1 });
  const value = text(700_000, 3);
  await harness.ask(request("SET", "k", value));
  const other = Store.attach(harness.store.memory, 1);
  const client = harness.connect();
  other.locks.lock(0, true);
  const pending = client.send("PING\r\nGET k\r\nECHO behind\r\n");
  await pause();
  other.locks.unlock(0, true);
  const expected = "+PONG\r\n" + bulk(value) + bulk("behind");
  assert.equal(await settled(pending) === expected, true);
  assertNothingHeld(harness);
});

Deno.test("RespSession: a reply that has begun is finished while the server stops", async () => {
  const harness = new Harness(ROOMY);
  const value = text(700_000, 3);
  await harness.ask(request("SET", "k", value));
  const client = harness.connect();
  deliver(client, "GET k\r\nGET k\r\n");
  let received = (await step(client)).text;
  harness.phase.stopping = true;
  received += await client.send("");
  assert.equal(received === bulk(value) + "-ERR server is shutting down\r\n", true);
  assertNothingHeld(harness);
});

/** Replies with an array of the values of all its keys, as MGET does. */
function manyGet(call: CommandCall): HandlerStatus {
  call.sink.arrayStart(call.args.count - 1);
  for (let i = 1; i < call.args.count; i++) {
    replyString(call, call.store.lookup(call.database, call.keyAt(i)));
  }
  return HandlerStatus.DONE;
}

Deno.test("RespSession: one reply may have many large values among small ones", async () => {
  const row = new CommandRow({
    name: "manyget",
    arity: -2,
    syntax: "key [key ...]",
    summary: "For this test.",
    group: "string",
    since: "1.0.0",
    flags: ["readonly"],
    access: "read",
    firstKey: 1,
    lastKey: -1,
    reply: "array",
    handler: manyGet,
  });
  const table = new CommandTable([...makeCommandTable().rows, row]);
  const harness = new Harness({ ...ROOMY, table });
  const values = [3, 400_000, 0, 70_000, 65_536, 1_000_000, 5].map((size, i) => text(size, i + 3));
  for (const [i, value] of values.entries()) {
    await harness.ask(request("SET", `k${i}`, value));
  }
  const names = ["k0", "k1", "none", "k2", "k3", "k4", "k5", "k1", "k6"];
  const client = harness.connect(1024);
  deliver(client, request("MANYGET", ...names) + "PING\r\n");
  let received = "";
  for (let more = true; more;) {
    const written = await step(client);
    received += written.text;
    more = written.more;
    // The rest of the reply must not notice that all keys are gone.
    await harness.ask(request("DEL", ...names));
  }
  const all = names.map((name) =>
    name === "none" ? "$-1\r\n" : bulk(values[Number(name.slice(1))]!)
  );
  assert.equal(received === `*9\r\n${all.join("")}+PONG\r\n`, true);
  assertNothingHeld(harness);
});
