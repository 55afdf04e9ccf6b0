/// <reference lib="deno.worker" />
/**
 * One producer of the inbox stress; see inbox_harness.ts.
 *
 * @module
 */

import type { Inbox } from "../../src/channel/inbox.ts";
import { fillJob } from "./channel_evidence.ts";
import { InboxEvidence, type InboxOrders, type InboxReport } from "./inbox_harness.ts";

function produce(orders: InboxOrders, inbox: Inbox, evidence: Int32Array): InboxReport {
  const sender = inbox.sender(orders.producer);
  const message = new Uint8Array(orders.messageBytes);
  const ackAt = InboxEvidence.ACKS + orders.producer * 16;
  let overlaps = 0;
  let refusals = 0;
  for (let sequence = 0; sequence < orders.messages; sequence++) {
    const length = fillJob(message, orders.producer, sequence, orders.messageBytes);
    for (;;) {
      if (Atomics.add(evidence, InboxEvidence.INSIDE, 1) > 0) overlaps++;
      const sent = sender.trySend(message, 0, length);
      Atomics.sub(evidence, InboxEvidence.INSIDE, 1);
      if (sent) break;
      refusals++;
      if (Atomics.load(evidence, InboxEvidence.STOP) !== 0) return { overlaps, refusals };
      Atomics.wait(evidence, ackAt, Atomics.load(evidence, ackAt), 0.05);
    }
    // One message at a time: a wake-up that is lost is then a message that never arrives.
    while (orders.waitForAck && Atomics.load(evidence, ackAt) <= sequence) {
      if (Atomics.load(evidence, InboxEvidence.STOP) !== 0) return { overlaps, refusals };
      Atomics.wait(evidence, ackAt, sequence, 20);
    }
  }
  return { overlaps, refusals };
}

self.onmessage = async (message: MessageEvent<InboxOrders>) => {
  const orders = message.data;
  const module = await import(orders.inboxModule) as { Inbox: typeof Inbox };
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, InboxEvidence.START, 0);
  self.postMessage(produce(orders, module.Inbox.attach(orders.inbox), evidence));
  self.close();
};
