import assert from "node:assert/strict";
import { PoolSizer } from "../../../src/worker/pool_sizer.ts";

const TIMINGS = { growAfterMs: 50, shrinkAfterMs: 1000 };

Deno.test("PoolSizer: adds a worker each time jobs have waited, up to the maximum", () => {
  const sizer = new PoolSizer(1, 3, TIMINGS);
  const load = { depth: 5, workers: 1, busy: 1 };
  assert.equal(sizer.decide(load, 0), 0);
  assert.equal(sizer.decide(load, 49), 0);
  assert.equal(sizer.decide(load, 50), 1);
  load.workers = 2;
  assert.equal(sizer.decide(load, 60), 0, "the new one gets its time");
  assert.equal(sizer.decide(load, 100), 1);
  load.workers = 3;
  assert.equal(sizer.decide(load, 1000), 0, "no more than the maximum");
});

Deno.test("PoolSizer: a channel that was empty in between is no reason to grow", () => {
  const sizer = new PoolSizer(1, 3, TIMINGS);
  assert.equal(sizer.decide({ depth: 1, workers: 1, busy: 1 }, 0), 0);
  assert.equal(sizer.decide({ depth: 0, workers: 1, busy: 1 }, 40), 0);
  assert.equal(sizer.decide({ depth: 1, workers: 1, busy: 1 }, 60), 0);
  assert.equal(sizer.decide({ depth: 1, workers: 1, busy: 1 }, 110), 1);
});

Deno.test("PoolSizer: lets one worker go after each long time without need, down to the minimum", () => {
  const sizer = new PoolSizer(1, 3, TIMINGS);
  const load = { depth: 0, workers: 3, busy: 2 };
  assert.equal(sizer.decide(load, 0), 0);
  assert.equal(sizer.decide(load, 1000), -1);
  load.workers = 2;
  assert.equal(sizer.decide(load, 1100), 0, "two of two are busy");
  load.busy = 0;
  assert.equal(sizer.decide(load, 1200), 0);
  assert.equal(sizer.decide(load, 2200), -1);
  load.workers = 1;
  assert.equal(sizer.decide(load, 9000), 0);
});

Deno.test("PoolSizer: an empty pool gets one worker at the first need and keeps it", () => {
  for (const need of [{ depth: 1 }, { depth: 0, isWanted: true }]) {
    const sizer = new PoolSizer(0, 2, TIMINGS);
    assert.equal(sizer.decide({ depth: 0, workers: 0, busy: 0 }, 0), 0, "nothing to do");
    assert.equal(sizer.decide({ ...need, workers: 0, busy: 0 }, 1), 1);
    assert.equal(sizer.decide({ depth: 0, workers: 1, busy: 0, isWanted: true }, 2), 0);
    assert.equal(sizer.decide({ depth: 0, workers: 1, busy: 0 }, 9000), 0, "it stays");
  }
});

Deno.test("PoolSizer: below the minimum it adds at once", () => {
  assert.equal(new PoolSizer(2, 2, TIMINGS).decide({ depth: 0, workers: 1, busy: 0 }, 0), 1);
});
