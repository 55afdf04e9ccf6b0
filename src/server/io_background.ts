/**
 * Lets an I/O thread help with the background work while all event workers are busy, or none has
 * been needed yet (C12).
 *
 * @module
 */

import type { Notifier } from "../pubsub/notifier.ts";
import type { BackgroundWork } from "../store/background.ts";

/** How often the thread looks whether help is needed. Unit: ms. */
const LOOK_INTERVAL_MS = 100;
/** Time between two slices while there is more to do. Unit: ms. */
const SLICE_GAP_MS = 1;
/** Length of a slice. Unit: ms. Reason: clients wait for it (C12). */
const SLICE_MS = 0.2;
/** After so many slices without a break there is a backlog. Reason: a slow look round takes a few. */
const BACKLOG_SLICES = 25;

/**
 * Helps until disposed.
 *
 * Thread: an I/O thread; the timers keep its event loop alive.
 *
 * @param notifier publishes what expired meanwhile
 * @param onBacklog told while there is more to do than slices get done
 * @param onFailure told of an exception, which ends the help: a shard is torn
 */
export function helpInBackground(
  work: BackgroundWork,
  notifier: Notifier,
  onBacklog: () => void,
  onFailure: (error: unknown) => void,
): Disposable {
  let slices = 0;
  let timer = setTimeout(look, LOOK_INTERVAL_MS);
  function look(): void {
    let hasMore = false;
    try {
      hasMore = work.needsHelp && work.run(SLICE_MS);
      slices = hasMore ? slices + 1 : 0;
      if (slices >= BACKLOG_SLICES) onBacklog();
      // What a refused write evicted has no command behind which it would be published, either.
      if (notifier.noteCount > 0) notifier.flush();
    } catch (error) {
      onFailure(error);
      return;
    }
    timer = setTimeout(look, hasMore ? SLICE_GAP_MS : LOOK_INTERVAL_MS);
  }
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
