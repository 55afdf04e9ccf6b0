import assert from "node:assert/strict";
import { ChannelSpace } from "../../../src/pubsub/channel_registry.ts";
import { PATTERNS_MAX } from "../../../src/pubsub/region.ts";
import { Crew, payloadsOf } from "./crew.ts";

for (const firstCount of [0, 0x7ffffffd, -3]) {
  Deno.test(`PubSubHub: messages that come in another order are put right, from count ${firstCount}`, async () => {
    const crew = new Crew({ firstCount, shardCount: 1 });
    const listener = crew.listen();
    crew.subscribe(1, listener, "a");
    for (let i = 0; i < 8; i++) assert.equal(crew.publish(0, "a", `m${i}`), 1);
    const mail = crew.mail(1);
    for (const i of [3, 1, 0, 7, 6, 2, 5]) mail[i]!();
    // On a busy machine it takes more than one turn.
    for (let turn = 0; turn < 1000 && payloadsOf(listener).length < 4; turn++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(payloadsOf(listener), ["m0", "m1", "m2", "m3"]);
    mail[4]!();
    await crew.settle(1);
    assert.deepEqual(payloadsOf(listener), ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
  });
}

Deno.test("PubSubHub: own messages wait for those of others that were published before", async () => {
  const crew = new Crew();
  const listener = crew.listen();
  crew.subscribe(0, listener, "a");
  crew.publish(1, "a", "first");
  crew.publish(0, "a", "second");
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(payloadsOf(listener), []);
  await crew.settle(0);
  assert.deepEqual(payloadsOf(listener), ["first", "second"]);
});

Deno.test("PubSubHub: who subscribes gets nothing that was published before", async () => {
  const crew = new Crew();
  const [early, late] = [crew.listen(), crew.listen()];
  crew.subscribe(1, early, "a");
  assert.equal(crew.publish(0, "a", "before"), 1);
  crew.subscribe(1, late, "a");
  assert.equal(crew.publish(0, "a", "after"), 2);
  await crew.settle(1);
  assert.deepEqual(payloadsOf(early), ["before", "after"]);
  assert.deepEqual(payloadsOf(late), ["after"]);
});

Deno.test("PubSubHub: a full inbox cuts off the subscribers of that channel, and nobody else", async () => {
  const crew = new Crew({ ringBytes: 1024 });
  const [loud, quiet, pattern] = [crew.listen(), crew.listen(), crew.listen()];
  const near = crew.listen();
  crew.subscribe(1, loud, "loud");
  crew.subscribe(1, quiet, "quiet");
  crew.subscribe(0, near, "loud");
  crew.hubs[1]!.tryJoinPatterns(["q*"], crew.hubs[1]!.subscriberOf(pattern.client)!);
  let count = 0;
  for (let expected = 2; expected === 2; count++) {
    expected = crew.publish(0, "loud", "x".repeat(99));
  }
  assert.ok(count < 20, "the ring is small");
  assert.equal(crew.overruns, 1);
  await crew.settle(1);
  assert.deepEqual(crew.cutOffs, [`${loud.client.id} missed a message`]);
  assert.ok(loud.isCutOff && !quiet.isCutOff && !pattern.isCutOff && !near.isCutOff);
  assert.equal(payloadsOf(near).length, count);
  // What comes later is in order again.
  assert.equal(crew.publish(0, "quiet", "on"), 2);
  await crew.settle(1);
  assert.deepEqual(payloadsOf(quiet), ["on"]);
  assert.deepEqual(payloadsOf(pattern), ["on"]);
});

Deno.test("PubSubHub: subscribers of a pattern miss a message, too", async () => {
  const crew = new Crew({ ringBytes: 1024 });
  const pattern = crew.listen();
  crew.hubs[1]!.tryJoinPatterns(["l*"], crew.hubs[1]!.subscriberOf(pattern.client)!);
  while (crew.publish(0, "loud", "x".repeat(99)) === 1);
  await crew.settle(1);
  assert.deepEqual(crew.cutOffs, [`${pattern.client.id} missed a message`]);
});

Deno.test("PubSubHub: nothing is left when everybody has gone", async () => {
  const crew = new Crew();
  const before = crew.store.stats().blockBytes;
  const listeners = Array.from({ length: 50 }, () => crew.listen());
  for (const [i, listener] of listeners.entries()) {
    for (let channel = 0; channel < 40; channel++) {
      crew.subscribe(i % 2, listener, `c${(i + channel) % 60}`);
    }
    const hub = crew.hubs[i % 2]!;
    assert.ok(hub.tryJoinPatterns([`p${i % 7}*`], hub.subscriberOf(listener.client)!));
  }
  const { registry, patterns } = crew.hubs[0]!;
  assert.equal(registry.channelCount(ChannelSpace.PLAIN), 60);
  assert.equal(patterns.distinctCount(), 7);
  crew.store.assertInvariants();
  assert.ok(crew.store.stats().blockBytes > before);
  for (const [i, listener] of listeners.entries()) crew.hubs[i % 2]!.forget(listener.client);
  await crew.settle(0);
  assert.equal(registry.channelCount(ChannelSpace.PLAIN), 0);
  assert.equal(patterns.distinctCount(), 0);
  assert.equal(crew.publish(0, "c1", "x"), 0);
  crew.store.assertInvariants();
});

Deno.test("PubSubHub: a large message is in the arena until its last reader has it", async () => {
  const crew = new Crew();
  const [here, there] = [crew.listen(), crew.listen()];
  crew.subscribe(0, here, "a");
  crew.subscribe(1, there, "a");
  const payload = "0123456789".repeat(20_000);
  assert.equal(crew.publish(0, "a", payload), 2);
  assert.equal(crew.store.stats().leases, 2);
  crew.store.assertInvariants();
  await crew.settle(1);
  assert.deepEqual(payloadsOf(here), [payload]);
  assert.deepEqual(payloadsOf(there), [payload]);
  assert.equal(crew.store.stats().leases, 0);
  assert.equal(crew.store.stats().orphanBytes, 0);
  crew.store.assertInvariants();
});

Deno.test("PubSubHub: a large message that finds no memory reaches nobody", () => {
  const crew = new Crew();
  crew.subscribe(1, crew.listen(), "a");

  let count = 1;
  for (let i = 0; count === 1 && i < 100; i++) count = crew.publish(0, "a", "x".repeat(500_000));
  assert.equal(count, -1);
  crew.store.assertInvariants();
});

Deno.test("PubSubHub: a subscriber that does not read is cut off at its limit", async () => {
  const crew = new Crew({ pushLimitBytes: 4096 });
  const listener = crew.listen();
  crew.subscribe(1, listener, "a");
  for (let i = 0; i < 9; i++) crew.publish(0, "a", "x".repeat(1000));
  await crew.settle(1);
  assert.deepEqual(crew.cutOffs, [`${listener.client.id} does not read`]);
  assert.ok(listener.pushed.length <= 4096);
});

Deno.test("PubSubHub: there are so many patterns and no more, and a refusal leaves nothing", () => {
  const crew = new Crew();
  const hub = crew.hubs[0]!;
  const subscriber = hub.subscriberOf(crew.listen().client)!;
  const patterns = Array.from({ length: PATTERNS_MAX }, (_, i) => `p${i}`);
  assert.ok(hub.tryJoinPatterns(patterns, subscriber));
  assert.ok(!hub.tryJoinPatterns(["one", "more"], subscriber));
  assert.equal(subscriber.patterns.size, PATTERNS_MAX);
  assert.equal(crew.hubs[1]!.patterns.distinctCount(), PATTERNS_MAX);
  hub.leavePatterns(["p3"], subscriber);
  assert.ok(!hub.tryJoinPatterns(["x".repeat(1025)], subscriber));
  assert.ok(hub.tryJoinPatterns(["x".repeat(1024)], subscriber));
  assert.equal(crew.publish(1, "x".repeat(1024), ""), 1);
});
