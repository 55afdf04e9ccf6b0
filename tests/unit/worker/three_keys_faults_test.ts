import assert from "node:assert/strict";
import { FAULT_STEPS, RECV_FAULT_STEPS } from "../../../src/worker/fault_plan.ts";
import { effort, inTurn } from "../../helpers/effort.ts";
import { ThreeKeys } from "./three_keys.ts";

const USERS = ["alice", "bob", "carol"];
/** Whether those that come after the dead can die, too, worker_faults_test.ts sees in every run. */
const DEATHS_PER_SLOT = effort(1, 2);
/** How the worker of each slot dies. */
const MODES = ["throw", "exit"] as const;
const SURVIVABLE = FAULT_STEPS.filter((step) => step !== "inCommit");
const WAYS = [
  { isAsync: false, concurrency: 1, shardCount: 1 },
  { isAsync: false, concurrency: 4, shardCount: 64 },
  { isAsync: true, concurrency: 1, shardCount: 64 },
  { isAsync: true, concurrency: 4, shardCount: 64 },
] as const;
const CASES = [
  ...WAYS.flatMap((way) => SURVIVABLE.map((step) => ({ ...way, step }))),
  ...RECV_FAULT_STEPS.map((step) => ({ ...WAYS[3], step })),
  // It never sleeps on the channel as others do.
].filter(({ step }) => step !== "recvSleepy");

for (const { step, isAsync, concurrency, shardCount } of inTurn(CASES, ({ step }) => step)) {
  const what = `${isAsync ? "asynchronous" : "synchronous"}, ${concurrency} at once`;
  // An exit between two events in hand now and then leaves an isolate that neither runs nor ends (seen:
  // Deno 2.9.6); a pool gives such a worker up as one that is blocked, which would take too long here.
  const modes = isAsync && concurrency > 1 ? ["throw", "throw"] as const : MODES;
  Deno.test(`processor: deaths at ${step} lose and double nothing of three keys (${what})`, async () => {
    await using keys = await ThreeKeys.start({ isAsync, concurrency }, {
      shardCount,
      capacity: 64,
      pool: {
        faultPlan: (slot, startCount) =>
          startCount <= DEATHS_PER_SLOT ? `${step}:3:${modes[slot]}` : undefined,
      },
    });
    const { world } = keys;
    const deaths = MODES.length * DEATHS_PER_SLOT;
    let sent = 0;
    await world.until("all have died", () => {
      if (keys.offer(USERS[sent % USERS.length]!, sent + 1)) sent++;
      return world.pool.deaths === deaths;
    });
    for (let i = 0; i < 60; i++) await keys.send(USERS[sent % USERS.length]!, ++sent);
    await keys.drain();
    keys.assertExact();
    assert.equal(world.pool.deaths, deaths);
  });
}

for (const mode of ["throw", "exit"] as const) {
  Deno.test(`processor: ${mode} in the middle of a commit is an internal fault`, async () => {
    await using keys = await ThreeKeys.start({ isAsync: true, concurrency: 4 }, {
      pool: { faultPlan: () => `inCommit:5:${mode}` },
    });
    for (let i = 0; i < 10; i++) keys.offer("alice", 1);
    const fault = await keys.world.fault.promise;
    assert.equal(fault.operation, 1);
    assert.throws(() => keys.world.store.locks.tryLock(0, true), /poisoned/);
  });
}
