/// <reference lib="deno.worker" />
/**
 * The other thread of channel_bench.ts: takes jobs, or sends them back, in the way its first message
 * says.
 *
 * @module
 */

import { BoundedChannel, type ChannelMemory, RecvStatus } from "../src/channel/bounded_channel.ts";
import type { ConsumerSlot } from "../src/channel/consumer_slot.ts";
import { ConsumerSlots } from "../src/channel/consumer_slots.ts";
import type { ConsumerSlotsMemory } from "../src/channel/slot_layout.ts";
import { Tally, type TallyMemory } from "./tally.ts";

/** Which slot of which channel. */
interface Consumer {
  channel: ChannelMemory;
  slots: ConsumerSlotsMemory;
  index: number;
}

/** How to send a message back; undefined: count it instead. */
type Echo = "cloned" | "transferred" | undefined;

/** What a worker does with what it gets. */
export type Role =
  /** Counts jobs from a channel until that closes. */
  | Consumer & { kind: "take"; tally: TallyMemory }
  /** Sends each job back through another channel. */
  | Consumer & { kind: "answer"; answers: ChannelMemory }
  /** Gets messages. */
  | { kind: "messages"; echo: Echo; tally: TallyMemory }
  /** Gets messages through a port. */
  | { kind: "port"; port: MessagePort; echo: Echo; tally: TallyMemory };

self.onmessage = ({ data: role }: MessageEvent<Role>) => {
  switch (role.kind) {
    case "take": {
      const tally = Tally.attach(role.tally);
      takeAll(role, () => tally.count());
      break;
    }
    case "answer": {
      const answers = BoundedChannel.attach(role.answers);
      takeAll(role, ({ bytes, jobStart, jobLength }) => {
        answers.trySend(bytes, jobStart, jobStart + jobLength);
      });
      break;
    }
    case "messages":
      receive(self, role.echo, role.tally);
      self.postMessage("ready");
      break;
    case "port":
      receive(role.port, role.echo, role.tally);
      self.postMessage("ready");
      break;
  }
};

function takeAll(consumer: Consumer, handle: (slot: ConsumerSlot) => void): void {
  const channel = BoundedChannel.attach(consumer.channel);
  const slot = ConsumerSlots.attach(consumer.slots).own(consumer.index, 0);
  self.postMessage("ready");
  for (;;) {
    const status = channel.recv(slot, 1000);
    if (status === RecvStatus.CLOSED) break;
    if (status !== RecvStatus.JOB) continue;
    handle(slot);
    slot.clear();
  }
  self.close();
}

function receive(
  mailbox: Pick<MessagePort, "postMessage"> & {
    onmessage: ((message: MessageEvent) => void) | null;
  },
  echo: Echo,
  memory: TallyMemory,
): void {
  const tally = Tally.attach(memory);
  mailbox.onmessage = ({ data }: MessageEvent<Uint8Array<ArrayBuffer>>): void => {
    if (echo === undefined) tally.count();
    else if (echo === "cloned") mailbox.postMessage(data);
    else mailbox.postMessage(data, [data.buffer]);
  };
}
