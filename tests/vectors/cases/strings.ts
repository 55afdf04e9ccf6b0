/** Strings and integers. */

import { vector, type VectorCase } from "../format.ts";

const MAX = "9223372036854775807";
const MIN = "-9223372036854775808";

/** Cases of strings and integers. */
export const STRINGS: readonly VectorCase[] = [
  vector(
    "GET and SET: any bytes",
    ...[`SET "\\x00\\xff\\r\\n" "\\x80\\r\\n$3"`, `GET "\\x00\\xff\\r\\n"`, `SET "" ""`],
    ...[`GET ""`, `SET k ""`, "GET k", "STRLEN k"],
  ),
  vector(
    "SET: NX and XX",
    ...["SET k 1 NX", "SET k 2 NX", "GET k", "SET k 3 XX", "GET k", "SET other 1 XX"],
    ...["EXISTS other", "set k 4 xx", "GET k"],
  ),
  vector("SET: NX and XX together", "SET k v NX XX", "SET k v XX NX", "GET k"),
  vector(
    "SET: GET",
    ...["SET k 1 GET", "SET k 2 GET", "GET k", "SET k 3 GET XX", "SET k 4 NX GET", "GET k"],
    ...["SET new 1 XX GET", "SET new 1 NX GET", "GET new"],
  ),
  vector("SET: GET of a list", "RPUSH k a", "SET k v GET", "TYPE k", "SET k v", "TYPE k"),
  vector(
    "SET: EX and PX",
    ...["SET k v EX 100", "TTL k", "SET k v PX 100000", "TTL k", "SET k v", "TTL k"],
    ...["SET k v ex 100", "TTL k"],
  ),
  vector(
    "SET: EXAT and PXAT",
    ...["SET k v EXAT 33177117420", "EXPIRETIME k", "SET k v PXAT 33177117420123"],
    ...["PEXPIRETIME k", "EXPIRETIME k"],
  ),
  vector(
    "SET: KEEPTTL",
    ...["SET k v EX 100", "SET k w KEEPTTL", "TTL k", "GET k", "SET k w", "TTL k"],
    ...["SET k w KEEPTTL", "TTL k"],
  ),
  vector(
    "SET: KEEPTTL and a time",
    ...["SET k v KEEPTTL EX 10", "SET k v EX 10 KEEPTTL", "SET k v KEEPTTL PXAT 33177117420000"],
  ),
  vector(
    "SET: two times",
    ...["SET k v EX 10 PX 10", "SET k v EX 10 EX 10"],
    ...["SET k v EXAT 33177117420 PXAT 33177117420000", "EXISTS k"],
  ),
  vector(
    "SET: times that are none",
    ...["SET k v EX 0", "SET k v EX -1", "SET k v PX 0", "SET k v PX -100", "SET k v EXAT 0"],
    ...["SET k v PXAT -1", "SET k v EX x", "SET k v EX 1.5", `SET k v EX ""`, "SET k v EX"],
    ...["SET k v PX", "EXISTS k"],
  ),
  vector(
    "SET: times too large",
    ...[`SET k v EX ${MAX}`, "SET k v EX 9223372036854776", "SET k v EX 9223370399119966"],
    ...[`SET k v PX ${MAX}`, `SET k v EXAT ${MAX}`, "SET k v EX 9223372036854775808", "EXISTS k"],
  ),
  vector(
    "SET: a time of the past",
    ...["SET k v", "SET k v EXAT 1", "EXISTS k", "GET k", "SET k v PXAT 1000", "EXISTS k"],
  ),
  vector(
    "SET: unknown options",
    ...["SET k v FOO", "SET k v NX FOO", "SET k v GET GET", "SET k v NX NX"],
    ...["SET k v KEEPTTL KEEPTTL", "SET k v EX 10 FOO", "GET k"],
  ),
  vector(
    "SET: all together",
    ...["SET k v NX EX 100", "SET k w XX PX 100000 GET", "TTL k", "SET k x GET KEEPTTL XX"],
    ...["TTL k", "GET k"],
  ),
  vector(
    "GETSET: value and TTL",
    ...["GETSET k a", "GETSET k b", "SET k c EX 100", "GETSET k d", "TTL k"],
  ),
  vector("GETDEL: takes it away", "SET k v", "GETDEL k", "GETDEL k", "EXISTS k"),
  vector(
    "GETEX: each time",
    ...["SET k v", "GETEX k EX 100", "TTL k", "GETEX k PX 200000", "TTL k"],
    ...["GETEX k EXAT 33177117420", "EXPIRETIME k", "GETEX k PXAT 33177117420123"],
    ...["PEXPIRETIME k", "GETEX k", "PEXPIRETIME k", "GETEX k PERSIST", "TTL k"],
  ),
  vector(
    "GETEX: wrong options",
    ...["SET k v", "GETEX k EX 0", "GETEX k EX -5", "GETEX k EX x", "GETEX k EX", "GETEX k FOO"],
    ...["GETEX k PERSIST EX 10", "GETEX k EX 10 PERSIST", "GETEX k EX 10 PX 10"],
    ...["GETEX k KEEPTTL", "GETEX k NX", "TTL k", `GETEX k EX ${MAX}`],
  ),
  vector(
    "GETEX: a time of the past",
    ...["SET k v", "GETEX k EXAT 1", "EXISTS k", "SET k v", "GETEX k PXAT 1", "GET k"],
  ),
  vector("GETEX: errors where nothing is", "GETEX k EX 0", "GETEX k FOO", "GETEX k EX x"),
  vector(
    "SETNX, SETEX, PSETEX",
    ...["SETNX k 1", "SETNX k 2", "GET k", "SETEX k 100 v", "TTL k", "PSETEX k 100000 w"],
    ...["TTL k", "GET k", "SETNX k x", "TTL k"],
  ),
  vector(
    "SETEX and PSETEX: times that are none",
    ...["SETEX k 0 v", "SETEX k -1 v", "SETEX k x v", "PSETEX k 0 v", "PSETEX k -1 v"],
    ...["PSETEX k x v", `SETEX k ${MAX} v`, `PSETEX k ${MAX} v`, "SETEX k 1.5 v", "EXISTS k"],
  ),
  vector(
    "MSET and MGET",
    ...["MSET a 1 b 2 c 3", "MGET a b c d", "MSET a 4 a 5", "GET a", "MSET a 1 b", "MSET a"],
    ...["MGET a a", "MSET a 1 EX 10", "MGET a EX"],
  ),
  vector("MGET: keys of other types are nil", "RPUSH l a", "SET s v", "MGET l s missing"),
  vector("MSET: takes a TTL away", "SET k v EX 100", "MSET k w", "TTL k"),
  vector(
    "MSETNX: all or none",
    ...["MSETNX a 1 b 2", "MSETNX b 3 c 4", "MGET a b c", "MSETNX c 1 c 2", "GET c", "MSETNX a"],
    "MSETNX d 1 e",
  ),
  vector("MSETNX: keys of other types are there", "RPUSH l a", "MSETNX l 1 m 2", "EXISTS m"),
  vector(
    "APPEND and STRLEN",
    ...["APPEND k abc", "APPEND k def", "GET k", "STRLEN k", `APPEND k ""`, "STRLEN missing"],
    ...["SET n 10", "APPEND n 5", "INCR n", `APPEND bin "\\x00\\xff"`, "GET bin"],
    ...[`APPEND empty ""`, "EXISTS empty", "TYPE empty"],
  ),
  vector("APPEND: keeps a TTL", "SET k v EX 100", "APPEND k w", "TTL k"),
  vector(
    "APPEND: a long value",
    ...[`APPEND k ${"x".repeat(300)}`, `APPEND k ${"y".repeat(300)}`, "STRLEN k"],
    "GETRANGE k 298 301",
  ),
  vector(
    "GETRANGE: every kind of range",
    "SET k 0123456789",
    ...[
      "0 0",
      "0 3",
      "0 -1",
      "-3 -1",
      "-3 3",
      "5 100",
      "100 200",
      "-100 3",
      "-100 -50",
      "3 1",
      "-1 0",
      "9 9",
      "10 10",
      "0 -11",
      "-1 -1",
      "-10 0",
      `0 ${MAX}`,
      `${MIN} ${MAX}`,
      `${MIN} -1`,
    ].map((range) => `GETRANGE k ${range}`),
  ),
  vector(
    "GETRANGE: bounds that are no integers",
    ...["SET k v", "GETRANGE k a 1", "GETRANGE k 0 b", "GETRANGE k 1.5 2"],
    ...[`GETRANGE k 0 ${MAX}0`, "GETRANGE missing a 1"],
  ),
  vector(
    "GETRANGE: of a number and of nothing",
    ...["SET k 12345", "GETRANGE k 1 3", `SET e ""`, "GETRANGE e 0 -1", "GETRANGE e 0 0"],
    ...["SUBSTR k 1 2", "SUBSTR k -2 -1", "SUBSTR k 3 1"],
  ),
  vector(
    "SETRANGE: overwrites and pads",
    ...["SET k Hello", "SETRANGE k 1 ipp", "GET k", "SETRANGE k 7 x", "GET k"],
    ...["SETRANGE new 3 abc", "GET new", "SETRANGE k 0 j", "GET k", "SETRANGE k 100 z"],
    "STRLEN k",
  ),
  vector(
    "SETRANGE: nothing to write",
    ...[`SETRANGE k 0 ""`, `SETRANGE k 10 ""`, "EXISTS k", "SET k abc", `SETRANGE k 10 ""`],
    "GET k",
  ),
  vector(
    "SETRANGE: wrong offsets",
    ...["SETRANGE k -1 a", "SETRANGE k x a", "SETRANGE k 536870912 a", "SETRANGE k 4294967296 a"],
    ...[`SETRANGE k ${MAX} a`, "SET k v", "SETRANGE k -1 a", `SETRANGE k -1 ""`],
    ...[`SETRANGE missing -1 ""`, "EXISTS missing"],
  ),
  vector(
    "SETRANGE: of a number, TTL kept",
    ...["SET k 12345 EX 100", "SETRANGE k 0 9", "GET k", "TTL k", "INCR k"],
  ),
  vector(
    "INCR family: counts",
    ...["INCR k", "INCR k", "INCRBY k 10", "DECR k", "DECRBY k 20", "GET k", "INCRBY k -5"],
    ...["DECRBY k -5", "INCRBY k 0", "INCRBY k +5"],
  ),
  vector(
    "INCR family: the ends of int64",
    ...[`SET k ${MAX}`, "INCR k", "INCRBY k 1", "DECRBY k -1", "DECR k", "INCR k", "GET k"],
    ...[`SET k ${MIN}`, "DECR k", "DECRBY k 1", "INCRBY k -1", "INCR k", "GET k", "SET k 0"],
    ...[`INCRBY k ${MAX}`, `DECRBY k ${MAX}`, `DECRBY k ${MIN}`, `INCRBY k ${MIN}`, "GET k"],
    `DECRBY neg ${MIN}`,
  ),
  vector(
    "INCR family: amounts that are none",
    ...["INCRBY k x", "INCRBY k 1.5", `INCRBY k ""`, `INCRBY k " 1"`, `INCRBY k "1 "`],
    ...["INCRBY k 9223372036854775808", "INCRBY k 01", "INCRBY k -0", "DECRBY k x", "EXISTS k"],
  ),
  ...[
    `"01"`,
    `"1 "`,
    `" 1"`,
    `""`,
    `"-"`,
    `"+1"`,
    `"-0"`,
    `"1.0"`,
    `"abc"`,
    `"9223372036854775808"`,
    `"-9223372036854775809"`,
    `"1\\x00"`,
    `"0x10"`,
    `"1e3"`,
  ].map((value) =>
    vector(`INCR: ${value} is no number`, `SET k ${value}`, "INCR k", "DECRBY k 3", "GET k")
  ),
  vector("INCR: keeps a TTL", "SET k 5 EX 100", "INCR k", "TTL k", "DECRBY k 2", "TTL k"),
  vector(
    "INCRBYFLOAT: what is exact",
    ...["SET k 10.50", "INCRBYFLOAT k 0.5", "INCRBYFLOAT k -5", "GET k", "INCRBYFLOAT k 5.0e3"],
    ...["SET k 5.0e3", "INCRBYFLOAT k 2.0e2", "INCRBYFLOAT new 1.5", "INCRBYFLOAT new -1.5"],
    ...["GET new", "INCRBYFLOAT k 0", "SET k 3", "INCRBYFLOAT k 1.25", "INCR k"],
  ),
  vector(
    "INCRBYFLOAT: seventeen digits",
    ...["SET k 3.0", "INCRBYFLOAT k 0.1", "INCRBYFLOAT k 0.2", "SET k 1", "INCRBYFLOAT k 0.1"],
    ...["SET big 100000000000000000", "INCRBYFLOAT big 1", "SET e 1e20", "INCRBYFLOAT e 0"],
  ),
  vector(
    "INCRBYFLOAT: what is no number",
    ...["SET k abc", "INCRBYFLOAT k 1", "SET k 1", "INCRBYFLOAT k x", "INCRBYFLOAT k nan"],
    ...["INCRBYFLOAT k inf", "INCRBYFLOAT k -inf", "INCRBYFLOAT k 1e400", `INCRBYFLOAT k ""`],
    ...[`INCRBYFLOAT k " 1"`, `INCRBYFLOAT k "1 "`, "GET k", `SET k " 1"`, "INCRBYFLOAT k 1"],
    ...[`SET k ""`, "INCRBYFLOAT k 1"],
  ),
  vector("INCRBYFLOAT: keeps a TTL", "SET k 1 EX 100", "INCRBYFLOAT k 1.5", "TTL k"),
  vector(
    "LCS: each form",
    ...["MSET a ohmytext b mynewtext", "LCS a b", "LCS a b LEN", "LCS a b IDX"],
    ...["LCS a b IDX WITHMATCHLEN", "LCS a b IDX MINMATCHLEN 4"],
    ...["LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", "LCS a b IDX MINMATCHLEN -1"],
    ...["LCS a b LEN IDX", "LCS a b WITHMATCHLEN", "LCS a b MINMATCHLEN 2"],
    ...["LCS a b MINMATCHLEN x", "LCS a b FOO", "LCS a b MINMATCHLEN"],
  ),
  vector(
    "LCS: nothing in common, nothing there",
    ...["MSET a abc b xyz", "LCS a b", "LCS a b LEN", "LCS a b IDX", "LCS a missing"],
    ...["LCS missing missing LEN", "LCS missing missing IDX", "LCS a a", "LCS a a LEN"],
    ...["SET n 12345", "SET m 345", "LCS n m"],
  ),
  vector(
    "GET: numbers as they were written",
    ...["SET k 0", "GET k", "SET k -1", "GET k", `SET k ${MAX}`, "GET k", `SET k ${MIN}`],
    ...["GET k", "SET k 007", "GET k", "SET k +7", "GET k", "SET k 1e3", "GET k", "STRLEN k"],
    ...["SET k -12", "STRLEN k"],
  ),
];
