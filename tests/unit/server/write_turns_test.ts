/**
 * When replies are written: after those of everybody who is ready, and never much later.
 */

import assert from "node:assert/strict";
import { newTold } from "../../../src/durability/told.ts";
import { WRITE_TURN_MAX_MS, WriteTurns } from "../../../src/server/write_turns.ts";

/** Executes for `name`, joins the turn and says when it was written. */
async function answer(
  turns: WriteTurns,
  log: string[],
  name: string,
  { hops = 0, nowMs = 0 } = {},
): Promise<void> {
  for (let i = 0; i < hops; i++) await null;
  turns.endIfDue(nowMs);
  log.push(`execute ${name}`);
  await turns.join({ told: newTold(), writeNow: () => void log.push(`write ${name}`) }, nowMs);
  log.push(`written ${name}`);
}

Deno.test("WriteTurns: everybody who is ready executes before anybody writes, in order", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  await Promise.all(["A", "B", "C"].map((name) => answer(turns, log, name, { hops: 1 })));
  assert.deepEqual(log, [
    ...["execute A", "execute B", "execute C"],
    ...["write A", "write B", "write C"],
    ...["written A", "written B", "written C"],
  ]);
});

Deno.test("WriteTurns: nobody waits for somebody who is not ready", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  const later = Promise.withResolvers<void>();
  const late = later.promise.then(() => answer(turns, log, "B"));
  await answer(turns, log, "A");
  later.resolve();
  await late;
  assert.deepEqual(log, [
    ...["execute A", "write A", "written A"],
    ...["execute B", "write B", "written B"],
  ]);
});

Deno.test("WriteTurns: what else a turn has to tell goes before its replies, once", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  turns.beforeWrites = () => void log.push("call");
  await Promise.all(["A", "B"].map((name) => answer(turns, log, name, { hops: 1 })));
  const expected = ["execute A", "execute B", "call", "write A", "write B"];
  assert.deepEqual(log.slice(0, 5), expected);
  assert.equal(log.filter((line) => line === "call").length, 1);
});

Deno.test("WriteTurns: a turn that has lasted for long ends before the next one executes", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  await Promise.all([
    answer(turns, log, "A", { nowMs: 100 }),
    answer(turns, log, "B", { nowMs: 100 + WRITE_TURN_MAX_MS * 0.9 }),
    answer(turns, log, "C", { nowMs: 100 + WRITE_TURN_MAX_MS }),
  ]);
  const expected = ["execute A", "execute B", "write A", "write B", "execute C", "write C"];
  assert.deepEqual(log.filter((line) => !line.startsWith("written")), expected);
});

Deno.test("WriteTurns: whoever joins while a turn ends writes in the next one", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  let second: Promise<void> | undefined;
  const first = turns.join({
    told: newTold(),
    writeNow: () => {
      log.push("write A");
      second = answer(turns, log, "B");
    },
  }, 0);
  await first;
  await second;
  assert.deepEqual(log, ["write A", "execute B", "write B", "written B"]);
});

Deno.test("WriteTurns: a thousand turns of random sizes lose nobody", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  let nowMs = 0;
  for (let round = 0; round < 1000; round++) {
    const answers = Array.from({ length: 1 + random(8) }, (_, i) => {
      nowMs += random(3) / 5;
      return answer(turns, log, `${round}.${i}`, { hops: random(4), nowMs });
    });
    await Promise.all(answers);
  }
  const count = (verb: string): number => log.filter((line) => line.startsWith(`${verb} `)).length;
  assert.equal(count("write"), count("execute"));
  assert.equal(count("written"), count("execute"));
  assert.equal(new Set(log).size, log.length, "nobody was told twice");
});

/** Comes to a turn with requests and says what becomes of them. */
async function come(
  turns: WriteTurns,
  log: string[],
  name: string,
  { nowMs = 0, told = newTold(), mayWrite = true, hops = 0, fits = (): boolean => true } = {},
): Promise<void> {
  for (let i = 0; i < hops; i++) await null;
  await turns.come({
    told,
    lookAhead: () => {
      log.push(`look ${name}`);
      return fits();
    },
    executeNow: () => {
      turns.endIfDue(nowMs);
      log.push(`execute ${name}`);
      return mayWrite;
    },
    writeNow: () => void log.push(`write ${name}`),
  }, nowMs);
  log.push(`on ${name}`);
}

Deno.test("WriteTurns: who came looks ahead, then executes, then writes, each in a row", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  turns.ahead = { touch: () => void log.push("touch"), end: () => void log.push("end") };
  await Promise.all(["A", "B", "C"].map((name) => come(turns, log, name, { hops: 1 })));
  assert.deepEqual(log, [
    ...["look A", "look B", "look C", "touch"],
    ...["execute A", "execute B", "execute C", "end"],
    ...["write A", "write B", "write C"],
    ...["on A", "on B", "on C"],
  ]);
});

Deno.test("WriteTurns: as many look ahead together as can, and one alone does not", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  let room = 3;
  const fits = (): boolean => room-- > 0;
  turns.ahead = {
    touch: () => void log.push("touch"),
    end: () => {
      log.push("end");
      room = 3;
    },
  };
  await come(turns, log, "alone", { fits });
  assert.deepEqual(log.splice(0), ["execute alone", "end", "write alone", "on alone"]);
  await Promise.all(Array.from("ABCDEFG", (name) => come(turns, log, name, { fits })));
  assert.deepEqual(log.slice(0, -14), [
    ...["look A", "look B", "look C", "look D", "touch"],
    ...["execute A", "execute B", "execute C", "end"],
    ...["look D", "look E", "look F", "look G", "touch"],
    ...["execute D", "execute E", "execute F", "end"],
    ...["execute G", "end"],
  ]);
});

Deno.test("WriteTurns: what was looked for is over also when a member throws", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  turns.ahead = { touch: () => void log.push("touch"), end: () => void log.push("end") };
  const fail = (): never => {
    throw new Error("Cannot go on: told to throw");
  };
  const throwing = (method: "lookAhead" | "executeNow"): void => {
    const member = {
      told: newTold(),
      lookAhead: () => true,
      executeNow: () => true,
      writeNow: () => {},
      [method]: fail,
    };
    void turns.come(member, 100);
    void turns.come(member, 100);
    assert.throws(() => turns.endIfDue(100 + WRITE_TURN_MAX_MS), { message: /told to throw/ });
  };
  throwing("executeNow");
  assert.deepEqual(log.splice(0), ["touch", "end"]);
  await null;
  throwing("lookAhead");
  assert.deepEqual(log, ["end"]);
  await null;
});

Deno.test("WriteTurns: a turn that has lasted for long is written before the next member executes", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  const times = [100, 100.1, 100.1 + WRITE_TURN_MAX_MS, 100.2 + WRITE_TURN_MAX_MS];
  await Promise.all(times.map((nowMs, i) => come(turns, log, "ABCD"[i]!, { nowMs })));
  assert.deepEqual(log, [
    ...["execute A", "execute B", "write A", "write B"],
    ...["execute C", "execute D", "write C", "write D"],
    ...["on A", "on B", "on C", "on D"],
  ]);
  // The time of the second row counts from its first reply.
  log.length = 0;
  const later = [200, 201, 201.2, 201.2 + WRITE_TURN_MAX_MS];
  await Promise.all(later.map((nowMs, i) => come(turns, log, "EFGH"[i]!, { nowMs })));
  assert.deepEqual(log.slice(0, 8), [
    ...["execute E", "write E"],
    ...["execute F", "execute G", "write F", "write G"],
    ...["execute H", "write H"],
  ]);
});

Deno.test("WriteTurns: when somebody else ends the turn, who has come is executed before, and once", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  const ahead = Promise.all(["A", "B"].map((name) => come(turns, log, name, { nowMs: 100 })));
  turns.endIfDue(100 + WRITE_TURN_MAX_MS);
  log.push("goes on");
  await ahead;
  assert.deepEqual(log.splice(0), [
    ...["execute A", "execute B", "write A", "write B", "goes on"],
    ...["on A", "on B"],
  ]);
  await come(turns, log, "C", { nowMs: 101 });
  assert.deepEqual(log, ["execute C", "write C", "on C"]);
});

Deno.test("WriteTurns: a member that throws after all keeps nobody waiting", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  const errors: string[] = [];
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    errors.push(event.message);
  };
  globalThis.addEventListener("error", onError);
  const ahead = ["A", "B"].map((name) => come(turns, log, name));
  const thrown = turns.come({
    told: newTold(),
    lookAhead: () => true,
    executeNow: () => {
      throw new Error("Cannot go on: told to throw");
    },
    writeNow: () => {},
  }, 0);
  await Promise.all([...ahead, thrown, come(turns, log, "C")]);
  await come(turns, log, "D");
  globalThis.removeEventListener("error", onError);
  assert.deepEqual(log.filter((line) => !line.startsWith("look")), [
    ...["execute A", "execute B", "write A", "write B", "on A", "on B", "on C"],
    ...["execute D", "write D", "on D"],
  ]);
  assert.equal(errors.length, 1);
});

Deno.test("WriteTurns: who may not write goes on with the others, and is not told to", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  const safe = newTold();
  turns.gate = {
    begin: () => {},
    end: () => {},
    finish: () => {},
    touchAll: () => {},
    isSafe: (told) => told === safe,
    untilSafe: () => Promise.resolve(),
    nextChange: () => Promise.resolve(),
  };
  await Promise.all([
    come(turns, log, "A", { told: safe, mayWrite: false }),
    come(turns, log, "B", { told: safe }),
    come(turns, log, "C"),
  ]);
  assert.deepEqual(log, [
    ...["execute A", "execute B", "execute C", "write B"],
    ...["on A", "on B", "on C"],
  ]);
});

Deno.test("WriteTurns: who comes and who joins in any order, nobody is lost or told twice", async () => {
  const turns = new WriteTurns();
  turns.ahead = { touch: () => {}, end: () => {} };
  const log: string[] = [];
  let seed = 11;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  let nowMs = 0;
  for (let round = 0; round < 500; round++) {
    await Promise.all(Array.from({ length: 1 + random(40) }, async (_, i) => {
      nowMs += random(3) / 5;
      const name = `${round}.${i}`;
      const when = { hops: random(4), nowMs, fits: () => random(4) > 0 };
      if (random(2) === 0) return answer(turns, log, name, when);
      await come(turns, log, name, when);
      // A second batch of the same connection.
      if (random(3) === 0) await answer(turns, log, `${name} again`, when);
    }));
  }
  const count = (verb: string): number => log.filter((line) => line.startsWith(`${verb} `)).length;
  assert.ok(count("execute") > 5000);
  assert.equal(count("write"), count("execute"));
  assert.equal(count("on") + count("written"), count("execute"));
  const told = log.filter((line) => !line.startsWith("look "));
  assert.equal(new Set(told).size, told.length, "nobody was told twice");
  const places = new Map(told.map((line, place) => [line, place]));
  for (const [line, place] of places) {
    const name = line.replace("on ", "execute ");
    if (line.startsWith("on ")) assert.ok(places.get(name)! < place, `${name} before going on`);
  }
});

Deno.test("WriteTurns: who tells of what is not on the disk waits for it, and nobody waits for them", async () => {
  const turns = new WriteTurns();
  const log: string[] = [];
  let durable = 0;
  const change = Promise.withResolvers<void>();
  turns.gate = {
    begin: () => {},
    end: () => {},
    finish: () => {},
    touchAll: () => {},
    isSafe: (told) => !told.isWaiting || told.piece <= durable,
    untilSafe: async (piece) => {
      log.push(`wait for ${piece}`);
      await change.promise;
    },
    nextChange: () => change.promise,
  };
  const reply = async (name: string, piece: number): Promise<void> => {
    const told = { ...newTold(), isWaiting: piece > 0, piece };
    await turns.join({ told, writeNow: () => void log.push(`write ${name}`) }, 0);
    log.push(`over ${name}`);
  };
  const replies = [reply("A", 1), reply("B", 0), reply("C", 2)];
  await replies[1];
  assert.deepEqual(log, ["write B", "wait for 2", "over B"]);
  durable = 1;
  change.resolve();
  await Promise.all(replies);
  // C has to see for itself when it may write.
  assert.deepEqual(log.slice(3), ["write A", "over A", "over C"]);
});
