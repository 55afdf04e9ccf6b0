/** RDB files that are damaged, or were made to do harm. */

import assert from "node:assert/strict";
import { BytesSource } from "../../../src/migration/file_source.ts";
import { RdbReader } from "../../../src/migration/rdb_reader.ts";
import { DEFAULT_LIMITS } from "../../../src/migration/rdb_strings.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import {
  double,
  entry,
  int,
  intset,
  length,
  listpack,
  littleEndian,
  packedString,
  rdbFile,
  string,
  ziplist,
  zipmap,
} from "../../helpers/redis_files/builder.ts";
import {
  errorOf,
  failureOf,
  readSnapshot,
  SlowSource,
} from "../../helpers/redis_files/contents.ts";
import { say } from "../../helpers/say.ts";
import { REDIS_FILES } from "../../vectors/redis_model.ts";

/** The error that a value of this type gives, which begins at byte 12. */
function valueErrorOf(type: number, value: readonly number[]): string {
  return errorOf(rdbFile(11, entry(type, "k", value)));
}

/** The bytes with some of them replaced. */
function changed(bytes: readonly number[], at: number, ...others: number[]): number[] {
  return bytes.toSpliced(at, others.length, ...others);
}

Deno.test("RdbReader: does not believe lengths", () => {
  const tera = length(2n ** 40n);
  const found = "found 1099511627776, and 9 more bytes";
  assert.equal(
    valueErrorOf(0, tera),
    "21 expected a string of 1099511627776 bytes, found 9 more bytes",
  );
  assert.equal(valueErrorOf(1, tera), `12 expected a number of elements, ${found}`);
  assert.equal(valueErrorOf(4, tera), `12 expected a number of fields, ${found}`);
  assert.equal(valueErrorOf(5, tera), `12 expected a number of members, ${found}`);
  assert.equal(valueErrorOf(14, tera), `12 expected a number of nodes of a list, ${found}`);
  assert.equal(valueErrorOf(15, tera), `12 expected a number of nodes of a stream, ${found}`);
  const most = "a string of at most 536870912 bytes";
  assert.equal(valueErrorOf(10, tera), `21 expected ${most}, found one of 1099511627776`);
  assert.equal(
    valueErrorOf(0, [0xc3, 1, ...tera]),
    `12 expected ${most}, found one of 1099511627776`,
  );
  assert.equal(
    valueErrorOf(0, [0xc3, 5, ...length(441), 0, 0, 0, 0, 0]),
    "12 expected a compressed string, found the length 441 for 5 bytes",
  );
  assert.match(
    valueErrorOf(1, [1, 60]),
    /^14 expected 60 bytes of a string, found the end of the f/,
  );
});

Deno.test("RdbReader: does not make room for what the file cannot hold", () => {
  // A limit of another kind is not what holds here.
  const limits = { ...DEFAULT_LIMITS, maxStringBytes: Infinity };
  for (const bytes of [length(2n ** 62n), [0xc3, ...length(2n ** 62n), ...length(2n ** 62n)]]) {
    for (const type of [0, 1, 10, 18, 20]) {
      const file = new BytesSource(rdbFile(11, entry(type, "k", [1, ...bytes])));
      const key = new BytesSource(rdbFile(11, [type, ...bytes]));
      for (const source of [file, key]) {
        const read = () => {
          for (const entry of new RdbReader(source, limits)) {
            if (entry.kind === "list" || entry.kind === "set") { for (const _ of entry.elements); }
          }
        };
        assert.notEqual(failureOf(read), "(none)");
      }
    }
  }
});

Deno.test("RdbReader: says what it does not know", () => {
  assert.match(errorOf(rdbFile(11, [22])), /^9 expected an opcode or a type of value of RDB versi/);
  assert.match(
    errorOf(rdbFile(11, [8])),
    /^9 expected an opcode or a type of value of RDB .*found 8$/,
  );
  assert.match(errorOf(rdbFile(11, [244])), /^9 expected an opcode or a type .*, found 244$/);
  assert.match(
    valueErrorOf(6, [0]),
    /^9 expected a value whose end can be found, found one of a m/,
  );
  assert.equal(valueErrorOf(0, [0xc4]), "12 expected a string, found the encoding 196");
  assert.equal(valueErrorOf(1, [0xc0, 1]), "12 expected a length, found the byte 192");
  assert.equal(valueErrorOf(18, [1, 3]), "13 expected a node of a list, 1 or 2, found 3");
  assert.equal(valueErrorOf(7, [0, 9]), "13 expected a part of a module's data, 0 to 5, found 9");
  assert.equal(
    errorOf(rdbFile(11, [247, 0, 1])),
    "11 expected when a module reads its data, 2, found 1",
  );
  const far = [254, ...length(2n ** 31n)];
  assert.equal(errorOf(rdbFile(11, far)), "9 expected a database, found 2147483648");
});

Deno.test("RdbReader: wants scores to be numbers", () => {
  const member = string("m");
  const none = (at: number) => `${at} expected a score, found no number`;
  assert.equal(valueErrorOf(3, [1, ...member, 253]), none(13));
  assert.equal(valueErrorOf(3, [1, ...member, ...string("1x")]), none(13));
  assert.equal(valueErrorOf(3, [1, ...member, 0]), none(13));
  assert.equal(valueErrorOf(5, [1, ...member, ...double(NaN)]), none(13));
  assert.equal(valueErrorOf(17, string(listpack(["m", "nan"]))), none(22));
  const odd = "expected a score, found a member without one";
  assert.equal(valueErrorOf(12, string(ziplist(["m"]))), `23 ${odd}`);
});

Deno.test("RdbReader: compares ziplists with what they say of themselves", () => {
  const list = ziplist(["ab", int(300, 2), "cd"]);
  const error = (bytes: number[]) => valueErrorOf(10, string(bytes));
  assert.equal(error(list), "(none)");
  assert.equal(
    error(changed(list, 0, 24)),
    "13 expected a ziplist of 23 bytes, found the length 24",
  );
  assert.equal(error(changed(list, 22, 254)), "35 expected the end of a ziplist, 255, found 254");
  assert.equal(error(ziplist(["ab"], 2)), "21 expected a count of 1, found 2");
  assert.equal(
    error(changed(list, 4, 14)),
    "17 expected the place of the last entry, 18, found 14",
  );
  assert.equal(error(changed(list, 14, 5)), "27 expected the length before, 4, found 5");
  const past = "33 expected 3 bytes of an element, found 2 before the end";
  assert.equal(error(changed(list, 19, 3)), past);
  // Lengths from 254 on are written in another way, and 255 is none.
  const long = ziplist(["x".repeat(252), "y"]);
  assert.equal(valueErrorOf(10, string(long)), "(none)");
  const short = [...changed(long, 0, 13).slice(0, 265), 255, ...long.slice(270)];
  const previous = "279 expected the length before, 255, found 255";
  assert.equal(valueErrorOf(10, string(short)), previous);
  assert.match(
    error(changed(list, 11, 63)),
    /^25 expected 63 bytes of an element, found 10 before/,
  );
  assert.match(error(changed(list, 11, 0xff)), /^24 expected an encoding, found 255$/);
  assert.match(error(changed(list, 11, 0x81)), /^24 expected an encoding, found 129$/);
  assert.match(error([1, 2, 3]), /^13 expected 11 bytes of a ziplist, found 3 before the end$/);
  assert.equal(
    valueErrorOf(13, string(ziplist(["f", "v", "g"]))),
    "29 expected a value, found a field without one",
  );
});

Deno.test("RdbReader: compares listpacks with what they say of themselves", () => {
  const list = listpack(["ab", int(300, 2), "cd"]);
  const error = (bytes: number[]) => valueErrorOf(20, string(bytes));
  assert.equal(error(list), "(none)");
  assert.equal(
    error(changed(list, 0, 9)),
    "13 expected a listpack of 19 bytes, found the length 9",
  );
  assert.equal(error(changed(list, 18, 0)), "31 expected the end of a listpack, 255, found 0");
  assert.equal(error(listpack(["ab"], 7)), "17 expected a count of 1, found 7");
  assert.match(error(changed(list, 6, 0xff)), /^19 expected an encoding, found 255$/);
  assert.match(
    error(changed(list, 6, 0xbf)),
    /^20 expected 63 bytes of an element, found 11 before/,
  );
  const past = "28 expected 4 bytes of an element, found 3 before the end";
  assert.equal(error(changed(list, 14, 0x84)), past);
  const length = "22 expected the length behind an element of 3 bytes, found 4";
  assert.equal(error(changed(list, 9, 4)), length);
  assert.match(
    valueErrorOf(20, packedString(changed(list, 9, 4))),
    /^12 expected the length behind an element of 3 bytes at byte 9 of what is compressed here, f/,
  );
});

Deno.test("RdbReader: compares intsets and zipmaps with what they say of themselves", () => {
  const set = intset(2, [1, 2, 3]);
  const setError = (bytes: number[]) => valueErrorOf(11, string(bytes));
  assert.equal(setError(changed(set, 0, 3)), "13 expected 2, 4 or 8 bytes to a number, found 3");
  assert.equal(setError(changed(set, 4, 4)), "17 expected numbers in 6 bytes, found a count of 4");
  const order = "expected a number greater than the one before, found one that is not";
  assert.equal(setError(changed(set, 12, 1)), `25 ${order}`);
  assert.equal(setError(intset(4, [5, 5])), `25 ${order}`);
  assert.equal(setError(intset(8, [2n ** 40n, 2n ** 40n])), `29 ${order}`);
  assert.equal(setError(intset(8, [2 ** 32 + 5, 2 ** 32 + 4])), `29 ${order}`);
  assert.match(setError([2, 0]), /^13 expected 8 bytes of an intset, found 2 before the end$/);

  const map = zipmap([["f", "v"], ["g", "w"]]);
  const mapError = (bytes: number[]) => valueErrorOf(9, string(bytes));
  assert.equal(mapError(map), "(none)");
  assert.equal(mapError(changed(map, 0, 1)), "13 expected a count of 2, found 1");
  assert.equal(mapError(changed(map, 11, 1)), "24 expected the end of a zipmap, 255, found 1");
  assert.match(mapError(changed(map, 1, 200)), /^15 expected 200 bytes of a field, found 9 before/);
  assert.match(mapError(changed(map, 4, 200)), /^18 expected 201 bytes of a value, found 6 before/);
  assert.equal(mapError(changed(map, 1, 255)), "14 expected a length, found the end of a zipmap");
});

Deno.test("RdbReader: an error is for ever", () => {
  const list = [3, 0xc4, ...string("a"), ...string("b")];
  const body = [...entry(1, "k", list), ...entry(0, "next", string("v"))];
  const reader = new RdbReader(new BytesSource(rdbFile(11, body)));
  const damaged = reader.next()!;
  assert.ok(damaged.kind === "list");
  const first = failureOf(() => [...damaged.elements]);
  assert.equal(first, "13 expected a string, found the encoding 196");
  assert.equal(failureOf(() => [...damaged.elements]), first);
  assert.equal(failureOf(() => reader.next()), first);
  assert.equal(failureOf(() => reader.next()), first);
});

/** Small files that have every encoding. */
function smallFiles(): Uint8Array[] {
  const id = littleEndian(1, 16);
  const stream = [
    ...[1, ...string(id), ...string(listpack(["x"])), 1, 1, 0, 1, 0, 0, 0, 1],
    ...[1, ...string("group"), 1, 0, 1, 1, ...id, ...littleEndian(2, 8), 1],
    ...[1, ...string("reader"), ...littleEndian(3, 16), 1, ...id],
  ];
  const pairs = ["m", "1.5", "n", int(-2, 2)];
  const body = [
    ...[250, ...string("redis-ver"), ...string("7.2"), 254, 1, 251, 20, 3],
    ...[252, ...littleEndian(5000, 8), 248, 3, ...entry(0, "k", string("value"))],
    ...[253, ...littleEndian(5000, 4), 249, 3, ...entry(0, "k", [0xc1, 1, 2])],
    ...entry(0, "lzf", [0xc3, 7, 14, 2, 97, 98, 99, 0xe0, 2, 2]),
    ...entry(1, "list", [2, ...string("a"), ...string("b")]),
    ...entry(3, "zset", [2, ...string("a"), ...string("1"), ...string("b"), 254]),
    ...entry(5, "zset", [1, ...string("a"), ...double(1)]),
    ...entry(4, "hash", [1, ...string("a"), ...string("b")]),
    ...entry(7, "module", [9, 2, 1, 3, 0, 0, 0, 0, 5, ...string("x"), 0]),
    ...entry(9, "hash", string(zipmap([["a", "b"], ["c", "d"]], 2))),
    ...entry(10, "list", string(ziplist(["a", int(1, 0), int(-5, 3), "b".repeat(70)]))),
    ...entry(11, "set", string(intset(4, [1, 2]))),
    ...entry(13, "hash", packedString(ziplist(pairs))),
    ...entry(14, "list", [1, ...string(ziplist(pairs))]),
    ...entry(17, "zset", string(listpack(pairs))),
    ...entry(18, "list", [2, 2, ...string(listpack(["a", int(300, 2)])), 1, ...string("b")]),
    ...entry(20, "set", packedString(listpack(pairs))),
    ...entry(21, "stream", stream),
    ...[247, 9, 2, 1, 0, 245, ...string("code")],
  ];
  return [rdbFile(11, body), rdbFile(11, body, false)];
}

Deno.test("RdbReader: a file that ends too early is an error, wherever it ends", () => {
  for (const bytes of smallFiles()) {
    const whole = readSnapshot(bytes);
    assert.equal(whole.length, 19);
    assert.deepEqual(readSnapshot(new SlowSource(bytes)), whole);
    for (let end = 0; end < bytes.length; end++) {
      const error = errorOf(bytes.slice(0, end));
      assert.notEqual(error, "(none)", `cut at ${end}`);
      assert.equal(failureOf(() => readSnapshot(new SlowSource(bytes.slice(0, end)))), error);
    }
  }
});

Deno.test("RdbReader: a file that becomes shorter while it is read is an error", () => {
  const [bytes] = smallFiles();
  for (let end = 0; end < bytes!.length; end += 7) {
    const shorter = new BytesSource(bytes!.subarray(0, end));
    const source = {
      name: "shorter",
      byteCount: bytes!.length,
      readAt: (offset: number, target: Uint8Array) => shorter.readAt(offset, target),
    };
    assert.notEqual(failureOf(() => readSnapshot(source)), "(none)", `cut at ${end}`);
  }
});

Deno.test("RdbReader: what the system says against reading is in the error", () => {
  const cause = new Error("the disk is broken");
  const source = {
    name: "broken",
    byteCount: 100,
    readAt: () => {
      throw cause;
    },
  };
  assert.throws(() => new RdbReader(source), { name: "RedisFileError", cause, file: "broken" });
});

Deno.test("RdbReader: every flipped bit is found by the checksum, or before", () => {
  const [bytes] = smallFiles();
  for (let bit = 0; bit < bytes!.length * 8; bit++) {
    const copy = bytes!.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    assert.notEqual(errorOf(copy), "(none)", `bit ${bit}`);
  }
});

Deno.test("RdbReader: reads any damaged file to its end or to an error of its own", async () => {
  const seed = Date.now() >>> 0;
  say(`seed ${seed}`);
  const random = new Random(seed);
  const files = smallFiles();
  for (const name of ["unchecked", "version-3", "version-9"]) {
    files.push(await Deno.readFile(new URL(`${name}.rdb`, REDIS_FILES)));
  }
  let errors = 0;
  for (let i = 0; i < 6000; i++) {
    // The small ones have an encoding every few bytes.
    const file = files[random.oneIn(30) ? 2 + random.below(3) : random.below(2)]!;
    const copy = file.slice();
    // Without a checksum, so that nothing else finds it.
    copy.fill(0, copy.length - (copy[8] === 0x33 ? 0 : 8));
    for (let flips = 1 + random.below(4); flips > 0; flips--) {
      const at = 9 + random.below(copy.length - 18);
      copy[at] = random.oneIn(2) ? random.below(256) : copy[at]! ^ (1 << random.below(8));
    }
    if (errorOf(copy) !== "(none)") errors++;
  }
  assert.ok(errors > 3000, `most were found: ${errors}`);
});
