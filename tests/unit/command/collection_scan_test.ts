import assert from "node:assert/strict";
import fc from "fast-check";
import { matchesGlobBytes } from "../../../src/base/glob.ts";
import { LongGlobMatch } from "../../../src/command/glob_match.ts";
import type { ElementView } from "../../../src/store/collection/element.ts";
import { EntryType } from "../../../src/store/store.ts";
import { Dice, open } from "../store/collection_helpers.ts";
import { Harness, latin1, request, settled, type TestClient } from "./harness.ts";
import { effort } from "../../helpers/effort.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));

interface Page {
  readonly cursor: string;
  readonly words: readonly string[];
}

async function scan(client: TestClient, ...words: string[]): Promise<Page> {
  const reply = await settled(client.send(request(...words)));
  const [, cursor] = reply.match(/^\*2\r\n\$\d+\r\n(\d+)\r\n/) ?? assert.fail(reply);
  const found: string[] = [];
  let at = reply.indexOf("*", 1);
  for (at = reply.indexOf("\r\n", at) + 2; at < reply.length;) {
    const lineEnd = reply.indexOf("\r\n", at);
    const end = lineEnd + 2 + Number(reply.slice(at + 1, lineEnd));
    found.push(reply.slice(lineEnd + 2, end));
    at = end + 2;
  }
  return { cursor: cursor!, words: found };
}

async function scanAll(client: TestClient, ...words: string[]): Promise<string[]> {
  const found: string[] = [];
  let cursor = "0";
  do {
    const page = await scan(client, words[0]!, words[1]!, cursor, ...words.slice(2));
    found.push(...page.words);
    cursor = page.cursor;
  } while (cursor !== "0");
  return found;
}

/** A kind of collection that is scanned. */
interface Scanned {
  readonly scan: string;
  readonly add: string;
  readonly remove: string;
  readonly type: EntryType;
  /** What stands behind an element in a reply. */
  readonly partner?: (name: string) => string;
  /** The words that add an element. */
  readonly words: (name: string) => string[];
}

const SCANNED: readonly Scanned[] = [
  {
    ...{ scan: "HSCAN", add: "HSET", remove: "HDEL", type: EntryType.HASH },
    partner: (name) => `of ${name}`,
    words: (name) => [name, `of ${name}`],
  },
  {
    ...{ scan: "SSCAN", add: "SADD", remove: "SREM", type: EntryType.SET },
    words: (name) => [name],
  },
  {
    ...{ scan: "ZSCAN", add: "ZADD", remove: "ZREM", type: EntryType.SORTED_SET },
    partner: (name) => `${name.length}.25`,
    words: (name) => [`${name.length}.25`, name],
  },
];

const ALL = Array.from({ length: 900 }, (_, i) => `come${i}`);

/** Adds members to a collection, or takes them away. */
async function change(
  client: TestClient,
  { add, remove, words }: Scanned,
  adds: boolean,
  names: readonly string[],
): Promise<void> {
  if (adds) await client.send(request(add, "k", ...names.flatMap(words)));
  else await client.send(request(remove, "k", ...names));
}

/** Changes a collection at random, but not its members called `stay…`; now and then almost all. */
async function disturb(client: TestClient, kind: Scanned, dice: Dice): Promise<void> {
  const choice = dice.roll(8);
  const names = choice < 2
    ? ALL
    : Array.from({ length: 1 + dice.roll(40) }, () => `come${dice.roll(900)}`);
  const adds = choice === 0 || (choice > 1 && dice.roll(2) === 0);
  await change(client, kind, adds, names);
}

for (const kind of SCANNED) {
  const { scan: name, partner } = kind;
  for (const stays of [3, 40, 700]) {
    Deno.test(`${name}: returns what is there throughout, ${stays} of it, whatever comes and goes`, async () => {
      const harness = new Harness({ maxMemoryBytes: 16 * 2 ** 20 });
      const client = harness.connect();
      const dice = new Dice(SEED);
      const staying = Array.from({ length: stays }, (_, i) => `stay${i}`);
      await client.send(request(kind.add, "k", ...staying.flatMap(kind.words)));
      const encodings = new Set<boolean>();
      for (let round = 0; round < effort(15, 40); round++) {
        // Chance alone leaves it large in one run of a hundred.
        if (round % 10 === 0) {
          await change(client, kind, round % 20 === 10, ALL);
          encodings.add(open(harness.store, "k", kind.type, 7).isPacked);
        }
        const seen = new Set<string>();
        let cursor = "0";
        do {
          const count = String(1 + dice.roll(30));
          const page = await scan(client, name, "k", cursor, "COUNT", count);
          for (let i = 0; i < page.words.length; i += partner === undefined ? 1 : 2) {
            const word = page.words[i]!;
            if (partner !== undefined) assert.equal(page.words[i + 1], partner(word));
            seen.add(word);
          }
          cursor = page.cursor;
          await disturb(client, kind, dice);
          encodings.add(open(harness.store, "k", kind.type, 7).isPacked);
        } while (cursor !== "0");
        for (const word of staying) assert.ok(seen.has(word), `SLUICE_SEED=${SEED}: ${word}`);
        harness.store.assertInvariants();
      }
      if (stays < 40) assert.equal(encodings.size, 2, "it was small and large");
    });
  }
}

Deno.test("HSCAN: MATCH compares fields of any length and bytes of any value", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20, maxRequestBytes: 2 ** 22 });
  const client = harness.connect(2 ** 20);
  const long = "ab".repeat(200_000);
  const fields = [long, `${long}c`, "ab", "ab\xff\x00", "xyz", "x".repeat(900)];
  await client.send(latin1(request("HSET", "k", ...fields.flatMap((each) => [each, "v"]))));
  const matching = async (pattern: string) => {
    const words = await scanAll(client, "HSCAN", "k", "MATCH", pattern);
    assert.ok(words.every((word, i) => i % 2 === 0 || word === "v"));
    return words.filter((_, i) => i % 2 === 0).toSorted();
  };
  assert.deepEqual(await matching("ab*"), [long, `${long}c`, "ab", "ab\xff\x00"].toSorted());
  assert.deepEqual(await matching("*c"), [`${long}c`]);
  assert.deepEqual(
    await matching("*[^b]"),
    [`${long}c`, "ab\xff\x00", "x".repeat(900), "xyz"].toSorted(),
  );
  assert.deepEqual(await matching("ab\xff?"), ["ab\xff\x00"]);
  assert.deepEqual(await matching("*"), fields.toSorted());
  assert.deepEqual(await matching("nothing*"), []);
  const tooLong = await client.send(request("HSCAN", "k", "0", "MATCH", "a".repeat(1025)));
  assert.equal(tooLong, "-ERR a pattern must have at most 1024 bytes\r\n");
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().leases, 0);
});

Deno.test("SSCAN: a pattern that takes long against a long member leaves others their turn", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20, maxRequestBytes: 2 ** 22 });
  const client = harness.connect(2 ** 20);
  await client.send(request("SADD", "k", "a".repeat(80_000), "b"));
  let isDone = false;
  const pattern = `*${"a".repeat(300)}b`;
  const scanning = settled(harness.ask(request("SSCAN", "k", "0", "MATCH", pattern)))
    .finally(() => isDone = true);
  let turns = 0;
  while (!isDone) {
    assert.match(await client.send(request("SADD", "k", `other${turns++}`)), /^:1/);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(await scanning, "*2\r\n$1\r\n0\r\n*0\r\n");
  assert.ok(turns > 5, "others wrote to the set meanwhile");
  harness.store.assertInvariants();
});

Deno.test("ZSCAN: long members are compared without the lock, and keep their scores", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20, maxRequestBytes: 2 ** 22 });
  const client = harness.connect(2 ** 20);
  const long = "ab".repeat(200_000);
  const members = [
    long,
    `${long}c`,
    "ab",
    "xyz",
    ...Array.from({ length: 300 }, (_, i) => `m${i}`),
  ];
  for (const [i, member] of members.entries()) {
    assert.equal(await client.send(request("ZADD", "k", `${i}.5`, member)), ":1\r\n");
  }
  const matching = async (pattern: string) => {
    const words = await scanAll(client, "ZSCAN", "k", "MATCH", pattern);
    return new Map(words.flatMap((word, i) => i % 2 === 0 ? [[word, words[i + 1]!]] : []));
  };
  assert.deepEqual(await matching("*c"), new Map([[`${long}c`, "1.5"]]));
  const found = await matching("ab*");
  assert.deepEqual([...found].toSorted(), [["ab", "2.5"], [long, "0.5"], [`${long}c`, "1.5"]]);
  assert.equal((await matching("*")).size, members.length);
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().leases, 0);
});

Deno.test("SSCAN: inside a transaction long members are compared at once", async () => {
  const harness = new Harness();
  const client = harness.connect(2 ** 16);
  await client.send(request("SADD", "k", "a".repeat(5000)));
  await client.send("MULTI\r\nSSCAN k 0 MATCH a*a\r\nSSCAN k 0 MATCH b*\r\n");
  assert.equal(
    await settled(client.send("EXEC\r\n")),
    `*2\r\n*2\r\n$1\r\n0\r\n*1\r\n$5000\r\n${"a".repeat(5000)}\r\n*2\r\n$1\r\n0\r\n*0\r\n`,
  );
});

Deno.test("LongGlobMatch: agrees with the match at one go, however it is cut", () => {
  const text = fc.stringMatching(/^[ab]{0,60}$/);
  const pattern = fc.stringMatching(/^([ab?*]|\[ab\]|\[\^a\]|\\a){0,12}$/);
  fc.assert(
    fc.property(text, pattern, fc.integer({ min: 1, max: 50 }), (value, glob, step) => {
      const bytes = latin1(value.repeat(600));
      const view = {
        byteCount: bytes.length,
        copyRange: (from: number, to: number, target: Uint8Array, offset: number) =>
          target.set(bytes.subarray(from, to), offset),
      } as ElementView;
      const match = new LongGlobMatch(latin1(glob), view);
      let result: boolean | undefined;
      while ((result = match.advance(step * 100)) === undefined);
      assert.equal(result, matchesGlobBytes(latin1(glob), bytes, 0, bytes.length));
    }),
    { numRuns: 300, seed: SEED },
  );
});
