/** Databases against plain Maps: flush, swap, move, rename and copy among ordinary operations. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { EntryType, type Store, WriteStatus } from "../../src/store/store.ts";
import { add, keyOf, remove, set, smallStore } from "../unit/store/helpers.ts";
import { flush, freeAll, move, swap, transfer } from "../unit/store/keyspace_helpers.ts";
import { collectionText, growCollection, readValue } from "./database_collections.ts";
import { effort } from "../helpers/effort.ts";

type Operation =
  | { kind: "set"; key: string; value: string; ttlMs: number; database: number }
  | { kind: "fill"; count: number; database: number }
  | { kind: "grow"; key: string; type: EntryType; count: number; database: number }
  | { kind: "expire"; key: string; ttlMs: number; database: number }
  | { kind: "add"; key: string; database: number }
  | { kind: "remove"; key: string; database: number }
  | { kind: "flush"; database: number }
  | { kind: "swap"; database: number; other: number }
  | { kind: "move"; key: string; database: number; other: number }
  | { kind: "rename" | "copy"; key: string; to: string; database: number; other: number }
  | { kind: "free" | "advance" | "check" };

const key = fc.oneof(
  fc.integer({ min: 0, max: 9 }).map((i) => `k${i}`),
  fc.constantFrom("", "x".repeat(300), "y".repeat(4000)),
);
const value = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map(String),
  fc.constantFrom(0, 10, 3000, 8000, 8150, 20000, 65536, 73720, 200000).chain((n) =>
    fc.constantFrom("a", "b").map((char) => char.repeat(n))
  ),
);
const database = fc.constantFrom(0, 0, 1, 2, 15);
const record = <K extends string, T extends object>(
  weight: number,
  kind: K,
  fields: { [F in keyof T]: fc.Arbitrary<T[F]> },
) => ({ weight, arbitrary: fc.record({ kind: fc.constant(kind), ...fields }) });

const operation = fc.oneof(
  record(6, "set", { key, value, ttlMs: fc.constantFrom(0, 0, 30), database }),
  record(2, "fill", { count: fc.integer({ min: 1, max: 400 }), database }),
  record(6, "grow", {
    key,
    type: fc.constantFrom(EntryType.LIST, EntryType.HASH, EntryType.SET, EntryType.SORTED_SET),
    count: fc.constantFrom(1, 5, 40, 200, 700),
    database,
  }),
  record(3, "expire", { key, ttlMs: fc.constantFrom(0, 30, 30), database }),
  record(2, "add", { key, database }),
  record(2, "remove", { key, database }),
  record(2, "flush", { database }),
  record(2, "swap", { database, other: database }),
  record(4, "move", { key, database, other: database }),
  record(5, "rename", { key, to: key, database, other: database }),
  record(5, "copy", { key, to: key, database, other: database }),
  record(1, "free", {}),
  record(2, "advance", {}),
  record(1, "check", {}),
) as fc.Arbitrary<Operation>;

/** EXPIRE or, with 0, PERSIST of a key that is there. */
function expire(store: Store, name: string, number: number, expireAtMs: number): WriteStatus {
  const location = keyOf(store, name);
  store.locks.lock(location.shard, true);
  const status = store.setExpiry(number, location, expireAtMs);
  store.locks.unlock(location.shard, true);
  return status;
}

interface ModelEntry {
  value: string;
  expireAtMs: number;
}

for (const shardCount of [1, 8]) {
  Deno.test(`Keyspace: databases behave like Maps with ${shardCount} shards`, () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120, size: "max" }), (operations) => {
        const store = smallStore({
          shardCount,
          maxMemoryBytes: 96 * 2 ** 20,
          segmentBytes: 2 ** 20,
        });
        const model = Array.from({ length: 16 }, () => new Map<string, ModelEntry>());
        const read = (number: number, name: string): ModelEntry | undefined => {
          const entry = model[number]!.get(name);
          return entry === undefined || (entry.expireAtMs !== 0 && entry.expireAtMs <= store.nowMs)
            ? undefined
            : entry;
        };
        for (const op of operations) {
          switch (op.kind) {
            case "set": {
              const expireAtMs = op.ttlMs === 0 ? 0 : store.nowMs + op.ttlMs;
              const status = set(store, op.key, op.value, { database: op.database, expireAtMs });
              assert.equal(status, WriteStatus.OK);
              model[op.database]!.set(op.key, { value: op.value, expireAtMs });
              break;
            }
            case "fill":
              for (let i = 0; i < op.count; i++) {
                set(store, `f${i}`, "v", { database: op.database });
                model[op.database]!.set(`f${i}`, { value: "v", expireAtMs: 0 });
              }
              break;
            case "grow": {
              const before = read(op.database, op.key);
              const kind = collectionText(op.type, 0).slice(0, -1);
              if (before !== undefined && !before.value.startsWith(kind)) break;
              const count = growCollection(store, op.key, op.database, op.type, op.count);
              const value = collectionText(op.type, count);
              const expireAtMs = before?.expireAtMs ?? 0;
              model[op.database]!.set(op.key, { value, expireAtMs });
              break;
            }
            case "expire": {
              const before = read(op.database, op.key);
              if (before === undefined) break;
              const expireAtMs = op.ttlMs === 0 ? 0 : store.nowMs + op.ttlMs;
              assert.equal(expire(store, op.key, op.database, expireAtMs), WriteStatus.OK);
              model[op.database]!.set(op.key, { ...before, expireAtMs });
              break;
            }
            case "add": {
              const before = read(op.database, op.key);
              const current = Number(before?.value ?? "0");
              const outcome = add(store, op.key, 1n, op.database);
              if (before?.value.startsWith("\0") === true) {
                assert.equal(outcome.status, WriteStatus.WRONG_TYPE);
              } else if (before !== undefined && !/^(0|-?[1-9][0-9]*)$/.test(before.value)) {
                assert.equal(outcome.status, WriteStatus.NOT_AN_INTEGER);
              } else {
                const expireAtMs = before?.expireAtMs ?? 0;
                model[op.database]!.set(op.key, { value: String(current + 1), expireAtMs });
              }
              break;
            }
            case "remove":
              assert.equal(
                remove(store, op.key, op.database),
                read(op.database, op.key) !== undefined,
              );
              model[op.database]!.delete(op.key);
              break;
            case "flush":
              flush(store, op.database);
              model[op.database]!.clear();
              assert.equal(store.keyCount(op.database), 0);
              break;
            case "swap": {
              assert.ok(swap(store, op.database, op.other));
              const first = model[op.database]!;
              model[op.database] = model[op.other]!;
              model[op.other] = first;
              break;
            }
            case "move": {
              const entry = read(op.database, op.key);
              const isPossible = entry !== undefined && read(op.other, op.key) === undefined;
              const status = move(store, op.key, op.database, op.other);
              assert.equal(status, isPossible ? WriteStatus.OK : undefined);
              if (!isPossible) break;
              model[op.database]!.delete(op.key);
              model[op.other]!.set(op.key, entry);
              break;
            }
            case "rename":
            case "copy": {
              const other = op.kind === "rename" ? op.database : op.other;
              if (other === op.database && op.to === op.key) break;
              const entry = read(op.database, op.key);
              const status = transfer(
                store,
                { name: op.key, database: op.database },
                { name: op.to, database: other },
                op.kind === "rename",
              );
              assert.equal(status, entry === undefined ? undefined : WriteStatus.OK);
              if (entry === undefined) break;
              if (op.kind === "rename") model[op.database]!.delete(op.key);
              model[other]!.set(op.to, { ...entry });
              break;
            }
            case "free":
              freeAll(store);
              break;
            case "advance":
              store.nowMs += 20;
              break;
            case "check":
              store.assertInvariants();
          }
        }
        for (const [number, entries] of model.entries()) {
          assert.ok(store.keyCount(number) <= entries.size, `database ${number}`);
          for (const name of entries.keys()) {
            assert.equal(readValue(store, name, number), read(number, name)?.value);
          }
        }
        store.assertInvariants();
        for (let number = 0; number < 16; number++) flush(store, number);
        freeAll(store);
        while (store.garbage.run(10));
        store.assertInvariants();
        // The index of database 0 and of its heir, and those made for other databases, at most.
        assert.ok(store.stats().blockBytes <= 18 * shardCount * 2048);
      }),
      { numRuns: effort(20, 40) },
    );
  });
}
