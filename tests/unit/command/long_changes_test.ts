/** Commands that bring very many arguments: in slices, and still as if they were done at once. */

import assert from "node:assert/strict";
import { Store } from "../../../src/store/store.ts";
import { inTurn } from "../../helpers/effort.ts";
import { Harness, latin1, pause, request, settled, type TestClient } from "./harness.ts";

const INPUT_BYTES = 2 ** 21;

function bigHarness(): Harness {
  const store = Store.create({
    shardCount: 4,
    lockKind: "mutex",
    maxMemoryBytes: 256 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 4,
    // So that sets have the same order in each.
    hashSeed: new Uint32Array([1, 2]),
  });
  return new Harness({ store, maxRequestBytes: INPUT_BYTES });
}

function connect(harness: Harness): TestClient {
  return harness.connect(INPUT_BYTES);
}

const words = (from: number, to: number, prefix = "m"): string[] =>
  Array.from({ length: to - from }, (_, i) => `${prefix}${from + i}`);
const pairs = (list: readonly string[], value: (i: number) => string): string[] =>
  list.flatMap((word, i) => [word, value(i)]);
const scored = (list: readonly string[], score: (i: number) => string): string[] =>
  list.flatMap((word, i) => [score(i), word]);

/** What is at a key, and for how long; of sets and hashes in any order. */
async function stateOf(client: TestClient): Promise<string> {
  let state = await client.send("PTTL k\r\n");
  for (
    const line of ["GET k", "SMEMBERS k", "HGETALL k", "ZRANGE k 0 -1 WITHSCORES", "LRANGE k 0 -1"]
  ) {
    const reply = await settled(client.send(`${line}\r\n`));
    const isOrdered = line !== "SMEMBERS k" && line !== "HGETALL k";
    state += isOrdered ? reply : reply.split("\r\n").toSorted().join(" ");
  }
  return state;
}

/** What is there before. */
const STARTS: readonly (readonly string[][])[] = [
  [],
  [["SADD", "k", ...words(0, 20)], ["PEXPIRE", "k", "100000"]],
  [["SADD", "k", ...words(0, 6000)], ["PEXPIRE", "k", "100000"]],
  [["HSET", "k", ...pairs(words(0, 20), String)], ["PEXPIRE", "k", "100000"]],
  [["HSET", "k", ...pairs(words(0, 6000), String), "m3", "L".repeat(20_000)]],
  [["ZADD", "k", ...scored(words(0, 20), String)], ["PEXPIRE", "k", "100000"]],
  [["ZADD", "k", ...scored(words(0, 4000), (i) => String(i % 100))], ["PEXPIRE", "k", "100000"]],
  [["RPUSH", "k", ...words(0, 20)], ["PEXPIRE", "k", "100000"]],
  [["RPUSH", "k", ...pairs(words(0, 4000), (i) => `x${i % 4}`)], ["PEXPIRE", "k", "100000"]],
  [["SET", "k", "a string"]],
];

const twice = [...words(5000, 9000), ...words(7000, 9000), ...words(7000, 7100), "m5000"];

/** Long commands on `k`; what they find there may be of another type. */
const COMMANDS: readonly (readonly string[])[] = [
  ["SADD", "k", ...twice],
  ["SADD", "k", ...words(0, 300)],
  ["SREM", "k", ...twice],
  ["SREM", "k", ...words(0, 30_000)],
  ["HSET", "k", ...pairs(twice, (i) => `v${i}`)],
  ["HSET", "k", ...pairs(twice, (i) => `v${i}`), "odd"],
  ["HMSET", "k", ...pairs(words(0, 3000), (i) => i === 3 ? "S" : `${i}`)],
  ["HDEL", "k", ...twice],
  ["HDEL", "k", ...words(0, 30_000)],
  ["ZADD", "k", ...scored(twice, (i) => String(i % 500))],
  ["ZADD", "k", "NX", "CH", ...scored(words(0, 4000), (i) => `${-i}.5`)],
  ["ZADD", "k", "XX", "GT", "CH", ...scored(words(0, 4000), (i) => String(i % 90))],
  ["ZADD", "k", "LT", ...scored([...words(0, 4000), ...words(0, 4000)], (i) => `${i % 7}`)],
  ["ZADD", "k", ...scored(words(0, 4000), (i) => i === 3999 ? "number" : "1")],
  ["ZREM", "k", ...twice],
  ["ZREM", "k", ...words(0, 30_000)],
  ["RPUSH", "k", ...twice],
  ["LPUSH", "k", ...twice],
  ["LPUSHX", "k", ...twice],
  ["RPUSHX", "k", ...twice],
  ["LREM", "k", "0", "x3"],
  ["LREM", "k", "-2000", "x1"],
  ["LREM", "k", "0", "m5"],
  ["PFADD", "k", ...twice],
  ["SMISMEMBER", "k", ...twice],
  ["HMGET", "k", ...words(0, 4000), "m0", "none"],
  ["ZMSCORE", "k", ...twice],
];

/** Whether a command finds what it is for, nothing, or a string. */
function goTogether(start: string | undefined, command: string): boolean {
  const family = (name: string): string =>
    name.includes("PUSH") || name === "LREM" ? "L" : name[0]!;
  return start === undefined || start === "SET" || family(start) === family(command);
}

Deno.test("long commands reply and do what they do in a transaction, whatever they find", async () => {
  const cases = STARTS.flatMap((start, place) =>
    COMMANDS.map((command) => ({ start, place, command }))
  ).filter(({ start, command }) => goTogether(start[0]?.[0], command[0]!));
  // Of nothing and much one in turn, and of little and a string, as their places are even or odd.
  const some = inTurn(cases, ({ place, command }) => COMMANDS.indexOf(command) * 2 + place % 2);
  for (const { start, command } of some) {
    const outcomes: string[] = [];
    for (const isQueued of [false, true]) {
      const harness = bigHarness();
      const client = connect(harness);
      for (const each of start) await settled(client.send(request(...each)));
      if (isQueued) await client.send("MULTI\r\n");
      let reply = await settled(client.send(request(...command)));
      if (isQueued) {
        // HSET of an odd number is queued here and refused by EXEC, as in Redis.
        reply = (await settled(client.send("EXEC\r\n"))).slice("*1\r\n".length);
      }
      outcomes.push(reply, await stateOf(client));
      harness.store.assertInvariants();
      assert.equal(harness.store.stats().leases, 0, "nothing is leased any more");
    }
    const what = `${command.slice(0, 5).join(" ")} after ${start[0]?.slice(0, 4).join(" ")}`;
    assert.equal(outcomes[0], outcomes[2], what);
    assert.equal(outcomes[1], outcomes[3], what);
  }
});

Deno.test("long changes: others see nothing of them, and then all", async () => {
  const harness = bigHarness();
  const client = connect(harness);
  const other = connect(harness);
  await settled(client.send(request("SADD", "k", ...words(0, 5000))));
  let isDone = false;
  const added = settled(client.send(request("SADD", "k", ...words(5000, 45_000))))
    .finally(() => isDone = true);
  const counts = new Set<string>();
  while (!isDone) {
    counts.add(await settled(other.send("SCARD k\r\n")));
    await pause(0);
  }
  assert.equal(await added, ":40000\r\n");
  counts.add(await other.send("SCARD k\r\n"));
  assert.deepEqual([...counts], [":5000\r\n", ":45000\r\n"]);
  harness.store.assertInvariants();
});

Deno.test("long changes: none is lost, and none that others make meanwhile", async () => {
  const harness = bigHarness();
  const clients = Array.from({ length: 4 }, () => connect(harness));
  await settled(clients[0]!.send(request("RPUSH", "l", "first")));
  let small = 0;
  let isDone = false;
  const long = Promise.all(clients.map(async (client, i) => {
    for (let round = 0; round < 3; round++) {
      const list = words(0, 3000, `c${i}r${round}-`);
      await settled(client.send(request("SADD", "s", ...list)));
      await settled(client.send(request("RPUSH", "l", ...list)));
      await settled(client.send(request("ZADD", "z", ...scored(list, String))));
      await settled(client.send(request("HSET", "h", ...pairs(list, String))));
    }
  })).finally(() => isDone = true);
  const other = connect(harness);
  while (!isDone) {
    const at = small++;
    await settled(other.send(`SADD s x${at}\r\nRPUSH l x${at}\r\nZADD z 1 x${at}\r\n`));
    await settled(other.send(`HSET h x${at} 1\r\n`));
    await pause(3);
  }
  await long;
  assert.ok(small > 10, "there was something in between");
  assert.equal(await other.send("SCARD s\r\n"), `:${36_000 + small}\r\n`);
  assert.equal(await other.send("LLEN l\r\n"), `:${36_001 + small}\r\n`);
  assert.equal(await other.send("ZCARD z\r\n"), `:${36_000 + small}\r\n`);
  assert.equal(await other.send("HLEN h\r\n"), `:${36_000 + small}\r\n`);
  const list = (await settled(other.send("LRANGE l 0 -1\r\n"))).split("\r\n");
  for (let at = 0; at < list.length; at++) {
    // The elements of a push are neighbours.
    const [, name, number] = /^(c\dr\d-)(\d+)$/.exec(list[at]!) ?? [];
    if (number === "0") {
      for (let i = 0; i < 3000; i++) assert.equal(list[at + 2 * i], `${name}${i}`);
    }
  }
  harness.store.assertInvariants();
});

Deno.test("long changes: what happens to the key meanwhile comes first", async () => {
  for (
    const deed of ["DEL k", "SET k x", "RENAME k other", "FLUSHALL", "PEXPIRE k 0", "SADD k x"]
  ) {
    const harness = bigHarness();
    const client = connect(harness);
    await settled(client.send(request("SADD", "k", ...words(0, 5000))));
    const added = settled(client.send(request("SADD", "k", ...words(4000, 30_000))));
    await pause(5);
    const reply = await settled(harness.ask(`${deed}\r\n`));
    assert.notEqual(reply[0], "-", deed);
    if (deed === "SET k x") assert.match(await added, /^-WRONGTYPE/);
    else if (deed === "SADD k x") assert.equal(await added, ":25000\r\n");
    else assert.equal(await added, ":26000\r\n", deed);
    const card = await settled(client.send("SCARD k\r\n"));
    if (deed === "SADD k x") assert.equal(card, ":30001\r\n");
    else if (deed !== "SET k x") assert.equal(card, ":26000\r\n");
    harness.store.assertInvariants();
    assert.equal(harness.store.stats().leases, 0);
  }
});

Deno.test("long changes: a key that others change all the time is changed in the end", async () => {
  const harness = bigHarness();
  const client = connect(harness);
  await settled(client.send(request("SADD", "k", ...words(0, 5000))));
  let isDone = false;
  const added = settled(client.send(request("SADD", "k", ...words(5000, 9000))))
    .finally(() => isDone = true);
  let others = 0;
  while (!isDone) {
    await settled(harness.ask(`SADD k x${others++}\r\n`));
    await pause(0);
  }
  assert.equal(await added, ":4000\r\n");
  assert.ok(others > 4);
  assert.equal(await harness.ask("SCARD k\r\n"), `:${9000 + others}\r\n`);
  harness.store.assertInvariants();
});

Deno.test("long changes: a key that is watched has changed, and one without a change has not", async () => {
  const harness = bigHarness();
  const client = connect(harness);
  const watcher = harness.connect();
  await settled(client.send(request("SADD", "k", ...words(0, 5000))));
  await watcher.send("WATCH k\r\n");
  assert.equal(await settled(client.send(request("SADD", "k", ...words(5000, 9000)))), ":4000\r\n");
  assert.match(await watcher.send("MULTI\r\nPING\r\nEXEC\r\n"), /\*-1\r\n$/);
  await watcher.send("WATCH k\r\n");
  assert.equal(await settled(client.send(request("SADD", "k", ...words(0, 9000)))), ":0\r\n");
  assert.equal(await settled(client.send(request("SREM", "k", ...words(0, 9000, "no")))), ":0\r\n");
  assert.match(await watcher.send("MULTI\r\nPING\r\nEXEC\r\n"), /\+PONG\r\n$/);
  const long = settled(client.send(request("SADD", "k", ...words(9000, 39_000))));
  await pause(5);
  await watcher.send("WATCH k\r\n");
  assert.equal(await long, ":30000\r\n");
  assert.match(await watcher.send("MULTI\r\nPING\r\nEXEC\r\n"), /\*-1\r\n$/);
});

Deno.test("long changes: blocked clients are served from a big push and a big ZADD", async () => {
  const harness = bigHarness();
  const client = connect(harness);
  const waiting = ["BLPOP l 0", "BRPOP l 0", "BZPOPMIN z 0"].map((line) =>
    settled(harness.ask(`${line}\r\n`))
  );
  await pause(5);
  await settled(client.send(request("RPUSH", "l", ...words(0, 5000))));
  await settled(client.send(request("ZADD", "z", ...scored(words(0, 5000), String))));
  assert.deepEqual(await Promise.all(waiting), [
    "*2\r\n$1\r\nl\r\n$2\r\nm0\r\n",
    "*2\r\n$1\r\nl\r\n$5\r\nm4999\r\n",
    "*3\r\n$1\r\nz\r\n$2\r\nm0\r\n$1\r\n0\r\n",
  ]);
  assert.equal(await harness.ask("LLEN l\r\n"), ":4998\r\n");
  harness.store.assertInvariants();
});

Deno.test("long changes: keyspace events are those of small ones, once", async () => {
  const harness = bigHarness();
  const client = connect(harness);
  const watcher = harness.connect();
  await client.send("CONFIG SET notify-keyspace-events EAn\r\n");
  await watcher.send("PSUBSCRIBE __key*\r\n");
  const events = async (...command: string[]): Promise<string[]> => {
    await settled(client.send(request(...command)));
    await pause(5);
    const pattern = /__keyevent@0__:(\w+)\r\n\$\d+\r\n(\w+)\r\n/g;
    const found = [...watcher.pushedText.matchAll(pattern)].map(([, event]) => event!);
    watcher.pushed.release();
    return found;
  };
  const list = words(0, 3000);
  assert.deepEqual(await events("SADD", "s", ...list), ["new", "sadd"]);
  assert.deepEqual(await events("SADD", "s", ...list), []);
  assert.deepEqual(await events("SREM", "s", ...list.slice(1)), ["srem"]);
  assert.deepEqual(await events("SREM", "s", ...list.slice(1)), []);
  assert.deepEqual(await events("SREM", "s", ...list), ["srem", "del"]);
  assert.deepEqual(await events("HSET", "h", ...pairs(list, String)), ["new", "hset"]);
  assert.deepEqual(await events("HSET", "h", ...pairs(list, String)), ["hset"]);
  assert.deepEqual(await events("HDEL", "h", ...list), ["hdel", "del"]);
  assert.deepEqual(await events("ZADD", "z", ...scored(list, String)), ["new", "zadd"]);
  assert.deepEqual(await events("ZADD", "z", ...scored(list, String)), []);
  assert.deepEqual(await events("ZREM", "z", ...list), ["zrem", "del"]);
  assert.deepEqual(await events("LPUSH", "l", ...list), ["new", "lpush"]);
  assert.deepEqual(await events("RPUSH", "l", ...pairs(list, () => "x")), ["rpush"]);
  assert.deepEqual(await events("LREM", "l", "0", "x"), ["lrem"]);
  assert.deepEqual(await events("PFADD", "p", ...list), ["new", "pfadd"]);
});

Deno.test("long changes: what does not fit is refused whole", async () => {
  const harness = new Harness({
    maxMemoryBytes: 4 * 2 ** 20,
    maxRequestBytes: INPUT_BYTES,
    shardCount: 1,
  });
  const client = connect(harness);
  const state = async (): Promise<string> => await settled(client.send("SCARD k\r\n"));
  let before = "";
  let refused = 0;
  for (let round = 0; round < 12; round++) {
    before = await state();
    const list = words(round * 10_000, (round + 1) * 10_000, "a member of some length ");
    const reply = await settled(client.send(request("SADD", "k", ...list)));
    if (reply === ":10000\r\n") continue;
    assert.match(reply, /^-OOM /);
    refused++;
    assert.equal(await state(), before);
    harness.store.assertInvariants();
  }
  assert.ok(refused > 0, "memory came to an end");
  assert.equal(latin1(before)[0], ":".charCodeAt(0));
});

Deno.test("MSET: very many keys are set all or none, whatever memory there is", async () => {
  const harness = new Harness({
    maxMemoryBytes: 4 * 2 ** 20,
    maxRequestBytes: INPUT_BYTES,
    shardCount: 1,
  });
  const client = connect(harness);
  let refused = 0;
  let accepted = 0;
  for (let round = 0; refused < 1; round++) {
    const keys = words(0, 3000, `r${round}-`);
    // Of many sizes; some twice, some over what is there.
    const value = (i: number): string => `${round}`.padEnd((i * 37) % 200, "v");
    const list = [...pairs(keys, value), "same", "1", "same", `${round}`, keys[0]!, "last"];
    const reply = await settled(client.send(request("MSET", ...list)));
    const there = await settled(client.send(request("EXISTS", ...keys)));
    if (reply === "+OK\r\n") {
      accepted++;
      assert.equal(there, ":3000\r\n");
      const text = await client.send(`MGET same ${keys[0]} ${keys[7]} ${keys[2999]}\r\n`);
      const expected = [`${round}`, "last", value(7), value(2999)];
      assert.equal(text, `*4\r\n${expected.map((v) => `$${v.length}\r\n${v}\r\n`).join("")}`);
      const again = await settled(client.send(request("MSET", ...pairs(keys, () => "short"))));
      assert.match(again, /^(\+OK|-OOM )/);
    } else {
      assert.match(reply, /^-OOM /);
      assert.equal(there, ":0\r\n");
      refused++;
    }
    harness.store.assertInvariants();
  }
  assert.ok(accepted > 0);
  const tooLong = await settled(
    client.send(request("MSET", ...pairs(words(0, 200), String), "x".repeat(5000), "v")),
  );
  assert.match(tooLong, /^-/);
  assert.equal(await client.send("EXISTS m0 m199\r\n"), ":0\r\n");
  harness.store.assertInvariants();
});
