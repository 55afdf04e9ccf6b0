import assert from "node:assert/strict";
import {
  CONTROL_FRAMES_MAX,
  FrameMeter,
  HEADER_BLOCK_MAX_BYTES,
  HEADER_FRAMES_MAX,
  METER_WINDOW_MS,
  RESETS_MAX,
  WINDOW_UPDATES_MAX,
} from "../../../../src/protocol/http2/frame_meter.ts";
import { Flag, Frame, frame, word } from "../../../helpers/http2_frames.ts";

const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const NOW_MS = 50_000;

function begun(): FrameMeter {
  const meter = new FrameMeter();
  assert.ok(meter.take(PREFACE, NOW_MS));
  return meter;
}

/** How many of these frames are let through. */
function countOf(bytes: Uint8Array, most: number, meter = begun()): number {
  for (let count = 0; count < most; count++) if (!meter.take(bytes, NOW_MS)) return count;
  return most;
}

Deno.test("FrameMeter: floods end at their bounds", () => {
  const cases: [why: string, bytes: Uint8Array, bound: number][] = [
    ["resets", frame(Frame.RST_STREAM, 0, 1, word(8)), RESETS_MAX],
    ["pings", frame(Frame.PING, 0, 0, new Uint8Array(8)), CONTROL_FRAMES_MAX],
    ["settings", frame(Frame.SETTINGS, 0, 0), CONTROL_FRAMES_MAX],
    ["priorities", frame(Frame.PRIORITY, 0, 1, new Uint8Array(5)), CONTROL_FRAMES_MAX],
    ["unknown frames", frame(99, 0, 1), CONTROL_FRAMES_MAX],
    ["empty data", frame(Frame.DATA, 0, 1), CONTROL_FRAMES_MAX],
    ["window updates", frame(Frame.WINDOW_UPDATE, 0, 0, word(1)), WINDOW_UPDATES_MAX],
  ];
  for (const [why, bytes, bound] of cases) assert.equal(countOf(bytes, 5000), bound, why);
});

Deno.test("FrameMeter: what does work is not bounded", () => {
  const headers = frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, new Uint8Array(50));
  assert.equal(countOf(headers, 5000), 5000);
  assert.equal(countOf(frame(Frame.DATA, 0, 1, new Uint8Array(10)), 5000), 5000);
  const meter = begun();
  meter.countSent(512 * 3000);
  assert.equal(countOf(frame(Frame.WINDOW_UPDATE, 0, 0, word(512)), 5000, meter), 5000);
});

Deno.test("FrameMeter: a header block is bounded in bytes and in frames", () => {
  const part = new Uint8Array(HEADER_BLOCK_MAX_BYTES / 2);
  const meter = begun();
  assert.ok(meter.take(frame(Frame.HEADERS, 0, 1, part), NOW_MS));
  assert.ok(meter.take(frame(Frame.CONTINUATION, 0, 1, part), NOW_MS));
  assert.ok(!meter.take(frame(Frame.CONTINUATION, 0, 1, new Uint8Array(1)), NOW_MS));
  const other = begun();
  assert.ok(other.take(frame(Frame.HEADERS, 0, 1), NOW_MS));
  assert.equal(countOf(frame(Frame.CONTINUATION, 0, 1), 50, other), HEADER_FRAMES_MAX - 1);
});

Deno.test("FrameMeter: knows when a header block that is not whole began", () => {
  const meter = begun();
  meter.take(frame(Frame.HEADERS, 0, 1), NOW_MS);
  meter.take(frame(Frame.CONTINUATION, 0, 1), NOW_MS + 5);
  assert.equal(meter.headStartedAtMs, NOW_MS);
  meter.take(frame(Frame.CONTINUATION, Flag.END_HEADERS, 1), NOW_MS + 9);
  assert.equal(meter.headStartedAtMs, 0);
});

Deno.test("FrameMeter: counts start over, and frames may be cut anywhere", () => {
  const reset = frame(Frame.RST_STREAM, 0, 1, word(8));
  const meter = begun();
  for (let i = 0; i < RESETS_MAX; i++) {
    for (const byte of reset) assert.ok(meter.take(Uint8Array.of(byte), NOW_MS));
  }
  assert.ok(meter.countReset(NOW_MS + METER_WINDOW_MS));
  for (let i = 1; i < RESETS_MAX; i++) {
    assert.ok(meter.take(reset, NOW_MS + METER_WINDOW_MS));
  }
  assert.ok(!meter.countReset(NOW_MS + METER_WINDOW_MS));
  assert.ok(!meter.take(reset, NOW_MS + 5 * METER_WINDOW_MS), "once is for ever");
});
