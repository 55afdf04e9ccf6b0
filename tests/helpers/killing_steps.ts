/**
 * Steps of the write path at which a server kills itself, outside of the log's thread.
 *
 * @module
 */

import type { ThreadLog } from "../../src/durability/thread_log.ts";
import type { StartOptions } from "../../src/server/start.ts";
import { killSelf } from "./faulty_disk.ts";

/**
 * What a server is started with to be killed at a step: `worker afterTake:1`, `publish copied:3`,
 * `accept confirmed:2`, `accepted:1` (the event is in the channel), `reply:5` (it is about to leave).
 */
export function killingOptions(step: string | undefined): StartOptions {
  if (step === undefined) return {};
  if (step.startsWith("worker ")) {
    const plan = `${step.slice("worker ".length)}:kill`;
    return {
      faultPlan: (slotIndex, startCount) => slotIndex + startCount === 1 ? plan : undefined,
    };
  }
  const [name, count] = step.split(":");
  let passes = 0;
  const reach = (reached: string): void => {
    if (reached === name && ++passes === Number(count)) killSelf();
  };
  return { onLog: (log) => watch(log, reach) };
}

function watch(log: ThreadLog, reach: (step: string) => void): void {
  let isAccepting = false;
  log.intake.onStep = (step) => reach(`${isAccepting ? "accept" : "publish"} ${step}`);
  const acceptEvent = log.acceptEvent.bind(log);
  log.acceptEvent = (number, job, start, end) => {
    isAccepting = true;
    acceptEvent(number, job, start, end);
    isAccepting = false;
    // When it is in the channel, and nobody was told.
    queueMicrotask(() => reach("accepted"));
  };
  const isSafe = log.isSafe.bind(log);
  log.isSafe = (told) => {
    const { isWaiting } = told;
    const isNow = isSafe(told);
    if (isWaiting && isNow) reach("reply");
    return isNow;
  };
}
