/** The store against a plain Map: the same operations must give the same answers. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { WriteStatus } from "../../src/store/store.ts";
import { add, get, remove, set, smallStore } from "../unit/store/helpers.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

type Operation =
  | { kind: "set"; key: string; value: string; ttlMs: number; database: number }
  | { kind: "get"; key: string; database: number }
  | { kind: "remove"; key: string; database: number }
  | { kind: "add"; key: string; delta: bigint; database: number }
  | { kind: "advance"; byMs: number }
  | { kind: "check" };

const keys = fc.oneof(
  fc.integer({ min: 0, max: 9 }).map((i) => `k${i}`),
  fc.constantFrom("", "x".repeat(300), "balance:alice", "käse", "\u0000\u00ff"),
);
const values = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map(String),
  fc.constantFrom("", "0", "-0", "007", "9223372036854775807", "-9223372036854775808", "text"),
  fc.integer({ min: 0, max: 12 }).map((i) => "v".repeat(2 ** i)),
  fc.constantFrom(8100, 8150, 8192, 20000, 65535, 65536, 73720, 200000).map((n) => "L".repeat(n)),
);
const database = fc.constantFrom(0, 0, 0, 1, 15);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("set" as const),
      key: keys,
      value: values,
      ttlMs: fc.constantFrom(0, 0, 30),
      database,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("get" as const), key: keys, database }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("remove" as const), key: keys, database }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      key: keys,
      delta: fc.oneof(fc.bigInt(-50n, 50n), fc.bigInt(INT64_MIN, INT64_MAX)),
      database,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      byMs: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("check" as const) }) },
);

interface ModelEntry {
  value: string;
  expireAtMs: number;
}

function asInteger(value: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(value)) return undefined;
  const integer = BigInt(value);
  return integer >= INT64_MIN && integer <= INT64_MAX ? integer : undefined;
}

for (const shardCount of [1, 64]) {
  for (const lockKind of ["mutex", "rwlock"] as const) {
    Deno.test(`Store: answers like a Map with ${shardCount} shards and ${lockKind}`, () => {
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 150, size: "max" }), (operations) => {
          const store = smallStore({
            shardCount,
            lockKind,
            maxMemoryBytes: 64 * 2 ** 20,
            segmentBytes: 2 ** 20,
          });
          const model = new Map<string, ModelEntry>();
          const read = (name: string): ModelEntry | undefined => {
            const entry = model.get(name);
            if (entry === undefined) return undefined;
            return entry.expireAtMs !== 0 && entry.expireAtMs <= store.nowMs ? undefined : entry;
          };
          for (const op of operations) {
            if (op.kind === "check") {
              store.assertInvariants();
              continue;
            }
            if (op.kind === "advance") {
              store.nowMs += op.byMs;
              continue;
            }
            const name = `${op.database}/${op.key}`;
            if (op.kind === "set") {
              const expireAtMs = op.ttlMs === 0 ? 0 : store.nowMs + op.ttlMs;
              const status = set(store, op.key, op.value, { database: op.database, expireAtMs });
              assert.equal(status, WriteStatus.OK);
              model.set(name, { value: op.value, expireAtMs });
            } else if (op.kind === "get") {
              assert.equal(get(store, op.key, op.database), read(name)?.value);
            } else if (op.kind === "remove") {
              assert.equal(remove(store, op.key, op.database), read(name) !== undefined);
              model.delete(name);
            } else {
              const before = read(name);
              const current = before === undefined ? 0n : asInteger(before.value);
              const outcome = add(store, op.key, op.delta, op.database);
              if (current === undefined) {
                assert.equal(outcome.status, WriteStatus.NOT_AN_INTEGER);
              } else if (current + op.delta > INT64_MAX || current + op.delta < INT64_MIN) {
                assert.equal(outcome.status, WriteStatus.OVERFLOW);
              } else {
                assert.equal(outcome.status, WriteStatus.OK);
                assert.equal(outcome.sum, current + op.delta);
                model.set(name, {
                  value: String(current + op.delta),
                  expireAtMs: before?.expireAtMs ?? 0,
                });
              }
            }
          }
          for (const name of model.keys()) {
            const [databaseName, ...rest] = name.split("/");
            assert.equal(get(store, rest.join("/"), Number(databaseName)), read(name)?.value);
          }
          store.assertInvariants();
        }),
        { numRuns: 40 },
      );
    });
  }
}
