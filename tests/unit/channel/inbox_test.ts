import assert from "node:assert/strict";
import { Inbox, SendStep } from "../../../src/channel/inbox.ts";

/** Where positions start: at zero, and so that they pass 2^31 and 2^32 within a few messages. */
const FIRST_POSITIONS = [0, 2 ** 31 - 24, 2 ** 32 - 24];

function text(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

function bytesOf(message: string): Uint8Array {
  return new TextEncoder().encode(message);
}

/** Everything that is there, as `producer:text`. */
function drained(inbox: Inbox): string[] {
  const messages: string[] = [];
  inbox.receiver().drain((bytes, start, end, producer) =>
    messages.push(`${producer}:${text(bytes, start, end)}`)
  );
  return messages;
}

for (const firstPosition of FIRST_POSITIONS) {
  Deno.test(`Inbox: messages of all lengths pass in order, from position ${firstPosition}`, () => {
    const inbox = Inbox.create({ producerCount: 2, ringBytes: 128, firstPosition });
    const senders = [inbox.sender(0), inbox.sender(1)];
    for (let round = 0; round < 40; round++) {
      for (let length = 1; length <= inbox.maxMessageBytes; length++) {
        const sent: string[] = [];
        for (const [producer, sender] of senders.entries()) {
          const message = String.fromCharCode(65 + (round + producer) % 26).repeat(length);
          const bytes = bytesOf(`..${message}.`);
          assert.ok(sender.trySend(bytes, 2, 2 + length));
          sent.push(`${producer}:${message}`);
        }
        inbox.assertInvariants();
        assert.deepEqual(drained(inbox), sent);
      }
    }
    inbox.assertInvariants();
  });

  Deno.test(`Inbox: a full ring says so and loses nothing, from position ${firstPosition}`, () => {
    const inbox = Inbox.create({ producerCount: 2, ringBytes: 64, firstPosition });
    const [full, other] = [inbox.sender(0), inbox.sender(1)];
    for (let round = 0; round < 50; round++) {
      let sent = 0;
      while (full.trySend(bytesOf(`${round}`.padStart(9)), 0, 9)) sent++;
      assert.ok(sent >= 3 && sent <= 4, `${sent} messages of 16 bytes in 64`);
      assert.ok(other.trySend(bytesOf("x"), 0, 1), "the other producer has its own room");
      inbox.assertInvariants();
      assert.equal(drained(inbox).length, sent + 1);
    }
  });
}

Deno.test("Inbox: a message as long as allowed fits an empty ring wherever it starts", () => {
  const inbox = Inbox.create({ producerCount: 1, ringBytes: 128 });
  const sender = inbox.sender(0);
  for (let offset = 0; offset < 16; offset++) {
    assert.ok(sender.trySend(new Uint8Array(4), 0, 4));
    drained(inbox);
    assert.ok(sender.trySend(new Uint8Array(inbox.maxMessageBytes), 0, inbox.maxMessageBytes));
    assert.equal(drained(inbox).length, 1);
  }
  assert.throws(() => sender.trySend(new Uint8Array(61), 0, 61), /61 bytes/);
  assert.throws(() => sender.trySend(new Uint8Array(1), 0, 0), /0 bytes/);
});

for (const [name, lastStep] of Object.entries(SendStep)) {
  Deno.test(`Inbox: a producer that dies at ${name} stalls nobody, and what it sent is whole`, () => {
    const inbox = Inbox.create({ producerCount: 2, ringBytes: 128 });
    const dying = inbox.sender(0);
    dying.onStep = (step) => {
      if (step === lastStep) throw new Error("dead");
    };
    assert.throws(() => dying.trySend(bytesOf("last words"), 0, 10), /dead/);
    assert.ok(inbox.sender(1).trySend(bytesOf("other"), 0, 5));
    const survived = drained(inbox);
    assert.ok(survived.includes("1:other"));

    // What was not announced comes with its successor's first message, in order.
    assert.ok(inbox.sender(0).trySend(bytesOf("successor"), 0, 9));
    const all = [...survived, ...drained(inbox)].filter((message) => message !== "1:other");
    const expected = lastStep === SendStep.COPIED ? [] : ["0:last words"];
    assert.deepEqual(all, [...expected, "0:successor"]);
    inbox.assertInvariants();
  });
}

Deno.test("Inbox.ring: announces what a dead producer did not come to announce", async () => {
  const inbox = Inbox.create({ producerCount: 40 });
  const dying = inbox.sender(39);
  dying.onStep = (step) => {
    if (step === SendStep.PUBLISHED) throw new Error("dead");
  };
  using receiver = inbox.receiver();
  const got = Promise.withResolvers<string>();
  const serving = receiver.serve((bytes, start, end) => got.resolve(text(bytes, start, end)));
  assert.throws(() => dying.trySend(bytesOf("hello"), 0, 5), /dead/);
  inbox.ring(39);
  assert.equal(await withTimer(got.promise), "hello");
  receiver[Symbol.dispose]();
  await withTimer(serving);
});

Deno.test("InboxReceiver.serve: a handler that throws loses no message", async () => {
  const inbox = Inbox.create({ producerCount: 1 });
  const sender = inbox.sender(0);
  for (const message of ["a", "b", "c"]) assert.ok(sender.trySend(bytesOf(message), 0, 1));
  using receiver = inbox.receiver();
  const seen: string[] = [];
  const take = (bytes: Uint8Array, start: number, end: number): void => {
    seen.push(text(bytes, start, end));
    if (seen.length === 1) throw new Error("bad message");
  };
  await assert.rejects(receiver.serve(take), /bad message/);
  receiver.drain(take);
  assert.deepEqual(seen, ["a", "b", "c"]);
  inbox.assertInvariants();
});

/** A pending wait for a bell does not keep a test alive; a timer does. */
async function withTimer<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("waited in vain")), 20_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
