/**
 * Commands with as many arguments as a request may have, and what takes long for other reasons than
 * the size of a collection; for long_commands.ts.
 *
 * @module
 */

/** What long_commands.ts measures, as far as these need it. */
export interface ManyArguments {
  readonly title: string;
  readonly needs: readonly string[];
  readonly filling?: "keys" | "list" | "numbers" | "repeats" | "hash" | "set" | "zset";
  readonly before?: readonly (readonly string[])[];
  readonly commands: readonly (readonly string[])[];
}

/** `--max-request-bytes` is 1 MB unless it is set: this many members of a dozen bytes fit. */
const MEMBERS = 50_000;
const PAIRS = 35_000;

const words = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const pairs = (count: number, first: string, second: string): string[] =>
  Array.from({ length: count }, (_, i) => [`${first}${i}`, `${second}${i}`]).flat();

const members = words(MEMBERS, "new-");
const fields = words(PAIRS, "new-");
const keys = words(MEMBERS, "k:");

/** Changes of a key that has a million elements, and of one that is not there yet. */
function changes(key: string): ManyArguments[] {
  const where = key === "big" ? "large" : "new";
  const filled = (filling: NonNullable<ManyArguments["filling"]>) =>
    key === "big" ? { filling } : {};
  return [
    {
      title: `SADD, SREM many, ${where}`,
      needs: ["sadd", "srem"],
      ...filled("set"),
      commands: [["SADD", key, ...members], ["SREM", key, ...members]],
    },
    {
      title: `HSET, HDEL many, ${where}`,
      needs: ["hset", "hdel"],
      ...filled("hash"),
      commands: [["HSET", key, ...pairs(PAIRS, "new-", "v")], ["HDEL", key, ...fields]],
    },
    {
      title: `ZADD, ZREM many, ${where}`,
      needs: ["zadd", "zrem"],
      ...filled("zset"),
      commands: [["ZADD", key, ...pairs(PAIRS, "", "new-")], ["ZREM", key, ...fields]],
    },
    {
      title: `RPUSH, LPUSH many, ${where}`,
      needs: ["rpush", "lpush", "ltrim"],
      ...filled("list"),
      commands: [
        ["RPUSH", key, ...members],
        ["LPUSH", key, ...members],
        ["LTRIM", key, String(MEMBERS), String(-MEMBERS - 1)],
      ],
    },
  ];
}

/** What is measured. */
export const MANY_ARGUMENTS: readonly ManyArguments[] = [
  ...changes("big"),
  ...changes("other"),
  {
    title: "PFADD many",
    needs: ["pfadd"],
    commands: [["PFADD", "hll", ...members], ["DEL", "hll"]],
  },
  {
    title: "SMISMEMBER many",
    needs: ["smismember"],
    filling: "set",
    commands: [["SMISMEMBER", "big", ...words(MEMBERS, "member-")]],
  },
  {
    title: "HMGET many",
    needs: ["hmget"],
    filling: "hash",
    commands: [["HMGET", "big", ...words(MEMBERS, "f")]],
  },
  {
    title: "ZMSCORE many",
    needs: ["zmscore"],
    filling: "zset",
    commands: [["ZMSCORE", "big", ...words(MEMBERS, "m")]],
  },
  { title: "MGET many", needs: ["mget"], filling: "keys", commands: [["MGET", ...keys]] },
  { title: "EXISTS many", needs: ["exists"], filling: "keys", commands: [["EXISTS", ...keys]] },
  { title: "TOUCH many", needs: ["touch"], filling: "keys", commands: [["TOUCH", ...keys]] },
  {
    title: "MSET, DEL many",
    needs: ["mset", "del"],
    filling: "keys",
    commands: [["MSET", ...pairs(PAIRS, "n:", "v")], ["DEL", ...words(PAIRS, "n:")]],
  },
  {
    title: "MSET, UNLINK many, over",
    needs: ["mset", "unlink"],
    filling: "keys",
    commands: [["MSET", ...pairs(PAIRS, "k:", "v")], ["UNLINK", ...words(PAIRS, "k:")]],
  },
  {
    title: "LREM scattered",
    needs: ["lrem", "copy"],
    filling: "repeats",
    commands: [["COPY", "big", "other", "REPLACE"], ["LREM", "other", "0", "element-3"]],
  },
  {
    title: "LCS at its cap",
    needs: ["lcs"],
    before: [["SET", "a", "ab".repeat(2 ** 13)], ["SET", "b", "ba".repeat(2 ** 13)]],
    commands: [["LCS", "a", "b", "LEN"], ["LCS", "a", "b", "IDX"], ["LCS", "a", "b"]],
  },
];
