/**
 * A session that uses every type, for every client that there is. Each part is played when the
 * server has its commands.
 *
 * @module
 */

import type { CommandTable } from "../../src/command/lookup.ts";

/** One command and its reply as a flat list of texts; nil is "". */
export interface SessionStep {
  readonly words: readonly string[];
  readonly reply: readonly string[];
  /** Whether the elements come in no order. */
  readonly unordered: boolean;
}

function step(line: string, ...reply: string[]): SessionStep {
  const unordered = line.startsWith("~ ");
  return { words: line.replace("~ ", "").split(" "), reply, unordered };
}

/** Parts of the session; no part needs what another left behind. */
export const SESSION_PARTS: Readonly<Record<string, readonly SessionStep[]>> = {
  strings: [
    step("SET t:s hello", "OK"),
    step("APPEND t:s !", "6"),
    step("GETRANGE t:s 1 3", "ell"),
    step("SETRANGE t:s 0 J", "6"),
    step("GET t:s", "Jello!"),
    step("MSET t:a 1 t:b 2", "OK"),
    step("MGET t:a t:b t:none", "1", "2", ""),
    step("INCRBY t:a 41", "42"),
    step("GETDEL t:a", "42"),
  ],
  bits: [
    step("SETBIT t:bits 7 1", "0"),
    step("GETBIT t:bits 7", "1"),
    step("BITCOUNT t:bits", "1"),
    step("BITFIELD t:bits INCRBY u8 8 5", "5"),
  ],
  lists: [
    step("RPUSH t:l a b c", "3"),
    step("LPUSH t:l z", "4"),
    step("LRANGE t:l 0 -1", "z", "a", "b", "c"),
    step("LPOP t:l", "z"),
    step("LMOVE t:l t:l2 RIGHT LEFT", "c"),
    step("LINSERT t:l BEFORE b x", "3"),
    step("LRANGE t:l 0 -1", "a", "x", "b"),
    step("LLEN t:l2", "1"),
    step("BLPOP t:l2 1", "t:l2", "c"),
  ],
  hashes: [
    step("HSET t:h a 1 b 2", "2"),
    step("HGET t:h a", "1"),
    step("HMGET t:h a none b", "1", "", "2"),
    step("HINCRBY t:h a 9", "10"),
    step("HDEL t:h b", "1"),
    step("HGETALL t:h", "a", "10"),
    step("HLEN t:h", "1"),
  ],
  sets: [
    step("SADD t:e a b c", "3"),
    step("SADD t:e2 b c d", "3"),
    step("~ SMEMBERS t:e", "a", "b", "c"),
    step("~ SINTER t:e t:e2", "b", "c"),
    step("SUNIONSTORE t:e3 t:e t:e2", "4"),
    step("SISMEMBER t:e3 d", "1"),
    step("SREM t:e3 a b c", "3"),
    step("SPOP t:e3", "d"),
  ],
  "sorted sets": [
    step("ZADD t:z 1.5 a 2.5 b 3.5 c", "3"),
    step("ZRANGE t:z 0 1", "a", "b"),
    step("ZRANGEBYSCORE t:z 2 4", "b", "c"),
    step("ZINCRBY t:z 5 a", "6.5"),
    step("ZRANK t:z a", "2"),
    step("ZSCORE t:z b", "2.5"),
    step("ZREM t:z a b", "2"),
    step("ZCARD t:z", "1"),
  ],
  hyperloglog: [step("PFADD t:p a b c a", "1"), step("PFCOUNT t:p", "3")],
  keys: [
    step("SET t:k v", "OK"),
    step("EXPIRE t:k 100", "1"),
    step("TTL t:k", "100"),
    step("PERSIST t:k", "1"),
    step("RENAME t:k t:k2", "OK"),
    step("EXISTS t:k t:k2", "1"),
    step("TYPE t:k2", "string"),
    step("~ KEYS t:k*", "t:k2"),
    step("UNLINK t:k2", "1"),
  ],
};

/** The parts whose commands a table has. */
export function sessionOf(table: CommandTable): readonly SessionStep[] {
  return Object.values(SESSION_PARTS)
    .filter((steps) => steps.every(({ words }) => table.named(words[0]!) !== undefined))
    .flat();
}

/** A reply as a library gives it, as a flat list of texts. */
export function flatReply(reply: unknown): string[] {
  if (reply === null || reply === undefined) return [""];
  if (Array.isArray(reply)) return reply.flatMap(flatReply);
  if (reply instanceof Set) return [...reply].flatMap(flatReply);
  if (reply instanceof Map) return [...reply].flat().flatMap(flatReply);
  if (typeof reply === "object") return Object.entries(reply).flat().flatMap(flatReply);
  return [String(reply)];
}
