/** RDB files built by hand: what Redis 7.0 does not write, or does not read either. */

import assert from "node:assert/strict";
import { BytesSource } from "../../../src/migration/file_source.ts";
import { RdbReader } from "../../../src/migration/rdb_reader.ts";
import { latin1 } from "../../helpers/latin1.ts";
import {
  double,
  type Element,
  entry,
  int,
  intset,
  length,
  listpack,
  littleEndian,
  numberString,
  packedString,
  rdbFile,
  string,
  ziplist,
  zipmap,
} from "../../helpers/redis_files/builder.ts";
import { errorOf, readSnapshot, SlowSource } from "../../helpers/redis_files/contents.ts";

/** What a file of version 11 with this value at the key `k` gives. */
function valueOf(type: number, value: readonly number[]): unknown {
  const [key, ...others] = readSnapshot(rdbFile(11, entry(type, "k", value)));
  assert.deepEqual(others, []);
  return key!.value;
}

const WIDE: readonly Element[] = [
  ...[int(0, 0), int(127, 0), int(-1, 0), int(-4096, 0), int(-32768, 2), int(-8388608, 3)],
  ...[int(8388607, 3), int(-2147483648, 4), int(-9223372036854775808n, 8), "", "a".repeat(63)],
  ...["b".repeat(64), "c".repeat(127), "d".repeat(4095), "e".repeat(4096), "f".repeat(16384)],
];
const WIDE_TEXTS = WIDE.map((element) => typeof element === "string" ? element : `${element.int}`);

Deno.test("RdbReader: reads sets that are listpacks", () => {
  assert.deepEqual(valueOf(20, string(listpack(WIDE))), WIDE_TEXTS.toSorted());
  assert.deepEqual(valueOf(20, packedString(listpack(["a"], 65535))), ["a"]);
});

Deno.test("RdbReader: reads lists whose nodes are listpacks or elements", () => {
  const nodes = [
    ...[...length(4), 2, ...string(listpack(WIDE)), 1, ...string("alone")],
    ...[2, ...packedString(listpack(["x"])), 1, ...numberString(-7, 1)],
  ];
  assert.deepEqual(valueOf(18, nodes), [...WIDE_TEXTS, "alone", "x", "-7"]);
});

Deno.test("RdbReader: reads hashes and sorted sets that are listpacks", () => {
  const hash = listpack(["field", "value", int(1, 0), int(-300, 0)]);
  assert.deepEqual(valueOf(16, string(hash)), [["1", "-300"], ["field", "value"]]);
  const zset = listpack(["low", "-inf", "a", int(-5, 0), "b", "1e300"]);
  assert.deepEqual(valueOf(17, string(zset)), [["low", -Infinity], ["a", -5], ["b", 1e300]]);
});

Deno.test("RdbReader: an empty collection has no elements", () => {
  assert.deepEqual(valueOf(20, string(listpack([]))), []);
  assert.deepEqual(valueOf(10, string(ziplist([]))), []);
  assert.deepEqual(valueOf(11, string(intset(2, []))), []);
  assert.deepEqual(valueOf(9, string(zipmap([]))), []);
  assert.deepEqual(valueOf(18, length(0)), []);
});

Deno.test("RdbReader: gives a long string in pieces that are the string", () => {
  const content = latin1("0123456789".repeat(70_000));
  const value = [0x80, ...new Uint8Array(Uint32Array.of(content.length).buffer).toReversed()];
  const front = Uint8Array.from([...latin1("REDIS0004"), 0, ...string("k"), ...value]);
  const bytes = new Uint8Array([...front, ...content, 0, 1, 97, 1, 98, 255]);
  for (const source of [new BytesSource(bytes), new SlowSource(bytes)]) {
    const [long, short] = [...readSnapshot(source)];
    assert.deepEqual(latin1(long!.value as string), content);
    assert.equal(short!.value, "b");
  }
  const reader = new RdbReader(new BytesSource(bytes));
  const first = reader.next()!;
  assert.ok(first.kind === "string");
  assert.equal(first.byteCount, content.length);
  assert.ok(reader.offset < 100, "nothing of it is read before it is asked for");
  for (const piece of first.pieces) {
    assert.ok(piece.length < content.length, "it is not one piece");
    break;
  }
  assert.equal(reader.next()!.kind, "string", "what is left of it is passed over");
  assert.equal(reader.next(), undefined);
});

Deno.test("RdbReader: reads no more of a collection than is asked for", () => {
  const names = Array.from({ length: 1000 }, (_, i) => string(`name ${i}`)).flat();
  for (const [type, count] of [[1, 1000], [2, 1000], [4, 500]] as const) {
    const bytes = rdbFile(11, entry(type, "k", [...length(count), ...names]));
    const reader = new RdbReader(new BytesSource(bytes));
    const collection = reader.next()!;
    assert.ok(reader.offset < 20);
    const parts: Iterable<unknown> = collection.kind === "hash"
      ? collection.fields
      : collection.kind === "list" || collection.kind === "set"
      ? collection.elements
      : [];
    for (const _ of parts) break;
    assert.ok(reader.offset > 20 && reader.offset < 50);
    assert.equal([...parts].length, count - 1, "a loop that was left goes on");
    assert.equal(reader.next(), undefined);
  }
});

Deno.test("RdbReader: bytes that were given stay as they are", () => {
  const keys = Array.from({ length: 30_000 }, (_, i) => `key number ${i}`);
  const bytes = rdbFile(11, keys.flatMap((key) => entry(0, key, string(key))));
  const given = [...new RdbReader(new BytesSource(bytes))].map((each) => each.key!);
  given.forEach((key, i) => assert.deepEqual(key, latin1(keys[i]!)));
});

/** The number that a module's type has in files. */
function moduleId(name: string, version: number): number[] {
  const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let id = 0n;
  for (const character of name) id = (id << 6n) | BigInt(characters.indexOf(character));
  return length((id << 10n) | BigInt(version));
}

Deno.test("RdbReader: passes over streams, data of modules and functions, and says so", () => {
  const id = littleEndian(1, 16);
  const pending = [...id, ...littleEndian(2, 8), ...length(100_000)];
  const consumer = [...string("reader"), ...littleEndian(3, 16), 1, ...id];
  const group = [...string("group"), 1, 2, 3, 1, ...pending, 1, ...consumer];
  const node = [...string(id), ...packedString(listpack(["x"]))];
  const stream = [1, ...node, 1, ...length(2n ** 60n), 1, 0, 0, 0, 0, 9, 1, ...group];
  const id64 = moduleId("ReJSON-RL", 3);
  const parts = [
    ...[1, ...length(2n ** 63n), 2, 5, 3, ...littleEndian(0, 4), 4, ...double(1.5)],
    ...[5, ...string("text"), 5, ...packedString("packed"), 0],
  ];
  const found = readSnapshot(rdbFile(11, [
    ...entry(21, "stream", stream),
    ...[252, ...littleEndian(5000, 8)],
    ...entry(7, "module", [...id64, ...parts]),
    ...[247, ...id64, 2, 1, ...parts],
    ...[246, ...string("name"), ...string("LUA"), 1, ...string("about"), ...string("code")],
    ...[246, ...string("name"), ...string("LUA"), 0, ...string("code")],
    ...[245, ...string("code")],
    ...entry(0, "k", string("v")),
  ]));
  const types = found.map(({ key, type }) => `${key} ${type}`);
  assert.deepEqual(types, [
    "stream stream",
    "module module value ReJSON-RL",
    "(no key) module data ReJSON-RL",
    ...Array(3).fill("(no key) function library"),
    "k string",
  ]);
  assert.equal(found.at(-1)!.expireAtMs, 0, "the time was that of the module's value");
});

Deno.test("RdbReader: times before 1970 are long ago, not never", () => {
  const key = entry(0, "k", string("v"));
  const times = (bytes: number[]) =>
    readSnapshot(rdbFile(11, [...bytes, ...key, ...key])).map(({ expireAtMs }) => expireAtMs);
  assert.deepEqual(times([252, ...littleEndian(1_700_000_000_123, 8)]), [1_700_000_000_123, 0]);
  assert.deepEqual(times([253, ...littleEndian(1_700_000_000, 4)]), [1_700_000_000_000, 0]);
  assert.deepEqual(times([252, ...littleEndian(0, 8)]), [1, 0]);
  assert.deepEqual(times([252, ...littleEndian(-5000, 8)]), [1, 0]);
  assert.deepEqual(times([253, ...littleEndian(-1, 4)]), [1, 0]);
  assert.deepEqual(times([252, ...littleEndian(-1, 8)]), [0, 0]);
});

Deno.test("RdbReader: reads every version up to 11 and names what it does not read", () => {
  for (let version = 1; version <= 11; version++) {
    assert.equal(new RdbReader(new BytesSource(rdbFile(version, []))).version, version);
  }
  const head = (text: string): string => errorOf(latin1(`${text}\xff${"\0".repeat(8)}`));
  assert.equal(head("REDIS0012"), "5 expected an RDB version from 1 to 11, found 12");
  assert.equal(head("REDIS0000"), "5 expected an RDB version from 1 to 11, found 0");
  assert.equal(head("REDIS00x1"), '5 expected an RDB version from 1 to 11, found "00x1"');
  assert.equal(head("VALKEY080"), '0 expected "REDIS", found "VALKE"');
  const short =
    "expected 5 bytes of the first bytes of an RDB file, found the end of the file, at 3";
  assert.equal(errorOf(latin1("RED")), `0 ${short}`);
});

Deno.test("RdbReader: wants the checksum to be right, or 0", () => {
  const body = entry(0, "k", string("v"));
  const bytes = rdbFile(11, body);
  assert.equal(readSnapshot(rdbFile(11, body, false)).length, 1);
  bytes[bytes.length - 1]! ^= 1;
  assert.match(errorOf(bytes), /^15 expected the checksum [0-9a-f]{16}, found [0-9a-f]{16}$/);
  const longer = Uint8Array.from([...rdbFile(11, body), 42]);
  assert.equal(errorOf(longer), "23 expected the end of the file, found 1 more bytes");
});
