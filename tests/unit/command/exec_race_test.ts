/** Transactions of several threads on one store. */

import assert from "node:assert/strict";
import { testedWorker } from "../../helpers/tested_worker.ts";
import { Key } from "../../../src/store/key.ts";
import { Store } from "../../../src/store/store.ts";
import { inTurn } from "../../helpers/effort.ts";
import type { ExecOrder, ExecReport } from "./exec_worker.ts";
import { Harness, latin1 } from "./harness.ts";

interface Crew {
  lockKind: "mutex" | "rwlock";
  shardCount: number;
  roles: ExecOrder["role"][];
  rounds: number;
  isBroken?: boolean;
}

/** Names of two keys, in different shards if there are several; the higher shard first. */
function twoKeys(store: Store): string[] {
  const shardOf = (name: string): number => {
    const key = new Key().set(latin1(name), 0, name.length);
    store.locate(key);
    return key.shard;
  };
  const names = Array.from({ length: 100 }, (_, i) => `key${i}`);
  const other = names.find((name) => shardOf(name) < shardOf(names[0]!)) ??
    names.findLast((name) => shardOf(name) !== shardOf(names[0]!)) ?? names[1]!;
  return [names[0]!, other];
}

/** Runs a crew; the value of the first key at the end, and everything that was seen. */
async function run(crew: Crew): Promise<ExecReport & { value: number }> {
  const { lockKind, shardCount, roles, rounds, isBroken = false } = crew;
  const store = Store.create({
    shardCount,
    lockKind,
    maxMemoryBytes: 8 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: roles.length + 1,
  });
  const harness = new Harness({ store });
  const keys = twoKeys(store);
  for (const key of keys) await harness.ask(`SET ${key} 0\r\n`);
  const progress = new SharedArrayBuffer(8);
  const total: ExecReport = { torn: 0, changes: 0, aborted: 0 };
  await Promise.all(roles.map(async (role, i) => {
    const worker = new Worker(testedWorker(new URL("./exec_worker.ts", import.meta.url)), {
      type: "module",
    });
    const report = await new Promise<ExecReport>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      const order: ExecOrder = {
        memory: store.memory,
        threadId: i + 1,
        role,
        keys,
        rounds,
        isBroken,
        progress,
        threadCount: roles.length,
      };
      worker.postMessage(order);
    });
    worker.terminate();
    total.torn += report.torn;
    total.changes += report.changes;
    total.aborted += report.aborted;
  }));
  const value = Number((await harness.ask(`GET ${keys[0]}\r\n`)).split("\r\n")[1]);
  store.assertInvariants();
  return { ...total, value };
}

/** Runs a crew again until all runs together show what they should, a few times at most. */
async function runUntil(
  crew: Crew,
  shows: (result: Awaited<ReturnType<typeof run>>) => boolean,
): Promise<Awaited<ReturnType<typeof run>>> {
  let sum = await run(crew);
  // Where cores are scarce, threads overlap less in each run.
  for (let attempt = 0; attempt < 10 && !shows(sum); attempt++) {
    const { torn, changes, aborted, value } = await run(crew);
    sum = {
      torn: sum.torn + torn,
      changes: sum.changes + changes,
      aborted: sum.aborted + aborted,
      value,
    };
  }
  return sum;
}

const PAIR: Crew = { lockKind: "mutex", shardCount: 64, roles: ["write", "read"], rounds: 10_000 };
const COUNTERS: Crew = {
  lockKind: "mutex",
  shardCount: 64,
  roles: ["count", "count", "count"],
  rounds: 1000,
};

Deno.test("EXEC: one that takes its locks one at a time is caught by the checks below", async () => {
  const pair = await runUntil({ ...PAIR, isBroken: true }, ({ torn }) => torn > 0);
  assert.ok(pair.torn > 0, `inconclusive: ${JSON.stringify(pair)}`);
  const counters = await runUntil({ ...COUNTERS, isBroken: true }, ({ value }) => value < 3000);
  assert.ok(counters.value < 3000, `inconclusive: ${JSON.stringify(counters)}`);
});

const STORES = (["mutex", "rwlock"] as const).flatMap((lockKind) =>
  [1, 64].map((shardCount) => ({ lockKind, shardCount }))
);

for (const { lockKind, shardCount } of inTurn(STORES, ({ lockKind }) => lockKind)) {
  const name = `${lockKind}, ${shardCount} shards`;

  Deno.test(`EXEC (${name}): no other thread sees a part of it`, async () => {
    const crew = { ...PAIR, lockKind, shardCount };
    const result = await runUntil(crew, ({ torn, changes }) => torn > 0 || changes >= 200);
    assert.equal(result.torn, 0);
    assert.ok(result.changes >= 200, `inconclusive: ${JSON.stringify(result)}`);
    assert.equal(result.value, PAIR.rounds - 1);
  });

  Deno.test(`WATCH (${name}): no increment of several threads is lost`, async () => {
    const crew = { ...COUNTERS, lockKind, shardCount };
    const result = await runUntil(crew, ({ value, aborted }) => value !== 3000 || aborted >= 20);
    assert.equal(result.value, 3000);
    assert.ok(result.aborted >= 20, `inconclusive: ${JSON.stringify(result)}`);
  });
}
