import assert from "node:assert/strict";
import {
  formatNotifyClasses,
  NotifyClass,
  parseNotifyClasses,
} from "../../../src/pubsub/keyspace_events.ts";
import { NOTES_MAX_BYTES, Notifier } from "../../../src/pubsub/notifier.ts";
import { Key } from "../../../src/store/key.ts";
import { Crew, payloadsOf } from "./crew.ts";

// As Redis 7.0.15 gives them back.
const SHOWN: [given: string, shown: string][] = [
  ["", ""],
  ["A", "A"],
  ["KEA", "AKE"],
  ["AKEmn", "AKEm"],
  ["KEn", "nKE"],
  ["gn", "gn"],
  ["Kgx", "gxK"],
  ["g$lshzxetd", "A"],
  ["Knm", "nKm"],
  ["Km", "Km"],
];

for (const [given, shown] of SHOWN) {
  Deno.test(`notify-keyspace-events: "${given}" is shown as "${shown}"`, () => {
    assert.equal(formatNotifyClasses(parseNotifyClasses(given)!), shown);
  });
}

Deno.test("notify-keyspace-events: a letter without a meaning is refused", () => {
  assert.equal(parseNotifyClasses("KQ"), undefined);
});

function keyOf(name: string): Key {
  const bytes = new TextEncoder().encode(name);
  return new Key().set(bytes, 0, bytes.length);
}

function makeNotifier(crew: Crew): { notifier: Notifier; drops: () => number } {
  let dropped = 0;
  const notifier = new Notifier({
    store: crew.store,
    region: crew.region,
    publisher: crew.hubs[0]!.publisher,
    onDropped: () => dropped++,
  });
  return { notifier, drops: () => dropped };
}

Deno.test("Notifier: publishes in order, also when the first channel's lock is busy", async () => {
  const crew = new Crew({ shardCount: 1 });
  crew.region.notifyClasses = parseNotifyClasses("Ex$g")!;
  const listener = crew.listen();
  const hub = crew.hubs[0]!;
  hub.tryJoinPatterns(["__keyevent@2__:*"], hub.subscriberOf(listener.client)!);
  const { notifier } = makeNotifier(crew);
  assert.ok(crew.store.locks.tryLock(0, true));
  notifier.note(NotifyClass.STRING, "set", 2, keyOf("a"));
  notifier.note(NotifyClass.LIST, "lpush", 2, keyOf("unwanted"));
  notifier.note(NotifyClass.GENERIC, "del", 2, keyOf("b"));
  assert.equal(notifier.noteCount, 2);
  notifier.flush();
  notifier.note(NotifyClass.EXPIRED, "expired", 2, keyOf("c"));
  notifier.flush();
  assert.equal(notifier.noteCount, 3, "nobody waits for the lock");
  crew.store.locks.unlock(0, true);
  while (notifier.noteCount > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await crew.settle(0);
  assert.deepEqual(payloadsOf(listener), ["a", "b", "c"]);
  crew.store.assertInvariants();
});

Deno.test("Notifier: takes back what did not happen", () => {
  const crew = new Crew();
  crew.region.notifyClasses = parseNotifyClasses("KEA")!;
  const { notifier } = makeNotifier(crew);
  notifier.note(NotifyClass.STRING, "set", 0, keyOf("a"));
  const { noteCount } = notifier;
  notifier.note(NotifyClass.STRING, "set", 0, keyOf("b"));
  notifier.rewind(noteCount);
  assert.equal(notifier.noteCount, 2);
  const { locks, shardCount } = crew.store;
  for (let shard = 0; shard < shardCount; shard++) assert.ok(locks.tryLock(shard, true));
  notifier.tryFlush();
  assert.equal(notifier.noteCount, 2, "nobody waits for the lock");
  for (let shard = 0; shard < shardCount; shard++) locks.unlock(shard, true);
  notifier.tryFlush();
  assert.equal(notifier.noteCount, 0);
});

Deno.test("Notifier: what waits is bounded, and what does not fit is counted", () => {
  const crew = new Crew();
  crew.region.notifyClasses = parseNotifyClasses("KA")!;
  const { notifier, drops } = makeNotifier(crew);
  const key = keyOf("x".repeat(4000));
  const most = Math.ceil(NOTES_MAX_BYTES / 4000);
  for (let i = 0; i < most; i++) notifier.note(NotifyClass.STRING, "set", 0, key);
  assert.ok(notifier.noteCount < most);
  assert.equal(notifier.noteCount + drops(), most);
  notifier.flush();
  const before = drops();
  notifier.note(NotifyClass.STRING, "set", 0, keyOf("x".repeat(9000)));
  assert.equal(drops(), before + 1, "a channel's name has a limit");
});
