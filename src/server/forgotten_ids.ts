/**
 * Says in the log that ids of events were forgotten before their time.
 *
 * @module
 */

import type { Logger } from "../base/log.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { MetricsRegion } from "../metrics/region.ts";

/** How often it is looked. Unit: ms. */
const LOOK_EVERY_MS = 1000;
/** How often it is said at most. Unit: ms. */
const SAY_EVERY_MS = 60_000;

/**
 * Watches until disposed.
 *
 * Thread: the main isolate; does not keep the process alive.
 *
 * @param log where it is said
 */
export function watchForgottenIds(metrics: MetricsRegion, log: Logger): Disposable {
  let saidCount = 0;
  let saidAtMs = -Infinity;
  const look = (): void => {
    const count = metrics.readCounters()[CounterIndex.FORGOTTEN_IDS]!;
    const nowMs = performance.now();
    if (count === saidCount || nowMs - saidAtMs < SAY_EVERY_MS) return;
    log.warn(
      "ids of events were forgotten within --dedup-window: --dedup-max is too small for all of them",
      { event: "event_ids_forgotten", count: count - saidCount },
    );
    saidCount = count;
    saidAtMs = nowMs;
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
