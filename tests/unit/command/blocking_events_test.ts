/** What is published when commands that wait take something: recorded from Redis 7.0.15. */

import assert from "node:assert/strict";
import { Harness, pause, settled, type TestClient } from "./harness.ts";

interface Case {
  /** Commands of clients that wait, in this order. */
  readonly waits: readonly string[];
  /** What makes their keys poppable. */
  readonly then: readonly string[];
  readonly events: readonly string[];
}

const CASES: readonly Case[] = [
  { waits: ["BLPOP k 0"], then: ["RPUSH k a"], events: ["rpush k", "lpop k", "del k"] },
  { waits: ["BRPOP k 0"], then: ["RPUSH k a b"], events: ["rpush k", "rpop k"] },
  {
    waits: ["BLPOP k 0", "BRPOP k 0"],
    then: ["RPUSH k a b"],
    events: ["rpush k", "lpop k", "rpop k", "del k"],
  },
  {
    waits: ["BLPOP k 0", "BRPOP k 0"],
    then: ["RPUSH k a b c"],
    events: ["rpush k", "lpop k", "rpop k"],
  },
  {
    waits: ["BLMPOP 0 2 j k LEFT COUNT 2"],
    then: ["RPUSH k a b c"],
    events: ["rpush k", "lpop k"],
  },
  {
    waits: ["BLMPOP 0 2 j k RIGHT COUNT 5"],
    then: ["RPUSH k a b c"],
    events: ["rpush k", "rpop k", "del k"],
  },
  {
    waits: ["BLMOVE k t LEFT RIGHT 0"],
    then: ["RPUSH k a"],
    events: ["rpush k", "rpush t", "lpop k", "del k"],
  },
  {
    waits: ["BLMOVE k t RIGHT LEFT 0"],
    then: ["RPUSH k a b"],
    events: ["rpush k", "lpush t", "rpop k"],
  },
  {
    waits: ["BRPOPLPUSH k t 0"],
    then: ["RPUSH k a"],
    events: ["rpush k", "lpush t", "rpop k", "del k"],
  },
  {
    waits: ["BLPOP t 0", "BLMOVE k t LEFT RIGHT 0"],
    then: ["RPUSH k a"],
    events: ["rpush k", "rpush t", "lpop k", "del k", "lpop t", "del t"],
  },
  { waits: ["BZPOPMIN z 0"], then: ["ZADD z 1 a"], events: ["zadd z", "zpopmin z", "del z"] },
  { waits: ["BZPOPMAX z 0"], then: ["ZADD z 1 a 2 b"], events: ["zadd z", "zpopmax z"] },
  {
    waits: ["BZPOPMIN z 0", "BZPOPMAX z 0"],
    then: ["ZADD z 1 a 2 b"],
    events: ["zadd z", "zpopmin z", "zpopmax z", "del z"],
  },
  {
    waits: ["BZMPOP 0 1 z MIN COUNT 2"],
    then: ["ZADD z 1 a 2 b 3 c"],
    events: ["zadd z", "zpopmin z"],
  },
  {
    waits: ["BZMPOP 0 1 z MAX COUNT 9"],
    then: ["ZADD z 1 a 2 b"],
    events: ["zadd z", "zpopmax z", "del z"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["MULTI", "RPUSH k a b", "SET s 1", "EXEC"],
    events: ["rpush k", "set s", "lpop k"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["RPUSH q a b", "RENAME q k"],
    events: ["rpush q", "rename_from q", "rename_to k", "lpop k"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["RPUSH q b a", "COPY q k"],
    events: ["rpush q", "copy_to k", "lpop k"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["RPUSH q b a", "SORT q ALPHA STORE k"],
    events: ["rpush q", "sortstore k", "lpop k"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["RPUSH q b a", "LMOVE q k LEFT LEFT"],
    events: ["rpush q", "lpush k", "lpop q", "lpop k", "del k"],
  },
  {
    waits: ["BZPOPMIN k 0"],
    then: ["ZADD q 1 a 2 b", "ZUNIONSTORE k 1 q"],
    events: ["zadd q", "zunionstore k", "zpopmin k"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["SELECT 1", "RPUSH k x", "MOVE k 0"],
    events: ["1:rpush k", "1:move_from k", "move_to k", "lpop k", "del k"],
  },
  {
    waits: ["BLPOP k 0"],
    then: ["SELECT 1", "RPUSH k x", "SWAPDB 0 1"],
    events: ["1:rpush k", "lpop k", "del k"],
  },
];

interface Scene {
  readonly harness: Harness;
  readonly watcher: TestClient;
}

async function scene(): Promise<Scene> {
  // One shard, so that what is published has one order.
  const harness = new Harness({ shardCount: 1 });
  const watcher = harness.connect();
  await harness.ask("CONFIG SET notify-keyspace-events EA\r\n");
  await watcher.send("PSUBSCRIBE __key*\r\n");
  return { harness, watcher };
}

/** Events such as `set key`, or `1:set key` of another database than 0, in order. */
function take(watcher: TestClient): string[] {
  const pattern = /__keyevent@(\d+)__:(\w+)\r\n\$\d+\r\n(\w+)\r\n/g;
  const events = [...watcher.pushedText.matchAll(pattern)].map(([, database, event, key]) =>
    `${database === "0" ? "" : `${database}:`}${event} ${key}`
  );
  watcher.pushed.release();
  return events;
}

for (const { waits, then, events } of CASES) {
  Deno.test(`keyspace events: ${waits.join(", ")} served by ${then.join(", ")}`, async () => {
    const { harness, watcher } = await scene();
    const clients = waits.map((line) => settled(harness.connect().send(`${line}\r\n`)));
    const pusher = harness.connect();
    await settled(pusher.send(then.map((line) => `${line}\r\n`).join("")));
    await Promise.all(clients);
    const seen: string[] = [];
    for (let i = 0; i < 400 && seen.length < events.length; i++) {
      await settled(pause(5));
      seen.push(...take(watcher));
    }
    // Nor more than these.
    await settled(pause(5));
    assert.deepEqual([...seen, ...take(watcher)], events);
  });
}

Deno.test("keyspace events: what comes back from a client that is gone is published as pushed", async () => {
  const { harness, watcher } = await scene();
  for (
    const [wait, push, ...events] of [
      ["BLPOP k 0", "RPUSH k a b", "rpush k", "lpop k", "lpush k"],
      ["BRPOP k 0", "RPUSH k a", "rpush k", "rpop k", "del k", "rpush k"],
      ["BZPOPMIN k 0", "ZADD k 1 a", "zadd k", "zpopmin k", "del k", "zadd k"],
    ] as const
  ) {
    const gone = harness.connect();
    const done = settled(gone.send(`${wait}\r\n`));
    // Not awaited: what the push serves is not heard of before the next turn.
    const pushed = harness.connect().send(`${push}\r\n`);
    gone.leave!();
    await pushed;
    await done;
    await settled(pause(5));
    assert.deepEqual(take(watcher), events);
    await harness.ask("FLUSHALL\r\n");
    await settled(pause(5));
    take(watcher);
  }
});
