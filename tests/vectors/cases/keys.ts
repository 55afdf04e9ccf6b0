/** Keys, expiry, scans and sorting. */

import { vector, type VectorCase } from "../format.ts";

const MAX = "9223372036854775807";
const FAR = "33177117420";

/** One key of each type. */
const ONE_OF_EACH = ["SET s v", "RPUSH l a b", "HSET h f v", "SADD e a b", "ZADD z 1 a"];

/** Cases of keys. */
export const KEYS: readonly VectorCase[] = [
  vector(
    "DEL, UNLINK, EXISTS, TOUCH: counts and duplicates",
    ...["MSET a 1 b 2 c 3", "EXISTS a b c d a", "TOUCH a b x a", "DEL a x a", "UNLINK b b x"],
    ...["EXISTS a b c", "DEL x", "UNLINK x", "TOUCH x"],
  ),
  vector(
    "DEL and UNLINK: every type",
    ...ONE_OF_EACH,
    ...["DEL s l h e z", "DBSIZE"],
    ...ONE_OF_EACH,
    ...["UNLINK s l h e z", "DBSIZE"],
  ),
  vector(
    "TYPE: every type",
    ...ONE_OF_EACH,
    ...["TYPE s", "TYPE l", "TYPE h", "TYPE e", "TYPE z", "TYPE missing"],
  ),
  vector(
    "KEYS: patterns",
    "MSET hello 1 hallo 2 hxllo 3 hllo 4 heello 5 h*llo 6 other 7",
    ...[
      "*",
      "h?llo",
      "h*llo",
      "h[ae]llo",
      "h[^e]llo",
      "h[a-b]llo",
      "h\\*llo",
      "none",
      "[",
      "h[a",
      "",
      "?????",
      "*o",
      "o*r",
      "**",
      "h[\\\\a]llo",
    ].map((pattern) => `~ KEYS '${pattern}'`),
  ),
  vector(
    "KEYS: any bytes",
    ...[`SET "\\x00\\xff" v`, "~ KEYS *", `~ KEYS "\\x00*"`, `SET "" v`, "~ KEYS *", `KEYS ""`],
  ),
  vector(
    "SCAN: a small database at once",
    ...["MSET a 1 b 2 c 3", "~ SCAN 0 COUNT 1000", "~ SCAN 0 COUNT 1000 MATCH a*"],
    ...["~ SCAN 0 MATCH none COUNT 1000", "~ SCAN 0 COUNT 1000 TYPE string"],
    ...["SCAN 0 COUNT 1000 TYPE list", "SCAN 0 COUNT 1000 TYPE nosuchtype"],
    "~ scan 0 count 1000 match ? type STRING",
  ),
  vector(
    "SCAN: types",
    ...ONE_OF_EACH,
    ...["string", "list", "hash", "set", "zset"].map((type) => `SCAN 0 COUNT 1000 TYPE ${type}`),
  ),
  vector(
    "SCAN: wrong arguments",
    ...["SCAN x", "SCAN -1", "SCAN 0 COUNT 0", "SCAN 0 COUNT -1", "SCAN 0 COUNT x", "SCAN 0 FOO"],
    ...["SCAN 0 FOO 1", "SCAN 0 MATCH", "SCAN 0 COUNT", "SCAN 0 TYPE", "SCAN 0 MATCH a COUNT"],
    ...["SCAN 1.5", `SCAN ""`, "SCAN 99999999999999999999"],
  ),
  vector("RANDOMKEY", "RANDOMKEY", "SET k v", "RANDOMKEY", "SET l w", "? RANDOMKEY"),
  vector(
    "RENAME",
    ...["SET a 1", "RENAME a b", "GET b", "EXISTS a", "RENAME a b", "RENAME missing missing"],
    ...["RENAME b b", "SET c 2", "RENAME b c", "GET c", "RPUSH l x", "RENAME c l", "TYPE l"],
    ...["SET t v EX 100", "SET u w", "RENAME t u", "TTL u", "RENAME l u", "TTL u"],
  ),
  vector(
    "RENAMENX",
    ...["MSET a 1 b 2", "RENAMENX a b", "GET b", "RENAMENX a c", "GET c", "RENAMENX missing x"],
    ...["RENAMENX b b", "SET t v EX 100", "RENAMENX t n", "TTL n"],
  ),
  vector(
    "RENAME: every type",
    ...ONE_OF_EACH,
    ...["RENAME l l2", "LRANGE l2 0 -1", "RENAME h h2", "HGETALL h2", "RENAME e e2", "SCARD e2"],
    ...["RENAME z z2", "ZRANGE z2 0 -1"],
  ),
  vector(
    "COPY",
    ...["SET a 1 EX 100", "COPY a b", "GET b", "TTL b", "SET c 3", "COPY a c"],
    ...["COPY a c REPLACE", "GET c", "COPY missing x", "COPY a a", "COPY a a REPLACE"],
    ...["COPY a a DB 1", "SELECT 1", "GET a", "TTL a", "SELECT 0", "COPY a d DB 1 REPLACE"],
    ...["COPY a d FOO", "COPY a d DB", "COPY a d DB x", "COPY a d DB 99", "COPY a d DB -1"],
    "copy a e replace db 2",
  ),
  vector(
    "COPY: every type",
    ...ONE_OF_EACH,
    ...["l", "h", "e", "z"].map((key) => `COPY ${key} ${key}2`),
    ...["RPUSH l c", "LRANGE l2 0 -1", "HSET h g 1", "HGETALL h2", "SADD e c", "SCARD e2"],
    ...["ZADD z 2 b", "ZRANGE z2 0 -1 WITHSCORES"],
  ),
  vector(
    "EXPIRE and PEXPIRE",
    ...["SET k v", "EXPIRE k 100", "TTL k", "# PTTL k", "PEXPIRE k 200000", "TTL k"],
    ...["EXPIRE missing 100", "PEXPIRE missing 100", "EXPIRE k x", "EXPIRE k 1.5"],
    ...[`EXPIRE k ${MAX}`, `PEXPIRE k ${MAX}`, "EXPIRE k -9223372036854775808", "TTL k"],
    "EXPIRE missing x",
  ),
  vector(
    "EXPIRE: no time left is a DEL",
    ...["SET k v", "EXPIRE k 0", "EXISTS k", "SET k v", "EXPIRE k -1", "EXISTS k", "SET k v"],
    ...["PEXPIRE k -5", "EXISTS k", "SET k v", "EXPIREAT k 1", "EXISTS k", "SET k v"],
    ...["PEXPIREAT k 0", "EXISTS k"],
  ),
  vector(
    "PEXPIREAT: the latest time",
    ...["SET k v", "PEXPIREAT k 281474976710655", "PEXPIRETIME k", "PEXPIREAT k 281474976710656"],
    ...["EXPIREAT k 281474976711", "SET k v PXAT 281474976710656", "GETEX k EXAT 281474976711"],
  ),
  vector(
    "EXPIREAT and PEXPIREAT",
    ...["SET k v", `EXPIREAT k ${FAR}`, "EXPIRETIME k", "PEXPIRETIME k", `PEXPIREAT k ${FAR}123`],
    ...["PEXPIRETIME k", "EXPIRETIME k", "EXPIREAT k x", `EXPIREAT k ${MAX}`],
    ...["EXPIRETIME missing", "PEXPIRETIME missing", "SET k v", "EXPIRETIME k", "PEXPIRETIME k"],
    ...[`PEXPIREAT k ${FAR}999`, "EXPIRETIME k"],
  ),
  vector(
    "EXPIRE: NX, XX, GT, LT",
    ...["SET k v", "EXPIRE k 100 XX", "EXPIRE k 100 GT", "EXPIRE k 100 LT", "TTL k"],
    ...["EXPIRE k 200 NX", "EXPIRE k 100 NX", "TTL k", "EXPIRE k 200 GT", "EXPIRE k 100 GT"],
    ...["EXPIRE k 300 GT", "TTL k", "EXPIRE k 400 LT", "EXPIRE k 100 LT", "TTL k"],
    ...["EXPIRE k 50 XX", "TTL k", "EXPIRE k 500 xx gt", "TTL k", "PERSIST k", "EXPIRE k 100 NX"],
    "TTL k",
  ),
  vector(
    "EXPIRE: options that exclude each other",
    ...["SET k v", "EXPIRE k 100 NX XX", "EXPIRE k 100 NX GT", "EXPIRE k 100 NX LT"],
    ...["EXPIRE k 100 GT LT", "EXPIRE k 100 FOO", "EXPIRE k 100 NX FOO", "EXPIRE k 100 XX LT"],
    ...["TTL k", "EXPIRE missing 100 FOO", "EXPIRE k x NX XX", "EXPIRE k -1 XX", "EXISTS k"],
  ),
  ...[`EXPIREAT k ${FAR}`, `PEXPIREAT k ${FAR}000`].map((call) =>
    vector(
      `${call.split(" ")[0]}: each option`,
      "SET k v",
      `${call} XX`,
      `${call} NX`,
      `${call} NX`,
      `${call} GT`,
      `${call} LT`,
      `${call} XX`,
      `${call} XX GT`,
      `${call} FOO`,
      `${call} NX XX`,
    )
  ),
  vector(
    "PEXPIRE: each option",
    ...["SET k v", "PEXPIRE k 100000 XX", "PEXPIRE k 100000 NX", "PEXPIRE k 100000 NX"],
    ...["PEXPIRE k 200000 LT", "PEXPIRE k 200000 GT", "PEXPIRE k 100000 GT", "PEXPIRE k 50000 LT"],
    ...["TTL k", "PEXPIRE k 70000 XX", "PEXPIRE k 90000 XX GT", "TTL k", "PEXPIRE k 1 FOO"],
    ...["PEXPIRE k 1 NX XX", "PEXPIRE k 1 GT LT", "TTL k"],
  ),
  vector(
    "PERSIST and TTL",
    ...["SET k v", "PERSIST k", "TTL k", "PTTL k", "EXPIRE k 100", "PERSIST k", "TTL k"],
    ...["PERSIST missing", "TTL missing", "PTTL missing", "EXPIRE k 1000000000", "TTL k"],
  ),
  vector(
    "TTL: on every type",
    ...ONE_OF_EACH.slice(1),
    ...["l", "h", "e", "z"].flatMap((
      key,
    ) => [`EXPIRE ${key} 100`, `TTL ${key}`, `PERSIST ${key}`, `TTL ${key}`]),
  ),
  vector(
    "keys that expire are gone",
    ...["SET k v PX 1", "RPUSH l a", "PEXPIRE l 1", "DEBUG SLEEP 0.02", "GET k", "EXISTS k l"],
    ...["TTL k", "TYPE l", "LLEN l", "RPUSH l b", "LRANGE l 0 -1", "TTL l", "SET n 5 PX 1"],
    ...["DEBUG SLEEP 0.02", "INCR n", "TTL n"],
  ),
  vector(
    "OBJECT: encodings of strings",
    ...["SET n 123", "OBJECT ENCODING n", "SET s abc", "OBJECT ENCODING s"],
    ...[`SET r ${"x".repeat(45)}`, "OBJECT ENCODING r", `SET m ${"x".repeat(44)}`],
    ...["OBJECT ENCODING m", "OBJECT REFCOUNT s", "OBJECT ENCODING missing"],
    ...["OBJECT REFCOUNT missing", "OBJECT IDLETIME missing", "OBJECT FREQ missing"],
  ),
  vector(
    "OBJECT: encodings of small collections",
    ...["RPUSH l a", "OBJECT ENCODING l", "HSET h f v", "OBJECT ENCODING h", "SADD e a"],
    ...["SADD i 1", "OBJECT ENCODING i", "ZADD z 1 a", "OBJECT ENCODING z"],
  ),
  vector(
    "OBJECT: times, and wrong calls",
    ...["SET k v", "? OBJECT IDLETIME k", "OBJECT FREQ k", "OBJECT FOO k", "OBJECT"],
    ...["OBJECT ENCODING", "object encoding missing"],
  ),
  vector(
    "SORT: numbers and words",
    ...["RPUSH k 3 1 2 10", "SORT k", "SORT k DESC", "SORT k ASC", "SORT k ALPHA"],
    ...["SORT k ALPHA DESC", "SORT k LIMIT 1 2", "SORT k LIMIT 0 0", "SORT k LIMIT -1 2"],
    ...["SORT k LIMIT 2 100", "SORT k LIMIT 10 1", "SORT k DESC LIMIT 0 1", "SORT missing"],
    ...["RPUSH w b a c", "SORT w", "SORT w ALPHA", "sort w alpha desc limit 0 2"],
    ...["RPUSH f 1.5 -2 1e2 inf", "SORT f", "SADD s 5 4 6", "SORT s", "ZADD z 3 30 1 10 2 20"],
    ...["SORT z", "SORT z DESC"],
  ),
  vector(
    "SORT: BY, GET, STORE",
    ...["RPUSH k a b c", "MSET w_a 3 w_b 1 w_c 2 d_a A d_b B", "SORT k BY w_*"],
    ...["SORT k BY w_* DESC", "SORT k BY w_* GET d_*", "SORT k BY w_* GET # GET d_*"],
    ...["SORT k BY nosort", "SORT k BY nosort DESC LIMIT 0 2", "SORT k ALPHA GET #"],
    ...["SORT k BY missing_*", "SORT k BY w_* STORE dest", "LRANGE dest 0 -1"],
    ...["SORT k BY w_* GET d_* STORE dest", "LRANGE dest 0 -1", "HSET h_a f 9 g x"],
    ...["HSET h_b f 8", "HSET h_c f 7", "SORT k BY h_*->f GET h_*->g", "SORT k BY h_*->f"],
    ...["SORT missing STORE dest", "EXISTS dest", "SET dest v", "SORT k ALPHA STORE dest"],
    "TYPE dest",
  ),
  vector(
    "SORT: wrong calls",
    ...["RPUSH k a b", "SORT k LIMIT 1", "SORT k LIMIT x 1", "SORT k LIMIT 0 x", "SORT k FOO"],
    ...["SORT k BY", "SORT k GET", "SORT k STORE", "SET s v", "SORT s", "HSET h f v", "SORT h"],
    ...["SORT_RO k ALPHA", "SORT_RO k ALPHA STORE dest", "SORT_RO k ALPHA DESC LIMIT 0 1"],
    ...["SORT_RO s", "SORT k ALPHA DESC ASC"],
  ),
  vector(
    "DUMP and RESTORE: what does not depend on the format",
    ...["RESTORE k 0 garbage", "RESTORE k -1 garbage", "RESTORE k x garbage"],
    ...["RESTORE k 0 garbage FOO", "RESTORE k 0 garbage IDLETIME -1"],
    ...["RESTORE k 0 garbage IDLETIME x", "RESTORE k 0 garbage FREQ 300"],
    ...["RESTORE k 0 garbage FREQ x", "SET k v", "RESTORE k 0 garbage"],
    ...["RESTORE k 0 garbage REPLACE", "GET k", "DUMP missing", `RESTORE n 0 ""`],
  ),
  vector(
    "SELECT, MOVE, SWAPDB, DBSIZE",
    ...["SET k zero", "SELECT 1", "DBSIZE", "SET j one", "SELECT 0", "MOVE k 1", "EXISTS k"],
    ...["MOVE k 1", "SELECT 1", "GET k", "DBSIZE", "SWAPDB 0 1", "DBSIZE", "SELECT 0", "DBSIZE"],
    ...["GET k", "SWAPDB 0 0", "SWAPDB 0 99", "SWAPDB x 1", "SWAPDB 0 x", "SWAPDB -1 0"],
    ...["MOVE k 0", "MOVE k 99", "MOVE k x", "MOVE k -1", "SELECT 16", "SELECT -1", "SELECT x"],
    ...[`SELECT ""`, "SELECT 15", "SELECT 0", "SELECT 99999999999999999999"],
  ),
  vector(
    "MOVE: keeps the TTL, does not overwrite",
    ...["SET k v EX 100", "SELECT 1", "SET k other", "SELECT 0", "MOVE k 1", "SELECT 1", "DEL k"],
    ...["SELECT 0", "MOVE k 1", "SELECT 1", "TTL k", "GET k"],
  ),
  vector(
    "SWAPDB: wakes nobody it should not",
    ...["SET a 0", "SELECT 3", "SET a 3", "SWAPDB 0 3", "GET a", "SELECT 0", "GET a"],
  ),
  vector(
    "FLUSHDB and FLUSHALL",
    ...["SET a 1", "SELECT 1", "SET b 2", "FLUSHDB", "DBSIZE", "SELECT 0", "DBSIZE", "FLUSHALL"],
    ...["DBSIZE", "FLUSHDB ASYNC", "FLUSHDB SYNC", "FLUSHALL ASYNC", "FLUSHALL SYNC"],
    ...["FLUSHALL FOO", "FLUSHDB FOO", "FLUSHDB ASYNC SYNC", "flushall sync"],
  ),
];
