/** What a pool does about isolates that never come back, when there are many of them. */

import assert from "node:assert/strict";
import { CounterIndex } from "../../../src/metrics/names.ts";
import { PoolWorld } from "./pool_world.ts";

const LOST_ISOLATES_MAX = 8;

/** Its `sleeper` sleeps as long as a file exists, where nothing wakes it. */
function processorUrl(file: string): string {
  return `data:text/javascript,${
    encodeURIComponent(`
      const word = new Int32Array(new SharedArrayBuffer(4));
      function exists() {
        try {
          return Deno.statSync(${JSON.stringify(file)}).isFile;
        } catch {
          return false;
        }
      }
      export default {
        name: "sleeper",
        timeoutMs: 700,
        process(event, context) {
          while (event.user === "sleeper" && exists()) Atomics.wait(word, 0, 0, 20);
          if (event.user === "exiter" && context.attempt === 1 && exists()) Deno.exit();
          context.add("balance:" + event.user, 1);
        },
      };
    `)
  }`;
}

Deno.test("WorkerPool: behind too many lost isolates a seat stays empty until one has ended", async () => {
  const file = await Deno.makeTempFile();
  const lost: number[] = [];
  try {
    await using world = await PoolWorld.start({
      pool: {
        processorUrl: processorUrl(file),
        workersMax: 2,
        workersMin: 2,
        onLost: (count) => lost.push(count),
        timings: { blockedGraceMs: 500, tickMs: 5 },
      },
    });
    for (let i = 0; i < LOST_ISOLATES_MAX; i++) await world.send("sleeper", 1);
    await world.until(
      "all of them have failed",
      () => world.metrics.total(CounterIndex.FAILED_TIMEOUT) === LOST_ISOLATES_MAX,
    );
    assert.deepEqual(lost, [1], "one seat is empty");
    // The other worker ends as often as it may: an isolate that has ended is replaced.
    await world.send("exiter", 1);
    await world.until(
      "its event has failed",
      () => world.metrics.total(CounterIndex.FAILED_PROCESSOR_ERROR) === 1,
    );
    await world.send("ann", 1);
    await world.until("others go on", () => world.metrics.total(CounterIndex.PROCESSED) === 1);
    // Its seat may have been empty until its isolate had ended.
    await world.until("only one seat is empty", () => lost.at(-1) === 1);
    await Deno.remove(file);
    await world.until(
      "somebody sits there again",
      () => lost.at(-1) === 0 && world.pool.size === 2,
    );
    await world.send("ann", 1);
    await world.drain();
    world.assertExact(LOST_ISOLATES_MAX + 1);
    assert.equal(world.balance("ann"), 2n);
  } finally {
    await Deno.remove(file).catch(() => {});
  }
});
