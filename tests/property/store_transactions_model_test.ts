/** Transactions on the store against plain values: the same writes come to the same, all or none. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Store } from "../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../src/store/transaction.ts";
import { smallStore } from "../unit/store/helpers.ts";
import { type Entry, ModelTransaction, type Write } from "./store_transactions_model.ts";

const SEED = 271_828;
const INT64_MAX = 2n ** 63n - 1n;
const START_MS = 1_000_000;

const key = fc.integer({ min: 0, max: 7 }).map((i) => `key ${i}`);
const member = fc.oneof(
  fc.integer({ min: 0, max: 5 }).map((i) => `m${i}`),
  fc.constantFrom("", "käse", "x".repeat(40), "L".repeat(1500)),
);
const value = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom("", "text", "007", "9223372036854775807", "v".repeat(300), "V".repeat(20_000)),
);
const delta = fc.oneof(fc.bigInt(-50n, 50n), fc.constantFrom(INT64_MAX, -INT64_MAX, 2n ** 62n));
const score = fc.integer({ min: -5, max: 5 });
const ttlMs = fc.constantFrom(1, 30, 100_000);

function writeOf<K extends Write["kind"]>(
  kinds: readonly K[],
  fields: object,
): fc.Arbitrary<Write> {
  const record = fc.record({ kind: fc.constantFrom(...kinds), key, ...fields });
  return record as unknown as fc.Arbitrary<Write>;
}

const write: fc.Arbitrary<Write> = fc.oneof(
  writeOf(["set"], { value }),
  writeOf(["set"], { value, ttlMs }),
  writeOf(["set"], { value, keepTtl: fc.boolean() }),
  writeOf(["add"], { delta }),
  writeOf(["add"], { delta }),
  writeOf(["del", "persist"], {}),
  writeOf(["expire"], { ttlMs }),
  writeOf(["hset"], { member, value }),
  writeOf(["hincrby"], { member, delta }),
  writeOf(["hdel", "sadd", "srem", "zrem"], { member }),
  writeOf(["zadd", "zincrby"], { member, score }),
  writeOf(["lpush", "rpush"], { value }),
);
const writes = fc.array(write, { minLength: 1, maxLength: 10 });

type Step =
  | { kind: "one"; writes: Write[] }
  | { kind: "two"; first: Write[]; reads: string[]; second: Write[] }
  | { kind: "advance"; byMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("one" as const), writes }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("two" as const),
      first: writes,
      reads: fc.array(key, { maxLength: 3 }),
      second: writes,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      byMs: fc.integer({ min: 1, max: 40 }),
    }),
  },
);

function put(t: StoreTransaction, write: Write): void {
  switch (write.kind) {
    case "set": {
      const { keepTtl, ttlMs } = write;
      return t.set(write.key, write.value, {
        ...(ttlMs === undefined ? {} : { ttlMs }),
        ...(keepTtl === undefined ? {} : { keepTtl }),
      });
    }
    case "add":
      return t.add(write.key, write.delta);
    case "del":
    case "persist":
      return t[write.kind](write.key);
    case "expire":
      return t.expire(write.key, write.ttlMs);
    case "hset":
      return t.hset(write.key, write.member, write.value);
    case "hincrby":
      return t.hincrby(write.key, write.member, write.delta);
    case "zadd":
    case "zincrby":
      return t[write.kind](write.key, write.member, write.score);
    case "lpush":
    case "rpush":
      return t[write.kind](write.key, write.value);
    default:
      return t[write.kind](write.key, write.member);
  }
}

/** Does one transaction in the store and in the model alike, but for the commit. */
function putAll(t: StoreTransaction, model: ModelTransaction, list: readonly Write[]): void {
  for (const each of list) {
    const isRefused = model.refuses(each);
    if (isRefused) assert.throws(() => put(t, each), /^(Type|Range)?Error: Cannot /);
    else put(t, each);
  }
}

/** What a transaction finds at a key. */
function found(t: StoreTransaction, name: string): Entry | undefined {
  const type = t.type(name);
  if (type === undefined) return undefined;
  const ttl = t.ttlMs(name)!;
  const expireAtMs = ttl === Infinity ? 0 : ttl;
  switch (type) {
    case "string":
      return { type, value: t.get(name)!, expireAtMs };
    case "list":
      assert.equal(t.llen(name), t.lrange(name, 0, -1).length);
      return { type, elements: t.lrange(name, 0, -1), expireAtMs };
    case "hash":
      return { type, fields: sorted(t.hgetall(name)), expireAtMs };
    case "set":
      return { type, members: new Set(t.smembers(name).sort()), expireAtMs };
    default: {
      const members = t.zrange(name, 0, -1);
      assert.deepEqual(t.zrange(name, 0, -1, { reverse: true }), members.toReversed());
      const scores = sorted(new Map(members.map((each) => [each.member, each.score])));
      return { type: "zset", scores, expireAtMs };
    }
  }
}

function sorted<V>(map: ReadonlyMap<string, V>): Map<string, V> {
  return new Map([...map].sort(([a], [b]) => a < b ? -1 : 1));
}

function expected(entry: Entry | undefined, nowMs: number): Entry | undefined {
  if (entry === undefined) return undefined;
  const expireAtMs = entry.expireAtMs === 0 ? 0 : entry.expireAtMs - nowMs;
  if (entry.type === "hash") return { ...entry, fields: sorted(entry.fields), expireAtMs };
  if (entry.type === "zset") return { ...entry, scores: sorted(entry.scores), expireAtMs };
  if (entry.type === "set") {
    return { ...entry, members: new Set([...entry.members].sort()), expireAtMs };
  }
  return { ...entry, expireAtMs };
}

/** Two threads' views of one store, and the model. */
class World {
  nowMs = START_MS;
  readonly model = new Map<string, Entry>();
  readonly store: Store;
  readonly first: StoreTransaction;
  readonly second: StoreTransaction;
  conflicts = 0;

  constructor(shardCount: number, lockKind: "mutex" | "rwlock", forEvents: boolean) {
    this.store = smallStore({ shardCount, lockKind, maxMemoryBytes: 32 * 2 ** 20 });
    const clock = (): number => this.nowMs;
    this.first = new StoreTransaction(this.store, { clock });
    this.second = new StoreTransaction(Store.attach(this.store.memory, 3), { clock, forEvents });
  }

  run(step: Step): void {
    if (step.kind === "advance") {
      this.nowMs += step.byMs;
      for (const [name, { expireAtMs }] of this.model) {
        if (expireAtMs !== 0 && expireAtMs <= this.nowMs) this.model.delete(name);
      }
    } else if (step.kind === "one") this.#commit(this.first, step.writes);
    else this.#interleave(step);
    this.#compare();
  }

  #commit(t: StoreTransaction, list: readonly Write[]): void {
    t.begin();
    const model = new ModelTransaction();
    putAll(t, model, list);
    const status = t.commit();
    const wanted = model.commit(this.model, this.nowMs);
    assert.ok(wanted.includes(status), `${status} and not ${wanted}`);
  }

  /** One reads, another one commits, then the first one does. */
  #interleave(step: Step & { kind: "two" }): void {
    const { first, second } = this;
    first.begin();
    for (const name of step.reads) {
      assert.deepEqual(found(first, name), expected(this.model.get(name), this.nowMs));
    }
    const before = structuredClone(this.model);
    this.#commit(second, step.second);
    const model = new ModelTransaction();
    const own = step.first.filter((each) => !step.reads.includes(each.key));
    putAll(first, model, own);
    const status = first.commit();
    const isOther = step.reads.some((name) => !same(before.get(name), this.model.get(name)));
    const mayBeOther = step.reads.some((name) => step.second.some((each) => each.key === name));
    if (isOther) assert.equal(status, CommitStatus.CONFLICT);
    if (status === CommitStatus.CONFLICT) {
      assert.ok(mayBeOther, "nobody has touched what was read");
      this.conflicts++;
      return;
    }
    const wanted = model.commit(this.model, this.nowMs);
    assert.ok(wanted.includes(status), `${status} and not ${wanted}`);
  }

  #compare(): void {
    const t = this.first;
    t.begin();
    for (let i = 0; i < 8; i++) {
      const name = `key ${i}`;
      assert.deepEqual(found(t, name), expected(this.model.get(name), this.nowMs), name);
    }
    assert.equal(t.commit(), CommitStatus.OK);
  }
}

function same(a: Entry | undefined, b: Entry | undefined): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

for (
  const [shardCount, lockKind, forEvents] of [[1, "mutex", true], [64, "rwlock", false]] as const
) {
  Deno.test(`StoreTransaction: comes to what plain values come to (${shardCount} shards, ${lockKind})`, () => {
    let conflicts = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), (steps) => {
        const world = new World(shardCount, lockKind, forEvents);
        for (const each of steps) world.run(each);
        conflicts += world.conflicts;
        world.store.assertInvariants();
      }),
      { seed: SEED, numRuns: 60 },
    );
    assert.ok(conflicts > 20, `inconclusive: ${conflicts} conflicts`);
  });
}
