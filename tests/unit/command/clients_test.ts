import assert from "node:assert/strict";
import { describeClient, LocalClients } from "../../../src/command/client_directory.ts";
import { ClientState } from "../../../src/command/client_state.ts";
import { Harness, pause, type TestClient } from "./harness.ts";

/** Numbers of the clients in a reply to `CLIENT LIST`. */
function idsIn(reply: string): number[] {
  return [...reply.matchAll(/(?:^|\n)id=(\d+) /g)].map(([, id]) => Number(id));
}

function threeClients(): { harness: Harness; clients: TestClient[] } {
  const harness = new Harness();
  return { harness, clients: [harness.connect(), harness.connect(), harness.connect()] };
}

Deno.test("CLIENT LIST: has a line for everybody, with what they are doing", async () => {
  const { harness, clients: [first, second] } = threeClients();
  await second!.send("HELLO 3 SETNAME worker\r\nSELECT 4\r\nCLIENT SETINFO lib-name x\r\n");
  harness.nowMs += 5500;
  await second!.send("GET k\r\n");
  harness.nowMs += 1500;
  assert.equal(
    await first!.send("CLIENT LIST\r\n"),
    ((text: string) => `$${text.length}\r\n${text}\r\n`)(
      "id=1 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 name= age=7 idle=0 flags=N db=0 " +
        "sub=0 psub=0 ssub=0 cmd=client|list user=default redir=-1 resp=2 lib-name= lib-ver=\n" +
        "id=2 addr=127.0.0.1:50001 laddr=127.0.0.1:6379 name=worker age=7 idle=1 flags=N db=4 " +
        "sub=0 psub=0 ssub=0 cmd=get user=default redir=-1 resp=3 lib-name=x lib-ver=\n" +
        "id=3 addr=127.0.0.1:50002 laddr=127.0.0.1:6379 name= age=7 idle=7 flags=N db=0 " +
        "sub=0 psub=0 ssub=0 cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver=\n",
    ),
  );
});

const lists: [string, number[] | string][] = [
  ["CLIENT LIST", [1, 2, 3]],
  ["CLIENT LIST TYPE normal", [1, 2, 3]],
  ["CLIENT LIST TYPE pubsub", []],
  ["CLIENT LIST TYPE master", []],
  ["CLIENT LIST TYPE replica", []],
  ["CLIENT LIST ID 3 1 99", [1, 3]],
  ["CLIENT LIST ID 99", []],
  ["CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n"],
  ['CLIENT LIST TYPE "a\\r\\nb"', "-ERR Unknown client type 'a  b'\r\n"],
  ["CLIENT LIST ID 1 x", "-ERR Invalid client ID\r\n"],
  ["CLIENT LIST ID 0", "-ERR Invalid client ID\r\n"],
  ["CLIENT LIST ID", "-ERR syntax error\r\n"],
  ["CLIENT LIST TYPE", "-ERR syntax error\r\n"],
  ["CLIENT LIST FOO", "-ERR syntax error\r\n"],
  [
    `CLIENT LIST ID${" 1".repeat(129)}`,
    "-ERR wrong number of arguments for 'client|list' command\r\n",
  ],
];

for (const [line, expected] of lists) {
  Deno.test(`CLIENT LIST: ${line.slice(0, 40)}`, async () => {
    const { clients: [first] } = threeClients();
    const reply = await first!.send(`${line}\r\n`);
    if (typeof expected === "string") assert.equal(reply, expected);
    else assert.deepEqual(idsIn(reply.replace(/^\$\d+\r\n/, "")), expected);
  });
}

/** Line, reply, numbers of those told to end. The first client asks, and is 10 s older. */
const kills: [string, string, number[]][] = [
  ["CLIENT KILL 127.0.0.1:50001", "+OK\r\n", [2]],
  ["CLIENT KILL 127.0.0.1:50000", "+OK\r\n", [1]],
  ["CLIENT KILL 127.0.0.1:1", "-ERR No such client\r\n", []],
  ["CLIENT KILL ID 2", ":1\r\n", [2]],
  ["CLIENT KILL ID 99", ":0\r\n", []],
  ["CLIENT KILL ID 1", ":0\r\n", []],
  ["CLIENT KILL ID 1 SKIPME no", ":1\r\n", [1]],
  ["CLIENT KILL ADDR 127.0.0.1:50002", ":1\r\n", [3]],
  ["CLIENT KILL LADDR 127.0.0.1:6379", ":2\r\n", [2, 3]],
  ["CLIENT KILL LADDR 127.0.0.1:6379 ID 3", ":1\r\n", [3]],
  ["CLIENT KILL TYPE normal", ":2\r\n", [2, 3]],
  ["CLIENT KILL TYPE normal SKIPME no", ":3\r\n", [1, 2, 3]],
  ["CLIENT KILL TYPE pubsub", ":0\r\n", []],
  ["CLIENT KILL USER default SKIPME yes", ":2\r\n", [2, 3]],
  ["CLIENT KILL MAXAGE 10 SKIPME no", ":1\r\n", [1]],
  ["CLIENT KILL MAXAGE 11 SKIPME no", ":0\r\n", []],
  ["CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n", []],
  ["CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n", []],
  ["CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0\r\n", []],
  ["CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'\r\n", []],
  ["CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n", []],
  ["CLIENT KILL SKIPME maybe", "-ERR syntax error\r\n", []],
  ["CLIENT KILL FOO 1", "-ERR syntax error\r\n", []],
  ["CLIENT KILL ID 2 TYPE", "-ERR syntax error\r\n", []],
  ["CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command\r\n", []],
];

for (const [line, reply, ended] of kills) {
  Deno.test(`CLIENT KILL: ${line}`, async () => {
    const harness = new Harness();
    const clients = [harness.connect()];
    harness.nowMs += 10_000;
    clients.push(harness.connect(), harness.connect());
    // Whoever ends itself is not served behind its reply.
    const behind = ended.includes(1) ? "" : "+PONG\r\n";
    assert.equal(await clients[0]!.send(`${line}\r\nPING\r\n`), reply + behind);
    const told = clients.filter(({ endCount }) => endCount > 0);
    assert.deepEqual(told.map(({ session }) => session.client.id), ended);
    assert.equal(clients[0]!.closed, ended.includes(1));
  });
}

Deno.test("CLIENT KILL: nothing more of the killed client is executed, or listed", async () => {
  const { harness, clients: [first, second] } = threeClients();
  await first!.send("CLIENT KILL ID 2\r\n");
  assert.equal(await second!.send("SET k 1\r\n"), "");
  assert.equal(second!.closed, true);
  assert.equal(harness.store.keyCount(0), 0);
  assert.deepEqual(idsIn((await first!.send("CLIENT LIST\r\n")).split("\r\n")[1]!), [1, 3]);
  assert.equal(await first!.send("CLIENT KILL ID 2\r\n"), ":0\r\n");
});

Deno.test("CLIENT KILL: a killed client that waits gets its reply and nothing behind it", async () => {
  const { harness, clients: [first, second] } = threeClients();
  const waiting = second!.send("EVENT alice buy 1 WAIT 1000\r\nSET k 1\r\n");
  await first!.send("CLIENT KILL ID 2\r\n");
  harness.waits.giveUp();
  assert.equal(await waiting, "+ACCEPTED\r\n");
  assert.equal(second!.closed, true);
  assert.equal(harness.store.keyCount(0), 0);
});

Deno.test("LocalClients: forgets a client whose session is closed", () => {
  const { harness, clients: [, second] } = threeClients();
  assert.equal(harness.clients.size, 3);
  second!.session.close();
  assert.equal(harness.clients.size, 2);
  assert.deepEqual(idsIn(harness.clients.list({}) as string), [1, 3]);
});

Deno.test("LocalClients: a long list comes later, whole and in order, and others go on", async () => {
  const directory = new LocalClients(() => 0);
  const states: ClientState[] = [];
  for (let id = 1; id <= 1000; id++) {
    const state = new ClientState({ id, connectedAtMs: 0 }, true);
    states.push(state);
    directory.add(state);
  }
  const later = directory.list({});
  assert.ok(later instanceof Promise);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  directory.remove(states[999]!);
  const text = await later;
  clearInterval(timer);
  assert.equal(text, states.slice(0, 999).map((state) => describeClient(state, 0)).join(""));
  assert.ok(turns > 0, "others had their turn");
});

Deno.test("CLIENT LIST: an answer that comes later keeps the order of replies", async () => {
  const { harness, clients: [first] } = threeClients();
  harness.clients.list = async () => {
    await pause(1);
    return "id=9 \n";
  };
  assert.equal(
    await first!.send("PING\r\nCLIENT LIST\r\nPING\r\n"),
    "+PONG\r\n$6\r\nid=9 \n\r\n+PONG\r\n",
  );
});
