/// <reference lib="deno.worker" />
/**
 * The other end of the channel in channel_bench.ts: takes jobs until the channel closes.
 *
 * @module
 */

import { BoundedChannel, type ChannelMemory, RecvStatus } from "../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../src/channel/consumer_slots.ts";
import type { ConsumerSlotsMemory } from "../src/channel/slot_layout.ts";

self.onmessage = (
  message: MessageEvent<{ channel: ChannelMemory; slots: ConsumerSlotsMemory; index: number }>,
) => {
  const channel = BoundedChannel.attach(message.data.channel);
  const slot = ConsumerSlots.attach(message.data.slots).own(message.data.index, 0);
  self.postMessage("ready");
  for (;;) {
    const status = channel.recv(slot, 1000);
    if (status === RecvStatus.JOB) slot.clear();
    else if (status === RecvStatus.CLOSED) break;
  }
  self.close();
};
