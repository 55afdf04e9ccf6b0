/** What the live page says of its connection and of the server. */

import assert from "node:assert/strict";
import { statusOf } from "../../../../src/server/page/client/status.js";

Deno.test("page: a failed log is said aloud, also while the picture is kept still", () => {
  const live = { kind: "live" } as const;
  assert.deepEqual(statusOf(live, "ready", false, false), {
    kind: "live",
    short: "Live",
    long: "",
  });
  assert.equal(statusOf(live, "ready", true, false).short, "Paused");
  for (const isPaused of [false, true]) {
    const told = statusOf(live, "ready", isPaused, true);
    assert.deepEqual([told.kind, told.short], ["lost", "Log failed"]);
    assert.match(told.long, /refuses every change/);
  }
  assert.match(statusOf(live, "ready", true, true).long, /Paused/);
  assert.equal(statusOf(live, "shutting_down", false, true).short, "Stopping");
});

Deno.test("page: a connection that is lost is said to be, whatever the server last said", () => {
  const lost = { kind: "lost", retryMs: 500, reason: "the server answered 500" } as const;
  const told = statusOf(lost, "ready", false, true);
  assert.equal(told.short, "Connection lost");
  assert.match(told.long, /the server answered 500/);
  assert.equal(statusOf(lost, "shutting_down", true, false).short, "Stopped");
});
