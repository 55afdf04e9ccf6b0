/** Commands that wait for sorted sets: who is served with what, and that nothing is lost. */

import assert from "node:assert/strict";
import { Harness, pause, settled, type TestClient } from "./harness.ts";

/** A client whose command waits; `reply` is undefined as long as it does. */
class Waiting {
  readonly client: TestClient;
  readonly done: Promise<void>;
  reply: string | undefined;

  constructor(harness: Harness, line: string) {
    this.client = harness.connect();
    this.done = settled(this.client.send(`${line}\r\n`)).then((reply) => {
      this.reply = reply;
    });
  }
}

function popped(key: string, member: string, score: string): string {
  return `*3\r\n${[key, member, score].map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`;
}

/** Nobody waits any more, and nothing is left of it. */
async function assertQuiet(harness: Harness): Promise<void> {
  await settled(pause(5));
  assert.equal(harness.waitRegion.waitingCount, 0);
  assert.equal(harness.lostCount, 0);
  harness.blocking.assertInvariants();
  harness.store.assertInvariants();
}

Deno.test("BZPOPMIN and BZPOPMAX: who came first is served first, from the end it wants", async () => {
  const harness = new Harness();
  const clients = ["BZPOPMIN a k 0", "BZPOPMAX k b 0", "BZPOPMIN k 0", "BZPOPMIN k 0"]
    .map((line) => new Waiting(harness, line));
  const adder = harness.connect();
  assert.equal(await adder.send("ZADD k 1 one 2 two 3 three\r\nZCARD k\r\n"), ":3\r\n:0\r\n");
  await Promise.all(clients.slice(0, 3).map(({ done }) => done));
  assert.deepEqual(clients.map(({ reply }) => reply), [
    popped("k", "one", "1"),
    popped("k", "three", "3"),
    popped("k", "two", "2"),
    undefined,
  ]);
  assert.equal(await adder.send("ZINCRBY k 2.5 last\r\n"), "$3\r\n2.5\r\n");
  await clients[3]!.done;
  assert.equal(clients[3]!.reply, popped("k", "last", "2.5"));
  await assertQuiet(harness);
});

Deno.test("BZMPOP: takes several, and waits for none that are there", async () => {
  const harness = new Harness();
  const client = new Waiting(harness, "BZMPOP 0 2 a k MAX COUNT 2");
  assert.equal(await harness.ask("ZADD k 1 one 2 two 3 three\r\n"), ":3\r\n");
  await client.done;
  const pairs = ["*2\r\n$5\r\nthree\r\n$1\r\n3\r\n", "*2\r\n$3\r\ntwo\r\n$1\r\n2\r\n"];
  assert.equal(client.reply, `*2\r\n$1\r\nk\r\n*2\r\n${pairs.join("")}`);
  const now = await harness.ask("BZMPOP 0 2 a k MIN\r\n");
  assert.equal(now, "*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\none\r\n$1\r\n1\r\n");
  assert.equal(await settled(harness.ask("BZMPOP 0.01 1 k MIN\r\n")), "*-1\r\n");
  await assertQuiet(harness);
});

Deno.test("BZPOPMIN: is served by a result that is large and made aside", async () => {
  const harness = new Harness();
  const words = Array.from({ length: 600 }, (_, i) => `${i} m${i}`);
  for (let i = 0; i < 600; i += 100) {
    await harness.ask(`ZADD q ${words.slice(i, i + 100).join(" ")}\r\n`);
  }
  for (const line of ["ZUNIONSTORE k 1 q", "ZRANGESTORE k q 0 -1"]) {
    const client = new Waiting(harness, "BZPOPMIN k 0");
    assert.equal(await settled(harness.ask(`${line}\r\n`)), ":600\r\n");
    await client.done;
    assert.equal(client.reply, popped("k", "m0", "0"), line);
    assert.equal(await harness.ask("ZCARD k\r\nDEL k\r\n"), ":599\r\n:1\r\n");
  }
  await assertQuiet(harness);
});

Deno.test("BZPOPMIN: what was taken for a client that is gone comes back", async () => {
  for (const line of ["BZPOPMIN k 0", "BZPOPMAX k 0", "BZMPOP 0 1 k MAX COUNT 3"]) {
    const harness = new Harness();
    const gone = new Waiting(harness, line);
    const added = harness.connect().send("ZADD k 1 a 2 b 3 c 4 d\r\n");
    gone.client.leave!();
    await added;
    await gone.done;
    await settled(pause(5));
    const expected = "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n";
    assert.equal(await harness.ask("ZRANGE k 0 -1\r\n"), expected, line);
    assert.equal(await harness.ask("ZSCORE k d\r\n"), "$1\r\n4\r\n");
    await assertQuiet(harness);
  }
});
