/**
 * What the threads of the wake-up stress tell each other.
 *
 * @module
 */

import type { ChannelMemory } from "../../src/channel/bounded_channel.ts";
import type { ConsumerSlotsMemory } from "../../src/channel/slot_layout.ts";

/**
 * Word offsets in the evidence region; a line for each producer, how many of its jobs were taken, and
 * a line for each consumer, the epoch of its current life.
 */
export const WakeEvidence = {
  START: 0,
  STOP: 16,
  takenAt: (producer: number): number => 32 + 16 * producer,
  epochAt: (producers: number, consumer: number): number => 32 + 16 * (producers + consumer),
} as const;

/** What a worker of the stress is told. */
export interface WakeOrders {
  role: "producer" | "consumer";
  index: number;
  producers: number;
  /** Bursts of jobs that each producer sends. */
  bursts: number;
  /** Jobs in a burst at most. */
  burstJobs: number;
  /** A job that nobody takes for so long was forgotten. */
  forgottenAfterMs: number;
  seed: number;
  channelModule: string;
  channel: ChannelMemory;
  slots: ConsumerSlotsMemory;
  evidence: SharedArrayBuffer;
}

/** What it reports. */
export interface WakeReport {
  /** Bursts that were sent and taken, or jobs that were taken. */
  count: number;
  /** Sends that found nobody to call. */
  quietSends: number;
  /** Whether a burst was not taken. */
  wasForgotten: boolean;
  /** Lives that ended in a fence. */
  fences: number;
}
