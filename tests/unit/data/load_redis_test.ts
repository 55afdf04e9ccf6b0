/** Files that Redis wrote, loaded: what Redis said was in them is here. */

import assert from "node:assert/strict";
import { MAX_EXPIRE_AT_MS } from "../../../src/store/store.ts";
import { toLatin1 } from "../../helpers/latin1.ts";
import { bytesFromJson } from "../../../src/data/json_bytes.ts";
import { dumpOf, loadInto, TestFolder } from "../../helpers/data/directories.ts";
import { readModel, type RecordedKey, REDIS_FILES } from "../../vectors/redis_model.ts";

const path = (name: string): string => decodeURIComponent(new URL(name, REDIS_FILES).pathname);

/** The moment at which the files are loaded: nothing in them has expired by then. */
const LONG_AGO_MS = 1;

const text = (value: unknown): string => toLatin1(bytesFromJson(value)!);

/** The keys of a dump as Redis was asked for them. */
function modelOf(dumped: string): Map<string, unknown> {
  const keys = new Map<string, unknown>();
  const values = new Map<string, unknown[]>();
  for (const line of dumped.trimEnd().split("\n").slice(1, -1)) {
    const { db, key, type, value, expire_at_ms = 0 } = JSON.parse(line);
    const name = `${db} ${text(key)}`;
    const parts = values.get(name) ?? [];
    parts.push(...type === "string" ? [value] : value);
    values.set(name, parts);
    if (!keys.has(name)) keys.set(name, { type, expireAtMs: expire_at_ms });
    Object.assign(keys.get(name) as object, { value: valueOf(type, parts) });
  }
  return keys;
}

function valueOf(type: string, parts: readonly unknown[]): unknown {
  if (type === "string") return parts.map(text).join("");
  if (type === "list") return parts.map(text);
  if (type === "set") return parts.map(text).toSorted();
  const pairs = parts as [unknown, unknown][];
  if (type === "hash") return pairs.map((pair) => pair.map(text)).toSorted();
  return byScore(pairs.map(([member, score]) => [text(member), scoreText(score)]));
}

/** Redis keeps the order of a file that has none. */
function byScore(members: [string, number][]): [string, number][] {
  return members.toSorted((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
}

/** As a number: Redis has other digits for some. */
const scoreText = (score: unknown): number => Number(String(score).replace("inf", "Infinity"));

/** The same of what Redis said. */
function expected(recorded: readonly RecordedKey[]): Map<string, unknown> {
  return new Map(
    recorded.filter(({ type }) => type !== "stream").map((
      { database, key, type, expireAtMs, value },
    ) => [`${database} ${key}`, {
      type,
      // No key expires later than in the year 10889 here.
      expireAtMs: Math.min(expireAtMs, MAX_EXPIRE_AT_MS),
      value: type === "zset"
        ? byScore((value as string[][]).map(([member, score]) => [member!, scoreText(score)]))
        : value,
    }]),
  );
}

const FILES = [
  { file: "snapshot.rdb", model: "snapshot" },
  { file: "unchecked.rdb", model: "snapshot" },
  { file: "version-3.rdb", model: "version-3" },
  { file: "version-9.rdb", model: "version-9" },
  { file: "log-with-commands", model: "log-with-commands" },
  { file: "log-with-snapshot", model: "log-with-snapshot" },
];

for (const { file, model } of FILES) {
  Deno.test(`load: has what Redis had in ${file}`, async () => {
    using folder = new TestFolder();
    const directory = folder.directory();
    const summary = await loadInto(directory, [path(file)], {
      skipsUnsupported: true,
      nowMs: LONG_AGO_MS,
    });
    const recorded = await readModel(model);
    const found = modelOf(dumpOf(directory));
    assert.deepEqual(found, expected(recorded));
    const streams = recorded.filter(({ type }) => type === "stream").length;
    const told = summary.skipped.find(({ what }) => /streams|XADD/.test(what))?.count ?? 0;
    assert.ok(streams === 0 || told > 0, "streams are told of");
  });
}

Deno.test("load: what has no place here is told, and nothing is written unless that is wanted", async () => {
  using folder = new TestFolder();
  const directory = folder.directory();
  const summary = await loadInto(directory, [path("snapshot.rdb")], { nowMs: LONG_AGO_MS });
  assert.equal(summary.published, undefined);
  assert.deepEqual(
    summary.skipped.map(({ what }) => what).toSorted(),
    ["libraries of functions", "streams"],
  );
  assert.deepEqual(directory.list(), []);
});

const encoder = new TextEncoder();

/** A log with these commands. */
function logOf(...commands: readonly (string | Uint8Array)[][]): Uint8Array {
  const parts: number[] = [];
  for (const words of commands) {
    parts.push(...encoder.encode(`*${words.length}\r\n`));
    for (const word of words) {
      const bytes = typeof word === "string" ? encoder.encode(word) : word;
      parts.push(...encoder.encode(`$${bytes.length}\r\n`), ...bytes, 13, 10);
    }
  }
  return Uint8Array.from(parts);
}

const keysIn = (dumped: string): unknown[] =>
  dumped.trimEnd().split("\n").slice(1, -1).map((line) => JSON.parse(line));

Deno.test("load: commands of all kinds are executed as a server would, in their databases", async () => {
  using folder = new TestFolder();
  const directory = folder.directory();
  const file = folder.file(logOf(
    ["SELECT", "0"],
    ["SET", "n", "41"],
    ["INCR", "n"],
    ["APPEND", "n", "0"],
    ["RPUSH", "l", "a", "b", "c"],
    ["LINSERT", "l", "BEFORE", "b", "x"],
    ["LTRIM", "l", "1", "2"],
    ["SELECT", "5"],
    ["HSET", "h", "f", "1", "g", "2"],
    ["HDEL", "h", "g"],
    ["ZADD", "z", "1", "m", "inf", "n"],
    ["ZINCRBY", "z", "0.5", "m"],
    ["MULTI"],
    ["SADD", "s", "1", "2"],
    ["SREM", "s", "2"],
    ["EXEC"],
    ["COPY", "s", "t", "DB", "0"],
    ["SETBIT", "bits", "7", "1"],
    ["SWAPDB", "0", "1"],
  ));
  const { skipped, files } = await loadInto(directory, [file]);
  assert.deepEqual(skipped, []);
  assert.deepEqual([files[0]!.kind, files[0]!.commandCount], ["AOF", 15]);
  assert.deepEqual(keysIn(dumpOf(directory)), [
    { db: 1, key: "l", type: "list", value: ["x", "b"] },
    { db: 1, key: "n", type: "string", value: "420" },
    { db: 1, key: "t", type: "set", value: ["1"] },
    { db: 5, key: "bits", type: "string", value: "\u0001" },
    { db: 5, key: "h", type: "hash", value: [["f", "1"]] },
    { db: 5, key: "s", type: "set", value: ["1"] },
    { db: 5, key: "z", type: "zset", value: [["m", 1.5], ["n", "inf"]] },
  ]);
});

Deno.test("load: whether a key has expired is decided at the end of the log", async () => {
  using folder = new TestFolder();
  const directory = folder.directory();
  const nowMs = Date.now();
  const file = folder.file(logOf(
    ["SET", "was kept", "v", "PXAT", "1000"],
    ["PERSIST", "was kept"],
    ["SET", "gone", "v", "PXAT", "1000"],
    ["RPUSH", "list", "a"],
    ["PEXPIREAT", "list", "1000"],
    ["RPUSH", "list", "b"],
    ["PEXPIREAT", "list", String(nowMs + 1e9)],
    ["SET", "from now on", "v", "EX", "1000"],
    ["SETEX", "from now on, too", "1000", "v"],
    ["SET", "much later", "v", "PXAT", "4503599627370496"],
    ["SET", "much later, too", "v"],
    ["PEXPIREAT", "much later, too", "4503599627370496"],
  ));
  const { expiredCount, skipped } = await loadInto(directory, [file], { nowMs });
  assert.deepEqual([expiredCount, skipped], [1, []]);
  const keys = keysIn(dumpOf(directory)) as { key: string; expire_at_ms?: number }[];
  assert.deepEqual(keys.map(({ key }) => key), [
    "from now on",
    "from now on, too",
    "list",
    "much later",
    "much later, too",
    "was kept",
  ]);
  for (const { expire_at_ms: ms } of keys.slice(0, 2)) {
    assert.ok(ms! >= nowMs + 999_000 && ms! <= Date.now() + 1_001_000);
  }
  assert.deepEqual(
    keys.slice(2).map(({ expire_at_ms: ms }) => ms),
    [nowMs + 1e9, MAX_EXPIRE_AT_MS, MAX_EXPIRE_AT_MS, undefined],
  );
});

Deno.test("load: commands that are not known here, change no data or fail are counted", async () => {
  using folder = new TestFolder();
  const file = folder.file(logOf(
    ["XADD", "stream", "*", "f", "v"],
    ["XADD", "stream", "*", "f", "w"],
    ["SHUTDOWN", "NOSAVE"],
    ["SET", "k", "v"],
    ["LPUSH", "k", "v"],
    ["SELECT", "99"],
    ["SET", "far", "v"],
  ));
  const refused = folder.directory();
  const { published, skipped } = await loadInto(refused, [file]);
  assert.equal(published, undefined);
  assert.deepEqual(skipped, [
    { what: "commands XADD", count: 2, example: "stream" },
    { what: "commands SHUTDOWN", count: 1, example: "NOSAVE" },
    { what: "commands LPUSH that failed", count: 1, example: "k" },
    { what: "databases above 15", count: 1, example: "far" },
  ]);
  assert.deepEqual(refused.list(), []);
  const taken = folder.directory();
  await loadInto(taken, [file], { skipsUnsupported: true });
  assert.deepEqual(keysIn(dumpOf(taken)), [{ db: 0, key: "k", type: "string", value: "v" }]);
});

Deno.test("load: values as Redis's DUMP has them are restored", async () => {
  using folder = new TestFolder();
  // DUMP of Redis 7.0: "hello", and a list of "a", "b".
  const footer = new Uint8Array(10);
  const hello = Uint8Array.from([0, 5, ...encoder.encode("hello"), ...footer]);
  const list = Uint8Array.from([1, 2, 1, 97, 1, 98, ...footer]);
  const directory = folder.directory();
  const file = folder.file(logOf(
    ["RESTORE", "text", "0", hello],
    ["restore", "list", "99999999999999", list, "REPLACE", "ABSTTL"],
    ["RESTORE", "nothing", "0", Uint8Array.from([0, 9, 1, ...footer])],
  ));
  const { skipped } = await loadInto(directory, [file], { skipsUnsupported: true });
  assert.deepEqual(skipped, [{ what: "RESTORE that failed", count: 1, example: "nothing" }]);
  assert.deepEqual(keysIn(dumpOf(directory)), [
    { db: 0, key: "list", type: "list", value: ["a", "b"], expire_at_ms: 99999999999999 },
    { db: 0, key: "text", type: "string", value: "hello" },
  ]);
});

Deno.test("load: a log that ends within a command is loaded up to it, and that is told", async () => {
  using folder = new TestFolder();
  const whole = logOf(["SET", "a", "1"], ["SET", "b", "2"]);
  const directory = folder.directory();
  const file = folder.file(whole.subarray(0, whole.length - 3));
  const { files } = await loadInto(directory, [file]);
  assert.equal(files[0]!.tornBytes, whole.length / 2 - 3);
  assert.equal(keysIn(dumpOf(directory)).length, 1);
});

Deno.test("load: damage in a file of Redis is told with its place, and nothing is written", async () => {
  using folder = new TestFolder();
  const bytes = await Deno.readFile(path("version-9.rdb"));
  bytes[bytes.length - 20]! ^= 1;
  const directory = folder.directory();
  await assert.rejects(loadInto(directory, [folder.file(bytes)]), /Cannot read .*: at byte \d+/);
  assert.deepEqual(directory.list(), []);
});

Deno.test("load: what redis-cli appends to a file that it sends on is left out", async () => {
  using folder = new TestFolder();
  const file = await Deno.readFile(path("version-9.rdb"));
  const mark = encoder.encode("0123456789abcdef0123456789abcdef01234567");
  const marked = new Uint8Array([...file, ...mark]);
  const options = { nowMs: LONG_AGO_MS, skipsUnsupported: true };
  const [first, second] = [folder.directory(), folder.directory()];
  await loadInto(first, [folder.file(file)], options);
  await loadInto(second, [folder.file(marked)], options);
  assert.equal(dumpOf(second), dumpOf(first));
  const other = folder.file(new Uint8Array([...file, ...mark.fill(0x7a)]));
  await assert.rejects(loadInto(folder.directory(), [other], options), /expected \*/);
});

Deno.test("load: standard input may be any of the files", async () => {
  using folder = new TestFolder();
  const contents: readonly (readonly [string, Uint8Array])[] = [
    ["NDJSON", encoder.encode('{"key":"k","type":"string","value":"v"}\n')],
    ["AOF", logOf(["SET", "k", "v"])],
    ["RDB", await Deno.readFile(path("version-3.rdb"))],
  ];
  for (const [kind, bytes] of contents) {
    let at = 0;
    const standardInput = (target: Uint8Array): number => {
      const part = bytes.subarray(at, at + Math.min(7, target.length));
      target.set(part);
      at += part.length;
      return part.length;
    };
    const { files, keyCount } = await loadInto(folder.directory(), ["-"], {
      standardInput,
      nowMs: LONG_AGO_MS,
    });
    assert.equal(files[0]!.kind, kind);
    assert.equal(files[0]!.byteCount, bytes.length);
    assert.ok(keyCount > 0);
  }
});
