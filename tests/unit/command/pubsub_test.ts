import assert from "node:assert/strict";
import { Harness, pause } from "./harness.ts";

/** What Redis 7.0.15 replied, in this order on one connection. */
const RESP2: [line: string, reply: string][] = [
  [
    "SUBSCRIBE a a b",
    "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" +
    "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
  ],
  ["PSUBSCRIBE x*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nx*\r\n:3\r\n"],
  ["SSUBSCRIBE q", "*3\r\n$10\r\nssubscribe\r\n$1\r\nq\r\n:1\r\n"],
  ["PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"],
  ["PING hi", "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n"],
  ["PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"],
  ["GET a", refusal("get")],
  ["CLIENT LIST", refusal("client|list")],
  ["PUBLISH a 1", refusal("publish")],
  ["GET", "-ERR wrong number of arguments for 'get' command\r\n"],
  ["UNSUBSCRIBE a", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n"],
  ["UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n"],
  ["UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n"],
  ["PUNSUBSCRIBE", "*3\r\n$12\r\npunsubscribe\r\n$2\r\nx*\r\n:0\r\n"],
  ["GET a", refusal("get")],
  ["SUNSUBSCRIBE", "*3\r\n$12\r\nsunsubscribe\r\n$1\r\nq\r\n:0\r\n"],
  ["GET a", "$-1\r\n"],
  ["UNSUBSCRIBE zz", "*3\r\n$11\r\nunsubscribe\r\n$2\r\nzz\r\n:0\r\n"],
  ["PUNSUBSCRIBE zz", "*3\r\n$12\r\npunsubscribe\r\n$2\r\nzz\r\n:0\r\n"],
  ["SUNSUBSCRIBE", "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n"],
  ["SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"],
  ["RESET", "+RESET\r\n"],
  ["PING", "+PONG\r\n"],
];

const RESP3: [line: string, reply: string][] = [
  ["SUBSCRIBE a", ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"],
  ["PSUBSCRIBE a*", ">3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:2\r\n"],
  ["PING", "+PONG\r\n"],
  ["GET a", "_\r\n"],
  ["UNSUBSCRIBE", ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"],
  ["UNSUBSCRIBE", ">3\r\n$11\r\nunsubscribe\r\n_\r\n:1\r\n"],
  ["PUNSUBSCRIBE", ">3\r\n$12\r\npunsubscribe\r\n$2\r\na*\r\n:0\r\n"],
  ["PUNSUBSCRIBE", ">3\r\n$12\r\npunsubscribe\r\n_\r\n:0\r\n"],
  ["SSUBSCRIBE a", ">3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n"],
  ["PUBSUB NUMSUB a b", "*4\r\n$1\r\na\r\n:0\r\n$1\r\nb\r\n:0\r\n"],
  ["PUBSUB SHARDNUMSUB a", "*2\r\n$1\r\na\r\n:1\r\n"],
  ["PUBSUB SHARDCHANNELS", "*1\r\n$1\r\na\r\n"],
  ["PUBSUB CHANNELS", "*0\r\n"],
  [
    "PUBSUB CHANNELS a b",
    "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.\r\n",
  ],
  ["PUBSUB NUMPAT", ":0\r\n"],
  ["PUBSUB NUMPAT x", "-ERR wrong number of arguments for 'pubsub|numpat' command\r\n"],
];

function refusal(name: string): string {
  return `-ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / ` +
    "RESET are allowed in this context\r\n";
}

for (const [version, cases] of [[2, RESP2], [3, RESP3]] as const) {
  Deno.test(`pub/sub commands: replies of version ${version} are those of Redis`, async () => {
    const harness = new Harness();
    const client = harness.connect();
    await client.send(`HELLO ${version}\r\n`);
    for (const [line, reply] of cases) {
      assert.equal(await client.send(`${line}\r\n`), reply, line);
    }
    client.session.close();
    harness.store.assertInvariants();
  });
}

Deno.test("pub/sub commands: messages have the client's version, exact ones come first", async () => {
  const harness = new Harness();
  const [two, three, publisher] = [harness.connect(), harness.connect(), harness.connect()];
  await three.send("HELLO 3\r\n");
  for (const client of [two, three]) {
    await client.send("PSUBSCRIBE a*\r\nSUBSCRIBE ab\r\nSSUBSCRIBE ab\r\n");
  }
  assert.equal(await publisher.send("PUBLISH ab hi\r\n"), ":4\r\n");
  assert.equal(await publisher.send("SPUBLISH ab yo\r\n"), ":2\r\n");
  assert.equal(await publisher.send("PUBLISH nobody hi\r\n"), ":0\r\n");
  await pause(0);
  const expected = "*3\r\n$7\r\nmessage\r\n$2\r\nab\r\n$2\r\nhi\r\n" +
    "*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$2\r\nhi\r\n" +
    "*3\r\n$8\r\nsmessage\r\n$2\r\nab\r\n$2\r\nyo\r\n";
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  assert.equal(text(two.pushed.view()), expected);
  assert.equal(text(three.pushed.view()), expected.replaceAll("*3", ">3").replaceAll("*4", ">4"));
  assert.ok(two.wakeCount > 0);
});

Deno.test("pub/sub commands: without memory SUBSCRIBE changes nothing", async () => {
  for (let k = 0;; k++) {
    const harness = new Harness();
    const client = harness.connect();
    harness.store.failAllocationAfter(k);
    const reply = await client.send("SUBSCRIBE a b c d\r\n");
    harness.store.failAllocationAfter(-1);
    harness.store.assertInvariants();
    const isWhole = (reply.match(/subscribe/g) ?? []).length === 4;
    assert.ok(isWhole || reply.startsWith("-OOM"), reply);
    assert.equal(client.session.client.subscriptionCount, isWhole ? 4 : 0);
    assert.equal(harness.pubsub.registry.channelCount(32), isWhole ? 4 : 0);
    if (isWhole && k > 20) break;
  }
});

Deno.test("pub/sub commands: names and messages have limits", async () => {
  const harness = new Harness();
  const client = harness.connect(65536);
  const [long, longer] = ["x".repeat(4097), "x".repeat(8193)];
  const tooLong = "-ERR channel name is too long\r\n";
  assert.equal(await client.send(`SUBSCRIBE a ${long}\r\n`), tooLong);
  assert.equal(client.session.client.subscriptionCount, 0);
  assert.equal(await client.send(`PUBLISH ${longer} x\r\n`), tooLong);
  await harness.connect().send("PSUBSCRIBE x*\r\n");
  assert.equal(await client.send(`PUBLISH ${longer.slice(1)} x\r\n`), ":1\r\n");
  assert.match(await client.send(`SUBSCRIBE ${long.slice(1)}\r\n`), /^\*3/);
  harness.store.assertInvariants();
});
