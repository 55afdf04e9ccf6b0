/**
 * What the threads of the command stress do, type by type. A deed is one or a few commands whose
 * replies say what was done, so that the end state can be told from what all threads did, in
 * whatever order.
 *
 * @module
 */

import type { CommandTable } from "../../src/command/lookup.ts";
import type { Random } from "../helpers/fuzz/random.ts";
import type { Frame } from "../vectors/format.ts";
import { type CommandDefect, faultInSealed, sealedValue } from "./command_evidence.ts";

/** Where a deed writes down what it did. */
export interface Diary {
  /** Notes that `amount` was added to what `name` counts. */
  add(name: string, amount: number): void;
  /** Members of `key` that are this thread's own. */
  own(key: string): Set<string>;
}

/** What follows the first replies: what is wrong or "", or more commands. */
export type Next = string | (() => readonly [string[][], (replies: Frame[]) => string]);

/** One deed under way. */
export interface Task {
  readonly commands: string[][];
  finish(replies: Frame[], diary: Diary): Next;
}

/** A kind of deed. */
export interface Deed {
  readonly name: string;
  /** Commands that must be in the table. */
  readonly needs: readonly string[];
  begin(random: Random, index: number, threadId: number): Task;
}

/** "" when the reply is of this type, otherwise what it is. */
function expectType(reply: Frame | undefined, types: string): string {
  if (reply === undefined) return "no reply";
  return types.includes(reply.type[0]!) ? "" : `${reply.type}${reply.text}`;
}

function filler(random: Random): string {
  const dice = random.below(20);
  const length = dice < 15
    ? random.below(60)
    : dice < 19
    ? random.below(2000)
    : random.below(20_000);
  return String.fromCharCode(97 + random.below(26)).repeat(length);
}

/** A deed of one command that adds to what is counted under the key. */
function counting(
  name: string,
  needs: string[],
  make: (random: Random, index: number) => { key: string; words: string[]; amount: number },
): Deed {
  return {
    name,
    needs,
    begin(random, index) {
      const { key, words, amount } = make(random, index);
      return {
        commands: [words],
        finish([reply], diary) {
          diary.add(key, amount);
          return expectType(reply, ":$,");
        },
      };
    },
  };
}

/** A deed that writes a member of this thread, or takes it away. */
function owning(
  name: string,
  prefix: string,
  add: (key: string, member: string) => string[],
  remove: (key: string, member: string) => string[],
): Deed {
  return {
    name,
    needs: [add("", "")[0]!, remove("", "")[0]!].map((each) => each.toLowerCase()),
    begin(random, index, threadId) {
      const key = `${prefix}${index % 200}`;
      const member = `t${threadId}:${random.below(20)}`;
      const adds = random.below(3) > 0;
      return {
        commands: [adds ? add(key, member) : remove(key, member)],
        finish([reply], diary) {
          const own = diary.own(key);
          const changes = adds ? !own.has(member) : own.has(member);
          if (adds) own.add(member);
          else own.delete(member);
          if (reply?.type !== ":") return expectType(reply, ":");
          return reply.text === (changes ? "1" : "0") ? "" : `${member} of ${key}: ${reply.text}`;
        },
      };
    },
  };
}

const someAmount = (random: Random): number => random.below(2001) - 1000;

const STRINGS: readonly Deed[] = [
  counting("INCRBY", ["incrby"], (random, index) => {
    const amount = someAmount(random);
    return { key: `n${index}`, words: ["INCRBY", `n${index}`, String(amount)], amount };
  }),
  counting("DECR", ["decr"], (_, index) => ({
    key: `n${index}`,
    words: ["DECR", `n${index}`],
    amount: -1,
  })),
  {
    name: "SET and GET",
    needs: ["set", "get"],
    begin(random, index) {
      const key = `s${index}`;
      const writes = random.oneIn(2);
      const words = writes ? ["SET", key, sealedValue(key, filler(random))] : ["GET", key];
      return {
        commands: [words],
        finish([reply]) {
          if (writes) return expectType(reply, "+");
          if (reply?.type !== "$") return expectType(reply, "$");
          return faultInSealed(key, reply.text);
        },
      };
    },
  },
  {
    name: "DEL and SET",
    needs: ["del"],
    begin: (_, index) => ({
      commands: [["DEL", `s${index}`]],
      finish: ([reply]) => expectType(reply, ":"),
    }),
  },
  {
    // Both halves of a pair are always written together.
    name: "MSET and MGET",
    needs: ["mset", "mget"],
    begin(random, index) {
      const [left, right] = [`p${index}:left`, `p${index}:right`];
      const value = sealedValue(`p${index}`, filler(random));
      const writes = random.oneIn(2);
      return {
        commands: [writes ? ["MSET", left, value, right, value] : ["MGET", left, right]],
        finish([reply]) {
          if (writes) return expectType(reply, "+");
          const [one, other] = reply?.parts ?? [];
          if (one === undefined) return expectType(reply, "?");
          return one.text === other!.text ? "" : `p${index} is torn`;
        },
      };
    },
  },
];

const LISTS: readonly Deed[] = [
  ...["LPUSH", "RPUSH"].map((name): Deed => ({
    name,
    needs: [name.toLowerCase(), "lpop"],
    begin(random, index) {
      const key = `l${index}`;
      const values = Array.from(
        { length: 1 + random.below(3) },
        () => sealedValue("element", filler(random).slice(0, 3000)),
      );
      return {
        commands: [[name, key, ...values]],
        finish([reply], diary) {
          diary.add(key, values.length);
          return expectType(reply, ":");
        },
      };
    },
  })),
  ...["LPOP", "RPOP"].map((name): Deed => ({
    name,
    needs: [name.toLowerCase(), "lpush"],
    begin(random, index) {
      const key = `l${index}`;
      return {
        commands: [[name, key, String(1 + random.below(3))]],
        finish([reply], diary) {
          if (reply?.type[0] !== "*") return expectType(reply, "*");
          diary.add(key, -reply.parts.length);
          return reply.parts.map(({ text }) => faultInSealed("element", text))
            .find((fault) => fault !== "") ?? "";
        },
      };
    },
  })),
  {
    name: "LMOVE",
    needs: ["lmove", "lpush"],
    begin(random, index) {
      const [from, to] = [`l${index}`, `l${random.below(20)}`];
      return {
        commands: [["LMOVE", from, to, random.pick(["LEFT", "RIGHT"]), "LEFT"]],
        finish([reply], diary) {
          if (reply?.type !== "$") return expectType(reply, "$");
          diary.add(from, -1);
          diary.add(to, 1);
          return faultInSealed("element", reply.text);
        },
      };
    },
  },
];

const HASHES: readonly Deed[] = [
  counting("HINCRBY", ["hincrby"], (random, index) => {
    const amount = someAmount(random);
    const field = `field${random.below(40)}`;
    const key = `h${index % 200}`;
    return { key: `${key} ${field}`, words: ["HINCRBY", key, field, String(amount)], amount };
  }),
  owning("HSET and HDEL", "o", (k, m) => ["HSET", k, m, "v"], (k, m) => ["HDEL", k, m]),
];

const SETS: readonly Deed[] = [
  owning("SADD and SREM", "e", (key, m) => ["SADD", key, m], (key, m) => ["SREM", key, m]),
];

const SORTED_SETS: readonly Deed[] = [
  owning("ZADD and ZREM", "z", (key, m) => ["ZADD", key, "5", m], (key, m) => ["ZREM", key, m]),
  counting("ZINCRBY", ["zincrby"], (random, index) => {
    const amount = someAmount(random);
    const key = `y${index % 200}`;
    const member = `member${random.below(40)}`;
    return { key: `${key} ${member}`, words: ["ZINCRBY", key, String(amount), member], amount };
  }),
];

/** Deeds of users that do wrongly what they should do in one command. */
const WRONG: Readonly<Record<Exclude<CommandDefect, "none">, Deed>> = {
  "adds with GET and SET": {
    name: "GET and SET of a counter",
    needs: [],
    begin: (_, index) => {
      const key = `n${index}`;
      return {
        commands: [["GET", key]],
        finish: ([reply], diary) => () => {
          diary.add(key, 1);
          const sum = Number(reply?.type === "$" ? reply.text : "0") + 1;
          return [[["SET", key, String(sum)]], ([done]) => expectType(done, "+")];
        },
      };
    },
  },
  "reads a pair with two GETs": {
    name: "GET and GET of a pair",
    needs: [],
    begin(random, index) {
      const [left, right] = [`w${index}:left`, `w${index}:right`];
      const value = sealedValue("w", `${random.next()}`);
      if (random.oneIn(2)) {
        return {
          commands: [["SET", left, value], ["SET", right, value]],
          finish: ([reply]) => expectType(reply, "+"),
        };
      }
      return {
        commands: [["GET", left], ["GET", right]],
        finish: ([one, other]) => one!.text === other!.text ? "" : `w${index} is torn`,
      };
    },
  },
  "writes a value in two halves": {
    name: "SET and APPEND of a value",
    needs: ["append"],
    begin(random, index) {
      const key = `s${index}`;
      const value = sealedValue(key, filler(random));
      const half = value.length >> 1;
      return {
        commands: [["SET", key, value.slice(0, half)], ["APPEND", key, value.slice(half)]],
        finish: ([reply]) => expectType(reply, "+"),
      };
    },
  },
};

/** All deeds whose commands are in the table; with a defect, wrong ones among them. */
export function deedsOf(table: CommandTable, defect: CommandDefect): readonly Deed[] {
  const deeds = [...STRINGS, ...LISTS, ...HASHES, ...SETS, ...SORTED_SETS]
    .filter(({ needs }) => needs.every((name) => table.named(name) !== undefined));
  return defect === "none" ? deeds : [...deeds, WRONG[defect]];
}
