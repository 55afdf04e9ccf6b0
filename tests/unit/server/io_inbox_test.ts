import assert from "node:assert/strict";
import { SETTLED_MESSAGE_BYTES, SettledMessage } from "../../../src/base/inbox_message.ts";
import { Int64 } from "../../../src/base/int64.ts";
import { Inbox } from "../../../src/channel/inbox.ts";
import { EventWaits } from "../../../src/command/event_waits.ts";
import { IoInbox } from "../../../src/server/io_inbox.ts";
import { Outcome } from "../../../src/worker/outcome.ts";

Deno.test("IoInbox: a message that cannot be handled is told, and costs nobody else's", async () => {
  const inbox = Inbox.create({ producerCount: 1 });
  const waits = new EventWaits(0);
  const errors: unknown[] = [];
  using _reader = new IoInbox(inbox, waits, (error) => errors.push(error));
  const { address, settlement } = waits.begin(20_000);
  const message = new SettledMessage();
  message.outcome = Outcome.PROCESSED;
  message.slot = address.slot;
  message.generation = address.generation;
  message.balance.setNumber(5);
  const bytes = new Uint8Array(SETTLED_MESSAGE_BYTES);
  message.encode(bytes);
  const sender = inbox.sender(0);
  assert.ok(sender.trySend(Uint8Array.of(0xff), 0, 1));
  assert.ok(sender.trySend(bytes, 0, bytes.length));
  assert.deepEqual(await settlement, { kind: "processed", balance: Int64.fromNumber(5) });
  assert.equal(errors.length, 1);
});
