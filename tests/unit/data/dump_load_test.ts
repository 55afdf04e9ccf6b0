import assert from "node:assert/strict";
import { recoverStore } from "../../../src/data/data_store.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import {
  dumpOf,
  keysOf,
  linesOf,
  loadInto,
  NOW_MS,
  ROOM,
  TestFolder,
} from "../../helpers/data/directories.ts";

/** Bytes as they may be anywhere: text, numbers, anything. */
function anyBytes(random: Random, most: number): unknown {
  const length = random.below(most);
  switch (random.below(4)) {
    case 0:
      return String(random.below(2 ** 30) - 2 ** 29);
    case 1:
      return Array.from({ length }, () => 'aä€😀"\\\n\u2028\u0000'[random.below(8)]).join("")
        .toWellFormed();
    case 2:
      return "x".repeat(length);
    default: {
      const bytes = Uint8Array.from({ length: length + 1 }, () => random.below(256));
      bytes[0] = 0xff;
      return { base64: btoa(String.fromCharCode(...bytes)) };
    }
  }
}

const SCORES = [0, 1.5, -1e300, 5e-324, 2 ** 53, "inf", "-inf", 0.1];

function anyKey(random: Random, name: unknown): Record<string, unknown> {
  const type = ["string", "list", "hash", "set", "zset"][random.below(5)]!;
  const count = random.oneIn(12) ? 300 + random.below(1500) : 1 + random.below(12);
  const names = Array.from({ length: count }, (_, i) => `${i}:${random.below(1000)}`);
  const part = (): unknown => anyBytes(random, 40);
  const value = type === "string"
    ? anyBytes(random, random.oneIn(10) ? 30_000 : 60)
    : names.map((element) => {
      if (type === "list") return part();
      if (type === "set") return element;
      return [element, type === "hash" ? part() : SCORES[random.below(SCORES.length)]];
    });
  return {
    db: random.below(16),
    key: name,
    type,
    value,
    ...(random.oneIn(4) ? { expire_at_ms: NOW_MS + 1 + random.below(2 ** 40) } : {}),
    ...(type === "string" && random.oneIn(4) ? { balance: true } : {}),
  };
}

Deno.test("dump and load: what was loaded and dumped is the same bytes, whatever it is", async () => {
  const seed = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
  const random = new Random(seed);
  for (let round = 0; round < 6; round++) {
    const context = `seed ${seed}, round ${round}`;
    using folder = new TestFolder();
    const lines: unknown[] = [];
    const used = new Set<string>();
    for (let i = 0; i < 120; i++) {
      const name = random.oneIn(3) ? `user:${i}` : anyBytes(random, 30);
      const line = anyKey(random, name);
      if (used.size === used.add(JSON.stringify([line["db"], name])).size) continue;
      lines.push(line);
    }
    for (let i = 0; i < random.below(20); i++) {
      lines.push({
        event: {
          user: `u${i}ä`,
          action: "pay",
          amount: ["9223372036854775807", "-9223372036854775808", "0"][random.below(3)],
          ...(random.oneIn(2) ? { id: `id-${i}` } : {}),
          ...(random.oneIn(2)
            ? { fields: { sku: `s"ä${i}`, counts: [i, null, { a: -0.5 }] } }
            : {}),
          accepted_at_ms: 1_699_999_999_999.125 + i,
        },
      });
    }
    const first = folder.directory();
    const summary = await loadInto(first, [folder.file(linesOf(lines))]);
    assert.equal(summary.keyCount, used.size, context);
    const firstDump = dumpOf(first);
    const second = folder.directory();
    await loadInto(second, [folder.file(firstDump)]);
    assert.equal(dumpOf(second), firstDump, context);
    assert.deepEqual(keysOf(second), keysOf(first), context);
    // What was given is what came out, key by key.
    const given = new Map(
      lines.filter((line) => "key" in (line as object)).map((line) => {
        const { db, key, type, value, ...facts } = line as Record<string, unknown>;
        return [JSON.stringify([db, key]), JSON.stringify([type, sorted(type, value), facts])];
      }),
    );
    const found = new Map<string, string>();
    for (const line of firstDump.trimEnd().split("\n").slice(1, -1)) {
      const { db, key, type, value, ...facts } = JSON.parse(line);
      if (key === undefined) continue;
      assert.equal(facts.more, undefined, "what is short is one line");
      found.set(JSON.stringify([db, key]), JSON.stringify([type, sorted(type, value), facts]));
    }
    assert.deepEqual(found, given, context);
    const events = firstDump.split("\n").filter((line) => line.startsWith('{"event"'));
    const givenEvents = lines.filter((line) => "event" in (line as object));
    assert.deepEqual(events.map((line) => JSON.parse(line)), givenEvents, context);
  }
});

/** Sets and hashes have no order, and sorted sets have their own. */
function sorted(type: unknown, value: unknown): unknown {
  if (type === "string" || type === "list") return value;
  return (value as unknown[]).map((element) => JSON.stringify(element)).toSorted();
}

Deno.test("dump: a minus in front of a zero and infinite scores are kept", async () => {
  using folder = new TestFolder();
  const line = '{"db":3,"key":"z","type":"zset","value":[["c","-inf"],["a",-0],["b","inf"]]}\n';
  const directory = folder.directory();
  await loadInto(directory, [folder.file(line)]);
  assert.equal(dumpOf(directory).split("\n")[1], line.trim());
});

Deno.test("dump: text keeps what stands in front of it and looks like a byte order mark", async () => {
  using folder = new TestFolder();
  const line = { db: 0, key: "\ufeffk", type: "list", value: ["\ufeff", "\ufeff\u0000"] };
  const directory = folder.directory();
  await loadInto(directory, [folder.file(linesOf([line]))]);
  assert.deepEqual(JSON.parse(dumpOf(directory).split("\n")[1]!), line);
});

Deno.test("dump: what is long is several lines, which are one value again", async () => {
  using folder = new TestFolder();
  // A character of three bytes, so that no cut is between two of them by itself.
  const text = "€".repeat(1_000_000) + "end";
  const members = Array.from({ length: 60_000 }, (_, i) => [`member-${i}`, i / 3]);
  const directory = folder.directory();
  await loadInto(directory, [folder.file(linesOf([
    { db: 1, key: "long", type: "string", value: text, expire_at_ms: NOW_MS + 5 },
    { db: 1, key: "wide", type: "zset", value: members },
  ]))]);
  const dumped = dumpOf(directory);
  const lines = dumped.trimEnd().split("\n").slice(1, -1).map((line) => JSON.parse(line));
  const strings = lines.filter(({ key }) => key === "long");
  assert.equal(strings.map(({ value }) => value).join(""), text, "text stays text");
  assert.deepEqual(strings.map(({ more }) => more === true), [true, true, false]);
  assert.deepEqual(strings.map(({ expire_at_ms: ms }) => ms), [NOW_MS + 5, undefined, undefined]);
  const wide = lines.filter(({ key }) => key === "wide");
  assert.ok(wide.length > 4, `${wide.length} lines`);
  assert.deepEqual(wide.flatMap(({ value }) => value), members);
  assert.ok(Math.max(...dumped.split("\n").map(({ length }) => length)) < 1_500_000);
  const again = folder.directory();
  await loadInto(again, [folder.file(dumped)]);
  assert.equal(dumpOf(again), dumped);
});

Deno.test("dump: keys are in the order of their bytes, by database", async () => {
  using folder = new TestFolder();
  const random = new Random(7);
  const keys = new Set(["", "a", "ab", "ab\0", "abc", "abcd", "abcde", "abcdef\0", "b"]);
  while (keys.size < 400) keys.add("abcdefghij".slice(random.below(9)) + random.below(5000));
  const directory = folder.directory();
  const lines = [...keys].map((key) => ({ db: random.below(2), key, type: "string", value: "" }));
  await loadInto(directory, [folder.file(linesOf(lines))]);
  const found = dumpOf(directory).trimEnd().split("\n").slice(1, -1).map((line) => {
    const { db, key } = JSON.parse(line);
    return `${db} ${key}`;
  });
  assert.deepEqual(found, lines.map(({ db, key }) => `${db} ${key}`).toSorted());
});

Deno.test("dump: a database, a pattern; what has expired is left out", async () => {
  using folder = new TestFolder();
  const directory = folder.directory();
  const file = folder.file(linesOf([
    { db: 0, key: "user:1", type: "string", value: "a" },
    { db: 0, key: "other", type: "string", value: "b" },
    { db: 2, key: "user:2", type: "string", value: "c" },
    { db: 2, key: "gone", type: "string", value: "d", expire_at_ms: NOW_MS },
    { event: { user: "u", action: "a", amount: 5 } },
  ]));
  const { expiredCount, keyCount, eventCount } = await loadInto(directory, [file]);
  assert.deepEqual({ expiredCount, keyCount, eventCount }, {
    expiredCount: 1,
    keyCount: 3,
    eventCount: 1,
  });
  const keys = (text: string): string[] =>
    [...text.matchAll(/"key":"([^"]*)"/g)].map(([, k]) => k!);
  assert.deepEqual(keys(dumpOf(directory)), ["other", "user:1", "user:2"]);
  assert.deepEqual(keys(dumpOf(directory, { database: 2 })), ["user:2"]);
  const pattern = new TextEncoder().encode("user:*");
  const matching = dumpOf(directory, { pattern });
  assert.deepEqual(keys(matching), ["user:1", "user:2"]);
  assert.ok(!matching.includes('{"event"') && dumpOf(directory).includes('{"event"'));
  const part = folder.directory();
  await loadInto(part, [folder.file(matching)]);
  assert.deepEqual(keys(dumpOf(part)), ["user:1", "user:2"]);
});

const KEY = { db: 0, key: "k", type: "string", value: "v" };

const WRONG: readonly (readonly [name: string, text: string, problem: RegExp])[] = [
  ["no JSON", "{nothing}\n", /line 1: it is not JSON/],
  ["an array", '{"db":0}\n', /line 1: it is neither a key nor an event/],
  ["an unknown property", linesOf([KEY, { ...KEY, ttl: 5 }]), /line 2: a key has no "ttl"/],
  ["an unknown type", linesOf([{ ...KEY, type: "stream" }]), /there is no type "stream"/],
  ["half a character", '{"key":"\\ud800","type":"string","value":""}\n', /key is a string or/],
  ["wrong base64", linesOf([{ ...KEY, value: { base64: "a" } }]), /value is a string or/],
  ["a score that is none", linesOf([{ ...KEY, type: "zset", value: [["m", "1"]] }]), /a score is/],
  ["no array", linesOf([{ ...KEY, type: "list" }]), /the value of a collection is an array/],
  ["a time with a fraction", linesOf([{ ...KEY, expire_at_ms: 1.5 }]), /expire_at_ms is a whole/],
  ["a value that goes on nowhere", linesOf([{ ...KEY, more: true }]), /goes on nowhere/],
  ["a value that another follows", linesOf([{ ...KEY, more: true }, KEY]), /goes on here/],
  ["what continues nothing", linesOf([{ ...KEY, continued: true }]), /does not begin/],
  ["a dump without its end", linesOf([{ sluice_dump: 1 }, KEY]), /the dump is not whole/],
  [
    "a dump of which a line is missing",
    linesOf([{ sluice_dump: 1 }, KEY, { end: { keys: 2, events: 0 } }]),
    /line 3: the end says .* and 1 keys and 0 events/,
  ],
  ["a newer dump", linesOf([{ sluice_dump: 2 }]), /version 2; this program reads version 1/],
  [
    "an amount that is too large",
    linesOf([{ event: { user: "u", action: "a", amount: "9223372036854775808" } }]),
    /amount is a 64-bit/,
  ],
  ["something else", "hello\n", /it is no dump \(NDJSON\), and no RDB or AOF/],
];

for (const [name, text, problem] of WRONG) {
  Deno.test(`load: ${name} is an error that says where, and nothing is written`, async () => {
    using folder = new TestFolder();
    const directory = folder.directory();
    await assert.rejects(loadInto(directory, [folder.file(text)]), problem);
    assert.deepEqual(directory.list(), []);
  });
}

Deno.test("load: into a directory that has data only if told to, and then on top of it", async () => {
  using folder = new TestFolder();
  const directory = folder.directory();
  await loadInto(directory, [folder.file(linesOf([
    { ...KEY, balance: true },
    { ...KEY, key: "stays", value: "1" },
    { event: { user: "u", action: "a", amount: 1 } },
  ]))]);
  const before = dumpOf(directory);
  const more = folder.file(linesOf([
    { ...KEY, type: "list", value: ["1", "2"] },
    { event: { user: "u", action: "a", amount: 2 } },
  ]));
  await assert.rejects(loadInto(directory, [more]), /it has data already; --add/);
  assert.equal(dumpOf(directory), before);
  const bad = folder.file(linesOf([{ ...KEY, key: "new" }, { ...KEY, type: "x" }]));
  await assert.rejects(loadInto(directory, [more, bad], { isAdded: true }));
  assert.equal(dumpOf(directory), before, "a load that fails changes nothing");
  const summary = await loadInto(directory, [more], { isAdded: true });
  assert.deepEqual([summary.keyCount, summary.eventCount], [2, 2]);
  const lines = dumpOf(directory).trimEnd().split("\n").slice(1, -1);
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [
    { db: 0, key: "k", type: "list", value: ["1", "2"] },
    { db: 0, key: "stays", type: "string", value: "1" },
    { event: { user: "u", action: "a", amount: "1", accepted_at_ms: 0 } },
    { event: { user: "u", action: "a", amount: "2", accepted_at_ms: 0 } },
  ]);
});

Deno.test("load: what does not fit is an error that names the flag", async () => {
  using folder = new TestFolder();
  const value = "x".repeat(3_000_000);
  const lines = Array.from({ length: 8 }, (_, i) => ({ ...KEY, key: `k${i}`, value }));
  const file = folder.file(linesOf(lines));
  const directory = folder.directory();
  const tooMany = loadInto(directory, [file], { maxMemoryBytes: 8 * 2 ** 20 });
  await assert.rejects(tooMany, /do not fit the memory; give more with --max-memory/);
  const tooLong = await loadInto(directory, [file], { maxValueBytes: 1000 });
  assert.equal(tooLong.published, undefined);
  assert.match(tooLong.skipped[0]!.what, /above 1000 bytes \(see --max-value-bytes\)/);
  assert.deepEqual(directory.list(), []);
});

Deno.test("recovery: a value that is too large for the server is no damage, and names the flag", async () => {
  using folder = new TestFolder();
  for (
    const line of [
      { ...KEY, value: "x".repeat(3000) },
      { ...KEY, type: "hash", value: [["f", "x".repeat(3000)]] },
    ]
  ) {
    const directory = folder.directory();
    await loadInto(directory, [folder.file(linesOf([line]))]);
    assert.throws(
      () => recoverStore(directory, { ...ROOM, maxValueBytes: 1000 }),
      /is above 1000; give more with --max-value-bytes/,
    );
  }
});
