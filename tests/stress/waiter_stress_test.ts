/**
 * Clients that wait for keys, on several threads; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runTwin } from "./crew.ts";
import { writeTwinOf } from "./twin.ts";
import {
  CLIENT_MUTATIONS,
  CLIENTS_URL,
  runWaiterStress,
  SERVER_MUTATIONS,
  SERVER_URL,
  type WaiterStressOptions,
} from "./waiter_harness.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const FULL: WaiterStressOptions = {
  kind: "mutex",
  shardCount: 4,
  threads: 4,
  rounds: 10,
  deedsPerRound: 15,
  patienceMs: 10_000,
  seed: SEED,
};

/** A run that is repeated until it shows a defect. */
const SHORT = { rounds: 4, deedsPerRound: 15, patienceMs: 1000 };
/** Who sleeps too long is looked for at the end of a round. */
const MANY_ROUNDS = { rounds: 40, deedsPerRound: 5, patienceMs: 1000 };

/** What every run must have met, on all threads together. */
const MET = [
  "served",
  "taken at once",
  "time up",
  "gone",
  "sent away",
  "news to another thread",
  "restore",
  "copy",
  "renamenx",
  "sort",
  "exec",
  "move",
  "zunionstore",
];

async function twinIsCaught(module: string, size: Partial<WaiterStressOptions>): Promise<void> {
  const result = await runTwin(
    () => runWaiterStress({ ...FULL, ...size, module }),
    ({ violation }) => violation !== "",
  );
  assert.notEqual(result.violation, "", `inconclusive: ${JSON.stringify(result)}`);
}

Deno.test("waiter stress: broken twins are caught", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    for (const mutation of CLIENT_MUTATIONS) {
      await t.step(mutation.name, async () => {
        const twin = await writeTwinOf(CLIENTS_URL, [mutation], folder);
        await twinIsCaught(twin, mutation === CLIENT_MUTATIONS[0] ? MANY_ROUNDS : SHORT);
      });
    }
    for (const mutation of SERVER_MUTATIONS) {
      await t.step(mutation.name, async () => {
        const server = await writeTwinOf(SERVER_URL, [mutation], folder);
        const clients = {
          name: mutation.name,
          find: 'from "./wait_server.ts"',
          replace: `from "${server}"`,
        };
        await twinIsCaught(await writeTwinOf(CLIENTS_URL, [clients], folder), SHORT);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const shardCount of [1, 64]) {
    Deno.test(`waiter stress: nothing is lost or doubled, nobody sleeps too long or is passed over (${shardCount} shards, ${kind})`, async () => {
      const result = await runWaiterStress({ ...FULL, kind, shardCount });
      assert.equal(result.violation, "", `SLUICE_SEED=${SEED}`);
      const inconclusive = `inconclusive: ${JSON.stringify(result)}`;
      for (const what of MET) {
        assert.ok((result.counts[what] ?? 0) >= 20, `${what}: ${inconclusive}`);
      }
      assert.ok(result.counts["news to another thread"]! >= 1000, inconclusive);
      assert.ok(result.compared >= 200, inconclusive);
    });
  }
}
