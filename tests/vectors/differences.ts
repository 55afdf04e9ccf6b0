/**
 * Where this server answers otherwise than Redis 7.0, and why; `docs/compatibility.md` is made from
 * this list.
 *
 * @module
 */

/** One reply that is another, on purpose. */
export interface Difference {
  /** Steps whose line matches have another reply. */
  readonly line: RegExp;
  /** The case; every one when left out. */
  readonly name?: string;
  /** What ours must look like. */
  readonly ours: RegExp;
  /** The difference in words. */
  readonly what: string;
  /** Why. */
  readonly reason: string;
}

/** All differences of replies. */
export const DIFFERENCES: readonly Difference[] = [
  {
    line: /^~ SSCAN k 0 COUNT 1$/,
    name: "SSCAN: a small set at once",
    ours: /^\*2\r\n\$1\r\n0\r\n\*3\r\n/,
    what: "`SSCAN` returns a small set as a whole, whatever `COUNT` is.",
    reason: "It is packed; Redis does so with sets of integers, and with words since 7.2.",
  },
  {
    line: /^(ZSCORE|ZRANGE|ZINCRBY|ZADD) /,
    name: "ZADD: scores of seventeen digits",
    ours: /^([,$*:]|_\r\n)/,
    what: "A score is written in the fewest digits that read back as the same double: `0.1`.",
    reason: "Redis does so since 7.2; 7.0 writes 17 digits, `0.10000000000000001`.",
  },
  {
    line: /^(INFO|HELLO) /,
    name: "HELLO: changes the shape of nil",
    ours: /^[*%]/,
    what: "`HELLO` names the server `redis` and a version of its own.",
    reason: "Clients decide by the name what they may send; the version is that of this server.",
  },
  {
    line: /^BITFIELD k SET u8 4294967295 1$/,
    ours: /^-ERR bit offset is not an integer or out of range\r\n$/,
    what: "A bit further out than `--max-value-bytes` is refused as out of range.",
    reason: "Redis's own limit is 512 MiB and not a setting.",
  },
  {
    line: / (281474976710656|281474976711)$/,
    name: "PEXPIREAT: the latest time",
    ours: /^-ERR invalid expire time in '\w+' command\r\n$/,
    what: "A time later than in the year 10889, 2^48 ms behind 1970, is an invalid expire time.",
    reason: "Every key that expires keeps its time, in 48 bits; Redis takes 292 million years.",
  },
  {
    line: /^PUBLISH c x$/,
    name: "subscribed: what is still allowed",
    ours: /^(:1\r\n>3\r\n|-ERR Can't execute)/,
    what: "Who publishes to itself gets the reply first and then its own message.",
    reason: "Messages go through the thread's inbox; in version 3 they may come at any time.",
  },
  {
    line: /^DEBUG SLEEP( 0 extra)?$/,
    ours: /^-ERR wrong number of arguments for 'debug\|sleep' command\r\n$/,
    what: "`DEBUG SLEEP` without a time has the wrong number of arguments.",
    reason: "It is a subcommand with a row of its own here.",
  },
  {
    line: /^COMMAND GETKEYS \S+$/,
    ours: /^-ERR (Invalid|The command has no key)/,
    what: "`COMMAND GETKEYS` of a command without arguments says what is wrong with that command.",
    reason:
      "Redis does so since 7.2; 7.0 says that `COMMAND GETKEYS` itself has too few arguments.",
  },
  {
    line: /^CLIENT (SETINFO|NO-TOUCH)/,
    ours: /^(\+OK|-ERR (wrong number|Unrecognized|syntax))/,
    what: "`CLIENT SETINFO` and `CLIENT NO-TOUCH` exist.",
    reason: "Redis has them since 7.2, and client libraries send them.",
  },
  {
    line: /^Z(REV)?RANK \S+ \S+ WITHSCORE$/,
    ours: /^(\*|_)/,
    what: "`ZRANK` and `ZREVRANK` take `WITHSCORE`.",
    reason: "Redis has it since 7.2; clients that know it may use it.",
  },
];

/** A command whose facts are others than those of Redis 7.0. */
export interface FactDifference {
  /** Names of commands; a subcommand is `client|id`. */
  readonly names: readonly string[];
  /** Which fact: `arity`, `flags` or `keys`. */
  readonly fact: "arity" | "flags" | "keys";
  /** Flags that only Redis reports. */
  readonly without?: readonly string[];
  /** Flags that only this server reports. */
  readonly with?: readonly string[];
  /** Why. */
  readonly reason: string;
}

/** All differences of `COMMAND INFO`. */
export const FACT_DIFFERENCES: readonly FactDifference[] = [
  {
    names: ["*"],
    fact: "flags",
    without: ["allow_busy", "may_replicate", "no_async_loading", "no_mandatory_keys"],
    reason: "They speak of scripts, replicas and modules, which are not here.",
  },
  {
    names: ["debug"],
    fact: "flags",
    without: ["admin", "noscript", "loading", "stale"],
    reason: "It has subcommands here, and those have the flags.",
  },
  {
    names: ["spublish", "ssubscribe", "sunsubscribe"],
    fact: "keys",
    reason: "Channels are no keys where there is no cluster.",
  },
  {
    names: ["zrank", "zrevrank"],
    fact: "arity",
    reason: "They take `WITHSCORE`, as since Redis 7.2.",
  },
  {
    names: ["command|getkeys"],
    fact: "arity",
    reason: "`COMMAND GETKEYS` of a command alone names its own error, as since Redis 7.2.",
  },
];

/**
 * Commands of Redis 7.0 that this server does not have and is not meant to have, and why.
 * A name ending in `*` stands for all that begin so.
 */
export const NON_GOALS: readonly { readonly names: readonly string[]; readonly reason: string }[] =
  [
    {
      reason: "Scripting: commands run in this server, programs in its workers.",
      names: ["eval*", "evalsha*", "script*", "fcall*", "function*"],
    },
    {
      reason: "Streams are not a type of this server.",
      names: [
        "xack",
        "xadd",
        "xautoclaim",
        "xclaim",
        "xdel",
        "xgroup*",
        "xinfo*",
        "xlen",
        "xpending",
        "xrange",
        "xread",
        "xreadgroup",
        "xrevrange",
        "xsetid",
        "xtrim",
      ],
    },
    { reason: "Places on earth are not a type of this server.", names: ["geo*"] },
    {
      reason: "There is no cluster: one process has all the data.",
      names: [
        "asking",
        "cluster*",
        "readonly",
        "readwrite",
        "restore-asking",
        "migrate",
      ],
    },
    {
      reason: "There is no replication.",
      names: ["failover", "psync", "replconf", "sync"],
    },
    { reason: "There are no modules.", names: ["module|load", "module|loadex", "module|unload"] },
    {
      reason: "There is one user, who has one password; `ACL WHOAMI` says which.",
      names: ["acl|load", "acl|save", "acl|setuser"],
    },
    { reason: "Only Redis's own tests use it.", names: ["pfdebug"] },
    {
      reason: "Clients keep no copies that the server would have to call back.",
      names: ["client|caching"],
    },
  ];
