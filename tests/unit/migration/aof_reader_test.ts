/** AOFs: whole, torn and damaged. */

import assert from "node:assert/strict";
import { AofReader } from "../../../src/migration/aof_reader.ts";
import { BytesSource } from "../../../src/migration/file_source.ts";
import { DEFAULT_LIMITS } from "../../../src/migration/rdb_strings.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { latin1 } from "../../helpers/latin1.ts";
import { command, entry, rdbFile, string } from "../../helpers/redis_files/builder.ts";
import { failureOf, readLog, SlowSource } from "../../helpers/redis_files/contents.ts";
import { say } from "../../helpers/say.ts";
import { REDIS_FILES } from "../../vectors/redis_model.ts";

/** The error that reading a log of this text gives. */
function errorOf(...files: readonly string[]): string {
  return failureOf(() => readLog(...files.map(latin1)));
}

Deno.test("AofReader: gives commands with the database they belong to", () => {
  const log = [
    command("SET", "a", "\r\n\0\xff"),
    command("select", "2"),
    "#TS:1700000000\r\n",
    command("DEL", "", "b"),
    "#\n#TS:1\r\n",
    command("Select", "0"),
    command("PING"),
  ].join("");
  const expected = ["0 SET a \r\n\0\xff", "2 DEL  b", "0 PING"];
  assert.deepEqual(readLog(latin1(log)), expected);
  assert.deepEqual(readLog(new SlowSource(latin1(log))), expected);
  assert.deepEqual(readLog(latin1("")), []);
  assert.deepEqual(readLog(), []);
});

Deno.test("AofReader: says where a command is", () => {
  const log = latin1(`#TS:1\r\n${command("PING")}${command("SET", "a", "1")}`);
  const reader = new AofReader([new BytesSource(log, "the file")]);
  const places = Array.from(reader, (item) => {
    assert.ok(item.kind === "command");
    return `${item.file} ${item.offset}`;
  });
  assert.deepEqual(places, ["the file 7", "the file 21"]);
  assert.equal(reader.bytesRead, log.length);
});

Deno.test("AofReader: gives the commands of a transaction without its ends", () => {
  const log = [
    command("MULTI"),
    command("SET", "a", "1"),
    command("SELECT", "1"),
    command("SET", "b", "2"),
    command("exec"),
    command("MULTI"),
    command("EXEC"),
    command("SET", "c", "3"),
  ].join("");
  const expected = ["0 SET a 1", "1 SET b 2", "1 SET c 3"];
  assert.deepEqual(readLog(latin1(log)), expected);
  assert.deepEqual(readLog(new SlowSource(latin1(log))), expected);
});

Deno.test("AofReader: gives a transaction that is longer than what is read at a time", () => {
  const value = "v".repeat(3000);
  const commands = Array.from({ length: 300 }, (_, i) => command("SET", `${i}`, value));
  const log = [command("SET", "first", ""), command("MULTI"), ...commands].join("");
  const found = readLog(latin1(log + command("EXEC") + command("SET", "last", "")));
  assert.deepEqual(found.map((line) => line.split(" ")[2]), [
    "first",
    ...commands.map((_, i) => `${i}`),
    "last",
  ]);
  const torn = readLog(latin1(log));
  assert.deepEqual(torn, ["0 SET first ", `torn transaction 30 +${log.length - 30}`]);
});

Deno.test("AofReader: a snapshot comes before the commands of its file", () => {
  const snapshot = rdbFile(10, [254, 3, ...entry(0, "k", string("v"))]);
  const log = Uint8Array.from([...snapshot, ...latin1(command("SET", "a", "1"))]);
  const expected = ["3 string k", "0 SET a 1"];
  assert.deepEqual(readLog(log), expected);
  assert.deepEqual(readLog(new SlowSource(log)), expected);
  assert.deepEqual(readLog(snapshot), ["3 string k"], "no command has come yet");
});

Deno.test("AofReader: several files are one log, and each begins in database 0", () => {
  const base = rdbFile(10, [254, 3, ...entry(0, "k", string("v"))]);
  const one = latin1(command("SELECT", "7") + command("SET", "a", "1"));
  const two = latin1(command("SET", "b", "2"));
  assert.deepEqual(readLog(base, latin1(""), one, two), ["3 string k", "7 SET a 1", "0 SET b 2"]);
});

Deno.test("AofReader: a log that ends too early is told of, wherever it ends", () => {
  const parts = [
    command("SET", "a", "1"),
    "#TS:1700000000\r\n",
    command("MULTI"),
    command("SET", "b", "2"),
    command("EXEC"),
    command("SELECT", "5"),
    command("SET", "c", "3"),
  ];
  const log = latin1(parts.join(""));
  // Where what was before is whole, and what is given then.
  const ends = [0, 1, 2, 5, 6, 7].map((n) => parts.slice(0, n).join("").length);
  const given = [[], ["0 SET a 1"], [], ["0 SET b 2"], [], ["5 SET c 3"]];
  for (let end = 0; end <= log.length; end++) {
    const wholeCount = ends.filter((each) => each <= end).length;
    const whole = given.slice(0, wholeCount).flat();
    const from = ends[wholeCount - 1]!;
    const found = readLog(log.slice(0, end));
    assert.deepEqual(readLog(new SlowSource(log.slice(0, end))), found);
    if (end === from) {
      assert.deepEqual(found, whole, `cut at ${end}`);
      continue;
    }
    // A whole command of a torn transaction is not given; the transaction begins behind the time.
    const isInside = from === ends[2] && end > from + command("MULTI").length - 1;
    const what = isInside ? "transaction" : "command";
    assert.deepEqual(found, [...whole, `torn ${what} ${from} +${end - from}`], `cut at ${end}`);
  }
});

Deno.test("AofReader: only the last file may end too early", () => {
  const torn = latin1(command("SET", "a", "1").slice(0, -1));
  const open = latin1(command("MULTI") + command("SET", "a", "1"));
  const next = latin1("");
  assert.deepEqual(readLog(next, torn), ["torn command 0 +26"]);
  const found = "found the end of the file, at 26, and another file behind it";
  assert.equal(failureOf(() => readLog(torn, next)), `0 expected a whole command, ${found}`);
  assert.match(
    failureOf(() => readLog(open, next)),
    /^0 expected a whole transaction, found the e/,
  );
});

Deno.test("AofReader: a snapshot that ends too early is an error", () => {
  const snapshot = rdbFile(10, entry(0, "k", string("v")));
  for (let end = 1; end < snapshot.length; end++) {
    assert.notEqual(failureOf(() => readLog(snapshot.slice(0, end))), "(none)", `cut at ${end}`);
  }
  assert.equal(failureOf(() => readLog(latin1("RED"))), "0 expected *, found the byte 82");
});

Deno.test("AofReader: damage is an error, also at the end", () => {
  const good = command("SET", "a", "1");
  const at = good.length;
  assert.equal(errorOf(`${good}\0\0\0`), `${at} expected *, found the byte 0`);
  assert.equal(errorOf("*1\n"), "2 expected a number, found the byte 10");
  assert.equal(errorOf("*1\rx"), "3 expected LF, found the byte 120");
  assert.equal(errorOf("*\r\n"), "1 expected a number, found the byte 13");
  assert.equal(errorOf("*-1\r\n"), "1 expected a number, found the byte 45");
  assert.equal(errorOf("*1\r\n+OK\r\n"), "4 expected $, found the byte 43");
  assert.equal(errorOf("*1\r\n$4\r\nPINGxx"), "12 expected CR, found the byte 120");
  assert.equal(errorOf("*1\r\n$4\r\nPING\rx"), "13 expected LF, found the byte 120");
  const arguments_ = "0 expected a command of 1 to 1048576 arguments, found";
  assert.equal(errorOf("*0\r\n"), `${arguments_} 0`);
  assert.equal(errorOf("*1048577\r\n"), `${arguments_} 1048577`);
  assert.equal(errorOf(`*${"1".repeat(16)}`), "16 expected a number, found the byte 49");
  const most = "an argument of at most 536870912 bytes";
  assert.equal(errorOf("*1\r\n$999999999999\r\n"), `4 expected ${most}, found one of 999999999999`);
  assert.equal(errorOf(`#${"x".repeat(2000)}\n`), "0 expected an annotation, found none that ends");
  const select = "0 expected SELECT and the number of a database, found something else";
  for (const number of ["x", "-1", "2147483648", "01", ""]) {
    assert.equal(errorOf(command("SELECT", number)), select);
  }
  assert.equal(errorOf(command("SELECT")), select);
  assert.equal(errorOf(command("SELECT", "1", "2")), select);
  assert.equal(errorOf(command("EXEC")), "0 expected a command, found EXEC without MULTI");
  const nested = command("MULTI") + command("multi");
  assert.equal(errorOf(nested), "15 expected EXEC or a command, found MULTI within MULTI");
  assert.equal(errorOf(command("MULTI") + "*x"), "16 expected a number, found the byte 120");
});

Deno.test("AofReader: an error is for ever, and nothing comes behind a torn tail", () => {
  const reader = new AofReader([new BytesSource(latin1("*x"))]);
  const first = failureOf(() => reader.next());
  assert.match(first, /^1 expected a number/);
  assert.equal(failureOf(() => reader.next()), first);
  const torn = new AofReader([new BytesSource(latin1("*1\r\n"))]);
  assert.equal(torn.next()?.kind, "torn");
  assert.equal(torn.next(), undefined);
  assert.equal(torn.next(), undefined);
});

Deno.test("AofReader: claims are not believed", () => {
  const limits = { maxStringBytes: Infinity, maxArguments: Infinity };
  const read = (text: string) => {
    const reader = new AofReader([new BytesSource(latin1(text))], limits);
    return Array.from(reader, ({ kind }) => kind);
  };
  assert.deepEqual(read("*999999999999999\r\n$1\r\na\r\n"), ["torn"]);
  assert.deepEqual(read("*1\r\n$999999999999999\r\na\r\n"), ["torn"]);
  assert.ok(DEFAULT_LIMITS.maxArguments < Infinity);
});

Deno.test("AofReader: a file that becomes shorter while it is read is not whole", () => {
  const log = latin1(command("SET", "a", "1") + command("SET", "b", "2"));
  for (let end = 0; end < log.length; end++) {
    const shorter = new BytesSource(log.slice(0, end));
    const source = {
      name: "shorter",
      byteCount: log.length,
      readAt: (offset: number, target: Uint8Array) => shorter.readAt(offset, target),
    };
    assert.match(readLog(source).at(-1)!, /^torn command /, `cut at ${end}`);
  }
});

Deno.test("AofReader: reads any damaged log to its end or to an error of its own", async () => {
  const seed = Date.now() >>> 0;
  say(`seed ${seed}`);
  const random = new Random(seed);
  const folder = new URL("log-with-snapshot/", REDIS_FILES);
  const base = await Deno.readFile(new URL("appendonly.aof.2.base.rdb", folder));
  const increment = await Deno.readFile(new URL("appendonly.aof.2.incr.aof", folder));
  const whole = Uint8Array.from([...base, ...increment]);
  const counts = { error: 0, torn: 0, end: 0 };
  for (let i = 0; i < 3000; i++) {
    const copy = (random.oneIn(2) ? whole : increment).slice();
    for (let flips = 1 + random.below(3); flips > 0; flips--) {
      const at = random.below(copy.length);
      copy[at] = random.oneIn(2) ? random.below(256) : copy[at]! ^ (1 << random.below(8));
    }
    const cut = random.oneIn(4) ? copy.slice(0, random.below(copy.length)) : copy;
    let isTorn = false;
    const error = failureOf(() => isTorn = readLog(cut).at(-1)?.startsWith("torn") ?? false);
    counts[error !== "(none)" ? "error" : isTorn ? "torn" : "end"]++;
  }
  assert.ok(Math.min(counts.error, counts.torn, counts.end) > 30, JSON.stringify(counts));
});
