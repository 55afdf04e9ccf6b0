/**
 * What the channel stress writes down, and how it makes jobs that show when they are torn.
 *
 * @module
 */

import type { ChannelMemory } from "../../src/channel/bounded_channel.ts";
import type { ConsumerSlotsMemory } from "../../src/channel/slot_layout.ts";

/** Word offsets in the evidence region; from RECORDS on, one word per ticket. */
export const Evidence = {
  START: 0,
  STOP: 16,
  SENDERS_INSIDE: 32,
  RECEIVERS_INSIDE: 48,
  RECORDS: 64,
} as const;

/** What a worker of the stress is told. */
export interface Orders {
  role: "producer" | "consumer";
  index: number;
  producers: number;
  jobsPerProducer: number;
  jobBytes: number;
  firstTicket: number;
  channelModule: string;
  channel: ChannelMemory;
  slots: ConsumerSlotsMemory;
  evidence: SharedArrayBuffer;
}

/** What it reports at the end. */
export interface WorkerReport {
  attempts: number;
  /** Calls that began while another thread was inside the same kind of call. */
  overlaps: number;
  /** Jobs that were torn, out of order or had a ticket twice. */
  wrong: number;
}

/** Writes job (producer, sequence); its length and filler depend on both. @returns its length */
export function fillJob(
  job: Uint8Array,
  producer: number,
  sequence: number,
  jobBytes: number,
): number {
  const length = sequence % 64 === 0 ? jobBytes : 6 + (sequence % 16);
  job[0] = producer;
  job[1] = sequence;
  job[2] = sequence >>> 8;
  job[3] = sequence >>> 16;
  job[4] = sequence >>> 24;
  const filler = fillerOf(producer, sequence, length);
  for (let i = 5; i < length; i++) job[i] = filler;
  return length;
}

/** The job's sequence, or -1 when any byte is not as {@link fillJob} wrote it. */
export function sequenceOf(bytes: Uint8Array, start: number, length: number): number {
  const producer = bytes[start]!;
  const sequence = (bytes[start + 1]! | (bytes[start + 2]! << 8) | (bytes[start + 3]! << 16) |
    (bytes[start + 4]! << 24)) >>> 0;
  const filler = fillerOf(producer, sequence, length);
  for (let i = start + 5; i < start + length; i++) if (bytes[i] !== filler) return -1;
  return sequence;
}

function fillerOf(producer: number, sequence: number, length: number): number {
  return (producer * 31 + sequence * 7 + length) & 0xff;
}
