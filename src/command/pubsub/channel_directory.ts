/**
 * The names of all channels that somebody subscribes to, on whichever thread.
 *
 * @module
 */

import type { ChannelSpace } from "../../pubsub/channel_registry.ts";

/** Knows all channels. Thread: one per I/O thread. */
export interface ChannelDirectory {
  /**
   * Names of channels with subscribers that match, one character per byte, each once.
   *
   * @param pattern null = all
   */
  names(space: ChannelSpace, pattern: string | null): Promise<string[]>;
}
