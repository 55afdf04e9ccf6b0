/** Pipelines for large hashes and sets, whose members are looked for together, against maps. */

import assert from "node:assert/strict";
import { Dice } from "../store/collection_helpers.ts";
import { Harness, request } from "./harness.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? 9173);
const BATCHES = 1200;

/** One hash and one set; of the hash each member has a value. */
interface Model {
  readonly hash: Map<string, string>;
  readonly set: Set<string>;
}

/** Counts how often a leaf was known beforehand. */
function watch({ store }: Harness): { known: number } {
  const ahead = store.collections.membersAhead;
  const take = ahead.take.bind(ahead);
  const tally = { known: 0 };
  ahead.take = (...args) => {
    const index = take(...args);
    if (index >= 0) tally.known++;
    return index;
  };
  return tally;
}

const bulk = (value: string | undefined): string =>
  value === undefined ? "$-1\r\n" : `$${value.length}\r\n${value}\r\n`;
const integer = (value: number): string => `:${value}\r\n`;

/** A random command: its request, and its reply by the model, which it changes. */
function step(model: Model, dice: Dice, isHash: boolean, nameOf: () => string): [string, string] {
  const { hash, set } = model;
  const name = nameOf();
  const kind = dice.roll(100);
  if (isHash) {
    const value = "v".repeat(dice.roll(8) === 0 ? dice.roll(400) : 10);
    if (kind < 80) {
      const isNew = !hash.has(name);
      hash.set(name, value);
      return [request(kind < 5 ? "hset" : "HSET", "hash", name, value), integer(isNew ? 1 : 0)];
    }
    if (kind < 84) return [request("HGET", "hash", name), bulk(hash.get(name))];
    if (kind < 87) {
      const isNew = !hash.has(name);
      if (isNew) hash.set(name, value);
      return [request("HSETNX", "hash", name, value), integer(isNew ? 1 : 0)];
    }
    if (kind < 90) {
      const other = nameOf();
      const before = hash.size;
      hash.set(name, value).set(other, "other");
      const words = ["HSET", "hash", name, value, other, "other"];
      return [request(...words), integer(hash.size - before)];
    }
    if (kind < 99) return [request("HDEL", "hash", name), integer(hash.delete(name) ? 1 : 0)];
    const existed = hash.size > 0;
    if (dice.roll(20) > 0) return [request("HLEN", "hash"), integer(hash.size)];
    hash.clear();
    return [request("DEL", "hash"), integer(existed ? 1 : 0)];
  }
  if (kind < 80) {
    const isNew = !set.has(name);
    set.add(name);
    return [request("SADD", "set", name), integer(isNew ? 1 : 0)];
  }
  if (kind < 84) return [request("SISMEMBER", "set", name), integer(set.has(name) ? 1 : 0)];
  if (kind < 90) {
    const before = set.size;
    const other = nameOf();
    set.add(name).add(other);
    return [request("SADD", "set", name, other), integer(set.size - before)];
  }
  if (kind < 99) return [request("SREM", "set", name), integer(set.delete(name) ? 1 : 0)];
  const existed = set.size > 0;
  if (dice.roll(20) > 0) return [request("SCARD", "set"), integer(set.size)];
  set.clear();
  return [request("DEL", "set"), integer(existed ? 1 : 0)];
}

for (const lockKind of ["mutex", "rwlock"] as const) {
  for (const hasOneLength of [true, false]) {
    const title = `${lockKind}, names of ${hasOneLength ? "one length" : "any length"}`;
    Deno.test(`pipelines of HSET and SADD: against maps (${title})`, async () => {
      const harness = new Harness({ lockKind, maxMemoryBytes: 32 * 2 ** 20 });
      const tally = watch(harness);
      const clients = [harness.connect(), harness.connect()];
      const model: Model = { hash: new Map(), set: new Set() };
      const dice = new Dice(SEED);
      for (let batch = 0; batch < BATCHES; batch++) {
        const range = [2000, 200, 2000, 20][Math.floor(batch / 100) % 4]!;
        const nameOf = () => {
          const index = dice.roll(range);
          if (hasOneLength) return `element:${String(index).padStart(12, "0")}`;
          return "n".repeat((index * 7) % 150) + index;
        };
        let isHash = dice.roll(2) === 0;
        let input = "";
        let expected = "";
        for (let i = dice.roll(40); i >= 0; i--) {
          if (dice.roll(25) === 0) isHash = !isHash;
          const isTransaction = dice.roll(60) === 0;
          const [asked, reply] = step(model, dice, isHash, nameOf);
          input += isTransaction ? request("MULTI") + asked + request("EXEC") : asked;
          expected += isTransaction ? `+OK\r\n+QUEUED\r\n*1\r\n${reply}` : reply;
          if (dice.roll(40) === 0) [input, expected] = [input + "PING\r\n", expected + "+PONG\r\n"];
        }
        const client = clients[dice.roll(2)]!;
        // Some arrive in two pieces.
        const cut = dice.roll(4) === 0 ? dice.roll(input.length) : 0;
        const replies = await client.send(input.slice(0, cut)) +
          await client.send(input.slice(cut));
        assert.equal(replies, expected);
      }
      harness.store.assertInvariants();
      assert.ok(tally.known > BATCHES / 20, `${tally.known} were known beforehand`);
    });
  }
}

Deno.test("pipelines of HSET and SADD: nothing is kept for who has the buffer next", async () => {
  const harness = new Harness({ rateLimit: { count: 65, perMs: 1000 } });
  const ahead = harness.store.collections.membersAhead;
  const client = harness.connect();
  const add = (name: string) => request("SADD", "set", name);
  for (let i = 0; i < 60; i++) {
    assert.match(
      await client.send(
        request("SADD", "set", ...Array.from({ length: 9 }, (_, k) => `${i}:${k}`)),
      ),
      /^:9/,
    );
  }
  ahead.isWanted = true;
  let noted = 0;
  const note = ahead.note.bind(ahead);
  ahead.note = (start, end) => {
    noted++;
    return note(start, end);
  };
  // The last one is refused before it runs, so nobody takes it.
  const replies = await client.send(
    Array.from({ length: 6 }, (_, i) => add(`${i}:0`)).join(""),
  );
  assert.match(replies, /THROTTLED/);
  assert.ok(noted > 0);
  assert.equal(ahead.isEmpty, true);
});
