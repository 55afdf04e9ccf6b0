import assert from "node:assert/strict";
import { Pacer, ring } from "../../../../src/lab/load/pacer.ts";

Deno.test("ring: never rings before its time, and ends when told to", () => {
  const memory = new SharedArrayBuffer(12);
  const words = new Int32Array(memory);
  const startAtMs = performance.now() + 5;
  const rings: number[] = [];
  ring({ memory, startAtMs, tickMs: 0.7 }, (rangAtMs) => {
    rings.push(rangAtMs);
    // Heard at once.
    words[1] = 0;
    if (rings.length === 20) words[0] = 1;
  });
  assert.equal(rings.length, 20);
  rings.forEach((rangAtMs, i) => {
    assert.ok(rangAtMs >= startAtMs + i * 0.7, `ring ${i} came ${rangAtMs - startAtMs} ms after 0`);
  });
});

Deno.test("ring: comes as much later as it is told that the clocks are closer", () => {
  const memory = new SharedArrayBuffer(12);
  const words = new Int32Array(memory);
  const startAtMs = performance.now();
  words[2] = 30_000;
  let firstAtMs = 0;
  ring({ memory, startAtMs, tickMs: 1 }, (rangAtMs) => {
    firstAtMs = rangAtMs;
    words[0] = 1;
  });
  assert.ok(firstAtMs >= startAtMs + 30, `${firstAtMs - startAtMs} ms`);
});

Deno.test("Pacer: rings until it is disposed, and not once more", async () => {
  const pacer = await Pacer.start();
  const enough = Promise.withResolvers<void>();
  const delays: number[] = [];
  const startAtMs = performance.now();
  pacer.run(startAtMs, 1, (nowMs, delayMs) => {
    assert.ok(nowMs >= startAtMs && delayMs >= 0);
    delays.push(delayMs);
    if (delays.length < 5) return;
    pacer[Symbol.dispose]();
    enough.resolve();
  });
  await enough.promise;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(delays.length, 5);
});
