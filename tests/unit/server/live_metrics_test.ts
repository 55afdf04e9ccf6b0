import assert from "node:assert/strict";
import { Heartbeat } from "../../../src/server/routes/heartbeat.ts";
import { EventStreamSession } from "../../../src/server/routes/event_stream.ts";
import {
  LiveMetrics,
  type MetricsSnapshot,
  type MetricsViewer,
} from "../../../src/server/routes/live_metrics.ts";
import { PUSH_WITHIN_S } from "../../../src/protocol/websocket/limits.ts";
import { parseServerFrames } from "../../helpers/websocket_frames.ts";
import { FakeConnection, toLatin1 } from "../protocol/http/support.ts";
import { FakeTarget } from "../protocol/websocket/support.ts";

/** A clock that the test moves, and counters that count how often they were read. */
class World {
  nowMs = 1_000_000;
  reads = 0;
  readonly live = new LiveMetrics({
    nowMs: () => this.nowMs,
    read: () => ({ reads: ++this.reads }),
  });

  async at(afterMs: number): Promise<void> {
    this.nowMs = 1_000_000 + afterMs;
    await this.live.serve();
  }
}

class Viewer implements MetricsViewer {
  readonly shown: MetricsSnapshot[] = [];
  show(snapshot: MetricsSnapshot): void {
    this.shown.push(snapshot);
  }
}

Deno.test("LiveMetrics: however many watch, the counters are read and encoded once per interval", async () => {
  const world = new World();
  const viewers = Array.from({ length: 200 }, () => new Viewer());
  for (const viewer of viewers) world.live.join(viewer, 250);
  assert.equal(world.reads, 0);
  for (let round = 1; round <= 4; round++) {
    await world.at(250 * round);
    assert.equal(world.reads, round);
    const last = viewers[0]!.shown.at(-1)!;
    for (const { shown } of viewers) {
      assert.equal(shown.length, round);
      assert.equal(shown.at(-1)!.frame, last.frame, "the same bytes for everybody");
      assert.equal(shown.at(-1)!.event, last.event);
    }
  }
  for (const viewer of viewers) world.live.leave(viewer);
});

Deno.test("LiveMetrics: each viewer at its interval, in step with the others", async () => {
  const world = new World();
  const [fast, slow] = [new Viewer(), new Viewer()];
  world.live.join(fast, 100);
  world.live.join(slow, 300);
  for (let ms = 50; ms <= 1200; ms += 50) await world.at(ms);
  assert.equal(fast.shown.length, 12);
  assert.equal(slow.shown.length, 4);
  assert.equal(world.reads, 12, "what one is shown, the other is shown, too");
  world.live.leave(fast);
  world.live.leave(slow);
});

Deno.test("LiveMetrics: any number of intervals costs at most one reading in 50 ms", async () => {
  const world = new World();
  const viewers = Array.from({ length: 500 }, () => new Viewer());
  for (const [index, viewer] of viewers.entries()) world.live.join(viewer, 100 + index);
  for (let ms = 10; ms <= 1000; ms += 10) await world.at(ms);
  assert.ok(world.reads <= 20, `${world.reads} readings`);
  for (const viewer of viewers) world.live.leave(viewer);
});

Deno.test("LiveMetrics: who joins or leaves or changes the interval is shown what that says", async () => {
  const world = new World();
  const viewer = new Viewer();
  assert.equal(world.live.join(viewer, 101), 150, "rounded up");
  assert.equal(world.live.join(viewer, 1000), 1000);
  assert.equal(world.live.viewerCount, 1);
  await world.at(500);
  assert.equal(viewer.shown.length, 0);
  await world.at(1000);
  assert.equal(viewer.shown.length, 1);
  world.live.leave(viewer);
  world.live.leave(viewer);
  await world.at(5000);
  assert.equal(viewer.shown.length, 1);
  assert.equal(world.reads, 1, "nobody watches, so nothing is read");
});

Deno.test("LiveMetrics: a late timer shows the counters once, not once per interval missed", async () => {
  const world = new World();
  const viewer = new Viewer();
  world.live.join(viewer, 100);
  await world.at(10_000);
  assert.equal(viewer.shown.length, 1);
  world.live.leave(viewer);
});

Deno.test("LiveMetrics: who leaves while the others are served is not shown anything more", async () => {
  const world = new World();
  const [second, third] = [new Viewer(), new Viewer()];
  const first: MetricsViewer = {
    show: () => {
      world.live.leave(second);
      world.nowMs += 10;
    },
  };
  for (const viewer of [first, second, third]) world.live.join(viewer, 100);
  const fillers = Array.from({ length: 40 }, () => new Viewer());
  for (const viewer of fillers) world.live.join(viewer, 100);
  await world.at(100);
  assert.equal(second.shown.length, 0);
  assert.equal(third.shown.length, 1);
  assert.ok(fillers.every(({ shown }) => shown.length === 1), "behind a pause, too");
  for (const viewer of [first, third, ...fillers]) world.live.leave(viewer);
});

Deno.test("LiveMetrics: goes on behind a reading that failed", async () => {
  let nowMs = 0;
  let fails = true;
  const live = new LiveMetrics({
    nowMs: () => nowMs,
    read: () => {
      if (fails) throw new Error("no numbers");
      return 1;
    },
  });
  const viewer = new Viewer();
  live.join(viewer, 100);
  nowMs = 100;
  await assert.rejects(live.serve(), /no numbers/);
  fails = false;
  nowMs = 200;
  await live.serve();
  assert.equal(viewer.shown.length, 1);
  live.leave(viewer);
});

Deno.test("LiveMetrics: shows by its own timer", async () => {
  let reads = 0;
  const live = new LiveMetrics({ read: () => ++reads });
  const { promise, resolve } = Promise.withResolvers<void>();
  let shown = 0;
  const viewer: MetricsViewer = { show: () => ++shown === 3 && resolve() };
  live.join(viewer, 100);
  await promise;
  live.leave(viewer);
  assert.ok(reads >= 3);
});

Deno.test("MetricsSnapshot: is a whole frame and a whole event", () => {
  const world = new World();
  const snapshot = world.live.current();
  assert.equal(world.live.current(), snapshot, "within 50 ms it is the same");
  const [frame] = parseServerFrames(toLatin1(snapshot.frame));
  const { type, at, metrics } = JSON.parse(frame!.slice("text ".length));
  assert.deepEqual([type, metrics], ["metrics", { reads: 1 }]);
  assert.equal(toLatin1(snapshot.event), `id: ${at}\nevent: metrics\ndata: {"reads":1}\n\n`);
  world.nowMs += 50;
  assert.notEqual(world.live.current(), snapshot);
});

Deno.test("EventStreamSession: skips what a slow client cannot take, and cuts off one that takes nothing", async () => {
  const world = new World();
  const target = new FakeTarget();
  let slowCount = 0;
  let closedCount = 0;
  const session = new EventStreamSession({
    live: world.live,
    intervalMs: 100,
    target,
    onSlow: () => slowCount++,
    onClose: () => closedCount++,
  });
  const connection = new FakeConnection(session);
  await connection.process();
  await world.at(100);
  const pendingBytes = target.pendingBytes;
  for (let ms = 200; ms <= 2000; ms += 100) await world.at(ms);
  assert.equal(target.pendingBytes, pendingBytes, "nothing is added to what waits");
  assert.match(target.take(), /^id: \d+\nevent: metrics\ndata: {"reads":2}\n\n$/);
  await world.at(2100);
  assert.match(target.take(), /"reads":22}\n\n$/, "and then the counters of now");
  for (let i = 0; i < PUSH_WITHIN_S; i++) session.beat();
  assert.equal(target.take(), ":\n\n", "in silence, a comment");
  await world.at(2200);
  for (let i = 0; i < PUSH_WITHIN_S; i++) session.beat();
  assert.ok(!target.isCutOff);
  session.beat();
  assert.ok(target.isCutOff);
  assert.equal(slowCount, 1);
  session.close();
  session.close();
  assert.equal(closedCount, 1);
  assert.equal(world.live.viewerCount, 0);
});

Deno.test("Heartbeat: every member beats, many of them too, and who left does not", async () => {
  const heartbeat = new Heartbeat();
  const counts = new Array<number>(500).fill(0);
  const members = counts.map((_, index) => ({ beat: () => void counts[index]!++ }));
  for (const member of members) heartbeat.join(member);
  await heartbeat.beat();
  assert.ok(counts.every((count) => count === 1));
  const beating = heartbeat.beat();
  heartbeat.leave(members[499]!);
  await beating;
  assert.equal(counts[499], 1);
  assert.equal(counts[498], 2);
  for (const member of members) heartbeat.leave(member);
});

Deno.test("Heartbeat: beats by its own timer once somebody is there", async () => {
  const heartbeat = new Heartbeat();
  const { promise, resolve } = Promise.withResolvers<void>();
  const member = { beat: resolve };
  heartbeat.join(member);
  await promise;
  heartbeat.leave(member);
});
