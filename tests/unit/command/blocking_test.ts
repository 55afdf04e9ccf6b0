/** Commands that wait for lists: who is served with what, and that nothing is lost or doubled. */

import assert from "node:assert/strict";
import { Harness, pause, request, settled, type TestClient } from "./harness.ts";

/** A client whose command waits. */
class Waiting {
  reply: string | undefined;
  readonly done: Promise<void>;

  constructor(readonly client: TestClient, line: string) {
    this.done = settled(client.send(`${line}\r\n`)).then((reply) => {
      this.reply = reply;
    });
  }
}

function waiting(harness: Harness, line: string): Waiting {
  return new Waiting(harness.connect(), line);
}

function pair(key: string, element: string): string {
  return `*2\r\n$${key.length}\r\n${key}\r\n$${element.length}\r\n${element}\r\n`;
}

/** Nobody waits any more, and nothing is left of it. */
async function assertQuiet(harness: Harness): Promise<void> {
  await settled(pause(5));
  assert.equal(harness.waitRegion.waitingCount, 0);
  assert.equal(harness.lostCount, 0);
  harness.blocking.assertInvariants();
  harness.store.assertInvariants();
}

Deno.test("BLPOP: who came first is served first, one element each, before anybody else", async () => {
  const harness = new Harness();
  const clients = Array.from({ length: 5 }, () => waiting(harness, "BLPOP k 0"));
  const pusher = harness.connect();
  // LPOP comes in the same read as the push: it gets what is left, which is nothing.
  assert.equal(await pusher.send("RPUSH k a b c\r\nLPOP k\r\n"), ":3\r\n$-1\r\n");
  await Promise.all(clients.slice(0, 3).map(({ done }) => done));
  assert.deepEqual(clients.map(({ reply }) => reply), [
    ...["a", "b", "c"].map((element) => pair("k", element)),
    undefined,
    undefined,
  ]);
  assert.equal(await pusher.send("LPUSH k d e f\r\n"), ":3\r\n");
  await Promise.all(clients.map(({ done }) => done));
  assert.deepEqual(clients.slice(3).map(({ reply }) => reply), [pair("k", "f"), pair("k", "e")]);
  assert.equal(await pusher.send("LRANGE k 0 -1\r\n"), "*1\r\n$1\r\nd\r\n");
  await assertQuiet(harness);
});

Deno.test("BLPOP, BRPOP and BLMPOP: several keys, from the end that was asked for", async () => {
  const harness = new Harness();
  const first = waiting(harness, "BLPOP a b c 0");
  const second = waiting(harness, "BRPOP c b 0");
  const third = waiting(harness, "BLMPOP 0 2 b d RIGHT COUNT 2");
  assert.equal(await harness.ask("RPUSH b 1 2 3 4 5\r\n"), ":5\r\n");
  await Promise.all([first.done, second.done, third.done]);
  assert.equal(first.reply, pair("b", "1"));
  assert.equal(second.reply, pair("b", "5"));
  assert.equal(third.reply, "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n4\r\n$1\r\n3\r\n");
  assert.equal(await harness.ask("LRANGE b 0 -1\r\n"), "*1\r\n$1\r\n2\r\n");
  await assertQuiet(harness);
});

const WAYS: readonly (readonly [string, string])[] = [
  ["RENAME", "RPUSH q x\r\nRENAME q k\r\n"],
  ["RENAME over a string", "RPUSH q x\r\nSET k v\r\nRENAME q k\r\n"],
  ["COPY", "RPUSH q x\r\nCOPY q k\r\n"],
  ["MOVE", "SELECT 1\r\nRPUSH k x\r\nMOVE k 0\r\n"],
  ["SWAPDB", "SELECT 1\r\nRPUSH k x\r\nSWAPDB 0 1\r\n"],
  ["LMOVE", "RPUSH q x\r\nLMOVE q k LEFT LEFT\r\n"],
  ["EXEC", "MULTI\r\nRPUSH k x\r\nEXEC\r\n"],
];
for (const [name, commands] of WAYS) {
  Deno.test(`BLPOP: is served by ${name}`, async () => {
    const harness = new Harness();
    const client = waiting(harness, "BLPOP other k 0");
    await settled(harness.ask(commands));
    await settled(client.done);
    assert.equal(client.reply, pair("k", "x"));
    assert.equal(await harness.ask("EXISTS k\r\n"), ":0\r\n");
    await assertQuiet(harness);
  });
}

Deno.test("BLPOP: a list that a transaction makes and empties again serves nobody", async () => {
  const harness = new Harness();
  const client = waiting(harness, "BLPOP k 0");
  await harness.ask("MULTI\r\nRPUSH k a b\r\nLPOP k\r\nDEL k\r\nEXEC\r\n");
  await harness.ask("MULTI\r\nRPUSH k a b\r\nLPOP k\r\nEXEC\r\n");
  await settled(client.done);
  assert.equal(client.reply, pair("k", "b"));
  await assertQuiet(harness);
});

Deno.test("BLPOP: in a transaction and with elements it does not wait", async () => {
  const harness = new Harness();
  const replies = await harness.ask(
    "RPUSH k a b\r\nBLPOP none k 0\r\nMULTI\r\nBLPOP none 0\r\nBLMOVE none k LEFT LEFT 0\r\n" +
      "BRPOP k 0\r\nEXEC\r\n",
  );
  assert.equal(
    replies,
    `:2\r\n${pair("k", "a")}+OK\r\n${"+QUEUED\r\n".repeat(3)}*3\r\n*-1\r\n$-1\r\n${pair("k", "b")}`,
  );
  await assertQuiet(harness);
});

Deno.test("blocking: other types wait on, other databases are not looked at", async () => {
  const harness = new Harness();
  const client = waiting(harness, "BLPOP k 0");
  await harness.ask("SET k v\r\n");
  await harness.ask("SELECT 3\r\nRPUSH k there\r\n");
  await settled(pause(5));
  assert.equal(client.reply, undefined);
  assert.match(await harness.ask("BLPOP k 0\r\n"), /^-WRONGTYPE/);
  await harness.ask("DEL k\r\nRPUSH k here\r\n");
  await settled(client.done);
  assert.equal(client.reply, pair("k", "here"));
  await assertQuiet(harness);
});

Deno.test("BLMOVE: chains hand an element through, and a target of another type costs none", async () => {
  const harness = new Harness();
  const last = waiting(harness, "BLPOP c 0");
  const second = waiting(harness, "BLMOVE b c LEFT RIGHT 0");
  const first = waiting(harness, "BRPOPLPUSH a b 0");
  await harness.ask("RPUSH a x\r\n");
  await Promise.all([last.done, second.done, first.done]);
  assert.deepEqual([first.reply, second.reply, last.reply], [
    "$1\r\nx\r\n",
    "$1\r\nx\r\n",
    pair("c", "x"),
  ]);
  await harness.ask("SET s v\r\n");
  const refused = waiting(harness, "BLMOVE a s LEFT RIGHT 0");
  const behind = waiting(harness, "BLPOP a 0");
  await harness.ask("RPUSH a y\r\n");
  await Promise.all([refused.done, behind.done]);
  assert.match(refused.reply!, /^-WRONGTYPE/);
  assert.equal(behind.reply, pair("a", "y"));
  await assertQuiet(harness);
});

Deno.test("BLPOP: long elements and many at once reach who waits for them, in order", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
  const long = "x".repeat(300_000);
  const clients = Array.from({ length: 3 }, () => waiting(harness, "BLPOP k 0"));
  for (const end of "abc") await harness.ask(request("RPUSH", "k", long + end));
  await Promise.all(clients.map(({ done }) => done));
  assert.deepEqual(
    clients.map(({ reply }) => reply),
    [..."abc"].map((end) => pair("k", long + end)),
  );
  const many = waiting(harness, "BLMPOP 0 1 k LEFT COUNT 1000");
  await harness.ask(request("RPUSH", "k", ...new Array<string>(500).fill("e")));
  await settled(many.done);
  assert.equal(many.reply, `*2\r\n$1\r\nk\r\n*500\r\n${"$1\r\ne\r\n".repeat(500)}`);
  const crowd = Array.from({ length: 200 }, () => waiting(harness, "BLPOP k 0"));
  const elements = Array.from({ length: 200 }, (_, i) => `${i}`);
  await harness.ask(request("RPUSH", "k", ...elements));
  await Promise.all(crowd.map(({ done }) => done));
  assert.deepEqual(crowd.map(({ reply }) => reply), elements.map((each) => pair("k", each)));
  await assertQuiet(harness);
});

Deno.test("blocking: time is up, and the client goes on", async () => {
  const harness = new Harness();
  const lists = harness.connect();
  await lists.send("HELLO 3\r\n");
  assert.equal(await settled(lists.send("BLPOP k 0.01\r\nPING\r\n")), "_\r\n+PONG\r\n");
  const replies = await settled(harness.ask(
    "BLPOP k 0.01\r\nBLMOVE k l LEFT LEFT 0.01\r\nBRPOPLPUSH k l 0.01\r\nBLMPOP 0.01 1 k LEFT\r\n",
  ));
  assert.equal(replies, "*-1\r\n".repeat(4));
  const refusals = await harness.ask("BLPOP k x\r\nBLPOP k -1\r\nBLPOP k inf\r\n");
  const negative = "-ERR timeout is negative\r\n";
  assert.equal(refusals, `-ERR timeout is not a float or out of range\r\n${negative}${negative}`);
  await assertQuiet(harness);
});

Deno.test("CLIENT UNBLOCK: ends a wait as time does, or with an error; only a wait", async () => {
  const harness = new Harness();
  const client = harness.connect();
  const { id } = client.session.client;
  for (
    const [words, reply] of [
      [`${id}`, "*-1\r\n"],
      [`${id} ERROR`, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"],
    ]
  ) {
    const wait = new Waiting(client, "BLPOP k 0");
    assert.match(await harness.ask("INFO clients\r\n"), /^blocked_clients:1\r$/m);
    assert.equal(await harness.ask(`CLIENT UNBLOCK ${words}\r\n`), ":1\r\n");
    await settled(wait.done);
    assert.equal(wait.reply, reply);
  }
  assert.equal(await harness.ask(`CLIENT UNBLOCK ${id}\r\n`), ":0\r\n");
  assert.equal(await harness.ask("RPUSH k a\r\nLLEN k\r\n"), ":1\r\n:1\r\n");
  await assertQuiet(harness);
});

Deno.test("blocking: a client that has left takes nothing, one that leaves when it is served gives it back", async () => {
  for (const leavesFirst of [true, false]) {
    for (
      const [line, order] of [
        ["BLPOP k 0", "a b c d"],
        ["BRPOP k 0", "a b c d"],
        ["BLMPOP 0 1 k LEFT COUNT 3", "a b c d"],
        ["BLMPOP 0 1 k RIGHT COUNT 3", "a b c d"],
        ["BLMOVE k other LEFT LEFT 0", "a b c d"],
      ] as const
    ) {
      const harness = new Harness();
      const gone = waiting(harness, line);
      if (leavesFirst) gone.client.leave!();
      // Not awaited: what the push serves is not heard of before the next turn.
      const pushed = harness.connect().send("RPUSH k a b c d\r\n");
      if (!leavesFirst) gone.client.leave!();
      await pushed;
      await settled(gone.done);
      await settled(pause(5));
      assert.equal(gone.reply, "", `${line}: nobody is there to be replied to`);
      const expected = `*4\r\n${order.split(" ").map((each) => `$1\r\n${each}\r\n`).join("")}`;
      assert.equal(await harness.ask("LRANGE k 0 -1\r\n"), expected, line);
      await assertQuiet(harness);
    }
  }
});

Deno.test("blocking: what comes back is for the next one who waits", async () => {
  const harness = new Harness();
  const gone = waiting(harness, "BLPOP k 0");
  const next = waiting(harness, "BLPOP k 0");
  const pushed = harness.connect().send("RPUSH k a\r\n");
  gone.client.leave!();
  await pushed;
  await settled(next.done);
  assert.equal(next.reply, pair("k", "a"));
  await assertQuiet(harness);
});

Deno.test("blocking: a server that stops sends everybody away, and lets nobody wait any more", async () => {
  const harness = new Harness();
  const client = waiting(harness, "BLPOP k 0");
  harness.blocking.giveUp();
  await settled(client.done);
  const refusal = "-ERR server is shutting down\r\n";
  assert.equal(client.reply, refusal);
  assert.equal(await harness.ask("BLPOP k 0\r\n"), refusal);
  await assertQuiet(harness);
});

Deno.test("blocking: whatever memory is missing, an element is in the list or with one client", async () => {
  for (let k = 0; k < 30; k++) {
    const harness = new Harness();
    const long = "y".repeat(2000);
    const clients = ["BLPOP k 1", "BLMOVE k t LEFT LEFT 1", "BRPOP k 1"].map((line) =>
      waiting(harness, line)
    );
    harness.store.failAllocationAfter(k);
    const pushed = await harness.ask(request("RPUSH", "k", "a", long, "c"));
    await settled(pause(2));
    harness.store.failAllocationAfter(-1);
    for (const { client } of clients) client.session.client.unblock?.(false);
    await Promise.all(clients.map(({ done }) => settled(done)));
    const left = await harness.ask("LRANGE k 0 -1\r\n") + await harness.ask("LRANGE t 0 -1\r\n");
    const popped = clients.filter((_, i) => i !== 1).map(({ reply }) => reply).join("");
    for (const element of ["a", long, "c"]) {
      const found = (left + popped).split(`\r\n${element}\r\n`).length - 1;
      assert.equal(found, pushed === ":3\r\n" ? 1 : 0, `allocation ${k}, ${element.slice(0, 3)}`);
    }
    await assertQuiet(harness);
  }
});
