/** Sets. */

import { vector, type VectorCase } from "../format.ts";

const MIN = "-9223372036854775808";
const WORDS = Array.from({ length: 300 }, (_, i) => `m${i}`).join(" ");
const NUMBERS = Array.from({ length: 600 }, (_, i) => i - 100).join(" ");

/** Cases of sets. */
export const SETS: readonly VectorCase[] = [
  vector(
    "SADD and SREM",
    ...["SADD k a b c", "SADD k a d", "SADD k e e e", "SCARD k", "~ SMEMBERS k", "SREM k a x"],
    ...["SREM k b b", "SREM k c d e", "EXISTS k", "SREM k a", `SADD k "" "\\x00\\xff"`],
    ...["~ SMEMBERS k", `SISMEMBER k ""`],
    ...["SADD k 1 01 +1 -0 9223372036854775807 9223372036854775808", "SCARD k", "SISMEMBER k 1"],
    ...["SISMEMBER k 01", "TYPE k"],
  ),
  vector(
    "SISMEMBER and SMISMEMBER",
    ...["SADD k a b 1", "SISMEMBER k a", "SISMEMBER k x", "SMISMEMBER k a x b a 1"],
    ...["SMISMEMBER missing a b", "SISMEMBER missing a"],
  ),
  vector(
    "SMEMBERS and SCARD",
    ...["SMEMBERS missing", "SCARD missing", "SADD k 3 1 2", "~ SMEMBERS k", "SADD k x"],
    "~ SMEMBERS k",
  ),
  vector(
    "SPOP: one element",
    ...["SADD k a", "SPOP k", "SPOP k", "EXISTS k", "SADD k a b c", "? SPOP k", "SCARD k"],
  ),
  vector(
    "SPOP: counts",
    ...["SADD k a b c", "SPOP k 0", "~ SPOP k 3", "EXISTS k", "SPOP k 3", "SADD k a"],
    ...["SPOP k -1", "SPOP k x", "SPOP k 1 2", "~ SPOP k 10", "EXISTS k", "SADD k a b c d"],
    ...["? SPOP k 2", "SCARD k", "SPOP missing 0", "SPOP missing -1"],
  ),
  vector(
    "SRANDMEMBER: counts",
    ...["SADD k a", "SRANDMEMBER k", "SRANDMEMBER k 0", "SRANDMEMBER k 1", "SRANDMEMBER k 5"],
    ...["SRANDMEMBER k -3", "SRANDMEMBER k x", "SRANDMEMBER missing", "SRANDMEMBER missing 3"],
    ...["SRANDMEMBER missing -3", "SRANDMEMBER k 1 2", `SRANDMEMBER k ${MIN}`, "SADD k b c"],
    ...["~ SRANDMEMBER k 3", "~ SRANDMEMBER k 10", "? SRANDMEMBER k", "? SRANDMEMBER k 2"],
    ...["? SRANDMEMBER k -7", "SCARD k"],
  ),
  vector(
    "SMOVE",
    ...["SADD a 1 2", "SADD b 2 3", "SMOVE a b 1", "SMOVE a b 2", "EXISTS a", "~ SMEMBERS b"],
    ...["SMOVE a b 1", "SMOVE b c none", "EXISTS c", "SMOVE b b 1", "SMOVE b b none"],
    ...["~ SMEMBERS b", "SET s v", "SMOVE b s 1", "SMOVE s b 1", "SMOVE missing s 1"],
    ...["SMOVE b s none", "SMOVE b c 1", "~ SMEMBERS c"],
  ),
  vector(
    "SINTER, SUNION, SDIFF",
    ...["SADD a 1 2 3 4", "SADD b 3 4 5", "SADD c 4 9", "~ SINTER a b", "~ SINTER a b c"],
    ...["SINTER a missing", "~ SINTER a", "~ SINTER a a", "~ SUNION a b c", "~ SUNION a missing"],
    ...["SUNION missing", "~ SDIFF a b", "~ SDIFF a b c", "~ SDIFF a missing", "SDIFF missing a"],
    ...["SDIFF a a", "~ SDIFF b a", "SDIFF a b c a"],
  ),
  vector(
    "SINTERSTORE, SUNIONSTORE, SDIFFSTORE",
    ...["SADD a 1 2 3 4", "SADD b 3 4 5", "SINTERSTORE d a b", "~ SMEMBERS d"],
    ...["SUNIONSTORE d a b", "~ SMEMBERS d", "SDIFFSTORE d a b", "~ SMEMBERS d"],
    ...["SINTERSTORE d a missing", "EXISTS d", "SUNIONSTORE d missing", "SDIFFSTORE d missing a"],
    ...["EXISTS d", "SET d v EX 100", "SUNIONSTORE d a", "TTL d", "TYPE d", "SET d v"],
    ...["SINTERSTORE d missing a", "EXISTS d", "SINTERSTORE a a b", "~ SMEMBERS a"],
    ...["SDIFFSTORE b b b", "EXISTS b", "SUNIONSTORE a a a", "~ SMEMBERS a"],
  ),
  vector(
    "set operations: another type among the keys",
    ...["SADD a 1 2", "SET s v", "SINTER a s", "SINTER s a", "SINTER missing s"],
    ...["SINTER s missing", "SUNION a s", "SDIFF a s", "SDIFF s a", "SDIFF missing s"],
    ...["SINTERSTORE d a s", "SUNIONSTORE d missing s", "SDIFFSTORE d s", "SINTERCARD 2 a s"],
    ...["SINTERCARD 2 missing s", "EXISTS d"],
  ),
  vector(
    "SINTERCARD",
    ...["SADD a 1 2 3 4", "SADD b 2 3 4 5", "SINTERCARD 2 a b", "SINTERCARD 1 a"],
    ...["SINTERCARD 2 a b LIMIT 2", "SINTERCARD 2 a b LIMIT 0", "SINTERCARD 2 a b LIMIT 10"],
    ...["SINTERCARD 2 a missing", "sinterCard 2 a b limit 1", "SINTERCARD 0 a"],
    ...["SINTERCARD -1 a", "SINTERCARD x a", "SINTERCARD 3 a b", "SINTERCARD 1 a b"],
    ...["SINTERCARD 2 a b LIMIT -1", "SINTERCARD 2 a b LIMIT x", "SINTERCARD 2 a b LIMIT"],
    ...["SINTERCARD 2 a b FOO 1", "SINTERCARD 2 a b LIMIT 1 LIMIT 1"],
  ),
  vector(
    "SSCAN: a small set at once",
    ...["SADD k a b c", "~ SSCAN k 0", "~ SSCAN k 0 MATCH a*", "~ SSCAN k 0 COUNT 1"],
    ...["~ SSCAN k 0 MATCH [ab] COUNT 100", "SADD n 1 2 3", "~ SSCAN n 0"],
    ...["~ SSCAN n 0 MATCH 1*", "SSCAN missing 0", "SSCAN missing 9"],
  ),
  vector(
    "SSCAN: wrong arguments",
    ...["SADD k a", "SSCAN k x", "SSCAN k 0 COUNT 0", "SSCAN k 0 COUNT x"],
    ...["SSCAN k 0 FOO", "SSCAN k 0 MATCH", "SSCAN k 0 TYPE set", "SSCAN missing x"],
  ),
  vector(
    "sets: hundreds of words",
    ...[`SADD k ${WORDS}`, "SCARD k", "~ SMEMBERS k", "SISMEMBER k m299", "SISMEMBER k m300"],
    ...["~ SSCAN k 0 COUNT 1000", "SREM k m0 m299", "SCARD k", "SADD o m1 m2 x", "~ SINTER k o"],
    ...["SDIFFSTORE d o k", "~ SMEMBERS d", "SUNIONSTORE u k o", "SCARD u"],
    ...["SINTERCARD 2 k o LIMIT 1", "? SPOP k 290", "SCARD k"],
  ),
  vector(
    "sets: hundreds of numbers",
    ...[`SADD k ${NUMBERS}`, "SCARD k", "~ SMEMBERS k", "SISMEMBER k -100", "SISMEMBER k 500"],
    ...["SADD k word", "SCARD k", "SREM k -100 word", "SCARD k", "? SRANDMEMBER k 50"],
  ),
  vector(
    "sets: large members",
    ...[`SADD k ${"x".repeat(3000)} small`, "SCARD k", `SISMEMBER k ${"x".repeat(3000)}`],
    ...[`SREM k ${"x".repeat(3000)}`, "~ SMEMBERS k"],
  ),
  vector(
    "sets: a TTL stays until the set is empty",
    ...["SADD k a", "EXPIRE k 100", "SADD k b", "SREM k a", "TTL k", "SREM k b", "SADD k a"],
    "TTL k",
  ),
];
