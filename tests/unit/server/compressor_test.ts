import assert from "node:assert/strict";
import { ByteWriter, InputBuffer } from "../../../src/base/bytes.ts";
import { encodeText } from "../../../src/protocol/http/characters.ts";
import { Coding, CODING_NAMES } from "../../../src/protocol/http/content_coding.ts";
import { ContentType } from "../../../src/protocol/http/exchange.ts";
import type { Route } from "../../../src/protocol/http/resource.ts";
import { createRouter } from "../../../src/protocol/http/router.ts";
import { SessionStep } from "../../../src/protocol/session.ts";
import { Compressor } from "../../../src/server/compressor.ts";
import { CodedBodies } from "../../../src/server/routes/coded_body.ts";
import { SharedPage } from "../../../src/server/routes/shared_page.ts";
import { decode } from "../../helpers/decoding.ts";
import { latin1, toLatin1 } from "../protocol/http/support.ts";
import { TestServer } from "./http_world.ts";

const CODINGS = [Coding.BR, Coding.GZIP, Coding.DEFLATE];

/** Counts what is compressed. */
class CountingCompressor extends Compressor {
  count = 0;
  override compress(bytes: Uint8Array<ArrayBuffer>, coding: Coding) {
    this.count++;
    return super.compress(bytes, coding);
  }
}

function text(byteCount: number): Uint8Array<ArrayBuffer> {
  let line = "";
  for (let i = 0; line.length < byteCount; i++) line += `line ${i * 7919 % 1000} of some text\n`;
  return encodeText(line.slice(0, byteCount));
}

Deno.test("Compressor: what comes out is what went in, of any length", async () => {
  const compressor = new Compressor();
  for (const byteCount of [0, 1, 1000, 16384, 16385, 200_000]) {
    const bytes = text(byteCount);
    for (const coding of CODINGS) {
      const coded = await compressor.compress(bytes, coding);
      assert.ok(coded !== undefined);
      assert.ok(
        byteCount < 1000 || coded.length < byteCount / 2,
        `${coded.length} of ${byteCount}`,
      );
      assert.equal(decode(toLatin1(coded), CODING_NAMES[coding]), toLatin1(bytes));
    }
  }
});

Deno.test("Compressor: others have their turn in between", async () => {
  const compressor = new Compressor();
  const bytes = text(500_000);
  for (const coding of CODINGS) {
    let turnCount = 0;
    const timer = setInterval(() => turnCount++, 0);
    await compressor.compress(bytes, coding);
    clearInterval(timer);
    assert.ok(turnCount >= 10, `${turnCount} turns`);
  }
});

Deno.test("Compressor: no more than a few wait, and the others are told at once", async () => {
  const compressor = new Compressor();
  const bytes = text(50_000);
  const results = await Promise.all(
    Array.from({ length: 100 }, () => compressor.compress(bytes, Coding.GZIP)),
  );
  const doneCount = results.filter((coded) => coded !== undefined).length;
  assert.equal(doneCount, 16);
  assert.ok(await compressor.compress(bytes, Coding.GZIP) !== undefined, "there is room again");
  const large = new Uint8Array(5 * 1024 * 1024);
  const [first, second] = [
    compressor.compress(large, Coding.GZIP),
    compressor.compress(large, Coding.GZIP),
  ];
  assert.equal(await second, undefined);
  assert.ok(await first !== undefined);
});

/** `/page` is one page for all, `/own` one for each request. */
function bodyServer(body: Uint8Array<ArrayBuffer>) {
  const compressor = new CountingCompressor();
  const bodies = new CodedBodies(compressor);
  const page = new SharedPage(ContentType.TEXT, () => body, bodies);
  const server = new TestServer(
    {},
    createRouter([
      { method: "GET", pattern: "/page", handler: (exchange) => page.send(exchange) },
      {
        method: "GET",
        pattern: "/own",
        handler: (exchange) => bodies.send(exchange, ContentType.TEXT, body),
      },
    ]),
  );
  return { compressor, server };
}

Deno.test("CodedBodies: a body comes in the coding that its client likes best", async () => {
  const { server } = bodyServer(text(5000));
  const plain = toLatin1(text(5000));
  for (const path of ["/page", "/own"]) {
    for (const coding of ["br", "gzip", "deflate"]) {
      const { headers, body } = await server.get(path, `Accept-Encoding: ${coding}\r\n`);
      assert.equal(headers.get("content-encoding"), coding);
      assert.equal(headers.get("vary"), "Accept-Encoding");
      assert.equal(decode(body, coding), plain);
      const head = await server.ask(
        `HEAD ${path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${coding}\r\n\r\n`,
      );
      assert.deepEqual(head.headers, headers);
    }
    for (const field of ["", "Accept-Encoding: identity\r\n", "Accept-Encoding: zstd\r\n"]) {
      const { headers, body } = await server.get(path, field);
      assert.equal(headers.has("content-encoding"), false);
      assert.equal(headers.get("vary"), "Accept-Encoding");
      assert.equal(body, plain);
    }
    const refused = await server.get(path, "Accept-Encoding: identity;q=0, zstd\r\n");
    assert.equal(refused.status, 406);
  }
});

Deno.test("CodedBodies: short and very long bodies are sent as they are, if that is taken", async () => {
  for (const byteCount of [0, 1023, 1024 * 1024 + 1]) {
    const { server } = bodyServer(text(byteCount));
    const { headers, body } = await server.get("/own", "Accept-Encoding: gzip\r\n");
    assert.equal(headers.has("content-encoding"), false);
    assert.equal(body.length, byteCount);
  }
  const { server } = bodyServer(text(10));
  const { headers, body } = await server.get("/own", "Accept-Encoding: gzip, *;q=0\r\n");
  assert.equal(headers.get("content-encoding"), "gzip");
  assert.equal(decode(body, "gzip"), toLatin1(text(10)));
});

Deno.test("CodedBodies: a long body goes out in pieces, or at once when too many are kept for that", async () => {
  const bodies = new CodedBodies(new CountingCompressor());
  const made: Uint8Array<ArrayBuffer>[] = [];
  const route: Route = {
    method: "GET",
    pattern: "/own",
    handler: (exchange) => {
      made.push(text(2 * 1024 * 1024 - 1 - made.length));
      return bodies.send(exchange, ContentType.TEXT, made.at(-1)!);
    },
  };
  const server = new TestServer({}, createRouter([route]));
  const ask = async (): Promise<[ByteWriter, () => Promise<SessionStep>]> => {
    const session = server.service.createSession();
    const input = new InputBuffer(4096);
    const request = latin1("GET /own HTTP/1.1\r\nHost: a\r\n\r\n");
    input.space().set(request);
    input.commit(request.length);
    const output = new ByteWriter();
    const next = async (): Promise<SessionStep> => {
      const { kept } = session;
      while (kept !== undefined && kept.remaining > 0) output.copy(kept.next(65536));
      return await session.process(input, output);
    };
    await next();
    return [output, next];
  };
  // Two of them take nothing, and the third one is one too many to be kept.
  const clients = [await ask(), await ask(), await ask()];
  const lengths = clients.map(([output]) => output.length);
  assert.ok(lengths[0]! < 200_000 && lengths[1]! < 200_000, `${lengths}`);
  assert.ok(lengths[2]! > 2_000_000, `${lengths}`);
  // When one has all of it there is room again.
  const [output, next] = clients[0]!;
  while (await next() === SessionStep.FLUSH);
  assert.ok(toLatin1(output.view()).endsWith(`\r\n\r\n${toLatin1(made[0]!)}`));
  assert.ok((await ask())[0].length < 200_000);
});

Deno.test("SharedPage: a page is compressed once for all who get it", async () => {
  const { server, compressor } = bodyServer(text(5000));
  const connection = server.connect();
  const request = "GET /page HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
  await connection.send(request.repeat(20));
  assert.equal(connection.written.match(/Content-Encoding: gzip/g)?.length, 20);
  assert.equal(compressor.count, 1);
});

Deno.test("GET /keys: a long list comes compressed", async () => {
  const server = new TestServer();
  for (let i = 0; i < 100; i++) await server.put(`/keys/key-number-${i}`, "x");
  const { headers, body } = await server.get("/keys?count=1000", "Accept-Encoding: br\r\n");
  assert.equal(headers.get("content-encoding"), "br");
  assert.equal(JSON.parse(decode(body, "br")).keys.length, 100);
});
