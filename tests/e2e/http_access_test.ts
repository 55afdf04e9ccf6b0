import assert from "node:assert/strict";
import { eventRequest, RawClient } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const PASSWORD = "correct horse";
const RIGHT = `Authorization: Bearer ${PASSWORD}\r\n`;

function ask(method: string, path: string, headers = "", body = ""): string {
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}${length}\r\n${body}`;
}

/** Every route, and what it answers to those who may. */
const ROUTES: readonly [method: string, path: string, body: string, status: number][] = [
  ["POST", "/events", `{"user":"a","action":"b","amount":1}`, 202],
  ["POST", "/events?wait=1ms", `{"user":"a","action":"b","amount":1}`, 0],
  ["POST", "/", `{"type":"metrics"}`, 200],
  ["GET", "/users/nobody", "", 404],
  ["PUT", "/keys/a", "x", 201],
  ["GET", "/keys/a", "", 200],
  ["GET", "/keys", "", 200],
  ["DELETE", "/keys/a", "", 204],
  ["GET", "/metrics", "", 200],
  ["GET", "/", "", 405],
  ["GET", "/static/x", "", 404],
  ["GET", "/ws", "", 404],
  ["GET", "/nothing", "", 404],
  ["OPTIONS", "/keys/a", "", 204],
  ["OPTIONS", "*", "", 204],
  ["PATCH", "/keys/a", "", 405],
];

Deno.test("server: with a password, HTTP lets nobody do anything before it is given", async () => {
  await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: PASSWORD } });
  const port = server.port("http");
  for (const [method, path, body, status] of ROUTES) {
    using stranger = await RawClient.connect(port);
    await stranger.send(ask(method, path, "", body));
    const refused = await stranger.readHttpReply();
    assert.equal(refused.status, 401, `${method} ${path}`);
    assert.match(refused.head, /\r\nWWW-Authenticate: Bearer\r\n/);
    using friend = await RawClient.connect(port);
    await friend.send(ask(method, path, RIGHT, body));
    const reply = await friend.readHttpReply();
    // Whether the event is settled in time depends on the machine.
    if (status === 0) assert.ok([200, 202].includes(reply.status));
    else assert.equal(reply.status, status, `${method} ${path}`);
  }
  using open = await RawClient.connect(port);
  for (const path of ["/health", "/ready"]) {
    await open.send(ask("GET", path));
    assert.equal((await open.readHttpReply()).status, 200, path);
  }
  await open.send(ask("GET", "/keys", "Authorization: Bearer wrong\r\n"));
  assert.equal((await open.readHttpReply()).status, 401);
  await open.send(ask("GET", "/metrics", RIGHT));
  const { body } = await open.readHttpReply();
  assert.match(body, /^sluice_authentication_failures_total 1$/m);
  server.signal("SIGTERM");
  const { lines } = await server.waitForEnd();
  assert.ok(!JSON.stringify([...lines, ...server.otherLines]).includes(PASSWORD));
});

Deno.test("server: pages of --cors-origin may use it, others may not", async () => {
  await using server = await ServerProcess.start(["--cors-origin", "https://app.example"]);
  using http = await RawClient.connect(server.port("http"));
  await http.send(eventRequest("alice", 1, "Origin: https://app.example\r\n"));
  const accepted = await http.readHttpReply();
  assert.equal(accepted.status, 202);
  assert.match(accepted.head, /\r\nAccess-Control-Allow-Origin: https:\/\/app\.example\r\n/);
  await http.send(
    ask(
      "OPTIONS",
      "/keys/a",
      "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n",
    ),
  );
  assert.equal((await http.readHttpReply()).status, 204);
  await http.send(ask("GET", "/health", "Origin: https://evil.example\r\n"));
  assert.equal((await http.readHttpReply()).status, 403);
});
