import assert from "node:assert/strict";
import { TransferPace } from "../../../src/server/transfer_pace.ts";

const RATE = 240;

/** Sends or takes `byteCount` bytes each second until it is too slow, at most for ten minutes. */
function secondsUntilTooSlow(pace: TransferPace, byteCount: number): number {
  for (let second = 1; second <= 600; second++) {
    pace.earn(byteCount, second * 1000);
    if (pace.isTooSlow(second * 1000)) return second;
  }
  return Infinity;
}

function body(): TransferPace {
  const pace = new TransferPace(RATE);
  pace.beginBody(0);
  return pace;
}

Deno.test("TransferPace: who sends nothing has five seconds", () => {
  assert.equal(secondsUntilTooSlow(body(), 0), 5);
});

Deno.test("TransferPace: who trickles below the rate is out sooner or later", () => {
  assert.equal(secondsUntilTooSlow(body(), 1), 6);
  assert.equal(secondsUntilTooSlow(body(), RATE / 2), 10);
  assert.equal(secondsUntilTooSlow(body(), RATE - 24), 50);
  assert.equal(secondsUntilTooSlow(body(), RATE), Infinity);
});

Deno.test("TransferPace: who was faster may pause for a while, but not for ever", () => {
  const pace = body();
  pace.earn(1e9, 1000);
  assert.ok(!pace.isTooSlow(10_999));
  assert.ok(pace.isTooSlow(11_000));
  pace.earn(1, 10_999);
  assert.ok(pace.isTooSlow(11_100), "one byte is not worth another pause");
});

Deno.test("TransferPace: a reply has more time, and each begins anew", () => {
  const pace = new TransferPace(RATE);
  pace.beginReply(0);
  assert.ok(!pace.isTooSlow(14_999));
  assert.ok(pace.isTooSlow(15_000));
  pace.beginReply(20_000);
  assert.ok(!pace.isTooSlow(34_999));
  pace.end();
  assert.ok(!pace.isTooSlow(1e9));
  assert.ok(!pace.isMeasuring);
});

Deno.test("TransferPace: without a rate clients may be as slow as they like", () => {
  const pace = new TransferPace(0);
  pace.beginBody(0);
  assert.equal(secondsUntilTooSlow(pace, 0), Infinity);
});
