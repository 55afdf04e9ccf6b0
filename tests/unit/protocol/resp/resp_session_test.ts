import assert from "node:assert/strict";
import fc from "fast-check";
import { OUTPUT_PAUSE_BYTES, SessionStep } from "../../../../src/protocol/session.ts";
import { Store } from "../../../../src/store/store.ts";
import { CORPUS, MALFORMED } from "../../../cases/resp_cases.ts";
import {
  Count,
  Harness,
  latin1,
  pause,
  request,
  settled,
  skipValue,
  toLatin1,
} from "../../command/harness.ts";

/** For the random cuts. */
const SEED = 20260731;

/** Cuts that a case is sent with: all at once, single bytes, and seeded random pieces. */
async function repliesHoweverCut(bytes: Uint8Array): Promise<{ text: string; closed: boolean }[]> {
  const outcomes: { text: string; closed: boolean }[] = [];
  const whole = new Harness().connect();
  outcomes.push({ text: await whole.send(bytes), closed: whole.closed });
  const single = new Harness().connect();
  outcomes.push({ text: await single.sendByteByByte(bytes), closed: single.closed });
  const cuts = fc.array(fc.nat(bytes.length), { maxLength: 6 });
  for (const fractions of fc.sample(cuts, { numRuns: 3, seed: SEED })) {
    const pieces = new Harness().connect();
    let text = "";
    let start = 0;
    for (const offset of [...fractions.sort((a, b) => a - b), bytes.length]) {
      if (offset > start && !pieces.closed) text += await pieces.send(bytes.slice(start, offset));
      start = offset;
    }
    outcomes.push({ text, closed: pieces.closed });
  }
  return outcomes;
}

for (const { name, request: text, reply, closes } of [...CORPUS, ...MALFORMED]) {
  // Byte by byte through a whole session, long ones would only repeat the parser's own test.
  if (text.length > 1000) continue;
  Deno.test(`RespSession: answers ${name}, however it is cut`, async () => {
    for (const outcome of await repliesHoweverCut(latin1(text))) {
      assert.deepEqual(outcome, { text: reply, closed: closes ?? false }, `seed ${SEED}`);
    }
  });

  Deno.test(`RespSession: behind valid requests, answers ${name}`, async () => {
    const before = request("SET", "before", "b") + "PING\r\n" + request("DEL", "before");
    for (const outcome of await repliesHoweverCut(latin1(before + text))) {
      const expected = { text: `+OK\r\n+PONG\r\n:1\r\n${reply}`, closed: closes ?? false };
      assert.deepEqual(outcome, expected, `seed ${SEED}`);
    }
  });
}

Deno.test("RespSession: whatever the corpus is mutated to, replies are well-formed", async () => {
  const requests = [...CORPUS, ...MALFORMED].map(({ request }) => request)
    .filter((text) => text.length < 1000);
  const mutated = fc.tuple(
    fc.array(fc.constantFrom(...requests), { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat(2)), { maxLength: 6 }),
  ).map(([parts, edits]) => {
    const bytes = [...latin1(parts.join(""))];
    for (const [position, byte, edit] of edits) {
      const at = position % (bytes.length + 1);
      if (edit === 0) bytes.splice(at, 1);
      else if (edit === 1) bytes.splice(at, 0, byte);
      else if (at < bytes.length) bytes[at] = byte;
    }
    return Uint8Array.from(bytes);
  });
  await fc.assert(
    fc.asyncProperty(mutated, fc.boolean(), async (bytes, withPassword) => {
      const client = new Harness(withPassword ? { password: "sesame" } : {}).connect();
      const replies = await client.send(bytes);
      let at = 0;
      while (at < replies.length) at = skipValue(replies, at);
      assert.equal(at, replies.length);
      if (client.closed) return;
      // What is left is a request that waits for its rest.
      assert.ok(client.input.length === 0 || client.session.midRequest);
    }),
    { numRuns: 500, seed: SEED },
  );
});

Deno.test("RespSession: the corpus is large and has each request once", () => {
  const requests = [...CORPUS, ...MALFORMED].map(({ request }) => request);
  assert.ok(requests.length >= 100, `${requests.length} cases`);
  const repeated = requests.filter((text, i) => requests.indexOf(text) !== i);
  assert.deepEqual(repeated, []);
});

Deno.test("RespSession: replies come before the error that ends the connection", async () => {
  const client = new Harness().connect();
  assert.equal(
    await client.send("PING\r\nPING\r\n*x\r\nPING\r\n"),
    "+PONG\r\n+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n",
  );
  assert.equal(client.closed, true);
});

Deno.test("RespSession: an HTTP request is reported and nothing of its body runs", async () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(await client.send("POST / HTTP/1.1\r\n\r\nSET k 1\r\n"), "");
  assert.equal(client.closed, true);
  assert.deepEqual(harness.crossProtocolLines, ["POST"]);
  assert.equal(harness.store.keyCount(0), 0);
});

Deno.test("RespSession: POST as an array is an unknown command like any other", async () => {
  const client = new Harness().connect();
  assert.match(await client.send(request("POST", "x")), /^-ERR unknown command 'POST'/);
  assert.equal(client.closed, false);
});

Deno.test("RespSession: pauses a long pipeline whose replies nobody wants", async () => {
  const client = new Harness().connect(1 << 17);
  await client.send(request("SET", "k", "v".repeat(100_000)));
  const batch = "CLIENT REPLY OFF\r\n" + "GET k\r\n".repeat(10_000) + "CLIENT REPLY ON\r\n";
  assert.equal(await client.send(batch), "+OK\r\n");
  assert.ok(client.flushCount > 1, `${client.flushCount} pauses`);
});

Deno.test("RespSession: pauses a pipeline whose replies pass the bound, and goes on", async () => {
  const harness = new Harness();
  const client = harness.connect();
  const value = "v".repeat(100_000);
  assert.equal(await client.send(request("SET", "k", value)), "+OK\r\n");
  const one = `$100000\r\n${value}\r\n`;
  assert.equal(await client.send("GET k\r\n".repeat(10)), one.repeat(10));
  // Three replies pass the bound.
  assert.ok(client.flushCount >= 3, `${client.flushCount} pauses`);
});

Deno.test("RespSession: pending output stays within the bound and one reply", async () => {
  const harness = new Harness();
  const value = "v".repeat(1000);
  await harness.ask(request("SET", "k", value));
  const pipeline = latin1("GET k\r\n".repeat(2000));
  const client = harness.connect(pipeline.length);
  client.input.space().set(pipeline);
  client.input.commit(pipeline.length);
  // A busy machine pauses earlier as well, for the time that it took.
  while (client.output.length < OUTPUT_PAUSE_BYTES) {
    assert.equal(await client.session.process(client.input, client.output), SessionStep.FLUSH);
  }
  assert.ok(client.output.length < OUTPUT_PAUSE_BYTES + 1100);
  assert.ok(client.input.length > 0);
});

Deno.test("RespSession: while stopping, a request that starts is refused and the last", async () => {
  const harness = new Harness();
  const client = harness.connect();
  harness.phase.stopping = true;
  assert.equal(await client.send("PING\r\nPING\r\n"), "-ERR server is shutting down\r\n");
  assert.equal(client.closed, true);
});

Deno.test("RespSession: while stopping, a request that had begun is still served", async () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(await client.send("*1\r\n$4\r\nPI"), "");
  assert.equal(client.session.midRequest, true);
  harness.phase.stopping = true;
  assert.equal(await client.send("N"), "");
  assert.equal(
    await client.send("G\r\n*1\r\n$4\r\nPING\r\n"),
    "+PONG\r\n-ERR server is shutting down\r\n",
  );
  assert.equal(client.closed, true);
});

Deno.test("RespSession: counts the commands it executed", async () => {
  const harness = new Harness();
  await harness.ask("PING\r\n\r\nnope\r\nGET\r\nPING\r\n");
  assert.equal(harness.counters.values[Count.COMMANDS], 4);
});

Deno.test("RespSession: CLIENT REPLY OFF, SKIP and ON choose the replies", async () => {
  const client = new Harness().connect();
  assert.equal(
    await client.send(
      "CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n",
    ),
    "+OK\r\n+PONG\r\n",
  );
  assert.equal(await client.send("CLIENT REPLY SKIP\r\nECHO a\r\nECHO b\r\n"), "$1\r\nb\r\n");
});

Deno.test("RespSession: holds no offset arrays while it waits for input", async () => {
  const harness = new Harness();
  const lent = harness.pool.take();
  harness.pool.give(lent);
  const client = harness.connect();
  await client.send("PING\r\n");
  assert.equal(harness.pool.take(), lent);
  harness.pool.give(lent);
  await client.send("PIN");
  assert.equal(harness.pool.take(), lent);
  harness.pool.give(lent);
  await client.send("G\r\n*2\r\n$4\r\nECHO\r\n");
  assert.equal(harness.pool.take(), lent);
});

Deno.test("RespSession: a parked command keeps the order of replies", async () => {
  const harness = new Harness({ shardCount: 1 });
  const other = Store.attach(harness.store.memory, 1);
  const client = harness.connect();
  other.locks.lock(0, true);
  const pending = client.send("PING\r\nSET k 1\r\nECHO behind\r\nGET k\r\n");
  let done = false;
  pending.then(() => done = true);
  await pause();
  assert.equal(done, false);
  assert.equal(harness.counters.values[Count.PARKED], 1);
  // Others go on meanwhile.
  assert.equal(await harness.ask("PING\r\n"), "+PONG\r\n");
  other.locks.unlock(0, true);
  assert.equal(await settled(pending), "+PONG\r\n+OK\r\n$6\r\nbehind\r\n$1\r\n1\r\n");
});

Deno.test("RespSession: a parked command is the last one of its batch", async () => {
  const harness = new Harness({ shardCount: 1 });
  const other = Store.attach(harness.store.memory, 1);
  const client = harness.connect();
  other.locks.lock(0, true);
  const bytes = latin1("SET k 1\r\nECHO behind\r\n");
  client.input.space().set(bytes);
  client.input.commit(bytes.length);
  const pending = client.session.process(client.input, client.output);
  assert.ok(pending instanceof Promise);
  other.locks.unlock(0, true);
  assert.equal(await settled(pending), SessionStep.FLUSH);
  assert.equal(toLatin1(client.output.view()), "+OK\r\n");
  client.output.clear();
  assert.equal(await client.send(""), "$6\r\nbehind\r\n");
});
