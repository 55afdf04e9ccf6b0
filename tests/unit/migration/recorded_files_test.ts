/** Files that Redis 7.0 wrote, and what it said was in them. */

import assert from "node:assert/strict";
import { RedisFiles } from "../../../src/migration/redis_files.ts";
import { DiskSource } from "../../../src/migration/file_source.ts";
import { RdbReader } from "../../../src/migration/rdb_reader.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { toLatin1 } from "../../helpers/latin1.ts";
import {
  comparable,
  errorOf,
  failureOf,
  type FoundKey,
  foundKey,
  NO_KEY,
  readLog,
  readSnapshot,
  SlowSource,
} from "../../helpers/redis_files/contents.ts";
import { say } from "../../helpers/say.ts";
import { readModel, REDIS_FILES } from "../../vectors/redis_model.ts";

const path = (name: string): string => decodeURIComponent(new URL(name, REDIS_FILES).pathname);

function withoutLibraries(keys: readonly FoundKey[]): FoundKey[] {
  return keys.filter(({ type }) => type !== "function library");
}

const SNAPSHOTS = [
  { name: "snapshot", model: "snapshot", libraryCount: 1 },
  { name: "unchecked", model: "snapshot", libraryCount: 1 },
  { name: "version-3", model: "version-3", libraryCount: 0 },
  { name: "version-9", model: "version-9", libraryCount: 0 },
];

for (const { name, model: modelName, libraryCount } of SNAPSHOTS) {
  Deno.test(`RdbReader: gives what Redis had in ${name}.rdb`, async () => {
    const bytes = await Deno.readFile(path(`${name}.rdb`));
    const found = readSnapshot(bytes);
    const model = await readModel(modelName);
    assert.deepEqual(comparable(withoutLibraries(found)), comparable(model));
    assert.equal(found.length, model.length + libraryCount, "a library of functions is told of");
  });

  Deno.test(`RdbReader: gives the same of ${name}.rdb from a disk and byte by byte`, async () => {
    const bytes = await Deno.readFile(path(`${name}.rdb`));
    const whole = readSnapshot(bytes);
    assert.deepEqual(readSnapshot(new SlowSource(bytes)), whole);
    using file = DiskSource.open(path(`${name}.rdb`));
    assert.deepEqual(readSnapshot(file), whole);
  });
}

Deno.test("RdbReader: passes over what was not read of an entry", async () => {
  const bytes = await Deno.readFile(path("snapshot.rdb"));
  const whole = readSnapshot(bytes);
  const reader = new RdbReader(new SlowSource(bytes));
  const keys: string[] = [];
  for (const entry of reader) {
    keys.push(entry.key === undefined ? NO_KEY : toLatin1(entry.key));
    // A loop that is left early does not end the reading of the file.
    if (entry.kind === "hash") { for (const _ of entry.fields) break; }
    if (entry.kind === "list") { for (const _ of entry.elements) break; }
    if (entry.kind === "sorted_set") { for (const _ of entry.members) break; }
  }
  assert.deepEqual(keys, whole.map(({ key }) => key));
  assert.equal(reader.version, 10);
  assert.equal(reader.facts.get("redis-ver"), "7.0.15");
  assert.equal(reader.offset, bytes.length);
});

/** Puts the effect of a logged command into `keys`, by database and key. */
function apply(keys: Map<string, FoundKey>, database: number, words: readonly string[]): void {
  const [name, key, ...rest] = words as [string, string, ...string[]];
  const place = `${database} ${key}`;
  const inPairs = rest.flatMap((text, i) => i % 2 === 0 ? [[text, rest[i + 1]!]] : []);
  const put = (type: string, value: unknown): void => {
    keys.set(place, { database, key, type, expireAtMs: keys.get(place)?.expireAtMs ?? 0, value });
  };
  const former = <T>(): T[] => (keys.get(place)?.value ?? []) as T[];
  switch (name) {
    case "SET":
      keys.delete(place);
      put("string", rest[0]);
      if (rest[1] === "PXAT") keys.get(place)!.expireAtMs = Number(rest[2]);
      return;
    case "RPUSH":
      return put("list", [...former<string>(), ...rest]);
    case "SADD":
      return put("set", [...former<string>(), ...rest].toSorted());
    case "HSET":
    case "HMSET":
      return put("hash", [...former<string[]>(), ...inPairs].toSorted());
    case "ZADD":
      return put("zset", [...former<string[]>(), ...inPairs.map((pair) => pair.toReversed())]);
    case "PEXPIREAT":
      keys.get(place)!.expireAtMs = Number(rest[0]);
      return;
    case "DEL":
      keys.delete(place);
      return;
  }
  assert.fail(`${name} was not recorded`);
}

function replay(files: RedisFiles): FoundKey[] {
  const keys = new Map<string, FoundKey>();
  for (const item of files.read()) {
    assert.notEqual(item.kind, "torn");
    if (item.kind === "command") apply(keys, item.database, item.arguments.map(toLatin1));
    else if (item.kind !== "torn") {
      const found = foundKey(item);
      keys.set(`${found.database} ${found.key}`, found);
    }
  }
  return [...keys.values()];
}

for (const name of ["log-with-commands", "log-with-snapshot"]) {
  Deno.test(`RedisFiles: gives what Redis had in ${name}/`, async () => {
    const model = comparable(await readModel(name));
    for (const start of [name, `${name}/appendonly.aof.manifest`]) {
      using files = RedisFiles.open(path(start));
      assert.equal(files.sources.length, 2, "history is not opened");
      assert.deepEqual(comparable(replay(files)), model);
      const reader = files.read();
      while (reader.next() !== undefined);
      assert.equal(reader.bytesRead, files.byteCount);
      assert.equal(reader.facts.get("redis-ver"), name.endsWith("snapshot") ? "7.0.15" : undefined);
    }
  });
}

Deno.test("RedisFiles: reads a log of one file with a snapshot in front, as Redis 4 to 6 wrote it", async () => {
  const folder = path("log-with-snapshot/appendonly.aof.2.");
  const bytes = [
    ...await Deno.readFile(`${folder}base.rdb`),
    ...await Deno.readFile(`${folder}incr.aof`),
  ];
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, Uint8Array.from(bytes));
    using files = RedisFiles.open(file);
    assert.deepEqual(comparable(replay(files)), comparable(await readModel("log-with-snapshot")));
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("AofReader: reads the recorded files byte by byte, and notices wherever they end", async () => {
  const file = (name: string) => Deno.readFile(path(`log-with-snapshot/appendonly.aof.2.${name}`));
  const base = await file("base.rdb");
  const increment = await file("incr.aof");
  const whole = readLog(base, increment);
  assert.deepEqual(readLog(new SlowSource(base), new SlowSource(increment)), whole);
  const commands = readLog(increment);
  for (let end = 1; end < base.length; end++) {
    assert.notEqual(failureOf(() => readLog(base.slice(0, end))), "(none)", `cut at ${end}`);
  }
  let tornCount = 0;
  for (let end = 0; end < increment.length; end++) {
    const found = readLog(increment.slice(0, end));
    const isTorn = found.at(-1)?.startsWith("torn") === true;
    if (isTorn) tornCount++;
    const given = isTorn ? found.slice(0, -1) : found;
    assert.deepEqual(given, commands.slice(0, given.length), `cut at ${end}`);
  }
  assert.ok(tornCount > increment.length - 40, "all but between commands");
});

Deno.test("RdbReader: a recorded file that ends too early is an error", async () => {
  const seed = Date.now() >>> 0;
  say(`seed ${seed}`);
  const random = new Random(seed);
  for (const { name } of SNAPSHOTS) {
    const bytes = await Deno.readFile(path(`${name}.rdb`));
    for (let i = 0; i < 40; i++) {
      const end = random.below(bytes.length);
      assert.notEqual(errorOf(bytes.slice(0, end)), "(none)", `${name}.rdb cut at ${end}`);
    }
  }
});
