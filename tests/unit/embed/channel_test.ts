import assert from "node:assert/strict";
import { BoundedChannel as Engine, RecvStatus } from "../../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { Seats } from "../../../src/embed/seats.ts";
import { BoundedChannel } from "../../../src/mod.ts";
import { CrewMember, sayIfNobodyNotices } from "./crew.ts";

const text = (message: Uint8Array | undefined): string | undefined =>
  message && new TextDecoder().decode(message);

Deno.test("embedded BoundedChannel: first in, first out, and full means told", () => {
  using channel = BoundedChannel.create({ capacity: 3 });
  assert.ok(["a", "ü", "c"].every((message) => channel.trySend(message)));
  assert.equal(channel.trySend("d"), false);
  assert.equal(channel.depth, 3);
  assert.equal(text(channel.recv()), "a");
  assert.ok(channel.trySend(Uint8Array.of(100)));
  assert.deepEqual([1, 2, 3].map(() => text(channel.recv())), ["ü", "c", "d"]);
  assert.equal(channel.recv(0), undefined);
  assert.equal(channel.recv(5), undefined);
  assert.equal(channel.highWaterMark, 3);
});

Deno.test("embedded BoundedChannel: an array that grows between two sends is sent as it is then", () => {
  using channel = BoundedChannel.create({ capacity: 8, maxMessageBytes: 1024 });
  const buffer = new ArrayBuffer(16, { maxByteLength: 1024 });
  const bytes = new Uint8Array(buffer).fill(1);
  assert.ok(channel.trySend(bytes));
  buffer.resize(200);
  assert.ok(channel.trySend(bytes.fill(2)));
  assert.ok(channel.trySend("hello"));
  assert.equal(channel.recv(0)?.length, 16);
  assert.deepEqual(channel.recv(0), new Uint8Array(200).fill(2));
  assert.equal(new TextDecoder().decode(channel.recv(0)), "hello");
});

Deno.test("embedded BoundedChannel: messages are as long as it was made for, and belong to who has them", () => {
  using channel = BoundedChannel.create({ capacity: 2, maxMessageBytes: 65536 });
  const sent = new Uint8Array(65536).fill(7);
  channel.trySend(sent);
  sent.fill(8);
  const received = channel.recv()!;
  assert.ok(received.length === 65536 && received.every((byte) => byte === 7));
  assert.throws(() => channel.trySend(""), RangeError);
  assert.throws(() => channel.trySend(new Uint8Array(65537)), RangeError);
  assert.throws(() => channel.trySend("€".repeat(30_000)), RangeError);
  channel.trySend("next");
  assert.ok(received.every((byte) => byte === 7));
  assert.equal(text(channel.recv()), "next");
});

Deno.test("embedded BoundedChannel: a closed one gives what is in it, and then says so", async () => {
  using channel = BoundedChannel.create();
  channel.trySend("last");
  using other = BoundedChannel.attach(channel.memory);
  other.close();
  assert.deepEqual([channel.closed, channel.drained], [true, false]);
  assert.equal(channel.trySend("late"), false);
  assert.equal(await channel.send("late"), false);
  assert.equal(channel.sendBlocking("late"), false);
  const messages: (string | undefined)[] = [];
  for await (const message of channel) messages.push(text(message));
  assert.deepEqual(messages, ["last"]);
  assert.deepEqual([...channel.messages()], []);
  assert.equal(channel.drained, true);
  assert.equal(channel.recv(), undefined);
});

Deno.test("embedded BoundedChannel: who sends waits for room, and no longer than it likes", async () => {
  using channel = BoundedChannel.create({ capacity: 1 });
  channel.trySend("first");
  assert.equal(await channel.send("x", { timeoutMs: 10 }), false);
  assert.equal(channel.sendBlocking("x", 10), false);
  const abort = new AbortController();
  const aborted = channel.send("x", { signal: abort.signal });
  abort.abort();
  assert.equal(await aborted, false);
  const sending = channel.send("second");
  assert.equal(text(await channel.recvAsync()), "first");
  assert.equal(await sending, true);
  assert.equal(text(await channel.recvAsync()), "second");
  assert.equal(await channel.recvAsync({ timeoutMs: 5 }), undefined);
  assert.equal(await channel.recvAsync({ signal: AbortSignal.timeout(5) }), undefined);
});

Deno.test("embedded BoundedChannel: sends that wait keep their order, and leave it when their time is over", async () => {
  using channel = BoundedChannel.create({ capacity: 2 });
  assert.ok(channel.trySend("0") && channel.trySend("1"));
  const abort = new AbortController();
  const sends = [
    channel.send("2"),
    channel.send("never", { timeoutMs: 5 }),
    channel.send("nor this", { signal: abort.signal }),
    channel.send("3"),
    channel.send("4"),
  ];
  await assert.rejects(channel.send(""), RangeError, "told at once, not when it is its turn");
  assert.equal(await sends[1], false);
  abort.abort();
  assert.equal(await sends[2], false);
  assert.equal(text(channel.recv(0)), "0");
  // There is room, but others came first.
  sends.push(channel.send("5"));
  const received: (string | undefined)[] = [];
  for (let i = 1; i <= 5; i++) received.push(text(await channel.recvAsync()));
  assert.deepEqual(received, ["1", "2", "3", "4", "5"]);
  assert.deepEqual(await Promise.all(sends), [true, false, false, true, true, true]);
  assert.ok(channel.trySend("6") && channel.trySend("7"));
  const late = [channel.send("8"), channel.send("9")];
  channel.close();
  assert.deepEqual(await Promise.all(late), [false, false], "closed");
});

Deno.test("embedded BoundedChannel: several receives at a time get a message each; too many are refused", async () => {
  using channel = BoundedChannel.create({ maxReceivers: 3 });
  const receives = [1, 2, 3].map(() => channel.recvAsync());
  await assert.rejects(channel.recvAsync(), /RangeError: Cannot receive: 3 receives are under way/);
  for (const message of ["a", "b", "c"]) channel.trySend(message);
  assert.deepEqual((await Promise.all(receives)).map(text).sort(), ["a", "b", "c"]);
  channel.trySend("d");
  assert.equal(text(channel.recv()), "d");
  channel.detach();
  assert.throws(() => channel.recv(), /detached|disposed/);
});

for (const task of ["drain", "drainAsync"]) {
  Deno.test(`embedded BoundedChannel: among threads every message comes once, in its sender's order (${task})`, async () => {
    using channel = BoundedChannel.create({ capacity: 8 });
    using receivers = new DisposableStack();
    const { memory } = channel;
    const results = [1, 2].map(() => receivers.use(new CrewMember(task, { memory })).result);
    const senders = [0, 1].map((i) =>
      receivers.use(new CrewMember("fill", { memory, from: i * 10_000, count: 3000 })).result
    );
    await Promise.all(senders);
    channel.close();
    const lists = await Promise.all(results) as number[][];
    const all = lists.flat().toSorted((a, b) => a - b);
    assert.equal(all.length, 6000);
    assert.equal(new Set(all).size, 6000);
    for (const list of task === "drain" ? lists : []) {
      for (const isFirst of [true, false]) {
        const own = list.filter((number) => (number < 10_000) === isFirst);
        assert.deepEqual(own, own.toSorted((a, b) => a - b));
      }
    }
  });
}

Deno.test("embedded BoundedChannel: what a receiver had not quite taken when it ended is sent again", () => {
  using channel = BoundedChannel.create();
  const [ring, slots, seats] = channel.memory.buffers;
  // A thread that ends between taking the message and having it.
  const seat = Seats.attach(seats!).take()!;
  const all = ConsumerSlots.attach({ buffer: slots! });
  const slot = all.own(seat.index, all.supervise(seat.index).prepare(Date.now()));
  slot.wakeUp();
  channel.trySend("first");
  channel.trySend("second");
  assert.equal(Engine.attach({ buffer: ring! }).recv(slot, 0), RecvStatus.JOB);
  assert.equal(channel.recover(seat.index), true);
  assert.deepEqual([1, 2].map(() => text(channel.recv(0))), ["second", "first"]);
  assert.equal(channel.recover(seat.index), true, "it is settled");
});

Deno.test("embedded BoundedChannel: a thread that ends without a word gives its places back", async () => {
  using channel = BoundedChannel.create({ maxReceivers: 2 });
  using member = new CrewMember("receiveAndDie", { memory: channel.memory });
  assert.deepEqual(await member.heard(), [0]);
  await sayIfNobodyNotices(() => channel.recover(0));
  const seats = Seats.attach(channel.memory.buffers[2]!);
  const untilMs = performance.now() + 20_000;
  while (seats.takenCount > 0 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(seats.takenCount, 0);
  const both = [channel.recvAsync(), channel.recvAsync()];
  for (const message of ["a", "b"]) channel.trySend(message);
  assert.deepEqual((await Promise.all(both)).map(text).sort(), ["a", "b"]);
});

Deno.test("embedded BoundedChannel: a time that cannot be is refused by name, and nothing is sent or taken", async () => {
  using channel = BoundedChannel.create({ capacity: 2 });
  channel.trySend("first");
  for (const [timeoutMs, name] of [[NaN, "RangeError"], [-1, "RangeError"], ["1", "TypeError"]]) {
    const milliseconds = timeoutMs as number;
    const expected = { name: name as string, message: /^Cannot (send|receive).* timeoutMs / };
    assert.throws(() => channel.sendBlocking("x", milliseconds), expected);
    assert.throws(() => channel.recv(milliseconds), expected);
    await assert.rejects(channel.send("x", { timeoutMs: milliseconds }), expected);
    await assert.rejects(channel.recvAsync({ timeoutMs: milliseconds }), expected);
  }
  assert.equal(channel.depth, 1);
  assert.equal(text(channel.recv(0.5)), "first");
});

Deno.test("embedded BoundedChannel: options that cannot be are refused with what would be right", () => {
  for (
    const options of [
      { capacity: 0 },
      { capacity: 1.5 },
      { maxMessageBytes: 65537 },
      { maxReceivers: 0 },
      { capacity: 100_000, maxMessageBytes: 65536 },
    ]
  ) {
    assert.throws(() => BoundedChannel.create(options), /^RangeError: Cannot make a channel/);
  }
  assert.throws(() => BoundedChannel.attach({} as never), /^TypeError: Cannot attach/);
});

Deno.test("embedded BoundedChannel: what is no message, no memory and no receiver is refused", () => {
  using channel = BoundedChannel.create({ capacity: 2 });
  const messages: unknown[] = [42, null, [1, 2], new Uint16Array([256]), new ArrayBuffer(1)];
  for (const message of messages) {
    assert.throws(() => channel.trySend(message as string), {
      name: "TypeError",
      message: "Cannot send a message: it takes a string or a Uint8Array",
    });
  }
  assert.equal(channel.depth, 0);
  assert.throws(() => BoundedChannel.attach(JSON.parse(JSON.stringify(channel.memory))), {
    name: "TypeError",
    message: "Cannot attach: this is not the memory of a channel",
  });
  for (const id of [-1, 64, 0.5]) assert.throws(() => channel.recover(id), RangeError);
});
