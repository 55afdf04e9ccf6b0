/**
 * Which slots are whose: worker `n` has slot `n`, and behind those of all workers its further ones.
 *
 * @module
 */

/**
 * The further slots of a worker with so many jobs in hand at once.
 *
 * @param worker from 0
 * @param workerCount how many workers there may be
 * @param concurrency jobs in hand at once, 1: there are no further slots
 *
 * @example
 * ```ts
 * import { laneIndexes } from "./lanes.ts";
 * console.assert(laneIndexes(1, 4, 3).join() === "6,7");
 * ```
 */
export function laneIndexes(worker: number, workerCount: number, concurrency: number): number[] {
  const first = workerCount + worker * (concurrency - 1);
  return Array.from({ length: concurrency - 1 }, (_, lane) => first + lane);
}
