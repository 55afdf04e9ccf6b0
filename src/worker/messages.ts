/**
 * What the supervisor and its workers tell each other by message; everything else goes through
 * shared memory.
 *
 * @module
 */

import type { ChannelMemory } from "../channel/bounded_channel.ts";
import type { ConsumerSlotsMemory } from "../channel/slot_layout.ts";
import type { ThreadLogMemory } from "../durability/thread_log.ts";
import type { ProcessorCountersMemory } from "../metrics/processor_counters.ts";
import type { MetricsMemory } from "../metrics/region.ts";
import type { PubSubMemory } from "../pubsub/region.ts";
import type { EventIdsMemory } from "../store/event_ids.ts";
import type { StoreMemory } from "../store/store.ts";
import type { WaitMemory } from "../store/wait_region.ts";
import type { LifelineSpec } from "./lifeline.ts";
import type { InboxesMemory } from "./settlement_post.ts";

/** The one message that a worker gets. */
export interface WorkerOrders {
  /** Which slot is its own, and the first of its lanes. */
  slotIndex: number;
  /** Its further slots; left out: it has none. */
  laneIndexes?: readonly number[] | undefined;
  /** Epoch in which it owns the slot. */
  epoch: number;
  /** Its thread id in locks and metrics. */
  threadId: number;
  /** What it is to hold for life. */
  lifeline: LifelineSpec;
  /** The channel. */
  channel: ChannelMemory;
  /** The slots. */
  slots: ConsumerSlotsMemory;
  /** The store. */
  store: StoreMemory;
  /** The metrics. */
  metrics: MetricsMemory;
  /** Where outcomes go that clients wait for; absent: nobody waits. */
  inboxes?: InboxesMemory | undefined;
  /** Who subscribes to what; absent: nobody does. */
  pubsub?: PubSubMemory | undefined;
  /** Who waits for keys; absent: nobody does. */
  waits?: WaitMemory | undefined;
  /** Where it writes down what it does; absent: nowhere. */
  log?: ThreadLogMemory | undefined;
  /** Where it keeps the outcomes of events with an id; absent: nowhere. */
  eventIds?: EventIdsMemory | undefined;
  /** Simulated work before the lock, in milliseconds. */
  workMs: number;
  /** Simulated work with the lock held, in milliseconds. */
  holdMs: number;
  /** A processor of one's own; absent: balances. */
  processor?: ProcessorOrders | undefined;
  /** Tests only; see fault_plan.ts. */
  faultPlan?: string | undefined;
}

/** What a worker is told of a processor of one's own. */
export interface ProcessorOrders {
  /** URL of a module whose default export is one. */
  url: string;
  /** What its objects may take. Unit: bytes. */
  memoryBytes: number;
  /** Where it counts; absent: it has no counters. */
  counters?: ProcessorCountersMemory | undefined;
}

/** What a worker says, in this order; any of it may be missing at the end. */
export type WorkerMessage =
  /** It holds its lifeline. */
  | { kind: "holding" }
  /** It is about to take jobs. */
  | { kind: "ready" }
  /** A job failed and was counted so. */
  | FailedJobMessage
  /** The processor has something for the log. */
  | ProcessorLineMessage
  /** An exception ended it; the proof of its end is its lifeline. */
  | { kind: "died"; error: string }
  /** It has done what was asked and touches nothing any more. */
  | { kind: "stopped" };

/** A line of the processor, for the log. */
export interface ProcessorLineMessage {
  /** Discriminator. */
  kind: "line";
  /** How important it is. */
  level: "debug" | "info" | "warn" | "error";
  /** What it says. */
  message: string;
  /** And with it. */
  fields: Record<string, unknown>;
  /** Lines since the last one that were not told, to bound the log. */
  untold: number;
}

/** One failed job, for the log. */
export interface FailedJobMessage {
  /** Discriminator. */
  kind: "failed";
  /** `"overflow"`, …; see outcome.ts. */
  reason: string;
  /** Whose event it was. */
  user: string;
  /** The amount in decimal. */
  amount: string;
  /** Message of the processor's exception, or "". */
  error: string;
  /** Failures since the last message that were not told, to bound the log. */
  untold: number;
}
