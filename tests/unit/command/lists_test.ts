/** Lists that are long, have long elements, or change while somebody looks at them. */

import assert from "node:assert/strict";
import { OUTPUT_PAUSE_BYTES } from "../../../src/protocol/session.ts";
import { Harness, request, settled, type TestClient } from "./harness.ts";

const MEMORY = 64 * 2 ** 20;

/** Elements of an array reply of byte strings. */
function elementsIn(reply: string): string[] {
  const elements: string[] = [];
  let at = reply.indexOf("\r\n") + 2;
  const count = Number(reply.slice(1, at - 2));
  for (let i = 0; i < count; i++) {
    const end = reply.indexOf("\r\n", at);
    const start = end + 2;
    at = start + Number(reply.slice(at + 1, end)) + 2;
    elements.push(reply.slice(start, at - 2));
  }
  assert.equal(at, reply.length, "the reply ends with its last element");
  return elements;
}

async function fill(client: TestClient, key: string, elements: readonly string[]): Promise<void> {
  for (let i = 0; i < elements.length; i += 1000) {
    const reply = await client.send(request("RPUSH", key, ...elements.slice(i, i + 1000)));
    assert.ok(reply.startsWith(":"), reply);
  }
}

function numbered(count: number, prefix = "element "): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** The most bytes that were in a client's output at once. */
function largestOutput(client: TestClient): () => number {
  let largest = 0;
  const { output } = client;
  const clear = output.clear.bind(output);
  output.clear = (keepBytes) => {
    largest = Math.max(largest, output.length);
    clear(keepBytes);
  };
  return () => largest;
}

Deno.test("LRANGE: a reply of megabytes goes out in pieces and is the list as it was", async () => {
  const harness = new Harness({ maxMemoryBytes: MEMORY });
  const elements = numbered(100_000);
  await fill(harness.connect(), "k", elements);
  const client = harness.connect();
  const largest = largestOutput(client);
  const clear = client.output.clear.bind(client.output);
  let pieces = 0;
  client.output.clear = (keepBytes) => {
    clear(keepBytes);
    if (pieces++ === 0) void harness.connect().send("LTRIM k 5 10\r\nRPUSH k x\r\nLSET k 0 y\r\n");
  };
  const reply = await settled(client.send("LRANGE k 0 -1\r\n"));
  assert.deepEqual(elementsIn(reply), elements);
  assert.ok(pieces > 3, `${pieces} pieces`);
  assert.ok(largest() < OUTPUT_PAUSE_BYTES + 65536, `${largest()} bytes at once`);
  assert.equal(await harness.ask("LRANGE k 0 1\r\n"), "*2\r\n$1\r\ny\r\n$9\r\nelement 6\r\n");
  assert.equal(await harness.ask("LLEN k\r\n"), ":7\r\n");
  harness.store.assertInvariants();
});

Deno.test("LRANGE: elements of any length between others, from any rank, several replies in a row", async () => {
  const harness = new Harness({ maxMemoryBytes: MEMORY });
  const lengths = [3, 70_000, 1, 1_000_000, 300_000, 8192, 8193, 5, 65_536, 65_537, 0, 900, 2000];
  const elements = lengths.map((length, i) => String.fromCharCode(97 + i).repeat(length));
  const client = harness.connect();
  for (const element of elements) await client.send(request("RPUSH", "k", element));
  for (let from = 0; from < elements.length; from++) {
    const requests =
      `LRANGE k ${from} -1\r\nPING\r\nLINDEX k ${from}\r\nLRANGE k ${from} ${from}\r\n`;
    const reply = await settled(client.send(requests));
    const [all, rest] = reply.split("+PONG\r\n") as [string, string];
    assert.deepEqual(elementsIn(all), elements.slice(from));
    const one = `$${lengths[from]}\r\n${elements[from]}\r\n`;
    assert.equal(rest, `${one}*1\r\n${one}`, `element ${from}`);
  }
  harness.store.assertInvariants();
});

Deno.test("LPOP and RPOP with a count: many and long elements go out although they are gone", async () => {
  const harness = new Harness({ maxMemoryBytes: MEMORY });
  const client = harness.connect();
  const elements: string[] = [];
  for (
    const part of [numbered(60_000), ["x".repeat(500_000)], numbered(20_000, "more ")]
  ) {
    await fill(client, "k", part);
    elements.push(...part);
  }
  const backwards = elementsIn(await settled(client.send("RPOP k 30000\r\n")));
  assert.deepEqual(backwards, elements.splice(-30_000).toReversed());
  harness.store.assertInvariants();
  assert.deepEqual(elementsIn(await settled(client.send("LPOP k 1000000\r\n"))), elements);
  assert.equal(await client.send("EXISTS k\r\n"), ":0\r\n");
  harness.store.assertInvariants();
});

Deno.test("LPOS: long lists are looked through in slices, from both ends, however many match", async () => {
  const harness = new Harness({ maxMemoryBytes: MEMORY });
  const client = harness.connect();
  const elements = numbered(50_000).map((element, i) => i % 2 === 0 ? "same" : element);
  await fill(client, "k", elements);
  const ask = async (line: string) => await settled(client.send(`${line}\r\n`));
  assert.equal(await ask('LPOS k "element 49999"'), ":49999\r\n");
  assert.equal(await ask("LPOS k same RANK -1"), ":49998\r\n");
  assert.equal(await ask("LPOS k same RANK 20001"), ":40000\r\n");
  assert.equal(await ask("LPOS k same RANK -20001 MAXLEN 40001"), "$-1\r\n");
  assert.equal(await ask("LPOS k same RANK -3 COUNT 2"), "*2\r\n:49994\r\n:49992\r\n");
  assert.equal(await ask("LPOS k other COUNT 0"), "*0\r\n");
  const all = (await ask("LPOS k same COUNT 0")).split("\r\n:");
  assert.equal(all.length, 25_001);
  assert.equal(all[25_000], "49998\r\n");
  assert.equal(await ask("PING"), "+PONG\r\n");
  harness.store.assertInvariants();
});

Deno.test("LPOS: elements of megabytes are compared to their last byte", async () => {
  const harness = new Harness({ maxMemoryBytes: MEMORY });
  const client = harness.connect();
  const long = "x".repeat(800_000);
  for (const end of ["a", "b", "", "b"]) await client.send(request("RPUSH", "k", long + end));
  const ask = async (...words: string[]) => await settled(client.send(request(...words)));
  assert.equal(await ask("LPOS", "k", `${long}b`, "COUNT", "0"), "*2\r\n:1\r\n:3\r\n");
  assert.equal(await ask("LPOS", "k", `${long}c`), "$-1\r\n");
  assert.equal(await ask("LREM", "k", "-1", `${long}b`), ":1\r\n");
  assert.equal(await ask("LPOS", "k", `${long}b`, "COUNT", "0"), "*1\r\n:1\r\n");
  assert.equal(await ask("LLEN", "k"), ":3\r\n");
});

for (
  const [name, count, left] of [["all", 0, 0], ["first", 700, 700], ["last", -700, 700]] as const
) {
  Deno.test(`LREM: removes ${name} from a long list`, async () => {
    const harness = new Harness({ maxMemoryBytes: MEMORY });
    const client = harness.connect();
    const elements = numbered(20_000).map((element, i) => i % 14 < 1 ? "same" : element);
    await fill(client, "k", elements);
    const total = elements.filter((element) => element === "same").length;
    const removed = count === 0 ? total : left;
    assert.equal(await settled(client.send(`LREM k ${count} same\r\n`)), `:${removed}\r\n`);
    let togo = removed;
    const keep = (element: string) => element !== "same" || togo-- <= 0;
    const expected = count < 0
      ? elements.toReversed().filter(keep).toReversed()
      : elements.filter(keep);
    assert.deepEqual(elementsIn(await settled(client.send("LRANGE k 0 -1\r\n"))), expected);
    harness.store.assertInvariants();
  });
}

for (const others of ["RPUSH k same", "LPOP k", "DEL k", "SET k v"]) {
  Deno.test(`LREM and LINSERT: a list that others change meanwhile (${others}) loses nothing`, async () => {
    const harness = new Harness({ maxMemoryBytes: MEMORY });
    const client = harness.connect();
    const elements = numbered(30_000);
    for (let i = 0; i < elements.length; i += 100) elements[i] = "same";
    await fill(client, "k", elements);
    let removals = "";
    let insertions = "";
    const first = client.send("LREM k 0 same\r\n").then((reply) => removals = reply);
    const second = harness.connect().send('LINSERT k BEFORE "element 29999" new\r\n')
      .then((reply) => insertions = reply);
    let changes = 0;
    const busy = harness.connect();
    while (removals === "" || insertions === "") {
      await settled(busy.send(`${others}\r\n`));
      if (others !== "RPUSH k same" && others !== "LPOP k" && changes > 0) {
        await Promise.race([first, second]);
      }
      changes++;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    harness.store.assertInvariants();
    if (others === "DEL k") {
      assert.deepEqual([removals, insertions], [":0\r\n", ":0\r\n"]);
    } else if (others === "SET k v") {
      assert.match(removals, /^-WRONGTYPE/);
      assert.match(insertions, /^-WRONGTYPE/);
    } else {
      const list = elementsIn(await settled(client.send("LRANGE k 0 -1\r\n")));
      assert.equal(list.filter((element) => element === "new").length, 1);
      assert.equal(list[list.indexOf("element 29999") - 1], "new");
      const ownPushes = others === "LPOP k" ? 0 : changes;
      const popped = others === "LPOP k" ? changes : 0;
      const gone = Number(removals.slice(1));
      assert.equal(list.length, 30_000 + 1 + ownPushes - popped - gone);
      // What was pushed before the removal went with it, what came later is there.
      const tail = list.slice(list.indexOf("element 29999") + 1);
      assert.ok(tail.every((element) => element === "same"));
      assert.ok(list.slice(0, -tail.length || undefined).every((element) => element !== "same"));
    }
  });
}

Deno.test("LINSERT: finds its place in a long list", async () => {
  const harness = new Harness({ maxMemoryBytes: MEMORY });
  const client = harness.connect();
  await fill(client, "k", numbered(20_000));
  const ask = async (line: string) => await settled(client.send(`${line}\r\n`));
  assert.equal(await ask('LINSERT k AFTER "element 19998" a'), ":20001\r\n");
  assert.equal(await ask('LINSERT k before "element 0" b'), ":20002\r\n");
  assert.equal(await ask("LINSERT k BEFORE nowhere c"), ":-1\r\n");
  assert.equal(await ask("LRANGE k 0 0"), "*1\r\n$1\r\nb\r\n");
  assert.equal(await ask("LRANGE k -2 -1"), "*2\r\n$1\r\na\r\n$13\r\nelement 19999\r\n");
  harness.store.assertInvariants();
});

Deno.test("list writes: without memory nothing has changed and the reply is one error", async () => {
  const line = "x".repeat(3000);
  const commands = [
    request("RPUSH", "k", line, "b", line),
    request("LPUSH", "new", "a"),
    request("LSET", "k", "1", line),
    request("LINSERT", "k", "AFTER", "a", line),
    request("LMOVE", "k", "other", "LEFT", "RIGHT"),
    request("LMOVE", "k", "k", "LEFT", "RIGHT"),
    request("RPOPLPUSH", "k", "new"),
  ];
  for (const command of commands) {
    const harness = new Harness({ shardCount: 2 });
    const client = harness.connect();
    await client.send(request("RPUSH", "k", "a", line, "b", line));
    await client.send(request("RPUSH", "other", "c"));
    const state = "LRANGE k 0 -1\r\nLRANGE other 0 -1\r\nEXISTS new\r\n";
    const before = await client.send(state);
    let failures = 0;
    for (let k = 0; k < 50; k++) {
      harness.store.failAllocationAfter(k);
      const reply = await client.send(command);
      harness.store.failAllocationAfter(-1);
      if (!reply.startsWith("-OOM")) break;
      failures++;
      assert.equal(reply.split("\r\n").length, 2, "one error and nothing else");
      assert.equal(await client.send(state), before);
      harness.store.assertInvariants();
    }
    assert.ok(failures < 50, "the command succeeds in the end");
    harness.store.assertInvariants();
  }
});
