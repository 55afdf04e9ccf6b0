/**
 * The built-in processor: an event adds its amount to its user's balance.
 *
 * @module
 */

import type { JobView } from "../base/job.ts";
import type { Effect, EffectProcessor } from "./processor.ts";

/** What the key of a balance starts with; the user follows. */
export const BALANCE_KEY_PREFIX = "balance:";

const PREFIX = new TextEncoder().encode(BALANCE_KEY_PREFIX);

/**
 * Adds `amount` to the key `balance:{user}`.
 *
 * @example
 * ```ts
 * import { EventFields, encodeJob, JobView } from "../base/job.ts";
 * import { BalanceProcessor } from "./balance_processor.ts";
 * import { Effect } from "./processor.ts";
 * const event = new EventFields();
 * event.user.set(new TextEncoder().encode("alice"), 0, 5);
 * event.action.set(new TextEncoder().encode("buy"), 0, 3);
 * event.amount.setNumber(100);
 * const job = new Uint8Array(512);
 * const length = encodeJob(event, job, 0);
 * const effect = new Effect();
 * new BalanceProcessor().process(new JobView().attach(job, 0, length), effect);
 * console.assert(effect.keyLength === 13 && effect.delta.toNumber() === 100);
 * ```
 */
export class BalanceProcessor implements EffectProcessor {
  /** See {@link EffectProcessor.process}. */
  process(event: JobView, effect: Effect): void {
    const { keyBytes } = effect;
    let at = 0;
    for (; at < PREFIX.length; at++) keyBytes[at] = PREFIX[at]!;
    for (let i = event.userStart; i < event.userEnd; i++) keyBytes[at++] = event.bytes[i]!;
    effect.keyLength = at;
    effect.delta.copyFrom(event.amount);
  }
}
