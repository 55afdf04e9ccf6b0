/**
 * The pool under load with workers that die all the time; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FAULT_STEPS } from "../../src/worker/fault_plan.ts";
import { PoolWorld, sleep } from "../unit/worker/pool_world.ts";

const MODES = ["throw", "exit", "stall"] as const;
const EVENTS = 60_000;
/** Gives up looking for overlap after this many events. */
const MAX_EVENTS = 2_000_000;
const KILLED_STARTS = 8;

/** A small generator whose seed can be printed and replayed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

for (const lockKind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`stress: workers that die and stall at random steps lose nothing (${lockKind}, ${shardCount} shards)`, async () => {
      const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
      const random = randomFrom(seed);
      const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
      const steps = FAULT_STEPS.filter((step) => step !== "inCommit");
      await using world = await PoolWorld.start({
        lockKind,
        shardCount,
        capacity: 512,
        firstTicket: 2 ** 32 - EVENTS / 2,
        pool: {
          workersMax: 8,
          timings: { tickMs: 5, stuckAfterMs: 100 },
          faultPlan: (_slot, startCount) =>
            startCount <= KILLED_STARTS
              // From the second pass on: an event that kills three workers in a row fails.
              ? `${pick(steps)}:${2 + Math.floor(random() * 60)}:${pick(MODES)}`
              : undefined,
        },
      });
      let replaced = 0;
      let linesRead = 0;
      const replaceSleepers = () => {
        for (; linesRead < world.lines.length; linesRead++) {
          const { event, worker } = world.lines[linesRead]!.fields;
          if (event === "worker_stuck" && world.pool.replaceSleeper(worker as number)) replaced++;
        }
        // Sleepers from before wake up among their successors.
        for (let index = 0; index < 8; index++) {
          if (random() < 0.005) world.pool.slots.supervise(index).rouse();
        }
      };
      const medic = setInterval(replaceSleepers, 5);
      const contended = () =>
        Array.from(
          { length: shardCount },
          (_, shard) => world.store.locks.counters(shard).contended,
        ).reduce((sum, count) => sum + count, 0);
      // On one shard the workers must also have met at the lock often enough to mean something.
      const wanted = shardCount === 1 ? 1000 : 0;
      const hasPower = () => world.pool.deaths >= 30 && replaced >= 5 && contended() >= wanted;
      for (let i = 0; i < EVENTS || (!hasPower() && i < MAX_EVENTS); i++) {
        await world.send(`user${Math.floor(random() * 40)}`, Math.floor(random() * 1000) - 500);
      }
      await world.drain();
      clearInterval(medic);
      for (let index = 0; index < 8; index++) world.pool.slots.supervise(index).rouse();
      await sleep(300);
      world.assertExact();
      // deno-lint-ignore no-console -- the figures are the point of a stress run
      console.log(
        JSON.stringify({ seed, deaths: world.pool.deaths, replaced, contended: contended() }),
      );
      assert.ok(world.pool.deaths >= 30, `${world.pool.deaths} workers died (seed ${seed})`);
      assert.ok(replaced >= 5, `${replaced} sleepers were replaced (seed ${seed})`);
      assert.ok(contended() >= wanted, `workers met ${contended()} times (seed ${seed})`);
    });
  }
}
