/// <reference lib="deno.worker" />
/**
 * One sender or receiver of the stress for room; see room_harness.ts.
 *
 * @module
 */

import type { BoundedChannel, ChannelMemory } from "../../src/embed/channel.ts";

/** Turns of a loop between two receives at most: a sender goes to sleep in that time, or is about to. */
const PAUSE_TURNS_MAX = 300;
/** Messages that are under way at a time where senders do not block. */
const ASYNC_MESSAGES = 4;

/** What a thread is told. */
export interface RoomOrders {
  /** Which sender; -1 = the receiver. */
  index: number;
  messages: number;
  isAsync: boolean;
  forgottenAfterMs: number;
  seed: number;
  channelModule: string;
  memory: ChannelMemory;
}

/** What it reports. */
export interface RoomReport {
  received: number;
  disordered: number;
  waits: number;
  isForgotten: boolean;
}

function receive(orders: RoomOrders, channel: BoundedChannel): RoomReport {
  const report = { received: 0, disordered: 0, waits: 0, isForgotten: false };
  const last = new Map<number, number>();
  let random = orders.seed;
  const words = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const message = channel.recv(orders.forgottenAfterMs);
    if (message === undefined) {
      report.isForgotten = !channel.closed;
      // Its sender sleeps: this ends the sleep.
      channel.close();
      return report;
    }
    const view = new DataView(message.buffer);
    const [sender, number] = [view.getUint32(0), view.getUint32(4)];
    if (number !== (last.get(sender) ?? -1) + 1) report.disordered++;
    last.set(sender, number);
    report.received++;
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    for (let turns = (random >>> 8) % PAUSE_TURNS_MAX; turns > 0; turns--) Atomics.load(words, 0);
  }
}

async function send(orders: RoomOrders, channel: BoundedChannel): Promise<RoomReport> {
  const report = { received: 0, disordered: 0, waits: 0, isForgotten: false };
  const under: Promise<boolean>[] = [];
  for (let number = 0; number < orders.messages && !channel.closed; number++) {
    const message = new Uint8Array(8);
    const view = new DataView(message.buffer);
    view.setUint32(0, orders.index);
    view.setUint32(4, number);
    if (channel.depth === channel.capacity) report.waits++;
    if (!orders.isAsync) channel.sendBlocking(message);
    else if (under.push(channel.send(message)) === ASYNC_MESSAGES) {
      await Promise.all(under.splice(0));
    }
  }
  await Promise.all(under);
  return report;
}

self.onmessage = async (message: MessageEvent<RoomOrders>) => {
  const orders = message.data;
  const module = await import(orders.channelModule) as { BoundedChannel: typeof BoundedChannel };
  using channel = module.BoundedChannel.attach(orders.memory);
  self.postMessage("ready");
  const report = orders.index < 0 ? receive(orders, channel) : await send(orders, channel);
  self.postMessage(report);
  self.close();
};
