import assert from "node:assert/strict";
import { tickForNotifications } from "../../../src/server/wake_tick.ts";

/** When a timer wakes the event loop at last. Unit: ms. */
const PATIENCE_MS = 20_000;

/** Wakes a waiter of another thread, soon. */
const NOTIFIER = `self.onmessage = ({ data }) => {
  const words = new Int32Array(data);
  Atomics.wait(words, 1, 0, 50);
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
};`;

Deno.test("tickForNotifications: an idle event loop notices a notification of another thread", async () => {
  using _tick = tickForNotifications();
  const url = URL.createObjectURL(new Blob([NOTIFIER], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const words = new Int32Array(new SharedArrayBuffer(8));
  // Keeps the test alive, and is all that would wake an event loop that nobody helps.
  const startedAtMs = performance.now();
  const patience = setTimeout(() => {}, PATIENCE_MS);
  const wait = Atomics.waitAsync(words, 0, 0);
  worker.postMessage(words.buffer);
  await wait.value;
  // Not a question of speed: what wakes the loop otherwise is the timer above.
  assert.ok(performance.now() - startedAtMs < PATIENCE_MS / 2, "noticed before the timer");
  clearTimeout(patience);
  worker.terminate();
  URL.revokeObjectURL(url);
});

Deno.test("tickForNotifications: keeps no test alive once it is disposed", () => {
  const tick = tickForNotifications(true);
  tick[Symbol.dispose]();
});
