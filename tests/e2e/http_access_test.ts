import assert from "node:assert/strict";
import { eventRequest, RawClient } from "../helpers/raw_client.ts";
import { ServerProcess } from "../helpers/server_process.ts";

const PASSWORD = "correct horse";
const RIGHT = `Authorization: Bearer ${PASSWORD}\r\n`;

function ask(method: string, path: string, headers = "", body = ""): string {
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}${length}\r\n${body}`;
}

Deno.test("server: wrong passwords are counted and answered late, missing ones are not", async () => {
  await using server = await ServerProcess.start([], { env: { SLUICE_PASSWORD: PASSWORD } });
  using stranger = await RawClient.connect(server.port("http"));
  for (const credentials of ["", "", "Authorization: Bearer wrong\r\n"]) {
    await stranger.send(ask("GET", "/keys", credentials));
    const refused = await stranger.readHttpReply();
    assert.equal(refused.status, 401);
    // Who guesses has to connect anew each time; who forgot may go on.
    assert.equal(/\r\nConnection: close\r\n/.test(refused.head), credentials !== "");
  }
  using http = await RawClient.connect(server.port("http"));
  await http.send(ask("GET", "/metrics", RIGHT));
  const { status, body } = await http.readHttpReply();
  assert.equal(status, 200);
  assert.match(body, /^sluice_authentication_failures_total 1$/m);
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
