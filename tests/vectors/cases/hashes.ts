/** Hashes. */

import { vector, type VectorCase } from "../format.ts";

const MAX = "9223372036854775807";
const MIN = "-9223372036854775808";
const MANY = Array.from({ length: 300 }, (_, i) => `f${i} v${i}`).join(" ");

/** Cases of hashes. */
export const HASHES: readonly VectorCase[] = [
  vector(
    "HSET and HGET",
    ...["HSET k f v", "HSET k f w", "HGET k f", "HSET k a 1 b 2 f 3", "HGET k a", "HGET k none"],
    ...["HGET missing f", "HSET k f", "HSET k a 1 b", "HSET k a 1 a 2", "HGET k a"],
    ...[`HSET k "" ""`, `HGET k ""`, `HSET k "\\x00\\xff" "\\r\\n"`, `HGET k "\\x00\\xff"`],
    ...["HLEN k", "TYPE k"],
  ),
  vector(
    "HMSET: says OK",
    ...["HMSET k a 1 b 2", "HMSET k a", "HMSET k a 1 b", "HMSET k", "HMGET k a b c"],
  ),
  vector("HSETNX", "HSETNX k f 1", "HSETNX k f 2", "HGET k f", "HSETNX k g 1"),
  vector("HMGET", "HSET k a 1 b 2", "HMGET k a b c a", "HMGET missing a b", "HMGET k"),
  vector(
    "HGETALL, HKEYS, HVALS, HLEN",
    ...["HSET k a 1 b 2 c 3", "% HGETALL k", "~ HKEYS k", "~ HVALS k", "HLEN k"],
    ...["HGETALL missing", "HKEYS missing", "HVALS missing", "HLEN missing"],
  ),
  vector(
    "HDEL",
    ...["HSET k a 1 b 2 c 3", "HDEL k a", "HDEL k a", "HDEL k b c d", "EXISTS k", "HDEL k a"],
    ...["HSET k a 1", "HDEL k a a", "EXISTS k"],
  ),
  vector(
    "HEXISTS and HSTRLEN",
    ...["HSET k f hello n 123", "HEXISTS k f", "HEXISTS k g", "HSTRLEN k f", "HSTRLEN k n"],
    ...["HSTRLEN k g", "HSTRLEN missing f", "HEXISTS missing f", `HSET k e ""`, "HSTRLEN k e"],
  ),
  vector(
    "HINCRBY",
    ...["HINCRBY k n 5", "HINCRBY k n -7", "HGET k n", "HSET k s abc", "HINCRBY k s 1"],
    ...["HINCRBY k n x", "HINCRBY k n 1.5", `HSET k m ${MAX}`, "HINCRBY k m 1", "HINCRBY k m -1"],
    ...[`HSET k m ${MIN}`, "HINCRBY k m -1", "HGET k m", `HSET k e ""`, "HINCRBY k e 1"],
    ...[`HSET k sp " 1"`, "HINCRBY k sp 1", "HSET k z 01", "HINCRBY k z 1"],
    ...["HINCRBY missing n x", "EXISTS missing"],
  ),
  vector(
    "HINCRBYFLOAT",
    ...["HINCRBYFLOAT k n 1.5", "HINCRBYFLOAT k n -0.5", "HGET k n", "HSET k n 10.50"],
    ...["HINCRBYFLOAT k n 0.5", "HSET k e 5.0e3", "HINCRBYFLOAT k e 2.0e2", "HSET k s abc"],
    ...["HINCRBYFLOAT k s 1", "HINCRBYFLOAT k n x", "HINCRBYFLOAT k n nan"],
    ...["HINCRBYFLOAT k n inf", `HINCRBYFLOAT k n ""`, `HSET k sp " 1"`, "HINCRBYFLOAT k sp 1"],
    ...["HSET k max 1e308", "HGET k n"],
  ),
  vector(
    "HINCRBYFLOAT: seventeen digits",
    ...["HSET k n 3", "HINCRBYFLOAT k n 0.1", "HINCRBYFLOAT k n 0.2"],
  ),
  vector(
    "HRANDFIELD: counts",
    ...["HSET k a 1", "HRANDFIELD k", "HRANDFIELD k 1", "HRANDFIELD k 5", "HRANDFIELD k -3"],
    ...["HRANDFIELD k 0", "HRANDFIELD k 1 WITHVALUES", "HRANDFIELD k -2 WITHVALUES"],
    ...["HRANDFIELD k 0 WITHVALUES", "HRANDFIELD k x", "HRANDFIELD k 1 FOO"],
    ...["HRANDFIELD k 1 WITHVALUES x", "HRANDFIELD missing", "HRANDFIELD missing 3"],
    ...["HRANDFIELD missing -3 WITHVALUES", `HRANDFIELD k ${MIN}`],
    "HRANDFIELD k -9223372036854775807 WITHVALUES",
  ),
  vector(
    "HRANDFIELD: of several",
    ...["HSET k a 1 b 1 c 1", "? HRANDFIELD k", "~ HRANDFIELD k 3", "~ HRANDFIELD k 10"],
    ...["? HRANDFIELD k 2", "? HRANDFIELD k -5", "% HRANDFIELD k 3 WITHVALUES"],
    "? HRANDFIELD k -4 WITHVALUES",
  ),
  vector(
    "HSCAN: a small hash at once",
    ...["HSET k a 1 b 2 c 3", "% HSCAN k 0", "% HSCAN k 0 COUNT 1", "% HSCAN k 0 MATCH a*"],
    ...["% HSCAN k 0 MATCH none*", "% HSCAN k 0 MATCH ? COUNT 100", "HSCAN missing 0"],
    ...["HSCAN missing 5", "hscan missing 0 match a count 5"],
  ),
  vector(
    "HSCAN: wrong arguments",
    ...["HSET k a 1", "HSCAN k x", "HSCAN k -1", "HSCAN k 0 COUNT 0", "HSCAN k 0 COUNT -1"],
    ...["HSCAN k 0 COUNT x", "HSCAN k 0 FOO", "HSCAN k 0 MATCH", "HSCAN k 0 COUNT"],
    ...["HSCAN k 0 TYPE hash", "HSCAN k 0 NOVALUES", "HSCAN missing x"],
    "HSCAN missing 0 COUNT 0",
  ),
  vector(
    "hashes: hundreds of fields",
    ...[`HSET k ${MANY}`, "HLEN k", "HGET k f299", "HGET k f300", "% HGETALL k", "~ HKEYS k"],
    ...["% HSCAN k 0 COUNT 1000", "HDEL k f0 f299 f300", "HLEN k", "HINCRBY k count 5"],
    "HEXISTS k count",
  ),
  vector(
    "hashes: large values",
    ...[`HSET k f ${"x".repeat(3000)} g small`, "HSTRLEN k f", "HGET k g", "HSET k f small"],
    ...["% HGETALL k", `HSET k ${"n".repeat(600)} 1`, "HLEN k", `HGET k ${"n".repeat(600)}`],
  ),
  vector(
    "hashes: a TTL stays until the hash is empty",
    ...["HSET k a 1", "EXPIRE k 100", "HSET k b 2", "HINCRBY k a 1", "TTL k", "HDEL k a b"],
    ...["HSET k a 1", "TTL k"],
  ),
];
