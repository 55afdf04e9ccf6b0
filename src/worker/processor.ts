/**
 * What an event does, decided by code that can be replaced.
 *
 * @module
 */

import type { JobView } from "../base/job.ts";
import { Int64 } from "../base/int64.ts";

/** Longest key that an effect can name. Unit: bytes. Reason: `balance:` and the longest user. */
export const MAX_EFFECT_KEY_BYTES = 512;

/**
 * What an event does to the store: add `delta` to the integer at `keyBytes[0, keyLength)` in
 * database 0.
 *
 * Thread: belongs to one worker, which reuses it for every event.
 */
export class Effect {
  /** The key; only `[0, keyLength)` counts. */
  readonly keyBytes: Uint8Array<ArrayBuffer> = new Uint8Array(MAX_EFFECT_KEY_BYTES);
  /** Length of the key in bytes, 1 to {@link MAX_EFFECT_KEY_BYTES}. */
  keyLength = 0;
  /** What is added. */
  readonly delta: Int64 = new Int64();

  /** Forgets the previous event's effect. */
  clear(): this {
    this.keyLength = 0;
    this.delta.hi = 0;
    this.delta.lo = 0;
    return this;
  }
}

/**
 * Decides the effects of events.
 *
 * Thread: each worker has its own processor; its methods run with no lock held.
 */
export interface Processor {
  /**
   * Fills in what `event` does.
   *
   * Must not keep `event` or `effect`. A throw costs this event only: it is counted as failed with
   * reason `processor_error`. It may run more than once for one event, when a worker dies.
   *
   * @param event the accepted event; its bytes lie in shared memory and stay until the call returns
   * @param effect is empty; leaving it empty is a mistake
   */
  process(event: JobView, effect: Effect): void;
}
