/** Random commands on few keys of all types, against a plain model of what Redis does. */

import assert from "node:assert/strict";
import { makeCommandTable } from "../../../src/command/table.ts";
import { Random } from "../../helpers/fuzz/random.ts";
import { say } from "../../helpers/say.ts";
import { isInstalled } from "../../helpers/server_process.ts";
import { Harness, latin1, request, settled } from "../../unit/command/harness.ts";
import { isSameReply, parseFrames } from "../../vectors/format.ts";
import { RedisServer } from "../../vectors/redis_server.ts";
import { VectorConnection } from "../../vectors/session.ts";
import { OPERATIONS, operationsOf } from "./all_operations.ts";
import { applyTo, Model, type ModelOperation } from "./model.ts";
import { effort } from "../../helpers/effort.ts";

/** With SLUICE_SEED the same run comes again. */
const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = effort(6, 12);
const COMMANDS_PER_ROUND = 1500;

/** Every operation's type. */
const familyOf = new Map(
  Object.entries(OPERATIONS).flatMap(([family, operations]) =>
    operations.map((operation) => [operation, family])
  ),
);
const FAMILIES = Object.keys(OPERATIONS);

/**
 * Arguments of one call. Mostly keys of a type are for that type, so that collections grow; now and
 * then all types meet on the same keys.
 */
function argsOf(operation: ModelOperation, random: Random): string[] {
  const args = operation.args(random);
  if (random.oneIn(6)) return args;
  const family = familyOf.get(operation)!;
  const prefix = family === "keys" ? random.pick(FAMILIES) : family;
  return args.map((word) => /^key\d$/.test(word) ? `${prefix}:${word}` : word);
}

type Ask = (words: string[]) => Promise<string>;

/** Plays random commands; returns the first that is answered otherwise than by the model, or "". */
async function play(operations: readonly ModelOperation[], random: Random, ask: Ask) {
  const model = new Model();
  for (let i = 0; i < COMMANDS_PER_ROUND; i++) {
    const operation = random.pick(operations);
    const args = argsOf(operation, random);
    const expected = applyTo(model, operation, args);
    const reply = await ask([operation.name, ...args]);
    if (isSameReply(reply, expected, operation.comparison ?? "exact")) continue;
    return `command ${i}: ${operation.name} ${args.join(" ").slice(0, 200)}\n` +
      `  model: ${JSON.stringify(expected.slice(0, 300))}\n` +
      `  reply: ${JSON.stringify(reply.slice(0, 300))}`;
  }
  return "";
}

async function playHere(
  options: { shardCount: number; lockKind: "mutex" | "rwlock" },
  random: Random,
  spoil: (words: string[]) => string[] = (words) => words,
): Promise<string> {
  const harness = new Harness({ ...options, maxMemoryBytes: 48 * 2 ** 20 });
  const client = harness.connect(4096);
  const ask: Ask = (words) => settled(client.send(latin1(request(...spoil(words)))));
  const fault = await play(operationsOf(makeCommandTable()), random, ask);
  harness.store.assertInvariants();
  if (fault !== "") return fault;
  // What is there at the end goes, too, and leaves nothing behind.
  for (let i = 0; i < 8; i++) {
    await ask(["DEL", `key${i}`, ...FAMILIES.map((family) => `${family}:key${i}`)]);
  }
  harness.store.assertInvariants();
  assert.equal(harness.store.keyCount(0), 0);
  return "";
}

for (const [shardCount, lockKind] of [[1, "mutex"], [64, "mutex"], [4, "rwlock"]] as const) {
  Deno.test(`commands: of all types answer like a plain model over ${shardCount} shards (${lockKind})`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      const fault = await playHere({ shardCount, lockKind }, new Random(seed));
      assert.equal(fault, "", `SLUICE_SEED=${seed}: ${fault}`);
    }
  });
}

Deno.test("commands: a server that forgets one write in a hundred is caught by the model", async () => {
  let count = 0;
  const forget = (words: string[]): string[] =>
    words[0] === "set" && ++count % 100 === 0 ? ["SET", "elsewhere", words[2]!] : words;
  let fault = "";
  for (let round = 0; round < 20 && fault === ""; round++) {
    fault = await playHere({ shardCount: 4, lockKind: "mutex" }, new Random(round), forget)
      .catch(String);
  }
  assert.notEqual(fault, "");
});

Deno.test("commands: the operations that the table does not know yet are told", () => {
  const known = new Set(operationsOf(makeCommandTable()));
  const missing = Object.values(OPERATIONS).flat().filter((each) => !known.has(each));
  const names = [...new Set(missing.map(({ name }) => name))];
  if (names.length > 0) say(`not in the model test yet: ${names.join(" ")}`);
  assert.ok(known.size > 0);
});

Deno.test({
  name: "commands: Redis itself answers like the model",
  ignore: !await isInstalled("redis-server"),
  async fn() {
    await using server = await RedisServer.start();
    const connection = await VectorConnection.open(server.port, 2);
    for (let round = 0; round < 8; round++) {
      const seed = SEED + round;
      await connection.ask(["FLUSHALL"]);
      const operations = Object.values(OPERATIONS).flat();
      const fault = await play(operations, new Random(seed), async (words) => {
        await connection.send(words);
        const reply = await connection.take(1);
        assert.equal(parseFrames(reply).length, 1);
        return reply;
      });
      assert.equal(fault, "", `SLUICE_SEED=${seed}: ${fault}`);
    }
    await connection.end();
  },
});
