/** Replies that are not in memory, and connections that go on in another protocol. */

import assert from "node:assert/strict";
import type { ByteWriter, InputBuffer } from "../../../../src/base/bytes.ts";
import type { AsyncByteSource } from "../../../../src/protocol/http/async_source.ts";
import { ContentType } from "../../../../src/protocol/http/exchange.ts";
import { HttpError } from "../../../../src/protocol/http/http_error.ts";
import { createRouter, type Router } from "../../../../src/protocol/http/router.ts";
import { type Session, SessionStep } from "../../../../src/protocol/session.ts";
import { FakeConnection, latin1, makeService, readReplies } from "./support.ts";

const encoder = new TextEncoder();
const HEALTH = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const MOST_PIECE_BYTES = 65536;

/** A body that is fetched, and breaks off at `brokenAt`. */
class FakeFile implements AsyncByteSource {
  remaining: number;
  released = false;

  constructor(readonly content: Uint8Array, readonly brokenAt = Infinity) {
    this.remaining = content.length;
  }

  get byteCount(): number {
    return this.content.length;
  }

  async readNext(target: Uint8Array<ArrayBuffer>): Promise<number> {
    await Promise.resolve();
    assert.equal(this.released, false, "nothing is read from a file that was released");
    const start = this.content.length - this.remaining;
    if (start >= this.brokenAt) throw new Error("file /secret/path was truncated");
    // Files may give less than was asked for.
    const byteCount = Math.min(target.length, 50_000, this.remaining);
    target.set(this.content.subarray(start, start + byteCount));
    this.remaining -= byteCount;
    return byteCount;
  }

  release(): void {
    this.released = true;
  }
}

/** Answers in upper case, until it is told to stop. */
class Shouter implements Session {
  readonly midRequest = false;
  readonly midBody = false;
  readonly farewell = encoder.encode("bye");
  closed = false;

  process(input: InputBuffer, output: ByteWriter): SessionStep {
    const text = new TextDecoder().decode(input.bytes.subarray(input.start, input.end));
    input.start = input.end;
    output.copy(encoder.encode(text.toUpperCase()));
    return text.includes("stop") ? SessionStep.CLOSE : SessionStep.NEED_INPUT;
  }

  close(): void {
    this.closed = true;
  }
}

function routerWith(file: FakeFile, shouter = new Shouter()): Router {
  return createRouter([
    { method: "GET", pattern: "/health", handler: (exchange) => exchange.sendError(200, "ok") },
    {
      method: "GET",
      pattern: "/file",
      handler: (exchange) => exchange.sendAsync(200, ContentType.OCTETS, file),
    },
    {
      method: "GET",
      pattern: "/late",
      handler: async (exchange) => {
        await Promise.resolve();
        exchange.sendAsync(200, ContentType.OCTETS, file);
      },
    },
    {
      method: "GET",
      pattern: "/shout",
      handler: (exchange) =>
        exchange.upgrade(101, encoder.encode("Connection: Upgrade\r\nUpgrade: shout\r\n"), shouter),
    },
    {
      method: "GET",
      pattern: "/refused",
      handler: () => {
        throw new HttpError(409, "conflict", "not now", "Retry-After: 3\r\n");
      },
    },
  ]);
}

function content(byteCount: number): Uint8Array {
  return Uint8Array.from({ length: byteCount }, (_, i) => 97 + i % 23);
}

for (const path of ["/file", "/late"]) {
  Deno.test(`HttpSession: ${path}, a body that is fetched, goes out in bounded pieces and in order`, async () => {
    const file = new FakeFile(content(400_000));
    const { service } = makeService({ router: routerWith(file) });
    const connection = new FakeConnection(service.createSession(), 4096);
    await connection.send(HEALTH + `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n` + HEALTH);
    const replies = readReplies(connection.written);
    assert.equal(replies.length, 3);
    assert.equal(replies[1]!.headers.get("content-length"), "400000");
    assert.deepEqual(latin1(replies[1]!.body), Uint8Array.from(file.content));
    assert.ok(connection.largestWriteBytes <= MOST_PIECE_BYTES, `${connection.largestWriteBytes}`);
    assert.ok(file.released);
  });
}

Deno.test("HttpSession: HEAD and an empty body fetch nothing", async () => {
  for (const file of [new FakeFile(content(10)), new FakeFile(content(0))]) {
    const method = file.byteCount > 0 ? "HEAD" : "GET";
    const { service } = makeService({ router: routerWith(file) });
    const connection = new FakeConnection(service.createSession(), 4096);
    await connection.send(`${method} /file HTTP/1.1\r\nHost: a\r\n\r\n` + HEALTH);
    const replies = readReplies(connection.written, [0]);
    assert.equal(replies.length, 2);
    assert.equal(replies[0]!.headers.get("content-length"), String(file.byteCount));
    assert.equal(file.remaining, file.byteCount);
    assert.ok(file.released);
  }
});

Deno.test("HttpSession: a body that breaks off closes the connection, short and without a word", async () => {
  const file = new FakeFile(content(200_000), 100_000);
  const failures: unknown[] = [];
  const { service } = makeService({
    router: routerWith(file),
    onBodyFailure: (error) => failures.push(error),
  });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send("GET /file HTTP/1.1\r\nHost: a\r\n\r\n" + HEALTH);
  assert.ok(connection.closed);
  assert.equal(failures.length, 1);
  const bodyBytes = connection.written.length - connection.written.indexOf("\r\n\r\n") - 4;
  assert.equal(bodyBytes, 100_000);
  assert.doesNotMatch(connection.written, /secret/);
  assert.ok(file.released);
});

Deno.test("HttpSession: a connection that ends in the middle of a body gives the file back", async () => {
  const file = new FakeFile(content(400_000));
  const { service } = makeService({ router: routerWith(file) });
  const connection = new FakeConnection(service.createSession(), 4096);
  connection.input.space().set(latin1("GET /file HTTP/1.1\r\nHost: a\r\n\r\n"));
  connection.input.commit(32);
  assert.equal(await connection.session.process(connection.input, connection.output), 1);
  assert.equal(file.released, false);
  connection.session.close();
  assert.ok(file.released);
});

Deno.test("HttpSession: an upgrade leaves the connection, and what is behind the request, to its successor", async () => {
  const shouter = new Shouter();
  const { service } = makeService({ router: routerWith(new FakeFile(content(1)), shouter) });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send(HEALTH + "GET /shout HTTP/1.1\r\nHost: a\r\n\r\nearly ");
  await connection.send("words");
  const head = "HTTP/1.1 101 Switching Protocols\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
    "Connection: Upgrade\r\nUpgrade: shout\r\n\r\n";
  const at = connection.written.indexOf("HTTP/1.1 101");
  assert.equal(connection.written.slice(at), `${head}EARLY WORDS`);
  assert.deepEqual(connection.session.farewell, encoder.encode("bye"));
  await connection.send(" stop");
  assert.ok(connection.closed);
  connection.session.close();
  assert.ok(shouter.closed);
});

Deno.test("HttpSession: an HttpError is answered as it says, and the connection is kept", async () => {
  const { service } = makeService({ router: routerWith(new FakeFile(content(1))) });
  const connection = new FakeConnection(service.createSession(), 4096);
  await connection.send("GET /refused HTTP/1.1\r\nHost: a\r\n\r\n" + HEALTH);
  const [refused, healthy] = readReplies(connection.written);
  assert.equal(refused!.status, 409);
  assert.equal(refused!.body, `{"status":"error","reason":"conflict","detail":"not now"}`);
  assert.equal(refused!.headers.get("retry-after"), "3");
  assert.equal(healthy!.status, 200);
  assert.equal(connection.closed, false);
});
