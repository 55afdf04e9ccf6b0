/** Transactions and MGET whose replies are more than a client may have waiting. */

import assert from "node:assert/strict";
import { ByteWriter } from "../../../src/base/bytes.ts";
import { ClientMemory } from "../../../src/base/client_memory.ts";
import { RECORDED_MAX_BYTES, RecordedReply } from "../../../src/command/recorded_reply.ts";
import type { CommandCall } from "../../../src/command/call.ts";
import { CommandTable } from "../../../src/command/lookup.ts";
import { CommandRow, HandlerStatus } from "../../../src/command/row.ts";
import { makeCommandTable } from "../../../src/command/table.ts";
import { OUTPUT_PAUSE_BYTES, SessionStep } from "../../../src/protocol/session.ts";
import {
  Harness,
  type HarnessOptions,
  pause,
  request,
  type TestClient,
  toLatin1,
} from "./harness.ts";

const MIB = 2 ** 20;
const TOO_LARGE = "-ERR the command was executed, but its reply is larger than a client may have " +
  "(max-client-memory)\r\n";
const ROOMY: HarnessOptions = { maxMemoryBytes: 32 * MIB, maxRequestBytes: 4 * MIB };

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

function assertNothingHeld({ store }: Harness): void {
  const { leases, orphanBytes } = store.stats();
  assert.deepEqual({ leases, orphanBytes }, { leases: 0, orphanBytes: 0 });
  store.assertInvariants();
}

/** An output that remembers how much was in it at most. */
class WatchedOutput extends ByteWriter {
  seenBytes = 0;

  override view(): Uint8Array<ArrayBuffer> {
    this.seenBytes = Math.max(this.seenBytes, this.length);
    return super.view();
  }
}

/** Has a client's output watched. */
function watchOutput(client: TestClient): WatchedOutput {
  const output = new WatchedOutput();
  Object.assign(client, { output });
  return output;
}

/** Reads of values that can be leased, and the setting of what they read. */
const READS: readonly { name: string; set: string[]; read: string[]; value: string }[] = [
  { name: "GET", set: ["SET", "k", "VALUE"], read: ["GET", "k"], value: "x".repeat(20_000) },
  {
    name: "GETRANGE",
    set: ["SET", "k", "VALUE"],
    read: ["GETRANGE", "k", "0", "-1"],
    value: "x".repeat(20_000),
  },
  {
    name: "HGET",
    set: ["HSET", "k", "f", "VALUE"],
    read: ["HGET", "k", "f"],
    value: "x".repeat(20_000),
  },
  {
    name: "LINDEX",
    set: ["RPUSH", "k", "VALUE"],
    read: ["LINDEX", "k", "0"],
    value: "x".repeat(20_000),
  },
];

for (const { name, set, read, value } of READS) {
  Deno.test(`EXEC: many replies to ${name} go out piece by piece, as they were at one moment`, async () => {
    const harness = new Harness(ROOMY);
    const [writer, client] = [harness.connect(), harness.connect(1024)];
    await writer.send(request(...set.map((word) => word === "VALUE" ? value : word)));
    await client.send("MULTI\r\n" + request(...read).repeat(150));
    const seen = watchOutput(client);
    client.onFlush = async () => void await writer.send(request("DEL", "k"));
    const reply = await client.send("EXEC\r\nPING\r\n");
    assert.equal(reply === "*150\r\n" + bulk(value).repeat(150) + "+PONG\r\n", true);
    assert.ok(client.flushCount >= 10, `${client.flushCount} pieces`);
    assert.ok(seen.seenBytes <= 2 * OUTPUT_PAUSE_BYTES, `${seen.seenBytes} bytes at once`);
    assertNothingHeld(harness);
  });
}

Deno.test("MGET: many values go out piece by piece, as they were at one moment", async () => {
  const harness = new Harness(ROOMY);
  const [writer, client] = [harness.connect(), harness.connect(1024)];
  const values = Array.from({ length: 40 }, (_, i) => String.fromCharCode(97 + i % 26));
  for (const [i, letter] of values.entries()) {
    await writer.send(request("SET", `k${i}`, letter.repeat(60_000)));
  }
  const seen = watchOutput(client);
  client.onFlush = async () => void await writer.send("FLUSHALL\r\n");
  const reply = await client.send(request("MGET", ...values.map((_, i) => `k${i}`)) + "PING\r\n");
  const all = values.map((letter) => bulk(letter.repeat(60_000))).join("");
  assert.equal(reply === `*40\r\n${all}+PONG\r\n`, true);
  assert.ok(seen.seenBytes <= 2 * OUTPUT_PAUSE_BYTES, `${seen.seenBytes} bytes at once`);
  await pause();
  assertNothingHeld(harness);
});

Deno.test("EXEC: of too many short values the reply is lost, and nothing else", async () => {
  const clientMemory = new ClientMemory(8 * MIB);
  const harness = new Harness({ ...ROOMY, clientMemory });
  const client = harness.connect(1024);
  await client.send(request("SET", "short", "s".repeat(4000)) + "SET n 0\r\n");
  await client.send(request("SET", "long", "l".repeat(100_000)));
  const queue = "MULTI\r\nGET long\r\nINCR n\r\n" + "GET short\r\n".repeat(600) + "INCR n\r\n";
  const replies = await client.send(`ECHO before\r\n${queue}EXEC\r\nGET n\r\n`);
  assert.equal(
    replies,
    `${bulk("before")}+OK\r\n${"+QUEUED\r\n".repeat(603)}${TOO_LARGE}${bulk("2")}`,
  );
  assert.ok(client.output.bytes.length <= 2 * MIB, `${client.output.bytes.length} bytes of output`);
  assert.equal(client.closed, false);
  assert.match(await client.send("INFO errorstats\r\n"), /errorstat_ERR:count=1\r\n/);
  assertNothingHeld(harness);
  // What just fits is replied.
  await client.send("MULTI\r\n" + "GET short\r\n".repeat(500));
  const whole = await client.send("EXEC\r\n");
  assert.equal(whole === "*500\r\n" + bulk("s".repeat(4000)).repeat(500), true);
});

Deno.test("MGET: of too many short values the reply is lost, and nothing else", async () => {
  const harness = new Harness({ ...ROOMY, clientMemory: new ClientMemory(4 * MIB) });
  const client = harness.connect(1024);
  await client.send(request("SET", "k", "s".repeat(4000)));
  const names = new Array<string>(100_000).fill("k");
  assert.equal(await client.send(request("MGET", ...names) + "PING\r\n"), TOO_LARGE + "+PONG\r\n");
  await client.send("CLIENT REPLY SKIP\r\n");
  assert.equal(await client.send(request("MGET", ...names) + "PING\r\n"), "+PONG\r\n");
});

Deno.test("EXEC: what must be kept of a long reply is client memory, and comes back", async () => {
  const clientMemory = new ClientMemory(16 * MIB);
  const harness = new Harness({ ...ROOMY, clientMemory });
  const client = harness.connect(1024);
  await client.send(request("SET", "short", "s".repeat(4000)));
  await client.send(request("SET", "long", "l".repeat(300_000)));
  await client.send("MULTI\r\nGET long\r\n" + "GET short\r\n".repeat(400));
  const before = clientMemory.heldBytes;
  let mostBytes = 0;
  client.onFlush = () => {
    mostBytes = Math.max(mostBytes, clientMemory.heldBytes);
    assert.equal(client.session.heldBytes, clientMemory.heldBytes);
    return Promise.resolve();
  };
  const reply = await client.send("EXEC\r\n");
  assert.ok(reply.length > 1_900_000);
  assert.ok(mostBytes >= before + 1_600_000, `${mostBytes} bytes`);
  assert.equal(clientMemory.heldBytes, 0);
  // A client that goes in the middle.
  await client.send("MULTI\r\nGET long\r\n" + "GET short\r\n".repeat(400));
  client.onFlush = () => Promise.reject(new Error("gone"));
  await assert.rejects(client.send("EXEC\r\n"), /gone/);
  assert.ok(clientMemory.heldBytes > 1_600_000);
  client.session.close();
  assert.equal(clientMemory.heldBytes, 0);
  assertNothingHeld(harness);
});

Deno.test("RespSession: a batch that pauses behind a leased value leaves its place free", async () => {
  const harness = new Harness(ROOMY);
  const client = harness.connect(4096);
  const value = "x".repeat(100_000);
  const short = "s".repeat(10_000);
  await client.send(request("SET", "k", value) + request("SET", "s", short));
  // So much in one reply has the session look at the clock.
  const requests = "MGET s k s\r\nPING\r\n".repeat(20);
  client.input.space();
  assert.ok(client.input.ensure(requests.length));
  client.input.space().set(new TextEncoder().encode(requests));
  client.input.commit(requests.length);
  let text = "";
  for (let step: SessionStep = SessionStep.FLUSH; step === SessionStep.FLUSH;) {
    // Its time is over when it begins.
    step = await client.session.process(client.input, client.output, performance.now());
    text += toLatin1(client.output.view());
    client.output.clear();
  }
  const expected = `*3\r\n${bulk(short)}${bulk(value)}${bulk(short)}+PONG\r\n`.repeat(20);
  assert.equal(text === expected, true);
  assertNothingHeld(harness);
});

/** A table with a command `late`, whose reply comes when the test says so. */
function lateTable(gate: Promise<void>): CommandTable {
  const row = new CommandRow({
    name: "late",
    arity: 1,
    syntax: "",
    summary: "For this test.",
    group: "server",
    since: "1.0.0",
    flags: [],
    access: "none",
    reply: "ok",
    handler: (call: CommandCall) => {
      const { sink } = call;
      call.later = gate.then(() => {
        sink.ok();
        return HandlerStatus.DONE;
      });
      return HandlerStatus.LATER;
    },
  });
  return new CommandTable([...makeCommandTable().rows, row]);
}

Deno.test("EXEC: long replies behind one that is late are leased, not copied", async () => {
  const gate = Promise.withResolvers<void>();
  const harness = new Harness({ ...ROOMY, table: lateTable(gate.promise) });
  const client = harness.connect(1024);
  const value = "x".repeat(100_000);
  await client.send(request("SET", "k", value) + "RPUSH l " + "e ".repeat(3000) + "\r\n");
  await client.send("MULTI\r\nLATE\r\n" + "GET k\r\n".repeat(50) + "LRANGE l 0 -1\r\n");
  const reply = client.send("EXEC\r\n");
  await pause();
  assert.ok(harness.store.stats().leases >= 50, `${harness.store.stats().leases} leases`);
  await harness.ask("FLUSHALL\r\n");
  gate.resolve();
  const expected = "*52\r\n+OK\r\n" + bulk(value).repeat(50) + "*3000\r\n" +
    bulk("e").repeat(3000);
  assert.equal(await reply === expected, true);
  await pause();
  assertNothingHeld(harness);
});

Deno.test("EXEC: short replies behind one that is late are lost one by one when there are too many", async () => {
  const gate = Promise.withResolvers<void>();
  const harness = new Harness({ ...ROOMY, table: lateTable(gate.promise) });
  const client = harness.connect(1024);
  await client.send(request("SET", "k", "x".repeat(5000)));
  const count = Math.ceil(RECORDED_MAX_BYTES / 5000) + 10;
  await client.send("MULTI\r\nLATE\r\n" + "GET k\r\n".repeat(count));
  const reply = client.send("EXEC\r\nPING\r\n");
  gate.resolve();
  const text = await reply;
  const head = `*${count + 1}\r\n+OK\r\n${bulk("x".repeat(5000))}`;
  assert.equal(text.slice(0, head.length), head);
  assert.ok(text.endsWith(`${TOO_LARGE}+PONG\r\n`));
  const lost = text.split(TOO_LARGE).length - 1;
  assert.ok(lost >= 10 && lost < 60, `${lost} of ${count} are lost`);
  assert.equal(text.split("$5000\r\n").length - 1, count - lost);
});

Deno.test("RecordedReply: what is taken back or never replayed is released", () => {
  const reply = new RecordedReply();
  const released: string[] = [];
  const source = (name: string) => ({
    byteCount: 5,
    remaining: 5,
    copyNext: () => assert.fail("nobody wants it"),
    release: () => void released.push(name),
  });
  reply.bulkSource(source("kept"));
  const mark = reply.mark();
  reply.bulkSource(source("taken back"));
  reply.rewind(mark);
  assert.deepEqual(released, ["taken back"]);
  reply.release();
  assert.deepEqual(released, ["taken back", "kept"]);
});
