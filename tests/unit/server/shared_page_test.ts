import assert from "node:assert/strict";
import { encodeText } from "../../../src/protocol/http/characters.ts";
import { ContentType } from "../../../src/protocol/http/exchange.ts";
import { createRouter } from "../../../src/protocol/http/router.ts";
import { Compressor } from "../../../src/server/compressor.ts";
import { CodedBodies } from "../../../src/server/routes/coded_body.ts";
import { SharedPage } from "../../../src/server/routes/shared_page.ts";
import { readReplies } from "../protocol/http/support.ts";
import { TestServer } from "./http_world.ts";

/** A page that says how many were made before it; `/other` is a request of another kind. */
function pageServer(options: { readonly gates?: Promise<void>[] } = {}) {
  let madeCount = 0;
  const page = new SharedPage(ContentType.TEXT, () => {
    const bytes = encodeText(String(madeCount++));
    const gate = options.gates?.shift();
    return gate === undefined ? bytes : gate.then(() => bytes);
  }, new CodedBodies(new Compressor()));
  const router = createRouter([
    { method: "GET", pattern: "/page", handler: (exchange) => page.send(exchange) },
    {
      method: "POST",
      pattern: "/other",
      handler: (exchange) => exchange.sendBody(200, ContentType.TEXT, encodeText("other")),
    },
  ]);
  return new TestServer({}, router, { onFailure: () => true });
}

const PAGE = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
const OTHER = "POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

function bodiesOf(written: Parameters<typeof readReplies>[0]): string[] {
  return readReplies(written).map(({ body }) => body);
}

Deno.test("SharedPage: requests that came together get one page, later ones another", async () => {
  const connection = pageServer().connect();
  await connection.send(PAGE.repeat(3));
  await connection.send(PAGE.repeat(2));
  assert.deepEqual(bodiesOf(connection.written), ["0", "0", "0", "1", "1"]);
});

Deno.test("SharedPage: a request sees what the one in front of it did", async () => {
  const connection = pageServer().connect();
  await connection.send(PAGE + OTHER + PAGE + PAGE);
  assert.deepEqual(bodiesOf(connection.written), ["0", "other", "1", "1"]);
});

Deno.test("SharedPage: another connection gets a page that is no older than its request", async () => {
  const server = pageServer();
  const [one, other] = [server.connect(), server.connect()];
  await one.send(PAGE);
  await other.send(PAGE);
  assert.deepEqual(bodiesOf(other.written), ["1"]);
});

Deno.test("SharedPage: one page is made at a time, and the next one for all who came meanwhile", async () => {
  const gate = Promise.withResolvers<void>();
  const server = pageServer({ gates: [gate.promise] });
  const connections = Array.from({ length: 5 }, () => server.connect());
  const sent = connections.map((connection) => connection.send(PAGE));
  await new Promise((resolve) => setTimeout(resolve, 1));
  for (const connection of connections) assert.equal(connection.written.length, 0);
  gate.resolve();
  await Promise.all(sent);
  const bodies = connections.map((connection) => bodiesOf(connection.written)[0]);
  assert.deepEqual(bodies, ["0", "1", "1", "1", "1"]);
});

Deno.test("SharedPage: a page that failed is made again", async () => {
  const server = pageServer({ gates: [Promise.reject(new Error("no page"))] });
  const connection = server.connect();
  const [first, second] = await Promise.all([server.get("/page"), connection.send(PAGE)]);
  assert.equal(first.status, 500);
  assert.deepEqual([second, bodiesOf(connection.written)], [undefined, ["1"]]);
  const again = await server.get("/page");
  assert.deepEqual([again.status, again.body], [200, "2"]);
});
