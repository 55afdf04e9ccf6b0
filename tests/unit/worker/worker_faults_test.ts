import assert from "node:assert/strict";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { FAULT_STEPS, RECV_FAULT_STEPS } from "../../../src/worker/fault_plan.ts";
import { inTurn } from "../../helpers/effort.ts";
import { PoolWorld } from "./pool_world.ts";

const USERS = ["alice", "bob", "carol", "dave", "eve", "mallory", "trent"];
const DEATHS_PER_SLOT = 2;
/** How the worker of each slot dies. */
const MODES = ["throw", "exit"] as const;
const SURVIVABLE = FAULT_STEPS.filter((step) => step !== "inCommit");
/** Every step with every lock and number of shards, in turn; receiving knows neither. */
const CASES = [
  ...["mutex" as const, "rwlock" as const].flatMap((lockKind) =>
    [1, 64].flatMap((shardCount) => SURVIVABLE.map((step) => ({ step, lockKind, shardCount })))
  ),
  ...RECV_FAULT_STEPS.map((step) => ({ step, lockKind: "mutex" as const, shardCount: 1 })),
];

for (const { step, lockKind, shardCount } of inTurn(CASES, ({ step }) => step)) {
  Deno.test(`WorkerPool: deaths at ${step}, by exception and by exit, lose and double nothing (${lockKind}, ${shardCount} shards)`, async () => {
    await using world = await PoolWorld.start({
      lockKind,
      shardCount,
      capacity: 64,
      pool: {
        faultPlan: (slot, startCount) =>
          startCount <= DEATHS_PER_SLOT ? `${step}:2:${MODES[slot]}` : undefined,
      },
    });
    const deaths = MODES.length * DEATHS_PER_SLOT;
    let sent = 0;
    await world.until("all have died", () => {
      world.offer(USERS[sent % USERS.length]!, ++sent);
      return world.pool.deaths === deaths;
    });
    for (let i = 0; i < 100; i++) await world.send(USERS[sent % USERS.length]!, ++sent);
    await world.drain();
    world.assertExact();
    assert.equal(world.pool.deaths, deaths);
    assert.equal(world.metrics.total(CounterIndex.WORKER_DEATHS), deaths);
    assert.deepEqual(world.faults, []);
  });
}

for (const mode of ["throw", "exit"] as const) {
  Deno.test(`WorkerPool: ${mode} in the middle of a commit is an internal fault`, async () => {
    await using world = await PoolWorld.start({
      pool: { faultPlan: () => `inCommit:2:${mode}` },
    });
    for (let i = 0; i < 10; i++) world.offer("alice", 1);
    const fault = await world.fault.promise;
    assert.equal(fault.shard, 0);
    assert.ok(fault.threadId >= 1);
    assert.equal(fault.operation, 1);
    assert.equal(world.faults.length, 1, "told once");
    assert.throws(() => world.store.locks.tryLock(0, true), /poisoned/);
  });
}
