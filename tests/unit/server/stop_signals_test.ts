import assert from "node:assert/strict";
import { SAME_SIGNAL_MS, StopRequests, stopSignals } from "../../../src/server/stop_signals.ts";

function requests(): { heard: string[]; at(nowMs: number, signal: string): void } {
  const heard: string[] = [];
  let nowMs = 0;
  const stopRequests = new StopRequests({
    onStop: (signal) => void heard.push(`stop ${signal}`),
    onHurry: (signal) => void heard.push(`hurry ${signal}`),
  }, () => nowMs);
  return {
    heard,
    at: (timeMs, signal) => {
      nowMs = timeMs;
      stopRequests.receive(signal);
    },
  };
}

Deno.test("StopRequests: the two SIGINTs of one Ctrl-C are one request", () => {
  const { heard, at } = requests();
  at(1000, "SIGINT");
  at(1000.5, "SIGINT");
  at(1000 + SAME_SIGNAL_MS, "SIGTERM");
  assert.deepEqual(heard, ["stop SIGINT"]);
});

Deno.test("StopRequests: a later signal hurries, once", () => {
  const { heard, at } = requests();
  at(1000, "SIGTERM");
  at(1001 + SAME_SIGNAL_MS, "SIGINT");
  at(5000, "SIGINT");
  assert.deepEqual(heard, ["stop SIGTERM", "hurry SIGINT"]);
});

Deno.test("StopRequests: the window is counted from the first signal, not from the last", () => {
  const { heard, at } = requests();
  at(0, "SIGINT");
  at(200, "SIGINT");
  at(400, "SIGINT");
  assert.deepEqual(heard, ["stop SIGINT", "hurry SIGINT"]);
});

Deno.test("stopSignals: every platform has SIGINT and SIGTERM, Windows its own two as well", () => {
  assert.deepEqual(stopSignals("linux"), ["SIGINT", "SIGTERM"]);
  assert.deepEqual(stopSignals("darwin"), ["SIGINT", "SIGTERM"]);
  assert.deepEqual(stopSignals("windows"), ["SIGINT", "SIGBREAK", "SIGTERM", "SIGHUP"]);
});
