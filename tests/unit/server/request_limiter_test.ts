import assert from "node:assert/strict";
import fc from "fast-check";
import { LIMITED_ADDRESSES_MAX, RequestLimiter } from "../../../src/server/request_limiter.ts";
import { effort } from "../../helpers/effort.ts";
import type { LimiterOrders } from "./request_limiter_worker.ts";

const MINUTE = { count: 3, perMs: 60_000 };

function takeAll(limiter: RequestLimiter, host: string, nowMs: number): number {
  let taken = 0;
  while (limiter.tryTake(limiter.keyOf(host), nowMs)) taken++;
  return taken;
}

Deno.test("RequestLimiter: a client gets its allowance, and all of it again when the time is over", () => {
  const limiter = RequestLimiter.create(MINUTE);
  const client = limiter.keyOf("10.0.0.1");
  assert.equal(limiter.tryTake(client, 1000), true);
  assert.deepEqual([limiter.remaining, limiter.resetS], [2, 60]);
  assert.equal(limiter.tryTake(client, 31_500), true);
  assert.deepEqual([limiter.remaining, limiter.resetS], [1, 30]);
  assert.equal(limiter.tryTake(client, 31_500), true);
  assert.equal(limiter.tryTake(client, 60_999), false);
  assert.deepEqual([limiter.remaining, limiter.resetS], [0, 1]);
  assert.equal(limiter.tryTake(client, 61_000), true);
  assert.deepEqual([limiter.remaining, limiter.resetS], [2, 60]);
});

Deno.test("RequestLimiter: a clock that is set back refuses nobody for longer than the window", () => {
  const limiter = RequestLimiter.create(MINUTE);
  assert.equal(takeAll(limiter, "10.0.0.1", 10_000_000), 3);
  assert.equal(takeAll(limiter, "10.0.0.1", 1000), 3);
});

Deno.test("RequestLimiter: a thread whose clock was read a little earlier does not open the window again", () => {
  const limiter = RequestLimiter.create(MINUTE);
  const other = RequestLimiter.attach(limiter.memory);
  const client = limiter.keyOf("10.0.0.1");
  assert.equal(limiter.tryTake(client, 10_000), true);
  assert.equal(other.tryTake(client, 9_995), true);
  assert.deepEqual([other.remaining, other.resetS], [1, 60]);
  assert.equal(limiter.tryTake(client, 10_001), true);
  assert.equal(other.tryTake(client, 9_000), false);
  assert.deepEqual([other.remaining, other.resetS], [0, 60]);
  // The next window begins the same way.
  assert.equal(limiter.tryTake(client, 70_000), true);
  assert.equal(takeAll(other, "10.0.0.1", 69_999), 2);
});

Deno.test("RequestLimiter: addresses are apart, those of one IPv6 network together", () => {
  const limiter = RequestLimiter.create(MINUTE);
  for (const host of ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8:0:1::1", "not an address"]) {
    assert.equal(takeAll(limiter, host, 1000), 3, host);
  }
  for (const host of ["::ffff:10.0.0.1", "2001:db8::2", "2001:db8:0:1:ffff::", "nor this"]) {
    assert.equal(takeAll(limiter, host, 1000), 0, host);
  }
});

Deno.test("RequestLimiter: it agrees with a map, while there is room for all", () => {
  const action = fc.record({
    host: fc.integer({ min: 0, max: 7 }),
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40_000 })),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const limiter = RequestLimiter.create(MINUTE);
      const model = new Map<number, { openedAtMs: number; taken: number }>();
      let nowMs = 5000;
      for (const { host, waitMs } of actions) {
        nowMs += waitMs;
        let window = model.get(host);
        if (window === undefined || nowMs - window.openedAtMs >= 60_000) {
          window = { openedAtMs: nowMs, taken: 0 };
          model.set(host, window);
        }
        const expected = window.taken < 3;
        if (expected) window.taken++;
        assert.equal(limiter.tryTake(limiter.keyOf(`10.0.0.${host}`), nowMs), expected);
        assert.equal(limiter.remaining, 3 - window.taken);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("RequestLimiter: any number of addresses takes no more memory, and who is at the limit stays there", () => {
  const count = effort(2 * LIMITED_ADDRESSES_MAX, 1_000_000);
  const limiter = RequestLimiter.create(MINUTE);
  const { byteLength } = limiter.memory.buffer;
  assert.ok(byteLength <= 4.5 * 2 ** 20, `${byteLength} bytes`);
  assert.equal(takeAll(limiter, "192.0.2.1", 1000), 3);
  for (let i = 0; i < count; i++) {
    const host = `10.${i >>> 16 & 255}.${i >>> 8 & 255}.${i & 255}`;
    assert.equal(limiter.tryTake(limiter.keyOf(host), 1000), true);
  }
  assert.equal(limiter.tryTake(limiter.keyOf("192.0.2.1"), 1000), false);
  assert.equal(limiter.memory.buffer.byteLength, byteLength);
  assert.ok(LIMITED_ADDRESSES_MAX < count);
});

Deno.test("RequestLimiter: several threads together let exactly the allowance through", async () => {
  const count = 5000;
  const limiter = RequestLimiter.create({ count, perMs: 60_000 }, 16);
  // Both buckets, so that threads meet in one and in different ones.
  const hosts = Array.from({ length: 6 }, (_, host) => `10.0.0.${host}`);
  const workerCount = 2;
  const evidence = new SharedArrayBuffer(256);
  const workers = Array.from({ length: workerCount }, () => {
    const worker = new Worker(new URL("./request_limiter_worker.ts", import.meta.url), {
      type: "module",
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.onmessage = () => resolve();
    const orders: LimiterOrders = {
      memory: limiter.memory,
      evidence,
      workerCount,
      hosts,
      attempts: 4000,
    };
    worker.postMessage(orders);
    return promise;
  });
  await Promise.all(workers);
  const through = [...new Int32Array(evidence).subarray(16, 16 + hosts.length)];
  assert.deepEqual(through, hosts.map(() => count));
});
