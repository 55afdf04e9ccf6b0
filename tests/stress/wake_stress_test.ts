/**
 * Wake-ups of the channel under load; `deno task test:stress`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isWakeful, runWakeStress, type WakeStress, writeWakeTwin } from "./wake_harness.ts";

const RUNS: Record<string, Omit<WakeStress, "seed" | "channelModule">> = {
  "one job at a time": { producers: 1, consumers: 1, bursts: 500_000, burstJobs: 1 },
  "two producers, one consumer": { producers: 2, consumers: 2, bursts: 300_000, burstJobs: 1 },
  "bursts that keep four consumers": { producers: 2, consumers: 4, bursts: 150_000, burstJobs: 2 },
  "bursts, and consumers that die": {
    producers: 2,
    consumers: 5,
    bursts: 150_000,
    burstJobs: 2,
    deaths: 500,
  },
};

for (const [name, run] of Object.entries(RUNS)) {
  Deno.test(`stress: no wake-up of the channel is lost: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const channelModule = await writeWakeTwin(folder);
      const seed = (Math.random() * 2 ** 31) | 0;
      const result = await runWakeStress({ ...run, seed, channelModule });
      // deno-lint-ignore no-console -- the figures are the point of a stress run
      console.log(JSON.stringify(result));
      assert.ok(isWakeful(result), JSON.stringify(result));
      assert.equal(result.bursts, run.bursts * run.producers);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
