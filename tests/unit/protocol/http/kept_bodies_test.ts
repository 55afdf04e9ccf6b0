/** Replies whose bodies somebody keeps in memory: they are written from where they are. */

import assert from "node:assert/strict";
import type { KeptSource } from "../../../../src/protocol/http/async_source.ts";
import { ContentType, type HttpExchange } from "../../../../src/protocol/http/exchange.ts";
import { PreparedReply } from "../../../../src/protocol/http/prepared_reply.ts";
import { createRouter, type Router } from "../../../../src/protocol/http/router.ts";
import { SessionStep } from "../../../../src/protocol/session.ts";
import { FakeConnection, latin1, makeService, readReplies } from "./support.ts";

const BODY = "kept ".repeat(40_000);

/** A body that says whether it is still needed. */
class FakeKept implements KeptSource {
  readonly byteCount: number;
  released = false;
  #at = 0;

  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {
    this.byteCount = bytes.length;
  }

  get remaining(): number {
    return this.byteCount - this.#at;
  }

  next(mostBytes: number): Uint8Array<ArrayBuffer> {
    assert.equal(this.released, false, "nothing is taken of what was released");
    const part = this.bytes.subarray(this.#at, this.#at + mostBytes);
    this.#at += part.length;
    return part;
  }

  release(): void {
    this.released = true;
  }
}

/** `/body` has a head of its own, `/whole` begins with one that is kept, too, if it can. */
function routerWith(sources: FakeKept[], reply: PreparedReply): Router {
  const add = (bytes: Uint8Array<ArrayBuffer>): FakeKept => {
    const source = new FakeKept(bytes);
    sources.push(source);
    return source;
  };
  const sendBody = (exchange: HttpExchange): void =>
    exchange.sendKept(200, ContentType.TEXT, add(latin1(BODY)));
  return createRouter([
    { method: "GET", pattern: "/small", handler: (exchange) => exchange.sendError(200, "ok") },
    { method: "GET", pattern: "/body", handler: sendBody },
    {
      method: "GET",
      pattern: "/whole",
      handler: (exchange) => {
        const bytes = exchange.wholeBytes(reply);
        if (bytes === undefined) sendBody(exchange);
        else exchange.sendWhole(reply, add(bytes));
      },
    },
  ]);
}

function world() {
  const sources: FakeKept[] = [];
  const seen: { status: number; bytes: number }[] = [];
  const reply = new PreparedReply(200, `Content-Length: ${BODY.length}\r\n`, BODY.length);
  reply.body.set(latin1(BODY));
  const { service } = makeService({
    router: routerWith(sources, reply),
    onAnswered: ({ status, bodyBytes }: HttpExchange) => seen.push({ status, bytes: bodyBytes }),
  });
  return { sources, seen, connect: () => new FakeConnection(service.createSession(), 4096) };
}

const get = (path: string, lines = "", version = "1.1"): string =>
  `GET ${path} HTTP/${version}\r\nHost: a\r\n${lines}\r\n`;

for (const path of ["/body", "/whole"]) {
  Deno.test(`HttpSession: ${path}, which is kept, goes out in order and not through the output`, async () => {
    const { sources, seen, connect } = world();
    const connection = connect();
    await connection.send(get("/small") + get(path) + get("/small") + get(path));
    const replies = readReplies(connection.written);
    assert.deepEqual(replies.map(({ body }) => body === BODY), [false, true, false, true]);
    for (const { headers } of replies) assert.match(headers.get("date")!, /GMT$/);
    assert.ok(connection.largestWriteBytes < 1000, `${connection.largestWriteBytes} bytes`);
    assert.deepEqual(sources.map(({ released }) => released), [true, true]);
    assert.deepEqual(seen.map(({ bytes }) => bytes > 100), [false, true, false, true]);
  });

  Deno.test(`HttpSession: ${path}, which is kept, is let go of when the client leaves`, async () => {
    const { sources, seen, connect } = world();
    const { session, input, output } = connect();
    const request = latin1(get(path));
    input.space().set(request);
    input.commit(request.length);
    assert.equal(await session.process(input, output), SessionStep.FLUSH);
    const kept = session.kept!;
    const headBytes = kept.remaining - BODY.length;
    kept.next(headBytes + 1000);
    // Called too early it waits on.
    assert.equal(await session.process(input, output), SessionStep.FLUSH);
    assert.equal(session.midReply, true);
    assert.deepEqual(sources.map(({ released }) => released), [false]);
    session.close();
    assert.deepEqual(sources.map(({ released }) => released), [true]);
    assert.deepEqual(seen, [{ status: 200, bytes: 1000 }]);
  });
}

Deno.test("HttpSession: a kept head is not sent where other lines are due", async () => {
  for (const [lines, version] of [["Connection: close\r\n", "1.1"], ["", "1.0"]] as const) {
    const { connect } = world();
    const connection = connect();
    await connection.send(get("/whole", lines, version));
    const [reply] = readReplies(connection.written);
    assert.equal(reply!.headers.get("connection"), "close");
    assert.ok(reply!.body === BODY);
    assert.ok(connection.closed);
  }
});

Deno.test("HttpSession: HEAD of what is kept needs none of it", async () => {
  const { sources, connect } = world();
  const connection = connect();
  await connection.send(get("/whole").replace("GET", "HEAD"));
  const [reply] = readReplies(connection.written, [0]);
  assert.equal(reply!.headers.get("content-length"), String(BODY.length));
  assert.deepEqual(sources.map(({ released }) => released), [true]);
});
