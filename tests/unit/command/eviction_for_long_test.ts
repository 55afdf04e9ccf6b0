/** Long commands where memory is full, and keys may be evicted for them: as many as it takes. */

import assert from "node:assert/strict";
import { Harness, request, settled, type TestClient } from "./harness.ts";

const REQUEST_BYTES = 2 ** 22;
/** As a sorted set some 4 MiB: more than a few pages. */
const MEMBERS = Array.from({ length: 20_000 }, (_, i) => `member ${i}`.padEnd(60, "."));

function fullHarness(): Harness {
  const harness = new Harness({
    maxMemoryBytes: 12 * 2 ** 20,
    maxRequestBytes: REQUEST_BYTES,
    shardCount: 2,
  });
  harness.store.evictionPolicy = "allkeys-lru";
  harness.store.seedEviction(1);
  return harness;
}

/** Sets keys until the store is full of them. */
async function fill({ store }: Harness, client: TestClient): Promise<void> {
  const value = "v".repeat(400);
  let evicted = 0;
  for (let at = 0; evicted === 0; at += 500) {
    const pairs = Array.from({ length: 500 }, (_, i) => [`filler ${at + i}`, value]).flat();
    assert.equal(await settled(client.send(request("MSET", ...pairs))), "+OK\r\n");
    evicted = at + 500 - store.keyCount(0);
  }
}

Deno.test("eviction: makes room for all that a long command brings, makes or copies", async () => {
  const harness = fullHarness();
  const { store } = harness;
  const client = harness.connect(REQUEST_BYTES);
  const scored = MEMBERS.flatMap((member, i) => [`${i % 100}`, member]);
  const list = MEMBERS.flatMap((member) => [member, "x"]);
  for (
    const [words, ...others] of [
      [["SADD", "s", ...MEMBERS], ["SUNIONSTORE", "s2", "s"], ["COPY", "s", "s2"]],
      [["ZADD", "z", ...scored], ["ZUNIONSTORE", "z2", "1", "z"], [
        "ZRANGESTORE",
        "z3",
        "z",
        "0",
        "-1",
      ]],
      [["RPUSH", "l", ...list], ["SORT", "l", "BY", "none", "STORE", "l2"]],
    ] as const
  ) {
    await settled(client.send("FLUSHALL\r\n"));
    await fill(harness, client);
    // What was there before is what has not been used for longest.
    harness.nowMs += 5000;
    const reply = await settled(client.send(request(...words!)));
    assert.match(reply, /^:(20000|40000)\r\n$/, words![0]);
    store.assertInvariants();
    for (const other of others) {
      const answer = await settled(client.send(request(...other)));
      assert.equal(answer, other[0] === "COPY" ? ":1\r\n" : reply, other[0]);
      store.assertInvariants();
      await settled(client.send(request("DEL", "s2", "z2", "z3", "l2")));
    }
  }
});

Deno.test("eviction: makes room for a transaction before it begins", async () => {
  const harness = fullHarness();
  const client = harness.connect(REQUEST_BYTES);
  await fill(harness, client);
  harness.nowMs += 5000;
  for (const count of [250, 3000, 8000]) {
    for (let round = 0; round < 3; round++) {
      const members = MEMBERS.slice(0, count);
      await client.send("MULTI\r\n" + request("SADD", `s ${count} ${round}`, ...members));
      const reply = await settled(client.send("EXEC\r\n"));
      assert.equal(reply, `*1\r\n:${count}\r\n`);
    }
  }
  harness.store.assertInvariants();
});
