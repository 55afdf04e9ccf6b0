/**
 * What holds for every command: number of arguments, a missing key, a key of another type.
 *
 * @module
 */

import { vector, type VectorCase } from "../format.ts";

/** How to make a key of each type, and one call of each command that works on it. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  string: [
    ...["GET k", "SET k v", "GETEX k", "GETDEL k", "GETSET k v", "SETNX k v", "SETEX k 100 v"],
    ...["PSETEX k 100000 v", "APPEND k v", "STRLEN k", "GETRANGE k 0 1", "SUBSTR k 0 1"],
    ...["SETRANGE k 1 v", "INCR k", "DECR k", "INCRBY k 5", "DECRBY k 5", "INCRBYFLOAT k 1.5"],
    ...["MSET k v", "MSETNX k v", "MGET k", "LCS k k2", "SET k v GET", "GETEX k PERSIST"],
  ],
  bits: [
    ...["SETBIT k 7 1", "GETBIT k 7", "BITCOUNT k", "BITCOUNT k 0 -1", "BITPOS k 1", "BITPOS k 0"],
    ...["BITOP AND dest k", "BITOP NOT dest k", "BITOP XOR dest k k2", "BITFIELD k GET u8 0"],
    ...["BITFIELD k SET u8 0 5", "BITFIELD k INCRBY i5 0 1", "BITFIELD_RO k GET u8 0"],
  ],
  list: [
    ...["LPUSH k a", "RPUSH k a", "LPUSHX k a", "RPUSHX k a", "LPOP k", "RPOP k", "LPOP k 2"],
    ...["RPOP k 2", "LLEN k", "LINDEX k 0", "LRANGE k 0 -1", "LSET k 0 z", "LREM k 0 a"],
    ...["LINSERT k BEFORE a b", "LTRIM k 0 1", "LPOS k a", "LPOS k a COUNT 0"],
    ...["LMOVE k k2 LEFT RIGHT", "LMOVE k2 k LEFT RIGHT", "RPOPLPUSH k k2", "LMPOP 1 k LEFT"],
    ...["BLPOP k 0.01", "BRPOP k 0.01", "BLMOVE k k2 LEFT RIGHT 0.01", "BRPOPLPUSH k k2 0.01"],
    ...["BLMPOP 0.01 1 k LEFT"],
  ],
  hash: [
    ...["HSET k f v", "HSETNX k f v", "HGET k f", "HMGET k f g", "HMSET k f v", "HGETALL k"],
    ...["HDEL k f", "HEXISTS k f", "HKEYS k", "HVALS k", "HLEN k", "HSTRLEN k f"],
    ...["HINCRBY k n 1", "HINCRBYFLOAT k n 1.5", "HRANDFIELD k", "HRANDFIELD k 2", "HSCAN k 0"],
  ],
  set: [
    ...["SADD k a", "SREM k a", "~ SMEMBERS k", "SISMEMBER k a", "SMISMEMBER k a b", "SCARD k"],
    ...["? SPOP k", "? SPOP k 2", "? SRANDMEMBER k", "? SRANDMEMBER k 1", "SMOVE k k2 a"],
    ...["~ SINTER k k2", "SINTERCARD 2 k k2", "SINTERSTORE dest k k2", "~ SUNION k k2"],
    ...["SUNIONSTORE dest k k2", "~ SDIFF k k2", "SDIFFSTORE dest k k2", "~ SSCAN k 0"],
    ...["SMOVE k2 k a"],
  ],
  zset: [
    ...[
      "ZADD k 1 a",
      "ZADD k INCR 1 a",
      "ZINCRBY k 1 a",
      "ZREM k a",
      "ZSCORE k a",
      "ZMSCORE k a b",
    ],
    ...["ZCARD k", "ZCOUNT k 0 1", "ZLEXCOUNT k - +", "ZRANK k a", "ZREVRANK k a", "ZRANGE k 0 -1"],
    ...["ZRANGESTORE dest k 0 -1", "ZRANGEBYSCORE k 0 5", "ZREVRANGEBYSCORE k 5 0"],
    ...["ZRANGEBYLEX k - +", "ZREVRANGEBYLEX k + -", "ZREVRANGE k 0 -1", "ZPOPMIN k", "ZPOPMAX k"],
    ...["ZPOPMIN k 2", "ZPOPMAX k 2", "BZPOPMIN k 0.01", "BZPOPMAX k 0.01", "ZMPOP 1 k MIN"],
    ...["BZMPOP 0.01 1 k MIN", "? ZRANDMEMBER k", "? ZRANDMEMBER k 1", "ZREMRANGEBYRANK k 0 0"],
    ...["ZREMRANGEBYSCORE k 0 1", "ZREMRANGEBYLEX k - +", "ZUNION 2 k k2", "ZINTER 2 k k2"],
    ...["ZDIFF 2 k k2", "ZINTERCARD 2 k k2", "ZUNIONSTORE dest 2 k k2"],
    ...["ZINTERSTORE dest 2 k k2", "ZDIFFSTORE dest 2 k k2", "ZSCAN k 0"],
  ],
  hyperloglog: ["PFADD k a", "PFCOUNT k", "PFCOUNT k k2", "PFMERGE k", "PFMERGE dest k"],
  keys: [
    ...["DEL k", "UNLINK k", "EXISTS k", "TYPE k", "~ KEYS k", "~ SCAN 0 COUNT 100", "RANDOMKEY"],
    ...["RENAME k k2", "RENAMENX k k2", "COPY k k2", "TOUCH k", "EXPIRE k 100", "PEXPIRE k 100000"],
    ...["EXPIREAT k 33177117420", "PEXPIREAT k 33177117420000", "EXPIRETIME k", "PEXPIRETIME k"],
    ...["TTL k", "PTTL k", "PERSIST k", "OBJECT REFCOUNT k", "MOVE k 3"],
    ...["OBJECT IDLETIME k", "? DUMP k", "? MEMORY USAGE k"],
  ],
};

/** Calls whose arguments hold no key or need no data. */
const PLAIN: readonly string[] = [
  ...["PING", "ECHO hi", "SELECT 1", "AUTH x", "RESET", "SWAPDB 0 1", "COMMAND COUNT"],
  ...["COMMAND GETKEYS GET k", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT NO-EVICT ON"],
  ...["CLIENT REPLY ON", "CLIENT UNPAUSE", "CLIENT SETINFO LIB-NAME x", "CLIENT NO-TOUCH ON"],
  ...[
    "CONFIG GET nosuchparameter",
    "CONFIG RESETSTAT",
    "DBSIZE",
    "FLUSHDB",
    "FLUSHALL",
    "WAIT 0 1",
  ],
  ...["SLOWLOG RESET", "SLOWLOG LEN", "LATENCY RESET", "MULTI", "DISCARD", "EXEC"],
  ...["WATCH k", "UNWATCH", "PUBLISH c m", "PUBSUB CHANNELS", "PUBSUB NUMSUB c", "PUBSUB NUMPAT"],
  ...["SUBSCRIBE c", "UNSUBSCRIBE c", "PSUBSCRIBE c*", "PUNSUBSCRIBE c*", "ACL WHOAMI"],
  ...["SORT k", "SORT_RO k", "RESTORE k 0 x", "OBJECT ENCODING k", "OBJECT FREQ k", "OBJECT HELP"],
  ...["MEMORY USAGE k", "CLIENT KILL ID 99999", "CLIENT PAUSE 0", "DEBUG SLEEP 0"],
];

const SETUP: Readonly<Record<string, string>> = {
  string: "SET k v",
  list: "RPUSH k a b c",
  hash: "HSET k f v",
  set: "SADD k a",
  zset: "ZADD k 1 a",
};

/** A key of another type than the commands of each family want. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  string: ["list", "hash", "set", "zset"],
  bits: ["list", "zset"],
  list: ["string", "hash", "zset"],
  hash: ["string", "list", "set"],
  set: ["string", "hash", "zset"],
  zset: ["string", "list", "set"],
  hyperloglog: ["string", "list"],
  keys: [],
};

/** The call with its mark, and its words. */
function marked(call: string): [mark: string, words: string] {
  const [, mark = "", words] = /^([~?%#] )?(.*)$/.exec(call)!;
  return [mark, words!];
}

function arityCases(family: string, calls: readonly string[]): VectorCase[] {
  const cases = new Map<string, VectorCase>();
  for (const call of calls) {
    const words = marked(call)[1].split(" ");
    const isContainer = /^(CLIENT|CONFIG|COMMAND|OBJECT|PUBSUB|SLOWLOG|LATENCY|ACL|MEMORY|DEBUG)$/
      .test(words[0]!);
    const name = isContainer ? words.slice(0, 2).join(" ") : words[0]!;
    const least = isContainer ? 2 : 1;
    const steps = new Set<string>();
    for (let count = least; count < words.length; count++) {
      steps.add(words.slice(0, count).join(" "));
    }
    steps.add([...words, "extra"].join(" "));
    // What subscribes or asks for data at random is no matter of arity.
    const kept = [...steps].filter((line) =>
      !/^(P?(UN)?SUBSCRIBE|RANDOMKEY|COMMAND|RESET)$/.test(line)
    );
    const known = cases.get(name);
    const all = new Set([...known?.steps ?? [], ...kept]);
    cases.set(name, vector(`${family}: ${name} with too few and too many arguments`, ...all));
  }
  return [...cases.values()].filter(({ steps }) => steps.length > 0);
}

/** Every command of `CALLS` on a key that is not there. */
function missingCases(family: string, calls: readonly string[]): VectorCase[] {
  return calls.map((call) =>
    vector(`${family}: ${marked(call)[1]} where nothing is`, call, "TYPE k", "EXISTS k2 dest")
  );
}

function wrongTypeCases(family: string, calls: readonly string[]): VectorCase[] {
  return OTHERS[family]!.map((type) =>
    vector(
      `${family}: commands meet a ${type}`,
      ...calls.flatMap((call) => ["FLUSHALL", SETUP[type]!, call]),
      "TYPE k",
    )
  );
}

/** One case per command, so that those of commands that are missing are left out alone. */
function splitCases(cases: readonly VectorCase[]): VectorCase[] {
  return cases.flatMap(({ name, steps }) => {
    const rounds: string[][] = [];
    for (const step of steps) {
      if (step === "FLUSHALL") rounds.push([]);
      else rounds.at(-1)!.push(step);
    }
    return rounds.map((round) => vector(`${name}: ${marked(round[1]!)[1]}`, ...round));
  });
}

/** What holds for every command. */
export const EVERY_COMMAND: readonly VectorCase[] = [
  ...Object.entries(CALLS).flatMap(([family, calls]) => [
    ...arityCases(family, calls),
    ...missingCases(family, calls),
    ...splitCases(wrongTypeCases(family, calls)),
  ]),
  ...arityCases("plain", PLAIN),
];
