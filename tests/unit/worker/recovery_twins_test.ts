/**
 * The fault tests prove their power: supervisors with one wrong rule each must be caught.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { WorkerPool } from "../../../src/worker/worker_pool.ts";
import { PoolWorld } from "./pool_world.ts";

const SOURCE = new URL("../../../src/worker/", import.meta.url);

interface Twin {
  name: string;
  step: string;
  find: string;
  replace: string;
  /** What the balance must be wrong by, per death. */
  wrong: "less" | "more";
}

const TWINS: readonly Twin[] = [
  {
    name: "counts every APPLIED job as processed",
    step: "afterSwap",
    find:
      '      if (owner.kind === "released" && slot.outcome === Outcome.PROCESSED) return requeue(remains);\n',
    replace: "",
    wrong: "less",
  },
  {
    name: "runs every APPLIED job again",
    step: "afterEffect",
    find: 'if (owner.kind === "released" && slot.outcome',
    replace: 'if (owner.kind !== "none" && slot.outcome',
    wrong: "more",
  },
  {
    name: "runs an APPLIED job again when no lock is held",
    step: "afterUnlock",
    find: 'if (owner.kind === "released" && slot.outcome',
    replace: "if (slot.outcome",
    wrong: "more",
  },
  {
    name: "counts a CLAIMED job as settled",
    step: "beforeLock",
    find: `    case SlotKind.CLAIMED:
      return requeue(remains);`,
    replace: `    case SlotKind.CLAIMED:
      slot.become(SlotKind.EMPTY);
      return { kind: "idle" };`,
    wrong: "less",
  },
];

async function writeTwin(twin: Twin, folder: string): Promise<typeof WorkerPool> {
  const recovery = await Deno.readTextFile(new URL("recovery.ts", SOURCE));
  assert.equal(recovery.split(twin.find).length, 2, `the rule to break is there: ${twin.name}`);
  const pool = await Deno.readTextFile(new URL("worker_pool.ts", SOURCE));
  const absolute = (source: string) =>
    source.replaceAll(`"../`, `"${new URL("../", SOURCE).href}`)
      .replaceAll(`"./`, `"${SOURCE.href}`);
  const recoveryPath = `${folder}/recovery.ts`;
  const recoveryUrl = new URL("recovery.ts", SOURCE).href;
  await Deno.writeTextFile(recoveryPath, absolute(recovery.replace(twin.find, twin.replace)));
  const poolPath = `${folder}/worker_pool.ts`;
  await Deno.writeTextFile(
    poolPath,
    absolute(pool).replaceAll(recoveryUrl, new URL(`file://${recoveryPath}`).href),
  );
  const module = await import(new URL(`file://${poolPath}`).href) as {
    WorkerPool: typeof WorkerPool;
  };
  return module.WorkerPool;
}

for (const twin of TWINS) {
  Deno.test(`WorkerPool: a supervisor that ${twin.name} would be caught`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await using world = await PoolWorld.start({
        poolClass: await writeTwin(twin, folder),
        pool: {
          workersMax: 1,
          faultPlan: (_slot, startCount) => startCount === 1 ? `${twin.step}:5:exit` : undefined,
        },
      });
      for (let i = 0; i < 20; i++) await world.send("alice", 1);
      await world.pool.drainAndStop(AbortSignal.timeout(60_000));
      assert.throws(() => world.assertExact(), "the check that the fault tests use");
      const balance = world.balance("alice")!;
      assert.equal(balance, twin.wrong === "less" ? 19n : 21n);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
