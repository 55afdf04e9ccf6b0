/**
 * What a worker works with, whatever its processor is.
 *
 * @module
 */

import type { BoundedChannel } from "../channel/bounded_channel.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import type { SettlementPost } from "./settlement_post.ts";
import type { BackgroundWork } from "../store/background.ts";

/**
 * Longest idle sleep; after it the worker shows its heartbeat, looks for orders and, when that is
 * due, does its share of the background work.
 */
export const IDLE_SLICE_MS = 100;
/** The same while something is noted that could not be published at once. */
export const NOTES_SLICE_MS = 1;
/** What a worker works with, whatever its processor is. */
export interface WorkerParts {
  /** Where jobs come from. */
  readonly channel: BoundedChannel;
  /** Its first slot. */
  readonly life: ConsumerSlot;
  /** Work between jobs. */
  readonly background: BackgroundWork;
  /** What is to be published; undefined: nobody can subscribe. */
  readonly notes: Notifier | undefined;
  /** Where outcomes go that clients wait for; undefined: nowhere. */
  readonly post: SettlementPost | undefined;
}
