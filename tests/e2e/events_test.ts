import assert from "node:assert/strict";
import { eventRequest, RawClient, respCommand } from "../helpers/raw_client.ts";
import { IO_THREAD_COUNTS, ServerProcess } from "../helpers/server_process.ts";

function get(path: string, headers = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
}

async function metrics(http: RawClient): Promise<Record<string, number>> {
  await http.send(get("/metrics", "Accept: application/json\r\n"));
  return JSON.parse((await http.readHttpReply()).body);
}

/** Asks until every event is settled. */
async function settle(http: RawClient): Promise<Record<string, number>> {
  for (;;) {
    const numbers = await metrics(http);
    assert.equal(
      numbers["received"],
      numbers["processed"]! + numbers["dropped"]! + numbers["failed"]! + numbers["pending"]!,
    );
    if (numbers["pending"] === 0) return numbers;
  }
}

for (const ioThreads of IO_THREAD_COUNTS) {
  Deno.test(`server, ${ioThreads} I/O threads: an event over HTTP is a balance over RESP and HTTP (P5)`, async () => {
    await using server = await ServerProcess.start(["--io-threads", String(ioThreads)]);
    using http = await RawClient.connect(server.port("http"));
    using resp = await RawClient.connect(server.port("resp"));
    await http.send(eventRequest("alice", 100));
    const accepted = await http.readHttpReply();
    assert.deepEqual([accepted.status, accepted.body], [202, `{"status":"accepted"}`]);
    await resp.send(respCommand("EVENT", "alice", "buy", "-30"));
    assert.equal(await resp.readUntil("\r\n"), "+ACCEPTED\r\n");
    const numbers = await settle(http);
    assert.deepEqual([numbers["received"], numbers["processed"]], [2, 2]);

    await resp.send(respCommand("GET", "balance:alice") + respCommand("BALANCE", "alice"));
    assert.equal(await resp.read(13), "$2\r\n70\r\n:70\r\n");
    await http.send(get("/users/alice") + get("/users/nobody"));
    assert.equal((await http.readHttpReply()).body, `{"user":"alice","balance":70}`);
    assert.equal((await http.readHttpReply()).status, 404);
    await resp.send(respCommand("INCRBY", "balance:alice", "5"));
    assert.equal(await resp.readUntil("\r\n"), ":75\r\n");
    await http.send(get("/users/alice"));
    assert.equal((await http.readHttpReply()).body, `{"user":"alice","balance":75}`);
  });
}

Deno.test("server: answers to the names of --allowed-hosts and to no others", async () => {
  await using server = await ServerProcess.start(["--allowed-hosts", "sluice,events.example"]);
  using http = await RawClient.connect(server.port("http"));
  const statuses: number[] = [];
  for (const name of ["sluice", "events.example:8080", "localhost", "127.0.0.1", "evil.example"]) {
    await http.send(`GET /health HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    statuses.push((await http.readHttpReply()).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 200, 421]);
});

Deno.test("server: overload is refused at once and loses nothing (P1, P2)", async () => {
  await using server = await ServerProcess.start([
    ...["--workers", "1", "--work-ms", "100", "--channel-capacity", "10"],
  ]);
  const clients: RawClient[] = [];
  using stack = new DisposableStack();
  for (let i = 0; i < 200; i++) {
    clients.push(stack.use(await RawClient.connect(server.port("http"))));
  }
  const startedAtMs = performance.now();
  await Promise.all(clients.map((client) => client.send(eventRequest("alice", 7))));
  const replies = await Promise.all(clients.map((client) => client.readHttpReply()));
  const elapsedMs = performance.now() - startedAtMs;

  const accepted = replies.filter(({ status }) => status === 202).length;
  // Ten wait, one is being worked on, and one more fits for every job that was finished meanwhile.
  const most = 11 + 1 + Math.floor(elapsedMs / 100);
  assert(accepted >= 10 && accepted <= most, `${accepted} accepted in ${elapsedMs} ms`);
  for (const { status, head, body } of replies) {
    if (status === 202) continue;
    assert.equal(status, 503);
    assert.equal(body, `{"status":"rejected","reason":"server_busy"}`);
    assert.match(head, /\r\nRetry-After: [1-9]\d*\r\n/);
  }
  const numbers = await settle(clients[0]!);
  assert.deepEqual(
    [numbers["received"], numbers["processed"], numbers["dropped"], numbers["failed"]],
    [200, accepted, 200 - accepted, 0],
  );
  await clients[0]!.send(get("/users/alice"));
  const balance = (await clients[0]!.readHttpReply()).body;
  assert.equal(balance, `{"user":"alice","balance":${accepted * 7}}`);
});
