import assert from "node:assert/strict";
import fc from "fast-check";
import { type HttpRequestCase, MAX_BODY_BYTES } from "../../../cases/http_case.ts";
import { REFUSED_REQUESTS, VALID_REQUESTS } from "../../../cases/http_requests.ts";
import {
  FakeConnection,
  latin1,
  makeService as makeServiceWith,
  readReplies,
  type Reply,
} from "./support.ts";

const ALL_REQUESTS = [...VALID_REQUESTS, ...REFUSED_REQUESTS];
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const PIPELINED = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

Deno.test("HttpSession: the cases have unique names and there are enough of them", () => {
  assert.equal(new Set(ALL_REQUESTS.map(({ name }) => name)).size, ALL_REQUESTS.length);
  assert.ok(ALL_REQUESTS.length >= 250, `${ALL_REQUESTS.length} cases`);
});

Deno.test("HttpSession: every case is answered as expected when it comes whole", async () => {
  for (const requestCase of ALL_REQUESTS) {
    const connection = await deliver(requestCase, [latin1(requestCase.text)]);
    checkReply(requestCase, repliesTo([requestCase.text], connection.written), 0);
    assert.equal(connection.closed, requestCase.closes, requestCase.name);
  }
});

Deno.test("HttpSession: every case is answered the same byte by byte", async () => {
  for (const requestCase of ALL_REQUESTS) {
    const bytes = latin1(requestCase.text);
    const parts = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    const whole = await deliver(requestCase, [bytes]);
    const cut = await deliver(requestCase, parts);
    assert.equal(withoutContinue(cut.written), whole.written, requestCase.name);
    assert.equal(cut.closed, whole.closed, requestCase.name);
  }
});

Deno.test("HttpSession: every case is answered the same wherever it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ALL_REQUESTS),
      fc.array(fc.nat(20000), { maxLength: 6 }),
      fc.constantFrom(16, 64, 4096),
      async (requestCase, cuts, inputBytes) => {
        const bytes = latin1(requestCase.text);
        const whole = await deliver(requestCase, [bytes]);
        const cut = await deliver(requestCase, cutAt(bytes, cuts), inputBytes);
        assert.equal(withoutContinue(cut.written), whole.written);
        assert.equal(cut.closed, whole.closed);
      },
    ),
    { numRuns: 1500, seed: 20260731 },
  );
});

Deno.test("HttpSession: every case is answered the same behind a valid request", async () => {
  for (const requestCase of ALL_REQUESTS) {
    const { service } = makeService();
    const connection = new FakeConnection(service.createSession());
    await connection.send(PIPELINED + requestCase.text);
    const replies = repliesTo([PIPELINED, requestCase.text], connection.written);
    assert.equal(replies[0]?.status, 200, requestCase.name);
    checkReply(requestCase, replies, 1);
    assert.equal(connection.closed, requestCase.closes, requestCase.name);
  }
});

Deno.test("HttpSession: a request behind any kept case is answered, cut anywhere", async () => {
  const keptCases = VALID_REQUESTS.filter(({ closes }) => !closes);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...keptCases), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(4000), { maxLength: 5 }),
      async (cases, cuts) => {
        const { service } = makeService();
        const connection = new FakeConnection(service.createSession());
        const text = cases.map((requestCase) => requestCase.text).join("") + PIPELINED;
        for (const part of cutAt(latin1(text), cuts)) await connection.send(part);
        const texts = cases.map((requestCase) => requestCase.text);
        const statuses = repliesTo(texts, connection.written).map(({ status }) => status);
        assert.deepEqual(statuses, [...cases.map(({ status }) => status), 200]);
        assert.ok(!connection.closed);
        assert.ok(!connection.session.midRequest);
        assert.equal(connection.input.length, 0);
      },
    ),
    { numRuns: 300, seed: 20260731 },
  );
});

Deno.test("HttpSession: nothing behind a refused request is answered", async () => {
  for (const requestCase of REFUSED_REQUESTS) {
    const { service } = makeService();
    const connection = new FakeConnection(service.createSession(), 65536);
    await connection.send(requestCase.text + PIPELINED);
    const replies = repliesTo([requestCase.text], connection.written);
    assert.equal(replies.length, 1, requestCase.name);
    assert.ok(connection.closed, requestCase.name);
  }
});

Deno.test("HttpSession: random bytes never throw and replies are well-formed", async () => {
  const alphabet = latin1('GETPOS /echohl.:1\r\n\t;="%?\0\x80chunked');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ALL_REQUESTS),
      fc.array(fc.tuple(fc.nat(400), fc.nat(alphabet.length - 1), fc.nat(2)), { maxLength: 4 }),
      async (requestCase, edits) => {
        const bytes = [...latin1(requestCase.text)];
        for (const [at, letter, kind] of edits) {
          const place = at % (bytes.length + 1);
          const value = alphabet[letter]!;
          if (kind === 0) bytes.splice(place, 1);
          else if (kind === 1) bytes.splice(place, 0, value);
          else bytes[place] = value;
        }
        const { service } = makeService();
        const connection = new FakeConnection(service.createSession());
        await connection.send(Uint8Array.from(bytes));
        const isHead = /^(\r\n)?HEAD /.test(requestCase.text);
        // What is HEAD may be something else after the edits, and the other way round.
        if (!isHead) readReplies(withoutContinue(connection.written));
      },
    ),
    { numRuns: 2000, seed: 20260731 },
  );
});

async function deliver(
  { name }: HttpRequestCase,
  parts: readonly Uint8Array[],
  inputBytes = 65536,
): Promise<FakeConnection> {
  const { service } = makeService();
  const connection = new FakeConnection(service.createSession(), inputBytes);
  for (const part of parts) await connection.send(part);
  assert.ok(connection.written.length > 0, `${name}: there is a reply`);
  return connection;
}

function checkReply(
  { name, status, reason, closes, body }: HttpRequestCase,
  replies: readonly Reply[],
  index: number,
): void {
  const reply = replies[index];
  assert.ok(reply, `${name}: reply ${index}`);
  assert.equal(reply.status, status, name);
  if (reason !== undefined) assert.equal(JSON.parse(reply.body).reason, reason, name);
  if (body !== undefined) assert.equal(reply.body, body, name);
  assert.equal(reply.headers.get("connection") === "close", closes, name);
}

/** What was written in answer to these requests, whose replies have a body or not. */
function repliesTo(texts: readonly string[], written: string): Reply[] {
  const heads = texts.flatMap((text, index) => text.startsWith("HEAD ") ? [index] : []);
  return readReplies(withoutContinue(written), heads);
}

/** Whether a client is told to go on depends on what has come, unlike everything else. */
function withoutContinue(written: string): string {
  return written.replaceAll(CONTINUE, "");
}

function makeService(): ReturnType<typeof makeServiceWith> {
  return makeServiceWith({ maxRequestBytes: MAX_BODY_BYTES });
}

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) parts.push(bytes.subarray(from, place));
    from = place;
  }
  return parts;
}
