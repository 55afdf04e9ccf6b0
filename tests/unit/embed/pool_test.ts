import assert from "node:assert/strict";
import { type PoolEvent, Store, StoreError, WorkerPool } from "../../../src/mod.ts";

const processor = new URL("./pool_processor.ts", import.meta.url);
const SMALL = { maxMemoryBytes: 16 * 2 ** 20, shards: 8, maxThreads: 6 };

async function accepted(pool: WorkerPool, event: PoolEvent): Promise<void> {
  for (;;) {
    const refusal = pool.trySubmit(event);
    if (refusal === undefined) return;
    assert.equal(refusal.reason, "busy");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

Deno.test("embedded WorkerPool: events are processed once each, whole, by all workers", async () => {
  using store = Store.create(SMALL);
  store.set("stock", 500);
  {
    await using pool = await WorkerPool.start({ processor, store, workers: 2, capacity: 50 });
    for (let i = 0; i < 600; i++) {
      await accepted(pool, { user: `user${i % 3}`, amount: 1, fields: { sku: `sku${i % 2}` } });
    }
    const report = await pool.stop();
    assert.deepEqual(
      [report.processed, report.failed, report.pending, report.lost],
      [600, 0, 0, 0],
    );
    assert.deepEqual(pool.counters(), { units: 500 });
    assert.equal(pool.trySubmit({ user: "late" })?.reason, "closed");
    assert.deepEqual(await pool.submit({ user: "late" }), {
      status: "refused",
      reason: "closed",
      detail: "",
    });
  }
  assert.equal(store.get("stock"), "0");
  const sold = [0, 1, 2].reduce((sum, i) => sum + store.getInteger(`of:user${i}`)!, 0n);
  assert.equal(sold, 500n);
  assert.equal(Number(store.hget("skus", "sku0")) + Number(store.hget("skus", "sku1")), 500);
  assert.equal(store.usage().threadCount, 1, "the workers' ids are given back");
});

Deno.test("embedded WorkerPool: who submits is told how it ended, or why it was not accepted", async () => {
  using store = Store.create(SMALL);
  store.set("stock", 5);
  const lines: string[] = [];
  await using pool = await WorkerPool.start({
    processor,
    store,
    workers: 1,
    capacity: 1,
    log: (level, message) => lines.push(`${level} ${message}`),
  });
  const submit = (event: PoolEvent) => pool.submit(event);
  assert.deepEqual(await submit({ user: "a", amount: 5n }), {
    status: "processed",
    result: { sold: true },
  });
  assert.deepEqual(await submit({ user: "a", amount: 1 }), {
    status: "processed",
    result: { sold: false },
  });
  assert.deepEqual(await submit({ user: "a", action: "wait" }), {
    status: "processed",
    result: undefined,
  });
  assert.deepEqual(await submit({ user: "a", action: "throw" }), {
    status: "failed",
    reason: "processor_error",
  });
  assert.equal(store.exists("taken"), false, "what throws changes nothing");
  const invalid: [PoolEvent, RegExp][] = [
    [{ user: "" }, /^user must be 1 to 128 bytes/],
    [{ user: "a\n" }, /^user must be UTF-8 without control characters/],
    [{ user: "a", amount: 0.5 }, /^amount must be/],
    [{ user: "a", amount: 2n ** 63n }, /^amount must be/],
    [{ user: "a", id: "i".repeat(65) }, /^id must be/],
    [{ user: "a", fields: { sku: "x" } }, /sku/],
    [{ user: "a", action: "steal" }, /^that is not allowed$/],
    [{ user: 1 as unknown as string }, /^user must be a text/],
  ];
  for (const [event, detail] of invalid) {
    const outcome = await submit(event);
    assert.ok(outcome.status === "refused" && outcome.reason === "invalid", `${detail}`);
    assert.match(outcome.detail, detail);
  }
  assert.deepEqual(await pool.submit({ user: "a", action: "wait" }, 1), { status: "pending" });
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => submit({ user: "a", action: "wait" })),
  );
  const busy = outcomes.filter((outcome) => outcome.status === "refused");
  assert.ok(busy.length > 0 && busy.every(({ reason }) => reason === "busy"));
  assert.equal(pool.stats().dropped, busy.length);
  await pool.stop();
  assert.ok(lines.some((line) => line.startsWith("warn ")), `${lines}`);
});

Deno.test("embedded WorkerPool: a processor that ends its thread costs its own event only", async () => {
  using store = Store.create(SMALL);
  store.set("stock", 100);
  await using pool = await WorkerPool.start({ processor, store, workers: 1 });
  const [fatal, ...others] = await Promise.all([
    pool.submit({ user: "a", action: "exit" }),
    ...Array.from({ length: 10 }, () => pool.submit({ user: "b", amount: 1 })),
  ]);
  assert.equal(fatal!.status, "failed");
  assert.ok(others.every(({ status }) => status === "processed"));
  assert.equal(store.get("of:b"), "10");
  assert.ok(pool.stats().deaths > 0);
});

Deno.test("embedded WorkerPool: what it cannot start with is said", async () => {
  using store = Store.create(SMALL);
  const start = (options: object) => WorkerPool.start({ processor, store, ...options });
  await assert.rejects(start({ workers: 6 }), (error) => {
    assert.ok(error instanceof StoreError && error.code === "TOO_MANY_THREADS");
    return true;
  });
  await assert.rejects(start({ workers: 0 }), RangeError);
  await assert.rejects(start({ capacity: 0 }), RangeError);
  await assert.rejects(
    start({ processor: new URL("./nothing_here.ts", import.meta.url) }),
    /ProcessorLoadError: Cannot use the processor .*there is no such file/,
  );
  // A path is one of the program's, and not of the library's modules.
  await assert.rejects(
    start({ processor: "./nothing_here.ts" }),
    { message: `Cannot use the processor ${Deno.cwd()}/nothing_here.ts: there is no such file` },
  );
  await assert.rejects(start({ processor: undefined }), TypeError);
  for (const processorMemoryBytes of [NaN, 1000, 2 ** 40]) {
    await assert.rejects(start({ processorMemoryBytes }), /RangeError.*processorMemoryBytes/);
  }
  await assert.rejects(start({ store: store.memory }), /TypeError.*store must be a Store/);
  const closed = Store.attach(store.memory);
  closed.close();
  assert.deepEqual([store.closed, closed.closed], [false, true]);
  await assert.rejects(start({ store: closed }), { name: "StoreError", code: "CLOSED" });
  assert.equal(store.usage().threadCount, 1);
});

Deno.test("embedded WorkerPool: a time that cannot be is refused by name; for ever is a time", async () => {
  using store = Store.create(SMALL);
  await using pool = await WorkerPool.start({ processor, store, workers: 1 });
  for (const timeoutMs of [NaN, -1]) {
    const expected = new RegExp(`RangeError: Cannot .* with timeoutMs ${timeoutMs}`);
    await assert.rejects(pool.submit({ user: "a", amount: 1 }, timeoutMs), expected);
    assert.throws(() => pool.stop(timeoutMs), expected);
  }
  const slow = pool.submit({ user: "a", action: "wait" }, Infinity);
  const { processed, lost } = await pool.stop(Infinity);
  assert.deepEqual([processed, lost, (await slow).status], [1, 0, "processed"]);
});

Deno.test("embedded WorkerPool: an outcome is told while another event takes long, by whatever way they end", async () => {
  const source = `export default {
    concurrency: 4,
    process(event) {
      const endMs = performance.now() + Number(event.amount);
      const spin = () => { while (performance.now() < endMs); };
      if (event.action === "block") return spin();
      if (event.action === "await") return new Promise((resolve) => setTimeout(resolve, 5));
    },
  }`;
  using store = Store.create(SMALL);
  await using pool = await WorkerPool.start({
    processor: `data:text/javascript,${encodeURIComponent(source)}`,
    store,
    workers: 1,
  });
  // Whatever is in hand at once, none of the outcomes is forgotten.
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        pool.submit({
          user: "a",
          action: ["go", "block", "await"][(i * 7 + round) % 3]!,
          amount: i % 3,
        }, 20_000)),
    );
    assert.ok(outcomes.every(({ status }) => status === "processed"), JSON.stringify(outcomes));
  }
  // A single one, with nothing behind it that would wake who waits.
  for (const action of ["go", "block", "await"]) {
    assert.equal((await pool.submit({ user: "a", action }, 20_000)).status, "processed");
  }
});
