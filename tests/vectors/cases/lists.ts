/** Lists. */

import { vector, type VectorCase } from "../format.ts";

const MAX = "9223372036854775807";
const LONG = Array.from({ length: 300 }, (_, i) => `element-${i}`).join(" ");

/** Cases of lists. */
export const LISTS: readonly VectorCase[] = [
  vector(
    "LPUSH and RPUSH: order",
    ...["LPUSH k a b c", "RPUSH k d e", "LRANGE k 0 -1", "LLEN k", "LPUSH k a a"],
    ...["LRANGE k 0 -1", `RPUSH k "" "\\x00\\xff\\r\\n"`, "LRANGE k -2 -1", "RPUSH k 12 -5 007"],
    ...["LRANGE k -3 -1", "TYPE k"],
  ),
  vector(
    "LPUSHX and RPUSHX: only where a list is",
    ...["LPUSHX k a", "RPUSHX k a", "EXISTS k", "RPUSH k a", "LPUSHX k b c", "RPUSHX k d e"],
    "LRANGE k 0 -1",
  ),
  vector(
    "LPOP and RPOP: one",
    ...["RPUSH k a b c", "LPOP k", "RPOP k", "LPOP k", "LPOP k", "RPOP k", "EXISTS k"],
  ),
  vector(
    "LPOP and RPOP: counts",
    ...["RPUSH k a b c d e", "LPOP k 0", "RPOP k 0", "LPOP k 2", "RPOP k 2", "LPOP k 10"],
    ...["EXISTS k", "LPOP k 0", "RPOP k 0", "LPOP k 1", "RPUSH k a", "LPOP k -1", "RPOP k -1"],
    ...["LPOP k x", "LPOP k 1.5", `LPOP k ${MAX}`, "EXISTS k", "RPUSH k a", `RPOP k ${MAX}0`],
    ...["LPOP missing -1", "LPOP missing x"],
  ),
  vector(
    "LINDEX: every kind of index",
    "RPUSH k a b c",
    ...["0", "1", "2", "3", "-1", "-3", "-4", MAX, `-${MAX}`, "x", "1.5"].map((index) =>
      `LINDEX k ${index}`
    ),
    ...["LINDEX missing 0", "LINDEX missing x"],
  ),
  vector(
    "LRANGE: every kind of range",
    "RPUSH k 0 1 2 3 4 5 6 7 8 9",
    ...[
      "0 0",
      "0 3",
      "-3 -1",
      "-100 3",
      "5 100",
      "100 200",
      "5 3",
      "-1 -3",
      "0 -11",
      "9 9",
      "10 10",
      `0 ${MAX}`,
      `-${MAX} -1`,
    ].map((range) => `LRANGE k ${range}`),
    ...["LRANGE k a 1", "LRANGE k 0 b", "LRANGE missing a 1", "LRANGE missing 0 -1"],
  ),
  vector(
    "LSET",
    ...["RPUSH k a b c", "LSET k 0 x", "LSET k -1 z", "LSET k 1 y", "LRANGE k 0 -1"],
    ...["LSET k 3 o", "LSET k -4 o", "LSET k x o", "LSET missing 0 o", "LSET missing x o"],
    ...[`LSET k 0 ${"v".repeat(200)}`, "LINDEX k 0", `LSET k 0 ""`, "LRANGE k 0 -1"],
  ),
  vector(
    "LREM: from both ends",
    ...["RPUSH k a b a c a d a", "LREM k 1 a", "LRANGE k 0 -1", "LREM k -1 a", "LRANGE k 0 -1"],
    ...["LREM k 0 a", "LRANGE k 0 -1", "LREM k 0 a", "LREM k 10 b", "LREM k -10 c", "LREM k 0 d"],
    ...["EXISTS k", "LREM k 0 d", "LREM k x d", "RPUSH k 1 01 1", "LREM k 0 1", "LRANGE k 0 -1"],
    "LREM k x 1",
  ),
  vector(
    "LINSERT",
    ...["RPUSH k a b b c", "LINSERT k BEFORE b x", "LINSERT k AFTER b y", "LRANGE k 0 -1"],
    ...["LINSERT k before a 0", "LINSERT k after c 9", "LRANGE k 0 -1"],
    ...["LINSERT k BEFORE none x", "LINSERT missing BEFORE a x", "EXISTS missing"],
    ...["LINSERT k FOO a x", "LINSERT missing FOO a x"],
  ),
  vector(
    "LTRIM",
    ...["RPUSH k 0 1 2 3 4 5 6 7 8 9", "LTRIM k 1 -2", "LRANGE k 0 -1", "LTRIM k -5 100"],
    ...["LRANGE k 0 -1", "LTRIM k 0 -1", "LRANGE k 0 -1", "LTRIM k 1 1", "LRANGE k 0 -1"],
    ...["LTRIM k 5 10", "EXISTS k", "RPUSH k a b", "LTRIM k 1 0", "EXISTS k", "LTRIM k a 1"],
    ...["LTRIM k 0 b", "RPUSH k a b", "LTRIM k -100 0", "LRANGE k 0 -1", "LTRIM k x 1"],
  ),
  vector(
    "LPOS: each option",
    ...["RPUSH k a b c 1 2 3 c c", "LPOS k c", "LPOS k c RANK 1", "LPOS k c RANK 2"],
    ...["LPOS k c RANK -1", "LPOS k c RANK -3", "LPOS k c RANK 4", "LPOS k c COUNT 0"],
    ...["LPOS k c COUNT 1", "LPOS k c COUNT 2", "LPOS k c COUNT 10", "LPOS k c COUNT 2 RANK -1"],
    ...["LPOS k c COUNT 0 RANK -2", "LPOS k c COUNT 0 RANK 2", "LPOS k c MAXLEN 1"],
    ...["LPOS k c MAXLEN 3", "LPOS k c COUNT 0 MAXLEN 7", "LPOS k c MAXLEN 0"],
    ...["LPOS k c RANK -1 MAXLEN 1", "LPOS k c RANK -2 MAXLEN 1", "LPOS k none"],
    ...["LPOS k none COUNT 1", "LPOS missing a", "LPOS missing a COUNT 1"],
    "lpos k c rank 2 count 1 maxlen 100",
  ),
  vector(
    "LPOS: wrong options",
    ...["RPUSH k a", "LPOS k a RANK 0", "LPOS k a RANK x", "LPOS k a COUNT -1"],
    ...["LPOS k a COUNT x", "LPOS k a MAXLEN -1", "LPOS k a MAXLEN x", "LPOS k a FOO 1"],
    ...["LPOS k a RANK", "LPOS k a RANK 1 COUNT", "LPOS missing a RANK 0"],
    "LPOS k a RANK -9223372036854775808",
  ),
  vector(
    "LMOVE: every direction",
    ...["RPUSH a 1 2 3 4", "LMOVE a b LEFT LEFT", "LMOVE a b LEFT RIGHT", "LMOVE a b RIGHT LEFT"],
    ...["LMOVE a b RIGHT RIGHT", "EXISTS a", "LRANGE b 0 -1", "LMOVE a b LEFT LEFT"],
    ...["LMOVE b b LEFT RIGHT", "LRANGE b 0 -1", "LMOVE b b RIGHT LEFT", "LRANGE b 0 -1"],
    ...["LMOVE b b LEFT LEFT", "LRANGE b 0 -1", "lmove b a left right", "LMOVE a b FOO LEFT"],
    ...["LMOVE a b LEFT FOO", "LMOVE missing b FOO LEFT"],
  ),
  vector(
    "LMOVE and RPOPLPUSH: another type",
    ...["SET s v", "RPUSH l a", "LMOVE l s LEFT LEFT", "LRANGE l 0 -1", "LMOVE s l LEFT LEFT"],
    ...["RPOPLPUSH l s", "RPOPLPUSH s l", "LMOVE missing s LEFT LEFT", "RPOPLPUSH missing s"],
    ...["RPOPLPUSH l l", "RPOPLPUSH l m", "LRANGE m 0 -1", "EXISTS l"],
  ),
  vector(
    "LMPOP: keys, counts, ends",
    ...["RPUSH a 1 2 3", "RPUSH b x y", "LMPOP 2 missing a LEFT", "LMPOP 2 a b RIGHT COUNT 5"],
    ...["EXISTS a", "LMPOP 2 a b LEFT COUNT 1", "LMPOP 2 a b LEFT COUNT 10", "LMPOP 2 a b LEFT"],
    "lmpop 1 a left count 1",
  ),
  vector(
    "LMPOP: wrong arguments",
    ...["RPUSH a 1", "LMPOP 0 a LEFT", "LMPOP -1 a LEFT", "LMPOP x a LEFT", "LMPOP 2 a LEFT"],
    ...["LMPOP 1 a FOO", "LMPOP 1 a LEFT COUNT 0", "LMPOP 1 a LEFT COUNT -1"],
    ...["LMPOP 1 a LEFT COUNT x", "LMPOP 1 a LEFT COUNT", "LMPOP 1 a LEFT COUNT 1 COUNT 1"],
    ...["LMPOP 1 a LEFT FOO 1", "LMPOP 1 a", "LRANGE a 0 -1", `LMPOP ${MAX} a LEFT`],
  ),
  vector(
    "LMPOP: the first list that is not empty",
    ...["SET s v", "RPUSH l a", "LMPOP 2 s l LEFT", "LMPOP 2 l s LEFT", "LMPOP 2 l s LEFT"],
  ),
  vector(
    "lists: hundreds of elements",
    ...[`RPUSH k ${LONG}`, "LLEN k", "LINDEX k 150", "LINDEX k -1", "LRANGE k 148 152"],
    ...["LSET k 150 changed", "LINDEX k 150", "LPOS k element-299"],
    ...["LINSERT k BEFORE element-200 new", "LINDEX k 200", "LREM k 0 element-5", "LLEN k"],
    ...["LTRIM k 100 -100", "LLEN k", "LINDEX k 0", "LINDEX k -1", "RPOP k 3", "LPOP k 3"],
    ...["LMOVE k o LEFT RIGHT", "LLEN k"],
  ),
  vector(
    "lists: large elements",
    ...[`RPUSH k ${"a".repeat(5000)} small ${"b".repeat(9000)}`, "LINDEX k 1", "LPOP k"],
    ...["LLEN k", "RPOP k", "LRANGE k 0 -1", "LINDEX k -1"],
  ),
  vector(
    "lists: a TTL stays until the list is empty",
    ...["RPUSH k a b", "EXPIRE k 100", "RPUSH k c", "TTL k", "LPOP k 3", "TTL k", "RPUSH k a"],
    "TTL k",
  ),
  vector(
    "BLPOP and BRPOP: at once",
    ...["RPUSH k a b c", "BLPOP k 1", "BRPOP k 1", "BLPOP missing k 1", "EXISTS k", "RPUSH b x"],
    ...["BLPOP a b 0", "RPUSH a 1", "RPUSH b 2", "BRPOP b a 0.5", "BRPOP b a 0"],
  ),
  vector(
    "BLPOP: times",
    ...["BLPOP k 0.01", "BRPOP k 0.01", "BLPOP k -1", "BLPOP k x", "BLPOP k inf", "BLPOP k nan"],
    ...["BLPOP k 1e400", "BRPOP k -0.5", "BLPOP a b 0.01", `BLPOP k ${MAX}`],
    ...["BLPOP k 99999999999999999999", `BLPOP k ""`],
  ),
  vector(
    "BLPOP: the first key counts, whatever it is",
    ...["SET s v", "RPUSH l a", "BLPOP s l 1", "BLPOP l s 1", "BLPOP missing s 1"],
    "BLMPOP 1 2 s l LEFT",
  ),
  vector(
    "BLMOVE and BRPOPLPUSH: at once, times, words",
    ...["RPUSH a 1 2 3", "BLMOVE a b LEFT RIGHT 1", "BRPOPLPUSH a b 1", "LRANGE b 0 -1"],
    ...["BLMOVE missing b LEFT RIGHT 0.01", "BRPOPLPUSH missing b 0.01"],
    ...["BLMOVE a b FOO RIGHT 1", "BLMOVE a b LEFT FOO 1", "BLMOVE a b LEFT RIGHT x"],
    ...["BLMOVE a b LEFT RIGHT -1", "BRPOPLPUSH a b x", "BRPOPLPUSH a b -1", "SET s v"],
    ...["BLMOVE a s LEFT RIGHT 1", "BRPOPLPUSH a s 1", "LRANGE a 0 -1"],
  ),
  vector(
    "BLMPOP: at once, times, words",
    ...["RPUSH a 1 2 3", "BLMPOP 1 2 b a LEFT COUNT 2", "BLMPOP 0.01 1 b RIGHT"],
    ...["BLMPOP x 1 a LEFT", "BLMPOP -1 1 a LEFT", "BLMPOP 1 0 a LEFT", "BLMPOP 1 x a LEFT"],
    ...["BLMPOP 1 1 a FOO", "BLMPOP 1 1 a LEFT COUNT 0", "BLMPOP 1 2 a LEFT", "LRANGE a 0 -1"],
  ),
  vector("BLPOP: woken by a push", "B> BLPOP k 5", "RPUSH k a b", "B<", "LRANGE k 0 -1"),
  vector(
    "BRPOP: woken by several elements",
    ...["B> BRPOP k j 5", "RPUSH k a b c", "B<", "LRANGE k 0 -1"],
  ),
  vector(
    "BLPOP: who came first is served first",
    ...["B> BLPOP k 5", "C> BLPOP k 5", "D> BLPOP k 5", "RPUSH k 1 2", "B<", "C<", "D<"],
    ...["LLEN k", "RPUSH k 3", "D<", "EXISTS k"],
  ),
  vector(
    "BLMOVE: woken, and wakes another",
    ...["B> BLMOVE a b LEFT RIGHT 5", "C> BLPOP b 5", "RPUSH a x", "B<", "C<", "EXISTS a b"],
  ),
  vector(
    "BRPOPLPUSH: woken by a push",
    ...["B> BRPOPLPUSH a b 5", "LPUSH a x y", "B<", "LRANGE a 0 -1", "LRANGE b 0 -1"],
  ),
  vector(
    "BLMPOP: woken with a count",
    ...["B> BLMPOP 5 2 a b LEFT COUNT 2", "RPUSH b 1 2 3", "B<", "LRANGE b 0 -1"],
  ),
  vector(
    "BLPOP: another type does not wake",
    ...["B> BLPOP k 5", "SET k v", "B<", "DEL k", "RPUSH k a", "B<"],
  ),
  vector(
    "BLPOP: woken by RENAME, COPY is no push",
    ...["B> BLPOP k 5", "RPUSH o a", "RENAME o k", "B<"],
  ),
  vector(
    "BLPOP: in a transaction it does not wait",
    ...["MULTI", "BLPOP k 0", "BLMOVE a b LEFT LEFT 0", "BRPOPLPUSH a b 0", "BLMPOP 0 1 a LEFT"],
    "EXEC",
  ),
  vector(
    "BLPOP: woken at the end of a transaction",
    ...["B> BLPOP k 5", "MULTI", "RPUSH k a", "RPUSH k b", "LPOP k", "EXEC", "B<", "EXISTS k"],
  ),
  vector(
    "CLIENT UNBLOCK: is for who waits",
    ...["CLIENT UNBLOCK 999999", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 1 FOO"],
  ),
];
