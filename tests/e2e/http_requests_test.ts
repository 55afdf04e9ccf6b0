import assert from "node:assert/strict";
import { type HttpRequestCase, MAX_BODY_BYTES } from "../cases/http_case.ts";
import { REFUSED_REQUESTS, VALID_REQUESTS } from "../cases/http_requests.ts";
import { RawClient } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const PARALLEL_CLIENTS = 8;
const HEALTH = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

Deno.test("server: every raw request of the cases is answered as expected over TCP", async () => {
  await using server = await ServerProcess.start(["--max-request-bytes", `${MAX_BODY_BYTES}b`]);
  const cases = [...VALID_REQUESTS, ...REFUSED_REQUESTS];
  const work = cases.values();
  const ask = async (id: number): Promise<void> => {
    for (const requestCase of work) await check(server.port("http"), requestCase, `k${id}`);
  };
  await Promise.all(Array.from({ length: PARALLEL_CLIENTS }, (_, id) => ask(id)));
  using http = await RawClient.connect(server.port("http"));
  await http.send(HEALTH);
  assert.equal((await http.readHttpReply()).status, 200);
  assert.equal(server.linesOf("request_failed").length, 0);
});

/** One request on a connection of its own; what it echoes in the cases is a key's value here. */
async function check(port: number, requestCase: HttpRequestCase, key: string): Promise<void> {
  const { name, status, serverStatus, closes, body } = requestCase;
  const path = `/keys/${key}`;
  const isEcho = /^POST \/echo HTTP/.test(requestCase.text);
  const text = isEcho ? requestCase.text.replace("POST /echo", `PUT ${path}`) : requestCase.text;
  using client = await RawClient.connect(port);
  await client.send(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  const reply = await readReply(client, text.startsWith("HEAD "));
  if (isEcho && status === 200) assert.ok([201, 204].includes(reply.status), name);
  else assert.equal(reply.status, serverStatus ?? status, name);
  assert.equal(/\r\nconnection: close\r\n/i.test(reply.head), closes, name);
  if (closes) {
    assert.equal(await client.readToEnd(), "", name);
  } else {
    await client.send(HEALTH);
    assert.equal((await client.readHttpReply()).status, 200, `${name}: and then another`);
  }
  if (!isEcho || body === undefined) return;
  using other = await RawClient.connect(port);
  await other.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  assert.equal((await other.readHttpReply()).body, body, name);
}

async function readReply(
  client: RawClient,
  isHead: boolean,
): Promise<{ status: number; head: string }> {
  for (;;) {
    const reply = isHead ? await readHead(client) : await client.readHttpReply();
    if (reply.status !== 100) return reply;
  }
}

async function readHead(client: RawClient): Promise<{ status: number; head: string }> {
  const head = await client.readUntil("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), head };
}
